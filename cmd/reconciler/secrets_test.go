package main

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// planted are values that must show up nowhere.
const (
	plantedPassword = `tiger"lily\7`
	plantedKey      = "rk_test_plantedReadKey0123456789"
	plantedRefund   = "rk_test_plantedRefundKey987654321"
)

// withPassword is a URL of the database that has a password, which a server that trusts everybody doesn't ask for.
func withPassword(t testing.TB, databaseURL string) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	name := "postgres"
	if u.User != nil {
		name = u.User.Username()
	}
	u.User = url.UserPassword(name, plantedPassword)
	return u.String()
}

// leaks are the planted values found in a text, in any form that they may be written in.
func leaks(text string, emails []string) (found []string) {
	for _, secret := range append([]string{plantedPassword, url.QueryEscape(plantedPassword), url.PathEscape(plantedPassword), `tiger\"lily`, "tiger", plantedKey, plantedRefund}, emails...) {
		if at := strings.Index(text, secret); at >= 0 {
			found = append(found, fmt.Sprintf("%q in …%s…", secret, text[max(0, at-100):min(len(text), at+100)]))
		}
	}
	return found
}

// unzipped is everything in an archive.
func unzipped(t testing.TB, archive []byte) string {
	t.Helper()
	reader, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range reader.File {
		content, err := file.Open()
		if err == nil {
			_, err = io.Copy(&all, content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

// Neither logs nor errors, panics nor reports show keys, passwords or customers' addresses: of nights that go well, with Stripe refusing the
// key and saying it back, with statements that fail, and with panics.
func TestSecretsAndAddressesStayInside(t *testing.T) {
	db := testdb.New(t)
	if err := playInto(db, simulation.Options{Seed: 7, Nights: 3, FaultsPerKind: 2}); err != nil {
		t.Fatal(err)
	}
	var emails []string
	if err := db.Select(&emails, "SELECT DISTINCT email FROM platform.accounts WHERE email LIKE '%@%' UNION SELECT DISTINCT account_email FROM platform.refund_requests WHERE account_email LIKE '%@%'"); err != nil {
		t.Fatal(err)
	}
	if len(emails) < 10 {
		t.Fatalf("only %d addresses to look for", len(emails))
	}
	stripe := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error":{"type":"invalid_request_error","message":"Invalid API Key provided: %s, of %s"}}`, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), emails[0])
	}))
	defer stripe.Close()
	folder, databaseURL := t.TempDir(), withPassword(t, db.URL)
	t.Setenv("DATABASE_URL", databaseURL)
	t.Setenv("REPORTS_URL", folder)
	t.Setenv("LOG_LEVEL", "debug")
	var seen strings.Builder
	step := func(want int, args ...string) {
		t.Helper()
		var out, log bytes.Buffer
		if code := run(context.Background(), args, &out, &log); code != want {
			t.Errorf("reconciler %s: exit code %d, want %d:\n%s", strings.Join(args, " "), code, want, log.String())
		}
		fmt.Fprintf(&seen, "\n== %s\n%s%s", args[0], out.String(), log.String())
	}
	t.Setenv("RECONCILER_PUSHGATEWAY_URL", withPassword(t, "http://worker@127.0.0.1:1"))
	step(cli.ExitDone, "run", "--date", "2026-03-02")
	step(cli.ExitIntegrity, "run", "--date", "2026-03-03", "--credit-back-max-credits", "1")
	t.Setenv("STRIPE_API_KEY", plantedKey)
	t.Setenv("STRIPE_REFUND_KEY", plantedRefund)
	t.Setenv("STRIPE_API_BASE", stripe.URL)
	step(cli.ExitUsage, "run", "--date", "2026-03-03")
	step(cli.ExitUsage, "check")
	step(cli.ExitDone, "breaks", "list")
	if _, err := db.Exec("ALTER TABLE reconciler.refund_windows RENAME TO hidden"); err != nil {
		t.Fatal(err)
	}
	step(cli.ExitUsage, "run", "--date", "2026-03-04")
	step(cli.ExitUsage, "run", "--stripe-api-key", "tiger-"+plantedPassword, "--database-url", "postgres://%zz:"+plantedPassword+"@host/db")
	t.Setenv("DATABASE_URL", "host=127.0.0.1 port=1 user=worker sslmode=disable password='"+strings.ReplaceAll(plantedPassword, `\`, `\\`)+"'")
	step(cli.ExitRetry, "run", "--date", "2026-03-04")
	t.Setenv("DATABASE_URL", databaseURL)

	commands = append(commands, func(*cli.Settings) *cobra.Command {
		return &cobra.Command{Use: "panic", RunE: func(*cobra.Command, []string) error {
			panic(fmt.Sprintf("connect %s with %s for %s", databaseURL, plantedKey, emails[0]))
		}}
	})
	defer func() { commands = commands[:len(commands)-1] }()
	step(cli.ExitRetry, "panic")
	if !strings.Contains(seen.String(), "panic: connect") || !strings.Contains(seen.String(), "[redacted]") || !strings.Contains(seen.String(), "secrets_test.go") {
		t.Error("the panic is not told of, with its place")
	}

	for _, leak := range leaks(seen.String(), emails) {
		t.Errorf("logs and messages show %s", leak)
	}
	for name, content := range publishedFiles(t, folder) {
		text := string(content)
		if strings.HasSuffix(name, ".xlsx") {
			text = unzipped(t, content)
		}
		for _, leak := range leaks(text, emails) {
			t.Errorf("%s shows %s", name, leak)
		}
	}
	var stored []string
	if err := db.Select(&stored, "SELECT error FROM reconciler.runs WHERE error <> '' UNION ALL SELECT problem FROM reconciler.stripe_syncs"); err != nil {
		t.Fatal(err)
	}
	for _, leak := range leaks(strings.Join(stored, "\n"), emails) {
		t.Errorf("the record of runs shows %s", leak)
	}
}
