package reconcile_test

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hummingbytes/reconciler/reconcile"
)

// What is paid back is what was captured less the fees of all transactions, by their own ratio.
func TestRefundableOfAPayment(t *testing.T) {
	for _, p := range []struct {
		name        string
		payment     reconcile.Payment
		refund, fee int64
	}{
		{"captured in part, with a reversal or without", reconcile.Payment{CapturedMinor: 1_200, SettledMinor: 1_200, FeeMinor: 65}, 1_135, 65},
		{"captured twice", reconcile.Payment{CapturedMinor: 2_000, SettledMinor: 2_000, FeeMinor: 118}, 1_882, 118},
		{"settled in another currency", reconcile.Payment{CapturedMinor: 10_000, SettledMinor: 10_833, FeeMinor: 344}, 9_682, 318},
		{"half a unit is a unit", reconcile.Payment{CapturedMinor: 1_000, SettledMinor: 2_000, FeeMinor: 3}, 998, 2},
		{"three decimals from none", reconcile.Payment{CapturedMinor: 12_340, SettledMinor: 6_001, FeeMinor: 216}, 11_896, 444},
		{"part from the balance", reconcile.Payment{CapturedMinor: 1_500, SettledMinor: 1_500, FeeMinor: 74, FromBalanceMinor: 500}, 1_426, 74},
		{"with a debt", reconcile.Payment{CapturedMinor: 2_300, SettledMinor: 2_300, FeeMinor: 97, FromBalanceMinor: -300}, 1_903, 97},
		{"a surplus that went back", reconcile.Payment{CapturedMinor: 2_500, SurplusMinor: 500, SettledMinor: 2_500, FeeMinor: 103}, 1_897, 103},
		{"a debt beyond it", reconcile.Payment{CapturedMinor: 200, SettledMinor: 200, FeeMinor: 36, FromBalanceMinor: -300}, 0, 0},
		{"the fee is more", reconcile.Payment{CapturedMinor: 20, SettledMinor: 20, FeeMinor: 31}, 0, 20},
		{"Stripe gave more back than it took", reconcile.Payment{CapturedMinor: 2_000, SettledMinor: 2_000, FeeMinor: -5}, 2_000, 0},
		{"nothing captured", reconcile.Payment{}, 0, 0},
	} {
		refund, fee, err := p.payment.Refundable()
		if err != nil || refund != p.refund || fee != p.fee {
			t.Errorf("%s: refund %d, fee %d, %v; want %d, %d", p.name, refund, fee, err, p.refund, p.fee)
		}
	}
	if _, _, err := (reconcile.Payment{CapturedMinor: 1, FeeMinor: 1}).Refundable(); err == nil {
		t.Error("a fee of nothing settled was converted")
	}
}

func TestRefundableIsHalfUpAndNeverMoreThanWasPaid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := reconcile.Payment{
			CapturedMinor: rapid.Int64Range(0, 1e12).Draw(t, "captured"), SettledMinor: rapid.Int64Range(1, 1e12).Draw(t, "settled"),
			FeeMinor: rapid.Int64Range(-10, 1e6).Draw(t, "fee"), FromBalanceMinor: rapid.Int64Range(-1000, 1000).Draw(t, "from balance"),
		}
		refund, fee, err := p.Refundable()
		if err != nil {
			t.Fatal(err)
		}
		if refund < 0 || fee < 0 || refund+fee != p.PaidMinor() || p.PaidMinor() > p.CapturedMinor {
			t.Fatalf("refund %d, fee %d of %d", refund, fee, p.PaidMinor())
		}
		exact := new(big.Rat).Mul(big.NewRat(max(0, p.FeeMinor), 1), big.NewRat(p.CapturedMinor, p.SettledMinor))
		low, high := new(big.Rat).Sub(exact, big.NewRat(1, 2)), new(big.Rat).Add(exact, big.NewRat(1, 2))
		got := big.NewRat(fee, 1)
		if refund > 0 && (got.Cmp(low) <= 0 && exact.Sign() > 0 || got.Cmp(high) > 0) {
			t.Fatalf("fee %d of exactly %s", fee, exact.FloatString(3))
		}
	})
}

// A decision waits for what would make its amount a guess, and says for what.
func TestDecisionAboutAPaymentThatDiffers(t *testing.T) {
	for _, p := range []struct {
		name     string
		payment  reconcile.Payment
		decision reconcile.Decision
		refund   int64
		reasons  string
		text     string // of the last reason
	}{
		{"part of it from the balance", reconcile.Payment{Currency: "usd", CapturedMinor: 700, SettledMinor: 700, FeeMinor: 50, Known: true, FromBalanceMinor: 300, InvoiceID: "in_1"},
			reconcile.DecisionApprove, 650, "unused_in_time:2.1 paid_from_balance:2.2 fee_withheld:2.2", "Of the 7.00 USD paid, 0.50 USD of transaction fees are not refunded."},
		{"all of it from the balance", reconcile.Payment{FromBalanceMinor: 1_000, InvoiceID: "in_1"},
			reconcile.DecisionApprove, 0, "unused_in_time:2.1 paid_from_balance:2.2 nothing_paid:2.2", "Nothing was paid"},
		{"more than was purchased", reconcile.Payment{Currency: "usd", CapturedMinor: 1_500, SettledMinor: 1_500, FeeMinor: 74, Known: true},
			reconcile.DecisionWaiting, 0, "payment_differs:2.2", "The payment of 15.00 USD is not the purchase's 10.00 USD"},
		{"more than was purchased, and the surplus went back", reconcile.Payment{Currency: "usd", CapturedMinor: 1_500, SurplusMinor: 500, SettledMinor: 1_500, FeeMinor: 74, Known: true},
			reconcile.DecisionApprove, 926, "unused_in_time:2.1 fee_withheld:2.2", "Of the 10.00 USD paid, 0.74 USD"},
		{"less than was purchased", reconcile.Payment{Currency: "usd", CapturedMinor: 999, SettledMinor: 999, FeeMinor: 59, Known: true},
			reconcile.DecisionWaiting, 0, "payment_differs:2.2", "The payment of 9.99 USD"},
		{"more, and somebody has accepted that", reconcile.Payment{Currency: "usd", CapturedMinor: 1_500, SettledMinor: 1_500, FeeMinor: 74, Known: true, Accepted: true},
			reconcile.DecisionApprove, 1_426, "unused_in_time:2.1 fee_withheld:2.2", "Of the 15.00 USD paid"},
		{"another currency, accepted or not", reconcile.Payment{Currency: "eur", CapturedMinor: 1_000, SettledMinor: 1_000, FeeMinor: 59, Known: true, Accepted: true},
			reconcile.DecisionWaiting, 0, "payment_differs:2.2", "The payment of 10.00 EUR is not the purchase's 10.00 USD"},
		{"accepted, and more may be captured", reconcile.Payment{Currency: "usd", CapturedMinor: 700, SettledMinor: 700, FeeMinor: 50, Open: true, Accepted: true},
			reconcile.DecisionWaiting, 0, "payment_open:2.2", "More of the payment may still be captured than the 7.00 USD so far."},
		{"paid out of band", reconcile.Payment{InvoiceID: "in_1", PaidOutOfBand: true},
			reconcile.DecisionWaiting, 0, "paid_out_of_band:2.2", "Invoice in_1 was marked as paid outside of Stripe"},
		{"no payment known", reconcile.Payment{}, reconcile.DecisionWaiting, 0, "fee_unknown:2.2", "not known yet"},
		{"a fee that can't be", reconcile.Payment{Currency: "usd", CapturedMinor: 1_000, FeeMinor: 59, Known: true}, reconcile.DecisionWaiting, 0, "fee_unknown:2.2", "not known yet"},
	} {
		facts := refundable()
		facts.Purchase.Payment = p.payment
		d := reconcile.DecideRefund(facts)
		if d.Decision != p.decision || d.RefundMinor != p.refund || reasonCodes(d) != p.reasons {
			t.Errorf("%s: %s %d %q; want %s %d %q", p.name, d.Decision, d.RefundMinor, reasonCodes(d), p.decision, p.refund, p.reasons)
		}
		if text := d.Reasons[len(d.Reasons)-1].Text; !strings.Contains(text, p.text) {
			t.Errorf("%s: %q", p.name, text)
		}
	}
}

func TestOtherFeesAreWithheldWhereThePolicySaysSo(t *testing.T) {
	v := version(t, "one", "2020-01-01T00:00:00Z", "")
	v.OtherFeesWithheld = []string{"application_fee", "payment_method_passthrough_fee"}
	if _, err := reconcile.NewPolicies([]reconcile.PolicyVersion{v}); err != nil {
		t.Error(err)
	}
	for fault, kinds := range map[string][]string{
		"is always withheld": {"tax"}, "is no type of fee": {"application fee"}, "is named twice": {"application_fee", "application_fee"},
	} {
		v.OtherFeesWithheld = kinds
		if _, err := reconcile.NewPolicies([]reconcile.PolicyVersion{v}); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%v: %v", kinds, err)
		}
	}
}
