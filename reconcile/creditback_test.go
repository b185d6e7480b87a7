package reconcile_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/hummingbytes/reconciler/reconcile"
)

func classified(class reconcile.FailureClass) reconcile.Classification {
	return reconcile.Classification{Class: class, Rule: "rule", Clause: class.Clause(), Reason: "a machine of ours failed"}
}

func TestDecideCreditBack(t *testing.T) {
	tests := []struct {
		name            string
		class           reconcile.FailureClass
		debited, before int64
		elsewhere       int64
		outcome         reconcile.CreditBackOutcome
		credits         int64
		clause          string
		reason          string
	}{
		{"system", reconcile.FailureSystem, 10, 0, 0, reconcile.CreditBackCredited, 10, "3.1", "the job failed on our side: a machine of ours failed"},
		{"a later debit tops it up", reconcile.FailureSystem, 15, 10, 0, reconcile.CreditBackCredited, 5, "3.1", "the job failed on our side: a machine of ours failed; credited back before: 10 credits"},
		{"nothing twice", reconcile.FailureSystem, 10, 10, 0, reconcile.CreditBackNotDue, 0, "3.1", "what was taken for the job was credited back before: 10 credits"},
		{"one credit too many before", reconcile.FailureSystem, 10, 11, 0, reconcile.CreditBackNotDue, 0, "3.1", "what was taken for the job was credited back before: 10 credits"},
		{"nothing debited", reconcile.FailureSystem, 0, 0, 0, reconcile.CreditBackNotDue, 0, "3.1", "no credits were taken for the job"},
		{"debits reversed beyond zero", reconcile.FailureSystem, -3, 0, 0, reconcile.CreditBackNotDue, 0, "3.1", "no credits were taken for the job"},
		{"nothing debited, something credited", reconcile.FailureSystem, 0, 5, 0, reconcile.CreditBackNotDue, 0, "3.1", "no credits were taken for the job"},
		{"a negative credit-back adds nothing", reconcile.FailureSystem, 10, -5, 0, reconcile.CreditBackCredited, 10, "3.1", "the job failed on our side: a machine of ours failed"},
		{"debited to another account", reconcile.FailureSystem, 0, 0, 7, reconcile.CreditBackNotDue, 0, "3.1",
			"the account that ran the job was not debited for it; another account was, by 7 credits: once that debit is moved, it is credited back"},
		{"debited to another account as well", reconcile.FailureSystem, 10, 0, 7, reconcile.CreditBackCredited, 10, "3.1", "the job failed on our side: a machine of ours failed"},
		{"user", reconcile.FailureUser, 10, 0, 0, reconcile.CreditBackNotDue, 0, "3.2", "the job ended on the user's side: a machine of ours failed"},
		{"unknown", reconcile.FailureUnknown, 10, 0, 0, reconcile.CreditBackPending, 0, "3", "whose fault it was is open: a machine of ours failed"},
		{"extremes", reconcile.FailureSystem, math.MaxInt64, math.MinInt64, 0, reconcile.CreditBackCredited, math.MaxInt64, "3.1", "the job failed on our side: a machine of ours failed"},
		{"extremes, the other way", reconcile.FailureSystem, math.MinInt64, math.MaxInt64, 0, reconcile.CreditBackNotDue, 0, "3.1", "no credits were taken for the job"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := reconcile.DecideCreditBack(reconcile.JobFailed, classified(test.class), test.debited, test.before, test.elsewhere)
			want := reconcile.CreditBackDecision{Outcome: test.outcome, Credits: test.credits, Clause: test.clause, Reason: test.reason}
			if got != want {
				t.Errorf("%+v\nwant %+v", got, want)
			}
		})
	}
}

func TestDecideCreditBackOfAJobThatDidNotFail(t *testing.T) {
	for status, reason := range map[reconcile.JobStatus]string{
		reconcile.JobSucceeded: "the job did not fail", reconcile.JobQueued: "the job has not finished", reconcile.JobRunning: "the job has not finished",
	} {
		want := reconcile.CreditBackDecision{Outcome: reconcile.CreditBackNotDue, Clause: "3", Reason: reason}
		for _, class := range []reconcile.FailureClass{reconcile.FailureSystem, reconcile.FailureUnknown} {
			if got := reconcile.DecideCreditBack(status, classified(class), 10, 0, 0); got != want {
				t.Errorf("%s, %s: %+v\nwant %+v", status, class, got, want)
			}
		}
	}
}

// However often it is decided, and however debits trickle in: exactly what was debited comes back.
func TestCreditBacksNeverExceedDebits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var debited, credited int64
		for range rapid.IntRange(1, 10).Draw(t, "nights") {
			debited += rapid.Int64Range(0, 100).Draw(t, "late debit")
			for range rapid.IntRange(0, 2).Draw(t, "reruns") {
				d := reconcile.DecideCreditBack(reconcile.JobFailed, classified(reconcile.FailureSystem), debited, credited, 0)
				if (d.Outcome == reconcile.CreditBackCredited) != (d.Credits > 0) {
					t.Fatalf("%+v", d)
				}
				credited += d.Credits
				if credited != debited {
					t.Fatalf("credited %d of %d", credited, debited)
				}
			}
			if credited > debited {
				t.Fatalf("credited %d of %d", credited, debited)
			}
		}
	})
}
