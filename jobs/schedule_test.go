package jobs_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

func zoneNamed(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func tickAt(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestParseScheduleRefuses(t *testing.T) {
	for _, spec := range []string{"", " ", "TZ=0", "CRON_TZ=0", "TZ=UTC 15 3 * * *", "15 3 * *", "15 3 * * * *", "60 * * * *", "0 0 31 2 *", "@never", "@every", "@every x", "every day"} {
		if s, err := jobs.ParseSchedule(spec, time.UTC); err == nil {
			t.Errorf("%q is taken, next is %s", spec, s.Next(time.Now()))
		}
	}
}

func TestScheduleByTheClockOnTheWall(t *testing.T) {
	for _, c := range []struct{ name, spec, zone, after, want string }{
		{"the default", "15 3 * * *", "UTC", "2026-03-08T03:14:59Z", "2026-03-08T03:15:00Z"},
		{"a tick is after, not at", "15 3 * * *", "UTC", "2026-03-08T03:15:00Z", "2026-03-09T03:15:00Z"},
		{"before spring", "30 2 * * *", "America/New_York", "2026-03-07T06:00:00Z", "2026-03-07T07:30:00Z"},
		{"skipped in spring: when the clocks have moved on", "30 2 * * *", "America/New_York", "2026-03-07T07:30:00Z", "2026-03-08T07:00:00Z"},
		{"begun in between", "30 2 * * *", "America/New_York", "2026-03-08T06:59:59Z", "2026-03-08T07:00:00Z"},
		{"and not twice", "30 2 * * *", "America/New_York", "2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"},
		{"after the change", "15 3 * * *", "America/New_York", "2026-03-08T00:00:00Z", "2026-03-08T07:15:00Z"},
		{"a zone that changes at 3", "15 3 * * *", "Europe/Helsinki", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
		{"twice in autumn: the first", "30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", "2026-11-01T05:30:00Z"},
		{"and not the second", "30 1 * * *", "America/New_York", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"},
		{"begun between the two", "30 1 * * *", "America/New_York", "2026-11-01T06:00:00Z", "2026-11-02T06:30:00Z"},
		{"after autumn's change", "15 3 * * *", "America/New_York", "2026-11-01T05:00:00Z", "2026-11-01T08:15:00Z"},
		{"a midnight that is skipped", "0 0 * * *", "Africa/Cairo", "2026-04-23T12:00:00Z", "2026-04-23T22:00:00Z"},
		{"half an hour of change", "0 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-03T15:30:00Z"},
		{"weekdays by the local calendar", "0 22 * * 5", "America/New_York", "2026-03-06T12:00:00Z", "2026-03-07T03:00:00Z"},
		{"an interval", "@every 1h30m", "America/New_York", "2026-03-08T06:00:00Z", "2026-03-08T07:30:00Z"},
		{"leap days", "0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := jobs.ParseSchedule(c.spec, zoneNamed(t, c.zone))
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Next(tickAt(t, c.after)); !got.Equal(tickAt(t, c.want)) {
				t.Errorf("next is %s, want %s", got.UTC().Format(time.RFC3339), c.want)
			}
		})
	}
}

// Whatever clocks do, a daily schedule ticks once on every day, and time goes forward.
func TestEveryDayHasOneTick(t *testing.T) {
	zones := []string{"UTC", "America/New_York", "Europe/Helsinki", "Africa/Cairo", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Beirut", "Antarctica/Troll"}
	rapid.Check(t, func(r *rapid.T) {
		zone := zoneNamed(t, rapid.SampledFrom(zones).Draw(r, "zone"))
		minute, hour := rapid.IntRange(0, 59).Draw(r, "minute"), rapid.IntRange(0, 23).Draw(r, "hour")
		spec := time.Date(2000, 1, 1, hour, minute, 0, 0, time.UTC).Format("4 15") + " * * *"
		s, err := jobs.ParseSchedule(spec, zone)
		if err != nil {
			r.Fatal(err)
		}
		day := reconcile.Date{Year: rapid.IntRange(2010, 2030).Draw(r, "year"), Month: time.January, Day: 1}
		at := reconcile.NightOf(day, zone).Begin.Add(-time.Nanosecond)
		for range 366 {
			next := s.Next(at)
			if !next.After(at) {
				r.Fatalf("%s in %s: after %s comes %s", spec, zone, at, next)
			}
			if got := reconcile.DateOf(next.In(zone)); got != day {
				r.Fatalf("%s in %s: the tick of %s is on %s (%s)", spec, zone, day, got, next)
			}
			at, day = next, day.AddDays(1)
		}
	})
}

func FuzzParseSchedule(f *testing.F) {
	for _, seed := range []string{"15 3 * * *", "TZ=0", "@every 1h", "0 0 31 2 *", "*/5 1-3,7 * JAN-MAR mon", "@daily"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		s, err := jobs.ParseSchedule(spec, time.UTC)
		if err != nil {
			return
		}
		from := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
		if next := s.Next(from); !next.After(from) {
			t.Errorf("%q: after %s comes %s", spec, from, next)
		}
	})
}

func TestParseJobSchedules(t *testing.T) {
	got, err := jobs.ParseJobSchedules(" sync-stripe = @hourly ; refunds=30 9 * * 1-5;", time.UTC)
	if err != nil || len(got) != 2 || got["sync-stripe"].String() != "@hourly" || got["refunds"].String() != "30 9 * * 1-5" {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := jobs.ParseJobSchedules("", time.UTC); err != nil || len(got) != 0 {
		t.Errorf("nothing: got %v, %v", got, err)
	}
	_, err = jobs.ParseJobSchedules("sync-stripe=@hourly; sync-stripe=@daily; dance=@daily; refunds; match-jobs=TZ=0", time.UTC)
	if err == nil {
		t.Fatal("faults are taken")
	}
	for _, want := range []string{"sync-stripe has two", `"dance"`, `"refunds"`, "match-jobs"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
}

func TestDueNights(t *testing.T) {
	newYork := zoneNamed(t, "America/New_York")
	read := func(t *testing.T, text string) (date reconcile.Date) {
		if text != "" {
			var err error
			if date, err = reconcile.ParseDate(text); err != nil {
				t.Fatal(err)
			}
		}
		return date
	}
	for _, c := range []struct {
		name, last, now string
		zone            *time.Location
		want            string
	}{
		{"none before: yesterday alone", "", "2026-03-10T03:15:00Z", time.UTC, "2026-03-09"},
		// A worker that was killed in its very first night, and came back two days later, left that night out.
		{"the first was begun, and never done", " begun 2026-03-07", "2026-03-10T03:15:00Z", time.UTC, "2026-03-07 2026-03-08 2026-03-09"},
		{"an old one was begun", "2026-03-08 begun 2026-01-01", "2026-03-10T03:15:00Z", time.UTC, "2026-03-09"},
		{"all done", "2026-03-09", "2026-03-10T03:15:00Z", time.UTC, ""},
		{"the usual one", "2026-03-08", "2026-03-10T03:15:00Z", time.UTC, "2026-03-09"},
		{"three missed", "2026-03-06", "2026-03-10T03:15:00Z", time.UTC, "2026-03-07 2026-03-08 2026-03-09"},
		{"over the end of a year", "2025-12-30", "2026-01-02T00:00:00Z", time.UTC, "2025-12-31 2026-01-01"},
		{"the last moment of a day", "2026-03-08", "2026-03-09T23:59:59Z", time.UTC, ""},
		{"its end", "2026-03-08", "2026-03-10T00:00:00Z", time.UTC, "2026-03-09"},
		{"not over yet in the zone", "2026-03-07", "2026-03-09T03:59:59Z", newYork, ""},
		{"over after 23 hours", "2026-03-07", "2026-03-09T04:00:00Z", newYork, "2026-03-08"},
		{"over after 25 hours", "2026-10-31", "2026-11-02T05:00:00Z", newYork, "2026-11-01"},
		{"a clock that was set back", "2026-03-12", "2026-03-10T03:15:00Z", time.UTC, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			completed, begun, _ := strings.Cut(c.last, " begun ")
			record := jobs.NightsOnRecord{Completed: read(t, completed), Begun: read(t, begun)}
			var got []string
			for _, date := range jobs.DueNights(record, tickAt(t, c.now), c.zone) {
				got = append(got, date.String())
			}
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("due are %q, want %q", text, c.want)
			}
		})
	}
}

// caughtUp are the nights that are completed, in the order in which they were.
func (w *worker) caughtUp(t testing.TB) (dates []string) {
	t.Helper()
	err := w.db.Select(&dates, `SELECT business_date::text FROM reconciler.runs WHERE job = 'night' AND status = 'completed'
		GROUP BY business_date ORDER BY min(finished_at), business_date`)
	if err != nil {
		t.Fatal(err)
	}
	return dates
}

// ticking is a clock that continues from a night's end.
func ticking(n reconcile.Night) func() time.Time {
	var ticks atomic.Int64 // jobs side by side look at it
	return func() time.Time { return n.End.Add(time.Hour + time.Duration(ticks.Add(1))*time.Millisecond) }
}

func dates(s stage, nights ...int) (texts []string) {
	for _, i := range nights {
		texts = append(texts, s.night(i).Date.String())
	}
	return texts
}

func TestCatchUpDoesMissedNightsInOrder(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	w.Clock = ticking(s.night(3))
	w.play(t, s, crowd(s, 500, 5), 0)
	result, err := w.CatchUp(t.Context())
	if err != nil || len(result.Done) != 3 {
		t.Fatalf("did %v, %v", result.Done, err)
	}
	if got, want := w.caughtUp(t), dates(s, 0, 1, 2, 3); !slices.Equal(got, want) {
		t.Errorf("completed %v, want %v", got, want)
	}
	if result, err = w.CatchUp(t.Context()); err != nil || len(result.Done) != 0 {
		t.Errorf("again: did %v, %v", result.Done, err)
	}
}

// A panic is one night's, and none of the later ones'.
func TestPanicInAJobDoesNotStopLaterNights(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	w.Clock = ticking(s.night(2))
	w.play(t, s, crowd(s, 500, 5), 0)
	panicked := false
	w.Step = func(string) {
		if !panicked {
			panicked = true
			panic("a mistake of ours")
		}
	}
	result, err := w.CatchUp(t.Context())
	if !errors.Is(err, jobs.ErrPanic) || jobs.Retryable(err) || len(result.Broken) != 1 || len(result.Done) != 1 {
		t.Fatalf("broken %v, done %v, %v", result.Broken, result.Done, err)
	}
	if got, want := w.caughtUp(t), dates(s, 0, 2); !slices.Equal(got, want) {
		t.Errorf("completed %v, want %v", got, want)
	}
	var status string
	if err := w.db.Get(&status, "SELECT status FROM reconciler.runs WHERE job = 'night' AND business_date = $1", s.night(1).Date.String()); err != nil || status != "failed" {
		t.Errorf("the night is on record as %q, %v", status, err)
	}
}

func TestCatchUpStopsAtANightThatHasToWait(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	w.Clock = ticking(s.night(2))
	w.play(t, s, crowd(s, 500, 5), 0)
	held, err := w.Store.TryLock(t.Context(), "night/"+s.night(1).Date.String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.CatchUp(t.Context()); !errors.Is(err, postgres.ErrLockHeld) || !jobs.Retryable(err) {
		t.Errorf("with the lock held: %v", err)
	}
	if err := held.Unlock(); err != nil {
		t.Fatal(err)
	}
	w.Store.Intercept = func(_ context.Context, statement string, _ bool) error {
		if statement == "match_purchases/judge" {
			return postgres.ErrUnavailable
		}
		return nil
	}
	if _, err := w.CatchUp(t.Context()); !jobs.Retryable(err) {
		t.Errorf("with the database away: %v", err)
	}
	if got, want := w.caughtUp(t), dates(s, 0); !slices.Equal(got, want) {
		t.Errorf("completed %v, want %v", got, want)
	}
	w.Store.Intercept = nil
	if _, err := w.CatchUp(t.Context()); err != nil {
		t.Error(err)
	}
	if got, want := w.caughtUp(t), dates(s, 0, 1, 2); !slices.Equal(got, want) {
		t.Errorf("completed %v, want %v", got, want)
	}
}

func TestCatchUpLeavesOutWhatAnotherWorkerHasDone(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	w.Clock = ticking(s.night(1))
	w.play(t, s, crowd(s, 500, 5), 0)
	other := w.another(t)
	w.Store.Intercept = func(_ context.Context, statement string, done bool) error {
		if statement == "runs/nights_on_record" && done {
			return other.night(s.night(1)) // it is quicker
		}
		return nil
	}
	if _, err := w.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	var attempts int
	if err := w.db.Get(&attempts, "SELECT attempt FROM reconciler.runs WHERE job = 'night' AND business_date = $1", s.night(1).Date.String()); err != nil || attempts != 1 {
		t.Errorf("the night was done %d times, %v", attempts, err)
	}
}

// A worker that is drained finishes the job at hand, begins no other, and the next run finishes the night.
func TestDrainFinishesTheJobAtHand(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	p := crowd(s, 500, 10)
	w.Clock = func() time.Time { return s.night(0).End }
	w.play(t, s, p, 0)
	clean := w.state(t)
	w.reset(t, s.Zone)
	p.load(t, w.db.DB)
	drain := make(chan struct{})
	w.Drain = drain
	w.Step = func(name string) {
		if name == "match-jobs/scanned" {
			close(drain)
		}
	}
	if err := w.night(s.night(0)); !errors.Is(err, context.Canceled) {
		t.Errorf("drained: %v", err)
	}
	w.Drain, w.Step = nil, nil
	var ended []string
	if err := w.db.Select(&ended, "SELECT job || ' ' || status FROM reconciler.runs ORDER BY job"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"match-jobs completed", "night stopped", "sync-stripe completed"}; !slices.Equal(ended, want) {
		t.Errorf("after the drain %v, want %v", ended, want)
	}
	w.again(t, s, 0)
	compareStates(t, "after a drain", clean, w.state(t))
}
