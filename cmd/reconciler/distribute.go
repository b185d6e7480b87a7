package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql"
)

func init() { commands = append(commands, newDistributeCommand) }

func newDistributeCommand(s *settings) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "distribute",
		Short: "Spread the tables over the nodes of a Citus cluster",
		Long: `distribute places the worker's tables on the nodes of a Citus cluster: what grows with jobs and the ledger is distributed by account_id, all
else is a reference table, a copy on every node. It places what migrate has made, so run it after migrate, and again after each later one; what is placed
already stays as it is. No night may be at work meanwhile: distributing locks the tables.

The platform's tables are their owner's: the statements that place them are printed, and left to the owner to run. Their unique keys have to
contain account_id then, so that the same id can be there on two accounts; what guards the ledger then is said by check.

One PostgreSQL server needs none of this, and is refused.`,
		Example: `  reconciler distribute --dry-run
  reconciler distribute`,
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
			return distribute(cmd.Context(), cmd.OutOrStdout(), store, dryRun)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print the statements, and run none")
	return cmd
}

// distributeFirst is the fix of tables that are not where the statements expect them.
const distributeFirst = "run: reconciler distribute, with the URL of the schema's owner"

func distribute(ctx context.Context, out io.Writer, store *postgres.Store, dryRun bool) error {
	if err := checkSchema(ctx, store); err != nil {
		return err
	}
	cluster, err := sql.DescribeCluster(ctx, store.DB(), store.SourceSchema())
	if err != nil {
		return postgres.Classed("look at the cluster", err)
	}
	if cluster == nil {
		return usageError("the database has no extension citus: on one server there is nothing to distribute (a superuser makes it, on every node: CREATE EXTENSION citus)")
	}
	if faults := clusterFaults(cluster); len(faults) > 0 {
		return usageError("nothing was distributed\n%s", strings.Join(faults, "\n"))
	}
	if _, otherwise := cluster.MisplacedOurs(); len(otherwise) > 0 {
		return usageError("nothing was distributed: %s\nundistribute each as its owner, then distribute again: SELECT undistribute_table('%s.%s', cascade_via_foreign_keys => true)",
			misplaced(otherwise), otherwise[0].Schema, otherwise[0].Relation)
	}
	ours := cluster.OursToPlace()
	if dryRun {
		for _, statement := range ours {
			fmt.Fprintln(out, statement+";")
		}
	} else {
		if err := checkWritable(ctx, store); err != nil {
			return err
		}
		switch err := postgres.Classed("distribute", cluster.Distribute(ctx, store.DB())); {
		case errors.Is(err, postgres.ErrSetup):
			return usageError("%w (the tables belong to reconciler_owner, and that is the role to distribute with)", err)
		case err != nil:
			return err
		}
		fmt.Fprintf(out, "schema reconciler: %s placed on %s, %d were\n", counted(len(ours), "table"), counted(len(cluster.Nodes), "node"), len(sql.Placements)-len(ours))
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

// clusterFaults is what has to be put right before tables can be placed, each with its fix.
func clusterFaults(cluster *sql.Cluster) (faults []string) {
	if !cluster.IsCoordinator {
		return []string{"this server is a node of a Citus cluster, and not its coordinator; fix: point DATABASE_URL at the coordinator"}
	}
	if cluster.ReadsSecondaries {
		faults = append(faults, "citus.use_secondary_nodes is always, so that what was just written may not be read; fix: ALTER DATABASE … SET citus.use_secondary_nodes = never")
	}
	if cluster.LostPlacements > 0 {
		faults = append(faults, fmt.Sprintf("%s of tables out of use; fix: SELECT * FROM pg_dist_shard_placement WHERE shardstate <> 1 names them, and citus_copy_shard_placement() copies them from where they are", counted(cluster.LostPlacements, "part")))
	}
	coordinator, holders := false, 0
	for _, node := range cluster.Nodes {
		coordinator = coordinator || node.IsCoordinator
		if node.HoldsShards {
			holders++
		}
		if !node.IsActive {
			faults = append(faults, fmt.Sprintf("the node %s is not active; fix: SELECT citus_activate_node('%s')", node.Address, strings.Replace(node.Address, ":", "', ", 1)))
		}
	}
	if !coordinator {
		faults = append(faults, "the coordinator is no node of its own cluster, so reference tables would not be on it; fix, as a superuser on the coordinator: SELECT citus_set_coordinator_host('its name as the nodes know it')")
	}
	if holders == 0 {
		faults = append(faults, "no node holds shards; fix, as a superuser on the coordinator: SELECT citus_add_node('host', 5432) for each")
	}
	return faults
}
