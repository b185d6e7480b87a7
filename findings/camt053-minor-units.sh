#!/usr/bin/env bash
# npm iso20022.js 0.0.15: a camt.053 statement in yen is read a hundred times too large, one in Kuwaiti dinars ten times too
# small, and no entry is ever a reversal. It turns every amount into minor units with two decimals, whatever its Ccy says, and compares RvslInd
# with the text 'true' after its XML parser has made a boolean of it; '1', the other spelling of true in XML Schema, is not known either.
# Cents come as floats: 1.15 EUR is 114.99999999999999.
# By the standard the decimals of an amount follow its currency (ISO 20022, ActiveOrHistoricCurrencyAndAmount: rule "Currency Amount",
# which sends one to ISO 4217: JPY has 0, KWD has 3), and RvslInd says whether an entry is the result of a reversal
# (https://mx-message.com/m/camt-054-001-11/BkToCstmrDbtCdtNtfctn/Ntfctn/Ntry/RvslInd). The library's own types say the same.
# Matters to whoever takes a bank's file as one side of a reconciliation: take amounts from the XML. Needs node, npm and its registry.
# Fails once this is no longer so.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts iso20022.js@0.0.15 >/dev/null
cat >read.mjs <<'JS'
import { CashManagementEndOfDayReport } from 'iso20022.js'

const statement = (currency, amount, reversal) => `<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"><BkToCstmrStmt>
<GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-02-01T00:00:00</CreDtTm></GrpHdr>
<Stmt><Id>S1</Id><CreDtTm>2026-02-01T00:00:00</CreDtTm>
<Acct><Id><Othr><Id>12345</Id></Othr></Id><Ccy>${currency}</Ccy><Svcr><FinInstnId><BIC>BANKXXYY</BIC></FinInstnId></Svcr></Acct>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="${currency}">${amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-01-31</Dt></Dt></Bal>
<Ntry><Amt Ccy="${currency}">${amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd><RvslInd>${reversal}</RvslInd><Sts>BOOK</Sts>
<BookgDt><Dt>2026-01-31</Dt></BookgDt><BkTxCd><Prtry><Cd>NTRF</Cd></Prtry></BkTxCd></Ntry>
</Stmt></BkToCstmrStmt></Document>`

for (const [currency, amount, reversal] of [['JPY', '1500', 'true'], ['KWD', '1.234', 'true'], ['EUR', '1.15', '1']]) {
  const { balances: [balance], entries: [entry] } = CashManagementEndOfDayReport.fromXML(statement(currency, amount, reversal)).statements[0]
  console.log(`${currency} ${amount}: balance ${balance.amount}, entry ${entry.amount}, reversal ${entry.reversal}`)
}
JS
node read.mjs | tee said
diff said - <<'SEEN' || { echo "This has changed." >&2; exit 1; }
JPY 1500: balance 150000, entry 150000, reversal false
KWD 1.234: balance 123.4, entry 123.4, reversal false
EUR 1.15: balance 114.99999999999999, entry 114.99999999999999, reversal false
SEEN
