package night

import (
	"context"
	"fmt"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// nightMissing is the status of a night that nobody ever began.
const nightMissing = "missing"

// TroubledNight is one that is not what it should be: its last run did not complete though it has been reported, or though later nights are
// completed; or nobody ever began it. check, /readyz, the metrics, run --catch-up and the index page all tell of the same ones.
type TroubledNight struct {
	BusinessDate reconcile.Date
	Last         reconcile.Date // of nights in a row that are missing; otherwise the same
	Status       string         // failed, stopped, running (and nobody is at it) or missing
	Error        string         // of the last run
	Passed       bool           // a later night is completed: no schedule comes back to this one
}

// Missing says whether nobody ever began the night.
func (t TroubledNight) Missing() bool { return t.Status == nightMissing }

// Count is how many nights it is.
func (t TroubledNight) Count() int { return t.Last.DaysSince(t.BusinessDate) + 1 }

// String says what is the matter, without the run's error.
func (t TroubledNight) String() string {
	switch t.Status {
	case nightMissing:
		if t.Count() > 1 {
			return fmt.Sprintf("%d nights from %s to %s were never run", t.Count(), t.BusinessDate, t.Last)
		}
		return fmt.Sprintf("%s was never run", t.BusinessDate)
	case "failed":
		return fmt.Sprintf("the last run of %s failed", t.BusinessDate)
	default:
		return fmt.Sprintf("the last run of %s did not end", t.BusinessDate)
	}
}

// Fix is the command that mends it.
func (t TroubledNight) Fix() string {
	if t.Missing() {
		return fmt.Sprintf("reconciler backfill --from %s --to %s", t.BusinessDate, t.Last)
	}
	return fmt.Sprintf("fix the cause, then: reconciler run --date %s", t.BusinessDate)
}

// TroubledNights are all of them, oldest first, missing ones in a row as one. A night that a worker is at is none.
func TroubledNights(ctx context.Context, store *postgres.Store) (troubled []TroubledNight, err error) {
	var found []TroubledNight
	if err := store.Select(ctx, &found, "runs/troubled_nights", nil); err != nil {
		return nil, fmt.Errorf("look for troubled nights: %w", err)
	}
	for _, night := range found {
		if night.Status == "running" {
			held, err := store.LockHeld(ctx, NightLock(night.BusinessDate))
			if err != nil {
				return nil, fmt.Errorf("look for troubled nights: %w", err)
			}
			if held {
				continue
			}
		}
		night.Last = night.BusinessDate
		if before := len(troubled) - 1; night.Missing() && before >= 0 && troubled[before].Missing() && troubled[before].Last.AddDays(1) == night.BusinessDate {
			troubled[before].Last = night.Last
			continue
		}
		troubled = append(troubled, night)
	}
	return troubled, nil
}

// NightLock is the name of a night's lock.
func NightLock(date reconcile.Date) string { return "night/" + date.String() }
