package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/hummingbytes/reconciler/reconcile/accounting"
)

// loadChart reads a chart of accounts: for some roles other names and codes than the built-in chart's.
//
//	accounts:
//	  usage_revenue: {name: "Income:Sales:Compute", code: "4100"}
func loadChart(path string) (accounting.Chart, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return accounting.Chart{}, err
	}
	var file struct {
		Accounts map[accounting.AccountRole]struct {
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
		return accounting.Chart{}, fmt.Errorf("%s: %w", path, err)
	}
	changes := map[accounting.AccountRole]accounting.Account{}
	for role, account := range file.Accounts {
		changes[role] = accounting.Account{Name: account.Name, Code: account.Code}
	}
	chart, err := accounting.DefaultChart().With(changes)
	if err != nil {
		return accounting.Chart{}, fmt.Errorf("%s: %w", path, err)
	}
	return chart, nil
}
