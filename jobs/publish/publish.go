package publish

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
	"github.com/hummingbytes/reconciler/reports"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// trendNights is how many nights before this one its trends show.
const trendNights = 29

// Publish writes the night's files from one snapshot of the database, publishes them where they differ from what is published,
// and records that.
func Publish(ctx context.Context, n *night.Night, steps []string, look stripefeed.Look, sink storage.Storage, inspect func(context.Context, *reports.Prepared) error) (night.Counts, error) {
	var input reports.Input
	var prepared *reports.Prepared
	err := n.Store.InTx(ctx, postgres.TxOptions{ReadOnly: true}, func(ctx context.Context, tx *postgres.Tx) (err error) {
		if input, err = reportInput(ctx, n, tx, steps, look); err != nil {
			return err
		}
		prepared, err = reports.Prepare(ctx, sink, input)
		return err
	})
	if err != nil {
		if prepared != nil {
			err = errors.Join(err, prepared.Discard())
		}
		return nil, storage.Classed(err) // files are written while rows are read
	}
	n.Step("reports/prepared")
	if inspect != nil {
		return nil, errors.Join(inspect(ctx, prepared), prepared.Discard())
	}
	tampered, err := checkPublished(ctx, n, input.Previous, sink)
	if err != nil || len(tampered) > 0 {
		err = errors.Join(err, tamperedError(n.Date, tampered))
		return nil, errors.Join(err, prepared.Discard())
	}
	published, err := prepared.Publish(ctx, reports.PublishOptions{DryRun: n.Run.Rehearsal})
	if err != nil {
		return nil, storage.Classed(err)
	}
	n.Step("reports/published")
	counts := night.Counts{"revision": int64(published.Revision), "files": int64(len(published.Manifest.Files)), "files_changed": int64(len(published.Differs)),
		"breaks_open": published.Summary.Breaks.Open}
	if n.Run.Rehearsal {
		n.Log.Info().Int("revision", published.Revision).Strs("files", published.Differs).Msg("would be published")
		return counts, nil
	}
	if err := recordPublication(ctx, n, published); err != nil {
		return counts, err
	}
	n.Step("reports/recorded")
	return counts, Index(ctx, n.Store, sink)
}

// tamperedError says which published files are no longer what was published; nil when there are none. Nothing is published over them.
func tamperedError(date reconcile.Date, faults []Fault) error {
	if len(faults) == 0 {
		return nil
	}
	var named []string
	for _, fault := range faults {
		named = append(named, fault.Where+" "+fault.What)
	}
	return fmt.Errorf("%w: night %s: %s; nothing was published: put back what was published, then run the night again", night.ErrIntegrity, date, strings.Join(named, "; "))
}

// reportInput is everything that the night's files follow from. Rows are read while they are written, in the same transaction.
func reportInput(ctx context.Context, n *night.Night, q postgres.Querier, steps []string, look stripefeed.Look) (in reports.Input, err error) {
	in.Facts = figures.Facts{BusinessDate: n.Date, Begin: n.Begin, AsOf: n.AsOf(), TimeZone: n.Settings.Zone.String(),
		CodeVersion: n.Run.CodeVersion, PolicyVersion: n.PolicyVersion()}
	in.Stripe = stripeFacts(look)
	if in.Jobs, err = jobRuns(ctx, n, q, steps); err != nil {
		return in, err
	}
	if err := q.Select(ctx, &in.Sources, "reports/source_totals", nil); err != nil {
		return in, err
	}
	if err := q.Select(ctx, &in.Awaited, "reports/awaited", nil); err != nil {
		return in, err
	}
	if in.Before, err = NightFigures(ctx, q, n.Date.AddDays(-trendNights), n.Date.AddDays(-1)); err != nil {
		return in, err
	}
	var previous reports.PreviousNight
	switch err := q.Get(ctx, &previous, "reports/previous_night", nil); {
	case err == nil:
		in.Previous = &previous
	case !errors.Is(err, sql.ErrNoRows):
		return in, err
	}
	if in.Writers, err = journalWriters(ctx, n, q); err != nil {
		return in, err
	}
	in.Tables = reports.Tables{
		RollForward:     rowsOf[tables.RollForward](q, "reports/roll_forward"),
		Breaks:          withActions(rowsOf[tables.Break](q, "reports/breaks")),
		CreditBacks:     rowsOf[tables.CreditBack](q, "reports/credit_backs"),
		RefundWindows:   rowsOf[tables.RefundWindow](q, "reports/refund_windows"),
		RefundDecisions: rowsOf[tables.RefundDecision](q, "reports/refund_decisions"),
		Notifications:   rowsOf[tables.Notification](q, "reports/notifications"),
		Journal:         rowsOf[tables.JournalLine](q, "reports/journal"),
		ControlTotals:   rowsOf[tables.ControlTotal](q, "reports/control_totals"),
		Rejects:         rowsOf[tables.Reject](q, "reports/rejects"),
	}
	if !in.Stripe.Looked {
		return in, nil // there is nothing of Stripe's, and a bridge would lead to nowhere
	}
	in.Tables.StripeActivity = rowsOf[tables.StripeActivity](q, "reports/stripe_activity")
	in.Tables.StripeCash = rowsOf[tables.StripeCash](q, "reports/stripe_cash")
	in.Tables.Payouts = rowsOf[tables.Payout](q, "reports/payouts")
	in.Tables.PayoutItems = rowsOf[tables.PayoutItem](q, "reports/payout_items")
	in.Tables.Disputes = rowsOf[tables.Dispute](q, "reports/disputes")
	in.Tables.Subscriptions = rowsOf[tables.Subscription](q, "reports/subscriptions")
	in.Tables.Bridge = rowsOf[tables.BridgeItem](q, "reports/bridge")
	return in, q.Select(ctx, &in.BridgeEnds, "reports/bridge_ends", nil)
}

// rowsOf streams a statement of the night.
func rowsOf[T any](q postgres.Querier, statement string) tables.Rows[T] {
	return func(ctx context.Context, fn func(T) error) error {
		return postgres.Each(ctx, q, statement, nil, fn)
	}
}

// withActions adds what to do about each break, which the catalogue of kinds says and no table.
func withActions(breaks tables.Rows[tables.Break]) tables.Rows[tables.Break] {
	return func(ctx context.Context, fn func(tables.Break) error) error {
		return breaks(ctx, func(row tables.Break) error {
			if rule, ok := row.Kind.Rule(); ok {
				row.Action = rule.Action
			}
			return fn(row)
		})
	}
}

// stripeFacts says whether Stripe was looked at. What went wrong is in the log; a report must read the same after a rerun.
func stripeFacts(look stripefeed.Look) figures.StripeFacts {
	switch {
	case look.Complete():
		return figures.StripeFacts{Looked: true}
	case look.Status == "":
		return figures.StripeFacts{Note: "It was not asked."}
	case look.Status == stripefeed.NoKey:
		return figures.StripeFacts{Note: "There was no key to ask it with (STRIPE_API_KEY)."}
	default:
		return figures.StripeFacts{Note: "It could not be read completely."}
	}
}

// jobRuns are how the jobs of this night ended, in their order.
func jobRuns(ctx context.Context, n *night.Night, q postgres.Querier, steps []string) ([]figures.JobRun, error) {
	var rows []struct {
		Job    string
		Status string
	}
	if err := q.Select(ctx, &rows, "reports/job_runs", postgres.Args{"revision": n.Revision}); err != nil {
		return nil, err
	}
	status := map[string]string{}
	for _, row := range rows {
		status[row.Job] = row.Status
	}
	var runs []figures.JobRun
	for _, job := range steps {
		if job == "reports" {
			continue
		}
		ended, ran := status[job]
		if !ran {
			ended = figures.JobMissing
		}
		runs = append(runs, figures.JobRun{Job: job, Status: ended})
	}
	return runs, nil
}

// recordPublication records a revision and its figures, and makes the run rows that revision's.
func recordPublication(ctx context.Context, n *night.Night, p reports.Publication) error {
	previous := ""
	if p.Manifest.Previous != nil {
		previous = p.Manifest.Previous.ManifestSHA256
	}
	err := n.Store.InTx(ctx, postgres.TxOptions{}, func(ctx context.Context, tx *postgres.Tx) error {
		var onRecord string
		if err := tx.Get(ctx, &onRecord, "reports/record_publication", postgres.Args{"revision": p.Revision, "manifest_sha256": p.ManifestSHA256,
			"previous_sha256": previous, "location": p.Location, "at": n.Now()}); err != nil {
			return err
		}
		if onRecord != p.ManifestSHA256 {
			return fmt.Errorf("%w: revision %d of night %s is on record with another manifest than the one at %s: its files were changed, or belong to another database",
				night.ErrIntegrity, p.Revision, n.Date, p.Location)
		}
		if err := n.Forget(ctx, tx, "reports/forget_figures"); err != nil {
			return err
		}
		if err := postgres.WriteRows(ctx, tx, "reports/record_figures", nil, p.Summary.Night().Figures()); err != nil {
			return err
		}
		if p.Revision == n.Revision {
			return nil
		}
		for revision := n.Revision + 1; revision <= p.Revision; revision++ {
			if _, err := tx.Exec(ctx, "runs/add_revision", postgres.Args{"revision": revision}); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "reports/settle_earlier_runs", postgres.Args{"revision": p.Revision, "at": n.Now()})
		return err
	})
	if err == nil {
		n.Revision = p.Revision
	}
	return err
}
