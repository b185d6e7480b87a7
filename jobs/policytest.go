package jobs

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// PolicyChange is one past decision that another policy would have made otherwise.
type PolicyChange struct {
	Night     reconcile.Date
	What      string // "credit-back" or "refund"
	ID        string // of the job or the request
	AccountID string
	Was       string
	Would     string
	// Amount is what would have gone out more (or less, below 0), in Unit: credits, or minor units of a currency.
	Amount int64
	Unit   string
	Why    string
}

// TestPolicy decides every credit-back and refund request of a range of nights again by another policy, from the facts of those nights, and
// tells fn of each that would have been different. The totals are per unit. Nothing is changed.
func (w *Worker) TestPolicy(ctx context.Context, policies reconcile.Policies, from, to reconcile.Date, fn func(PolicyChange) error) (decided int, totals map[string]*big.Int, err error) {
	totals = map[string]*big.Int{}
	tell := func(c PolicyChange) error {
		if totals[c.Unit] == nil {
			totals[c.Unit] = new(big.Int)
		}
		totals[c.Unit].Add(totals[c.Unit], big.NewInt(c.Amount))
		return fn(c)
	}
	more := map[string]int64{} // what a job would have been credited more, or less, by the nights so far
	err = postgres.Each(ctx, w.Store, "policy_test/credit_backs", postgres.Args{"from": from, "to": to}, func(r replayedCreditBack) error {
		decided++
		r.CreditedEver += more[r.JobID]
		change, differs, err := r.replay(policies)
		if err != nil || !differs {
			return err
		}
		more[r.JobID] += change.Amount
		return tell(change)
	})
	if err != nil {
		return decided, totals, fmt.Errorf("policy test: credit-backs: %w", err)
	}
	for d := from; !d.After(to); d = d.AddDays(1) {
		count, err := w.replayRequests(ctx, policies, d, tell)
		decided += count
		if err != nil {
			return decided, totals, fmt.Errorf("policy test: requests of %s: %w", d, err)
		}
	}
	return decided, totals, nil
}

type replayedCreditBack struct {
	BusinessDate reconcile.Date
	AccountID    string
	JobID        string
	Status       string
	FailureCode  string
	FinishedAt   time.Time
	Class        string
	Debited      int64
	CreditedEver int64
	Decision     string
	CreditBack   int64
}

func (r replayedCreditBack) replay(policies reconcile.Policies) (change PolicyChange, differs bool, err error) {
	version, err := policies.At(r.FinishedAt)
	if err != nil {
		return change, false, fmt.Errorf("job %s: %w", r.JobID, err)
	}
	status := reconcile.JobStatus(r.Status)
	class := version.Failures.Classify(status, r.FailureCode)
	would := reconcile.DecideCreditBack(status, class, r.Debited, r.CreditedEver, 0)
	if string(would.Outcome) == r.Decision && would.Credits == r.CreditBack && string(class.Class) == r.Class {
		return change, false, nil
	}
	return PolicyChange{
		Night: r.BusinessDate, What: "credit-back", ID: r.JobID, AccountID: r.AccountID, Was: r.Decision + " (" + r.Class + ")",
		Would: string(would.Outcome) + " (" + string(class.Class) + ")", Amount: would.Credits - r.CreditBack, Unit: "credits", Why: would.Reason,
	}, true, nil
}

type replayedDecision struct {
	RequestID   string
	AccountID   string
	Decision    string
	RefundMinor *int64
	Currency    string
	Reasons     string
}

func (d replayedDecision) refund() int64 {
	if d.RefundMinor == nil {
		return 0
	}
	return *d.RefundMinor
}

// replayRequests decides one night's requests again in a rehearsal.
func (w *Worker) replayRequests(ctx context.Context, policies reconcile.Policies, date reconcile.Date, tell func(PolicyChange) error) (int, error) {
	var was, would []replayedDecision
	if err := w.Store.Select(ctx, &was, "policy_test/decisions", postgres.Args{"date": date}); err != nil {
		return 0, err
	}
	err := w.Store.Rehearse(ctx, func(ctx context.Context, rehearsal *postgres.Store) error {
		if _, err := rehearsal.Exec(ctx, "policy_test/forget_decisions", postgres.Args{"date": date}); err != nil {
			return err
		}
		replaying := *w
		replaying.Policies = policies
		if err := replaying.runNight(ctx, date, runOptions{only: []string{"refund-requests"}, rehearsal: rehearsal, asNoted: true}); err != nil {
			return err
		}
		return rehearsal.Select(ctx, &would, "policy_test/decisions", postgres.Args{"date": date})
	})
	if err != nil {
		return 0, err
	}
	before := map[string]replayedDecision{}
	for _, d := range was {
		before[d.RequestID] = d
	}
	for _, d := range would {
		old, ok := before[d.RequestID]
		if !ok || old.Decision == d.Decision && old.refund() == d.refund() {
			continue
		}
		unit := d.Currency
		if unit == "" {
			unit = old.Currency
		}
		err := tell(PolicyChange{
			Night: date, What: "refund", ID: d.RequestID, AccountID: d.AccountID, Was: old.Decision, Would: d.Decision,
			Amount: d.refund() - old.refund(), Unit: unit, Why: d.Reasons,
		})
		if err != nil {
			return len(would), err
		}
	}
	return len(would), nil
}
