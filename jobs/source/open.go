package source

import (
	"context"
	"fmt"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	queries "github.com/hummingbytes/reconciler/sql"
)

// reader is a night while its source is being read.
type reader struct {
	*night.Night
	Reading
	surplus       []surplusRows
	checkBaseline bool  // whether or not it is in tonight's share
	bookedLate    bool  // entries that arrived late
	rejectedLate  bool  // rows that arrived late and break the contract
	moved         int64 // accounts
	seeds         postgres.Args
}

// Open prepares what every step of the night relies on, whichever of them is run: the policy's versions, the rows that arrived late for nights
// already reported, and the night's own rows, read once, with those that break the contract. The night that it returns reads the first row alone of
// an id that is there more than once.
func Open(ctx context.Context, night *night.Night, checkBaseline bool) (*night.Night, *Reading, error) {
	guarded, surplus, err := guardSource(ctx, night)
	if err != nil {
		return nil, nil, fmt.Errorf("duplicates: %w", err)
	}
	n := &reader{Night: guarded, surplus: surplus, checkBaseline: checkBaseline}
	return guarded, &n.Reading, n.open(ctx)
}

func (n *reader) open(ctx context.Context) error {
	// What is read once is read in transactions of their own: what changes in between shows when exceptions are judged.
	err := n.InTxs(ctx, night.TxPart{Options: night.MatchingTx, Do: n.prepare}, night.TxPart{Options: night.MatchingTx, Do: n.bookLateRows},
		night.TxPart{Options: n.TxForReading(), Do: n.readJobs}, night.TxPart{Options: n.TxForReading(), Do: n.readLedger},
		night.TxPart{Options: night.MatchingTx, Do: n.compareJobs}, night.TxPart{Options: night.MatchingTx, Do: n.noteReading})
	if err != nil {
		return err
	}
	return n.analyzeMoves(ctx)
}

// prepare forgets what an earlier run has read, and finds out what the reading has to know.
func (n *reader) prepare(ctx context.Context, tx *postgres.Tx) error {
	if err := n.Forget(ctx, tx, "reading/clear"); err != nil {
		return err
	}
	if err := registerPolicy(ctx, n.Night, tx); err != nil {
		return err
	}
	if !n.IsOpen() {
		if err := n.bookOwnLateRows(ctx, tx); err != nil {
			return err
		}
	}
	return n.prepareReading(ctx, tx)
}

// noteReading names the rows that break the contract, keeps totals of the others for later nights, and finds the accounts that they have moved.
func (n *reader) noteReading(ctx context.Context, tx *postgres.Tx) error {
	if err := n.rejectRows(ctx, tx); err != nil {
		return fmt.Errorf("rejects: %w", err)
	}
	if err := n.recordTotals(ctx, tx); err != nil {
		return err
	}
	return n.findMoves(ctx, tx)
}

func (n *reader) rejectRows(ctx context.Context, tx *postgres.Tx) error {
	const job = "source"
	if err := n.Forget(ctx, tx, "rejects/clear"); err != nil {
		return err
	}
	controls := night.NewControls(n.Night, job)
	var late []struct{ Relation, Rows string }
	if n.rejectedLate || !n.IsOpen() {
		if err := tx.Select(ctx, &late, "late/rejected", nil); err != nil {
			return err
		}
	}
	for _, l := range late {
		controls.Add("source "+l.Relation+", turned up late", "rows", l.Rows, "0", "0", l.Rows)
	}
	for _, surplus := range n.surplus {
		controls.Add("source "+surplus.relation+", rows beyond the first of an id", "rows", surplus.rows, "0", "0", surplus.rows)
	}
	counts, err := countRows(ctx, tx)
	if err != nil {
		return err
	}
	n.Reading.rows = map[string]relationRows{}
	rejected := map[string]numbers.Number{}
	var broken []string // most nights keep the contract, and are read once
	for _, c := range counts {
		n.Reading.rows[c.Relation], rejected[c.Relation] = c, "0"
		if c.Rows != c.Kept {
			broken = append(broken, c.Relation)
		}
	}
	if len(broken) > 0 {
		var named []struct {
			Relation string
			Rows     numbers.Number
		}
		if err := tx.Select(ctx, &named, "rejects/name", postgres.Args{"relations": broken}); err != nil {
			return err
		}
		for _, r := range named {
			rejected[r.Relation] = r.Rows
		}
	}
	for _, source := range queries.SourceRelations {
		relation, rejected := source.Name, rejected[source.Name]
		rows, kept := n.Reading.rows[relation].Rows, n.Reading.rows[relation].Kept
		if relation == "subscriptions" {
			if rejected == "0" {
				continue // how many there are changes from day to day, and a rerun of an old night must not
			}
			rows, kept = rejected, "0"
		}
		if err := StillTheSame("rows of "+relation, rows, kept.Plus(rejected)); err != nil {
			return err
		}
		controls.Add("source "+relation, "rows", string(rows), string(kept), "0", string(rejected))
	}
	return controls.Record(ctx, tx)
}

// recordTotals notes what this night has read, for later nights to tell late rows by.
func (n *reader) recordTotals(ctx context.Context, tx *postgres.Tx) error {
	if !n.IsOpen() {
		_, err := tx.Exec(ctx, "late/note_reread", nil)
		return err
	}
	if err := n.Forget(ctx, tx, "late/forget_totals"); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "late/record_totals", nil)
	return err
}
