package jobs_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs"
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
	for name, value := range jobs.FactsTx.Settings {
		if _, err := tx.Exec("SELECT set_config($1, $2, true)", name, fmt.Sprint(value)); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	values := map[string]any{"date": "2026-03-02", "job": "credit-backs", "policy": "p", "begin": begin, "as_of": begin.AddDate(0, 0, 1)}
	statement := catalog.Statement("credit_backs/facts")
	var args []any
	for _, name := range statement.Params {
		args = append(args, values[name])
	}
	var plan []string
	if err := tx.Select(&plan, "EXPLAIN "+statement.Text, args...); err != nil {
		t.Fatal(err)
	}
	whole := strings.Join(plan, "\n")
	if scan := regexp.MustCompile(`Seq Scan on (credit_backs|late_items|candidates)`).FindString(whole); scan != "" {
		t.Errorf("%s, for every job:\n%s", scan, whole)
	}
	if !strings.Contains(whole, "NOT (hashed SubPlan") {
		t.Errorf("the jobs that are settled are not looked up in a set that was made once:\n%s", whole)
	}
}
