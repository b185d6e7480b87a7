package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

func init() { commands = append(commands, newCloseCommand, newReopenCommand) }

func newCloseCommand(s *settings) *cobra.Command {
	var period, by string
	cmd := &cobra.Command{
		Use:   "close --period YYYY-MM --by NAME",
		Short: "Close a month's books",
		Long: `close ends a month: its reports can't change any more, and rows that turn up for it are booked as late items in the open period.
Every night of the month must have been reported. Running a closed night again changes nothing and writes a difference report.`,
		Example: `  reconciler close --period 2026-10 --by "Ana Ruiz"`,
		Args:    arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withStore(cmd, s, func(_ config, store *postgres.Store) error {
				return periodResult(cmd, period, "closed", jobs.ClosePeriod(cmd.Context(), store, period, by, time.Now()))
			})
		},
	}
	cmd.Flags().StringVar(&period, "period", "", "the month, YYYY-MM")
	cmd.Flags().StringVar(&by, "by", "", "who closes it; required")
	return cmd
}

func newReopenCommand(s *settings) *cobra.Command {
	var period, by, reason string
	cmd := &cobra.Command{
		Use:     "reopen --period YYYY-MM --by NAME --reason TEXT",
		Short:   "Reopen a closed month, for a reason",
		Example: `  reconciler reopen --period 2026-10 --by "Ana Ruiz" --reason "auditor's correction 17"`,
		Args:    arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withStore(cmd, s, func(_ config, store *postgres.Store) error {
				return periodResult(cmd, period, "open again", jobs.ReopenPeriod(cmd.Context(), store, period, by, reason, time.Now()))
			})
		},
	}
	cmd.Flags().StringVar(&period, "period", "", "the month, YYYY-MM")
	cmd.Flags().StringVar(&by, "by", "", "who reopens it; required")
	cmd.Flags().StringVar(&reason, "reason", "", "why; it stays on record")
	return cmd
}

func periodResult(cmd *cobra.Command, period, state string, err error) error {
	if errors.Is(err, jobs.ErrPeriod) {
		return usageError("%w", err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "period %s is %s\n", period, state)
	return nil
}
