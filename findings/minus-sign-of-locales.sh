#!/usr/bin/env bash
# npm currency.js 2.0.4, accounting 0.4.1, accounting-js 2.0.3, currency-formatter 1.5.9 and numeral 2.0.6 read a negative amount as a positive one
# if its minus is U+2212, as Intl.NumberFormat writes it in Swedish, Norwegian, Finnish, Croatian, Slovenian, Estonian, Lithuanian and more:
# "−12,50" is 12.5, told their decimal comma or not. currency.js does so with errorOnInvalid: true as well. numbro 2.5.0 answers undefined.
# All strip what is no digit, separator or hyphen. CLDR has U+2212 as the minus of these languages (symbols-numberSystem-latn, minusSign);
# that they know the hyphen alone none of the five says.
# Matters where amounts are pasted from a page, a PDF or a bank's export: a refund is read as a charge of the same amount, so that a sum is off by
# twice that. Turn U+2212 into a hyphen before you parse, and refuse what is left. Needs node (with its own ICU), npm and its registry.
# Fails once this is no longer so.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts currency.js@2.0.4 accounting@0.4.1 accounting-js@2.0.3 currency-formatter@1.5.9 numeral@2.0.6 \
  numbro@2.5.0 >/dev/null
cat >read.js <<'JS'
const currency = require('currency.js'), accounting = require('accounting'), accountingJS = require('accounting-js')
const formatter = require('currency-formatter'), numeral = require('numeral'), numbro = require('numbro')
numeral.register('locale', 'sv', { delimiters: { thousands: ' ', decimal: ',' }, abbreviations: {}, ordinal: () => '', currency: { symbol: 'kr' } })
numeral.locale('sv')
numbro.registerLanguage(require('numbro/dist/languages/sv-SE.min'))
numbro.setLanguage('sv-SE')
const readers = {
  'currency.js': (text) => currency(text, { decimal: ',', separator: ' ', errorOnInvalid: true }).value,
  accounting: (text) => accounting.unformat(text, ','),
  'accounting-js': (text) => accountingJS.unformat(text, ','),
  'currency-formatter': (text) => formatter.unformat(text, { locale: 'sv-SE' }),
  numeral: (text) => numeral(text).value(),
  numbro: (text) => numbro.unformat(text),
}
const written = new Intl.NumberFormat('sv-SE', { minimumFractionDigits: 2 }).format(-12.5)
console.log('Intl writes', written, 'with', 'U+' + written.codePointAt(0).toString(16))
for (const [name, read] of Object.entries(readers)) console.log(name, read(written), 'and with a hyphen', read(written.replace('\u2212', '-')))
JS
node read.js | tee said
diff said - <<'SEEN' || { echo "This has changed." >&2; exit 1; }
Intl writes −12,50 with U+2212
currency.js 12.5 and with a hyphen -12.5
accounting 12.5 and with a hyphen -12.5
accounting-js 12.5 and with a hyphen -12.5
currency-formatter 12.5 and with a hyphen -12.5
numeral 12.5 and with a hyphen -12.5
numbro undefined and with a hyphen -12.5
SEEN
