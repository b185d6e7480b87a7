package explain_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// small are relations that stay small beside purchases and jobs.
var small = []string{"runs", "policy_versions", "refund_plans", "refund_approvals", "refund_trips", "refund_requests", "subscription_changes"}

// Who looks an id or a customer up waits for it: no statement may read a whole relation that grows. Whether there is an index for everything shows
// where the planner is told to avoid reading all rows.
func TestLookingUpReadsNoWholeRelation(t *testing.T) {
	db := testdb.NewOnOneServer(t) // of a cluster each node plans its own part
	catalog, err := sql.NewCatalog(sql.DefaultSourceSchema)
	if err != nil {
		t.Fatal(err)
	}
	explained := 0
	for _, name := range catalog.Names() {
		if !strings.HasPrefix(name, "explain/") {
			continue
		}
		tx := db.MustBegin()
		tx.MustExec("SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off")
		tx.MustExec("PREPARE statement AS " + catalog.Statement(name).Text)
		var nulls string
		if err := tx.Get(&nulls, "SELECT '(' || array_to_string(array_fill('NULL'::text, ARRAY[cardinality(parameter_types)]), ', ') || ')' FROM pg_prepared_statements WHERE name = 'statement'"); err != nil {
			t.Fatal(err)
		}
		plan, err := testdb.Explain(tx, "EXECUTE statement"+nulls)
		tx.MustExec("DEALLOCATE statement")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for node := range plan.Nodes() {
			reads := node.Type == "Seq Scan" || strings.HasPrefix(node.Type, "Index") && node.IndexCond == ""
			if reads && !slices.Contains(small, node.Relation) {
				t.Errorf("%s reads all of %s (%s)", name, node.Relation, node.Type)
			}
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		explained++
	}
	if explained < 20 {
		t.Errorf("only %d statements were looked at", explained)
	}
}
