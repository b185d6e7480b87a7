package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// mergeBreaks turns what a job has found tonight into the life of its breaks: new ones open, known ones age, changed values are noted,
// and what isn't found any more clears. All of a job's findings must be in reconciler.findings before; they are gone after.
func (n *Night) mergeBreaks(ctx context.Context, tx *postgres.Tx, job string) (Counts, error) {
	var kinds, severities, subjectTypes []string
	for _, rule := range reconcile.BreakRules {
		kinds, severities, subjectTypes = append(kinds, string(rule.Kind)), append(severities, string(rule.Severity)), append(subjectTypes, rule.SubjectType)
	}
	counts := Counts{}
	args := n.args(job, postgres.Args{"as_of": n.AsOf()})
	for _, step := range []struct {
		statement, count string
		args             postgres.Args
	}{
		{"breaks/keep_account", "breaks_of_other_accounts", n.args(job, nil)},
		{"breaks/close_gone", "breaks_cleared", args},
		{"breaks/reopen_found", "breaks_reopened", args},
		{"breaks/note_changes", "breaks_changed", args},
		{"breaks/open_found", "breaks_opened", n.args(job, postgres.Args{"as_of": n.AsOf(), "kinds": kinds, "severities": severities, "subject_types": subjectTypes})},
	} {
		changed, err := tx.Exec(ctx, step.statement, step.args)
		if err != nil {
			return nil, fmt.Errorf("merge breaks of %s: %w", job, err)
		}
		counts[step.count] = changed
	}
	found, err := tx.Exec(ctx, "breaks/clear_findings", n.args(job, nil))
	if err != nil {
		return nil, fmt.Errorf("merge breaks of %s: %w", job, err)
	}
	counts["breaks_found"] = found
	return counts, n.auditBreaks(ctx, tx, job)
}

// clearStaging empties what an interrupted run of the job may have left.
func (n *Night) clearStaging(ctx context.Context, tx *postgres.Tx, job string) error {
	for _, statement := range []string{"breaks/clear_findings", "candidates/clear"} {
		if _, err := tx.Exec(ctx, statement, n.args(job, nil)); err != nil {
			return err
		}
	}
	return nil
}

// classifyFailures holds every failure code among the job's candidates against the policy version in force when the job finished.
func (n *Night) classifyFailures(ctx context.Context, tx *postgres.Tx, job string) error {
	var unknown []unknownCode
	if err := tx.Select(ctx, &unknown, "policy/unknown_codes", n.args(job, postgres.Args{"policy": n.Policy, "as_of": n.AsOf()})); err != nil {
		return err
	}
	return n.addClasses(ctx, tx, unknown)
}

// unknownCode is a failure code that has not been held against a version of the policy yet.
type unknownCode struct {
	Version       string
	EffectiveFrom time.Time `db:"effective_from"`
	Status        string
	FailureCode   string `db:"failure_code"`
}

func (n *Night) addClasses(ctx context.Context, tx *postgres.Tx, unknown []unknownCode) error {
	for _, u := range unknown {
		version, err := n.Policies.At(u.EffectiveFrom)
		if err != nil {
			return fmt.Errorf("policy version %s: %w", u.Version, err)
		}
		c := version.Failures.Classify(reconcile.JobStatus(u.Status), u.FailureCode)
		_, err = tx.Exec(ctx, "policy/add_class", postgres.Args{
			"policy": n.Policy, "version": u.Version, "status": u.Status, "failure_code": u.FailureCode,
			"class": string(c.Class), "rule": c.Rule, "clause": c.Clause, "reason": c.Reason,
		})
		if err != nil {
			return fmt.Errorf("failure code %q: %w", u.FailureCode, err)
		}
	}
	return nil
}
