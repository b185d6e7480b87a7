package jobs

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
)

// StripeSource brings the worker's own Stripe tables up to date; *stripefeed.Client is one.
type StripeSource interface {
	Sync(ctx context.Context, o stripefeed.SyncOptions) (stripefeed.Result, error)
}

// syncStripe brings the worker's own tables of Stripe's objects up to date, then reconciles Stripe's books in themselves. Without a key,
// and when the sync fails, the night is noted as one that Stripe was not looked at for.
func syncStripe(ctx context.Context, n *Night, stripe StripeSource) (Counts, error) {
	if n.Run.Rehearsal { // what is known of Stripe is what there is to work with
		return n.reconcileBooks(ctx)
	}
	if stripe == nil {
		if err := stripefeed.RecordNoKey(ctx, n.Store, n.Date, n.AsOf()); err != nil {
			return nil, err
		}
		return n.reconcileBooks(ctx)
	}
	// A residual may be what an earlier sync has missed: read it again, further back than usual.
	var residuals bool
	if err := n.Store.Get(ctx, &residuals, "stripe_match/residuals_open", postgres.Args{"date": n.Date, "job": booksJob}); err != nil {
		return nil, err
	}
	result, err := stripe.Sync(ctx, stripefeed.SyncOptions{Store: n.Store, Date: n.Date, AsOf: n.AsOf(), Again: residuals})
	counts := Counts{}
	for stream, rows := range result.Rows {
		counts["rows_"+stream] = rows
	}
	if err != nil {
		_, clearErr := n.reconcileBooks(ctx)
		if clearErr != nil {
			err = fmt.Errorf("%w; %w", err, clearErr)
		}
		return counts, err
	}
	n.step("sync-stripe/synced")
	books, err := n.reconcileBooks(ctx)
	for name, count := range books {
		counts[name] = count
	}
	return counts, err
}

// stripeJob is one reconciliation against Stripe: what it looks at, how it judges, and what it has to account for.
type stripeJob struct {
	name   string   // of its findings, breaks and control totals
	clear  []string // statements that take out the results of an earlier run of the night
	scopes []stripeScope
	// judge are the statements that put a row into stripe_checks for every object; more does what SQL doesn't.
	judge []string
	more  func(ctx context.Context, tx *postgres.Tx) error
	// scanned counts the objects once more, apart from the matching; outcomes, besides those in stripe_checks, is what was counted in bulk.
	scanned, outcomes string
	// record are statements that keep what the checks came to.
	record []string
	// args are parameters of its own.
	args postgres.Args
}

// stripeScope is a set of objects under examination: those of the night, and those of breaks that are still open.
type stripeScope struct {
	name        string // of its candidates, and of its control total
	statement   string
	subjectType string // of the breaks that are looked at again
	judge       string // statement that judges it
	// gone is the control total for what is looked at again and isn't there any more: its breaks clear. "": nothing of it can go.
	gone string
}

// reconcile runs a stripeJob in one transaction. For a night that Stripe was not looked at for, it takes out what an earlier run of the
// night had found and leaves the breaks as they are: nothing is clean, and nothing is cleared.
func (j stripeJob) reconcile(ctx context.Context, n *Night) (counts Counts, err error) {
	err = n.Store.InTx(ctx, matchingTx, func(ctx context.Context, tx *postgres.Tx) error {
		counts, err = j.run(ctx, n, tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", j.name, err)
	}
	return counts, nil
}

func (j stripeJob) run(ctx context.Context, n *Night, tx *postgres.Tx) (Counts, error) {
	s := stripeStatements{night: n, tx: tx, args: with(n.stripeArgs(j.name), j.args)}
	var scopes []string
	for _, scope := range j.scopes {
		scopes = append(scopes, scope.name)
	}
	s.args["scopes"] = scopes
	clear := append([]string{"stripe_match/clear_staging"}, j.clear...)
	if err := s.exec(ctx, clear...); err != nil {
		return nil, err
	}
	look, err := stripefeed.LookedAt(ctx, tx, n.Date)
	if err != nil {
		return nil, err
	}
	if !look.Complete() {
		_, err := tx.Exec(ctx, "controls/clear", n.args(j.name, nil))
		return Counts{"skipped": 1}, err
	}
	for _, scope := range j.scopes {
		s.args["scope"], s.args["subject_type"] = scope.name, scope.subjectType
		steps := []string{scope.statement}
		if scope.subjectType != "" {
			steps = append(steps, "stripe_match/carry_over")
		}
		if err := s.exec(ctx, steps...); err != nil {
			return nil, err
		}
	}
	for _, scope := range j.scopes {
		s.args["scope"], s.args["gone"] = scope.name, scope.gone
		steps := []string{scope.judge}
		if scope.gone != "" {
			steps = append(steps, "stripe_match/judge_gone")
		}
		if err := s.exec(ctx, steps...); err != nil {
			return nil, err
		}
	}
	if err := s.exec(ctx, j.judge...); err != nil {
		return nil, err
	}
	if j.more != nil {
		if err := j.more(ctx, tx); err != nil {
			return nil, err
		}
	}
	n.step(j.name + "/judged")
	if err := j.control(ctx, s); err != nil {
		return nil, err
	}
	if len(j.scopes) > 0 {
		s.args["scope"] = j.scopes[0].name
	}
	if err := s.exec(ctx, append(slices.Clone(j.record), "stripe_match/findings")...); err != nil {
		return nil, err
	}
	counts, err := n.mergeBreaks(ctx, tx, j.name)
	if err != nil {
		return nil, err
	}
	return counts, s.exec(ctx, "stripe_match/drop_matched", "stripe_match/clear_candidates")
}

// control holds what the checks came to against what was counted apart from them.
func (j stripeJob) control(ctx context.Context, s stripeStatements) error {
	type sum struct {
		CheckName string `db:"check_name"`
		Unit      string
		Outcome   string
		Amount    string
	}
	var outcomes, bulk, scanned []sum
	if err := s.tx.Select(ctx, &outcomes, "stripe_match/outcomes", s.pick("stripe_match/outcomes")); err != nil {
		return err
	}
	if j.outcomes != "" {
		if err := s.tx.Select(ctx, &bulk, j.outcomes, s.pick(j.outcomes)); err != nil {
			return err
		}
	}
	if err := s.tx.Select(ctx, &scanned, j.scanned, s.pick(j.scanned)); err != nil {
		return err
	}
	type key struct{ check, unit string }
	tallies, counted := map[key]tally{}, map[key]string{}
	for _, o := range append(outcomes, bulk...) {
		k := key{o.CheckName, o.Unit}
		if tallies[k] == nil {
			tallies[k] = tally{}
		}
		if err := tallies[k].add(o.Outcome, o.Amount); err != nil {
			return err
		}
	}
	var order []key
	for _, row := range scanned {
		counted[key{row.CheckName, row.Unit}] = row.Amount
		order = append(order, key{row.CheckName, row.Unit})
	}
	for k := range tallies {
		// Objects that are looked at again have no money to account for twice; an object that nobody counted is an error.
		if _, ok := counted[k]; !ok && (k.unit == "" || counted[key{k.check, ""}] == "") {
			counted[k] = "0"
			order = append(order, k)
		}
	}
	c := newControls(s.night, j.name)
	for _, k := range order {
		unit := k.unit
		if unit == "" {
			unit = "objects"
		}
		by := tallies[k]
		c.add(k.check, unit, counted[k], by.text("matched"), by.text("awaiting"), by.text("break"))
	}
	return c.record(ctx, s.tx)
}

// stripeStatements runs statements of the topic with those of the job's parameters that each takes.
type stripeStatements struct {
	night *Night
	tx    *postgres.Tx
	args  postgres.Args
}

func (s stripeStatements) pick(statement string) postgres.Args {
	picked := postgres.Args{}
	for _, name := range s.night.Store.Catalog().Statement(statement).Params {
		if value, ok := s.args[name]; ok {
			picked[name] = value
		}
	}
	return picked
}

func (s stripeStatements) exec(ctx context.Context, statements ...string) error {
	for _, statement := range statements {
		if _, err := s.tx.Exec(ctx, statement, s.pick(statement)); err != nil {
			return err
		}
	}
	return nil
}

// stripeArgs are the parameters that statements about Stripe may take.
func (n *Night) stripeArgs(job string) postgres.Args {
	return postgres.Args{
		"date": n.Date, "job": job, "begin": n.Begin, "as_of": n.AsOf(), "policy": n.policyHash(),
		// A counterpart of what happened before grace_before is overdue; so the night looks at all since then and its own.
		"since":                    n.Begin.Add(-n.Settings.AwaitingFor),
		"grace_before":             n.AsOf().Add(-n.Settings.AwaitingFor),
		"stuck_before":             n.AsOf().Add(-n.Settings.RefundStuckAfter),
		"async_since":              n.AsOf().Add(-reconcile.AsyncSettlesWithin),
		"async_from":               n.Begin.Add(-n.Settings.AwaitingFor - reconcile.AsyncSettlesWithin),
		"overdue_before":           n.AsOf().Add(-itemisedWithin),
		"available_within_seconds": int64(availableWithin / time.Second),
		"categories":               reportingCategories,
		"from_the_first":           n.Settings.Matching == MatchExact, // as verification sets it
	}
}
