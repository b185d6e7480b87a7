package faultlab_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/publish"
	"github.com/hummingbytes/reconciler/jobs/refunds"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
	reconcilersql "github.com/hummingbytes/reconciler/sql"
)

// executeOnce executes the plan once.
func (l *lab) executeOnce(edit func(*jobs.Worker)) (refunds.Outcome, error) {
	l.t.Helper()
	w, closeWorker := l.must(false)
	defer closeWorker()
	if edit != nil {
		edit(w)
	}
	return w.RefundDesk().Execute(context.Background(), l.planID, "Carol")
}

func (l *lab) exec(query string, args ...any) {
	l.t.Helper()
	if _, err := l.db.Exec(query, args...); err != nil {
		l.t.Fatal(err)
	}
}

// breaks are the open breaks of refunds, as kind subject field.
func (l *lab) breaks() []string {
	l.t.Helper()
	rows, err := l.db.Query(`SELECT kind || ' ' || subject_id || ' ' || field FROM reconciler.breaks WHERE job = 'refunds' AND closed_on IS NULL ORDER BY 1`)
	if err != nil {
		l.t.Fatal(err)
	}
	defer rows.Close()
	var found []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			l.t.Fatal(err)
		}
		found = append(found, line)
	}
	return found
}

// item is where the refund of a purchase stands.
func (l *lab) item(purchase string) refunds.Item {
	l.t.Helper()
	w, closeWorker := l.must(false)
	defer closeWorker()
	view, err := w.RefundDesk().Load(context.Background(), l.planID)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, item := range view.Items {
		if item.PurchaseID == purchase {
			return item
		}
	}
	l.t.Fatalf("no refund of %s is planned", purchase)
	return refunds.Item{}
}

// TestWhatHappenedSinceTheDecisionStopsARefund changes one thing after the plan was approved: that refund is stopped with its reason,
// nothing of it moves, and the others go. Nothing was refunded, so it is no break of refunds: what differs is one where it is one.
func TestWhatHappenedSinceTheDecisionStopsARefund(t *testing.T) {
	t.Parallel()
	w := start(t)
	const account, purchase = "acc_1", "pur_1"
	for _, c := range []struct {
		name   string
		change func(l *lab, charge string)
		field  string
	}{
		{"the payment is disputed", func(l *lab, charge string) {
			if _, err := l.stripe.OpenDispute(stripetest.DisputeParams{Charge: charge}); err != nil {
				t.Fatal(err)
			}
		}, "disputed_before_refund"},
		{"somebody refunded it in the dashboard", func(l *lab, charge string) {
			if _, err := l.stripe.CreateRefund(stripetest.RefundParams{Charge: charge}); err != nil {
				t.Fatal(err)
			}
		}, "amount_refunded"},
		{"a part was refunded", func(l *lab, charge string) {
			if _, err := l.stripe.CreateRefund(stripetest.RefundParams{Charge: charge, Amount: 1}); err != nil {
				t.Fatal(err)
			}
		}, "amount_refunded"},
		{"Stripe's fee is another one", func(l *lab, charge string) {
			l.exec(`UPDATE reconciler.stripe_balance_transactions SET fee_minor = fee_minor + 1, net_minor = net_minor - 1
				WHERE id = (SELECT balance_transaction_id FROM reconciler.stripe_charges WHERE id = $1)`, charge)
		}, "fee_minor"},
		{"credits were used", func(l *lab, _ string) {
			l.exec("INSERT INTO platform.credit_entries (id, account_id, kind, credits, job_id, created_at) VALUES ('late_use', $1, 'usage', -1, 'job_x', $2)", account, executing)
		}, "used_credits"},
		{"the credits were taken out by hand", func(l *lab, _ string) {
			l.exec("INSERT INTO platform.credit_entries (id, account_id, kind, credits, purchase_id, created_at) VALUES ('by_hand', $1, 'refund', -1, $2, $3)", account, purchase, executing)
		}, "refunded_credits"},
		{"the purchase has another currency", func(l *lab, _ string) {
			l.exec("UPDATE platform.purchases SET currency = 'eur' WHERE id = $1", purchase)
		}, "currency"},
		{"the purchase has another amount", func(l *lab, _ string) {
			l.exec("UPDATE platform.purchases SET amount_minor = amount_minor + 1 WHERE id = $1", purchase)
		}, "amount_minor"},
		{"the request was withdrawn", func(l *lab, _ string) {
			l.exec("UPDATE platform.refund_requests SET status = 'withdrawn' WHERE purchase_id = $1", purchase)
		}, "request_status"},
		{"the request came too late after all", func(l *lab, _ string) {
			l.exec("UPDATE platform.refund_requests SET requested_at = $2 WHERE purchase_id = $1", purchase, morning.AddDate(0, 0, 8))
			l.clock.set(morning.AddDate(0, 0, 9))
		}, "window_state"},
		{"the purchase is gone", func(l *lab, _ string) {
			l.exec("DELETE FROM platform.purchases WHERE id = $1", purchase)
		}, "purchase_status"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := w.open(t)
			item := l.item(purchase)
			c.change(l, item.ChargeID)
			before := len(l.stripe.State().Refunds)
			outcome, err := l.executeOnce(nil)
			if err != nil || outcome.Sent != refundsPlanned-1 || outcome.Stopped != 1 {
				t.Errorf("got %+v, %v; want one stopped and the others sent", outcome, err)
			}
			item = l.item(purchase)
			if item.State != reconcile.IntentStopped || item.HoldEntryID != "" || item.Reason == "" {
				t.Errorf("it is %s (%s), hold %q", item.State, item.Reason, item.HoldEntryID)
			}
			if sent := len(l.stripe.State().Refunds) - before; sent != refundsPlanned-1 {
				t.Errorf("%d refunds were sent", sent)
			}
			if event := l.field(item); event != c.field {
				t.Errorf("stopped for %s, want %s", event, c.field)
			}
			if breaks := l.breaks(); len(breaks) > 0 {
				t.Errorf("got the breaks %q", breaks)
			}
		})
	}
}

// field is what the last step of a refund was taken for.
func (l *lab) field(item refunds.Item) (field string) {
	l.t.Helper()
	if err := l.db.QueryRow("SELECT field FROM reconciler.refund_events WHERE intent_id = $1 ORDER BY event_no DESC LIMIT 1", item.IntentID()).Scan(&field); err != nil {
		l.t.Fatal(err)
	}
	return field
}

// TestWhatOthersDidInBetweenTripsNoBreaker has customers, staff and a bank overtake refunds of a plan in a row: each is stopped, and the one that is
// left goes.
func TestWhatOthersDidInBetweenTripsNoBreaker(t *testing.T) {
	t.Parallel()
	w := start(t)
	l := w.open(t)
	l.exec("UPDATE platform.refund_requests SET status = 'withdrawn' WHERE purchase_id = 'pur_0'")
	if _, err := l.stripe.CreateRefund(stripetest.RefundParams{Charge: l.item("pur_1").ChargeID, Pending: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.stripe.OpenDispute(stripetest.DisputeParams{Charge: l.item("pur_2").ChargeID}); err != nil {
		t.Fatal(err)
	}
	outcome, err := l.executeOnce(func(w *jobs.Worker) { w.Settings.Refund.Caps.ConsecutiveFailures = 1 })
	if err != nil || outcome.Stopped != 3 || outcome.Sent != refundsPlanned-3 {
		t.Errorf("got %+v, %v; want three stopped and the other sent", outcome, err)
	}
	if breaks := l.breaks(); len(breaks) > 0 {
		t.Errorf("got the breaks %q", breaks)
	}
	if refunds := len(l.stripe.State().Refunds); refunds != 2 {
		t.Errorf("%d refunds at Stripe, want that of staff and ours", refunds)
	}
}

// TestBreakersTrip lets each cap, switch and stop trip: ErrIntegrity, a break, and nothing further moves.
func TestBreakersTrip(t *testing.T) {
	t.Parallel()
	w := start(t)
	for _, c := range []struct {
		name string
		edit func(l *lab, w *jobs.Worker)
		sent int
		code string
	}{
		{"refunds of a run", func(_ *lab, w *jobs.Worker) { w.Settings.Refund.Caps.RunCount = 2 }, 2, "cap_run_count"},
		{"refunds of a day", func(_ *lab, w *jobs.Worker) { w.Settings.Refund.Caps.DayCount = 3 }, 3, "cap_day_count"},
		{"money of a run", func(_ *lab, w *jobs.Worker) {
			w.Settings.Refund.Caps.RunMinor = map[string]int64{"usd": 10_000}
		}, 1, "cap_run_amount"},
		{"money of a day, whatever the currency", func(_ *lab, w *jobs.Worker) {
			w.Settings.Refund.Caps.DayMinor = map[string]int64{"*": 20_000}
		}, 2, "cap_day_amount"},
		{"money of a customer", func(_ *lab, w *jobs.Worker) {
			w.Settings.Refund.Caps.CustomerMinor = map[string]int64{"usd": 9_000}
		}, 0, "cap_customer_amount"},
		{"the kill switch of the worker", func(_ *lab, w *jobs.Worker) { w.Settings.Refund.Halt = true }, 0, "kill_switch"},
		{"the kill switch of the database", func(l *lab, w *jobs.Worker) {
			if err := w.RefundDesk().FlipSwitch(context.Background(), true, "Dora", "something smells"); err != nil {
				t.Fatal(err)
			}
		}, 0, "kill_switch"},
		{"failures in a row", func(l *lab, w *jobs.Worker) {
			w.Settings.Refund.Caps.ConsecutiveFailures = 2
			l.exec("UPDATE platform.purchases SET amount_minor = amount_minor + 1 WHERE id IN ('pur_1', 'pur_2')")
		}, 1, "failures_in_a_row"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := w.open(t)
			outcome, err := l.executeOnce(func(w *jobs.Worker) { c.edit(l, w) })
			if !errors.Is(err, night.ErrIntegrity) || outcome.Sent != c.sent {
				t.Errorf("got %+v, %v; want %d sent and ErrIntegrity", outcome, err, c.sent)
			}
			if refunds := len(l.stripe.State().Refunds); refunds != c.sent {
				t.Errorf("%d refunds at Stripe, want %d", refunds, c.sent)
			}
			if breaks := strings.Join(l.breaks(), "\n"); !strings.Contains(breaks, "refund_against_policy "+l.planID+" "+c.code) {
				t.Errorf("got the breaks %q, want one of %s", breaks, c.code)
			}
			l.holds(false)
		})
	}
}

// TestAnUnusualDayIsStopped gives the plan a history of small days.
func TestAnUnusualDayIsStopped(t *testing.T) {
	t.Parallel()
	l := start(t).open(t)
	for i := range 8 {
		id := fmt.Sprintf("ri_old_%d", i)
		l.exec("INSERT INTO reconciler.refund_plans (plan_id, plan_sha256, business_date, refunds, made_by, made_at) VALUES ($1, repeat('0', 64), $2, 1, 'Anna', $3)", "plan_"+id, firstDay.AddDays(-i-1), morning)
		l.exec("INSERT INTO reconciler.refund_approvals (plan_id, plan_sha256, maker, approved_by, approved_at) VALUES ($1, repeat('0', 64), 'anna', 'Ben', $2)", "plan_"+id, morning)
		l.exec(`INSERT INTO reconciler.refund_plan_items (account_id, plan_id, intent_id, request_id, purchase_id, charge_id, decided_on, attempt, amount_minor, fee_minor, currency, credits, clauses, policy_version)
			VALUES ('acc_old', $1, $2, $2, $2, $2, $3, 1, 500, 0, 'usd', 50, '2.1', '1')`, "plan_"+id, id, firstDay)
		l.exec(`INSERT INTO reconciler.refund_intents (account_id, intent_id, plan_id, request_id, charge_id, state, version, approved_plan_id, hold_entry_id, refund_id, first_sent_at, sent_on)
			VALUES ('acc_old', $2, $1, $2, $2, 'settled', 1, $1, $2, $2, $3, $4)`, "plan_"+id, id, morning, firstDay.AddDays(-i-1))
	}
	edit := func(w *jobs.Worker) { w.Settings.Refund.Caps.AnomalyMultiple = 3 }
	if outcome, err := l.executeOnce(edit); !errors.Is(err, night.ErrIntegrity) || outcome.Sent != 0 {
		t.Errorf("got %+v, %v", outcome, err)
	}
	if outcome, err := l.executeOnce(func(w *jobs.Worker) { w.Settings.Refund.Caps.AnomalyMultiple = 1000 }); err != nil || outcome.Sent != refundsPlanned {
		t.Errorf("with the multiple raised: %+v, %v", outcome, err)
	}
}

// TestNobodyApprovesTheirOwnPlan tries every spelling of the maker's name, past the worker as well.
func TestNobodyApprovesTheirOwnPlan(t *testing.T) {
	t.Parallel()
	l := start(t).open(t)
	w, closeWorker := l.must(false)
	defer closeWorker()
	ctx := context.Background()
	if _, err := w.RefundDesk().Cancel(ctx, l.planID, "Ben", "to be made anew"); err != nil {
		t.Fatal(err)
	}
	view, _, err := w.RefundDesk().Plan(ctx, firstDay, "Anna Maria")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Anna Maria", "anna maria", " ANNA\tMARIA ", "annamaria", "Anna\u00a0Maria", "Anna\u200bMaria", "Ａｎｎａ Maria", "Аnna Maria", "Ben\u200d", "reconciler", ""} {
		if err := l.approve(view.PlanID, name, ""); !errors.Is(err, refunds.ErrUsage) {
			t.Errorf("%q approved the plan of Anna Maria: %v", name, err)
		}
	}
	if err := l.approve(view.PlanID, "Ben", "0000"); !errors.Is(err, refunds.ErrUsage) {
		t.Errorf("another hash was approved: %v", err)
	}
	_, err = l.db.Exec(`INSERT INTO reconciler.refund_approvals (plan_id, plan_sha256, maker, approved_by, approved_at) VALUES ($1, $2, 'somebody', 'Anna Maria', $3)`,
		view.PlanID, view.PlanSha256, planning)
	if err == nil {
		t.Error("the database took an approval under another maker's name")
	}
	if _, err := w.RefundDesk().Approve(ctx, view.PlanID, "Ben", ""); !errors.Is(err, refunds.ErrUsage) || !strings.Contains(err.Error(), "reconciler_approver") {
		t.Errorf("the worker's role approved: %v", err)
	}
	if _, err := w.RefundDesk().Execute(ctx, view.PlanID, "Carol"); !errors.Is(err, refunds.ErrUsage) {
		t.Errorf("executing a plan that nobody approved: %v", err)
	}
	if err := l.approve(view.PlanID, "Ben", view.PlanSha256[:12]); err != nil {
		t.Error(err)
	}
	if err := l.approve(view.PlanID, "Dora", ""); !errors.Is(err, refunds.ErrUsage) {
		t.Errorf("it was approved twice: %v", err)
	}
}

// An approval is given by the command, which notes it in the audit log: a row in the table alone moves no money, whoever put it there.
func TestAnApprovalThatTheAuditLogLacksIsRefused(t *testing.T) {
	t.Parallel()
	for name, forge := range map[string]string{
		"without a link": `INSERT INTO reconciler.refund_approvals (plan_id, plan_sha256, maker, approved_by, approved_at)
			SELECT plan_id, plan_sha256, maker, 'Ben', made_at FROM reconciler.refund_plans WHERE plan_id = $1`,
		"with the change alone": `WITH a AS (INSERT INTO reconciler.refund_approvals (plan_id, plan_sha256, maker, approved_by, approved_at)
			SELECT plan_id, plan_sha256, maker, 'Ben', made_at FROM reconciler.refund_plans WHERE plan_id = $1 RETURNING *)
			INSERT INTO reconciler.audit_changes (account_id, subject, subject_id, change, detail, link, change_no, sha256)
			SELECT '', 'refund_plan', plan_id, 'approved', 'sha256 ' || plan_sha256 || ', by Ben', 1, 900,
			    encode(sha256(convert_to(jsonb_build_array('', 'refund_plan', plan_id, 'approved', 'sha256 ' || plan_sha256 || ', by Ben', 1, 900)::text, 'UTF8')), 'hex') FROM a`,
	} {
		t.Run(name, func(t *testing.T) {
			l := start(t).open(t)
			w, closeWorker := l.must(true)
			defer closeWorker()
			ctx := context.Background()
			if _, err := w.RefundDesk().Cancel(ctx, l.planID, "Ben", "to be made anew"); err != nil {
				t.Fatal(err)
			}
			view, _, err := w.RefundDesk().Plan(ctx, firstDay, "Anna")
			if err != nil {
				t.Fatal(err)
			}
			approver, err := sql.Open("postgres", l.database.URLOf(reconcilersql.ApproverRole))
			if err != nil {
				t.Fatal(err)
			}
			defer approver.Close()
			if _, err := approver.Exec(forge, view.PlanID); err != nil {
				t.Fatal(err)
			}
			if _, err := w.RefundDesk().Execute(ctx, view.PlanID, ""); !errors.Is(err, night.ErrIntegrity) || !strings.Contains(err.Error(), "audit log") {
				t.Errorf("it is executed: %v", err)
			}
			if refunds := l.stripe.Refunds(); len(refunds) > 0 {
				t.Errorf("%d refunds at Stripe", len(refunds))
			}
			_, problems, err := night.VerifyAudit(ctx, w.Store)
			if err != nil || !slices.ContainsFunc(problems, func(p night.AuditProblem) bool { return p.Where == "refund plan "+view.PlanID }) {
				t.Errorf("verification finds %v, %v", problems, err)
			}
		})
	}
}

// TestAChangedPlanIsRefused tampers with the plan and with a decision after the approval.
func TestAChangedPlanIsRefused(t *testing.T) {
	t.Parallel()
	for name, tamper := range map[string]string{
		"an amount of the plan":   "UPDATE reconciler.refund_plan_items SET amount_minor = amount_minor + 1 WHERE request_id = 'req_1'",
		"a charge of the plan":    "UPDATE reconciler.refund_plan_items SET charge_id = 'ch_other' WHERE request_id = 'req_1'",
		"an amount of a decision": "UPDATE reconciler.refund_decisions SET refund_minor = refund_minor - 1 WHERE request_id = 'req_1'",
		"the decision itself":     "UPDATE reconciler.refund_decisions SET decision = 'deny' WHERE request_id = 'req_1'",
		"a decision is gone":      "DELETE FROM reconciler.refund_decisions WHERE request_id = 'req_1'",
	} {
		t.Run(name, func(t *testing.T) {
			l := start(t).open(t)
			l.exec(tamper)
			outcome, err := l.executeOnce(nil)
			if !errors.Is(err, night.ErrIntegrity) || outcome.Sent != 0 || len(l.stripe.State().Refunds) != 0 {
				t.Errorf("got %+v, %v; want ErrIntegrity and nothing moved", outcome, err)
			}
		})
	}
}

// TestWithoutARefundKeyNothingLeaves: neither the command nor the night, and the read key never asks for a refund.
func TestWithoutARefundKeyNothingLeaves(t *testing.T) {
	t.Parallel()
	l := start(t).open(t)
	if _, err := l.executeOnce(func(w *jobs.Worker) { w.Refunds = nil }); !errors.Is(err, refunds.ErrUsage) {
		t.Errorf("got %v", err)
	}
	w, closeWorker := l.must(true)
	defer closeWorker()
	w.Refunds = nil
	l.clock.set(nightTime)
	if err := w.RunNight(context.Background(), secondDay); err != nil {
		t.Fatal(err)
	}
	if refunds := l.stripe.State().Refunds; len(refunds) != 0 {
		t.Errorf("there are %d refunds at Stripe", len(refunds))
	}
	l.execute(nil)
	for _, request := range l.stripe.Requests() {
		if request.Method == "POST" && request.Key != l.stripe.RefundKey() {
			t.Errorf("%s %s was sent with the read key", request.Method, request.Path)
		}
	}
	l.holds(true)
}

// TestRefundsExecutedAfterTheReportAreTheNextNights: the job run by itself, after its night was reported, leaves that report verifiable.
func TestRefundsExecutedAfterTheReportAreTheNextNights(t *testing.T) {
	t.Parallel()
	l := start(t).open(t)
	l.night(false)
	w, closeWorker := l.must(true)
	defer closeWorker()
	if err := w.RunNight(context.Background(), secondDay, "refunds"); err != nil {
		t.Fatal(err)
	}
	if state := l.item("pur_1").State; state != reconcile.IntentSent {
		t.Errorf("a refund is %s", state)
	}
	faults, err := w.Verify(context.Background(), secondDay, night.AuditHead{})
	faults = slices.DeleteFunc(faults, func(f publish.Fault) bool { return f.Where == "chain" }) // the laboratory keeps no report of the first night
	if err != nil || len(faults) > 0 {
		t.Errorf("verifying the night: %v, %v", faults, err)
	}
	l.holds(true)
}

// TestANightThatCouldNotLookSendsNothing: money is sent by the run that could sync.
func TestANightThatCouldNotLookSendsNothing(t *testing.T) {
	t.Parallel()
	l := start(t).open(t)
	l.clock.set(nightTime)
	l.stripe.SetFaults(stripetest.Fault{Match: stripetest.Match{Path: "/v1/disputes", Times: -1}, Kind: stripetest.ServerErrorBefore})
	w, closeWorker := l.must(true)
	err := w.RunNight(context.Background(), secondDay)
	closeWorker()
	if !retryable(err) || len(l.posts()) != 0 {
		t.Errorf("got %v, and %d refunds were sent", err, len(l.posts()))
	}
	l.stripe.SetFaults()
	l.night(true)
	l.holds(true)
	if breaks := l.breaks(); len(breaks) > 0 {
		t.Errorf("left are the breaks %q", breaks)
	}
}

// TestARefundThatFailsLaterReopens follows refunds through the night: one settles, one fails, gives its credits back and can be planned anew.
func TestARefundThatFailsLaterReopens(t *testing.T) {
	t.Parallel()
	l := start(t).open(t)
	l.execute(nil)
	failing := l.item("pur_2")
	if _, err := l.stripe.FailRefund(failing.RefundID, "expired_or_canceled_card"); err != nil {
		t.Fatal(err)
	}
	l.night(false)
	if state := l.item("pur_1").State; state != reconcile.IntentSettled {
		t.Errorf("a refund that succeeded is %s", state)
	}
	item := l.item("pur_2")
	if item.State != reconcile.IntentFailed || item.ReleaseEntryID == "" {
		t.Errorf("a refund that failed is %s, its credits' release is %q", item.State, item.ReleaseEntryID)
	}
	if breaks := strings.Join(l.breaks(), "\n"); breaks != "refund_failed "+failing.RefundID+" reopened" {
		t.Errorf("got the breaks %q", breaks)
	}
	l.holds(false)
	clean := l.ending()
	l.night(false)
	if diff := l.ending().differs(clean); diff != "" {
		t.Errorf("after the night was run again: %s", diff)
	}
	l.clock.set(nightTime.Add(8 * time.Hour))
	w, closeWorker := l.must(false)
	defer closeWorker()
	view, _, err := w.RefundDesk().Plan(context.Background(), secondDay, "Anna")
	if err != nil || view.Refunds != 1 || view.Items[0].Attempt != 2 || view.Items[0].IdempotencyKey() == item.IdempotencyKey() {
		t.Fatalf("planned anew: %+v, %v", view, err)
	}
	if err := l.approve(view.PlanID, "Ben", ""); err != nil {
		t.Fatal(err)
	}
	if outcome, err := w.RefundDesk().Execute(context.Background(), view.PlanID, "Carol"); err != nil || outcome.Sent != 1 {
		t.Errorf("got %+v, %v", outcome, err)
	}
	l.holds(true)
	if breaks := l.breaks(); len(breaks) > 0 {
		t.Errorf("left are the breaks %q", breaks)
	}
}

// TestOnlyTheRestOfHeldCreditsComesBack lets others give back some of the credits that a refund holds, in any parts, before it fails: its release is
// the rest, and none at all where nothing is left.
func TestOnlyTheRestOfHeldCreditsComesBack(t *testing.T) {
	t.Parallel()
	template := start(t)
	for name, parts := range map[string]int{"nothing": 0, "a part": 1, "two parts": 2, "all of it in parts": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := template.open(t)
			l.execute(nil)
			item := l.item("pur_2")
			var given int64
			for part := range parts {
				credits := []int64{1, 2, item.Credits - 3}[part]
				given += credits
				l.exec("INSERT INTO platform.credit_entries (id, account_id, kind, credits, purchase_id, created_at) VALUES ($1, $2, 'refund_reversal', $3, 'pur_2', $4)",
					fmt.Sprintf("by_hand_%d", part), item.AccountID, credits, l.clock.now())
			}
			if _, err := l.stripe.FailRefund(item.RefundID, "expired_or_canceled_card"); err != nil {
				t.Fatal(err)
			}
			l.night(false)
			item = l.item("pur_2")
			if item.State != reconcile.IntentFailed || (item.ReleaseEntryID == "") != (given == item.Credits) {
				t.Errorf("it is %s, its credits' release is %q", item.State, item.ReleaseEntryID)
			}
			if said := fmt.Sprintf("%d of its %d credits had been given back by others", given, item.Credits); strings.Contains(item.Reason, said) != (given > 0) {
				t.Errorf("it says %q", item.Reason)
			}
			l.holds(false)
			clean := l.ending()
			l.night(false)
			if diff := l.ending().differs(clean); diff != "" {
				t.Errorf("after the night was run again: %s", diff)
			}
			w, closeWorker := l.must(false)
			defer closeWorker()
			faults, err := w.Verify(context.Background(), secondDay, night.AuditHead{})
			faults = slices.DeleteFunc(faults, func(f publish.Fault) bool { return f.Where == "chain" }) // the laboratory keeps no report of the first night
			if err != nil || len(faults) > 0 {
				t.Errorf("verifying the night: %v, %v", faults, err)
			}
		})
	}
}

// TestAnExpiredKeyIsNeverSentAgain leaves an outcome open for a day: found, it is noted; not found, it is given up and released. Stripe,
// which has forgotten the key, is asked for nothing.
func TestAnExpiredKeyIsNeverSentAgain(t *testing.T) {
	t.Parallel()
	for _, acted := range []bool{true, false} {
		t.Run(fmt.Sprintf("Stripe acted %v", acted), func(t *testing.T) {
			l := start(t).open(t)
			post := stripetest.Match{Method: "POST", Times: -1}
			kind := stripetest.ResetBefore
			if acted {
				kind = stripetest.ResetAfter
			}
			// Nothing can be looked up afterwards, either.
			l.stripe.SetFaults(stripetest.Fault{Match: post, Kind: kind}, stripetest.Fault{Match: stripetest.Match{Method: "GET", Path: "/v1/refunds", Call: 2, Times: -1}, Kind: stripetest.ServerErrorBefore})
			if _, err := l.executeOnce(nil); err == nil {
				t.Fatal("it says that all is well")
			}
			l.stripe.SetFaults()
			posts := len(l.posts())
			first := l.item("pur_0")
			l.clock.set(executing.Add(23 * time.Hour))
			_, err := l.executeOnce(nil)
			item := l.item("pur_0")
			want := reconcile.IntentRejected
			if acted {
				want = reconcile.IntentSent
			}
			if first.State != reconcile.IntentUnknown || item.State != want {
				t.Errorf("it was %s and is %s (%v), want %s", first.State, item.State, err, want)
			}
			for _, key := range l.posts()[posts:] {
				if key == item.IdempotencyKey() {
					t.Error("the expired key was sent again")
				}
			}
			l.holds(false)
		})
	}
}

// TestACheckThatSaysNoLeavesAnOpenRefundAlone: a refund that may be under way is neither sent again nor given up when its charge is disputed
// meanwhile; it is decided when its key has expired.
func TestACheckThatSaysNoLeavesAnOpenRefundAlone(t *testing.T) {
	t.Parallel()
	l := start(t).open(t)
	l.stripe.SetFaults(stripetest.Fault{Match: stripetest.Match{Method: "POST", Times: -1}, Kind: stripetest.ResetBefore})
	if _, err := l.executeOnce(nil); !retryable(err) {
		t.Fatal(err)
	}
	l.stripe.SetFaults()
	item := l.item("pur_0")
	if _, err := l.stripe.OpenDispute(stripetest.DisputeParams{Charge: item.ChargeID}); err != nil {
		t.Fatal(err)
	}
	if outcome, err := l.executeOnce(nil); !retryable(err) || outcome.Open != 1 || outcome.Sent != refundsPlanned-1 {
		t.Errorf("got %+v, %v", outcome, err)
	}
	if state := l.item("pur_0").State; state != reconcile.IntentUnknown {
		t.Errorf("it is %s", state)
	}
	l.clock.set(executing.Add(24 * time.Hour))
	l.givesUp()
}

// TestTamperingWithTheAuditLogIsFound changes, removes and forges parts of the log, past its constraints.
func TestTamperingWithTheAuditLogIsFound(t *testing.T) {
	t.Parallel()
	l := start(t).open(t)
	l.execute(nil)
	store, err := postgres.Open(postgres.Options{URL: l.url})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	ctx := context.Background()
	head, problems, err := night.VerifyAudit(ctx, store)
	if err != nil || len(problems) > 0 || head.Link == 0 {
		t.Fatalf("before: %v, %v, %v", head, problems, err)
	}
	if err := night.VerifyAuditHead(ctx, store, head); err != nil {
		t.Error(err)
	}
	if _, err := l.db.Exec("UPDATE reconciler.audit_changes SET detail = 'nothing to see' WHERE subject = 'refund_plan'"); err == nil {
		t.Error("the database let a change be altered without its hash")
	}
	if _, err := l.db.Exec("INSERT INTO reconciler.audit_links SELECT 1, NULL, '', 1, 'x', 'a', 'r', at, 'y' FROM reconciler.audit_links LIMIT 1"); err == nil {
		t.Error("the database took a second first link")
	}
	for name, tamper := range map[string][]string{
		"a change is removed":            {"DELETE FROM reconciler.audit_changes WHERE subject = 'refund_intent' AND change = '2' AND subject_id = (SELECT min(subject_id) FROM reconciler.audit_changes WHERE subject = 'refund_intent')"},
		"a change is altered":            {"ALTER TABLE reconciler.audit_changes DROP CONSTRAINT hash_is_of_the_change", "UPDATE reconciler.audit_changes SET detail = 'nothing to see' WHERE subject = 'refund_plan' AND change = 'made'"},
		"an actor is altered":            {"ALTER TABLE reconciler.audit_links DROP CONSTRAINT hash_is_of_the_link", "UPDATE reconciler.audit_links SET actor = 'nobody' WHERE link = 3"},
		"a link is removed":              {"ALTER TABLE reconciler.audit_links DROP CONSTRAINT audit_links_previous_link_previous_sha256_fkey", "DELETE FROM reconciler.audit_links WHERE link = 3"},
		"the newest link is removed":     {"DELETE FROM reconciler.audit_links WHERE link = (SELECT max(link) FROM reconciler.audit_links)"},
		"a step is made without the log": {"INSERT INTO reconciler.refund_events SELECT account_id, intent_id, 9, 'sent', 'settled', '', '', '', '', '', business_date, 'x', '', at FROM reconciler.refund_events WHERE event_no = 1 LIMIT 1"},
		"an entry is posted without it":  {"DELETE FROM reconciler.audit_changes WHERE subject = 'credit_entry' AND subject_id LIKE 'cb_%'"},
	} {
		t.Run(name, func(t *testing.T) {
			other := start(t).open(t)
			other.execute(nil)
			for _, statement := range tamper {
				other.exec(statement)
			}
			store, err := postgres.Open(postgres.Options{URL: other.url})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			if _, problems, err := night.VerifyAudit(ctx, store); err != nil || len(problems) == 0 {
				t.Errorf("got %v, %v", problems, err)
			}
		})
	}
}
