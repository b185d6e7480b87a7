package month_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
)

// attribution says a second time what balances consist of, sharing nothing with the worker: what moved is read in the published journals of the
// nights, what a movement at Stripe was about at Stripe itself, and which purchase a charge paid in the platform's rows.
type attribution struct {
	moves     map[string]move // by balance transaction
	charges   map[string]charge
	refunds   map[string]refund
	purchases []purchase
	items     map[itemKey]*item
}

type itemKey struct{ account, kind, id string }

type item struct {
	amount *big.Int
	since  reconcile.Date // it has not added up to 0 since
}

// Stripe's objects, as its API lists them.
type (
	move struct {
		ID       string `json:"id"`
		Amount   int64  `json:"amount"`
		Currency string `json:"currency"`
		Category string `json:"reporting_category"`
		Created  int64  `json:"created"`
		Source   string `json:"source"`
	}
	charge struct {
		ID       string `json:"id"`
		Amount   int64  `json:"amount"`
		Captured int64  `json:"amount_captured"`
		Currency string `json:"currency"`
		Intent   string `json:"payment_intent"`
		Invoice  string `json:"invoice"`
		Metadata struct {
			Purchase string `json:"purchase_id"`
		} `json:"metadata"`
	}
	refund struct {
		ID       string `json:"id"`
		Amount   int64  `json:"amount"`
		Currency string `json:"currency"`
		Charge   string `json:"charge"`
	}
	purchase struct{ id, charge, intent, invoice string }
)

func (b *business) attribution() *attribution {
	a := &attribution{moves: map[string]move{}, charges: map[string]charge{}, refunds: map[string]refund{}, items: map[itemKey]*item{}}
	list(b, "balance_transactions", func(m move) string { a.moves[m.ID] = m; return m.ID })
	list(b, "charges", func(c charge) string { a.charges[c.ID] = c; return c.ID })
	list(b, "refunds", func(r refund) string { a.refunds[r.ID] = r; return r.ID })
	rows, err := b.db.Query(`SELECT id, coalesce(stripe_charge_id, ''), coalesce(stripe_payment_intent_id, ''), coalesce(stripe_invoice_id, '') FROM platform.purchases`)
	b.must(err)
	defer rows.Close()
	for rows.Next() {
		var p purchase
		b.must(rows.Scan(&p.id, &p.charge, &p.intent, &p.invoice))
		a.purchases = append(a.purchases, p)
	}
	b.must(rows.Err())
	return a
}

// list takes every object of a list at Stripe; take returns its id.
func list[T any](b *business, what string, take func(T) string) {
	b.Helper()
	for after, more := "", true; more; {
		url := b.stripeURL + "/v1/" + what + "?limit=100"
		if after != "" {
			url += "&starting_after=" + after
		}
		request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
		b.must(err)
		request.SetBasicAuth(b.stripeKey, "")
		response, err := http.DefaultClient.Do(request)
		b.must(err)
		var page struct {
			Data    []T
			HasMore bool `json:"has_more"`
		}
		err = json.NewDecoder(response.Body).Decode(&page)
		response.Body.Close()
		b.must(err)
		if response.StatusCode != http.StatusOK || (page.HasMore && len(page.Data) == 0) {
			b.Fatalf("%s: %s with %d rows", url, response.Status, len(page.Data))
		}
		for _, row := range page.Data {
			after = take(row)
		}
		more = page.HasMore
	}
}

// hasItems names the accounts that consist of items.
func hasItems(account string) bool {
	for _, part := range []string{"Assets:Stripe:Purchase-Clearing:", "Assets:Stripe:Payouts-In-Transit:", "Assets:Stripe:Disputes:", "Assets:Stripe:Suspense:",
		"Liabilities:Refunds-Payable:", "Liabilities:Customer-Balances:", "Liabilities:Tax-Payable:"} {
		if strings.HasPrefix(account, part) {
			return true
		}
	}
	return false
}

// night takes the lines of a night's journal into the items, and lets those go that add up to 0 in its evening.
func (a *attribution) night(date reconcile.Date, lines []map[string]string) error {
	for _, line := range lines {
		account := line["ledger_account"]
		if !hasItems(account) {
			continue
		}
		amount, _ := new(big.Int).SetString(cmp.Or(line["debit"], "0"), 10)
		credit, _ := new(big.Int).SetString(cmp.Or(line["credit"], "0"), 10)
		amount.Sub(amount, credit)
		switch {
		case line["source"] != "" || line["account_id"] != "" || strings.HasPrefix(account, "Liabilities:Tax-Payable:"):
			a.add(a.itemOf(account, line, date), amount, date)
		default:
			if err := a.sum(account, line, amount, date); err != nil {
				return err
			}
		}
	}
	for key, item := range a.items {
		if item.amount.Sign() == 0 {
			delete(a.items, key)
		}
	}
	return nil
}

func (a *attribution) add(key itemKey, amount *big.Int, date reconcile.Date) {
	if a.items[key] == nil {
		a.items[key] = &item{new(big.Int), date}
	}
	a.items[key].amount.Add(a.items[key].amount, amount)
}

// itemOf is what a line is about that names it.
func (a *attribution) itemOf(account string, line map[string]string, date reconcile.Date) itemKey {
	source := line["source"]
	switch {
	case strings.HasPrefix(account, "Liabilities:Tax-Payable:"):
		return itemKey{account, "month", date.String()[:7]}
	case strings.HasPrefix(account, "Liabilities:Customer-Balances:"):
		return itemKey{account, "account", cmp.Or(line["account_id"], source)}
	}
	if moved, ok := a.moves[source]; ok {
		source = moved.Source
	}
	return a.named(account, source)
}

// named is the item of an object of the platform's or Stripe's.
func (a *attribution) named(account, id string) itemKey {
	if r, ok := a.refunds[id]; ok {
		if r.Charge == "" {
			return itemKey{account, "refund", id}
		}
		id = r.Charge
	}
	if c, ok := a.charges[id]; ok {
		var paid string
		rank := 5
		for _, p := range a.purchases {
			link := 5
			switch {
			case p.charge == c.ID:
				link = 1
			case p.intent != "" && p.intent == c.Intent:
				link = 2
			case p.invoice != "" && p.invoice == c.Invoice:
				link = 3
			case p.id == c.Metadata.Purchase:
				link = 4
			}
			if link < rank || (link == rank && link < 5 && p.id < paid) {
				rank, paid = link, p.id
			}
		}
		if paid == "" {
			return itemKey{account, "charge", c.ID}
		}
		id = paid
	}
	for prefix, kind := range map[string]string{"po_": "payout", "dp_": "dispute", "du_": "dispute", "txn_": "balance_transaction"} {
		if strings.HasPrefix(id, prefix) {
			return itemKey{account, kind, id}
		}
	}
	return itemKey{account, "purchase", id}
}

// sum takes a line apart that sums up a category's movements of the day: it has to be exactly what Stripe lists for that day.
func (a *attribution) sum(account string, line map[string]string, amount *big.Int, date reconcile.Date) error {
	begin := time.Date(date.Year, date.Month, date.Day, 0, 0, 0, 0, time.UTC)
	listed, count := new(big.Int), 0
	parts := map[itemKey]*big.Int{}
	for _, m := range a.moves {
		if m.Created < begin.Unix() || m.Created >= begin.AddDate(0, 0, 1).Unix() {
			continue
		}
		minor, currency := a.asked(m)
		if !strings.HasPrefix(line["description"], "At Stripe, "+strings.ReplaceAll(m.Category, "_", " ")+" (") || currency != line["currency"] {
			continue
		}
		key := a.named(account, m.Source)
		if strings.HasPrefix(account, "Assets:Stripe:Suspense:") {
			key = itemKey{account, "balance_transaction", m.ID}
		}
		if parts[key] == nil {
			parts[key] = new(big.Int)
		}
		parts[key].Sub(parts[key], big.NewInt(minor))
		listed.Sub(listed, big.NewInt(minor))
		count++
	}
	if listed.Cmp(amount) != 0 {
		return fmt.Errorf("%s: %q moves %s by %s; the %d that Stripe lists by %s", date, line["description"], account, amount, count, listed)
	}
	for key, part := range parts {
		a.add(key, part, date)
	}
	return nil
}

// asked is what moved in the customer's currency. What several captures of a charge asked for is shared out by what each brought.
func (a *attribution) asked(m move) (minor int64, currency string) {
	if back, ok := a.refunds[m.Source]; ok && back.Currency != m.Currency {
		if m.Amount < 0 {
			return -back.Amount, back.Currency
		}
		return back.Amount, back.Currency
	}
	c, ok := a.charges[m.Source]
	if !ok || c.Currency == m.Currency {
		return m.Amount, m.Currency
	}
	total := c.Captured
	for _, r := range a.refunds {
		for _, o := range a.moves {
			if o.Source == r.ID && r.Charge == c.ID && o.Category == "partial_capture_reversal" {
				total = c.Amount // first all of it came, then the rest went back
			}
		}
	}
	var before, brought int64
	for _, o := range a.moves {
		if o.Source == c.ID && o.Category == "charge" {
			brought += o.Amount
			if o.Created < m.Created || (o.Created == m.Created && o.ID < m.ID) {
				before += o.Amount
			}
		}
	}
	if m.Category != "charge" {
		return -total, c.Currency
	}
	return total*(before+m.Amount)/brought - total*before/brought, c.Currency
}

// differs compares the items with those that a month published.
func (a *attribution) differs(published []map[string]string) (differences []string) {
	seen := map[itemKey]bool{}
	for _, row := range published {
		key := itemKey{row["ledger_account"], row["item_type"], row["item_id"]}
		seen[key] = true
		switch own := a.items[key]; {
		case own == nil:
			differences = append(differences, fmt.Sprintf("%v: published with %s since %s, and settled by the journals", key, row["amount"], row["opened_on"]))
		case own.amount.String() != row["amount"] || own.since.String() != row["opened_on"]:
			differences = append(differences, fmt.Sprintf("%v: published with %s since %s, by the journals %s since %s", key, row["amount"], row["opened_on"], own.amount, own.since))
		}
	}
	for key, own := range a.items {
		if !seen[key] {
			differences = append(differences, fmt.Sprintf("%v: open by the journals with %s since %s, and not published", key, own.amount, own.since))
		}
	}
	slices.Sort(differences)
	return differences
}
