package simulation_test

import (
	"database/sql"
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
		"invented":              {Seed: 11, Start: options().Start, Nights: 5, Accounts: 40, JobsPerNight: 150, IsHoliday: holidays},
		"replayed":              {Seed: 12, Trace: readTrace(t), IsHoliday: holidays},
		"invented, with Stripe": {Seed: 13, Start: options().Start, Nights: 12, Accounts: 80, JobsPerNight: 100, FaultsPerKind: 3, IsHoliday: holidays, Stripe: true},
		"replayed, with Stripe": {Seed: 14, Trace: readTrace(t), IsHoliday: holidays, Stripe: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
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
				if err := s.PlayNight(t.Context(), db.DB.DB, night.Date); err != nil {
					t.Fatal(err)
				}
				if err := worker.RunNight(t.Context(), night.Date); err != nil {
					t.Fatal(err)
				}
			}
			outcome, err := s.Compare(t.Context(), db.DB.DB)
			if err != nil {
				t.Fatal(err)
			}
			for _, difference := range outcome.Differences {
				t.Error(difference)
			}
			if outcome.RejectsRight != outcome.Rejects {
				t.Errorf("rejects: %d found, %d planted", outcome.RejectsRight, outcome.Rejects)
			}
			if outcome.Decisions == 0 || outcome.Rejects == 0 || len(outcome.Kinds) == 0 {
				t.Errorf("there was nothing to find: %+v", outcome)
			}
			proveCreditBacks(t, s, db)
		})
	}
}

// proveCreditBacks compares every failure of ours with what came back for it, entry by entry and without the worker's tables.
func proveCreditBacks(t *testing.T, s *simulation.Simulation, db *testdb.DB) {
	t.Helper()
	faulty := make(map[string]bool)
	for _, e := range s.Expected() {
		faulty[e.SubjectID] = true
	}
	rows, err := db.Query(db.Gathered(`SELECT j.id, j.failure_code, coalesce(sum(-e.credits) FILTER (WHERE e.kind IN ('usage', 'adjustment')), 0),
			coalesce(sum(e.credits) FILTER (WHERE e.kind = 'credit_back'), 0)
		FROM platform.jobs j LEFT JOIN platform.credit_entries e ON e.job_id = j.id
		WHERE j.status IN ('failed', 'interrupted') AND j.finished_at >= $1 GROUP BY j.id, j.failure_code`), s.Nights()[0].Begin)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	checked := 0
	for rows.Next() {
		var (
			id              string
			code            sql.NullString
			debited, credit int64
		)
		if err := rows.Scan(&id, &code, &debited, &credit); err != nil {
			t.Fatal(err)
		}
		if faulty[id] {
			continue
		}
		want := int64(0)
		if simulation.IsOurFailure(code.String) {
			want = debited
		}
		if credit != want {
			t.Errorf("job %s failed with %s: %d credits of %d came back, want %d", id, code.String, credit, debited, want)
		}
		checked++
	}
	if err := rows.Err(); err != nil || checked == 0 {
		t.Errorf("%d failures checked, %v", checked, err)
	}
}
