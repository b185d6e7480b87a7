package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hummingbytes/reconciler/cmd/reconciler/check"
	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/demo"
	"github.com/hummingbytes/reconciler/sql"
)

// A view has the contract's columns and may have other values in them: the check-up names these, and a night that could use few of the rows
// does not read as one that ties.
func TestAViewThatPassesOtherValuesThrough(t *testing.T) {
	t.Parallel()
	d := databases{}
	d.administrator, d.as = installed(t)
	d.play(t, "views", "")
	d.execute(t, "views", `ALTER TABLE platform.jobs RENAME TO work;
		CREATE VIEW platform.jobs AS SELECT id, account_id, kind, model, CASE status WHEN 'succeeded' THEN 'done' ELSE status END AS status, failure_code, credit_cost, created_at, finished_at FROM platform.work;
		ALTER TABLE platform.purchases RENAME TO orders;
		CREATE VIEW platform.purchases AS SELECT id, account_id, kind, credits, amount_minor, upper(currency) AS currency, status, stripe_payment_intent_id, stripe_charge_id, stripe_invoice_id, created_at, completed_at
			FROM platform.orders;
		GRANT SELECT ON platform.jobs, platform.purchases TO reconciler_app`)
	worker, folder := d.url(t, "reconciler_app", "views"), t.TempDir()
	code, lines := checked(t, worker)
	for _, want := range []string{`of jobs: status is not queued, running, succeeded, failed, interrupted or canceled: "done" (`, `of purchases: currency is not a currency of ISO 4217 in lower case: "USD" (`} {
		if code != cli.ExitDone || !slices.ContainsFunc(lines, func(l check.Line) bool {
			return l.Check == "values" && l.Result == check.Warning && strings.Contains(l.Found, want) && strings.Contains(l.Fix, "CASE")
		}) {
			t.Errorf("check: exit code %d, no warning %q among %+v", code, want, lines)
		}
	}
	night := demo.Start.String()
	said, _ := runWith(t, cli.ExitDone, worker, folder, "run", "--date", night)
	page, err := os.ReadFile(filepath.Join(folder, night, "summary.html"))
	if err != nil {
		t.Fatal(err)
	}
	for text, from := range map[string]string{"rows of jobs break the contract with the platform and were left out": said, "rows of purchases break the contract": said,
		"! incomplete": string(page), "Rows of the platform that break its contract and were left out:": string(page), "Rows of the platform that were left out</a>": string(page)} {
		if !strings.Contains(from, text) {
			t.Errorf("nothing says %q:\n%.2000s", text, from)
		}
	}
	if strings.Contains(string(page), "Every row is accounted for") || strings.Contains(string(page), "✓ totals agree") {
		t.Error("the page says that the night ties")
	}
}

// The example of a ledger with numbers for keys takes the worker's entries, once.
func TestTheExampleOfALedgerBehindAView(t *testing.T) {
	t.Parallel()
	d := databases{}
	d.administrator, d.as = installed(t)
	administrator := administratorOf(t, d.administrator)
	d.execute(t, "postgres", `CREATE SCHEMA billing;
		CREATE TABLE billing.ledger (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, account_id bigint NOT NULL, kind text NOT NULL, credits bigint NOT NULL, purchase_id bigint, job_id bigint,
			memo text, created_at timestamptz NOT NULL);
		DROP TABLE platform.credit_entries;`+sql.LedgerView+`;
		GRANT SELECT, INSERT ON platform.credit_entries TO reconciler_app; GRANT SELECT ON platform.credit_entries TO reconciler_readonly;
		INSERT INTO platform.accounts VALUES ('7', 'a@example.com', 'active', '2026-03-01Z');
		INSERT INTO billing.ledger (account_id, kind, credits, job_id, created_at) VALUES (7, 'promo', 100, NULL, '2026-03-01Z'), (7, 'usage', -5, 12, '2026-03-02 05:00Z');
		INSERT INTO platform.jobs VALUES ('12', '7', 'image', 'm', 'failed', 'node_lost', 5, '2026-03-02 04:00Z', '2026-03-02 05:00Z')`)
	runWith(t, cli.ExitDone, d.as("reconciler_owner"), t.TempDir(), "migrate")
	worker, folder := d.as("reconciler_app"), t.TempDir()
	if code, lines := checked(t, worker); code != cli.ExitDone || !slices.ContainsFunc(lines, func(l check.Line) bool { return l.Check == "ledger" && l.Result == check.OK }) {
		t.Errorf("check: exit code %d, %+v", code, lines)
	}
	for range 2 {
		runWith(t, cli.ExitDone, worker, folder, "run", "--date", "2026-03-02")
	}
	var posted []string
	if err := d.administrator.Select(&posted, `SELECT account_id || ' ' || job_id || ' ' || credits || ' ' || idempotency_key FROM billing.ledger WHERE kind = 'credit_back' AND reconciler_id <> ''`); err != nil {
		t.Fatal(err)
	}
	if len(posted) != 1 || posted[0] != "7 12 5 reconciler:credit_back:12:0" {
		t.Errorf("%s finds %q in the ledger", administrator, posted)
	}
	d.execute(t, "postgres", `ALTER FUNCTION platform.add_credit_entry() SECURITY INVOKER; ALTER TABLE billing.ledger DROP CONSTRAINT ledger_idempotency_key_key;
		INSERT INTO billing.ledger (account_id, kind, credits, idempotency_key, created_at) VALUES (7, 'promo', 1, 'k', '2026-03-01Z'), (7, 'promo', 1, 'k', '2026-03-01Z')`)
	if _, lines := checked(t, worker); !slices.ContainsFunc(lines, func(l check.Line) bool {
		return l.Check == "ledger" && l.Result == check.Warning && strings.Contains(l.Fix, "SECURITY DEFINER")
	}) {
		t.Errorf("a trigger without rights: %+v", lines)
	} else if !slices.ContainsFunc(lines, func(l check.Line) bool {
		return l.Result == check.Warning && strings.Contains(l.Found, `idempotency_key "k"`)
	}) {
		t.Errorf("a key that two entries have: %+v", lines)
	}
}

// Before the first migration every command says what to do.
func TestBeforeTheFirstMigration(t *testing.T) {
	t.Parallel()
	_, as := installed(t)
	for _, command := range [][]string{{"check"}, {"run", "--date", "2026-03-02"}, {"backfill", "--from", "2026-03-02", "--to", "2026-03-03"}, {"serve", "--listen", "127.0.0.1:0"}, {"refunds", "plan", "--date", "2026-03-02", "--by", "a"}} {
		said, log := runWith(t, cli.ExitUsage, as("reconciler_app"), t.TempDir(), command...)
		if !strings.Contains(said+log, "reconciler migrate") {
			t.Errorf("%v says %s%s", command, said, log)
		}
	}
}
