package jobs

import (
	"context"
	"crypto/md5"
	"encoding/hex"
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
	err = n.Store.InTx(ctx, postingTx, func(ctx context.Context, tx *postgres.Tx) error {
		if counts, err = n.postCreditBacks(ctx, tx, job); err != nil {
			return err
		}
		return n.auditCreditBacks(ctx, tx)
	})
	return counts, err
}

// FactsTx is for what looks up one job after the other. Its statements are planned while tables are empty that may be full before they end: a
// plan that reads such a table from end to end, because it is short yet, would do so for every job.
var FactsTx = postgres.TxOptions{ReadOnly: true, WorkMem: matchingTx.WorkMem, Settings: with(matchingTx.Settings, postgres.Args{"enable_seqscan": "off"})}

// postingTx reads and posts in one snapshot: what is decided is what is counted.
var postingTx = postgres.TxOptions{Snapshot: true, WorkMem: FactsTx.WorkMem, Settings: FactsTx.Settings}

type creditBackFacts struct {
	AccountID      string     `db:"account_id"`
	JobID          string     `db:"job_id"`
	Kind           string     `db:"kind"`
	Status         string     `db:"status"`
	FailureCode    string     `db:"failure_code"`
	FinishedAt     *time.Time `db:"finished_at"`
	InScan         bool       `db:"in_scan"`
	Version        string     `db:"version"`
	Class          string     `db:"class"`
	Rule           string     `db:"rule"`
	Reason         string     `db:"reason"`
	Debited        int64      `db:"debited"`
	CreditedBefore int64      `db:"credited_before"`
	CreditedEver   int64      `db:"credited_ever"`
	DebitedAside   int64      `db:"debited_elsewhere"`
	ByOthers       string     `db:"credited_by_others"` // in this night, in credits
}

// creditBackRow is a row of reconciler.credit_backs, but for the night.
type creditBackRow struct {
	AccountID, JobID, Kind, Status, FailureCode, Class, Rule, PolicyVersion string
	FinishedAt                                                              any // a time, or "infinity" while the job has not finished
	Debited, CreditedBefore, CreditedEver, CreditBack                       int64
	Decision, Clause, Reason                                                string
}

// columns are the row as credit_backs/record lists it.
func (r creditBackRow) columns(date reconcile.Date, bookedAt time.Time) []any {
	var entryID string
	var booked any // null
	if r.CreditBack > 0 {
		entryID, booked = creditBackEntryID(r.JobID, r.CreditedEver), bookedAt
	}
	return []any{
		r.AccountID, r.JobID, date.String(), r.Kind, r.Status, r.FailureCode, r.Class, r.Rule, r.PolicyVersion, r.FinishedAt,
		r.Debited, r.CreditedBefore, r.CreditedEver, r.CreditBack, r.Decision, r.Clause, r.Reason, entryID, booked,
	}
}

// creditBackEntryID names the ledger's entry after the job and what it had been credited before, so that the same credit-back has the same
// name whoever tries it, and whenever.
func creditBackEntryID(jobID string, creditedEver int64) string {
	digest := md5.Sum([]byte(jobID + "|" + formatInt(creditedEver))) // a name, not a secret
	return "cb_" + hex.EncodeToString(digest[:])[:24]
}

// batchRows is how many rows travel in one statement.
const batchRows = 2000

// findFailedJobs puts the jobs to decide about that are not the night's own among the candidates.
func (n *Night) findFailedJobs(ctx context.Context, tx *postgres.Tx, job string) error {
	if err := n.clearStaging(ctx, tx, job); err != nil {
		return err
	}
	for _, older := range []string{"credit_backs/older_jobs", "credit_backs/credited_by_others"} {
		if _, err := tx.Exec(ctx, older, n.span(n.args(job, nil))); err != nil {
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
	failed, err := n.recordCreditBacks(ctx, tx, job, booking.at)
	if err != nil {
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
	total, err := n.controlCreditBacks(ctx, tx, job, failed)
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

// recordCreditBacks decides about the failed jobs, page by page, and returns how many of them are the night's own.
func (n *Night) recordCreditBacks(ctx context.Context, tx *postgres.Tx, job string, bookedAt time.Time) (string, error) {
	return n.readFailedJobs(ctx, tx, job, func(page []creditBackFacts) error {
		return tx.Copy(ctx, "credit_backs/record", func(yield func([]any) bool) {
			for _, facts := range page {
				if row, keep := decideCreditBack(facts); keep && !yield(row.columns(n.Date, bookedAt)) {
					return
				}
			}
		})
	})
}

// readFailedJobs counts the night's failed jobs, and reads what is known of these and of the candidates.
func (n *Night) readFailedJobs(ctx context.Context, tx *postgres.Tx, job string, fn func(page []creditBackFacts) error) (failed string, err error) {
	if err := tx.Get(ctx, &failed, "credit_backs/failed", n.span(nil)); err != nil {
		return "", err
	}
	args := n.args(job, postgres.Args{"policy": n.policyHash(), "begin": n.Begin, "as_of": n.AsOf()})
	return failed, postgres.InPages(ctx, tx, "credit_backs/facts", args, batchRows, fn)
}

// decideCreditBack applies clause 3 to one job. A job of an earlier night is only worth a row when something is credited, by us or by others.
func decideCreditBack(f creditBackFacts) (row creditBackRow, keep bool) {
	class := reconcile.Classification{Class: reconcile.FailureClass(f.Class), Rule: f.Rule, Reason: f.Reason}
	status := reconcile.JobStatus(f.Status)
	switch {
	case !status.Finished():
		class.Rule, class.Reason = reconcile.RuleNotFailed, "the job has not finished"
	case !status.Unsuccessful():
		class.Rule, class.Reason = reconcile.RuleNotFailed, "the job did not fail"
	}
	decision := reconcile.DecideCreditBack(class, f.Debited, f.CreditedEver, f.DebitedAside)
	if f.ByOthers != "0" {
		decision.Reason = fmt.Sprintf("%s; credited back that night by others than this worker: %s credits", decision.Reason, f.ByOthers)
	}
	row = creditBackRow{
		AccountID: f.AccountID, JobID: f.JobID, Kind: f.Kind, Status: f.Status, FailureCode: f.FailureCode,
		Class: f.Class, Rule: f.Rule, PolicyVersion: f.Version, FinishedAt: "infinity",
		Debited: f.Debited, CreditedBefore: f.CreditedBefore, CreditedEver: f.CreditedEver,
		CreditBack: decision.Credits, Decision: string(decision.Outcome), Clause: decision.Clause, Reason: decision.Reason,
	}
	if f.FinishedAt != nil {
		row.FinishedAt = *f.FinishedAt
	}
	if decision.Credits == 0 {
		row.CreditedEver = f.CreditedBefore // what later nights credit must not show in a rerun of this one
	}
	return row, f.InScan || decision.Credits > 0
}

func (n *Night) controlCreditBacks(ctx context.Context, tx *postgres.Tx, job, failed string) (total creditBackTotal, err error) {
	var recorded struct{ Decided, Pending string }
	if err := tx.Get(ctx, &recorded, "credit_backs/counts", n.span(postgres.Args{"date": n.Date})); err != nil {
		return total, err
	}
	if err := tx.Get(ctx, &total, "credit_backs/posted", postgres.Args{"date": n.Date}); err != nil {
		return total, err
	}
	c := newControls(n, job)
	c.add("failed jobs decided", "jobs", failed, recorded.Decided, recorded.Pending, "0")
	c.add("credit-backs in the ledger", "entries", total.Records, total.Entries, "0", "0")
	c.add("credit-backs in the ledger", "credits", total.Recorded, total.Posted, "0", "0")
	return total, c.record(ctx, tx)
}

// creditBackTotal is what the records of a night say and what the ledger holds for them.
type creditBackTotal struct{ Records, Recorded, Entries, Posted string }

// minAnomalyNights is how many nights of history the median needs before it says anything.
const minAnomalyNights = 7

// checkCreditBackLimits trips with ErrIntegrity, and so rolls the whole job back, when the night would credit back more than the caps
// allow or far more than nights usually do.
func (n *Night) checkCreditBackLimits(ctx context.Context, tx *postgres.Tx, total creditBackTotal) error {
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
