//go:build unix

package localpg

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// helperVariable makes the test program a process of its own that starts one server, with the Options in it as JSON, says so, and then
// waits until standard input ends.
const helperVariable = "LOCALPG_TEST_HELPER"

func TestMain(m *testing.M) {
	if options := os.Getenv(helperVariable); options != "" {
		os.Exit(help(options))
	}
	os.Exit(m.Run())
}

// helped is what the helper process says about its server.
type helped struct {
	PID       int
	Dir, URL  string
	DataOwner int
	Failure   string
}

func help(options string) int {
	var o Options
	var said helped
	err := json.Unmarshal([]byte(options), &o)
	var s *Server
	if err == nil {
		s, err = Start(context.Background(), o)
	}
	if err == nil {
		said.PID, said.Dir, said.URL = s.process.cmd.Process.Pid, s.Dir(), s.URL("postgres")
		var info os.FileInfo
		if info, err = os.Stat(s.folder.data); err == nil {
			said.DataOwner = int(info.Sys().(*syscall.Stat_t).Uid)
		}
	}
	if err != nil {
		said.Failure = err.Error()
	}
	answer, _ := json.Marshal(said)
	fmt.Println(string(answer))
	_, _ = io.Copy(io.Discard, os.Stdin)
	if s != nil && s.Stop() != nil {
		return 1
	}
	return 0
}

// helper is a running helper process.
type helper struct {
	helped
	cmd   *exec.Cmd
	stdin io.Closer
}

func startHelper(t *testing.T, o Options, prepare func(*exec.Cmd)) *helper {
	t.Helper()
	options, err := json.Marshal(o.quickly())
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h := &helper{cmd: exec.Command(program)}
	h.cmd.Env = append(os.Environ(), helperVariable+"="+string(options))
	h.cmd.Stderr = os.Stderr
	if h.stdin, err = h.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if prepare != nil {
		prepare(h.cmd)
	}
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = h.cmd.Process.Kill()
		_ = h.cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("helper process said nothing: %v", err)
	}
	if err := json.Unmarshal(line, &h.helped); err != nil {
		t.Fatal(err)
	}
	if h.Failure != "" {
		t.Fatalf("helper process: %s", h.Failure)
	}
	return h
}

// kill ends the helper process as nothing can be prepared for.
func (h *helper) kill(t *testing.T) {
	t.Helper()
	if err := h.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Wait(); err == nil {
		t.Fatal("the killed helper process ended well")
	}
}

// eventually waits for something that another process does.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("still not after 20 s: %s", what)
		}
	}
}

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func missing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, os.ErrNotExist)
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// quickly has a throw-away server begin with a copy.
func (o Options) quickly() Options {
	if o.Beginning == nil && !o.Durable {
		o.Beginning = &Beginning{}
	}
	return o
}

func startServer(t *testing.T, o Options) *Server {
	t.Helper()
	began := time.Now()
	s, err := Start(testContext(t), o.quickly())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("started in %v", time.Since(began).Round(time.Millisecond))
	t.Cleanup(func() { _ = s.Stop() }) // tests that care stop it themselves
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}

func openDB(t *testing.T, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func query(t *testing.T, url, q string) (answer string) {
	t.Helper()
	db := openDB(t, url)
	defer db.Close()
	if err := db.QueryRow(q).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return answer
}

// reachable is a temporary folder that the server's user can enter, which t.TempDir is not when root runs the test.
func reachable(t *testing.T) string {
	t.Helper()
	return reachableIn(t, "/var/tmp")
}

// dataPlace is a reachable folder for a server's data: in memory when there is room, where programs cannot always run.
func dataPlace(t *testing.T) string {
	t.Helper()
	if free, err := freeBytes("/dev/shm"); err == nil && free >= roomInMemory {
		return reachableIn(t, "/dev/shm")
	}
	return reachableIn(t, "/var/tmp")
}

func reachableIn(t *testing.T, place string) string {
	t.Helper()
	dir, err := os.MkdirTemp(place, "localpg-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// writeFile writes a file that everybody may read, with its folders.
func writeFile(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

func setUmask(t *testing.T, mask int) {
	t.Helper()
	before := syscall.Umask(mask)
	t.Cleanup(func() { syscall.Umask(before) })
}
