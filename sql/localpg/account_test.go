//go:build unix

package localpg

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// rootsCache is where root keeps fetched programs, if this machine needs them: nobody has no home to keep any in. Otherwise it is empty.
func rootsCache(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		return ""
	}
	account, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	programs, err := thisMachine().programs(testContext(t), Options{}, account)
	if err != nil {
		t.Fatal(err)
	}
	if !programs.fetched {
		return ""
	}
	cache, err := thisMachine().cacheFolder(Options{})
	if err != nil {
		t.Fatal(err)
	}
	return cache
}

// asNobody makes a helper process run as user nobody when this one is root; otherwise it is an ordinary user's already.
func asNobody(t *testing.T) (prepare func(*exec.Cmd), uid int) {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil, os.Geteuid()
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, err = strconv.Atoi(nobody.Uid)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.Atoi(nobody.Gid)
	if err != nil {
		t.Fatal(err)
	}
	// The folder that go test builds in is closed to others.
	program := filepath.Join(reachable(t), "localpg.test")
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// By another process: a file that this one writes is busy while any other test forks.
	if out, err := exec.Command("cp", own, program).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Chmod(program, 0o755); err != nil {
		t.Fatal(err)
	}
	return func(cmd *exec.Cmd) {
		cmd.Path, cmd.Dir = program, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		cmd.Env = append(cmd.Env, "HOME=/nonexistent")
	}, uid
}

func TestOrdinaryUser(t *testing.T) {
	t.Parallel()
	prepare, uid := asNobody(t)
	h := startHelper(t, Options{CacheDir: rootsCache(t)}, prepare)
	if h.DataOwner != uid {
		t.Errorf("data belong to user %d, want %d", h.DataOwner, uid)
	}
	query(t, h.URL, "SELECT 'up'")
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

func TestKilledOrdinaryUser(t *testing.T) {
	t.Parallel()
	prepare, _ := asNobody(t)
	h := startHelper(t, Options{CacheDir: rootsCache(t)}, prepare)
	h.kill(t)
	eventually(t, "server and files are gone", func() bool { return gone(h.PID) && missing(h.Dir) })
}

func TestServerNeverRunsAsRoot(t *testing.T) {
	t.Parallel()
	h := startHelper(t, Options{}, nil)
	if h.DataOwner == 0 {
		t.Error("data belong to root")
	}
	if os.Geteuid() != 0 && h.DataOwner != os.Geteuid() {
		t.Errorf("data belong to user %d, not to us", h.DataOwner)
	}
}

func TestUnreachableFolderIsNamed(t *testing.T) {
	t.Parallel()
	closed := filepath.Join(reachable(t), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 { // root is not stopped by this, but its server's user is by the mode above
		if err := os.Chmod(closed, 0); err != nil {
			t.Fatal(err)
		}
	}
	_, err := Start(testContext(t), Options{Place: closed})
	wantError(t, err, closed, "permission denied")
	if os.Geteuid() == 0 {
		wantError(t, err, "/root")
		leftEmpty(t, closed)
	}
}
