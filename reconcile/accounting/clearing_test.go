package accounting

import (
	"maps"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/hummingbytes/reconciler/reconcile"
)

// What a payment leaves on the two clearing accounts meets, or goes where somebody's correction or resolution has it.
func TestAPaymentClears(t *testing.T) {
	n := func(amount int64) *big.Int { return big.NewInt(amount) }
	resolved := func(kind reconcile.BreakKind, resolution string, minor int64) []ResolvedDifference {
		return []ResolvedDifference{{kind, resolution, n(minor)}}
	}
	inCredits := func(kind reconcile.BreakKind, resolution string) []ResolvedDifference {
		return []ResolvedDifference{{kind, resolution, nil}}
	}
	type left map[AccountRole]int64 // on all accounts, those that the money went to included
	for name, c := range map[string]struct {
		sold, brought, payable, refunded, changed int64
		resolved                                  []ResolvedDifference
		left                                      left
	}{
		"a subscription's refund, accepted": {2000, 2000, 0, 2000, 0, resolved(reconcile.SubscriptionRefunded, reconcile.ResolvedAccepted, -2000), left{CreditsTaken: 2000}},

		"as it should be":                           {2000, 2000, 1912, 1912, 0, nil, left{}},
		"a charge on its way":                       {2000, 0, 0, 0, 0, nil, left{PurchaseClearing: 2000}},
		"a refund on its way":                       {2000, 2000, 1912, 0, 0, nil, left{RefundClearing: -1912}},
		"credits still to be taken":                 {2000, 2000, 0, 1912, 0, nil, left{RefundClearing: 1912}},
		"a surplus that nothing explains":           {2000, 2050, 0, 0, 0, nil, left{PurchaseClearing: -50}},
		"which was refunded":                        {2000, 2050, 0, 50, 0, nil, left{}},
		"refunded in part":                          {2000, 2050, 0, 20, 0, nil, left{PurchaseClearing: -30}},
		"refunded beyond itself":                    {2000, 2050, 0, 80, 0, nil, left{RefundClearing: 30}},
		"which was accepted":                        {2000, 2050, 0, 0, 0, resolved(reconcile.ChargeAmountMismatch, reconcile.ResolvedAccepted, -50), left{CreditsTaken: -50}},
		"which was paid back elsewhere":             {2000, 2050, 0, 0, 0, resolved(reconcile.ChargeAmountMismatch, reconcile.ResolvedCorrected, -50), left{PaidElsewhere: -50}},
		"accepted, and all of it refunded":          {2000, 2500, 1897, 2397, 0, resolved(reconcile.ChargeAmountMismatch, reconcile.ResolvedAccepted, -500), left{}},
		"accepted, the refund on its way":           {2000, 2500, 1897, 0, 0, resolved(reconcile.ChargeAmountMismatch, reconcile.ResolvedAccepted, -500), left{CreditsTaken: -500, RefundClearing: -1897}},
		"accepted, and more was charged":            {2000, 2600, 0, 0, 0, resolved(reconcile.ChargeAmountMismatch, reconcile.ResolvedAccepted, -500), left{CreditsTaken: -500, PurchaseClearing: -100}},
		"accepted, and then it was declined":        {2000, 0, 0, 0, 0, resolved(reconcile.ChargeAmountMismatch, reconcile.ResolvedAccepted, -500), left{PurchaseClearing: 2000}},
		"less than was purchased, written off":      {2000, 1200, 0, 0, 0, resolved(reconcile.ChargeAmountMismatch, reconcile.ResolvedWrittenOff, 800), left{CreditsTaken: 800}},
		"and refunded":                              {2000, 1200, 1935, 1135, 0, resolved(reconcile.ChargeAmountMismatch, reconcile.ResolvedWrittenOff, 800), left{}},
		"a purchase that was corrected upwards":     {2000, 2050, 0, 0, 50, nil, left{CreditsTaken: -50}},
		"and downwards":                             {2000, 1200, 0, 0, -800, nil, left{CreditsTaken: 800}},
		"downwards, and the difference refunded":    {2000, 2000, 0, 800, -800, nil, left{CreditsTaken: 800}},
		"downwards, and a part of it refunded":      {2000, 2000, 0, 500, -800, nil, left{CreditsTaken: 500}},
		"downwards, and more than it refunded":      {2000, 2000, 0, 900, -800, nil, left{CreditsTaken: 800, RefundClearing: 100}},
		"downwards, a refund on its way":            {2000, 2000, 1912, 0, -800, nil, left{RefundClearing: -1912}},
		"corrected by too much":                     {2000, 2050, 0, 0, 500, nil, left{CreditsTaken: -50}},
		"corrected the wrong way":                   {2000, 2050, 0, 0, -50, nil, left{PurchaseClearing: -50}},
		"corrected, and the payment is right":       {2000, 2000, 0, 0, 50, nil, left{}},
		"corrected, and the rest accepted":          {2000, 2150, 0, 0, 50, resolved(reconcile.ChargeAmountMismatch, reconcile.ResolvedAccepted, -100), left{CreditsTaken: -150}},
		"declined, its credits refunded":            {2000, 0, 2000, 0, 0, nil, left{}},
		"and set to failed":                         {2000, 0, 2000, 0, -2000, nil, left{}},
		"declined, set to failed":                   {2000, 0, 0, 0, -2000, nil, left{CreditsTaken: 2000}},
		"declined, refunded less fees, failed":      {2000, 0, 1912, 0, -2000, nil, left{CreditsTaken: 88}},
		"declined, and written off":                 {2000, 0, 0, 0, 0, resolved(reconcile.ChargeStatusMismatch, reconcile.ResolvedWrittenOff, 2000), left{CreditsTaken: 2000}},
		"a second charge, refunded":                 {2000, 4000, 0, 2000, 0, nil, left{}},
		"a second charge, paid back elsewhere":      {2000, 4000, 0, 0, 0, resolved(reconcile.DuplicateCharge, reconcile.ResolvedCorrected, -2000), left{PaidElsewhere: -2000}},
		"a charge of nothing, refunded":             {0, 4000, 0, 4000, 0, nil, left{}},
		"a charge of nothing, credits granted":      {0, 4000, 0, 0, 0, resolved(reconcile.ChargeMissingInPlatform, reconcile.ResolvedCorrected, -4000), left{CreditsTaken: -4000}},
		"set to failed though it was paid, later":   {2000, 2000, 0, 0, -2000, nil, left{}},
		"paid elsewhere":                            {2000, 0, 0, 0, 0, resolved(reconcile.PurchaseMissingAtStripe, reconcile.ResolvedAccepted, 2000), left{PaidElsewhere: 2000}},
		"paid elsewhere, and corrected so":          {2000, 0, 0, 0, 0, resolved(reconcile.PurchaseMissingAtStripe, reconcile.ResolvedCorrected, 2000), left{PaidElsewhere: 2000}},
		"never paid, and written off":               {2000, 0, 0, 0, 0, resolved(reconcile.PurchaseMissingAtStripe, reconcile.ResolvedWrittenOff, 2000), left{CreditsTaken: 2000}},
		"paid elsewhere, then at Stripe":            {2000, 2000, 0, 0, 0, resolved(reconcile.PurchaseMissingAtStripe, reconcile.ResolvedAccepted, 2000), left{}},
		"a refund failed, paid elsewhere":           {2000, 2000, 1912, 0, 0, resolved(reconcile.RefundFailed, reconcile.ResolvedAccepted, 1912), left{PaidElsewhere: -1912}},
		"a part failed, paid elsewhere":             {2000, 2000, 1912, 1000, 0, resolved(reconcile.RefundFailed, reconcile.ResolvedCorrected, 912), left{PaidElsewhere: -912}},
		"a refund failed, and is not to be paid":    {2000, 2000, 1912, 0, 0, resolved(reconcile.RefundFailed, reconcile.ResolvedWrittenOff, 1912), left{FeesWithheld: -1912}},
		"a refund failed, credits given back":       {2000, 2000, 0, 0, 0, resolved(reconcile.RefundFailed, reconcile.ResolvedAccepted, 1912), left{}},
		"a refund paid elsewhere":                   {2000, 2000, 1912, 0, 0, inCredits(reconcile.RefundMissingAtStripe, reconcile.ResolvedAccepted), left{PaidElsewhere: -1912}},
		"a refund that is not to be paid":           {2000, 2000, 1912, 0, 0, inCredits(reconcile.RefundMissingAtStripe, reconcile.ResolvedWrittenOff), left{FeesWithheld: -1912}},
		"refunded too much, accepted":               {2000, 2000, 1912, 1915, 0, resolved(reconcile.RefundAmountMismatch, reconcile.ResolvedAccepted, -3), left{FeesWithheld: 3}},
		"refunded too much, collected":              {2000, 2000, 1912, 1915, 0, resolved(reconcile.RefundAmountMismatch, reconcile.ResolvedCorrected, -3), left{PaidElsewhere: 3}},
		"refunded too little, accepted":             {2000, 2000, 1912, 1900, 0, resolved(reconcile.RefundAmountMismatch, reconcile.ResolvedAccepted, 12), left{FeesWithheld: -12}},
		"refunded too little, and it failed":        {2000, 2000, 1912, 0, 0, resolved(reconcile.RefundAmountMismatch, reconcile.ResolvedAccepted, 12), left{FeesWithheld: -12, RefundClearing: -1900}},
		"refunded too much, and it failed":          {2000, 2000, 1912, 0, 0, resolved(reconcile.RefundAmountMismatch, reconcile.ResolvedAccepted, -3), left{RefundClearing: -1912}},
		"refunded, and the credits left":            {2000, 2000, 0, 1912, 0, inCredits(reconcile.RefundMissingInLedger, reconcile.ResolvedAccepted), left{CreditsTaken: 1912}},
		"refunded against the policy, too little":   {2000, 2000, 1912, 1000, 0, resolved(reconcile.RefundAgainstPolicy, reconcile.ResolvedAccepted, -1000), left{FeesWithheld: -912}},
		"refunded too much, then disputed and lost": {2000, 2000, 1912, 1942, 0, resolved(reconcile.DisputedAndRefunded, reconcile.ResolvedAccepted, -1942), left{FeesWithheld: 30}},
		"refunded too much, the bank took a part":   {2000, 2000, 1912, 1942, 0, resolved(reconcile.DisputedAndRefunded, reconcile.ResolvedAccepted, -12), left{FeesWithheld: 30}},
		"its tax was more than went back":           {2000, 2000, 2200, 2000, 0, resolved(reconcile.SubscriptionRefunded, reconcile.ResolvedAccepted, -2000), left{FeesWithheld: -200}},
		"two breaks of one difference": {2000, 2000, 1912, 1000, 0, append(resolved(reconcile.RefundAmountMismatch, reconcile.ResolvedAccepted, 912), resolved(reconcile.RefundFailed, reconcile.ResolvedAccepted, 912)...),
			left{FeesWithheld: -912}},
		"a difference on either side": {2000, 2050, 1912, 1915, 0, append(resolved(reconcile.ChargeAmountMismatch, reconcile.ResolvedAccepted, -50), resolved(reconcile.RefundAmountMismatch, reconcile.ResolvedAccepted, -3)...),
			left{CreditsTaken: -47}},
	} {
		t.Run(name, func(t *testing.T) {
			b := PaymentBooks{SubjectID: "p", Currency: "usd", Sold: n(c.sold), Brought: n(c.brought), Payable: n(c.payable), Refunded: n(c.refunded), Changed: n(c.changed), Lost: n(0), Resolved: c.resolved}
			got := left{PurchaseClearing: c.sold - c.brought, RefundClearing: c.refunded - c.payable}
			for _, e := range PostPaymentClearing(journalNight, b, PaymentClearing{}) {
				if err := e.Check(); err != nil {
					t.Error(err)
				}
				for _, line := range e.Lines {
					got[line.Role] += line.Amount.Int64()
				}
			}
			maps.DeleteFunc(got, func(_ AccountRole, amount int64) bool { return amount == 0 })
			if !maps.Equal(got, c.left) {
				t.Errorf("left %v, want %v", got, c.left)
			}
			if again := PostPaymentClearing(journalNight, b, b.Clearing()); len(again) != 0 {
				t.Errorf("posted again: %v", again)
			}
		})
	}
}

// A purchase that is in another currency than it was booked in clears in either: what was booked leaves the one, and what was charged and refunded meets
// what it is in the other.
func TestAPurchaseClearsInTheCurrencyThatItIsIn(t *testing.T) {
	for name, c := range map[string]struct {
		sold, brought, payable, refunded int64
		restated                         [2]int64
		want                             map[AccountRole]int64
	}{
		"the currency that it was booked in":     {9600, 0, 0, 0, [2]int64{-9600, 0}, map[AccountRole]int64{PurchaseClearing: -9600, CurrencyConversion: 9600}},
		"the other, charged":                     {0, 9600, 0, 0, [2]int64{9600, 0}, map[AccountRole]int64{PurchaseClearing: 9600, CurrencyConversion: -9600}},
		"its credits taken, where it was booked": {9600, 0, 9512, 0, [2]int64{-9600, -9512}, map[AccountRole]int64{PurchaseClearing: -9600, RefundClearing: 9512, CurrencyConversion: 88}},
		"refunded, in the other":                 {0, 9600, 0, 9512, [2]int64{9600, 9512}, map[AccountRole]int64{PurchaseClearing: 9600, RefundClearing: -9512, CurrencyConversion: -88}},
		"payable, in the other":                  {0, 9600, 0, 0, [2]int64{9600, 9512}, map[AccountRole]int64{PurchaseClearing: 9600, RefundClearing: -9512, CurrencyConversion: -88}},
	} {
		t.Run(name, func(t *testing.T) {
			n := func(amount int64) *big.Int { return big.NewInt(amount) }
			b := PaymentBooks{Sold: n(c.sold), Brought: n(c.brought), Payable: n(c.payable), Refunded: n(c.refunded), Changed: n(0), Lost: n(0), Restated: &Restated{n(c.restated[0]), n(c.restated[1])}}
			got := map[AccountRole]int64{}
			for role, amount := range b.Clearing() {
				if amount.Sign() != 0 {
					got[role] = amount.Int64()
				}
			}
			if !maps.Equal(got, c.want) {
				t.Errorf("cleared %v, want %v", got, c.want)
			}
		})
	}
}

// What is withheld beyond what was as credits were taken is no longer payable, and is income; less is payable again.
func TestFeesKnownLaterAreWithheldOfWhatIsPayable(t *testing.T) {
	n := func(amount int64) *big.Int { return big.NewInt(amount) }
	for _, c := range []struct{ payable, rewithheld, refunded, left int64 }{{2000, 88, 1912, 0}, {1912, -88, 2000, 0}, {-1912, -1912, 0, 0}, {2000, 88, 0, -1912}} {
		b := PaymentBooks{Sold: n(2000), Brought: n(2000), Payable: n(c.payable), Rewithheld: n(c.rewithheld), Refunded: n(c.refunded), Changed: n(0), Lost: n(0)}
		got := b.Clearing()
		if left := c.refunded - c.payable + got[RefundClearing].Int64(); left != c.left || got[FeesWithheld].Int64() != -c.rewithheld {
			t.Errorf("%+v: left %d, cleared %v", c, left, got)
		}
	}
}

// Of a subscription nothing is payable but what was refunded, once something was: credits that were taken of it beyond that, with no refund for them, are
// kept. Which order they come in makes no difference, and a lost dispute pays first.
func TestOfASubscriptionOnlyItsRefundIsPayable(t *testing.T) {
	for name, c := range map[string]struct{ brought, payable, refunded, lost, kept, left int64 }{
		"a part refunded, the credits taken":      {2900, 2900, 500, 0, 2400, 0},
		"all of it":                               {2900, 2900, 2900, 0, 0, 0},
		"the credits still there":                 {2900, 0, 500, 0, 0, 500},
		"the credits taken, and nothing refunded": {2900, 2900, 0, 0, 0, -2900},
		"the rest lost to a dispute":              {2900, 2900, 500, 2400, 0, 0},
		"some of the rest lost to a dispute":      {2900, 2900, 500, 1000, 1400, 0},
		"refunded, though it was never paid":      {500, 2900, 500, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			n := func(amount int64) *big.Int { return big.NewInt(amount) }
			b := PaymentBooks{IsSubscription: true, Sold: n(2900), Brought: n(c.brought), Payable: n(c.payable), Refunded: n(c.refunded), Changed: n(0), Lost: n(c.lost)}
			got := b.Clearing()
			if left := new(big.Int).Add(got[RefundClearing], n(c.refunded-c.payable)); left.Cmp(n(c.left)) != 0 || got[FeesWithheld].Cmp(n(-c.kept)) != 0 {
				t.Errorf("left %v, cleared %v", left, got)
			}
			b.IsSubscription = false
			if kept := b.Clearing()[FeesWithheld]; kept.Sign() != 0 {
				t.Errorf("of a purchase of credits %v was kept", kept)
			}
		})
	}
}

// What a lost dispute took is no loss as far as it was payable to the customer anyway: the credits were taken, and the money has gone.
func TestALostDisputePaysWhatWasPayable(t *testing.T) {
	for name, c := range map[string]struct{ payable, refunded, lost, paid int64 }{
		"credits taken":                   {1912, 0, 2000, 1912},
		"a part lost":                     {1912, 0, 700, 700},
		"a part refunded":                 {1912, 500, 2000, 1412},
		"refunded in time":                {1912, 1912, 2000, 0},
		"the credits are there":           {0, 0, 2000, 0},
		"refunded, and the credits there": {0, 1912, 2000, 0},
		"open, or won":                    {1912, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			n := func(amount int64) *big.Int { return big.NewInt(amount) }
			b := PaymentBooks{Sold: n(2000), Brought: n(2000), Payable: n(c.payable), Refunded: n(c.refunded), Changed: n(0), Lost: n(c.lost)}
			got := b.Clearing()
			if got[RefundClearing].Cmp(n(c.paid)) != 0 || got[DisputeLosses].Cmp(n(-c.paid)) != 0 || got[PurchaseClearing].Sign() != 0 {
				t.Errorf("cleared %v", got)
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
		b := PaymentBooks{Sold: amount("sold"), Brought: amount("brought"), Payable: amount("payable"), Refunded: amount("refunded"), Changed: amount("changed"), Lost: amount("lost"), IsSubscription: rapid.Bool().Draw(t, "subscription")}
		for range rapid.IntRange(0, 3).Draw(t, "resolved") {
			b.Resolved = append(b.Resolved, ResolvedDifference{rapid.SampledFrom(PaymentBreaks()).Draw(t, "kind"),
				rapid.SampledFrom([]string{reconcile.ResolvedCorrected, reconcile.ResolvedAccepted, reconcile.ResolvedWrittenOff}).Draw(t, "resolution"), amount("variance")})
		}
		purchases, refunds := new(big.Int).Sub(b.Sold, b.Brought), new(big.Int).Sub(b.Refunded, b.Payable)
		c := b.Clearing()
		left, leftOfRefunds := new(big.Int).Add(purchases, c[PurchaseClearing]), new(big.Int).Add(refunds, c[RefundClearing])
		before, after := new(big.Int).Add(purchases, refunds), new(big.Int).Add(left, leftOfRefunds)
		for _, x := range []struct{ before, after *big.Int }{{before, after}, {after, left}, {after, leftOfRefunds}} {
			if x.after.CmpAbs(x.before) > 0 || x.after.Sign()*x.before.Sign() < 0 {
				t.Fatalf("%s became %s", x.before, x.after)
			}
		}
	})
}
