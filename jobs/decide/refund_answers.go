package decide

import (
	"context"
	"database/sql"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// requestAnswer is the refund that a request has been answered by; see reconcile.AnswerTo.
type requestAnswer struct {
	refund         *reconcile.RefundAnswer
	refundedBefore bool
	statusSince    time.Time
}

// findAnswers finds the refunds that were made of the purchases that requests are about. A request that is answered by one is judged as of
// that: what the purchase's credits and its dispute were then takes the place of what they are at the end of the night.
func findAnswers(ctx context.Context, tx *postgres.Tx, facts []requestFacts) error {
	refunded := map[string]*requestFacts{}
	var requests, purchases []string
	for i := range facts {
		if f := &facts[i]; f.Refunded && f.PurchaseID != "" {
			refunded[f.RequestID] = f
			requests, purchases = append(requests, f.RequestID), append(purchases, f.PurchaseID)
		}
	}
	if len(requests) == 0 {
		return nil
	}
	var movements []struct {
		RequestID   string
		StatusSince sql.NullTime
		At          time.Time
		AmountMinor int64
		Currency    string
		Credits     int64
	}
	if err := tx.Select(ctx, &movements, "refund_requests/refund_movements", postgres.Args{"requests": requests, "purchases": purchases}); err != nil {
		return err
	}
	made := map[string][]reconcile.RefundMovement{}
	for _, m := range movements {
		made[m.RequestID] = append(made[m.RequestID], reconcile.RefundMovement{At: m.At, AmountMinor: m.AmountMinor, Currency: m.Currency, Credits: m.Credits})
		refunded[m.RequestID].answer.statusSince = m.StatusSince.Time
	}
	var answered, answeredPurchases, moments []string
	for i, id := range requests {
		f := refunded[id]
		f.answer.refund, f.answer.refundedBefore = reconcile.AnswerTo(f.RequestedAt, made[id])
		if f.answer.refund == nil {
			f.answer.refundedBefore = true // something was, and it answers nothing
		} else {
			answered, answeredPurchases = append(answered, id), append(answeredPurchases, purchases[i])
			moments = append(moments, f.answer.refund.At.UTC().Format(time.RFC3339Nano))
		}
	}
	if len(answered) == 0 {
		return nil
	}
	var then []struct {
		RequestID   string
		UsedCredits int64
		Disputed    bool
	}
	err := tx.Select(ctx, &then, "refund_requests/purchases_then", postgres.Args{
		"requests": answered, "purchases": answeredPurchases, "moments": moments,
	})
	if err != nil {
		return err
	}
	for _, t := range then {
		f := refunded[t.RequestID]
		f.UsedCredits, f.Disputed = t.UsedCredits, f.Disputed && t.Disputed
	}
	return nil
}
