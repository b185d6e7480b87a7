package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// creditBacks decides about every failed job of the night and posts what is due to the ledger, in one transaction with its record.
// Exactly once: the record's unique key and the entry's idempotency key both come from the job and from what it had been credited before.
func creditBacks(ctx context.Context, n *Night, read *reading) (counts Counts, err error) {
	const job = "credit-backs"
	// Nothing is posted for a night of which rows may be missing: match-jobs has counted them, or failed before.
	if _, err := read.count(ctx, n); err != nil {
		return nil, err
	}
	err = n.Store.InTx(ctx, matchingTx, func(ctx context.Context, tx *postgres.Tx) error {
		return n.findFailedJobs(ctx, tx, job)
	})
	if err != nil {
		return nil, err
	}
	err = n.Store.InTx(ctx, PostingTx, func(ctx context.Context, tx *postgres.Tx) error {
		if counts, err = n.postCreditBacks(ctx, tx, job); err != nil {
			return err
		}
		return n.auditCreditBacks(ctx, tx)
	})
	return counts, err
}

// PostingTx decides, posts and counts in one snapshot. It looks up one job after the other. Its statements are planned while tables are empty that
// may be full before they end: a plan that reads such a table from end to end, because it is short yet, would do so for every job.
var PostingTx = postgres.TxOptions{Snapshot: true, WorkMem: matchingTx.WorkMem, Settings: with(matchingTx.Settings, postgres.Args{"enable_seqscan": "off"})}

// batchRows is how many rows travel in one statement.
const batchRows = 2000

// findFailedJobs puts the jobs to decide about that are not the night's own among the candidates.
func (n *Night) findFailedJobs(ctx context.Context, tx *postgres.Tx, job string) error {
	if err := n.clearStaging(ctx, tx, job); err != nil {
		return err
	}
	for _, others := range []string{"credit_backs/older_jobs", "credit_backs/credited_by_others"} {
		if _, err := tx.Exec(ctx, others, n.span(n.args(job, nil))); err != nil {
			return err
		}
	}
	return n.classifyFailures(ctx, tx, job) // those of the night's own jobs were when it was read
}

func (n *Night) postCreditBacks(ctx context.Context, tx *postgres.Tx, job string) (Counts, error) {
	if _, err := tx.Exec(ctx, "credit_backs/forget_undecided", postgres.Args{"date": n.Date}); err != nil {
		return nil, err
	}
	booking, err := n.booking(ctx, tx)
	if err != nil {
		return nil, err
	}
	if err := n.recordCreditBacks(ctx, tx, job, booking.at); err != nil {
		return nil, err
	}
	n.step("credit-backs/recorded")
	posted, err := tx.Exec(ctx, "credit_backs/post", postgres.Args{"date": n.Date})
	if err != nil {
		return nil, err
	}
	n.step("credit-backs/posted")
	if _, err := tx.Exec(ctx, "credit_backs/note_late", postgres.Args{"date": n.Date, "as_of": n.AsOf(), "booked_on": booking.on}); err != nil {
		return nil, err
	}
	total, err := n.controlCreditBacks(ctx, tx, job)
	if err != nil {
		return nil, err
	}
	if err := n.checkCreditBackLimits(ctx, tx, total); err != nil {
		return nil, err
	}
	_, err = tx.Exec(ctx, "candidates/clear", n.args(job, nil))
	return Counts{"credit_backs_posted": posted}, err
}

// booking is where entries of this night go: its own as-of, or that of the latest night already reported.
type booking struct {
	at time.Time
	on reconcile.Date // the night that sees them
}

func (n *Night) booking(ctx context.Context, q postgres.Querier) (booking, error) {
	reported, err := lastReported(ctx, q)
	if err != nil {
		return booking{}, err
	}
	latest := n.Night
	if reported.After(n.Date) {
		latest = reconcile.NightOf(reported, n.Settings.Zone)
	}
	return booking{at: latest.AsOf(), on: latest.Date.AddDays(1)}, nil
}

// recordCreditBacks decides about the night's failed jobs and the candidates where they are: the core's cases go to the database, and no job
// comes from there.
func (n *Night) recordCreditBacks(ctx context.Context, tx *postgres.Tx, job string, bookedAt time.Time) error {
	cases, err := json.Marshal(reconcile.CreditBackCases())
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "credit_backs/record", n.args(job, postgres.Args{
		"policy": n.policyHash(), "begin": n.Begin, "as_of": n.AsOf(), "booked_at": bookedAt, "cases": string(cases),
	}))
	return err
}

func (n *Night) controlCreditBacks(ctx context.Context, tx *postgres.Tx, job string) (total creditBackTotals, err error) {
	if err := tx.Get(ctx, &total, "credit_backs/totals", n.span(postgres.Args{"date": n.Date})); err != nil {
		return total, err
	}
	c := newControls(n, job)
	c.add("failed jobs decided", "jobs", total.Failed, total.Decided, total.Pending, "0")
	c.add("credit-backs in the ledger", "entries", total.Records, total.Entries, "0", "0")
	c.add("credit-backs in the ledger", "credits", total.Recorded, total.Posted, "0", "0")
	return total, c.record(ctx, tx)
}

// creditBackTotals are the failed jobs that a night has and those it has decided about, and what its records say and the ledger holds for them.
type creditBackTotals struct{ Failed, Decided, Pending, Records, Recorded, Entries, Posted string }

// minAnomalyNights is how many nights of history the median needs before it says anything.
const minAnomalyNights = 7

// checkCreditBackLimits trips with ErrIntegrity, and so rolls the whole job back, when the night would credit back more than the caps
// allow or far more than nights usually do.
func (n *Night) checkCreditBackLimits(ctx context.Context, tx *postgres.Tx, total creditBackTotals) error {
	count, credits := bigInt(total.Records), bigInt(total.Recorded)
	if limit := n.Settings.CreditBackMaxCount; limit > 0 && count.Cmp(big.NewInt(limit)) > 0 {
		return fmt.Errorf("%w: %s credit-backs in one night, the cap is %d: nothing was posted; raise RECONCILER_CREDIT_BACK_MAX_COUNT if they are right", ErrIntegrity, count, limit)
	}
	if limit := n.Settings.CreditBackMaxCredits; limit > 0 && credits.Cmp(big.NewInt(limit)) > 0 {
		return fmt.Errorf("%w: %s credits to credit back in one night, the cap is %d: nothing was posted; raise RECONCILER_CREDIT_BACK_MAX_CREDITS if they are right", ErrIntegrity, credits, limit)
	}
	if n.Settings.CreditBackAnomalyMultiple == 0 {
		return nil
	}
	var nights []struct {
		BusinessDate reconcile.Date `db:"business_date"`
		Credits      string
	}
	if err := tx.Select(ctx, &nights, "credit_backs/nightly_totals", postgres.Args{"date": n.Date}); err != nil {
		return err
	}
	if len(nights) < minAnomalyNights {
		return nil
	}
	var totals []*big.Int
	for _, night := range nights {
		totals = append(totals, bigInt(night.Credits))
	}
	slices.SortFunc(totals, (*big.Int).Cmp)
	median := totals[len(totals)/2]
	limit := new(big.Int).Mul(median, big.NewInt(n.Settings.CreditBackAnomalyMultiple))
	if median.Sign() > 0 && credits.Cmp(limit) > 0 {
		return fmt.Errorf("%w: %s credits to credit back, more than %d times the median of the last %d nights (%s): nothing was posted; "+
			"look at the failures, then raise RECONCILER_CREDIT_BACK_ANOMALY_MULTIPLE for a run if they are right",
			ErrIntegrity, credits, n.Settings.CreditBackAnomalyMultiple, len(nights), median)
	}
	return nil
}

func bigInt(text string) *big.Int {
	value, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return new(big.Int)
	}
	return value
}
