package accounting

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/hummingbytes/reconciler/reconcile"
)

func day(t testing.TB, text string) reconcile.Date {
	t.Helper()
	d, err := reconcile.ParseDate(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// where is a recognition in words, to compare.
func where(r Recognition) string {
	return fmt.Sprintf("earned %s deferred %s tax %s back %s", r.Earned, r.Deferred, r.Tax, r.GivenBack)
}

// Stripe's own numbers for recognition by the day, in cents, wherever the policy has the case; what each month ends with.
func TestStripesExamplesOfRecognitionByTheDay(t *testing.T) {
	on := func(text string) reconcile.Date { return day(t, text) }
	line := func(amount int64, from, to string) ServiceLine { return ServiceLine{amount, on(from), on(to)} }
	type at struct{ day, want string }
	for _, c := range []struct {
		name, source string
		charge       ServiceCharge
		at           []at
	}{
		{"monthly subscription", "https://docs.stripe.com/revenue-recognition/examples/subscriptions", ServiceCharge{
			AmountMinor: 3100, Lines: []ServiceLine{line(3100, "2019-01-15", "2019-02-15")},
		}, []at{{"2019-01-31", "earned 1700 deferred 1400 tax 0 back 0"}, {"2019-02-14", "earned 3100 deferred 0 tax 0 back 0"}}},
		{"annual subscription", "https://docs.stripe.com/revenue-recognition/examples/subscriptions", ServiceCharge{
			AmountMinor: 36500, Lines: []ServiceLine{line(36500, "2019-01-01", "2020-01-01")},
		}, []at{
			{"2019-01-31", "earned 3100 deferred 33400 tax 0 back 0"}, {"2019-02-28", "earned 5900 deferred 30600 tax 0 back 0"},
			{"2019-03-31", "earned 9000 deferred 27500 tax 0 back 0"}, {"2019-12-31", "earned 36500 deferred 0 tax 0 back 0"},
		}},
		// From noon to noon: the first day counts whole, the last not.
		{"amortization by day", "https://docs.stripe.com/revenue-recognition/revenue-settings/examples", ServiceCharge{
			AmountMinor: 12000, Lines: []ServiceLine{line(12000, "2024-06-15", "2024-10-13")},
		}, []at{
			{"2024-06-30", "earned 1600 deferred 10400 tax 0 back 0"}, {"2024-07-31", "earned 4700 deferred 7300 tax 0 back 0"},
			{"2024-08-31", "earned 7800 deferred 4200 tax 0 back 0"}, {"2024-09-30", "earned 10800 deferred 1200 tax 0 back 0"},
			{"2024-10-31", "earned 12000 deferred 0 tax 0 back 0"},
		}},
		// 11 USD of it the customer's balance paid: PostPurchase has the other side.
		{"customer credit balance", "https://docs.stripe.com/revenue-recognition/examples/contra", ServiceCharge{
			AmountMinor: 3100, Lines: []ServiceLine{line(3100, "2026-01-15", "2026-02-15")},
		}, []at{{"2026-01-31", "earned 1700 deferred 1400 tax 0 back 0"}, {"2026-02-28", "earned 3100 deferred 0 tax 0 back 0"}}},
		{"an invoice below 0 credits the customer's balance", "https://docs.stripe.com/revenue-recognition/examples/contra", ServiceCharge{
			AmountMinor: -3100, Lines: []ServiceLine{line(-3100, "2019-01-15", "2019-02-15")},
		}, []at{{"2019-01-31", "earned -1700 deferred -1400 tax 0 back 0"}, {"2019-02-28", "earned -3100 deferred 0 tax 0 back 0"}}},
		// 120 USD less a note of 30 that came before the payment: 90 are charged for lines of 120.
		{"credit note before a payment", "https://docs.stripe.com/revenue-recognition/examples/credit-notes", ServiceCharge{
			AmountMinor: 9000, Lines: []ServiceLine{line(12000, "2026-01-01", "2026-04-01")},
		}, []at{
			{"2026-01-31", "earned 3100 deferred 5900 tax 0 back 0"}, {"2026-02-28", "earned 5900 deferred 3100 tax 0 back 0"},
			{"2026-03-31", "earned 9000 deferred 0 tax 0 back 0"},
		}},
		// A credit note of 45 USD on 90 that were paid. Stripe takes it from what is earned and what is deferred alike, the policy from what is deferred
		// first: before it and in the end both come to the same.
		{"credit note after a payment", "https://docs.stripe.com/revenue-recognition/examples/credit-notes", ServiceCharge{
			AmountMinor: 9000, Lines: []ServiceLine{line(9000, "2026-01-01", "2026-04-01")}, GivenBack: []GivenBack{{on("2026-02-01"), 4500}},
		}, []at{{"2026-01-31", "earned 3100 deferred 5900 tax 0 back 0"}, {"2026-03-31", "earned 4500 deferred 0 tax 0 back 4500"}}},
		{"tax exempt", "https://docs.stripe.com/revenue-recognition/examples/tax", ServiceCharge{
			AmountMinor: 2790, Lines: []ServiceLine{line(2790, "2026-01-01", "2026-02-01")},
		}, []at{{"2026-01-31", "earned 2790 deferred 0 tax 0 back 0"}}},
		{"tax-inclusive rate", "https://docs.stripe.com/revenue-recognition/examples/tax", ServiceCharge{
			AmountMinor: 3410, TaxMinor: 310, Lines: []ServiceLine{line(3100, "2026-01-01", "2026-02-01")},
		}, []at{{"2026-01-31", "earned 3100 deferred 0 tax 310 back 0"}}},
		// What is left deferred is cleared, and what was earned taken back.
		{"a refund after a month of one", "https://docs.stripe.com/revenue-recognition/methodology/refunds-and-disputes", ServiceCharge{
			AmountMinor: 9000, Lines: []ServiceLine{line(9000, "2026-01-01", "2026-01-01")}, GivenBack: []GivenBack{{on("2026-02-01"), 9000}},
		}, []at{{"2026-01-31", "earned 9000 deferred 0 tax 0 back 0"}, {"2026-02-28", "earned 0 deferred 0 tax 0 back 9000"}}},
		{"refund of a part, exclusive tax", "https://docs.stripe.com/tax/invoicing/refunds", ServiceCharge{
			AmountMinor: 12500, TaxMinor: 2500, GivenBack: []GivenBack{{on("2026-02-01"), 2500}},
		}, []at{{"2026-02-01", "earned 0 deferred 8000 tax 2000 back 2500"}}},
		{"refund of a part, inclusive tax", "https://docs.stripe.com/tax/invoicing/refunds", ServiceCharge{
			AmountMinor: 10000, TaxMinor: 2000, GivenBack: []GivenBack{{on("2026-02-01"), 2000}},
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
	month := []ServiceLine{{1000, on("2026-03-01"), on("2026-03-31")}}
	for name, c := range map[string]struct {
		charge ServiceCharge
		day    string
		want   string
	}{
		"before it begins":              {ServiceCharge{AmountMinor: 1000, Lines: month}, "2026-02-28", "earned 0 deferred 1000 tax 0 back 0"},
		"the first day":                 {ServiceCharge{AmountMinor: 1000, Lines: month}, "2026-03-01", "earned 33 deferred 967 tax 0 back 0"},
		"the second":                    {ServiceCharge{AmountMinor: 1000, Lines: month}, "2026-03-02", "earned 66 deferred 934 tax 0 back 0"},
		"the last but one":              {ServiceCharge{AmountMinor: 1000, Lines: month}, "2026-03-29", "earned 966 deferred 34 tax 0 back 0"},
		"the last":                      {ServiceCharge{AmountMinor: 1000, Lines: month}, "2026-03-30", "earned 1000 deferred 0 tax 0 back 0"},
		"long after":                    {ServiceCharge{AmountMinor: 1000, Lines: month}, "2027-01-01", "earned 1000 deferred 0 tax 0 back 0"},
		"no line is known":              {ServiceCharge{AmountMinor: 1000, TaxMinor: 100}, "2027-01-01", "earned 0 deferred 900 tax 100 back 0"},
		"lines that explain nothing":    {ServiceCharge{AmountMinor: 1000, Lines: []ServiceLine{{-5, on("2026-03-01"), on("2026-03-02")}}}, "2027-01-01", "earned 0 deferred 1000 tax 0 back 0"},
		"an instant is earned that day": {ServiceCharge{AmountMinor: 7, Lines: []ServiceLine{{7, on("2026-03-01"), on("2026-03-01")}}}, "2026-03-01", "earned 7 deferred 0 tax 0 back 0"},
		// An upgrade on the 16th of 30 days: half of 1000 comes back, half of 3000 is billed.
		"a proration reduces what is deferred": {ServiceCharge{AmountMinor: 1000, Lines: []ServiceLine{
			{-500, on("2026-03-16"), on("2026-03-31")}, {1500, on("2026-03-16"), on("2026-03-31")},
		}}, "2026-03-18", "earned 200 deferred 800 tax 0 back 0"},
		"a discount is shared out":                                         {ServiceCharge{AmountMinor: 100, Lines: []ServiceLine{{100, on("2026-03-01"), on("2026-03-01")}, {200, on("2026-04-01"), on("2026-04-01")}}}, "2026-03-31", "earned 33 deferred 67 tax 0 back 0"},
		"a refund in full on the first day":                                {ServiceCharge{AmountMinor: 1000, Lines: month, GivenBack: []GivenBack{{on("2026-03-01"), 1000}}}, "2026-03-01", "earned 0 deferred 0 tax 0 back 1000"},
		"after half the days":                                              {ServiceCharge{AmountMinor: 1000, Lines: month, GivenBack: []GivenBack{{on("2026-03-15"), 1000}}}, "2026-03-20", "earned 0 deferred 0 tax 0 back 1000"},
		"not yet":                                                          {ServiceCharge{AmountMinor: 1000, Lines: month, GivenBack: []GivenBack{{on("2026-03-15"), 1000}}}, "2026-03-14", "earned 466 deferred 534 tax 0 back 0"},
		"a part comes out of what is deferred":                             {ServiceCharge{AmountMinor: 1000, Lines: month, GivenBack: []GivenBack{{on("2026-03-15"), 250}}}, "2026-03-15", "earned 500 deferred 250 tax 0 back 250"},
		"and is spread over the days left":                                 {ServiceCharge{AmountMinor: 1000, Lines: month, GivenBack: []GivenBack{{on("2026-03-15"), 250}}}, "2026-03-21", "earned 600 deferred 150 tax 0 back 250"},
		"twice":                                                            {ServiceCharge{AmountMinor: 1000, Lines: month, GivenBack: []GivenBack{{on("2026-03-21"), 100}, {on("2026-03-15"), 250}}}, "2026-03-21", "earned 600 deferred 50 tax 0 back 350"},
		"twice, more than what is deferred":                                {ServiceCharge{AmountMinor: 1000, Lines: month, GivenBack: []GivenBack{{on("2026-03-15"), 250}, {on("2026-03-21"), 200}}}, "2026-03-21", "earned 550 deferred 0 tax 0 back 450"},
		"more than was charged gives back no more":                         {ServiceCharge{AmountMinor: 1000, TaxMinor: 100, Lines: month, GivenBack: []GivenBack{{on("2026-03-15"), 2000}}}, "2026-03-15", "earned 0 deferred 0 tax 0 back 1000"},
		"a refund takes tax back in proportion":                            {ServiceCharge{AmountMinor: 1100, TaxMinor: 100, Lines: month, GivenBack: []GivenBack{{on("2026-03-15"), 550}}}, "2026-03-15", "earned 500 deferred 0 tax 50 back 550"},
		"which is rounded over all of them together":                       {ServiceCharge{AmountMinor: 3, TaxMinor: 1, GivenBack: []GivenBack{{on("2026-03-01"), 2}}}, "2026-03-01", "earned 0 deferred 0 tax 1 back 2"},
		"so that the last one takes what is left":                          {ServiceCharge{AmountMinor: 3, TaxMinor: 1, GivenBack: []GivenBack{{on("2026-03-01"), 2}, {on("2026-03-02"), 1}}}, "2026-03-02", "earned 0 deferred 0 tax 0 back 3"},
		"tax of several refunds leaves what is deferred as their parts do": {ServiceCharge{AmountMinor: 1200, TaxMinor: 200, Lines: month, GivenBack: []GivenBack{{on("2026-02-27"), 600}, {on("2026-02-28"), 300}}}, "2026-02-28", "earned 0 deferred 250 tax 50 back 900"},
		"the largest amounts that there are":                               {ServiceCharge{AmountMinor: 1<<63 - 1, Lines: []ServiceLine{{1<<63 - 1, on("2026-03-01"), on("2027-03-01")}}}, "2027-02-28", "earned 9223372036854775807 deferred 0 tax 0 back 0"},
		"lines of the largest amounts share the rest":                      {ServiceCharge{AmountMinor: 10, Lines: []ServiceLine{{1<<63 - 1, on("2026-03-01"), on("2026-03-01")}, {1<<63 - 1, on("2026-04-01"), on("2026-04-01")}}}, "2026-03-01", "earned 5 deferred 5 tax 0 back 0"},
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
		c := ServiceCharge{AmountMinor: rapid.Int64Range(0, 5000).Draw(t, "amount")}
		c.TaxMinor = rapid.Int64Range(0, c.AmountMinor).Draw(t, "tax")
		for range rapid.IntRange(1, 3).Draw(t, "lines") {
			from := date.Draw(t, "from")
			c.Lines = append(c.Lines, ServiceLine{rapid.Int64Range(1, 3000).Draw(t, "line"), from, from.AddDays(rapid.IntRange(0, 40).Draw(t, "days"))})
		}
		for range rapid.IntRange(0, 3).Draw(t, "refunds") {
			c.GivenBack = append(c.GivenBack, GivenBack{date.Draw(t, "on"), rapid.Int64Range(1, 6000).Draw(t, "refund")})
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
			isQuiet := !slices.ContainsFunc(c.GivenBack, func(b GivenBack) bool { return b.On == d })
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
