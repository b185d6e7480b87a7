package source

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// ClassifyFailures compares every failure code among the job's candidates against the policy version in force when the job finished.
func ClassifyFailures(ctx context.Context, n *night.Night, tx *postgres.Tx, job string) error {
	var unknown []unknownCode
	if err := tx.Select(ctx, &unknown, "policy/unknown_codes", postgres.Args{"job": job}); err != nil {
		return err
	}
	return addClasses(ctx, n, tx, unknown)
}

// unknownCode is a failure code that no version of the policy has been asked about yet.
type unknownCode struct {
	Version       string
	EffectiveFrom time.Time
	Status        string
	FailureCode   string
}

func addClasses(ctx context.Context, n *night.Night, tx *postgres.Tx, unknown []unknownCode) error {
	for _, u := range unknown {
		version, err := n.Policies.At(u.EffectiveFrom)
		if err != nil {
			return fmt.Errorf("policy version %s: %w", u.Version, err)
		}
		c := version.Failures.Classify(reconcile.JobStatus(u.Status), u.FailureCode)
		_, err = tx.Exec(ctx, "policy/add_class", postgres.Args{
			"version": u.Version, "status": u.Status, "failure_code": u.FailureCode,
			"class": string(c.Class), "rule": c.Rule, "clause": c.Clause, "reason": c.Reason,
		})
		if err != nil {
			return fmt.Errorf("failure code %q: %w", u.FailureCode, err)
		}
	}
	return nil
}

func registerPolicy(ctx context.Context, n *night.Night, tx *postgres.Tx) error {
	if n.Run.PolicyKnown {
		return nil
	}
	for _, v := range n.Policies.Versions() {
		_, err := tx.Exec(ctx, "policy/register_version", postgres.Args{
			"version": v.Version, "effective_from": v.EffectiveFrom,
			"effective_to":          sql.NullTime{Time: v.EffectiveTo, Valid: !v.EffectiveTo.IsZero()},
			"refund_window_seconds": int64(v.RefundWindow / time.Second), "other_fees_withheld": append([]string{}, v.OtherFeesWithheld...),
		})
		if err != nil {
			return fmt.Errorf("policy version %s: %w", v.Version, err)
		}
	}
	return nil
}
