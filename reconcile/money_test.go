package reconcile_test

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hummingbytes/reconciler/reconcile"
)

func TestExponent(t *testing.T) {
	tests := []struct {
		currencies string
		decimals   int
		known      bool
	}{
		{"usd USD Eur gbp isk huf twd", 2, true},
		{"bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf JPY", 0, true},
		{"bhd jod kwd omr tnd KWD", 3, true},
		{"ugx UGX xxx us usdd bitcoin", 2, false},
	}
	for _, test := range tests {
		for _, currency := range strings.Fields(test.currencies) {
			decimals, known := reconcile.Exponent(currency)
			if decimals != test.decimals || known != test.known {
				t.Errorf("%q: %d decimals, known %t; want %d, %t", currency, decimals, known, test.decimals, test.known)
			}
		}
	}
}

func TestExponentTakesNoPartOfTheList(t *testing.T) {
	for _, currency := range []string{"", " ", "usd ", " usd", "s e", "jp", "d e", "jpy krw"} {
		if _, known := reconcile.Exponent(currency); known {
			t.Errorf("%q is known", currency)
		}
	}
}

func TestTwoCurrenciesAreNone(t *testing.T) {
	for _, both := range []string{"jpy krw", "usd eur", "kwd tnd", "usd jpy"} {
		if _, known := reconcile.Exponent(both); known {
			t.Errorf("%q is known", both)
		}
	}
}

// A negative amount on any side converts nothing, not even a fee of 0.
func TestConvertFeeTakesNoNegativeAmount(t *testing.T) {
	for _, c := range [][3]int64{{-1, 1, 1}, {1, -1, 1}, {1, 1, -1}, {0, -1, 1}, {0, 1, -1}} {
		if fee, err := reconcile.ConvertFee(c[0], c[1], c[2]); err == nil || errors.Is(err, reconcile.ErrOverflow) {
			t.Errorf("%v gives %d, %v", c, fee, err)
		}
	}
}

func TestFormatMinor(t *testing.T) {
	tests := []struct {
		amount   int64
		currency string
		want     string
	}{
		{0, "usd", "0.00 USD"},
		{5, "usd", "0.05 USD"},
		{-5, "usd", "-0.05 USD"},
		{123456789, "eur", "1234567.89 EUR"},
		{-100, "gbp", "-1.00 GBP"},
		{1234, "jpy", "1234 JPY"},
		{-1234, "KRW", "-1234 KRW"},
		{1234, "kwd", "1.234 KWD"},
		{-9, "bhd", "-0.009 BHD"},
		{500, "isk", "5.00 ISK"},
		{1234, "ugx", "1234 UGX (minor units)"},
		{math.MaxInt64, "usd", "92233720368547758.07 USD"},
		{math.MinInt64, "usd", "-92233720368547758.08 USD"},
		{math.MinInt64, "jpy", "-9223372036854775808 JPY"},
		{math.MinInt64, "tnd", "-9223372036854775.808 TND"},
	}
	for _, test := range tests {
		if got := reconcile.FormatMinor(test.amount, test.currency); got != test.want {
			t.Errorf("%d %s: %q, want %q", test.amount, test.currency, got, test.want)
		}
	}
}

func TestConvertFee(t *testing.T) {
	tests := []struct {
		name                 string
		fee, charge, settled int64
		want                 int64
		err                  error
	}{
		{"same currency", 59, 1000, 1000, 59, nil},
		{"no fee", 0, 1000, 0, 0, nil},
		{"half goes up", 1, 1, 2, 1, nil},
		{"below half goes down", 1, 1, 3, 0, nil},
		{"above half goes up", 2, 1, 3, 1, nil},
		{"half of an odd divisor does not exist: 7*10/20 = 3.5", 7, 10, 20, 4, nil},
		{"yen to dollars", 61, 3000, 2000, 92, nil}, // 91.5
		{"charge of nothing", 30, 0, 100, 0, nil},
		{"the product needs 126 bits", math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64, nil},
		{"rounds up to the largest", math.MaxInt64, 2, 2, math.MaxInt64, nil},
		{"beyond 63 bits", math.MaxInt64, 2, 1, 0, reconcile.ErrOverflow},
		{"beyond 64 bits", math.MaxInt64, math.MaxInt64, 1, 0, reconcile.ErrOverflow},
		{"2^63 exactly", 1 << 62, 2, 1, 0, reconcile.ErrOverflow},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := reconcile.ConvertFee(test.fee, test.charge, test.settled)
			if got != test.want || !errors.Is(err, test.err) {
				t.Errorf("%d, %v; want %d, %v", got, err, test.want, test.err)
			}
		})
	}
	for _, bad := range [][3]int64{{1, 1, 0}, {-1, 1, 1}, {1, -1, 1}, {1, 1, -1}, {math.MinInt64, 1, 1}} {
		if got, err := reconcile.ConvertFee(bad[0], bad[1], bad[2]); err == nil {
			t.Errorf("%v: %d, want an error", bad, got)
		}
	}
}

// anyAmount favours the ends of the range, where arithmetic goes wrong.
func anyAmount(t *rapid.T, label string) int64 {
	return rapid.OneOf(
		rapid.Int64Range(0, 100),
		rapid.Int64Range(0, 1_000_000),
		rapid.Int64Range(0, math.MaxInt64),
		rapid.Int64Range(math.MaxInt64-100, math.MaxInt64),
	).Draw(t, label)
}

func TestConvertFeeIsHalfUpOfTheExactRatio(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fee, charge, settled := anyAmount(t, "fee"), anyAmount(t, "charge"), max(1, anyAmount(t, "settled"))
		// floor((2*fee*charge + settled) / (2*settled))
		numerator := new(big.Int).Mul(big.NewInt(fee), big.NewInt(charge))
		numerator.Lsh(numerator, 1).Add(numerator, big.NewInt(settled))
		want := numerator.Quo(numerator, new(big.Int).Lsh(big.NewInt(settled), 1))
		got, err := reconcile.ConvertFee(fee, charge, settled)
		if !want.IsInt64() {
			if !errors.Is(err, reconcile.ErrOverflow) {
				t.Fatalf("%d, %v; want an overflow", got, err)
			}
			return
		}
		if err != nil || got != want.Int64() {
			t.Fatalf("%d, %v; want %s", got, err, want)
		}
	})
}

func TestRefundableMinor(t *testing.T) {
	tests := []struct{ paid, fee, want int64 }{
		{1000, 59, 941}, {1000, 0, 1000}, {1000, 999, 1}, {1000, 1000, 0}, {1000, 1001, 0}, {0, 30, 0}, {0, 0, 0},
		{1000, -5, 1000}, {-10, 5, 0}, {math.MaxInt64, math.MinInt64, math.MaxInt64}, {math.MaxInt64, 1, math.MaxInt64 - 1}, {math.MinInt64, math.MaxInt64, 0},
	}
	for _, test := range tests {
		if got := reconcile.RefundableMinor(test.paid, test.fee); got != test.want {
			t.Errorf("paid %d, fee %d: %d, want %d", test.paid, test.fee, got, test.want)
		}
	}
}
