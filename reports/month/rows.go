package month

import (
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/accounting"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// The row types are the columns of the month's files, as in package reports: `db` names a column in the statement and in the file, csv:"-"
// keeps it to the page and the workbook, `money` names the column with the amount's currency.

// TrialBalance is a row of trial_balance.csv: an account of the journal in one currency, debits above 0. Every account is carried on from the
// first night of the books, income and expenses too: there is no closing of a year here.
type TrialBalance struct {
	Account  string                 `db:"ledger_account"`
	Currency string                 `db:"currency"`
	Opening  numbers.Number         `db:"opening" money:"currency"`
	Debits   numbers.Number         `db:"debits" money:"currency"`
	Credits  numbers.Number         `db:"credits" money:"currency"`
	Closing  numbers.Number         `db:"closing" money:"currency"`
	Role     accounting.AccountRole `db:"role" csv:"-"`
}

// OpenItem is a row of open_items.csv: something that an account's balance consists of. Amounts are signed as the account's balance is.
type OpenItem struct {
	Account     string                 `db:"ledger_account"`
	Currency    string                 `db:"currency"`
	ItemType    string                 `db:"item_type"` // purchase, charge, refund, dispute, payout, balance_transaction, account, month (of tax)
	ItemID      string                 `db:"item_id"`
	AccountID   string                 `db:"account_id"`
	OpenedOn    reconcile.Date         `db:"opened_on"`
	AgeDays     int64                  `db:"age_days"`
	Amount      numbers.Number         `db:"amount" money:"currency"`
	BreakID     string                 `db:"break_id"`
	Explanation string                 `db:"explanation"`
	Role        accounting.AccountRole `db:"role" csv:"-"`
}

// Waterfall is a row of revenue_waterfall.csv: what was sold in a month, and what has become of it. Sold = refunded + earned before this month
// + earned in it + remaining, which is still owed. What an invoice moves between a subscription and the customer's balance, a proration, is sold in
// the month of that invoice; a month is "" where something was opened with the books and no purchase says when it was sold.
type Waterfall struct {
	SoldMonth    string         `db:"sold_month"`
	Kind         string         `db:"kind"` // credits, subscription
	Currency     string         `db:"currency"`
	Sold         numbers.Number `db:"sold" money:"currency"`
	Refunded     numbers.Number `db:"refunded" money:"currency"`
	EarnedBefore numbers.Number `db:"earned_before" money:"currency"`
	Earned       numbers.Number `db:"earned" money:"currency"`
	Remaining    numbers.Number `db:"remaining" money:"currency"`
}

// Break is a row of breaks.csv: a break that is open at the end of the month, with who works on it and what is known.
type Break struct {
	BreakID     string              `db:"break_id"`
	Kind        reconcile.BreakKind `db:"kind"`
	Severity    reconcile.Severity  `db:"severity"`
	Status      string              `db:"status"`
	AccountID   string              `db:"account_id"`
	SubjectType string              `db:"subject_type"`
	SubjectID   string              `db:"subject_id"`
	Field       string              `db:"field"`
	Ours        string              `db:"ours"`
	Theirs      string              `db:"theirs"`
	Variance    numbers.Number      `db:"variance" money:"unit"`
	Unit        string              `db:"unit"`
	FirstSeen   reconcile.Date      `db:"first_seen"`
	LastSeen    reconcile.Date      `db:"last_seen"`
	AgeDays     int64               `db:"age_days"`
	Action      string              `db:"action"`
	Detail      string              `db:"detail"`
	Owner       string              `db:"owner"`
	State       string              `db:"state"` // open, investigating
	DueOn       reconcile.Date      `db:"due_on"`
	Note        string              `db:"note"`
}

// JournalLine is a row of journal.csv: a line of a night's journal with its night.
type JournalLine struct {
	BusinessDate reconcile.Date `db:"business_date"`
	tables.JournalLine
}

// Refund is a refund that was posted at Stripe in the month, or that failed there after all.
type Refund struct {
	BookedOn             reconcile.Date `db:"booked_on"`
	Category             string         `db:"reporting_category"`
	BalanceTransactionID string         `db:"balance_transaction_id"`
	RefundID             string         `db:"refund_id"`
	ChargeID             string         `db:"charge_id"`
	PurchaseID           string         `db:"purchase_id"`
	AccountID            string         `db:"account_id"`
	AmountMinor          numbers.Number `db:"amount_minor" money:"currency"`
	Currency             string         `db:"currency"`
	Reason               string         `db:"reason"`
}

// LateItem is something that arrived late and was booked in the month, with the day that it belongs to.
type LateItem struct {
	BookedOn  reconcile.Date `db:"booked_on"`
	BelongsTo reconcile.Date `db:"belongs_to"`
	ItemType  string         `db:"item_type"` // credit_entry, purchase, balance_transaction
	ItemID    string         `db:"item_id"`
	AccountID string         `db:"account_id"`
	Amount    numbers.Number `db:"amount" money:"unit"`
	Unit      string         `db:"unit"`
	Signed    string         `db:"signed"` // the month that it belongs to, where that had been closed before it arrived
}

// Income is a line of the income statement: revenue above 0, expenses below.
type Income struct {
	Account  string         `db:"ledger_account"`
	Currency string         `db:"currency"`
	Month    numbers.Number `db:"month" money:"currency"`
	Year     numbers.Number `db:"year_to_date" money:"currency"`
	IsTotal  bool           `db:"is_total"`
}

// Cash is Stripe's balance in one currency through the month.
type Cash struct {
	Currency      string         `db:"currency"`
	OpeningMinor  numbers.Number `db:"opening_minor" money:"currency"`
	ActivityMinor numbers.Number `db:"activity_minor" money:"currency"`
	PayoutsMinor  numbers.Number `db:"payouts_minor" money:"currency"`
	ClosingMinor  numbers.Number `db:"closing_minor" money:"currency"`
	ResidualMinor numbers.Number `db:"residual_minor" money:"currency"` // to Stripe's own figure; none: not compared
	ComparedOn    reconcile.Date `db:"compared_on"`
}

// Proof is a figure of the month that is worked out twice. Difference must be 0.
type Proof struct {
	What       string         `db:"what" json:"what"`
	Unit       string         `db:"unit" json:"unit"`
	One        numbers.Number `db:"one" json:"one" money:"unit"`
	Other      numbers.Number `db:"other" json:"other" money:"unit"`
	Difference numbers.Number `db:"difference" json:"difference" money:"unit"`
}

// Night is a night of the month.
type Night struct {
	BusinessDate   reconcile.Date `db:"business_date" json:"business_date"`
	Revision       int            `db:"revision" json:"revision"`
	ManifestSHA256 string         `db:"manifest_sha256" json:"manifest_sha256"`
	Status         figures.Status `db:"-" json:"status"`
	// BooksBegin is when the books that the night belongs to began; none: it has no journal.
	BooksBegin tables.Moment `db:"books_begin" json:"-"`
}
