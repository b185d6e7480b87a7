package wiring

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/push"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// pushJob is the grouping key of pushed figures. It never changes, or old groups would stay at the Pushgateway for ever.
const pushJob = "reconciler"

const exitCodeMetric = "reconciler_run_exit_code"

// metrics are the figures that alerts use. All but the exit code are read from the database, so that it doesn't matter which process did
// the night, and a restart loses nothing.
type metrics struct {
	registry *prometheus.Registry

	completed, duration, lateItems, creditBacks, credits prometheus.Gauge
	overdue, halted, syncFailed, ExitCode                prometheus.Gauge
	broken, missing                                      prometheus.Gauge
	lastRun, breaksOpen                                  *prometheus.GaugeVec
}

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		m.registry.MustRegister(g)
		return g
	}
	gauges := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(g)
		return g
	}
	m.completed = gauge("reconciler_last_completed_night_timestamp_seconds", "When the newest completed night was completed, in Unix time; 0 before the first.")
	m.lastRun = gauges("reconciler_last_run_timestamp_seconds", "When each job of the night last ended, in Unix time.", "step")
	m.ExitCode = gauge(exitCodeMetric, "Exit code of the last run for whole nights.")
	m.broken = gauge("reconciler_nights_broken", "Nights whose last run did not complete though they have been reported, or though a later night is completed.")
	m.missing = gauge("reconciler_nights_missing", "Nights between the first and the newest completed one that were never run.")
	m.breaksOpen = gauges("reconciler_breaks_open", "Open breaks at the end of the newest night.", "severity", "kind")
	m.overdue = gauge("reconciler_reviews_overdue", "Refund requests past their review date at the end of the newest night.")
	m.halted = gauge("reconciler_refunds_halted", "1 while a limit, the anomaly stop or the kill switch holds refunds back.")
	m.syncFailed = gauge("reconciler_stripe_sync_failed", "1 when the newest night could not look at Stripe.")
	m.duration = gauge("reconciler_night_duration_seconds", "How long the newest night took.")
	m.lateItems = gauge("reconciler_late_items", "Rows that arrived in the newest night for a period already reported.")
	m.creditBacks = gauge("reconciler_credit_backs_total", "Credit-backs posted by the newest night.")
	m.credits = gauge("reconciler_credit_backs_credits", "Credits posted back by the newest night.")
	return m
}

// refresh reads the figures from the database. On an error those read before stay.
func (m *metrics) refresh(ctx context.Context, store *postgres.Store) error {
	var runs []struct {
		Job        string
		FinishedAt time.Time
	}
	if err := store.Select(ctx, &runs, "metrics/last_runs", nil); err != nil {
		return err
	}
	var halted bool
	if err := store.Get(ctx, &halted, "metrics/refunds_halted", nil); err != nil {
		return err
	}
	troubled, err := night.TroubledNights(ctx, store)
	if err != nil {
		return err
	}
	var newest struct {
		BusinessDate reconcile.Date
		StartedAt    time.Time
		FinishedAt   time.Time
	}
	if err := store.Get(ctx, &newest, "metrics/newest_night", nil); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	var night struct {
		LateItems        int64
		CreditBacks      int64
		Credits          float64
		StripeSyncFailed bool
	}
	var open []struct {
		Kind     reconcile.BreakKind
		Severity string
		Count    int64
	}
	if !newest.BusinessDate.IsZero() {
		args := postgres.Args{"date": newest.BusinessDate}
		if err := store.Get(ctx, &night, "metrics/night", args); err != nil {
			return err
		}
		if err := store.Select(ctx, &open, "metrics/breaks_open", args); err != nil {
			return err
		}
		m.completed.Set(unixSeconds(newest.FinishedAt))
		m.duration.Set(newest.FinishedAt.Sub(newest.StartedAt).Seconds())
	}
	for _, run := range runs {
		m.lastRun.WithLabelValues(run.Job).Set(unixSeconds(run.FinishedAt))
	}
	missing, broken := 0, 0
	for _, night := range troubled {
		if night.Missing() {
			missing += night.Count()
		} else {
			broken++
		}
	}
	m.broken.Set(float64(broken))
	m.missing.Set(float64(missing))
	m.halted.Set(oneIf(halted))
	m.syncFailed.Set(oneIf(night.StripeSyncFailed))
	m.lateItems.Set(float64(night.LateItems))
	m.creditBacks.Set(float64(night.CreditBacks))
	m.credits.Set(night.Credits)
	m.overdue.Set(0)
	for _, rule := range reconcile.BreakRules {
		m.breaksOpen.WithLabelValues(string(rule.Severity), string(rule.Kind)).Set(0)
	}
	for _, o := range open {
		m.breaksOpen.WithLabelValues(o.Severity, string(o.Kind)).Set(float64(o.Count))
		if o.Kind == reconcile.ReviewOverdue {
			m.overdue.Set(float64(o.Count))
		}
	}
	return nil
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// told says which figures a run leaves.
type told int

const (
	ToldNothing    told = iota // of a rehearsal
	ToldFigures                // of a single job: all but the exit code, which stays that of the last night
	ToldEverything             // of whole nights
)

// leaveMetrics leaves a run's figures where the settings say. It never changes how the run ended: what fails is only logged.
func leaveMetrics(targets cli.MetricsTargets, log zerolog.Logger, tells told, code int, openStore func() (*postgres.Store, error)) {
	if targets == (cli.MetricsTargets{}) {
		return
	}
	// The run's own context may have ended by a signal.
	ctx, cancel := context.WithTimeout(context.Background(), cli.MetricsPatience)
	defer cancel()
	m := newMetrics()
	m.ExitCode.Set(float64(code))
	err := func() error {
		store, err := openStore()
		if err != nil {
			return err
		}
		defer store.Close()
		return m.refresh(ctx, store)
	}()
	if err != nil {
		log.Warn().Err(err).Msg("the database could not be read for metrics; only the exit code is reported")
		if tells == ToldFigures {
			return
		}
	}
	var known prometheus.Gatherer = m.registry
	switch {
	case err != nil:
		known = m.with(func(name string) bool { return name == exitCodeMetric })
	case tells == ToldFigures:
		known = m.with(func(name string) bool { return name != exitCodeMetric })
	}
	if targets.PushURL != "" {
		if err := pushFigures(ctx, targets.PushURL, known, err == nil && tells == ToldEverything); err != nil {
			log.Warn().Err(err).Msg("the metrics could not be pushed; the run itself is not affected")
		}
	}
	if targets.Textfile != "" {
		if err := writeTextfile(targets.Textfile, known, err == nil && tells == ToldEverything); err != nil {
			log.Warn().Err(err).Msg("the metrics could not be written; the run itself is not affected")
		}
	}
}

// pushFigures replaces what the Pushgateway has of this worker; when the figures are not all, it leaves the others as they are.
func pushFigures(ctx context.Context, url string, figures prometheus.Gatherer, all bool) error {
	pusher := push.New(url, pushJob).Client(&http.Client{Timeout: cli.MetricsPatience}).Gatherer(figures)
	if all {
		return pusher.PushContext(ctx)
	}
	return pusher.AddContext(ctx)
}

// writeTextfile replaces the file at once; when the figures are not all, the others are kept from the file that was there.
func writeTextfile(path string, figures prometheus.Gatherer, all bool) error {
	if all {
		return prometheus.WriteToTextfile(path, figures)
	}
	families, err := figures.Gather()
	if err != nil {
		return err
	}
	kept, err := readTextfile(path)
	if err != nil {
		return err
	}
	kept = slices.DeleteFunc(kept, func(old *dto.MetricFamily) bool {
		return slices.ContainsFunc(families, func(family *dto.MetricFamily) bool { return family.GetName() == old.GetName() })
	})
	return prometheus.WriteToTextfile(path, prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return append(families, kept...), nil }))
}

// with is the registry reduced to some families.
func (m *metrics) with(wanted func(name string) bool) prometheus.Gatherer {
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		families, err := m.registry.Gather()
		return slices.DeleteFunc(families, func(family *dto.MetricFamily) bool { return !wanted(family.GetName()) }), err
	})
}

// readTextfile are the families of an earlier file; none when there is no file.
func readTextfile(path string) ([]*dto.MetricFamily, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return slices.Collect(maps.Values(families)), nil
}

// FreshMetrics serves figures that are read when somebody asks, at most every few seconds.
type FreshMetrics struct {
	*metrics
	store *postgres.Store
	log   zerolog.Logger

	mu       sync.Mutex
	lastRead time.Time
}

// NewFreshMetrics are the figures that store has.
func NewFreshMetrics(store *postgres.Store, log zerolog.Logger) *FreshMetrics {
	return &FreshMetrics{metrics: newMetrics(), store: store, log: log}
}

// metricsAge is how old served figures may be.
const metricsAge = 5 * time.Second

func (f *FreshMetrics) Gather() ([]*dto.MetricFamily, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.lastRead) > metricsAge {
		ctx, cancel := context.WithTimeout(context.Background(), cli.MetricsPatience/3)
		defer cancel()
		if err := f.refresh(ctx, f.store); err != nil {
			f.log.Warn().Err(err).Msg("metrics could not be read; serving the last ones")
		}
		f.lastRead = time.Now()
	}
	return f.registry.Gather()
}

// WithMetrics does a command and leaves its figures, however it ended.
func WithMetrics(s *cli.Settings, cmd *cobra.Command, tells told, do func() error) error {
	err := do()
	if tells == ToldNothing {
		return err
	}
	log, logErr := s.Logger(cmd.ErrOrStderr())
	if logErr != nil { // one of the reasons for exit code 2, which must be told all the same
		log = zerolog.New(cli.NewRedactor(cmd.ErrOrStderr(), s.Secrets()))
	}
	leaveMetrics(s.MetricsTargets(), log, tells, cli.CodeOf(cmd.Context(), err), func() (*postgres.Store, error) {
		store, err := postgres.Open(postgres.Options{URL: s.Value("DATABASE_URL"), SourceSchema: s.Value("RECONCILER_SOURCE_SCHEMA"), MaxConnections: 1})
		if err != nil {
			return nil, errors.New("DATABASE_URL: " + cli.Unreadable(s.Value("DATABASE_URL"), err))
		}
		return store, nil
	})
	return err
}
