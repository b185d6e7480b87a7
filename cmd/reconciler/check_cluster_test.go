package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/jobs/desk"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/localpg"
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
		{"a node that is not active", "UPDATE pg_dist_node SET isactive = false WHERE nodeid = (SELECT max(nodeid) FROM pg_dist_node)", "is not active", "citus_activate_node"},
		{"no node for the rows", "UPDATE pg_dist_node SET shouldhaveshards = false", "no node holds shards", "citus_add_node"},
		{"a coordinator that is no node", "DELETE FROM pg_dist_node WHERE groupid = 0", "no node of its own cluster", "citus_set_coordinator_host"},
		{"a part of a table that is out of use", "UPDATE pg_dist_shard_placement SET shardstate = 3 WHERE placementid = (SELECT min(placementid) FROM pg_dist_shard_placement)", "1 part of tables out of use", "citus_copy_shard_placement"},
		{"nodes that write dates otherwise", "DO $$ BEGIN EXECUTE format('ALTER ROLE reconciler_app IN DATABASE %I SET datestyle = ''German''', current_database()); END $$", "datestyle German", "SET datestyle = 'ISO, MDY'"},
		{"a limit of the nodes' own", "DO $$ BEGIN EXECUTE format('ALTER ROLE reconciler_app IN DATABASE %I SET statement_timeout = 60000', current_database()); END $$", "ends statements after 60000 ms", "SET statement_timeout = 0"},
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
	db := testdb.New(t)
	var port string
	if err := db.Get(&port, "SELECT nodeport FROM pg_dist_node WHERE groupid <> 0 LIMIT 1"); err != nil {
		t.Fatal(err)
	}
	given, err := url.Parse(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	node, replicas := *given, *given
	node.Host = net.JoinHostPort(given.Hostname(), port)
	asked := given.Query()
	asked.Set("options", asked.Get("options")+" -c citus.use_secondary_nodes=always")
	replicas.RawQuery = asked.Encode()
	if said := lines(replicas.String()); !strings.Contains(said, "FAILED") || !strings.Contains(said, "set citus.use_secondary_nodes = never") {
		t.Errorf("asked as one whose reads go to replicas:\n%s", said)
	}
	if said := lines(node.String()); !strings.Contains(said, "FAILED") || !strings.Contains(said, "point DATABASE_URL at the coordinator") {
		t.Errorf("asked at a node:\n%s", said)
	}
}

// Placing is done again as often as one likes, and places what is new. What the platform's owner has to run is printed, runs as it is, and leaves of foreign
// keys those that nodes can hold to.
func TestDistributePlacesWhatIsNotPlacedYet(t *testing.T) {
	if !testdb.New(t).Distributed() {
		t.Skip(testdb.CitusVariable + " is not set: nobody looked at how a database is distributed")
	}
	db := testdb.NewOnOneServer(t) // with the extension and its nodes, and nothing distributed
	for _, statement := range []string{
		"CREATE TABLE platform.sessions (id int PRIMARY KEY, account_id text REFERENCES platform.accounts, job_id text CONSTRAINT of_a_job REFERENCES platform.jobs)",
		"ALTER TABLE platform.purchases ADD FOREIGN KEY (account_id) REFERENCES platform.accounts",
		"ALTER TABLE platform.jobs ADD UNIQUE (account_id, id)",
		"ALTER TABLE platform.jobs ADD FOREIGN KEY (account_id) REFERENCES platform.accounts",
		"ALTER TABLE platform.jobs ADD COLUMN session_id int",
		"ALTER TABLE platform.jobs ADD CONSTRAINT of_a_session FOREIGN KEY (session_id) REFERENCES platform.sessions",
		"ALTER TABLE platform.credit_entries ADD FOREIGN KEY (account_id) REFERENCES platform.accounts",
		"ALTER TABLE platform.credit_entries ADD FOREIGN KEY (purchase_id) REFERENCES platform.purchases",
		"ALTER TABLE platform.credit_entries ADD CONSTRAINT any_job FOREIGN KEY (job_id) REFERENCES platform.jobs (id)",
		"ALTER TABLE platform.credit_entries ADD CONSTRAINT own_job FOREIGN KEY (account_id, job_id) REFERENCES platform.jobs (account_id, id)",
		"INSERT INTO platform.accounts VALUES ('acc_1', 'one@example.com', 'active', '2026-03-02Z')",
		"INSERT INTO platform.jobs (id, account_id, kind, status, created_at) VALUES ('job_1', 'acc_1', 'image', 'queued', '2026-03-02 10:00Z')",
		"INSERT INTO platform.credit_entries (id, account_id, kind, credits, job_id, created_at) VALUES ('ent_1', 'acc_1', 'usage', -1, 'job_1', '2026-03-02 10:00Z')",
		"INSERT INTO platform.credit_entries (id, kind, credits, created_at) VALUES ('ent_2', 'promo', 1, '2026-03-02 10:00Z')",
	} {
		db.MustExec(statement)
	}
	t.Setenv("DATABASE_URL", db.URLOf(sql.OwnerRole))
	distribute := func(more ...string) string {
		t.Helper()
		var out, log bytes.Buffer
		if code := run(t.Context(), append([]string{"distribute"}, more...), &out, &log); code != cli.ExitDone {
			t.Fatalf("exit code %d: %s%s", code, out.String(), log.String())
		}
		return out.String()
	}
	var placed int
	const anyPlaced = "SELECT count(*) FROM pg_dist_partition"
	if said := distribute("--dry-run"); !strings.Contains(said, "create_distributed_table('\"reconciler\".\"account_moves\"', 'account_id')") || !strings.Contains(said, "create_reference_table('\"platform\".\"accounts\"')") {
		t.Errorf("a dry run says\n%s", said)
	}
	if err := db.Get(&placed, anyPlaced); err != nil || placed != 0 {
		t.Errorf("a dry run placed %d tables, %v", placed, err)
	}
	said := distribute()
	_, script, found := strings.Cut(said, "-- For the owner of schema platform")
	if !found || !strings.Contains(said, fmt.Sprintf(": %d tables placed", len(sql.Placements)-1)) {
		t.Fatalf("said\n%s", said)
	}
	if again := distribute(); !strings.Contains(again, ": 0 tables placed") || !strings.HasSuffix(again, script) {
		t.Errorf("once more:\n%s, want the same statements for the platform's owner:\n%s", again, script)
	}
	owner, err := db.Connx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	statements := strings.Split("-- "+script, ";\n")
	place := func() error {
		for _, statement := range statements {
			if _, err := owner.ExecContext(t.Context(), statement); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
		return nil
	}
	if err := place(); err == nil || !strings.Contains(err.Error(), "null values") {
		t.Fatalf("a row without an account is placed: %v", err)
	}
	if !strings.Contains(script, "platform.credit_entries is not placed with a row whose account_id is NULL") {
		t.Errorf("doesn't say what rows can't be placed:\n%s", script)
	}
	for _, statement := range []string{"ROLLBACK", "UPDATE platform.credit_entries SET account_id = 'acc_1' WHERE account_id IS NULL"} {
		if _, err := owner.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := place(); err != nil {
		t.Fatal(err)
	}
	db.MustExec("SELECT undistribute_table('reconciler.account_moves')") // as a later migration leaves a new table
	for _, placed := range []string{": 1 table placed", ": 0 tables placed"} {
		if said := distribute(); !strings.Contains(said, placed) || strings.Contains(said, "owner of schema platform") {
			t.Errorf("said %s, want %q", said, placed)
		}
	}
	var kept, want []string
	if err := db.Select(&kept, `SELECT DISTINCT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
		WHERE contype = 'f' AND connamespace = 'platform'::regnamespace AND conrelid IN (SELECT logicalrelid FROM pg_dist_partition) ORDER BY 1`); err != nil {
		t.Fatal(err)
	}
	want = []string{
		"platform.credit_entries FOREIGN KEY (account_id) REFERENCES platform.accounts(id)",
		"platform.credit_entries FOREIGN KEY (account_id, job_id) REFERENCES platform.jobs(account_id, id)",
		"platform.credit_entries FOREIGN KEY (purchase_id) REFERENCES platform.purchases(id)",
		"platform.jobs FOREIGN KEY (account_id) REFERENCES platform.accounts(id)",
		"platform.purchases FOREIGN KEY (account_id) REFERENCES platform.accounts(id)",
		"platform.sessions FOREIGN KEY (account_id) REFERENCES platform.accounts(id)",
	}
	if !slices.Equal(kept, want) {
		t.Errorf("foreign keys are\n%s\nwant\n%s", strings.Join(kept, "\n"), strings.Join(want, "\n"))
	}
	runWith(t, cli.ExitDone, db.URL, t.TempDir(), "check")
	runWith(t, cli.ExitDone, db.URL, t.TempDir(), "run", "--date", "2026-03-02")
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

// What people read of the demo's nights is the same on a cluster: each published file, and each page of the desk, those about every id and account among
// them. The long form plays the whole demo, and asks for every id.
func TestDemoIsTheSameOnACluster(t *testing.T) {
	nodes := testdb.NewEmpty(t)
	if !nodes.Distributed() {
		t.Skip(testdb.CitusVariable + " is not set: nobody compared a distributed database")
	}
	server, err := localpg.Start(t.Context(), localpg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	nights, ofAKind := 8, idsOfAKind
	if *long {
		nights, ofAKind = 14, math.MaxInt
	}
	now := time.Date(2026, time.March, 2+nights, 9, 0, 0, 0, time.UTC)
	var folders [2]string
	var desks [2]http.Handler
	for i, address := range []string{server.URL("postgres"), nodes.URL} {
		folders[i] = filepath.Join(t.TempDir(), "reports")
		args := smallDemo(folders[i], "--nights", fmt.Sprint(nights), "--database-url", address)
		if *long {
			args = []string{"demo", "--dir", folders[i], "--nights", fmt.Sprint(nights), "--database-url", address}
		}
		if code, out, log := runDemo(t.Context(), args); code != cli.ExitDone {
			t.Fatalf("exit %d\n%s%s", code, out, log)
		}
		store, err := postgres.Open(postgres.Options{URL: address})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		store.KeepSessions(nil, true) // the same questions are asked a thousand times
		published, err := storage.OpenFolder(folders[i])
		if err != nil {
			t.Fatal(err)
		}
		desks[i] = (&desk.Desk{Store: store, Published: published, Zone: time.UTC, Clock: func() time.Time { return now }, Log: zerolog.New(zerolog.NewTestWriter(t))}).Handler()
	}
	files := demoFiles(t, folders[0])
	sameDemo(t, files, demoFiles(t, folders[1]))
	addresses := []string{"/", "/breaks"}
	about := func(id string) { addresses = append(addresses, "/search?"+url.Values{"q": {id}}.Encode()) }
	for id := range idsIn(t, files, ofAKind) {
		about(id)
	}
	var accounts []struct{ ID, Email string }
	if err := nodes.Select(&accounts, "SELECT id, email FROM platform.accounts"); err != nil {
		t.Fatal(err)
	}
	for _, a := range accounts {
		about(a.ID)
		about(a.Email)
	}
	seen := map[string]bool{}
	for len(addresses) > 0 {
		address := addresses[0]
		addresses = addresses[1:]
		if seen[address] {
			continue
		}
		seen[address] = true
		var pages [2]string
		for i, desk := range desks {
			answer := httptest.NewRecorder()
			desk.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, address, nil))
			pages[i] = fmt.Sprint(answer.Code, " ", answer.Body)
		}
		if pages[0] != pages[1] {
			t.Errorf("%s differs:%s", address, firstDifference([]byte(pages[0]), []byte(pages[1])))
		}
		if strings.HasPrefix(pages[0], "5") {
			t.Errorf("%s: %s", address, pages[0])
		}
		if strings.HasPrefix(address, "/search") && !*long {
			continue
		}
		for _, link := range linkOnPage.FindAllStringSubmatch(pages[0], -1) {
			addresses = append(addresses, html.UnescapeString(link[1]))
		}
	}
	t.Logf("%d pages", len(seen))
	if len(seen) < 500 {
		t.Errorf("only %d pages were compared", len(seen))
	}
}

// linkOnPage is a link from a page of the desk's to another one; what is published is compared anyway.
var linkOnPage = regexp.MustCompile(` href="(/(?:breaks|search|\?)[^"#]*)"`)
