package main

import (
	"bytes"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/hummingbytes/reconciler/reconcile/accounting"
)

// chartTable is the built-in chart as --help shows it.
func chartTable() string {
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	chart := accounting.DefaultChart()
	for _, role := range chart.Roles() {
		account := chart.Account(role)
		fmt.Fprint(table, "  ", role, "\t", account.Name, "\t", account.Code, "\n") // a row without its last tab would end the column
	}
	_ = table.Flush() // to memory
	lines := strings.Split(text.String(), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}
