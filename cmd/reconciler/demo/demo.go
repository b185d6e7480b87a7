// Package demo plays an invented business on a database of its own, and shows the nights.
package demo

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/wiring"
	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/calendar"
	"github.com/hummingbytes/reconciler/reconcile/policyfile"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/localpg"
)

// demoMark is the file that tells a folder of an earlier demo, which may be overwritten, from a folder that somebody cares for.
const demoMark = ".reconciler-demo"

// Start is the first night of the invented business, a Monday.
var Start = reconcile.Date{Year: 2026, Month: time.March, Day: 2}

// demo is one run of the command.
type demo struct {
	dir, tracePath string
	nights         int
	seed           uint64
	accounts       int
	jobsPerNight   int
	databaseURL    string // empty: a private server
	config         cli.Config
	// platform is the hand that writes the platform's rows; the worker's role can't.
	platform *dbsql.DB
	out, log io.Writer
}

// NewCommand is the command demo.
func NewCommand(s *cli.Settings) *cobra.Command {
	d := &demo{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Do the whole job on a simulated business",
		Long: `demo shows the whole job without anything to set up: it starts a PostgreSQL of its own (fetching one if the machine has
none), plays a small business with known faults into it night by night, runs every night as "run" would, and leaves the
reports. At the end it compares what was found with what was planted, and fails on any difference.

The environment's settings are not used. With --database-url the demo plays in that database instead, which must have
neither a schema platform nor a schema reconciler; both are left there. In one with Citus their tables are distributed.

--trace replays a CSV file of real requests instead of inventing jobs, one job a row and all days of it unless --nights is
given. Its columns, found by their names in the header:

  gmt_create                    when the job was created, UTC, as 2024-11-15 16:57:50
  groupId                       the account
  predict_type                  TXT_2_IMG, IMG_2_IMG or INPAINTING: price factor 10, 12 or 15
  predict_status                SUCCEED, FAILED, PENDING (queued for ever), PROCESSING (running for ever); empty: stays queued
  exec_time_seconds             how long it took; empty: 0
  num_images_per_prompt         empty: 1
  num_inference_steps           empty: 30
  checkpoint_model_version_id   the model

A job costs images * steps * factor / 100 credits, rounded up. Failed ones get a failure code, and accounts buy credits
whenever they would run out. Jobs that never end are real breaks, and are counted as such.`,
		Example: `  reconciler demo                          14 nights, reports in ./demo-reports
  reconciler demo --nights 30 --dir /tmp/r more nights, elsewhere
  reconciler demo --trace requests.csv     real arrivals, users and outcomes`,
		Args: cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.out, d.log = cmd.OutOrStdout(), cmd.ErrOrStderr()
			if err := d.configure(s, cmd.Flags().Changed("nights")); err != nil {
				return err
			}
			return d.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&d.dir, "dir", "demo-reports", "folder for the reports")
	flags.IntVar(&d.nights, "nights", 14, "how many nights, 1 to 366")
	flags.StringVar(&d.tracePath, "trace", "", "CSV file of requests to replay")
	flags.Uint64Var(&d.seed, "seed", 1, "another number is another business")
	flags.IntVar(&d.accounts, "accounts", 300, "customers at the beginning")
	flags.IntVar(&d.jobsPerNight, "jobs-per-night", 2000, "jobs on a weekday")
	return cmd
}

// configure takes what the demo lets a user choose. The environment is left out on purpose: it may name a real database.
func (d *demo) configure(s *cli.Settings, nightsGiven bool) error {
	switch {
	case d.nights < 1 || d.nights > 366:
		return cli.UsageError("--nights: %d is not within 1 and 366", d.nights)
	case d.accounts < 1 || d.accounts > 1_000_000:
		return cli.UsageError("--accounts: %d is not within 1 and 1000000", d.accounts)
	case d.jobsPerNight < 0 || d.jobsPerNight > 1_000_000:
		return cli.UsageError("--jobs-per-night: %d is not within 0 and 1000000", d.jobsPerNight)
	case d.dir == "":
		return cli.UsageError("--dir: is empty")
	}
	if d.tracePath != "" && !nightsGiven {
		d.nights = 0 // all of the trace
	}
	zone := "UTC"
	if flag := s.Flags.Lookup("reconciler-timezone"); flag.Changed {
		zone = flag.Value.String()
	}
	location, err := cli.LoadZone(zone)
	if err != nil {
		return cli.UsageError("--timezone: %w", err)
	}
	if flag := s.Flags.Lookup("database-url"); flag.Changed {
		d.databaseURL = flag.Value.String()
	}
	policies, err := policyfile.Default()
	if err != nil {
		return err
	}
	d.config = cli.Config{Version: s.Version, SourceSchema: sql.DefaultSourceSchema, Policies: policies, Jobs: night.Settings{Zone: location}}
	return nil
}

func (d *demo) run(ctx context.Context) (err error) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(math.MaxInt64) // the whole business is held in memory, and the worker's goal is no measure for that
	}
	business, err := d.business()
	if err != nil {
		return err
	}
	if err := d.prepareFolder(); err != nil {
		return err
	}
	logFile, err := os.Create(filepath.Join(d.dir, "demo.log"))
	if err != nil {
		return cli.UsageError("--dir: %w", err)
	}
	defer func() { err = errors.Join(err, logFile.Close()) }()
	d.config.Log = zerolog.New(logFile).With().Timestamp().Logger()
	d.config.ReportsURL = d.dir

	closeDatabase, err := d.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeDatabase()) }()
	worker, closeWorker, err := wiring.NewWorker(ctx, d.config)
	if err != nil {
		return err
	}
	defer closeWorker()
	closeStripe, err := d.connectStripe(business, worker)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStripe()) }()

	started := time.Now()
	if err := d.playAndRun(ctx, business, worker); err != nil {
		if ctx.Err() != nil {
			return errors.New("stopped; the demo's database is gone, the reports so far are in " + d.dir)
		}
		return fmt.Errorf("%w\nThe log is in %s", err, logFile.Name())
	}
	took := time.Since(started)
	outcome, err := business.Compare(ctx, d.platform)
	if err != nil {
		return err
	}
	d.tell(business, outcome, took)
	if len(outcome.Differences) > 0 {
		return fmt.Errorf("%w: what was found is not what was planted", night.ErrIntegrity)
	}
	return nil
}

// openDatabase sets up the database that the user has named, or one on a server of the demo's own, where the worker has its documented role.
func (d *demo) openDatabase(ctx context.Context) (closeDatabase func() error, err error) {
	if d.databaseURL != "" {
		d.config.DatabaseURL = d.databaseURL
		if err := d.createSchemas(ctx); err != nil {
			return nil, err
		}
		d.platform, err = dbsql.Open("postgres", d.databaseURL)
		if err != nil {
			return nil, fmt.Errorf("reach the demo's database: %w", err)
		}
		return d.platform.Close, nil
	}
	const database = "postgres"
	server, err := localpg.Start(ctx, localpg.Options{
		// Autovacuum keeps the planner informed, as on any real server; as often as there: with each new statistics plans are made anew.
		Settings: map[string]string{"autovacuum": "on"},
	})
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w\nor let the demo play in an empty database of yours: --database-url", err)
	}
	if err := SetUp(ctx, server, database); err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	d.config.DatabaseURL = server.URLOf(sql.AppRole, database)
	if d.platform, err = dbsql.Open("postgres", server.URL(database)); err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	return func() error { return errors.Join(d.platform.Close(), server.Stop()) }, nil
}

// business reads the trace, if there is one, and prepares the simulation.
func (d *demo) business() (*simulation.Simulation, error) {
	version, err := d.config.Policies.At(time.Date(Start.Year, Start.Month, Start.Day, 0, 0, 0, 0, time.UTC))
	if err != nil {
		return nil, err
	}
	holidays, err := calendar.ByName(version.HolidayCalendar)
	if err != nil {
		return nil, err
	}
	o := simulation.Options{
		Seed: d.seed, Start: Start, Nights: d.nights, Zone: d.config.Jobs.Zone, Accounts: d.accounts, JobsPerNight: d.jobsPerNight,
		IsHoliday: holidays, ReviewBusinessDays: version.ReviewBusinessDays, Stripe: true,
	}
	if d.tracePath != "" {
		file, err := os.Open(d.tracePath)
		if err != nil {
			return nil, cli.UsageError("--trace: %w", err)
		}
		defer file.Close()
		if o.Trace, err = simulation.ReadTrace(file); err != nil {
			return nil, cli.UsageError("--trace %s: %w", d.tracePath, err)
		}
		o.Start, o.Accounts = reconcile.Date{}, 0
	}
	business, err := simulation.New(o)
	if err != nil {
		return nil, cli.UsageError("%w", err)
	}
	return business, nil
}

// prepareFolder makes the reports' folder, and empties that of an earlier demo. Any other folder that holds something is refused.
func (d *demo) prepareFolder() error {
	entries, err := os.ReadDir(d.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return cli.UsageError("--dir: %w", err)
	}
	mark := filepath.Join(d.dir, demoMark)
	if _, err := os.Stat(mark); err != nil && len(entries) > 0 {
		return cli.UsageError("--dir: %s is not empty, and not from an earlier demo; name another folder", d.dir)
	}
	for _, entry := range entries {
		if entry.Name() == demoMark {
			continue // last, so that an interrupted clearing can be done again
		}
		if err := os.RemoveAll(filepath.Join(d.dir, entry.Name())); err != nil {
			return cli.UsageError("--dir: %w", err)
		}
	}
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return cli.UsageError("--dir: %w", err)
	}
	if err := os.WriteFile(mark, []byte("reports of \"reconciler demo\": the next one overwrites this folder\n"), 0o644); err != nil {
		return cli.UsageError("--dir: %w", err)
	}
	return nil
}

// createSchemas makes the platform's and the worker's tables in a database that the user has named, with that user for everything: roles are
// not made on somebody's server. A database that has either schema is somebody's, and refused.
func (d *demo) createSchemas(ctx context.Context) error {
	store, err := d.config.Store()
	if err != nil {
		return err
	}
	defer store.Close()
	var taken bool
	err = store.DB().QueryRowContext(ctx, "SELECT to_regnamespace('platform') IS NOT NULL OR to_regnamespace('reconciler') IS NOT NULL").Scan(&taken)
	if err != nil {
		return fmt.Errorf("reach the demo's database: %w", err)
	}
	if taken {
		return cli.UsageError("--database-url: the database has a schema platform or reconciler already; the demo needs a database without them")
	}
	if _, err := store.DB().ExecContext(ctx, sql.Platform); err != nil {
		return fmt.Errorf("create the platform's tables: %w", err)
	}
	if _, err := sql.Migrate(ctx, store.DB()); err != nil {
		return err
	}
	if err := sql.DistributeAll(ctx, store.DB(), sql.DefaultSourceSchema); err != nil {
		return fmt.Errorf("distribute the tables: %w", err)
	}
	return nil
}

// connectStripe points the worker at the simulated Stripe, which has no limits to keep to, and whose clock stands still while a night runs.
func (d *demo) connectStripe(business *simulation.Simulation, worker *jobs.Worker) (closeStripe func() error, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the simulated Stripe: %w", err)
	}
	server := &http.Server{Handler: business.StripeHandler(), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // ends with http.ErrServerClosed
	client, err := stripefeed.New(stripefeed.Options{
		Key: business.Stripe().ReadKey(), BaseURL: "http://" + listener.Addr().String(), Log: d.config.Log,
		EndpointPerSecond: 1e6, TotalPerSecond: 1e6, SyncLag: -1,
	})
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	worker.Stripe = client
	return server.Close, nil
}

func (d *demo) playAndRun(ctx context.Context, business *simulation.Simulation, worker *jobs.Worker) error {
	progress := d.progress(len(business.Nights()) * (1 + len(jobs.Names())))
	defer progress.done()
	worker.Progress = func(night reconcile.Date, job string) { progress.step(night, job) }
	for _, night := range business.Nights() {
		progress.step(night.Date, "the day's business")
		if err := business.PlayNight(ctx, d.platform, night.Date); err != nil {
			return err
		}
		if err := worker.RunNight(ctx, night.Date); err != nil {
			return err
		}
	}
	return nil
}

// demoProgress is a bar on a terminal, and nothing elsewhere.
type demoProgress struct{ bar *progressbar.ProgressBar }

func (d *demo) progress(steps int) demoProgress {
	file, ok := d.log.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return demoProgress{}
	}
	return demoProgress{progressbar.NewOptions(steps, progressbar.OptionSetWriter(file), progressbar.OptionSetWidth(24), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetPredictTime(false), progressbar.OptionShowCount(), progressbar.OptionThrottle(65*time.Millisecond))}
}

func (p demoProgress) step(night reconcile.Date, job string) {
	if p.bar == nil {
		return
	}
	p.bar.Describe(fmt.Sprintf("%s %-18s", night, job))
	_ = p.bar.Add(1) // a bar that can't be drawn is no reason to stop
}

func (p demoProgress) done() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}

// tell writes the closing table.
func (d *demo) tell(business *simulation.Simulation, o simulation.Outcome, took time.Duration) {
	nights, totals := business.Nights(), business.Totals()
	first, last := nights[0].Date, nights[len(nights)-1].Date
	fmt.Fprintf(d.out, "Nights %s to %s (%d) in %.1f s: %s accounts, %s purchases,\n%s jobs, %s ledger entries, %s refund requests.\n",
		first, last, len(nights), took.Seconds(), thousands(totals.Accounts), thousands(totals.Purchases), thousands(totals.Jobs),
		thousands(totals.Entries), thousands(totals.Requests))
	fmt.Fprintf(d.out, "Control totals tie in every night. Jobs credited back: %s (%s credits).\n", thousands(o.CreditedJobs), thousands(o.CreditedCredits))
	const row = "%-26s %7d %5d %-10s %s\n"
	fmt.Fprintf(d.out, "\n%-26s %7s %5s %-10s %s\n", "break", "planted", "found", "first seen", "for example")
	for _, width := range []int{26, 7, 5, 10} {
		fmt.Fprint(d.out, strings.Repeat("-", width), " ")
	}
	fmt.Fprintln(d.out, strings.Repeat("-", 28))
	for _, k := range o.Kinds {
		seen := k.FirstNight.String()
		if k.FirstNight.IsZero() {
			seen = "never"
		}
		fmt.Fprintf(d.out, row, k.Kind, k.Planted, k.Found, seen, k.Example)
	}
	fmt.Fprintf(d.out, "\n%-26s %7s %5s\n", "also planted", "planted", "right")
	fmt.Fprintf(d.out, "%s %s %s\n", strings.Repeat("-", 26), strings.Repeat("-", 7), strings.Repeat("-", 5))
	fmt.Fprintf(d.out, "%-26s %7d %5d\n", "rows to reject", o.Rejects, o.RejectsRight)
	fmt.Fprintf(d.out, "%-26s %7d %5d\n\n", "refund requests to decide", o.Decisions, o.DecisionsRight)
	if len(o.Differences) == 0 {
		fmt.Fprintln(d.out, "Every fault was reported as the right break, on the right night, and cleared\nonce it was mended. Nothing else was reported.")
	} else {
		fmt.Fprintf(d.out, "What was found differs from what was planted in %s:\n", cli.Counted(len(o.Differences), "place"))
		for _, difference := range o.Differences {
			fmt.Fprintln(d.out, "  "+difference)
		}
	}
	fmt.Fprintf(d.out, "\nWhere to look\n  all nights   %s\n  last night   %s\n  a break      DATE/breaks.csv there, DATE as in \"first seen\"\n",
		filepath.Join(d.dir, "index.html"), filepath.Join(d.dir, last.String(), "summary.html"))
}

// thousands writes a count with commas.
func thousands(n int64) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
