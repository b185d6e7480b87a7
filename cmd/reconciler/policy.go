package main

import (
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/policyfile"
)

func init() { commands = append(commands, newPolicyCommand) }

func newPolicyCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Show the policy in force, or try another one on the past",
	}
	cmd.AddCommand(newPolicyShowCommand(s), newPolicyTestCommand(s))
	return cmd
}

func newPolicyShowCommand(_ *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "show",
		Short:   "Print the built-in policy file, to start a new version from",
		Example: "  reconciler policy show > policy.yaml",
		Args:    arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(policyfile.DefaultYAML())
			return err
		},
	}
}

func newPolicyTestCommand(s *settings) *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:   "test NEW.yaml --from D --to D",
		Short: "Show which past decisions another policy would have changed, and by how much money",
		Long: `test decides every credit-back and every refund request of a range of nights again under another policy file, from the facts of those
nights, and lists each decision that would have been different. It changes nothing.`,
		Example: "  reconciler policy test policy-2027.yaml --from 2026-10-01 --to 2026-10-31",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			policies, err := policyfile.Load(args[0])
			if err != nil {
				return usageError("%w", err)
			}
			first, err := reconcile.ParseDate(from)
			if err != nil {
				return usageError("--from: %w", err)
			}
			last, err := parseNight(to, c.jobs.Zone)
			if err != nil {
				return err
			}
			if last.Before(first) {
				return usageError("--to %s is before --from %s", last, first)
			}
			w, closeWorker, err := newWorker(cmd.Context(), c, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			defer closeWorker()
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "NIGHT\tWHAT\tID\tACCOUNT\tWAS\tWOULD BE\tMORE PAID OUT\tWHY")
			changed := 0
			decided, totals, err := w.TestPolicy(cmd.Context(), policies, first, last, func(p jobs.PolicyChange) error {
				changed++
				_, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Night, p.What, p.ID, p.AccountID, p.Was, p.Would, amountText(p.Amount, p.Unit), p.Why)
				return err
			})
			if err != nil {
				return err
			}
			if err := table.Flush(); err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "\n%d decisions looked at, %d would have been different\n", decided, changed)
			var units []string
			for unit := range totals {
				units = append(units, unit)
			}
			slices.Sort(units)
			for _, unit := range units {
				if totals[unit].IsInt64() {
					fmt.Fprintf(out, "more paid out: %s\n", amountText(totals[unit].Int64(), unit))
				} else {
					fmt.Fprintf(out, "more paid out: %s %s\n", totals[unit], unit)
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "first business date, YYYY-MM-DD")
	cmd.Flags().StringVar(&to, "to", "", "last business date (default: yesterday)")
	return cmd
}

// amountText is an amount with its unit: credits as they are, money with its decimals.
func amountText(amount int64, unit string) string {
	if unit == "credits" {
		return fmt.Sprintf("%d credits", amount)
	}
	return reconcile.FormatMinor(amount, unit)
}
