package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/cmd/reconciler/check"
	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/wiring"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql"
)

func newMigrateCommand(s *cli.Settings) *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the reconciler schema up to date",
		Long: `migrate creates or updates the worker's own schema, "reconciler". It touches nothing else, goes forward only, and
may be started several times at once. A schema newer than this binary is refused.`,
		Example: "  reconciler migrate",
		Args:    cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return wiring.WithStore(cmd, s, func(_ cli.Config, store *postgres.Store) error {
				if err := check.RefusePooler(cmd.Context(), store); err != nil {
					return err
				}
				if err := check.Writable(cmd.Context(), store); err != nil {
					return err
				}
				applied, err := sql.Migrate(cmd.Context(), store.DB())
				switch err = postgres.Classed("bring the schema up to date", err); {
				case errors.Is(err, postgres.ErrSetup):
					return cli.UsageError("%w (the schema belongs to reconciler_owner, and that is the role to migrate with)", err)
				case err != nil:
					return err
				}
				if applied == 0 {
					fmt.Fprintln(cmd.OutOrStdout(), "schema reconciler is up to date")
				} else {
					fmt.Fprintf(cmd.OutOrStdout(), "schema reconciler: %d migrations applied\n", applied)
				}
				return nil
			})
		},
	}
}
