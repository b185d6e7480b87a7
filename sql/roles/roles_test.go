// Package roles holds no code: the SQL of the database roles, and the proof that each of them can do what it must and nothing else.
package roles

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"

	reconcilersql "github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/localpg"
)

const insufficientPrivilege = "42501"

// install makes a server of its own, as roles belong to a whole server: the platform's tables under source, the roles by roles.sql, and the
// schema migrated by its owner. It returns how to log in as a role.
func install(t *testing.T, source string) (as func(role string) *sql.DB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	server, err := localpg.Start(ctx, localpg.Options{Beginning: &localpg.Beginning{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	open := func(role string) *sql.DB {
		db, err := sql.Open("postgres", server.URLOf(role, "postgres"))
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
		execute(t, administrator, "SET reconciler.source_schema = '"+source+"';"+reconcilersql.Roles)
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
			t.Run("approver", func(t *testing.T) { testApprover(t, as("reconciler_approver"), source) })
			t.Run("owner", func(t *testing.T) { testOwner(t, as("reconciler_owner"), source) })
			t.Run("every right", func(t *testing.T) { testEveryRight(t, as(localpg.Superuser), source) })
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
		"post an entry":          "INSERT INTO " + source + ".credit_entries (id, account_id, kind, credits) VALUES ('e', 'a', 'credit_back', 1)",
		"keep a run":             "INSERT INTO reconciler.runs (business_date, job, status, as_of, started_at) VALUES ('2026-01-01', 'night', 'running', '2026-01-02Z', '2026-01-02Z')",
		"change a run":           "UPDATE reconciler.runs SET status = 'completed'",
		"remove what it derived": "DELETE FROM reconciler.control_totals",
		"note a break's event": `INSERT INTO reconciler.break_events (account_id, break_id, business_date, event_no, event, actor, recorded_at)
			VALUES ('a', 'b', '2026-01-01', 1, 'opened', 'worker', '2026-01-02Z')`,
		"read the schema's version": "SELECT max(version_id) FROM reconciler.schema_migrations",
	})
	refused(t, app, statements{
		"read other tables of the platform":  "SELECT * FROM " + source + ".passwords",
		"rewrite a break's history":          "UPDATE reconciler.break_events SET actor = 'nobody'",
		"delete a break's history":           "DELETE FROM reconciler.break_events",
		"empty a break's history":            "TRUNCATE reconciler.break_events",
		"reopen a period unseen":             "DELETE FROM reconciler.periods",
		"approve a plan":                     "INSERT INTO reconciler.refund_approvals (plan_id, plan_sha256, maker, approved_by, approved_at) VALUES ('p', 'h', 'm', 'c', '2026-01-01Z')",
		"empty a table":                      "TRUNCATE reconciler.findings",
		"forget that a report was published": "DELETE FROM reconciler.publications",
		"say what Stripe told otherwise":     "UPDATE reconciler.stripe_states SET status = 'won'",
		"pretend a migration":                "INSERT INTO reconciler.schema_migrations (version_id, is_applied) VALUES (99, true)",
		"make a table":                       "CREATE TABLE reconciler.mine (id text)",
		"drop a table":                       "DROP TABLE reconciler.break_events",
		"make a schema":                      "CREATE SCHEMA mine",
		"make a role":                        "CREATE ROLE mine",
		"become the owner":                   "SET ROLE reconciler_owner",
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

func testApprover(t *testing.T, approver *sql.DB, source string) {
	allowed(t, approver, statements{"look at plans": "SELECT * FROM reconciler.refund_plans JOIN reconciler.refund_plan_items USING (plan_id)"})
	refused(t, approver, statements{
		"make a plan":            "INSERT INTO reconciler.refund_plans DEFAULT VALUES",
		"change a plan":          "UPDATE reconciler.refund_plan_items SET amount_minor = 1",
		"withdraw an approval":   "DELETE FROM reconciler.refund_approvals",
		"move a refund":          "UPDATE reconciler.refund_intents SET state = 'sent'",
		"rewrite the audit log":  "UPDATE reconciler.audit_changes SET detail = ''",
		"read decisions":         "SELECT * FROM reconciler.refund_decisions",
		"read e-mail addresses":  "SELECT * FROM " + source + ".accounts",
		"post an entry":          "INSERT INTO " + source + ".credit_entries (id, kind, credits) VALUES ('e', 'credit_back', 5)",
		"make a table":           "CREATE TABLE reconciler.mine (id text)",
		"become the worker":      "SET ROLE reconciler_app",
		"be lent the statistics": "SELECT reconciler.analyze_tables('runs')",
	})
	// Of one person's plan the same person's approval is refused whoever writes it.
	if err := try(approver, "INSERT INTO reconciler.refund_approvals (plan_id, plan_sha256, maker, approved_by, approved_at) VALUES ('p', 'h', 'anna', ' Anna', '2026-01-01Z')"); err == nil || !strings.Contains(err.Error(), "maker_is_not_checker") {
		t.Errorf("maker and checker are one person: %v", err)
	}
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

// What a statement does, by the table of the worker's that it does it to.
var (
	inserted = regexp.MustCompile(`(?i)\b(?:INSERT\s+INTO|COPY)\s+reconciler\.(\w+)`)
	updated  = regexp.MustCompile(`(?i)\bUPDATE\s+reconciler\.(\w+)`)
	deleted  = regexp.MustCompile(`(?i)\bDELETE\s+FROM\s+reconciler\.(\w+)`)
	emptied  = regexp.MustCompile(`(?i)\bTRUNCATE\s+(TABLE\s+)?reconciler\.`)
	replaces = regexp.MustCompile(`(?i)\bDO\s+UPDATE\b`)
)

// onlyColumns are updates that change some columns of a table that is otherwise append-only.
var onlyColumns = map[string]string{"stripe_states": "UPDATE (effective_at)"}

// byApprover is the one statement of the approver's alone.
const byApprover = "refunds/approve"

// neededByWorker are the rights that the statements need, told by their texts: a right that is missing stops a night, and one that is not
// needed is only of use to a thief.
func neededByWorker(t *testing.T) map[string][]string {
	t.Helper()
	catalog, err := reconcilersql.NewCatalog(reconcilersql.DefaultSourceSchema)
	if err != nil {
		t.Fatal(err)
	}
	needed := map[string]map[string]bool{}
	note := func(table, right string) {
		if needed[table] == nil {
			needed[table] = map[string]bool{}
		}
		needed[table][right] = true
	}
	for _, name := range catalog.Names() {
		text := catalog.Statement(name).Text
		if emptied.MatchString(text) {
			t.Errorf("%s: TRUNCATE locks out every reader; DELETE does not", name)
		}
		if name == byApprover {
			continue
		}
		for right, does := range map[string]*regexp.Regexp{"INSERT": inserted, "UPDATE": updated, "DELETE": deleted} {
			for _, match := range does.FindAllStringSubmatch(text, -1) {
				if columns, ok := onlyColumns[match[1]]; ok && right == "UPDATE" {
					right = columns
				}
				note(match[1], right)
			}
		}
		inserts := inserted.FindAllStringSubmatchIndex(text, -1)
		for i, match := range inserts {
			end := len(text)
			if i+1 < len(inserts) {
				end = inserts[i+1][0]
			}
			if replaces.MatchString(text[match[0]:end]) {
				note(text[match[2]:match[3]], "UPDATE")
			}
		}
	}
	rights := map[string][]string{}
	for table, of := range needed {
		rights[table] = append(slices.Sorted(maps.Keys(of)), "SELECT")
		slices.Sort(rights[table])
	}
	return rights
}

// granted is everything that roles were given in the database: "kind name: RIGHT", by role. PUBLIC counts as everybody's.
func granted(t *testing.T, db *sql.DB) map[string][]string {
	t.Helper()
	rows, err := db.Query(`
		SELECT coalesce(r.rolname, 'PUBLIC'), a.kind || ' ' || a.name || ': ' || x.privilege_type || a.of || CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
		FROM (SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind, c.oid::regclass::text AS name, c.relacl AS acl, c.relowner AS owner, '' AS of
		      FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
		      UNION ALL SELECT 'table', t.attrelid::regclass::text, t.attacl, c.relowner, ' (' || t.attname || ')'
		      FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid WHERE t.attacl IS NOT NULL
		      UNION ALL SELECT 'schema', nspname, nspacl, nspowner, '' FROM pg_namespace
		      UNION ALL SELECT 'function', p.oid::regprocedure::text, coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner, ''
		      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
		      UNION ALL SELECT 'default', coalesce(d.defaclnamespace::regnamespace::text, ''), d.defaclacl, d.defaclrole, '' FROM pg_default_acl d
		      UNION ALL SELECT 'type', t.oid::regtype::text, t.typacl, t.typowner, '' FROM pg_type t
		      UNION ALL SELECT 'database', datname, datacl, datdba, '' FROM pg_database WHERE datname = current_database()
		     ) a
		CROSS JOIN LATERAL aclexplode(a.acl) x
		LEFT JOIN pg_roles r ON r.oid = x.grantee
		WHERE x.grantee <> a.owner AND a.name !~ '^(pg_catalog|pg_|information_schema)' AND a.name <> 'information_schema'
		UNION ALL
		SELECT m.rolname, 'member of ' || g.rolname FROM pg_auth_members am JOIN pg_roles m ON m.oid = am.member JOIN pg_roles g ON g.oid = am.roleid
		WHERE m.rolname LIKE 'reconciler%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	found := map[string][]string{}
	for rows.Next() {
		var role, right string
		if err := rows.Scan(&role, &right); err != nil {
			t.Fatal(err)
		}
		found[role] = append(found[role], right)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// Each role has exactly these rights in the whole database: on tables, columns, sequences, schemas, functions, types and the database itself.
func testEveryRight(t *testing.T, administrator *sql.DB, source string) {
	found := granted(t, administrator)
	var tables []string
	rows, err := administrator.Query("SELECT relname FROM pg_class WHERE relnamespace = 'reconciler'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
	}
	wanted := map[string][]string{}
	want := func(role, kind, name string, rights ...string) {
		for _, right := range rights {
			wanted[role] = append(wanted[role], kind+" "+name+": "+right)
		}
	}
	for _, role := range []string{"reconciler_app", "reconciler_readonly", "reconciler_approver"} {
		want(role, "database", "postgres", "CONNECT")
		want(role, "schema", "reconciler", "USAGE")
	}
	want("reconciler_owner", "database", "postgres", "CONNECT")
	want("PUBLIC", "database", "postgres", "CONNECT", "TEMPORARY") // PostgreSQL's defaults
	want("PUBLIC", "schema", "public", "USAGE")
	var version int
	if err := administrator.QueryRow("SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		t.Fatal(err)
	}
	if version < 150000 { // 15 took this default back
		want("PUBLIC", "schema", "public", "CREATE")
	}
	for _, role := range []string{"reconciler_app", "reconciler_readonly"} {
		want(role, "schema", source, "USAGE")
		for _, relation := range sourceRelations {
			want(role, "table", source+"."+relation, "SELECT")
		}
	}
	want("reconciler_app", "table", source+".credit_entries", "INSERT")
	want("reconciler_app", "function", "reconciler.analyze_tables(text[])", "EXECUTE")
	needed := neededByWorker(t)
	for _, table := range tables {
		want("reconciler_readonly", "table", "reconciler."+table, "SELECT")
		if rights, ok := needed[table]; ok {
			want("reconciler_app", "table", "reconciler."+table, rights...)
		} else {
			want("reconciler_app", "table", "reconciler."+table, "SELECT")
		}
	}
	for _, table := range []string{"refund_plans", "refund_plan_items", "refund_intents", "refund_events", "refund_switch", "schema_migrations"} {
		want("reconciler_approver", "table", "reconciler."+table, "SELECT")
	}
	for _, table := range []string{"refund_approvals", "audit_links", "audit_changes"} {
		want("reconciler_approver", "table", "reconciler."+table, "SELECT", "INSERT")
	}
	for _, role := range slices.Sorted(maps.Keys(wanted)) {
		for _, right := range wanted[role] {
			if !slices.Contains(found[role], right) {
				t.Errorf("%s lacks: %s", role, right)
			}
		}
	}
	for _, role := range slices.Sorted(maps.Keys(found)) {
		for _, right := range found[role] {
			if !slices.Contains(wanted[role], right) {
				t.Errorf("%s has, and needs not: %s", role, right)
			}
		}
	}
}

// The worker posts its three kinds of entries and no other, whether rows are hidden from sessions or not, straight or through a view; the
// platform posts what it likes, as owner of the ledger or with a role of its own.
func TestLedgerGuard(t *testing.T) {
	as := install(t, "platform")
	administrator := as(localpg.Superuser)
	execute(t, administrator, `CREATE ROLE shop LOGIN; GRANT USAGE ON SCHEMA platform TO shop; GRANT INSERT ON platform.credit_entries TO shop;
		CREATE ROLE books LOGIN; GRANT ALL ON SCHEMA platform TO books; ALTER TABLE platform.credit_entries OWNER TO books; GRANT reconciler_app TO books;
		CREATE SCHEMA seen; CREATE VIEW seen.credit_entries AS SELECT * FROM platform.credit_entries; GRANT USAGE ON SCHEMA seen TO reconciler_app;
		CREATE VIEW seen.computed AS SELECT id, account_id, lower(kind) AS kind, credits FROM platform.credit_entries;
		CREATE FUNCTION seen.post() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
			INSERT INTO platform.credit_entries (id, account_id, kind, credits) VALUES (NEW.id, NEW.account_id, NEW.kind, NEW.credits); RETURN NEW; END $$;
		ALTER FUNCTION seen.post() OWNER TO books;
		CREATE TRIGGER post INSTEAD OF INSERT ON seen.computed FOR EACH ROW EXECUTE FUNCTION seen.post();
		GRANT INSERT ON seen.credit_entries, seen.computed TO reconciler_app;
		CREATE ROLE worker LOGIN IN ROLE reconciler_app`)
	post := func(into, kind, credits string) string {
		return "INSERT INTO " + into + " (id, account_id, kind, credits) VALUES ('e', 'a', " + kind + ", " + credits + ")"
	}
	mine := map[string]string{"'credit_back'": "5", "'refund'": "-5", "'refund_reversal'": "5"}
	others := map[string]string{"'promo'": "5", "'purchase'": "5", "'usage'": "-5", "'adjustment'": "5", "'refund'": "5", "'credit_back'": "-5", "NULL": "5", "'refund_reversal'": "NULL"}
	for _, role := range []string{"reconciler_app", "worker"} {
		for _, into := range []string{"platform.credit_entries", "seen.credit_entries", "seen.computed"} {
			for _, hides := range []string{"on", "off"} {
				worker := as(role)
				worker.SetMaxOpenConns(1)
				execute(t, worker, "SET row_security = "+hides)
				for kind, credits := range mine {
					allowed(t, worker, statements{role + " posts " + kind + " to " + into: post(into, kind, credits)})
				}
				for kind, credits := range others {
					refused(t, worker, statements{role + " posts " + kind + " of " + credits + " to " + into: post(into, kind, credits)})
				}
			}
		}
	}
	for _, platform := range []string{localpg.Superuser, "shop", "books"} {
		for kind, credits := range others {
			allowed(t, as(platform), statements{platform + " posts " + kind: post("platform.credit_entries", kind, credits)})
		}
	}
	// A policy would do the same, and stop the worker: it refuses to read where rows may be hidden.
	execute(t, administrator, "ALTER TABLE platform.credit_entries ENABLE ROW LEVEL SECURITY; CREATE POLICY kinds ON platform.credit_entries FOR INSERT TO reconciler_app WITH CHECK (kind = 'credit_back')")
	worker := as("reconciler_app")
	worker.SetMaxOpenConns(1)
	execute(t, worker, "SET row_security = off")
	refused(t, worker, statements{"read past a policy": "SELECT * FROM platform.credit_entries", "post past a policy": post("platform.credit_entries", "'credit_back'", "5")})
}

// A view can't be guarded, but the table behind it: the script says so.
func TestLedgerGuardOfAView(t *testing.T) {
	as := install(t, "platform")
	administrator := as(localpg.Superuser)
	administrator.SetMaxOpenConns(1)
	execute(t, administrator, `CREATE SCHEMA billing; CREATE TABLE billing.entries AS TABLE platform.credit_entries; DROP TABLE platform.credit_entries;
		CREATE VIEW platform.credit_entries AS SELECT * FROM billing.entries`)
	execute(t, administrator, reconcilersql.Roles)
	if _, err := administrator.Exec(reconcilersql.LedgerGuard); err == nil || !strings.Contains(err.Error(), "SET reconciler.ledger") {
		t.Errorf("a view was guarded: %v", err)
	}
	for range 2 {
		execute(t, administrator, "SET reconciler.ledger = 'billing.entries';"+reconcilersql.LedgerGuard)
	}
	refused(t, as("reconciler_app"), statements{"post a grant": "INSERT INTO platform.credit_entries (id, kind, credits) VALUES ('e', 'promo', 5)"})
	allowed(t, as("reconciler_app"), statements{"post a credit-back": "INSERT INTO platform.credit_entries (id, kind, credits) VALUES ('e', 'credit_back', 5)"})
	var guarded bool
	catalog, err := reconcilersql.NewCatalog("platform")
	if err != nil {
		t.Fatal(err)
	}
	if err := as("reconciler_app").QueryRow(catalog.Statement("check/ledger_guard").Text, "platform").Scan(&guarded); err != nil || !guarded {
		t.Errorf("the check-up sees a guard behind the view: %t, %v", guarded, err)
	}
}

// The script names what is missing instead of granting half.
func TestMissingRelationIsNamed(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	server, err := localpg.Start(ctx, localpg.Options{Beginning: &localpg.Beginning{}})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	db, err := sql.Open("postgres", server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(reconcilersql.Roles); err == nil || !strings.Contains(err.Error(), "schema platform does not exist") {
		t.Errorf("without the platform's schema: %v", err)
	}
	execute(t, db, reconcilersql.Platform+"; ALTER TABLE platform.jobs RENAME TO tasks")
	if _, err := db.Exec(reconcilersql.Roles); err == nil || !strings.Contains(err.Error(), "platform.jobs does not exist") {
		t.Errorf("without jobs: %v", err)
	}
}
