package reconcile

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// PlannedRefund is one refund of a plan: what an approved decision calls for. Amounts are minor units of Currency.
type PlannedRefund struct {
	AccountID   string `json:"account_id"`
	RequestID   string `json:"request_id"`
	PurchaseID  string `json:"purchase_id"`
	ChargeID    string `json:"charge_id"`
	DecidedOn   Date   `json:"decided_on"` // the night of the decision
	AmountMinor int64  `json:"amount_minor"`
	// FeeMinor is withheld: amount and fee together are what was paid.
	FeeMinor int64  `json:"fee_minor"`
	Currency string `json:"currency"`
	// Credits leave the account.
	Credits       int64  `json:"credits"`
	Clauses       string `json:"clauses"`
	PolicyVersion string `json:"policy_version"`
	// Attempt counts the tries to pay this request; those before have definitely come to nothing.
	Attempt int `json:"attempt"`
}

// IntentID names this try to pay this request, and nothing else: the idempotency key at Stripe comes from it.
func (r PlannedRefund) IntentID() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d", r.RequestID, r.Attempt))
	return "ri_" + hex.EncodeToString(sum[:12])
}

// IdempotencyKey is what every request for this refund carries, however often it is sent.
func (r PlannedRefund) IdempotencyKey() string { return "reconciler-refund-" + r.IntentID() }

// HoldEntryID and ReleaseEntryID are the ledger entries that take the credits, and give them back if the refund comes to nothing.
func (r PlannedRefund) HoldEntryID() string { return "rf_" + r.IntentID()[len("ri_"):] }

// ReleaseEntryID: see HoldEntryID.
func (r PlannedRefund) ReleaseEntryID() string { return "rr_" + r.IntentID()[len("ri_"):] }

// RefundPlan is a list of refunds that is approved as a whole.
type RefundPlan struct {
	// Date: decisions through this night.
	Date    Date            `json:"date"`
	Refunds []PlannedRefund `json:"refunds"`
}

// sorted is the plan in the order of its requests.
func (p RefundPlan) sorted() RefundPlan {
	p.Refunds = slices.SortedFunc(slices.Values(p.Refunds), func(a, b PlannedRefund) int {
		return cmp.Or(cmp.Compare(a.RequestID, b.RequestID), cmp.Compare(a.Attempt, b.Attempt))
	})
	return p
}

// Hash is SHA-256 over the plan's content, whatever the order of its refunds.
func (p RefundPlan) Hash() string {
	content, err := json.Marshal(p.sorted())
	if err != nil {
		panic(fmt.Sprintf("a plan of texts and numbers can always be encoded: %v", err))
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// ID names the plan by its night and its content: the same content is the same plan.
func (p RefundPlan) ID() string { return "plan_" + p.Date.String() + "_" + p.Hash()[:12] }

// Totals are the amounts of the plan by currency, in minor units. ErrOverflow when one doesn't fit.
func (p RefundPlan) Totals() (map[string]int64, error) {
	totals := map[string]int64{}
	for _, r := range p.Refunds {
		sum := totals[r.Currency] + r.AmountMinor
		if sum < totals[r.Currency] {
			return nil, fmt.Errorf("total of the plan in %s: %w", r.Currency, ErrOverflow)
		}
		totals[r.Currency] = sum
	}
	return totals, nil
}
