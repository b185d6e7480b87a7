#!/usr/bin/env bash
# MT940 readers of npm, on a statement in Kuwaiti dinars with a reversed credit (RC): mt940-js 1.0.0 calls the 100.000 that left the account
# a credit, as it looks for a C in either letter of the mark and keeps no sign of the R; swiftmessageparser 1.2.1 and mt940js 1.3.5 round
# every amount to two decimals, lines and balances alike, 0.125 once to 0.13 and once to 0.12; mt940js compares the sum of the lines with the
# balances and finds nothing, as both are rounded.
# SWIFT's field 61 (Standards MT, Category 9, MT 940, subfield 3): "RC" is a reversal of credit, a debit entry; the statement's own balances
# say so, 1000.000 before and 899.875 after. Its subfield 5 takes as many decimals as the currency has, and ISO 4217 gives KWD three.
# Each is right where the other is wrong. Matters to whoever reconciles a bank account: check opening balance plus lines against the closing
# balance, in the currency's own minor unit. Needs node, npm and its registry. Fails once this is no longer so.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts mt940-js@1.0.0 tslib@1.14.1 swiftmessageparser@1.2.1 mt940js@1.3.5 >/dev/null
cat >statement.sta <<'MT940'
:20:STATEMENT1
:25:KW00BANK/0000012345
:28C:1/1
:60F:C261228KWD1000,000
:61:2612291229RC100,000NTRFNONREF
:61:2612291229D0,125NCHGNONREF
:62F:C261229KWD899,875
MT940
cat >read.js <<'JS'
const data = require('fs').readFileSync('statement.sta', 'utf8').replace(/\n/g, '\r\n')
const show = (name, statement, lines) => console.log(name, Number(statement[0]), '->', Number(statement[1]), 'lines', lines.join(' '))
const a = require('swiftmessageparser').parse({ type: 'mt940', data })[0]
show('swiftmessageparser', [a.openingBalance, a.closingBalance], a.transactions.map((t) => Number(t.amount)))
const b = new (require('mt940js').Parser)().parse(data)[0]
show('mt940js', [b.openingBalance, b.closingBalance], b.transactions.map((t) => t.amount))
require('mt940-js').read(Buffer.from(data)).then(([c]) =>
  show('mt940-js', [c.openingBalance.value, c.closingBalance.value], c.transactions.map((t) => (t.isCredit ? '+' : '-') + t.amount)))
JS
node read.js | tee said
diff said - <<'SEEN' || { echo "This has changed." >&2; exit 1; }
swiftmessageparser 1000 -> 899.88 lines -100 -0.13
mt940js 1000 -> 899.88 lines -100 -0.12
mt940-js 1000 -> 899.875 lines +100 -0.125
SEEN
