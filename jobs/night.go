package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// ErrIntegrity says that the books can't be trusted as they are: control totals don't tie, a circuit breaker tripped, or a closed
// period would change. Nobody should retry it blindly.
var ErrIntegrity = errors.New("integrity")

// Counts are what a job did, for its run row and its log line.
type Counts map[string]int64

// Settings are what an operator may set about the night's work.
type Settings struct {
	Zone *time.Location // of business dates
	// AwaitingFor is how old a counterpart between platform and Stripe may become before its absence is a break. Default 24 h.
	AwaitingFor time.Duration
	// JobStuckAfter is how long a job may be queued or running. Default 48 h.
	JobStuckAfter time.Duration
	// RefundStuckAfter is how long a refund may be pending at Stripe, and other money of Stripe's that is announced, before that is a break.
	// Default 10 days.
	RefundStuckAfter time.Duration
	// Matching is MatchFast unless set.
	Matching Matching
	// LateLookbackNights is how many reported nights are checked for rows that turned up since. Default 7.
	LateLookbackNights int
	// CreditBackMaxCount and CreditBackMaxCredits cap what one night may credit back; 0: no cap.
	CreditBackMaxCount   int64
	CreditBackMaxCredits int64
	// CreditBackAnomalyMultiple stops a night that would credit back more than this many times the median of the 30 nights before; 0: never.
	CreditBackAnomalyMultiple int64
	// Chart names the accounts of the journal; the zero value is reconcile.DefaultChart.
	Chart reconcile.Chart
	// Refund is about the execution of refund plans.
	Refund RefundSettings
	// Sizes are those from which a night looks at less of its history.
	Sizes Sizes
}

// Sizes are numbers of rows.
type Sizes struct {
	// LookBackRows in the nights that are looked back at, from which they are only counted. Default 2,000,000.
	LookBackRows int64
	// TurnRows of nights before the look-back, which are looked at in one night; or one night. Default 10,000.
	TurnRows int64
	// LedgerRows from which the whole ledger is not summed every night. Default 100,000.
	LedgerRows int64
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
	s.Sizes.TurnRows = cmp.Or(s.Sizes.TurnRows, 10_000)
	s.Sizes.LedgerRows = cmp.Or(s.Sizes.LedgerRows, 100_000)
	if s.Chart.IsZero() {
		s.Chart = reconcile.DefaultChart()
	}
	return s
}

// Night is one business date being worked on: what every step is handed.
type Night struct {
	reconcile.Night
	Store    *postgres.Store
	Policies reconcile.Policies
	Settings Settings
	Run      Run
	Revision int // of the report that this run works on; it changes when a new one is published
	log      zerolog.Logger
}

// Run says how, when and by whom a night is run.
type Run struct {
	Name, Actor string // for the audit log: by default the night's own run id, and the worker
	CodeVersion string
	Whole       bool // all steps are run, and the night is reported at the end
	Rehearsal   bool // what is written to the database will be rolled back, so that nothing may leave it
	Clock       func() time.Time
	Step        func(name string)
}

func (n *Night) now() time.Time { return n.Run.Clock() }

func (n *Night) step(name string) { n.Run.Step(name) }

// policyHash is what failure classes and versions are stored under.
func (n *Night) policyHash() string { return n.Policies.Hash() }

// args are the parameters nearly every statement of a job takes, and the given ones.
func (n *Night) args(job string, more postgres.Args) postgres.Args {
	args := postgres.Args{"date": n.Date, "job": job}
	for name, value := range more {
		args[name] = value
	}
	return args
}

// span are the parameters of the night's interval.
func (n *Night) span(more postgres.Args) postgres.Args {
	args := postgres.Args{"begin": n.Begin, "end": n.End}
	for name, value := range more {
		args[name] = value
	}
	return args
}

// runID names a run the same way in every rerun, so that reports can carry it.
func (n *Night) runID() string { return fmt.Sprintf("%s/r%d", n.Date, n.Revision) }

func (n *Night) beginRun(ctx context.Context, job string) error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	_, err = n.Store.Exec(ctx, "runs/begin", n.args(job, postgres.Args{
		"revision": n.Revision, "as_of": n.AsOf(), "worker": fmt.Sprintf("%s/%d", host, os.Getpid()),
		"code_version": n.Run.CodeVersion, "policy_version": n.policyVersion(), "at": n.now(),
	}))
	if err != nil {
		return fmt.Errorf("night %s: begin %s: %w", n.Date, job, err)
	}
	return nil
}

// finishRun records how a run ended, also when the context is what ended it.
func (n *Night) finishRun(job string, counts Counts, runErr error) error {
	status, text := "completed", ""
	switch {
	case errors.Is(runErr, context.Canceled):
		status, text = "stopped", "stopped before it was done"
	case runErr != nil:
		status, text = "failed", runErr.Error()
	}
	if counts == nil {
		counts = Counts{}
	}
	encoded, err := json.Marshal(counts)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err = n.Store.Exec(ctx, "runs/finish", n.args(job, postgres.Args{
		"revision": n.Revision, "status": status, "counts": string(encoded), "error": text, "at": n.now(),
	}))
	if err != nil {
		return fmt.Errorf("night %s: finish %s: %w", n.Date, job, err)
	}
	return nil
}

// policyVersion is the version in force at the night's end; jobs and purchases of the night may go by an earlier one.
func (n *Night) policyVersion() string {
	version, err := n.Policies.At(n.AsOf())
	if err != nil {
		return ""
	}
	return version.Version
}
