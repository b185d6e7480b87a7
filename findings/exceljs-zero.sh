#!/usr/bin/env bash
# exceljs 4.4.0: a formula that comes to 0 is read back without its result.
# The file has <f>1-1</f><v>0</v>; the cell's value is {formula: "1-1"}, as if nobody had calculated it, while 1 is {formula, result: 1}.
# Matters where 0 is the answer that counts, as in a difference: take a missing result for "0 or not calculated", never for "no value".
# Needs node, npm and its registry. Fails once this is no longer so.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts exceljs@4.4.0 xlsx@0.18.5 >/dev/null
said=$(node -e '
const XLSX = require("xlsx"), { Workbook } = require("exceljs")
const sheet = { A1: { t: "n", f: "1-1", v: 0 }, A2: { t: "n", f: "2-1", v: 1 }, "!ref": "A1:A2" }
XLSX.writeFile({ SheetNames: ["s"], Sheets: { s: sheet } }, "book.xlsx")
const book = new Workbook()
book.xlsx.readFile("book.xlsx").then(() => console.log(JSON.stringify(["A1", "A2"].map((c) => book.worksheets[0].getCell(c).value))))')
echo "exceljs 4.4.0 reads 1-1 and 2-1, stored as 0 and 1, as: $said"
[[ $said == '[{"formula":"1-1"},{"formula":"2-1","result":1}]' ]]
