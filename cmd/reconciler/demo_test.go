package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/sql/localpg"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// smallDemo is quick and has faults of every kind all the same.
func smallDemo(dir string, more ...string) []string {
	return append([]string{"demo", "--dir", dir, "--nights", "3", "--accounts", "30", "--jobs-per-night", "60"}, more...)
}

func runDemo(ctx context.Context, args []string) (code int, stdout, stderr string) {
	var out, log bytes.Buffer
	code = run(ctx, args, &out, &log)
	return code, out.String(), log.String()
}

// playedDemo is the folder of a small demo, for all tests that look at what one leaves. It goes with the test process.
var playedDemo = sync.OnceValues(func() (string, error) {
	folder := filepath.Join(scratch, "demo")
	if code, out, log := runDemo(context.Background(), smallDemo(folder)); code != cli.ExitDone {
		return "", fmt.Errorf("exit %d\n%s%s", code, out, log)
	}
	return folder, nil
})

func theDemo(t *testing.T) (folder string) {
	t.Helper()
	folder, err := playedDemo()
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// A demo over the one before leaves what one in a new folder does.
func TestDemo(t *testing.T) {
	// A demo must never touch what the environment names.
	t.Setenv("DATABASE_URL", "postgres://nobody@127.0.0.1:1/production")
	t.Setenv("STRIPE_API_KEY", "not even a key")
	first := theDemo(t)
	folder := filepath.Join(t.TempDir(), "reports")
	if err := os.CopyFS(folder, os.DirFS(first)); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(folder, "2026-03-31"), os.DirFS(filepath.Join(first, "2026-03-04"))); err != nil {
		t.Fatal(err)
	}
	code, out, log := runDemo(t.Context(), smallDemo(folder))
	if code != cli.ExitDone || log != "" {
		t.Fatalf("exit %d\n%s%s", code, out, log)
	}
	toldWell(t, out, folder)
	sameDemo(t, demoFiles(t, first), demoFiles(t, folder))
	for _, name := range []string{"index.html", "2026-03-02/breaks.csv", "2026-03-04/summary.html", "2026-03-04/manifest.json"} {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			t.Error(err)
		}
	}
}

// toldWell looks at what a demo that went well says.
func toldWell(t *testing.T, out, folder string) {
	t.Helper()
	if !strings.Contains(out, "Nothing else was reported") {
		t.Errorf("no verdict:\n%s", out)
	}
	for _, line := range strings.Split(out, "\n") {
		if len(line) > 80 && !strings.Contains(line, folder) {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	if strings.ContainsRune(out, '\x1b') {
		t.Error("escape codes where there is no terminal")
	}
}

// demoFiles are the files of a demo, its log with the times aside.
func demoFiles(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	files := publishedFiles(t, folder)
	delete(files, "demo.log")
	if len(files) < 30 {
		t.Errorf("%d files in %s", len(files), folder)
	}
	return files
}

func sameDemo(t *testing.T, want, got map[string][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d files, want %d", len(got), len(want))
	}
	for name, content := range got {
		if !bytes.Equal(content, want[name]) {
			t.Errorf("%s differs:%s", name, firstDifference(want[name], content))
		}
	}
}

func TestDemoReplaysTrace(t *testing.T) {
	t.Parallel()
	trace, err := filepath.Abs("../../jobs/simulation/testdata/trace.csv")
	if err != nil {
		t.Fatal(err)
	}
	code, out, log := runDemo(t.Context(), []string{"demo", "--dir", filepath.Join(t.TempDir(), "r"), "--trace", trace, "--nights", "2"})
	if code != cli.ExitDone || !strings.HasPrefix(out, "Nights 2025-02-03 to 2025-02-04 (2)") {
		t.Errorf("exit %d\n%s%s", code, out, log)
	}
}

func TestDemoRefuses(t *testing.T) {
	home := t.TempDir()
	foreign := filepath.Join(home, "photos")
	if err := os.MkdirAll(filepath.Join(foreign, "holidays"), 0o755); err != nil {
		t.Fatal(err)
	}
	badTrace := filepath.Join(home, "bad.csv")
	if err := os.WriteFile(badTrace, []byte("gmt_create,predict_type,predict_status,exec_time_seconds,groupId,num_images_per_prompt,num_inference_steps,"+
		"checkpoint_model_version_id\n2024-11-15 16:57:50,TXT_2_IMG,SUCCEED,soon,G0,1,30,M0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	inUse := testdb.New(t)
	fresh := filepath.Join(home, "fresh")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a folder of somebody":    {smallDemo(foreign), "not from an earlier demo"},
		"no nights":               {smallDemo(fresh, "--nights", "0"), "--nights: 0"},
		"no accounts":             {smallDemo(fresh, "--accounts", "0"), "--accounts: 0"},
		"an unknown zone":         {smallDemo(fresh, "--timezone", "Mars/Olympus"), "Mars/Olympus"},
		"an argument":             {smallDemo(fresh, "now"), "demo"},
		"a trace that is bad":     {smallDemo(fresh, "--trace", badTrace), `line 2, column exec_time_seconds: "soon"`},
		"a trace that isn't":      {smallDemo(fresh, "--trace", filepath.Join(home, "none.csv")), "none.csv"},
		"a database that is used": {smallDemo(fresh, "--database-url", inUse.URL), "has a schema platform or reconciler already"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, log := runDemo(t.Context(), c.args)
			if code != cli.ExitUsage || !strings.Contains(strings.ReplaceAll(log, `\"`, `"`), c.want) { // a line of JSON
				t.Errorf("exit %d, want %d and a message with %q\n%s%s", code, cli.ExitUsage, c.want, out, log)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(foreign, "holidays")); err != nil {
		t.Error("a folder of somebody was emptied")
	}
}

func TestDemoInOtherDatabase(t *testing.T) {
	t.Parallel()
	const nightsPlayed = 12 // a refund is unpaid after 7 business days
	db := testdb.NewEmpty(t)
	folder := filepath.Join(t.TempDir(), "r")
	code, out, log := runDemo(t.Context(), smallDemo(folder, "--nights", fmt.Sprint(nightsPlayed), "--database-url", db.URL))
	if code != cli.ExitDone || log != "" {
		t.Fatalf("exit %d\n%s%s", code, out, log)
	}
	toldWell(t, out, folder)
	for _, rule := range reconcile.BreakRules {
		if !strings.Contains(out, "\n"+string(rule.Kind)+" ") {
			t.Errorf("the table lacks %s", rule.Kind)
		}
	}
	var nights int
	if err := db.Get(&nights, "SELECT count(*) FROM reconciler.publications"); err != nil || nights != nightsPlayed {
		t.Errorf("%d nights were published from the given database, %v", nights, err)
	}
	explainsEveryID(t, db.URL, publishedFiles(t, folder))
	explainsTheTrail(t, db, folder)
}

func TestDemoStopsCleanly(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer stop()
	code, out, log := runDemo(ctx, []string{"demo", "--dir", filepath.Join(t.TempDir(), "r"), "--nights", "300"})
	if code != cli.ExitStopped {
		t.Errorf("exit %d, want %d\n%s%s", code, cli.ExitStopped, out, log)
	}
}

// The reports don't depend on the version of PostgreSQL: the long form plays the demo on every supported one, fetched from where a machine
// without PostgreSQL gets it.
func TestDemoIsTheSameOnEveryVersion(t *testing.T) {
	if !*long {
		t.Log("not tried: needs -long")
		return
	}
	want := demoFiles(t, theDemo(t))
	t.Setenv(localpg.BinVariable, "")
	for _, server := range []string{"14", "15", "16", "17", "18"} {
		t.Run(server, func(t *testing.T) {
			t.Setenv(localpg.FetchVariable, server)
			folder := filepath.Join(t.TempDir(), "reports")
			if code, out, log := runDemo(t.Context(), smallDemo(folder)); code != cli.ExitDone {
				t.Fatalf("exit %d\n%s%s", code, out, log)
			}
			sameDemo(t, want, demoFiles(t, folder))
		})
	}
}
