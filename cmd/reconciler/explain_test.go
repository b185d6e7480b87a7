package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/jobs/explain"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// idsOfAKind are asked of each column and each kind of id in it, which its beginning tells.
const idsOfAKind = 4

// Whatever id somebody finds in a report of the demo, explain knows something of it.
func explainsEveryID(t *testing.T, databaseURL string, files map[string][]byte) {
	t.Helper()
	store, err := postgres.Open(postgres.Options{URL: databaseURL})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	store.KeepSessions(nil, true) // the same questions are asked a thousand times
	ids := idsIn(t, files, idsOfAKind)
	for id, where := range ids {
		told, err := explain.Tell(t.Context(), store, time.Now(), id)
		if errors.Is(err, explain.ErrUnknown) {
			t.Errorf("%s (%s): nothing is known", id, where)
			continue
		}
		if err != nil {
			t.Fatalf("%s (%s): %v", id, where, err)
		}
		if len(told.Sections) == 0 || len(told.Sections[0].Rows) == 0 {
			t.Errorf("%s (%s): an empty story", id, where)
		}
	}
	t.Logf("%d ids", len(ids))
}

// idsIn are ids in the files of reports, so many of a kind, each with a place where it is.
func idsIn(t *testing.T, files map[string][]byte, ofAKind int) map[string]string {
	t.Helper()
	idColumn := regexp.MustCompile(`^(subject_id|source_id|source|.*_id)$`)
	letters := regexp.MustCompile(`^[A-Za-z]*`)
	ids, kinds := map[string]string{}, map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		content := files[name]
		if path.Ext(name) != ".csv" {
			continue
		}
		rows, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for column, heading := range rows[0] {
			if !idColumn.MatchString(heading) {
				continue
			}
			for _, row := range rows[1:] {
				id := row[column]
				if _, asked := ids[id]; id == "" || asked {
					continue
				}
				where := path.Base(name) + ", " + heading
				kind := where + ": " + letters.FindString(id)
				if kinds[kind]++; kinds[kind] <= ofAKind {
					ids[id] = where
				}
			}
		}
	}
	if len(kinds) < 50 {
		t.Fatalf("only %d kinds of ids were found: %v", len(kinds), kinds)
	}
	return ids
}

// From a purchase to its payout and back, whichever id of the chain is asked for; and a customer by account and e-mail address.
func explainsTheTrail(t *testing.T, db *testdb.DB, folder string) {
	t.Helper()
	explained := func(args ...string) string {
		said, _ := runWith(t, cli.ExitDone, db.URL, folder, append([]string{"explain"}, args...)...)
		return said
	}
	var trail struct{ Purchase, Intent, Charge, Transaction, Payout, Email, Account string }
	err := db.Get(&trail, `SELECT p.id AS purchase, p.stripe_payment_intent_id AS intent, c.id AS charge, t.id AS transaction, t.payout_id AS payout, a.email, a.id AS account
		FROM platform.purchases p JOIN reconciler.stripe_charges c ON c.payment_intent_id = p.stripe_payment_intent_id AND c.payment_intent_id <> ''
		JOIN reconciler.stripe_balance_transactions t ON t.source_id = c.id AND t.payout_id <> '' JOIN platform.accounts a ON a.id = p.account_id LIMIT 1`)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{trail.Purchase, trail.Intent, trail.Charge, trail.Transaction} {
		told := strings.Join(strings.Fields(explained(id)), " ")
		for _, want := range []string{trail.Purchase, trail.Charge, trail.Transaction, "in payout " + trail.Payout} {
			if !strings.Contains(told, want) {
				t.Errorf("explain %s does not lead to %s:\n%s", id, want, told)
			}
		}
	}
	if told := explained(trail.Payout); !strings.Contains(told, "charge: ") || !strings.Contains(told, trail.Charge) || !strings.Contains(told, trail.Transaction) {
		t.Errorf("explain %s:\n%s", trail.Payout, told)
	}
	for _, query := range []string{trail.Account, strings.ToUpper(trail.Email)} {
		told := explained(query)
		for _, want := range []string{trail.Account, trail.Purchase, "Charges at Stripe", "Subscriptions and their access", "Balance by grant", "Last jobs", "Refund requests", "Refunds at Stripe", "Disputes", "Open breaks"} {
			if !strings.Contains(told, want) {
				t.Errorf("explain %s lacks %q:\n%s", query, want, told)
			}
		}
		var page struct {
			Sections []struct {
				Section string
				Rows    []map[string]any
			}
		}
		if err := json.Unmarshal([]byte(explained(query, "--json")), &page); err != nil || len(page.Sections) < 7 || page.Sections[0].Rows[0]["id"] != trail.Account {
			t.Errorf("explain %s --json: %v, %v", query, page, err)
		}
	}
	// Of a charge with a purchase the platform knows the customer, and nothing else is kept of who paid.
	var kept int
	if err := db.Get(&kept, `SELECT count(*) FROM reconciler.stripe_charges c JOIN platform.purchases p ON p.stripe_charge_id = c.id OR p.id = c.metadata_purchase_id WHERE c.email <> '' OR c.metadata <> '{}'`); err != nil || kept > 0 {
		t.Errorf("of %d charges with a purchase it is kept who paid: %v", kept, err)
	}
	// Of a charge that no purchase accounts for, what Stripe knows of who paid is all there is.
	var found struct{ Break, Charge, Customer string }
	if err := db.Get(&found, `UPDATE reconciler.stripe_charges c SET email = 'kim@example.org', metadata = '{"order": "A-17"}', customer_id = 'cus_of_nobody'
		FROM reconciler.breaks b WHERE b.kind = 'charge_missing_in_platform' AND b.subject_id = c.id
		AND b.break_id = (SELECT min(break_id) FROM reconciler.breaks WHERE kind = 'charge_missing_in_platform')
		RETURNING b.break_id AS break, c.id AS charge, c.customer_id AS customer`); err != nil {
		t.Fatal(err)
	}
	if told := explained("KIM@example.org"); !strings.Contains(told, found.Charge) {
		t.Errorf("who paid a charge without an account is not found by the address:\n%s", told)
	}
	shown, _ := runWith(t, cli.ExitDone, db.URL, folder, "breaks", "show", found.Break)
	for args, told := range map[string]string{"breaks show": shown, "explain": explained(found.Charge)} {
		for _, want := range []string{"kim@example.org", "order A-17", found.Customer} {
			if !strings.Contains(told, want) {
				t.Errorf("%s does not say %q:\n%s", args, want, told)
			}
		}
	}
	// "I was charged twice" is answered from the customer's page.
	var twice struct{ Account, Charge, Purchase string }
	if err := db.Get(&twice, `SELECT b.account_id AS account, c.id AS charge, c.metadata_purchase_id AS purchase FROM reconciler.breaks b JOIN reconciler.stripe_charges c ON c.id = b.subject_id
		WHERE b.kind = 'duplicate_charge' AND c.metadata_purchase_id <> '' ORDER BY b.break_id LIMIT 1`); err != nil {
		t.Fatal(err)
	}
	var charges []map[string]any
	for _, row := range told(t, explained(twice.Account, "--json"), "charges") {
		if row["purchase_id"] == twice.Purchase {
			charges = append(charges, row)
		}
	}
	if len(charges) != 2 || charges[0]["id"] != twice.Charge && charges[1]["id"] != twice.Charge {
		t.Fatalf("charges of %s, charged twice: %v", twice.Purchase, charges)
	}
	for _, charge := range charges {
		want := "pays for the purchase"
		if charge["id"] == twice.Charge {
			want = "charged again for the same purchase"
		}
		if what, _ := charge["what"].(string); !strings.HasPrefix(what, want) {
			t.Errorf("charge %s: %q, want %q", charge["id"], what, want)
		}
	}
	// An approval that nobody has planned says so, and what is to be done.
	var unpaid struct{ Request, Account string }
	if err := db.Get(&unpaid, `SELECT d.request_id AS request, d.account_id AS account FROM reconciler.refund_decisions d JOIN platform.refund_requests r ON r.id = d.request_id
		WHERE d.decision = 'approve' AND d.kind = 'unused_credits' AND d.refund_minor > 0 AND r.status NOT IN ('withdrawn', 'denied')
		AND NOT EXISTS (SELECT FROM reconciler.refund_intents i WHERE i.request_id = d.request_id) AND NOT EXISTS (SELECT FROM reconciler.stripe_refunds f WHERE f.charge_id = d.charge_id)
		AND NOT EXISTS (SELECT FROM reconciler.stripe_disputes f WHERE f.charge_id = d.charge_id) ORDER BY 1 LIMIT 1`); err != nil {
		t.Fatal(err)
	}
	const next = "nobody has planned this refund: reconciler refunds plan"
	if story := strings.Join(strings.Fields(explained(unpaid.Request)), " "); !strings.Contains(story, next) {
		t.Errorf("explain %s does not say %q:\n%s", unpaid.Request, next, story)
	}
	for _, row := range told(t, explained(unpaid.Account, "--json"), "requests") {
		if want := map[bool]string{true: next}[row["id"] == unpaid.Request]; row["next"] != want {
			t.Errorf("request %s of %s waits for %q, want %q", row["id"], unpaid.Account, row["next"], want)
		}
	}
}

// told are the rows of a section of explain --json.
func told(t *testing.T, page, section string) []map[string]any {
	t.Helper()
	var all struct {
		Sections []struct {
			Section string
			Rows    []map[string]any
		}
	}
	if err := json.Unmarshal([]byte(page), &all); err != nil {
		t.Fatal(err)
	}
	for _, s := range all.Sections {
		if s.Section == section {
			return s.Rows
		}
	}
	t.Fatalf("no section %s in %s", section, page)
	return nil
}

// A terminal of 80 columns breaks no line of text anew: of a story, of what a customer was told, of the policy, and of the settings.
func TestTextFitsEightyColumns(t *testing.T) {
	prose := strings.TrimSpace(strings.Repeat("none of the credits were used ", 12))
	cell := func(text string) explain.Cell { return explain.Cell{Text: text} }
	var out bytes.Buffer
	if err := writeTold(&out, explain.Told{Query: "pur_1", Clauses: reconcile.Clauses(), Sections: []explain.Section{
		{Key: "story", Rows: [][]explain.Cell{{cell("2026-03-02 12:00:00"), cell(prose), cell("platform.purchases pur_1"), cell("2.1")}}},
		{Key: "requests", Columns: []explain.Column{{Key: "id", Title: "Request"}, {Key: "told", Title: "Told the customer"}}, Rows: [][]explain.Cell{{cell("req_1"), cell(prose)}}},
	}}); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{out.String(), cli.ExplainSettings()} {
		lines := 0
		for line := range strings.Lines(text) {
			if lines++; len(strings.TrimRight(line, "\n")) > 80 {
				t.Errorf("%d columns: %s", len(line)-1, line)
			}
		}
		if lines < 15 {
			t.Errorf("only %d lines:\n%s", lines, text)
		}
	}
}
