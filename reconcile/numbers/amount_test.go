package numbers_test

import (
	"testing"

	"github.com/hummingbytes/reconciler/reconcile/numbers"
)

func TestAmountsForPeople(t *testing.T) {
	for _, test := range []struct{ text, unit, want string }{
		{"-1200", "eur", "-12.00 EUR"}, {"5", "jpy", "5 JPY"}, {"5", "kwd", "0.005 KWD"}, {"7", "ugx", "7 UGX (minor units)"},
		{"99999999999999999999", "usd", "999999999999999999.99 USD"}, {"succeeded", "usd", "succeeded"}, {"", "usd", ""}, {"350", "credits", "350"},
	} {
		if got := numbers.AmountOrText(test.text, test.unit); got != test.want {
			t.Errorf("%s %s: %q, want %q", test.text, test.unit, got, test.want)
		}
	}
	for _, test := range []struct{ number, unit, want string }{{"350", "credits", "350 credits"}, {"3", "", "3"}, {"", "usd", ""}, {"-1200", "eur", "-12.00 EUR"}} {
		if got := numbers.Number(test.number).Text(test.unit); got != test.want {
			t.Errorf("%s %s: %q, want %q", test.number, test.unit, got, test.want)
		}
	}
}
