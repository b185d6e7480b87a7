package night

import "github.com/hummingbytes/reconciler/reconcile/postgres"

// MatchingTx gives the night's big joins room, for their transaction alone.
var MatchingTx = postgres.TxOptions{Snapshot: true, WorkMem: "256MB", Settings: map[string]any{"hash_mem_multiplier": "2"}}

// TxForReading is how the night's readings are done.
func (n *Night) TxForReading() postgres.TxOptions {
	if n.Run.Few {
		return MatchingTx
	}
	return ReadingTx
}

// ReadingTx is for the statements that look at every row of a night. Compiling one takes 0.2 s, which pays from about a million rows on; all other
// statements take less than that. A server that has it switched off is left alone.
var ReadingTx = MatchingTx.Setting(map[string]any{"jit_above_cost": "140000", "jit_optimize_above_cost": "140000", "jit_inline_above_cost": "-1"})
