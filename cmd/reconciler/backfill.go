package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/rs/zerolog"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/wiring"
	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
)

func newBackfillCommand(s *cli.Settings) *cobra.Command {
	var from, to, failOn string
	var parallel, index int
	var again, dryRun bool
	cmd := &cobra.Command{
		Use:   "backfill --from D --to D",
		Short: "Do the nights of a range",
		Long: `backfill does every night of a range in order, both ends included. Started again, it continues where it stopped: nights completed before are
skipped, unless --again. A night with broken integrity (exit code 3) doesn't stop the later ones; one that can't be finished does.

It may run beside the nightly worker: nights take turns, in the order in which they were requested. Nights are computed by this binary and
the current policy file, in which each version applies from its effective_from. For the code of the time, use the image of the time.

--dry-run computes the whole range in one transaction that is rolled back, each night building on the one before, completed or not, and says
what would be posted, decided and refunded, and how the reports would differ from those published. If another worker is waiting for its
night, the dry run gives way (exit code 1).

With --index N (or JOB_COMPLETION_INDEX, which an indexed Kubernetes Job sets) it does only night from+N, and needs no --to. It waits for the
night before, which another pod is doing, so that the result is the same as from one process.`,
		Example: `  reconciler backfill --from 2026-01-01 --to 2026-03-31
  reconciler backfill --from 2026-01-01 --to yesterday --dry-run`,
		Args: cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			tells := wiring.ToldEverything
			if dryRun {
				tells = wiring.ToldNothing
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
				o := jobs.BackfillOptions{Again: again}
				if o.From, o.To, err = backfillRange(cmd, c, from, to, index); err != nil {
					return err
				}
				if parallel < 1 {
					return cli.UsageError("--parallel: %d is not 1 or more", parallel)
				}
				if dryRun {
					c.Retry = 0 // it says at once what it would do
				}
				open := wiring.OnceFit()
				return wiring.Patiently(cmd.Context(), c.Log, c.RetryFor(0), func() error {
					w, closeWorker, err := open(cmd.Context(), c)
					if err != nil {
						return err
					}
					defer closeWorker()
					if dryRun {
						o.DryRun = cmd.OutOrStdout()
					}
					if first, err := cli.ParseDay(from, c.Jobs.Zone); err == nil && o.From == o.To && o.From.After(first) && !dryRun {
						// One pod of several: nights are done in their order, whichever pod is the quickest.
						if err := w.AwaitNight(cmd.Context(), o.From.AddDays(-1), wiring.NightPatience); err != nil {
							return err
						}
					}
					o.Done = backfillProgress(cmd.ErrOrStderr(), w, o)
					result, err := w.Backfill(cmd.Context(), o)
					if dryRun {
						fmt.Fprintf(cmd.OutOrStdout(), "\n%s rehearsed, %d with broken integrity; nothing was changed\n", cli.Counted(result.Done+len(result.Broken), "night"), len(result.Broken))
					} else {
						fmt.Fprintf(cmd.OutOrStdout(), "%s done, %d done before, %d with broken integrity\n", cli.Counted(result.Done, "night"), result.Skipped, len(result.Broken))
					}
					for _, night := range result.Broken {
						fmt.Fprintln(cmd.OutOrStdout(), "  "+night.String())
					}
					if err != nil {
						return err
					}
					var nights []reconcile.Date
					for night := o.From; !night.After(o.To); night = night.AddDays(1) {
						nights = append(nights, night)
					}
					if err := tellRowsLeftOut(cmd.Context(), w.Store, cmd.OutOrStdout(), nights...); err != nil {
						return err
					}
					return failOnBreaks(cmd.Context(), w.Store, o.To, threshold)
				})
			})
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "first business date, YYYY-MM-DD")
	cmd.Flags().StringVar(&to, "to", "", "last business date, YYYY-MM-DD or yesterday")
	cmd.Flags().IntVar(&parallel, "parallel", 1, "has no effect: nights are done one after the other")
	if err := cmd.Flags().MarkHidden("parallel"); err != nil { // calls that were written for an earlier version go on working
		panic(err)
	}
	cmd.Flags().IntVar(&index, "index", -1, "only night from+N [JOB_COMPLETION_INDEX]")
	cmd.Flags().BoolVar(&again, "again", false, "also nights completed before")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "compute everything, change nothing, show what would be posted")
	cmd.Flags().StringVar(&failOn, "fail-on", "", "exit 4 when the last night has open breaks of this severity or worse: warning or error")
	cli.Completes(cmd, "fail-on", "warning", "error")
	return cmd
}

// backfillRange is the first and the last night to do. With an index it is that night of the range alone, and the range may be open.
func backfillRange(cmd *cobra.Command, c cli.Config, fromText, toText string, index int) (from, to reconcile.Date, err error) {
	indexed := cmd.Flags().Changed("index")
	if text := os.Getenv("JOB_COMPLETION_INDEX"); text != "" && !indexed {
		if index, err = strconv.Atoi(text); err != nil {
			return from, to, cli.UsageError("JOB_COMPLETION_INDEX: %q is no number", text)
		}
		indexed = true
	}
	if fromText == "" || toText == "" && !indexed {
		return from, to, cli.UsageError("--from and --to are both needed")
	}
	if from, err = cli.ParseDay(fromText, c.Jobs.Zone); err != nil {
		return from, to, cli.UsageError("--from: %w", err)
	}
	if toText == "" {
		if index < 0 {
			return from, to, cli.UsageError("--index: %d is not 0 or more", index)
		}
		to, err = cli.ParseNight(from.AddDays(index).String(), c.Jobs.Zone)
		return to, to, err
	}
	if to, err = cli.ParseNight(toText, c.Jobs.Zone); err != nil {
		return from, to, err
	}
	if to.Before(from) {
		return from, to, cli.UsageError("--to %s is before --from %s", to, from)
	}
	if !indexed {
		return from, to, nil
	}
	if index < 0 || from.AddDays(index).After(to) {
		return from, to, cli.UsageError("--index %d: the range has nights 0 to %d", index, to.DaysSince(from))
	}
	return from.AddDays(index), from.AddDays(index), nil
}

// backfillProgress shows a bar on a terminal, and a log line a night otherwise.
func backfillProgress(stderr io.Writer, w *jobs.Worker, o jobs.BackfillOptions) func(reconcile.Date, bool, error) {
	total := o.To.DaysSince(o.From) + 1
	if file, ok := stderr.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		bar := progressbar.NewOptions(total, progressbar.OptionSetWriter(stderr), progressbar.OptionSetDescription("nights"), progressbar.OptionShowCount(),
			progressbar.OptionShowIts(), progressbar.OptionSetItsString("nights"), progressbar.OptionSetPredictTime(true))
		w.Log = w.Log.Level(zerolog.WarnLevel) // the lines would tear the bar
		return func(_ reconcile.Date, _ bool, _ error) {
			if err := bar.Add(1); err != nil {
				w.Log.Debug().Err(err).Msg("progress bar")
			}
		}
	}
	started, seen, worked := time.Now(), 0, 0
	return func(day reconcile.Date, skipped bool, err error) {
		seen++
		if skipped {
			w.Log.Debug().Stringer("business_date", day).Msg("night done before")
			return
		}
		worked++
		spent := time.Since(started)
		event := w.Log.Info()
		if err != nil && !errors.Is(err, night.ErrIntegrity) {
			event = w.Log.Error()
		}
		event.Stringer("business_date", day).Int("done", seen).Int("of", total).Float64("nights_per_second", math.Round(100*float64(worked)/spent.Seconds())/100).
			Dur("left_ms", spent/time.Duration(worked)*time.Duration(total-seen)).Msg("night of the backfill done")
	}
}
