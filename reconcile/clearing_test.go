package reconcile

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// What a payment leaves on the two clearing accounts meets, or goes where somebody's correction has it.
func TestAPaymentClears(t *testing.T) {
	n := func(amount int64) *big.Int { return big.NewInt(amount) }
	for name, c := range map[string]struct {
		sold, brought, payable, refunded, changed int64
		accepted                                  bool
		offset, corrected                         int64
		// What stays on purchase clearing and on refund clearing.
		purchases, refunds int64
	}{
		"as it should be":                         {2000, 2000, 1912, 1912, 0, false, 0, 0, 0, 0},
		"a charge on its way":                     {2000, 0, 0, 0, 0, false, 0, 0, 2000, 0},
		"a refund on its way":                     {2000, 2000, 1912, 0, 0, false, 0, 0, 0, -1912},
		"credits still to be taken":               {2000, 2000, 0, 1912, 0, false, 0, 0, 0, 1912},
		"a surplus that nothing explains":         {2000, 2050, 0, 0, 0, false, 0, 0, -50, 0},
		"which was refunded":                      {2000, 2050, 0, 50, 0, false, 50, 0, 0, 0},
		"refunded in part":                        {2000, 2050, 0, 20, 0, false, 20, 0, -30, 0},
		"refunded beyond itself":                  {2000, 2050, 0, 80, 0, false, 50, 0, 0, 30},
		"which was accepted":                      {2000, 2050, 0, 0, 0, true, 0, 50, 0, 0},
		"accepted, and all of it refunded":        {2000, 2500, 1897, 2397, 0, true, 500, 0, 0, 0},
		"accepted, the refund on its way":         {2000, 2500, 1897, 0, 0, true, 0, 500, 0, -1897},
		"less than was purchased, accepted":       {2000, 1200, 0, 0, 0, true, 0, -800, 0, 0},
		"and refunded":                            {2000, 1200, 1935, 1135, 0, true, -800, 0, 0, 0},
		"a purchase that was corrected upwards":   {2000, 2050, 0, 0, 50, false, 0, 50, 0, 0},
		"and downwards":                           {2000, 1200, 0, 0, -800, false, 0, -800, 0, 0},
		"corrected by too much":                   {2000, 2050, 0, 0, 500, false, 0, 50, 0, 0},
		"corrected the wrong way":                 {2000, 2050, 0, 0, -50, false, 0, 0, -50, 0},
		"corrected, and the payment is right":     {2000, 2000, 0, 0, 50, false, 0, 0, 0, 0},
		"declined, its credits refunded":          {2000, 0, 2000, 0, 0, false, -2000, 0, 0, 0},
		"and set to failed":                       {2000, 0, 2000, 0, -2000, false, -2000, 0, 0, 0},
		"declined, set to failed":                 {2000, 0, 0, 0, -2000, false, 0, -2000, 0, 0},
		"declined, refunded less fees, failed":    {2000, 0, 1912, 0, -2000, false, -1912, -88, 0, 0},
		"a second charge, refunded":               {2000, 4000, 0, 2000, 0, false, 2000, 0, 0, 0},
		"a charge of nothing, refunded":           {0, 4000, 0, 4000, 0, false, 4000, 0, 0, 0},
		"set to failed though it was paid, later": {2000, 2000, 0, 0, -2000, false, 0, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := PaymentBooks{SubjectID: "p", Currency: "usd", Sold: n(c.sold), Brought: n(c.brought), Payable: n(c.payable), Refunded: n(c.refunded), Changed: n(c.changed), Accepted: c.accepted}
			got := b.Clearing()
			if got.Offset.Cmp(n(c.offset)) != 0 || got.Corrected.Cmp(n(c.corrected)) != 0 {
				t.Errorf("offset %s, corrected %s", got.Offset, got.Corrected)
			}
			left := map[AccountRole]int64{PurchaseClearing: c.sold - c.brought, RefundClearing: c.refunded - c.payable}
			for _, e := range PostPaymentClearing(journalNight, b, PaymentClearing{n(0), n(0)}) {
				for _, line := range e.Lines {
					left[line.Role] += line.Amount.Int64()
				}
			}
			if left[PurchaseClearing] != c.purchases || left[RefundClearing] != c.refunds {
				t.Errorf("left %v", left)
			}
			if again := PostPaymentClearing(journalNight, b, got); len(again) != 0 {
				t.Errorf("posted again: %v", again)
			}
		})
	}
}

// Clearing never makes more of what is open, nor turns its sign; and nothing can be offset any more afterwards.
func TestClearingOnlyTakesAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := func(what string) *big.Int {
			return big.NewInt(rapid.OneOf(rapid.Int64(), rapid.Int64Range(-9, 9)).Draw(t, what))
		}
		b := PaymentBooks{Sold: amount("sold"), Brought: amount("brought"), Payable: amount("payable"), Refunded: amount("refunded"), Changed: amount("changed"), Accepted: rapid.Bool().Draw(t, "accepted")}
		c := b.Clearing()
		purchases, refunds := new(big.Int).Sub(b.Sold, b.Brought), new(big.Int).Sub(b.Refunded, b.Payable)
		left := new(big.Int).Add(purchases, c.Offset)
		left.Add(left, c.Corrected)
		leftOfRefunds := new(big.Int).Sub(refunds, c.Offset)
		for _, x := range []struct{ before, after *big.Int }{{purchases, left}, {refunds, leftOfRefunds}} {
			if x.after.CmpAbs(x.before) > 0 || x.after.Sign()*x.before.Sign() < 0 {
				t.Fatalf("%s became %s", x.before, x.after)
			}
		}
		if left.Sign()*leftOfRefunds.Sign() < 0 || b.Accepted && left.Sign() != 0 {
			t.Fatalf("left %s and %s", left, leftOfRefunds)
		}
	})
}
