// Package numbers has whole numbers of any size as the database gives them, and says them as people read amounts.
package numbers

import (
	"cmp"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"github.com/hummingbytes/reconciler/reconcile"
)

// Number is a whole number of any size as PostgreSQL's numeric has them, in decimal digits. The zero value is no number: an empty
// cell, null in JSON.
type Number string

// Int is n as a Number.
func Int(n int64) Number { return Number(strconv.FormatInt(n, 10)) }

// Scan reads an integer or a numeric without decimals; null is no number.
func (n *Number) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*n = ""
		return nil
	case int64:
		*n = Int(v)
		return nil
	case []byte:
		return n.Parse(string(v))
	case string:
		return n.Parse(v)
	default:
		return fmt.Errorf("number: cannot read %T", src)
	}
}

// Parse reads the digits of a whole number.
func (n *Number) Parse(text string) error {
	digits := strings.TrimPrefix(text, "-")
	if digits == "" {
		return fmt.Errorf("number %q: no digits", text)
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return fmt.Errorf("number %q: not whole", text)
		}
	}
	*n = Number(text)
	return nil
}

// MarshalJSON writes the digits as a JSON number.
func (n Number) MarshalJSON() ([]byte, error) {
	if n == "" {
		return []byte("null"), nil
	}
	return []byte(n), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (n *Number) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*n = ""
		return nil
	}
	return n.Parse(string(text))
}

// Known says whether there is a number.
func (n Number) Known() bool { return n != "" }

// IsZero says whether n is 0 or no number.
func (n Number) IsZero() bool { return strings.Trim(string(n), "-0") == "" }

// IsNegative says whether n is below 0.
func (n Number) IsNegative() bool { return strings.HasPrefix(string(n), "-") && !n.IsZero() }

// Abs is n without its sign.
func (n Number) Abs() Number { return Number(strings.TrimPrefix(string(n), "-")) }

// Neg is -n.
func (n Number) Neg() Number {
	if n.IsZero() {
		return n
	}
	if n.IsNegative() {
		return n.Abs()
	}
	return "-" + n
}

// Plus is n + m; no number counts as 0.
func (n Number) Plus(m Number) Number {
	return Of(new(big.Int).Add(n.Big(), m.Big()))
}

// Minus is n - m; no number counts as 0.
func (n Number) Minus(m Number) Number {
	return Of(new(big.Int).Sub(n.Big(), m.Big()))
}

// Compare is -1, 0 or +1 as n is less than, equal to or greater than m; no number counts as 0.
func (n Number) Compare(m Number) int {
	if a, ok := n.Small(); ok {
		if b, ok := m.Small(); ok {
			return cmp.Compare(a, b)
		}
	}
	return n.Big().Cmp(m.Big())
}

// Small is n where it fits into 64 bits; no number is 0.
func (n Number) Small() (int64, bool) {
	if n == "" {
		return 0, true
	}
	v, err := strconv.ParseInt(string(n), 10, 64)
	return v, err == nil
}

// Big is n as an integer to calculate with; no number is 0.
func (n Number) Big() *big.Int {
	if small, ok := n.Small(); ok {
		return big.NewInt(small)
	}
	v, ok := new(big.Int).SetString(string(n), 10)
	if !ok {
		panic("reports: number " + strconv.Quote(string(n))) // Scan let only digits in
	}
	return v
}

// Of is v as a Number.
func Of(v *big.Int) Number { return Number(v.String()) }

// Grouped writes digits with thousands separators: 1234567 is 1,234,567.
func Grouped(n Number) string {
	sign, digits := "", string(n)
	if strings.HasPrefix(digits, "-") {
		sign, digits = "−", digits[1:]
	}
	var out strings.Builder
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteByte(',')
		}
		out.WriteRune(digit)
	}
	return sign + out.String()
}

// IsCurrency says whether a unit is money; the others are credits, seconds, days, rows and the like.
func IsCurrency(unit string) bool {
	if len(unit) != 3 {
		return false
	}
	for i := range len(unit) {
		if c := unit[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// Decimals is how many decimals an amount of the unit is shown with: 0 where the unit is no currency or its exponent isn't known.
func Decimals(unit string) int {
	if !IsCurrency(unit) {
		return 0
	}
	if decimals, known := reconcile.Exponent(unit); known {
		return decimals
	}
	return 0
}

// Amount is the amount in decimals without its unit.
func Amount(n Number, unit string) string {
	decimals := Decimals(unit)
	if decimals == 0 || !n.Known() {
		return Grouped(n)
	}
	sign, digits := "", string(n)
	if strings.HasPrefix(digits, "-") {
		sign, digits = "−", digits[1:]
	}
	if missing := decimals + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - decimals
	return sign + Grouped(Number(digits[:point])) + "." + digits[point:]
}

// Unit is how a unit is written behind an amount.
func Unit(unit string) string {
	if !IsCurrency(unit) {
		return strings.ReplaceAll(unit, "_", " ")
	}
	if _, known := reconcile.Exponent(unit); !known {
		return strings.ToUpper(unit) + " (minor units)"
	}
	return strings.ToUpper(unit)
}

// WithUnit is "1,234.50 USD", "350 credits", or "–" where there is no number.
func WithUnit(n Number, unit string) string {
	if !n.Known() {
		return "–"
	}
	text := Amount(n, unit)
	switch {
	case unit == "":
		return text
	case unit == Seconds:
		return strings.Replace(Duration(n), "-", "−", 1)
	case n.Abs() == "1" && (unit == "credits" || unit == "days" || unit == "jobs" || unit == "rows"):
		return text + " " + strings.TrimSuffix(unit, "s")
	default:
		return text + " " + Unit(unit)
	}
}

// Plural is a count with its noun: "1 job", "1,234 jobs".
func Plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Grouped(Int(n)) + " " + noun + "s"
}

// PlainDecimal writes minor units in decimals: no thousands separators, no unit.
func PlainDecimal(n Number, decimals int) string {
	if n.IsZero() {
		n = "0"
	}
	sign, digits := "", string(n.Abs())
	if n.IsNegative() {
		sign = "-"
	}
	if decimals == 0 {
		return sign + digits
	}
	if missing := decimals + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - decimals
	return sign + digits[:point] + "." + digits[point:]
}

// Text says an amount with its unit for people who read it in a terminal or a log: "-1,200.00 EUR", "350 credits", "" where there is no number.
func (n Number) Text(unit string) string {
	if !n.Known() {
		return ""
	}
	return strings.Replace(WithUnit(n, unit), "−", "-", 1)
}

// amountInDetail is an amount in the detail of a break, which has minor units with their currency, as files do, or credits.
var amountInDetail = regexp.MustCompile(`-?\b[0-9]+ ([a-z]{3}|credits)\b`)

// InDetail writes the detail of a break, or of what is awaited, with its amounts as people read them. A detail in credits is of jobs or grants and has no
// money in it, whatever the words of a failure code look like.
func InDetail(detail, unit string) string {
	return amountInDetail.ReplaceAllStringFunc(detail, func(found string) string {
		amount, of, _ := strings.Cut(found, " ")
		if _, known := reconcile.Exponent(of); of != "credits" && (unit == "credits" || !known) {
			return found
		}
		return Number(amount).Text(of)
	})
}

// Difference is Text, and nothing where there is no difference in anything that can be counted, as between two statuses.
func (n Number) Difference(unit string) string {
	if unit == "" && n.IsZero() {
		return ""
	}
	return n.Text(unit)
}

// Seconds is the unit of lengths of time.
const Seconds = "seconds"

// Duration is a length of time as people read it, in its two largest units: "-26 days 6 hours", "45 seconds".
func Duration(n Number) string {
	left, ok := n.Abs().Small()
	if !ok {
		return string(n) + " " + Seconds
	}
	units := []struct {
		noun    string
		seconds int64
	}{{"day", 24 * 60 * 60}, {"hour", 60 * 60}, {"minute", 60}, {"second", 1}}
	for len(units) > 1 && left < units[0].seconds {
		units = units[1:]
	}
	text := Plural(left/units[0].seconds, units[0].noun)
	if len(units) > 1 && left%units[0].seconds >= units[1].seconds {
		text += " " + Plural(left%units[0].seconds/units[1].seconds, units[1].noun)
	}
	if n.IsNegative() {
		return "-" + text
	}
	return text
}

// AmountOrText is Text where text is a whole number, and text as it is where it is none, such as a status.
func AmountOrText(text, unit string) string {
	var n Number
	if !IsCurrency(unit) && unit != Seconds || n.Parse(text) != nil {
		return text
	}
	return n.Text(unit)
}

// Sum adds up amounts of one unit.
type Sum struct{ v big.Int }

// Add adds n; no number counts as 0.
func (s *Sum) Add(n Number) { s.v.Add(&s.v, n.Big()) }

// Number is the sum so far.
func (s *Sum) Number() Number { return Of(&s.v) }
