package jobs_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// The facts of a night's credit-backs were once planned while the table of credit-backs was empty, and read all of it for every job as it filled.
func TestFactsOfCreditBacksAreLookedUpThoughTheirTableIsEmptyYet(t *testing.T) {
	db := testdb.NewOnOneServer(t) // of a cluster each node plans its own part; so with the others here
	catalog, err := sql.NewCatalog(sql.DefaultSourceSchema)
	if err != nil {
		t.Fatal(err)
	}
	db.MustExec("VACUUM ANALYZE reconciler.credit_backs, reconciler.late_items, reconciler.candidates") // else an empty table is taken for ten pages
	tx, err := db.Beginx()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for name, value := range night.PostingTx.Settings {
		if _, err := tx.Exec("SELECT set_config($1, $2, true)", name, fmt.Sprint(value)); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	values := map[string]any{"date": "2026-03-02", "job": "credit-backs", "policy": "p", "begin": begin, "as_of": begin.AddDate(0, 0, 1), "booked_at": begin.AddDate(0, 0, 1), "cases": "[]"}
	statement := catalog.Statement("credit_backs/record")
	var args []any
	for _, name := range statement.Params {
		args = append(args, values[name])
	}
	plan, err := testdb.Explain(tx, statement.Text, args...)
	if err != nil {
		t.Fatal(err)
	}
	for node := range plan.Nodes() {
		if node.Type == "Seq Scan" && slices.Contains([]string{"credit_backs", "late_items", "candidates"}, node.Relation) {
			t.Errorf("%s is read from end to end, for every job: %+v", node.Relation, plan)
		}
	}
	if !slices.ContainsFunc(plan.Hashed(), func(set testdb.PlanNode) bool { return set.Scans("settled") }) {
		t.Errorf("the jobs that are settled are not looked up in a set that was made once: %+v", plan)
	}
}

// How many rows there are decides whether plans are kept. It is known before the first night, of which nothing was read yet.
func TestRowsToLookAtAreCountedFromTheFirstNightOn(t *testing.T) {
	t.Parallel()
	w, s := newWorkerOn(t, testdb.NewOnOneServer(t)), testStage
	p := crowd(s, 4100, 60)
	p.load(t, w.db.DB)
	rows := func(day int, limit int64) (standing struct {
		Revision int
		Reported reconcile.Date
		Rows     int64
		IsNew    bool
		Moves    int64

		PolicyVersions int
	}) {
		t.Helper()
		night := s.night(day)
		err := w.Store.Get(context.Background(), &standing, "runs/standing", postgres.Args{"date": night.Date, "begin": night.Begin, "end": night.End, "policy": "", "limit": limit})
		if err != nil {
			t.Fatal(err)
		}
		return standing
	}
	var before, until int64
	for i, at := range []time.Time{s.night(0).End, s.night(1).End} {
		count := []*int64{&before, &until}[i]
		if err := w.db.Get(count, "SELECT (SELECT count(*) FROM platform.jobs WHERE created_at < $1) + (SELECT count(*) FROM platform.credit_entries WHERE created_at < $1)", at); err != nil {
			t.Fatal(err)
		}
	}
	if got := rows(0, 100_000).Rows; got != 1+before {
		t.Errorf("%d rows before the first night, want %d", got, 1+before)
	}
	if got := rows(0, 2).Rows; got != 1+2+2 {
		t.Errorf("%d rows are counted, 2 of jobs and 2 of entries would say enough", got)
	}
	w.again(t, s, 0)
	if got := rows(1, 100_000).Rows; got <= 1+before/2 || got > 2*until {
		t.Errorf("%d rows before the second night, of %d", got, until)
	}
}

// Kept plans once joined the accounts that moved one by one with one another, since nothing was known of them: 469 of them 1,282 times.
func TestThePlannerIsToldOfManyAccountsThatMoved(t *testing.T) {
	t.Parallel()
	w, s := newWorkerOn(t, testdb.NewOnOneServer(t)), testStage
	for _, c := range []struct {
		accounts, planned, rows int64 // rows up to which plans are kept
		known                   int64
	}{
		{15, -1, 0, -1}, {300, -1, 0, 301}, {300, 31, 0, 31}, {300, 30, 0, 301}, {300, 299, 1, 301}, // -1: nothing; one more account comes with them
	} {
		w.reset(t, time.UTC)
		w.Settings.Sizes.PlannedRows = c.rows
		large := false
		w.Large = func() { large = true }
		if err := simulation.FillAccounts(t.Context(), w.db.DB.DB, c.accounts, s.night(0).Begin.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		w.db.MustExec("UPDATE pg_class SET reltuples = $1, relpages = 0 WHERE oid = 'reconciler.account_moves'::regclass", c.planned)
		w.again(t, s, 0)
		if w.Store.OnCluster() { // where no plans are kept
			c.known = c.accounts + 1
		}
		var got int64
		if err := w.db.Get(&got, "SELECT reltuples FROM pg_class WHERE oid = 'reconciler.account_moves'::regclass"); err != nil || got != c.known {
			t.Errorf("%+v: the planner takes %d accounts for there (%v)", c, got, err)
		}
		if want := c.rows == 1 || w.Store.OnCluster(); large != want {
			t.Errorf("%+v: the night counts as large: %t", c, large)
		}
	}
}

// A night on which much is wrong, after tables were vacuumed while nothing was: events are looked up only of breaks that there are, though the planner
// would read all that the night notes; and the planner is told, so that plans which are kept don't do so in the next such night. 10,000 breaks once took
// more than a minute.
func TestANightOfManyBreaksReadsNoneOverAndOver(t *testing.T) {
	t.Parallel()
	w, s := newWorkerOn(t, testdb.NewOnOneServer(t)), testStage
	const many = 1000
	if err := simulation.FillAccounts(t.Context(), w.db.DB.DB, 100, s.night(0).Begin.AddDate(0, 0, -1)); err != nil {
		t.Fatal(err)
	}
	bulk := simulation.BulkNight{Night: s.night(0), Seed: 1, Jobs: 1500, Accounts: 100, FaultsPerMillion: 900_000}
	if _, err := bulk.Fill(t.Context(), w.db.DB.DB); err != nil {
		t.Fatal(err)
	}
	w.db.MustExec("VACUUM ANALYZE reconciler.breaks, reconciler.break_events, reconciler.findings")
	w.again(t, s, 0)
	var told int64
	if err := w.db.Get(&told, "SELECT reltuples FROM pg_class WHERE oid = 'reconciler.break_events'::regclass"); err != nil || told < many && !w.Store.OnCluster() { // where no plans are kept
		t.Errorf("the planner takes %d events for there (%v)", told, err)
	}
	var noted, scans int64
	for noted < many && t.Context().Err() == nil { // until the sessions have said what they did
		if err := w.db.QueryRow("SELECT n_tup_ins, seq_scan FROM pg_stat_user_tables WHERE relid = 'reconciler.break_events'::regclass").Scan(&noted, &scans); err != nil {
			t.Fatal(err)
		}
	}
	if scans > many/10 {
		t.Errorf("%d times all events were read, of %d", scans, noted)
	}
}
