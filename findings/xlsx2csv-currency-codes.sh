#!/usr/bin/env bash
# xlsx2csv 0.7.8 (Debian 12; 0.8.6, the newest source, does the same): an amount whose number format has a currency code in quotes is taken for
# a date if the code has a d, h, m, s or y in it. 12.50 as #,##0.00 "USD" comes out as the text #,##0.00 "us11": 11 is the day of month that
# serial 12.5 stands for, the amount is gone. So do AUD, CHF, HKD, JPY, MYR, SGD and the unit "days"; EUR, a code in brackets ([$USD]) and negative
# amounts come out right, so that a column is half amounts, half text. Exit status 0, nothing on stderr.
# Text between quotation marks is displayed as it is: ECMA-376, Part 1, 18.8.31 (numFmts, "Text and spacing").
# Matters to whoever reads a bank's or an accountant's workbook by it: give -f float (dates come as serials then), or read the raw cells.
# Needs node, npm, python3, Debian's package lists (apt-get update) and their registries. Fails once this is no longer so.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; chmod 755 "$dir"; cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts xlsx@0.18.5 >/dev/null
apt-get download xlsx2csv=1:0.7.8-1 >/dev/null 2>&1
dpkg -x xlsx2csv_*.deb root
node -e '
const XLSX = require("xlsx"), sheet = { "!ref": "A1:A8" }
const formats = ["#,##0.00", "#,##0.00 \"EUR\"", "#,##0.00 [$USD]", "#,##0.00 \"USD\"", "#,##0.00 \"CHF\"", "#,##0.00 \"JPY\"", "0.00 \"days\""]
formats.forEach((z, i) => { sheet["A" + (i + 1)] = { t: "n", v: 12.5, z } })
sheet.A8 = { t: "n", v: -12.5, z: "#,##0.00 \"USD\"" }
XLSX.writeFile({ SheetNames: ["s"], Sheets: { s: sheet } }, "book.xlsx")'
python3 root/usr/share/xlsx2csv/xlsx2csv.py book.xlsx 2>errors | tee said
[ ! -s errors ]
diff said - <<'SEEN' || { echo "This has changed." >&2; exit 1; }
12.5
12.5
12.5
"#,##0.00 ""us11"""
"#,##0.00 ""c12f"""
"#,##0.00 ""jpy"""
"0.00 ""11ays"""
-12.5
SEEN
