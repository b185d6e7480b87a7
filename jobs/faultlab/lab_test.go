package faultlab_test

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lib/pq"
	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/policyfile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
	"github.com/hummingbytes/reconciler/reports/storage"
	reconcilersql "github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

var (
	long   = flag.Bool("long", false, "try every fault at every place instead of a sample")
	stride = flag.Int("stride", 1, "with -long: try every so-manieth place of each sweep")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv(childVariable) != "" {
		os.Exit(child())
	}
	log.SetOutput(io.Discard) // net/http tells of answers that come twice, body and all
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given { // labs wait for servers, leases and time-outs more than they compute
		if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
			panic(err)
		}
	}
	os.Exit(testdb.Run(m))
}

// The business of the laboratory. Purchases of the first day are asked back on the same day and approved by its night; on the second day a
// plan is made and approved at nine, executed at ten, and the second night follows.
var (
	firstDay  = reconcile.Date{Year: 2026, Month: time.March, Day: 2}
	secondDay = firstDay.AddDays(1)
	morning   = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	planning  = time.Date(2026, 3, 3, 9, 0, 0, 0, time.UTC)
	executing = time.Date(2026, 3, 3, 10, 0, 0, 0, time.UTC)
	nightTime = time.Date(2026, 3, 4, 2, 0, 0, 0, time.UTC)
)

const refundsPlanned = 4

// world is the laboratory's starting point: a database to clone, and how to make the Stripe account that belongs to it.
type world struct {
	mu       sync.Mutex
	used     []ground   // where labs are over, in the order of their end
	prepared *testdb.DB // that is cloned
	planID   string
	policies reconcile.Policies
	dump     string // the statement that dumps everything that has to end the same
}

var (
	worldOnce sync.Once
	theWorld  *world
	worldErr  error
)

// clock is a simulated instant that everything in a lab uses.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time   { return time.UnixMicro(c.at.Load()).UTC() }
func (c *clock) set(to time.Time) { c.at.Store(to.UnixMicro()) }

// account opens the Stripe account of the business: the same calls give the same ids every time.
func account(c *clock) (*stripetest.Stripe, []stripetest.Charge, error) {
	c.set(morning)
	double := stripetest.New(stripetest.Options{Clock: c.now, Seed: 11, FeeTaxBasisPoints: 1900})
	var charges []stripetest.Charge
	for i := range refundsPlanned + 2 {
		charge, err := double.CreateCharge(stripetest.ChargeParams{
			Amount: int64(10_000 + 10*i), Currency: "usd", Metadata: map[string]string{"purchase_id": fmt.Sprintf("pur_%d", i)},
		})
		if err != nil {
			return nil, nil, err
		}
		charges = append(charges, charge)
	}
	return double, charges, nil
}

// start is the world, made by the first test that asks.
func start(t testing.TB) *world {
	t.Helper()
	worldOnce.Do(func() { theWorld, worldErr = makeWorld(t) })
	if worldErr != nil {
		t.Fatal(worldErr)
	}
	return theWorld
}

// keeper outlives the test that made the world: its databases go with the server.
type keeper struct{ testing.TB }

func (keeper) Cleanup(func()) {}

func makeWorld(t testing.TB) (*world, error) {
	policies, err := policyfile.Default()
	if err != nil {
		return nil, err
	}
	db := testdb.New(keeper{t})
	w := &world{prepared: db, policies: policies}
	c := &clock{}
	double, charges, err := account(c)
	if err != nil {
		return nil, err
	}
	defer double.Close()
	if err := fill(db.DB.DB, charges); err != nil {
		return nil, err
	}
	l := &lab{world: w, clock: c, stripe: double, database: db, url: db.URL, folder: filepath.Join(os.TempDir(), fmt.Sprintf("faultlab-%d", os.Getpid()))}
	defer os.RemoveAll(l.folder)
	if l.base, err = double.Listen(); err != nil {
		return nil, err
	}
	worker, closeWorker, err := l.worker(false)
	if err != nil {
		return nil, err
	}
	c.set(time.Date(2026, 3, 3, 2, 0, 0, 0, time.UTC))
	if err := worker.RunNight(context.Background(), firstDay); err != nil {
		return nil, err
	}
	c.set(planning)
	view, leftOut, err := worker.RefundDesk().Plan(context.Background(), firstDay, "Anna")
	if err != nil {
		return nil, err
	}
	if len(leftOut) > 0 || view.Refunds != refundsPlanned {
		return nil, fmt.Errorf("planned were %d refunds, left out %v", view.Refunds, leftOut)
	}
	w.planID = view.PlanID
	if err := l.approve(view.PlanID, "Ben", view.PlanSha256); err != nil {
		return nil, err
	}
	closeWorker()
	if w.dump, err = dumpStatement(db.DB.DB); err != nil {
		return nil, err
	}
	if _, err := db.Exec(keepRows); err != nil {
		return nil, err
	}
	return w, db.Close()
}

// fill writes the platform's rows of both days.
func fill(db *sql.DB, charges []stripetest.Charge) error {
	var errs []error
	exec := func(query string, args ...any) {
		if _, err := db.Exec(query, args...); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", query, err))
		}
	}
	for i, charge := range charges {
		account, purchase := fmt.Sprintf("acc_%d", i), fmt.Sprintf("pur_%d", i)
		exec("INSERT INTO platform.accounts (id, email, status, created_at) VALUES ($1, $1 || '@example.com', 'active', $2)", account, morning)
		exec(`INSERT INTO platform.purchases (id, account_id, kind, credits, amount_minor, currency, status, stripe_charge_id, created_at, completed_at)
			VALUES ($1, $2, 'credits', $3, $4, 'usd', 'completed', $5, $6, $6)`, purchase, account, charge.Amount/10, charge.Amount, charge.ID, morning)
		exec("INSERT INTO platform.credit_entries (id, account_id, kind, credits, purchase_id, created_at) VALUES ($1, $2, 'purchase', $3, $4, $5)",
			"g_"+purchase, account, charge.Amount/10, purchase, morning)
		if i < refundsPlanned {
			exec(`INSERT INTO platform.refund_requests (id, account_id, kind, account_email, purchase_id, reason, status, requested_at)
				VALUES ($1, $2, 'unused_credits', $2 || '@example.com', $3, 'not needed', 'pending', $4)`, fmt.Sprintf("req_%d", i), account, purchase, morning.Add(time.Hour))
		}
	}
	// Jobs of both days on accounts that are refunded nothing: some fail through our fault and are credited back.
	for day, date := range []time.Time{morning, morning.AddDate(0, 0, 1)} {
		for j := range 6 {
			id, account := fmt.Sprintf("job_%d_%d", day, j), fmt.Sprintf("acc_%d", refundsPlanned+j%2)
			status, code := "succeeded", any(nil)
			if j%2 == 0 {
				status, code = "failed", "NODE_FAIL"
			}
			finished := date.Add(time.Duration(j) * time.Hour)
			exec(`INSERT INTO platform.jobs (id, account_id, kind, model, status, failure_code, credit_cost, created_at, finished_at)
				VALUES ($1, $2, 'image', 'flux', $3, $4, $5, $6, $7)`, id, account, status, code, 5+j, finished.Add(-time.Minute), finished)
			exec("INSERT INTO platform.credit_entries (id, account_id, kind, credits, job_id, created_at) VALUES ($1, $2, 'usage', $3, $4, $5)",
				"u_"+id, account, -(5 + j), id, finished)
		}
	}
	exec("INSERT INTO platform.jobs (id, account_id, kind, model, status, credit_cost, created_at, finished_at) VALUES ('job_free', 'acc_4', 'image', 'flux', 'succeeded', 7, $1, $1)",
		morning.AddDate(0, 0, 1)) // never debited: a break
	return errors.Join(errs...)
}

// keepRows keeps the world's rows beside their tables, and putBack puts them into these again, whatever is in them.
const (
	keepRows = `CREATE SCHEMA beginning; DO $$ DECLARE t record; BEGIN
		FOR t IN SELECT schemaname AS schema, tablename AS name FROM pg_tables WHERE schemaname IN ('platform', 'reconciler') LOOP
			EXECUTE format('CREATE TABLE beginning.%I AS TABLE %I.%I', t.schema || '.' || t.name, t.schema, t.name);
		END LOOP;
	END $$`
	putBack = `SET lock_timeout = '5s'; SET session_replication_role = replica; DO $$ DECLARE t record; BEGIN
		FOR t IN SELECT p.schemaname AS schema, p.tablename AS name,
				(SELECT string_agg(quote_ident(a.attname), ', ') FROM pg_attribute a
				 WHERE a.attrelid = format('%I.%I', p.schemaname, p.tablename)::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns
			FROM pg_tables p WHERE p.schemaname IN ('platform', 'reconciler') LOOP
			EXECUTE format('DELETE FROM %I.%I', t.schema, t.name);
			EXECUTE format('INSERT INTO %I.%I (%s) SELECT %s FROM beginning.%I', t.schema, t.name, t.columns, t.columns, t.schema || '.' || t.name);
		END LOOP;
	END $$; RESET session_replication_role; RESET lock_timeout`
)

// ground is a clone of the world, and a store on it, whose sessions know the statements of a lab: to plan them takes longer than to run them.
type ground struct {
	database *testdb.DB
	store    *postgres.Store
}

// take is ground where the world is as in the beginning.
func (w *world) take(t testing.TB) (ground, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if last := len(w.used) - 1; last >= 0 {
		p := w.used[last]
		w.used = w.used[:last]
		return p, nil
	}
	p := ground{database: w.prepared.Clone(keeper{t})}
	var err error
	p.store, err = postgres.Open(postgres.Options{URL: p.database.URL, ApplicationName: "faultlab"})
	return p, err
}

// giveBack has ground used by a further lab, where that can be done, and drops it otherwise.
func (w *world) giveBack(p ground, db *testdb.DB, isOver bool) {
	p.store.Intercept = nil
	if isOver && !db.Distributed() {
		if _, err := db.Exec(putBack); err == nil {
			w.mu.Lock()
			w.used = append(w.used, p)
			w.mu.Unlock()
			return
		}
	}
	p.store.Close()
	p.database.Drop()
}

// lab is a clone of the world to break things in.
type lab struct {
	*world
	t        testing.TB
	clock    *clock
	stripe   *stripetest.Stripe
	base     string
	database *testdb.DB
	url      string          // the worker's
	store    *postgres.Store // looks at the lab from outside, with the worker's eyes
	apart    bool            // workers have sessions of their own, and don't use store, too: it costs more than what they do
	spoiled  bool            // sessions that were killed may be at work in its database still
	db       *sql.DB         // the platform's, and the administrator's
	folder   string
	drop     func()
}

// open clones the world.
func (w *world) open(t testing.TB) *lab {
	t.Helper()
	p, err := w.take(t)
	if err != nil {
		t.Fatal(err)
	}
	db := p.database.Again(t)
	l := &lab{world: w, t: t, clock: &clock{}, database: db, url: db.URL, store: p.store, db: db.DB.DB, folder: memory(t)}
	made := db.MadeOf()
	if l.stripe, _, err = account(l.clock); err != nil {
		t.Fatal(err)
	}
	if l.base, err = l.stripe.Listen(); err != nil {
		t.Fatal(err)
	}
	l.clock.set(executing)
	l.drop = sync.OnceFunc(func() {
		l.stripe.Close()
		w.giveBack(p, db, !l.spoiled && db.MadeOf() == made)
	})
	t.Cleanup(l.drop)
	return l
}

// memory is a folder that waits for no disk, where there is such a thing.
func memory(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("/dev/shm", "faultlab")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}

// worker is a worker of the lab, as cmd would wire it; execute lets its nights execute approved plans.
func (l *lab) worker(execute bool) (*jobs.Worker, func(), error) {
	store, closeStore := l.store, func() { l.store.Intercept = nil }
	if l.apart || l.store == nil {
		var err error
		if store, err = postgres.Open(postgres.Options{URL: l.url}); err != nil {
			return nil, nil, err
		}
		closeStore = func() { store.Close() }
	}
	read, err := stripefeed.New(l.options(l.stripe.ReadKey()))
	if err != nil {
		return nil, nil, err
	}
	refund, err := stripefeed.New(l.options(l.stripe.RefundKey()))
	if err != nil {
		return nil, nil, err
	}
	sink, err := storage.OpenFolder(l.folder)
	if err != nil {
		return nil, nil, err
	}
	w := &jobs.Worker{
		Store: store, Policies: l.policies, Log: zerolog.Nop(), CodeVersion: "lab", Stripe: read, Refunds: refund, Reports: sink, Clock: l.clock.now,
		Settings: night.Settings{Refund: night.RefundSettings{
			Execute: execute, Lease: 2 * time.Second, Attempts: 2, RetryWait: time.Millisecond,
			Caps: reconcile.RefundCaps{RunCount: 100, DayCount: 100, CustomerCount: 5},
		}},
	}
	return w, closeStore, nil
}

// approve is what a second person does, with a role of its own.
func (l *lab) approve(planID, by, sha256 string) error {
	store, err := postgres.Open(postgres.Options{URL: l.database.URLOf(reconcilersql.ApproverRole)})
	if err != nil {
		return err
	}
	defer store.Close()
	approver := &jobs.Worker{Store: store, Log: zerolog.Nop(), Clock: l.clock.now}
	_, err = approver.RefundDesk().Approve(context.Background(), planID, by, sha256)
	return err
}

func (l *lab) options(key string) stripefeed.Options {
	return stripefeed.Options{
		Key: key, BaseURL: l.base, Log: zerolog.Nop(), EndpointPerSecond: 1e6, TotalPerSecond: 1e6, SyncLag: -1, SyncParallel: 2,
		BackoffBase: time.Millisecond, BackoffLimit: 5 * time.Millisecond, Attempts: 2, AttemptTimeout: 250 * time.Millisecond,
	}
}

func (l *lab) must(execute bool) (*jobs.Worker, func()) {
	l.t.Helper()
	w, closeWorker, err := l.worker(execute)
	if err != nil {
		l.t.Fatal(err)
	}
	return w, closeWorker
}

// execute runs the plan until it is done, as an operator or a scheduler would.
func (l *lab) execute(edit func(*jobs.Worker)) {
	l.t.Helper()
	for try := 1; ; try++ {
		w, closeWorker := l.must(false)
		if edit != nil {
			edit(w)
		}
		_, err := w.RefundDesk().Execute(context.Background(), l.planID, "Carol")
		closeWorker()
		if err == nil {
			return
		}
		if !retryable(err) || try == 40 {
			l.t.Fatalf("executing the plan, try %d: %v", try, err)
		}
		time.Sleep(100 * time.Millisecond) // a lease may have to expire
	}
}

// night runs the second night until it is done.
func (l *lab) night(execute bool) {
	l.t.Helper()
	l.clock.set(nightTime)
	for try := 1; ; try++ {
		w, closeWorker := l.must(execute)
		err := w.RunNight(context.Background(), secondDay)
		closeWorker()
		if err == nil {
			return
		}
		if !retryable(err) || try == 40 {
			l.t.Fatalf("the night, try %d: %v", try, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func retryable(err error) bool {
	return errors.Is(err, postgres.ErrUnavailable) || errors.Is(err, stripefeed.ErrUnavailable)
}

// ending is where a lab has ended: what has to be the same however it got there.
type ending map[string]string

// notCompared are columns that say when, how often and by whose hand something was tried.
var notCompared = map[string]string{
	"runs": "started_at,finished_at,attempt,counts,worker", "publications": "published_at,location", "refund_intents": "version,fence,first_sent_at",
	"stripe_watermarks": "synced_through", "stripe_syncs": "complete_through",
}

// attempts are tables that record attempts.
var attempts = []string{"refund_events", "refund_leases", "refund_trips", "audit_links", "audit_changes", "schema_migrations"}

// dumpStatement makes one statement of all tables that are compared: a statement each would cost more than the rest of a small lab.
func dumpStatement(db *sql.DB) (string, error) {
	rows, err := db.Query(`SELECT tablename FROM pg_tables WHERE schemaname = 'reconciler'`)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	selects := []string{"SELECT 'credit_entries', to_jsonb(x)::text FROM platform.credit_entries x"}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return "", err
		}
		if slices.Contains(attempts, name) {
			continue
		}
		without := "seen_at"
		if notCompared[name] != "" {
			without += "," + notCompared[name]
		}
		selects = append(selects, fmt.Sprintf("SELECT %s, (to_jsonb(x) - '{%s}'::text[])::text FROM reconciler.%s x", pq.QuoteLiteral(name), without, pq.QuoteIdentifier(name)))
	}
	return strings.Join(selects, "\nUNION ALL\n"), rows.Err()
}

// ending dumps the ledger, the worker's books, the reports and Stripe.
func (l *lab) ending() ending {
	l.t.Helper()
	e := ending{}
	rows, err := l.db.Query(l.dump)
	if err != nil {
		l.t.Fatal(err)
	}
	defer rows.Close()
	tables := map[string][]string{}
	for rows.Next() {
		var name, row string
		if err := rows.Scan(&name, &row); err != nil {
			l.t.Fatal(err)
		}
		tables[name] = append(tables[name], row)
	}
	if err := rows.Err(); err != nil {
		l.t.Fatal(err)
	}
	for name, rows := range tables {
		slices.Sort(rows)
		e[name] = strings.Join(rows, "\n")
	}
	err = filepath.WalkDir(l.folder, func(path string, file fs.DirEntry, err error) error {
		if err != nil || file.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(l.folder, path)
		e[name] = string(content)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.t.Fatal(err)
	}
	e["stripe"] = fmt.Sprintf("%+v", l.stripe.State())
	return e
}

// sinceRevised leaves out what says which revision it is: a run that failed in one job still reports, and says so; the run after it then
// publishes a second revision, which has to have the same figures.
func (e ending) sinceRevised() ending {
	figures := ending{}
	for name, content := range e {
		folder, file := filepath.Split(name)
		switch {
		case strings.Contains(folder, ".r"), name == "runs", name == "publications", name == "index.html":
		case slices.Contains([]string{"manifest.json", "summary.html", "summary.json", "reconciliation.xlsx"}, file):
		default:
			figures[name] = content
		}
	}
	return figures
}

// revised says whether something was published more than once.
func (e ending) revised() bool {
	for name := range e {
		if strings.Contains(filepath.Dir(name), ".r") {
			return true
		}
	}
	return false
}

// differs says in what two endings differ; "" when in nothing.
func (e ending) differs(from ending) string {
	if e.revised() != from.revised() {
		return e.sinceRevised().differs(from.sinceRevised())
	}
	var names []string
	for name := range e {
		names = append(names, name)
	}
	for name := range from {
		if _, ok := e[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if e[name] != from[name] {
			diff := cmp.Diff(strings.Split(from[name], "\n"), strings.Split(e[name], "\n"))
			return name + " differs:\n" + diff[:min(len(diff), 3000)]
		}
	}
	return ""
}

// holds fails the test for every invariant that does not hold.
func (l *lab) holds(settled bool) {
	l.t.Helper()
	for _, v := range l.violations(settled) {
		l.t.Error(v)
	}
}

// violations are the invariants that do not hold: what must never be, whatever has gone wrong, also in the middle.
func (l *lab) violations(settled bool) []string {
	l.t.Helper()
	var found []string
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	query := func(invariant, text string, args ...any) {
		rows, err := l.db.Query(text, args...)
		if err != nil {
			l.t.Fatalf("%s: %v", invariant, err)
		}
		defer rows.Close()
		for rows.Next() {
			var subject string
			if err := rows.Scan(&subject); err != nil {
				l.t.Fatal(err)
			}
			add("%s: %s", invariant, subject)
		}
	}
	query("a job was credited beyond its debits", `SELECT job_id FROM platform.credit_entries WHERE job_id IS NOT NULL GROUP BY job_id
		HAVING coalesce(sum(credits) FILTER (WHERE kind = 'credit_back'), 0) > coalesce(-sum(credits) FILTER (WHERE kind IN ('usage', 'adjustment')), 0)`)
	query("a job was credited twice", `SELECT job_id FROM platform.credit_entries WHERE kind = 'credit_back' GROUP BY job_id HAVING count(*) > 1`)
	query("money was asked for without an approval", `SELECT i.intent_id FROM reconciler.refund_intents i
		LEFT JOIN reconciler.refund_approvals a ON a.plan_id = i.approved_plan_id LEFT JOIN reconciler.refund_plans p ON p.plan_id = a.plan_id AND p.plan_sha256 = a.plan_sha256
		WHERE i.state NOT IN ('planned', 'stopped', 'cancelled') AND p.plan_id IS NULL`)
	query("held credits are not in the ledger once", `SELECT h.purchase_id
		FROM (SELECT m.purchase_id, sum(CASE WHEN i.state IN ('sending', 'unknown', 'sent', 'settled') THEN m.credits ELSE 0 END) AS credits
			FROM reconciler.refund_intents i JOIN reconciler.refund_plan_items m USING (account_id, plan_id, intent_id) GROUP BY 1) h
		LEFT JOIN (SELECT e.purchase_id, -sum(e.credits) AS credits FROM platform.credit_entries e WHERE e.kind IN ('refund', 'refund_reversal') GROUP BY 1) e
			ON e.purchase_id = h.purchase_id
		WHERE h.credits <> coalesce(e.credits, 0)`)
	query("a control total does not tie", `SELECT business_date || ' ' || check_name || ' ' || unit || ' ' || difference FROM reconciler.control_totals WHERE difference <> 0`)
	query("a balance is negative", `SELECT account_id FROM platform.credit_entries GROUP BY account_id HAVING sum(credits) < 0`)
	found = append(found, l.stripeViolations(settled)...)
	_, problems, err := night.VerifyAudit(context.Background(), l.store)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, problem := range problems {
		add("the audit log is not whole: %s", problem)
	}
	return found
}

// stripeViolations compare Stripe with the plan: at most one refund of a charge, of the planned amount, with the credits out of the account
// as long as the money is.
func (l *lab) stripeViolations(settled bool) []string {
	var found []string
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	state := l.stripe.State()
	live := map[string]int{}
	for _, r := range state.Refunds {
		if r.Status == "failed" || r.Status == "canceled" {
			continue
		}
		live[r.Charge]++
		metadata := map[string]string{}
		for pair := range strings.FieldsSeq(r.Metadata) {
			name, value, _ := strings.Cut(pair, "=")
			metadata[name] = value
		}
		var amount int64
		var intentState string
		err := l.db.QueryRow(`SELECT m.amount_minor, i.state FROM reconciler.refund_plan_items m
			JOIN reconciler.refund_intents i USING (account_id, plan_id, intent_id) JOIN reconciler.refund_approvals a ON a.plan_id = m.plan_id
			WHERE m.charge_id = $1 AND m.intent_id = $2 AND m.plan_id = $3 AND m.request_id = $4`,
			r.Charge, metadata["reconciler_intent"], metadata["reconciler_plan"], metadata["reconciler_request"]).Scan(&amount, &intentState)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			add("charge %s was refunded without an approved plan: %s", r.Charge, r.Metadata)
		case err != nil:
			l.t.Fatal(err)
		case amount != r.Amount:
			add("charge %s was refunded %d, planned were %d", r.Charge, r.Amount, amount)
		case !reconcile.IntentState(intentState).HoldsCredits():
			add("charge %s was refunded, but its credits are back (%s)", r.Charge, intentState)
		}
	}
	for _, c := range state.Charges {
		if live[c.ID] > 1 {
			add("charge %s was refunded %d times", c.ID, live[c.ID])
		}
		if c.AmountRefunded > c.Amount {
			add("charge %s was refunded beyond its amount", c.ID)
		}
	}
	if err := l.stripe.CheckBooks(); err != nil {
		add("Stripe's books: %v", err)
	}
	if settled && len(live) != refundsPlanned {
		add("%d charges were refunded, planned were %d", len(live), refundsPlanned)
	}
	return found
}

// tally counts what a sweep has tried; safe for concurrent use.
type tally struct {
	mu         sync.Mutex
	faults     int
	runs       int
	hit        int
	violations int
}

func (c *tally) add(runs int, hit bool, violations []string, t testing.TB, fault string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults++
	c.runs += runs
	if hit {
		c.hit++
	}
	c.violations += len(violations)
	for _, v := range violations {
		t.Errorf("%s: %s", fault, v)
	}
}

// after adds the run that mends what several faults have left.
func (c *tally) after(violations []string, t testing.TB, run string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runs++
	c.violations += len(violations)
	for _, v := range violations {
		t.Errorf("%s: %s", run, v)
	}
}

func (c *tally) tell(t testing.TB, what string) {
	t.Helper()
	line := fmt.Sprintf("%s: faults tried %d (%d hit), runs %d, violations %d", what, c.faults, c.hit, c.runs, c.violations)
	t.Log(line)
	if *long {
		fmt.Println("faultlab: " + line)
	}
}

// sweep tries places side by side, each as a test of its own: `-run Sweep/17` tries that one again.
func sweep[T any](t *testing.T, places []T, try func(t *testing.T, place T)) {
	t.Helper()
	for i, place := range places {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			try(t, place)
		})
	}
}

// sample is every place in the long form, and about most of them, spread out, in the short one.
func sample[T any](all []T, most int) []T {
	var some []T
	if *long {
		for i := 0; i < len(all); i += max(1, *stride) {
			some = append(some, all[i])
		}
		return some
	}
	if len(all) <= most {
		return all
	}
	for i := range most {
		some = append(some, all[i*len(all)/most])
	}
	return some
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
