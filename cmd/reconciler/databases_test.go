package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/hummingbytes/reconciler/cmd/reconciler/check"
	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/demo"
	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/localpg"
)

// databaseCase is a database or role that is set up otherwise than the README says.
type databaseCase struct {
	name string
	// needs is a condition on the server, in SQL, without which there can be no such database on it.
	needs string
	// create ends CREATE DATABASE; "" clones the ordinary one.
	create string
	// lay is what an administrator has done to it, DATABASE being its name.
	lay string
	// begun are nights done before that.
	begun bool
	args  []string
	// found and fix are in the check-up's FAILED line, and found in what every command says that is refused; found "": the reports are those
	// of the ordinary database.
	found, fix string
}

// Whatever is set on databases and roles: either the reports are the ordinary ones, to the byte, or every command that works on nights is
// refused with exit code 2 and a fix, and nothing was changed. To add a case, add a line; settings that leave the reports alone can share one.
var databaseCases = []databaseCase{
	{name: "repeatable read, and settings that make other texts", lay: `ALTER DATABASE DATABASE SET default_transaction_isolation = 'repeatable read';
		ALTER DATABASE DATABASE SET DateStyle = 'German, DMY'; ALTER DATABASE DATABASE SET IntervalStyle = sql_standard; ALTER DATABASE DATABASE SET bytea_output = escape;
		ALTER DATABASE DATABASE SET extra_float_digits = -15; ALTER DATABASE DATABASE SET TimeZone = 'Australia/Adelaide'; ALTER DATABASE DATABASE SET standard_conforming_strings = off;
		ALTER DATABASE DATABASE SET array_nulls = off; ALTER DATABASE DATABASE SET transform_null_equals = on; ALTER DATABASE DATABASE SET quote_all_identifiers = on;
		ALTER DATABASE DATABASE SET synchronous_commit = off`},
	{name: "serializable, and plans the planner would not choose", lay: `ALTER DATABASE DATABASE SET default_transaction_isolation = serializable; ALTER DATABASE DATABASE SET default_transaction_deferrable = on;
		ALTER DATABASE DATABASE SET enable_hashjoin = off; ALTER DATABASE DATABASE SET enable_seqscan = off; ALTER DATABASE DATABASE SET enable_hashagg = off; ALTER DATABASE DATABASE SET enable_sort = off; ALTER DATABASE DATABASE SET enable_nestloop = off;
		ALTER DATABASE DATABASE SET work_mem = '64kB'; ALTER ROLE reconciler_app IN DATABASE DATABASE SET search_path = ''`},
	{name: "serializable for the role, and time limits", lay: `ALTER ROLE reconciler_app IN DATABASE DATABASE SET default_transaction_isolation = serializable;
		ALTER ROLE reconciler_app IN DATABASE DATABASE SET statement_timeout = '300ms'; ALTER ROLE reconciler_app IN DATABASE DATABASE SET lock_timeout = '300ms';
		ALTER ROLE reconciler_app IN DATABASE DATABASE SET idle_in_transaction_session_timeout = '1s'; ALTER ROLE reconciler_app IN DATABASE DATABASE SET idle_session_timeout = '1s'`},
	{name: "read only", lay: "ALTER ROLE reconciler_app IN DATABASE DATABASE SET default_transaction_read_only = on", found: "default_transaction_read_only", fix: "default_transaction_read_only"},
	{name: "other functions and operators in front", lay: `CREATE SCHEMA shadow; GRANT USAGE ON SCHEMA shadow TO PUBLIC; CREATE FUNCTION shadow.lower(text) RETURNS text LANGUAGE sql AS 'SELECT ''shadow''';
		CREATE FUNCTION shadow.never(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false'; CREATE OPERATOR shadow.= (LEFTARG = text, RIGHTARG = text, FUNCTION = shadow.never);
		ALTER DATABASE DATABASE SET search_path = shadow, pg_catalog`},
	{name: "row-level security", lay: `ALTER TABLE platform.jobs ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON platform.jobs USING (id < 'job_5')`, found: "row_security_active", fix: "BYPASSRLS"},
	{name: "row-level security that is let through", lay: `ALTER TABLE platform.jobs ENABLE ROW LEVEL SECURITY; CREATE POLICY every ON platform.jobs USING (true)`, found: "row_security_active", fix: "BYPASSRLS"},
	{name: "row-level security on inserts", lay: `ALTER TABLE platform.credit_entries ENABLE ROW LEVEL SECURITY; CREATE POLICY reads ON platform.credit_entries FOR SELECT USING (true);
		CREATE POLICY adds ON platform.credit_entries FOR INSERT WITH CHECK (kind = 'credit_back')`, found: "row_security_active", fix: "BYPASSRLS"},
	{name: "row-level security behind a view", lay: `CREATE SCHEMA billing; CREATE ROLE owner_behind; GRANT USAGE, CREATE ON SCHEMA billing, platform TO owner_behind; ALTER TABLE platform.jobs SET SCHEMA billing;
		GRANT SELECT ON billing.jobs TO owner_behind; ALTER TABLE billing.jobs ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON billing.jobs USING (id < 'job_5');
		CREATE VIEW platform.jobs AS SELECT * FROM billing.jobs; ALTER VIEW platform.jobs OWNER TO owner_behind; GRANT SELECT ON platform.jobs TO reconciler_app`, found: "row_security_active", fix: "BYPASSRLS"},
	{name: "one collation for all ids", needs: withICU, lay: collate(`"und-x-icu"`, everyID...)},
	{name: "C for some ids", lay: collate(`"C"`, "jobs.id", "credit_entries.job_id", "accounts.id")},
	{name: "two collations of ids", needs: withICU, lay: collate(`"und-x-icu"`, "jobs.id", "jobs.account_id") + collate(`"C"`, "credit_entries.job_id", "credit_entries.account_id"),
		found: `jobs.id has collation pg_catalog."und-x-icu", and credit_entries.account_id has pg_catalog."C"`, fix: "ALTER COLUMN id"},
	{name: "two collations in one relation", needs: withICU, lay: collate(`"und-x-icu"`, "jobs.status") + collate(`"C"`, "jobs.failure_code"), found: `jobs.failure_code has collation pg_catalog."C"`, fix: "ALTER COLUMN failure_code"},
	{name: "one collation for what is no id", needs: withICU, lay: "DROP TRIGGER reconciler_posts_only_its_kinds ON platform.credit_entries;" + collate(`"de-x-icu"`, "jobs.kind", "jobs.status", "jobs.failure_code", "jobs.model", "purchases.kind", "purchases.status", "purchases.currency", "credit_entries.kind",
		"credit_entries.memo", "refund_requests.kind", "refund_requests.status", "refund_requests.reason", "refund_requests.account_email", "refund_requests.stated_currency", "accounts.email", "accounts.status",
		"subscriptions.plan", "subscriptions.status", "subscription_changes.kind", "subscription_changes.from_plan", "subscription_changes.to_plan")},
	{name: "a nondeterministic id", needs: withICU, lay: `CREATE COLLATION platform.anyway (provider = icu, locale = 'und-u-ks-level2', deterministic = false);` + collate("platform.anyway", "purchases.id"),
		found: "purchases.id has the nondeterministic collation platform.anyway", fix: `id COLLATE "C" AS id`},
	{name: "a nondeterministic address", needs: withICU, lay: `CREATE COLLATION platform.anyway (provider = icu, locale = 'und-u-ks-level2', deterministic = false);` + collate("platform.anyway", "accounts.email"),
		found: "accounts.email has the nondeterministic collation", fix: "email"},
	{name: "ids in any case", needs: withCitext, lay: "CREATE EXTENSION citext SCHEMA public; ALTER TABLE platform.purchases ALTER COLUMN id TYPE public.citext", found: "column id is citext", fix: "id::text"},
	{name: "addresses in any case", needs: withCitext, lay: "CREATE EXTENSION citext SCHEMA public; ALTER TABLE platform.accounts ALTER COLUMN email TYPE public.citext"},
	{name: "a database sorted as German is", needs: withICUSort, create: "TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'de'"},
	{name: "a ledger that takes no inserts", lay: `ALTER TABLE platform.credit_entries RENAME TO ledger; CREATE VIEW platform.credit_entries AS SELECT DISTINCT * FROM platform.ledger;
		GRANT SELECT, INSERT ON platform.credit_entries TO reconciler_app`, found: "credit_entries is a view that can't take the worker's entries", fix: "INSTEAD OF INSERT ON \"platform\".credit_entries"},
	{name: "a ledger with cast ids", lay: `ALTER TABLE platform.credit_entries RENAME TO ledger; CREATE VIEW platform.credit_entries AS SELECT id || '' AS id, account_id, kind, credits, purchase_id, job_id,
		idempotency_key, memo, created_at FROM platform.ledger; GRANT SELECT, INSERT ON platform.credit_entries TO reconciler_app`, found: "credit_entries is a view that can't take the worker's entries", fix: "casts its ids"},
	{name: "a ledger that is a plain view", lay: `ALTER TABLE platform.credit_entries RENAME TO ledger; CREATE VIEW platform.credit_entries AS SELECT * FROM platform.ledger;
		GRANT SELECT, INSERT ON platform.credit_entries TO reconciler_app`},
	{name: "nights in another zone", begun: true, args: []string{"--timezone", "America/New_York"}, found: "since 2026-03-02, not in America/New_York", fix: "RECONCILER_TIMEZONE"},
	{name: "a zone that is read in two ways", args: []string{"--timezone", "CET"}, found: `"CET" is a zone with summer time to some readers`, fix: "environment variable"},
}

const (
	withICU     = "EXISTS (SELECT FROM pg_collation WHERE collname = 'und-x-icu')"
	withICUSort = withICU + " AND current_setting('server_version_num')::int >= 150000"
	withCitext  = "EXISTS (SELECT FROM pg_available_extensions WHERE name = 'citext')"
)

var everyID = []string{"accounts.id", "purchases.id", "purchases.account_id", "purchases.stripe_payment_intent_id", "purchases.stripe_charge_id", "purchases.stripe_invoice_id", "jobs.id", "jobs.account_id",
	"credit_entries.id", "credit_entries.account_id", "credit_entries.purchase_id", "credit_entries.job_id", "credit_entries.idempotency_key", "refund_requests.id", "refund_requests.account_id",
	"refund_requests.purchase_id", "refund_requests.job_id", "refund_requests.invoice_id", "subscriptions.id", "subscriptions.account_id", "subscriptions.stripe_subscription_id",
	"subscription_changes.id", "subscription_changes.account_id", "subscription_changes.subscription_id", "subscription_changes.stripe_invoice_id"}

// collate gives columns of the platform a collation of their own.
func collate(collation string, columns ...string) string {
	var text strings.Builder
	for _, column := range columns {
		relation, name, _ := strings.Cut(column, ".")
		fmt.Fprintf(&text, "ALTER TABLE platform.%s ALTER COLUMN %s TYPE text COLLATE %s;", relation, name, collation)
	}
	return text.String()
}

// databases is a server with the README's roles and a database with some nights of a business, that others are cloned from.
type databases struct {
	administrator *sqlx.DB
	as            func(role string) string
}

func (d databases) url(t *testing.T, role, database string) string {
	t.Helper()
	u, err := url.Parse(d.as(role))
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + database
	return u.String()
}

// connect is the administrator's connection to a database.
func (d databases) execute(t *testing.T, database, text string) {
	t.Helper()
	db, err := sqlx.Open("postgres", d.url(t, administratorOf(t, d.administrator), database))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() // no session may be left in what is cloned
	if _, err := db.Exec(text); err != nil {
		t.Fatal(err)
	}
}

func administratorOf(t *testing.T, db *sqlx.DB) (name string) {
	t.Helper()
	if err := db.Get(&name, "SELECT current_user"); err != nil {
		t.Fatal(err)
	}
	return name
}

const playedNights = 2

// play makes a database as the README says, with a small business in it.
func (d databases) play(t *testing.T, database, create string) {
	t.Helper()
	d.administrator.MustExec("CREATE DATABASE " + database + " " + create)
	roles, err := os.ReadFile("../../sql/roles/roles.sql")
	if err != nil {
		t.Fatal(err)
	}
	d.execute(t, database, sql.Platform)
	d.execute(t, database, string(roles))
	runWith(t, cli.ExitDone, d.url(t, "reconciler_owner", database), t.TempDir(), "migrate")
	business, err := simulation.New(simulation.Options{Seed: 31, Start: demo.Start, Nights: playedNights, Accounts: 40, JobsPerNight: 150})
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlx.Open("postgres", d.url(t, administratorOf(t, d.administrator), database))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i := range playedNights {
		if err := business.PlayNight(t.Context(), db.DB, demo.Start.AddDays(i)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDatabasesThatAreSetUpOtherwise(t *testing.T) {
	t.Parallel()
	d := databases{}
	d.administrator, d.as = installed(t)
	d.play(t, "ordinary", "")
	from, to := demo.Start.String(), demo.Start.AddDays(playedNights-1).String()
	ordinary, err := localpg.CloneClause(t.Context(), d.administrator.DB, "ordinary")
	if err != nil {
		t.Fatal(err)
	}
	d.administrator.MustExec("CREATE DATABASE reported" + ordinary)
	reported := t.TempDir()
	runWith(t, cli.ExitDone, d.url(t, "reconciler_app", "reported"), reported, "backfill", "--from", from, "--to", to)

	for i, c := range databaseCases {
		t.Run(c.name, func(t *testing.T) {
			if c.needs != "" {
				var has bool
				if err := d.administrator.Get(&has, "SELECT "+c.needs); err != nil {
					t.Fatal(err)
				}
				if !has {
					t.Skip("this server has none: " + c.needs)
				}
			}
			database := fmt.Sprintf("case_%d", i)
			if c.create == "" {
				d.administrator.MustExec("CREATE DATABASE " + database + ordinary)
			} else {
				d.play(t, database, c.create)
			}
			worker, folder := d.url(t, "reconciler_app", database), t.TempDir()
			if c.begun {
				runWith(t, cli.ExitDone, worker, folder, "run", "--date", from)
			}
			d.execute(t, database, strings.ReplaceAll(c.lay, "DATABASE DATABASE", "DATABASE "+database)+";")
			code, lines := checked(t, worker, c.args...)
			if c.found == "" {
				if code != cli.ExitDone {
					t.Errorf("check: exit code %d, %+v", code, lines)
				}
				runWith(t, cli.ExitDone, worker, folder, append([]string{"backfill", "--from", from, "--to", to}, c.args...)...)
				compareFolders(t, reported, folder)
				return
			}
			if code != cli.ExitUsage || !slices.ContainsFunc(lines, func(l check.Line) bool {
				return l.Result == check.Failed && strings.Contains(l.Found, c.found) && strings.Contains(l.Fix, c.fix)
			}) {
				t.Errorf("check: exit code %d, no FAILED line with %q and %q among %+v", code, c.found, c.fix, lines)
			}
			before := contentsOf(t, d, database, folder)
			for _, command := range [][]string{
				{"run", "--date", from}, {"run", "match-jobs", "--date", from}, {"run", "--date", from, "--dry-run"}, {"run", "--catch-up"}, {"backfill", "--from", from, "--to", to, "--parallel", "2"},
				{"serve", "--listen", "127.0.0.1:0"}, {"verify", "--date", from}, {"refunds", "plan", "--date", from, "--by", "maker"},
			} {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				var out, log bytes.Buffer
				code := run(ctx, append(append(command, "--database-url", worker, "--reports-url", folder), c.args...), &out, &log)
				cancel()
				if code != cli.ExitUsage || !strings.Contains(strings.ReplaceAll(log.String(), `\"`, `"`), c.found) { // a line of JSON
					t.Errorf("%s: exit code %d, no %q in\n%s", strings.Join(command, " "), code, c.found, log.String())
				}
			}
			if after := contentsOf(t, d, database, folder); after != before {
				t.Errorf("something was written:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

// contentsOf counts what a night writes: rows of every table of the worker, the ledger, and published files.
func contentsOf(t *testing.T, d databases, database, folder string) string {
	t.Helper()
	db, err := sqlx.Open("postgres", d.url(t, administratorOf(t, d.administrator), database))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var counts []string
	if err := db.Select(&counts, `SELECT format('%s: %s', c.oid::regclass, (xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM %s', c.oid::regclass), false, true, '')))[1])
		FROM pg_class c WHERE c.relnamespace IN ('reconciler'::regnamespace, 'platform'::regnamespace) AND c.relkind IN ('r', 'p', 'v') ORDER BY 1`); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(append(counts, files...), "\n")
}
