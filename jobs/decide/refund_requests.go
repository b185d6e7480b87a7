package decide

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/calendar"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// Decide decides every request that was undecided when the night began or arrived in it, words the outcome for the customer,
// and finds reviews that are overdue.
func (r *Requests) Decide(ctx context.Context, n *night.Night) (counts night.Counts, err error) {
	const job = "refund-requests"
	err = n.Store.InTx(ctx, night.MatchingTx, func(ctx context.Context, tx *postgres.Tx) error {
		counts, err = r.decideInTx(ctx, n, tx, job)
		return err
	})
	return counts, err
}

type requestFacts struct {
	RequestID       string
	Kind            string
	DecidedByNight  reconcile.Date // a later one that has decided already; nights may be run out of order
	Status          string
	RequestedAt     time.Time
	AccountID       string
	StatesEmail     bool
	StatesPurchase  bool
	StatesInvoice   bool
	StatesJob       bool
	StatesDate      bool
	StatesAmount    bool
	StatesCurrency  bool
	StatesReason    bool
	EmailUnknown    bool
	EmailOfAnother  bool
	HasPurchases    bool
	OtherDate       bool
	OtherAmount     bool
	OtherCurrency   bool
	PurchaseMatches int
	PurchaseID      string
	PurchaseKind    string
	PurchaseStatus  string
	AmountMinor     int64
	Currency        string
	CompletedAt     sql.NullTime
	Credits         int64
	UsedCredits     int64
	Disputed        bool
	Refunded        bool
	ChargeID        string
	night.PaymentFacts
	OtherAccount    bool
	JobID           string
	JobStatus       string
	FailureCode     string
	JobFinishedAt   sql.NullTime
	JobDebited      int64
	JobCredited     int64
	JobDebitedAside int64 `db:"job_debited_elsewhere"`
	OtherAccountJob bool
	answer          requestAnswer
}

// decisionRow is a row of reconciler.refund_decisions.
type decisionRow struct {
	AccountID     string    `json:"account_id"`
	RequestID     string    `json:"request_id"`
	Kind          string    `json:"kind"`
	Status        string    `json:"status"`
	PurchaseID    string    `json:"purchase_id"`
	JobID         string    `json:"job_id"`
	ChargeID      string    `json:"charge_id"`
	RequestedAt   time.Time `json:"requested_at"`
	DueDate       string    `json:"due_date"`
	DaysLeft      int       `json:"days_left"`
	Decision      string    `json:"decision"`
	RefundMinor   *int64    `json:"refund_minor"`
	FeeMinor      *int64    `json:"fee_minor"`
	Currency      string    `json:"currency"`
	Credits       int64     `json:"credits"`
	Clauses       string    `json:"clauses"`
	Reasons       string    `json:"reasons"`
	PolicyVersion string    `json:"policy_version"`
}

type notificationRow struct {
	AccountID   string `json:"account_id"`
	RequestID   string `json:"request_id"`
	Outcome     string `json:"outcome"`
	AmountMinor *int64 `json:"amount_minor"`
	Currency    string `json:"currency"`
	Message     string `json:"message"`
}

func (r *Requests) decideInTx(ctx context.Context, n *night.Night, tx *postgres.Tx, job string) (night.Counts, error) {
	if err := n.Forget(ctx, tx, "refund_requests/clear"); err != nil {
		return nil, err
	}
	_, undecided, err := r.match(ctx, n, tx)
	if err != nil {
		return nil, err
	}
	counts := night.Counts{}
	if undecided {
		if err := decideAll(ctx, n, tx, job, counts); err != nil {
			return nil, err
		}
	}
	var total struct{ Scanned, Decided, Waiting string }
	if err := tx.Get(ctx, &total, "refund_requests/counts", nil); err != nil {
		return nil, err
	}
	c := night.NewControls(n, job)
	c.Add("refund requests", "requests", total.Scanned, total.Decided, total.Waiting, "0")
	if err := c.Record(ctx, tx); err != nil {
		return nil, err
	}
	merged, err := n.MergeBreaks(ctx, tx, job)
	if err != nil {
		return nil, err
	}
	for name, count := range merged {
		counts[name] = count
	}
	_, err = tx.Exec(ctx, "request_matches/clear", nil)
	return counts, err
}

// decideAll decides every request that is to be decided tonight, and finds reviews that are overdue.
func decideAll(ctx context.Context, n *night.Night, tx *postgres.Tx, job string, counts night.Counts) error {
	var accounts []string
	if err := tx.Select(ctx, &accounts, "refund_requests/accounts", nil); err != nil {
		return err
	}
	after := ""
	for more := true; more; {
		var facts []requestFacts
		err := tx.Select(ctx, &facts, "refund_requests/facts", postgres.Args{"accounts": accounts, "after": after, "limit": postgres.BatchRows})
		if err != nil {
			return err
		}
		if len(facts) == 0 {
			break
		}
		more = len(facts) == postgres.BatchRows
		after = facts[len(facts)-1].RequestID
		if err := findAnswers(ctx, tx, facts); err != nil {
			return err
		}
		if err := decideRequests(ctx, n, tx, facts, counts); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, "refund_requests/overdue", postgres.Args{"job": job})
	return err
}

func decideRequests(ctx context.Context, n *night.Night, tx *postgres.Tx, facts []requestFacts, counts night.Counts) error {
	var rows []decisionRow
	var notifications []notificationRow
	for _, f := range facts {
		row, notification, err := decideRequest(n, f)
		if err != nil {
			return fmt.Errorf("refund request %s: %w", f.RequestID, err)
		}
		rows = append(rows, row)
		if notification != nil {
			notifications = append(notifications, *notification)
		}
		counts["requests_"+row.Decision]++
	}
	if err := postgres.WriteRows(ctx, tx, "refund_requests/record", nil, rows); err != nil {
		return err
	}
	return postgres.WriteRows(ctx, tx, "refund_requests/notify", nil, notifications)
}

// decideRequest hands the facts of one request to the policy and words the outcome.
func decideRequest(n *night.Night, f requestFacts) (decisionRow, *notificationRow, error) {
	version, beforePolicy, err := versionFor(n, f)
	if err != nil {
		return decisionRow{}, nil, err
	}
	facts := refundFacts(n, f, version)
	facts.BeforePolicy = beforePolicy
	decision := reconcile.DecideRefund(facts)
	isHoliday, err := calendar.ByName(version.HolidayCalendar)
	if err != nil {
		return decisionRow{}, nil, err
	}
	requestedOn := reconcile.DateOf(f.RequestedAt.In(n.Settings.Zone))
	due, err := reconcile.DueDate(requestedOn, version.ReviewBusinessDays, isHoliday)
	if err != nil {
		return decisionRow{}, nil, err
	}
	row := decisionRow{
		AccountID: f.AccountID, RequestID: f.RequestID, Kind: f.Kind, Status: f.Status, PurchaseID: f.PurchaseID, JobID: f.JobID, ChargeID: f.ChargeID,
		RequestedAt: f.RequestedAt, DueDate: due.String(), DaysLeft: reconcile.BusinessDaysLeft(n.Date, due, isHoliday),
		Decision: string(decision.Decision), Currency: decision.Currency, Credits: f.Credits,
		Clauses: strings.Join(decision.Clauses, "; "), Reasons: reasonText(decision), PolicyVersion: version.Version,
	}
	if beforePolicy {
		row.PolicyVersion = ""
	}
	if decision.Decision.Final() && !f.DecidedByNight.IsZero() {
		row.Decision = string(reconcile.DecisionWaiting)
		row.Reasons = "decided_later: the night of " + f.DecidedByNight.String() + " was run before this one and its decision is final"
		return row, nil, nil
	}
	if decision.Decision == reconcile.DecisionApprove {
		row.RefundMinor, row.FeeMinor = &decision.RefundMinor, &decision.FeeMinor
	}
	if decision.Decision == reconcile.DecisionWaiting {
		return row, nil, nil // no outcome yet, nothing to tell
	}
	text := reconcile.NotifyDecision(facts.Kind, decision)
	return row, &notificationRow{
		AccountID: f.AccountID, RequestID: f.RequestID, Outcome: row.Decision, AmountMinor: row.RefundMinor, Currency: row.Currency,
		Message: text.Subject + "\n\n" + text.Body,
	}, nil
}

// versionFor is the policy version that a request is decided by: the purchase's or the job's; the request's own time while neither is known. What is
// from before the first version none decides; that one says when a review of it is due all the same.
func versionFor(n *night.Night, f requestFacts) (version reconcile.PolicyVersion, beforePolicy bool, err error) {
	at, decides := f.RequestedAt, false
	switch {
	case f.CompletedAt.Valid:
		at, decides = f.CompletedAt.Time, true
	case f.JobFinishedAt.Valid:
		at, decides = f.JobFinishedAt.Time, true
	}
	version, err = n.Policies.At(at)
	if versions := n.Policies.Versions(); errors.Is(err, reconcile.ErrNoPolicy) && len(versions) > 0 {
		return versions[0], decides, nil
	}
	return version, false, err
}

func refundFacts(n *night.Night, f requestFacts, version reconcile.PolicyVersion) reconcile.RefundFacts {
	facts := reconcile.RefundFacts{
		Kind: reconcile.RequestKind(f.Kind), Status: reconcile.RequestStatus(f.Status), RequestedAt: f.RequestedAt,
		Stated: reconcile.StatedFacts{
			AccountEmail: f.StatesEmail, PurchaseID: f.StatesPurchase, InvoiceID: f.StatesInvoice, JobID: f.StatesJob,
			Date: f.StatesDate, Amount: f.StatesAmount, Currency: f.StatesCurrency, Reason: f.StatesReason,
		},
		EmailUnknown: f.EmailUnknown, EmailOfAnother: f.EmailOfAnother, Answer: f.answer.refund, StatusSince: f.answer.statusSince,
		PurchaseMatches: f.PurchaseMatches, HasPurchases: f.HasPurchases,
		Nearest: reconcile.StatedDifferences{Date: f.OtherDate, Amount: f.OtherAmount, Currency: f.OtherCurrency},
	}
	if f.PurchaseID != "" {
		purchase := reconcile.PurchaseFacts{
			ID: f.PurchaseID, Kind: reconcile.PurchaseKind(f.PurchaseKind), Status: reconcile.PurchaseStatus(f.PurchaseStatus),
			AmountMinor: f.AmountMinor, Currency: f.Currency, CompletedAt: f.CompletedAt.Time,
			Credits: f.Credits, UsedCredits: f.UsedCredits, Disputed: f.Disputed, RefundedBefore: f.answer.refundedBefore, OtherAccount: f.OtherAccount,
			Payment: paymentOf(n, f.PurchaseID, f.PaymentFacts),
		}
		if f.CompletedAt.Valid {
			purchase.ExpiresAt = version.WindowExpiresAt(f.CompletedAt.Time)
		}
		facts.Purchase = &purchase
	}
	if f.JobID != "" {
		status := reconcile.JobStatus(f.JobStatus)
		facts.Job = &reconcile.JobFacts{
			ID: f.JobID, Status: status, Classification: version.Failures.Classify(status, f.FailureCode),
			DebitedCredits: f.JobDebited, CreditedCredits: f.JobCredited, DebitedElsewhere: f.JobDebitedAside, OtherAccount: f.OtherAccountJob,
		}
	}
	return facts
}

// reasonText is every reason with its clause, for the report.
func reasonText(d reconcile.RefundDecision) string {
	var parts []string
	for _, reason := range d.Reasons {
		parts = append(parts, fmt.Sprintf("%s (%s): %s", reason.Code, reason.Clause, reason.Text))
	}
	if len(d.Missing) > 0 {
		parts = append(parts, "missing: "+strings.Join(d.Missing, ", "))
	}
	return strings.Join(parts, "; ")
}
