// Package roles holds no code: the SQL of the database roles, and the proof that each of them can do what it must and nothing else.
package roles

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"

	reconcilersql "github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/localpg"
)

//go:embed roles.sql
var roles string

const insufficientPrivilege = "42501"

// install makes a server of its own, as roles belong to a whole server: the platform's tables under source, the roles by roles.sql, and the
// schema migrated by its owner. It returns how to log in as a role.
func install(t *testing.T, source string) (as func(role string) *sql.DB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	server, err := localpg.Start(ctx, localpg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	open := func(role string) *sql.DB {
		address, err := url.Parse(server.URL("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		address.User = url.User(role)
		db, err := sql.Open("postgres", address.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	administrator := open(localpg.Superuser)
	execute(t, administrator, strings.ReplaceAll(reconcilersql.Platform, reconcilersql.DefaultSourceSchema, source))
	execute(t, administrator, "CREATE TABLE "+source+".passwords (account_id text)")
	for range 2 { // the second time finds everything there
		execute(t, administrator, "SET reconciler.source_schema = '"+source+"';"+roles)
		if _, err := reconcilersql.Migrate(ctx, open("reconciler_owner")); err != nil {
			t.Fatal(err)
		}
	}
	return open
}

func execute(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.Exec(statement); err != nil {
		t.Fatalf("%.80s: %v", statement, err)
	}
}

// statements that a role is sent, in a transaction that is rolled back.
type statements map[string]string

func allowed(t *testing.T, db *sql.DB, wanted statements) {
	t.Helper()
	for what, statement := range wanted {
		if err := try(db, statement); err != nil {
			t.Errorf("must be allowed to %s: %v", what, err)
		}
	}
}

func refused(t *testing.T, db *sql.DB, forbidden statements) {
	t.Helper()
	for what, statement := range forbidden {
		var refusal *pq.Error
		if err := try(db, statement); !errors.As(err, &refusal) || refusal.Code != insufficientPrivilege {
			t.Errorf("must be refused to %s: got %v", what, err)
		}
	}
}

func try(db *sql.DB, statement string) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	_, err = tx.Exec(statement)
	return err
}

var sourceRelations = []string{"accounts", "purchases", "jobs", "credit_entries", "refund_requests", "subscriptions", "subscription_changes"}

func TestRoles(t *testing.T) {
	for _, source := range []string{"platform", "billing_views"} {
		t.Run(source, func(t *testing.T) {
			as := install(t, source)
			t.Run("app", func(t *testing.T) { testApp(t, as("reconciler_app"), source) })
			t.Run("readonly", func(t *testing.T) { testReadonly(t, as("reconciler_readonly"), source) })
			t.Run("owner", func(t *testing.T) { testOwner(t, as("reconciler_owner"), source) })
			t.Run("every table", func(t *testing.T) { testEveryTable(t, as("reconciler_owner")) })
		})
	}
}

func testApp(t *testing.T, app *sql.DB, source string) {
	for _, relation := range sourceRelations {
		table := source + "." + relation
		allowed(t, app, statements{"read " + table: "SELECT * FROM " + table})
		refused(t, app, statements{
			"change " + table:       "UPDATE " + table + " SET id = id",
			"delete from " + table:  "DELETE FROM " + table,
			"empty " + table:        "TRUNCATE " + table,
			"lock out " + table:     "LOCK TABLE " + table + " IN ACCESS EXCLUSIVE MODE",
			"drop " + table:         "DROP TABLE " + table,
			"add a column " + table: "ALTER TABLE " + table + " ADD COLUMN note text",
		})
		if relation != "credit_entries" {
			refused(t, app, statements{"add to " + table: "INSERT INTO " + table + " (id) VALUES ('x')"})
		}
	}
	allowed(t, app, statements{
		"post an entry":            "INSERT INTO " + source + ".credit_entries (id, account_id, kind, credits) VALUES ('e', 'a', 'credit_back', 1)",
		"keep a run":               "INSERT INTO reconciler.runs (business_date, job, status, as_of, started_at) VALUES ('2026-01-01', 'night', 'running', '2026-01-02Z', '2026-01-02Z')",
		"change a run":             "UPDATE reconciler.runs SET status = 'completed'",
		"empty its working tables": "TRUNCATE reconciler.findings",
		"remove what it derived":   "DELETE FROM reconciler.control_totals",
		"note a break's event": `INSERT INTO reconciler.break_events (account_id, break_id, business_date, event_no, event, actor, recorded_at)
			VALUES ('a', 'b', '2026-01-01', 1, 'opened', 'worker', '2026-01-02Z')`,
		"read the schema's version": "SELECT max(version_id) FROM reconciler.schema_migrations",
		"use a temporary table":     "CREATE TEMPORARY TABLE scratch (id text)",
	})
	refused(t, app, statements{
		"read other tables of the platform": "SELECT * FROM " + source + ".passwords",
		"rewrite a break's history":         "UPDATE reconciler.break_events SET actor = 'nobody'",
		"delete a break's history":          "DELETE FROM reconciler.break_events",
		"empty a break's history":           "TRUNCATE reconciler.break_events",
		"reopen a period unseen":            "DELETE FROM reconciler.periods",
		"pretend a migration":               "INSERT INTO reconciler.schema_migrations (version_id, is_applied) VALUES (99, true)",
		"make a table":                      "CREATE TABLE reconciler.mine (id text)",
		"drop a table":                      "DROP TABLE reconciler.break_events",
		"make a schema":                     "CREATE SCHEMA mine",
		"make a role":                       "CREATE ROLE mine",
		"become the owner":                  "SET ROLE reconciler_owner",
	})
}

func testReadonly(t *testing.T, readonly *sql.DB, source string) {
	for _, relation := range sourceRelations {
		allowed(t, readonly, statements{"read " + relation: "SELECT * FROM " + source + "." + relation})
	}
	allowed(t, readonly, statements{"read breaks": "SELECT * FROM reconciler.breaks"})
	var setting string
	if err := readonly.QueryRow("SHOW default_transaction_read_only").Scan(&setting); err != nil || setting != "on" {
		t.Errorf("sessions are not read-only: %q, %v", setting, err)
	}
	// The setting is a net; what holds is the missing right.
	readonly.SetMaxOpenConns(1)
	execute(t, readonly, "SET default_transaction_read_only = off")
	refused(t, readonly, statements{
		"post an entry":                     "INSERT INTO " + source + ".credit_entries (id) VALUES ('e')",
		"resolve a break":                   "UPDATE reconciler.breaks SET closed_as = 'resolved'",
		"add to a break's history":          "INSERT INTO reconciler.break_events DEFAULT VALUES",
		"read other tables of the platform": "SELECT * FROM " + source + ".passwords",
	})
}

func testOwner(t *testing.T, owner *sql.DB, source string) {
	allowed(t, owner, statements{"make a table of the worker's": "CREATE TABLE reconciler.another (id text)"})
	refused(t, owner, statements{
		"read the platform":      "SELECT * FROM " + source + ".accounts",
		"post an entry":          "INSERT INTO " + source + ".credit_entries (id) VALUES ('e')",
		"make another schema":    "CREATE SCHEMA another",
		"make a role":            "CREATE ROLE another",
		"read a file of servers": "COPY (SELECT 1) TO PROGRAM 'true'",
	})
}

// Whatever tables migrations bring: the worker can read and add to each, and change all but those that say that they are append-only.
func testEveryTable(t *testing.T, owner *sql.DB) {
	rows, err := owner.Query(`
		SELECT c.relname, coalesce(obj_description(c.oid, 'pg_class'), '') LIKE 'Append-only%',
		       has_table_privilege('reconciler_app', c.oid, 'SELECT') AND has_table_privilege('reconciler_app', c.oid, 'INSERT'),
		       has_table_privilege('reconciler_app', c.oid, 'UPDATE') OR has_table_privilege('reconciler_app', c.oid, 'DELETE')
		           OR has_table_privilege('reconciler_app', c.oid, 'TRUNCATE'),
		       has_table_privilege('reconciler_readonly', c.oid, 'SELECT'),
		       has_table_privilege('reconciler_readonly', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
		FROM pg_class c
		WHERE c.relnamespace = 'reconciler'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'schema_migrations'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	tables, appendOnly := 0, map[string]bool{}
	for rows.Next() {
		var table string
		var onlyAppended, adds, changes, reads, writes bool
		if err := rows.Scan(&table, &onlyAppended, &adds, &changes, &reads, &writes); err != nil {
			t.Fatal(err)
		}
		tables++
		appendOnly[table] = onlyAppended
		if !adds || changes == onlyAppended || !reads || writes {
			t.Errorf("%s: append-only %t; worker adds %t and changes %t; others read %t and write %t", table, onlyAppended, adds, changes, reads, writes)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if tables == 0 {
		t.Error("no tables")
	}
	for _, table := range []string{"break_events", "periods", "stripe_states"} {
		if !appendOnly[table] {
			t.Errorf("%s must be append-only", table)
		}
	}
}

// The script names what is missing instead of granting half.
func TestMissingRelationIsNamed(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	server, err := localpg.Start(ctx, localpg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	db, err := sql.Open("postgres", server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(roles); err == nil || !strings.Contains(err.Error(), "schema platform does not exist") {
		t.Errorf("without the platform's schema: %v", err)
	}
	execute(t, db, reconcilersql.Platform+"; ALTER TABLE platform.jobs RENAME TO tasks")
	if _, err := db.Exec(roles); err == nil || !strings.Contains(err.Error(), "platform.jobs does not exist") {
		t.Errorf("without jobs: %v", err)
	}
}
