package main

import (
	"cmp"
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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
		c.fail("database", cmp.Or(postgres.Remedy(err), "see the message"), "check host and port, and that the server accepts connections from here", err)
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

func (c *checkup) server(server serverFacts, verified bool) {
	if server.VersionNum < oldestServer*10000 {
		c.add("database version", outcomeFailed, fmt.Sprintf("use PostgreSQL %d or newer", oldestServer), "%s is too old", server.Version)
	}
	if server.Replica || server.ReadOnly == "on" {
		c.add("writable", outcomeFailed, "point DATABASE_URL at the primary, with a role that may write", "the server accepts no writes on this connection")
	}
	switch local := server.Client == "" || server.Client == "127.0.0.1" || server.Client == "::1"; {
	case server.TLS && (verified || local):
		c.add("connection", outcomeOK, "", "encrypted")
	case server.TLS:
		c.add("connection", outcomeWarning, "set sslmode=verify-full in DATABASE_URL, and sslrootcert to the authority's certificate", "encrypted, but anybody could pose as the server: its certificate is not verified")
	case local:
		c.add("connection", outcomeOK, "", "stays on this machine")
	default:
		c.add("connection", outcomeWarning, "set sslmode=verify-full in DATABASE_URL", "not encrypted: customers' e-mail addresses cross the network in the clear")
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
		c.add("connections", outcomeFailed, "ALTER ROLE … CONNECTION LIMIT, or lower RECONCILER_DATABASE_CONNECTIONS", "%s may have %d at once, the worker uses up to %d", server.Role, server.RoleConnections, need)
	case server.ServerConnections < 2*need:
		c.add("connections", outcomeWarning, "raise max_connections, or lower RECONCILER_DATABASE_CONNECTIONS", "the worker uses up to %d of the server's %d", need, server.ServerConnections)
	default:
		c.add("connections", outcomeOK, "", "up to %d of the server's %d", need, server.ServerConnections)
	}
}

func (c *checkup) timeouts(server serverFacts) {
	switch {
	case c.config.statementLimit > 0:
		c.add("time-outs", outcomeOK, "", "a statement may run for %s (RECONCILER_STATEMENT_TIMEOUT_SECONDS), whatever the server's own limit", c.config.statementLimit)
	case server.StatementTimeout != "0":
		c.add("time-outs", outcomeWarning, "set RECONCILER_STATEMENT_TIMEOUT_SECONDS, which overrides it", "the server ends statements after %s", server.StatementTimeout)
	default:
		c.add("time-outs", outcomeOK, "", "none: a statement may run for ever")
	}
}

// maxClockSkew is how far the clocks may be apart; as-of decisions don't need them, schedules and logs do.
const maxClockSkew = 5 * time.Second

func (c *checkup) clock(ctx context.Context, store *postgres.Store) {
	var theirs time.Time
	asked := time.Now()
	if err := store.Get(ctx, &theirs, "check/clock", postgres.Args{}); err != nil {
		c.fail("clock", "see the message", "try again", err)
		return
	}
	c.skew("the database", theirs, asked, time.Now())
}

// skew compares a clock that was asked between two instants with this machine's.
func (c *checkup) skew(whose string, theirs, asked, answered time.Time) {
	skew := theirs.Sub(asked.Add(answered.Sub(asked) / 2)).Round(time.Second)
	if skew.Abs() > maxClockSkew {
		c.add("clock", outcomeWarning, "run NTP on both machines: schedules and the windows of a sync rely on their clocks", "%s's clock is %s off this machine's", whose, skew)
		return
	}
	c.add("clock", outcomeOK, "", "within %s of %s's", maxClockSkew, whose)
}

// zone compares the midnights of a year with those of the server's time zone data: both have to agree on what a business date is.
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
		c.fail(check, "see the message", "try again", err)
		return
	}
	for i, midnight := range theirs {
		switch instant := midnight.Instant; {
		case !instant.Valid:
			c.add(check, outcomeFailed, "use a name that both know, or update the server's time zone data", "the database does not know %s", zone)
			return
		case instant.Int64 != ours[i]:
			c.add(check, outcomeWarning, "update whichever time zone data is older; the worker's comes with its binary", "%s: %s begins at %s here, at %s for the database",
				zone, local[i], utc(ours[i]), utc(instant.Int64))
			return
		}
	}
	c.add(check, outcomeOK, "", "%s, and the database agrees for the year to come", zone)
}

func utc(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

func (c *checkup) pooling(ctx context.Context, store *postgres.Store) {
	const fix = "connect to PostgreSQL directly, or set the pooler to session mode"
	shares, err := store.SharesSessions(ctx)
	switch {
	case err != nil:
		c.fail("locks", fix, "try again", fmt.Errorf("sessions can't be told apart: %w", err))
		return
	case shares:
		c.add("locks", outcomeFailed, fix, "a pooler in transaction mode is in between: the lock that keeps two workers apart would stay with whoever gets its connection next")
		return
	}
	lock, err := store.TryLock(ctx, fmt.Sprintf("check/%d", time.Now().UnixNano()))
	if err != nil {
		c.fail("locks", fix, "try again", fmt.Errorf("advisory locks can't be taken: %w", err))
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
	switch err = postgres.Classed("look at the schema", err); {
	case errors.Is(err, sql.ErrNewerSchema):
		c.add(check, outcomeFailed, "use the image that migrated it, or a newer one", "%v", err)
	case errors.Is(err, postgres.ErrSetup):
		c.add(check, outcomeFailed, migrateFirst, "not made yet for this role: %v", err)
	case err != nil:
		c.fail(check, "see the message", "try again", err)
	case pending > 0:
		c.add(check, outcomeFailed, migrateFirst, "lacks %s", counted(pending, "migration"))
	default:
		var lacking []string
		if err := store.Select(ctx, &lacking, "check/own_rights", postgres.Args{}); err != nil {
			c.fail(check, "see the message", "try again", err)
			return false
		}
		if len(lacking) > 0 {
			c.add(check, outcomeFailed, migrateFirst+"; it sets the rights of reconciler_app again", "up to date, but this role lacks %s", firstOf(lacking))
			return false
		}
		c.add(check, outcomeOK, "", "up to date")
		return true
	}
	return false
}

// nights says how far the worker has come, and which nights will not complete until a person steps in.
func (c *checkup) nights(ctx context.Context, store *postgres.Store) {
	broken, err := nightsBroken(ctx, store)
	if err != nil {
		c.fail("nights", "see the message", "try again", err)
		return
	}
	for _, night := range broken {
		how := night.Status
		if night.Error != "" {
			how += ": " + night.Error
		}
		c.add("nights", outcomeWarning, "fix the cause, then: reconciler run --date "+night.BusinessDate.String(), "%s is not completed, and no schedule will retry it: %s", night.BusinessDate, how)
	}
	var missing []reconcile.Date
	if err := store.Select(ctx, &missing, "check/nights_missing", postgres.Args{}); err != nil {
		c.fail("nights", "see the message", "try again", err)
		return
	}
	if len(missing) > 0 {
		first, last := missing[0], missing[len(missing)-1]
		c.add("nights", outcomeWarning, fmt.Sprintf("reconciler backfill --from %s --to %s; it skips nights that are done", first, last),
			"%s never done, from %s to %s, though earlier and later ones are", counted(len(missing), "night"), first, last)
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
		c.fail("nights", "see the message", "try again", err)
	case len(broken)+len(missing) == 0:
		c.add("nights", outcomeOK, "", "completed up to %s", newest.BusinessDate)
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
