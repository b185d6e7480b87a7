package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// WorkStates are the states of an open break: nobody looks into it, or somebody does.
var WorkStates = []string{"open", "investigating"}

// BreakWork is what a person does about an open break short of closing it. What is empty stays as it is.
type BreakWork struct {
	BreakID string
	Actor   string         // who does it
	Owner   string         // who works on the break from now on
	State   string         // one of WorkStates
	DueOn   reconcile.Date // until when
	Note    string         // what is known
	Seen    *int           // how often the break had been worked on when this was decided; nil: whatever was done meanwhile
}

// ErrChanged says that somebody else has worked on the break since it was looked at.
var ErrChanged = errors.New("somebody else has worked on the break meanwhile")

// Faults lists all that is wrong, by field.
func (w BreakWork) Faults() map[string]string {
	faults := map[string]string{}
	if !breakID.MatchString(w.BreakID) {
		faults["break_id"] = fmt.Sprintf("%q is no break id", w.BreakID)
	}
	if strings.TrimSpace(w.Actor) == "" {
		faults["actor"] = "is empty; say who does it"
	}
	if w.State != "" && !slices.Contains(WorkStates, w.State) {
		faults["state"] = fmt.Sprintf("%q is none of %s", w.State, strings.Join(WorkStates, ", "))
	}
	if w.Note != "" {
		if fault := night.ReasonFault(w.Note); fault != "" {
			faults["note"] = fault
		}
	}
	return faults
}

// WorkOnBreak notes it, with its link in the audit log. ErrNotOpen for a break that isn't open.
func WorkOnBreak(ctx context.Context, store *postgres.Store, at time.Time, w BreakWork) error {
	return store.InTx(ctx, postgres.TxOptions{}, func(ctx context.Context, tx *postgres.Tx) error {
		a, err := night.OpenAudit(ctx, tx, w.Actor, "breaks", at) // first: two at once would give the same number
		if err != nil {
			return err
		}
		if w.Seen != nil {
			var worked int
			if err := tx.Get(ctx, &worked, "breaks/worked", postgres.Args{"break_id": w.BreakID}); err != nil {
				return fmt.Errorf("break %s: %w", w.BreakID, err)
			}
			if worked != *w.Seen {
				return fmt.Errorf("break %s: %w", w.BreakID, ErrChanged)
			}
		}
		noted, err := tx.Exec(ctx, "breaks/add_work", postgres.Args{
			"break_id": w.BreakID, "actor": w.Actor, "owner": w.Owner, "state": w.State, "note": w.Note, "at": a.At,
			"due_on": sql.NullString{String: w.DueOn.String(), Valid: !w.DueOn.IsZero()},
		})
		if err != nil {
			return fmt.Errorf("break %s: %w", w.BreakID, err)
		}
		if noted == 0 {
			return fmt.Errorf("break %s: %w", w.BreakID, ErrNotOpen)
		}
		if err := a.AddBreakWork(ctx, w.BreakID); err != nil {
			return err
		}
		return a.Seal(ctx)
	})
}
