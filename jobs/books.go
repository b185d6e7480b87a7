package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// closingTx is one snapshot: entries and lots are read by several statements, and must be of the same instant to tie.
var closingTx = postgres.TxOptions{Snapshot: true, WorkMem: matchingTx.WorkMem, Settings: matchingTx.Settings}

// closeNight closes the night's books in one transaction. An integrity error comes with the books as they are, differences and all: they
// must be seen.
func (n *Night) closeNight(ctx context.Context) (counts Counts, err error) {
	var untied error
	err = n.Store.InTx(ctx, closingTx, func(ctx context.Context, tx *postgres.Tx) error {
		counts, err = n.closeBooks(ctx, tx)
		if errors.Is(err, ErrIntegrity) {
			untied, err = err, nil
		}
		return err
	})
	if counts == nil {
		counts = Counts{}
	}
	if err != nil {
		return counts, fmt.Errorf("close the books: %w", err)
	}
	if untied != nil {
		return counts, fmt.Errorf("close the books: %w", untied)
	}
	return counts, nil
}

// closeBooks rolls the liability forward through the night, in credits and in money per currency, once from the ledger's entries and once
// from the lots, and fails with ErrIntegrity where the two differ or where the night doesn't open with what the one before closed with.
// It is a step of the job reports, and leaves the same rows whenever it is repeated.
func (n *Night) closeBooks(ctx context.Context, tx *postgres.Tx) (Counts, error) {
	if _, err := tx.Exec(ctx, "books/clear", postgres.Args{"date": n.Date}); err != nil {
		return nil, err
	}
	var goesOn bool
	if err := tx.Get(ctx, &goesOn, "books/previous", postgres.Args{"date": n.Date}); err != nil {
		return nil, err
	}
	if err := n.bookPurchases(ctx, tx, goesOn); err != nil {
		return nil, fmt.Errorf("book purchases: %w", err)
	}
	counts, err := n.rollForward(ctx, tx, goesOn)
	if err != nil {
		return nil, fmt.Errorf("roll-forward: %w", err)
	}
	n.step("books/rolled")
	if err := n.noteLateWriters(ctx, tx); err != nil {
		return nil, err
	}
	return counts, n.controlBooks(ctx, tx)
}

// bookPurchases enters the night's purchases into the subledger. What a night had booked before a later one was reported stays.
func (n *Night) bookPurchases(ctx context.Context, tx *postgres.Tx, goesOn bool) error {
	var frozen bool
	if err := tx.Get(ctx, &frozen, "books/is_frozen", postgres.Args{"date": n.Date}); err != nil || frozen {
		return err
	}
	if _, err := tx.Exec(ctx, "books/unbook_purchases", n.span(nil)); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "books/book_late_purchases", postgres.Args{"date": n.Date, "begin": n.Begin}); err != nil {
		return err
	}
	from := n.Begin
	if !goesOn {
		from = time.Time{}
	}
	_, err := tx.Exec(ctx, "books/book_purchases", postgres.Args{"from": from, "end": n.End})
	return err
}

func (n *Night) rollForward(ctx context.Context, tx *postgres.Tx, goesOn bool) (Counts, error) {
	moved := "books/all_accounts"
	if goesOn {
		moved = "books/moved_accounts"
	}
	span := n.span(postgres.Args{"date": n.Date})
	if _, err := tx.Exec(ctx, moved, span); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, "books/analyze_moves", postgres.Args{}); err != nil {
		return nil, err
	}
	var lots struct {
		Accounts         int64
		Opening, Closing string
	}
	if err := tx.Get(ctx, &lots, "books/take_lots", span); err != nil {
		return nil, err
	}
	ledgerBefore := "0"
	if !goesOn {
		if err := tx.Get(ctx, &ledgerBefore, "books/ledger_before", postgres.Args{"begin": n.Begin}); err != nil {
			return nil, err
		}
	}
	if _, err := tx.Exec(ctx, "books/roll_credits", n.span(postgres.Args{
		"date": n.Date, "ledger_before": ledgerBefore, "lots_opening": lots.Opening, "lots_closing": lots.Closing,
	})); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, "books/roll_money", n.span(postgres.Args{"date": n.Date, "goes_on": goesOn})); err != nil {
		return nil, err
	}
	_, err := tx.Exec(ctx, "books/clear_moves", postgres.Args{"date": n.Date})
	return Counts{"accounts_moved": lots.Accounts}, err
}

// noteLateWriters counts what was written to the night's ledger while the night was being worked on as read by this night, before the
// next one takes it for a late item and counts it again.
func (n *Night) noteLateWriters(ctx context.Context, tx *postgres.Tx) error {
	reported, err := n.lastReported(ctx, tx)
	if err != nil || reported.After(n.Date) {
		return err
	}
	var differs bool
	if err := tx.Get(ctx, &differs, "books/read_otherwise", postgres.Args{"date": n.Date}); err != nil || !differs {
		return err
	}
	n.log.Warn().Msg("the night's ledger was still being written to while it was read")
	for _, step := range []struct {
		statement string
		args      postgres.Args
	}{
		{"late/forget_totals", postgres.Args{"date": n.Date}},
		{"late/record_totals", n.span(postgres.Args{"date": n.Date, "buckets": ledgerBuckets})},
		{"late/total_up", postgres.Args{"date": n.Date, "buckets": ledgerBuckets}},
	} {
		if _, err := tx.Exec(ctx, step.statement, step.args); err != nil {
			return err
		}
	}
	return nil
}

// controlBooks records the control totals of the books: a closing that the lots don't confirm, or an opening that is not the closing
// before, is an integrity error.
func (n *Night) controlBooks(ctx context.Context, tx *postgres.Tx) error {
	var ties []struct {
		Measure         string
		Closing         string
		ClosingFromLots string `db:"closing_from_lots"`
		Opening         string
		PreviousClosing string `db:"previous_closing"`
	}
	if err := tx.Select(ctx, &ties, "books/ties", postgres.Args{"date": n.Date}); err != nil {
		return err
	}
	c := newControls(n, "reports")
	for _, t := range ties {
		c.add("opening equals previous closing", t.Measure, t.PreviousClosing, t.Opening, "0", "0")
		c.add("roll-forward ties to lots", t.Measure, t.Closing, t.ClosingFromLots, "0", "0")
	}
	return c.record(ctx, tx)
}
