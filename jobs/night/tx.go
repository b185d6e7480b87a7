package night

import (
	"context"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// PostingTx decides, posts and counts in one snapshot, looking up one job after the other. Its statements are planned while some of their tables are
// still empty: a plan that scans such a table, as it is short, would scan it for every job once it has filled.
var PostingTx = MatchingTx.Setting(map[string]any{"enable_seqscan": "off"})

// MatchingTx gives the night's big joins room, for their transaction alone.
var MatchingTx = postgres.TxOptions{Snapshot: true, WorkMem: "256MB", Settings: map[string]any{"hash_mem_multiplier": "2"}}

// TxPart is a part of a step.
type TxPart struct {
	Options postgres.TxOptions
	Do      func(ctx context.Context, tx *postgres.Tx) error
}

// InTxs does parts, each in a transaction of its own; where there are few rows in one, since a transaction would cost more than most of them.
func (n *Night) InTxs(ctx context.Context, parts ...TxPart) error {
	if n.Run.Few {
		each := parts
		parts = []TxPart{{MatchingTx, func(ctx context.Context, tx *postgres.Tx) error {
			for _, part := range each {
				if err := part.Do(ctx, tx); err != nil {
					return err
				}
			}
			return nil
		}}}
	}
	for _, part := range parts {
		if err := n.Store.InTx(ctx, part.Options, part.Do); err != nil {
			return err
		}
	}
	return nil
}

// TxForReading is how the night's readings are done.
func (n *Night) TxForReading() postgres.TxOptions {
	if n.Run.Few {
		return MatchingTx
	}
	return ReadingTx
}

// ReadingTx is for the statements that look at every row of a night. Compiling one takes 0.1 s in each of the processes that share it, and 0.2 s with
// all optimizations, which pays from about a million rows on, and from four; all other statements take less than that. A server that has it switched
// off is left alone.
var ReadingTx = MatchingTx.Setting(map[string]any{"jit_above_cost": "140000", "jit_optimize_above_cost": "400000", "jit_inline_above_cost": "-1"})
