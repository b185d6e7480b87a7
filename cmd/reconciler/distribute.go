package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/cmd/reconciler/check"
	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/wiring"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql"
)

func newDistributeCommand(s *cli.Settings) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "distribute",
		Short: "Spread the tables over the nodes of a Citus cluster",
		Long: `distribute places the worker's tables on the nodes of a Citus cluster: what grows with jobs and the ledger is distributed by account_id, all
else stays on the coordinator, made known to Citus. It places what migrate has made, so run it after migrate, and again after each later one; what is placed
already stays as it is. No night may be at work meanwhile: distributing locks the tables.

The platform's tables are their owner's: the statements that place them are printed, and left to the owner to run. Their unique keys have to
contain account_id then, so that the same id can be there on two accounts; what guards the ledger then is said by check.

One PostgreSQL server needs none of this, and is refused.`,
		Example: `  reconciler distribute --dry-run
  reconciler distribute`,
		Args: cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return wiring.WithStore(cmd, s, func(_ cli.Config, store *postgres.Store) error {
				return distribute(cmd.Context(), cmd.OutOrStdout(), store, dryRun)
			})
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print the statements, and run none")
	return cmd
}

func distribute(ctx context.Context, out io.Writer, store *postgres.Store, dryRun bool) error {
	if err := check.Schema(ctx, store); err != nil {
		return err
	}
	cluster, err := sql.DescribeCluster(ctx, store.DB(), store.SourceSchema())
	if err != nil {
		return postgres.Classed("look at the cluster", err)
	}
	if cluster == nil {
		return cli.UsageError("the database has no extension citus: on one server there is nothing to distribute (a superuser makes it, on every node: CREATE EXTENSION citus)")
	}
	if faults := check.ClusterFaults(cluster); len(faults) > 0 {
		return cli.UsageError("nothing was distributed\n%s", strings.Join(faults, "\n"))
	}
	if _, otherwise := cluster.MisplacedOurs(); len(otherwise) > 0 {
		return cli.UsageError("nothing was distributed: %s\nundistribute each as its owner, then distribute again: SELECT undistribute_table('%s.%s', cascade_via_foreign_keys => true)",
			check.Misplaced(otherwise), otherwise[0].Schema, otherwise[0].Relation)
	}
	ours := cluster.OursToPlace()
	if dryRun {
		for _, statement := range ours {
			fmt.Fprintln(out, statement+";")
		}
	} else {
		if err := check.Writable(ctx, store); err != nil {
			return err
		}
		switch err := postgres.Classed("distribute", cluster.Distribute(ctx, store.DB())); {
		case errors.Is(err, postgres.ErrSetup):
			return cli.UsageError("%w (the tables belong to reconciler_owner, and that is the role to distribute with)", err)
		case err != nil:
			return err
		}
		fmt.Fprintf(out, "schema reconciler: %s placed on %s, %d were\n", cli.Counted(len(ours), "table"), cli.Counted(len(cluster.Nodes), "node"), len(sql.Placements)-len(ours))
		// What the platform's are to be placed like is there now.
		if cluster, err = sql.DescribeCluster(ctx, store.DB(), store.SourceSchema()); err != nil {
			return postgres.Classed("look at the cluster", err)
		}
	}
	statements, err := cluster.PlatformToPlace(ctx, store.DB())
	if err != nil {
		return postgres.Classed("look at the platform", err)
	}
	if len(statements) > 0 {
		fmt.Fprintf(out, "-- For the owner of schema %s, while nobody writes to it:\n%s;\n", store.SourceSchema(), strings.Join(statements, ";\n"))
	}
	return nil
}
