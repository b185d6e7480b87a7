package accounting

import (
	"strings"
	"testing"
)

func TestDefaultChartIsInOrder(t *testing.T) {
	if _, err := DefaultChart().With(nil); err != nil {
		t.Error(err)
	}
	codes := map[string]AccountRole{}
	for _, role := range DefaultChart().Roles() {
		code := DefaultChart().Account(role).Code
		if other, taken := codes[code]; taken && code != "" {
			t.Errorf("%s and %s have the same code %s", role, other, code)
		}
		codes[code] = role
	}
}

func TestChartWithOtherAccounts(t *testing.T) {
	chart, err := DefaultChart().With(map[AccountRole]Account{UsageRevenue: {Name: "Income:Sales:Compute", Code: "4711"}, Bank: {Code: "1-200"}})
	if err != nil {
		t.Fatal(err)
	}
	if name := chart.Name(UsageRevenue, "eur"); name != "Income:Sales:Compute:EUR" {
		t.Error(name)
	}
	if code := chart.Code("Income:Sales:Compute:EUR"); code != "4711" {
		t.Error(code)
	}
	if account := chart.Account(Bank); account != (Account{"Assets:Bank", "1-200"}) {
		t.Error(account)
	}
	if name := chart.Name(CreditsHeld, CreditUnit); name != "Liabilities:Credit-Units:Held" {
		t.Error(name)
	}
	if code := chart.Code("Income:Sales:Compute:EUR:X"); code != "" {
		t.Error("a code for an account that is none of the chart's:", code)
	}
	for account, want := range map[string]string{"Assets:Bank:USD": "1-200", "Assets:Bank": "1-200", "Assets:Bankers": "", "Assets:Bank:USDX": "", "Assets:Bank-USD": "", "Assets:Bank:Eu": ""} {
		if code := chart.Code(account); code != want {
			t.Errorf("%s has code %q", account, code)
		}
	}
	if held, err := DefaultChart().With(map[AccountRole]Account{CreditsHeld: {Name: "Liabilities:Units"}}); err != nil || held.Account(CreditsHeld) != (Account{Name: "Liabilities:Units"}) {
		t.Errorf("an account without a code: %+v, %v", held.Account(CreditsHeld), err)
	}
	if DefaultChart().Account(UsageRevenue).Code == "4711" {
		t.Error("the default chart was changed")
	}
}

func TestChartNamesEveryFault(t *testing.T) {
	_, err := DefaultChart().With(map[AccountRole]Account{
		"a_role":          {Name: "Income:X"},
		"revenue":         {Name: "Income:X"},
		Bank:              {Name: "bank"},
		PayoutsInTransit:  {Name: "Assets:with blank"},
		ContractLiability: {Name: "Liabilities:Same"},
		RefundLiability:   {Name: "Liabilities:Same"},
		ProcessingFees:    {Code: "=1+1"},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{`account "a_role": there is no such role`, `account "revenue": there is no such role`, `account "bank": name "bank"`, `"payouts_in_transit": name "Assets:with blank"`,
		"both are Liabilities:Same", `code "=1+1"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q in\n%v", want, err)
		}
	}
}

// What is carried from night to night is what a balance sheet has; income, expenses and where credits came from are only counted.
func TestPermanentAccountsAreThoseOfABalanceSheet(t *testing.T) {
	for _, role := range DefaultChart().Roles() {
		name := DefaultChart().Account(role).Name
		want := strings.HasPrefix(name, "Assets:") || strings.HasPrefix(name, "Liabilities:") || role == CurrencyConversion
		if role.IsPermanent() != want {
			t.Errorf("%s (%s): permanent is %t", role, name, role.IsPermanent())
		}
	}
}

func TestNoChartAtAll(t *testing.T) {
	if !(Chart{}).IsZero() || DefaultChart().IsZero() {
		t.Error("IsZero")
	}
}
