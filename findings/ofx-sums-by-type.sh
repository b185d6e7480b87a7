#!/usr/bin/env bash
# npm ofx-data-extractor 1.5.0: getTransactionsSummary counts a DEBIT of +5.00, a charge that the bank took back, as a debit of 5.00. It takes the
# type DEBIT for a debit whatever the sign, a minus for one whatever the type, and adds up absolute values: of a statement that moves by -4.90
# it says credit 10, debit 24.9, which is -14.90. As floating point, too: two debits of 10.10 and 0.20 come to 10.299999999999999.
# OFX, section 3.2.9.2: amounts are always signed from the customer's perspective, a plus where there is no sign; TRNTYPE says what kind of
# transaction it is. getBankTransferList of the same object has the signs as the bank sent them.
# Matters to whoever checks a statement by this summary: the difference is twice each such line. Add up TRNAMT yourself, in decimals, and hold it
# against LEDGERBAL. Needs node, npm and its registry. Fails once this is no longer so.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts ofx-data-extractor@1.5.0 >/dev/null
cat >read.js <<'JS'
const { Ofx } = require('ofx-data-extractor')
const statement = (lines) => `OFXHEADER:100
DATA:OFXSGML
VERSION:102
SECURITY:NONE
ENCODING:USASCII
CHARSET:1252
COMPRESSION:NONE
OLDFILEUID:NONE
NEWFILEUID:NONE

<OFX>
<SIGNONMSGSRSV1>
<SONRS>
<STATUS>
<CODE>0
<SEVERITY>INFO
</STATUS>
<DTSERVER>20261130120000
<LANGUAGE>ENG
</SONRS>
</SIGNONMSGSRSV1>
<BANKMSGSRSV1>
<STMTTRNRS>
<TRNUID>1
<STATUS>
<CODE>0
<SEVERITY>INFO
</STATUS>
<STMTRS>
<CURDEF>EUR
<BANKACCTFROM>
<BANKID>12345678
<ACCTID>0012345
<ACCTTYPE>CHECKING
</BANKACCTFROM>
<BANKTRANLIST>
<DTSTART>20261101
<DTEND>20261130
${lines.map(([type, amount], i) => `<STMTTRN>
<TRNTYPE>${type}
<DTPOSTED>202611${10 + i}
<TRNAMT>${amount}
<FITID>F${i}
<NAME>Example Ltd
</STMTTRN>`).join('\n')}
</BANKTRANLIST>
</STMTRS>
</STMTTRNRS>
</BANKMSGSRSV1>
</OFX>
`
for (const lines of [
  [['CREDIT', '10.00'], ['DEBIT', '-19.90'], ['DEBIT', '5.00']],
  [['OTHER', '-10.10'], ['FEE', '-0.20']],
]) {
  const ofx = new Ofx(statement(lines))
  const { credit, debit } = ofx.getTransactionsSummary()
  console.log(ofx.getBankTransferList().map((line) => `${line.TRNTYPE} ${line.TRNAMT}`).join(', ') + `: credit ${credit}, debit ${debit}`)
}
JS
node read.js | tee said
diff said - <<'SEEN' || { echo "This has changed." >&2; exit 1; }
CREDIT 10.00, DEBIT -19.90, DEBIT 5.00: credit 10, debit 24.9
OTHER -10.10, FEE -0.20: credit 0, debit 10.299999999999999
SEEN
