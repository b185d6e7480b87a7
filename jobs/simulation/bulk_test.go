package simulation_test

import (
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

func TestBulkNight(t *testing.T) {
	var dumps []string
	for _, rebuild := range []bool{false, true} {
		db := testdb.New(t)
		night := reconcile.NightOf(reconcile.Date{Year: 2026, Month: time.March, Day: 2}, time.UTC)
		if err := simulation.FillAccounts(t.Context(), db.DB.DB, 100, night.Begin.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		indexes := func() (n int) {
			if err := db.Get(&n, "SELECT count(*) FROM pg_indexes WHERE schemaname = 'platform'"); err != nil {
				t.Fatal(err)
			}
			return n
		}
		before := indexes()
		bulk := simulation.BulkNight{Night: night, Seed: 3, Jobs: 20_000, Accounts: 100, FailuresPerMillion: 15_000, FaultsPerMillion: 2000, RebuildIndexes: rebuild}
		faults, err := bulk.Fill(t.Context(), db.DB.DB)
		if err != nil {
			t.Fatal(err)
		}
		if after := indexes(); after != before {
			t.Errorf("%d indexes before, %d after", before, after)
		}
		for kind, query := range map[reconcile.BreakKind]string{
			reconcile.JobWithoutDebit:      "SELECT count(*) FROM platform.jobs j WHERE NOT EXISTS (SELECT FROM platform.credit_entries e WHERE e.job_id = j.id)",
			reconcile.DebitAmountMismatch:  "SELECT count(*) FROM platform.jobs j JOIN platform.credit_entries e ON e.job_id = j.id WHERE -e.credits <> j.credit_cost",
			reconcile.DebitAccountMismatch: "SELECT count(*) FROM platform.jobs j JOIN platform.credit_entries e ON e.job_id = j.id WHERE e.account_id <> j.account_id",
			reconcile.DuplicateDebit:       "SELECT count(*) FROM (SELECT FROM platform.credit_entries WHERE kind = 'usage' GROUP BY job_id HAVING count(*) > 1) d",
		} {
			var n int64
			if err := db.Get(&n, db.Gathered(query)); err != nil {
				t.Fatal(err)
			}
			if n != faults[kind] || n == 0 {
				t.Errorf("%d %s in the database, %d were announced", n, kind, faults[kind])
			}
		}
		var outside, failed int
		if err := db.QueryRow(`SELECT count(*) FILTER (WHERE finished_at < $1 OR finished_at >= $2 OR finished_at < created_at),
			count(*) FILTER (WHERE status = 'failed') FROM platform.jobs`, night.Begin, night.End).Scan(&outside, &failed); err != nil {
			t.Fatal(err)
		}
		if outside != 0 || failed < 200 || failed > 400 {
			t.Errorf("%d jobs finish outside of the night, %d failed", outside, failed)
		}
		dumps = append(dumps, dump(t, db.DB.DB))
	}
	if dumps[0] != dumps[1] {
		t.Error("two fills of one seed differ")
	}
}
