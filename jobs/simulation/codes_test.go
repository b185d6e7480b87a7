package simulation

import (
	"testing"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/policyfile"
)

// The story that a failure code tells must be the one that the default policy reads.
func TestFailureCodesHaveTheirClass(t *testing.T) {
	policies, err := policyfile.Default()
	if err != nil {
		t.Fatal(err)
	}
	table := policies.Versions()[0].Failures
	for class, codes := range map[reconcile.FailureClass][]string{
		reconcile.FailureSystem:  systemCodes,
		reconcile.FailureUser:    userCodes,
		reconcile.FailureUnknown: {unknownCode, ""},
	} {
		for _, code := range codes {
			if got := table.Classify(reconcile.JobFailed, code); got.Class != class {
				t.Errorf("%q is %s by rule %s, the simulation takes it for %s", code, got.Class, got.Rule, class)
			}
		}
	}
}
