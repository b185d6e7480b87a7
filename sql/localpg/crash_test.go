//go:build unix

package localpg

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
	release, err := watch(account, victim.Process.Pid, filepath.Join(dataPlace(t), "none"))
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

func TestSweep(t *testing.T) {
	t.Parallel()
	place := dataPlace(t)
	folders := map[string]struct {
		name  string
		owned bool // by a live process
		file  bool // the owner file exists
		stays bool
	}{
		"abandoned":            {folderPrefix + "abandoned", false, true, false},
		"looked after":         {folderPrefix + "owned", true, true, true},
		"just being made":      {folderPrefix + "new", false, false, true},
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
	if err := os.Symlink(outside, filepath.Join(place, folderPrefix+"link")); err != nil {
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
	eventually(t, "the folder is ours again", func() bool {
		s.folder.owner = takeOver(s.Dir())
		return s.folder.owner != nil
	})
	stop(t, s)
}
