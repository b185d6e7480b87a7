package check

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql"
)

// Database refuses a database on which a night could do harm, or nothing: with a schema that isn't the binary's, that takes no writes, or
// behind a pooler that takes the locks' meaning away.
func Database(ctx context.Context, store *postgres.Store) error {
	if err := Schema(ctx, store); err != nil {
		return err
	}
	if err := Writable(ctx, store); err != nil {
		return err
	}
	return RefusePooler(ctx, store)
}

// Fit refuses a database on which a night could do harm or would break off: by Database, and for any reason for which `check` says FAILED of
// the database. It gives the worker the zone of the nights that there are. Nothing is changed.
func Fit(ctx context.Context, c cli.Config, w *jobs.Worker) error {
	if err := Database(ctx, w.Store); err != nil {
		return err
	}
	checkup := &checkup{config: c}
	checkup.reliedOn(ctx, w.Store)
	if checkup.nightsZone != nil {
		w.Settings.Zone = checkup.nightsZone
	}
	verdict := checkup.verdict()
	if verdict == nil {
		return nil
	}
	var faults []string
	for _, line := range checkup.lines {
		if line.Result == Failed {
			fix, _, _ := strings.Cut(line.Fix, "\n") // check has all of it
			faults = append(faults, fmt.Sprintf("%s: %s; fix: %s", line.Check, line.Found, fix))
		}
	}
	text := strings.Join(faults, "\n")
	if !errors.Is(verdict, cli.ErrUsage) {
		return fmt.Errorf("%w: %s", postgres.ErrUnavailable, text)
	}
	return cli.UsageError("the database is not as a night needs it; nothing was changed (more: reconciler check)\n%s", text)
}

// RefusePooler refuses what makes locks worthless.
func RefusePooler(ctx context.Context, store *postgres.Store) error {
	shares, err := store.SharesSessions(ctx)
	switch {
	case err != nil:
		return err
	case shares:
		return cli.UsageError("DATABASE_URL: a pooler in transaction or statement mode is in between, so no lock could keep two workers apart; connect to PostgreSQL directly, or set the pooler to session mode")
	}
	return nil
}

// migrateFirst is the fix of a schema that isn't there, or not for this role.
const migrateFirst = "run: reconciler migrate, with the URL of the schema's owner"

// Schema refuses a schema that isn't the binary's.
func Schema(ctx context.Context, store *postgres.Store) error {
	if err := store.DB().PingContext(ctx); err != nil {
		return postgres.Classed("connect", err)
	}
	pending, err := sql.PendingMigrations(ctx, store.DB())
	err = postgres.Classed("check the schema", err)
	switch {
	case errors.Is(err, postgres.ErrSetup):
		return cli.UsageError("the reconciler schema is not made yet for this role; %s: %w", migrateFirst, err)
	case err != nil:
		return err
	case pending > 0:
		return cli.UsageError("the database lacks %s of the reconciler schema; %s", cli.Counted(pending, "migration"), migrateFirst)
	}
	return nil
}

// Writable refuses a server or role that takes no writes, before anything is done.
func Writable(ctx context.Context, store *postgres.Store) error {
	var server struct {
		Standby  bool
		ReadOnly bool
	}
	if err := store.Get(ctx, &server, "check/writable", nil); err != nil {
		return err
	}
	switch {
	case server.Standby:
		return cli.UsageError("DATABASE_URL: %w: it is a standby; point the URL at the primary", ErrTakesNoWrites)
	case server.ReadOnly:
		return cli.UsageError("DATABASE_URL: %w: default_transaction_read_only is on; use a role that may write", ErrTakesNoWrites)
	}
	return nil
}

// ErrTakesNoWrites says that the database is a standby, or the role one that may only read.
var ErrTakesNoWrites = errors.New("the server takes no writes on this connection")

// distributeFirst is the fix of tables that are not where the statements expect them.
const distributeFirst = "run: reconciler distribute, with the URL of the schema's owner"
