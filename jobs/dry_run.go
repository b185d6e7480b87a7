package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/reports/terminal"
)

// ErrGaveWay says that a rehearsal of several nights has stopped because another worker waits for its night. Worth another try later.
const ErrGaveWay = postgres.Busy("another worker waits for its night, and the dry run has given way")

// Rehearse is RunNight without any change: it says on out what would have been posted and published.
func (w *Worker) Rehearse(ctx context.Context, out io.Writer, date reconcile.Date, only ...string) error {
	return w.rehearse(ctx, out, []reconcile.Date{date}, func(_ reconcile.Date, nightErr error) error { return nightErr }, only...)
}

// rehearse does the work of nights in one transaction that is rolled back, each night upon what the ones before would have left, and tells
// what each would have changed. Stripe is not synced: what is known of it is used. ended is told how each night ended; what it returns
// ends the rehearsal. Other workers wait meanwhile: after each night it gives way to them.
func (w *Worker) rehearse(ctx context.Context, out io.Writer, nights []reconcile.Date, ended func(night reconcile.Date, err error) error, only ...string) (err error) {
	turn, err := w.takeTurn(ctx)
	if err != nil {
		return fmt.Errorf("dry run: %w", err)
	}
	defer func() { err = errors.Join(err, turn.Unlock()) }()
	return w.Store.Rehearse(ctx, func(ctx context.Context, rehearsal *postgres.Store) error {
		for i, night := range nights {
			if i > 0 {
				wanted, err := turn.Wanted(ctx)
				if err == nil && wanted {
					err = fmt.Errorf("before %s: %w", night, ErrGaveWay)
				}
				if err := errors.Join(err, w.stopped(ctx)); err != nil {
					return err
				}
				fmt.Fprintln(out)
			}
			if err := ended(night, w.rehearseNight(ctx, out, rehearsal, night, only...)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *Worker) rehearseNight(ctx context.Context, out io.Writer, rehearsal *postgres.Store, date reconcile.Date, only ...string) error {
	closed, err := loadPeriod(ctx, rehearsal, PeriodOf(date))
	if err != nil {
		return fmt.Errorf("night %s: %w", date, err)
	}
	published := rehearsedReports{}
	runErr := w.runNight(ctx, date, runOptions{only: only, turnTaken: true, rehearsal: rehearsal, inspect: published.look})
	if runErr != nil && !errors.Is(runErr, night.ErrIntegrity) {
		return runErr // the transaction may have ended with it
	}
	if _, err := fmt.Fprintf(out, "Dry run of %s: nothing was changed.\n", date); err != nil {
		return err
	}
	if closed.State == "closed" {
		fmt.Fprintf(out, "Its period %s is closed: none of this would be posted or published, but told in a difference report.\n", PeriodOf(date))
	}
	for _, tell := range []func(context.Context, io.Writer, *postgres.Store, reconcile.Date) error{w.tellCreditBacks, w.tellDecisions, w.tellRefunds, w.tellBreaks} {
		if err := tell(ctx, out, rehearsal, date); err != nil {
			return errors.Join(runErr, err)
		}
	}
	return errors.Join(runErr, published.tell(out))
}

// maxRehearsalLines is how many lines of a kind a dry run lists; the rest is counted.
const maxRehearsalLines = 20

type rehearsedCreditBack struct {
	JobID       string
	AccountID   string
	FailureCode string
	CreditBack  int64
	Clause      string
	EntryID     string
}

func (w *Worker) tellCreditBacks(ctx context.Context, out io.Writer, rehearsal *postgres.Store, date reconcile.Date) error {
	listed, count, credits, err := w.newCreditBacks(ctx, rehearsal, date)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d credit-backs of %s credits would be posted.\n", count, credits)
	if count == 0 {
		return nil
	}
	return rehearsalTable(out, []string{"JOB", "ACCOUNT", "FAILURE CODE", "CREDITS", "CLAUSE"}, count, func(table *terminal.Table) {
		for _, d := range listed {
			table.Row(d.JobID, d.AccountID, d.FailureCode, d.CreditBack, d.Clause)
		}
	})
}

// table writes up to maxRehearsalLines lines below a heading, and how many more there are.
func rehearsalTable(out io.Writer, heading []string, count int, write func(table *terminal.Table)) error {
	if _, err := fmt.Fprintln(out); err != nil {
		return err
	}
	table := terminal.NewTable(out, heading...)
	write(table)
	if err := table.End(); err != nil {
		return err
	}
	if more := count - maxRehearsalLines; more > 0 {
		fmt.Fprintf(out, "… and %d more\n", more)
	}
	_, err := fmt.Fprintln(out)
	return err
}

// newCreditBacks are those that the rehearsal has decided and the real ledger doesn't hold: the first few, and the totals of all.
func (w *Worker) newCreditBacks(ctx context.Context, rehearsal *postgres.Store, date reconcile.Date) (listed []rehearsedCreditBack, count int, credits *big.Int, err error) {
	credits = new(big.Int)
	for after := (rehearsedCreditBack{}); ; {
		var batch []rehearsedCreditBack
		args := postgres.Args{"date": date, "after_job": after.JobID, "after_entry": after.EntryID, "limit": postgres.BatchRows}
		if err := rehearsal.Select(ctx, &batch, "dry_run/credit_backs", args); err != nil {
			return nil, 0, nil, err
		}
		if len(batch) == 0 {
			return listed, count, credits, nil
		}
		after = batch[len(batch)-1]
		var ids, posted []string
		for _, c := range batch {
			ids = append(ids, c.EntryID)
		}
		if err := w.Store.Select(ctx, &posted, "dry_run/in_ledger", postgres.Args{"ids": ids}); err != nil {
			return nil, 0, nil, err
		}
		for _, c := range batch {
			if slices.Contains(posted, c.EntryID) {
				continue
			}
			count++
			credits.Add(credits, big.NewInt(c.CreditBack))
			if len(listed) < maxRehearsalLines {
				listed = append(listed, c)
			}
		}
	}
}

// tellDecisions lists the refund requests that would be decided for good and are not yet.
func (w *Worker) tellDecisions(ctx context.Context, out io.Writer, rehearsal *postgres.Store, date reconcile.Date) error {
	type decision struct {
		RequestID   string
		AccountID   string
		Decision    string
		RefundMinor int64
		Currency    string
		Credits     int64
		Clauses     string
	}
	var decisions []decision
	if err := rehearsal.Select(ctx, &decisions, "dry_run/decisions", postgres.Args{"date": date}); err != nil {
		return err
	}
	var ids, decided []string
	for _, d := range decisions {
		ids = append(ids, d.RequestID)
	}
	if err := w.Store.Select(ctx, &decided, "dry_run/decided", postgres.Args{"ids": ids}); err != nil {
		return err
	}
	decisions = slices.DeleteFunc(decisions, func(d decision) bool { return slices.Contains(decided, d.RequestID) })
	approved := 0
	for _, d := range decisions {
		if d.Decision == "approve" {
			approved++
		}
	}
	fmt.Fprintf(out, "%d refund requests would be approved, %d denied.\n", approved, len(decisions)-approved)
	if len(decisions) == 0 {
		return nil
	}
	return rehearsalTable(out, []string{"REQUEST", "ACCOUNT", "DECISION", "REFUND", "CREDITS", "CLAUSES"}, len(decisions), func(table *terminal.Table) {
		for _, d := range decisions[:min(len(decisions), maxRehearsalLines)] {
			refund := "-"
			if d.Decision == "approve" && d.Currency != "" {
				refund = reconcile.FormatMinor(d.RefundMinor, d.Currency)
			}
			table.Row(d.RequestID, d.AccountID, d.Decision, refund, d.Credits, d.Clauses)
		}
	})
}

// tellRefunds lists what approved plans have left to send, and says whether this worker would send it. Only the newest night would.
func (w *Worker) tellRefunds(ctx context.Context, out io.Writer, rehearsal *postgres.Store, date reconcile.Date) error {
	var plans []struct {
		PlanID      string
		ApprovedBy  string
		Currency    string
		Refunds     int64
		AmountMinor numbers.Number
		Credits     string
	}
	if err := w.Store.Select(ctx, &plans, "dry_run/refunds", nil); err != nil {
		return err
	}
	if len(plans) == 0 {
		_, err := fmt.Fprintln(out, "No approved refund waits to be sent.")
		return err
	}
	reported, err := night.LastReported(ctx, w.Store)
	if err != nil {
		return err
	}
	verdict := "would be sent, each after another look at Stripe and within the caps"
	switch {
	case reported.After(date):
		verdict = "wait, but not for this night: the newest one sends them"
	case !w.Settings.Refund.Execute || w.Refunds == nil:
		verdict = "wait, and would not be sent: RECONCILER_EXECUTE_REFUNDS is off here"
	}
	fmt.Fprintf(out, "Refunds of these approved plans %s.\n", verdict)
	return rehearsalTable(out, []string{"PLAN", "APPROVED BY", "REFUNDS", "MONEY", "CREDITS"}, len(plans), func(table *terminal.Table) {
		for _, p := range plans[:min(len(plans), maxRehearsalLines)] {
			table.Row(p.PlanID, p.ApprovedBy, p.Refunds, p.AmountMinor.Text(p.Currency), p.Credits)
		}
	})
}

func (w *Worker) tellBreaks(ctx context.Context, out io.Writer, rehearsal *postgres.Store, date reconcile.Date) error {
	var breaks []struct {
		Event string
		Kind  string
		Count int64
	}
	if err := rehearsal.Select(ctx, &breaks, "dry_run/break_events", postgres.Args{"date": date}); err != nil {
		return err
	}
	if len(breaks) == 0 {
		_, err := fmt.Fprintln(out, "No break would be opened, changed or cleared.")
		return err
	}
	return rehearsalTable(out, []string{"BREAKS OF THE NIGHT", "KIND", "COUNT"}, 0, func(table *terminal.Table) {
		for _, b := range breaks {
			table.Row(b.Event, b.Kind, b.Count)
		}
	})
}

// rehearsedReports is how the night's files would differ from those that are published.
type rehearsedReports struct {
	prepared, published bool
	differences         []reports.FileDifference
}

func (r *rehearsedReports) look(ctx context.Context, prepared *reports.Prepared) (err error) {
	r.prepared = true
	r.differences, err = prepared.Differences(ctx)
	if errors.Is(err, storage.ErrNotPublished) {
		return nil
	}
	r.published = true
	return err
}

// maxDifferenceLines is how many rows of a file are shown of each side.
const maxDifferenceLines = 5

func (r *rehearsedReports) tell(out io.Writer) error {
	switch {
	case !r.prepared: // a job alone, or no storage
		return nil
	case !r.published:
		_, err := fmt.Fprintln(out, "No reports are published for it yet.")
		return err
	case len(r.differences) == 0:
		_, err := fmt.Fprintln(out, "Its reports would be what is published.")
		return err
	}
	fmt.Fprintf(out, "%d files would differ from what is published, as the next revision:\n", len(r.differences))
	for _, d := range r.differences {
		more, less := len(d.Recomputed)+d.MoreRecomputed, len(d.Published)+d.MorePublished
		if more+less == 0 {
			fmt.Fprintln(out, "  "+d.File)
			continue
		}
		fmt.Fprintf(out, "  %s: %d rows more, %d less\n", d.File, more, less)
		for _, side := range []struct {
			sign string
			rows []string
			all  int
		}{{"+", d.Recomputed, more}, {"-", d.Published, less}} {
			for _, row := range side.rows[:min(len(side.rows), maxDifferenceLines)] {
				fmt.Fprintf(out, "    %s %s\n", side.sign, row)
			}
			if rest := side.all - maxDifferenceLines; rest > 0 {
				fmt.Fprintf(out, "    %s … and %d more\n", side.sign, rest)
			}
		}
	}
	return nil
}
