package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/reconcile"
)

// benchBackfillNights is how many nights are filled back.
const benchBackfillNights = 60

// backfillVariant is a backfill as one would run it with so many cores.
type backfillVariant struct {
	name  string
	cores string // the only ones that server and worker may use, as taskset lists them
	took  []float64
}

// backfill measures what a second core brings. Each in a process of its own, as in production.
func (l *lab) backfill(ctx context.Context, r *benchReport) error {
	if _, err := exec.LookPath("taskset"); err != nil || l.cpus < 2 {
		l.say("what a second core brings to a backfill is not measured: that takes two cores, and taskset")
		return nil
	}
	nightly := max(l.jobs/1000, 1000)
	from, to := benchNight.Date.AddDays(-benchBackfillNights+1), benchNight.Date
	if err := l.fillRange(ctx, from, nightly); err != nil {
		return err
	}
	oneCore := &backfillVariant{name: "on one core", cores: "0"}
	twoCores := &backfillVariant{name: "on two cores", cores: "0,1"}
	for i := range l.runs {
		for _, v := range []*backfillVariant{oneCore, twoCores} {
			l.say("backfill of %d nights, %s: run %d of %d", benchBackfillNights, v.name, i+1, l.runs)
			took, err := l.backfillOnce(ctx, v, from, to)
			if err != nil {
				return err
			}
			v.took = append(v.took, seconds(took))
		}
	}
	nights := fmt.Sprintf("%d nights of %d jobs", benchBackfillNights, nightly)
	r.atLeast("backfill, on two cores against one", 1, "times", ratios(oneCore.took, twoCores.took), nights)
	return nil
}

// fillRange makes a database with the nights to fill back, from which each run gets a copy.
func (l *lab) fillRange(ctx context.Context, from reconcile.Date, nightly int64) error {
	source, err := l.newBed(ctx, "range", "")
	if err != nil {
		return err
	}
	if err := simulation.FillAccounts(ctx, source.admin, nightly/10, benchNight.Begin.AddDate(-2, 0, 0)); err != nil {
		return err
	}
	long := reconcile.NightOf(from, time.UTC)
	long.End = benchNight.End
	if err := source.fill(ctx, long, nightly*benchBackfillNights, nightly/10, benchFailuresPerMillion); err != nil {
		return err
	}
	return errors.Join(source.settle(ctx), source.close())
}

func (l *lab) backfillOnce(ctx context.Context, v *backfillVariant, from, to reconcile.Date) (took time.Duration, err error) {
	b, err := l.newBed(ctx, "backfilled", "range")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.drop(ctx), os.RemoveAll(filepath.Join(l.reports, b.name))) }()
	program, err := os.Executable()
	if err != nil {
		return 0, err
	}
	call := []string{program, "backfill", "--from", from.String(), "--to", to.String()}
	if err := l.pinServer(ctx, v.cores); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, l.pinServer(ctx, fmt.Sprintf("0-%d", l.cpus-1))) }()
	call = append([]string{"taskset", "--cpu-list", v.cores}, call...)
	cmd := exec.CommandContext(ctx, call[0], call[1:]...)
	cmd.Env = b.environment()
	started := time.Now()
	if output, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("backfill in a process of its own: %w: %s", err, output)
	}
	return time.Since(started), nil
}

// pinServer leaves the server these cores only: its processes of now, and those that come of them.
func (l *lab) pinServer(ctx context.Context, cores string) error {
	content, err := os.ReadFile(filepath.Join(l.server.Dir(), "data", "postmaster.pid"))
	if err != nil {
		return err
	}
	postmaster, _, _ := strings.Cut(string(content), "\n")
	admin, err := l.admin()
	if err != nil {
		return err
	}
	defer admin.Close()
	var others string
	if err := admin.DB().QueryRowContext(ctx, "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity").Scan(&others); err != nil {
		return err
	}
	for _, pid := range append(strings.Fields(others), postmaster) {
		if output, err := exec.CommandContext(ctx, "taskset", "--cpu-list", "--pid", cores, pid).CombinedOutput(); err != nil && !gone(pid) {
			return fmt.Errorf("pin process %s of the server: %w: %s", pid, err, output)
		}
	}
	return nil
}

// gone says that a process has ended meanwhile.
func gone(pid string) bool {
	_, err := os.Stat("/proc/" + pid)
	return errors.Is(err, os.ErrNotExist)
}
