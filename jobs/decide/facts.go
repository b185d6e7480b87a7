// What refund windows and refund requests both follow from.

package decide

import (
	"context"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// Requests are a night's refund requests. Their purchases are found once, for windows and decisions.
type Requests struct {
	areMatched bool  // windows have left what they found
	matched    int64 // the fingerprint of those
}

// match finds the purchases that tonight's requests mean, and adds the accounts to those that moved whose windows matter. It gives a fingerprint of the
// requests, and says whether any is to be decided.
func (r *Requests) match(ctx context.Context, n *night.Night, tx *postgres.Tx) (fingerprint int64, undecided bool, err error) {
	var due struct {
		Requests    int64
		Fingerprint int64
		Undecided   bool
	}
	if err := tx.Get(ctx, &due, "request_matches/due", nil); err != nil {
		return 0, false, err
	}
	if r.areMatched && due.Fingerprint == r.matched { // none has come since, and none was changed
		return due.Fingerprint, due.Undecided, nil
	}
	if r.areMatched || !n.Run.First { // windows or an earlier run may have left some
		if _, err := tx.Exec(ctx, "request_matches/clear", nil); err != nil {
			return 0, false, err
		}
	}
	if due.Requests > 0 {
		if _, err := tx.Exec(ctx, "request_matches/find", nil); err != nil {
			return 0, false, err
		}
	}
	return due.Fingerprint, due.Undecided, lookAtWindows(ctx, n, tx)
}

// lookAtWindows adds the accounts to those that moved whose windows may be open or change by something else than entries.
func lookAtWindows(ctx context.Context, n *night.Night, tx *postgres.Tx) error {
	var longest time.Duration
	for _, version := range n.Policies.Versions() {
		longest = max(longest, version.RefundWindow)
	}
	_, err := tx.Exec(ctx, "refund_windows/look_at", postgres.Args{"longest_window_seconds": int64(longest / time.Second)})
	return err
}

// paymentOf is what a purchase's payment brought and cost. Where Stripe has said what can't be, its fee is not known: a decision then waits.
func paymentOf(n *night.Night, purchase string, f night.PaymentFacts) reconcile.Payment {
	payment := f.Payment()
	if _, _, err := payment.Refundable(); payment.Known && err != nil {
		n.Log.Warn().Err(err).Str("purchase", purchase).Msg("the payment's fee is not usable; what needs it waits")
		payment.Known = false
	}
	return payment
}
