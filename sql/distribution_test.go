package sql_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// Every table that the migrations make has its place, and keys and foreign keys allow it: each key of a distributed table contains the column that
// it is distributed by, and no foreign key leads from one kind of place to another.
func TestEveryTableHasItsPlace(t *testing.T) {
	db := testdb.New(t)
	var tables []string
	if err := db.Select(&tables, "SELECT relname FROM pg_class WHERE relnamespace = 'reconciler'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY relname"); err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, p := range sql.Placements {
		if _, twice := at[p.Table]; twice {
			t.Errorf("%s has two places", p.Table)
		}
		at[p.Table] = i
		if !slices.Contains(tables, p.Table) {
			t.Errorf("%s has a place, and isn't there", p.Table)
		}
	}
	for _, table := range tables {
		if _, ok := at[table]; !ok {
			t.Errorf("%s has no place", table)
		}
	}
	if t.Failed() {
		return
	}
	var relations []string
	for _, p := range sql.PlatformPlacements {
		relations = append(relations, p.Table)
	}
	for _, relation := range sql.SourceRelations {
		if !slices.Contains(relations, relation.Name) {
			t.Errorf("the platform's %s has no place", relation.Name)
		}
	}
	var keys []struct{ Table, Key, Columns string }
	if err := db.Select(&keys, `SELECT c.relname AS "table", i.relname AS key, array_to_string(ARRAY(SELECT pg_get_indexdef(x.indexrelid, s.n, true) FROM generate_series(1, x.indnkeyatts) s (n)), ' ') AS columns
		FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid WHERE c.relnamespace = 'reconciler'::regnamespace AND x.indisunique`); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if column := sql.Placements[at[k.Table]].Column; column != "" && !slices.Contains(strings.Fields(k.Columns), column) {
			t.Errorf("%s: the key %s lacks %s", k.Table, k.Key, column)
		}
	}
	var references []struct{ Name, From, To string }
	if err := db.Select(&references, `SELECT k.conname AS name, f.relname AS "from", t.relname AS "to" FROM pg_constraint k JOIN pg_class f ON f.oid = k.conrelid JOIN pg_class t ON t.oid = k.confrelid
		WHERE k.contype = 'f' AND k.connamespace = 'reconciler'::regnamespace`); err != nil {
		t.Fatal(err)
	}
	if len(keys) == 0 || len(references) == 0 {
		t.Fatal("no keys were found")
	}
	for _, r := range references {
		if from, to := sql.Placements[at[r.From]], sql.Placements[at[r.To]]; from.Column != to.Column || from.On != to.On {
			t.Errorf("%s leads from a table that is %s to one that is %s", r.Name, from, to)
		}
	}
	var triggers []string
	if err := db.Select(&triggers, `SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = 'reconciler'::regnamespace AND NOT t.tgisinternal`); err != nil {
		t.Fatal(err)
	}
	if len(triggers) > 0 {
		t.Errorf("triggers: %v", triggers)
	}
}
