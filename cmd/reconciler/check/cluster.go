package check

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql"
)

// distribution looks at what Citus adds to a database, where it is there: whether tables are where the statements expect them, and whether all nodes
// read texts and times alike. What a session sets of Citus's own settings the worker's sessions begin with.
func (c *checkup) distribution(ctx context.Context, store *postgres.Store, schemaIsCurrent bool) {
	const check = "cluster"
	cluster, err := sql.DescribeCluster(ctx, store.DB(), store.SourceSchema())
	if err != nil {
		c.failed(check, postgres.Classed("look at the cluster", err))
		return
	}
	if cluster == nil {
		return
	}
	if !cluster.IsCoordinator {
		c.add(check, Failed, "point DATABASE_URL at the coordinator", "this server is a node of a Citus cluster, and no lock that is taken on it is known to another")
		return
	}
	if !cluster.IsDistributed() {
		c.add(check, Warning, distributeFirst+", or: DROP EXTENSION citus", "the database has Citus %s, and nothing in it is distributed", cluster.Version)
		return
	}
	c.cluster = cluster
	if !c.nodesServe(ctx, store, cluster) || !schemaIsCurrent {
		return
	}
	local, otherwise := cluster.MisplacedOurs()
	for _, p := range local {
		otherwise = append(otherwise, sql.Placed{Schema: "reconciler", Relation: p.Table, On: sql.Local})
	}
	if len(otherwise) > 0 {
		c.add(check, Failed, distributeFirst, "%s", Misplaced(otherwise))
		return
	}
	local, otherwise = cluster.MisplacedPlatform()
	for _, p := range local {
		otherwise = append(otherwise, sql.Placed{Schema: store.SourceSchema(), Relation: p.Table, On: sql.Local})
	}
	if len(otherwise) > 0 {
		c.add(check, Failed, "the owner of the platform's tables runs what this prints: reconciler distribute --dry-run", "%s", Misplaced(otherwise))
		return
	}
	first, apart := sql.Placed{}, []string{}
	distributed := 0
	for _, p := range cluster.Placed {
		switch {
		case p.On != sql.Nodes || p.Column != sql.ByAccount:
		case distributed == 0:
			first, distributed = p, 1
		default:
			distributed++
			if p.Colocation != first.Colocation {
				apart = append(apart, p.Schema+"."+p.Relation)
			}
		}
	}
	if len(apart) > 0 {
		c.add(check, Failed, fmt.Sprintf("SELECT update_distributed_table_colocation('%s', colocate_with => '%s.%s') for each; where numbers of shards differ, alter_distributed_table with shard_count first",
			apart[0], first.Schema, first.Relation), "rows of one account are on different nodes: %s", cli.FirstOf(apart))
		return
	}
	c.add(check, OK, "", "Citus %s on %s: %s distributed by account in %s", cluster.Version, cli.Counted(len(cluster.Nodes), "node"),
		cli.Counted(distributed, "table"), cli.Counted(first.Shards, "shard"))
}

// Misplaced says where tables are that are not where the statements expect them.
func Misplaced(tables []sql.Placed) string {
	var said []string
	for _, p := range tables {
		said = append(said, fmt.Sprintf("%s.%s is %s", p.Schema, p.Relation, p))
	}
	return cli.FirstOf(said)
}

// utcNames are what servers call the one time zone that all of the worker's sessions have.
var utcNames = []string{"UTC", "Etc/UTC", "GMT", "Etc/GMT", "UCT", "Etc/UCT", "Zulu", "Etc/Zulu", "Universal", "Etc/Universal"}

// nodeSettings is how texts are read and written, as sessions of the worker have it on the coordinator: their settings don't reach the nodes, those
// of the role do.
var nodeSettings = map[string]string{
	"datestyle": "ISO, MDY", "intervalstyle": "postgres", "bytea_output": "hex", "extra_float_digits": "1", "standard_conforming_strings": "on",
	"array_nulls": "on", "transform_null_equals": "off",
}

// nodesServe says whether every node answers, and answers alike.
func (c *checkup) nodesServe(ctx context.Context, store *postgres.Store, cluster *sql.Cluster) (alike bool) {
	const check = "nodes of the cluster"
	if faults := ClusterFaults(cluster); len(faults) > 0 {
		for _, fault := range faults {
			found, fix, _ := strings.Cut(fault, "; fix: ")
			c.add(check, Failed, fix, "%s", found)
		}
		return false
	}
	zone := c.config.Jobs.Zone
	if c.nightsZone != nil {
		zone = c.nightsZone
	}
	asked := time.Now()
	answers, err := sql.Ask(ctx, store.DB(), zone.String())
	if err != nil {
		c.failed(check, postgres.Classed("ask the nodes", err))
		return false
	}
	before, clocksDiffer := len(c.lines), false
	for _, a := range answers {
		if a.Problem != "" {
			c.lines = append(c.lines, Line{Check: check, Result: Failed, Found: fmt.Sprintf("out of reach: %s: %s", a.Address, a.Problem),
				Fix: "bring it back; nights are retried until then. The coordinator logs in to the nodes as the worker's role: pg_hba.conf there, pg_dist_authinfo or a .pgpass here", Retry: true})
			continue
		}
		set := func(name, value, why string) {
			c.add(check, Failed, fmt.Sprintf("ALTER ROLE … SET %s = '%s', on the coordinator, which tells the nodes", name, value), "%s has %s %s for this role%s", a.Address, name, a.Settings[name], why)
		}
		if !slices.Contains(utcNames, a.Settings["timezone"]) {
			set("timezone", "UTC", ": it writes times with other texts")
		}
		for _, name := range slices.Sorted(maps.Keys(nodeSettings)) {
			if a.Settings[name] != nodeSettings[name] {
				set(name, nodeSettings[name], "")
			}
		}
		if a.Settings["synchronous_commit"] == "off" {
			set("synchronous_commit", "on", ": a crash would undo what is committed")
		}
		if a.Settings["statement_timeout"] != "0" {
			c.add(check, Warning, "ALTER ROLE … SET statement_timeout = 0", "%s ends statements after %s ms: RECONCILER_STATEMENT_TIMEOUT_SECONDS does not reach it", a.Address, a.Settings["statement_timeout"])
		}
		if a.Midnights != answers[0].Midnights {
			c.add(check, Failed, "update whichever server's time zone data is older", "%s and %s have days of %s begin at different instants", answers[0].Address, a.Address, zone)
		}
		if a.Server/10000 != answers[0].Server/10000 {
			c.add(check, Failed, "have the same major version on all nodes", "%s is PostgreSQL %d, %s is %d", answers[0].Address, answers[0].Server/10000, a.Address, a.Server/10000)
		}
		if skew := time.Unix(0, int64(a.Clock*1e9)).Sub(asked).Round(time.Second); !clocksDiffer && skew.Abs() > maxClockSkew+time.Since(asked) {
			clocksDiffer = true
			c.add(check, Warning, "run NTP on all machines", "%s's clock is %s off this machine's", a.Address, skew)
		}
	}
	alike = !slices.ContainsFunc(c.lines[before:], func(line Line) bool { return line.Result == Failed })
	if len(c.lines) == before {
		c.add(check, OK, "", "%s answer, with the same time zone data and settings", cli.Counted(len(answers), "node"))
	}
	return alike
}

// isByAccount says whether a relation of the platform's is distributed by account_id, so that no key of it can be unique without that.
func (c *checkup) isByAccount(relation string) bool {
	if c.cluster == nil {
		return false
	}
	p, ok := c.cluster.Find(c.config.SourceSchema, relation)
	return ok && p.Column == sql.ByAccount
}

// uniquePerAccount says what guards a relation whose keys are unique for each account only.
func (c *checkup) uniquePerAccount(relation, table string, keyIsUnique bool) {
	const fix = "nothing the worker needs, where the platform makes ids that are unique by themselves, such as UUIDs"
	if relation != "credit_entries" {
		c.add("indexes", Warning, fix, "%s.id is unique for each account only: every night searches it for an id that two accounts have, and is refused while there is one", relation)
		return
	}
	if !keyIsUnique {
		c.add("indexes", Failed, fmt.Sprintf("CREATE UNIQUE INDEX CONCURRENTLY ON %s (account_id, idempotency_key)", table), "credit_entries.idempotency_key is not even unique for each account: the ledger itself would accept a credit-back twice")
		return
	}
	c.add("indexes", Warning, fix, "credit_entries.id and idempotency_key are unique for each account only: the ledger refuses one account the worker's entry a second time. "+
		"What keeps a job from being credited on two accounts is that a night is refused while an id is on two of them, what was credited before, and the lock of the nights")
}

// ClusterFaults is what has to be put right before tables can be placed, each with its fix.
func ClusterFaults(cluster *sql.Cluster) (faults []string) {
	if !cluster.IsCoordinator {
		return []string{"this server is a node of a Citus cluster, and not its coordinator; fix: point DATABASE_URL at the coordinator"}
	}
	if cluster.ReadsSecondaries {
		faults = append(faults, "citus.use_secondary_nodes is always, so that what was just written may not be read; fix: set citus.use_secondary_nodes = never, in the coordinator's postgresql.conf or the URL's options: a session can't")
	}
	if cluster.LostPlacements > 0 {
		faults = append(faults, fmt.Sprintf("%s of tables out of use; fix: SELECT * FROM pg_dist_shard_placement WHERE shardstate <> 1 names them, and citus_copy_shard_placement() copies them from where they are", cli.Counted(cluster.LostPlacements, "part")))
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
