#!/usr/bin/env bash
# npm money-math 2.6.3: rounding to five cents, which its README offers for bills in Swiss francs, is right for what is charged and wrong for
# what is given back: 10.03 becomes 10.05, but -10.03 becomes -9.95, and -0.03 becomes +0.05. roundUpTo5Cents leaves the multiples of five
# altogether: -10.03 becomes -10.01.
# The README's example is 442.26 -> 442.25, the nearest multiple, which is never further away than two cents; of the amounts from -0.01 to
# -1.99 all 80 that end in 3, 4, 8 or 9 end further away. It doesn't say that an amount may not be negative: isNegative is one of its functions.
# Matters to refunds and credit notes: round the absolute value and put the sign back. Needs node, npm and its registry.
# Fails once this is no longer so.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts money-math@2.6.3 >/dev/null
cat >round.js <<'JS'
const money = require('money-math')
const cents = (amount) => Math.round(Number(amount) * 100)
for (const amount of ['10.03', '-10.03', '-0.03', '-12.34']) console.log(amount, money.roundTo5Cents(amount), money.roundUpTo5Cents(amount))
const far = (sign) => Array.from({ length: 199 }, (_, i) => sign + ((i + 1) / 100).toFixed(2))
  .filter((amount) => Math.abs(cents(money.roundTo5Cents(amount)) - cents(amount)) > 2).length
console.log(`further than two cents away: ${far('')} of 199 charged, ${far('-')} of 199 given back`)
JS
node round.js | tee said
diff said - <<'SEEN' || { echo "This has changed." >&2; exit 1; }
10.03 10.05 10.05
-10.03 -9.95 -10.01
-0.03 0.05 -0.01
-12.34 -12.25 -12.33
further than two cents away: 0 of 199 charged, 80 of 199 given back
SEEN
