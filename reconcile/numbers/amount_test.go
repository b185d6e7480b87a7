package numbers_test

import (
	"testing"

	"github.com/hummingbytes/reconciler/reconcile/numbers"
)

func TestAmountsForPeople(t *testing.T) {
	for _, test := range []struct{ text, unit, want string }{
		{"-1200", "eur", "-12.00 EUR"}, {"5", "jpy", "5 JPY"}, {"5", "kwd", "0.005 KWD"}, {"7", "ugx", "7 UGX (minor units)"},
		{"99999999999999999999", "usd", "999,999,999,999,999,999.99 USD"}, {"succeeded", "usd", "succeeded"}, {"", "usd", ""}, {"350", "credits", "350"},
		{"-2270150", "seconds", "-26 days 6 hours"}, {"2026-03-01T00:00:00Z", "seconds", "2026-03-01T00:00:00Z"},
	} {
		if got := numbers.AmountOrText(test.text, test.unit); got != test.want {
			t.Errorf("%s %s: %q, want %q", test.text, test.unit, got, test.want)
		}
	}
	for _, test := range []struct{ number, unit, want string }{{"350", "credits", "350 credits"}, {"-3", "business_days", "-3 business days"}, {"3", "", "3"}, {"", "usd", ""}, {"-1200", "eur", "-12.00 EUR"}} {
		if got := numbers.Number(test.number).Text(test.unit); got != test.want {
			t.Errorf("%s %s: %q, want %q", test.number, test.unit, got, test.want)
		}
	}
}

// Whoever reads a break about access wants days, and no seconds.
func TestSecondsAreReadAsALengthOfTime(t *testing.T) {
	for seconds, want := range map[numbers.Number]string{
		"0": "0 seconds", "1": "1 second", "59": "59 seconds", "60": "1 minute", "61": "1 minute 1 second", "3600": "1 hour", "3661": "1 hour 1 minute", "-7260": "-2 hours 1 minute",
		"86399": "23 hours 59 minutes", "86400": "1 day", "90000": "1 day 1 hour", "86460": "1 day", "2270150": "26 days 6 hours", "-99999999999999999999": "-99999999999999999999 seconds",
	} {
		if got := numbers.Duration(seconds); got != want {
			t.Errorf("%s: %q, want %q", seconds, got, want)
		}
	}
	if got := numbers.WithUnit("-90000", "seconds"); got != "−1 day 1 hour" {
		t.Errorf("on a page: %q", got)
	}
	if got := numbers.WithUnit("", "seconds"); got != "–" {
		t.Errorf("no number on a page: %q", got)
	}
}

func TestADifferenceOfStatusesIsNoNumber(t *testing.T) {
	for _, c := range []struct {
		number     numbers.Number
		unit, want string
	}{{"0", "", ""}, {"", "", ""}, {"0", "usd", "0.00 USD"}, {"3", "", "3"}, {"-5", "credits", "-5 credits"}} {
		if got := c.number.Difference(c.unit); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.number, c.unit, got, c.want)
		}
	}
}

// A detail has minor units, as files do: 31.00 usd and 3.100 kwd would both read as 3100.
func TestDetailsAreReadInDecimals(t *testing.T) {
	for _, c := range []struct{ detail, unit, want string }{
		{"charge ch_1 of 3100 usd for a purchase of 3100 kwd", "kwd", "charge ch_1 of 31.00 USD for a purchase of 3.100 KWD"},
		{"won since 2026-03-04; withdrawn 150000 jpy, returned -1 jpy", "", "won since 2026-03-04; withdrawn 150,000 JPY, returned -1 JPY"},
		{"30 of 12000 credits used (2.3)", "usd", "30 of 12,000 credits used (2.3)"},
		{"no row of the failure table matches exit 137 try again", "credits", "no row of the failure table matches exit 137 try again"},
		{"withdrawn 12 xyz", "usd", "withdrawn 12 xyz"},
	} {
		if got := numbers.InDetail(c.detail, c.unit); got != c.want {
			t.Errorf("%q in %q: %q, want %q", c.detail, c.unit, got, c.want)
		}
	}
}
