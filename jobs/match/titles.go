package match

// titles are how people read the control totals about Stripe, by the keys that statements use: the title of the total over the night's own objects,
// and that of the total over objects which are looked at again because a break of them is open.
var titles = map[string]struct{ own, again string }{
	"balance_transactions": {"balance transactions", "balance transactions again"},
	"payouts":              {"payouts", "payouts again"},
	"balances":             {"Stripe balances", ""},
	"purchases":            {"purchases at Stripe", "purchases at Stripe again"},
	"charges":              {"charges on the platform", "charges on the platform again"},
	"refunds_stood":        {"refunds that stood", "refunds that stood, again"},
	"refunds_credits":      {"refunds whose credits were taken", "refunds whose credits were taken, again"},
	"refunds_policy":       {"refunds that the policy allows", "refunds that the policy allows, again"},
	"refunds_amount":       {"refunds of the right amount", "refunds of the right amount, again"},
	"ledger_refunds":       {"refunds of the ledger at Stripe", "refunds of the ledger at Stripe, again"},
	"approved_refunds":     {"approved refunds", "approved refunds, again"},
	"open_disputes":        {"open disputes and their accounts", ""},
	"dispute_money":        {"disputes and their money", ""},
	"disputed_charges":     {"disputed charges and their refunds", ""},
	"subscriptions":        {"subscriptions and their access", ""},
	"plan_changes":         {"changes of plan", "changes of plan again"},
	"invoices":             {"invoices of subscriptions", "invoices of subscriptions again"},
	"subscription_refunds": {"refunds of subscriptions", "refunds of subscriptions again"},
}
