package numbers

import (
	"encoding/json"
	"testing"
)

func TestNumberReadsWholeNumbersOnly(t *testing.T) {
	for _, src := range []any{int64(-5), []byte("-5"), "-5"} {
		var n Number
		if err := n.Scan(src); err != nil || n != "-5" {
			t.Errorf("Scan(%T) = %q, %v", src, n, err)
		}
	}
	for _, src := range []any{"", "-", "1.5", "1e3", "NaN", " 1", 1.5, true} {
		var n Number
		if err := n.Scan(src); err == nil {
			t.Errorf("Scan(%v) let %q in", src, n)
		}
	}
	n := Number("1")
	if err := n.Scan(nil); err != nil || n.Known() {
		t.Errorf("Scan(nil) = %q, %v", n, err)
	}
}

func TestNumberArithmeticBeyond64Bits(t *testing.T) {
	huge := Number("9223372036854775807")
	if got := huge.Plus("1"); got != "9223372036854775808" {
		t.Errorf("plus: %s", got)
	}
	if got := Number("-9223372036854775808").Minus("1"); got != "-9223372036854775809" {
		t.Errorf("minus: %s", got)
	}
	if huge.Compare("9223372036854775808") >= 0 || Number("-1").Compare("") >= 0 || Number("").Compare("0") != 0 {
		t.Error("compare")
	}
	if Number("-3").Neg() != "3" || Number("3").Neg() != "-3" || Number("0").Neg() != "0" || Number("-3").Abs() != "3" {
		t.Error("sign")
	}
}

func TestNumberInJSON(t *testing.T) {
	raw, err := json.Marshal([]Number{"12345678901234567890", ""})
	if err != nil || string(raw) != "[12345678901234567890,null]" {
		t.Fatalf("%s, %v", raw, err)
	}
	var back []Number
	if err := json.Unmarshal(raw, &back); err != nil || back[0] != "12345678901234567890" || back[1].Known() {
		t.Errorf("%v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`[1.5]`), &back); err == nil {
		t.Error("1.5 was let in")
	}
}

func TestAmountsAsPeopleReadThem(t *testing.T) {
	for _, c := range []struct {
		n    Number
		unit string
		want string
	}{
		{"0", "usd", "0.00 USD"}, {"5", "usd", "0.05 USD"}, {"-5", "usd", "−0.05 USD"}, {"123456789", "usd", "1,234,567.89 USD"},
		{"1234", "jpy", "1,234 JPY"}, {"1234", "kwd", "1.234 KWD"}, {"-999", "kwd", "−0.999 KWD"}, {"1234", "ugx", "1,234 UGX (minor units)"},
		{"1234", "zzz", "1,234 ZZZ (minor units)"}, {"1", "credits", "1 credit"}, {"-1", "credits", "−1 credit"}, {"1000", "credits", "1,000 credits"},
		{"12", "", "12"}, {"", "usd", "–"},
	} {
		if got := WithUnit(c.n, c.unit); got != c.want {
			t.Errorf("%q %q: %q, want %q", c.n, c.unit, got, c.want)
		}
	}
}
