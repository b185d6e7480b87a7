package stripetest_test

import (
	"slices"
	"testing"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// movements are what the balance transactions of a source came to: reporting category, amount and fee of each.
type movement struct {
	category    string
	amount, fee int64
}

func movements(s *stripetest.Stripe, source string) []movement {
	var all []movement
	for _, posted := range s.BalanceTransactions() {
		if posted.Source == source {
			all = append(all, movement{posted.ReportingCategory, posted.Amount, posted.Fee})
		}
	}
	return all
}

// What a refund moves at each step of its life, and what the charge has of it.
func TestRefundLives(t *testing.T) {
	s, _ := newStripe(t)
	base := listen(t, s)
	taken, back := movement{"refund", -600, 0}, movement{"refund_failure", 600, 0}
	for name, life := range map[string]struct {
		params   stripetest.RefundParams
		step     func(id string) (stripetest.Refund, error)
		status   string
		moved    []movement
		refunded int64
	}{
		"pending, funded":         {stripetest.RefundParams{Pending: true}, nil, "pending", []movement{taken}, 600},
		"pending, unfunded":       {stripetest.RefundParams{Unfunded: true}, nil, "pending", nil, 600},
		"funded at last":          {stripetest.RefundParams{Unfunded: true}, s.SucceedRefund, "succeeded", []movement{taken}, 600},
		"canceled before funding": {stripetest.RefundParams{Unfunded: true}, s.CancelRefund, "canceled", nil, 0},
		"canceled":                {stripetest.RefundParams{Pending: true}, s.CancelRefund, "canceled", []movement{taken, back}, 0},
		"failed before funding": {stripetest.RefundParams{Unfunded: true}, func(id string) (stripetest.Refund, error) { return s.FailRefund(id, "insufficient_funds") },
			"failed", nil, 0},
		"failed after success": {stripetest.RefundParams{}, func(id string) (stripetest.Refund, error) { return s.FailRefund(id, "lost_or_stolen_card") },
			"failed", []movement{taken, back}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			charge := must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 1_000, Currency: "usd"}))
			life.params.Charge, life.params.Amount = charge.ID, 600
			refund := must[stripetest.Refund](t)(s.CreateRefund(life.params))
			if life.step != nil {
				refund = must[stripetest.Refund](t)(life.step(refund.ID))
			}
			charge, _ = s.Charge(charge.ID)
			if got := movements(s, refund.ID); refund.Status != life.status || !slices.Equal(got, life.moved) || charge.AmountRefunded != life.refunded {
				t.Errorf("%s moved %v, refunded %d", refund.Status, got, charge.AmountRefunded)
			}
			document := fetch(t, s, base, "/v1/refunds/"+refund.ID).decode(t)
			if (document["balance_transaction"] == nil) != (len(life.moved) == 0) || document["status"] != life.status {
				t.Errorf("%v", document)
			}
		})
	}
}

// A bank debit that succeeded fails after all: its money goes, and a fee for the failure on top.
func TestReturnedDebit(t *testing.T) {
	s, _ := newStripe(t)
	debit := func() string {
		c := must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 2_000, Currency: "usd", Method: stripetest.USBankAccount}))
		return must[stripetest.Charge](t)(s.SettleCharge(c.ID)).ID
	}
	id := debit()
	returned := must[stripetest.Charge](t)(s.ReturnDebit(id, "insufficient_funds", 400))
	if got := movements(s, id); returned.Status != "failed" || returned.FailureBalanceTransaction == "" ||
		!slices.Equal(got, []movement{{"charge", 2_000, 16}, {"charge_failure", -2_000, 400}}) {
		t.Errorf("%+v moved %v", returned, got)
	}
	refunded, card := debit(), must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 1, Currency: "usd"})).ID
	must[stripetest.Refund](t)(s.CreateRefund(stripetest.RefundParams{Charge: refunded}))
	for name, id := range map[string]string{"returned already": id, "refunded": refunded, "a card": card, "unknown": "py_none"} {
		if _, err := s.ReturnDebit(id, "insufficient_funds", 0); err == nil {
			t.Errorf("%s: returned", name)
		}
	}
}

// What a dispute moves, by category: at the rates of the days, with fees in its own rows or in rows apart.
func TestDisputeReturns(t *testing.T) {
	s, _ := newStripe(t)
	same := stripetest.ChargeParams{Amount: 2_000, Currency: "usd"}
	converted := stripetest.ChargeParams{Amount: 10_000, Currency: "eur", Settlement: stripetest.Settlement{Currency: "usd", Amount: 10_833}}
	for name, test := range map[string]struct {
		charge stripetest.ChargeParams
		params stripetest.DisputeParams
		back   stripetest.DisputeReturn
		status string
		moved  []movement
	}{
		"partly won": {same, stripetest.DisputeParams{}, stripetest.DisputeReturn{Amount: 800, Status: "lost"}, "lost",
			[]movement{{"dispute", -2_000, 1_500}, {"dispute_reversal", 800, 0}}},
		"won, fee back": {same, stripetest.DisputeParams{}, stripetest.DisputeReturn{Fee: 1_500, Status: "won"}, "won",
			[]movement{{"dispute", -2_000, 1_500}, {"dispute_reversal", 2_000, -1_500}}},
		"fee apart": {same, stripetest.DisputeParams{FeeApart: true}, stripetest.DisputeReturn{Status: "won"}, "won",
			[]movement{{"dispute", -2_000, 0}, {"fee", -1_500, 0}, {"dispute_reversal", 2_000, 0}}},
		"fee apart and back": {same, stripetest.DisputeParams{FeeApart: true}, stripetest.DisputeReturn{Fee: 500, FeeApart: true, Status: "won"}, "won",
			[]movement{{"dispute", -2_000, 0}, {"fee", -1_500, 0}, {"dispute_reversal", 2_000, 0}, {"fee", 500, 0}}},
		"only the fee back": {same, stripetest.DisputeParams{}, stripetest.DisputeReturn{Amount: -1, Fee: 1_500, Status: "lost"}, "lost",
			[]movement{{"dispute", -2_000, 1_500}, {"dispute_reversal", 0, -1_500}}},
		"other rates": {converted, stripetest.DisputeParams{Withdraw: 10_900, Fee: -1}, stripetest.DisputeReturn{Amount: 10_850, Status: "won"}, "won",
			[]movement{{"dispute", -10_900, 0}, {"dispute_reversal", 10_850, 0}}},
		"returned at a better rate": {converted, stripetest.DisputeParams{Fee: -1}, stripetest.DisputeReturn{Amount: 10_900, Status: "won"}, "won",
			[]movement{{"dispute", -10_833, 0}, {"dispute_reversal", 10_900, 0}}},
		"while it goes on": {same, stripetest.DisputeParams{Fee: -1}, stripetest.DisputeReturn{Amount: 1}, "needs_response",
			[]movement{{"dispute", -2_000, 0}, {"dispute_reversal", 1, 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			charge := must[stripetest.Charge](t)(s.CreateCharge(test.charge))
			test.params.Charge = charge.ID
			dispute := must[stripetest.Dispute](t)(s.OpenDispute(test.params))
			dispute = must[stripetest.Dispute](t)(s.ReturnDispute(dispute.ID, test.back))
			if got := movements(s, dispute.ID); dispute.Status != test.status || !slices.Equal(got, test.moved) {
				t.Errorf("%s moved %v", dispute.Status, got)
			}
		})
	}
	refused := must[stripetest.Dispute](t)(s.OpenDispute(stripetest.DisputeParams{Charge: must[stripetest.Charge](t)(s.CreateCharge(same)).ID}))
	for name, back := range map[string]stripetest.DisputeReturn{
		"more than went": {Amount: 2_001}, "won without all of it": {Amount: 1_999, Status: "won"}, "more fee than was taken": {Fee: 1_501}, "another status": {Status: "under_review"},
	} {
		if _, err := s.ReturnDispute(refused.ID, back); err == nil || len(movements(s, refused.ID)) != 1 {
			t.Errorf("%s: %v", name, movements(s, refused.ID))
		}
	}
	plain := must[stripetest.Charge](t)(s.CreateCharge(same))
	if _, err := s.OpenDispute(stripetest.DisputeParams{Charge: plain.ID, Withdraw: 2_100}); err == nil {
		t.Error("another rate without conversion")
	}
}

// A balance below 0 is debited from the bank, and a payout that was paid can be taken back; either is a payout of a negative amount.
func TestPayoutsOfNegativeAmounts(t *testing.T) {
	s, clock := newStripe(t)
	base := listen(t, s)
	must[stripetest.BalanceTransaction](t)(s.BillFee(700, "usd", "Radar"))
	if made := must[[]stripetest.Payout](t)(s.RunAutomaticPayouts()); len(made) != 0 {
		t.Errorf("paid out %+v", made)
	}
	made := must[[]stripetest.Payout](t)(s.RunNegativePayouts())
	if len(made) != 1 || made[0].Amount != -700 || !made[0].Automatic || s.Balances()[0].Available != 0 {
		t.Fatalf("%+v, %+v", made, s.Balances())
	}
	if got := movements(s, made[0].ID); !slices.Equal(got, []movement{{"payout", 700, 0}}) {
		t.Errorf("moved %v", got)
	}
	must[stripetest.TopUp](t)(s.TopUp(1_000, "usd"))
	paid := must[[]stripetest.Payout](t)(s.RunAutomaticPayouts())[0]
	if _, err := s.ReversePayout(paid.ID); err == nil {
		t.Error("reversed in transit")
	}
	clock.advance(3 * day)
	reversal := must[stripetest.Payout](t)(s.ReversePayout(paid.ID))
	document := fetch(t, s, base, "/v1/payouts/"+paid.ID).decode(t)
	if document["reversed_by"] != reversal.ID || reversal.OriginalPayout != paid.ID || reversal.Amount != -1_000 || s.Balances()[0].Available != 1_000 {
		t.Errorf("%+v, %v, %+v", reversal, document, s.Balances())
	}
	for _, id := range []string{paid.ID, reversal.ID, "po_none"} {
		if _, err := s.ReversePayout(id); err == nil {
			t.Errorf("%s was reversed again", id)
		}
	}
}

// A draft owes nothing, and one that was deleted is in no list and can't be read; something may happen to it before any call.
func TestDraftInvoices(t *testing.T) {
	s, _ := newStripe(t)
	base := listen(t, s)
	customer := must[stripetest.Customer](t)(s.CreateCustomer("ann@example.com", nil))
	draft := func() stripetest.Invoice {
		return must[stripetest.Invoice](t)(s.CreateInvoice(stripetest.InvoiceParams{Customer: customer.ID, Currency: "usd", Draft: true, Lines: manyLines(12)}))
	}
	kept, gone := draft(), draft()
	if document := fetch(t, s, base, "/v1/invoices/"+kept.ID).decode(t); document["status"] != "draft" {
		t.Errorf("%v", document)
	}
	if got := must[stripetest.Invoice](t)(s.FinalizeInvoice(kept.ID)); got.Status != "open" {
		t.Errorf("%+v", got)
	}
	s.BeforeEachCall(func(_, target string) {
		if target == "/v1/invoices/"+gone.ID+"/lines" {
			_, _ = s.DeleteInvoice(gone.ID) // the second call finds it gone
		}
	})
	if got := fetch(t, s, base, "/v1/invoices/"+gone.ID); got.status != 200 {
		t.Errorf("status %d before it is deleted", got.status)
	}
	for _, path := range []string{"/lines", ""} {
		if got := fetch(t, s, base, "/v1/invoices/"+gone.ID+path); got.status != 404 {
			t.Errorf("status %d of %q after it was deleted", got.status, path)
		}
	}
	s.BeforeEachCall(nil)
	if listed := fetch(t, s, base, "/v1/invoices").decode(t)["data"].([]any); len(listed) != 1 {
		t.Errorf("%d invoices listed", len(listed))
	}
	if _, err := s.DeleteInvoice(kept.ID); err == nil {
		t.Error("an open invoice was deleted")
	}
	if _, err := s.FinalizeInvoice(gone.ID); err == nil {
		t.Error("a deleted invoice was finalized")
	}
}
