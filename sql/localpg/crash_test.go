//go:build unix

package localpg

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Not in parallel: the sweep of any other start would do the watchdog's work.
func TestKilledParentLeavesNoServerAndNoFiles(t *testing.T) {
	h := startHelper(t, Options{}, nil)
	query(t, h.URL, "SELECT 'up'")
	h.kill(t)
	eventually(t, "the server of a killed process ends", func() bool { return gone(h.PID) })
	eventually(t, "the files of a killed process's server go", func() bool { return missing(h.Dir) })
}

func TestKilledParentOfASurvivingFolder(t *testing.T) {
	t.Parallel()
	o := Options{Dir: filepath.Join(dataPlace(t), "pg"), Keep: true, Durable: true}
	h := startHelper(t, o, nil)
	query(t, h.URL, "CREATE TABLE kept AS SELECT 'still here' AS v; SELECT v FROM kept")
	h.kill(t)
	// At once: the abandoned server may not be down yet.
	s := startServer(t, o)
	if got := query(t, s.URL("postgres"), "SELECT v FROM kept"); got != "still here" {
		t.Errorf("kept table holds %q", got)
	}
	eventually(t, "the earlier server is gone", func() bool { return gone(h.PID) })
}

func TestKilledParentOfAChosenFolderLeavesNoServer(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{Durable: true, Keep: true}, {}} {
		o.Dir = filepath.Join(dataPlace(t), "pg")
		h := startHelper(t, o, nil)
		h.kill(t)
		eventually(t, "the server of a killed process ends", func() bool { return gone(h.PID) })
		if missing(filepath.Join(o.Dir, "data", "PG_VERSION")) {
			t.Error("the data in a folder that somebody chose are gone")
		}
	}
}

func TestParentThatEndsWithoutStop(t *testing.T) {
	t.Parallel()
	h := startHelper(t, Options{}, nil)
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil { // the helper has no handler
		t.Fatal(err)
	}
	_ = h.cmd.Wait()
	eventually(t, "server and files are gone", func() bool { return gone(h.PID) && missing(h.Dir) })
}

func TestHelperThatStops(t *testing.T) {
	t.Parallel()
	h := startHelper(t, Options{}, nil)
	if err := h.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if !gone(h.PID) || !missing(h.Dir) {
		t.Error("server or files outlived Stop")
	}
}

// The watchdog is all there is on systems whose kernel does not end orphans, so it is tested for itself.
func TestWatchdogEndsAnyProcess(t *testing.T) {
	t.Parallel()
	account, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	place := dataPlace(t)
	if err := os.Chmod(place, 0o777|os.ModeSticky); err != nil { // as /tmp and /dev/shm have it
		t.Fatal(err)
	}
	files := filepath.Join(place, "files")
	if err := private(files, account); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(files, "x"), "", 0o644)
	victim := account.command(testContext(t), "/", "sleep", "600")
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	dog := account.command(testContext(t), "/", "/bin/sh", "-c", lastWill, "watchdog", strconv.Itoa(int(syscall.SIGQUIT)), strconv.Itoa(victim.Process.Pid), files)
	stdin, err := dog.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := dog.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	if gone(victim.Process.Pid) {
		t.Fatal("the watchdog acted while its master lived")
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := victim.Wait(); err == nil || !strings.Contains(err.Error(), "quit") {
		t.Errorf("the victim ended with %v, want the signal", err)
	}
	if err := dog.Wait(); err != nil {
		t.Error(err)
	}
	if !missing(files) {
		t.Error("the files are left")
	}
}

func TestReleasedWatchdogDoesNothing(t *testing.T) {
	t.Parallel()
	account, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	victim := account.command(testContext(t), "/", "sleep", "600")
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	release, err := watch(account, victim.Process.Pid, syscall.SIGKILL, "")
	if err != nil {
		t.Fatal(err)
	}
	release()
	time.Sleep(50 * time.Millisecond)
	if err := victim.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the victim is gone: %v", err)
	}
	_ = victim.Process.Kill()
	_ = victim.Wait()
}

func TestStalePidFileDoesNotBlock(t *testing.T) {
	t.Parallel()
	account, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	stranger := account.command(testContext(t), "/", "sleep", "600") // PostgreSQL takes a live process of its own user for a server
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = stranger.Process.Kill()
		_ = stranger.Wait()
	}()
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	o := Options{Dir: filepath.Join(dataPlace(t), "pg"), Keep: true}
	stop(t, startServer(t, o))
	pidFile := filepath.Join(o.Dir, "data", "postmaster.pid")
	for name, first := range map[string]string{
		"a dead process":     strconv.Itoa(dead.Process.Pid),
		"another process":    strconv.Itoa(stranger.Process.Pid),
		"ourselves":          strconv.Itoa(os.Getpid()),
		"init":               "1",
		"every process":      "-1",
		"our process group":  "0",
		"not a number":       "postmaster",
		"nothing, a cut-off": "",
	} {
		t.Run(name, func(t *testing.T) {
			content := fmt.Sprintf("%s\n%s\n1700000000\n5432\n%s\n\n  5432001         0\nready   \n", first, filepath.Join(o.Dir, "data"), filepath.Join(o.Dir, "socket"))
			if first == "" {
				content = ""
			}
			writeFile(t, pidFile, content, 0o600)
			if err := account.own(pidFile); err != nil {
				t.Fatal(err)
			}
			s := startServer(t, o)
			query(t, s.URL("postgres"), "SELECT 'up'")
			stop(t, s)
		})
	}
	if err := stranger.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the stranger was harmed: %v", err)
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	place := dataPlace(t)
	folders := map[string]struct {
		name  string
		owned bool // by a live process
		file  bool // the owner file exists
		stays bool
	}{
		"abandoned":            {temporaryPrefix + "abandoned", false, true, false},
		"looked after":         {temporaryPrefix + "owned", true, true, true},
		"just being made":      {temporaryPrefix + "new", false, false, true},
		"to be kept":           {keptPrefix + "kept", false, true, true},
		"of something else":    {"other", false, true, true},
		"of another reconcile": {"reconciler-reports", false, true, true},
	}
	for _, f := range folders {
		dir := filepath.Join(place, f.name)
		writeFile(t, filepath.Join(dir, "data", "PG_VERSION"), "15\n", 0o600)
		if f.file {
			owner, err := lock(dir)
			if err != nil {
				t.Fatal(err)
			}
			if f.owned {
				defer owner.Close()
			} else if err := owner.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	outside := dataPlace(t)
	writeFile(t, filepath.Join(outside, ownerFile), "", 0o600)
	if err := os.Symlink(outside, filepath.Join(place, temporaryPrefix+"link")); err != nil {
		t.Fatal(err)
	}
	sweep(testContext(t), place)
	for what, f := range folders {
		if got := !missing(filepath.Join(place, f.name)); got != f.stays {
			t.Errorf("a folder %s stays: %v, want %v", what, got, f.stays)
		}
	}
	if missing(filepath.Join(outside, ownerFile)) {
		t.Error("the sweep followed a link")
	}
}

func TestSweepSparesALiveServer(t *testing.T) {
	t.Parallel()
	s := startServer(t, Options{})
	place := filepath.Dir(s.Dir())
	sweep(testContext(t), place)
	query(t, s.URL("postgres"), "SELECT 'up'")

	// Its starter gone, a server that is still shutting down keeps its files as well.
	if err := s.folder.owner.Close(); err != nil {
		t.Fatal(err)
	}
	sweep(testContext(t), place)
	query(t, s.URL("postgres"), "SELECT 'still up'")
	// Another process's sweep may be looking at the folder just now.
	eventually(t, "the folder is ours again", func() (locked bool) {
		var err error
		s.folder.owner, err = lock(s.Dir())
		return err == nil
	})
	stop(t, s)
}

// A folder's lock file is removed with the folder while others may be about to lock it.
func TestOneOwnerAtATime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var owners, taken atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 300 {
				owner, err := lock(dir)
				if errors.Is(err, ErrInUse) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if owners.Add(1) != 1 {
					t.Error("two owners at once")
				}
				taken.Add(1)
				runtime.Gosched()
				owners.Add(-1)
				if err := os.Remove(filepath.Join(dir, ownerFile)); err != nil {
					t.Error(err)
				}
				_ = owner.Close()
			}
		})
	}
	all.Wait()
	if taken.Load() == 0 {
		t.Error("nobody ever got the lock")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("folder holds %v, %v", entries, err)
	}
}

func TestLockSaysWhoHasIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	owner, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = lock(dir)
	if !errors.Is(err, ErrInUse) {
		t.Fatalf("second lock: %v, want ErrInUse", err)
	}
	wantError(t, err, dir, "process "+strconv.Itoa(os.Getpid()))
	if err := owner.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := lock(dir)
	if err != nil {
		t.Fatalf("lock of a folder that was given up: %v", err)
	}
	_ = again.Close()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("folder holds %v, %v; want the owner file alone", entries, err)
	}
}
