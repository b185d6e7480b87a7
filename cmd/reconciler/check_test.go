package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/hummingbytes/reconciler/cmd/reconciler/bench"
	"github.com/hummingbytes/reconciler/cmd/reconciler/check"
	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/localpg"
)

// installed is a server of its own, as roles belong to a whole server, set up as the README says. It returns the administrator, and the
// URL to log in with as a role.
func installed(t *testing.T) (administrator *sqlx.DB, as func(role string) string) {
	t.Helper()
	server, err := localpg.Start(t.Context(), localpg.Options{Beginning: &localpg.Beginning{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	as = func(role string) string {
		u, err := url.Parse(server.URL("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.User(role)
		return u.String()
	}
	administrator, err = sqlx.Open("postgres", as(localpg.Superuser))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = administrator.Close() })
	roles, err := os.ReadFile("../../sql/roles/roles.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{sql.Platform, string(roles)} {
		if _, err := administrator.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	return administrator, as
}

// checked is the check-up's answer.
func checked(t *testing.T, databaseURL string, args ...string) (code int, lines []check.Line) {
	t.Helper()
	var out, log bytes.Buffer
	code = run(context.Background(), append([]string{"check", "--json", "--database-url", databaseURL, "--reports-url", t.TempDir()}, args...), &out, &log)
	if err := json.Unmarshal(out.Bytes(), &lines); err != nil {
		t.Fatalf("%v: %s%s", err, out.String(), log.String())
	}
	return code, lines
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	administrator, as := installed(t)
	if _, lines := checked(t, as("reconciler_app")); !slices.ContainsFunc(lines, func(l check.Line) bool {
		return l.Result == check.Failed && l.Check == "schema reconciler" && strings.Contains(l.Fix, "reconciler migrate, with the URL of the schema's owner")
	}) {
		t.Errorf("before the first migration: %v", lines)
	}
	runWith(t, cli.ExitDone, as("reconciler_owner"), t.TempDir(), "migrate")
	if code, lines := checked(t, as("reconciler_app")); code != cli.ExitDone || slices.ContainsFunc(lines, func(l check.Line) bool { return l.Result != check.OK && l.Check != "Stripe" }) {
		t.Errorf("a sound set-up: %d %v", code, lines)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(policy, []byte("versions: 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	notGateway := httptest.NewServer(http.NotFoundHandler())
	defer notGateway.Close()
	for _, c := range []struct {
		name       string
		wrong      string // what an administrator has done
		mended     string
		role       string // reconciler_app unless said
		args       []string
		result     check.Outcome
		check      string
		found, fix string
		code       int
		held       int // connections that somebody else has as this role
	}{
		{name: "superuser", role: localpg.Superuser, result: check.Warning, check: "role", found: "is a superuser"},
		{name: "the schema's owner", role: "reconciler_owner", result: check.Failed, check: "role", found: "reconciler_owner is not", fix: "reconciler_app", code: cli.ExitUsage},
		{name: "a role that only reads", role: "reconciler_readonly", result: check.Failed, check: "role", found: "reconciler_readonly is not", fix: "reconciler_app", code: cli.ExitUsage},
		{name: "whoever approves", role: "reconciler_approver", result: check.Failed, check: "role", found: "reconciler_approver is not", fix: "reconciler_app", code: cli.ExitUsage},
		{name: "read-only by default", wrong: "ALTER ROLE reconciler_app SET default_transaction_read_only = on", mended: "ALTER ROLE reconciler_app RESET ALL",
			result: check.Failed, check: "writable", fix: "a role that may write", code: cli.ExitUsage},
		{name: "no such user", role: "nobody_of_ours", result: check.Failed, check: "database", fix: "user or password", code: cli.ExitUsage},
		{name: "UPDATE", wrong: "GRANT UPDATE ON platform.jobs TO reconciler_app", mended: "REVOKE UPDATE ON platform.jobs FROM reconciler_app",
			result: check.Warning, check: "rights", found: "jobs (UPDATE)", fix: "REVOKE"},
		{name: "UPDATE of one column", wrong: "GRANT UPDATE (status) ON platform.accounts TO reconciler_app", mended: "REVOKE UPDATE (status) ON platform.accounts FROM reconciler_app",
			result: check.Warning, check: "rights", found: "accounts (UPDATE)"},
		{name: "CREATE", wrong: "GRANT CREATE ON SCHEMA platform TO reconciler_app", mended: "REVOKE CREATE ON SCHEMA platform FROM reconciler_app",
			result: check.Warning, check: "rights", found: "make objects in schema platform", fix: "REVOKE CREATE ON SCHEMA platform"},
		{name: "another table", wrong: "CREATE TABLE platform.passwords (id text); GRANT INSERT ON platform.passwords TO reconciler_app", mended: "DROP TABLE platform.passwords",
			result: check.Warning, check: "rights", found: "platform.passwords"},
		{name: "the audit log", wrong: "GRANT DELETE ON reconciler.audit_links TO reconciler_app", mended: "REVOKE DELETE ON reconciler.audit_links FROM reconciler_app",
			result: check.Warning, check: "rights", found: "reconciler.audit_links, which is append-only"},
		{name: "no SELECT", wrong: "REVOKE SELECT ON platform.jobs FROM reconciler_app", mended: "GRANT SELECT ON platform.jobs TO reconciler_app",
			result: check.Failed, check: "rights", found: "can't read jobs", fix: `GRANT SELECT ON "platform"."jobs"`, code: cli.ExitUsage},
		{name: "no INSERT", wrong: "REVOKE INSERT ON platform.credit_entries FROM reconciler_app", mended: "GRANT INSERT ON platform.credit_entries TO reconciler_app",
			result: check.Failed, check: "rights", found: "can't post credit-backs", code: cli.ExitUsage},
		{name: "no right to its own tables", wrong: "REVOKE INSERT ON reconciler.runs FROM reconciler_app", mended: "GRANT INSERT ON reconciler.runs TO reconciler_app",
			result: check.Failed, check: "schema reconciler", found: "lacks runs (INSERT)", fix: "reconciler migrate", code: cli.ExitUsage},
		{name: "no right to one column", wrong: "REVOKE UPDATE (effective_at) ON reconciler.stripe_states FROM reconciler_app", mended: "GRANT UPDATE (effective_at) ON reconciler.stripe_states TO reconciler_app",
			result: check.Failed, check: "schema reconciler", found: "lacks stripe_states (UPDATE (effective_at))", fix: "reconciler migrate", code: cli.ExitUsage},
		{name: "approving", wrong: "GRANT INSERT ON reconciler.refund_approvals TO reconciler_app", mended: "REVOKE INSERT ON reconciler.refund_approvals FROM reconciler_app",
			result: check.Warning, check: "rights", found: "INSERT in reconciler.refund_approvals"},
		{name: "becoming the approver", wrong: "GRANT reconciler_approver TO reconciler_app", mended: "REVOKE reconciler_approver FROM reconciler_app",
			result: check.Warning, check: "approvals", found: "may approve the refunds that it plans"},
		{name: "no approver", wrong: "ALTER ROLE reconciler_approver RENAME TO reconciler_former", mended: "ALTER ROLE reconciler_former RENAME TO reconciler_approver",
			result: check.Warning, check: "approvals", found: "no role reconciler_approver", fix: "sql/roles/roles.sql"},
		{name: "an approver without rights", wrong: "REVOKE INSERT ON reconciler.refund_approvals FROM reconciler_approver", mended: "GRANT INSERT ON reconciler.refund_approvals TO reconciler_approver",
			result: check.Warning, check: "approvals", found: "lacks the right", fix: "reconciler migrate"},
		{name: "a ledger without guard", wrong: "ALTER TABLE platform.credit_entries DISABLE TRIGGER reconciler_posts_only_its_kinds", mended: "ALTER TABLE platform.credit_entries ENABLE TRIGGER reconciler_posts_only_its_kinds",
			result: check.Warning, check: "rights", found: "can post any entry", fix: "sql/platform/ledger_guard.sql"},
		{name: "no column", wrong: "ALTER TABLE platform.purchases RENAME currency TO money", mended: "ALTER TABLE platform.purchases RENAME money TO currency",
			result: check.Failed, check: "source platform.purchases", found: "column currency is missing", fix: "as text", code: cli.ExitUsage},
		{name: "no table", wrong: "ALTER TABLE platform.subscriptions RENAME TO subs", mended: "ALTER TABLE platform.subs RENAME TO subscriptions",
			result: check.Failed, check: "source platform.subscriptions", found: "no such table or view", fix: "RECONCILER_SOURCE_SCHEMA", code: cli.ExitUsage},
		{name: "no index", wrong: "ALTER INDEX platform.jobs_created_at RENAME TO kept; UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'platform.kept'::regclass",
			mended: "UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'platform.kept'::regclass; ALTER INDEX platform.kept RENAME TO jobs_created_at",
			result: check.Warning, check: "indexes", found: "jobs has none on (created_at): ", fix: "CREATE INDEX CONCURRENTLY"},
		{name: "never analyzed", wrong: "INSERT INTO platform.accounts SELECT 'a' || i, i || '@example.com', 'active', '2026-01-01' FROM generate_series(1, 200000) i", mended: "TRUNCATE platform.accounts CASCADE",
			result: check.Warning, check: "statistics", found: "accounts", fix: `ANALYZE "platform".accounts`},
		{name: "few connections", wrong: "ALTER ROLE reconciler_app CONNECTION LIMIT 3", mended: "ALTER ROLE reconciler_app CONNECTION LIMIT -1",
			result: check.Failed, check: "connections", found: "may have 3 at once", code: cli.ExitUsage},
		{name: "connections that others have", wrong: "ALTER ROLE reconciler_app CONNECTION LIMIT 8", mended: "ALTER ROLE reconciler_app CONNECTION LIMIT -1", held: 3,
			result: check.Failed, check: "connections", found: "5 of the 8 that a night may use", fix: "RECONCILER_DATABASE_CONNECTIONS", code: cli.ExitUsage},
		{name: "statement timeout", wrong: "ALTER ROLE reconciler_app SET statement_timeout = '30s'", mended: "ALTER ROLE reconciler_app RESET ALL", args: []string{"--statement-timeout-seconds", "0"},
			result: check.Warning, check: "time-outs", found: "after 30s", fix: "RECONCILER_STATEMENT_TIMEOUT_SECONDS"},
		{name: "statement timeout overruled", wrong: "ALTER ROLE reconciler_app SET statement_timeout = '30s'", mended: "ALTER ROLE reconciler_app RESET ALL",
			result: check.OK, check: "time-outs", found: "2h0m0s"},
		{name: "pending migration", wrong: "UPDATE reconciler.schema_migrations SET version_id = -version_id WHERE version_id = (SELECT max(version_id) FROM reconciler.schema_migrations)",
			mended: "UPDATE reconciler.schema_migrations SET version_id = -version_id WHERE version_id < 0",
			result: check.Failed, check: "schema reconciler", found: "lacks 1 migration", fix: "reconciler migrate", code: cli.ExitUsage},
		{name: "newer schema", wrong: "INSERT INTO reconciler.schema_migrations (version_id, is_applied, tstamp) VALUES (99999, true, now())", mended: "DELETE FROM reconciler.schema_migrations WHERE version_id = 99999",
			result: check.Failed, check: "schema reconciler", found: "newer than this binary", fix: "image", code: cli.ExitUsage},
		{name: "zone of this machine", args: []string{"--timezone", "Local"}, result: check.Failed, check: "settings", found: "no time zone", code: cli.ExitUsage},
		{name: "zone", args: []string{"--timezone", "Africa/Cairo"}, result: check.OK, check: "time zone", found: "Africa/Cairo"},
		{name: "storage", args: []string{"--reports-url", filepath.Join(file, "reports")}, result: check.Failed, check: "report storage", fix: "REPORTS_URL", code: cli.ExitUsage},
		{name: "policy", args: []string{"--policy", policy}, result: check.Failed, check: "settings", found: policy, code: cli.ExitUsage},
		{name: "no Pushgateway", args: []string{"--pushgateway-url", notGateway.URL}, result: check.Warning, check: "Pushgateway", found: "404"},
		{name: "metrics file", args: []string{"--metrics-textfile", filepath.Join(file, "x.prom")}, result: check.Warning, check: "metrics file"},
		{name: "replica that is none", args: []string{"--replica-url", as("reconciler_readonly")}, result: check.Warning, check: "replica", found: "no replica"},
		{name: "replica out of reach", args: []string{"--replica-url", "postgres://x@127.0.0.1:1/x"}, result: check.Failed, check: "replica", found: "out of reach", fix: "RECONCILER_REPLICA_URL", code: cli.ExitRetry},
		{name: "mode of the key", args: []string{"--stripe-mode", "live", "--stripe-api-key", "rk_test_aaaaaaaaaaaa"}, result: check.Failed, check: "settings", found: "is not a live key", code: cli.ExitUsage},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := administrator.Exec(c.wrong); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if _, err := administrator.Exec(c.mended); err != nil {
					t.Fatal(err)
				}
			}()
			role := c.role
			if role == "" {
				role = "reconciler_app"
			}
			others, err := postgres.Open(postgres.Options{URL: as(role)})
			if err != nil {
				t.Fatal(err)
			}
			defer others.Close()
			for range c.held {
				if _, err := others.DB().Conn(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			code, lines := checked(t, as(role), c.args...)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if !slices.ContainsFunc(lines, func(l check.Line) bool {
				return l.Result == c.result && l.Check == c.check && strings.Contains(l.Found, c.found) && strings.Contains(l.Fix, c.fix) && (l.Fix != "" || l.Result == check.OK)
			}) {
				t.Errorf("no line %s %s with %q and %q among %+v", c.result, c.check, c.found, c.fix, lines)
			}
		})
	}
}

// Of a partitioned table the check-up asks only what such a table can have: indexes on each partition, and a key that is unique as a whole
// only where the table is partitioned by it.
func TestCheckOfPartitionedTables(t *testing.T) {
	t.Parallel()
	const (
		search  = "warning: nothing keeps %[1]s.id unique: every night searches it for duplicate ids, and takes the first row of each; CREATE UNIQUE INDEX CONCURRENTLY ON each partition of \"platform\".%[1]s (id); only partitioning by hash of id makes it unique across the whole table\n"
		byIDs   = "warning: credit_entries.idempotency_key is not unique across partitions: the ledger refuses the worker's entries a second time by their ids; nothing the worker needs; check that no other writer relies on the key\n"
		inParts = "warning: credit_entries.idempotency_key is unique within each partition only: the ledger itself would accept a credit-back a second time in another partition; partition by hash of id to rule this out\n"
		nowhere = "FAILED: credit_entries.idempotency_key is not unique: the ledger itself would accept a credit-back twice; CREATE UNIQUE INDEX CONCURRENTLY ON each partition of \"platform\".credit_entries (idempotency_key)\n"
		reading = "warning: jobs has none on (finished_at): finding the night's jobs reads all of them; CREATE INDEX CONCURRENTLY ON each partition of \"platform\".jobs (finished_at)\n"
	)
	for _, c := range []struct{ trap, and, want string }{
		{"8 partitions by hash of id", "", byIDs},
		{"26 partitions by month of created_at", "", fmt.Sprintf(search, "credit_entries") + inParts + fmt.Sprintf(search, "jobs")},
		{"26 partitions by month of created_at", "DROP INDEX platform.credit_entries_3_idempotency_key_idx; DROP INDEX platform.jobs_finished_at_idx",
			fmt.Sprintf(search, "credit_entries") + nowhere + reading + fmt.Sprintf(search, "jobs")},
	} {
		administrator, as := installed(t)
		runWith(t, cli.ExitDone, as("reconciler_owner"), t.TempDir(), "migrate")
		all := bench.Traps()
		for _, statement := range all[slices.IndexFunc(all, func(x bench.Trap) bool { return x.Name == c.trap })].Lay {
			administrator.MustExec(statement)
		}
		administrator.MustExec("GRANT SELECT ON platform.jobs, platform.credit_entries TO reconciler_app; GRANT INSERT ON platform.credit_entries TO reconciler_app;" + c.and)
		code, lines := checked(t, as("reconciler_app"))
		got := ""
		for _, line := range lines {
			if line.Check == "indexes" {
				got += fmt.Sprintf("%s: %s; %s\n", line.Result, line.Found, line.Fix)
			}
		}
		if got != c.want || (code == cli.ExitDone) == strings.Contains(c.want, "FAILED") {
			t.Errorf("%s, %s: exit code %d, got\n%swant\n%s", c.trap, c.and, code, got, c.want)
		}
	}
}

// A key with just the permissions of the README is sound; of one that lacks some, all are named at once.
func TestCheckOfStripeKeys(t *testing.T) {
	t.Parallel()
	_, as := installed(t)
	runWith(t, cli.ExitDone, as("reconciler_owner"), t.TempDir(), "migrate")
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, word := range strings.FieldsFunc(string(readme), func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
		if strings.HasPrefix(word, "rak_") && strings.HasSuffix(word, "_read") && !slices.Contains(all, word) {
			all = append(all, word)
		}
	}
	skewed := time.Now().Add(-2 * time.Minute)
	double := stripetest.New(stripetest.Options{Clock: func() time.Time { return skewed }, Keys: []stripetest.Key{
		{Secret: "rk_test_complete", Permissions: all},
		{Secret: "rk_test_lacking", Permissions: slices.DeleteFunc(slices.Clone(all), func(p string) bool { return p == "rak_dispute_read" || p == "rak_payout_read" })},
		{Secret: "rk_test_blind", Permissions: []string{"rak_dispute_read"}},
		{Secret: "sk_test_mighty"},
	}})
	base, err := double.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer double.Close()
	find := func(lines []check.Line, line string) check.Line {
		i := slices.IndexFunc(lines, func(l check.Line) bool {
			return l.Check == line && (line != "clock" || strings.Contains(l.Found, "Stripe"))
		})
		if i < 0 {
			return check.Line{}
		}
		return lines[i]
	}
	code, lines := checked(t, as("reconciler_app"), "--stripe-api-base", base, "--stripe-api-key", "rk_test_complete", "--stripe-refund-key", double.RefundKey())
	if line := find(lines, "Stripe"); code != cli.ExitDone || line.Result != check.OK || !strings.Contains(line.Found, double.AccountID()) {
		t.Errorf("the README's key: %d %+v", code, line)
	}
	if line := find(lines, "Stripe refund key"); line.Result != check.OK || len(double.Refunds()) > 0 {
		t.Errorf("refund key: %+v, and refunds %v", line, double.Refunds())
	}
	if line := find(lines, "clock"); line.Result != check.Warning || !strings.Contains(line.Found, "Stripe's clock is -2m") {
		t.Errorf("clock: %+v", line)
	}
	code, lines = checked(t, as("reconciler_app"), "--stripe-api-base", base, "--stripe-api-key", "rk_test_lacking")
	if line := find(lines, "Stripe"); code != cli.ExitUsage || line.Result != check.Failed || !strings.Contains(line.Found, "rak_dispute_read, rak_payout_read") {
		t.Errorf("lacking two: %d %+v", code, line)
	}
	code, lines = checked(t, as("reconciler_app"), "--stripe-api-base", base, "--stripe-api-key", "rk_test_complete", "--stripe-refund-key", "rk_test_blind")
	if line := find(lines, "Stripe refund key"); code != cli.ExitUsage || line.Result != check.Failed || line.Found != "the key lacks rak_charge_read" {
		t.Errorf("a refund key that can't read charges: %d %+v", code, line)
	}
	_, lines = checked(t, as("reconciler_app"), "--stripe-api-base", base, "--stripe-api-key", "sk_test_mighty")
	if line := find(lines, "Stripe key"); line.Result != check.Warning {
		t.Errorf("a key that may do anything: %+v", line)
	}
}

// A replica, or a role that may only read, is named as what it is before anything is begun.
func TestNightOnAServerThatTakesNoWrites(t *testing.T) {
	t.Parallel()
	_, as := installed(t)
	runWith(t, cli.ExitDone, as("reconciler_owner"), t.TempDir(), "migrate")
	if _, log := runWith(t, cli.ExitUsage, as("reconciler_readonly"), t.TempDir(), "run", "--date", "2026-03-02"); !strings.Contains(log, "the server takes no writes") {
		t.Errorf("it says:\n%s", log)
	}
}
