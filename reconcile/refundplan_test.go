package reconcile

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func plannedRefund(request string) PlannedRefund {
	return PlannedRefund{
		AccountID: "acc", RequestID: request, PurchaseID: "pur-" + request, ChargeID: "ch-" + request, DecidedOn: Date{2026, time.March, 2},
		AmountMinor: 9_000, FeeMinor: 1_000, Currency: "usd", Credits: 100, Clauses: "2.1; 2.2", PolicyVersion: "1", Attempt: 1,
	}
}

func TestPlanHashIsOfItsContent(t *testing.T) {
	plan := RefundPlan{Date: Date{2026, time.March, 2}, Refunds: []PlannedRefund{plannedRefund("a"), plannedRefund("b")}}
	turned := RefundPlan{Date: plan.Date, Refunds: []PlannedRefund{plan.Refunds[1], plan.Refunds[0]}}
	if plan.Hash() != turned.Hash() || plan.ID() != turned.ID() {
		t.Error("the order of its refunds changes a plan's hash")
	}
	if plan.Refunds[0].RequestID != "a" {
		t.Error("hashing reorders the plan")
	}
	for name, change := range map[string]func(*PlannedRefund){
		"account": func(r *PlannedRefund) { r.AccountID = "x" }, "request": func(r *PlannedRefund) { r.RequestID = "x" },
		"purchase": func(r *PlannedRefund) { r.PurchaseID = "x" }, "charge": func(r *PlannedRefund) { r.ChargeID = "x" },
		"night": func(r *PlannedRefund) { r.DecidedOn = r.DecidedOn.AddDays(1) }, "amount": func(r *PlannedRefund) { r.AmountMinor++ },
		"fee": func(r *PlannedRefund) { r.FeeMinor++ }, "currency": func(r *PlannedRefund) { r.Currency = "eur" },
		"credits": func(r *PlannedRefund) { r.Credits++ }, "clauses": func(r *PlannedRefund) { r.Clauses = "2.1" },
		"policy": func(r *PlannedRefund) { r.PolicyVersion = "2" }, "attempt": func(r *PlannedRefund) { r.Attempt++ },
	} {
		changed := RefundPlan{Date: plan.Date, Refunds: slices.Clone(plan.Refunds)}
		change(&changed.Refunds[0])
		if changed.Hash() == plan.Hash() {
			t.Errorf("another %s has the same hash", name)
		}
	}
	if other := (RefundPlan{Date: plan.Date.AddDays(1), Refunds: plan.Refunds}); other.Hash() == plan.Hash() {
		t.Error("another date has the same hash")
	}
}

func TestIntentIDIsOfRequestAndAttempt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := plannedRefund(rapid.String().Draw(t, "a")), plannedRefund(rapid.String().Draw(t, "b"))
		a.Attempt, b.Attempt = rapid.IntRange(1, 20).Draw(t, "attempt a"), rapid.IntRange(1, 20).Draw(t, "attempt b")
		same := a.RequestID == b.RequestID && a.Attempt == b.Attempt
		if (a.IntentID() == b.IntentID()) != same {
			t.Fatalf("%q %d and %q %d: %s, %s", a.RequestID, a.Attempt, b.RequestID, b.Attempt, a.IntentID(), b.IntentID())
		}
		b = a
		b.AmountMinor, b.ChargeID = 1, "other"
		if a.IdempotencyKey() != b.IdempotencyKey() {
			t.Fatal("the key depends on more than the intent")
		}
	})
}

func TestPlanTotalsOverflow(t *testing.T) {
	huge := plannedRefund("a")
	huge.AmountMinor = math.MaxInt64
	if _, err := (RefundPlan{Refunds: []PlannedRefund{huge, plannedRefund("b")}}).Totals(); err == nil {
		t.Error("a total beyond 64 bits was returned")
	}
	other := plannedRefund("c")
	other.Currency = "jpy"
	nothing := plannedRefund("d")
	nothing.AmountMinor = 0
	totals, err := RefundPlan{Refunds: []PlannedRefund{huge, other, nothing}}.Totals()
	if err != nil || totals["usd"] != math.MaxInt64 || totals["jpy"] != other.AmountMinor {
		t.Errorf("got %v, %v", totals, err)
	}
}

// Hold and release are entries of their own, and belong to one try of one refund.
func TestLedgerEntriesOfARefundAreNamedAfterItsIntent(t *testing.T) {
	a, b := plannedRefund("req_1"), plannedRefund("req_2")
	seen := map[string]bool{}
	for _, r := range []PlannedRefund{a, b} {
		for _, id := range []string{r.HoldEntryID(), r.ReleaseEntryID()} {
			if seen[id] || !strings.HasSuffix(id, strings.TrimPrefix(r.IntentID(), "ri_")) {
				t.Errorf("%s: entry %s", r.IntentID(), id)
			}
			seen[id] = true
		}
	}
}
