package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// One server has nothing to distribute, and says nothing of a cluster.
func TestDistributeIsRefusedOnOneServer(t *testing.T) {
	db := testdb.New(t)
	if db.Distributed() {
		t.Skip("the database is distributed")
	}
	var out, log bytes.Buffer
	t.Setenv("DATABASE_URL", db.URLOf(sql.OwnerRole))
	if code := run(t.Context(), []string{"distribute"}, &out, &log); code != cli.ExitUsage || !strings.Contains(log.String(), "no extension citus") {
		t.Errorf("exit code %d, %s", code, log.String())
	}
	t.Setenv("DATABASE_URL", db.URL)
	t.Setenv("REPORTS_URL", t.TempDir())
	if run(t.Context(), []string{"check"}, &out, &log); strings.Contains(out.String(), "cluster") {
		t.Errorf("check speaks of a cluster:\n%s", out.String())
	}
}

// What Citus adds to a database is looked at as a whole: each fault is a line of its own with its fix, and refuses a night.
func TestCheckKnowsADistributedDatabase(t *testing.T) {
	if !testdb.New(t).Distributed() {
		t.Skip(testdb.CitusVariable + " is not set: nobody looked at a distributed database")
	}
	t.Setenv("REPORTS_URL", t.TempDir())
	lines := func(url string) string {
		t.Helper()
		var out, log bytes.Buffer
		t.Setenv("DATABASE_URL", url)
		run(t.Context(), []string{"check"}, &out, &log)
		return out.String()
	}
	for _, c := range []struct{ name, spoil, says, fix string }{
		{"as it should be", "", "distributed by account", ""},
		{"a table of ours that is not placed", "SELECT undistribute_table('reconciler.account_moves')", "FAILED   cluster", "reconciler distribute"},
		{"a table of the platform's that is not placed", "SELECT undistribute_table('platform.jobs')", "platform.jobs is local", "distribute --dry-run"},
		{"rows of one account apart", "SELECT update_distributed_table_colocation('platform.jobs', colocate_with => 'none')", "on different nodes", "update_distributed_table_colocation"},
		{"another key of entries", "ALTER TABLE platform.credit_entries DROP CONSTRAINT credit_entries_account_id_idempotency_key_key", "not even unique for each account", "CREATE UNIQUE INDEX"},
		{"a node in another time zone", "DO $$ BEGIN EXECUTE format('ALTER ROLE reconciler_app IN DATABASE %I SET timezone = ''America/New_York''', current_database()); END $$", "America/New_York for this role", "SET timezone = 'UTC'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := testdb.New(t)
			if c.spoil != "" {
				db.MustExec(c.spoil)
			}
			if said := lines(db.URL); !strings.Contains(said, c.says) || !strings.Contains(said, c.fix) {
				t.Errorf("doesn't say %q and %q:\n%s", c.says, c.fix, said)
			} else if c.spoil == "" && strings.Contains(said, "FAILED") {
				t.Errorf("finds faults:\n%s", said)
			}
		})
	}
	// Placing is done again as often as one likes, and places what is new.
	db := testdb.New(t)
	db.MustExec("SELECT undistribute_table('reconciler.account_moves')")
	t.Setenv("DATABASE_URL", db.URLOf(sql.OwnerRole))
	for _, placed := range []string{": 1 table placed", ": 0 tables placed"} {
		var out, log bytes.Buffer
		if code := run(t.Context(), []string{"distribute"}, &out, &log); code != cli.ExitDone || !strings.Contains(out.String(), placed) {
			t.Errorf("exit code %d: %s%s, want %q", code, out.String(), log.String(), placed)
		}
	}
}

// A node that is out of reach is worth another try, and the next one is right once it is back.
func TestANightWithoutANodeIsWorthAnotherTry(t *testing.T) {
	db := testdb.New(t)
	if !db.Distributed() {
		t.Skip(testdb.CitusVariable + " is not set: nobody looked at a night that lacks a node")
	}
	for _, statement := range []string{
		"INSERT INTO platform.accounts SELECT 'acc_' || i, i || '@example.com', 'active', '2026-03-02Z' FROM generate_series(1, 20) i",
		"INSERT INTO platform.credit_entries (id, account_id, kind, credits, created_at) SELECT 'ent_' || i, 'acc_' || i, 'promo', 10, '2026-03-02 10:00Z' FROM generate_series(1, 20) i",
	} {
		db.MustExec(statement)
	}
	folder, untouched := t.TempDir(), t.TempDir()
	runWith(t, cli.ExitDone, db.URL, untouched, "run", "--date", "2026-03-02")
	var node struct {
		ID   int64
		Host string
		Port int
	}
	if err := db.Get(&node, "SELECT nodeid AS id, nodename AS host, nodeport AS port FROM pg_dist_node WHERE shouldhaveshards ORDER BY nodeid LIMIT 1"); err != nil {
		t.Fatal(err)
	}
	db.MustExec("SELECT citus_update_node($1, $2, 1)", node.ID, node.Host)
	for _, command := range [][]string{{"check"}, {"run", "--date", "2026-03-02"}, {"run", "--date", "2026-03-03"}, {"backfill", "--from", "2026-03-02", "--to", "2026-03-03"}, {"verify", "--date", "2026-03-02"}} {
		runWith(t, cli.ExitRetry, db.URL, folder, command...)
	}
	db.MustExec("SELECT citus_update_node($1, $2, $3)", node.ID, node.Host, node.Port)
	for _, date := range []string{"2026-03-02", "2026-03-03"} {
		runWith(t, cli.ExitDone, db.URL, folder, "run", "--date", date)
	}
	for _, name := range []string{"summary.html", "control_totals.csv", "roll_forward.csv"} {
		want, err := os.ReadFile(filepath.Join(untouched, "2026-03-02", name))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(folder, "2026-03-02", name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s of the night that was run again differs: %v", name, err)
		}
	}
}
