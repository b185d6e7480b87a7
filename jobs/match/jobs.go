package match

import (
	"context"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/source"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// Jobs reconciles the night's finished jobs with their debits: the reading has found what is not plainly clean, the exact rules judge
// that, and the control totals prove that no row was lost between the two.
func Jobs(ctx context.Context, n *night.Night, read *source.Reading) (counts night.Counts, err error) {
	const job = "match-jobs"
	err = n.Store.InTx(ctx, night.MatchingTx, func(inTx context.Context, tx *postgres.Tx) error {
		// The night was read before this snapshot is taken, and what there is will be counted after it: what arrives in between shows in the count.
		judged, err := judgeJobs(inTx, n, tx, job, read.Rescans)
		if err != nil {
			return err
		}
		scanned, err := read.Count(ctx, n) // in a snapshot of its own
		if err != nil {
			return err
		}
		n.Step("match-jobs/scanned")
		n.Step("match-jobs/judged")
		counts, err = concludeJobs(inTx, n, tx, job, scanned, read.Clean, judged)
		return err
	})
	return counts, err
}

// judgeJobs applies the exact rules to what is not plainly clean.
func judgeJobs(ctx context.Context, n *night.Night, tx *postgres.Tx, job string, rescans bool) (outcomes []source.Totals, err error) {
	if rescans {
		if _, err := tx.Exec(ctx, "match_jobs/rescan", postgres.Args{"job": job}); err != nil {
			return nil, err
		}
	}
	except := []string{string(reconcile.JobStuck)}
	if _, err := tx.Exec(ctx, "candidates/carry_over", postgres.Args{"job": job, "except_kinds": except}); err != nil {
		return nil, err
	}
	outcomes, unclassified, err := judgeCandidates(ctx, tx, job)
	if err != nil || !unclassified {
		return outcomes, err
	}
	// A failure code that was never met before is rare: looking for them first would look up every candidate once more, every night.
	if err := source.ClassifyFailures(ctx, n, tx, job); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, "breaks/clear_findings", postgres.Args{"job": job}); err != nil {
		return nil, err
	}
	outcomes, _, err = judgeCandidates(ctx, tx, job)
	return outcomes, err
}

// judgeCandidates also says whether there is a failure code that the policy has not been asked about yet.
func judgeCandidates(ctx context.Context, tx *postgres.Tx, job string) (outcomes []source.Totals, unclassified bool, err error) {
	var rows []struct {
		source.Totals
		Unclassified bool
	}
	if err := tx.Select(ctx, &rows, "match_jobs/judge", postgres.Args{"job": job}); err != nil {
		return nil, false, err
	}
	for _, row := range rows {
		outcomes, unclassified = append(outcomes, row.Totals), unclassified || row.Unclassified
	}
	return outcomes, unclassified, nil
}

// concludeJobs proves that no row was lost between reading and judging, and gives the findings to the breaks.
func concludeJobs(ctx context.Context, n *night.Night, tx *postgres.Tx, job string, scanned, clean source.Totals, outcomes []source.Totals) (night.Counts, error) {
	var unfinished unfinishedJobs
	stuckAfter := int64(n.Settings.JobStuckAfter / time.Second)
	if err := tx.Get(ctx, &unfinished, "match_jobs/unfinished", postgres.Args{"job": job, "stuck_after_seconds": stuckAfter}); err != nil {
		return nil, err
	}
	jobs, err := controlMatchJobs(ctx, n, tx, job, scanned, clean, outcomes, unfinished)
	if err != nil {
		return nil, err
	}
	counts, err := n.MergeBreaks(ctx, tx, job)
	if err != nil {
		return nil, err
	}
	counts["jobs_matched"], counts["jobs_broken"], counts["jobs_stuck"] = jobs.Int64("matched"), jobs.Int64("breaks"), unfinished.Stuck
	return counts, nil
}

// unfinishedJobs are how many jobs have not finished, and how many of other nights are looked at again.
type unfinishedJobs struct {
	Unfinished, Young, Again string
	Stuck                    int64
}

func controlMatchJobs(ctx context.Context, n *night.Night, tx *postgres.Tx, job string, scanned, clean source.Totals, outcomes []source.Totals, unfinished unfinishedJobs) (jobs night.Tally, err error) {
	clean.Outcome, clean.Carried = "matched", "0"
	jobs, cost, debits, again := night.Tally{}, night.Tally{}, night.Tally{}, night.Tally{}
	for _, o := range append(outcomes, clean) {
		for _, sum := range []struct {
			tally  night.Tally
			amount numbers.Number
		}{{jobs, o.Jobs}, {cost, o.Cost}, {debits, o.Debits}, {again, o.Carried}} {
			if err := sum.tally.Add(o.Outcome, sum.amount); err != nil {
				return nil, err
			}
		}
	}
	stuckTotal := night.Tally{}
	if err := stuckTotal.Add("breaks", numbers.Int(unfinished.Stuck)); err != nil {
		return nil, err
	}
	c := night.NewControls(n, job)
	for _, row := range []struct {
		check, unit, scanned string
		by                   night.Tally
	}{
		{"finished jobs", "jobs", string(scanned.Jobs), jobs},
		{"cost of finished jobs", "credits", string(scanned.Cost), cost},
		{"debits of the night", "credits", string(scanned.Debits), debits},
		{"jobs looked at again", "jobs", unfinished.Again, again},
	} {
		c.Add(row.check, row.unit, row.scanned, row.by.Text("matched"), row.by.Text("awaiting"), row.by.Text("breaks"))
	}
	c.Add("unfinished jobs", "jobs", unfinished.Unfinished, "0", unfinished.Young, stuckTotal.Text("breaks"))
	return jobs, c.Record(ctx, tx)
}
