package terminal_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/hummingbytes/reconciler/reports/terminal"
)

func TestOneRowStaysOneRowInATerminal(t *testing.T) {
	for text, want := range map[string]string{
		"acc_1":                 "acc_1",
		"Łódź 東京":               "Łódź 東京",
		"a\nb\r\nc\td":          `a\nb\r\nc\td`,
		"\x1b[31mred\x1b[0m\a":  `\u001b[31mred\u001b[0m\u0007`,
		"gnp.\u202eexe":         `gnp.\u202eexe`,
		"x\u2028y\u2029z\u0085": `x\u2028y\u2029z\u0085`,
		"zero\u200bwidth\ufeff": `zero\u200bwidth\ufeff`,
		"tag\U000e0041":         `tag\U000e0041`,
		"broken\xff\xfe":        `broken\xff\xfe`,
		"real \ufffd":           "real \ufffd",
	} {
		if got := terminal.OneLine(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestPlainTextKeepsLinesAndJSON(t *testing.T) {
	var out bytes.Buffer
	plain := &terminal.PlainText{Out: &out}
	for _, b := range []byte("é\tb\n\x1b\u202e") { // byte by byte, as a writer may be fed
		if n, err := plain.Write([]byte{b}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	if got, want := out.String(), "é\tb\n\\u001b\\u202e"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	out.Reset()
	told := map[string]string{"memo": "a\u202eb\u0085\u2066c\n\x7f\t"}
	if err := json.NewEncoder(plain).Encode(told); err != nil {
		t.Fatal(err)
	}
	var heard map[string]string
	if err := json.Unmarshal(out.Bytes(), &heard); err != nil || heard["memo"] != told["memo"] {
		t.Errorf("%q, %v", heard["memo"], err)
	}
}

func FuzzOneLine(f *testing.F) {
	f.Add("a\u202eb\n\xff")
	f.Fuzz(func(t *testing.T, text string) {
		line := terminal.OneLine(text)
		if strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
			t.Errorf("%q becomes %q", text, line)
		}
		if terminal.OneLine(line) != line {
			t.Errorf("%q is escaped twice", line)
		}
	})
}

func TestTextTableEscapesItsCells(t *testing.T) {
	var out bytes.Buffer
	table := terminal.NewTable(&out, "ID", "COUNT")
	table.Row("a\nb\tc", 12)
	if err := table.End(); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "ID       COUNT\na\\nb\\tc  12\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAmountsInText(t *testing.T) {
	for text, want := range map[string]string{
		"charge ch_1: \x1f1200 eur\x1f, succeeded; fee \x1f35 jpy\x1f": "charge ch_1: 12.00 EUR, succeeded; fee 35 JPY",
		"bought for \x1f? eur\x1f":                                     "bought for ?",
		"variance \x1f-7 credits\x1f, memo a\nb":                       `variance -7 credits, memo a\nb`,
		"stated \x1f1200 \x1f":                                         "stated 1200",
		"a memo's own \x1f":                                            `a memo's own \u001f`,
		"a memo's own \x1f, then \x1f1200 eur\x1f":                     `a memo's own \u001f, then 12.00 EUR`,
		"two of them, \x1fas words\x1f, then \x1f35 jpy\x1f":           `two of them, \u001fas words\u001f, then 35 JPY`,
	} {
		if got := terminal.WithAmounts(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
