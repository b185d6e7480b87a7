package jobs_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs/decide"
	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// The facts of a night's credit-backs were once planned while the table of credit-backs was empty, and read all of it for every job as it filled.
func TestFactsOfCreditBacksAreLookedUpThoughTheirTableIsEmptyYet(t *testing.T) {
	db := testdb.New(t)
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
	for name, value := range decide.PostingTx.Settings {
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
	if !slices.ContainsFunc(plan.Hashed(), func(set testdb.PlanNode) bool { return set.Scans("credit_backs") }) {
		t.Errorf("the jobs that are settled are not looked up in a set that was made once: %+v", plan)
	}
}
