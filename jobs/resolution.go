package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// Resolutions are what a person may say became of a break.
var Resolutions = []string{reconcile.ResolvedCorrected, reconcile.ResolvedAccepted, reconcile.ResolvedWrittenOff}

// ErrNotOpen says that there is no open break of that id.
var ErrNotOpen = errors.New("no open break of this id")

// breakID is what ids of breaks look like.
var breakID = regexp.MustCompile(`^brk_[0-9a-z]{1,64}$`)

// IsBreakID reports whether a text looks like the id of a break.
func IsBreakID(text string) bool { return breakID.MatchString(text) }

// Resolution is a person's word on one break.
type Resolution struct {
	BreakID    string
	Resolution string // one of Resolutions
	Reason     string // mandatory: the next person wants to know why
	Actor      string // mandatory
}

// Faults lists all that is wrong with a resolution by field, none when it may be applied.
func (r Resolution) Faults() map[string]string {
	faults := map[string]string{}
	if !breakID.MatchString(r.BreakID) {
		faults["break_id"] = fmt.Sprintf("%q is no break id", r.BreakID)
	}
	if !slices.Contains(Resolutions, r.Resolution) {
		faults["resolution"] = fmt.Sprintf("%q is none of %s", r.Resolution, strings.Join(Resolutions, ", "))
	}
	if fault := night.ReasonFault(r.Reason); fault != "" {
		faults["reason"] = fault
	}
	if _, fault := night.Person(r.Actor); fault != "" {
		faults["actor"] = fault
	}
	return faults
}

// auditResolutions notes in the audit log who has resolved what, one link for each person.
func auditResolutions(ctx context.Context, tx *postgres.Tx, at time.Time, resolutions []Resolution) error {
	byActor := map[string][]string{}
	for _, r := range resolutions {
		byActor[r.Actor] = append(byActor[r.Actor], r.BreakID)
	}
	for _, actor := range slices.Sorted(maps.Keys(byActor)) {
		a, err := night.OpenAudit(ctx, tx, actor, "breaks resolve", at)
		if err != nil {
			return err
		}
		if err := a.AddBreaks(ctx, byActor[actor]); err != nil {
			return err
		}
		if err := a.Seal(ctx); err != nil {
			return err
		}
	}
	return nil
}

// ResolveBreaks closes breaks on people's word, all of them or none. The next night to be reported shows them as resolved; a break stays
// resolved while its values stay what they are. ErrNotOpen, naming the id, for one that isn't open.
func ResolveBreaks(ctx context.Context, store *postgres.Store, at time.Time, resolutions []Resolution) error {
	return store.InTx(ctx, postgres.TxOptions{}, func(ctx context.Context, tx *postgres.Tx) error {
		reported, err := night.LastReported(ctx, tx)
		if err != nil {
			return err
		}
		next := reconcile.Date{Year: 1, Month: 1, Day: 1} // nothing reported yet: the night that opens the break shows it
		if !reported.IsZero() {
			next = reported.AddDays(1)
		}
		for i, r := range resolutions {
			var fault string
			if r.Actor, fault = night.Person(r.Actor); fault != "" {
				return fmt.Errorf("break %s: the name of who decides %s", r.BreakID, fault)
			}
			resolutions[i].Actor = r.Actor
			closed, err := tx.Exec(ctx, "breaks/resolve", postgres.Args{
				"date": next, "break_id": r.BreakID, "actor": r.Actor, "reason": r.Reason, "resolution": r.Resolution, "at": at,
			})
			if err != nil {
				return fmt.Errorf("break %s: %w", r.BreakID, err)
			}
			if closed == 0 {
				return fmt.Errorf("break %s: %w", r.BreakID, ErrNotOpen)
			}
		}
		return auditResolutions(ctx, tx, at, resolutions)
	})
}
