// Package tables has the rows of a night's tables, their columns, and the CSV files that they are written to.
package tables

import (
	"context"
	"fmt"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
)

// Rows streams a table's rows, sorted by its first columns, into fn. An error of fn ends the stream and is returned as it is.
// Nil is a table without rows.
type Rows[T any] func(ctx context.Context, fn func(T) error) error

// Of is rows that are in memory already.
func Of[T any](rows ...T) Rows[T] {
	return func(_ context.Context, fn func(T) error) error {
		for _, row := range rows {
			if err := fn(row); err != nil {
				return err
			}
		}
		return nil
	}
}

// The row types below are the columns of the files, written once: the order of the fields is the order of the columns, the tag
// `db` names the column in the statement and, unless `csv` says otherwise, in the file. A field with csv:"-" is for the page and
// the workbook only. `money` names the column with the amount's currency; `total` lets the workbook add the column up.

// Moment is an instant that may be missing.
type Moment struct{ time.Time }

// Scan reads a timestamp; null is the zero time.
func (m *Moment) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		m.Time = time.Time{}
	case time.Time:
		m.Time = v
	default:
		return fmt.Errorf("moment: cannot read %T", src)
	}
	return nil
}

// MarshalJSON writes null for the zero time.
func (m Moment) MarshalJSON() ([]byte, error) {
	if m.IsZero() {
		return []byte("null"), nil
	}
	return m.Time.UTC().MarshalJSON()
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Moment) UnmarshalJSON(text []byte) error { return m.Time.UnmarshalJSON(text) }

// Break is a row of breaks.csv: a break that is open at the end of the night, or was resolved or cleared in it.
type Break struct {
	BreakID     string              `db:"break_id"`
	Kind        reconcile.BreakKind `db:"kind"`
	Severity    reconcile.Severity  `db:"severity"`
	Status      string              `db:"status"` // open, resolved, cleared
	AccountID   string              `db:"account_id"`
	SubjectType string              `db:"subject_type"`
	SubjectID   string              `db:"subject_id"`
	Field       string              `db:"field"`
	Ours        string              `db:"ours" money:"unit"`
	Theirs      string              `db:"theirs" money:"unit"`
	Variance    numbers.Number      `db:"variance" money:"unit"`
	Unit        string              `db:"unit"`
	FirstSeen   reconcile.Date      `db:"first_seen"`
	LastSeen    reconcile.Date      `db:"last_seen"`
	AgeDays     int64               `db:"age_days"`
	Action      string              `db:"action"`
	Detail      string              `db:"detail"`
}

// CreditBack is a row of credit_backs.csv: a job that failed, was interrupted or canceled that night, or was credited back in it, or whose failure has
// a class since. One that a night has credited more than once has a row for each.
// Amounts are credits.
type CreditBack struct {
	JobID          string         `db:"job_id"`
	AccountID      string         `db:"account_id"`
	Kind           string         `db:"kind"`
	FailureCode    string         `db:"failure_code"`
	Class          string         `db:"class"`
	Debited        numbers.Number `db:"debited" total:"yes"`
	CreditedBefore numbers.Number `db:"credited_before" total:"yes"`
	CreditBack     numbers.Number `db:"credit_back" total:"yes"`
	Decision       string         `db:"decision"` // credited, not_due, pending
	Clause         string         `db:"clause"`
	Reason         string         `db:"reason"`
	EntryID        string         `db:"entry_id"`
}

// RefundWindow is a row of refund_windows.csv.
type RefundWindow struct {
	PurchaseID      string         `db:"purchase_id"`
	AccountID       string         `db:"account_id"`
	CompletedAt     time.Time      `db:"completed_at"`
	ExpiresAt       time.Time      `db:"expires_at"`
	State           string         `db:"state"`
	Credits         int64          `db:"credits" total:"yes"`
	UsedCredits     int64          `db:"used_credits" total:"yes"`
	AmountMinor     int64          `db:"amount_minor" money:"currency"`
	FeeMinor        numbers.Number `db:"fee_minor" money:"currency"`        // none: Stripe has not said, or took it in another currency
	RefundableMinor numbers.Number `db:"refundable_minor" money:"currency"` // likewise
	Currency        string         `db:"currency"`
}

// RefundDecision is a row of refund_decisions.csv: a request that was undecided when the night began, or arrived in it.
type RefundDecision struct {
	RequestID   string         `db:"request_id"`
	AccountID   string         `db:"account_id"`
	PurchaseID  string         `db:"purchase_id"`
	JobID       string         `db:"job_id"`
	RequestedAt time.Time      `db:"requested_at"`
	DueDate     reconcile.Date `db:"due_date"`
	Decision    string         `db:"decision"` // approve, deny, needs_information, waiting
	RefundMinor numbers.Number `db:"refund_minor" money:"currency"`
	Currency    string         `db:"currency"`
	Clauses     string         `db:"clauses"`
	Reasons     string         `db:"reasons"`
	DaysLeft    int64          `db:"days_left" csv:"-"` // business days to the due date; below 0: overdue
}

// RollForward is a row of roll_forward.csv: opening to closing of one measure (credits, or a currency in minor units).
type RollForward struct {
	Measure         string         `db:"measure" json:"measure"`
	Opening         numbers.Number `db:"opening" json:"opening" money:"measure"`
	Purchases       numbers.Number `db:"purchases" json:"purchases" money:"measure"`
	Promotions      numbers.Number `db:"promotions" json:"promotions" money:"measure"`
	Usage           numbers.Number `db:"usage" json:"usage" money:"measure"`
	CreditBacks     numbers.Number `db:"credit_backs" json:"credit_backs" money:"measure"`
	Refunds         numbers.Number `db:"refunds" json:"refunds" money:"measure"`
	Adjustments     numbers.Number `db:"adjustments" json:"adjustments" money:"measure"`
	LateItems       numbers.Number `db:"late_items" json:"late_items" money:"measure"`
	Closing         numbers.Number `db:"closing" json:"closing" money:"measure"`
	ClosingFromLots numbers.Number `db:"closing_from_lots" json:"closing_from_lots" money:"measure"`
	Difference      numbers.Number `db:"difference" json:"difference" money:"measure"`
}

// StripeActivity is a row of stripe_activity.csv: the night's balance transactions as Stripe's own balance summary groups them.
type StripeActivity struct {
	ReportingCategory string         `db:"reporting_category" json:"reporting_category"`
	Currency          string         `db:"currency" json:"currency"`
	Count             int64          `db:"count" json:"count" total:"yes"`
	Gross             numbers.Number `db:"gross" json:"gross" money:"currency"`
	Fee               numbers.Number `db:"fee" json:"fee" money:"currency"`
	Net               numbers.Number `db:"net" json:"net" money:"currency"`
}

// StripeCash is a row of stripe_cash.csv: opening + activity + payouts = closing of the Stripe balance in one currency, and what
// Stripe's own Balance object says of it, where there is one that belongs to the night.
type StripeCash struct {
	Currency             string         `db:"currency" json:"currency"`
	OpeningMinor         numbers.Number `db:"opening_minor" json:"opening_minor" money:"currency"`
	ActivityMinor        numbers.Number `db:"activity_minor" json:"activity_minor" money:"currency"`
	PayoutsMinor         numbers.Number `db:"payouts_minor" json:"payouts_minor" money:"currency"`
	ClosingMinor         numbers.Number `db:"closing_minor" json:"closing_minor" money:"currency"`
	AvailableMinor       numbers.Number `db:"available_minor" json:"available_minor" money:"currency"`
	PendingMinor         numbers.Number `db:"pending_minor" json:"pending_minor" money:"currency"`
	BalanceAt            Moment         `db:"balance_at" json:"balance_at"`
	AfterMinor           numbers.Number `db:"after_minor" json:"after_minor" money:"currency"`
	StripeAvailableMinor numbers.Number `db:"stripe_available_minor" json:"stripe_available_minor" money:"currency"`
	StripePendingMinor   numbers.Number `db:"stripe_pending_minor" json:"stripe_pending_minor" money:"currency"`
	ResidualMinor        numbers.Number `db:"residual_minor" json:"residual_minor" money:"currency"`
}

// Payout is a row of payouts.csv with its tie-out: the amount, and what its balance transactions add up to.
type Payout struct {
	PayoutID      string         `db:"payout_id"`
	Currency      string         `db:"currency"`
	Status        string         `db:"status"`
	Automatic     bool           `db:"automatic"`
	Method        string         `db:"method"`
	Type          string         `db:"type"`
	CreatedAt     time.Time      `db:"created_at"`
	ArrivalDate   reconcile.Date `db:"arrival_date"`
	AmountMinor   int64          `db:"amount_minor" money:"currency"`
	Transactions  int64          `db:"transactions" total:"yes"`
	GrossMinor    numbers.Number `db:"gross_minor" money:"currency"`
	FeeMinor      numbers.Number `db:"fee_minor" money:"currency"`
	NetMinor      numbers.Number `db:"net_minor" money:"currency"`
	ReturnedMinor numbers.Number `db:"returned_minor" money:"currency"`
	ResidualMinor numbers.Number `db:"residual_minor" money:"currency"`
	TieOut        string         `db:"tie_out"` // tied, awaiting, not_itemised, returned, residual
}

// PayoutItem is a row of payout_items.csv: a balance transaction of a payout of payouts.csv, and the purchase that it is about.
type PayoutItem struct {
	PayoutID             string `db:"payout_id"`
	BalanceTransactionID string `db:"balance_transaction_id"`
	ReportingCategory    string `db:"reporting_category"`
	SourceID             string `db:"source_id"` // the charge, refund, dispute or other object of Stripe's that it is the transaction of
	PurchaseID           string `db:"purchase_id"`
	AccountID            string `db:"account_id"`
	GrossMinor           int64  `db:"gross_minor"`
	FeeMinor             int64  `db:"fee_minor"`
	NetMinor             int64  `db:"net_minor"`
	Currency             string `db:"currency"`
}

// BridgeItem is a row of bridge.csv: a purchase or a charge of the night that isn't each other's, and what it adds to the way from what was
// sold to what was charged.
type BridgeItem struct {
	Currency    string `db:"currency"`
	Step        string `db:"step"` // one of bridgeSteps
	PurchaseID  string `db:"purchase_id"`
	ChargeID    string `db:"charge_id"`
	AccountID   string `db:"account_id"`
	AmountMinor int64  `db:"amount_minor" money:"currency"`
}

// Dispute is a row of disputes.csv.
type Dispute struct {
	DisputeID          string         `db:"dispute_id"`
	AccountID          string         `db:"account_id"`
	PurchaseID         string         `db:"purchase_id"`
	ChargeID           string         `db:"charge_id"`
	Phase              string         `db:"phase"` // inquiry, chargeback, won, lost, closed
	Status             string         `db:"status"`
	Reason             string         `db:"reason"`
	OpenedAt           time.Time      `db:"opened_at"`
	EvidenceDueBy      Moment         `db:"evidence_due_by"`
	AmountMinor        int64          `db:"amount_minor" money:"currency"`
	Currency           string         `db:"currency"`
	WithdrawnMinor     numbers.Number `db:"withdrawn_minor" money:"settlement_currency"`
	ReturnedMinor      numbers.Number `db:"returned_minor" money:"settlement_currency"`
	FeesMinor          numbers.Number `db:"fees_minor" money:"settlement_currency"`
	SettlementCurrency string         `db:"settlement_currency"`
	RefundedMinor      numbers.Number `db:"refunded_minor" money:"currency"`
	ClawbackMinor      numbers.Number `db:"clawback_minor" money:"currency"`
	ReinstatementMinor numbers.Number `db:"reinstatement_minor" money:"settlement_currency"`
	AccountStatus      string         `db:"account_status"`
	ReviewSuspension   bool           `db:"review_suspension"`
	TieOut             string         `db:"tie_out"`
}

// Subscription is a row of subscriptions.csv.
type Subscription struct {
	SubscriptionID       string         `db:"subscription_id"`
	AccountID            string         `db:"account_id"`
	StripeSubscriptionID string         `db:"stripe_subscription_id"`
	Plan                 string         `db:"plan"`
	Status               string         `db:"status"`
	StripeStatus         string         `db:"stripe_status"`
	CurrentPeriodStart   Moment         `db:"current_period_start"`
	CurrentPeriodEnd     Moment         `db:"current_period_end"`
	PaidThrough          Moment         `db:"paid_through"`
	AccessEndsAt         Moment         `db:"access_ends_at"`
	Invoices             int64          `db:"invoices" total:"yes"`
	InvoicedMinor        numbers.Number `db:"invoiced_minor" money:"currency"`
	PaidMinor            numbers.Number `db:"paid_minor" money:"currency"`
	ProratedMinor        numbers.Number `db:"prorated_minor" money:"currency"`
	RefundedMinor        numbers.Number `db:"refunded_minor" money:"currency"`
	Currency             string         `db:"currency"`
	Changes              int64          `db:"changes" total:"yes"`
	TieOut               string         `db:"tie_out"` // tied, awaiting, or the kinds of its breaks
}

// ControlTotal is a row of control_totals.csv. Difference is scanned - matched - awaiting - breaks and must be 0.
type ControlTotal struct {
	Check      string         `db:"check_name" csv:"check" json:"check"`
	Unit       string         `db:"unit" json:"unit"`
	Scanned    numbers.Number `db:"scanned" json:"scanned" money:"unit"`
	Matched    numbers.Number `db:"matched" json:"matched" money:"unit"`
	Awaiting   numbers.Number `db:"awaiting" json:"awaiting" money:"unit"`
	Breaks     numbers.Number `db:"breaks" json:"breaks" money:"unit"`
	Difference numbers.Number `db:"difference" json:"difference" money:"unit"`
}

// Awaited is an object that awaits its counterpart: the oldest of its check, or one of the oldest.
type Awaited struct {
	Check     string         `db:"check_name"`
	Objects   int64          `db:"objects"` // of the check that are awaited
	SubjectID string         `db:"subject_id"`
	AccountID string         `db:"account_id"`
	Since     Moment         `db:"since"`
	Amount    numbers.Number `db:"amount"`
	Unit      string         `db:"unit"` // of the amount; empty: it has none
	Detail    string         `db:"detail"`
}

// Reject is a row of rejects.csv: a field of a source row that breaks the contract, which is why the row was left out.
type Reject struct {
	Relation  string `db:"relation"`
	RowID     string `db:"row_id"`
	Field     string `db:"field"`
	AccountID string `db:"account_id"`
	Value     string `db:"value"`
	Problem   string `db:"problem"`
}

// Notification is a row of notifications.csv: what a customer is to be told of a request's outcome.
type Notification struct {
	RequestID   string         `db:"request_id"`
	AccountID   string         `db:"account_id"`
	Outcome     string         `db:"outcome"`
	AmountMinor numbers.Number `db:"amount_minor" money:"currency"`
	Currency    string         `db:"currency"`
	Message     string         `db:"message"`
}

// JournalLine is a row of the workbook's sheet Journal: one side of an entry of the night's double-entry journal. Money columns are minor
// units of the currency; an entry in credits has them instead.
type JournalLine struct {
	EntryID     string         `db:"entry_id"`
	LineNo      int64          `db:"line_no"`
	AccountID   string         `db:"account_id"`
	Kind        string         `db:"kind"`
	Account     string         `db:"ledger_account"`
	Debit       numbers.Number `db:"debit" money:"currency"`
	Credit      numbers.Number `db:"credit" money:"currency"`
	Currency    string         `db:"currency"`
	Description string         `db:"description"`
	Source      string         `db:"source"`
	Clause      string         `db:"clause"`
}

// FileEntry is one file of the night.
type FileEntry struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Rows   *int64 `json:"rows,omitempty"` // of a CSV file, without its header
}

// RowCount is Rows for the template.
func (f FileEntry) RowCount() int64 { return *f.Rows }

// Signed is a line's amount: debits are above 0.
func (l JournalLine) Signed() numbers.Number {
	if l.Debit.Known() {
		return l.Debit
	}
	return l.Credit.Neg()
}
