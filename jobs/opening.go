package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	queries "github.com/hummingbytes/reconciler/sql"
)

// ledgerBuckets is how finely the totals of a night's ledger are kept. More buckets name late entries more surely and cost more rows.
const ledgerBuckets = 1024

// open prepares what every job of the night relies on, whichever of them is run: the policy's versions, the rows that break the
// contract, and the rows that turned up in periods already reported.
func (n *Night) open(ctx context.Context) error {
	return n.Store.InTx(ctx, matchingTx, func(ctx context.Context, tx *postgres.Tx) error {
		if err := n.registerPolicy(ctx, tx); err != nil {
			return err
		}
		if err := n.rejectRows(ctx, tx); err != nil {
			return fmt.Errorf("rejects: %w", err)
		}
		if err := n.bookLateRows(ctx, tx); err != nil {
			return fmt.Errorf("late rows: %w", err)
		}
		return nil
	})
}

func (n *Night) registerPolicy(ctx context.Context, tx *postgres.Tx) error {
	for _, v := range n.Policies.Versions() {
		_, err := tx.Exec(ctx, "policy/register_version", postgres.Args{
			"policy": n.Policy, "version": v.Version, "effective_from": v.EffectiveFrom,
			"effective_to":          sql.NullTime{Time: v.EffectiveTo, Valid: !v.EffectiveTo.IsZero()},
			"refund_window_seconds": int64(v.RefundWindow / time.Second),
		})
		if err != nil {
			return fmt.Errorf("policy version %s: %w", v.Version, err)
		}
	}
	return nil
}

func (n *Night) rejectRows(ctx context.Context, tx *postgres.Tx) error {
	const job = "source"
	if _, err := tx.Exec(ctx, "rejects/clear", postgres.Args{"date": n.Date}); err != nil {
		return err
	}
	controls := newControls(n, job)
	for _, source := range queries.SourceRelations {
		relation := source.Name
		rejectArgs, countArgs := n.span(postgres.Args{"date": n.Date}), n.span(nil)
		if relation == "subscriptions" { // looked at as a whole, whatever the night
			rejectArgs, countArgs = postgres.Args{"date": n.Date}, postgres.Args{}
		}
		var seen struct{ Rows, Kept string }
		if err := tx.Get(ctx, &seen, "rejects/"+relation+"_counts", countArgs); err != nil {
			return err
		}
		rejected := "0"
		if seen.Rows != seen.Kept { // most nights keep the contract, and are read once
			if err := tx.Get(ctx, &rejected, "rejects/"+relation, rejectArgs); err != nil {
				return err
			}
		}
		if relation == "subscriptions" {
			if rejected == "0" {
				continue // how many there are changes from day to day, and a rerun of an old night must not
			}
			seen.Rows, seen.Kept = rejected, "0"
		}
		controls.add("source "+relation, "rows", seen.Rows, seen.Kept, "0", rejected)
	}
	return controls.record(ctx, tx)
}

type changedNight struct {
	BusinessDate reconcile.Date `db:"business_date"`
	Relation     string
	Buckets      int
	Begins       time.Time
	Ends         time.Time
}

// bookLateRows compares the last reported nights with what they had read. Entries that turned up since are booked in the night that is
// still open; nights that gained jobs or purchases are read again by it. Then it notes what this night reads itself.
func (n *Night) bookLateRows(ctx context.Context, tx *postgres.Tx) error {
	reported, err := n.lastReported(ctx, tx)
	if err != nil {
		return err
	}
	isOpen := reported.IsZero() || !n.Date.Before(reported)
	first, last := n.Date.AddDays(-n.Settings.LateLookbackNights), n.Date.AddDays(-1)
	if !isOpen {
		// A rerun of an old night books nothing of other nights, but its own new rows belong to the night after the last reported one.
		first, last = n.Date, n.Date
	}
	if err := n.bookLateRowsOf(ctx, tx, first, last, isOpen, reported); err != nil {
		return err
	}
	if !isOpen {
		_, err := tx.Exec(ctx, "late/note_reread", n.span(postgres.Args{"date": n.Date}))
		return err
	}
	if _, err := tx.Exec(ctx, "late/forget_totals", postgres.Args{"date": n.Date}); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "late/record_totals", n.span(postgres.Args{"date": n.Date, "buckets": ledgerBuckets})); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "late/total_up", postgres.Args{"date": n.Date, "buckets": ledgerBuckets})
	return err
}

func (n *Night) bookLateRowsOf(ctx context.Context, tx *postgres.Tx, first, last reconcile.Date, isOpen bool, reported reconcile.Date) error {
	var dates []string
	var begins, ends []time.Time
	for d := first; !d.After(last); d = d.AddDays(1) {
		night := reconcile.NightOf(d, n.Settings.Zone)
		dates, begins, ends = append(dates, d.String()), append(begins, night.Begin), append(ends, night.End)
	}
	var changed []changedNight
	if err := tx.Select(ctx, &changed, "late/changed_nights", postgres.Args{"dates": dates, "begins": begins, "ends": ends}); err != nil {
		return err
	}
	bookedOn := n.Date
	if !isOpen {
		bookedOn = reported.AddDays(1)
	}
	for _, c := range changed {
		if c.Relation == "credit_entries" {
			if err := n.bookLateEntries(ctx, tx, c, bookedOn); err != nil {
				return fmt.Errorf("ledger of %s: %w", c.BusinessDate, err)
			}
			continue
		}
		if !isOpen {
			continue // this very run reads them
		}
		if _, err := tx.Exec(ctx, "late/rescan", postgres.Args{"date": n.Date, "relation": c.Relation, "rescanned": c.BusinessDate, "begins": c.Begins, "ends": c.Ends}); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "late/refresh_total", postgres.Args{"relation": c.Relation, "rescanned": c.BusinessDate, "begins": c.Begins, "ends": c.Ends}); err != nil {
			return err
		}
	}
	return nil
}

type lateCandidate struct {
	Bucket     int
	Gained     int
	GainedHash string `db:"gained_hash"`
	AccountID  string `db:"account_id"`
	ID         string
	Hash       int64
	Credits    string
}

func (n *Night) bookLateEntries(ctx context.Context, tx *postgres.Tx, c changedNight, bookedOn reconcile.Date) error {
	var rows []lateCandidate
	if err := tx.Select(ctx, &rows, "late/changed_buckets", postgres.Args{"date": c.BusinessDate, "begins": c.Begins, "ends": c.Ends, "buckets": c.Buckets}); err != nil {
		return err
	}
	bookedAt := reconcile.NightOf(bookedOn, n.Settings.Zone).Begin
	for len(rows) > 0 {
		size := 1
		for size < len(rows) && rows[size].Bucket == rows[0].Bucket {
			size++
		}
		bucket := rows[:size]
		rows = rows[size:]
		late, ok := lateOf(bucket)
		if !ok {
			n.log.Warn().Stringer("night", c.BusinessDate).Int("bucket", bucket[0].Bucket).
				Msg("a reported night's ledger was changed in a way that no late entry explains: verify it")
			continue
		}
		for _, row := range late {
			_, err := tx.Exec(ctx, "late/book", postgres.Args{
				"account_id": row.AccountID, "entry_id": row.ID, "entry_date": c.BusinessDate, "booked_on": bookedOn, "booked_at": bookedAt, "credits": row.Credits,
			})
			if err != nil {
				return fmt.Errorf("entry %s: %w", row.ID, err)
			}
		}
	}
	return nil
}

// lateOf names the rows of a bucket that its totals did not have.
func lateOf(bucket []lateCandidate) ([]lateCandidate, bool) {
	sum, ok := new(big.Int).SetString(bucket[0].GainedHash, 10)
	if !ok {
		return nil, false
	}
	wrapped := new(big.Int).And(sum, new(big.Int).SetUint64(^uint64(0))).Uint64() // two's complement: modulo 2^64
	hashed := make([]reconcile.HashedRow, len(bucket))
	byID := make(map[string]lateCandidate, len(bucket))
	for i, row := range bucket {
		hashed[i] = reconcile.HashedRow{ID: row.ID, Hash: uint64(row.Hash)}
		byID[row.ID] = row
	}
	named, ok := reconcile.LateRows(hashed, bucket[0].Gained, wrapped)
	if !ok {
		return nil, false
	}
	late := make([]lateCandidate, len(named))
	for i, row := range named {
		late[i] = byID[row.ID]
	}
	return late, true
}

// lastReported is the latest night whose report has been made; zero when there is none.
func (n *Night) lastReported(ctx context.Context, q postgres.Querier) (reconcile.Date, error) {
	var last struct {
		BusinessDate reconcile.Date `db:"business_date"`
		AsOf         sql.NullTime   `db:"as_of"`
	}
	err := q.Get(ctx, &last, "runs/last_reported", postgres.Args{})
	if errors.Is(err, sql.ErrNoRows) {
		return reconcile.Date{}, nil
	}
	return last.BusinessDate, err
}
