package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"
	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/sql"
)

func init() { commands = append(commands, newCheckCommand) }

// outcome grades one line of the check-up.
type outcome string

const (
	outcomeOK      outcome = "ok"
	outcomeWarning outcome = "warning"
	outcomeFailed  outcome = "FAILED"
	outcomeSkipped outcome = "skipped"
)

// checkLine is what one thing turned out to be, and the fix where it isn't as it should be.
type checkLine struct {
	Check  string  `json:"check"`
	Result outcome `json:"result"`
	Found  string  `json:"found"`
	Fix    string  `json:"fix,omitempty"`
}

func newCheckCommand(s *settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Prove the set-up before the first night",
		Long: `check looks at everything a night relies on: settings, database, schema, every relation and column of the source, rights (too few
and too many), indexes, pooling, clocks, Stripe key and mode, report storage. One line each: what is wrong, and the fix.

It changes nothing but for one small file that it writes to the report storage and removes again.`,
		Example: `  reconciler check
  reconciler check --json`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, settingsErr := s.load(io.Discard)
			checkup := &checkup{config: c}
			checkup.settings(settingsErr)
			if settingsErr == nil || c.databaseURL != "" {
				checkup.run(cmd.Context())
			}
			if err := checkup.print(newRedactor(cmd.OutOrStdout(), s.secrets()), asJSON); err != nil {
				return err
			}
			return checkup.verdict()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON array instead of lines")
	return cmd
}

type checkup struct {
	config config
	lines  []checkLine
	// unreachable: the database could not be looked at, which another try may mend.
	unreachable bool
}

func (c *checkup) add(check string, result outcome, fix, found string, args ...any) {
	c.lines = append(c.lines, checkLine{Check: check, Result: result, Found: fmt.Sprintf(found, args...), Fix: fix})
}

func (c *checkup) settings(err error) {
	if err == nil {
		c.add("settings", outcomeOK, "", "all readable")
		version, err := c.config.policies.At(time.Now())
		if err != nil {
			c.add("policy", outcomeFailed, "give the policy a version whose effective_from is in the past", "no version is in force today")
			return
		}
		c.add("policy", outcomeOK, "", "version %s in force, %d in all", version.Version, len(c.config.policies.Versions()))
		return
	}
	faults := strings.Split(err.Error(), "\n")
	for _, fault := range faults[min(1, len(faults)-1):] {
		c.add("settings", outcomeFailed, "correct the environment variable or flag", "%s", fault)
	}
}

func (c *checkup) run(ctx context.Context) {
	if c.config.databaseURL != "" {
		c.database(ctx)
	}
	c.stripe(ctx)
	c.storage(ctx)
}

func (c *checkup) database(ctx context.Context) {
	store, err := c.config.store()
	if err != nil {
		c.add("database", outcomeFailed, "set DATABASE_URL to postgres://user:password@host/database", "%v", err)
		return
	}
	defer store.Close()
	var server struct {
		Version          string
		VersionNum       int `db:"version_num"`
		Role             string
		Database         string
		Replica          bool
		Clock            time.Time
		StatementTimeout string `db:"statement_timeout"`
		ReadOnly         string `db:"read_only"`
		TLS              bool
		Superuser        bool
	}
	asked := time.Now()
	if err := store.Get(ctx, &server, "check/server", postgres.Args{}); err != nil {
		c.unreachable = errors.Is(err, postgres.ErrUnavailable)
		c.add("database", outcomeFailed, "check host, port, user, password and that the server accepts connections", "%v", err)
		return
	}
	c.add("database", outcomeOK, "", "PostgreSQL %s, database %s, role %s", server.Version, server.Database, server.Role)
	if server.VersionNum < 130000 {
		c.add("database version", outcomeFailed, "use PostgreSQL 13 or newer", "%s is too old", server.Version)
	}
	if server.Replica || server.ReadOnly == "on" {
		c.add("writable", outcomeFailed, "point DATABASE_URL at the primary", "the server takes no writes")
	}
	if server.Superuser {
		c.add("role", outcomeWarning, "use a role with just the rights of sql/roles", "%s is a superuser", server.Role)
	}
	if server.StatementTimeout != "0" {
		c.add("statement timeout", outcomeWarning, "ALTER ROLE … SET statement_timeout = 0, or at least an hour", "the server ends statements after %s", server.StatementTimeout)
	}
	c.clock(server.Clock, asked)
	c.pooling(ctx, store)
	c.migrations(ctx, store)
	c.source(ctx, store)
}

// maxClockSkew is how far the clocks may be apart; as-of decisions don't need them, schedules and logs do.
const maxClockSkew = 5 * time.Second

func (c *checkup) clock(theirs, asked time.Time) {
	skew := theirs.Sub(asked).Round(time.Millisecond)
	if skew.Abs() > maxClockSkew {
		c.add("clock", outcomeWarning, "run NTP on both machines", "the database's clock is %s off this machine's", skew)
		return
	}
	c.add("clock", outcomeOK, "", "within %s of the database's", maxClockSkew)
}

func (c *checkup) pooling(ctx context.Context, store *postgres.Store) {
	lock, err := store.TryLock(ctx, fmt.Sprintf("check/%d", time.Now().UnixNano()))
	if err != nil {
		c.add("locks", outcomeFailed, "connect to PostgreSQL directly", "advisory locks can't be taken: %v", err)
		return
	}
	heldErr := lock.StillHeld(ctx)
	if err := lock.Unlock(); err != nil || heldErr != nil {
		c.add("locks", outcomeFailed, "connect to PostgreSQL directly, or set the pooler to session mode", "a lock did not outlast its statement: a pooler in transaction mode is in between")
		return
	}
	c.add("locks", outcomeOK, "", "held across statements")
}

func (c *checkup) migrations(ctx context.Context, store *postgres.Store) {
	pending, err := sql.PendingMigrations(ctx, store.DB())
	switch {
	case err != nil:
		c.add("schema reconciler", outcomeFailed, "see the message", "%v", err)
	case pending > 0:
		c.add("schema reconciler", outcomeFailed, "run: reconciler migrate", "%d migrations are pending", pending)
	default:
		c.add("schema reconciler", outcomeOK, "", "up to date")
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
		Relation  string
		Usage     bool
		Select    bool `db:"can_select"`
		Insert    bool `db:"can_insert"`
		Update    bool `db:"can_update"`
		Delete    bool `db:"can_delete"`
		Truncated bool `db:"can_truncate"`
	}
	if err := store.Select(ctx, &rights, "check/rights", args); err != nil {
		c.add("rights", outcomeFailed, "see the message", "%v", err)
		return
	}
	if len(rights) == 0 {
		return // nothing there to have rights on, which has been said
	}
	schema := pq.QuoteIdentifier(store.SourceSchema())
	var surplus []string
	lacking := false
	for _, r := range rights {
		name := schema + "." + pq.QuoteIdentifier(r.Relation)
		if !r.Usage || !r.Select {
			lacking = true
			c.add("rights", outcomeFailed, fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO …; GRANT SELECT ON %s TO …", schema, name), "can't read %s", r.Relation)
		}
		if r.Relation == "credit_entries" && !r.Insert {
			lacking = true
			c.add("rights", outcomeFailed, fmt.Sprintf("GRANT INSERT ON %s TO …", name), "can't post credit-backs to %s", r.Relation)
		}
		if r.Update || r.Delete || r.Truncated || r.Insert && r.Relation != "credit_entries" {
			surplus = append(surplus, r.Relation)
		}
	}
	if len(surplus) > 0 {
		c.add("rights", outcomeWarning, "REVOKE what isn't SELECT, INSERT on credit_entries aside; sql/roles has the statements", "more than the worker needs on %s", strings.Join(surplus, ", "))
	} else if !lacking {
		c.add("rights", outcomeOK, "", "SELECT on the source, INSERT on credit_entries, no more")
	}
}

func (c *checkup) indexes(ctx context.Context, store *postgres.Store, args postgres.Args) {
	var found []struct {
		Relation  string
		IsView    bool           `db:"is_view"`
		Columns   pq.StringArray `db:"columns"`
		UniqueKey bool           `db:"unique_key"`
		UniqueID  bool           `db:"unique_id"`
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
			c.add("indexes", outcomeSkipped, "", "%s is a view; see that its ids are unique, and that the tables behind it are indexed by %s", f.Relation, indexColumns(sql.SourceRelations[i]))
			continue
		}
		for _, index := range sql.SourceRelations[i].Indexes {
			if !slices.Contains(f.Columns, index.Column) {
				complete = false
				c.add("indexes", outcomeWarning, fmt.Sprintf("CREATE INDEX CONCURRENTLY ON %s.%s (%s)", pq.QuoteIdentifier(store.SourceSchema()), f.Relation, index.Column),
					"%s has none that begins with %s: %s", f.Relation, index.Column, index.Cost)
			}
		}
		if !f.UniqueID {
			complete = false
			c.add("indexes", outcomeFailed, fmt.Sprintf("CREATE UNIQUE INDEX CONCURRENTLY ON %s.%s (id)", pq.QuoteIdentifier(store.SourceSchema()), f.Relation),
				"%s.id is not unique: a row that is there twice would count twice", f.Relation)
		}
		if f.Relation == "credit_entries" && !f.UniqueKey {
			c.add("indexes", outcomeFailed, fmt.Sprintf("CREATE UNIQUE INDEX CONCURRENTLY ON %s.credit_entries (idempotency_key)", pq.QuoteIdentifier(store.SourceSchema())),
				"credit_entries.idempotency_key is not unique: the ledger itself would take a credit-back twice")
		}
	}
	if complete {
		c.add("indexes", outcomeOK, "", "all there")
	}
}

func indexColumns(relation sql.SourceRelation) string {
	var columns []string
	for _, index := range relation.Indexes {
		columns = append(columns, index.Column)
	}
	if columns == nil {
		return "nothing in particular"
	}
	return strings.Join(columns, ", ")
}

func (c *checkup) storage(ctx context.Context) {
	store, err := storage.Open(c.config.reportsURL)
	if err == nil {
		err = store.Check(ctx)
	}
	if err != nil {
		c.add("report storage", outcomeFailed, "give the worker a REPORTS_URL that it may write to", "%v", err)
		return
	}
	c.add("report storage", outcomeOK, "", "a file was written, read back and removed")
}

func (c *checkup) print(w io.Writer, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(c.lines)
	}
	width := 0
	for _, line := range c.lines {
		width = max(width, len(line.Check))
	}
	for _, line := range c.lines {
		if _, err := fmt.Fprintf(w, "%-7s  %-*s  %s\n", line.Result, width, line.Check, line.Found); err != nil {
			return err
		}
		if line.Fix != "" {
			if _, err := fmt.Fprintf(w, "%-7s  %-*s  fix: %s\n", "", width, "", line.Fix); err != nil {
				return err
			}
		}
	}
	return nil
}

// verdict is nil when nothing failed; out of reach is worth a retry, everything else is the set-up's fault.
func (c *checkup) verdict() error {
	failed := 0
	for _, line := range c.lines {
		if line.Result == outcomeFailed {
			failed++
		}
	}
	switch {
	case failed == 0:
		return nil
	case c.unreachable:
		return fmt.Errorf("%w: %d checks failed", postgres.ErrUnavailable, failed)
	default:
		return usageError("%d checks failed", failed)
	}
}

// stripe proves the key against the account, where there is one.
func (c *checkup) stripe(ctx context.Context) {
	if c.config.stripeKey == "" {
		c.add("Stripe", outcomeSkipped, "set STRIPE_API_KEY to a restricted read key", "no key: nights run without Stripe, and every report says so")
		return
	}
	client, err := c.config.stripe()
	if err != nil {
		c.add("Stripe", outcomeFailed, "use a restricted key of the right mode", "%v", err)
		return
	}
	asked := time.Now()
	probed, err := client.Probe(ctx)
	if err != nil {
		c.add("Stripe", outcomeFailed, "give the restricted key read rights, and see that the network lets it out", "%v", err)
		return
	}
	mode := "test"
	if probed.Livemode {
		mode = "live"
	}
	c.add("Stripe", outcomeOK, "", "account %s, %s mode", probed.AccountID, mode)
	if skew := probed.Clock.Sub(asked).Round(time.Second); skew.Abs() > maxClockSkew {
		c.add("clock", outcomeWarning, "run NTP on this machine", "Stripe's clock is %s off this machine's", skew)
	}
}
