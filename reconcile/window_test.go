package reconcile_test

import (
	"slices"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
)

const week = 168 * time.Hour

func TestWindowBoundaries(t *testing.T) {
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	completions := map[string]time.Time{
		"plain":                      time.Date(2026, time.January, 5, 9, 30, 0, 0, time.UTC),
		"clocks go forward meantime": time.Date(2026, time.March, 4, 23, 30, 0, 0, newYork),
		"clocks go back meantime":    time.Date(2026, time.October, 28, 0, 30, 0, 0, newYork),
		"over the year's end":        time.Date(2026, time.December, 29, 23, 59, 59, 999_999_999, time.UTC),
	}
	version := reconcile.PolicyVersion{RefundWindow: week}
	for name, completedAt := range completions {
		expiresAt := version.WindowExpiresAt(completedAt)
		if got := expiresAt.Sub(completedAt); got != week {
			t.Errorf("%s: the window lasts %s", name, got)
		}
		for _, test := range []struct {
			offset  time.Duration
			inTime  bool
			expired bool
		}{
			{-time.Second, true, false}, {-time.Nanosecond, true, false}, {0, true, false}, {time.Nanosecond, false, true}, {time.Second, false, true},
		} {
			at := expiresAt.Add(test.offset)
			if got := reconcile.RequestInTime(at, expiresAt); got != test.inTime {
				t.Errorf("%s: request at 168 h %+d ns in time: %t", name, test.offset, got)
			}
			facts := reconcile.WindowFacts{AsOf: at, CompletedAt: completedAt, ExpiresAt: expiresAt}
			want := reconcile.WindowOpen
			if test.expired {
				want = reconcile.WindowExpired
			}
			if got := facts.State(); got != want {
				t.Errorf("%s: as of 168 h %+d ns: %s, want %s", name, test.offset, got, want)
			}
			facts.AsOf, facts.RequestedAt = expiresAt.Add(1000*time.Hour), at
			want = reconcile.WindowExpired
			if test.inTime {
				want = reconcile.WindowRequested
			}
			if got := facts.State(); got != want {
				t.Errorf("%s: requested at 168 h %+d ns: %s, want %s", name, test.offset, got, want)
			}
		}
	}
}

// Every combination of facts gives the first state that applies, and no other.
func TestWindowPrecedence(t *testing.T) {
	expiresAt := noon.Add(week)
	for bits := range 1 << 5 {
		refunded, disputed, used, requested, expired := bits&1 > 0, bits&2 > 0, bits&4 > 0, bits&8 > 0, bits&16 > 0
		facts := reconcile.WindowFacts{AsOf: expiresAt, CompletedAt: noon, ExpiresAt: expiresAt, Refunded: refunded, Disputed: disputed}
		if used {
			facts.UsedCredits = 1
		}
		if requested {
			facts.RequestedAt = noon.Add(time.Hour)
		}
		if expired {
			facts.AsOf = expiresAt.Add(time.Second)
		}
		applies := map[reconcile.WindowState]bool{
			reconcile.WindowRefunded: refunded, reconcile.WindowDisputed: disputed, reconcile.WindowUsed: used,
			reconcile.WindowRequested: requested, reconcile.WindowExpired: expired, reconcile.WindowOpen: true,
		}
		states := reconcile.WindowStates()
		want := states[slices.IndexFunc(states, func(s reconcile.WindowState) bool { return applies[s] })]
		if got := facts.State(); got != want {
			t.Errorf("%05b: %s, want %s", bits, got, want)
		}
	}
}
