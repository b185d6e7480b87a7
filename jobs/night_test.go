package jobs_test

import (
	"context"
	"testing"

	"github.com/hummingbytes/reconciler/jobs/simulation"
)

// A week of the simulated business, or a fortnight in the long form: what was planted is found, and nothing else.
func TestSimulatedNightsFindWhatWasPlanted(t *testing.T) {
	t.Parallel()
	nights := 7
	if *longBusiness {
		nights = 14
	}
	ctx := context.Background()
	b := newBusiness(t, simulation.Options{Seed: 1, Nights: nights})
	sim, db, w := b.sim, b.db, b.worker
	w.Reports = nil
	for _, night := range sim.Nights() {
		if err := sim.PlayNight(ctx, db.DB.DB, night.Date); err != nil {
			t.Fatal(err)
		}
		if err := w.RunNight(ctx, night.Date); err != nil {
			t.Fatal(err)
		}
	}
	outcome, err := sim.Compare(ctx, db.DB.DB)
	if err != nil {
		t.Fatal(err)
	}
	for _, difference := range outcome.Differences {
		t.Error(difference)
	}
	for _, kind := range outcome.Kinds {
		t.Logf("%+v", kind)
	}
	if outcome.Rejects == 0 || outcome.RejectsRight != outcome.Rejects {
		t.Errorf("rejects: %d found, %d planted", outcome.RejectsRight, outcome.Rejects)
	}
}
