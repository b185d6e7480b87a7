package stripetest_test

import (
	"net/url"
	"slices"
	"testing"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

func TestPlantedContradictions(t *testing.T) {
	s, clock := newStripe(t)
	base := listen(t, s)
	for range 3 {
		must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 1_000, Currency: "usd"}))
	}
	clock.advance(3 * day)
	payout := must[[]stripetest.Payout](t)(s.RunAutomaticPayouts())[0]
	transactions := s.BalanceTransactions()
	listed := func(form url.Values) []string { return walk(t, s, base, "/v1/balance_transactions", form, nil) }
	before := s.Balances()

	if err := s.HideTransaction(transactions[0].ID); err != nil {
		t.Fatal(err)
	}
	if got := listed(url.Values{}); len(got) != 3 || slices.Contains(got, transactions[0].ID) {
		t.Errorf("listed %v", got)
	}
	if got := fetch(t, s, base, "/v1/balance_transactions/"+transactions[0].ID); got.status != 404 {
		t.Errorf("looked up: %d", got.status)
	}
	if !slices.Equal(before, s.Balances()) {
		t.Error("hiding changed the balance")
	}

	if err := s.DetachTransaction(transactions[1].ID); err != nil {
		t.Fatal(err)
	}
	if got := listed(url.Values{"payout": {payout.ID}}); len(got) != 2 || slices.Contains(got, transactions[1].ID) {
		t.Errorf("of the payout %v", got)
	}
	if got := listed(url.Values{}); !slices.Contains(got, transactions[1].ID) {
		t.Error("a detached transaction is not listed any more")
	}
	if err := s.DetachTransaction(transactions[1].ID); err == nil {
		t.Error("detached twice")
	}

	charge := s.Charges()[0]
	if err := s.SetStatus(charge.ID, "failed"); err != nil {
		t.Fatal(err)
	}
	if got := fetch(t, s, base, "/v1/charges/"+charge.ID).decode(t)["status"]; got != "failed" {
		t.Errorf("status %v", got)
	}
	if err := s.SetStatus(charge.ID, "succeeded"); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{s.HideTransaction("txn_none"), s.SetStatus("ch_none", "failed"), s.SetStatus(payout.ID, "lost")} {
		if err == nil {
			t.Error("planted in nothing")
		}
	}
}
