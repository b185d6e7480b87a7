package jobs

import (
	"context"
	"errors"

	"github.com/hummingbytes/reconciler/reconcile"
)

// dryRun works the night out and leaves nothing behind.
func (w *Worker) dryRun(ctx context.Context, date reconcile.Date, only ...string) error {
	return errors.New("dry run: not available yet")
}
