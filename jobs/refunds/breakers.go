package refunds

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// errHalted says that a kill switch is on.
var errHalted = errors.New("refunds are halted")

// assertRunning fails with errHalted while a kill switch is on: the setting's or the database's.
func (x *executor) assertRunning(ctx context.Context, q postgres.Querier) error {
	if x.w.Settings.Refund.Halt {
		return fmt.Errorf("%w by RECONCILER_REFUND_HALT", errHalted)
	}
	last, err := SwitchNow(ctx, q)
	if err != nil {
		return err
	}
	if last.Halted() {
		return fmt.Errorf("%w by %s since %s: %s", errHalted, last.Actor, last.At.UTC().Format(time.RFC3339), last.Reason)
	}
	return nil
}

func (x *executor) checkSwitches(ctx context.Context, planID string) error {
	err := x.assertRunning(ctx, x.w.Store)
	if errors.Is(err, errHalted) {
		return x.trip(ctx, planID, haltedTrip(err))
	}
	return err
}

func haltedTrip(err error) tripRow {
	return tripRow{code: "kill_switch", measured: "halted", allowed: "running", detail: err.Error()}
}

// sentToday is what refunds have come to on this day so far: how many, and their amounts in one currency, in minor units.
type sentToday struct {
	DayCount      int64
	CustomerCount int64
	DayMinor      int64
	CustomerMinor int64
}

// sentToday sums up the day in a currency, and one customer's part of it; an empty account is no customer.
func (x *executor) sentToday(ctx context.Context, q postgres.Querier, accountID, currency string) (day sentToday, err error) {
	return day, q.Get(ctx, &day, "refunds/tally", postgres.Args{"account_id": accountID, "currency": currency, "day": x.w.today()})
}

// checkCaps returns the cap that one more refund would exceed, or nil.
func (x *executor) checkCaps(ctx context.Context, q postgres.Querier, item Item) (*reconcile.Trip, error) {
	day, err := x.sentToday(ctx, q, item.AccountID, item.Currency)
	if err != nil {
		return nil, err
	}
	trip, tripped := x.w.Settings.Refund.Caps.Check(reconcile.RefundTally{
		RunCount: x.runCount, RunMinor: x.runMinor[item.Currency], CustomerCount: day.CustomerCount, CustomerMinor: day.CustomerMinor,
		DayCount: day.DayCount, DayMinor: day.DayMinor,
	}, item.AmountMinor, item.Currency)
	if !tripped {
		return nil, nil
	}
	return &trip, nil
}

// checkAnomaly stops a plan that would make the day far bigger than days usually are, in the money of a currency or in refunds.
func (x *executor) checkAnomaly(ctx context.Context, view PlanView) error {
	refunds, sums := int64(0), map[string]*big.Int{}
	for _, item := range view.Items {
		if item.State != reconcile.IntentPlanned {
			continue
		}
		refunds++
		if sums[item.Currency] == nil {
			sums[item.Currency] = new(big.Int)
		}
		sums[item.Currency].Add(sums[item.Currency], big.NewInt(item.AmountMinor))
	}
	if refunds == 0 {
		return nil
	}
	var sent sentToday
	for _, currency := range slices.Sorted(maps.Keys(sums)) {
		var err error
		if sent, err = x.sentToday(ctx, x.w.Store, "", currency); err != nil {
			return err
		}
		total := sums[currency].Add(sums[currency], big.NewInt(sent.DayMinor))
		if !total.IsInt64() {
			return fmt.Errorf("total of the day in %s: %w", currency, reconcile.ErrOverflow)
		}
		amount := dayTotal{breaker: "anomaly_" + currency, unit: currency, total: total.Int64()}
		if err := x.compareWithDaysBefore(ctx, view.PlanID, amount, currency, func(d dayBefore) int64 { return d.AmountMinor }); err != nil {
			return err
		}
	}
	count := dayTotal{breaker: "anomaly_refunds", unit: reconcile.UnitRefunds, total: refunds + sent.DayCount} // the count is the same for each currency
	return x.compareWithDaysBefore(ctx, view.PlanID, count, "", func(d dayBefore) int64 { return d.Refunds })
}

// dayTotal is what a day would come to with a plan.
type dayTotal struct {
	breaker, unit string
	total         int64
}

// dayBefore is what an earlier day came to.
type dayBefore struct {
	Refunds     int64
	AmountMinor int64
}

// compareWithDaysBefore trips when the day's total is too many times the median of the 30 days before it, counted in one currency or, where
// that is empty, in all.
func (x *executor) compareWithDaysBefore(ctx context.Context, planID string, day dayTotal, currency string, measure func(dayBefore) int64) error {
	var days []dayBefore
	if err := x.w.Store.Select(ctx, &days, "refunds/days_before", postgres.Args{"day": x.w.today(), "currency": currency}); err != nil {
		return err
	}
	var totals []*big.Int
	for _, d := range days {
		totals = append(totals, big.NewInt(measure(d)))
	}
	multiple := x.w.Settings.Refund.Caps.AnomalyMultiple
	median, anomalous := reconcile.Anomalous(big.NewInt(day.total), totals, multiple)
	if !anomalous {
		return nil
	}
	return x.trip(ctx, planID, tripRow{
		code: day.breaker, measured: fmt.Sprint(day.total), allowed: new(big.Int).Mul(median, big.NewInt(multiple)).String(),
		detail: fmt.Sprintf("%s in a day is more than %d times the median of the %d days with refunds before it (%s); look at the plan, then raise RECONCILER_REFUND_ANOMALY_MULTIPLE for a run if it is right",
			numbers.Int(day.total).Text(day.unit), multiple, len(totals), numbers.Of(median).Text(day.unit)),
	})
}

// checkFailures stops the run when refunds fail in a row: then something is wrong with all of them. One that was overtaken is no failure,
// and breaks no row of them.
func (x *executor) checkFailures(ctx context.Context, planID string, result moveResult) error {
	switch result {
	case moveSucceeded:
		x.failures = 0
		return nil
	case moveOvertaken:
		return nil
	}
	x.failures++
	limit := x.w.Settings.Refund.Caps.ConsecutiveFailures
	if limit <= 0 || x.failures < limit {
		return nil
	}
	return x.trip(ctx, planID, tripRow{
		code: "failures_in_a_row", measured: fmt.Sprint(x.failures), allowed: fmt.Sprint(limit - 1),
		detail: fmt.Sprintf("%d refunds in a row were stopped, refused or left open: something is wrong with all of them", x.failures),
	})
}

// tripRow is a breaker that tripped: what it measured, and what it would have allowed.
type tripRow struct{ code, measured, allowed, detail string }

// trip notes what stopped the plan, and is the ErrIntegrity that ends the run. Nothing moves after it.
func (x *executor) trip(ctx context.Context, planID string, t tripRow) error {
	x.tripped = true
	tripErr := fmt.Errorf("%w: plan %s: %s; nothing further was moved", night.ErrIntegrity, planID, t.detail)
	err := x.write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		at := x.w.instant()
		var no int
		if err := tx.Get(ctx, &no, "refunds/add_trip", postgres.Args{
			"plan_id": planID, "date": x.date, "breaker": t.code, "measured": t.measured, "allowed": t.allowed, "detail": t.detail, "at": at,
		}); err != nil {
			return err
		}
		return night.AuditAs(ctx, tx, x.actor, x.run, at, []night.AuditChange{{
			Subject: night.AuditRefundPlan, SubjectID: planID, Change: fmt.Sprintf("trip %d", no), Detail: t.code + ": " + t.detail,
		}})
	})
	return errors.Join(tripErr, err)
}
