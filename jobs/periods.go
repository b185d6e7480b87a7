package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/storage"
)

// ErrPeriod says that a period can't be closed or reopened as asked.
var ErrPeriod = errors.New("period")

// PeriodOf is the accounting period of a business date: its month, YYYY-MM.
func PeriodOf(date reconcile.Date) string { return date.String()[:len("2006-01")] }

type periodState struct {
	State   string
	Actions int
}

func loadPeriod(ctx context.Context, q postgres.Querier, period string) (state periodState, err error) {
	err = q.Get(ctx, &state, "periods/state", postgres.Args{"period": period})
	return state, err
}

// ClosePeriod closes a month: from now on its reports can't change, and rows that turn up for it are late items of the open period.
// Every night of it must have been reported. ErrPeriod says what stands in the way.
func ClosePeriod(ctx context.Context, store *postgres.Store, period, actor string, at time.Time) error {
	first, err := reconcile.ParseDate(period + "-01")
	if err != nil {
		return fmt.Errorf("%w %q: want YYYY-MM", ErrPeriod, period)
	}
	return store.InTx(ctx, postgres.TxOptions{}, func(ctx context.Context, tx *postgres.Tx) error {
		state, err := loadPeriod(ctx, tx, period)
		if err != nil {
			return err
		}
		if state.State == "closed" {
			return fmt.Errorf("%w %s is closed already", ErrPeriod, period)
		}
		if missing, err := missingNights(ctx, tx, first); err != nil {
			return err
		} else if len(missing) > 0 {
			return fmt.Errorf("%w %s: nights that have not been reported: %d, the first is %s; run them first: reconciler backfill --from %s --to %s",
				ErrPeriod, period, len(missing), missing[0], missing[0], missing[len(missing)-1])
		}
		return recordPeriod(ctx, tx, period, "closed", actor, "", state, at)
	})
}

// ReopenPeriod undoes ClosePeriod, for a reason that stays on record.
func ReopenPeriod(ctx context.Context, store *postgres.Store, period, actor, reason string, at time.Time) error {
	if fault := ReasonFault(reason); fault != "" {
		return fmt.Errorf("%w %s: the reason %s", ErrPeriod, period, fault)
	}
	return store.InTx(ctx, postgres.TxOptions{}, func(ctx context.Context, tx *postgres.Tx) error {
		state, err := loadPeriod(ctx, tx, period)
		if err != nil {
			return err
		}
		if state.State != "closed" {
			return fmt.Errorf("%w %s is not closed", ErrPeriod, period)
		}
		return recordPeriod(ctx, tx, period, "reopened", actor, reason, state, at)
	})
}

func recordPeriod(ctx context.Context, tx *postgres.Tx, period, action, actor, reason string, state periodState, at time.Time) error {
	actor, fault := Person(actor)
	if fault != "" {
		return fmt.Errorf("%w %s: --by %s", ErrPeriod, period, fault)
	}
	// Two at once run into the key: one of them wins.
	_, err := tx.Exec(ctx, "periods/record", postgres.Args{
		"period": period, "action_no": state.Actions + 1, "action": action, "actor": actor, "reason": reason, "at": at,
	})
	if err != nil {
		return err
	}
	a, err := OpenAudit(ctx, tx, actor, "period "+period, at)
	if err != nil {
		return err
	}
	if err := a.AddPeriodActions(ctx); err != nil {
		return err
	}
	return a.Seal(ctx)
}

type reportedNight struct {
	BusinessDate reconcile.Date `db:"business_date"`
	Before       bool           // before the period
}

// missingNights are those of the month that have not been reported; before the very first night ever there was nothing to report.
func missingNights(ctx context.Context, q postgres.Querier, first reconcile.Date) (missing []string, err error) {
	last := first.AddDays(31)
	for last.Month != first.Month {
		last = last.AddDays(-1)
	}
	var reported []reportedNight
	if err := q.Select(ctx, &reported, "periods/reported", postgres.Args{"from": first, "to": last}); err != nil {
		return nil, err
	}
	if len(reported) > 0 && !reported[0].Before {
		first = reported[0].BusinessDate
	}
	for d := first; !d.After(last); d = d.AddDays(1) {
		if !slices.ContainsFunc(reported, func(r reportedNight) bool { return r.BusinessDate == d }) {
			missing = append(missing, d.String())
		}
	}
	return missing, nil
}

// runClosedNight is what running a night of a closed period comes to: it is worked out again, nothing is changed, and where that differs
// from what was published a difference report says how. A difference is an ErrIntegrity.
func (w *Worker) runClosedNight(ctx context.Context, date reconcile.Date) error {
	differences, err := w.recompute(ctx, date)
	if err != nil && !errors.Is(err, storage.ErrNotPublished) {
		return err
	}
	if len(differences) == 0 {
		w.Log.Info().Stringer("business_date", date).Msg("the period is closed; the night is what was published")
		return nil
	}
	var report bytes.Buffer
	fmt.Fprintf(&report, "The night of %s belongs to the closed period %s. Nothing was changed.\nWorked out again it would differ from what was published:\n\n", date, PeriodOf(date))
	for _, d := range differences {
		for _, fault := range differenceFaults(d) {
			fmt.Fprintf(&report, "%s: %s\n", fault.Where, fault.What)
		}
	}
	name := "differences-" + date.String() + ".txt"
	if err := w.Reports.WriteIndex(ctx, name, report.Bytes()); err != nil {
		return err
	}
	return fmt.Errorf("%w: night %s is in the closed period %s and would differ from what was published; nothing was changed; see %s in the report storage",
		ErrIntegrity, date, PeriodOf(date), name)
}
