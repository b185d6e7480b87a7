// Package serve has the commands that stay: serve does the nights on a schedule, desk shows them as web pages.
package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/cmd/reconciler/check"
	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/wiring"
	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// NewCommand is the command serve.
func NewCommand(s *cli.Settings) *cobra.Command {
	var listen string
	var grace time.Duration
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Do the nights on a schedule, in one long-lived process",
		Long: `At its start and at each tick of RECONCILER_SCHEDULE, serve does every night since the last completed one, in order, up to yesterday. On a
database where no night was ever begun it starts with yesterday; for earlier nights use "reconciler backfill".

The schedule follows the wall clock of RECONCILER_SCHEDULE_TIMEZONE: no tick is lost or doubled when clocks change. A night that can't be
finished (database or Stripe out of reach, another worker on it) is retried with growing pauses. One that ends with broken integrity or a
panic is left to a person, and later nights go ahead. RECONCILER_JOB_SCHEDULES adds single jobs in between, done for the last completed
night.

On SIGTERM it lets the current job finish, for at most --grace, starts no other, and ends with exit code 143.

  /healthz   200 while the process lives
  /readyz    200 when database, schema and schedule are all right; otherwise it says which is not. It also names single jobs that could not be
             done the last time and nights that need a person, which don't make it unready: another process would find the same
  /metrics   figures for Prometheus`,
		Example: `  reconciler serve
  reconciler serve --listen 127.0.0.1:9090 --schedule "30 1 * * *" --schedule-timezone Europe/Berlin
  reconciler serve --job-schedules "sync-stripe=@hourly; refunds=30 9 * * 1-5"`,
		Args: cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.Load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if grace < 0 {
				return cli.UsageError("--grace: %s is below 0", grace)
			}
			listener, err := net.Listen("tcp", listen)
			if err != nil {
				return cli.UsageError("--listen: %w", err)
			}
			return serve(cmd.Context(), c, listener, grace)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", ":8080", "address for probes and figures")
	cmd.Flags().DurationVar(&grace, "grace", 90*time.Second, "how long the current job may go on after SIGTERM")
	return cmd
}

// serve works until ctx ends.
func serve(ctx context.Context, c cli.Config, listener net.Listener, grace time.Duration) error {
	w, closeWorker, err := wiring.WireWorker(c)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer closeWorker()
	w.Clock, w.Drain = wiring.WallTime.Now, ctx.Done()
	// What can't be mended by waiting should be seen at once. What can, is waited for.
	if err := check.Fit(ctx, c, w); err != nil && !jobs.Retryable(err) {
		return errors.Join(err, listener.Close())
	}
	telling, stopTelling := context.WithCancel(context.WithoutCancel(ctx))
	defer stopTelling()
	messages := &wiring.Background{Courier: wiring.NewCourier(c, w), Zone: w.Settings.Defaults().Zone, Now: wiring.WallTime.Now}
	defer messages.Wait(stopTelling)
	server := &server{log: c.Log, store: w.Store, figures: wiring.NewFreshMetrics(w.Store, c.Log)}
	server.scheduler = &jobs.Scheduler{
		Worker: w, Nights: c.Nights, Jobs: c.JobSchedules, After: wiring.WallTime.After,
		Ready:  func(ctx context.Context) error { return wiring.AwaitPrimary(check.Fit(ctx, c, w)) },
		Begins: func(ctx context.Context) { wiring.ExpectNights(ctx, messages.Courier, w) },
		Ended: func(result jobs.CatchUpResult, err error) {
			server.figures.ExitCode.Set(float64(cli.CodeOf(ctx, err)))
			messages.Ended(telling, result, err)
		},
	}
	web := newWebServer(server.routes())
	webEnded := make(chan error, 1)
	go func() { webEnded <- web.Serve(boundConnections(listener, webConnections)) }()
	c.Log.Info().Stringer("listen", listener.Addr()).Stringer("schedule", c.Nights).Str("version", c.Version).Msg("serving")

	workCtx, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	defer context.AfterFunc(ctx, func() {
		server.draining.Store(true)
		c.Log.Info().Dur("grace_ms", grace).Msg("stopping: the current job may finish")
		time.AfterFunc(grace, stopWork)
	})()
	server.scheduler.Run(ctx, workCtx)

	shutdown, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := web.Shutdown(shutdown); err != nil {
		c.Log.Warn().Err(err).Msg("stopping the probes' server")
	}
	if err := <-webEnded; !errors.Is(err, http.ErrServerClosed) {
		c.Log.Warn().Err(err).Msg("the probes' server had ended")
	}
	return errors.New("stopped by a signal")
}

// server answers the probes.
type server struct {
	log       zerolog.Logger
	store     *postgres.Store
	scheduler *jobs.Scheduler
	figures   *wiring.FreshMetrics
	draining  atomic.Bool
}

func (s *server) routes() http.Handler {
	process := prometheus.NewRegistry()
	process.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok") // a probe that hung up is nobody's problem
	})
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(prometheus.Gatherers{s.figures, process}, promhttp.HandlerOpts{MaxRequestsInFlight: webConnections / 4, Timeout: webPatience / 2}))
	return mux
}

// nights says which nights are not what they should be.
func (s *server) nights(ctx context.Context) string {
	troubled, err := night.TroubledNights(ctx, s.store)
	if err != nil {
		s.log.Debug().Err(err).Msg("the nights can't be looked at")
		return "not looked at"
	}
	if len(troubled) == 0 {
		return "ok"
	}
	var texts []string
	for _, night := range troubled {
		texts = append(texts, night.String())
	}
	return "needing a person: " + cli.FirstOf(texts)
}

// probePatience is below the time that Kubernetes gives a probe in deploy/.
const probePatience = 3 * time.Second

// ready answers one line for each thing that a night relies on.
func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), probePatience)
	defer cancel()
	lines, well := []string{}, true
	say := func(what, problem, found string) {
		if problem != "" {
			well, found = false, problem
		}
		lines = append(lines, what+": "+found)
	}
	database, migrations := "", ""
	if err := s.store.DB().PingContext(ctx); err != nil {
		database, migrations = "out of reach", "not looked at"
		s.log.Debug().Err(err).Msg("not ready")
	} else if err := check.Schema(ctx, s.store); err != nil {
		migrations = "not this binary's; run: reconciler migrate"
		s.log.Debug().Err(err).Msg("not ready")
	}
	say("database", database, "ok")
	say("migrations", migrations, "ok")
	status := s.scheduler.Status()
	schedule := ""
	switch {
	case s.draining.Load():
		schedule = "stopping"
	case !status.Running:
		schedule = "not running"
	}
	found := "working on a night"
	if !status.Working {
		found = "next " + status.NextTick.UTC().Format(time.RFC3339)
	}
	if !status.Working && !status.Retry.IsZero() {
		found = "trying again at " + status.Retry.UTC().Format(time.RFC3339) + ", " + found
	}
	if status.Problem != "" {
		found += "; the last attempt left something undone, see the log"
	}
	if len(status.Failed) > 0 {
		found += "; could not be done the last time, see the log: " + strings.Join(status.Failed, ", ")
	}
	say("schedule", schedule, found)
	if database == "" && migrations == "" {
		lines = append(lines, "nights: "+s.nights(ctx))
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !well {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	fmt.Fprintln(w, strings.Join(lines, "\n"))
}
