package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/wiring"
	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/tables"
)

func newRunCommand(s *cli.Settings) *cobra.Command {
	var date, failOn string
	var dryRun, catchUp bool
	cmd := &cobra.Command{
		Use:         "run [JOB]",
		Annotations: cli.Takes("JOB   one of " + strings.Join(jobs.Names(), ", ") + "; without it, all of them in this order"),
		Short:       "Do one night, or one job of it",
		Long: `run does all jobs of one business date in order, or only the one that is named. It may be repeated: the same inputs give the
same books and the same report bytes.

With --catch-up it does every night since the last completed one, in order, up to yesterday; this is what a scheduler should call. If no
night was ever begun, it does yesterday alone. While database, Stripe or report storage is out of reach, or another worker has the night, it
tries again for half an hour (RECONCILER_RETRY_MINUTES). Earlier nights whose last run failed are named, and end it with exit code 3 until they
are mended.

Metrics go to RECONCILER_PUSHGATEWAY_URL or RECONCILER_METRICS_TEXTFILE, where these are set; a single job leaves the exit code of the last
night as it is.

The job sync-stripe, done by itself, reads Stripe up to the present, so that a plan of refunds knows of today.

Jobs: ` + strings.Join(jobs.Names(), ", "),
		Example: `  reconciler run                              last night
  reconciler run --catch-up                   last night, and every one missed before it
  reconciler run --date 2026-11-21            that night
  reconciler run match-jobs --date 2026-11-21 one job of it
  reconciler run --dry-run                    show what it would do, change nothing`,
		Args:      cli.Arguments(cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs)),
		ValidArgs: jobs.Names(),
		RunE: func(cmd *cobra.Command, args []string) error {
			tells := wiring.ToldEverything
			switch {
			case dryRun:
				tells = wiring.ToldNothing
			case len(args) > 0:
				tells = wiring.ToldFigures
			}
			return wiring.WithMetrics(s, cmd, tells, func() error {
				c, err := s.Load(cmd.ErrOrStderr())
				if err != nil {
					return err
				}
				threshold, err := parseFailOn(failOn)
				if err != nil {
					return err
				}
				if catchUp && (date != "" || dryRun || len(args) > 0) {
					return cli.UsageError("--catch-up does every night that is due: it takes no JOB, no --date and no --dry-run")
				}
				night, err := cli.ParseNight(date, c.Jobs.Zone)
				if err != nil {
					return err
				}
				retry := c.RetryFor(0)
				var caughtUp jobs.CatchUpResult
				var leftOut strings.Builder
				if catchUp {
					retry = c.RetryFor(wiring.CatchUpRetry)
					defer func() {
						tellCatchUp(cmd.OutOrStdout(), caughtUp)
						fmt.Fprint(cmd.OutOrStdout(), leftOut.String())
					}()
				}
				open := wiring.OnceFit()
				err = wiring.Patiently(cmd.Context(), c.Log, retry, func() error {
					w, closeWorker, err := open(cmd.Context(), c)
					if err != nil {
						return err
					}
					defer closeWorker()
					runNight := w.RunNight
					if dryRun {
						runNight = func(ctx context.Context, night reconcile.Date, only ...string) error {
							return w.Rehearse(ctx, cmd.OutOrStdout(), night, only...)
						}
					}
					if catchUp {
						wiring.ExpectNights(cmd.Context(), wiring.NewCourier(c, w), w)
						result, err := w.CatchUp(cmd.Context())
						caughtUp.Done = append(caughtUp.Done, result.Done...)
						caughtUp.Broken, caughtUp.Troubled = result.Broken, result.Troubled
						if err := errors.Join(err, tellRowsLeftOut(cmd.Context(), w.Store, &leftOut, result.Done...)); err != nil {
							return err
						}
					} else if err := runNight(cmd.Context(), night, args...); err != nil {
						return err
					} else if err := tellRowsLeftOut(cmd.Context(), w.Store, cmd.OutOrStdout(), night); err != nil {
						return err
					}
					return failOnBreaks(cmd.Context(), w.Store, night, threshold)
				})
				if catchUp {
					wiring.TellCaughtUp(cmd.Context(), c, caughtUp, err)
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&date, "date", "", "business date, YYYY-MM-DD or yesterday (default: yesterday)")
	cmd.Flags().BoolVar(&catchUp, "catch-up", false, "every night since the last completed one, in order, up to yesterday")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "compute everything, change nothing, show what would be posted")
	cmd.Flags().StringVar(&failOn, "fail-on", "", "exit 4 when the night has open breaks of this severity or worse: warning or error")
	cli.Completes(cmd, "fail-on", "warning", "error")
	return cmd
}

// tellCatchUp says what became of the nights that were due, and which others need a person.
func tellCatchUp(out io.Writer, result jobs.CatchUpResult) {
	fmt.Fprintf(out, "%s done, %d with broken integrity\n", cli.Counted(len(result.Done), "night"), len(result.Broken))
	for _, night := range result.Troubled {
		fmt.Fprintf(out, "%s; %s\n", night, night.Fix())
	}
}

func parseFailOn(text string) (reconcile.Severity, error) {
	if text != "" && !slices.Contains([]string{"warning", "error"}, text) {
		return "", cli.UsageError("--fail-on: %q is not warning or error", text)
	}
	return reconcile.Severity(text), nil
}

// tellRowsLeftOut says of nights for which relations they could use so few rows that they say little; a dry run has left nothing to tell of.
func tellRowsLeftOut(ctx context.Context, store *postgres.Store, out io.Writer, nights ...reconcile.Date) error {
	for _, night := range nights {
		var controls []tables.ControlTotal
		if err := store.Select(ctx, &controls, "reports/control_totals", postgres.Args{"date": night}); err != nil {
			return err
		}
		for _, control := range controls {
			if left, many := control.LeftOut(); many {
				fmt.Fprintf(out, "%s: %s rejects.csv names them; reconciler check says which values they have\n", night, left)
			}
		}
	}
	return nil
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
	return fmt.Errorf("%w at the end of %s: %s", cli.ErrBreaksFound, night, strings.Join(found, ", "))
}
