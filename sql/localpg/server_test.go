//go:build unix

package localpg

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func startServer(t *testing.T, o Options) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	began := time.Now()
	s, err := Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("started in %v", time.Since(began).Round(time.Millisecond))
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// reachable is a temporary folder that the server's user can enter, which t.TempDir is not when root runs the test.
func reachable(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "localpg-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "pg")
}

func query(t *testing.T, s *Server, q string) (answer string) {
	t.Helper()
	db, err := sql.Open("postgres", s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(q).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return answer
}

func TestThrowAwayServer(t *testing.T) {
	s := startServer(t, Options{Settings: map[string]string{"max_connections": "123"}})
	for q, want := range map[string]string{
		"SHOW max_connections":                    "123",
		"SHOW listen_addresses":                   "",
		"SHOW fsync":                              "off",
		"SHOW synchronous_commit":                 "off",
		"SHOW full_page_writes":                   "off",
		"SHOW autovacuum":                         "off",
		"SHOW timezone":                           "UTC",
		"SHOW server_encoding":                    "UTF8",
		"SELECT current_user":                     "postgres",
		"SELECT coalesce(inet_server_port(), -1)": "-1",
	} {
		if got := query(t, s, q); got != want {
			t.Errorf("%s = %q, want %q", q, got, want)
		}
	}
	dir := s.folder.dir
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there after Stop: %v", dir, err)
	}
}

func TestSecondStartReusesTheData(t *testing.T) {
	dir := reachable(t)
	o := Options{Dir: dir, Keep: true, Durable: true}
	first := startServer(t, o)
	query(t, first, "CREATE TABLE kept AS SELECT 'still here' AS v; SELECT v FROM kept")
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	second := startServer(t, o)
	if got := query(t, second, "SELECT v FROM kept"); got != "still here" {
		t.Errorf("kept table holds %q", got)
	}
}
