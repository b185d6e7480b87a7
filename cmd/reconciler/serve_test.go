package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/demo"
	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// child is a "reconciler serve" in a process of its own.
type child struct {
	t    testing.TB
	cmd  *exec.Cmd
	url  string // of its probes
	done chan struct{}

	mu   sync.Mutex
	log  bytes.Buffer
	code int
}

// startServe starts one with the test's environment and those variables on top, and waits until it listens.
func startServe(t testing.TB, environment []string, args ...string) *child {
	t.Helper()
	c := &child{t: t, done: make(chan struct{})}
	c.cmd = exec.Command("reconciler", append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	c.cmd.Env = append(os.Environ(), environment...)
	out, err := c.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening := make(chan string, 1)
	go func() {
		defer close(c.done)
		address := regexp.MustCompile(`"listen":"([^"]+)"`)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			c.mu.Lock()
			c.log.Write(append(lines.Bytes(), '\n'))
			c.mu.Unlock()
			if found := address.FindStringSubmatch(lines.Text()); found != nil {
				listening <- found[1]
			}
		}
		_ = c.cmd.Wait()
		c.mu.Lock()
		c.code = c.cmd.ProcessState.ExitCode()
		c.mu.Unlock()
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.done
	})
	select {
	case address := <-listening:
		c.url = "http://" + address
	case <-c.done:
		t.Fatalf("serve ended at once:\n%s", c.text())
	case <-time.After(patience):
		t.Fatalf("serve does not listen:\n%s", c.text())
	}
	return c
}

func (c *child) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log.String()
}

// end sends a signal and returns the exit code; -1: killed.
func (c *child) end(signal os.Signal) int {
	c.t.Helper()
	if err := c.cmd.Process.Signal(signal); err != nil {
		c.t.Fatal(err)
	}
	select {
	case <-c.done:
	case <-time.After(patience):
		c.t.Fatalf("serve does not end:\n%s", c.text())
	}
	return c.code
}

// get is the answer of a probe.
func (c *child) get(path string) (status int, body string) {
	c.t.Helper()
	response, err := http.Get(c.url + path)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return response.StatusCode, string(raw)
}

// patience is for machines that are busy with other things; nothing takes it where all is well.
const patience = 3 * time.Minute

// eventually polls until fn says yes.
func eventually(t testing.TB, what string, fn func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !fn(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// serveSettings is the environment of a serve whose simulated time is simulated now, and speed times as fast, for a month.
func serveSettings(databaseURL, reports string, simulated time.Time, speed int64, more ...string) []string {
	return serveUntil(simulated.AddDate(0, 1, 0), databaseURL, reports, simulated, speed, more...)
}

// serveUntil is serveSettings with a simulated time that stands still at last.
func serveUntil(last time.Time, databaseURL, reports string, simulated time.Time, speed int64, more ...string) []string {
	return append([]string{
		"DATABASE_URL=" + databaseURL, "REPORTS_URL=" + reports, "LOG_FORMAT=json",
		fmt.Sprintf("%s=%d,%d,%d,%d", testTime, simulated.UnixNano(), time.Now().UnixNano(), speed, last.UnixNano()),
	}, more...)
}

// completedNights are the nights on record as completed, in the order of their first completion.
func completedNights(t testing.TB, db *testdb.DB) (nights []string) {
	t.Helper()
	err := db.Select(&nights, `SELECT business_date::text FROM reconciler.runs WHERE job = 'night' AND status = 'completed'
		GROUP BY business_date ORDER BY min(finished_at), business_date`)
	if err != nil {
		t.Fatal(err)
	}
	return nights
}

func nightsBetween(first reconcile.Date, count int) (nights []string) {
	for i := range count {
		nights = append(nights, first.AddDays(i).String())
	}
	return nights
}

func startOf(date reconcile.Date) time.Time { return reconcile.NightOf(date, time.UTC).Begin }

func TestServeProbesFiguresAndStop(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	if err := playInto(db, simulation.Options{Seed: 7, Nights: 2, FaultsPerKind: 1}); err != nil {
		t.Fatal(err)
	}
	// On the day after the first night, with more to do than an hour's schedule of a single job. Time stops before the next night is due,
	// however long this takes.
	day := startOf(demo.Start.AddDays(1))
	c := startServe(t, serveUntil(day.Add(3*time.Hour+10*time.Minute), db.URL, t.TempDir(), day.Add(time.Hour), 600, "RECONCILER_JOB_SCHEDULES=match-jobs=@hourly"))
	eventually(t, "the first night is done", func() bool { return len(completedNights(t, db)) == 1 })
	if status, body := c.get("/healthz"); status != http.StatusOK || body != "ok\n" {
		t.Errorf("/healthz: %d %q", status, body)
	}
	eventually(t, "it is ready", func() bool {
		status, body := c.get("/readyz")
		return status == http.StatusOK && strings.Contains(body, "database: ok\nmigrations: ok\nschedule: next 2026-03-03T03:15:00Z")
	})
	eventually(t, "the single job is done once more", func() bool {
		var attempts int
		if err := db.Get(&attempts, "SELECT max(attempt) FROM reconciler.runs WHERE job = 'match-jobs'"); err != nil {
			t.Fatal(err)
		}
		return attempts > 1
	})
	_, body := c.get("/metrics")
	for _, want := range []string{
		`reconciler_last_completed_night_timestamp_seconds 1.77`, `reconciler_last_run_timestamp_seconds{step="reports"} 1.77`, "reconciler_run_exit_code 0",
		`reconciler_breaks_open{kind="duplicate_debit",severity="error"} `, "reconciler_reviews_overdue 0", "reconciler_refunds_halted 0", "reconciler_stripe_sync_failed 0",
		"reconciler_night_duration_seconds ", "reconciler_late_items ", "reconciler_credit_backs_total ", "reconciler_credit_backs_credits ", "go_goroutines ", "process_start_time_seconds ",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if _, err := db.Exec("INSERT INTO reconciler.schema_migrations (version_id, is_applied, tstamp) VALUES (99999, true, now())"); err != nil {
		t.Fatal(err)
	}
	if status, body := c.get("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "migrations: not this binary's") {
		t.Errorf("/readyz with a newer schema: %d %q", status, body)
	}
	if code := c.end(syscall.SIGTERM); code != cli.ExitStopped {
		t.Errorf("exit code %d after SIGTERM:\n%s", code, c.text())
	}
	// What it was told to do is no error in its log, which people are alerted by.
	if log := c.text(); !strings.Contains(log, `{"level":"info","exit_code":143`) {
		t.Errorf("it ends otherwise than with a line of level info:\n%s", log)
	}
}

// A lock that another worker holds is waited for, and nothing else happens.
func TestServeWaitsForAnotherWorker(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	store, err := postgres.Open(postgres.Options{URL: db.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	lock, err := store.TryLock(t.Context(), "night/"+demo.Start.String())
	if err != nil {
		t.Fatal(err)
	}
	c := startServe(t, serveSettings(db.URL, t.TempDir(), startOf(demo.Start.AddDays(1)).Add(time.Hour), 60))
	eventually(t, "it says so", func() bool { return strings.Contains(c.text(), "another worker has the night") })
	if got := completedNights(t, db); len(got) > 0 {
		t.Errorf("completed all the same: %v", got)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the night is done", func() bool { return len(completedNights(t, db)) == 1 })
	if code := c.end(syscall.SIGTERM); code != cli.ExitStopped {
		t.Errorf("exit code %d after SIGTERM", code)
	}
}

// SIGTERM in the middle of a night lets the job at hand finish, unless that takes longer than the grace; the next process finishes the night.
func TestServeDrains(t *testing.T) {
	t.Parallel()
	for name, grace := range map[string]string{"within the grace": "60s", "past the grace": "0s"} {
		t.Run(name, func(t *testing.T) {
			db := testdb.New(t)
			if err := playInto(db, simulation.Options{Seed: 7, Nights: 1, FaultsPerKind: 1}); err != nil {
				t.Fatal(err)
			}
			// Somebody holds a table that the first job writes to, and what comes before it does not.
			blocker, err := db.Beginx()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = blocker.Rollback() }()
			if _, err := blocker.Exec("LOCK TABLE reconciler.breaks IN SHARE MODE"); err != nil {
				t.Fatal(err)
			}
			settings := serveSettings(db.URL, t.TempDir(), startOf(demo.Start.AddDays(1)).Add(time.Hour), 1)
			c := startServe(t, settings, "--grace", grace)
			eventually(t, "the matching waits", func() bool {
				var waiting int
				if err := db.Get(&waiting, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'reconciler' AND datname = current_database()"); err != nil {
					t.Fatal(err)
				}
				return waiting > 0
			})
			if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			eventually(t, "it heard", func() bool { return strings.Contains(c.text(), "stopping") })
			if grace != "0s" {
				if err := blocker.Rollback(); err != nil {
					t.Fatal(err)
				}
			}
			<-c.done
			if c.code != cli.ExitStopped {
				t.Errorf("exit code %d:\n%s", c.code, c.text())
			}
			var left []string // of the job that was at hand, the night aside
			if err := db.Select(&left, "SELECT job || ' ' || status FROM reconciler.runs WHERE job <> 'night' AND status <> 'completed'"); err != nil {
				t.Fatal(err)
			}
			if finished := len(left) == 0; finished != (grace != "0s") || len(completedNights(t, db)) > 0 {
				t.Errorf("not completed are %v:\n%s", left, c.text())
			}
			_ = blocker.Rollback()
			next := startServe(t, settings)
			eventually(t, "the night is done", func() bool { return len(completedNights(t, db)) == 1 })
			next.end(syscall.SIGTERM)
		})
	}
}

// gate is a way to the database that can be closed: connections break and new ones are refused.
type gate struct {
	url      string
	target   string
	mu       sync.Mutex
	open     map[net.Conn]bool
	closed   bool
	listener net.Listener
}

func newGate(t testing.TB, databaseURL string) *gate {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{target: u.Host, open: map[net.Conn]bool{}}
	network := "tcp"
	if socket := u.Query().Get("host"); socket != "" { // a private server listens on a socket
		port := u.Query().Get("port")
		if port == "" {
			port = "5432"
		}
		network, g.target = "unix", filepath.Join(socket, ".s.PGSQL."+port)
	}
	if g.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.listener.Close() })
	query := u.Query()
	query.Del("host")
	query.Del("port")
	u.Host, u.RawQuery = g.listener.Addr().String(), query.Encode()
	g.url = u.String()
	go func() {
		for {
			front, err := g.listener.Accept()
			if err != nil {
				return
			}
			go g.pass(network, front)
		}
	}()
	return g
}

func (g *gate) pass(network string, front net.Conn) {
	defer front.Close()
	g.mu.Lock()
	closed := g.closed
	g.open[front] = true
	g.mu.Unlock()
	if closed {
		return
	}
	back, err := net.Dial(network, g.target)
	if err != nil {
		return
	}
	defer back.Close()
	go func() {
		_, _ = io.Copy(back, front)
		_ = back.Close()
	}()
	_, _ = io.Copy(front, back)
}

// shut opens or closes the gate.
func (g *gate) shut(closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = closed
	if closed {
		for conn := range g.open {
			_ = conn.Close()
		}
		clear(g.open)
	}
}

var long = flag.Bool("long", false, "run the long forms of tests: a whole month of serve, the demo on every version of PostgreSQL")

// A month, or a fortnight in the short form, at a day in 1.2 seconds: killed at random moments, stopped and left off for days, with the
// database out of reach for a while, and clocks put forward in between. Every night is done once, in order, and its reports are those of an
// undisturbed worker.
func TestMonthOfServe(t *testing.T) {
	t.Parallel()
	const speed = 72000
	nights := 14
	if *long {
		nights = 30
	}
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	played := simulation.Options{Seed: 9, Nights: nights, Zone: zone, Accounts: 12, JobsPerNight: 12, FaultsPerKind: 1}
	db := testdb.New(t)
	if err := playInto(db, played); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	way := newGate(t, db.URL)
	chance := rand.New(rand.NewPCG(1, 2))
	var logs strings.Builder
	defer func() {
		if t.Failed() {
			t.Log(logs.String())
		}
	}()
	opening := reconcile.NightOf(demo.Start, zone).End.Add(2 * time.Hour)
	end := reconcile.NightOf(demo.Start.AddDays(nights-1), zone).End.Add(6 * time.Hour)
	// A worker that has done nothing yet begins with the newest night: the first one is done while time stands still, however long that takes.
	c := startServe(t, serveUntil(opening, way.url, folder, opening, 1, "RECONCILER_TIMEZONE=America/New_York"))
	eventually(t, "the first night is done", func() bool { return len(completedNights(t, db)) == 1 })
	c.end(syscall.SIGTERM)
	logs.WriteString(c.text())
	began := time.Now()
	simulated := func() time.Time { return opening.Add(time.Since(began) * speed) }
	kills, stops, outages := 0, 0, 0
	for turn := 0; turn < 3 || simulated().Before(end); turn++ {
		c := startServe(t, serveUntil(end, way.url, folder, simulated(), speed, "RECONCILER_TIMEZONE=America/New_York", "RECONCILER_SCHEDULE_TIMEZONE=America/New_York",
			"RECONCILER_SCHEDULE=30 2 * * *"))
		time.Sleep(time.Duration(1000+chance.IntN(4000)) * time.Millisecond)
		switch turn % 3 {
		case 0:
			c.end(syscall.SIGKILL)
			kills++
		case 1:
			way.shut(true)
			outages++
			time.Sleep(1500 * time.Millisecond)
			if status, _ := c.get("/readyz"); status != http.StatusServiceUnavailable {
				t.Errorf("ready without a database")
			}
			way.shut(false)
			time.Sleep(1500 * time.Millisecond)
			c.end(syscall.SIGKILL)
			kills++
		case 2:
			if code := c.end(syscall.SIGTERM); code != cli.ExitStopped {
				t.Errorf("exit code %d after SIGTERM:\n%s", code, c.text())
			}
			stops++
			time.Sleep(time.Duration(2000+chance.IntN(4000)) * time.Millisecond) // days without a worker
		}
		logs.WriteString(c.text())
	}
	want := nightsBetween(demo.Start, nights)
	last := startServe(t, serveUntil(end, way.url, folder, end, 1, "RECONCILER_TIMEZONE=America/New_York"))
	eventually(t, "the last night is done", func() bool { return slices.Contains(completedNights(t, db), want[nights-1]) })
	last.end(syscall.SIGTERM)
	logs.WriteString(last.text())
	if got := completedNights(t, db); !slices.Equal(got, want) {
		var rows []string
		if err := db.Select(&rows, "SELECT to_jsonb(r)::text FROM reconciler.runs r WHERE job = 'night' ORDER BY business_date, revision"); err != nil {
			t.Fatal(err)
		}
		t.Errorf("completed in the order %v:\n%s", got, strings.Join(rows, "\n"))
	}
	// Every night is brought to its end once, the month's last ones like the first, and none begins before the one before it has ended.
	done, ended := map[string]int{}, []string{}
	for _, line := range strings.Split(logs.String(), "\n") {
		var event struct {
			Message      string `json:"message"`
			BusinessDate string `json:"business_date"`
		}
		if json.Unmarshal([]byte(line), &event) == nil && event.Message == "night done" {
			done[event.BusinessDate]++
			ended = append(ended, event.BusinessDate)
		}
	}
	for night, times := range done {
		if times > 1 {
			t.Errorf("night %s was done %d times", night, times)
		}
	}
	if !slices.IsSorted(ended) {
		t.Errorf("told of nights in the order %v", ended)
	}
	var runs []struct {
		Date      string
		Revision  int
		Published int
		Began     time.Time
		Ended     time.Time
	}
	if err := db.Select(&runs, `SELECT n.business_date::text AS date, n.revision, n.started_at AS began, n.finished_at AS ended,
			(SELECT count(*) FROM reconciler.publications p WHERE p.business_date = n.business_date) AS published
		FROM reconciler.runs n WHERE n.job = 'night' ORDER BY n.business_date, n.revision`); err != nil {
		t.Fatal(err)
	}
	for i, run := range runs {
		if run.Revision != 1 || run.Published != 1 {
			t.Errorf("night %s: revision %d, %d publications; want one", run.Date, run.Revision, run.Published)
		}
		if i > 0 && run.Began.Before(runs[i-1].Ended) {
			t.Errorf("night %s began at %s, before %s had ended at %s", run.Date, run.Began, runs[i-1].Date, runs[i-1].Ended)
		}
	}
	if len(runs) != nights {
		t.Errorf("%d nights on record, want %d", len(runs), nights)
	}
	t.Logf("%d kills, %d stops, %d outages; %d of %d nights told of their end", kills, stops, outages, len(done), nights)

	clean := testdb.New(t)
	if err := playInto(clean, played); err != nil {
		t.Fatal(err)
	}
	undisturbed := t.TempDir()
	runWith(t, cli.ExitDone, clean.URL, undisturbed, "backfill", "--from", want[0], "--to", want[nights-1], "--timezone", "America/New_York")
	compareFolders(t, undisturbed, folder)
}

// runWith runs a command in this process, on a database and a folder for reports.
func runWith(t testing.TB, want int, databaseURL, reports string, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, log bytes.Buffer
	if code := run(context.Background(), append(args, "--database-url", databaseURL, "--reports-url", reports), &out, &log); code != want {
		t.Fatalf("reconciler %s: exit code %d, want %d:\n%s", strings.Join(args, " "), code, want, log.String())
	}
	return out.String(), log.String()
}

// compareFolders fails where a published file differs. What a worker that was killed has left beside them is not published.
func compareFolders(t testing.TB, want, got string) {
	t.Helper()
	expected, found := publishedFiles(t, want), publishedFiles(t, got)
	if len(expected) == 0 {
		t.Error("nothing is published")
	}
	for name, content := range expected {
		other, ok := found[name]
		switch {
		case !ok:
			t.Errorf("%s is not there", name)
		case !bytes.Equal(content, other):
			t.Errorf("%s differs:%s", name, firstDifference(content, other))
		}
	}
	for name := range found {
		if _, ok := expected[name]; !ok {
			t.Errorf("%s is there, too", name)
		}
	}
}

// firstDifference shows where two texts part.
func firstDifference(want, got []byte) string {
	wanted, found := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
	for i := range min(len(wanted), len(found)) {
		if wanted[i] != found[i] {
			return fmt.Sprintf("\nwant %.300s\ngot  %.300s", wanted[i], found[i])
		}
	}
	return fmt.Sprintf(" %d lines, want %d", len(found), len(wanted))
}

func publishedFiles(t testing.TB, folder string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if strings.HasPrefix(entry.Name(), ".") && name != "." {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasPrefix(entry.Name(), ".") {
			return nil
		}
		files[name], err = os.ReadFile(path)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return files
}

// filesOfANight are those that everybody relies on; all that are published are compared.
var filesOfANight = []string{
	"summary.html", "reconciliation.xlsx", "summary.json", "breaks.csv", "credit_backs.csv", "refund_windows.csv", "refund_decisions.csv", "roll_forward.csv",
	"stripe_activity.csv", "payouts.csv", "disputes.csv", "subscriptions.csv", "control_totals.csv", "journal.csv", "journal.hledger", "manifest.json",
}

// run --catch-up, which a CronJob calls, does the nights since the last one as run does them one by one. It uses the real clock.
func TestCatchUpIsTheSameNights(t *testing.T) {
	t.Parallel()
	const nights = 3
	today := reconcile.DateOf(time.Now().UTC())
	first := today.AddDays(-nights)
	played := simulation.Options{Seed: 6, Start: first, Nights: nights, FaultsPerKind: 1}
	folders := [2]string{t.TempDir(), t.TempDir()}
	var refusing atomic.Bool
	var told atomic.Int64
	refusing.Store(true)
	webhook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if refusing.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		told.Add(1)
	}))
	defer webhook.Close()
	for i, folder := range folders {
		db := testdb.New(t)
		if err := playInto(db, played); err != nil {
			t.Fatal(err)
		}
		runWith(t, cli.ExitDone, db.URL, folder, "run", "--date", first.String())
		if i == 0 {
			runWith(t, cli.ExitDone, db.URL, folder, "run", "--date", first.AddDays(1).String())
			runWith(t, cli.ExitDone, db.URL, folder, "run", "--date", first.AddDays(2).String())
			continue
		}
		// A message that nobody takes changes nothing; it is sent by the next run.
		said, _ := runWith(t, cli.ExitDone, db.URL, folder, "run", "--catch-up", "--notify-urls", webhook.URL)
		if want := "2 nights done, 0 with broken integrity\n"; said != want {
			if reconcile.DateOf(time.Now().UTC()) != today {
				return // midnight has passed meanwhile, and another night was due
			}
			t.Errorf("it says %q, want %q", said, want)
		}
		refusing.Store(false)
		if said, _ := runWith(t, cli.ExitDone, db.URL, folder, "run", "--catch-up", "--notify-urls", webhook.URL); reconcile.DateOf(time.Now().UTC()) == today && said != "0 nights done, 0 with broken integrity\n" {
			t.Errorf("the second time it says %q", said)
		}
	}
	if reconcile.DateOf(time.Now().UTC()) == today {
		compareFolders(t, folders[0], folders[1])
		if told.Load() != 2 {
			t.Errorf("%d messages of 2 nights were taken", told.Load())
		}
	}
}

// The same nights by run, one by one; by one backfill; by pods of an indexed Job, at once, of which none fails another; and by serve: the same bytes.
func TestSameNightsHoweverTheyAreRun(t *testing.T) {
	t.Parallel()
	const nights = 4
	played := simulation.Options{Seed: 5, Nights: nights, FaultsPerKind: 1}
	first, last := demo.Start.String(), demo.Start.AddDays(nights-1).String()
	ways := []struct {
		name string
		do   func(t *testing.T, db *testdb.DB, folder string)
	}{
		{"run", func(t *testing.T, db *testdb.DB, folder string) {
			for _, night := range nightsBetween(demo.Start, nights) {
				runWith(t, cli.ExitDone, db.URL, folder, "run", "--date", night)
			}
		}},
		{"backfill", func(t *testing.T, db *testdb.DB, folder string) {
			runWith(t, cli.ExitDone, db.URL, folder, "backfill", "--from", first, "--to", last)
		}},
		{"backfill, by pods at once", func(t *testing.T, db *testdb.DB, folder string) {
			var pods sync.WaitGroup
			for i := range nights {
				pods.Go(func() {
					var out, log bytes.Buffer
					args := []string{"backfill", "--from", first, "--index", fmt.Sprint(i), "--database-url", db.URL, "--reports-url", folder}
					if code := run(t.Context(), args, &out, &log); code != cli.ExitDone {
						t.Errorf("pod %d: exit code %d: %s", i, code, log.String())
					}
				})
			}
			pods.Wait()
		}},
		{"serve", func(t *testing.T, db *testdb.DB, folder string) {
			runWith(t, cli.ExitDone, db.URL, folder, "run", "--date", first)
			c := startServe(t, serveSettings(db.URL, folder, startOf(demo.Start.AddDays(nights)).Add(time.Hour), 1))
			eventually(t, "all nights are done", func() bool { return len(completedNights(t, db)) == nights })
			c.end(syscall.SIGTERM)
		}},
	}
	reference := t.TempDir()
	for i, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			db, folder := testdb.New(t), reference
			if i > 0 {
				folder = t.TempDir()
			}
			if err := playInto(db, played); err != nil {
				t.Fatal(err)
			}
			way.do(t, db, folder)
			compareFolders(t, reference, folder)
			for _, night := range nightsBetween(demo.Start, nights) {
				for _, file := range filesOfANight {
					if _, err := os.Stat(filepath.Join(folder, night, file)); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
}
