package jobs_test

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/hummingbytes/reconciler/reconcile"
)

// serviceLine is a line of an invoice: what it bills and for which days.
type serviceLine struct {
	// AmountMinor is without tax and before discounts; below 0: what a proration takes back.
	AmountMinor int64
	// From and To are the days of the service in the time zone of nights; To is the first day after it. A line that ends where it begins is
	// earned on From.
	From, To reconcile.Date
}

// givenBack is a refund of a charge that has not failed: the day it was made, and its amount, tax included.
type givenBack struct {
	On          reconcile.Date
	AmountMinor int64
}

// serviceCharge is what was charged for a service, or, below 0, credited: a subscription's payment, or an invoice that the customer's balance took.
type serviceCharge struct {
	AmountMinor int64 // tax included
	TaxMinor    int64 // of that, owed to the tax office; with the sign of AmountMinor
	// Lines in their order: by the begin of their period, then id. None: it is not known what days were paid for, and all of it stays deferred.
	Lines []serviceLine
	// GivenBack may be in any order. A charge below 0 has none.
	GivenBack []givenBack
}

// recognition is where the money of a service charge is as of the end of a day. The four add up to what was charged.
type recognition struct {
	Earned    *big.Int // revenue
	Deferred  *big.Int // owed as service
	Tax       *big.Int // owed to the tax office
	GivenBack *big.Int // tax included, at most what was charged
}

// On is where the money is at the end of a day. Each line is earned by the day over its period: after d of n days floor(amount*d/n) of it, so that
// the days sum exactly to the whole. What was charged is shared out to the lines by their amounts, as these are before discounts; that is
// cumulative too, and towards 0.
//
// What is given back takes its part of the tax along (tax*returned/charged), and reduces what is still deferred at the end of its day; what it leaves
// of that is earned as the whole would have been. Beyond it, it takes back revenue.
func (c serviceCharge) On(day reconcile.Date) recognition {
	net := big.NewInt(c.AmountMinor - c.TaxMinor)
	whole := func(on reconcile.Date) *big.Int { return new(big.Int).Sub(net, c.earned(on)) }
	// left is what is deferred when whole was due.
	left := func(on reconcile.Date) *big.Int { return whole(on) }
	var returned, tax int64
	backs := slices.Clone(c.GivenBack)
	slices.SortStableFunc(backs, func(a, b givenBack) int { return cmp.Or(a.On.Compare(b.On), cmp.Compare(a.AmountMinor, b.AmountMinor)) })
	for _, back := range backs {
		if back.On.After(day) {
			break
		}
		was, taxWas := returned, tax
		returned = was + min(back.AmountMinor, c.AmountMinor-was)
		tax = c.taxOf(returned)
		then, rest := whole(back.On), left(back.On)
		rest.Sub(rest, big.NewInt(returned-was-(tax-taxWas)))
		if rest.Sign() < 0 {
			rest.SetInt64(0)
		}
		left = func(on reconcile.Date) *big.Int { return partLeft(rest, whole(on), then) }
	}
	r := recognition{Deferred: left(day), Tax: big.NewInt(c.TaxMinor - tax), GivenBack: big.NewInt(returned)}
	r.Earned = big.NewInt(c.AmountMinor)
	for _, elsewhere := range []*big.Int{r.Deferred, r.Tax, r.GivenBack} {
		r.Earned.Sub(r.Earned, elsewhere)
	}
	return r
}

// partLeft is what of rest is still deferred, which was all when then was: rest*now/then, rounded up.
func partLeft(rest, now, then *big.Int) *big.Int {
	if now.Sign() <= 0 || then.Sign() <= 0 {
		return new(big.Int)
	}
	part := new(big.Int).Mul(rest, now)
	part.Add(part, then).Sub(part, big.NewInt(1))
	return part.Quo(part, then)
}

// taxOf is the tax in a part of what was charged.
func (c serviceCharge) taxOf(returned int64) int64 {
	if c.AmountMinor == 0 {
		return 0
	}
	return share(big.NewInt(c.TaxMinor), returned, c.AmountMinor).Int64()
}

// earned is what the days up to the end of day have earned, refunds aside.
func (c serviceCharge) earned(day reconcile.Date) *big.Int {
	shares := c.shares()
	sum := new(big.Int)
	for i, line := range c.Lines[:len(shares)] {
		days := max(1, line.To.DaysSince(line.From))
		sum.Add(sum, share(shares[i], int64(min(days, max(0, day.DaysSince(line.From)+1))), int64(days)))
	}
	return sum
}

// shares is what of the charge, without tax, each line has; none where the lines don't explain it.
func (c serviceCharge) shares() []*big.Int {
	net, total := big.NewInt(c.AmountMinor-c.TaxMinor), new(big.Int)
	for _, line := range c.Lines {
		total.Add(total, big.NewInt(line.AmountMinor))
	}
	isExact := total.Cmp(net) == 0
	if !isExact && (total.Sign() == 0 || total.Sign()*net.Sign() < 0) {
		return nil
	}
	shares := make([]*big.Int, len(c.Lines))
	through, given := new(big.Int), new(big.Int)
	for i, line := range c.Lines {
		shares[i] = big.NewInt(line.AmountMinor)
		if isExact {
			continue
		}
		through.Add(through, shares[i])
		soFar := new(big.Int).Mul(net, through)
		soFar.Quo(soFar, total)
		shares[i] = new(big.Int).Sub(soFar, given)
		given = soFar
	}
	return shares
}

// share is part/whole of an amount, rounded towards 0.
func share(amount *big.Int, part, whole int64) *big.Int {
	product := new(big.Int).Mul(amount, big.NewInt(part))
	return product.Quo(product, big.NewInt(whole))
}

func day(t testing.TB, text string) reconcile.Date {
	t.Helper()
	d, err := reconcile.ParseDate(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// where is a recognition in words, to compare.
func where(r recognition) string {
	return fmt.Sprintf("earned %s deferred %s tax %s back %s", r.Earned, r.Deferred, r.Tax, r.GivenBack)
}

// Stripe's own numbers for recognition by the day, in cents, wherever the policy has the case; what each month ends with.
func TestStripesExamplesOfRecognitionByTheDay(t *testing.T) {
	on := func(text string) reconcile.Date { return day(t, text) }
	line := func(amount int64, from, to string) serviceLine { return serviceLine{amount, on(from), on(to)} }
	type at struct{ day, want string }
	for _, c := range []struct {
		name, source string
		charge       serviceCharge
		at           []at
	}{
		{"monthly subscription", "https://docs.stripe.com/revenue-recognition/examples/subscriptions", serviceCharge{
			AmountMinor: 3100, Lines: []serviceLine{line(3100, "2019-01-15", "2019-02-15")},
		}, []at{{"2019-01-31", "earned 1700 deferred 1400 tax 0 back 0"}, {"2019-02-14", "earned 3100 deferred 0 tax 0 back 0"}}},
		{"annual subscription", "https://docs.stripe.com/revenue-recognition/examples/subscriptions", serviceCharge{
			AmountMinor: 36500, Lines: []serviceLine{line(36500, "2019-01-01", "2020-01-01")},
		}, []at{
			{"2019-01-31", "earned 3100 deferred 33400 tax 0 back 0"}, {"2019-02-28", "earned 5900 deferred 30600 tax 0 back 0"},
			{"2019-03-31", "earned 9000 deferred 27500 tax 0 back 0"}, {"2019-12-31", "earned 36500 deferred 0 tax 0 back 0"},
		}},
		// From noon to noon: the first day counts whole, the last not.
		{"amortization by day", "https://docs.stripe.com/revenue-recognition/revenue-settings/examples", serviceCharge{
			AmountMinor: 12000, Lines: []serviceLine{line(12000, "2024-06-15", "2024-10-13")},
		}, []at{
			{"2024-06-30", "earned 1600 deferred 10400 tax 0 back 0"}, {"2024-07-31", "earned 4700 deferred 7300 tax 0 back 0"},
			{"2024-08-31", "earned 7800 deferred 4200 tax 0 back 0"}, {"2024-09-30", "earned 10800 deferred 1200 tax 0 back 0"},
			{"2024-10-31", "earned 12000 deferred 0 tax 0 back 0"},
		}},
		// 11 USD of it the customer's balance paid: PostPurchase has the other side.
		{"customer credit balance", "https://docs.stripe.com/revenue-recognition/examples/contra", serviceCharge{
			AmountMinor: 3100, Lines: []serviceLine{line(3100, "2026-01-15", "2026-02-15")},
		}, []at{{"2026-01-31", "earned 1700 deferred 1400 tax 0 back 0"}, {"2026-02-28", "earned 3100 deferred 0 tax 0 back 0"}}},
		{"an invoice below 0 credits the customer's balance", "https://docs.stripe.com/revenue-recognition/examples/contra", serviceCharge{
			AmountMinor: -3100, Lines: []serviceLine{line(-3100, "2019-01-15", "2019-02-15")},
		}, []at{{"2019-01-31", "earned -1700 deferred -1400 tax 0 back 0"}, {"2019-02-28", "earned -3100 deferred 0 tax 0 back 0"}}},
		// 120 USD less a note of 30 that came before the payment: 90 are charged for lines of 120.
		{"credit note before a payment", "https://docs.stripe.com/revenue-recognition/examples/credit-notes", serviceCharge{
			AmountMinor: 9000, Lines: []serviceLine{line(12000, "2026-01-01", "2026-04-01")},
		}, []at{
			{"2026-01-31", "earned 3100 deferred 5900 tax 0 back 0"}, {"2026-02-28", "earned 5900 deferred 3100 tax 0 back 0"},
			{"2026-03-31", "earned 9000 deferred 0 tax 0 back 0"},
		}},
		// A credit note of 45 USD on 90 that were paid. Stripe takes it from what is earned and what is deferred alike, the policy from what is deferred
		// first: before it and in the end both come to the same.
		{"credit note after a payment", "https://docs.stripe.com/revenue-recognition/examples/credit-notes", serviceCharge{
			AmountMinor: 9000, Lines: []serviceLine{line(9000, "2026-01-01", "2026-04-01")}, GivenBack: []givenBack{{on("2026-02-01"), 4500}},
		}, []at{{"2026-01-31", "earned 3100 deferred 5900 tax 0 back 0"}, {"2026-03-31", "earned 4500 deferred 0 tax 0 back 4500"}}},
		{"tax exempt", "https://docs.stripe.com/revenue-recognition/examples/tax", serviceCharge{
			AmountMinor: 2790, Lines: []serviceLine{line(2790, "2026-01-01", "2026-02-01")},
		}, []at{{"2026-01-31", "earned 2790 deferred 0 tax 0 back 0"}}},
		{"tax-inclusive rate", "https://docs.stripe.com/revenue-recognition/examples/tax", serviceCharge{
			AmountMinor: 3410, TaxMinor: 310, Lines: []serviceLine{line(3100, "2026-01-01", "2026-02-01")},
		}, []at{{"2026-01-31", "earned 3100 deferred 0 tax 310 back 0"}}},
		// What is left deferred is cleared, and what was earned taken back.
		{"a refund after a month of one", "https://docs.stripe.com/revenue-recognition/methodology/refunds-and-disputes", serviceCharge{
			AmountMinor: 9000, Lines: []serviceLine{line(9000, "2026-01-01", "2026-01-01")}, GivenBack: []givenBack{{on("2026-02-01"), 9000}},
		}, []at{{"2026-01-31", "earned 9000 deferred 0 tax 0 back 0"}, {"2026-02-28", "earned 0 deferred 0 tax 0 back 9000"}}},
		{"refund of a part, exclusive tax", "https://docs.stripe.com/tax/invoicing/refunds", serviceCharge{
			AmountMinor: 12500, TaxMinor: 2500, GivenBack: []givenBack{{on("2026-02-01"), 2500}},
		}, []at{{"2026-02-01", "earned 0 deferred 8000 tax 2000 back 2500"}}},
		{"refund of a part, inclusive tax", "https://docs.stripe.com/tax/invoicing/refunds", serviceCharge{
			AmountMinor: 10000, TaxMinor: 2000, GivenBack: []givenBack{{on("2026-02-01"), 2000}},
		}, []at{{"2026-02-01", "earned 0 deferred 6400 tax 1600 back 2000"}}},
	} {
		for _, a := range c.at {
			if got := where(c.charge.On(day(t, a.day))); got != a.want {
				t.Errorf("%s (%s) on %s: %s, not %s", c.name, c.source, a.day, got, a.want)
			}
		}
	}
}

func TestServiceIsEarnedByTheDay(t *testing.T) {
	on := func(text string) reconcile.Date { return day(t, text) }
	month := []serviceLine{{1000, on("2026-03-01"), on("2026-03-31")}}
	for name, c := range map[string]struct {
		charge serviceCharge
		day    string
		want   string
	}{
		"before it begins":              {serviceCharge{AmountMinor: 1000, Lines: month}, "2026-02-28", "earned 0 deferred 1000 tax 0 back 0"},
		"the first day":                 {serviceCharge{AmountMinor: 1000, Lines: month}, "2026-03-01", "earned 33 deferred 967 tax 0 back 0"},
		"the second":                    {serviceCharge{AmountMinor: 1000, Lines: month}, "2026-03-02", "earned 66 deferred 934 tax 0 back 0"},
		"the last but one":              {serviceCharge{AmountMinor: 1000, Lines: month}, "2026-03-29", "earned 966 deferred 34 tax 0 back 0"},
		"the last":                      {serviceCharge{AmountMinor: 1000, Lines: month}, "2026-03-30", "earned 1000 deferred 0 tax 0 back 0"},
		"long after":                    {serviceCharge{AmountMinor: 1000, Lines: month}, "2027-01-01", "earned 1000 deferred 0 tax 0 back 0"},
		"no line is known":              {serviceCharge{AmountMinor: 1000, TaxMinor: 100}, "2027-01-01", "earned 0 deferred 900 tax 100 back 0"},
		"lines that explain nothing":    {serviceCharge{AmountMinor: 1000, Lines: []serviceLine{{-5, on("2026-03-01"), on("2026-03-02")}}}, "2027-01-01", "earned 0 deferred 1000 tax 0 back 0"},
		"an instant is earned that day": {serviceCharge{AmountMinor: 7, Lines: []serviceLine{{7, on("2026-03-01"), on("2026-03-01")}}}, "2026-03-01", "earned 7 deferred 0 tax 0 back 0"},
		// An upgrade on the 16th of 30 days: half of 1000 comes back, half of 3000 is billed.
		"a proration reduces what is deferred": {serviceCharge{AmountMinor: 1000, Lines: []serviceLine{
			{-500, on("2026-03-16"), on("2026-03-31")}, {1500, on("2026-03-16"), on("2026-03-31")},
		}}, "2026-03-18", "earned 200 deferred 800 tax 0 back 0"},
		"a discount is shared out":                                         {serviceCharge{AmountMinor: 100, Lines: []serviceLine{{100, on("2026-03-01"), on("2026-03-01")}, {200, on("2026-04-01"), on("2026-04-01")}}}, "2026-03-31", "earned 33 deferred 67 tax 0 back 0"},
		"a refund in full on the first day":                                {serviceCharge{AmountMinor: 1000, Lines: month, GivenBack: []givenBack{{on("2026-03-01"), 1000}}}, "2026-03-01", "earned 0 deferred 0 tax 0 back 1000"},
		"after half the days":                                              {serviceCharge{AmountMinor: 1000, Lines: month, GivenBack: []givenBack{{on("2026-03-15"), 1000}}}, "2026-03-20", "earned 0 deferred 0 tax 0 back 1000"},
		"not yet":                                                          {serviceCharge{AmountMinor: 1000, Lines: month, GivenBack: []givenBack{{on("2026-03-15"), 1000}}}, "2026-03-14", "earned 466 deferred 534 tax 0 back 0"},
		"a part comes out of what is deferred":                             {serviceCharge{AmountMinor: 1000, Lines: month, GivenBack: []givenBack{{on("2026-03-15"), 250}}}, "2026-03-15", "earned 500 deferred 250 tax 0 back 250"},
		"and is spread over the days left":                                 {serviceCharge{AmountMinor: 1000, Lines: month, GivenBack: []givenBack{{on("2026-03-15"), 250}}}, "2026-03-21", "earned 600 deferred 150 tax 0 back 250"},
		"twice":                                                            {serviceCharge{AmountMinor: 1000, Lines: month, GivenBack: []givenBack{{on("2026-03-21"), 100}, {on("2026-03-15"), 250}}}, "2026-03-21", "earned 600 deferred 50 tax 0 back 350"},
		"twice, more than what is deferred":                                {serviceCharge{AmountMinor: 1000, Lines: month, GivenBack: []givenBack{{on("2026-03-15"), 250}, {on("2026-03-21"), 200}}}, "2026-03-21", "earned 550 deferred 0 tax 0 back 450"},
		"more than was charged gives back no more":                         {serviceCharge{AmountMinor: 1000, TaxMinor: 100, Lines: month, GivenBack: []givenBack{{on("2026-03-15"), 2000}}}, "2026-03-15", "earned 0 deferred 0 tax 0 back 1000"},
		"a refund takes tax back in proportion":                            {serviceCharge{AmountMinor: 1100, TaxMinor: 100, Lines: month, GivenBack: []givenBack{{on("2026-03-15"), 550}}}, "2026-03-15", "earned 500 deferred 0 tax 50 back 550"},
		"which is rounded over all of them together":                       {serviceCharge{AmountMinor: 3, TaxMinor: 1, GivenBack: []givenBack{{on("2026-03-01"), 2}}}, "2026-03-01", "earned 0 deferred 0 tax 1 back 2"},
		"so that the last one takes what is left":                          {serviceCharge{AmountMinor: 3, TaxMinor: 1, GivenBack: []givenBack{{on("2026-03-01"), 2}, {on("2026-03-02"), 1}}}, "2026-03-02", "earned 0 deferred 0 tax 0 back 3"},
		"tax of several refunds leaves what is deferred as their parts do": {serviceCharge{AmountMinor: 1200, TaxMinor: 200, Lines: month, GivenBack: []givenBack{{on("2026-02-27"), 600}, {on("2026-02-28"), 300}}}, "2026-02-28", "earned 0 deferred 250 tax 50 back 900"},
		"the largest amounts that there are":                               {serviceCharge{AmountMinor: 1<<63 - 1, Lines: []serviceLine{{1<<63 - 1, on("2026-03-01"), on("2027-03-01")}}}, "2027-02-28", "earned 9223372036854775807 deferred 0 tax 0 back 0"},
		"lines of the largest amounts share the rest":                      {serviceCharge{AmountMinor: 10, Lines: []serviceLine{{1<<63 - 1, on("2026-03-01"), on("2026-03-01")}, {1<<63 - 1, on("2026-04-01"), on("2026-04-01")}}}, "2026-03-01", "earned 5 deferred 5 tax 0 back 0"},
	} {
		if got := where(c.charge.On(day(t, c.day))); got != c.want {
			t.Errorf("%s: %s, not %s", name, got, c.want)
		}
	}
}

// Whatever happens to a charge: its parts add up to it every day, days without a refund only earn, and in the end nothing is deferred.
func TestARecognitionAddsUpEveryDay(t *testing.T) {
	first := reconcile.Date{Year: 2026, Month: 2, Day: 20}
	rapid.Check(t, func(t *rapid.T) {
		date := rapid.Custom(func(t *rapid.T) reconcile.Date { return first.AddDays(rapid.IntRange(0, 70).Draw(t, "day")) })
		c := serviceCharge{AmountMinor: rapid.Int64Range(0, 5000).Draw(t, "amount")}
		c.TaxMinor = rapid.Int64Range(0, c.AmountMinor).Draw(t, "tax")
		for range rapid.IntRange(1, 3).Draw(t, "lines") {
			from := date.Draw(t, "from")
			c.Lines = append(c.Lines, serviceLine{rapid.Int64Range(1, 3000).Draw(t, "line"), from, from.AddDays(rapid.IntRange(0, 40).Draw(t, "days"))})
		}
		for range rapid.IntRange(0, 3).Draw(t, "refunds") {
			c.GivenBack = append(c.GivenBack, givenBack{date.Draw(t, "on"), rapid.Int64Range(1, 6000).Draw(t, "refund")})
		}
		before := c.On(first.AddDays(-1))
		for i := range 120 {
			d := first.AddDays(i)
			r := c.On(d)
			if sum := r.Earned.Int64() + r.Deferred.Int64() + r.Tax.Int64() + r.GivenBack.Int64(); sum != c.AmountMinor {
				t.Fatalf("%s: %s is %d, not %d", d, where(r), sum, c.AmountMinor)
			}
			if r.Deferred.Sign() < 0 || r.Tax.Sign() < 0 || r.GivenBack.Cmp(before.GivenBack) < 0 {
				t.Fatalf("%s: %s", d, where(r))
			}
			isQuiet := !slices.ContainsFunc(c.GivenBack, func(b givenBack) bool { return b.On == d })
			if isQuiet && (r.Earned.Cmp(before.Earned) < 0 || r.Tax.Cmp(before.Tax) != 0 || r.GivenBack.Cmp(before.GivenBack) != 0) {
				t.Fatalf("%s: %s, after %s", d, where(r), where(before))
			}
			before = r
		}
		if before.Deferred.Sign() != 0 {
			t.Fatalf("in the end %s", where(before))
		}
	})
}
