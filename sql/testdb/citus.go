package testdb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"sync"
	"time"

	"github.com/lib/pq"

	reconcilersql "github.com/hummingbytes/reconciler/sql"
)

// CitusVariable names the environment variable that has the whole suite run distributed: the URL, as a superuser, of a database of a Citus cluster's
// coordinator that has the extension and knows its nodes. Each test's database is made on all these nodes, reached by the same user.
const CitusVariable = "RECONCILER_TEST_CITUS_URL"

// testShards is how many parts a distributed table has: few, as making them is most of what a database costs.
const testShards = "4"

// Distributed says whether the database is on the nodes of a Citus cluster.
func (db *DB) Distributed() bool { return db.distributed }

var tableUse = regexp.MustCompile(`\b(platform|reconciler)\.([a-z_]+)(\s+(?:AS )?[a-z_]+\b)?`)

// Gathered has a query look at all rows of each table together, wherever they are: one that a test compares a night with, with joins that
// Citus does not take from nodes. On one server it is the query as it was.
func (db *DB) Gathered(query string) string {
	if !db.distributed {
		return query
	}
	return tableUse.ReplaceAllStringFunc(query, func(use string) string {
		parts := tableUse.FindStringSubmatch(use)
		table, alias := parts[1]+"."+parts[2], parts[3]
		if alias == "" {
			alias = " " + parts[2]
		}
		return "(SELECT * FROM " + table + " OFFSET 0)" + alias
	})
}

// cluster is the nodes that databases are made on, the coordinator first.
type cluster struct {
	nodes []*node
}

type node struct {
	address func(role, database string) string
	admin   *sql.DB
	host    string
	port    int
}

// openCluster reaches all nodes that the coordinator's database knows.
func openCluster(ctx context.Context, given *url.URL) (c *cluster, err error) {
	c = &cluster{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	known, err := reach(ctx, given.String())
	if err != nil {
		return c, err
	}
	defer known.Close()
	rows, err := known.QueryContext(ctx, "SELECT nodename, nodeport FROM pg_dist_node WHERE noderole = 'primary' ORDER BY groupid <> 0, nodeid")
	if err != nil {
		return c, fmt.Errorf("%s: list the nodes: %w", CitusVariable, err)
	}
	defer rows.Close()
	for rows.Next() {
		n := &node{}
		if err := rows.Scan(&n.host, &n.port); err != nil {
			return c, err
		}
		at := *given
		if len(c.nodes) > 0 { // the coordinator is reached as it was given
			at.Host = fmt.Sprintf("%s:%d", n.host, n.port)
		}
		n.address = addresses(&at, "-c citus.enforce_foreign_key_restrictions=off -c citus.shard_count="+testShards)
		c.nodes = append(c.nodes, n)
	}
	if err := rows.Err(); err != nil {
		return c, err
	}
	if len(c.nodes) == 0 {
		return c, fmt.Errorf("%s: the database knows no nodes: SELECT citus_set_coordinator_host(…), citus_add_node(…)", CitusVariable)
	}
	for _, n := range c.nodes {
		if n.admin, err = reach(ctx, n.address(Administrator, "postgres")); err != nil {
			return c, fmt.Errorf("%s:%d: %w", n.host, n.port, err)
		}
	}
	return c, nil
}

func (c *cluster) close() (err error) {
	for _, n := range c.nodes {
		if n.admin != nil {
			err = errors.Join(err, n.admin.Close())
		}
	}
	return err
}

// onAll runs a statement about a database on all nodes, each for itself: Citus would not clone one.
func (c *cluster) onAll(ctx context.Context, statement string) error {
	failures := make([]error, len(c.nodes))
	var all sync.WaitGroup
	for i, n := range c.nodes {
		all.Go(func() {
			conn, err := n.admin.Conn(ctx)
			if err != nil {
				failures[i] = err
				return
			}
			defer conn.Close()
			if _, err := conn.ExecContext(ctx, "SET citus.enable_create_database_propagation = off"); err != nil {
				failures[i] = err
				return
			}
			_, failures[i] = conn.ExecContext(ctx, statement)
		})
	}
	all.Wait()
	return errors.Join(failures...)
}

// join makes a database that is there on all nodes one of the cluster's.
func (c *cluster) join(ctx context.Context, database string) error {
	for _, n := range c.nodes {
		if err := once(n.address(Administrator, database), func(db *sql.DB) error {
			_, err := db.ExecContext(ctx, "CREATE EXTENSION citus")
			return err
		}); err != nil {
			return fmt.Errorf("extension on %s:%d: %w", n.host, n.port, err)
		}
	}
	return once(c.nodes[0].address(Administrator, database), func(db *sql.DB) error {
		if _, err := db.ExecContext(ctx, "SELECT citus_set_coordinator_host($1, $2)", c.nodes[0].host, c.nodes[0].port); err != nil {
			return err
		}
		for _, n := range c.nodes[1:] {
			if _, err := db.ExecContext(ctx, "SELECT citus_add_node($1, $2)", n.host, n.port); err != nil {
				return err
			}
		}
		if len(c.nodes) == 1 {
			_, err := db.ExecContext(ctx, "SELECT citus_set_node_property($1, $2, 'shouldhaveshards', true)", c.nodes[0].host, c.nodes[0].port)
			return err
		}
		return nil
	})
}

// template makes a database that others are cloned from, or finds that of another test process: a cluster's takes some time to prepare. What it
// is made of is part of its name; one that takes no connections is finished. Like all databases of tests it is dropped once nobody needs it.
func (c *cluster) template(ctx context.Context, kind, content string, prepare func(database string) error) (name string, err error) {
	sum := sha256.Sum256([]byte(content))
	name = fmt.Sprintf("%s%s_%s_%x", sharedPrefix, time.Now().UTC().Format(dateLayout), kind, sum[:6])
	coordinator := c.nodes[0].admin
	turn, err := coordinator.Conn(ctx)
	if err != nil {
		return "", err
	}
	defer turn.Close()
	if _, err := turn.ExecContext(ctx, "SELECT pg_advisory_lock(hashtextextended($1, 0))", name); err != nil {
		return "", err
	}
	defer turn.ExecContext(ctx, "SELECT pg_advisory_unlock(hashtextextended($1, 0))", name)
	var open bool
	switch err := turn.QueryRowContext(ctx, "SELECT datallowconn FROM pg_database WHERE datname = $1", name).Scan(&open); {
	case err == nil && !open:
		return name, nil
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return "", err
	}
	quoted := pq.QuoteIdentifier(name)
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + quoted + " WITH (FORCE)", "CREATE DATABASE " + quoted} {
		if err := c.onAll(ctx, statement); err != nil {
			return "", err
		}
	}
	if err := c.onAll(ctx, rolesEverywhere); err != nil {
		return "", err
	}
	if err := c.join(ctx, name); err != nil {
		return "", err
	}
	if err := prepare(name); err != nil {
		return "", err
	}
	return name, c.leave(ctx, name)
}

// rolesEverywhere makes the roles on a node before roles.sql does: where the coordinator has them from a database without the extension, the other
// nodes don't.
const rolesEverywhere = `DO $$
DECLARE role text;
BEGIN
	FOREACH role IN ARRAY ARRAY['reconciler_owner', 'reconciler_app', 'reconciler_readonly', 'reconciler_approver'] LOOP
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
			EXECUTE format('CREATE ROLE %I LOGIN', role);
		END IF;
	END LOOP;
END
$$`

// leave has nobody connected to a database that others are cloned from: Citus keeps a session in each of its own.
func (c *cluster) leave(ctx context.Context, database string) error {
	for _, nodes := range [][]*node{c.nodes[1:], c.nodes[:1]} { // the coordinator's is the sign for others that it is finished
		if err := (&cluster{nodes}).onAll(ctx, "ALTER DATABASE "+pq.QuoteIdentifier(database)+" ALLOW_CONNECTIONS false"); err != nil {
			return err
		}
	}
	return c.onAll(ctx, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = "+pq.QuoteLiteral(database))
}

// clusterTemplate is how CREATE DATABASE clones a database in a state: on a cluster even an empty one takes a while to make.
func (s *server) clusterTemplate(ctx context.Context, wanted state) (clone string, err error) {
	made, err := reconcilersql.SchemaFingerprint()
	if err != nil {
		return "", err
	}
	name, err := s.cluster.template(ctx, string(wanted), made+testShards, func(database string) error {
		urlOf := func(role string) string { return s.address(role, database) }
		if err := s.bring(ctx, wanted, urlOf); err != nil {
			return err
		}
		switch wanted {
		case migrated:
			return distribute(ctx, urlOf)
		case equipped:
			return distributePlatform(ctx, urlOf)
		default:
			return nil
		}
	})
	if err != nil {
		return "", fmt.Errorf("make the template on the cluster: %w", err)
	}
	return " TEMPLATE " + pq.QuoteIdentifier(name), nil
}

// distribute places the worker's and the platform's tables on the nodes, as their owners do.
func distribute(ctx context.Context, urlOf func(role string) string) error {
	if err := once(urlOf(reconcilersql.OwnerRole), func(db *sql.DB) error {
		described, err := reconcilersql.DescribeCluster(ctx, db, reconcilersql.DefaultSourceSchema)
		if err != nil {
			return err
		}
		return described.Distribute(ctx, db)
	}); err != nil {
		return fmt.Errorf("distribute the worker's tables: %w", err)
	}
	return distributePlatform(ctx, urlOf)
}

func distributePlatform(ctx context.Context, urlOf func(role string) string) error {
	return once(urlOf(Administrator), func(db *sql.DB) error {
		described, err := reconcilersql.DescribeCluster(ctx, db, reconcilersql.DefaultSourceSchema)
		if err != nil {
			return err
		}
		return described.DistributePlatform(ctx, db)
	})
}
