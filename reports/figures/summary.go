// Package figures counts the rows of a night as they are written, and says what they come to: the figures of summary.json, which the page and the
// workbook show.
package figures

import (
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// Facts are what is known about a night before its first row is read.
type Facts struct {
	BusinessDate  reconcile.Date `json:"business_date"`
	Begin         time.Time      `json:"begin"`
	AsOf          time.Time      `json:"as_of"`
	TimeZone      string         `json:"time_zone"`
	CodeVersion   string         `json:"code_version"`
	PolicyVersion string         `json:"policy_version"`
	Stripe        StripeFacts    `json:"stripe"`
	Jobs          []JobRun       `json:"jobs"`
}

// StripeFacts say whether the night could look at Stripe. What nobody looked at must never read as clean.
type StripeFacts struct {
	Looked bool   `json:"looked"`
	Note   string `json:"note,omitempty"` // why not, or how far: one sentence
}

// JobMissing is the status of a job that has no run in the night.
const JobMissing = "missing"

// JobRun is how one job of the night ended.
type JobRun struct {
	Job    string `json:"job"`
	Status string `json:"status"` // completed, failed, stopped, skipped, running, or JobMissing
	Note   string `json:"note,omitempty"`
}

// Status is the night in one word.
type Status string

const (
	// StatusTied: every job completed and every difference is 0.
	StatusTied Status = "tied"
	// StatusUntied: a control total or a roll-forward does not tie.
	StatusUntied Status = "untied"
	// StatusIncomplete: a job failed or was stopped, so that something was not looked at.
	StatusIncomplete Status = "incomplete"
)

// Summary is the night in figures: summary.json, and what the page and the workbook's first sheet show. Amounts are minor units,
// whole numbers throughout.
type Summary struct {
	Schema   int `json:"schema"`
	Revision int `json:"revision"`
	Facts
	Status         Status                  `json:"status"`
	StatusReasons  []string                `json:"status_reasons"`
	Attention      []Attention             `json:"attention"`
	Breaks         BreakFigures            `json:"breaks"`
	CreditBacks    CreditBackFigures       `json:"credit_backs"`
	RefundWindows  WindowFigures           `json:"refund_windows"`
	RefundRequests RequestFigures          `json:"refund_requests"`
	RollForward    []tables.RollForward    `json:"roll_forward"`
	StripeActivity []tables.StripeActivity `json:"stripe_activity"`
	StripeCash     []tables.StripeCash     `json:"stripe_cash"`
	Payouts        PayoutFigures           `json:"payouts"`
	Bridge         []BridgeFigures         `json:"bridge"`
	Disputes       DisputeFigures          `json:"disputes"`
	Subscriptions  SubscriptionFigures     `json:"subscriptions"`
	ControlTotals  []tables.ControlTotal   `json:"control_totals"`
	Awaiting       []AwaitingFigures       `json:"awaiting"`
	Rejects        RejectFigures           `json:"rejects"`
	Notifications  int64                   `json:"notifications"`
	Trends         []NightFigures          `json:"trends"`
}

// Amount is a sum in a unit: a currency's minor units, credits, seconds, days, or rows ("").
type Amount struct {
	Unit  string         `json:"unit"`
	Value numbers.Number `json:"value"`
}

// Attention is something that somebody has to do something about.
type Attention struct {
	Severity   reconcile.Severity `json:"severity"`
	What       string             `json:"what"`
	Href       string             `json:"href"` // the part of the page that says more
	Open       int64              `json:"open"`
	New        int64              `json:"new"`
	OldestDays *int64             `json:"oldest_days,omitempty"` // since it was first seen; nil: it has no age
	AtStake    []Amount           `json:"at_stake"`
	Action     string             `json:"action"`
}

// Oldest is the age in words.
func (a Attention) Oldest() string {
	switch {
	case a.OldestDays == nil:
		return "–"
	case *a.OldestDays == 0:
		return "tonight"
	default:
		return numbers.Plural(*a.OldestDays, "day")
	}
}

// BreakFigures count the breaks that are open at the end of the night, and those that left in it.
type BreakFigures struct {
	Open       int64             `json:"open"`
	New        int64             `json:"new"` // first seen tonight
	Resolved   int64             `json:"resolved"`
	Cleared    int64             `json:"cleared"`
	BySeverity []SeverityFigures `json:"by_severity"`
	ByAge      []AgeFigures      `json:"by_age"`
	ByKind     []KindFigures     `json:"by_kind"`
	AtStake    []Amount          `json:"at_stake"` // variances of open breaks without their signs: errors and warnings
}

// SeverityFigures are the open breaks of one severity.
type SeverityFigures struct {
	Severity reconcile.Severity `json:"severity"`
	Open     int64              `json:"open"`
	AtStake  []Amount           `json:"at_stake"`
}

// AgeFigures are the open breaks first seen that long ago.
type AgeFigures struct {
	Age     string `json:"age"`
	Error   int64  `json:"error"`
	Warning int64  `json:"warning"`
	Info    int64  `json:"info"`
}

// KindFigures are the breaks of one kind.
type KindFigures struct {
	Kind       reconcile.BreakKind `json:"kind"`
	Severity   reconcile.Severity  `json:"severity"`
	Between    string              `json:"between"`
	Open       int64               `json:"open"`
	New        int64               `json:"new"`
	Closed     int64               `json:"closed"` // resolved or cleared tonight
	OldestDays int64               `json:"oldest_days"`
	AtStake    []Amount            `json:"at_stake"` // of the open ones, without their signs
	Net        []Amount            `json:"net"`      // of the open ones, ours - theirs

	Top []tables.Break `json:"-"` // the open ones that matter most
}

// CreditBackFigures count jobs that failed, and credits.
type CreditBackFigures struct {
	Jobs       int64             `json:"jobs"`
	ByDecision []CreditBackGroup `json:"by_decision"`
	ByClass    []CreditBackGroup `json:"by_class"`
	ByCode     []CreditBackGroup `json:"by_code"`    // most jobs first
	MoreCodes  int64             `json:"more_codes"` // jobs whose codes are not listed one by one
}

// CreditBackGroup is jobs and credits of a decision, a class, or a failure code.
type CreditBackGroup struct {
	Name     string         `json:"name"`
	Class    string         `json:"class,omitempty"`
	Jobs     int64          `json:"jobs"`
	Debited  numbers.Number `json:"debited"`
	Credited numbers.Number `json:"credited"`
}

// WindowFigures are the refund windows of refund_windows.csv.
type WindowFigures struct {
	ByState []WindowGroup   `json:"by_state"`
	Closing []ClosingWindow `json:"closing"`

	Next []tables.RefundWindow `json:"-"` // the open ones that close first
}

// WindowGroup is the windows in a state.
type WindowGroup struct {
	State   string         `json:"state"`
	Windows int64          `json:"windows"`
	Credits numbers.Number `json:"credits"`
	Money   []Amount       `json:"money"` // refundable; the amount paid where the fee isn't known
}

// ClosingWindow is the open windows that close within so many hours of as-of: a customer may still ask for that money.
type ClosingWindow struct {
	Hours   int64    `json:"hours"`
	Windows int64    `json:"windows"`
	Money   []Amount `json:"money"`
}

// RequestFigures are the refund requests of refund_decisions.csv.
type RequestFigures struct {
	Requests   int64           `json:"requests"`
	ByDecision []DecisionGroup `json:"by_decision"`
	Undecided  int64           `json:"undecided"`
	Overdue    int64           `json:"overdue"`
	DueSoon    int64           `json:"due_soon"` // undecided, at most 2 business days left
	ByDaysLeft []DaysLeftGroup `json:"by_days_left"`

	Urgent []tables.RefundDecision `json:"-"` // undecided, least days left first
	Final  []tables.RefundDecision `json:"-"` // decided tonight
}

// DecisionGroup is the requests with a decision, and the money that goes back.
type DecisionGroup struct {
	Decision string   `json:"decision"`
	Requests int64    `json:"requests"`
	Money    []Amount `json:"money"`
}

// DaysLeftGroup counts undecided requests by the business days left.
type DaysLeftGroup struct {
	Days     string `json:"days"`
	Requests int64  `json:"requests"`
}

// PayoutFigures are the payouts of payouts.csv.
type PayoutFigures struct {
	Payouts   int64         `json:"payouts"`
	InTransit []PayoutGroup `json:"in_transit"`
	ByStatus  []PayoutGroup `json:"by_status"`
	// Residual is what no transactions explain though they should, NotItemised what Stripe never explains: manual and instant payouts.
	// Both without their signs.
	Residual    []Amount `json:"residual"`
	NotItemised []Amount `json:"not_itemised"`

	Transit []tables.Payout `json:"-"`
	missing []string        // currencies in which payout_items.csv does not add up to payouts.csv
}

// PayoutGroup is payouts of one status and currency.
type PayoutGroup struct {
	Status   string         `json:"status"`
	Currency string         `json:"currency"`
	Payouts  int64          `json:"payouts"`
	Amount   numbers.Number `json:"amount"`
}

// DisputeFigures are the disputes of disputes.csv.
type DisputeFigures struct {
	Disputes int64          `json:"disputes"`
	Open     int64          `json:"open"`
	ByPhase  []DisputeGroup `json:"by_phase"`
	// EvidenceDue are those that want something of us now: their number and money.
	EvidenceDue EvidenceFigures `json:"evidence_due"`

	OpenRows []tables.Dispute `json:"-"`
}

// DisputeGroup is disputes in one phase.
type DisputeGroup struct {
	Phase    string   `json:"phase"`
	Disputes int64    `json:"disputes"`
	Money    []Amount `json:"money"`
}

// EvidenceFigures are the open disputes whose evidence is due within so many days of as-of, or was due before.
type EvidenceFigures struct {
	Days     int64         `json:"days"`
	Disputes int64         `json:"disputes"`
	Past     int64         `json:"past"` // of them, those whose date has passed
	FirstDue tables.Moment `json:"first_due"`
	Money    []Amount      `json:"money"` // disputed
}

// AwaitingFigures are the objects of a check that await their counterpart.
type AwaitingFigures struct {
	Check   string        `json:"check"`
	Objects int64         `json:"objects"`
	Oldest  []AwaitedItem `json:"oldest"` // first; of refunds that are pending the oldest 15, of other checks the oldest one
}

// AwaitedItem is an object that is awaited, with its age at as-of in whole days.
type AwaitedItem struct {
	SubjectID string        `json:"subject_id"`
	AccountID string        `json:"account_id"`
	Since     tables.Moment `json:"since"`
	Days      int64         `json:"days"`
	Amount    *Amount       `json:"amount,omitempty"`
	Detail    string        `json:"detail,omitempty"`
}

// SubscriptionFigures are the subscriptions of subscriptions.csv.
type SubscriptionFigures struct {
	Subscriptions int64               `json:"subscriptions"`
	ByTieOut      []SubscriptionGroup `json:"by_tie_out"`
}

// SubscriptionGroup is subscriptions with the same tie-out.
type SubscriptionGroup struct {
	TieOut        string `json:"tie_out"`
	Subscriptions int64  `json:"subscriptions"`
}

// RejectFigures count the fields of source rows that break the contract.
type RejectFigures struct {
	Rows       int64         `json:"rows"`
	ByRelation []RejectGroup `json:"by_relation"`

	First []tables.Reject `json:"-"`
}

// RejectGroup is rejected fields of one relation and field.
type RejectGroup struct {
	Relation string `json:"relation"`
	Field    string `json:"field"`
	Rows     int64  `json:"rows"`
}

// NightFigures are the handful of figures that trends and the index keep of a night.
type NightFigures struct {
	Date       reconcile.Date `json:"business_date"`
	Revision   int            `json:"-"`
	Status     Status         `json:"status"`
	Stripe     bool           `json:"stripe"`
	Errors     int64          `json:"errors"`   // open at the end of the night
	Warnings   int64          `json:"warnings"` // likewise
	Infos      int64          `json:"infos"`    // likewise
	NewBreaks  int64          `json:"new_breaks"`
	FailedJobs int64          `json:"failed_jobs"`
	Credited   numbers.Number `json:"credited"` // credits credited back
	Undecided  int64          `json:"undecided"`
	Overdue    int64          `json:"overdue"`
	Closing    numbers.Number `json:"closing"`  // credits owed to customers at closing
	Approved   []Amount       `json:"approved"` // refunds approved tonight
}
