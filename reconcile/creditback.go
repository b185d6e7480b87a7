package reconcile

import (
	"fmt"
	"slices"
)

// CreditBackOutcome is what is decided about crediting a job's credits back.
type CreditBackOutcome string

const (
	// CreditBackCredited: credits go back to the account.
	CreditBackCredited CreditBackOutcome = "credited"
	// CreditBackNotDue: nothing goes back, and Reason says why.
	CreditBackNotDue CreditBackOutcome = "not_due"
	// CreditBackPending: nothing goes back until the failure has a class.
	CreditBackPending CreditBackOutcome = "pending"
)

// CreditBackDecision is the decision about one failed, interrupted or canceled job.
type CreditBackDecision struct {
	Outcome CreditBackOutcome
	// Credits to credit back now: above 0 if credited, else 0.
	Credits int64
	Clause  string
	Reason  string
}

// CreditedSoFar is how much of a job's debits was credited back before.
type CreditedSoFar string

// How much: nothing, less than was debited, or all of it and perhaps more.
const (
	CreditedNothing CreditedSoFar = "nothing"
	CreditedPart    CreditedSoFar = "part"
	CreditedAll     CreditedSoFar = "all"
)

// JobAmount is one of the amounts that a job is decided by.
type JobAmount string

// The amounts, in credits: from the account that ran the job, earlier credit-backs to it, and from other accounts.
const (
	JobDebited          JobAmount = "debited"
	JobCreditedBefore   JobAmount = "credited_before"
	JobDebitedElsewhere JobAmount = "debited_elsewhere"
)

// CreditBackCase is one row of the table that decides credit-backs (clause 3): which jobs it is about, and what is decided about them.
// A condition that is empty doesn't matter. No two cases are about the same job, and each job has one.
type CreditBackCase struct {
	Statuses         []JobStatus   `json:"statuses"`
	Class            FailureClass  `json:"class"`
	Debited          *bool         `json:"debited"`           // above 0
	DebitedElsewhere *bool         `json:"debited_elsewhere"` // above 0
	Credited         CreditedSoFar `json:"credited"`

	Outcome CreditBackOutcome `json:"outcome"` // where it is CreditBackCredited: all that was debited and not credited back yet
	Clause  string            `json:"clause"`
	// The reason is Before, the failure's own reason if Failure, Then, the amount of credits if there is one, and After.
	Before  string    `json:"before"`
	Failure bool      `json:"failure"`
	Then    string    `json:"then"`
	Amount  JobAmount `json:"amount"`
	After   string    `json:"after"`
}

// CreditBackCases is the table that DecideCreditBack decides by. A night's jobs are decided by it where they are, in the database.
func CreditBackCases() []CreditBackCase {
	yes, no := true, false
	failed := []JobStatus{JobFailed, JobInterrupted, JobCanceled}
	const ours = "the job failed on our side: "
	return []CreditBackCase{
		{Statuses: []JobStatus{JobQueued, JobRunning}, Outcome: CreditBackNotDue, Clause: ClauseFailedJobs, Before: "the job has not finished"},
		{Statuses: []JobStatus{JobSucceeded}, Outcome: CreditBackNotDue, Clause: ClauseFailedJobs, Before: "the job did not fail"},
		{Statuses: failed, Class: FailureUnknown, Outcome: CreditBackPending, Clause: ClauseFailedJobs,
			Before: "whose fault it was is open: ", Failure: true},
		{Statuses: failed, Class: FailureUser, Outcome: CreditBackNotDue, Clause: ClauseUserError,
			Before: "the job ended on the user's side: ", Failure: true},
		// It comes back by moving the debit, after which it is due as a later debit is.
		{Statuses: failed, Class: FailureSystem, Debited: &no, DebitedElsewhere: &yes, Outcome: CreditBackNotDue, Clause: ClauseSystemFailure,
			Before: "the account that ran the job was not debited for it; another account was, by ", Amount: JobDebitedElsewhere,
			After: ": once that debit is moved, it is credited back"},
		{Statuses: failed, Class: FailureSystem, Debited: &no, DebitedElsewhere: &no, Outcome: CreditBackNotDue, Clause: ClauseSystemFailure,
			Before: "no credits were taken for the job"},
		{Statuses: failed, Class: FailureSystem, Debited: &yes, Credited: CreditedAll, Outcome: CreditBackNotDue, Clause: ClauseSystemFailure,
			Before: "what was taken for the job was credited back before: ", Amount: JobDebited},
		// A debit that comes late tops the credit-back up, and nothing is returned twice.
		{Statuses: failed, Class: FailureSystem, Debited: &yes, Credited: CreditedPart, Outcome: CreditBackCredited, Clause: ClauseSystemFailure,
			Before: ours, Failure: true, Then: "; credited back before: ", Amount: JobCreditedBefore},
		{Statuses: failed, Class: FailureSystem, Debited: &yes, Credited: CreditedNothing, Outcome: CreditBackCredited, Clause: ClauseSystemFailure,
			Before: ours, Failure: true},
	}
}

// DecideCreditBack decides what one job is credited back (clause 3), in credits, by CreditBackCases.
//
// debited are the job's debits minus reversals of debits, from the account that ran it; creditedBefore is what earlier
// credit-backs of the job returned; debitedElsewhere is what other accounts were debited for it by mistake.
// Never more than debited; amounts below 0 count as 0.
func DecideCreditBack(status JobStatus, c Classification, debited, creditedBefore, debitedElsewhere int64) CreditBackDecision {
	amounts := map[JobAmount]int64{
		JobDebited: max(debited, 0), JobCreditedBefore: max(creditedBefore, 0), JobDebitedElsewhere: max(debitedElsewhere, 0),
	}
	for _, k := range CreditBackCases() {
		if k.fits(status, c.Class, amounts) {
			return k.decide(c, amounts)
		}
	}
	// Not reached: see the test that draws jobs of every kind.
	return CreditBackDecision{Outcome: CreditBackPending, Clause: ClauseFailedJobs, Reason: "no case of the policy fits the job"}
}

func (k CreditBackCase) fits(status JobStatus, class FailureClass, amounts map[JobAmount]int64) bool {
	credited := CreditedAll
	switch {
	case amounts[JobCreditedBefore] == 0:
		credited = CreditedNothing
	case amounts[JobCreditedBefore] < amounts[JobDebited]:
		credited = CreditedPart
	}
	return slices.Contains(k.Statuses, status) &&
		(k.Class == "" || k.Class == class) &&
		(k.Debited == nil || *k.Debited == (amounts[JobDebited] > 0)) &&
		(k.DebitedElsewhere == nil || *k.DebitedElsewhere == (amounts[JobDebitedElsewhere] > 0)) &&
		(k.Credited == "" || k.Credited == credited)
}

func (k CreditBackCase) decide(c Classification, amounts map[JobAmount]int64) CreditBackDecision {
	decision := CreditBackDecision{Outcome: k.Outcome, Clause: k.Clause, Reason: k.Before}
	if k.Outcome == CreditBackCredited {
		decision.Credits = amounts[JobDebited] - amounts[JobCreditedBefore]
	}
	if k.Failure {
		decision.Reason += c.Reason
	}
	decision.Reason += k.Then
	if k.Amount != "" {
		decision.Reason += countCredits(amounts[k.Amount])
	}
	decision.Reason += k.After
	return decision
}

func countCredits(n int64) string {
	if n == 1 {
		return "1 credit"
	}
	return fmt.Sprintf("%d credits", n)
}
