package bench

import (
	"context"
	"testing"

	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// A trap that isn't there would be measured as harmless.
func TestTrapsAreLaid(t *testing.T) {
	t.Parallel()
	// What holds in a database with the trap in it; of settings, that there are any.
	laid := map[string]string{
		"no statistics: a bulk load a moment ago":    "SELECT NOT EXISTS (SELECT FROM pg_stats WHERE schemaname = 'platform' AND tablename IN ('accounts', 'purchases', 'jobs', 'credit_entries'))",
		"stale statistics: analyzed at a thousandth": "SELECT reltuples = 3 FROM pg_class WHERE oid = 'platform.jobs'::regclass",
		"views": "SELECT count(*) = 7 FROM pg_views WHERE schemaname = 'seen'",
		"views that compute a column: lower(kind)":           "SELECT count(*) = 5 FROM pg_views WHERE schemaname = 'seen' AND definition LIKE '%lower(%'",
		"the same, with partial indexes on what it computes": "SELECT count(*) = 2 FROM pg_indexes WHERE tablename = 'credit_entries' AND indexdef LIKE '%lower(kind)%'",
		"8 partitions by hash of id": `SELECT count(*) = 16 FROM pg_inherits WHERE EXISTS (SELECT FROM pg_stats WHERE format('%I.%I', schemaname, tablename)::regclass = inhrelid)
			AND EXISTS (SELECT FROM pg_index WHERE indrelid = 'platform.jobs'::regclass AND indisunique)`,
		"26 partitions by month of created_at": `SELECT (SELECT count(*) FROM pg_inherits WHERE inhparent IN ('platform.jobs'::regclass, 'platform.credit_entries'::regclass)) = 52
			AND (SELECT count(*) FROM pg_index WHERE indisunique AND indrelid::regclass::text LIKE 'platform.credit\_entries\__%') = 52`,
	}
	for _, trap := range Traps() {
		t.Run(trap.Name, func(t *testing.T) {
			db := testdb.NewOnOneServer(t)
			if err := simulation.FillAccounts(context.Background(), db.DB.DB, 2000, benchNight.Begin.AddDate(-2, 0, 0)); err != nil {
				t.Fatal(err)
			}
			if _, err := (simulation.BulkNight{Night: benchNight, Jobs: 3000, Accounts: 2000}).Fill(context.Background(), db.DB.DB); err != nil {
				t.Fatal(err)
			}
			for _, setting := range trap.set {
				var alter string
				if err := db.Get(&alter, "SELECT format('ALTER DATABASE %I SET ', current_database())"); err != nil {
					t.Fatal(err)
				}
				db.MustExec(alter + setting)
			}
			for _, statement := range trap.Lay {
				db.MustExec(statement)
			}
			check, ok := laid[trap.Name]
			if !ok {
				check = "SELECT count(*) = 1 FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE d.datname = current_database()"
			}
			var yes bool
			if err := db.Get(&yes, check); err != nil {
				t.Fatal(err)
			}
			if !yes {
				t.Error("the trap isn't there")
			}
			schema := trap.schema
			if schema == "" {
				schema = "platform"
			}
			db.MustExec("INSERT INTO " + schema + `.credit_entries (id, account_id, kind, credits, job_id, idempotency_key, created_at)
				VALUES ('new', 'acc_000000000', 'credit_back', 1, 'job_20260302_000000001', 'new', '2026-03-02Z')`)
			var jobs, entries int64
			if err := db.QueryRow("SELECT (SELECT count(*) FROM "+schema+".jobs), (SELECT count(*) FROM "+schema+".credit_entries)").Scan(&jobs, &entries); err != nil {
				t.Fatal(err)
			}
			if jobs != 3000 || entries != 5002 {
				t.Errorf("%d jobs and %d entries, want 3000 and 5002", jobs, entries)
			}
		})
	}
}

func TestAnotherOutcomeIsNamed(t *testing.T) {
	if err := sameLines([]string{"a", "b"}, []string{"b", "a"}); err != nil {
		t.Error(err)
	}
	for _, got := range [][]string{{"a"}, {"a", "b", "c"}, {"a", "c"}} {
		if sameLines([]string{"a", "b"}, got) == nil {
			t.Errorf("%v passes for a, b", got)
		}
	}
}
