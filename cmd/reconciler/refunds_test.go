package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/jobs/refunds"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// refundCase is a database with one approved decision, and the Stripe account with its charge.
type refundCase struct {
	t      *testing.T
	stripe *stripetest.Stripe
	db     *testdb.DB
	flags  []string
}

func newRefundCase(t *testing.T) *refundCase {
	t.Helper()
	db := testdb.New(t)
	c := &refundCase{t: t, db: db, stripe: stripetest.New(stripetest.Options{Clock: time.Now, Seed: 5})}
	t.Cleanup(func() { c.stripe.Close() })
	base, err := c.stripe.Listen()
	if err != nil {
		t.Fatal(err)
	}
	charge, err := c.stripe.CreateCharge(stripetest.ChargeParams{Amount: 10_000, Currency: "usd", Metadata: map[string]string{"purchase_id": "pur_1"}})
	if err != nil {
		t.Fatal(err)
	}
	bought := time.Now().UTC().AddDate(0, 0, -2)
	yesterday := reconcile.DateOf(time.Now().UTC()).AddDays(-1)
	for _, insert := range []struct {
		query string
		args  []any
	}{
		// What the decision rests on, as the sync has kept it.
		{`INSERT INTO reconciler.stripe_charges (id, payment_intent_id, invoice_id, customer_id, metadata_purchase_id, method, amount_minor, captured_minor, currency,
				status, captured, failure_code, balance_transaction_id, failure_balance_transaction_id, created_at, seen_at)
			VALUES ($1, '', '', '', 'pur_1', 'card', 10000, 10000, 'usd', 'succeeded', true, '', $2, '', $3, $3)`, []any{charge.ID, charge.BalanceTransaction, bought}},
		{"INSERT INTO reconciler.stripe_states (object_id, effective_at, status, seen_at) VALUES ($1, $2, 'succeeded', $2)", []any{charge.ID, bought}},
		{`INSERT INTO reconciler.stripe_balance_transactions (id, type, reporting_category, amount_minor, fee_minor, fee_tax_minor, net_minor, currency, status,
				source_id, created_at, available_on, seen_at)
			VALUES ($1, 'charge', 'charge', 10000, 320, 0, 9680, 'usd', 'available', $2, $3, $3, $3)`, []any{charge.BalanceTransaction, charge.ID, bought}},
		{"INSERT INTO platform.accounts VALUES ('acc_1', 'a@example.com', 'active', $1)", []any{bought}},
		{`INSERT INTO platform.purchases (id, account_id, kind, credits, amount_minor, currency, status, stripe_charge_id, created_at, completed_at)
			VALUES ('pur_1', 'acc_1', 'credits', 1000, 10000, 'usd', 'completed', $1, $2, $2)`, []any{charge.ID, bought}},
		{"INSERT INTO platform.credit_entries (id, account_id, kind, credits, purchase_id, created_at) VALUES ('g_1', 'acc_1', 'purchase', 1000, 'pur_1', $1)", []any{bought}},
		{`INSERT INTO platform.refund_requests (id, account_id, kind, account_email, purchase_id, reason, status, requested_at)
			VALUES ('req_1', 'acc_1', 'unused_credits', 'a@example.com', 'pur_1', 'not needed', 'pending', $1)`, []any{bought.Add(time.Hour)}},
		{`INSERT INTO reconciler.refund_decisions (account_id, request_id, business_date, kind, status, purchase_id, charge_id, requested_at, due_date, days_left,
				decision, refund_minor, fee_minor, currency, credits, clauses, reasons, policy_version, decided_at)
			VALUES ('acc_1', 'req_1', $1, 'unused_credits', 'pending', 'pur_1', $2, $3, $1, 5, 'approve', 9680, 320, 'usd', 1000, '2.1; 2.2', 'unused', '1', $3)`,
			[]any{yesterday, charge.ID, bought.Add(time.Hour)}},
	} {
		if _, err := db.Exec(insert.query, insert.args...); err != nil {
			t.Fatal(err)
		}
	}
	c.flags = []string{
		"--stripe-api-base", base, "--stripe-api-key", c.stripe.ReadKey(), "--reports-url", t.TempDir(), "--log-level", "error",
		"--timezone", "UTC",
	}
	return c
}

// run is one command of the worker; code is the exit code that it must have.
func (c *refundCase) run(code int, args ...string) string {
	c.t.Helper()
	return c.runAs(sql.AppRole, code, args...)
}

// approve is a command of whoever approves.
func (c *refundCase) approve(code int, args ...string) string {
	c.t.Helper()
	return c.runAs(sql.ApproverRole, code, append([]string{"refunds", "approve"}, args...)...)
}

func (c *refundCase) runAs(role string, code int, args ...string) string {
	c.t.Helper()
	var out, log bytes.Buffer
	if got := run(context.Background(), append(append(args, "--database-url", c.db.URLOf(role)), c.flags...), &out, &log); got != code {
		c.t.Fatalf("reconciler %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out.String(), log.String())
	}
	return out.String() + log.String()
}

// TestRefundsFromPlanToMoney walks the commands as two people and a scheduler would, with each wrong turn on the way.
func TestRefundsFromPlanToMoney(t *testing.T) {
	t.Parallel()
	c := newRefundCase(t)
	key := []string{"--stripe-refund-key", c.stripe.RefundKey()}
	c.run(cli.ExitUsage, "refunds")
	if told := c.run(cli.ExitDone, "refunds", "plan", "--date", "2020-01-01", "--by", "anna"); !strings.Contains(told, "nothing to plan") { // nothing was decided by then
		t.Errorf("nothing to plan reads:\n%s", told)
	}
	for _, nobody := range [][]string{nil, {"--by", ""}, {"--by", "an\u200bna"}, {"--by", "Reconciler"}} { // off a terminal or on one: never the user of the process
		if told := c.run(cli.ExitUsage, append([]string{"refunds", "plan"}, nobody...)...); !strings.Contains(told, "--by") {
			t.Errorf("%v made a plan:\n%s", nobody, told)
		}
	}
	told := c.run(cli.ExitDone, "refunds", "plan", "--by", "anna")
	plan := regexp.MustCompile(`plan_\d{4}-\d{2}-\d{2}_[0-9a-f]{12}`).FindString(told)
	if plan == "" || !strings.Contains(told, "1 refund, 96.80 USD") || !strings.Contains(told, "with reconciler_approver in DATABASE_URL") {
		t.Fatalf("the plan reads:\n%s", told)
	}
	if told := c.run(cli.ExitDone, "refunds", "plan", "--by", "anna", "--json"); !strings.Contains(told, `"items": []`) { // planned already
		t.Errorf("a plan of nothing reads:\n%s", told)
	}
	if told := c.run(cli.ExitDone, "refunds", "list"); !strings.Contains(told, plan) {
		t.Errorf("the list has no %s:\n%s", plan, told)
	}
	c.run(cli.ExitUsage, append([]string{"refunds", "execute", plan}, key...)...) // nobody approved it
	c.approve(cli.ExitUsage, plan)
	if told := c.run(cli.ExitUsage, "refunds", "approve", plan, "--by", "ben"); !strings.Contains(told, "reconciler_approver") {
		t.Errorf("approving with the worker's role:\n%s", told)
	}
	c.approve(cli.ExitUsage, plan, "--by", "ben\u200b")
	c.approve(cli.ExitUsage, plan, "--by", "ANNA ")
	c.approve(cli.ExitUsage, "plan_of_nobody", "--by", "ben")
	c.approve(cli.ExitDone, plan, "--by", "ben")
	rehearsal := []string{"run", "--date", reconcile.DateOf(time.Now().UTC()).AddDays(-1).String(), "--dry-run"}
	for verdict, flags := range map[string][]string{
		"plans wait, and would not be sent: RECONCILER_EXECUTE_REFUNDS is off here": key,
		"plans would be sent, each after another look at Stripe":                    append([]string{"--execute-refunds", "true"}, key...),
	} {
		if told := c.run(cli.ExitDone, append(slices.Clone(rehearsal), flags...)...); !strings.Contains(told, verdict) || !strings.Contains(told, plan+"  ben") || !strings.Contains(told, "96.80 USD") {
			t.Errorf("the dry run doesn't say that %s:\n%s", verdict, told)
		}
	}
	c.run(cli.ExitUsage, "refunds", "execute", plan) // no key
	c.run(cli.ExitUsage, "refunds", "halt", "--by", "dora")
	c.run(cli.ExitDone, "refunds", "halt", "--by", "dora", "--reason", "let me look")
	c.run(cli.ExitIntegrity, append([]string{"refunds", "execute", plan}, key...)...)
	c.run(cli.ExitDone, "refunds", "resume", "--by", "dora", "--reason", "all is well")
	if refunds := c.stripe.State().Refunds; len(refunds) != 0 {
		t.Fatalf("money has left: %+v", refunds)
	}
	if told := c.run(cli.ExitDone, append([]string{"refunds", "execute", plan}, key...)...); !strings.Contains(told, "1 sent") {
		t.Errorf("execute says:\n%s", told)
	}
	if told := c.run(cli.ExitDone, append([]string{"refunds", "execute", plan}, key...)...); !strings.Contains(told, "0 sent") {
		t.Errorf("execute again says:\n%s", told)
	}
	made := c.stripe.State().Refunds
	if len(made) != 1 || made[0].Amount != 9680 {
		t.Errorf("the refunds at Stripe are %+v", made)
	}
	var view refunds.PlanView
	if err := json.Unmarshal([]byte(c.run(cli.ExitDone, "refunds", "show", plan, "--json")), &view); err != nil || view.Items[0].State != reconcile.IntentSent {
		t.Errorf("the plan shows as %+v, %v", view, err)
	}
	for _, id := range []string{"req_1", "pur_1", plan, view.Items[0].IntentID()} {
		told := strings.Join(strings.Fields(c.run(cli.ExitDone, "explain", id)), " ")
		for _, want := range map[bool][]string{
			true:  {"made by anna", "approved by ben", "stopped by", "of 96.80 USD", "is sent"},
			false: {"planned by anna: refund " + view.Items[0].IntentID() + " of 96.80 USD", "the plan is approved by ben", "goes from planned to sending", "goes from sending to sent", "at Stripe it is re_"},
		}[id == plan] {
			if !strings.Contains(told, want) {
				t.Errorf("explain %s doesn't say %q:\n%s", id, want, told)
			}
		}
	}
	if told := c.run(cli.ExitDone, "refunds", "list"); strings.Contains(told, plan) {
		t.Errorf("the list still has it:\n%s", told)
	}
	c.run(cli.ExitUsage, "refunds", "cancel", plan, "--by", "anna", "--reason", "too late")
}

// TestWrongRefundSettingsAreAllNamed: each of them, in one message, without the key.
func TestWrongRefundSettingsAreAllNamed(t *testing.T) {
	c := newRefundCase(t)
	told := c.run(cli.ExitUsage, "refunds", "list", "--execute-refunds", "perhaps", "--refund-halt", "no way", "--refund-max-run", "-1", "--refund-max-day-amount", "lots",
		"--refund-lease-seconds", "0", "--stripe-refund-key", "rk_test_hush!")
	for _, name := range []string{"RECONCILER_EXECUTE_REFUNDS", "RECONCILER_REFUND_HALT", "RECONCILER_REFUND_MAX_RUN", "RECONCILER_REFUND_MAX_DAY_AMOUNT",
		"RECONCILER_REFUND_LEASE_SECONDS", "STRIPE_REFUND_KEY"} {
		if !strings.Contains(told, name) {
			t.Errorf("%s is not named:\n%s", name, told)
		}
	}
	if strings.Contains(told, "hush") {
		t.Errorf("the key is shown:\n%s", told)
	}
}

// approved makes a plan of the case's refund and has it approved.
func (c *refundCase) approved() (plan string) {
	c.t.Helper()
	told := c.run(cli.ExitDone, "refunds", "plan", "--by", "anna")
	plan = regexp.MustCompile(`plan_\d{4}-\d{2}-\d{2}_[0-9a-f]{12}`).FindString(told)
	c.approve(cli.ExitDone, plan, "--by", "ben")
	return plan
}

// state is where the first try to pay the request stands.
func (c *refundCase) state() (state reconcile.IntentState) {
	c.t.Helper()
	if err := c.db.Get(&state, "SELECT i.state FROM reconciler.refund_intents i JOIN reconciler.refund_plan_items m USING (account_id, plan_id, intent_id) ORDER BY m.attempt LIMIT 1"); err != nil {
		c.t.Fatal(err)
	}
	return state
}

// breaks are the kinds of the open ones.
func (c *refundCase) breaks() (kinds []string) {
	c.t.Helper()
	if err := c.db.Select(&kinds, "SELECT kind FROM reconciler.breaks WHERE closed_on IS NULL ORDER BY kind"); err != nil {
		c.t.Fatal(err)
	}
	return kinds
}

// A key that may not refund, or none that Stripe knows, is the operator's to mend, and says nothing of any refund: the run ends at the first one with what
// the key lacks, nothing is given up, and the same plan goes on with another key.
func TestARefusedKeyRejectsNoRefund(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]stripetest.Fault{
		"it may only read":                {Kind: stripetest.Forbidden, Match: stripetest.Match{Method: "POST", Times: -1}},
		"it expires between two calls":    {Kind: stripetest.Unauthorized, Match: stripetest.Match{Method: "POST", Times: -1}},
		"it can't look an open refund up": {Kind: stripetest.Unauthorized, Match: stripetest.Match{Times: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newRefundCase(t)
			key := []string{"--stripe-refund-key", c.stripe.RefundKey()}
			plan := c.approved()
			wanted := reconcile.IntentUnknown
			if fault.Match.Method == "" { // there has to be an open one
				c.stripe.SetFaults(stripetest.Fault{Kind: stripetest.ResetBefore, Match: stripetest.Match{Method: "POST", Times: -1}})
				c.run(cli.ExitRetry, append([]string{"refunds", "execute", plan}, key...)...)
			}
			c.stripe.SetFaults(fault)
			told := c.run(cli.ExitUsage, append([]string{"refunds", "execute", plan}, key...)...)
			if !strings.Contains(told, "0 sent, 0 stopped, 0 refused by Stripe, 1 with an open outcome") || !strings.Contains(told, "key refused by Stripe") && !strings.Contains(told, "POST /v1/refunds needs the permission") {
				t.Errorf("it says:\n%s", told)
			}
			if state, breaks := c.state(), c.breaks(); state != wanted || len(breaks) > 0 {
				t.Errorf("the refund is %s, with breaks %v", state, breaks)
			}
			c.stripe.SetFaults()
			c.run(cli.ExitDone, append([]string{"refunds", "execute", plan}, key...)...)
			if state, made := c.state(), c.stripe.State().Refunds; state != reconcile.IntentSent || len(made) != 1 {
				t.Errorf("with the right key the refund is %s, and Stripe has %d", state, len(made))
			}
		})
	}
}

// What was cancelled is not under way: a plan of it can't be approved, and a refund that Stripe refused before is a break again.
func TestACancelledPlanIsNoTry(t *testing.T) {
	t.Parallel()
	c := newRefundCase(t)
	key := []string{"--stripe-refund-key", c.stripe.RefundKey()}
	poor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			c.stripe.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error": {"type": "invalid_request_error", "code": "balance_insufficient", "message": "Insufficient funds in your Stripe balance to refund this amount."}}`)
	}))
	defer poor.Close()
	first := c.approved()
	c.flags[1] = poor.URL
	c.run(cli.ExitDone, append([]string{"refunds", "execute", first}, key...)...)
	if state, breaks := c.state(), c.breaks(); state != reconcile.IntentRejected || !slices.Equal(breaks, []string{"refund_failed"}) {
		t.Fatalf("the refund is %s, with breaks %v", state, breaks)
	}
	second := regexp.MustCompile(`plan_\d{4}-\d{2}-\d{2}_[0-9a-f]{12}`).FindString(c.run(cli.ExitDone, "refunds", "plan", "--by", "anna"))
	c.run(cli.ExitDone, "refunds", "cancel", second, "--by", "anna", "--reason", "the balance is still empty")
	if breaks := c.breaks(); !slices.Equal(breaks, []string{"refund_failed"}) {
		t.Errorf("once its next try is cancelled, the breaks are %v", breaks)
	}
	if told := c.approve(cli.ExitUsage, second, "--by", "ben"); !strings.Contains(told, "was cancelled") {
		t.Errorf("approving it says:\n%s", told)
	}
}

// A month that is closed before its last night's refunds are executed holds none of them up: the scheduled job pays what is approved, and the books of the
// closed month don't see it.
func TestRefundsAreExecutedBesideAClosedMonth(t *testing.T) {
	t.Parallel()
	c := newRefundCase(t)
	c.approved()
	last := reconcile.NightOf(reconcile.DateOf(time.Now().UTC()).AddDays(-1), time.UTC)
	for _, insert := range []string{
		"INSERT INTO reconciler.runs (business_date, job, status, as_of, started_at, finished_at) VALUES ($1, 'reports', 'completed', $2, $2, $2)",
		"INSERT INTO reconciler.stripe_syncs (business_date, as_of, status, complete_through) VALUES ($1, $2, 'complete', $2)",
		"INSERT INTO reconciler.periods (period, action_no, action, actor, at) VALUES (to_char($1::date, 'YYYY-MM'), 1, 'closed', 'anna', $2)",
	} {
		if _, err := c.db.Exec(insert, last.Date.String(), last.End); err != nil {
			t.Fatal(err)
		}
	}
	job := []string{"run", "refunds", "--stripe-refund-key", c.stripe.RefundKey()}
	c.run(cli.ExitDone, job...)
	if made := len(c.stripe.State().Refunds); made != 0 {
		t.Errorf("%d refunds without RECONCILER_EXECUTE_REFUNDS", made)
	}
	c.run(cli.ExitDone, append(job, "--execute-refunds", "true")...)
	var booked []time.Time
	if err := c.db.Select(&booked, "SELECT created_at FROM platform.credit_entries WHERE kind = 'refund'"); err != nil {
		t.Fatal(err)
	}
	if state, made := c.state(), len(c.stripe.State().Refunds); state != reconcile.IntentSent || made != 1 || len(booked) != 1 || booked[0].Before(last.End) {
		t.Errorf("the refund is %s, Stripe has %d, its credits were taken at %v", state, made, booked)
	}
}
