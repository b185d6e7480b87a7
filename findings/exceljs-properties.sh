#!/usr/bin/env bash
# excelize 2.11.0 and exceljs 4.4.0: a workbook whose properties were set with SetDocProps can't be read.
# excelize declares the properties' namespace as the default one and writes <lastModifiedBy>; that is the same XML as <cp:lastModifiedBy>,
# but exceljs compares names with their prefix and refuses the whole file. Matters to whoever writes workbooks in Go for people with Node:
# write docProps/core.xml with the prefix yourself. Needs go, node, npm and their registries. Fails once this is no longer so.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts exceljs@4.4.0 >/dev/null
cat >main.go <<'GO'
package main

import "github.com/xuri/excelize/v2"

func main() {
	f := excelize.NewFile()
	if err := f.SetDocProps(&excelize.DocProperties{Title: "t", LastModifiedBy: "somebody"}); err != nil {
		panic(err)
	}
	if err := f.SaveAs("book.xlsx"); err != nil {
		panic(err)
	}
}
GO
go mod init finding 2>/dev/null
go get github.com/xuri/excelize/v2@v2.11.0 2>/dev/null
go run .
said=$(node -e 'new (require("exceljs").Workbook)().xlsx.readFile("book.xlsx").then(() => console.log("read"), (e) => console.log(e.message))')
echo "exceljs 4.4.0 on a workbook of excelize 2.11.0: $said"
[[ $said == *lastModifiedBy* ]]
