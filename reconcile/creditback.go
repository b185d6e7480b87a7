package reconcile

import "fmt"

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

// DecideCreditBack decides what one job is credited back (clause 3), in credits.
//
// debited are the job's debits minus reversals of debits, from the account that ran it; creditedBefore is what earlier
// credit-backs of the job returned. debitedElsewhere is what other accounts were debited for it by mistake: it comes back by moving
// the debit, after which it is due as a later debit is. A system failure is due the rest, so that a debit that
// comes late tops the credit-back up and nothing is ever returned twice. Never more than
// debited; amounts below 0 count as 0.
func DecideCreditBack(c Classification, debited, creditedBefore, debitedElsewhere int64) CreditBackDecision {
	debited, creditedBefore = max(debited, 0), max(creditedBefore, 0)
	notDue := func(reason string) CreditBackDecision {
		return CreditBackDecision{Outcome: CreditBackNotDue, Clause: c.Class.Clause(), Reason: reason}
	}
	switch {
	case c.Class == FailureUser:
		return notDue(fmt.Sprintf("the job ended on the user's side: %s", c.Reason))
	case c.Class != FailureSystem && c.Rule == RuleNotFailed:
		return notDue(c.Reason)
	case c.Class != FailureSystem:
		return CreditBackDecision{Outcome: CreditBackPending, Clause: c.Class.Clause(),
			Reason: fmt.Sprintf("whose fault it was is open: %s", c.Reason)}
	case debited == 0 && debitedElsewhere > 0:
		return notDue("the account that ran the job was not debited for it; another account was, by " + countCredits(debitedElsewhere) +
			": once that debit is moved, it is credited back")
	case debited == 0:
		return notDue("no credits were taken for the job")
	case creditedBefore >= debited:
		return notDue("what was taken for the job was credited back before: " + countCredits(debited))
	}
	due := debited - creditedBefore
	reason := fmt.Sprintf("the job failed on our side: %s", c.Reason)
	if creditedBefore > 0 {
		reason += "; credited back before: " + countCredits(creditedBefore)
	}
	return CreditBackDecision{Outcome: CreditBackCredited, Credits: due, Clause: c.Class.Clause(), Reason: reason}
}

func countCredits(n int64) string {
	if n == 1 {
		return "1 credit"
	}
	return fmt.Sprintf("%d credits", n)
}
