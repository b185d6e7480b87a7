package jobs_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// An approved refund whose money has not left 7 business days later is a break, planned or not, until it stands: counted from the refund that
// failed where there was one. What was called off is not due; credits without money are a break of their own. It is awaited before, and cleared by the
// refund that stands.
func TestApprovedRefundUnpaidIsABreakOnceOverdue(t *testing.T) {
	t.Parallel()
	b := newBothBooks(t) // from Monday, 5 January 2026; the 19th is a holiday
	approved := func(currency string) (purchased, string) {
		p := b.buy(20_000, currency)
		return p, b.ask(p)
	}
	b.until(9)
	forgotten, forgottenRequest := approved("jpy")
	cancelled, cancelledRequest := approved("kwd")
	_, withdrawnRequest := approved("usd")
	paid, _ := approved("usd")
	failing, failingRequest := approved("eur")
	taken, _ := approved("usd")
	accepted, acceptedRequest := approved("usd")
	b.night()
	if n := b.count("SELECT awaiting::int FROM reconciler.control_totals WHERE check_name = 'approved refunds' AND unit = 'objects'"); n != 7 {
		t.Errorf("%d approved refunds are awaited, want 7", n)
	}

	var refund stripetest.Refund
	on := map[int]func(){
		6: func() {
			b.exec("UPDATE platform.refund_requests SET status = 'withdrawn', decided_at = $2 WHERE id = $1", withdrawnRequest, b.clock())
			b.entry(taken, "refund", -taken.credits)
			b.entry(failing, "refund", -failing.credits)
			refund = b.refund(failing, b.refundable(failing))
			plan, _, err := b.worker.RefundDesk().Plan(context.Background(), b.date().AddDays(-1), "Ana")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.worker.RefundDesk().Cancel(context.Background(), plan.PlanID, "Ana", "not now"); err != nil {
				t.Fatal(err)
			}
		},
		12: func() {
			ok[stripetest.Refund](t)(b.stripe.FailRefund(refund.ID, "lost_or_stolen_card"))
			b.entry(failing, "refund_reversal", failing.credits)
		},
		13: func() { b.giveBack(paid) },
		16: func() {
			for _, p := range []purchased{cancelled, taken, accepted} {
				b.resolve(p.account, "accepted")
			}
		},
		20: func() { b.giveBack(forgotten) },
	}
	unpaid := func(request string) string { return "refund_unpaid " + request + " refund" }
	missing := "refund_missing_at_stripe " + taken.id + " refund"
	for day := 6; day <= 23; day++ {
		b.advance(time.Hour)
		if do := on[day]; do != nil {
			do()
		}
		if got := b.date().Day; got != day {
			t.Fatalf("the clock says day %d on day %d", got, day)
		}
		b.night()
		var want []string
		switch {
		case day >= 23:
			want = []string{unpaid(failingRequest)}
		case day >= 16 && day < 20:
			want = []string{unpaid(forgottenRequest)}
		case day == 15:
			want = []string{missing, unpaid(forgottenRequest), unpaid(cancelledRequest), unpaid(acceptedRequest)}
		case day >= 7 && day < 15:
			want = []string{missing}
		}
		if diff := cmp.Diff(sorted(want), b.allOpen(), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("day %d: %s", day, diff)
		}
		if n := b.count("SELECT count(*) FROM reconciler.control_totals WHERE check_name LIKE 'approved refunds%' AND difference <> 0"); n > 0 {
			t.Errorf("day %d: %d control totals of approved refunds don't tie", day, n)
		}
	}
	var ours, variance, unit string
	if err := b.db.QueryRow(`SELECT l.ours, l.variance::text, l.unit FROM reconciler.breaks k JOIN reconciler.break_events l ON l.break_id = k.break_id
		WHERE k.kind = $1 AND k.subject_id = $2 AND l.event = 'opened'`, reconcile.RefundUnpaid, cancelledRequest).Scan(&ours, &variance, &unit); err != nil {
		t.Fatal(err)
	}
	if ours != variance || unit != "kwd" {
		t.Errorf("unpaid are %s, variance %s %s", ours, variance, unit)
	}
}
