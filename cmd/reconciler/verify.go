package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reports/storage"
)

func init() { commands = append(commands, newVerifyCommand) }

func newVerifyCommand(s *settings) *cobra.Command {
	var date string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Recompute a night and compare it with what was stored and published",
		Long: `verify hashes every published file of a night, checks the chain to the night before, recomputes the night from the source, and names
every file and row that differs from what was published. It changes nothing. Exit code 3 if anything differs.`,
		Example: "  reconciler verify --date 2026-11-21",
		Args:    arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.load(cmd.ErrOrStderr())
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
			faults, err := w.Verify(cmd.Context(), night)
			if errors.Is(err, storage.ErrNotPublished) {
				return usageError("%w", err)
			}
			if err != nil {
				return err
			}
			for _, fault := range faults {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", fault.Where, fault.What)
			}
			if len(faults) > 0 {
				return fmt.Errorf("%w: %d faults in the night of %s", jobs.ErrIntegrity, len(faults), night)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is what was published: files, chain, and every figure worked out again\n", night)
			return nil
		},
	}
	cmd.Flags().StringVar(&date, "date", "", "business date, YYYY-MM-DD (default: yesterday)")
	return cmd
}
