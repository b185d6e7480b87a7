package night

import (
	"cmp"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/accounting"
)

// Settings are what an operator may set about the night's work.
type Settings struct {
	Zone *time.Location // of business dates
	// AwaitingFor is how long a counterpart between platform and Stripe may be missing before that is a break. Default 24 h.
	AwaitingFor time.Duration
	// JobStuckAfter is how long a job may be queued or running. Default 48 h.
	JobStuckAfter time.Duration
	// RefundStuckAfter is how long a refund, or other money that Stripe has announced, may be pending before that is a break.
	// Default 10 days.
	RefundStuckAfter time.Duration
	// Matching is MatchFast unless set.
	Matching Matching
	// LateLookbackNights is how many reported nights are checked for rows that arrived since. Default 7.
	LateLookbackNights int
	// CreditBackMaxCount and CreditBackMaxCredits cap what one night may credit back; 0: no cap.
	CreditBackMaxCount   int64
	CreditBackMaxCredits int64
	// CreditBackAnomalyMultiple stops a night that would credit back more than this many times the median of the 30 nights before; 0: never.
	CreditBackAnomalyMultiple int64
	// Chart names the accounts of the journal; the zero value is accounting.DefaultChart.
	Chart accounting.Chart
	// Refund is about the execution of refund plans.
	Refund RefundSettings
	// Sizes are the numbers of rows from which on a night looks at less of its history.
	Sizes Sizes
}

// Sizes are numbers of rows.
type Sizes struct {
	// LookBackRows in the nights that are looked back at, from which they are only counted. Default 2,000,000.
	LookBackRows int64
	// ShareRows of nights before the look-back, which are looked at in one night; or one of those nights. Default 10,000.
	ShareRows int64
	// LedgerRows from which the whole ledger is not summed every night. Default 100,000.
	LedgerRows int64
	// PlannedRows up to which, this night's and all earlier ones' together, statements are planned once and not every night. Default 100,000.
	PlannedRows int64
}

// Defaults fills what was left zero, the caps aside: 0 there means no cap.
func (s Settings) Defaults() Settings {
	if s.Zone == nil {
		s.Zone = time.UTC
	}
	if s.AwaitingFor == 0 {
		s.AwaitingFor = 24 * time.Hour
	}
	if s.JobStuckAfter == 0 {
		s.JobStuckAfter = 48 * time.Hour
	}
	if s.RefundStuckAfter == 0 {
		s.RefundStuckAfter = 10 * 24 * time.Hour
	}
	if s.LateLookbackNights == 0 {
		s.LateLookbackNights = 7
	}
	s.Refund = s.Refund.Defaults()
	s.Sizes.LookBackRows = cmp.Or(s.Sizes.LookBackRows, 2_000_000)
	s.Sizes.ShareRows = cmp.Or(s.Sizes.ShareRows, 10_000)
	s.Sizes.LedgerRows = cmp.Or(s.Sizes.LedgerRows, 100_000)
	s.Sizes.PlannedRows = cmp.Or(s.Sizes.PlannedRows, 100_000)
	if s.Chart.IsZero() {
		s.Chart = accounting.DefaultChart()
	}
	return s
}

// Matching says how a night's jobs are compared with their debits. The outcome is the same.
type Matching string

const (
	// MatchFast compares fingerprints of accounts, and exactly only what is of accounts that differ.
	MatchFast Matching = "fast"
	// MatchExact compares every job with its debits. Verification does.
	MatchExact Matching = "exact"
)

// RefundSettings are what an operator may set about the execution of refunds.
type RefundSettings struct {
	// Execute lets the nightly job execute approved plans; without it only the command does.
	Execute bool
	// Halt is the kill switch of this worker, beside the one in the database.
	Halt bool
	Caps reconcile.RefundCaps
	// Lease is how long an executor that says nothing keeps the others out. Default 5 min.
	Lease time.Duration
	// Attempts to learn the outcome of one refund in one run. Default 3.
	Attempts int
	// RetryWait before the second attempt, then doubling. Default 2 s.
	RetryWait time.Duration
}

// Defaults fills what was left zero.
func (s RefundSettings) Defaults() RefundSettings {
	if s.Lease == 0 {
		s.Lease = 5 * time.Minute
	}
	if s.Attempts == 0 {
		s.Attempts = 3
	}
	if s.RetryWait == 0 {
		s.RetryWait = 2 * time.Second
	}
	return s
}
