package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// WorkStates are the states of an open break: nobody looks into it, or somebody does.
var WorkStates = []string{"open", "investigating"}

// BreakFilter says which breaks a list has. What is empty doesn't filter.
type BreakFilter struct {
	Kind, Severity, Account, Subject string
	Owner                            string // who works on it
	Unowned                          bool   // nobody works on it
	State                            string // one of WorkStates
	Due                              string // due by this date
	Overdue                          bool   // due before today
	MinAge                           int    // in days
}

// oldest is more days than any break is old, and fits every date.
const oldest = 100_000

// Faults lists all that is wrong, by field.
func (f BreakFilter) Faults() map[string]string {
	faults := map[string]string{}
	if _, ok := reconcile.BreakKind(f.Kind).Rule(); f.Kind != "" && !ok {
		faults["kind"] = fmt.Sprintf("%q is no kind of break", f.Kind)
	}
	if f.Severity != "" && reconcile.Severity(f.Severity).Rank() < 0 {
		faults["severity"] = fmt.Sprintf("%q is none of info, warning, error", f.Severity)
	}
	for field, text := range map[string]string{"account": f.Account, "subject": f.Subject, "owner": f.Owner} {
		if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
			faults[field] = fmt.Sprintf("%q is no text", text)
		}
	}
	if f.Unowned && f.Owner != "" {
		faults["unowned"] = "excludes an owner"
	}
	if f.State != "" && !slices.Contains(WorkStates, f.State) {
		faults["state"] = fmt.Sprintf("%q is none of %s", f.State, strings.Join(WorkStates, ", "))
	}
	if _, err := reconcile.ParseDate(f.Due); f.Due != "" && err != nil {
		faults["due"] = fmt.Sprintf("%q is no date, YYYY-MM-DD", f.Due)
	}
	if f.MinAge < 0 || f.MinAge > oldest {
		faults["min_age"] = fmt.Sprintf("%d is no number of days from 0 to %d", f.MinAge, oldest)
	}
	return faults
}

// Args are what the statements of lists (break_is_asked_for) take of the filter, and today's business date, which ages count to.
func (f BreakFilter) Args(today reconcile.Date) postgres.Args {
	return postgres.Args{
		"kind": f.Kind, "severity": f.Severity, "account": f.Account, "subject": f.Subject, "owner": f.Owner, "unowned": f.Unowned,
		"state": f.State, "due": f.Due, "overdue": f.Overdue, "min_age": f.MinAge, "today": today,
	}
}

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
