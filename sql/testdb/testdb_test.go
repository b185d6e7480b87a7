package testdb

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lib/pq"

	reconcilersql "github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/localpg"
)

// withoutRun makes TestMain behave like that of a package that knows nothing of Run.
const withoutRun = "TESTDB_WITHOUT_RUN"

func TestMain(m *testing.M) {
	if os.Getenv(withoutRun) != "" {
		os.Exit(m.Run())
	}
	os.Exit(Run(m))
}

func count(t testing.TB, db *DB, query string, args ...any) (n int) {
	t.Helper()
	if err := db.Get(&n, query, args...); err != nil {
		t.Fatal(err)
	}
	return n
}

const ourSchemas = "SELECT count(*) FROM pg_namespace WHERE nspname IN ('platform', 'reconciler')"

func TestNewEmptyHasNothing(t *testing.T) {
	if n := count(t, NewEmpty(t), ourSchemas); n != 0 {
		t.Errorf("%d of the schemas platform and reconciler exist, want none", n)
	}
}

func TestEachRoleIsReached(t *testing.T) {
	for name, db := range map[string]*DB{"migrated": New(t), "not migrated": NewUnmigrated(t)} {
		for _, role := range []string{reconcilersql.OwnerRole, reconcilersql.AppRole, reconcilersql.ReadOnlyRole, reconcilersql.ApproverRole} {
			var is string
			if err := db.As(role).Get(&is, "SELECT current_user"); err != nil || is != role {
				t.Errorf("%s: connected as %s, want %s: %v", name, is, role, err)
			}
		}
		worker, err := url.Parse(db.URL)
		if err != nil || worker.String() != db.URLOf(reconcilersql.AppRole) {
			t.Errorf("%s: the URL is not the worker's: %v", name, err)
		}
		if n := count(t, db, "SELECT count(*) FROM pg_roles WHERE rolname = current_user AND rolcreatedb"); n != 1 {
			t.Errorf("%s: the pool is not the administrator's", name)
		}
	}
	var readOnly string
	if err := New(t).As(reconcilersql.ReadOnlyRole).Get(&readOnly, "SHOW default_transaction_read_only"); err != nil || readOnly != "on" {
		t.Errorf("sessions of %s: read-only %s, %v", reconcilersql.ReadOnlyRole, readOnly, err)
	}
}

func TestDatabaseIsDroppedWithItsTest(t *testing.T) {
	watcher := NewEmpty(t)
	var name string
	t.Run("with a session left open", func(t *testing.T) {
		db := New(t)
		if err := db.Get(&name, "SELECT current_database()"); err != nil {
			t.Fatal(err)
		}
		forgotten, err := sql.Open("postgres", db.URL)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := forgotten.Exec("BEGIN"); err != nil {
			t.Fatal(err)
		}
	})
	if n := count(t, watcher, "SELECT count(*) FROM pg_database WHERE datname = $1", name); n != 0 {
		t.Errorf("database %s outlived its test", name)
	}
}

func TestOddTestNames(t *testing.T) {
	for _, name := range []string{"", strings.Repeat("long", 40), `quote " and ; DROP`, "ÄÖÜ/ünïcode/日本語", strings.Repeat("ü", 62)} {
		t.Run(name, func(t *testing.T) {
			if n := count(t, New(t), ourSchemas); n != 2 {
				t.Error("not migrated")
			}
		})
	}
}

func TestFirstTestsAtOnceStartOneServer(t *testing.T) {
	t.Setenv(CitusVariable, "")
	s := newServer()
	defer closeServer(t, s)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := s.start(); err != nil {
				t.Error(err)
			}
			if _, err := s.template(context.Background(), migrated); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	var templates int
	if err := s.admin.QueryRow("SELECT count(*) FROM pg_database WHERE datname LIKE '%template'").Scan(&templates); err != nil {
		t.Fatal(err)
	}
	if templates != 1 {
		t.Errorf("%d templates", templates)
	}
}

func closeServer(t *testing.T, s *server) {
	t.Helper()
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

func TestManyConnections(t *testing.T) {
	const wanted = 150
	ctx := context.Background()
	var held []*sql.Conn
	defer func() {
		for _, c := range held {
			_ = c.Close()
		}
	}()
	db := NewEmpty(t)
	db.SetMaxOpenConns(wanted)
	for len(held) < wanted {
		c, err := db.Conn(ctx)
		if err != nil {
			t.Fatalf("after %d connections: %v", len(held), err)
		}
		held = append(held, c)
	}
}

func TestFailedPreparationIsRepeatedFromNothing(t *testing.T) {
	t.Setenv(CitusVariable, "")
	broken := errors.New("broken migration")
	s := &server{prepared: t.Name(), prepare: func(_ context.Context, urlOf func(string) string) error {
		db, err := sql.Open("postgres", urlOf(Administrator))
		if err != nil {
			return err
		}
		defer db.Close()
		if _, err := db.Exec("CREATE TABLE half (id int)"); err != nil {
			return err // also when an earlier attempt left its table
		}
		return broken
	}}
	defer closeServer(t, s)
	for range 2 {
		if err := s.start(); !errors.Is(err, broken) {
			t.Fatalf("start: %v, want the failure of the preparation", err)
		}
	}
}

// sharedServer starts a server that plays the one the user names.
func sharedServer(t *testing.T) (admin *sql.DB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	given, err := localpg.Start(ctx, localpg.Options{Beginning: &localpg.Beginning{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := given.Stop(); err != nil {
			t.Error(err)
		}
	})
	admin, err = sql.Open("postgres", given.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	// As on a hosted server: a user who is no superuser.
	if _, err := admin.Exec("CREATE ROLE tester LOGIN CREATEDB CREATEROLE"); err != nil {
		t.Fatal(err)
	}
	t.Setenv(CitusVariable, "")
	t.Setenv(ServerVariable, given.URLOf("tester", "postgres"))
	return admin
}

func databases(t *testing.T, admin *sql.DB) string {
	t.Helper()
	var names string
	if err := admin.QueryRow("SELECT coalesce(string_agg(datname, ' ' ORDER BY datname), '') FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')").Scan(&names); err != nil {
		t.Fatal(err)
	}
	return names
}

func TestGivenServer(t *testing.T) {
	admin := sharedServer(t)
	s, second := newServer(), newServer()
	t.Run("test", func(t *testing.T) {
		for _, db := range []*DB{s.database(t, migrated), s.database(t, migrated), second.database(t, migrated)} {
			if n := count(t, db, ourSchemas); n != 2 {
				t.Error("not migrated")
			}
		}
		for _, role := range []string{reconcilersql.OwnerRole, reconcilersql.AppRole, reconcilersql.ReadOnlyRole, reconcilersql.ApproverRole} {
			var is string
			if err := s.database(t, migrated).As(role).Get(&is, "SELECT current_user"); err != nil || is != role {
				t.Errorf("connected as %s, want %s: %v", is, role, err)
			}
		}
		if n := count(t, s.database(t, empty), ourSchemas); n != 0 {
			t.Error("not empty")
		}
		names := strings.Fields(databases(t, admin))
		if len(names) != 8 {
			t.Errorf("databases %v, want eight", names)
		}
		for _, name := range names {
			if !strings.HasPrefix(name, sharedPrefix) {
				t.Errorf("database %s does not say what it is for", name)
			}
		}
	})
	if s.private != nil || second.private != nil {
		t.Error("a private server was started as well")
	}
	closeServer(t, s)
	closeServer(t, second)
	if names := databases(t, admin); names != "" {
		t.Errorf("left on the given server: %s", names)
	}
}

func TestForgottenDatabasesOfAGivenServer(t *testing.T) {
	admin := sharedServer(t)
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	stays := []string{"orders", "reconciler_test", "reconciler_test_20260309_abc_1_x", "reconciler_test_20260310_abc_1_x", "reconciler_test_notadate_1_x", "reconciler_test_20260311_abc_1_x"}
	for _, name := range append([]string{"reconciler_test_20260308_abc_1_x", "reconciler_test_20240101_abc_2_y"}, stays...) {
		if _, err := admin.Exec("CREATE DATABASE " + pq.QuoteIdentifier(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := (&server{admin: admin}).dropForgotten(context.Background(), now); err != nil {
		t.Fatal(err)
	}
	if got, want := databases(t, admin), "orders reconciler_test reconciler_test_20260309_abc_1_x reconciler_test_20260310_abc_1_x reconciler_test_20260311_abc_1_x reconciler_test_notadate_1_x"; got != want {
		t.Errorf("databases\n%s, want\n%s", got, want)
	}
}

func TestUnusableServerVariable(t *testing.T) {
	for _, variable := range []string{ServerVariable, CitusVariable} {
		t.Setenv(CitusVariable, "")
		for _, given := range []string{"host=localhost", "mysql://localhost/", "postgres://%zz"} {
			t.Setenv(variable, given)
			s := newServer()
			if err := s.start(); err == nil || !strings.Contains(err.Error(), variable) {
				t.Errorf("%s=%s: %v", variable, given, err)
			}
		}
	}
}

func TestPasswordOfTheGivenServerStaysOutOfErrors(t *testing.T) {
	t.Setenv(CitusVariable, "")
	t.Setenv(ServerVariable, "postgres://somebody:hunter2@127.0.0.1:1/postgres?sslmode=disable&connect_timeout=5")
	s := newServer()
	if err := s.start(); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %v, want one without the password", err)
	}
}

// TestHoldADatabase is what the process of the next tests runs; by itself it only tests that a database answers.
func TestHoldADatabase(t *testing.T) {
	db := New(t)
	var data string
	if err := db.Get(&data, "SHOW data_directory"); err != nil {
		t.Fatal(err)
	}
	if os.Getenv(withoutRun) == "" {
		return
	}
	fmt.Println("\ndata:", data)
	if os.Getenv(withoutRun) == "wait" {
		time.Sleep(time.Minute)
	}
}

func TestNothingIsLeftWithoutRun(t *testing.T) {
	for _, end := range []string{"by itself", "wait"} {
		t.Run(end, func(t *testing.T) {
			program, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			process := exec.Command(program, "-test.run=^TestHoldADatabase$", "-test.v")
			process.Env = append(os.Environ(), withoutRun+"="+end, ServerVariable+"=", CitusVariable+"=")
			out, err := process.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := process.Start(); err != nil {
				t.Fatal(err)
			}
			data := ""
			for lines := bufio.NewScanner(out); data == "" && lines.Scan(); {
				data, _ = strings.CutPrefix(lines.Text(), "data: ")
				if data == lines.Text() {
					data = ""
				}
			}
			if data == "" {
				t.Fatal("the process told no data folder")
			}
			if end == "wait" {
				if err := process.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			_ = process.Wait()
			folder := strings.TrimSuffix(data, "/data")
			for until := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				if _, err := os.Lstat(folder); errors.Is(err, os.ErrNotExist) {
					break
				}
				if time.Now().After(until) {
					t.Fatalf("%s is left", folder)
				}
			}
		})
	}
}

// On a cluster what a test is given is distributed, by the layout and no other, and goes with the test from every node.
func TestDatabasesOfAClusterAreDistributed(t *testing.T) {
	if !New(t).Distributed() {
		t.Skip(CitusVariable + " is not set: nobody looked at a distributed database")
	}
	var name string
	t.Run("test", func(t *testing.T) {
		db := New(t)
		if err := db.Get(&name, "SELECT current_database()"); err != nil {
			t.Fatal(err)
		}
		c, err := reconcilersql.DescribeCluster(t.Context(), db.As(reconcilersql.OwnerRole).DB, reconcilersql.DefaultSourceSchema)
		if err != nil {
			t.Fatal(err)
		}
		for side, misplaced := range map[string]func() ([]reconcilersql.Placement, []reconcilersql.Placed){"ours": c.MisplacedOurs, "the platform's": c.MisplacedPlatform} {
			if local, otherwise := misplaced(); len(local)+len(otherwise) > 0 {
				t.Errorf("%s: still to be placed %v, placed otherwise %v", side, local, otherwise)
			}
		}
		db.MustExec("INSERT INTO platform.jobs (id, account_id) SELECT 'j' || i, 'a' || i FROM generate_series(1, 100) i")
		if n := count(t, db, "SELECT count(*) FROM platform.jobs"); n != 100 {
			t.Errorf("%d of 100 rows are there", n)
		}
		if n := count(t, New(t), "SELECT count(*) FROM platform.jobs"); n != 0 {
			t.Errorf("%d rows of another test are there", n)
		}
	})
	for _, n := range shared.cluster.nodes {
		var left bool
		if err := n.admin.QueryRow("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&left); err != nil || left {
			t.Errorf("%s:%d: the database is left: %v, %v", n.host, n.port, left, err)
		}
	}
}

func BenchmarkNew(b *testing.B) {
	New(b) // starts the server and makes the template
	for b.Loop() {
		New(b)
	}
}
