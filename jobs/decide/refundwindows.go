package decide

import (
	"context"
	"database/sql"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// accountBatch is how many accounts' lots are worked out at a time.
const accountBatch = 50_000

// Windows states every refund window that was open or requested when the night began, or that opened or changed state in it.
func (r *Requests) Windows(ctx context.Context, n *night.Night) (counts night.Counts, err error) {
	var matched int64
	err = n.Store.InTx(ctx, night.MatchingTx, func(ctx context.Context, tx *postgres.Tx) error {
		if err := n.Forget(ctx, tx, "refund_windows/clear"); err != nil {
			return err
		}
		if matched, _, err = r.match(ctx, n, tx); err != nil {
			return err
		}
		if counts, err = windowsInTx(ctx, n, tx); err != nil || n.Run.Whole {
			return err
		}
		_, err = tx.Exec(ctx, "request_matches/clear", nil) // nobody decides requests
		return err
	})
	r.areMatched, r.matched = err == nil && n.Run.Whole, matched
	return counts, err
}

type windowFacts struct {
	PurchaseID      string
	AccountID       string
	CompletedAt     time.Time
	Credits         int64
	AmountMinor     int64
	Currency        string
	ExpiresAt       time.Time
	PolicyVersion   string
	UsedBefore      int64
	UsedNow         int64
	RefundedBefore  bool
	RefundedNow     bool
	DisputedBefore  bool
	DisputedNow     bool
	RequestedBefore sql.NullTime
	RequestedNow    sql.NullTime
	night.PaymentFacts
}

// windowRow is a row of reconciler.refund_windows.
type windowRow struct {
	AccountID       string    `json:"account_id"`
	PurchaseID      string    `json:"purchase_id"`
	CompletedAt     time.Time `json:"completed_at"`
	ExpiresAt       time.Time `json:"expires_at"`
	State           string    `json:"state"`
	StateBefore     string    `json:"state_before"`
	Credits         int64     `json:"credits"`
	UsedCredits     int64     `json:"used_credits"`
	AmountMinor     int64     `json:"amount_minor"`
	FeeMinor        *int64    `json:"fee_minor"`
	RefundableMinor *int64    `json:"refundable_minor"`
	Currency        string    `json:"currency"`
	PolicyVersion   string    `json:"policy_version"`
}

func windowsInTx(ctx context.Context, n *night.Night, tx *postgres.Tx) (night.Counts, error) {
	counts := night.Counts{}
	after := ""
	for more := true; more; {
		var next struct {
			Through  string
			Accounts int64
		}
		if err := tx.Get(ctx, &next, "refund_windows/next_accounts", postgres.Args{"after": after, "limit": accountBatch}); err != nil {
			return nil, err
		}
		if next.Accounts == 0 {
			break
		}
		if err := windowsOf(ctx, n, tx, after, next.Through, counts); err != nil {
			return nil, err
		}
		after, more = next.Through, next.Accounts == accountBatch
	}
	var opened struct{ Scanned, Recorded string }
	if err := tx.Get(ctx, &opened, "refund_windows/counts", nil); err != nil {
		return nil, err
	}
	c := night.NewControls(n, "refund-windows")
	c.Add("refund windows opened", "purchases", opened.Scanned, opened.Recorded, "0", "0")
	return counts, c.Record(ctx, tx)
}

// windowsOf states the windows of the accounts after one and through another.
func windowsOf(ctx context.Context, n *night.Night, tx *postgres.Tx, afterAccount, throughAccount string, counts night.Counts) error {
	args := postgres.Args{"after_account": afterAccount, "through_account": throughAccount}
	return postgres.InPages(ctx, tx, "refund_windows/facts", args, postgres.BatchRows, func(page []windowFacts) error {
		var rows []windowRow
		for _, facts := range page {
			if row, keep := window(n, facts); keep {
				rows = append(rows, row)
				counts["windows_"+row.State]++
			}
		}
		return postgres.WriteRows(ctx, tx, "refund_windows/record", nil, rows)
	})
}

// window states one purchase's window as the night begins and as it ends, and says whether the night has to show it.
func window(n *night.Night, f windowFacts) (row windowRow, keep bool) {
	now := reconcile.WindowFacts{
		AsOf: n.AsOf(), CompletedAt: f.CompletedAt, ExpiresAt: f.ExpiresAt, UsedCredits: f.UsedNow,
		Refunded: f.RefundedNow, Disputed: f.DisputedNow, RequestedAt: f.RequestedNow.Time,
	}.State()
	var before reconcile.WindowState
	if f.CompletedAt.Before(n.Begin) {
		before = reconcile.WindowFacts{
			AsOf: n.Begin, CompletedAt: f.CompletedAt, ExpiresAt: f.ExpiresAt, UsedCredits: f.UsedBefore,
			Refunded: f.RefundedBefore, Disputed: f.DisputedBefore, RequestedAt: f.RequestedBefore.Time,
		}.State()
	}
	row = windowRow{
		AccountID: f.AccountID, PurchaseID: f.PurchaseID, CompletedAt: f.CompletedAt, ExpiresAt: f.ExpiresAt,
		State: string(now), StateBefore: string(before), Credits: f.Credits, UsedCredits: f.UsedNow,
		AmountMinor: f.AmountMinor, Currency: f.Currency, PolicyVersion: f.PolicyVersion,
	}
	row.FeeMinor, row.RefundableMinor = stateRefundable(n, f, now)
	keep = now != before || before == reconcile.WindowOpen || before == reconcile.WindowRequested
	return row, keep
}

// stateRefundable is the fee of a window's payment and what may be paid back of it, in the purchase's currency; both nil where Stripe has not said,
// the first where it took the fee of another currency, and the second where purchase and payment differ: a decision would wait.
func stateRefundable(n *night.Night, f windowFacts, state reconcile.WindowState) (feeMinor, refundableMinor *int64) {
	payment := paymentOf(n, f.PurchaseID, f.PaymentFacts)
	covers := payment.Covers(f.AmountMinor, f.Currency)
	if !payment.Known && (payment.Currency != "" || !covers) {
		return nil, nil
	}
	refundable, fee, err := payment.Refundable()
	if err != nil {
		return nil, nil // paymentOf has said so
	}
	if payment.Currency == "" || payment.Currency == f.Currency {
		feeMinor = &fee
	}
	if state != reconcile.WindowOpen && state != reconcile.WindowRequested {
		refundable = 0
	} else if !covers {
		return feeMinor, nil
	}
	return feeMinor, &refundable
}
