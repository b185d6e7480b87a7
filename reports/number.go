package reports

import (
	"cmp"
	"fmt"
	"math/big"
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
		return n.parse(string(v))
	case string:
		return n.parse(v)
	default:
		return fmt.Errorf("number: cannot read %T", src)
	}
}

func (n *Number) parse(text string) error {
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
	return n.parse(string(text))
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
	return numberOf(new(big.Int).Add(n.big(), m.big()))
}

// Minus is n - m; no number counts as 0.
func (n Number) Minus(m Number) Number {
	return numberOf(new(big.Int).Sub(n.big(), m.big()))
}

// Compare is -1, 0 or +1 as n is less than, equal to or greater than m; no number counts as 0.
func (n Number) Compare(m Number) int {
	if a, ok := n.small(); ok {
		if b, ok := m.small(); ok {
			return cmp.Compare(a, b)
		}
	}
	return n.big().Cmp(m.big())
}

// small is n where it fits into 64 bits; no number is 0.
func (n Number) small() (int64, bool) {
	if n == "" {
		return 0, true
	}
	v, err := strconv.ParseInt(string(n), 10, 64)
	return v, err == nil
}

func (n Number) big() *big.Int {
	if small, ok := n.small(); ok {
		return big.NewInt(small)
	}
	v, ok := new(big.Int).SetString(string(n), 10)
	if !ok {
		panic("reports: number " + strconv.Quote(string(n))) // Scan let only digits in
	}
	return v
}

func numberOf(v *big.Int) Number { return Number(v.String()) }

// grouped writes digits with thousands separators: 1234567 is 1,234,567.
func grouped(n Number) string {
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

// isCurrency says whether a unit is money; the others are credits, seconds, days, rows and the like.
func isCurrency(unit string) bool {
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

// decimalsOf is how many decimals an amount of the unit is shown with: 0 where the unit is no currency or its exponent isn't known.
func decimalsOf(unit string) int {
	if !isCurrency(unit) {
		return 0
	}
	if decimals, known := reconcile.Exponent(unit); known {
		return decimals
	}
	return 0
}

// amountText is the amount in decimals without its unit.
func amountText(n Number, unit string) string {
	decimals := decimalsOf(unit)
	if decimals == 0 || !n.Known() {
		return grouped(n)
	}
	sign, digits := "", string(n)
	if strings.HasPrefix(digits, "-") {
		sign, digits = "−", digits[1:]
	}
	if missing := decimals + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - decimals
	return sign + grouped(Number(digits[:point])) + "." + digits[point:]
}

// unitText is how a unit is written behind an amount.
func unitText(unit string) string {
	if !isCurrency(unit) {
		return unit
	}
	if _, known := reconcile.Exponent(unit); !known {
		return strings.ToUpper(unit) + " (minor units)"
	}
	return strings.ToUpper(unit)
}

// amountWithUnit is "1,234.50 USD", "350 credits", or "—" where there is no number.
func amountWithUnit(n Number, unit string) string {
	if !n.Known() {
		return "—"
	}
	text := amountText(n, unit)
	switch {
	case unit == "":
		return text
	case n.Abs() == "1" && (unit == "credits" || unit == "days" || unit == "seconds" || unit == "jobs" || unit == "rows"):
		return text + " " + strings.TrimSuffix(unit, "s")
	default:
		return text + " " + unitText(unit)
	}
}
