#!/usr/bin/env bash
# How many decimals an amount has differs from package to package. Held against ISO 4217 (the standard's own list one, as npm currency-codes 2.2.0
# ships it): github.com/govalues/money v0.2.4 gives ISK two, so that 1234 kronur in minor units are 12.34; golang.org/x/text/currency v0.44.0 has
# CLDR's habits of display, 0 for 21 that have 2, and rounds to them as it prints (1.234 IQD, which has 3, is IQD 1); npm
# currency-formatter 1.5.9 differs in 20 (UGX, XOF, XAF, PYG and RWF have 2 there, IDR, LKR and BDT 0), npm currency-format 1.0.13 in 9 (ISK 2;
# HUF, TWD and COP 0); dinero.js 2.0.2 counts MGA and MRU in fifths. github.com/bojanz/currency v1.5.1 and github.com/Rhymond/go-money v1.0.15
# agree with the list on all that they know.
# Matters to whoever turns a processor's or bank's minor units into amounts by the table of another package: yen come out right, and UGX or ISK a
# hundredth or a hundredfold. Take ISO's list, and the processor's own exceptions from its documentation.
# Needs go, node, npm, and their registries. Fails once any of this is no longer so.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts currency-codes@2.2.0 currency-formatter@1.5.9 currency-format@1.0.13 dinero.js@2.0.2 >/dev/null
cat >compare.js <<'JS'
const fs = require('fs')
const iso = {}
for (const [, code, digits] of fs.readFileSync('node_modules/currency-codes/iso-4217-list-one.xml', 'utf8').matchAll(/<Ccy>(\w+)<\/Ccy>[\s\S]*?<CcyMnrUnts>(.*?)<\/CcyMnrUnts>/g))
  if (digits !== 'N.A.') iso[code] = Number(digits)
fs.writeFileSync('iso', Object.keys(iso).sort().map((code) => `${code} ${iso[code]}\n`).join(''))
const formatter = require('currency-formatter'), format = require('currency-format'), dinero = require('dinero.js/currencies')
for (const [name, digits] of [
  ['currency-formatter', (code) => formatter.findCurrency(code)?.decimalDigits],
  ['currency-format', (code) => format[code]?.fractionSize],
  ['dinero.js', (code) => dinero[code]?.exponent],
]) {
  const others = Object.keys(iso).sort().filter((code) => digits(code) !== undefined && digits(code) !== iso[code]).map((code) => `${code} ${digits(code)}`)
  console.log(`${name}: ${others.join(', ')}`)
}
console.log('ISO:', ['BDT', 'IDR', 'IQD', 'ISK', 'UGX', 'XOF'].map((code) => `${code} ${iso[code]}`).join(', '))
JS
node compare.js >said
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"strings"

	gomoney "github.com/Rhymond/go-money"
	bojanz "github.com/bojanz/currency"
	"github.com/govalues/money"
	"golang.org/x/text/currency"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

func main() {
	list, err := os.ReadFile("iso")
	if err != nil {
		panic(err)
	}
	packages := []struct {
		name   string
		digits func(code string) (int, bool)
	}{
		{"govalues/money", func(code string) (int, bool) { c, err := money.ParseCurr(code); return c.Scale(), err == nil }},
		{"x/text/currency", func(code string) (int, bool) {
			unit, err := currency.ParseISO(code)
			digits, _ := currency.Standard.Rounding(unit)
			return digits, err == nil
		}},
		{"bojanz/currency", func(code string) (int, bool) { digits, ok := bojanz.GetDigits(code); return int(digits), ok }},
		{"go-money", func(code string) (int, bool) {
			c := gomoney.GetCurrency(code)
			if c == nil {
				return 0, false
			}
			return c.Fraction, true
		}},
	}
	for _, p := range packages {
		var others []string
		for line := range strings.Lines(string(list)) {
			var code string
			var iso int
			fmt.Sscan(line, &code, &iso)
			if digits, ok := p.digits(code); ok && digits != iso {
				others = append(others, fmt.Sprint(code, " ", digits))
			}
		}
		fmt.Printf("%s: %s\n", p.name, strings.Join(others, ", "))
	}
	kronur, err := money.NewAmountFromMinorUnits("ISK", 1234)
	fmt.Println(kronur, err)
	message.NewPrinter(language.English).Println(currency.ISO(currency.MustParseISO("IQD").Amount(1.234)))
}
GO
cat >go.mod <<'MOD'
module minorunits

go 1.24.0

require (
	github.com/Rhymond/go-money v1.0.15
	github.com/bojanz/currency v1.5.1
	github.com/govalues/money v0.2.4
	golang.org/x/text v0.44.0
)
MOD
go mod tidy >/dev/null 2>&1
go run . >>said
cat said
diff said - <<'SEEN' || { echo "This has changed." >&2; exit 1; }
currency-formatter: BDT 0, BND 0, BTN 1, IDR 0, IQD 2, KHR 0, KMF 2, KPW 0, LAK 0, LKR 0, MGA 0, MVR 1, MZN 0, PYG 2, RWF 2, TMT 0, UGX 2, XAF 2, XOF 2, XPF 2
currency-format: COP 0, HUF 0, IRR 0, ISK 2, KPW 0, MGA 1, TWD 0, TZS 0, UYU 0
dinero.js: MGA 1, MRU 1
ISO: BDT 2, IDR 2, IQD 3, ISK 0, UGX 0, XOF 0
govalues/money: ISK 2
x/text/currency: AFN 0, ALL 0, AMD 0, COP 0, GYD 0, IDR 0, IQD 0, IRR 0, KPW 0, LAK 0, LBP 0, MGA 0, MMK 0, MNT 0, MUR 0, PKR 0, RSD 0, SOS 0, SYP 0, TZS 0, UZS 0, YER 0
bojanz/currency: 
go-money: 
ISK 12.34 <nil>
IQD 1
SEEN
