package books

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/source"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// closingTx is one snapshot: entries and lots are read by several statements, and must be of the same instant to tie.
var closingTx = night.MatchingTx

// Close closes the night's books in one transaction. When they don't tie, or there is no journal because the refund windows are
// missing, the error comes with the books as they are: they must be seen. looked: Stripe was looked at for the night.
func Close(ctx context.Context, n *night.Night, read *source.Reading, looked bool) (counts night.Counts, err error) {
	var untied UntiedBooks
	err = n.Store.InTx(ctx, closingTx, func(ctx context.Context, tx *postgres.Tx) error {
		counts, err = closeBooks(ctx, n, tx, read, looked)
		if errors.As(err, &untied) {
			return nil
		}
		return err
	})
	if counts == nil {
		counts = night.Counts{}
	}
	if err != nil {
		return counts, fmt.Errorf("close the books: %w", err)
	}
	if untied.problem != nil {
		return counts, fmt.Errorf("close the books: %w", untied)
	}
	return counts, nil
}

// closeBooks rolls the liability forward through the night, in credits and in money per currency, once from the ledger's entries and once
// from the lots, and fails with ErrIntegrity where the two differ or where the night doesn't open with what the one before closed with.
// It is a step of the job reports, and leaves the same rows whenever it is repeated.
func closeBooks(ctx context.Context, n *night.Night, tx *postgres.Tx, read *source.Reading, looked bool) (night.Counts, error) {
	// Before anything is cleared: that the night has been closed is what keeps its purchases.
	if err := bookPurchases(ctx, n, tx, read); err != nil {
		return nil, fmt.Errorf("book purchases: %w", err)
	}
	if err := n.Forget(ctx, tx, "books/clear"); err != nil {
		return nil, err
	}
	lots, ledger, err := rollForward(ctx, n, tx, read.Continues, read.SomeMoved)
	if err != nil {
		return nil, fmt.Errorf("roll-forward: %w", err)
	}
	n.Step("books/rolled")
	counts := night.Counts{"accounts_moved": lots.Accounts}
	var missing error
	counts["journal_entries"], err = keepJournal(ctx, n, tx, ledger, lots, read.Continues, looked)
	switch {
	case errors.Is(err, errWindowsMissing):
		missing = err
	case err != nil:
		return nil, fmt.Errorf("journal: %w", err)
	}
	untied := controlBooks(ctx, n, tx, read)
	if untied != nil && !errors.Is(untied, night.ErrIntegrity) {
		return nil, untied
	}
	if untied = errors.Join(untied, missing); untied != nil {
		return counts, UntiedBooks{untied}
	}
	return counts, nil
}

// UntiedBooks is what is wrong with books that are complete otherwise.
type UntiedBooks struct{ problem error }

func (u UntiedBooks) Error() string { return u.problem.Error() }
func (u UntiedBooks) Unwrap() error { return u.problem }

// bookPurchases enters the night's purchases into the subledger. What a night had booked before a later one was reported stays.
func bookPurchases(ctx context.Context, n *night.Night, tx *postgres.Tx, read *source.Reading) error {
	if n.IsOlder() {
		var closed bool
		if err := tx.Get(ctx, &closed, "books/is_closed", nil); err != nil || closed {
			return err
		}
	}
	if _, err := tx.Exec(ctx, "books/unbook_purchases", nil); err != nil {
		return err
	}
	if read.Rescans {
		if _, err := tx.Exec(ctx, "books/book_late_purchases", nil); err != nil {
			return err
		}
	}
	from := n.Begin
	if !read.Continues {
		from = time.Time{}
	}
	_, err := tx.Exec(ctx, "books/book_purchases", postgres.Args{"from": from})
	return err
}

// lotTotals are what the lots of the accounts that moved come to.
type lotTotals struct {
	Accounts         int64
	Refunded         int64  // lots that a refund took out or brought back
	Opening, Closing string // what is left in them, in credits
}

func rollForward(ctx context.Context, n *night.Night, tx *postgres.Tx, continues, someMoved bool) (lots lotTotals, ledger ledgerEntries, err error) {
	if continues {
		if _, err := tx.Exec(ctx, "books/leave_unmoved", nil); err != nil {
			return lots, ledger, err
		}
	}
	if _, err := tx.Exec(ctx, "books/buying_accounts", postgres.Args{"continues": continues}); err != nil {
		return lots, ledger, err
	}
	if err := tx.Get(ctx, &lots, "books/take_lots", nil); err != nil {
		return lots, ledger, err
	}
	ledgerBefore := "0"
	if !continues {
		if err := tx.Get(ctx, &ledgerBefore, "books/ledger_through", postgres.Args{"until": n.Begin}); err != nil {
			return lots, ledger, err
		}
	}
	if err := tx.Get(ctx, &ledger, "books/entries_by_kind", postgres.Args{"some_moved": someMoved}); err != nil {
		return lots, ledger, err
	}
	if err := sameLedger(ledger); err != nil {
		return lots, ledger, err
	}
	if _, err := tx.Exec(ctx, "books/roll_forward", postgres.Args{
		"continues": continues, "ledger_before": ledgerBefore, "lots_opening": lots.Opening, "lots_closing": lots.Closing,
		"purchases": ledger.Purchases, "promotions": ledger.Promotions, "usage": ledger.Usage, "credit_backs": ledger.CreditBacks,
		"refunds": ledger.Refunds, "adjustments": ledger.Adjustments, "late_items": ledger.LateItems,
	}); err != nil {
		return lots, ledger, err
	}
	if _, err := tx.Exec(ctx, "books/forget_later_positions", nil); err != nil {
		return lots, ledger, err
	}
	_, err = tx.Exec(ctx, "reading/clear", nil)
	return lots, ledger, err
}

// sameLedger compares the ledger as it is when the books are closed with what the night has read and used.
func sameLedger(now ledgerEntries) error {
	all := new(big.Int)
	for _, amount := range []whole{now.Purchases, now.Promotions, now.Usage, now.CreditBacks, now.Refunds, now.Adjustments, now.LateItems} {
		all.Add(all, amount.Int)
	}
	return errors.Join(source.StillTheSame("rows of the ledger", now.ReadRows, now.RowsNow), source.StillTheSame("credits of the ledger", now.ReadCredits, numbers.Of(all)))
}

// controlBooks records the control totals of the books: a closing that the lots don't confirm, or an opening that is not the closing
// before, is an integrity error.
func controlBooks(ctx context.Context, n *night.Night, tx *postgres.Tx, read *source.Reading) error {
	var ties []struct {
		Measure         string
		Closing         numbers.Number
		ClosingFromLots string
		Opening         string
		PreviousClosing string
	}
	if err := tx.Select(ctx, &ties, "books/ties", nil); err != nil {
		return err
	}
	c := night.NewControls(n, "reports")
	isLedger := true
	for _, t := range ties {
		c.Add("opening equals previous closing", t.Measure, t.PreviousClosing, t.Opening, "0", "0")
		c.Add("roll-forward ties to lots", t.Measure, string(t.Closing), t.ClosingFromLots, "0", "0")
		if t.Measure == "credits" {
			ledger, err := ledgerTotal(ctx, n, tx, read, t.Closing)
			if err != nil {
				return err
			}
			isLedger = ledger.Compare(t.Closing) == 0
			c.AddKeyed(night.ClosingIsLedger, "closing equals the ledger", t.Measure, string(ledger), string(t.Closing), "0", "0")
		}
	}
	var journal []struct {
		CheckName              string
		Unit, Scanned, Matched string
	}
	if err := tx.Select(ctx, &journal, "books/journal_ties", nil); err != nil {
		return err
	}
	for _, t := range journal {
		c.Add(t.CheckName, t.Unit, t.Scanned, t.Matched, "0", "0")
	}
	err := c.Record(ctx, tx)
	if errors.Is(err, night.ErrIntegrity) && !isLedger {
		return fmt.Errorf("%w; %s", err, wayOut)
	}
	return err
}

// wayOut is what to do about a closing that is not the ledger's sum.
const wayOut = "entries from before this night were changed or removed, or added in a way that can't be booked as late: `reconciler verify --date D`, night by night, " +
	"names the nights that differ (what is from before the first one, the first). Put back what was changed or removed; give an entry that was added since " +
	"a created_at within the next night to be run"

// ledgerTotal is the sum of the whole ledger at the end of the newest night, which the closing must equal. A row that no night has looked for, or that
// was changed or removed after its night, shows as a difference: late rows of the baseline are then looked for, and verify names the night that
// changed. For an older night it is that night's own closing, as what has arrived since is booked in the open night. A long ledger is summed only at
// the end of a month, when the look-back has found a night changed, and for as long as it doesn't tie.
func ledgerTotal(ctx context.Context, n *night.Night, tx *postgres.Tx, read *source.Reading, closing numbers.Number) (numbers.Number, error) {
	if n.IsOlder() {
		return closing, nil
	}
	endsMonth := n.Date.AddDays(1).Month != n.Date.Month
	isShort := n.Run.Few && n.Settings.Sizes.PlannedRows <= n.Settings.Sizes.LedgerRows
	if !endsMonth && !read.LedgerChanged && !isShort {
		var due bool
		err := tx.Get(ctx, &due, "books/ledger_is_due", postgres.Args{"control": night.ClosingIsLedger, "many": n.Settings.Sizes.LedgerRows})
		if err != nil || !due {
			return closing, err
		}
	}
	var ledger numbers.Number
	if err := tx.Get(ctx, &ledger, "books/ledger_through", postgres.Args{"until": n.AsOf()}); err != nil || ledger.Compare(closing) == 0 {
		return ledger, err
	}
	return ledger, source.CheckBaseline(ctx, n, tx, read.BaselineChecked)
}
