package sql

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lib/pq"
)

// Placement is where the rows of a table are on a database that Citus distributes.
type Placement struct {
	Table string
	On    Place
	// Column names the account whose node has the rows of a table that is on Nodes.
	Column string
}

// Place is what a Placement says of a table.
type Place string

// The places.
const (
	Nodes       Place = "distributed"
	Everywhere  Place = "a reference table"                  // a copy on every node
	Coordinator Place = "on the coordinator, as Citus's own" // nodes are sent what they need of it
	Local       Place = "local"                              // where nothing is distributed, and for what no statement reads together with others
	Otherwise   Place = "distributed in another way"
)

// ByAccount is what nearly all big tables are distributed by, so that what belongs to an account is on one node.
const ByAccount = "account_id"

func (p Placement) String() string {
	if p.Column != "" {
		return string(p.On) + " by " + p.Column
	}
	return string(p.On)
}

// Placements is the layout of the worker's tables.
//
// What grows with jobs and entries of the ledger is distributed: what a night reads of them account by account, where each account stands, and
// the jobs that failed. What grows with purchases, requests and exceptions, Stripe's objects and totals stays on the coordinator, where people and
// reports read it: a copy on every node would have each write wait for all of them, a role that only adds rows could not, and what a night reads
// to write there would be locked against the platform. No foreign key leads from one kind of table to another.
var Placements = slices.Concat(
	placed(Nodes, ByAccount, "account_jobs", "account_ledger", "account_moves", "account_entries", "account_entries_before", "account_positions", "credit_backs", "late_items"),
	placed(Nodes, "id", "spread_ids"),
	placed(Coordinator, "", "runs", "control_totals", "input_totals", "policy_versions", "failure_classes", "rescans", "time_zone", "morning_messages",
		"findings", "candidates", "breaks", "break_events", "break_work", "audit_links", "audit_changes"),
	placed(Coordinator, "", "stripe_accounts", "stripe_activity", "stripe_balance_transactions", "stripe_balances", "stripe_captures", "stripe_cash", "stripe_charges",
		"stripe_disputes", "stripe_invoice_lines", "stripe_invoices", "stripe_late", "stripe_payment_intents", "stripe_payouts", "stripe_refunds",
		"stripe_states", "stripe_subscriptions", "stripe_syncs", "stripe_watermarks", "stripe_checks", "payout_tie_outs"),
	placed(Coordinator, "", "request_matches", "refund_windows", "refund_decisions", "refunded_lots", "notifications",
		"refund_switch", "refund_leases", "refund_plans", "refund_approvals", "refund_trips", "refund_plan_items", "refund_intents", "refund_events"),
	placed(Coordinator, "", "dispute_cases", "platform_states", "subscription_checks", "subscription_positions"),
	placed(Coordinator, "", "booked_purchases", "journal_lines", "book_closings", "ledger_balances", "ledger_before", "liability_split", "liability_steps",
		"night_figures", "publications", "roll_forward", "month_publications", "periods", "period_reviews", "period_acceptances"),
	placed(Everywhere, "", "rejects"),
	placed(Local, "", "schema_migrations"),
)

// PlatformPlacements is the layout of the platform's tables, what others may refer to first. A refund request may have no account, which could not be
// distributed by it anyway.
var PlatformPlacements = slices.Concat(
	placed(Everywhere, "", "accounts", "purchases", "refund_requests", "subscriptions", "subscription_changes"),
	placed(Nodes, ByAccount, "jobs", "credit_entries"),
)

func placed(on Place, column string, tables ...string) (placements []Placement) {
	for _, table := range tables {
		placements = append(placements, Placement{Table: table, On: on, Column: column})
	}
	return placements
}

var (
	//go:embed distribution/facts.sql
	factsText string
	//go:embed distribution/asked.sql
	askedText string
	//go:embed distribution/nodes.sql
	nodesText string
	//go:embed distribution/placements.sql
	placementsText string
	//go:embed distribution/keys.sql
	keysText string
	//go:embed distribution/foreign_keys.sql
	foreignKeysText string
	//go:embed distribution/triggers.sql
	triggersText string
)

// Cluster is what a database with the Citus extension says of itself.
type Cluster struct {
	Version string
	Nodes   []Node
	// IsCoordinator: it was the coordinator that was asked. Any other node takes statements as well, and knows nothing of locks taken elsewhere.
	IsCoordinator    bool
	ReadsSecondaries bool
	LostPlacements   int
	// Placed is every relation of the schemas of the worker and of the platform.
	Placed       []Placed
	sourceSchema string
}

// Node is one server of a Cluster.
type Node struct {
	ID            int64
	Address       string
	IsCoordinator bool
	IsActive      bool
	HoldsShards   bool
}

// Placed is how a relation is distributed.
type Placed struct {
	Schema, Relation string
	Kind             string // as pg_class has it
	On               Place
	Column           string // that it is distributed by
	Colocation       int64  // the same number: rows of one account are on one node; 0: not distributed
	Shards           int
}

func (p Placed) String() string { return Placement{On: p.On, Column: p.Column}.String() }

// is says whether it is placed as it should be.
func (p Placed) is(wanted Placement) bool { return p.On == wanted.On && p.Column == wanted.Column }

// DescribeCluster is nil for a database without the extension.
func DescribeCluster(ctx context.Context, db *sql.DB, sourceSchema string) (*Cluster, error) {
	c := &Cluster{sourceSchema: sourceSchema}
	err := db.QueryRowContext(ctx, "SELECT extversion FROM pg_extension WHERE extname = 'citus'").Scan(&c.Version)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for Citus: %w", err)
	}
	if err := db.QueryRowContext(ctx, factsText).Scan(&c.IsCoordinator, &c.ReadsSecondaries, &c.LostPlacements); err != nil {
		return nil, fmt.Errorf("ask the coordinator: %w", err)
	}
	if err := each(ctx, db, nodesText, nil, func(rows *sql.Rows) error {
		var n Node
		err := rows.Scan(&n.ID, &n.IsCoordinator, &n.Address, &n.IsActive, &n.HoldsShards)
		c.Nodes = append(c.Nodes, n)
		return err
	}); err != nil {
		return nil, fmt.Errorf("list the nodes: %w", err)
	}
	if err := each(ctx, db, placementsText, []any{sourceSchema}, func(rows *sql.Rows) error {
		var p Placed
		err := rows.Scan(&p.Schema, &p.Relation, &p.Kind, &p.On, &p.Column, &p.Colocation, &p.Shards)
		c.Placed = append(c.Placed, p)
		return err
	}); err != nil {
		return nil, fmt.Errorf("look how tables are distributed: %w", err)
	}
	return c, nil
}

func each(ctx context.Context, db *sql.DB, query string, args []any, row func(*sql.Rows) error) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Answer is what a node says of itself to the role that asks.
type Answer struct {
	Address string
	// Problem: it could not be asked.
	Problem   string
	Server    int     // version, as server_version_num
	Clock     float64 // seconds since 1970
	Midnights string  // changes with the instants at which the days of two years begin
	Settings  map[string]string
}

// Ask asks every node, the coordinator first. The worker's statements run on a node with the settings that its role has there.
func Ask(ctx context.Context, db *sql.DB, zone string) (answers []Answer, err error) {
	err = each(ctx, db, askedText, []any{zone}, func(rows *sql.Rows) error {
		var a Answer
		var answered bool
		var said string
		if err := rows.Scan(&a.Address, &answered, &said); err != nil {
			return err
		}
		if !answered {
			a.Problem = said
		} else if err := json.Unmarshal([]byte(said), &a); err != nil {
			return fmt.Errorf("%s: %w", a.Address, err)
		}
		answers = append(answers, a)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask the nodes: %w", err)
	}
	return answers, nil
}

const ourSchema = "reconciler"

// Find is how a relation is placed.
func (c *Cluster) Find(schema, relation string) (Placed, bool) {
	i := slices.IndexFunc(c.Placed, func(p Placed) bool { return p.Schema == schema && p.Relation == relation })
	if i < 0 {
		return Placed{}, false
	}
	return c.Placed[i], true
}

// IsDistributed says whether anything of the worker's or the platform's is.
func (c *Cluster) IsDistributed() bool {
	return slices.ContainsFunc(c.Placed, func(p Placed) bool { return p.On != Local })
}

// Misplaced are the tables of one side that are not where the layout has them. Relations of the platform that are views are judged by nobody
// but their owner.
func (c *Cluster) misplaced(schema string, layout []Placement) (local []Placement, otherwise []Placed) {
	for _, wanted := range layout {
		p, ok := c.Find(schema, wanted.Table)
		switch {
		case !ok || p.is(wanted) || p.Kind == "v":
		case p.On == Local:
			local = append(local, wanted)
		default:
			otherwise = append(otherwise, p)
		}
	}
	return local, otherwise
}

// MisplacedOurs are the worker's tables that are not where the layout has them: those that are still to be distributed, and those that somebody
// has distributed in another way.
func (c *Cluster) MisplacedOurs() (local []Placement, otherwise []Placed) {
	return c.misplaced(ourSchema, Placements)
}

// MisplacedPlatform is the same of the platform's.
func (c *Cluster) MisplacedPlatform() (local []Placement, otherwise []Placed) {
	return c.misplaced(c.sourceSchema, PlatformPlacements)
}

// shards is how many parts a distributed table has: as many as those that are distributed already, or it would not be on the same nodes.
func (c *Cluster) shards() string {
	for _, layout := range []struct {
		schema string
		tables []Placement
	}{{c.sourceSchema, PlatformPlacements}, {ourSchema, Placements}} {
		for _, wanted := range layout.tables {
			if p, ok := c.Find(layout.schema, wanted.Table); ok && wanted.Column != "" && p.is(wanted) {
				return fmt.Sprintf(", shard_count => %d", p.Shards)
			}
		}
	}
	return ""
}

// place is the statement that places a table.
func (c *Cluster) place(schema string, p Placement) string {
	name := pq.QuoteLiteral(pq.QuoteIdentifier(schema) + "." + pq.QuoteIdentifier(p.Table))
	switch p.On {
	case Everywhere:
		return "SELECT create_reference_table(" + name + ")"
	case Coordinator: // with what foreign keys connect it to, so that it may be there already
		return "SELECT citus_add_local_table_to_metadata(" + name + ", cascade_via_foreign_keys => true)" +
			" WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = " + name + "::regclass)"
	default:
		return "SELECT create_distributed_table(" + name + ", " + pq.QuoteLiteral(p.Column) + c.shards() + ")"
	}
}

// OursToPlace is what places those of the worker's tables that are not placed yet, one statement each.
func (c *Cluster) OursToPlace() (statements []string) {
	local, _ := c.MisplacedOurs()
	for _, p := range local {
		statements = append(statements, c.place(ourSchema, p))
	}
	return statements
}

// Distribute places those of the worker's tables that are not placed yet, all or none, as the schema's owner.
func (c *Cluster) Distribute(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	for _, statement := range c.OursToPlace() {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return tx.Commit()
}

// DistributeAll places the tables of both sides, for who owns all of them, and nothing in a database without the extension.
func DistributeAll(ctx context.Context, db *sql.DB, sourceSchema string) error {
	c, err := DescribeCluster(ctx, db, sourceSchema)
	if err != nil || c == nil {
		return err
	}
	if err := c.Distribute(ctx, db); err != nil {
		return err
	}
	if c, err = DescribeCluster(ctx, db, sourceSchema); err != nil {
		return err
	}
	return c.DistributePlatform(ctx, db)
}

// DistributePlatform runs PlatformToPlace, as the owner of the platform's tables.
func (c *Cluster) DistributePlatform(ctx context.Context, db *sql.DB) error {
	statements, err := c.PlatformToPlace(ctx, db)
	if err != nil {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, statement := range statements {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// key is a unique key of a table of the platform's.
type key struct {
	relation, name          string
	isConstraint, isPrimary bool
	where                   string
	columns                 []string
}

// foreignKey begins or ends at a table of the platform's, or both.
type foreignKey struct {
	referring, name, definition string
	relation, referred          string // empty: of another schema
	columns, referredColumns    []string
}

// within says where the rows are that Citus finds for the key: with each copy of a table that every node has, or within an account. What leads into a table
// otherwise can't be had.
func (k foreignKey) within() (on Place, possible bool) {
	place := func(relation string) Place {
		i := slices.IndexFunc(PlatformPlacements, func(p Placement) bool { return p.Table == relation })
		if i < 0 {
			return Local
		}
		return PlatformPlacements[i].On
	}
	switch place(k.referred) {
	case Everywhere:
		return Everywhere, true
	case Nodes:
		at := slices.Index(k.columns, ByAccount)
		return Nodes, place(k.relation) == Nodes && at >= 0 && k.referredColumns[at] == ByAccount
	default:
		return Local, place(k.relation) != Nodes
	}
}

// PlatformToPlace is what the owner of the platform's tables runs to place those that are not placed yet. Every unique key has to contain the
// column that its table is distributed by, and so does every foreign key into one.
func (c *Cluster) PlatformToPlace(ctx context.Context, db *sql.DB) (statements []string, err error) {
	local, _ := c.MisplacedPlatform()
	if len(local) == 0 {
		return nil, nil
	}
	var keys []key
	if err := each(ctx, db, keysText, []any{c.sourceSchema}, func(rows *sql.Rows) error {
		var k key
		err := rows.Scan(&k.relation, &k.name, &k.isConstraint, &k.isPrimary, &k.where, pq.Array(&k.columns))
		keys = append(keys, k)
		return err
	}); err != nil {
		return nil, fmt.Errorf("look at the platform's keys: %w", err)
	}
	statements = append(statements, "BEGIN")
	var addedAgain []string
	if err := each(ctx, db, foreignKeysText, []any{c.sourceSchema}, func(rows *sql.Rows) error {
		var k foreignKey
		err := rows.Scan(&k.referring, &k.name, &k.relation, &k.referred, &k.definition, pq.Array(&k.columns), pq.Array(&k.referredColumns))
		constraint := "ALTER TABLE " + k.referring + " %s CONSTRAINT " + pq.QuoteIdentifier(k.name)
		on, possible := k.within()
		if possible && on == Nodes { // where the other table is placed later, it would lead out of the nodes
			addedAgain = append(addedAgain, fmt.Sprintf(constraint, "ADD")+" "+k.definition)
		}
		if !possible {
			statements = append(statements, "-- Given up, as no node can hold to it: "+k.definition+". Within an account, with "+ByAccount+" on both sides, it can be had.")
		}
		if !possible || on == Nodes {
			statements = append(statements, fmt.Sprintf(constraint, "DROP"))
		}
		return err
	}); err != nil {
		return nil, fmt.Errorf("look at the platform's foreign keys: %w", err)
	}
	triggered := map[string]bool{}
	if err := each(ctx, db, triggersText, []any{c.sourceSchema}, func(rows *sql.Rows) error {
		var relation string
		err := rows.Scan(&relation)
		triggered[relation] = true
		return err
	}); err != nil {
		return nil, fmt.Errorf("look at the platform's triggers: %w", err)
	}
	mayTrigger := false
	for _, p := range local {
		if p.Column != "" { // who prints this may not read whether there are any
			statements = append(statements, fmt.Sprintf("-- %s.%s is not placed with a row whose %s is NULL: give each an account first, or '', which nights reject alike",
				c.sourceSchema, p.Table, p.Column))
		}
		for _, k := range keys {
			if k.relation == p.Table && p.Column != "" && !slices.Contains(k.columns, p.Column) {
				statements = append(statements, k.widened(c.sourceSchema, p.Column)...)
			}
		}
		if triggered[p.Table] && !mayTrigger {
			mayTrigger = true
			statements = append(statements, "SET LOCAL citus.enable_unsafe_triggers = on")
		}
		statements = append(statements, c.place(c.sourceSchema, p))
	}
	return slices.Concat(statements, addedAgain, []string{"COMMIT"}), nil
}

// widened is what makes the key contain a column. What is looked up by the key without it gets an index of its own.
func (k key) widened(schema, column string) (statements []string) {
	table := pq.QuoteIdentifier(schema) + "." + pq.QuoteIdentifier(k.relation)
	columns := "(" + strings.Join(append([]string{column}, k.columns...), ", ") + ")"
	where := ""
	if k.where != "" {
		where = " WHERE " + k.where
	}
	switch drop := "ALTER TABLE " + table + " DROP CONSTRAINT " + pq.QuoteIdentifier(k.name); {
	case k.isPrimary:
		statements = []string{drop, "ALTER TABLE " + table + " ADD PRIMARY KEY " + columns}
	case k.isConstraint:
		statements = []string{drop, "ALTER TABLE " + table + " ADD UNIQUE " + columns}
	default:
		statements = []string{"DROP INDEX " + pq.QuoteIdentifier(schema) + "." + pq.QuoteIdentifier(k.name), "CREATE UNIQUE INDEX ON " + table + " " + columns + where}
	}
	relation := SourceRelations[slices.IndexFunc(SourceRelations, func(r SourceRelation) bool { return r.Name == k.relation })]
	if slices.ContainsFunc(relation.Indexes, func(i SourceIndex) bool { return i.Column == k.columns[0] && i.Where == "" }) {
		statements = append(statements, "CREATE INDEX ON "+table+" ("+strings.Join(k.columns, ", ")+")"+where)
	}
	return statements
}
