package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/storage"
)

// PeriodOf is the accounting period of a business date: its month, YYYY-MM.
func PeriodOf(date reconcile.Date) string { return reconcile.MonthOf(date).String() }

type periodState struct {
	State   string
	Actions int
}

func loadPeriod(ctx context.Context, q postgres.Querier, period string) (state periodState, err error) {
	err = q.Get(ctx, &state, "periods/state", postgres.Args{"period": period})
	return state, err
}

type reportedNight struct {
	BusinessDate reconcile.Date
	Before       bool // before the period
}

// MissingNights are those of a month that have not been reported; before the very first night ever there was nothing to report.
func MissingNights(ctx context.Context, q postgres.Querier, month reconcile.Month) (missing []reconcile.Date, err error) {
	first, last := month.First(), month.Last()
	var reported []reportedNight
	if err := q.Select(ctx, &reported, "periods/reported", postgres.Args{"from": first, "to": last}); err != nil {
		return nil, err
	}
	if len(reported) > 0 && !reported[0].Before {
		first = reported[0].BusinessDate
	}
	for d := first; !d.After(last); d = d.AddDays(1) {
		if !slices.ContainsFunc(reported, func(r reportedNight) bool { return r.BusinessDate == d }) {
			missing = append(missing, d)
		}
	}
	return missing, nil
}

// executeBesideClosedNight is what the single job refunds comes to when the month of its night is closed, on the day after its end say: approved plans
// don't wait for that, and what moves is the open night's. Of an older night nothing is ever moved.
func (w *Worker) executeBesideClosedNight(ctx context.Context, date reconcile.Date) error {
	reported, err := night.LastReported(ctx, w.Store)
	if err != nil || reported.After(date) {
		return err
	}
	outcome, err := w.RefundDesk().ExecuteApproved(ctx, date)
	w.Log.Info().Stringer("business_date", date).Int("refunds_sent", outcome.Sent).Int("refunds_stopped", outcome.Stopped).Int("refunds_rejected", outcome.Rejected).
		Int("refunds_open", outcome.Open).Msg("the period is closed; approved refunds are in the books of the open night")
	if err != nil {
		return fmt.Errorf("refunds beside night %s: %w", date, err)
	}
	return nil
}

// runClosedNight is what running a night of a closed period comes to: it is worked out again, nothing is changed, and where that differs
// from what was published a difference report says how. A difference is an ErrIntegrity.
func (w *Worker) runClosedNight(ctx context.Context, date reconcile.Date) error {
	again, err := w.recompute(ctx, date)
	if err != nil && !errors.Is(err, storage.ErrNotPublished) {
		return err
	}
	if !again.differs() {
		w.Log.Info().Stringer("business_date", date).Msg("the period is closed; the night is what was published")
		return nil
	}
	var report bytes.Buffer
	fmt.Fprintf(&report, "The night of %s belongs to the closed period %s. Nothing was changed.\nWorked out again it would differ from what was published:\n\n", date, PeriodOf(date))
	for _, fault := range append(w.otherVersion(again.writtenBy), again.faults()...) {
		fmt.Fprintf(&report, "%s: %s\n", fault.Where, fault.What)
	}
	name := "differences-" + date.String() + ".txt"
	if err := w.Reports.WriteIndex(ctx, name, report.Bytes()); err != nil {
		return err
	}
	return fmt.Errorf("%w: night %s is in the closed period %s and would differ from what was published; nothing was changed; see %s in the report storage",
		night.ErrIntegrity, date, PeriodOf(date), name)
}
