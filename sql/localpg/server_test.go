//go:build unix

package localpg

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestThrowAwayServer(t *testing.T) {
	t.Parallel()
	s := startServer(t, Options{Settings: map[string]string{"max_connections": "123"}})
	for q, want := range map[string]string{
		"SHOW max_connections":    "123",
		"SHOW listen_addresses":   "",
		"SHOW fsync":              "off",
		"SHOW synchronous_commit": "off",
		"SHOW full_page_writes":   "off",
		"SHOW autovacuum":         "off",
		"SHOW timezone":           "UTC",
		"SHOW server_encoding":    "UTF8",
		"SELECT current_user":     "postgres",
		// No other way in than the socket.
		"SELECT string_agg(DISTINCT type || ' ' || auth_method, ', ' ORDER BY type || ' ' || auth_method) FROM pg_hba_file_rules": "host reject, local trust",
	} {
		if got := query(t, s.URL("postgres"), q); got != want {
			t.Errorf("%s = %q, want %q", q, got, want)
		}
	}
	dir := s.Dir()
	for _, path := range []string{dir, s.folder.data, s.folder.socket} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v: others can get in", path, info.Mode())
		}
	}
	stop(t, s)
	if !missing(dir) {
		t.Errorf("%s is still there after Stop", dir)
	}
	if err := s.Stop(); err != nil {
		t.Errorf("second Stop: %v", err)
	}
}

func TestDurableServerKeepsPostgreSQLsPromises(t *testing.T) {
	t.Parallel()
	s := startServer(t, Options{Durable: true})
	for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes", "autovacuum"} {
		if got := query(t, s.URL("postgres"), "SHOW "+setting); got != "on" {
			t.Errorf("%s is %s", setting, got)
		}
	}
}

func TestSocketPathLimit(t *testing.T) {
	longest := socketPathLimit - len("/"+socketName)
	for length, fits := range map[int]bool{longest: true, longest + 1: false} {
		dir := filepath.Join(dataPlace(t), "x")
		dir += strings.Repeat("x", length-len(dir))
		if got := socketFits(dir); got != fits {
			t.Errorf("a folder of %d bytes fits: %v, want %v", length, got, fits)
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		socket, err := net.Listen("unix", filepath.Join(dir, socketName))
		if (err == nil) != fits {
			t.Errorf("the system takes a socket in a folder of %d bytes: %v, want %v", length, err, fits)
		}
		if err == nil {
			_ = socket.Close()
		}
	}
}

func TestServerInAChosenPlace(t *testing.T) {
	t.Parallel()
	place := filepath.Join(dataPlace(t), `a "b" & c`)
	s := startServer(t, Options{Place: place})
	query(t, s.URL("postgres"), "SELECT 'reached'")
	stop(t, s)
	leftEmpty(t, place)
	for _, name := range []string{strings.Repeat("long", 20), "a, b"} {
		place := filepath.Join(dataPlace(t), name)
		_, err := Start(testContext(t), Options{Place: place})
		wantError(t, err, place, "a path with a comma or of more than")
		leftEmpty(t, place)
	}
}

func leftEmpty(t *testing.T, place string) {
	t.Helper()
	if left, err := os.ReadDir(place); err != nil || len(left) != 0 {
		t.Errorf("%s holds %v, %v", place, left, err)
	}
}

func TestSettingsThatWouldOpenTheServerAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"listen_addresses", "Listen_Addresses", "port", "unix_socket_directories", "unix_socket_permissions", "data_directory", "hba_file", "", "a=b"} {
		if _, err := Start(testContext(t), Options{Settings: map[string]string{name: "*"}}); err == nil {
			t.Errorf("setting %q was taken", name)
		}
	}
}

func TestFailedStartQuotesTheServersLogAndLeavesNothing(t *testing.T) {
	t.Parallel()
	place := dataPlace(t)
	_, err := Start(testContext(t), Options{Place: place, Settings: map[string]string{"no_such_setting": "1"}})
	wantError(t, err, "no_such_setting", "ended while starting")
	if times := strings.Count(err.Error(), "the end of its log"); times != 1 {
		t.Errorf("the error quotes the log %d times: %v", times, err)
	}
	leftEmpty(t, place)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Start(ctx, Options{Place: place}); !errors.Is(err, context.Canceled) {
		t.Errorf("Start with a cancelled context: %v", err)
	}
	leftEmpty(t, place)
}

func TestServerOutlivesTheContextOfItsStart(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	s, err := Start(ctx, Options{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	query(t, s.URL("postgres"), "SELECT 'up'")
	stop(t, s)
}

func TestStopTellsThatTheServerHadDied(t *testing.T) {
	t.Parallel()
	s := startServer(t, Options{})
	if err := s.process.cmd.Process.Signal(syscall.SIGQUIT); err != nil { // SIGKILL would leave System V shared memory behind
		t.Fatal(err)
	}
	<-s.process.ended
	if err := s.Stop(); !errors.Is(err, errDied) {
		t.Errorf("Stop of a server that had ended: %v", err)
	}
	if !missing(s.Dir()) {
		t.Errorf("%s is left", s.Dir())
	}
}

func TestStopEndsSessions(t *testing.T) {
	t.Parallel()
	s := startServer(t, Options{})
	sleeping := make(chan error, 1)
	db := openDB(t, s.URL("postgres"))
	go func() {
		_, err := db.Exec("SELECT pg_sleep(600)")
		sleeping <- err
	}()
	eventually(t, "the session sleeps", func() bool {
		return query(t, s.URL("postgres"), "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'") == "1"
	})
	stop(t, s)
	if err := <-sleeping; err == nil {
		t.Error("a statement of ten minutes ended well")
	}
}

func TestURLNamesTheDatabase(t *testing.T) {
	t.Parallel()
	s := startServer(t, Options{})
	query(t, s.URL("postgres"), "SELECT 'ready'")
	db := openDB(t, s.URL("postgres"))
	const odd = `a b/c?d%e"f`
	if _, err := db.Exec(`CREATE DATABASE "a b/c?d%e""f"`); err != nil {
		t.Fatal(err)
	}
	if got := query(t, s.URL(odd), "SELECT current_database()"); got != odd {
		t.Errorf("URL leads to %q", got)
	}
}

func TestCallersEnvironmentHasNoInfluence(t *testing.T) {
	for name, value := range map[string]string{"PGPORT": "1", "PGHOST": "192.0.2.1", "PGUSER": "somebody", "PGDATA": "/nowhere", "PGDATABASE": "nothing", "TZ": "Asia/Tokyo", "LC_ALL": "de_DE.UTF-8"} {
		t.Setenv(name, value)
	}
	s := startServer(t, Options{})
	if got := query(t, s.URL("postgres"), "SELECT current_user || ' ' || current_setting('timezone')"); got != "postgres UTC" {
		t.Error(got)
	}
}
