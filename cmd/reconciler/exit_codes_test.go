package main

import (
	"bytes"
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// watched is a log that calls seen once it holds a text.
type watched struct {
	mu   sync.Mutex
	text bytes.Buffer
	wait string
	seen func()
}

func (w *watched) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(line)
	if strings.Contains(w.text.String(), w.wait) {
		w.seen()
	}
	return len(line), nil
}

// told is what has been written; a serve that has ended may still be saying so.
func (w *watched) told() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// endOf runs a command to its end. A serve that goes on trying is stopped once it says so; its code is exitRetry then, as that is what it does.
func endOf(t *testing.T, args ...string) (code int, told string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	waited := false
	said := &watched{wait: "trying again", seen: func() { waited = true; stop() }}
	if args[0] != "serve" {
		said.wait, said.seen = "\x00", func() {}
	}
	var out bytes.Buffer
	code = run(ctx, args, &out, said)
	if waited && code == cli.ExitStopped {
		code = cli.ExitRetry
	}
	return code, said.told() + out.String()
}

// Exit codes mean one thing: whatever the command, the same cause ends it with the same code. 2 is for what the operator has to change.
func TestOneCauseOneExitCode(t *testing.T) {
	cli.SyncAttempts = 1
	t.Cleanup(func() { cli.SyncAttempts = 0 })
	_, as := installed(t)
	runWith(t, cli.ExitDone, as("reconciler_owner"), t.TempDir(), "migrate")
	_, unmigratedAs := installed(t)

	double := stripetest.New(stripetest.Options{Clock: time.Now, Keys: []stripetest.Key{{Secret: "rk_test_lacking", Permissions: []string{"rak_balance_read"}}}})
	base, err := double.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer double.Close()
	badCertificate := httptest.NewUnstartedServer(http.NotFoundHandler())
	badCertificate.Config.ErrorLog = log.New(io.Discard, "", 0)
	badCertificate.StartTLS()
	defer badCertificate.Close()
	answering := func(status int) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(server.Close)
		return server.URL
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "somebody")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "something")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}

	nights := [][]string{{"check"}, {"run", "--date", "2026-03-02"}, {"backfill", "--from", "2026-03-02", "--to", "2026-03-02", "--again"}}
	workers := append([][]string{{"serve", "--listen", "127.0.0.1:0"}, {"refunds", "plan", "--date", "2026-03-02", "--by", "Ana"}, {"refunds", "halt", "--by", "Ana", "--reason", "test"}}, nights...)
	readers := [][]string{{"verify", "--date", "2026-03-02"}, {"report", "--date", "2026-03-02", "--format", "hledger"}, {"refunds", "list"}, {"explain", "job_1"}, {"breaks", "list"}}
	all := append(append([][]string{{"close", "--period", "2026-03", "--by", "Ana"}, {"migrate"}}, workers...), readers...)
	app := as("reconciler_app")
	for _, c := range []struct {
		name     string
		url      string // app's unless said
		flags    []string
		commands [][]string
		code     int
		says     string
	}{
		{"database out of reach", "postgres://u@127.0.0.1:1/d?sslmode=disable", nil, all, cli.ExitRetry, "connection refused"},
		{"no such database", strings.Replace(app, "/postgres?", "/nothing?", 1), nil, all, cli.ExitUsage, "database's name"},
		{"no such role", as("nobody_of_ours"), nil, all, cli.ExitUsage, "user or password"},
		{"a parameter that the server doesn't know", app + "&sslmod=verify-full", nil, all, cli.ExitUsage, "parameter of the URL"},
		{"a parameter that the driver doesn't have", app + "&channel_binding=require", nil, all, cli.ExitUsage, "channel_binding: "},
		{"a time zone that isn't there", app + "&timezone=Nowhere", nil, all, cli.ExitUsage, "timezone is no time zone"},
		{"hosts with ports beside them", "postgres://u@h1:5432,h2:5433/d", nil, all, cli.ExitUsage, "?port=5432,5433"},
		{"service", app + "&service=books", nil, all, cli.ExitUsage, "service file would overrule"},
		{"a certificate that isn't there", "postgres://u@127.0.0.1:1/d?sslmode=verify-full&sslrootcert=" + file + ".crt", nil, all, cli.ExitRetry, "refused"}, // nobody is there to show it to
		{"not migrated", unmigratedAs("reconciler_app"), nil, append(workers, readers[:3]...), cli.ExitUsage, "run: reconciler migrate"},
		{"a role that only reads", as("reconciler_readonly"), nil, workers, cli.ExitUsage, "takes no writes|accepts no writes"},
		{"not the primary that is asked for", as("reconciler_readonly") + "&target_session_attrs=read-write", nil, all, cli.ExitUsage, "target_session_attrs"},
		{"Stripe out of reach", "", []string{"--stripe-api-key", "rk_test_abc", "--stripe-api-base", "http://127.0.0.1:1"}, nights, cli.ExitRetry, "connection refused"},
		{"Stripe's certificate is bad", "", []string{"--stripe-api-key", "rk_test_abc", "--stripe-api-base", badCertificate.URL}, nights, cli.ExitRetry, "certificate"},
		{"Stripe fails", "", []string{"--stripe-api-key", "rk_test_abc", "--stripe-api-base", answering(503)}, nights, cli.ExitRetry, "503"},
		{"another server than Stripe's", "", []string{"--stripe-api-key", "rk_test_abc", "--stripe-api-base", answering(404)}, nights, cli.ExitUsage, "STRIPE_API_BASE"},
		{"Stripe doesn't know the key", "", []string{"--stripe-api-key", "rk_test_wrong", "--stripe-api-base", base}, nights, cli.ExitUsage, "refused"},
		{"the key lacks permissions", "", []string{"--stripe-api-key", "rk_test_lacking", "--stripe-api-base", base}, nights, cli.ExitUsage, "rak_"},
		{"reports: no folder", "", []string{"--reports-url", filepath.Join(file, "reports")}, nights, cli.ExitUsage, "not a directory"},
		{"reports: no right in the bucket", "", []string{"--reports-url", "s3://books/p?region=x&path_style=true&endpoint=" + answering(403)}, nights, cli.ExitUsage, "REPORTS_URL"},
		{"reports: bucket out of reach", "", []string{"--reports-url", "s3://books/p?region=x&path_style=true&endpoint=http://127.0.0.1:1"}, nights, cli.ExitRetry, "connection refused"},
	} {
		for _, command := range c.commands {
			t.Run(c.name+"/"+command[0]+" "+strings.Join(command[1:min(2, len(command))], ""), func(t *testing.T) {
				databaseURL := c.url
				if databaseURL == "" {
					databaseURL = app
				}
				args := append([]string{}, command...)
				args = append(args, "--database-url", databaseURL)
				if c.flags == nil || !strings.HasPrefix(c.flags[0], "--reports") {
					args = append(args, "--reports-url", t.TempDir())
				}
				code, told := endOf(t, append(args, c.flags...)...)
				found := false
				for _, text := range strings.Split(c.says, "|") {
					found = found || strings.Contains(told, text)
				}
				if code != c.code || !found {
					t.Errorf("exit code %d, want %d and %q:\n%s", code, c.code, c.says, told)
				}
			})
		}
	}
}
