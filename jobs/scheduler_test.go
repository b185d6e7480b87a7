package jobs_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// A database that is not fit, as after a migration to another version's schema, is asked before every single job as well as before the nights, and is the
// end of either. And when the clock is set back, as on a machine that began with a wrong one, both come again by the right one.
func TestEverythingScheduledComesByTheClockThatIs(t *testing.T) {
	schedule := func(spec string) jobs.Schedule {
		parsed, err := jobs.ParseSchedule(spec, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	now, right := time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC), time.Date(2026, 3, 3, 2, 50, 0, 0, time.UTC)
	var asked []string
	s := &jobs.Scheduler{
		Worker: &jobs.Worker{Clock: func() time.Time { return now }}, // without a store: whatever were done would panic
		Nights: schedule("15 3 * * *"), Jobs: map[string]jobs.Schedule{"match-jobs": schedule("30 * * * *")},
		Ready: func(context.Context) error {
			asked = append(asked, now.Format("2006-01-02 15:04"))
			return postgres.ErrSetup
		},
		Begins: func(context.Context) { t.Error("nights are begun on a database that is not fit") },
	}
	s.After = func(d time.Duration) <-chan time.Time {
		if now = now.Add(d); now.Year() == 2031 {
			now = right
		}
		if now.After(right.Add(2 * time.Hour)) {
			stop()
		}
		passed := make(chan time.Time, 1)
		passed <- now
		return passed
	}
	s.Run(ctx, ctx)
	if want := []string{"2031-05-01 12:00", "2026-03-03 03:15", "2026-03-03 03:30", "2026-03-03 04:30"}; !slices.Equal(asked, want) {
		t.Errorf("something was done at %v, want %v", asked, want)
	}
	if failed := s.Status().Failed; !slices.Equal(failed, []string{"match-jobs"}) {
		t.Errorf("a probe is told that %q could not be done, want match-jobs", failed)
	}
}
