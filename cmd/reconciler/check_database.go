package main

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql"
)

// serverFacts are what a server says of itself and of the connection.
type serverFacts struct {
	Version             string
	VersionNum          int `db:"version_num"`
	Role                string
	Database            string
	Replica             bool
	ReadOnly            string `db:"read_only"`
	StatementTimeout    string `db:"statement_timeout"`
	TransactionTimeout  string `db:"transaction_timeout"`
	TLS                 bool
	Client              string // its address; empty on a socket
	Superuser           bool
	MayCreateRoles      bool `db:"may_create_roles"`
	BypassesRowSecurity bool `db:"bypasses_row_security"`
	Replicates          bool
	RoleConnections     int `db:"role_connections"` // -1: no limit
	ServerConnections   int `db:"server_connections"`
	Size                string
}

const oldestServer = 14

func (c *checkup) database(ctx context.Context) {
	store, err := c.config.store()
	if err != nil {
		c.add("database", outcomeFailed, "set DATABASE_URL to postgres://user:password@host/database", "%v", err)
		return
	}
	defer store.Close()
	var server serverFacts
	if err := store.Get(ctx, &server, "check/server", postgres.Args{}); err != nil {
		c.unreachable = errors.Is(err, postgres.ErrUnavailable)
		c.add("database", outcomeFailed, databaseFix(err), "%v", err)
		return
	}
	c.add("database", outcomeOK, "", "PostgreSQL %s, database %s of %s, role %s", server.Version, server.Database, server.Size, server.Role)
	c.server(server, store.Verifies())
	c.clock(ctx, store)
	c.zone(ctx, store)
	c.pooling(ctx, store)
	if c.migrations(ctx, store) {
		c.nights(ctx, store)
	}
	c.source(ctx, store)
	c.replica(ctx)
}

// databaseFix is what mends the usual reasons for which there is no connection.
func databaseFix(err error) string {
	var refused *pq.Error
	isRefusal := errors.As(err, &refused)
	text := err.Error()
	switch {
	case isRefusal && strings.Contains(text, "startup parameter"):
		return "a pooler refuses a parameter of the connection: take it out of DATABASE_URL, or name it in PgBouncer's ignore_startup_parameters"
	case isRefusal && refused.Code.Class() == "28":
		return "correct user or password in DATABASE_URL, or the server's pg_hba.conf"
	case isRefusal && refused.Code == "3D000":
		return "correct the database's name in DATABASE_URL"
	case !isRefusal && postgres.SetupFault(err):
		return "see sslmode, sslrootcert, sslcert and sslkey in DATABASE_URL: deploy/README.md has a table of them"
	default:
		return "check host and port, and that the server accepts connections from here"
	}
}

func (c *checkup) server(server serverFacts, verified bool) {
	if server.VersionNum < oldestServer*10000 {
		c.add("database version", outcomeFailed, fmt.Sprintf("use PostgreSQL %d or newer", oldestServer), "%s is too old", server.Version)
	}
	if server.Replica || server.ReadOnly == "on" {
		c.add("writable", outcomeFailed, "point DATABASE_URL at the primary, with a role that may write", "the server takes no writes on this connection")
	}
	switch local := server.Client == "" || server.Client == "127.0.0.1" || server.Client == "::1"; {
	case server.TLS && (verified || local):
		c.add("connection", outcomeOK, "", "encrypted")
	case server.TLS:
		c.add("connection", outcomeWarning, "set sslmode=verify-full in DATABASE_URL, and sslrootcert to the authority's certificate", "encrypted, but anybody could pass for the server: its certificate is not looked at")
	case local:
		c.add("connection", outcomeOK, "", "within this machine")
	default:
		c.add("connection", outcomeWarning, "set sslmode=verify-full in DATABASE_URL", "not encrypted: customers' addresses cross the network in clear")
	}
	var powers []string
	for power, has := range map[string]bool{
		"is a superuser": server.Superuser, "may make roles": server.MayCreateRoles, "bypasses row security": server.BypassesRowSecurity, "may replicate": server.Replicates,
	} {
		if has {
			powers = append(powers, power)
		}
	}
	slices.Sort(powers)
	if len(powers) > 0 {
		c.add("role", outcomeWarning, "use a role with just the rights of sql/roles/roles.sql", "%s %s", server.Role, strings.Join(powers, ", "))
	}
	c.timeouts(server)
	need := c.config.connections
	switch {
	case server.RoleConnections >= 0 && server.RoleConnections < need:
		c.add("connections", outcomeFailed, "ALTER ROLE … CONNECTION LIMIT, or a smaller RECONCILER_DATABASE_CONNECTIONS", "%s may have %d at once, the worker uses up to %d", server.Role, server.RoleConnections, need)
	case server.ServerConnections < 2*need:
		c.add("connections", outcomeWarning, "raise max_connections, or lower RECONCILER_DATABASE_CONNECTIONS", "the worker uses up to %d of the server's %d", need, server.ServerConnections)
	default:
		c.add("connections", outcomeOK, "", "up to %d of the server's %d", need, server.ServerConnections)
	}
}

func (c *checkup) timeouts(server serverFacts) {
	switch {
	case server.TransactionTimeout != "0":
		c.add("time-outs", outcomeWarning, "ALTER ROLE … SET transaction_timeout = 0", "the server ends transactions after %s; a step of a big night is one transaction", server.TransactionTimeout)
	case c.config.statementLimit > 0:
		c.add("time-outs", outcomeOK, "", "a statement may take %s (RECONCILER_STATEMENT_TIMEOUT_SECONDS), whatever the server's own limit", c.config.statementLimit)
	case server.StatementTimeout != "0":
		c.add("time-outs", outcomeWarning, "set RECONCILER_STATEMENT_TIMEOUT_SECONDS, which overrules it", "the server ends statements after %s", server.StatementTimeout)
	default:
		c.add("time-outs", outcomeOK, "", "none: a statement may take for ever")
	}
}

// maxClockSkew is how far the clocks may be apart; as-of decisions don't need them, schedules and logs do.
const maxClockSkew = 5 * time.Second

func (c *checkup) clock(ctx context.Context, store *postgres.Store) {
	var theirs time.Time
	asked := time.Now()
	if err := store.Get(ctx, &theirs, "check/clock", postgres.Args{}); err != nil {
		c.add("clock", outcomeFailed, "see the message", "%v", err)
		return
	}
	c.skew("the database", theirs, asked, time.Now())
}

// skew compares a clock that was asked between two instants with this machine's.
func (c *checkup) skew(whose string, theirs, asked, answered time.Time) {
	skew := theirs.Sub(asked.Add(answered.Sub(asked) / 2)).Round(time.Second)
	if skew.Abs() > maxClockSkew {
		c.add("clock", outcomeWarning, "run NTP on both machines: schedules and the windows of a sync go by their clocks", "%s's clock is %s off this machine's", whose, skew)
		return
	}
	c.add("clock", outcomeOK, "", "within %s of %s's", maxClockSkew, whose)
}

// zone holds the midnights of a year against the server's zone database: both have to agree on what a business date is.
func (c *checkup) zone(ctx context.Context, store *postgres.Store) {
	zone := c.config.jobs.Zone
	const check = "time zone"
	var local []string
	var ours []int64
	for date, days := reconcile.DateOf(time.Now().In(zone)), 0; days < 366; days++ {
		local = append(local, date.String())
		ours = append(ours, reconcile.NightOf(date, zone).Begin.Unix())
		date = date.AddDays(1)
	}
	var theirs []struct{ Instant dbsql.NullInt64 }
	if err := store.Select(ctx, &theirs, "check/midnights", postgres.Args{"dates": local, "zone": zone.String()}); err != nil {
		c.add(check, outcomeFailed, "see the message", "%v", err)
		return
	}
	for i, midnight := range theirs {
		switch instant := midnight.Instant; {
		case !instant.Valid:
			c.add(check, outcomeFailed, "use a name that both know, or update the server's zone data", "%s is known here, but not to the database", zone)
			return
		case instant.Int64 != ours[i]:
			c.add(check, outcomeWarning, "update the zone data of whichever is older: the worker's come with its version", "%s: %s begins at %s here, at %s for the database",
				zone, local[i], utc(ours[i]), utc(instant.Int64))
			return
		}
	}
	c.add(check, outcomeOK, "", "%s, as the database has it for the year to come", zone)
}

func utc(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

func (c *checkup) pooling(ctx context.Context, store *postgres.Store) {
	const fix = "connect to PostgreSQL directly, or set the pooler to session mode"
	shares, err := store.SharesSessions(ctx)
	switch {
	case err != nil:
		c.add("locks", outcomeFailed, fix, "sessions can't be told apart: %v", err)
		return
	case shares:
		c.add("locks", outcomeFailed, fix, "a pooler in transaction mode is in between: the lock that keeps two workers apart would stay with whoever gets its connection next")
		return
	}
	lock, err := store.TryLock(ctx, fmt.Sprintf("check/%d", time.Now().UnixNano()))
	if err != nil {
		c.add("locks", outcomeFailed, fix, "advisory locks can't be taken: %v", err)
		return
	}
	heldErr := lock.StillHeld(ctx)
	if err := lock.Unlock(); err != nil || heldErr != nil {
		c.add("locks", outcomeFailed, fix, "a lock did not outlast its statement: %v", errors.Join(heldErr, err))
		return
	}
	c.add("locks", outcomeOK, "", "held across statements, no pooler in the way")
}

// migrations says whether the schema can be read by this binary.
func (c *checkup) migrations(ctx context.Context, store *postgres.Store) (current bool) {
	const check = "schema reconciler"
	pending, err := sql.PendingMigrations(ctx, store.DB())
	switch {
	case errors.Is(err, sql.ErrNewerSchema):
		c.add(check, outcomeFailed, "use the image that migrated it, or a newer one", "%v", err)
	case postgres.SetupFault(err):
		c.add(check, outcomeFailed, "run: reconciler migrate, with the URL of the schema's owner", "not made yet for this role: %v", err)
	case err != nil:
		c.add(check, outcomeFailed, "see the message", "%v", err)
	case pending > 0:
		c.add(check, outcomeFailed, "run: reconciler migrate, with the URL of the schema's owner", "lacks %s", counted(pending, "migration"))
	default:
		var lacking []string
		if err := store.Select(ctx, &lacking, "check/own_rights", postgres.Args{}); err != nil {
			c.add(check, outcomeFailed, "see the message", "%v", err)
			return false
		}
		if len(lacking) > 0 {
			c.add(check, outcomeFailed, "run: reconciler migrate, with the URL of the schema's owner; it sets the rights of reconciler_app again", "up to date, but this role lacks rights on %s", firstOf(lacking))
			return false
		}
		c.add(check, outcomeOK, "", "up to date")
		return true
	}
	return false
}

// nights says how far the worker is, and which nights only a person brings to their end.
func (c *checkup) nights(ctx context.Context, store *postgres.Store) {
	broken, err := nightsBroken(ctx, store)
	if err != nil {
		c.add("nights", outcomeFailed, "see the message", "%v", err)
		return
	}
	for _, night := range broken {
		how := night.Status
		if night.Error != "" {
			how += ": " + night.Error
		}
		c.add("nights", outcomeWarning, "mend the cause, then: reconciler run --date "+night.BusinessDate.String(), "%s is not completed, and no schedule comes back to it: %s", night.BusinessDate, how)
	}
	var missing []reconcile.Date
	if err := store.Select(ctx, &missing, "check/nights_missing", postgres.Args{}); err != nil {
		c.add("nights", outcomeFailed, "see the message", "%v", err)
		return
	}
	if len(missing) > 0 {
		first, last := missing[0], missing[len(missing)-1]
		c.add("nights", outcomeWarning, fmt.Sprintf("reconciler backfill --from %s --to %s; nights that are done are left out", first, last),
			"%s of the past never done, from %s to %s, though earlier and later ones are", counted(len(missing), "night"), first, last)
	}
	var newest struct {
		BusinessDate reconcile.Date `db:"business_date"`
		StartedAt    time.Time      `db:"started_at"`
		FinishedAt   time.Time      `db:"finished_at"`
	}
	err = store.Get(ctx, &newest, "metrics/newest_night", postgres.Args{})
	switch {
	case errors.Is(err, dbsql.ErrNoRows):
		c.add("nights", outcomeOK, "", "none completed yet")
	case err != nil:
		c.add("nights", outcomeFailed, "see the message", "%v", err)
	case len(broken)+len(missing) == 0:
		c.add("nights", outcomeOK, "", "completed up to %s", newest.BusinessDate)
	}
}

func (c *checkup) source(ctx context.Context, store *postgres.Store) {
	var names []string
	for _, relation := range sql.SourceRelations {
		names = append(names, relation.Name)
	}
	args := postgres.Args{"schema": store.SourceSchema(), "relations": names}
	var columns []struct{ Relation, Column, Type string }
	if err := store.Select(ctx, &columns, "check/columns", args); err != nil {
		c.add("source", outcomeFailed, "see the message", "%v", err)
		return
	}
	types := map[string]map[string]string{}
	for _, column := range columns {
		if types[column.Relation] == nil {
			types[column.Relation] = map[string]string{}
		}
		types[column.Relation][column.Column] = column.Type
	}
	for _, relation := range sql.SourceRelations {
		c.relation(store.SourceSchema(), relation, types[relation.Name])
	}
	c.rights(ctx, store, args)
	c.indexes(ctx, store, args)
	c.statistics(ctx, store, args)
}

func (c *checkup) relation(schema string, relation sql.SourceRelation, types map[string]string) {
	check := "source " + schema + "." + relation.Name
	if types == nil {
		c.add(check, outcomeFailed, "create the table, or a view with the contract's columns; set RECONCILER_SOURCE_SCHEMA if it is in another schema", "there is no such table or view")
		return
	}
	sound := true
	for _, column := range relation.Columns {
		found, ok := types[column.Name]
		switch {
		case !ok:
			sound = false
			c.add(check, outcomeFailed, fmt.Sprintf("add it, or select it in the view, as %s", column.Type), "column %s is missing", column.Name)
		case found != column.Type && !compatible(found, column.Type):
			sound = false
			c.add(check, outcomeFailed, fmt.Sprintf("cast it in the view: %s::%s", column.Name, column.Type), "column %s is %s, not %s", column.Name, found, column.Type)
		}
	}
	if sound {
		c.add(check, outcomeOK, "", "%d columns as they should be", len(relation.Columns))
	}
}

// compatible says whether a column of another type reads the same way without a cast.
func compatible(found, want string) bool {
	switch want {
	case "text":
		return found == "character varying" || found == "citext"
	case "bigint":
		return found == "integer" || found == "smallint"
	default:
		return false
	}
}

func (c *checkup) rights(ctx context.Context, store *postgres.Store, args postgres.Args) {
	var rights []struct {
		Relation   string
		Usage      bool
		Select     bool `db:"can_select"`
		Insert     bool `db:"can_insert"`
		InsertSome bool `db:"can_insert_some"`
		Update     bool `db:"can_update"`
		Delete     bool `db:"can_delete"`
		Truncate   bool `db:"can_truncate"`
		Owner      bool `db:"is_owner"`
	}
	if err := store.Select(ctx, &rights, "check/rights", args); err != nil {
		c.add("rights", outcomeFailed, "see the message", "%v", err)
		return
	}
	if len(rights) == 0 {
		return // nothing there to have rights on, which has been said
	}
	schema := pq.QuoteIdentifier(store.SourceSchema())
	before := len(c.lines)
	var surplus []string
	for _, r := range rights {
		name := schema + "." + pq.QuoteIdentifier(r.Relation)
		if !r.Usage || !r.Select {
			c.add("rights", outcomeFailed, fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO …; GRANT SELECT ON %s TO …", schema, name), "can't read %s", r.Relation)
		}
		if r.Relation == "credit_entries" && !r.Insert {
			c.add("rights", outcomeFailed, fmt.Sprintf("GRANT INSERT ON %s TO …", name), "can't post credit-backs to %s", r.Relation)
		}
		may := []string{}
		for what, has := range map[string]bool{
			"UPDATE": r.Update, "DELETE": r.Delete, "TRUNCATE": r.Truncate, "INSERT": r.InsertSome && r.Relation != "credit_entries", "ownership": r.Owner,
		} {
			if has {
				may = append(may, what)
			}
		}
		if len(may) > 0 {
			slices.Sort(may)
			surplus = append(surplus, fmt.Sprintf("%s (%s)", r.Relation, strings.Join(may, ", ")))
		}
	}
	if len(surplus) > 0 {
		c.add("rights", outcomeWarning, "REVOKE what isn't SELECT, INSERT on credit_entries aside; sql/roles/roles.sql has the statements", "more than the worker needs on %s", strings.Join(surplus, ", "))
	}
	var beyond []struct{ May, Fix string }
	if err := store.Select(ctx, &beyond, "check/surplus", args); err != nil {
		c.add("rights", outcomeFailed, "see the message", "%v", err)
		return
	}
	for i, right := range beyond {
		if i == maxListed {
			c.add("rights", outcomeWarning, "use a role with just the rights of sql/roles/roles.sql", "%d more of the kind", len(beyond)-i)
			break
		}
		c.add("rights", outcomeWarning, right.Fix, "may %s", right.May)
	}
	if len(c.lines) == before {
		c.add("rights", outcomeOK, "", "SELECT on the source, INSERT on credit_entries, no more")
	}
}

// maxListed is how many things of one kind are named; the rest is counted.
const maxListed = 3

func firstOf(names []string) string {
	if len(names) > maxListed {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxListed], ", "), len(names)-maxListed)
	}
	return strings.Join(names, ", ")
}

func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func (c *checkup) indexes(ctx context.Context, store *postgres.Store, args postgres.Args) {
	var found []struct {
		Relation         string
		IsView           bool `db:"is_view"`
		IsPartitioned    bool `db:"is_partitioned"`
		Indexes          pq.StringArray
		UniqueKey        bool `db:"unique_key"`
		UniqueID         bool `db:"unique_id"`
		UniqueKeyInParts bool `db:"unique_key_in_parts"`
	}
	if err := store.Select(ctx, &found, "check/indexes", args); err != nil {
		c.add("indexes", outcomeFailed, "see the message", "%v", err)
		return
	}
	complete := len(found) > 0
	for _, f := range found {
		i := slices.IndexFunc(sql.SourceRelations, func(r sql.SourceRelation) bool { return r.Name == f.Relation })
		if f.IsView {
			complete = false
			c.add("indexes", outcomeSkipped, "", "%s is a view; every night searches its rows for ids that are there twice; see that the tables behind it are indexed by %s", f.Relation, indexColumns(sql.SourceRelations[i]))
			continue
		}
		table := pq.QuoteIdentifier(store.SourceSchema()) + "." + f.Relation
		if f.IsPartitioned {
			table = "each partition of " + table // the whole can't be indexed concurrently
		}
		for _, index := range sql.SourceRelations[i].Indexes {
			if !slices.Contains(f.Indexes, index.String()) {
				complete = false
				c.add("indexes", outcomeWarning, fmt.Sprintf("CREATE INDEX CONCURRENTLY ON %s %s", table, index), "%s has none on %s: %s", f.Relation, index, index.Cost)
			}
		}
		if !f.UniqueID {
			complete = false
			fix := fmt.Sprintf("CREATE UNIQUE INDEX CONCURRENTLY ON %s (id)", table)
			if f.IsPartitioned {
				fix += "; only partitions by hash of id keep it unique as a whole"
			}
			c.add("indexes", outcomeWarning, fix, "nothing keeps %s.id unique: every night searches its rows for ids that are there twice, and takes the first row of each", f.Relation)
		}
		if f.Relation == "credit_entries" && !f.UniqueKey {
			complete = false
			c.idempotencyKey(table, f.IsPartitioned, f.UniqueID, f.UniqueKeyInParts)
		}
	}
	if complete {
		c.add("indexes", outcomeOK, "", "all there")
	}
}

// idempotencyKey judges a ledger that doesn't keep its key unique as a whole, as a partitioned table can't. The worker makes the ids of its entries
// of the same as their keys, and a night that is run again books at the same instant.
func (c *checkup) idempotencyKey(table string, isPartitioned, uniqueID, uniqueInParts bool) {
	fix := fmt.Sprintf("CREATE UNIQUE INDEX CONCURRENTLY ON %s (idempotency_key)", table)
	switch {
	case isPartitioned && uniqueID:
		c.add("indexes", outcomeWarning, "nothing for the worker's sake; see that no other writer relies on the key",
			"credit_entries.idempotency_key is not unique across partitions: the ledger refuses the worker's entries a second time by their ids")
	case isPartitioned && uniqueInParts:
		c.add("indexes", outcomeWarning, "partition by hash of id, if that is to be ruled out",
			"credit_entries.idempotency_key is unique within each partition only: the ledger itself would take a credit-back again that is booked in another one")
	default:
		c.add("indexes", outcomeFailed, fix, "credit_entries.idempotency_key is not unique: the ledger itself would take a credit-back twice")
	}
}

func indexColumns(relation sql.SourceRelation) string {
	var columns []string
	for _, index := range relation.Indexes {
		columns = append(columns, index.String())
	}
	if columns == nil {
		return "nothing in particular"
	}
	return strings.Join(columns, ", ")
}

func (c *checkup) statistics(ctx context.Context, store *postgres.Store, args postgres.Args) {
	var stale []struct {
		Relation string
		Never    bool
		Changed  int64
	}
	if err := store.Select(ctx, &stale, "check/statistics", args); err != nil {
		c.add("statistics", outcomeFailed, "see the message", "%v", err)
		return
	}
	for _, table := range stale {
		fix := fmt.Sprintf("ANALYZE %s.%s, and see that autovacuum is on", pq.QuoteIdentifier(store.SourceSchema()), table.Relation)
		if table.Never {
			c.add("statistics", outcomeWarning, fix, "%s was never analyzed: plans of its queries are guesses", table.Relation)
		} else {
			c.add("statistics", outcomeWarning, fix, "%d rows of %s have changed since it was analyzed", table.Changed, table.Relation)
		}
	}
	if len(stale) == 0 {
		c.add("statistics", outcomeOK, "", "fresh enough for the planner")
	}
}

// maxReplicaLag is how old what a replica shows may be before support would be told yesterday's story.
const maxReplicaLag = 5 * time.Minute

// replica looks at the one that explain and breaks read from, where there is one.
func (c *checkup) replica(ctx context.Context) {
	if c.config.replicaURL == "" {
		return
	}
	const check, fix = "replica", "correct RECONCILER_REPLICA_URL, or take it out: DATABASE_URL is read then"
	replica := c.config
	replica.databaseURL = c.config.replicaURL
	store, err := replica.store()
	if err != nil {
		c.add(check, outcomeFailed, fix, "%v", err)
		return
	}
	defer store.Close()
	state, err := askReplica(ctx, store)
	if err != nil {
		c.add(check, outcomeFailed, fix, "can't be asked, and commands that only read ask the primary instead: %v", err)
		return
	}
	if _, err := sql.PendingMigrations(ctx, store.DB()); err != nil {
		c.add(check, outcomeFailed, "GRANT its role what reconciler_readonly has; sql/roles/roles.sql", "%v", err)
		return
	}
	switch {
	case !state.Standby:
		c.add(check, outcomeWarning, "point RECONCILER_REPLICA_URL at a replica, or take it out", "is no replica, but a primary of its own")
	case !state.Streaming:
		c.add(check, outcomeWarning, "see whether its primary lets it stream", "gets nothing from a primary at the moment; what it shows is %s old", state.age())
	case state.stale():
		c.add(check, outcomeWarning, "see what holds its replay up", "is behind: what it shows is %s old", state.age())
	default:
		c.add(check, outcomeOK, "", "%s behind", state.age())
	}
}

// replicaState is how fresh a replica is.
type replicaState struct {
	Standby       bool
	SecondsBehind *float64 `db:"seconds_behind"`
	Streaming     bool
}

// replicaPatience is how long a command that only reads waits for a replica before it asks the primary.
const replicaPatience = 5 * time.Second

func askReplica(ctx context.Context, store *postgres.Store) (state replicaState, err error) {
	ctx, cancel := context.WithTimeout(ctx, replicaPatience)
	defer cancel()
	return state, store.Get(ctx, &state, "check/replica", postgres.Args{})
}

func (s replicaState) stale() bool {
	return s.Standby && (s.SecondsBehind == nil || *s.SecondsBehind > maxReplicaLag.Seconds())
}

func (s replicaState) age() string {
	if s.SecondsBehind == nil {
		return "nobody knows how"
	}
	return time.Duration(*s.SecondsBehind * float64(time.Second)).Round(time.Millisecond).String()
}
