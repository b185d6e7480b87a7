package sql_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// rights of the worker's roles on everything in schema reconciler.
func rights(t *testing.T, db *testdb.DB) (lines []string) {
	t.Helper()
	if err := db.Select(&lines, `
		SELECT c.relname || ' ' || coalesce(c.relacl::text, '') || coalesce(a.columns, '')
		FROM pg_class c
		LEFT JOIN LATERAL (SELECT string_agg(attname || ' ' || attacl::text, ', ' ORDER BY attname) AS columns FROM pg_attribute WHERE attrelid = c.oid AND attacl IS NOT NULL) a ON true
		WHERE c.relnamespace = 'reconciler'::regnamespace AND c.relkind IN ('r', 'S', 'v')
		UNION ALL SELECT p.oid::regprocedure::text || ' ' || coalesce(p.proacl::text, '') FROM pg_proc p WHERE p.pronamespace = 'reconciler'::regnamespace
		UNION ALL SELECT 'schema ' || coalesce(nspacl::text, '') FROM pg_namespace WHERE nspname = 'reconciler'`); err != nil {
		t.Fatal(err)
	}
	for i, line := range lines { // the order in which rights were granted is no matter
		name, grants, _ := strings.Cut(line, " ")
		entries := strings.Split(strings.Trim(grants, "{}"), ",")
		slices.Sort(entries)
		lines[i] = name + " " + strings.Join(entries, ",")
	}
	slices.Sort(lines)
	return lines
}

func sameRights(t *testing.T, what string, want, got []string) {
	t.Helper()
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("%s: %s", what, line)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d relations and functions, want %d", what, len(got), len(want))
	}
}

// Nothing that a dump may leave out, or an administrator may reword, says which tables are append-only.
func TestRightsDoNotDependOnComments(t *testing.T) {
	db := testdb.New(t)
	want := rights(t, db)
	for _, comments := range []string{"NULL", "$c$Append-only, they say.$c$", "$c$$c$"} {
		db.MustExec(`DO $do$ DECLARE t regclass; BEGIN
			FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'reconciler'::regnamespace AND relkind = 'r' LOOP
				EXECUTE format('COMMENT ON TABLE %s IS ` + comments + `', t);
				EXECUTE format('GRANT ALL ON %s TO reconciler_app, reconciler_approver, reconciler_readonly', t); -- which migrate takes back
			END LOOP; END $do$`)
		if _, err := sql.Migrate(t.Context(), db.As(sql.OwnerRole).DB); err != nil {
			t.Fatal(err)
		}
		sameRights(t, "with comments "+comments, want, rights(t, db))
	}
}

// pgDump finds a pg_dump that reads a server of that version. In CI there has to be one.
func pgDump(t *testing.T, serverVersion int) string {
	t.Helper()
	candidates, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pg_dump")
	if inPath, err := exec.LookPath("pg_dump"); err == nil {
		candidates = append(candidates, inPath)
	}
	if bin := os.Getenv("RECONCILER_POSTGRES_BIN"); bin != "" {
		candidates = append(candidates, filepath.Join(bin, "pg_dump"))
	}
	for _, candidate := range candidates {
		out, err := exec.Command(candidate, "--version").Output()
		if err != nil {
			continue
		}
		if version := regexp.MustCompile(`\) (\d+)`).FindSubmatch(out); version != nil {
			if major, err := strconv.Atoi(string(version[1])); err == nil && major >= serverVersion/10000 {
				return candidate
			}
		}
	}
	if os.Getenv("CI") != "" && len(candidates) == 0 {
		t.Fatal("there is no pg_dump")
	}
	t.Skipf("of %v none reads a server of version %d", candidates, serverVersion)
	return ""
}

// A database that was dumped without comments, owners or privileges and restored elsewhere has the same rights again, once the roles are made
// and it is migrated.
func TestRightsOfARestoredDatabase(t *testing.T) {
	db := testdb.New(t)
	if db.Distributed() {
		t.Skip("what a node dumps of a distributed database is its own part of it")
	}
	var version int
	if err := db.Get(&version, "SELECT current_setting('server_version_num')::int"); err != nil {
		t.Fatal(err)
	}
	dump := pgDump(t, version)
	want := rights(t, db)
	db.MustExec("INSERT INTO reconciler.periods (period, action_no, action, actor, reason, at) VALUES ('2026-02', 1, 'closed', 'anna', '', '2026-03-01Z')")
	for name, leftOut := range map[string][]string{
		"nothing left out":                nil,
		"without comments":                {"--no-comments"},
		"without comments and privileges": {"--no-comments", "--no-privileges"},
	} {
		t.Run(name, func(t *testing.T) {
			var complaints bytes.Buffer
			cmd := exec.Command(dump, append(leftOut, "--dbname", db.URLOf(testdb.Administrator))...)
			cmd.Stderr = &complaints
			text, err := cmd.Output()
			if err != nil {
				t.Fatalf("pg_dump: %v\n%s", err, &complaints)
			}
			restored := testdb.NewEmpty(t)
			psql := filepath.Join(filepath.Dir(dump), "psql")
			restore := exec.Command(psql, "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", restored.URL)
			restore.Stdin = bytes.NewReader(text)
			if out, err := restore.CombinedOutput(); err != nil {
				t.Fatalf("psql: %v\n%s", err, out)
			}
			restored.GrantSource(sql.DefaultSourceSchema)
			if _, err := sql.Migrate(t.Context(), restored.As(sql.OwnerRole).DB); err != nil {
				t.Fatal(err)
			}
			sameRights(t, name, want, rights(t, restored))
			app := restored.As(sql.AppRole)
			for _, change := range []string{"UPDATE reconciler.periods SET actor = 'nobody'", "DELETE FROM reconciler.periods", "TRUNCATE reconciler.audit_links",
				"UPDATE reconciler.refund_plans SET made_by = 'nobody'", "INSERT INTO reconciler.refund_approvals DEFAULT VALUES"} {
				if _, err := app.Exec(change); err == nil || !strings.Contains(err.Error(), "permission denied") {
					t.Errorf("%s: %v", change, err)
				}
			}
			var kept int
			if err := app.Get(&kept, "SELECT count(*) FROM reconciler.periods"); err != nil || kept != 1 {
				t.Errorf("%d rows are left, %v", kept, err)
			}
		})
	}
}

// The worker's statistics are gathered by whom they belong to, whatever the server's version.
func TestWorkerGathersStatistics(t *testing.T) {
	db := testdb.New(t)
	app := db.As(sql.AppRole)
	catalog, err := sql.NewCatalog(sql.DefaultSourceSchema)
	if err != nil {
		t.Fatal(err)
	}
	db.MustExec("INSERT INTO reconciler.stripe_states (object_id, effective_at, status, seen_at) SELECT 'ch_' || n, '2026-03-02Z', 'succeeded', '2026-03-02Z' FROM generate_series(1, 1000) n")
	if _, err := app.Exec(catalog.Statement("stripe/analyze").Text); err != nil {
		t.Fatal(err)
	}
	var rows int
	tx := db.MustBegin()
	defer tx.Rollback()
	tx.MustExec("SET LOCAL citus.override_table_visibility = off") // the rows of a table that Citus knows are in another one beneath it
	if err := tx.Get(&rows, `SELECT max(reltuples) FROM pg_class
		WHERE relnamespace = 'reconciler'::regnamespace AND relname ~ '^stripe_states(_[0-9]+)?$'`); err != nil || rows != 1000 {
		t.Errorf("the planner knows of %d rows, %v", rows, err)
	}
	for statement, want := range map[string]string{
		`SELECT reconciler.analyze_tables('jobs; DROP TABLE reconciler.runs')`:                               "does not exist",
		`SELECT reconciler.analyze_tables('runs (job); --')`:                                                 "does not exist",
		`SET search_path = pg_temp; SELECT reconciler.analyze_tables('no_such_table')`:                       "does not exist",
		`CREATE FUNCTION reconciler.analyze_tables(text) RETURNS void LANGUAGE sql AS 'SELECT'`:              "permission denied",
		`CREATE OR REPLACE FUNCTION reconciler.analyze_tables(text[]) RETURNS void LANGUAGE sql AS 'SELECT'`: "permission denied",
	} {
		if _, err := app.Exec(statement); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", statement, err, want)
		}
	}
	for _, other := range []string{sql.ReadOnlyRole, sql.ApproverRole} {
		if _, err := db.As(other).Exec("SELECT reconciler.analyze_tables('runs')"); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: %v", other, err)
		}
	}
	// No statement asks the server for what only an owner may do: it would skip it with a warning that nobody sees.
	for _, name := range catalog.Names() {
		if regexp.MustCompile(`(?i)^\s*(ANALYZE|VACUUM|CLUSTER|REINDEX)\b`).MatchString(strings.SplitN(catalog.Statement(name).Text, "*/", 2)[1]) {
			t.Errorf("%s is for the owner of the tables", name)
		}
	}
}
