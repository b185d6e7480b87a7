package morning

import (
	"strings"
	"testing"

	"github.com/hummingbytes/reconciler/reports/figures"
)

// What nobody looked at never reads as clean, however many errors come before it in the list.
func TestAMorningMessageSaysThatStripeWasNotLookedAt(t *testing.T) {
	t.Parallel()
	for looked, want := range map[bool]bool{true: false, false: true} {
		s := &figures.Summary{Status: figures.StatusTied}
		s.Stripe.Looked = looked
		if m := MessageOf(s, nil, ""); strings.Contains(m.Title, "Stripe was NOT looked at") != want {
			t.Errorf("looked at %t: %s", looked, m.Title)
		}
	}
}
