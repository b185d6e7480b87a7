package check

import (
	"cmp"
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/sql"
)

// serverFacts are what a server says of itself and of the connection.
type serverFacts struct {
	Version             string
	VersionNum          int
	Role                string
	Database            string
	Replica             bool
	ReadOnly            string
	StatementTimeout    string
	TLS                 bool
	Client              string // its address; empty on a socket
	Superuser           bool
	MayCreateRoles      bool
	BypassesRowSecurity bool
	Replicates          bool
	RoleConnections     int // -1: no limit
	ServerConnections   int
	Size                string
}

const oldestServer = 14

func (c *checkup) database(ctx context.Context) {
	store, err := c.config.Store()
	if err != nil {
		c.add("database", Failed, "set DATABASE_URL to postgres://user:password@host/database", "%v", err)
		return
	}
	defer store.Close()
	var server serverFacts
	if err := store.Get(ctx, &server, "check/server", nil); err != nil {
		c.fail("database", cmp.Or(postgres.Remedy(err), "see the message"), "check host and port, and that the server accepts connections from here", err)
		return
	}
	c.add("database", OK, "", "PostgreSQL %s, database %s of %s, role %s", server.Version, server.Database, server.Size, server.Role)
	c.server(server, store.Verifies())
	if slices.Contains([]string{sql.OwnerRole, sql.ReadOnlyRole, sql.ApproverRole}, server.Role) {
		// All that it lacks for a night would be reported with fixes that nobody should make.
		c.add("role", Failed, "set DATABASE_URL to the URL of "+sql.AppRole, "%s is not the role that nights are done with", server.Role)
		return
	}
	c.clock(ctx, store)
	c.pooling(ctx, store)
	c.room(ctx, store)
	current := c.migrations(ctx, store)
	c.zone(ctx, store, current)
	c.distribution(ctx, store, current)
	if current {
		c.nights(ctx, store)
	}
	c.source(ctx, store)
	c.values(ctx, store)
	c.replica(ctx)
}

// reliedOn looks at what a night relies on beyond its own schema and locks. It is the part of the check-up that every night begins with, so that
// both say the same.
func (c *checkup) reliedOn(ctx context.Context, store *postgres.Store) {
	var server serverFacts
	if err := store.Get(ctx, &server, "check/server", nil); err != nil {
		c.failed("database", err)
		return
	}
	c.server(server, store.Verifies())
	c.clock(ctx, store)
	c.zone(ctx, store, true)
	c.distribution(ctx, store, true)
	c.source(ctx, store)
}

// failed adds the line of something that could not be looked at.
func (c *checkup) failed(check string, err error) {
	c.fail(check, "see the message", "try again", err)
}

func (c *checkup) server(server serverFacts, verified bool) {
	if server.VersionNum < oldestServer*10000 {
		c.add("database version", Failed, fmt.Sprintf("use PostgreSQL %d or newer", oldestServer), "%s is too old", server.Version)
	}
	switch {
	case server.Replica:
		c.add("writable", Failed, "point DATABASE_URL at the primary, with a role that may write", "the server takes no writes on this connection: it is a standby")
	case server.ReadOnly == "on":
		c.add("writable", Failed, "point DATABASE_URL at the primary, with a role that may write: neither role nor database may have default_transaction_read_only on",
			"the server takes no writes on this connection: default_transaction_read_only is on")
	}
	switch local := server.Client == "" || server.Client == "127.0.0.1" || server.Client == "::1"; {
	case server.TLS && (verified || local):
		c.add("connection", OK, "", "encrypted")
	case server.TLS:
		c.add("connection", Warning, "set sslmode=verify-full in DATABASE_URL, and sslrootcert to the authority's certificate", "encrypted, but anybody could pose as the server: its certificate is not verified")
	case local:
		c.add("connection", OK, "", "stays on this machine")
	default:
		c.add("connection", Warning, "set sslmode=verify-full in DATABASE_URL", "not encrypted: customers' e-mail addresses cross the network in the clear")
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
		c.add("role", Warning, "use a role with just the rights of sql/roles/roles.sql", "%s %s", server.Role, strings.Join(powers, ", "))
	}
	c.timeouts(server)
	need := c.config.Connections
	switch {
	case server.RoleConnections >= 0 && server.RoleConnections < need:
		c.add("connections", Failed, "ALTER ROLE … CONNECTION LIMIT, or lower RECONCILER_DATABASE_CONNECTIONS", "%s may have %d at once, the worker uses up to %d", server.Role, server.RoleConnections, need)
	case server.ServerConnections < 2*need:
		c.add("connections", Warning, "raise max_connections, or lower RECONCILER_DATABASE_CONNECTIONS", "the worker uses up to %d of the server's %d", need, server.ServerConnections)
	default:
		c.add("connections", OK, "", "up to %d of the server's %d", need, server.ServerConnections)
	}
}

func (c *checkup) timeouts(server serverFacts) {
	switch {
	case c.config.StatementLimit > 0:
		c.add("time-outs", OK, "", "a statement may run for %s (RECONCILER_STATEMENT_TIMEOUT_SECONDS), whatever the server's own limit", c.config.StatementLimit)
	case server.StatementTimeout != "0":
		c.add("time-outs", Warning, "set RECONCILER_STATEMENT_TIMEOUT_SECONDS, which overrides it", "the server ends statements after %s", server.StatementTimeout)
	default:
		c.add("time-outs", OK, "", "none: a statement may run for ever")
	}
}

// maxClockSkew is how far the clocks may be apart; as-of decisions don't need them, schedules and logs do. Where this machine's is worstClockSkew off the
// database's, nights wait: one may be begun before it is over, and executors of refunds may take each other's lease for expired.
const (
	maxClockSkew   = 5 * time.Second
	worstClockSkew = 5 * time.Minute
)

func (c *checkup) clock(ctx context.Context, store *postgres.Store) {
	var theirs time.Time
	asked := time.Now()
	if err := store.Get(ctx, &theirs, "check/clock", nil); err != nil {
		c.failed("clock", err)
		return
	}
	c.databaseSkew(theirs, asked, time.Now())
}

func (c *checkup) databaseSkew(theirs, asked, answered time.Time) {
	c.skew("the database", theirs, asked, answered)
	if skew := theirs.Sub(answered); skew.Abs() >= worstClockSkew {
		line := &c.lines[len(c.lines)-1]
		line.Result, line.Retry, line.Fix = Failed, true, "run NTP on both machines, and set the clock that is wrong; nights wait until then"
	}
}

// skew compares a clock that was asked between two instants with this machine's.
func (c *checkup) skew(whose string, theirs, asked, answered time.Time) {
	skew := theirs.Sub(asked.Add(answered.Sub(asked) / 2)).Round(time.Second)
	if skew.Abs() > maxClockSkew {
		c.add("clock", Warning, "run NTP on both machines: schedules and the windows of a sync rely on their clocks", "%s's clock is %s off this machine's", whose, skew)
		return
	}
	c.add("clock", OK, "", "within %s of %s's", maxClockSkew, whose)
}

// zone compares the settings with the nights that there are, and the midnights of a year back and a year ahead with those of the server's time
// zone data: all have to agree on what a business date is.
func (c *checkup) zone(ctx context.Context, store *postgres.Store, schemaIsCurrent bool) {
	const check = "time zone"
	zone := c.config.Jobs.Zone
	found := "no night is begun yet, the first one decides"
	if schemaIsCurrent {
		nights, err := jobs.FindZone(ctx, store, c.published(), zone)
		switch {
		case errors.Is(err, jobs.ErrZone):
			c.add(check, Failed, "set RECONCILER_TIMEZONE to the time zone of the nights that there are: nights of two zones would overlap, or leave hours out", "%s",
				strings.TrimPrefix(err.Error(), jobs.ErrZone.Error()+": "))
			return
		case err != nil:
			c.failed(check, err)
			return
		}
		if !nights.Since.IsZero() {
			found = fmt.Sprintf("that of all nights since %s", nights.Since)
		}
		c.nightsZone, zone = nights.Zone, nights.Zone
	}
	if c.midnights(ctx, store, zone) {
		c.add(check, OK, "", "%s: %s; the database agrees for the year to come", zone, found)
	}
}

// published is where reports are, to read the time zone of the first ones from; nil where that is not set up, which is another line's to say.
func (c *checkup) published() storage.Storage {
	sink, err := storage.Open(c.config.ReportsURL)
	if err != nil {
		return nil
	}
	return sink
}

// midnights says whether the server's time zone data has the business dates begin when the worker's has. A difference ahead is a warning; one
// that nights have had already means dates of purchases and requests that are a day off.
func (c *checkup) midnights(ctx context.Context, store *postgres.Store, zone *time.Location) (agree bool) {
	const check, year = "time zone", 366
	today := reconcile.DateOf(time.Now().In(zone))
	var instants []time.Time
	var dates []reconcile.Date
	for date := today.AddDays(-year); !date.After(today.AddDays(year)); date = date.AddDays(1) {
		dates, instants = append(dates, date), append(instants, reconcile.NightOf(date, zone).Begin)
	}
	var theirs []struct {
		Date   reconcile.Date
		Before reconcile.Date `db:"date_before"`
	}
	if err := store.Select(ctx, &theirs, "check/midnights", postgres.Args{"instants": instants, "zone": zone.String()}); err != nil {
		if postgres.UnknownTimeZone(err) {
			c.add(check, Failed, "set RECONCILER_TIMEZONE to a name that both know, or update the server's time zone data", "the database does not know %s", zone)
		} else {
			c.failed(check, err)
		}
		return false
	}
	for i, their := range theirs {
		if their.Date == dates[i] && their.Before == dates[i].AddDays(-1) {
			continue
		}
		result := Failed
		if dates[i].After(today) {
			result = Warning
		}
		c.add(check, result, "set RECONCILER_TIMEZONE to the name of a city in that zone; if it is one, update whichever time zone data is older: the worker's comes with its binary",
			"%s: %s begins at %s here, when the database has %s", zone, dates[i], utc(instants[i].Unix()), their.Date)
		return false
	}
	return true
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
		c.add("locks", Failed, fix, "a pooler in transaction or statement mode is in between: the lock that keeps two workers apart would stay with whoever gets its connection next")
		return
	}
	lock, err := store.TryLock(ctx, fmt.Sprintf("check/%d", time.Now().UnixNano()))
	if err != nil {
		c.fail("locks", fix, "try again", fmt.Errorf("advisory locks can't be taken: %w", err))
		return
	}
	heldErr := lock.StillHeld(ctx)
	if err := lock.Unlock(); err != nil || heldErr != nil {
		c.add("locks", Failed, fix, "a lock did not outlast its statement: %v", errors.Join(heldErr, err))
		return
	}
	c.add("locks", OK, "", "held across statements, no pooler in the way")
}

// roomPatience is how long the check-up waits for all the connections that a night may use.
const roomPatience = 10 * time.Second

// room opens as many connections as a night may use: what the server allows in all says nothing of those that others have, and of a pooler's limit.
func (c *checkup) room(ctx context.Context, store *postgres.Store) {
	ctx, cancel := context.WithTimeout(ctx, roomPatience)
	defer cancel()
	if opened, err := store.Opens(ctx, c.config.Connections); err != nil {
		c.add("connections", Failed, "free some for the worker: raise the pooler's pool_size or the server's max_connections; or lower RECONCILER_DATABASE_CONNECTIONS",
			"%d of the %d that a night may use could be opened within %s, and nights would wait for the others: %v", opened, c.config.Connections, roomPatience, err)
	}
}

// migrations says whether the schema can be read by this binary.
func (c *checkup) migrations(ctx context.Context, store *postgres.Store) (current bool) {
	const check = "schema reconciler"
	pending, err := sql.PendingMigrations(ctx, store.DB())
	switch err = postgres.Classed("look at the schema", err); {
	case errors.Is(err, sql.ErrNewerSchema):
		c.add(check, Failed, "use the image that migrated it, or a newer one", "%v", err)
	case errors.Is(err, postgres.ErrSetup):
		c.add(check, Failed, migrateFirst, "not made yet for this role: %v", err)
	case err != nil:
		c.failed(check, err)
	case pending > 0:
		c.add(check, Failed, migrateFirst, "lacks %s", cli.Counted(pending, "migration"))
	default:
		var lacking []string
		if err := store.Select(ctx, &lacking, "check/own_rights", nil); err != nil {
			c.failed(check, err)
			return false
		}
		if len(lacking) > 0 {
			c.add(check, Failed, migrateFirst+"; it sets the rights of reconciler_app again", "up to date, but this role lacks %s", cli.FirstOf(lacking))
			return false
		}
		c.add(check, OK, "", "up to date")
		c.approving(ctx, store)
		return true
	}
	return false
}

// approving says who may approve refund plans: a role of its own, which isn't the worker's.
func (c *checkup) approving(ctx context.Context, store *postgres.Store) {
	const check = "approvals"
	var facts struct {
		ApproverExists bool
		ApproverMay    bool
		MayApprove     bool
		MayBecome      bool
	}
	if err := store.Get(ctx, &facts, "check/approving", nil); err != nil {
		c.failed(check, err)
		return
	}
	switch {
	case facts.MayApprove || facts.MayBecome:
		c.add(check, Warning, "work as reconciler_app, and approve as reconciler_approver: sql/roles/roles.sql makes both, and migrate grants them their rights", "this role may approve the refunds that it plans and executes")
	case !facts.ApproverExists:
		c.add(check, Warning, "run sql/roles/roles.sql again as an administrator, then: reconciler migrate", "nobody may approve refunds: there is no role reconciler_approver")
	case !facts.ApproverMay:
		c.add(check, Warning, "run: reconciler migrate, with the URL of the schema's owner", "nobody may approve refunds: reconciler_approver lacks the right")
	default:
		c.add(check, OK, "", "by reconciler_approver, and not by this role")
	}
}

// nights says how far the worker has come, and which nights are not what they should be.
func (c *checkup) nights(ctx context.Context, store *postgres.Store) {
	troubled, err := night.TroubledNights(ctx, store)
	if err != nil {
		c.failed("nights", err)
		return
	}
	for _, night := range troubled {
		found := night.String()
		if night.Passed {
			found += ", and no schedule does it again"
		}
		if night.Error != "" {
			found += ": " + night.Error
		}
		c.add("nights", Warning, night.Fix(), "%s", found)
	}
	var newest struct {
		BusinessDate reconcile.Date
		StartedAt    time.Time
		FinishedAt   time.Time
	}
	if c.nightsZone != nil {
		strays, err := jobs.StrayNights(ctx, store, c.nightsZone)
		if err != nil {
			c.failed("nights", err)
			return
		}
		for i, night := range strays {
			if i == cli.MaxListed {
				c.add("nights", Warning, "reconciler run --date D for each, oldest first", "%d more of this kind", len(strays)-i)
				break
			}
			c.add("nights", Warning, "reconciler run --date "+night.String(), "%s was run in another time zone than %s", night, c.nightsZone)
		}
	}
	err = store.Get(ctx, &newest, "metrics/newest_night", nil)
	switch {
	case errors.Is(err, dbsql.ErrNoRows):
		c.add("nights", OK, "", "none completed yet")
	case err != nil:
		c.failed("nights", err)
	case len(troubled) == 0:
		c.add("nights", OK, "", "completed up to %s", newest.BusinessDate)
	}
}
