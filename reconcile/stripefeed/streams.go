package stripefeed

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// stream is one kind of objects: where it is listed and where it is kept.
type stream struct {
	name    string // of its table, and of its watermark
	upsert  string // the statement that keeps its objects
	listing listing
	// mayReturn: an object of it may fail weeks after it had succeeded, so that the last month is read every time. There are few of them.
	mayReturn bool
	read      func(ctx context.Context, s *syncer, l listing) error
	readSome  func(ctx context.Context, s *syncer, ids []string, why lookup) error
}

func newStream[T any, P interface {
	object[T]
	stored
}](name, upsert string, l listing) stream {
	st := stream{name: name, upsert: upsert, listing: l}
	st.read = func(ctx context.Context, s *syncer, l listing) error {
		batch := newBatch(s, st)
		err := pages(ctx, s.client, l, func(rows []P, at time.Time) error {
			for _, row := range rows {
				if err := batch.add(ctx, row, at); err != nil {
					return err
				}
			}
			return nil
		})
		if err = batch.finish(ctx, err); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		return nil
	}
	st.readSome = func(ctx context.Context, s *syncer, ids []string, why lookup) (err error) {
		batch := newBatch(s, st)
		batch.final = why.final
		defer func() { err = batch.finish(ctx, err) }()
		for _, id := range ids {
			row, at, err := one[T, P](ctx, s.client, l, id)
			switch {
			case errors.Is(err, ErrNotFound) && why.guessed:
				continue
			case errors.Is(err, ErrNotFound):
				if err := s.gone(ctx, name, id); err != nil {
					return err
				}
				continue
			case err != nil:
				return fmt.Errorf("read %s: %w", name, err)
			}
			if err := batch.add(ctx, row, at); err != nil {
				return err
			}
		}
		return nil
	}
	return st
}

var (
	transactions  = newStream[balanceTransaction]("balance_transactions", "stripe/upsert_balance_transactions", listing{path: "/v1/balance_transactions", object: "balance_transaction"})
	subscriptions = newStream[subscription]("subscriptions", "stripe/upsert_subscriptions", listing{path: "/v1/subscriptions", object: "subscription", query: url.Values{"status": {"all"}}})
	intents       = newStream[paymentIntent]("payment_intents", "stripe/upsert_payment_intents", listing{path: "/v1/payment_intents", object: "payment_intent"})
	invoiceLines  = listing{object: "line_item", undated: true}

	// streams are those that are read span by span, by the time at which objects were created.
	streams = []stream{
		transactions,
		newStream[charge]("charges", "stripe/upsert_charges", listing{path: "/v1/charges", object: "charge"}),
		returning(newStream[refund]("refunds", "stripe/upsert_refunds", listing{path: "/v1/refunds", object: "refund"})),
		newStream[dispute]("disputes", "stripe/upsert_disputes", listing{path: "/v1/disputes", object: "dispute"}),
		returning(newStream[payout]("payouts", "stripe/upsert_payouts", listing{path: "/v1/payouts", object: "payout"})),
		newStream[invoice]("invoices", "stripe/upsert_invoices", listing{path: "/v1/invoices", object: "invoice"}),
		subscriptions,
	}
)

func returning(st stream) stream {
	st.mayReturn = true
	return st
}

func streamByName(name string) stream {
	for _, st := range append(streams, intents) {
		if st.name == name {
			return st
		}
	}
	panic("stripefeed: no stream " + name)
}

// batch collects rows of a stream and commits them together, while the next ones are read.
type batch struct {
	s      *syncer
	stream stream
	payout bool // they are asked for by the payout that paid them out
	final  bool // they are read again although they are held as final
	rows   int
	seenAt int64 // the earliest clock of its pages: what is in it was so then
	table  columns
	lines  columns // of invoices
	// committing is told how the batch before ended; nil when there is none under way.
	committing chan error
}

func newBatch(s *syncer, st stream) *batch {
	return &batch{s: s, stream: st, table: columns{}, lines: columns{}}
}

func (b *batch) add(ctx context.Context, row stored, at time.Time) error {
	if at.IsZero() {
		return anomalyf("the answer has no date")
	}
	if inv, ok := row.(*invoice); ok {
		// Before the invoice itself: one that is gone by now is neither kept nor in the way.
		switch err := b.addLines(ctx, inv); {
		case errors.Is(err, ErrNotFound):
			return b.s.gone(ctx, b.stream.name, inv.ID)
		case err != nil:
			return err
		}
	}
	if b.rows == 0 || at.Unix() < b.seenAt {
		b.seenAt = at.Unix()
	}
	if err := row.store(b.table); err != nil {
		return err
	}
	b.rows++
	if b.rows < b.s.client.options.SyncBatchRows {
		return nil
	}
	return b.flush(ctx)
}

// gone notes that Stripe no longer has an object which it has named before: a draft was deleted, or test data. The row stays, so that whatever
// named it can say so, and the sync goes on.
func (s *syncer) gone(ctx context.Context, stream, id string) error {
	s.log.Warn().Str("stream", stream).Str("id", id).Msg("Stripe has this object no more")
	if stream != "invoices" {
		return nil
	}
	_, err := s.o.Store.Exec(ctx, "stripe/forget_draft", postgres.Args{"id": id})
	return err
}

// addLines takes the lines that the invoice brought, and reads the list of them if there are more; all of them or none.
func (b *batch) addLines(ctx context.Context, inv *invoice) error {
	var all []*invoiceLine
	if inv.Lines == nil {
		return anomalyf("%s has no lines, not even none", inv.ID)
	}
	if inv.Lines.HasMore == nil || !*inv.Lines.HasMore {
		lines, err := checkPage[invoiceLine, *invoiceLine](b.s.client, invoiceLines, inv.Lines)
		if err != nil {
			return fmt.Errorf("lines of %s: %w", inv.ID, err)
		}
		all = lines
	} else {
		l := invoiceLines
		l.path = "/v1/invoices/" + url.PathEscape(inv.ID) + "/lines"
		if err := pages(ctx, b.s.client, l, func(lines []*invoiceLine, _ time.Time) error {
			all = append(all, lines...)
			return nil
		}); err != nil {
			return err
		}
	}
	for _, line := range all {
		line.invoice = inv.ID
		if err := line.store(b.lines); err != nil {
			return err
		}
	}
	return nil
}

// flush begins to commit what was collected once the batch before is committed, and begins anew.
func (b *batch) flush(ctx context.Context) error {
	if err := b.wait(); err != nil || b.rows == 0 {
		return err
	}
	full := *b
	b.rows, b.table, b.lines, b.committing = 0, columns{}, columns{}, make(chan error, 1)
	go func(done chan<- error) { done <- full.commit(ctx) }(b.committing)
	return nil
}

// wait waits until nothing is being committed.
func (b *batch) wait() error {
	if b.committing == nil {
		return nil
	}
	err := <-b.committing
	b.committing = nil
	return err
}

// finish commits what is left, unless there was an error before it; either way nothing is under way any more.
func (b *batch) finish(ctx context.Context, before error) error {
	if before != nil {
		return errors.Join(before, b.wait())
	}
	if err := b.flush(ctx); err != nil {
		return err
	}
	return b.wait()
}

func (b *batch) commit(ctx context.Context) error {
	err := b.s.o.Store.InTx(ctx, postgres.TxOptions{}, func(ctx context.Context, tx *postgres.Tx) error {
		if _, err := tx.Exec(ctx, b.stream.upsert, postgres.Args{"seen_at": b.seenAt}.And(postgres.Args(b.table))); err != nil {
			return err
		}
		if b.final {
			_, err := tx.Exec(ctx, "stripe/still_final", postgres.Args{"ids": b.table.texts("id"), "seen_at": b.seenAt})
			return err
		}
		if b.stream.name == "invoices" {
			return b.commitLines(ctx, tx)
		}
		return nil
	})
	if err != nil {
		return err
	}
	name := b.stream.name
	if b.payout {
		name = "payout_transactions"
	}
	b.s.count(name, b.rows)
	return nil
}

func (b *batch) commitLines(ctx context.Context, tx *postgres.Tx) error {
	_, err := tx.Exec(ctx, "stripe/delete_invoice_lines", postgres.Args{
		"invoice_ids": b.table.texts("id"), "invoice_id": b.lines.texts("invoice_id"), "id": b.lines.texts("id"),
	})
	if err != nil || len(b.lines) == 0 {
		return err
	}
	_, err = tx.Exec(ctx, "stripe/upsert_invoice_lines", postgres.Args(b.lines))
	return err
}
