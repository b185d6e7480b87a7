package decide

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/source"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// CreditBacks decides about every failed job of the night and posts what is due to the ledger, in one transaction with its record.
// Exactly once: the record's unique key and the entry's idempotency key both come from the job and from what it had been credited before.
func CreditBacks(ctx context.Context, n *night.Night, read *source.Reading) (counts night.Counts, err error) {
	const job = "credit-backs"
	// Nothing is posted for a night of which rows may be missing: match-jobs has counted them, or failed before.
	if _, err := read.Count(ctx, n); err != nil {
		return nil, err
	}
	find := func(ctx context.Context, tx *postgres.Tx) error { return findFailedJobs(ctx, n, tx, job) }
	post := func(ctx context.Context, tx *postgres.Tx) error {
		if counts, err = postCreditBacks(ctx, n, tx, job); err != nil {
			return err
		}
		return n.AuditCreditBacks(ctx, tx)
	}
	err = n.InTxs(ctx, night.TxPart{Options: night.MatchingTx, Do: find}, night.TxPart{Options: night.PostingTx, Do: post})
	return counts, err
}

// findFailedJobs puts the jobs to decide about that are not the night's own among the candidates.
func findFailedJobs(ctx context.Context, n *night.Night, tx *postgres.Tx, job string) error {
	for _, others := range []string{"credit_backs/older_jobs", "credit_backs/credited_by_others"} {
		if _, err := tx.Exec(ctx, others, postgres.Args{"job": job}); err != nil {
			return err
		}
	}
	return source.ClassifyFailures(ctx, n, tx, job) // those of the night's own jobs were when it was read
}

func postCreditBacks(ctx context.Context, n *night.Night, tx *postgres.Tx, job string) (night.Counts, error) {
	if err := n.Forget(ctx, tx, "credit_backs/forget_undecided"); err != nil {
		return nil, err
	}
	booking := n.Booking()
	if err := recordCreditBacks(ctx, tx, job, booking.At); err != nil {
		return nil, err
	}
	n.Step("credit-backs/recorded")
	posted, err := tx.Exec(ctx, "credit_backs/post", nil)
	if err != nil {
		return nil, err
	}
	n.Step("credit-backs/posted")
	if n.IsOlder() {
		if _, err := tx.Exec(ctx, "credit_backs/note_late", postgres.Args{"booked_on": booking.On}); err != nil {
			return nil, err
		}
	}
	total, err := controlCreditBacks(ctx, n, tx, job)
	if err != nil {
		return nil, err
	}
	return night.Counts{"credit_backs_posted": posted}, checkCreditBackLimits(ctx, n, tx, total)
}

// recordCreditBacks decides about the night's failed jobs and the candidates where they are: the core's cases go to the database, and no job
// comes from there.
func recordCreditBacks(ctx context.Context, tx *postgres.Tx, job string, bookedAt time.Time) error {
	cases, err := json.Marshal(reconcile.CreditBackCases())
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "credit_backs/record", postgres.Args{"job": job, "booked_at": bookedAt, "cases": string(cases)})
	return err
}

func controlCreditBacks(ctx context.Context, n *night.Night, tx *postgres.Tx, job string) (total creditBackTotals, err error) {
	if err := tx.Get(ctx, &total, "credit_backs/totals", nil); err != nil {
		return total, err
	}
	c := night.NewControls(n, job)
	c.Add("failed jobs decided", "jobs", total.Failed, total.Decided, total.Pending, "0")
	c.Add("credit-backs in the ledger", "entries", string(total.Records), total.Entries, "0", "0")
	c.Add("credit-backs in the ledger", "credits", string(total.Recorded), total.Posted, "0", "0")
	return total, c.Record(ctx, tx)
}

// creditBackTotals are the failed jobs that a night has and those it has decided about, and what its records say and the ledger holds for them.
type creditBackTotals struct {
	Failed, Decided, Pending, Entries, Posted string
	Records, Recorded                         numbers.Number
}

// checkCreditBackLimits trips with ErrIntegrity, and so rolls the whole job back, when the night would credit back more than the caps
// allow or far more than nights usually do.
func checkCreditBackLimits(ctx context.Context, n *night.Night, tx *postgres.Tx, total creditBackTotals) error {
	count, credits := total.Records.Big(), total.Recorded.Big()
	if limit := n.Settings.CreditBackMaxCount; limit > 0 && count.Cmp(big.NewInt(limit)) > 0 {
		return fmt.Errorf("%w: %s credit-backs in one night, the cap is %d: nothing was posted; raise RECONCILER_CREDIT_BACK_MAX_COUNT if they are right", night.ErrIntegrity, count, limit)
	}
	if limit := n.Settings.CreditBackMaxCredits; limit > 0 && credits.Cmp(big.NewInt(limit)) > 0 {
		return fmt.Errorf("%w: %s credits to credit back in one night, the cap is %d: nothing was posted; raise RECONCILER_CREDIT_BACK_MAX_CREDITS if they are right", night.ErrIntegrity, credits, limit)
	}
	if n.Settings.CreditBackAnomalyMultiple == 0 {
		return nil
	}
	var nights []numbers.Number
	if err := tx.Select(ctx, &nights, "credit_backs/nightly_totals", nil); err != nil {
		return err
	}
	var totals []*big.Int
	for _, earlier := range nights {
		totals = append(totals, earlier.Big())
	}
	if median, anomalous := reconcile.Anomalous(credits, totals, n.Settings.CreditBackAnomalyMultiple); anomalous {
		return fmt.Errorf("%w: %s credits to credit back, more than %d times the median of the last %d nights (%s): nothing was posted; "+
			"look at the failures, then raise RECONCILER_CREDIT_BACK_ANOMALY_MULTIPLE for a run if they are right",
			night.ErrIntegrity, credits, n.Settings.CreditBackAnomalyMultiple, len(nights), median)
	}
	return nil
}
