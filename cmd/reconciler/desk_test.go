package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/demo"
	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// The desk listens where others reach it only with people who sign in, and says what is missing with exit code 2.
func TestWhereTheDeskMayListen(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	folder := t.TempDir()
	bad := filepath.Join(folder, "users")
	if err := os.WriteFile(bad, []byte("Ana Ruiz:secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, want string }{
		{"--listen :0", "so that people sign in"},
		{"--listen 0.0.0.0:0", "so that people sign in"},
		{"--listen [::]:0", "so that people sign in"},
		{"--listen example.com:0", "so that people sign in"},
		{"--listen 127.0.0.1", "no address"},
		{"--listen 127.0.0.1:0 --desk-users " + bad, "line 1: no bcrypt hash"},
		{"--listen 127.0.0.1:0 --desk-users /nowhere", "RECONCILER_DESK_USERS"},
		{"--listen :0 --desk-user-header X-User", "belong together"},
		{"--listen :0 --desk-trusted-proxies 10.0.0.0/8", "belong together"},
		{"--listen :0 --desk-user-header X-User --desk-trusted-proxies 0.0.0.0/0", "everybody"},
		{"--listen :0 --desk-user-header X-User --desk-trusted-proxies ten", "no network"},
		{"--listen :0 --desk-user-header X-User --desk-trusted-proxies 10.0.0.0/8 --desk-users " + bad, "exclude each other"},
	} {
		_, said := runWith(t, cli.ExitUsage, db.URL, folder, append([]string{"desk"}, strings.Fields(c.args)...)...)
		if !strings.Contains(said, c.want) || strings.Contains(said, "Ruiz:secret") {
			t.Errorf("%s: %s", c.args, said)
		}
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	runWith(t, cli.ExitUsage, db.URL, folder, "desk", "--listen", taken.Addr().String())
}

// What a night published is what the desk hands out, with the role that only reads; SIGTERM ends it.
func TestTheDeskShowsWhatWasPublished(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	folder := t.TempDir()
	if err := playInto(db, simulation.Options{Seed: 7, Nights: 1, FaultsPerKind: 1}); err != nil {
		t.Fatal(err)
	}
	runWith(t, cli.ExitDone, db.URL, folder, "run", "--date", demo.Start.String())
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := probe.Addr().String()
	if err := probe.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"desk", "--listen", address, "--database-url", db.URLOf(sql.ReadOnlyRole), "--reports-url", folder}, io.Discard, io.Discard)
	}()
	get := func(path string) (int, string) {
		for range 200 {
			answer, err := http.Get("http://" + address + path)
			if err != nil {
				time.Sleep(20 * time.Millisecond)
				continue
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			return answer.StatusCode, string(body)
		}
		t.Fatal("the desk does not answer")
		return 0, ""
	}
	date := demo.Start.String()
	if status, page := get("/"); status != 200 || !strings.Contains(page, "/"+date+"/summary.html") {
		t.Errorf("%d\n%s", status, page)
	}
	for name, content := range publishedFiles(t, folder) {
		if !strings.HasPrefix(name, date+"/") {
			continue
		}
		if status, got := get("/" + filepath.ToSlash(name)); status != 200 || got != string(content) {
			t.Errorf("%s: %d, %d bytes of %d", name, status, len(got), len(content))
		}
	}
	if status, page := get("/breaks"); status != 200 || !strings.Contains(page, "/breaks/brk_") {
		t.Errorf("%d\n%s", status, page)
	}
	if status, page := get("/search?q=nothing-of-this-id"); status != 404 || !strings.Contains(page, "Nothing is known") {
		t.Errorf("%d\n%s", status, page)
	}
	stop()
	if code := <-ended; code != cli.ExitStopped {
		t.Errorf("exit code %d", code)
	}
}
