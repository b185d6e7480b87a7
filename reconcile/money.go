package reconcile

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// ErrOverflow says that a result does not fit into an int64. No amount ever wraps.
var ErrOverflow = errors.New("amount overflows 64 bits")

// Exponent returns how many decimals Stripe's minor units of a currency (ISO 4217, case
// ignored) stand for: by Stripe's list, which differs from ISO's and CLDR's.
//
// known is false for a currency that Stripe does not list, and for UGX, on which the
// sources contradict each other: an amount in it must not be shown with decimals, and
// deserves an alarm.
func Exponent(currency string) (decimals int, known bool) {
	c := strings.ToLower(currency)
	switch {
	case strings.Contains(zeroDecimalCurrencies, " "+c+" ") && len(c) == 3:
		return 0, true
	case strings.Contains(threeDecimalCurrencies, " "+c+" ") && len(c) == 3:
		return 3, true
	case strings.Contains(twoDecimalCurrencies, " "+c+" ") && len(c) == 3:
		return 2, true
	default:
		return 2, false
	}
}

// Stripe's list, https://docs.stripe.com/currencies. ISK is sent with two decimals.
const (
	zeroDecimalCurrencies  = " bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf "
	threeDecimalCurrencies = " bhd jod kwd omr tnd "
	twoDecimalCurrencies   = " aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf " +
		"chf cny cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel ghs gip gmd gtq gyd hkd hnl hrk htg huf idr ils inr " +
		"isk jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mro mru mur mvr mwk mxn myr mzn nad ngn nio " +
		"nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sek sgd shp sle sll sos srd std stn svc szl thb tjs " +
		"top try ttd twd tzs uah usd uyu uzs wst xcd xcg yer zar zmw "
)

// FormatMinor writes an amount of minor units in decimals, with the currency behind it:
// "12.34 USD". Where the exponent isn't known, it says so instead of guessing:
// "1234 UGX (minor units)".
func FormatMinor(amountMinor int64, currency string) string {
	code := strings.ToUpper(currency)
	decimals, known := Exponent(currency)
	if !known {
		return fmt.Sprintf("%d %s (minor units)", amountMinor, code)
	}
	return FormatDecimal(amountMinor, decimals) + " " + code
}

// FormatDecimal writes an amount of minor units with a fixed number of decimals, no
// thousands separators and no currency: (-5, 2) is "-0.05".
func FormatDecimal(amountMinor int64, decimals int) string {
	sign, digits := "", strconv.FormatInt(amountMinor, 10)
	if amountMinor < 0 {
		sign, digits = "-", digits[1:]
	}
	if decimals <= 0 {
		return sign + digits
	}
	if missing := decimals + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - decimals
	return sign + digits[:point] + "." + digits[point:]
}

// ConvertFee converts a fee from the settlement currency into the charge's currency by the
// charge's own ratio: feeMinor * chargeMinor / settledMinor, half up. All three must be 0
// or more, and settledMinor above 0 unless the fee is 0. A result beyond int64 is ErrOverflow.
func ConvertFee(feeMinor, chargeMinor, settledMinor int64) (int64, error) {
	if feeMinor < 0 || chargeMinor < 0 || settledMinor < 0 {
		return 0, fmt.Errorf("convert fee %d * %d / %d: negative amount", feeMinor, chargeMinor, settledMinor)
	}
	if feeMinor == 0 {
		return 0, nil
	}
	if settledMinor == 0 {
		return 0, fmt.Errorf("convert fee %d * %d / 0: nothing settled", feeMinor, chargeMinor)
	}
	quotient, remainder, err := mulDiv(uint64(feeMinor), uint64(chargeMinor), uint64(settledMinor))
	if err != nil {
		return 0, fmt.Errorf("convert fee %d * %d / %d: %w", feeMinor, chargeMinor, settledMinor, err)
	}
	if remainder >= uint64(settledMinor)-remainder {
		quotient++
	}
	if quotient > maxInt64 {
		return 0, fmt.Errorf("convert fee %d * %d / %d: %w", feeMinor, chargeMinor, settledMinor, ErrOverflow)
	}
	return int64(quotient), nil
}

// RefundableMinor is what a refund pays back: the amount paid minus the fees that Stripe
// took, never below 0 (clause 2.2). A negative fee would refund more than was paid, and
// counts as 0.
func RefundableMinor(paidMinor, feeMinor int64) int64 {
	if feeMinor < 0 {
		feeMinor = 0
	}
	if paidMinor <= feeMinor {
		return 0
	}
	return paidMinor - feeMinor
}

const maxInt64 = uint64(1)<<63 - 1

// mulDiv returns a*b/d and the remainder, through a 128-bit product.
func mulDiv(a, b, d uint64) (quotient, remainder uint64, err error) {
	hi, lo := bits.Mul64(a, b)
	if hi >= d {
		return 0, 0, ErrOverflow
	}
	quotient, remainder = bits.Div64(hi, lo, d)
	return quotient, remainder, nil
}
