#!/usr/bin/env bash
# github.com/xuri/excelize/v2 v2.11.0, CalcCellValue: of a range NPV discounts the first cell and drops the rest; SUM adds numbers kept as text
# and counts TRUE as 1; DOLLARDE and DOLLARFR take a negative price one whole unit further from zero. No error is returned.
# ECMA-376, Part 1, 18.17.7 (NPV, SUM, DOLLARDE, DOLLARFR): of an array or reference the numbers count, while empty cells, logical values and
# text are ignored; DOLLARDE only rewrites the fraction. Gnumeric 1.12.55 reads the same cells as 11.27, 5.5, -1.125 and -1.02, LibreOffice 7.4
# too but for the TRUE.
# Matters where a server checks or shows what a workbook adds up to: the same file says another figure once a person opens it, and the usual
# way to keep a number of more than 15 digits is text. Needs go and its module proxy. Fails once this is no longer so.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
cat >main.go <<'GO'
package main

import (
	"fmt"

	"github.com/xuri/excelize/v2"
)

func main() {
	file := excelize.NewFile()
	for cell, value := range map[string]any{"A1": -100, "A2": 60, "A3": 70, "B1": 5.5, "B2": "10", "B3": true} {
		if err := file.SetCellValue("Sheet1", cell, value); err != nil {
			panic(err)
		}
	}
	for _, formula := range []string{"NPV(0.1,A1,A2,A3)", "NPV(0.1,A1:A3)", "SUM(B1:B3)", "DOLLARDE(1.02,16)", "DOLLARDE(-1.02,16)", "DOLLARFR(-1.125,16)"} {
		if err := file.SetCellFormula("Sheet1", "C1", formula); err != nil {
			panic(err)
		}
		value, err := file.CalcCellValue("Sheet1", "C1", excelize.Options{RawCellValue: true})
		fmt.Println(formula, value, err)
	}
}
GO
go mod init finding 2>/dev/null
go get github.com/xuri/excelize/v2@v2.11.0 2>/dev/null
go run . | tee said
diff said - <<'SEEN' || { echo "This has changed." >&2; exit 1; }
NPV(0.1,A1,A2,A3) 11.2697220135236 <nil>
NPV(0.1,A1:A3) -90.9090909090909 <nil>
SUM(B1:B3) 16.5 <nil>
DOLLARDE(1.02,16) 1.125 <nil>
DOLLARDE(-1.02,16) -2.125 <nil>
DOLLARFR(-1.125,16) -2.02 <nil>
SEEN
