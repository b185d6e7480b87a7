package faultlab_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs/refunds"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// TestEveryCallOfARefundMayBreak breaks each call that the execution of a plan makes, in each way that calls break: before Stripe acted,
// after it, in the middle of the answer, on cold and on warm connections. Run again, every refund is there exactly once.
func TestEveryCallOfARefundMayBreak(t *testing.T) {
	t.Parallel()
	w := start(t)
	clean := w.open(t)
	worker, closeWorker := clean.must(false)
	if _, err := worker.RefundDesk().Execute(context.Background(), w.planID, "Carol"); err != nil {
		t.Fatal(err)
	}
	closeWorker()
	want := clean.ending()
	requests := clean.stripe.Requests()
	clean.drop()
	type fault struct {
		call int
		what string
		kind stripetest.Kind
		cold bool
	}
	var faults []fault
	for call, request := range requests {
		for _, kind := range stripetest.Kinds() {
			if kind == stripetest.ActSlowly {
				continue // has a test of its own
			}
			for _, cold := range []bool{false, true} {
				if cold && (kind == stripetest.CloseWarmBefore || kind == stripetest.CloseWarmAfter) {
					continue
				}
				faults = append(faults, fault{call + 1, request.Method + " " + request.Path, kind, cold})
			}
		}
	}
	var counts tally
	t.Run("place", func(t *testing.T) {
		sweep(t, sample(faults, 10), func(t *testing.T, f fault) {
			l := w.open(t)
			l.stripe.SetFaults(stripetest.Fault{Match: stripetest.Match{Call: f.call}, Kind: f.kind})
			broken, closeBroken := l.must(false)
			if f.cold {
				broken.Refunds = l.coldRefunds()
			}
			_, _ = broken.RefundDesk().Execute(context.Background(), w.planID, "Carol") // however it ends
			closeBroken()
			hit := l.faultHit()
			violations := l.violations(false)
			if f.kind == stripetest.StoredServerError { // Stripe answers so for as long as it knows the key
				l.clock.set(executing.Add(25 * time.Hour))
			}
			anew := l.finish()
			violations = append(violations, l.violations(true)...)
			if diff := l.ending().differs(want); diff != "" && anew == 0 {
				violations = append(violations, diff)
			}
			if anew > 0 && !saysNo(f.kind) {
				violations = append(violations, fmt.Sprintf("%d refunds had to be planned anew", anew))
			}
			counts.add(2, hit, violations, t, fmt.Sprintf("call %d (%s): %s, cold %v", f.call, f.what, f.kind, f.cold))
		})
	})
	counts.tell(t, "network sweep of refund execution")
}

// saysNo are faults in which Stripe itself speaks against a refund, or of a charge in a state that nobody knows: then that refund is refused
// or stopped, its credits are back, and a new plan makes it. It ends with the same money in the same place, but with two intents.
func saysNo(kind stripetest.Kind) bool {
	return kind == stripetest.StoredServerError || kind == stripetest.UnknownStatus
}

// faultHit says whether the planned fault changed anything.
func (l *lab) faultHit() bool {
	for _, request := range l.stripe.Requests() {
		if request.FaultHit {
			return true
		}
	}
	return false
}

// finish executes the plan to its end, without faults, and then plans anew what was refused or stopped: so many.
func (l *lab) finish() (anew int) {
	l.t.Helper()
	l.stripe.SetFaults()
	l.execute(nil)
	worker, closeWorker := l.must(false)
	defer closeWorker()
	view, err := worker.RefundDesk().Load(context.Background(), l.planID)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, item := range view.Items {
		if item.State == reconcile.IntentRejected || item.State == reconcile.IntentStopped {
			anew++
		}
	}
	if anew == 0 {
		return 0
	}
	// What was found at Stripe stands until the next night has looked there again.
	l.clock.set(executing.Add(25 * time.Hour))
	if err := worker.RunNight(context.Background(), secondDay, "sync-stripe"); err != nil {
		l.t.Fatal(err)
	}
	again, _, err := worker.RefundDesk().Plan(context.Background(), secondDay.AddDays(-1), "Anna")
	if err == nil && again.Refunds != anew {
		err = fmt.Errorf("refused or stopped were %d refunds, planned anew %d", anew, again.Refunds)
	}
	if err == nil {
		err = l.approve(again.PlanID, "Ben", "")
	}
	if err == nil {
		_, err = worker.RefundDesk().Execute(context.Background(), again.PlanID, "Carol")
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return anew
}

// coldRefunds is a gateway that opens a connection for every call.
func (l *lab) coldRefunds() refunds.Gateway {
	l.t.Helper()
	options := l.options(l.stripe.RefundKey())
	options.HTTPClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	client, err := stripefeed.New(options)
	if err != nil {
		l.t.Fatal(err)
	}
	return client
}

// TestASlowRefundIsNotSentTwice lets a call take so long that the executor gives it up while Stripe is still at it.
func TestASlowRefundIsNotSentTwice(t *testing.T) {
	t.Parallel()
	w := start(t)
	l := w.open(t)
	l.stripe.SetFaults(stripetest.Fault{Match: stripetest.Match{Method: "POST"}, Kind: stripetest.ActSlowly, Delay: 700 * time.Millisecond})
	worker, closeWorker := l.must(false)
	_, err := worker.RefundDesk().Execute(context.Background(), w.planID, "Carol")
	closeWorker()
	for _, v := range l.violations(false) {
		t.Errorf("after %v: %s", err, v)
	}
	l.execute(nil)
	l.holds(true)
}
