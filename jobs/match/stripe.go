package match

import (
	"context"
	"fmt"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
)

// stripeCheck is one object's outcome, a row of reconciler.stripe_checks: matched unless it has a kind.
type stripeCheck struct {
	AccountID   string              `json:"account_id"`
	Control     string              `json:"control"`
	Again       bool                `json:"again"`
	SubjectID   string              `json:"subject_id"`
	Outcome     string              `json:"outcome"` // filled in when it is written
	Kind        reconcile.BreakKind `json:"kind"`
	Field       string              `json:"field"`
	Ours        string              `json:"ours"`
	Theirs      string              `json:"theirs"`
	Variance    int64               `json:"variance"`
	Unit        string              `json:"unit"`
	Detail      string              `json:"detail"`
	AmountMinor int64               `json:"amount_minor"`
	Currency    string              `json:"currency"`
	Since       time.Time           `json:"since,omitzero"` // what is awaited is awaited since then
	awaiting    bool
}

func addChecks(ctx context.Context, tx *postgres.Tx, checks []stripeCheck) error {
	for i := range checks {
		switch c := &checks[i]; {
		case c.Kind != "":
			c.Outcome = "break"
		case c.awaiting:
			c.Outcome = "awaiting"
		default:
			c.Outcome = "matched"
		}
	}
	return postgres.WriteRows(ctx, tx, "stripe_match/add_checks", nil, checks)
}

// stripeJob is one reconciliation against Stripe: what it looks at, how it judges, and what it has to account for.
type stripeJob struct {
	name   string // of its findings, breaks and control totals
	scopes []stripeScope
	// judge are the statements that put a row into stripe_checks for every object; more does what SQL doesn't.
	judge []string
	more  func(ctx context.Context, tx *postgres.Tx) error
	// scanned counts the objects once more, apart from the matching; outcomes, apart from those in stripe_checks, is what was counted in bulk.
	scanned, outcomes string
	// record is a statement that keeps what the checks of the first scope came to; "": none.
	record string
	// args are parameters of its own; facts are more of them, which the policy says of the objects of the first scope.
	args  postgres.Args
	facts func(ctx context.Context, tx *postgres.Tx) (postgres.Args, error)
}

// stripeScope is a set of objects under examination: those of the night, and those of breaks that are still open.
type stripeScope struct {
	name        string // of its candidates; of the control total, too, where it has one
	statement   string
	subjectType string // of the breaks that are looked at again
	judge       string // statement that judges it
	gone        gone
}

// gone says where what is looked at again is counted when it isn't there any more: its breaks clear.
type gone string

const (
	goneNever gone = "never" // nothing of the scope can go
	goneOwn   gone = "own"   // among the objects of the night
	goneAgain gone = "again" // among those that are looked at again
)

// reconcile runs a stripeJob in one transaction. For a night that Stripe was not looked at for, it takes out what an earlier run of the
// night had found and leaves the breaks as they are: nothing is clean, and nothing is cleared.
func (j stripeJob) reconcile(ctx context.Context, n *night.Night, s *Stripe) (counts night.Counts, err error) {
	look, err := s.Look(ctx, n)
	switch {
	case err != nil:
	case !look.Complete():
		counts = night.Counts{"skipped": 1}
		err = n.Forget(ctx, n.Store.With(j.given().And(postgres.Args{"looked": false})), "stripe_match/begin")
	default:
		err = n.Store.InTx(ctx, night.MatchingTx, func(ctx context.Context, tx *postgres.Tx) error {
			counts, err = j.run(ctx, n, look, tx)
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", j.name, err)
	}
	return counts, nil
}

// given is what its statements may take.
func (j stripeJob) given() postgres.Args {
	var scopes, subjectTypes []string
	for _, scope := range j.scopes {
		scopes, subjectTypes = append(scopes, scope.name), append(subjectTypes, scope.subjectType)
	}
	return j.args.And(postgres.Args{"job": j.name, "scopes": scopes, "subject_types": subjectTypes})
}

func (j stripeJob) run(ctx context.Context, n *night.Night, look stripefeed.Look, tx *postgres.Tx) (night.Counts, error) {
	tx = tx.With(stripeArgs(n, look)).With(j.given())
	if err := n.Forget(ctx, tx.With(postgres.Args{"looked": true}), "stripe_match/begin"); err != nil {
		return nil, err
	}
	for _, scope := range j.scopes {
		if err := execAll(ctx, scope.in(tx), scope.statement); err != nil {
			return nil, err
		}
	}
	if len(j.scopes) > 0 {
		if err := execAll(ctx, tx, "stripe_match/carry_over"); err != nil {
			return nil, err
		}
	}
	if j.facts != nil {
		facts, err := j.facts(ctx, j.scopes[0].in(tx))
		if err != nil {
			return nil, err
		}
		tx = tx.With(facts)
	}
	for _, scope := range j.scopes {
		steps := []string{scope.judge}
		if scope.gone != goneNever {
			steps = append(steps, "stripe_match/judge_gone")
		}
		if err := execAll(ctx, scope.in(tx), steps...); err != nil {
			return nil, err
		}
	}
	if err := execAll(ctx, tx, j.judge...); err != nil {
		return nil, err
	}
	if j.more != nil {
		if err := j.more(ctx, tx); err != nil {
			return nil, err
		}
	}
	n.Step(j.name + "/judged")
	if err := j.control(ctx, n, tx); err != nil {
		return nil, err
	}
	if j.record != "" {
		if err := execAll(ctx, j.scopes[0].in(tx), j.record); err != nil {
			return nil, err
		}
	}
	if err := execAll(ctx, tx, "stripe_match/findings"); err != nil {
		return nil, err
	}
	return n.MergeBreaks(ctx, tx, j.name)
}

// in is the transaction for statements of the scope.
func (s stripeScope) in(tx *postgres.Tx) *postgres.Tx {
	return tx.With(postgres.Args{"scope": s.name, "again": s.gone == goneAgain})
}

func execAll(ctx context.Context, tx *postgres.Tx, statements ...string) error {
	for _, statement := range statements {
		if _, err := tx.Exec(ctx, statement, nil); err != nil {
			return err
		}
	}
	return nil
}

// control compares what the checks came to with what was counted apart from them.
func (j stripeJob) control(ctx context.Context, n *night.Night, tx *postgres.Tx) error {
	type sum struct {
		Control string
		Again   bool
		Unit    string
		Outcome string
		Amount  numbers.Number
	}
	var outcomes, bulk, scanned []sum
	if err := tx.Select(ctx, &outcomes, "stripe_match/outcomes", nil); err != nil {
		return err
	}
	if j.outcomes != "" {
		if err := tx.Select(ctx, &bulk, j.outcomes, nil); err != nil {
			return err
		}
	}
	if err := tx.Select(ctx, &scanned, j.scanned, nil); err != nil {
		return err
	}
	type key struct {
		control string
		again   bool
		unit    string
	}
	tallies, counted := map[key]night.Tally{}, map[key]numbers.Number{}
	for _, o := range append(outcomes, bulk...) {
		k := key{o.Control, o.Again, o.Unit}
		if tallies[k] == nil {
			tallies[k] = night.Tally{}
		}
		if err := tallies[k].Add(o.Outcome, o.Amount); err != nil {
			return err
		}
	}
	var order []key
	for _, row := range scanned {
		k := key{row.Control, row.Again, row.Unit}
		counted[k] = row.Amount
		order = append(order, k)
	}
	for k := range tallies {
		// Objects that are looked at again have no money to account for twice; an object that nobody counted is an error.
		if _, ok := counted[k]; !ok && (k.unit == "" || counted[key{k.control, k.again, ""}] == "") {
			counted[k] = "0"
			order = append(order, k)
		}
	}
	c := night.NewControls(n, j.name)
	for _, k := range order {
		unit := k.unit
		if unit == "" {
			unit = "objects"
		}
		control, title := k.control, titles[k.control].own
		if k.again { // by no key: a control is found by that of the night's own objects
			control, title = "", titles[k.control].again
		}
		if title == "" {
			return fmt.Errorf("control total %+v has no title", k)
		}
		by := tallies[k]
		c.AddKeyed(control, title, unit, string(counted[k]), by.Text("matched"), by.Text("awaiting"), by.Text("break"))
	}
	return c.Record(ctx, tx)
}

// stripeArgs are the parameters that statements about Stripe may take.
func stripeArgs(n *night.Night, look stripefeed.Look) postgres.Args {
	unseen := n.Begin
	if !look.Unseen.IsZero() {
		unseen = reconcile.NightOf(look.Unseen, n.Settings.Zone).Begin
	}
	return postgres.Args{
		// What happened in nights that Stripe was not looked at for comes with those of this one.
		"unseen": unseen,
		// A counterpart of what happened before grace_before is overdue; so the night looks at all since then and its own.
		"since":                    unseen.Add(-n.Settings.AwaitingFor),
		"grace_before":             n.AsOf().Add(-n.Settings.AwaitingFor),
		"stuck_before":             n.AsOf().Add(-n.Settings.RefundStuckAfter),
		"async_since":              n.AsOf().Add(-reconcile.AsyncSettlesWithin),
		"async_from":               unseen.Add(-n.Settings.AwaitingFor - reconcile.AsyncSettlesWithin),
		"overdue_before":           n.AsOf().Add(-itemisedWithin),
		"available_within_seconds": int64(availableWithin / time.Second),
		"categories":               reportingCategories,
		"from_the_first":           n.Settings.Matching == night.MatchExact, // as verification sets it
	}
}
