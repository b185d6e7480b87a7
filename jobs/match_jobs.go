package jobs

import (
	"context"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// matchTotals is one outcome of a matching statement, or its clean part.
type matchTotals struct {
	Outcome string
	Jobs    string
	Cost    string
	Debits  string
	Carried string
}

// matchJobs reconciles the night's finished jobs with their debits: the reading has found what is not plainly clean, the exact rules judge
// that, and the control totals prove that no row was lost between the two.
func matchJobs(ctx context.Context, n *Night, read *reading) (counts Counts, err error) {
	const job = "match-jobs"
	err = n.Store.InTx(ctx, matchingTx, func(inTx context.Context, tx *postgres.Tx) error {
		// The night was read before this snapshot is taken, and what there is will be counted after it: what turns up in between shows in the count.
		if _, err := tx.Exec(inTx, "breaks/clear_findings", n.args(job, nil)); err != nil {
			return err
		}
		judged, err := n.judgeJobs(inTx, tx, job)
		if err != nil {
			return err
		}
		scanned, err := read.count(ctx, n) // in a snapshot of its own
		if err != nil {
			return err
		}
		n.step("match-jobs/scanned")
		n.step("match-jobs/judged")
		counts, err = n.concludeJobs(inTx, tx, job, scanned, read.clean, judged)
		return err
	})
	return counts, err
}

// matchingTx gives the night's big joins room, for their transaction alone.
var matchingTx = postgres.TxOptions{Snapshot: true, WorkMem: "256MB", Settings: postgres.Args{"hash_mem_multiplier": "2"}}

// ReadingTx is for the statements that look at every row of a night. Compiling one takes 0.2 s, which pays from about a million rows on; all other
// statements take less than that. A server that has it switched off is left alone.
var ReadingTx = postgres.TxOptions{Snapshot: true, WorkMem: matchingTx.WorkMem, Settings: with(matchingTx.Settings, postgres.Args{
	"jit_above_cost": "140000", "jit_optimize_above_cost": "140000", "jit_inline_above_cost": "-1",
})}

// judgeJobs applies the exact rules to what is not plainly clean.
func (n *Night) judgeJobs(ctx context.Context, tx *postgres.Tx, job string) (outcomes []matchTotals, err error) {
	if _, err := tx.Exec(ctx, "match_jobs/rescan", n.args(job, nil)); err != nil {
		return nil, err
	}
	except := []string{string(reconcile.JobStuck)}
	if _, err := tx.Exec(ctx, "candidates/carry_over", n.args(job, postgres.Args{"except_kinds": except})); err != nil {
		return nil, err
	}
	outcomes, unclassified, err := n.judgeCandidates(ctx, tx, job)
	if err != nil || !unclassified {
		return outcomes, err
	}
	// A failure code that was never met before is rare: looking for them first would look up every candidate once more, every night.
	if err := n.classifyFailures(ctx, tx, job); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, "breaks/clear_findings", n.args(job, nil)); err != nil {
		return nil, err
	}
	outcomes, _, err = n.judgeCandidates(ctx, tx, job)
	return outcomes, err
}

// judgeCandidates also says whether a failure code has not been held against the policy yet.
func (n *Night) judgeCandidates(ctx context.Context, tx *postgres.Tx, job string) (outcomes []matchTotals, unclassified bool, err error) {
	var rows []struct {
		matchTotals
		Unclassified bool
	}
	if err := tx.Select(ctx, &rows, "match_jobs/judge", n.args(job, postgres.Args{"begin": n.Begin, "as_of": n.AsOf(), "policy": n.policyHash()})); err != nil {
		return nil, false, err
	}
	for _, row := range rows {
		outcomes, unclassified = append(outcomes, row.matchTotals), unclassified || row.Unclassified
	}
	return outcomes, unclassified, nil
}

// concludeJobs proves that no row was lost between reading and judging, and gives the findings to the breaks.
func (n *Night) concludeJobs(ctx context.Context, tx *postgres.Tx, job string, scanned, clean matchTotals, outcomes []matchTotals) (Counts, error) {
	stuckAfter := int64(n.Settings.JobStuckAfter / time.Second)
	stuck, err := tx.Exec(ctx, "match_jobs/stuck", n.args(job, postgres.Args{"as_of": n.AsOf(), "stuck_after_seconds": stuckAfter}))
	if err != nil {
		return nil, err
	}
	jobs, err := n.controlMatchJobs(ctx, tx, job, scanned, clean, outcomes, stuck, stuckAfter)
	if err != nil {
		return nil, err
	}
	counts, err := n.mergeBreaks(ctx, tx, job)
	if err != nil {
		return nil, err
	}
	counts["jobs_matched"], counts["jobs_broken"], counts["jobs_stuck"] = jobs.int64("matched"), jobs.int64("breaks"), stuck
	return counts, nil
}

func (n *Night) controlMatchJobs(ctx context.Context, tx *postgres.Tx, job string, scanned, clean matchTotals, outcomes []matchTotals, stuck, stuckAfter int64) (jobs tally, err error) {
	var carried string
	if err := tx.Get(ctx, &carried, "match_jobs/carried", n.args(job, nil)); err != nil {
		return nil, err
	}
	var unfinished struct{ Unfinished, Young string }
	if err := tx.Get(ctx, &unfinished, "match_jobs/unfinished", postgres.Args{"as_of": n.AsOf(), "stuck_after_seconds": stuckAfter}); err != nil {
		return nil, err
	}
	clean.Outcome, clean.Carried = "matched", "0"
	jobs, cost, debits, again := tally{}, tally{}, tally{}, tally{}
	for _, o := range append(outcomes, clean) {
		for _, sum := range []struct {
			tally  tally
			amount string
		}{{jobs, o.Jobs}, {cost, o.Cost}, {debits, o.Debits}, {again, o.Carried}} {
			if err := sum.tally.add(o.Outcome, sum.amount); err != nil {
				return nil, err
			}
		}
	}
	stuckTotal := tally{}
	if err := stuckTotal.add("breaks", formatInt(stuck)); err != nil {
		return nil, err
	}
	c := newControls(n, job)
	for _, row := range []struct {
		check, unit, scanned string
		by                   tally
	}{
		{"finished jobs", "jobs", scanned.Jobs, jobs},
		{"cost of finished jobs", "credits", scanned.Cost, cost},
		{"debits of the night", "credits", scanned.Debits, debits},
		{"jobs looked at again", "jobs", carried, again},
	} {
		c.add(row.check, row.unit, row.scanned, row.by.text("matched"), row.by.text("awaiting"), row.by.text("breaks"))
	}
	c.add("unfinished jobs", "jobs", unfinished.Unfinished, "0", unfinished.Young, stuckTotal.text("breaks"))
	return jobs, c.record(ctx, tx)
}
