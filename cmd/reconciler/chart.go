package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"go.yaml.in/yaml/v3"

	"github.com/hummingbytes/reconciler/reconcile"
)

// loadChart reads a chart of accounts: for some roles other names and codes than the built-in chart's.
//
//	accounts:
//	  usage_revenue: {name: "Income:Sales:Compute", code: "4100"}
func loadChart(path string) (reconcile.Chart, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return reconcile.Chart{}, err
	}
	var file struct {
		Accounts map[reconcile.AccountRole]struct {
			Name string `yaml:"name"`
			Code string `yaml:"code"`
		} `yaml:"accounts"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		var wrong *yaml.TypeError
		if errors.As(err, &wrong) {
			for i, fault := range wrong.Errors {
				wrong.Errors[i], _, _ = strings.Cut(fault, " in type ") // of Go's
			}
			err = errors.New(strings.Join(wrong.Errors, "; "))
		}
		return reconcile.Chart{}, fmt.Errorf("%s: %w", path, err)
	}
	changes := map[reconcile.AccountRole]reconcile.Account{}
	for role, account := range file.Accounts {
		changes[role] = reconcile.Account{Name: account.Name, Code: account.Code}
	}
	chart, err := reconcile.DefaultChart().With(changes)
	if err != nil {
		return reconcile.Chart{}, fmt.Errorf("%s: %w", path, err)
	}
	return chart, nil
}

// chartTable is the built-in chart as --help shows it.
func chartTable() string {
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	chart := reconcile.DefaultChart()
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
