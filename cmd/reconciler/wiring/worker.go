// Package wiring makes workers out of settings, tries again what is out of reach, and tells of nights: by figures and by messages.
package wiring

import (
	"context"
	"errors"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/cmd/reconciler/check"
	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/storage"
)

// NightPatience is how long a night waits for its turn, while another worker is at another one.
const NightPatience = 30 * time.Minute

// NewWorker wires a worker for nights from the configuration, and refuses a database that isn't fit for them.
func NewWorker(ctx context.Context, c cli.Config) (*jobs.Worker, func(), error) {
	return fitWorker(ctx, c, func(ctx context.Context, w *jobs.Worker) error { return check.Fit(ctx, c, w) })
}

// newClerk is a worker for what needs nothing of the platform: plans are approved and stopped whatever is wrong with it.
func newClerk(ctx context.Context, c cli.Config) (*jobs.Worker, func(), error) {
	return fitWorker(ctx, c, func(ctx context.Context, w *jobs.Worker) error { return check.Database(ctx, w.Store) })
}

// NewReader wires a worker that only looks: any role and server will do that have the binary's schema.
func NewReader(ctx context.Context, c cli.Config) (*jobs.Worker, func(), error) {
	return fitWorker(ctx, c, func(ctx context.Context, w *jobs.Worker) error { return check.Schema(ctx, w.Store) })
}

func fitWorker(ctx context.Context, c cli.Config, fits func(context.Context, *jobs.Worker) error) (*jobs.Worker, func(), error) {
	w, closeStore, err := WireWorker(c)
	if err != nil {
		return nil, nil, err
	}
	if err := fits(ctx, w); err != nil {
		closeStore()
		return nil, nil, err
	}
	return w, closeStore, nil
}

// WireWorker wires a worker without talking to anything.
func WireWorker(c cli.Config) (*jobs.Worker, func(), error) {
	store, err := c.Store()
	if err != nil {
		return nil, nil, err
	}
	closeStore := func() {
		if err := store.Close(); err != nil {
			c.Log.Warn().Err(err).Msg("closing the database")
		}
	}
	reports, err := storage.Open(c.ReportsURL)
	if err != nil {
		closeStore()
		return nil, nil, cli.UsageError("%w", err)
	}
	w := &jobs.Worker{
		Store: store, Policies: c.Policies, Settings: c.Jobs, Log: c.Log, CodeVersion: c.Version, Reports: reports, LockPatience: NightPatience,
		Large: UseAllProcessors,
	}
	if c.StripeKey != "" {
		client, err := c.Stripe()
		if err != nil {
			closeStore()
			return nil, nil, cli.UsageError("%w", err)
		}
		w.Stripe = client
	}
	if c.StripeRefundKey != "" {
		client, err := c.StripeRefunds()
		if err != nil {
			closeStore()
			return nil, nil, cli.UsageError("STRIPE_REFUND_KEY: %w", err)
		}
		w.Refunds = client
	}
	return w, closeStore, nil
}

// UseOneProcessor has the process do with one processor until a large night comes: in a small one it costs more to wake another than what that could do,
// about a fifth of all that the worker uses. GOMAXPROCS in the environment overrules it.
func UseOneProcessor() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
}

// UseAllProcessors is for a large night, whose files are written beside the reading of their rows.
func UseAllProcessors() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.SetDefaultGOMAXPROCS()
	}
}

// WithWorker runs do with a worker of the settings.
func WithWorker(s *cli.Settings, cmd *cobra.Command, do func(ctx context.Context, c cli.Config, w *jobs.Worker) error) error {
	return with(s, cmd, NewWorker, do)
}

// WithClerk runs do with a worker that needs nothing of the platform.
func WithClerk(s *cli.Settings, cmd *cobra.Command, do func(ctx context.Context, c cli.Config, w *jobs.Worker) error) error {
	return with(s, cmd, newClerk, do)
}

func with(s *cli.Settings, cmd *cobra.Command, open func(context.Context, cli.Config) (*jobs.Worker, func(), error), do func(ctx context.Context, c cli.Config, w *jobs.Worker) error) error {
	c, err := s.Load(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	w, closeWorker, err := open(cmd.Context(), c)
	if err != nil {
		return err
	}
	defer closeWorker()
	return do(cmd.Context(), c, w)
}

// WithStore runs fn on the configured database.
func WithStore(cmd *cobra.Command, s *cli.Settings, fn func(c cli.Config, store *postgres.Store) error) error {
	c, err := s.Load(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	store, err := c.Store()
	if err != nil {
		return err
	}
	defer store.Close()
	return fn(c, store)
}

// WithReader runs fn, which only looks, on the replica where there is one, and on the primary when the replica can't be asked or does not know
// what is asked for. What it reads may be as old as the replica is behind; when that is much, or can't be known, it says so.
func WithReader(cmd *cobra.Command, s *cli.Settings, fn func(c cli.Config, store *postgres.Store) error) error {
	return WithStore(cmd, s, func(c cli.Config, store *postgres.Store) (err error) {
		if c.ReplicaURL == "" {
			return fn(c, store)
		}
		c.DatabaseURL = c.ReplicaURL
		replica, err := c.Store()
		if err != nil {
			return cli.UsageError("RECONCILER_REPLICA_URL: %s", cli.Unreadable(c.DatabaseURL, err))
		}
		defer func() { err = errors.Join(err, replica.Close()) }()
		state, err := check.AskReplica(cmd.Context(), replica)
		if err != nil {
			c.Log.Warn().Err(err).Msg("the replica can't be queried; reading from the primary instead")
			return fn(c, store)
		}
		if doubt, fix := state.Doubt(); doubt != "" {
			c.Log.Warn().Str("fix", fix).Msg("the replica " + doubt + "; this may be out of date")
		}
		err = fn(c, replica)
		if errors.Is(err, cli.ErrUsage) && store.DB().PingContext(cmd.Context()) == nil { // an id that is unknown there may be younger than what it has
			return fn(c, store)
		}
		return err
	})
}
