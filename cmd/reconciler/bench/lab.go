package bench

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/demo"
	"github.com/hummingbytes/reconciler/cmd/reconciler/wiring"
	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/localpg"
)

type benchOptions struct {
	jobs     int64
	runs     int
	parts    []string
	dir      string
	against  string // another build's program
	config   cli.Config
	progress io.Writer
}

// Of a million jobs so many fail, and so many of the others have a wrong debit.
const (
	benchFailuresPerMillion = 15_000
	benchFaultsPerMillion   = 100
	benchJobsPerAccount     = 100
)

// benchNight is the night that is measured.
var benchNight = reconcile.NightOf(reconcile.Date{Year: 2026, Month: time.March, Day: 2}, time.UTC)

// lab is the bench's server, with a folder for what nights publish.
type lab struct {
	benchOptions
	server  *localpg.Server
	reports string
	version string
	cpus    int
}

func openLab(ctx context.Context, o benchOptions) (l *lab, err error) {
	l = &lab{benchOptions: o, cpus: runtime.NumCPU()}
	if l.reports, err = os.MkdirTemp("", "reconciler-bench-"); err != nil {
		return nil, err
	}
	l.server, err = localpg.Start(ctx, localpg.Options{Place: o.dir, Durable: true, Settings: map[string]string{
		// As anybody would set a server of this size; nothing that the worker relies on.
		"shared_buffers": "2GB", "max_wal_size": "8GB", "effective_cache_size": "8GB",
	}})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start PostgreSQL: %w", err), os.RemoveAll(l.reports))
	}
	store, err := l.admin()
	if err == nil {
		err = errors.Join(store.DB().QueryRowContext(ctx, "SELECT current_setting('server_version')").Scan(&l.version), store.Close())
	}
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *lab) close() error { return errors.Join(l.server.Stop(), os.RemoveAll(l.reports)) }

// admin connects to a database that no bed uses.
func (l *lab) admin() (*postgres.Store, error) {
	return postgres.Open(postgres.Options{URL: l.server.URL("postgres")})
}

func (l *lab) say(format string, args ...any) {
	fmt.Fprintf(l.progress, time.Now().Format(time.TimeOnly)+" "+format+"\n", args...)
}

// bed is one database of the lab with a worker on it. What the worker says to the server goes through a meter.
type bed struct {
	lab  *lab
	name string
	// admin is who owns the platform and the server: the worker's own role can neither write the one nor set the other up.
	admin  *dbsql.DB
	worker *jobs.Worker
	wire   *meter
	// took is how long each job of the last night took, statements how long each statement in all, brought what each job received over the wire.
	took, statements map[string]time.Duration
	brought          map[string]int64
}

// newBed makes a database: empty, or a copy of another one that nobody is connected to.
func (l *lab) newBed(ctx context.Context, name, template string) (*bed, error) {
	admin, err := l.admin()
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	create := "CREATE DATABASE " + name
	if template != "" {
		clone, err := localpg.CloneClause(ctx, admin.DB(), template)
		if err != nil {
			return nil, err
		}
		create += clone
	}
	if _, err := admin.DB().ExecContext(ctx, create); err != nil {
		return nil, fmt.Errorf("%s: %w", create, err)
	}
	b := &bed{lab: l, name: name}
	if b.admin, err = dbsql.Open("postgres", l.server.URL(name)); err != nil {
		return nil, err
	}
	if template == "" {
		if err := demo.SetUp(ctx, l.server, name); err != nil {
			return nil, err
		}
	}
	if b.wire, err = meterTo(l.server, name); err != nil {
		return nil, err
	}
	store, err := postgres.Open(postgres.Options{URL: b.wire.url})
	if err != nil {
		return nil, err
	}
	folder, err := storage.Open(filepath.Join(l.reports, name))
	if err != nil {
		return nil, err
	}
	b.worker = &jobs.Worker{Store: store, Policies: l.config.Policies, Settings: l.config.Jobs, Log: zerolog.Nop(), CodeVersion: l.config.Version, Reports: folder,
		Large: wiring.UseAllProcessors}
	return b, nil
}

// reopen connects the worker anew, so that settings of the database hold, and to a platform in another schema.
func (b *bed) reopen(schema string) error {
	store, err := postgres.Open(postgres.Options{URL: b.wire.url, SourceSchema: schema})
	if err != nil {
		return err
	}
	err = b.worker.Store.Close()
	b.worker.Store = store
	return err
}

func (b *bed) close() error {
	return errors.Join(b.worker.Store.Close(), b.wire.close(), b.admin.Close())
}

// drop gives the disk space back.
func (b *bed) drop(ctx context.Context) error {
	if err := b.close(); err != nil {
		return err
	}
	return b.lab.forget(ctx, b.name)
}

func (l *lab) forget(ctx context.Context, database string) error {
	admin, err := l.admin()
	if err != nil {
		return err
	}
	defer admin.Close()
	_, err = admin.DB().ExecContext(ctx, "DROP DATABASE "+database)
	return err
}

// fill puts jobs of a night, or of a longer time that begins with it, into the platform.
func (b *bed) fill(ctx context.Context, night reconcile.Night, jobs, accounts, failuresPerMillion int64) error {
	_, err := simulation.BulkNight{
		Night: night, Seed: night.Begin.Unix(), Jobs: jobs, Accounts: accounts,
		FailuresPerMillion: failuresPerMillion, FaultsPerMillion: benchFaultsPerMillion, RebuildIndexes: jobs >= 100_000,
	}.Fill(ctx, b.admin)
	return err
}

// settle does what a server does by itself between two nights: vacuum, statistics, checkpoint.
func (b *bed) settle(ctx context.Context) error {
	for _, statement := range []string{"VACUUM ANALYZE", "CHECKPOINT"} {
		if _, err := b.admin.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// run does a night, and notes how long each job of it took.
func (b *bed) run(ctx context.Context, date reconcile.Date, only ...string) (time.Duration, error) {
	b.took, b.statements, b.brought = map[string]time.Duration{}, map[string]time.Duration{}, map[string]int64{}
	var mu sync.Mutex // some is done side by side
	began := map[string]time.Time{}
	b.worker.Store.Intercept = func(_ context.Context, statement string, done bool) error {
		mu.Lock()
		defer mu.Unlock()
		if done {
			b.statements[statement] += time.Since(began[statement])
		}
		began[statement] = time.Now()
		return nil
	}
	defer func() { b.worker.Store.Intercept = nil }()
	started := time.Now()
	b.worker.Progress = func(_ reconcile.Date, job string) {
		mu.Lock()
		defer mu.Unlock()
		b.brought[job] = -b.wire.received.Load()
		if _, opened := b.took["open"]; !opened {
			b.took["open"] = time.Since(started)
		}
	}
	b.worker.Ended = func(_ reconcile.Date, job string, took time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		b.took[job] = took
		b.brought[job] += b.wire.received.Load()
	}
	err := b.worker.RunNight(ctx, date, only...)
	return time.Since(started), err
}

// environment is that of a process of its own that works on this bed.
func (b *bed) environment() []string {
	return append(os.Environ(), "DATABASE_URL="+b.lab.server.URLOf(sql.AppRole, b.name), "REPORTS_URL="+filepath.Join(b.lab.reports, b.name), "LOG_LEVEL=error", "STRIPE_API_KEY=")
}

// peak runs a night in a process of its own, as in production, and returns the most memory that it held, in MiB.
func (b *bed) peak(ctx context.Context, date reconcile.Date) (float64, error) {
	program, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, program, "run", "--date", date.String())
	cmd.Env = b.environment()
	if output, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("run in a process of its own: %w: %s", err, output)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0, errors.New("this system doesn't tell a process's memory")
	}
	return float64(usage.Maxrss) / 1024, nil // KiB on Linux
}

// meter counts what goes over the wire between worker and server.
type meter struct {
	listener net.Listener
	dir, url string
	received atomic.Int64 // by the worker
}

func meterTo(server *localpg.Server, database string) (*meter, error) {
	dir, err := os.MkdirTemp("", "meter-")
	if err != nil {
		return nil, err
	}
	target, address, err := unixAddress(server.URLOf(sql.AppRole, database), dir)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("unix", filepath.Join(dir, filepath.Base(target)))
	if err != nil {
		return nil, err
	}
	m := &meter{listener: listener, dir: dir, url: address}
	go m.serve(target)
	return m, nil
}

func (m *meter) serve(target string) {
	for {
		client, err := m.listener.Accept()
		if err != nil {
			return // closed
		}
		go m.carry(client, target)
	}
}

func (m *meter) carry(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("unix", target)
	if err != nil {
		return // the worker sees a closed connection
	}
	defer server.Close()
	go func() {
		defer server.Close()
		_, _ = io.Copy(server, client) // an end of either side ends both
	}()
	_, _ = io.Copy(client, counting{server, &m.received})
}

func (m *meter) close() error { return errors.Join(m.listener.Close(), os.RemoveAll(m.dir)) }

type counting struct {
	io.Reader
	count *atomic.Int64
}

func (c counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.count.Add(int64(n))
	return n, err
}
