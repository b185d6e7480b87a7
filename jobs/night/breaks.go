package night

import (
	"context"
	"fmt"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// MergeBreaks turns what a job has found tonight into the life of its breaks: new ones open, known ones age, changed values are noted,
// and what isn't found any more clears. All of a job's findings must be in reconciler.findings before; they are gone after.
func (n *Night) MergeBreaks(ctx context.Context, tx *postgres.Tx, job string) (Counts, error) {
	var kinds, severities, subjectTypes []string
	var byOurs, byTheirs, byVariance []bool
	for _, rule := range reconcile.BreakRules {
		kinds, severities, subjectTypes = append(kinds, string(rule.Kind)), append(severities, string(rule.Severity)), append(subjectTypes, rule.SubjectType)
		values := rule.Kind.FaultValues()
		byOurs, byTheirs, byVariance = append(byOurs, values.Ours), append(byTheirs, values.Theirs), append(byVariance, values.Variance)
	}
	args := postgres.Args{"job": job, "kinds": kinds, "severities": severities, "subject_types": subjectTypes,
		"by_ours": byOurs, "by_theirs": byTheirs, "by_variance": byVariance}
	var kept int64
	merged, err := mergeFound(ctx, tx, args, false)
	if err == nil && merged.Moved {
		if kept, err = tx.Exec(ctx, "breaks/keep_account", args); err == nil {
			merged, err = mergeFound(ctx, tx, args, true)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("merge breaks of %s: %w", job, err)
	}
	counts := Counts{
		"breaks_found": merged.Found, "breaks_opened": merged.Opened, "breaks_reopened": merged.Reopened, "breaks_changed": merged.Changed,
		"breaks_cleared": merged.Cleared, "breaks_of_other_accounts": kept,
	}
	if merged.Opened+merged.Reopened+merged.Changed+merged.Cleared == 0 {
		return counts, nil // nothing has happened to any break
	}
	return counts, n.auditBreaks(ctx, tx, job)
}

// mergedBreaks is what a merge did.
type mergedBreaks struct {
	Moved                                     bool // a finding is of a break that stands on another account, and nothing was done
	Found, Opened, Reopened, Changed, Cleared int64
}

func mergeFound(ctx context.Context, tx *postgres.Tx, args postgres.Args, accountsKept bool) (merged mergedBreaks, err error) {
	return merged, tx.Get(ctx, &merged, "breaks/merge", args.And(postgres.Args{"accounts_kept": accountsKept}))
}
