#!/usr/bin/env bash
# npm hyperformula 3.5.0, which calculates Excel's formulas in JavaScript, rounds otherwise: INT(-8.9) is -8; of the 20,000 amounts from
# 0.005 to 199.995 that end in half a cent ROUND takes 1,147 a cent down (1.005 -> 1, 8.325 -> 8.32); CEILING.MATH and FLOOR.MATH heed a mode
# of 1 and no other, so that CEILING.MATH(-5.5,2,-1) is -4.
# In Excel INT(-8.9) is -9 (https://support.microsoft.com/en-us/excel/int-function; HyperFormula's guide, "Built-in functions", promises the
# same), and any mode but zero rounds a negative number away from zero (…/ceiling-math-function), so that CEILING.MATH(-5.5,2,-1) is -6.
# LibreOffice 7.4, Gnumeric 1.12.55 and excelize 2.11.0 answer 1.01 and 8.33; HyperFormula's list of differences names none of these.
# Matters where a sheet that people see in Excel is calculated on a server: tax, shares of fees and refunds differ by a cent, and a negative
# amount split into whole and rest by one. Needs node, npm and its registry. Fails once this is no longer so.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts hyperformula@3.5.0 >/dev/null
cat >calculate.js <<'JS'
const { HyperFormula } = require('hyperformula')
const calculate = (formulas) => HyperFormula.buildFromArray(formulas.map((f) => ['=' + f]), { licenseKey: 'gpl-v3' }).getSheetValues(0).map(([v]) => v)
const formulas = ['INT(-8.9)', 'TRUNC(-8.9)', 'ROUND(1.005,2)', 'ROUND(8.325,2)', 'CEILING.MATH(-5.5,2,-1)', 'FLOOR.MATH(-5.5,2,-1)']
calculate(formulas).forEach((value, i) => console.log(formulas[i], value))
const cents = Array.from({ length: 20000 }, (_, i) => i)
const low = calculate(cents.map((c) => `ROUND(${(c / 100).toFixed(2)}5,2)`)).filter((value, c) => Math.round(value * 100) === c).length
console.log(`half cents rounded down: ${low} of ${cents.length}`)
JS
node calculate.js | tee said
diff said - <<'SEEN' || { echo "This has changed." >&2; exit 1; }
INT(-8.9) -8
TRUNC(-8.9) -8
ROUND(1.005,2) 1
ROUND(8.325,2) 8.32
CEILING.MATH(-5.5,2,-1) -4
FLOOR.MATH(-5.5,2,-1) -6
half cents rounded down: 1147 of 20000
SEEN
