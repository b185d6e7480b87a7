package sql_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// shape is everything that the schema consists of.
func shape(t testing.TB, db *testdb.DB) string {
	t.Helper()
	var lines []string
	err := db.Select(&lines, `
		SELECT line FROM (
			SELECT 'column ' || table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '') || ' ' || coalesce(generation_expression, '') AS line
			FROM information_schema.columns WHERE table_schema = 'reconciler'
			UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'reconciler'
			UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
				WHERE connamespace = 'reconciler'::regnamespace AND conrelid::regclass::text !~ '_[0-9]{6}$' -- parts of a distributed table
		) l ORDER BY line COLLATE "C"`)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

func recordedVersions(t testing.TB, db *testdb.DB) (versions []int64) {
	t.Helper()
	if err := db.Select(&versions, "SELECT version_id FROM reconciler.schema_migrations WHERE is_applied AND version_id > 0 ORDER BY id"); err != nil {
		t.Fatal(err)
	}
	return versions
}

func TestMigrateIsIdempotent(t *testing.T) {
	db := testdb.NewUnmigrated(t)
	owner := db.As(sql.OwnerRole).DB
	newest, err := sql.NewestMigration()
	if err != nil {
		t.Fatal(err)
	}
	pending, err := sql.PendingMigrations(t.Context(), owner)
	if err != nil || pending == 0 {
		t.Fatalf("%d pending on an empty database, %v", pending, err)
	}
	applied, err := sql.Migrate(t.Context(), owner)
	if err != nil || applied != pending {
		t.Fatalf("%d applied of %d, %v", applied, pending, err)
	}
	before := shape(t, db)
	if applied, err = sql.Migrate(t.Context(), owner); err != nil || applied != 0 {
		t.Errorf("again: %d applied, %v", applied, err)
	}
	if after := shape(t, db); after != before {
		t.Error("the second time changed the schema")
	}
	if pending, err = sql.PendingMigrations(t.Context(), owner); err != nil || pending != 0 {
		t.Errorf("%d pending, %v", pending, err)
	}
	if versions := recordedVersions(t, db); versions[len(versions)-1] != newest {
		t.Errorf("recorded are %v, the newest is %d", versions, newest)
	}
}

// A development database has one user and no roles of its own: the schema is made by whoever migrates.
func TestMigrateMakesTheSchema(t *testing.T) {
	db := testdb.NewEmpty(t)
	if _, err := sql.Migrate(t.Context(), db.DB.DB); err != nil {
		t.Fatal(err)
	}
	if shape(t, db) != shape(t, testdb.NewOnOneServer(t)) {
		t.Error("the schema differs from that of the documented roles")
	}
}

func TestConcurrentMigrationsApplyEachOnce(t *testing.T) {
	db := testdb.NewUnmigrated(t)
	reference := testdb.NewOnOneServer(t)
	const starts = 6
	applied, failures := make([]int, starts), make([]error, starts)
	var all sync.WaitGroup
	for i := range starts {
		other := db.As(sql.OwnerRole).DB
		all.Go(func() { applied[i], failures[i] = sql.Migrate(context.Background(), other) })
	}
	all.Wait()
	if err := errors.Join(failures...); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, n := range applied {
		total += n
	}
	versions := recordedVersions(t, db)
	if total != len(versions) {
		t.Errorf("%v applied, %d recorded", applied, len(versions))
	}
	for i := 1; i < len(versions); i++ {
		if versions[i] <= versions[i-1] {
			t.Errorf("recorded are %v", versions)
		}
	}
	if shape(t, db) != shape(t, reference) {
		t.Error("the schema differs from that of one migration by itself")
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	db := testdb.New(t)
	owner := db.As(sql.OwnerRole).DB
	newest, err := sql.NewestMigration()
	if err != nil {
		t.Fatal(err)
	}
	before := shape(t, db)
	if _, err := db.Exec("INSERT INTO reconciler.schema_migrations (version_id, is_applied, tstamp) VALUES ($1, true, now())", newest+1); err != nil {
		t.Fatal(err)
	}
	if _, err := sql.PendingMigrations(t.Context(), owner); !errors.Is(err, sql.ErrNewerSchema) {
		t.Errorf("pending: %v", err)
	}
	if _, err := sql.Migrate(t.Context(), owner); !errors.Is(err, sql.ErrNewerSchema) {
		t.Errorf("migrate: %v", err)
	}
	if shape(t, db) != before {
		t.Error("it was changed all the same")
	}
}

// A database may stand at any earlier version, with data. One goes up from version to version, and what it is given at each goes with it.
func TestUpgradeFromEveryVersion(t *testing.T) {
	current := testdb.NewOnOneServer(t)
	want, versions := shape(t, current), recordedVersions(t, current)
	db := testdb.NewUnmigrated(t)
	owner := db.As(sql.OwnerRole).DB
	migrator, err := sql.Provider(owner)
	if err != nil {
		t.Fatal(err)
	}
	for i, version := range versions[:len(versions)-1] {
		if _, err := migrator.UpTo(t.Context(), version); err != nil {
			t.Fatalf("to %d: %v", version, err)
		}
		if pending, err := sql.PendingMigrations(t.Context(), owner); err != nil || pending != len(versions)-1-i {
			t.Errorf("at %d: %d pending, %v", version, pending, err)
		}
		db.MustExec(`INSERT INTO reconciler.runs (business_date, job, status, as_of, started_at, finished_at)
			SELECT d::date, 'night', 'completed', d + interval '1 day', d, d FROM generate_series('2026-01-01'::timestamptz + $1 * interval '1 month', '2026-01-31'::timestamptz + $1 * interval '1 month', '1 day') d
			ON CONFLICT DO NOTHING`, version)
		if version >= 3 && version < 10 { // approved when names could still hold what nobody sees
			db.MustExec(`INSERT INTO reconciler.refund_plans (plan_id, plan_sha256, business_date, refunds, made_by, made_at)
				VALUES ('plan' || $1::int, repeat('0', 64), '2026-01-05', 1, E'an\u2066na', '2026-01-06Z')`, version)
			db.MustExec(`INSERT INTO reconciler.refund_approvals (plan_id, plan_sha256, maker, approved_by, approved_at)
				SELECT plan_id, plan_sha256, maker, E'ben\u2800', made_at FROM reconciler.refund_plans WHERE plan_id = 'plan' || $1::int`, version)
		}
		db.MustExec(`INSERT INTO reconciler.breaks (account_id, break_id, opened_on, job, kind, severity, subject_type, subject_id, field)
			VALUES ('acc', 'brk' || $1::int, '2026-01-05', 'match-jobs', 'job_without_debit', 'error', 'job', 'j' || $1::int, 'credits')`, version)
	}
	const rows = "SELECT (SELECT count(*) FROM reconciler.runs) AS runs, (SELECT count(*) FROM reconciler.breaks) AS breaks"
	var before, after struct{ Runs, Breaks int }
	if err := db.Get(&before, rows); err != nil {
		t.Fatal(err)
	}
	if _, err := sql.Migrate(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	if err := db.Get(&after, rows); err != nil || after != before || after.Breaks != len(versions)-1 || after.Runs < 27*after.Breaks {
		t.Errorf("rows are %+v, were %+v, %v", after, before, err)
	}
	if got := shape(t, db); got != want {
		t.Error("the schema differs from a new one's")
	}
}

// firstDistributed is the version that had its tables distributed as they are now.
const firstDistributed = 25

// Citus takes no ALTER TABLE that adds a constraint and changes something else, of a table that it knows.
func TestLaterMigrationsAddAConstraintAStatement(t *testing.T) {
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	added := 0
	for _, file := range files {
		var version int
		if _, err := fmt.Sscanf(filepath.Base(file), "%d_", &version); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if version <= firstDistributed {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for statement := range strings.SplitSeq(comment.ReplaceAllString(string(text), ""), ";") {
			_, change, isAlter := strings.Cut(statement, "ALTER TABLE")
			if !isAlter || !strings.Contains(change, "ADD CONSTRAINT") {
				continue
			}
			if added++; strings.Contains(outermost(change), ",") {
				t.Errorf("%s: ALTER TABLE%s", file, change)
			}
		}
	}
	if added == 0 {
		t.Error("no such statement")
	}
}

// A database that is distributed already is migrated as any other: Citus takes every change to tables that it knows.
func TestUpgradeOfADistributedDatabase(t *testing.T) {
	current := testdb.New(t)
	if !current.Distributed() {
		t.Skip(testdb.CitusVariable + " is not set: nobody looked at a migration of a distributed database")
	}
	versions := recordedVersions(t, current)
	for _, from := range versions[:len(versions)-1] {
		if from < firstDistributed {
			continue
		}
		t.Run(fmt.Sprint("from ", from), func(t *testing.T) {
			db := testdb.NewUnmigrated(t)
			owner := db.As(sql.OwnerRole).DB
			migrator, err := sql.Provider(owner)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := migrator.UpTo(t.Context(), from); err != nil {
				t.Fatal(err)
			}
			distribute := func() *sql.Cluster {
				t.Helper()
				c, err := sql.DescribeCluster(t.Context(), owner, sql.DefaultSourceSchema)
				if err == nil {
					err = c.Distribute(t.Context(), owner)
				}
				if err == nil {
					c, err = sql.DescribeCluster(t.Context(), owner, sql.DefaultSourceSchema)
				}
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			distribute()
			if _, err := sql.Migrate(t.Context(), owner); err != nil {
				t.Fatal(err)
			}
			if local, otherwise := distribute().MisplacedOurs(); len(local)+len(otherwise) > 0 {
				t.Errorf("misplaced: %v, %v", local, otherwise)
			}
			if shape(t, db) != shape(t, current) {
				t.Error("the schema differs from a new one's")
			}
		})
	}
}

func TestMigrationTouchesNothingOfThePlatform(t *testing.T) {
	db := testdb.NewUnmigrated(t)
	owner := db.As(sql.OwnerRole).DB
	platform := func() (objects string) {
		if err := db.Get(&objects, `SELECT string_agg(n.nspname || '.' || c.relname || ' ' || c.relkind::text || coalesce(c.relacl::text, ''), ', ' ORDER BY n.nspname, c.relname)
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname NOT IN ('reconciler', 'pg_toast', 'pg_catalog', 'information_schema')`); err != nil {
			t.Fatal(err)
		}
		return objects
	}
	before := platform()
	if _, err := sql.Migrate(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	if after := platform(); after != before {
		t.Errorf("outside of schema reconciler there is now %s, was %s", after, before)
	}
}

// A migration that got another number is another schema: databases know their migrations by it.
func TestFingerprintsDiffer(t *testing.T) {
	seen := map[string]string{}
	for name, c := range map[string]struct {
		files fstest.MapFS
		texts []string
	}{
		"one":             {fstest.MapFS{"m/1_a.sql": {Data: []byte("a")}}, []string{"roles"}},
		"another number":  {fstest.MapFS{"m/2_a.sql": {Data: []byte("a")}}, []string{"roles"}},
		"another text":    {fstest.MapFS{"m/1_a.sql": {Data: []byte("b")}}, []string{"roles"}},
		"other roles":     {fstest.MapFS{"m/1_a.sql": {Data: []byte("a")}}, []string{"role", "s"}},
		"one more, empty": {fstest.MapFS{"m/1_a.sql": {Data: []byte("a")}, "m/2_b.sql": {}}, []string{"roles"}},
	} {
		got, err := sql.Fingerprint(c.files, c.texts...)
		if err != nil {
			t.Fatal(err)
		}
		if other, taken := seen[got]; taken {
			t.Errorf("%s has the fingerprint of %s", name, other)
		}
		seen[got] = name
	}
}
