package jobs_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hummingbytes/reconciler/jobs/night"
)

// withheld splits the rows of a night off a platform: what its slowest writers write while the night is being worked on.
func withheld(s stage, p platform, night int) (early, late platform) {
	within := func(at *time.Time) bool { return at != nil && isOf(s.night(night), *at) }
	isLate := 0
	some := func(in bool) bool {
		if in {
			isLate++
		}
		return in && isLate%2 == 0
	}
	early, late = p, platform{}
	early.Purchases = slices.DeleteFunc(slices.Clone(p.Purchases), func(r purchase) bool {
		out := some(within(r.CompletedAt))
		if out {
			late.Purchases = append(late.Purchases, r)
		}
		return out
	})
	early.Jobs = slices.DeleteFunc(slices.Clone(p.Jobs), func(r job) bool {
		out := some(within(r.FinishedAt) && within(r.CreatedAt)) // one that was created before would have been seen by then
		if out {
			late.Jobs = append(late.Jobs, r)
		}
		return out
	})
	early.Entries = slices.DeleteFunc(slices.Clone(p.Entries), func(r entry) bool {
		out := some(within(r.CreatedAt))
		if out {
			late.Entries = append(late.Entries, r)
		}
		return out
	})
	return early, late
}

// Rows of a night that were written while it was worked on once stayed out of its roll-forward, and of every later one. Now the night starts
// over, and ends as if they had been there from the start.
func TestRowsWrittenWhileTheirNightIsWorkedOn(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	p := crowd(s, 4100, 60)
	w.play(t, s, p, 0, 1)
	want := w.published(t, s.night(1).Date)
	early, late := withheld(s, p, 1)
	if len(late.Purchases) < 1 || len(late.Jobs) < 3 || len(late.Entries) < 9 {
		t.Fatalf("the platforms are too tame: %d, %d, %d", len(late.Purchases), len(late.Jobs), len(late.Entries))
	}
	for _, step := range []string{"open/read", "match-jobs/scanned", "match-jobs/judged", "credit-backs/recorded", "credit-backs/posted", "books/rolled", "reports/prepared"} {
		t.Run(step, func(t *testing.T) {
			w.play(t, s, early, 0)
			written := 0
			w.Step = func(name string) {
				if name == step && written == 0 {
					written++
					late.load(t, w.db.DB)
				}
			}
			defer func() { w.Step = nil }()
			w.again(t, s, 1)
			if written == 0 {
				t.Fatal("the step was never reached")
			}
			if step != "books/rolled" && step != "reports/prepared" { // by then the night has been read for the last time
				if diff := cmp.Diff(want, w.published(t, s.night(1).Date)); diff != "" {
					t.Error(diff)
				}
			}
			w.again(t, s, 2)
		})
	}
}

// A row that breaks the contract and is written after the reading has the night start over where there was none before: rows are counted again without
// asking the contract of each then. Beside others that break it, the next night names it as late.
func TestRowThatBreaksTheContractWrittenWhileItsNightIsWorkedOn(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	broken := func(id string) job {
		j := ran(id, "succeeded", "", 5, "2026-03-06 13:00:00")
		j.Kind = ref("dance")
		return j
	}
	entryOf := func(kind string) entry {
		return entry{ID: "ent_late", AccountID: ref(someone), Kind: &kind, Credits: ref[int64](7), CreatedAt: ref(utc("2026-03-06 12:00:00"))}
	}
	for name, c := range map[string]struct {
		before     []job
		late       platform
		want, next string
	}{
		"a job, the first":      {late: platform{Jobs: []job{broken("job_late")}}, want: "job_late"},
		"a job, the second":     {before: []job{broken("job_broken")}, late: platform{Jobs: []job{broken("job_late")}}, want: "job_broken", next: "job_late"},
		"an entry":              {late: platform{Entries: []entry{entryOf("dance")}}, want: "ent_late"},
		"a clean job and entry": {before: []job{broken("job_broken")}, late: platform{Jobs: []job{ran("job_late", "succeeded", "", 5, "2026-03-06 14:00:00")}, Entries: []entry{entryOf("promo")}}, want: "job_broken"},
	} {
		w.play(t, s, platform{Accounts: customer(), Jobs: append([]job{ran("job_1", "succeeded", "", 5, "2026-03-06 12:00:00")}, c.before...)}, 0)
		reads := 0
		w.Step = func(step string) {
			if step != "open/read" {
				return
			}
			if reads++; reads == 1 {
				c.late.load(t, w.db.DB)
			}
		}
		w.again(t, s, 1, 2)
		w.Step = nil
		named := [2]string{}
		for i := range named {
			err := w.db.Get(&named[i], "SELECT coalesce(string_agg(DISTINCT row_id, ' ' ORDER BY row_id), '') FROM reconciler.rejects WHERE business_date = $1", s.night(1+i).Date)
			if err != nil {
				t.Fatal(err)
			}
		}
		if w.Store.OnCluster() && c.next != "" { // the reading is committed part by part, as a big night's is, and the rejects after it see the row
			c.want, c.next = c.want+" "+c.next, ""
		}
		if want := [2]string{c.want, c.next}; named != want {
			t.Errorf("%s: the nights name %q, want %q", name, named, want)
		}
	}
}

// Credit-backs are worked out while the night's rows are still being counted again: nothing may have been posted when that finds more of them.
func TestNothingIsPostedFromANightThatIsReadAgain(t *testing.T) {
	w, s := newWorker(t), testStage
	early, late := withheld(s, crowd(s, 4000, 60), 1)
	w.play(t, s, early, 0)
	var posted []int // when the reading ends: the first time, and after starting over
	w.Step = func(name string) {
		if name != "open/read" {
			return
		}
		var entries int
		if err := w.db.Get(&entries, "SELECT count(*) FROM platform.credit_entries WHERE idempotency_key LIKE 'reconciler:%' AND created_at = $1", s.night(1).AsOf()); err != nil {
			t.Error(err)
		}
		if posted = append(posted, entries); len(posted) == 1 {
			late.load(t, w.db.DB)
		}
	}
	w.again(t, s, 1)
	w.Step = nil
	if want := []int{0, 0}; !slices.Equal(posted, want) {
		t.Errorf("posted before the readings: %v, want %v", posted, want)
	}
	var entries int
	if err := w.db.Get(&entries, "SELECT count(*) FROM platform.credit_entries WHERE idempotency_key LIKE 'reconciler:%' AND created_at = $1", s.night(1).AsOf()); err != nil || entries == 0 {
		t.Errorf("%d credit-backs in the end (%v): the platform is too tame", entries, err)
	}
}

// A platform that goes on and on writing rows of the night can't be reconciled for it: the night says so, and is good once it stops.
func TestNightThatIsStillWrittenTo(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	early, late := withheld(s, crowd(s, 4000, 60), 1)
	w.play(t, s, early, 0)
	entries := pick(late.Entries, func(e entry) bool { return keepsContractEntry(e) && *e.Credits != 0 })
	w.Step = func(name string) {
		if name == "open/read" {
			(platform{Entries: entries[:1]}).load(t, w.db.DB)
			entries = entries[1:]
		}
	}
	if err := w.night(s.night(1)); err == nil || errors.Is(err, night.ErrIntegrity) || !strings.Contains(err.Error(), "run it again") {
		t.Errorf("a night that is written to again and again ends with %v", err)
	}
	w.Step = nil
	w.again(t, s, 1, 2, 3)
}

// Of a history too long to be added up again every night, rows that arrive are found all the same: of the last nights at once, of older ones
// when it is their turn.
func TestLateEntriesOfALongHistory(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	w.Settings.Sizes = night.Sizes{LookBackRows: 1, ShareRows: 1, LedgerRows: 100}
	p := crowd(s, 900, 30)
	var late []entry
	p.Entries = slices.DeleteFunc(p.Entries, func(e entry) bool {
		isLate := keepsContractEntry(e) && len(late) < 12 && isOf(s.night(0), *e.CreatedAt)
		if isLate {
			late = append(late, e)
		}
		return isLate
	})
	w.play(t, s, p, 0, 1, 2)
	w.Settings.LateLookbackNights = 1
	(platform{Entries: late}).load(t, w.db.DB)
	booked := 0
	for night := 3; night < 12 && booked == 0; night++ { // three older nights: each has its turn within as many
		w.again(t, s, night)
		if err := w.db.Get(&booked, "SELECT count(*) FROM reconciler.late_items"); err != nil {
			t.Fatal(err)
		}
	}
	if booked != len(late) {
		t.Errorf("%d of %d late entries were booked", booked, len(late))
	}
	w.again(t, s, 12, 13)
	var untied int
	if err := w.db.Get(&untied, "SELECT count(*) FROM reconciler.control_totals WHERE difference <> 0"); err != nil || untied != 0 {
		t.Errorf("%d totals don't tie, %v", untied, err)
	}
}

// A history may begin with nights in which nothing happened.
func TestBugEmptyNightsBeforeTheLookBackStoppedAllLaterOnes(t *testing.T) {
	w, s := newWorker(t), testStage
	w.Settings.LateLookbackNights = 1
	w.play(t, s, platform{}, 0, 1, 2, 3)
}

// Of a ledger too long to be summed every night, an entry that somebody changes is seen when it is the turn of its night, and from then on every
// night until it is mended.
func TestChangedEntryOfALongHistoryIsSeen(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	w.Settings.Sizes = night.Sizes{ShareRows: 1, LedgerRows: 100}
	w.play(t, s, crowd(s, 900, 30), 0, 1, 2, 3)
	w.Settings.LateLookbackNights = 1
	change := func(by int) {
		t.Helper()
		var changed string
		err := w.db.Get(&changed, `UPDATE platform.credit_entries SET credits = credits + $1 WHERE id = (
			SELECT id FROM platform.credit_entries WHERE kind = 'usage' AND credits < -1 AND created_at >= $2 AND created_at < $3 ORDER BY id LIMIT 1) RETURNING id`,
			by, s.night(1).Begin, s.night(1).End)
		if err != nil {
			t.Fatal(err)
		}
	}
	untied := func(no int) bool {
		t.Helper()
		err := w.night(s.night(no))
		if err != nil && (!errors.Is(err, night.ErrIntegrity) || !strings.Contains(err.Error(), `"closing equals the ledger" does not tie by -1 credits`)) {
			t.Fatal(err)
		}
		return err != nil
	}
	change(-1)
	night := 4
	for ; !untied(night); night++ {
		if night == 12 {
			t.Fatal("nobody saw that an entry of an old night was changed")
		}
	}
	if night == 4 {
		t.Error("one of several older nights was looked at at once: this tests no turns")
	}
	if !untied(night + 1) {
		t.Error("the night after doesn't say any more that an entry was changed")
	}
	change(+1)
	w.again(t, s, night+2, night+3)
}

// A ledger too long to be summed every night is summed when a month ends, before anybody closes it: what no turn has come to shows then.
func TestLongLedgerIsSummedWhenAMonthEnds(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	w.Settings.Sizes = night.Sizes{LookBackRows: 1, ShareRows: 1, LedgerRows: 1}
	s.First = date("2026-03-28")
	w.play(t, s, crowd(s, 900, 30), 0, 1)
	w.Settings.LateLookbackNights = 1
	change := `UPDATE platform.credit_entries SET credits = credits + 7 WHERE id = (
		SELECT id FROM platform.credit_entries WHERE kind = 'promo' AND credits > 0 AND credits < 100 AND created_at < $1 ORDER BY id LIMIT 1) RETURNING id`
	var changed string // unlike one that arrives, it can't be booked
	if err := w.db.Get(&changed, change, s.night(0).Begin); err != nil {
		t.Fatal(err)
	}
	w.again(t, s, 2)
	if err := w.night(s.night(3)); !errors.Is(err, night.ErrIntegrity) || !strings.Contains(err.Error(), `"closing equals the ledger" does not tie by 7 credits`) {
		t.Errorf("the last night of March ends with %v", err)
	}
}

// What fingerprints pass over is what the exact comparison calls clean: both leave the same rows and files behind.
func TestFastMatchingComesToTheSameAsExact(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	var states [2]map[string]string
	for i, matching := range []night.Matching{night.MatchExact, night.MatchFast} {
		w.matching = matching
		w.play(t, s, crowd(s, 7000, 60), 0, 1, 2)
		states[i] = w.state(t)
	}
	compareStates(t, "by fingerprint", states[0], states[1])
}
