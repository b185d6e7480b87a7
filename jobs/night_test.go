package jobs_test

import (
	"context"
	"testing"

	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/calendar"
	"github.com/hummingbytes/reconciler/reconcile/policyfile"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// A week of the simulated business, or a fortnight in the long form: what was planted is found, and nothing else.
func TestSimulatedNightsFindWhatWasPlanted(t *testing.T) {
	t.Parallel()
	nights := 7
	if *longBusiness {
		nights = 14
	}
	ctx := context.Background()
	db := testdb.New(t)
	store := openStore(t, db.URL)
	policies, err := policyfile.Default()
	if err != nil {
		t.Fatal(err)
	}
	holidays, err := calendar.ByName("us-federal")
	if err != nil {
		t.Fatal(err)
	}
	sim, err := simulation.New(simulation.Options{Seed: 1, Start: reconcile.Date{Year: 2026, Month: 3, Day: 2}, Nights: nights, IsHoliday: holidays})
	if err != nil {
		t.Fatal(err)
	}
	w := &jobs.Worker{Store: store, Policies: policies, Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)}
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
