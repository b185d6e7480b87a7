package faultlab_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/refunds"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// at does something the first time that the executor comes to a step.
func at(step string, do func()) func(*jobs.Worker) {
	var done atomic.Bool
	return func(w *jobs.Worker) {
		w.Step = func(name string) {
			if name == step && done.CompareAndSwap(false, true) {
				do()
			}
		}
	}
}

// TestWhatHappensInTheLastMomentStopsARefund changes one thing after the last look, when the credits are held already: that refund is refused,
// its credits are back, and nothing of it leaves. The others go: it is no failure of theirs, and no break but where what was done is one.
func TestWhatHappensInTheLastMomentStopsARefund(t *testing.T) {
	t.Parallel()
	w := start(t)
	for _, c := range []struct {
		name, step string
		change     func(l *lab, charge string) error
		byHand     int // refunds that the change itself makes
		posts      int
	}{
		{"credits are used", "refunds/held", func(l *lab, _ string) error {
			_, err := l.db.Exec("INSERT INTO platform.credit_entries (id, account_id, kind, credits, job_id, created_at) VALUES ('last_use', 'acc_0', 'usage', -1, 'job_x', $1)", executing)
			return err
		}, 0, refundsPlanned - 1},
		{"the payment is disputed", "refunds/before-send", func(l *lab, charge string) error {
			_, err := l.stripe.OpenDispute(stripetest.DisputeParams{Charge: charge})
			return err
		}, 0, refundsPlanned},
		{"somebody refunds it in the dashboard", "refunds/before-send", func(l *lab, charge string) error {
			_, err := l.stripe.CreateRefund(stripetest.RefundParams{Charge: charge})
			return err
		}, 1, refundsPlanned},
		{"somebody refunds so much of it that too little is left", "refunds/before-send", func(l *lab, charge string) error {
			_, err := l.stripe.CreateRefund(stripetest.RefundParams{Charge: charge, Amount: 9_000})
			return err
		}, 1, refundsPlanned},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := w.open(t)
			charge := l.item("pur_0").ChargeID
			outcome, err := l.executeOnce(func(w *jobs.Worker) {
				w.Settings.Refund.Caps.ConsecutiveFailures = 1
				at(c.step, func() {
					if err := c.change(l, charge); err != nil {
						t.Error(err)
					}
				})(w)
			})
			if err != nil || outcome.Sent != refundsPlanned-1 || outcome.Rejected != 1 {
				t.Errorf("got %+v, %v; want one rejected and the others sent", outcome, err)
			}
			item := l.item("pur_0")
			if item.State != reconcile.IntentRejected || item.ReleaseEntryID == "" {
				t.Errorf("it is %s (%s), released by %q", item.State, item.Reason, item.ReleaseEntryID)
			}
			if sent := len(l.stripe.State().Refunds) - c.byHand; sent != refundsPlanned-1 || len(l.posts()) != c.posts {
				t.Errorf("%d refunds were made, %d asked for", sent, len(l.posts()))
			}
			if breaks := l.breaks(); len(breaks) > 0 {
				t.Errorf("breaks: %q", breaks)
			}
		})
	}
}

// TestHaltedBetweenHoldAndSend flips the kill switch when the credits of the first refund are held and nothing is sent yet: nothing is sent
// until it is flipped back, and then each is sent once.
func TestHaltedBetweenHoldAndSend(t *testing.T) {
	t.Parallel()
	l := start(t).open(t)
	operator, closeOperator := l.must(false)
	defer closeOperator()
	ctx := context.Background()
	outcome, err := l.executeOnce(at("refunds/held", func() {
		if err := operator.RefundDesk().FlipSwitch(ctx, true, "Dora", "something smells"); err != nil {
			t.Error(err)
		}
	}))
	if !errors.Is(err, night.ErrIntegrity) || outcome.Sent != 0 || len(l.posts()) != 0 {
		t.Errorf("got %+v, %v, and %d requests", outcome, err, len(l.posts()))
	}
	if state := l.item("pur_0").State; state != reconcile.IntentSending {
		t.Errorf("it is %s", state)
	}
	l.holds(false)
	if err := operator.RefundDesk().FlipSwitch(ctx, false, "Dora", "it was the cheese"); err != nil {
		t.Fatal(err)
	}
	l.execute(nil)
	if len(l.posts()) != refundsPlanned {
		t.Errorf("%d requests", len(l.posts()))
	}
	l.holds(true)
	if breaks := l.breaks(); len(breaks) > 0 {
		t.Errorf("left are the breaks %q", breaks)
	}
}

// leaveOpen executes the plan so that the outcome of every refund stays open: Stripe acts or not, nobody hears of it, and nothing can be
// looked up.
func (l *lab) leaveOpen(acted bool) {
	l.t.Helper()
	kind := stripetest.ResetBefore
	if acted {
		kind = stripetest.ResetAfter
	}
	l.stripe.SetFaults(stripetest.Fault{Match: stripetest.Match{Method: "POST", Times: -1}, Kind: kind},
		stripetest.Fault{Match: stripetest.Match{Method: "GET", Path: "/v1/refunds", Call: 2, Times: -1}, Kind: stripetest.ServerErrorBefore})
	if _, err := l.executeOnce(nil); !retryable(err) {
		l.t.Fatal(err)
	}
	l.stripe.SetFaults()
	if state := l.item("pur_0").State; state != reconcile.IntentUnknown {
		l.t.Fatalf("it is %s", state)
	}
}

// TestNothingIsSentShortlyBeforeAKeyExpires: a request that is under way when a refund is given up could still be carried out. So nothing is
// sent in the last hour before that.
func TestNothingIsSentShortlyBeforeAKeyExpires(t *testing.T) {
	t.Parallel()
	l := start(t).open(t)
	l.leaveOpen(false)
	posts := len(l.posts())
	l.clock.set(executing.Add(22*time.Hour + 30*time.Minute))
	if _, err := l.executeOnce(nil); !retryable(err) {
		t.Errorf("got %v", err)
	}
	item := l.item("pur_0")
	for _, key := range l.posts()[posts:] {
		if key == item.IdempotencyKey() {
			t.Error("it was sent again")
		}
	}
	if item.State != reconcile.IntentUnknown {
		t.Errorf("it is %s", item.State)
	}
	l.clock.set(executing.Add(23 * time.Hour))
	l.givesUp()
}

// givesUp executes the plan, which gives up the refund whose outcome is open.
func (l *lab) givesUp() {
	l.t.Helper()
	if _, err := l.executeOnce(nil); err != nil {
		l.t.Error(err)
	}
	if item := l.item("pur_0"); item.State != reconcile.IntentRejected || item.ReleaseEntryID == "" {
		l.t.Errorf("it is %s, released by %q", item.State, item.ReleaseEntryID)
	}
	l.holds(false)
}

// TestAnOutcomeLeftOpenForDaysIsABreak: nobody executes the plan again. From the second night on that is a break, one and not two, until
// somebody looks.
func TestAnOutcomeLeftOpenForDaysIsABreak(t *testing.T) {
	t.Parallel()
	for _, acted := range []bool{true, false} {
		t.Run(fmt.Sprintf("Stripe acted %v", acted), func(t *testing.T) {
			l := start(t).open(t)
			l.leaveOpen(acted)
			item := l.item("pur_0")
			about := func() (found []string) {
				rows, err := l.db.Query(`SELECT kind || ' ' || field FROM reconciler.breaks WHERE closed_on IS NULL AND subject_id IN ($1, $2, $3) ORDER BY 1`,
					item.IntentID(), item.PurchaseID, item.ChargeID)
				if err != nil {
					t.Fatal(err)
				}
				defer rows.Close()
				for rows.Next() {
					var text string
					if err := rows.Scan(&text); err != nil {
						t.Fatal(err)
					}
					found = append(found, text)
				}
				return found
			}
			night := func(after int, execute bool) {
				l.clock.set(nightTime.AddDate(0, 0, after))
				w, closeWorker := l.must(execute)
				defer closeWorker()
				if err := w.RunNight(context.Background(), secondDay.AddDays(after)); err != nil {
					t.Fatal(err)
				}
			}
			night(0, false)
			if found := about(); len(found) > 0 {
				t.Errorf("after some hours there are the breaks %q", found)
			}
			want := map[bool]string{true: "refund_failed outcome", false: "refund_missing_at_stripe refund"}[acted]
			last := 1
			if *long {
				last = 3
			}
			for after := 1; after <= last; after++ {
				night(after, false)
				if found := strings.Join(about(), "; "); found != want {
					t.Errorf("night %d: the breaks %q, want %q", after, found, want)
				}
			}
			night(last+1, true)
			item = l.item("pur_0")
			wantState := map[bool]reconcile.IntentState{true: reconcile.IntentSent, false: reconcile.IntentRejected}[acted]
			if item.State != wantState {
				t.Errorf("it is %s, want %s", item.State, wantState)
			}
			if found := about(); acted && len(found) > 0 || !acted && !slices.Contains(found, "refund_failed rejected") {
				t.Errorf("after somebody looked there are the breaks %q", found)
			}
			l.holds(acted)
		})
	}
}

// racing has four do the same at once; how many of them did it. The others are told that it is done.
func racing(t *testing.T, do func(i int) error) (did int) {
	t.Helper()
	done := make(chan error)
	for i := range 4 {
		go func() { done <- do(i) }()
	}
	for range 4 {
		switch err := <-done; {
		case err == nil:
			did++
		case !errors.Is(err, refunds.ErrUsage) && !errors.Is(err, refunds.ErrNothingDue):
			t.Error(err)
		}
	}
	return did
}

// Several people flip the kill switch at once, and cancel, plan and approve: one of them does, the others are told.
func TestPeopleRacing(t *testing.T) {
	t.Parallel()
	l := start(t).open(t)
	w, closeWorker := l.must(false)
	defer closeWorker()
	ctx, desk := context.Background(), w.RefundDesk()
	for _, halt := range []bool{true, false} {
		flipped := racing(t, func(i int) error { return desk.FlipSwitch(ctx, halt, fmt.Sprintf("operator %d", i), "now") })
		if last, err := refunds.SwitchNow(ctx, l.store); err != nil || flipped != 1 || last.Halted() != halt {
			t.Errorf("flipped %d times, now halted %v, %v", flipped, last.Halted(), err)
		}
	}
	if _, err := desk.Cancel(ctx, l.planID, "Ben", "to be made anew"); err != nil {
		t.Fatal(err)
	}
	plans := make([]refunds.PlanView, 4)
	made := racing(t, func(i int) (err error) {
		plans[i], _, err = desk.Plan(ctx, firstDay, fmt.Sprintf("planner %d", i))
		return err
	})
	plan := plans[slices.IndexFunc(plans, func(p refunds.PlanView) bool { return p.PlanID != "" })]
	approved := racing(t, func(i int) error { return l.approve(plan.PlanID, fmt.Sprintf("approver %d", i), plan.PlanSha256) })
	if made != 1 || approved != 1 {
		t.Errorf("%d plans were made, and one was approved by %d", made, approved)
	}
	l.holds(false)
}
