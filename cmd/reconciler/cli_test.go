package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hummingbytes/reconciler/cmd/reconciler/demo"
	"github.com/hummingbytes/reconciler/cmd/reconciler/wiring"
	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// TestMain makes the test binary a "reconciler" on the PATH of scripts and of child processes.
func TestMain(m *testing.M) {
	testscript.Main(testsWithDatabase{m}, map[string]func(){"reconciler": func() {
		useTestTime()
		main()
	}})
}

type testsWithDatabase struct{ *testing.M }

func (t testsWithDatabase) Run() int {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given { // a serve waits for the hour of its nights more than it computes
		if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
			panic(err)
		}
	}
	folder, err := os.MkdirTemp("", "reconciler-test-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	scratch = folder
	return testdb.Run(t.M)
}

// scratch is a folder for what several tests look at.
var scratch string

// testTime names the environment variable that has time pass faster in a child process: the simulated time at a real instant, in Unix
// nanoseconds, the speed, and the simulated time at which it ends.
const testTime = "RECONCILER_TEST_TIME"

func useTestTime() {
	text := os.Getenv(testTime)
	if text == "" {
		return
	}
	var simulated, real, speed, last int64
	if _, err := fmt.Sscanf(text, "%d,%d,%d,%d", &simulated, &real, &speed, &last); err != nil {
		panic(testTime + ": " + err.Error())
	}
	wiring.WallTime = fastTime(time.Unix(0, simulated), time.Unix(0, real), speed, time.Unix(0, last))
}

// fastTime shows simulated at the instant real, and passes that many times faster than real time, until it stands still at last.
func fastTime(simulated, real time.Time, speed int64, last time.Time) wiring.ServerTime {
	return wiring.ServerTime{
		Now: func() time.Time {
			now := simulated.Add(time.Since(real) * time.Duration(speed))
			if now.After(last) {
				return last
			}
			return now
		},
		After: func(d time.Duration) <-chan time.Time { return time.After(d / time.Duration(speed)) },
	}
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			tb := env.T().(testing.TB)
			db := testdb.New(tb)
			env.Values["db"] = db
			env.Setenv("DATABASE_URL", db.URL)
			empty := testdb.NewEmpty(tb).URL
			env.Setenv("EMPTY_DATABASE_URL", empty)
			gone, err := url.Parse(empty)
			if err != nil {
				return err
			}
			gone.Path += "_gone"
			env.Setenv("GONE_DATABASE_URL", gone.String())
			env.Setenv("REPORTS_URL", env.WorkDir+"/reports")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "play": playSimulation, "sql": execSQL, "hold": holdLock, "openbreak": openBreak,
		},
	})
}

// exits CODE ARGS... runs reconciler and compares its exit code with CODE; stdout and stderr can be looked at afterwards.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec("reconciler", args[1:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("reconciler: %v", err)
	}
	if got != want {
		ts.Fatalf("reconciler %s: exit code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// play NIGHTS [FAULTS] plays a small business from Monday, 2026-03-02, with faults of every kind.
func playSimulation(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: play NIGHTS [FAULTS]")
	}
	nights, err := strconv.Atoi(args[0])
	ts.Check(err)
	faults := 1
	if len(args) > 1 {
		faults, err = strconv.Atoi(args[1])
		ts.Check(err)
	}
	ts.Check(playInto(ts.Value("db").(*testdb.DB), simulation.Options{Seed: 7, Nights: nights, FaultsPerKind: faults}))
}

// playInto plays all nights of a business of some 30 accounts.
func playInto(db *testdb.DB, o simulation.Options) error {
	o.Start = demo.Start
	if o.Accounts == 0 {
		o.Accounts, o.JobsPerNight = 30, 200
	}
	s, err := simulation.New(o)
	if err != nil {
		return err
	}
	for _, night := range s.Nights() {
		if err := s.PlayNight(context.Background(), db.DB.DB, night.Date); err != nil {
			return err
		}
	}
	return nil
}

// sql STATEMENT changes the script's database.
func execSQL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sql STATEMENT")
	}
	_, err := ts.Value("db").(*testdb.DB).Exec(args[0])
	ts.Check(err)
}

// hold NAME holds a lock of the worker until the script ends.
func holdLock(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hold NAME")
	}
	store, err := postgres.Open(postgres.Options{URL: ts.Value("db").(*testdb.DB).URL})
	ts.Check(err)
	ts.Defer(func() { _ = store.Close() })
	lock, err := store.TryLock(context.Background(), args[0])
	ts.Check(err)
	ts.Defer(func() { _ = lock.Unlock() })
}

// openbreak KIND puts the id of an open break of a kind into $BREAK.
func openBreak(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: openbreak KIND")
	}
	var id string
	ts.Check(ts.Value("db").(*testdb.DB).Get(&id, "SELECT min(break_id) FROM reconciler.breaks WHERE kind = $1 AND closed_on IS NULL", args[0]))
	ts.Setenv("BREAK", id)
}
