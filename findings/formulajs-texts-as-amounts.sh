#!/usr/bin/env bash
# npm @formulajs/formulajs 4.6.1, Excel's functions for JavaScript: VALUE of a negative amount as accountants and mainframes write it, "(1.50)" or
# "1.50-", is +1.5; of "n/a" it is 0, of "12 EUR" 12. SUMIF, SUMIFS and COUNTIF tell capitals apart and know no wildcards but a lone *:
# "refund*" sums to 0, and SUMIF with "*" answers a text with the keys in it.
# Excel: VALUE takes what looks like a number or a date, else it is #VALUE! (https://support.microsoft.com/en-us/excel/value-function; LibreOffice
# 7.4 and Gnumeric 1.12.55 answer -1.5, -1.5, an error, an error); SUMIF takes ? and * in its criterion (…/sumif-function), whatever the capitals.
# Matters to imports of amounts and to sums by reason: a refund is booked as a charge, a missing amount as 0, a total leaves lines out, and
# nothing raises an error. Needs node, npm and its registry. Fails once this is no longer so.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts @formulajs/formulajs@4.6.1 >/dev/null
cat >calculate.js <<'JS'
const { VALUE, SUMIF, SUMIFS, COUNTIF } = require('@formulajs/formulajs')
for (const text of ['-1.50', '(1.50)', '1.50-', 'n/a', '12 EUR']) console.log('VALUE', text, '=', VALUE(text))
const keys = ['refund-1', 'Refund-2', 'fee'], amounts = [1, 2, 4]
for (const criterion of ['fee', 'FEE', 'refund*', '*'])
  console.log(criterion, '=', SUMIF(keys, criterion, amounts), SUMIFS(amounts, keys, criterion), COUNTIF(keys, criterion))
JS
node calculate.js | tee said
diff said - <<'SEEN' || { echo "This has changed." >&2; exit 1; }
VALUE -1.50 = -1.5
VALUE (1.50) = 1.5
VALUE 1.50- = 1.5
VALUE n/a = 0
VALUE 12 EUR = 12
fee = 4 4 1
FEE = 0 0 0
refund* = 0 0 0
* = 0refund-1Refund-2fee 7 3
SEEN
