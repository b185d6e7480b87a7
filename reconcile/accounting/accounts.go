package accounting

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// AccountRole is what an account of the journal is for. Its name is configuration; its role is what the posting rules know.
type AccountRole string

// The roles that the posting rules post to.
const (
	StripeBalance         AccountRole = "stripe_balance"         // what Stripe holds for us
	PurchaseClearing      AccountRole = "purchase_clearing"      // sold on the platform, not yet charged at Stripe, or the other way round
	RefundClearing        AccountRole = "refund_clearing"        // taken out of the credits, not yet paid back by Stripe, or the other way round
	DisputesReceivable    AccountRole = "disputes_receivable"    // withdrawn by chargebacks that are not lost yet
	PayoutsInTransit      AccountRole = "payouts_in_transit"     // left Stripe, not at the bank yet
	Bank                  AccountRole = "bank"                   // where payouts arrive
	PaidElsewhere         AccountRole = "paid_elsewhere"         // paid by customers, or to them, otherwise than through Stripe, as somebody has resolved
	StripeSuspense        AccountRole = "stripe_suspense"        // movements at Stripe that no rule knows
	RefundLiability       AccountRole = "refund_liability"       // paid for credits whose refund window is open
	ContractLiability     AccountRole = "contract_liability"     // paid for credits not used yet, past refunding
	CustomerBalances      AccountRole = "customer_balances"      // credit that customers have at Stripe, for their next invoices
	SubscriptionLiability AccountRole = "subscription_liability" // paid for subscriptions without credits, for days that are still to come
	TaxPayable            AccountRole = "tax_payable"            // tax that invoices name, owed to the tax office
	CurrencyConversion    AccountRole = "currency_conversion"    // between the currency of a charge and that of its settlement, or that its purchase was booked in
	OpeningBalances       AccountRole = "opening_balances"       // what there was before the first night
	UsageRevenue          AccountRole = "usage_revenue"          // credits used, at their lots' prices
	SubscriptionRevenue   AccountRole = "subscription_revenue"   // subscriptions without credits, by the day
	CreditsTaken          AccountRole = "credits_taken"          // value of credits taken by adjustments
	FeesWithheld          AccountRole = "fees_withheld"          // fees kept back from refunds (clause 2.2)
	ProcessingFees        AccountRole = "processing_fees"        // what Stripe took
	DisputeLosses         AccountRole = "dispute_losses"         // chargebacks lost
	ExchangeDifferences   AccountRole = "exchange_differences"   // gains and losses on what went back at another rate than it came
	CreditsHeld           AccountRole = "credits_held"           // credits that customers hold, in credits
	CreditsSold           AccountRole = "credits_sold"           // and where they came from and went
	CreditsPromoted       AccountRole = "credits_promoted"       //
	CreditsUsed           AccountRole = "credits_used"           //
	CreditsCreditedBack   AccountRole = "credits_credited_back"  //
	CreditsRefunded       AccountRole = "credits_refunded"       //
	CreditsAdjusted       AccountRole = "credits_adjusted"       //
	CreditsLate           AccountRole = "credits_late"           //
	CreditsOpening        AccountRole = "credits_opening"        //
)

// Account is an account of the chart.
type Account struct {
	// Name as plain-text accounting has it: parts joined by colons, the first of them Assets, Liabilities, Equity, Income or Expenses. In
	// the journal the currency is one more part: one account holds one currency.
	Name string
	// Code is the account's number in the accounting package that exports go to; "" where none was given.
	Code string
}

// Chart is the chart of accounts: an account for every role.
type Chart struct {
	accounts map[AccountRole]Account
}

// DefaultChart names every account.
func DefaultChart() Chart {
	return Chart{accounts: map[AccountRole]Account{
		StripeBalance:         {"Assets:Stripe:Balance", "1100"},
		PurchaseClearing:      {"Assets:Stripe:Purchase-Clearing", "1110"},
		PayoutsInTransit:      {"Assets:Stripe:Payouts-In-Transit", "1120"},
		DisputesReceivable:    {"Assets:Stripe:Disputes", "1130"},
		StripeSuspense:        {"Assets:Stripe:Suspense", "1190"},
		Bank:                  {"Assets:Bank", "1000"},
		PaidElsewhere:         {"Assets:Paid-Elsewhere", "1010"},
		RefundLiability:       {"Liabilities:Credits:Refundable", "2100"},
		ContractLiability:     {"Liabilities:Credits:Contract", "2110"},
		SubscriptionLiability: {"Liabilities:Subscriptions", "2120"},
		RefundClearing:        {"Liabilities:Refunds-Payable", "2130"},
		CustomerBalances:      {"Liabilities:Customer-Balances", "2140"},
		TaxPayable:            {"Liabilities:Tax-Payable", "2150"},
		CurrencyConversion:    {"Equity:Currency-Conversion", "3200"},
		OpeningBalances:       {"Equity:Opening-Balances", "3100"},
		UsageRevenue:          {"Income:Credits:Used", "4000"},
		CreditsTaken:          {"Income:Credits:Adjustments", "4010"},
		SubscriptionRevenue:   {"Income:Subscriptions", "4030"},
		FeesWithheld:          {"Income:Refund-Fees-Withheld", "4020"},
		ProcessingFees:        {"Expenses:Stripe:Fees", "6000"},
		DisputeLosses:         {"Expenses:Stripe:Disputes-Lost", "6010"},
		ExchangeDifferences:   {"Expenses:Exchange-Differences", "6020"},
		CreditsHeld:           {"Liabilities:Credit-Units:Held", ""},
		CreditsSold:           {"Equity:Credit-Units:Sold", ""},
		CreditsPromoted:       {"Equity:Credit-Units:Promotions", ""},
		CreditsUsed:           {"Equity:Credit-Units:Used", ""},
		CreditsCreditedBack:   {"Equity:Credit-Units:Credited-Back", ""},
		CreditsRefunded:       {"Equity:Credit-Units:Refunded", ""},
		CreditsAdjusted:       {"Equity:Credit-Units:Adjustments", ""},
		CreditsLate:           {"Equity:Credit-Units:Late-Items", ""},
		CreditsOpening:        {"Equity:Credit-Units:Opening", ""},
	}}
}

// accountName is what hledger, ledger and beancount all take.
var accountName = regexp.MustCompile(`^(Assets|Liabilities|Equity|Income|Expenses)(:[A-Z0-9][A-Za-z0-9-]*)+$`)

var accountCode = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ./-]{0,9}$`)

// With returns the chart with other accounts for some roles; an empty Name or Code keeps what there is. Every fault is reported, by role.
func (c Chart) With(changes map[AccountRole]Account) (Chart, error) {
	changed := Chart{accounts: maps.Clone(c.accounts)}
	var faults []error
	for _, role := range slices.Sorted(maps.Keys(changes)) {
		account, known := changed.accounts[role]
		if !known {
			faults = append(faults, fmt.Errorf("account %q: there is no such role; there are %s", role, strings.Join(c.roleNames(), ", ")))
			continue
		}
		if to := changes[role]; to.Name != "" {
			account.Name = to.Name
		}
		if to := changes[role]; to.Code != "" {
			account.Code = to.Code
		}
		if !accountName.MatchString(account.Name) {
			faults = append(faults, fmt.Errorf("account %q: name %q: want parts joined by colons, the first Assets, Liabilities, Equity, Income or Expenses, each beginning with a capital letter or a digit, of letters, digits and hyphens", role, account.Name))
		}
		if account.Code != "" && !accountCode.MatchString(account.Code) {
			faults = append(faults, fmt.Errorf("account %q: code %q: want up to 10 letters and digits", role, account.Code))
		}
		changed.accounts[role] = account
	}
	byName := map[string]AccountRole{}
	for _, role := range changed.Roles() {
		name := changed.accounts[role].Name
		if other, taken := byName[name]; taken {
			faults = append(faults, fmt.Errorf("accounts %q and %q: both are %s", other, role, name))
		}
		byName[name] = role
	}
	if err := errors.Join(faults...); err != nil {
		return Chart{}, err
	}
	return changed, nil
}

// Roles are all roles, in the order of their names.
func (c Chart) Roles() []AccountRole { return slices.Sorted(maps.Keys(c.accounts)) }

func (c Chart) roleNames() []string {
	var names []string
	for _, role := range c.Roles() {
		names = append(names, string(role))
	}
	return names
}

// IsZero says whether the chart is none at all.
func (c Chart) IsZero() bool { return c.accounts == nil }

// Account is the account of a role.
func (c Chart) Account(role AccountRole) Account { return c.accounts[role] }

// Name is the full name of a role's account in a currency.
func (c Chart) Name(role AccountRole, currency string) string {
	name := c.accounts[role].Name
	if currency == CreditUnit {
		return name
	}
	return name + ":" + strings.ToUpper(currency)
}

// Code is the code of the account that an account of the journal, its currency included, belongs to; "" where there is none.
func (c Chart) Code(journalAccount string) string {
	for _, account := range c.accounts {
		if rest, ok := strings.CutPrefix(journalAccount, account.Name); ok && (rest == "" || rest[0] == ':' && len(rest) == 4) {
			return account.Code
		}
	}
	return ""
}

// IsPermanent says whether the account's balance is carried from night to night: assets, liabilities and equity, but not what credit units
// came from and went to, which like income and expenses is only counted.
func (r AccountRole) IsPermanent() bool {
	switch r {
	case UsageRevenue, SubscriptionRevenue, CreditsTaken, FeesWithheld, ProcessingFees, DisputeLosses, ExchangeDifferences,
		CreditsSold, CreditsPromoted, CreditsUsed, CreditsCreditedBack, CreditsRefunded, CreditsAdjusted, CreditsLate, CreditsOpening, OpeningBalances:
		return false
	default:
		return true
	}
}

// HasOpenItems says whether the account's balance is made of things that are to be settled one by one: clearing, payables, disputes, payouts on
// their way, what no rule knows, what customers have in balance, and tax.
func (r AccountRole) HasOpenItems() bool {
	switch r {
	case PurchaseClearing, RefundClearing, DisputesReceivable, PayoutsInTransit, StripeSuspense, CustomerBalances, TaxPayable:
		return true
	default:
		return false
	}
}
