package jobs

import (
	"context"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// matchPurchases reconciles the night's completed purchases with their grants in the ledger, finds accounts below zero and shows late
// items; then purchases with Stripe.
func matchPurchases(ctx context.Context, n *Night) (counts Counts, err error) {
	const job = "match-purchases"
	err = n.Store.InTx(ctx, matchingTx, func(ctx context.Context, tx *postgres.Tx) error {
		counts, err = n.matchGrants(ctx, tx, job)
		return err
	})
	if err != nil {
		return nil, err
	}
	stripeCounts, err := n.matchCharges(ctx)
	for name, count := range stripeCounts {
		counts["stripe_"+name] = count
	}
	return counts, err
}

func (n *Night) matchGrants(ctx context.Context, tx *postgres.Tx, job string) (Counts, error) {
	if err := n.clearStaging(ctx, tx, job); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, "match_purchases/candidates", n.span(n.args(job, nil))); err != nil {
		return nil, err
	}
	except := []string{string(reconcile.NegativeBalance), string(reconcile.LateItem)}
	if _, err := tx.Exec(ctx, "candidates/carry_over", n.args(job, postgres.Args{"except_kinds": except})); err != nil {
		return nil, err
	}
	var outcomes []matchTotals
	if err := tx.Select(ctx, &outcomes, "match_purchases/judge", n.args(job, postgres.Args{"as_of": n.AsOf()})); err != nil {
		return nil, err
	}
	var balances struct{ Accounts, Matched, Breaks string }
	if err := tx.Get(ctx, &balances, "match_purchases/negative_balances", n.args(job, postgres.Args{"begin": n.Begin})); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, "match_purchases/late_items", n.args(job, nil)); err != nil {
		return nil, err
	}
	if err := n.controlMatchPurchases(ctx, tx, job, outcomes, balances.Matched, balances.Breaks); err != nil {
		return nil, err
	}
	counts, err := n.mergeBreaks(ctx, tx, job)
	if err != nil {
		return nil, err
	}
	_, err = tx.Exec(ctx, "candidates/clear", n.args(job, nil))
	return counts, err
}

func (n *Night) controlMatchPurchases(ctx context.Context, tx *postgres.Tx, job string, outcomes []matchTotals, balancesOK, balancesNegative string) error {
	var scanned struct{ Purchases, Credits, Granted string }
	if err := tx.Get(ctx, &scanned, "match_purchases/scanned", n.span(nil)); err != nil {
		return err
	}
	var carried, accounts string
	if err := tx.Get(ctx, &carried, "match_jobs/carried", n.args(job, nil)); err != nil {
		return err
	}
	if err := tx.Get(ctx, &accounts, "match_purchases/accounts_seen", n.span(n.args(job, nil))); err != nil {
		return err
	}
	purchases, credits, grants, again := tally{}, tally{}, tally{}, tally{}
	for _, o := range outcomes {
		for _, sum := range []struct {
			tally  tally
			amount string
		}{{purchases, o.Jobs}, {credits, o.Cost}, {grants, o.Debits}, {again, o.Carried}} {
			if err := sum.tally.add(o.Outcome, sum.amount); err != nil {
				return err
			}
		}
	}
	c := newControls(n, job)
	for _, row := range []struct {
		check, unit, scanned string
		by                   tally
	}{
		{"completed purchases", "purchases", scanned.Purchases, purchases},
		{"credits purchased", "credits", scanned.Credits, credits},
		{"grants of the night", "credits", scanned.Granted, grants},
		{"purchases looked at again", "purchases", carried, again},
	} {
		c.add(row.check, row.unit, row.scanned, row.by.text("matched"), row.by.text("awaiting"), row.by.text("breaks"))
	}
	c.add("balances of accounts that moved", "accounts", accounts, balancesOK, "0", balancesNegative)
	return c.record(ctx, tx)
}
