package decide

import (
	"context"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// matchRequests finds the purchases that tonight's requests mean, for the job that asks, and says whether any request is to be decided.
func matchRequests(ctx context.Context, n *night.Night, tx *postgres.Tx, job string) (undecided bool, err error) {
	var due struct{ Matching, Undecided bool }
	if err := tx.Get(ctx, &due, "request_matches/due", nil); err != nil || !due.Matching {
		return due.Undecided, err
	}
	_, err = tx.Exec(ctx, "request_matches/find", postgres.Args{"job": job})
	return due.Undecided, err
}

func clearRequests(ctx context.Context, n *night.Night, tx *postgres.Tx, job string) error {
	_, err := tx.Exec(ctx, "request_matches/clear", postgres.Args{"job": job})
	return err
}
