package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/wiring"
	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reconcile/policyfile"
	"github.com/hummingbytes/reconciler/reports/terminal"
)

func newPolicyCommand(s *cli.Settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Show the policy in force, or try another one on the past",
	}
	cmd.AddCommand(newPolicyShowCommand(s), newPolicyTestCommand(s))
	return cmd
}

func newPolicyShowCommand(_ *cli.Settings) *cobra.Command {
	return &cobra.Command{
		Use:     "show",
		Short:   "Print the built-in policy file, to start a new version from",
		Example: "  reconciler policy show > policy.yaml",
		Args:    cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(policyfile.DefaultYAML())
			return err
		},
	}
}

func newPolicyTestCommand(s *cli.Settings) *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:         "test NEW.yaml --from D --to D",
		Annotations: cli.Takes("NEW.yaml   a policy file, as policy show prints one"),
		Short:       "Show which past decisions another policy would have changed, and by how much money",
		Long: `test decides every credit-back and every refund request of a range of nights again under another policy file, from the facts of those
nights, and lists each decision that would have been different. It changes nothing.`,
		Example: "  reconciler policy test policy-2027.yaml --from 2026-10-01 --to 2026-10-31",
		Args:    cli.Arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.Load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			policies, err := policyfile.Load(args[0])
			if err != nil {
				return cli.UsageError("%w", err)
			}
			first, err := reconcile.ParseDate(from)
			if err != nil {
				return cli.UsageError("--from: %w", err)
			}
			last, err := cli.ParseNight(to, c.Jobs.Zone)
			if err != nil {
				return err
			}
			if last.Before(first) {
				return cli.UsageError("--to %s is before --from %s", last, first)
			}
			w, closeWorker, err := wiring.NewWorker(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer closeWorker()
			table := terminal.NewTable(cmd.OutOrStdout(), "NIGHT", "WHAT", "ID", "ACCOUNT", "WAS", "WOULD BE", "MORE PAID OUT", "WHY")
			changed := 0
			decided, totals, err := w.TestPolicy(cmd.Context(), policies, first, last, func(p jobs.PolicyChange) error {
				changed++
				table.Row(p.Night, p.What, p.ID, p.AccountID, p.Was, p.Would, numbers.Int(p.Amount).Text(p.Unit), p.Why)
				return nil
			})
			if err != nil {
				return err
			}
			if err := table.End(); err != nil {
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
				fmt.Fprintf(out, "more paid out: %s\n", numbers.Number(totals[unit].String()).Text(unit))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "first business date, YYYY-MM-DD")
	cmd.Flags().StringVar(&to, "to", "", "last business date (default: yesterday)")
	return cmd
}
