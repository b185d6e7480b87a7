package match

import (
	"context"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/source"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// Purchases reconciles the night's completed purchases with their grants in the ledger, finds accounts below zero and shows late
// items; then purchases with Stripe.
func (s *Stripe) Purchases(ctx context.Context, n *night.Night) (counts night.Counts, err error) {
	const job = "match-purchases"
	err = n.Store.InTx(ctx, night.MatchingTx, func(ctx context.Context, tx *postgres.Tx) error {
		counts, err = matchGrants(ctx, n, tx, job)
		return err
	})
	if err != nil {
		return nil, err
	}
	stripeCounts, err := s.matchCharges(ctx, n)
	for name, count := range stripeCounts {
		counts["stripe_"+name] = count
	}
	return counts, err
}

func matchGrants(ctx context.Context, n *night.Night, tx *postgres.Tx, job string) (night.Counts, error) {
	if _, err := tx.Exec(ctx, "match_purchases/candidates", postgres.Args{"job": job}); err != nil {
		return nil, err
	}
	except := []string{string(reconcile.NegativeBalance), string(reconcile.LateItem)}
	if _, err := tx.Exec(ctx, "candidates/carry_over", postgres.Args{"job": job, "except_kinds": except}); err != nil {
		return nil, err
	}
	var outcomes []source.Totals
	if err := tx.Select(ctx, &outcomes, "match_purchases/judge", postgres.Args{"job": job}); err != nil {
		return nil, err
	}
	var balances struct{ Matched, Breaks string }
	if err := tx.Get(ctx, &balances, "match_purchases/negative_balances", postgres.Args{"job": job}); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, "match_purchases/late_items", postgres.Args{"job": job}); err != nil {
		return nil, err
	}
	if err := controlMatchPurchases(ctx, n, tx, job, outcomes, balances.Matched, balances.Breaks); err != nil {
		return nil, err
	}
	return n.MergeBreaks(ctx, tx, job)
}

func controlMatchPurchases(ctx context.Context, n *night.Night, tx *postgres.Tx, job string, outcomes []source.Totals, balancesOK, balancesNegative string) error {
	var scanned struct{ Purchases, Credits, Granted, Again, Accounts string }
	if err := tx.Get(ctx, &scanned, "match_purchases/scanned", postgres.Args{"job": job}); err != nil {
		return err
	}
	purchases, credits, grants, again := night.Tally{}, night.Tally{}, night.Tally{}, night.Tally{}
	for _, o := range outcomes {
		for _, sum := range []struct {
			tally  night.Tally
			amount numbers.Number
		}{{purchases, o.Jobs}, {credits, o.Cost}, {grants, o.Debits}, {again, o.Carried}} {
			if err := sum.tally.Add(o.Outcome, sum.amount); err != nil {
				return err
			}
		}
	}
	c := night.NewControls(n, job)
	for _, row := range []struct {
		check, unit, scanned string
		by                   night.Tally
	}{
		{"completed purchases", "purchases", scanned.Purchases, purchases},
		{"credits purchased", "credits", scanned.Credits, credits},
		{"grants of the night", "credits", scanned.Granted, grants},
		{"purchases looked at again", "purchases", scanned.Again, again},
	} {
		c.Add(row.check, row.unit, row.scanned, row.by.Text("matched"), row.by.Text("awaiting"), row.by.Text("breaks"))
	}
	c.Add("balances of accounts that moved", "accounts", scanned.Accounts, balancesOK, "0", balancesNegative)
	return c.Record(ctx, tx)
}
