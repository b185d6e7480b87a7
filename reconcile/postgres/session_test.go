package postgres_test

import (
	"fmt"
	"testing"

	"github.com/lib/pq"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// Whatever is set on the database or the role, a session of the worker is the same.
func TestSessionsDoNotDependOnTheServersSettings(t *testing.T) {
	t.Parallel()
	foreign := map[string]string{
		"row_security": "on", "default_transaction_isolation": "serializable", "synchronous_commit": "off", "TimeZone": "Australia/Adelaide",
		"DateStyle": "German", "IntervalStyle": "sql_standard", "bytea_output": "escape", "extra_float_digits": "-10", "standard_conforming_strings": "off",
		"quote_all_identifiers": "on", "array_nulls": "off", "transform_null_equals": "on", "statement_timeout": "10min", "idle_session_timeout": "10min",
		"enable_hashjoin": "off", "enable_seqscan": "off", "enable_nestloop": "off",
	}
	shown := func(t *testing.T, prepare func(db *testdb.DB)) map[string]string {
		db := testdb.New(t)
		prepare(db)
		store, err := postgres.Open(postgres.Options{URL: db.URL})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		found := map[string]string{}
		for name := range foreign {
			var value string
			if err := store.DB().QueryRow("SELECT current_setting($1)", name).Scan(&value); err != nil {
				t.Fatal(err)
			}
			found[name] = value
		}
		var lower string // the server's own, though another one stands in front of it
		if err := store.DB().QueryRow("SELECT lower('A'), current_schemas(false)::text").Scan(&lower, new(string)); err != nil {
			t.Fatal(err)
		}
		found["lower"] = lower
		return found
	}
	ordinary := shown(t, func(*testdb.DB) {})
	ordinary["statement_timeout"] = "10min" // without a limit of the worker's own it is the server's
	strange := shown(t, func(db *testdb.DB) {
		db.MustExec("CREATE SCHEMA shadow; CREATE FUNCTION shadow.lower(text) RETURNS text LANGUAGE sql AS 'SELECT ''shadow'''")
		for name, value := range foreign {
			db.MustExec(fmt.Sprintf("ALTER DATABASE %s SET %s = %s", pq.QuoteIdentifier(databaseOf(t, db)), name, pq.QuoteLiteral(value)))
		}
		db.MustExec(fmt.Sprintf("ALTER DATABASE %s SET search_path = shadow, pg_catalog, public", pq.QuoteIdentifier(databaseOf(t, db))))
	})
	for name, want := range ordinary {
		if strange[name] != want {
			t.Errorf("%s is %q, and %q in an ordinary database", name, strange[name], want)
		}
	}
}

func databaseOf(t *testing.T, db *testdb.DB) (name string) {
	t.Helper()
	if err := db.Get(&name, "SELECT current_database()"); err != nil {
		t.Fatal(err)
	}
	return name
}
