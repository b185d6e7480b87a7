package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/sql"
)

// nightPatience is how long a night waits for its turn, while another worker is at another one.
const nightPatience = 30 * time.Minute

// newWorker wires a worker for nights from the configuration, and refuses a database that isn't fit for them.
func newWorker(ctx context.Context, c config) (*jobs.Worker, func(), error) {
	return fitWorker(ctx, c, c.fit)
}

// newClerk is a worker for what needs nothing of the platform: plans are approved and stopped whatever is wrong with it.
func newClerk(ctx context.Context, c config) (*jobs.Worker, func(), error) {
	return fitWorker(ctx, c, func(ctx context.Context, w *jobs.Worker) error { return checkFitness(ctx, w.Store) })
}

// newReader wires a worker that only looks: any role and server will do that have the binary's schema.
func newReader(ctx context.Context, c config) (*jobs.Worker, func(), error) {
	return fitWorker(ctx, c, func(ctx context.Context, w *jobs.Worker) error { return checkSchema(ctx, w.Store) })
}

func fitWorker(ctx context.Context, c config, fits func(context.Context, *jobs.Worker) error) (*jobs.Worker, func(), error) {
	w, closeStore, err := wireWorker(c)
	if err != nil {
		return nil, nil, err
	}
	if err := fits(ctx, w); err != nil {
		closeStore()
		return nil, nil, err
	}
	return w, closeStore, nil
}

// checkFitness refuses a database on which a night could do harm, or nothing: with a schema that isn't the binary's, that takes no writes, or
// behind a pooler that takes the locks' meaning away.
func checkFitness(ctx context.Context, store *postgres.Store) error {
	if err := checkSchema(ctx, store); err != nil {
		return err
	}
	if err := checkWritable(ctx, store); err != nil {
		return err
	}
	return refusePooler(ctx, store)
}

// fit refuses a database on which a night could do harm or would break off: by checkFitness, and for any reason for which `check` says FAILED of
// the database. It gives the worker the zone of the nights that there are. Nothing is changed.
func (c config) fit(ctx context.Context, w *jobs.Worker) error {
	if err := checkFitness(ctx, w.Store); err != nil {
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
		if line.Result == outcomeFailed {
			fix, _, _ := strings.Cut(line.Fix, "\n") // check has all of it
			faults = append(faults, fmt.Sprintf("%s: %s; fix: %s", line.Check, line.Found, fix))
		}
	}
	text := strings.Join(faults, "\n")
	if !errors.Is(verdict, errUsage) {
		return fmt.Errorf("%w: %s", postgres.ErrUnavailable, text)
	}
	return usageError("the database is not as a night needs it; nothing was changed (more: reconciler check)\n%s", text)
}

// refusePooler refuses what makes locks worthless.
func refusePooler(ctx context.Context, store *postgres.Store) error {
	shares, err := store.SharesSessions(ctx)
	switch {
	case err != nil:
		return err
	case shares:
		return usageError("DATABASE_URL: a pooler in transaction mode is in between, so no lock could keep two workers apart; connect to PostgreSQL directly, or set the pooler to session mode")
	}
	return nil
}

// wireWorker wires a worker without talking to anything.
func wireWorker(c config) (*jobs.Worker, func(), error) {
	store, err := c.store()
	if err != nil {
		return nil, nil, err
	}
	closeStore := func() {
		if err := store.Close(); err != nil {
			c.log.Warn().Err(err).Msg("closing the database")
		}
	}
	reports, err := storage.Open(c.reportsURL)
	if err != nil {
		closeStore()
		return nil, nil, usageError("%w", err)
	}
	w := &jobs.Worker{
		Store: store, Policies: c.policies, Settings: c.jobs, Log: c.log, CodeVersion: codeVersion(), Reports: reports, LockPatience: nightPatience,
	}
	if c.stripeKey != "" {
		client, err := c.stripe()
		if err != nil {
			closeStore()
			return nil, nil, usageError("%w", err)
		}
		w.Stripe = client
	}
	if c.stripeRefundKey != "" {
		client, err := c.stripeRefunds()
		if err != nil {
			closeStore()
			return nil, nil, usageError("STRIPE_REFUND_KEY: %w", err)
		}
		w.Refunds = client
	}
	return w, closeStore, nil
}

// migrateFirst is the fix of a schema that isn't there, or not for this role.
const migrateFirst = "run: reconciler migrate, with the URL of the schema's owner"

// checkSchema refuses a schema that isn't the binary's.
func checkSchema(ctx context.Context, store *postgres.Store) error {
	if err := store.DB().PingContext(ctx); err != nil {
		return postgres.Classed("connect", err)
	}
	pending, err := sql.PendingMigrations(ctx, store.DB())
	err = postgres.Classed("check the schema", err)
	switch {
	case errors.Is(err, postgres.ErrSetup):
		return usageError("the reconciler schema is not made yet for this role; %s: %w", migrateFirst, err)
	case err != nil:
		return err
	case pending > 0:
		return usageError("the database lacks %s of the reconciler schema; %s", counted(pending, "migration"), migrateFirst)
	}
	return nil
}

// checkWritable refuses a server or role that takes no writes, before anything is done.
func checkWritable(ctx context.Context, store *postgres.Store) error {
	var server struct {
		Standby  bool
		ReadOnly bool `db:"read_only"`
	}
	if err := store.Get(ctx, &server, "check/writable", postgres.Args{}); err != nil {
		return err
	}
	switch {
	case server.Standby:
		return usageError("DATABASE_URL: %w: it is a standby; point the URL at the primary", errTakesNoWrites)
	case server.ReadOnly:
		return usageError("DATABASE_URL: %w: default_transaction_read_only is on; use a role that may write", errTakesNoWrites)
	}
	return nil
}

// errTakesNoWrites says that the database is a standby, or the role one that may only read.
var errTakesNoWrites = errors.New("the server takes no writes on this connection")

// withWorker runs do with a worker of the settings.
func withWorker(s *settings, cmd *cobra.Command, do func(ctx context.Context, c config, w *jobs.Worker) error) error {
	c, err := s.load(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	w, closeWorker, err := newWorker(cmd.Context(), c)
	if err != nil {
		return err
	}
	defer closeWorker()
	return do(cmd.Context(), c, w)
}

// withClerk runs do with a worker that needs nothing of the platform.
func withClerk(s *settings, cmd *cobra.Command, do func(ctx context.Context, c config, w *jobs.Worker) error) error {
	c, err := s.load(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	w, closeWorker, err := newClerk(cmd.Context(), c)
	if err != nil {
		return err
	}
	defer closeWorker()
	return do(cmd.Context(), c, w)
}

// withStore runs fn on the configured database.
func withStore(cmd *cobra.Command, s *settings, fn func(c config, store *postgres.Store) error) error {
	c, err := s.load(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	store, err := c.store()
	if err != nil {
		return err
	}
	defer store.Close()
	return fn(c, store)
}

// withReader runs fn, which only looks, on the replica where there is one, and on the primary when the replica can't be asked. What it reads
// may be as old as the replica is behind; when that is much, it says so.
func withReader(cmd *cobra.Command, s *settings, fn func(c config, store *postgres.Store) error) error {
	return withStore(cmd, s, func(c config, store *postgres.Store) (err error) {
		if c.replicaURL == "" {
			return fn(c, store)
		}
		c.databaseURL = c.replicaURL
		replica, err := c.store()
		if err != nil {
			return usageError("RECONCILER_REPLICA_URL: %s", unreadable(c.databaseURL, err))
		}
		defer func() { err = errors.Join(err, replica.Close()) }()
		state, err := askReplica(cmd.Context(), replica)
		if err != nil {
			c.log.Warn().Err(err).Msg("the replica can't be queried; reading from the primary instead")
			return fn(c, store)
		}
		if state.stale() {
			c.log.Warn().Str("age", state.age()).Msg("the replica is behind; this may be out of date")
		}
		return fn(c, replica)
	})
}
