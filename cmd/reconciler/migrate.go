package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/sql"
)

func init() { commands = append(commands, newMigrateCommand) }

func newMigrateCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the reconciler schema up to date",
		Long: `migrate creates or updates the worker's own schema, "reconciler". It touches nothing else, goes forward only, and
may be started several times at once. A schema newer than this binary is refused.`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			store, err := c.store()
			if err != nil {
				return err
			}
			defer store.Close()
			applied, err := sql.Migrate(cmd.Context(), store.DB())
			if err != nil {
				return err
			}
			if applied == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "schema reconciler is up to date")
			} else {
				fmt.Fprintf(cmd.OutOrStdout(), "schema reconciler: %d migrations applied\n", applied)
			}
			return nil
		},
	}
}
