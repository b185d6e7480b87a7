// What refund windows and refund requests both follow from.

package decide

import (
	"context"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// matchRequests finds the purchases that tonight's requests mean, for the job that asks, and says whether any request is to be decided.
func matchRequests(ctx context.Context, tx *postgres.Tx, job string) (undecided bool, err error) {
	var due struct{ Matching, Undecided bool }
	if err := tx.Get(ctx, &due, "request_matches/due", nil); err != nil || !due.Matching {
		return due.Undecided, err
	}
	_, err = tx.Exec(ctx, "request_matches/find", postgres.Args{"job": job})
	return due.Undecided, err
}

func clearRequests(ctx context.Context, tx *postgres.Tx, job string) error {
	_, err := tx.Exec(ctx, "request_matches/clear", postgres.Args{"job": job})
	return err
}

// lookAtWindows adds the accounts to those that moved whose windows may be open or change by something else than entries.
func lookAtWindows(ctx context.Context, n *night.Night, tx *postgres.Tx, job string) error {
	var longest time.Duration
	for _, version := range n.Policies.Versions() {
		longest = max(longest, version.RefundWindow)
	}
	_, err := tx.Exec(ctx, "refund_windows/look_at", postgres.Args{"job": job, "longest_window_seconds": int64(longest / time.Second)})
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
