package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/wiring"
	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/refunds"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reports/terminal"
)

func newRefundsCommand(s *cli.Settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "refunds",
		Short: "Plan, approve and execute refunds: money leaves only through an approved plan",
		Long: `refunds pays what approved decisions call for, in three steps by at least two people:

  plan      lists the refunds that decisions call for, as a plan with an id and a hash; nothing moves
  approve   by somebody other than its maker, with the database role reconciler_approver in DATABASE_URL; what is approved
            is that hash and nothing else
  execute   looks at everything again, holds the credits, and asks Stripe; needs STRIPE_REFUND_KEY

execute may be interrupted and repeated at will: every refund is made at most once. A refund whose outcome
is unknown is looked up at Stripe before anything is sent again.`,
		Example: `  reconciler refunds plan --date 2026-11-21 --by anna@example.com
  reconciler refunds list`,
		Args: cli.Arguments(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			return cli.UsageError("refunds: name one of plan, approve, execute, list, show, cancel, halt, resume")
		},
	}
	for _, add := range []func(*cli.Settings) *cobra.Command{
		newRefundsPlanCommand, newRefundsApproveCommand, newRefundsExecuteCommand, newRefundsListCommand, newRefundsShowCommand,
		newRefundsCancelCommand, newRefundsHaltCommand, newRefundsResumeCommand,
	} {
		cmd.AddCommand(add(s))
	}
	return cmd
}

func newRefundsPlanCommand(s *cli.Settings) *cobra.Command {
	var date, by string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "plan",
		Short:   "Plan the refunds that decisions through a night call for",
		Example: `  reconciler refunds plan --date 2026-11-21 --by anna@example.com`,
		Args:    cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return wiring.WithWorker(s, cmd, func(ctx context.Context, c cli.Config, w *jobs.Worker) error {
				night, err := cli.ParseNight(date, c.Jobs.Zone)
				if err != nil {
					return err
				}
				view, leftOut, err := w.RefundDesk().Plan(ctx, night, by)
				tellLeftOut(c.Log, leftOut)
				switch {
				case errors.Is(err, refunds.ErrNothingDue) && asJSON:
					return tellPlan(cmd.OutOrStdout(), refunds.PlanView{BusinessDate: night, Items: []refunds.Item{}}, true)
				case errors.Is(err, refunds.ErrNothingDue):
					fmt.Fprintln(cmd.OutOrStdout(), err)
					return nil
				case err != nil:
					return err
				}
				if err := tellPlan(cmd.OutOrStdout(), view, asJSON); err != nil || asJSON {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "\nNothing was moved. To be approved by somebody other than %s, with reconciler_approver in DATABASE_URL:\n  reconciler refunds approve %s --by NAME --hash %s\n",
					view.MadeBy, view.PlanID, view.PlanSha256[:12])
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&date, "date", "", "decisions through this business date, YYYY-MM-DD (default: yesterday)")
	cmd.Flags().StringVar(&by, "by", "", "who makes the plan; required")
	cmd.Flags().BoolVar(&asJSON, "json", false, "the plan as JSON")
	return cmd
}

func newRefundsApproveCommand(s *cli.Settings) *cobra.Command {
	var by, hash string
	cmd := &cobra.Command{
		Use:         "approve PLAN",
		Annotations: cli.Takes("PLAN   a plan, as refunds list shows them"),
		Short:       "Approve a plan that somebody else made",
		Long: `approve lets a plan be executed. It is for a second person, by name and with a database role of its own: DATABASE_URL is that of
reconciler_approver, which may look at plans and approve them, and nothing else. The worker's role can't approve.`,
		Example: `  reconciler refunds approve plan_2026-11-21_4c1f… --by ben@example.com --hash 4c1f2b7790aa`,
		Args:    cli.Arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return wiring.WithClerk(s, cmd, func(ctx context.Context, _ cli.Config, w *jobs.Worker) error {
				view, err := w.RefundDesk().Approve(ctx, args[0], by, hash)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s approved %s, made by %s: %s, %s, hash %s\n",
					view.ApprovedBy, view.PlanID, view.MadeBy, cli.Counted(view.Refunds, "refund"), totals(view), view.PlanSha256)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&by, "by", "", "who approves; required")
	cmd.Flags().StringVar(&hash, "hash", "", "the hash, or the beginning of it, of the plan you looked at; a plan with another hash is refused")
	return cmd
}

func newRefundsExecuteCommand(s *cli.Settings) *cobra.Command {
	var by string
	cmd := &cobra.Command{
		Use:         "execute PLAN",
		Annotations: cli.Takes("PLAN   a plan, as refunds list shows them"),
		Short:       "Make the refunds of an approved plan; repeat it to finish what was interrupted",
		Long: `execute makes the refunds of an approved plan. Before each one the charge is read again at Stripe, and the ledger, the
request and the decision in the database: a dispute, an earlier refund, another currency or amount, credits used since,
or a request that was withdrawn stops that refund, with the reason. It is planned again once it can be made.

The credits leave the account before the money is asked for. A refund that Stripe definitely refuses gives them back; one
whose outcome is not known is looked up at its charge before it is sent again, with the same key.`,
		Example: `  reconciler refunds execute plan_2026-11-21_4c1f…`,
		Args:    cli.Arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return wiring.WithWorker(s, cmd, func(ctx context.Context, _ cli.Config, w *jobs.Worker) error {
				outcome, err := w.RefundDesk().Execute(ctx, args[0], by)
				fmt.Fprintf(cmd.OutOrStdout(), "%d sent, %d stopped, %d refused by Stripe, %d with an open outcome, %d untouched\n",
					outcome.Sent, outcome.Stopped, outcome.Rejected, outcome.Open, outcome.Untouched)
				if view, viewErr := w.RefundDesk().Load(context.WithoutCancel(ctx), args[0]); viewErr == nil {
					if tellErr := tellPlan(cmd.OutOrStdout(), view, false); err == nil {
						err = tellErr
					}
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&by, "by", "", "who executes (default: the worker, doing what two people have decided)")
	return cmd
}

func newRefundsListCommand(s *cli.Settings) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List plans that have something left to do",
		Example: `  reconciler refunds list`,
		Args:    cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return wiring.WithClerk(s, cmd, func(ctx context.Context, _ cli.Config, w *jobs.Worker) error {
				plans, err := w.RefundDesk().List(ctx, all)
				if err != nil {
					return err
				}
				if last, err := refunds.SwitchNow(ctx, w.Store); err != nil {
					return err
				} else if last.Halted() {
					fmt.Fprintf(cmd.OutOrStdout(), "Refunds are halted by %s since %s: %s\n\n", last.Actor, last.At.UTC().Format(time.RFC3339), last.Reason)
				}
				table := terminal.NewTable(cmd.OutOrStdout(), "PLAN", "THROUGH", "REFUNDS", "MADE BY", "APPROVED BY", "TO SEND", "OPEN", "PAID", "ENDED")
				for _, p := range plans {
					table.Row(p.PlanID, p.BusinessDate, p.Refunds, p.MadeBy, cli.OrDash(p.ApprovedBy), p.Planned, p.Open, p.Paid, p.Ended)
				}
				return table.End()
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also plans that are done")
	return cmd
}

func newRefundsShowCommand(s *cli.Settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:         "show PLAN",
		Annotations: cli.Takes("PLAN   a plan, as refunds list shows them"),
		Short:       "Show a plan and where each of its refunds stands",
		Example:     `  reconciler refunds show plan_2026-11-21_4c1f…`,
		Args:        cli.Arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return wiring.WithClerk(s, cmd, func(ctx context.Context, _ cli.Config, w *jobs.Worker) error {
				view, err := w.RefundDesk().Load(ctx, args[0])
				if err != nil {
					return err
				}
				return tellPlan(cmd.OutOrStdout(), view, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "the plan as JSON")
	return cmd
}

func newRefundsCancelCommand(s *cli.Settings) *cobra.Command {
	var by, reason string
	cmd := &cobra.Command{
		Use:         "cancel PLAN",
		Annotations: cli.Takes("PLAN   a plan, as refunds list shows them"),
		Short:       "Take what was not sent yet out of a plan, so that it can be planned anew",
		Example:     `  reconciler refunds cancel plan_2026-11-21_4c1f… --reason "fees were corrected"`,
		Args:        cli.Arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return wiring.WithClerk(s, cmd, func(ctx context.Context, _ cli.Config, w *jobs.Worker) error {
				cancelled, err := w.RefundDesk().Cancel(ctx, args[0], by, reason)
				if cancelled > 0 {
					fmt.Fprintf(cmd.OutOrStdout(), "%d refunds of %s cancelled\n", cancelled, args[0])
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&by, "by", "", "who cancels; required")
	cmd.Flags().StringVar(&reason, "reason", "", "why; required")
	return cmd
}

func newRefundsHaltCommand(s *cli.Settings) *cobra.Command {
	return newSwitchCommand(s, "halt", "Stop all refunds, of every executor, at once", true)
}

func newRefundsResumeCommand(s *cli.Settings) *cobra.Command {
	return newSwitchCommand(s, "resume", "Let refunds move again", false)
}

func newSwitchCommand(s *cli.Settings, use, short string, halt bool) *cobra.Command {
	var by, reason string
	cmd := &cobra.Command{
		Use:     use,
		Short:   short,
		Example: "  reconciler refunds " + use + " --by ben@example.com --reason \"see ticket 4711\"",
		Args:    cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return wiring.WithClerk(s, cmd, func(ctx context.Context, _ cli.Config, w *jobs.Worker) error {
				if err := w.RefundDesk().FlipSwitch(ctx, halt, by, reason); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "refunds: %s by %s\n", use, by)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&by, "by", "", "who does it; required")
	cmd.Flags().StringVar(&reason, "reason", "", "why; required")
	return cmd
}

func tellLeftOut(log zerolog.Logger, leftOut []refunds.LeftOut) {
	for _, l := range leftOut {
		log.Warn().Str("request", l.RequestID).Str("problem", l.Problem).Msg("left out of the plan")
	}
}

// totals are the amounts of a plan, by currency.
func totals(view refunds.PlanView) string {
	sums, err := view.Plan().Totals()
	if err != nil {
		return err.Error()
	}
	var parts []string
	for currency, sum := range sums {
		parts = append(parts, reconcile.FormatMinor(sum, currency))
	}
	slices.Sort(parts)
	return strings.Join(parts, " + ")
}

func tellPlan(out io.Writer, view refunds.PlanView, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(view)
	}
	approved := "not approved"
	if view.ApprovedBy != "" {
		approved = "approved by " + view.ApprovedBy
	}
	fmt.Fprintf(out, "%s, decisions through %s, made by %s, %s\nhash %s\n%s, %s\n\n",
		view.PlanID, view.BusinessDate, view.MadeBy, approved, view.PlanSha256, cli.Counted(view.Refunds, "refund"), totals(view))
	table := terminal.NewTable(out, "REQUEST", "CHARGE", "REFUND", "FEE WITHHELD", "CREDITS", "CLAUSE", "STATE", "AT STRIPE")
	for _, item := range view.Items {
		table.Row(item.RequestID, item.ChargeID, reconcile.FormatMinor(item.AmountMinor, item.Currency),
			reconcile.FormatMinor(item.FeeMinor, item.Currency), item.Credits, item.Clauses, item.State, cli.OrDash(item.RefundID))
	}
	if err := table.End(); err != nil {
		return err
	}
	for _, item := range view.Items {
		if item.Reason != "" && item.State != reconcile.IntentSent && item.State != reconcile.IntentSettled {
			fmt.Fprintf(out, "%s: %s\n", terminal.OneLine(item.RequestID), terminal.OneLine(item.Reason))
		}
	}
	return nil
}
