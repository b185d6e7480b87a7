package postgres

import (
	"context"
	"encoding/json"
	"slices"
)

// BatchRows is how many rows travel in one statement.
const BatchRows = 2000

// WriteRows has a statement write rows, which it takes as a JSON array in parameter @rows, BatchRows at a time: whoever writes more than that does it
// in a transaction.
func WriteRows[T any](ctx context.Context, q Querier, statement string, args Args, rows []T) error {
	for batch := range slices.Chunk(rows, BatchRows) {
		encoded, err := json.Marshal(batch)
		if err != nil {
			return err
		}
		if _, err := q.Exec(ctx, statement, args.And(Args{"rows": string(encoded)})); err != nil {
			return err
		}
	}
	return nil
}
