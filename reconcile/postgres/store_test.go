package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lib/pq"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	queries "github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

func open(t testing.TB, db *testdb.DB, o postgres.Options) *postgres.Store {
	t.Helper()
	o.URL = db.URL
	store, err := postgres.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// setting asks the server, on a statement's own connection, what a setting is. It needs no named statement of its own.
func setting(t testing.TB, q interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, name string) (value string) {
	t.Helper()
	if err := q.QueryRowContext(t.Context(), "SELECT current_setting($1)", name).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestConnectionsSayWhoTheyAreAndAreBounded(t *testing.T) {
	db := testdb.New(t)
	store := open(t, db, postgres.Options{MaxConnections: 3})
	if got := setting(t, store.DB(), "application_name"); got != "reconciler" {
		t.Errorf("application_name is %q", got)
	}
	var all sync.WaitGroup
	most := 0
	var mu sync.Mutex
	for range 12 {
		all.Go(func() {
			if _, err := store.DB().ExecContext(context.Background(), "SELECT pg_sleep(0.05)"); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			most = max(most, store.DB().Stats().OpenConnections)
		})
	}
	all.Wait()
	if most > 3 {
		t.Errorf("%d connections at once", most)
	}
}

func TestOpenTakesTheDriversTLSModes(t *testing.T) {
	for _, mode := range []string{"disable", "require", "verify-ca", "verify-full"} {
		if store, err := postgres.Open(postgres.Options{URL: "postgres://u@db.example.com/books?sslmode=" + mode}); err != nil {
			t.Errorf("sslmode %s: %v", mode, err)
		} else if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := postgres.Open(postgres.Options{URL: "postgres://u@db.example.com/books?sslmode=perhaps"}); err == nil {
		t.Error("sslmode perhaps is taken")
	}
	db := testdb.New(t)
	separator := "?"
	if strings.Contains(db.URL, "?") {
		separator = "&"
	}
	url := strings.ReplaceAll(db.URL, "sslmode=disable", "") + separator + "sslmode=require"
	store, err := postgres.Open(postgres.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if strings.Contains(db.URL, "host=") || strings.Contains(db.URL, "%2F") {
		return // a socket has no TLS to insist on
	}
	var hasTLS bool // a node of a Citus cluster has made itself a certificate
	if err := db.Get(&hasTLS, "SELECT current_setting('ssl')::boolean"); err != nil {
		t.Fatal(err)
	}
	if err := store.DB().PingContext(t.Context()); (err == nil) != hasTLS {
		t.Errorf("sslmode=require says %v to a server whose TLS is %t", err, hasTLS)
	}
}

func TestParametersAreAllThereAndNoOthers(t *testing.T) {
	store := open(t, testdb.New(t), postgres.Options{})
	var ended bool
	night := reconcile.Date{Year: 2026, Month: 3, Day: 2}
	for _, args := range []postgres.Args{{}, {"date": night, "more": 1}, {"dates": night}} {
		if err := store.Get(t.Context(), &ended, "runs/has_ended", args); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
	if err := store.Get(t.Context(), &ended, "runs/has_ended", postgres.Args{"date": night}); err != nil || ended {
		t.Errorf("%t, %v", ended, err)
	}
}

func TestOutOfReachIsWorthAnotherTryAndAWrongNameIsNot(t *testing.T) {
	store, err := postgres.Open(postgres.Options{URL: "postgres://u@127.0.0.1:1/books?sslmode=disable"})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var ended bool
	err = store.Get(t.Context(), &ended, "runs/has_ended", postgres.Args{"date": reconcile.Date{Year: 2026, Month: 1, Day: 1}})
	if !errors.Is(err, postgres.ErrUnavailable) || errors.Is(err, postgres.ErrSetup) {
		t.Errorf("out of reach: %v", err)
	}
	db := testdb.NewEmpty(t)
	gone := open(t, &testdb.DB{URL: strings.Replace(db.URL, "/"+databaseName(t, db), "/no_such_database", 1)}, postgres.Options{})
	if err := gone.DB().PingContext(t.Context()); !errors.Is(err, postgres.ErrSetup) {
		t.Errorf("no such database: %v", err)
	}
	empty := open(t, db, postgres.Options{})
	if err := empty.Get(t.Context(), &ended, "runs/has_ended", postgres.Args{"date": reconcile.Date{Year: 2026, Month: 1, Day: 1}}); err == nil || errors.Is(err, postgres.ErrUnavailable) {
		t.Errorf("no such table: %v", err)
	}
}

func databaseName(t testing.TB, db *testdb.DB) (name string) {
	t.Helper()
	if err := db.Get(&name, "SELECT current_database()"); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestReadOnlyTransactionsReadOneStateAndWriteNothing(t *testing.T) {
	db := testdb.New(t)
	store := open(t, db, postgres.Options{})
	night := reconcile.Date{Year: 2026, Month: 3, Day: 2}
	count := func(ctx context.Context, tx *postgres.Tx) (dates []reconcile.Date) {
		if err := tx.Select(ctx, &dates, "runs/completed_nights", postgres.Args{"from": night, "to": night}); err != nil {
			t.Error(err)
		}
		return dates
	}
	err := store.InTx(t.Context(), postgres.TxOptions{ReadOnly: true}, func(ctx context.Context, tx *postgres.Tx) error {
		before := count(ctx, tx)
		db.MustExec("INSERT INTO reconciler.runs (business_date, job, status, as_of, started_at) VALUES ('2026-03-02', 'night', 'completed', '2026-03-03', '2026-03-03')")
		if after := count(ctx, tx); len(before) != 0 || len(after) != 0 {
			t.Errorf("the state changed from %v to %v within a snapshot", before, after)
		}
		_, err := tx.Exec(ctx, "refunds/take_lease", leaseOf("x"))
		return err
	})
	if refused := (*pq.Error)(nil); !errors.As(err, &refused) || refused.Code != "25006" {
		t.Errorf("a write in a transaction that reads: %v", err)
	}
}

func TestPagesAreAllRowsInOrderAsTheyWereWhateverIsWrittenBetween(t *testing.T) {
	store := open(t, testdb.New(t), postgres.Options{})
	type column struct {
		Relation, Column, Type string
		IsVirtual              bool `db:"is_virtual"`
	}
	args := postgres.Args{"schema": "platform", "relations": []string{"jobs", "credit_entries"}}
	for _, size := range []int{1, 7, 18, 1000} { // 18 columns: a last page that is full, too
		err := store.InTx(t.Context(), postgres.TxOptions{}, func(ctx context.Context, tx *postgres.Tx) error {
			var all, paged []column
			if err := tx.Select(ctx, &all, "check/columns", args); err != nil {
				return err
			}
			for range 2 { // a statement may be paged through again
				paged = nil
				err := postgres.InPages(ctx, tx, "check/columns", args, size, func(page []column) error {
					if len(page) > size {
						t.Errorf("%d rows in a page of %d", len(page), size)
					}
					paged = append(paged, page...)
					_, err := tx.Exec(ctx, "refunds/take_lease", leaseOf(fmt.Sprint(len(paged))))
					return err
				})
				if err != nil {
					return err
				}
			}
			if len(all) != 18 || !slices.Equal(all, paged) {
				t.Errorf("pages of %d: %d rows, not the %d that there are", size, len(paged), len(all))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	failure := errors.New("no")
	err := store.InTx(t.Context(), postgres.TxOptions{}, func(ctx context.Context, tx *postgres.Tx) error {
		return postgres.InPages(ctx, tx, "check/columns", args, 5, func([]column) error { return failure })
	})
	if !errors.Is(err, failure) {
		t.Errorf("a page that was refused: %v", err)
	}
}

func TestTransactionsWithinTransactionsAreRefused(t *testing.T) {
	store := open(t, testdb.New(t), postgres.Options{})
	err := store.InTx(t.Context(), postgres.TxOptions{}, func(ctx context.Context, _ *postgres.Tx) error {
		return store.InTx(ctx, postgres.TxOptions{}, func(context.Context, *postgres.Tx) error { return nil })
	})
	if err == nil {
		t.Error("nesting is allowed")
	}
}

func TestFailedTransactionsLeaveNothing(t *testing.T) {
	db := testdb.New(t)
	store := open(t, db, postgres.Options{})
	failure := errors.New("no")
	write := func(ctx context.Context, tx *postgres.Tx) error {
		_, err := tx.Exec(ctx, "refunds/take_lease", leaseOf("x"))
		return err
	}
	for name, end := range map[string]func(ctx context.Context, cancel func()) error{
		"an error":    func(context.Context, func()) error { return failure },
		"a panic":     func(context.Context, func()) error { panic(failure) },
		"a cancelled": func(ctx context.Context, cancel func()) error { cancel(); return ctx.Err() },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		func() {
			defer func() { _ = recover() }()
			err := store.InTx(ctx, postgres.TxOptions{}, func(ctx context.Context, tx *postgres.Tx) error {
				if err := write(ctx, tx); err != nil {
					t.Error(err)
				}
				return end(ctx, cancel)
			})
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		}()
		cancel()
		var left int
		if err := db.Get(&left, "SELECT count(*) FROM reconciler.refund_leases"); err != nil || left != 0 {
			t.Errorf("%s left %d rows, %v", name, left, err)
		}
	}
	if stats := store.DB().Stats(); stats.InUse != 0 {
		t.Errorf("%d connections are still in use", stats.InUse)
	}
}

// An INSERT of what is read by parallel workers inserts what it would insert by itself; also for a role that may make no temporary tables, which has no
// workers then.
func TestWhatIsReadByWorkersIsWhatIsInserted(t *testing.T) {
	db := testdb.New(t)
	db.MustExec(`INSERT INTO platform.jobs SELECT 'job_' || n, 'acc_' || n % 100, 'image', 'model', 'succeeded', '', n % 7, d, d
		FROM generate_series(1, 20000) n CROSS JOIN LATERAL (SELECT timestamptz '2026-03-02Z' + n * interval '1 s' AS d) d`)
	db.MustExec("ANALYZE platform.jobs")
	store, err := postgres.Open(postgres.Options{URL: db.URLOf(queries.AppRole)})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	args := postgres.Args{"date": "2026-03-02", "begin": "2026-03-02Z", "end": "2026-03-03Z", "known_failures": []string{}, "first_seed": 1, "second_seed": 2}
	options := postgres.TxOptions{Snapshot: true, Settings: map[string]any{"parallel_setup_cost": 0, "parallel_tuple_cost": 0, "min_parallel_table_scan_size": 0}}
	insert := func(exec func(*postgres.Tx) (int64, error)) (rows string) {
		t.Helper()
		db.MustExec("DELETE FROM reconciler.account_jobs")
		err := store.InTx(t.Context(), options, func(_ context.Context, tx *postgres.Tx) error {
			for range 2 { // what one has made is in nobody's way
				if _, err := tx.Exec(t.Context(), "reading/clear", postgres.Args{"date": "2026-03-02"}); err != nil {
					return err
				}
				if inserted, err := exec(tx); err != nil || inserted != 100 {
					return fmt.Errorf("%d rows: %w", inserted, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Get(&rows, "SELECT string_agg(a::text, ' ' ORDER BY account_id) FROM reconciler.account_jobs a"); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	alone := insert(func(tx *postgres.Tx) (int64, error) { return tx.Exec(t.Context(), "reading/jobs", args) })
	spread := func(tx *postgres.Tx) (int64, error) { return tx.ExecSpread(t.Context(), "reading/jobs", args) }
	if rows := insert(spread); rows != alone {
		t.Errorf("workers read %.200s, one alone %.200s", rows, alone)
	}
	db.MustExec("DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$")
	if rows := insert(spread); rows != alone {
		t.Errorf("without temporary tables %.200s is read, alone %.200s", rows, alone)
	}
}

// Reading all rows of a night is what workers can share.
func TestReadingsAreParallel(t *testing.T) {
	db := testdb.NewOnOneServer(t) // on a cluster nodes share the work
	tx := db.MustBegin()
	defer tx.Rollback()
	tx.MustExec("SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL min_parallel_table_scan_size = 0; SET LOCAL min_parallel_index_scan_size = 0")
	catalog, err := queries.NewCatalog(queries.DefaultSourceSchema)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{"date": "2026-03-02", "begin": "2026-03-02Z", "end": "2026-03-03Z", "known_failures": "{}", "first_seed": 1, "second_seed": 2, "some_moved": true, "all_kept": false}
	for _, name := range []string{"reading/jobs", "reading/ledger", "match_jobs/scanned"} {
		statement := catalog.Statement(name)
		var args []any
		for _, param := range statement.Params {
			args = append(args, values[param])
		}
		text := statement.Text
		if name != "match_jobs/scanned" {
			if text, _, err = statement.Apart("spread"); err != nil {
				t.Fatal(err)
			}
		}
		plan, err := testdb.Explain(tx, text, args...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		gathered := 0
		for node := range plan.Nodes() {
			if strings.HasPrefix(node.Type, "Gather") {
				gathered++
			}
		}
		if gathered == 0 {
			t.Errorf("%s is read by one process alone: %+v", name, plan)
		}
	}
}

// The worker gives way: it never waits long for a lock of the platform's, and says that another try may do.
func TestLocksOfOthersAreNotWaitedForLong(t *testing.T) {
	db := testdb.New(t)
	store := open(t, db, postgres.Options{})
	blocker, err := db.Beginx()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = blocker.Rollback() }()
	if _, err := blocker.Exec("LOCK TABLE reconciler.refund_leases"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	err = store.InTx(t.Context(), postgres.TxOptions{Settings: map[string]any{"lock_timeout": 200}}, func(ctx context.Context, tx *postgres.Tx) error {
		_, err := tx.Exec(ctx, "refunds/take_lease", leaseOf("x"))
		return err
	})
	if !errors.Is(err, postgres.ErrUnavailable) || time.Since(began) > 4*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}

func TestOneHolderOfALock(t *testing.T) {
	db := testdb.New(t)
	one, other := open(t, db, postgres.Options{}), open(t, db, postgres.Options{})
	lock, err := one.TryLock(t.Context(), "night/2026-03-02")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.TryLock(t.Context(), "night/2026-03-02"); !errors.Is(err, postgres.ErrLockHeld) || !errors.Is(err, postgres.ErrUnavailable) {
		t.Errorf("a second holder: %v", err)
	}
	another, err := other.TryLock(t.Context(), "night/2026-03-03")
	if err != nil {
		t.Fatalf("another night: %v", err)
	}
	if err := errors.Join(lock.StillHeld(t.Context()), another.Unlock(), lock.Unlock()); err != nil {
		t.Error(err)
	}
	again, err := other.TryLock(t.Context(), "night/2026-03-02")
	if err != nil {
		t.Fatalf("after it was given back: %v", err)
	}
	if err := again.Unlock(); err != nil {
		t.Error(err)
	}
}

func TestALostConnectionHasLostItsLock(t *testing.T) {
	db := testdb.New(t)
	one, other := open(t, db, postgres.Options{}), open(t, db, postgres.Options{})
	lock, err := one.TryLock(t.Context(), "night/2026-03-02")
	if err != nil {
		t.Fatal(err)
	}
	var ended []bool
	if err := db.Select(&ended, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"); err != nil || !slices.Contains(ended, true) {
		t.Fatal(ended, err)
	}
	if err := lock.StillHeld(t.Context()); !errors.Is(err, postgres.ErrUnavailable) {
		t.Errorf("it is said to be held: %v", err)
	}
	if err := lock.Unlock(); err != nil {
		t.Errorf("giving back what is gone: %v", err)
	}
	var taken *postgres.Lock
	for deadline := time.Now().Add(10 * time.Second); taken == nil && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		taken, err = other.TryLock(t.Context(), "night/2026-03-02")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := taken.Unlock(); err != nil {
		t.Error(err)
	}
}

// Two nights that register the same thing at once must not fail each other.
func TestASnapshotThatWasOvertakenIsTakenAgain(t *testing.T) {
	db := testdb.New(t)
	store := open(t, db, postgres.Options{})
	calls := 0
	err := store.InTx(t.Context(), postgres.TxOptions{Snapshot: true}, func(ctx context.Context, tx *postgres.Tx) error {
		calls++
		night := reconcile.Date{Year: 2026, Month: 1, Day: 1}
		var dates []reconcile.Date
		if err := tx.Select(ctx, &dates, "runs/completed_nights", postgres.Args{"from": night, "to": night}); err != nil {
			return err
		}
		if calls == 1 {
			db.MustExec("INSERT INTO reconciler.refund_leases (name, holder, token, expires_at) VALUES ('refunds', 'other', 1, '2026-01-01')")
		}
		_, err := tx.Exec(ctx, "refunds/take_lease", leaseOf("mine"))
		return err
	})
	var holder string
	if getErr := db.Get(&holder, "SELECT holder FROM reconciler.refund_leases"); err != nil || getErr != nil || calls != 2 || holder != "mine" {
		t.Errorf("after %d calls %v; %q is there, %v", calls, err, holder, getErr)
	}
}

// Kept statements outlive neither their fit nor a failure, and are planned with their values each time.
func TestStatementsAreKeptUntilTheyNoLongerFit(t *testing.T) {
	db := testdb.New(t)
	store := open(t, db, postgres.Options{MaxConnections: 1})
	read := func() error {
		return store.InTx(t.Context(), postgres.TxOptions{}, func(ctx context.Context, tx *postgres.Tx) error {
			var columns []struct {
				Relation, Column, Type string
				IsVirtual              bool `db:"is_virtual"`
			}
			return tx.Select(ctx, &columns, "check/columns", postgres.Args{"schema": "platform", "relations": []string{"jobs"}})
		})
	}
	kept := func() (statements, generic int) {
		t.Helper()
		err := store.DB().QueryRowContext(t.Context(), "SELECT count(*), coalesce(sum(generic_plans), 0) FROM pg_prepared_statements").Scan(&statements, &generic)
		if err != nil {
			t.Fatal(err)
		}
		return statements, generic
	}
	for range 3 {
		if err := read(); err != nil {
			t.Fatal(err)
		}
	}
	if statements, _ := kept(); statements != 0 {
		t.Errorf("%d statements are kept by a store that was not told to", statements)
	}
	store.KeepSessions(nil, false)
	for range 20 {
		if err := read(); err != nil {
			t.Fatal(err)
		}
	}
	if statements, generic := kept(); statements != 1 || generic != 0 {
		t.Errorf("%d statements are kept, and were run %d times with a generic plan; want 1 and never", statements, generic)
	}
	if _, err := db.ExecContext(t.Context(), "CREATE VIEW public.changing AS SELECT 1::int AS n; GRANT SELECT ON public.changing TO PUBLIC"); err != nil {
		t.Fatal(err)
	}
	ask := func() error {
		var n int64
		return store.DB().QueryRowContext(t.Context(), "SELECT n FROM public.changing WHERE n > $1", 0).Scan(&n)
	}
	for range 3 {
		if err := ask(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.ExecContext(t.Context(), "DROP VIEW public.changing; CREATE VIEW public.changing AS SELECT 1::bigint AS n; GRANT SELECT ON public.changing TO PUBLIC"); err != nil {
		t.Fatal(err)
	}
	if err := ask(); err == nil || !errors.Is(postgres.Classed("ask", err), postgres.ErrUnavailable) {
		t.Errorf("a statement that no longer fits fails with %v, want something worth another try", err)
	}
	for range 3 {
		if err := ask(); err != nil {
			t.Errorf("and again: %v", err)
		}
	}
}

// Where there are few rows a statement is planned once, whatever its values, and read without a cursor.
func TestPlansForFewRowsAreKept(t *testing.T) {
	store := open(t, testdb.New(t), postgres.Options{MaxConnections: 1})
	var pages int
	ask := func() {
		t.Helper()
		err := store.InTx(t.Context(), postgres.TxOptions{}, func(ctx context.Context, tx *postgres.Tx) error {
			type column struct {
				Relation, Column, Type string
				IsVirtual              bool `db:"is_virtual"`
			}
			pages = 0
			return postgres.InPages(ctx, tx, "check/columns", postgres.Args{"schema": "platform", "relations": []string{"jobs"}}, 4, func(page []column) error {
				pages++
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	plans := func() (generic, custom int) {
		t.Helper()
		err := store.DB().QueryRowContext(t.Context(), "SELECT coalesce(sum(generic_plans), 0), coalesce(sum(custom_plans), 0) FROM pg_prepared_statements").Scan(&generic, &custom)
		if err != nil {
			t.Fatal(err)
		}
		return generic, custom
	}
	store.KeepSessions(nil, true)
	for range 4 {
		ask()
	}
	if generic, custom := plans(); generic != 4 || custom != 0 || pages != 3 { // 9 columns by 4
		t.Errorf("%d generic plans and %d others, %d pages; want 4, none and 3", generic, custom, pages)
	}
	store.KeepSessions(nil, false)
	for range 4 {
		ask()
	}
	if mode := setting(t, store.DB(), "plan_cache_mode"); mode != "force_custom_plan" || pages != 3 {
		t.Errorf("plan_cache_mode is %s, %d pages, with more rows than few", mode, pages)
	}
}

// leaseOf are the arguments of a statement that writes one row, whoever wrote it before.
func leaseOf(holder string) postgres.Args {
	at := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	return postgres.Args{"name": "refunds", "holder": holder, "now": at, "expires_at": at}
}

// Which constraint refused a row is known wherever it was refused: on one server, and on a node of a cluster, which says it in words alone.
func TestAViolationIsToldByItsConstraint(t *testing.T) {
	db := testdb.New(t)
	store := open(t, db, postgres.Options{})
	insert := func(statement string) error {
		_, err := store.DB().ExecContext(t.Context(), statement)
		return err
	}
	const plan = `INSERT INTO reconciler.refund_plans (plan_id, plan_sha256, business_date, refunds, made_by, made_at) VALUES ('plan', repeat('0', 64), '2026-01-05', 1, 'ana', '2026-01-06Z')`
	if err := insert(plan); err != nil {
		t.Fatal(err)
	}
	twice, none := insert(plan), insert("INSERT INTO reconciler.time_zone (is_only, zone) VALUES (false, 'UTC')")
	if !postgres.UniqueViolation(twice, "refund_plans_pkey") || postgres.UniqueViolation(twice, "refund_plans") || postgres.CheckViolation(twice, "refund_plans_pkey") {
		t.Errorf("a second plan of the same id: %v", twice)
	}
	if !postgres.CheckViolation(none, "time_zone_is_only_check") || postgres.CheckViolation(none, "time_zone_zone_check") {
		t.Errorf("a second row where only one may be: %v", none)
	}
}
