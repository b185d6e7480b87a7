package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/sql"
)

func init() { commands = append(commands, newRunCommand) }

func newRunCommand(s *settings) *cobra.Command {
	var date, failOn string
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "run [JOB]",
		Short: "Do one night, or one job of it",
		Long: `run does all jobs of one business date in order, or only the one that is named. It may be repeated: the same inputs give the
same books and the same report bytes.

Jobs: ` + strings.Join(jobs.Names(), ", "),
		Example: `  reconciler run                              last night
  reconciler run --date 2026-11-21            that night
  reconciler run match-jobs --date 2026-11-21 one job of it
  reconciler run --dry-run                    show what it would do, change nothing`,
		Args:      arguments(cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs)),
		ValidArgs: jobs.Names(),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			threshold, err := parseFailOn(failOn)
			if err != nil {
				return err
			}
			night, err := parseNight(date, c.jobs.Zone)
			if err != nil {
				return err
			}
			w, closeWorker, err := newWorker(cmd.Context(), c, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			defer closeWorker()
			if dryRun {
				w.DryRun = cmd.OutOrStdout()
			}
			if err := w.RunNight(cmd.Context(), night, args...); err != nil {
				return err
			}
			return failOnBreaks(cmd.Context(), w.Store, night, threshold)
		},
	}
	cmd.Flags().StringVar(&date, "date", "", "business date, YYYY-MM-DD (default: yesterday)")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "work everything out, change nothing, show what would be posted")
	cmd.Flags().StringVar(&failOn, "fail-on", "", "exit 4 when the night has open breaks of this severity or worse: warning or error")
	return cmd
}

// newWorker wires a worker from the configuration, and refuses a schema that isn't the binary's.
func newWorker(ctx context.Context, c config, stderr io.Writer) (*jobs.Worker, func(), error) {
	store, err := c.store()
	if err != nil {
		return nil, nil, err
	}
	closeStore := func() {
		if err := store.Close(); err != nil {
			c.log.Warn().Err(err).Msg("closing the database")
		}
	}
	pending, err := sql.PendingMigrations(ctx, store.DB())
	if err != nil {
		closeStore()
		return nil, nil, postgres.Unavailable("check the schema", err)
	}
	if pending > 0 {
		closeStore()
		return nil, nil, usageError("the database lacks %d migrations of the reconciler schema; run: reconciler migrate", pending)
	}
	reports, err := storage.Open(c.reportsURL)
	if err != nil {
		closeStore()
		return nil, nil, usageError("%w", err)
	}
	w := &jobs.Worker{
		Store: store, Policies: c.policies, Settings: c.jobs, Log: c.log, CodeVersion: codeVersion(), Reports: reports,
	}
	if c.stripeKey != "" {
		client, err := c.stripe()
		if err != nil {
			closeStore()
			return nil, nil, usageError("%w", err)
		}
		w.Stripe = client
	}
	if c.stripeRefundKey != "" {
		client, err := c.stripeRefunds()
		if err != nil {
			closeStore()
			return nil, nil, usageError("STRIPE_REFUND_KEY: %w", err)
		}
		w.Refunds = client
	}
	return w, closeStore, nil
}

func parseNight(text string, zone *time.Location) (reconcile.Date, error) {
	today := reconcile.DateOf(time.Now().In(zone))
	if text == "" {
		return today.AddDays(-1), nil
	}
	date, err := reconcile.ParseDate(text)
	if err != nil {
		return date, usageError("--date: %w", err)
	}
	if !date.Before(today) {
		return date, usageError("--date: %s is not over yet in %s; the last complete night is %s", date, zone, today.AddDays(-1))
	}
	return date, nil
}

func parseFailOn(text string) (reconcile.Severity, error) {
	if text != "" && !slices.Contains([]string{"warning", "error"}, text) {
		return "", usageError("--fail-on: %q is not warning or error", text)
	}
	return reconcile.Severity(text), nil
}

// failOnBreaks returns errBreaksFound when a night has open breaks at or above a severity.
func failOnBreaks(ctx context.Context, store *postgres.Store, night reconcile.Date, threshold reconcile.Severity) error {
	if threshold == "" {
		return nil
	}
	var open []struct {
		Severity string
		Count    int64
	}
	if err := store.Select(ctx, &open, "breaks/open_by_severity", postgres.Args{"date": night}); err != nil {
		return err
	}
	var found []string
	for _, o := range open {
		if reconcile.Severity(o.Severity).Rank() >= threshold.Rank() {
			found = append(found, fmt.Sprintf("%d of severity %s", o.Count, o.Severity))
		}
	}
	if len(found) == 0 {
		return nil
	}
	return fmt.Errorf("%w at the end of %s: %s", errBreaksFound, night, strings.Join(found, ", "))
}
