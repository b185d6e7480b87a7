package night

import (
	"context"
	"fmt"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// stateNotes are the statements that keep rows which the platform changes in place as the night sees them, by the job that reads them as of
// its night.
var stateNotes = map[string]string{
	"disputes":      "platform_states/note_disputed_accounts",
	"subscriptions": "platform_states/note_subscriptions",
	"reports":       "platform_states/note_purchases",
}

// NoteStates keeps what a job is about to read of the platform's changeable rows. Only the night that is open notes changes, also in a rehearsal:
// a rerun of an older one, and verification, use what was noted then.
func (n *Night) NoteStates(ctx context.Context, job string) error {
	statement, ok := stateNotes[job]
	if !ok {
		return nil
	}
	if _, err := n.Store.Exec(ctx, statement, postgres.Args{"only_unknown": n.Run.AsNoted || n.IsOlder()}); err != nil {
		return fmt.Errorf("note states: %w", err)
	}
	return nil
}
