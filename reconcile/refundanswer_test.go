package reconcile_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
)

func TestAnswerTo(t *testing.T) {
	at := func(clock string) time.Time {
		moment, err := time.Parse("15:04:05.999", clock)
		if err != nil {
			t.Fatal(err)
		}
		return moment.AddDate(2026, 0, 0) // whatever has no instant is long before
	}
	money := func(clock string, minor int64) reconcile.RefundMovement {
		return reconcile.RefundMovement{At: at(clock), AmountMinor: minor, Currency: "usd"}
	}
	credits := func(clock string, n int64) reconcile.RefundMovement {
		return reconcile.RefundMovement{At: at(clock), Credits: -n}
	}
	const asked = "06:00:00.4"
	for _, test := range []struct {
		name      string
		movements []reconcile.RefundMovement
		moment    string // "": nothing answers
		paid      int64
		taken     bool
		before    bool
	}{
		{"nothing was refunded", nil, "", 0, false, false},
		{"money and credits after the request", []reconcile.RefundMovement{money("09:00:00", 1912), credits("09:00:01", 2000)}, "09:00:00", 1912, true, false},
		{"the credits first: from then on nothing uses them", []reconcile.RefundMovement{money("09:00:00", 1912), credits("08:55:00", 2000)}, "08:55:00", 1912, true, false},
		{"money alone", []reconcile.RefundMovement{money("09:00:00", 1912)}, "09:00:00", 1912, false, false},
		{"credits alone", []reconcile.RefundMovement{credits("09:00:00", 2000)}, "09:00:00", 0, true, false},
		{"in parts: the first decides, all are paid", []reconcile.RefundMovement{money("10:00:00", 912), money("09:00:00", 1000)}, "09:00:00", 1912, false, false},
		{"in the second of the request: Stripe tells no less", []reconcile.RefundMovement{money("06:00:00", 1912)}, "06:00:00", 1912, false, false},
		{"the second before the request", []reconcile.RefundMovement{money("05:59:59", 1912)}, "", 0, false, true},
		{"some before the request, and some after", []reconcile.RefundMovement{money("05:00:00", 100), money("09:00:00", 1812)}, "09:00:00", 1812, false, true},
		{"credits before the request, and no money since", []reconcile.RefundMovement{credits("05:00:00", 2000)}, "", 0, false, true},
		{"credits before the request, the money after it", []reconcile.RefundMovement{credits("05:00:00", 2000), money("09:00:00", 1912)}, "05:00:00", 1912, true, false},
		{"credits taken before and put back", []reconcile.RefundMovement{credits("05:00:00", 2000), credits("05:30:00", -2000)}, "", 0, false, false},
		{"taken after it and put back", []reconcile.RefundMovement{credits("07:00:00", 2000), credits("08:00:00", -2000)}, "", 0, false, false},
		{"taken in two steps, from the first on", []reconcile.RefundMovement{credits("07:00:00", 1200), credits("08:00:00", 800)}, "07:00:00", 0, true, false},
		{"money while some of the credits are out", []reconcile.RefundMovement{credits("07:00:00", 1200), money("07:30:00", 1912), credits("08:00:00", 800)}, "07:00:00", 1912, true, false},
		{"put back and taken again", []reconcile.RefundMovement{credits("05:00:00", 2000), credits("07:00:00", -2000), credits("08:00:00", 2000)}, "08:00:00", 0, true, false},
		{"more credits than fit into an int64", []reconcile.RefundMovement{credits("07:00:00", math.MinInt64), credits("08:00:00", math.MinInt64)}, "07:00:00", 0, true, false},
		{"money back, credits given back all the same", []reconcile.RefundMovement{money("09:00:00", 1912), credits("09:01:00", 2000), credits("10:00:00", -2000)}, "09:00:00", 1912, false, false},
	} {
		answer, before := reconcile.AnswerTo(at(asked), test.movements)
		switch {
		case before != test.before:
			t.Errorf("%s: refunded before: %t", test.name, before)
		case test.moment == "" && answer != nil:
			t.Errorf("%s: answered by %v", test.name, *answer)
		case test.moment == "":
		case answer == nil:
			t.Errorf("%s: not answered", test.name)
		case !answer.At.Equal(at(test.moment)) || answer.PaidMinor != test.paid || answer.CreditsTaken != test.taken || test.paid > 0 && answer.Currency != "usd":
			t.Errorf("%s: answered by %+v", test.name, *answer)
		}
	}
}

// A refund that has been made decides by what was known then, and the customer is told of it as it was.
func TestDecideRefundAnsweredByRefund(t *testing.T) {
	for _, test := range []struct {
		name     string
		edit     func(f *reconcile.RefundFacts)
		paid     int64
		decision reconcile.Decision
		has      reconcile.ReasonCode
		says     string
		saysNot  string
	}{
		{"what is due was paid", func(*reconcile.RefundFacts) {}, 941, reconcile.DecisionApprove, reconcile.ReasonUnusedInTime, "We refunded 9.41 USD", "will"},
		{"more than is due was paid", func(*reconcile.RefundFacts) {}, 1000, reconcile.DecisionApprove, reconcile.ReasonUnusedInTime, "We refunded 10.00 USD to your original payment method; by our refund policy it should be 9.41 USD", "will"},
		{"the credits only", func(*reconcile.RefundFacts) {}, 0, reconcile.DecisionApprove, reconcile.ReasonUnusedInTime, "We will refund 9.41 USD to your original payment method, and the credits have left", "refunded 9.41"},
		{"withdrawn before the refund", func(f *reconcile.RefundFacts) {
			f.Status, f.StatusSince = reconcile.RequestWithdrawn, f.Answer.At.Add(-time.Second)
		}, 941, reconcile.DecisionDeny, reconcile.ReasonWithdrawn, "We refunded 9.41 USD to your original payment method.", "othing is refunded"},
		{"withdrawn after the refund", func(f *reconcile.RefundFacts) { f.Status, f.StatusSince = reconcile.RequestWithdrawn, f.Answer.At }, 941, reconcile.DecisionApprove, reconcile.ReasonUnusedInTime, "We refunded 9.41 USD", "closed"},
		{"denied on the platform after the refund", func(f *reconcile.RefundFacts) {
			f.Status, f.StatusSince = reconcile.RequestDenied, f.Answer.At.Add(time.Hour)
		}, 941, reconcile.DecisionApprove, reconcile.ReasonUnusedInTime, "We refunded 9.41 USD", "not approved"},
		{"some was used when it was made", func(f *reconcile.RefundFacts) { f.Purchase.UsedCredits = 1 }, 941, reconcile.DecisionDeny, reconcile.ReasonCreditsUsed, "We refunded 9.41 USD to your original payment method all the same", "not approved"},
		{"some was refunded before", func(f *reconcile.RefundFacts) { f.Purchase.RefundedBefore = true }, 941, reconcile.DecisionDeny, reconcile.ReasonRefundedBefore, "We refunded 9.41 USD", "not approved"},
		{"without a reason, which is not asked for any more", func(f *reconcile.RefundFacts) { f.Stated.Reason = false }, 941, reconcile.DecisionApprove, reconcile.ReasonUnusedInTime, "We refunded 9.41 USD", "tell us"},
	} {
		f := refundable()
		f.Answer = &reconcile.RefundAnswer{At: f.RequestedAt.Add(3 * time.Hour), PaidMinor: test.paid, Currency: "usd", CreditsTaken: true}
		test.edit(&f)
		d := reconcile.DecideRefund(f)
		n := reconcile.NotifyDecision(f.Kind, d)
		text := n.Subject + "\n" + n.Body
		if d.Decision != test.decision || !strings.Contains(reasonCodes(d), string(test.has)) || !strings.Contains(reasonCodes(d), string(reconcile.ReasonAnsweredByRefund)) {
			t.Errorf("%s: %+v", test.name, d)
		}
		if !strings.Contains(text, test.says) || strings.Contains(text, test.saysNot) {
			t.Errorf("%s: the customer is told\n%s", test.name, text)
		}
	}
}

// A denial speaks of the refund that is made after it all the same, and of the rest of one that had begun with money; not of one that had begun by its
// credits alone.
func TestDenialHolds(t *testing.T) {
	at := func(hour int) time.Time { return time.Date(2026, 3, 2, hour, 0, 0, 0, time.UTC) }
	money := func(hour int) reconcile.RefundMovement {
		return reconcile.RefundMovement{At: at(hour), AmountMinor: 5, Currency: "jpy"}
	}
	credits := func(hour int, n int64) reconcile.RefundMovement {
		return reconcile.RefundMovement{At: at(hour), Credits: -n}
	}
	for _, tc := range []struct {
		name      string
		movements []reconcile.RefundMovement
		want      bool
	}{
		{"money after the request", []reconcile.RefundMovement{money(7)}, true},
		{"money in its second", []reconcile.RefundMovement{money(6)}, true},
		{"money and credits after the request", []reconcile.RefundMovement{credits(7, 20), money(8)}, true},
		{"money before the request", []reconcile.RefundMovement{money(5)}, false},
		{"money before it, credits after it", []reconcile.RefundMovement{money(5), credits(7, 20)}, true},
		{"the credits before it, the money after it", []reconcile.RefundMovement{credits(5, 20), money(8)}, false},
		{"the credits before it but put back", []reconcile.RefundMovement{credits(5, 20), credits(7, -20), money(8)}, true},
		{"the credits and a part before it, the rest after it", []reconcile.RefundMovement{credits(5, 20), money(5), money(8)}, true},
		{"nothing", nil, false},
	} {
		if got := reconcile.DenialHolds(at(6).Add(400*time.Millisecond), tc.movements); got != tc.want {
			t.Errorf("%s: %t", tc.name, got)
		}
	}
}
