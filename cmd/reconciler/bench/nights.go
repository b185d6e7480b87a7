package bench

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/cmd/reconciler/demo"
	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/localpg"
)

// Small nights are those of a business of this size, filled back without Stripe.
const (
	smallNights       = 30
	smallAccounts     = 40
	smallJobsPerNight = 270
)

// clockTicks is how many of them /proc counts to a second; the same on every Linux.
const clockTicks = 100

// smallNight is what a night of one build costs.
type smallNight struct {
	program, name           string
	cpu, worker, took, sent []float64
	statements              map[string]float64 // seconds that the server plans and runs each, of the last backfill
}

// nights measures what a backfill of small nights costs: the worker's and the server's CPU, and statements. With another build named, it takes
// turns with this one, on the same data and server.
func (l *lab) nights(ctx context.Context, r *benchReport) (err error) {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	small := *l
	small.server, err = localpg.Start(ctx, localpg.Options{Durable: true, Settings: map[string]string{
		"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.max": "10000", "pg_stat_statements.track_planning": "on",
	}})
	if err != nil {
		return fmt.Errorf("start PostgreSQL with pg_stat_statements: %w", err)
	}
	defer func() { err = errors.Join(err, small.server.Stop()) }()
	if err := small.playBusiness(ctx); err != nil {
		return err
	}
	builds := []*smallNight{{program: program, name: "this build"}}
	if l.against != "" {
		builds = append(builds, &smallNight{program: l.against, name: "the other build"})
	}
	for i := range l.runs {
		inTurn := slices.Clone(builds)
		if i%2 == 1 {
			slices.Reverse(inTurn)
		}
		for _, build := range inTurn {
			l.say("backfill of %d small nights by %s: run %d of %d", smallNights, build.name, i+1, l.runs)
			if err := small.fillBack(ctx, build); err != nil {
				return fmt.Errorf("%s: %w", build.name, err)
			}
		}
	}
	what := fmt.Sprintf("%d nights of some %d jobs, without Stripe", smallNights, smallJobsPerNight)
	for _, build := range builds {
		r.atMost("small night, CPU of worker and server, "+build.name, 0, "s", build.cpu, what)
		r.atMost("small night, CPU of the worker alone, "+build.name, 0, "s", build.worker, "")
		r.atMost("small night, statements sent, "+build.name, 0, "", build.sent, "BEGIN, COMMIT, SET and the like counted")
		r.profile("small nights by "+build.name, sampled{statements: samplesOf(build.statements)})
	}
	if len(builds) == 2 {
		r.atMost("small night, CPU of worker and server", 0.35, "times", ratios(builds[0].cpu, builds[1].cpu), "against the other build")
		r.atMost("small night, time", 0, "times", ratios(builds[0].took, builds[1].took), "against the other build")
	}
	r.atMost("small night, statements sent", 240, "", builds[0].sent, "")
	return nil
}

func samplesOf(seconds map[string]float64) map[string][]float64 {
	samples := map[string][]float64{}
	for statement, s := range seconds {
		samples[statement] = []float64{s}
	}
	return samples
}

// playBusiness makes the database that each run gets a copy of: the platform's tables with all the nights, and roles, but nothing of a build's own.
func (l *lab) playBusiness(ctx context.Context) (err error) {
	admin, err := l.admin()
	if err != nil {
		return err
	}
	defer admin.Close()
	if _, err := admin.DB().ExecContext(ctx, "CREATE DATABASE business"); err != nil {
		return err
	}
	db, err := dbsql.Open("postgres", l.server.URL("business"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	business, err := simulation.New(simulation.Options{Seed: 1, Start: demo.Start, Nights: smallNights, Zone: time.UTC, Accounts: smallAccounts, JobsPerNight: smallJobsPerNight})
	if err != nil {
		return err
	}
	for _, statement := range []string{sql.Platform, sql.Roles, "CREATE EXTENSION pg_stat_statements"} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	for _, night := range business.Nights() {
		if err := business.PlayNight(ctx, db, night.Date); err != nil {
			return err
		}
	}
	_, err = db.ExecContext(ctx, "VACUUM ANALYZE")
	return err
}

// fillBack lets a build do all the nights in a database and a process of its own.
func (l *lab) fillBack(ctx context.Context, build *smallNight) (err error) {
	admin, err := l.admin()
	if err != nil {
		return err
	}
	defer admin.Close()
	clone, err := localpg.CloneClause(ctx, admin.DB(), "business")
	if err != nil {
		return err
	}
	if _, err := admin.DB().ExecContext(ctx, "CREATE DATABASE backfilled"+clone); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, l.forget(ctx, "backfilled"), os.RemoveAll(filepath.Join(l.reports, "backfilled")))
	}()
	if _, err := l.call(ctx, build.program, sql.OwnerRole, "migrate"); err != nil {
		return err
	}
	db, err := dbsql.Open("postgres", l.server.URL("backfilled"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, "SELECT pg_stat_statements_reset()"); err != nil {
		return err
	}
	if err := l.awaitNobody(ctx, db); err != nil {
		return err
	}
	before, err := l.serverCPU()
	if err != nil {
		return err
	}
	started := time.Now()
	state, err := l.call(ctx, build.program, sql.AppRole, "backfill", "--from", demo.Start.String(), "--to", demo.Start.AddDays(smallNights-1).String())
	if err != nil {
		return err
	}
	build.took = append(build.took, seconds(time.Since(started))/smallNights)
	if err := l.awaitNobody(ctx, db); err != nil {
		return err
	}
	after, err := l.serverCPU()
	if err != nil {
		return err
	}
	worker := seconds(state.UserTime() + state.SystemTime())
	build.worker = append(build.worker, worker/smallNights)
	build.cpu = append(build.cpu, (seconds(after-before)+worker)/smallNights)
	return build.readStatements(ctx, db)
}

// call runs a program of the lab's database as a role.
func (l *lab) call(ctx context.Context, program, role string, args ...string) (*os.ProcessState, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+l.server.URLOf(role, "backfilled"), "REPORTS_URL="+filepath.Join(l.reports, "backfilled"), "LOG_LEVEL=error", "STRIPE_API_KEY=",
		"RECONCILER_CREDIT_BACK_ANOMALY_MULTIPLE=0") // a business so small has nights that differ much
	output, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s in a process of its own: %w: %s", args[0], err, output)
	}
	return cmd.ProcessState, nil
}

// awaitNobody waits until the programs' sessions are gone, and the server's processes of them too: only then are they counted.
func (l *lab) awaitNobody(ctx context.Context, db *dbsql.DB) error {
	postmaster, err := l.postmaster()
	if err != nil {
		return err
	}
	for {
		var sessions int
		var known string
		err := db.QueryRowContext(ctx, "SELECT count(*) FILTER (WHERE usename IN ($1, $2)), string_agg(pid::text, ' ') FROM pg_stat_activity", sql.AppRole, sql.OwnerRole).Scan(&sessions, &known)
		if err != nil {
			return err
		}
		processes, err := os.ReadFile(fmt.Sprintf("/proc/%s/task/%s/children", postmaster, postmaster))
		if err != nil {
			return fmt.Errorf("this system doesn't tell the server's processes: %w", err)
		}
		ending := slices.ContainsFunc(strings.Fields(string(processes)), func(pid string) bool { return !slices.Contains(strings.Fields(known), pid) })
		if sessions == 0 && !ending {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// postmaster is the process that all others of the server are children of.
func (l *lab) postmaster() (pid string, err error) {
	content, err := os.ReadFile(filepath.Join(l.server.Dir(), "data", "postmaster.pid"))
	pid, _, _ = strings.Cut(string(content), "\n")
	return pid, err
}

// serverCPU is what those processes of the server have used that have ended: the sessions, and what cleaned up after them.
func (l *lab) serverCPU() (time.Duration, error) {
	postmaster, err := l.postmaster()
	if err != nil {
		return 0, err
	}
	stat, err := os.ReadFile("/proc/" + postmaster + "/stat")
	if err != nil {
		return 0, fmt.Errorf("this system doesn't tell what the server's processes use: %w", err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 15 {
		return 0, fmt.Errorf("/proc/%s/stat is not as expected: %q", postmaster, stat)
	}
	var ticks int64
	for _, field := range fields[13:15] { // cutime and cstime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / clockTicks, nil
}

// readStatements counts what the worker has sent.
func (b *smallNight) readStatements(ctx context.Context, db *dbsql.DB) error {
	rows, err := db.QueryContext(ctx, `SELECT coalesce(substring(s.query FROM '^/\* ([a-z_]+/[a-z_]+) \*/'), left(s.query, 60)) AS statement, sum(s.calls)::float8,
		sum(s.total_exec_time + s.total_plan_time) / 1000
		FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid WHERE r.rolname = $1 GROUP BY 1`, sql.AppRole)
	if err != nil {
		return err
	}
	defer rows.Close()
	b.statements = map[string]float64{}
	sent := 0.0
	for rows.Next() {
		var statement string
		var calls, took float64
		if err := rows.Scan(&statement, &calls, &took); err != nil {
			return err
		}
		b.statements[fmt.Sprintf("%s (%.1f a night)", statement, calls/smallNights)] = took
		sent += calls
	}
	b.sent = append(b.sent, sent/smallNights)
	return rows.Err()
}
