package simulation_test

import (
	"net/http/httptest"
	"testing"

	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/reconcile/calendar"
	"github.com/hummingbytes/reconciler/reconcile/policyfile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// Every planted fault must become exactly the break that it is, and nothing else may be reported.
func TestNightsFindWhatWasPlanted(t *testing.T) {
	holidays, err := calendar.ByName("us-federal")
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]simulation.Options{
		"invented":              {Seed: 11, Start: options().Start, Nights: 14, Accounts: 80, JobsPerNight: 150, FaultsPerKind: 3, IsHoliday: holidays},
		"replayed":              {Seed: 12, Trace: readTrace(t), IsHoliday: holidays},
		"invented, with Stripe": {Seed: 13, Start: options().Start, Nights: 14, Accounts: 80, JobsPerNight: 150, FaultsPerKind: 3, IsHoliday: holidays, Stripe: true},
		"replayed, with Stripe": {Seed: 14, Trace: readTrace(t), IsHoliday: holidays, Stripe: true},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := simulation.New(o)
			if err != nil {
				t.Fatal(err)
			}
			db := testdb.New(t)
			store, err := postgres.Open(postgres.Options{URL: db.URL})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			policies, err := policyfile.Default()
			if err != nil {
				t.Fatal(err)
			}
			worker := jobs.Worker{Store: store, Policies: policies, Log: zerolog.Nop()}
			if o.Stripe {
				server := httptest.NewServer(s.StripeHandler())
				defer server.Close()
				client, err := stripefeed.New(stripefeed.Options{Key: s.Stripe().ReadKey(), BaseURL: server.URL, EndpointPerSecond: 1e6, TotalPerSecond: 1e6, SyncLag: -1})
				if err != nil {
					t.Fatal(err)
				}
				worker.Stripe = client
			}
			for _, night := range s.Nights() {
				if err := s.PlayNight(t.Context(), store.DB(), night.Date); err != nil {
					t.Fatal(err)
				}
				if err := worker.RunNight(t.Context(), night.Date); err != nil {
					t.Fatal(err)
				}
			}
			outcome, err := s.Compare(t.Context(), store.DB())
			if err != nil {
				t.Fatal(err)
			}
			for _, difference := range outcome.Differences {
				t.Error(difference)
			}
		})
	}
}
