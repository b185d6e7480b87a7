package jobs_test

import (
	"sync"
	"testing"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// database is one without rows, with a worker's store on it.
type database struct {
	*testdb.DB
	store *postgres.Store
}

// used are databases whose tests have ended. A worker that begins on a database of its own plans some 300 statements before its first night is done,
// which costs four times as much as the night; on a used one it has their plans.
var used struct {
	sync.Mutex
	databases []database
}

// keeper outlives the test that a database was made for: that goes with the server.
type keeper struct{ testing.TB }

func (keeper) Cleanup(func()) {}

// newDatabase is a used database that was emptied, or a new one. It is used again after the test, unless that has changed what a database is made of,
// or has left somebody at work in it.
func newDatabase(t testing.TB) database {
	t.Helper()
	used.Lock()
	var d database
	if last := len(used.databases) - 1; last >= 0 {
		d, used.databases = used.databases[last], used.databases[:last]
	}
	used.Unlock()
	if d.DB == nil {
		made := testdb.New(keeper{t})
		d = database{made, openStore(keeper{t}, made.URL)}
	}
	ours := database{d.Again(t), d.store}
	before := ours.MadeOf()
	t.Cleanup(func() {
		d.store.Intercept = nil
		if ours.Distributed() {
			return
		}
		if _, err := ours.Exec("SET lock_timeout = '5s'; " + emptyTables + "; RESET lock_timeout"); err != nil {
			t.Logf("not used again: %v", err)
			return
		}
		if ours.MadeOf() == before {
			used.Lock()
			used.databases = append(used.databases, d)
			used.Unlock()
		}
	})
	return ours
}

// emptyTables deletes all rows. TRUNCATE would make new files of every table and index, which costs ten times as much for a few rows. What others
// refer to goes after them.
const emptyTables = `DO $$ DECLARE t text; again boolean; BEGIN
	LOOP
		again := false;
		FOR t IN SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('platform', 'reconciler') AND tablename NOT LIKE '%goose%' AND tablename <> 'schema_migrations' LOOP
			BEGIN
				EXECUTE 'DELETE FROM ' || t;
			EXCEPTION WHEN foreign_key_violation THEN again := true;
			END;
		END LOOP;
		EXIT WHEN NOT again;
	END LOOP;
END $$`

func TestADatabaseThatWasAlteredIsNotUsedAgain(t *testing.T) {
	if testdb.New(t).Distributed() {
		t.Skip("no distributed database is used again")
	}
	for alteration, isUsedAgain := range map[string]bool{
		"INSERT INTO platform.accounts (id) VALUES ('left')":         true,
		"ANALYZE platform.accounts":                                  true,
		"CREATE TABLE public.mine (n int)":                           false,
		"CREATE SCHEMA mine":                                         false,
		"ALTER TABLE platform.jobs DROP CONSTRAINT jobs_pkey":        false,
		"ALTER TABLE platform.jobs ALTER COLUMN id SET STATISTICS 7": false,
		"REVOKE SELECT ON platform.jobs FROM reconciler_app":         false,
		"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''1MB''', current_database()); END $$": false,
		"CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'":                               false,
		"CREATE VIEW platform.mine AS SELECT 1 AS n":                                                         false,
		"CREATE POLICY mine ON platform.jobs USING (true)":                                                   false,
		"ALTER TABLE platform.accounts ADD CHECK (id <> '')":                                                 false,
	} {
		var url string
		t.Run("", func(t *testing.T) {
			d := newDatabase(t)
			url = d.URL
			d.MustExec(alteration)
		})
		used.Lock()
		again := false
		for _, d := range used.databases {
			var rows int
			if d.URL == url {
				again = true
				if err := d.Get(&rows, "SELECT count(*) FROM platform.accounts"); err != nil || rows > 0 {
					t.Errorf("%s: %d rows are left (%v)", alteration, rows, err)
				}
			}
		}
		used.Unlock()
		if again != isUsedAgain {
			t.Errorf("%s: used again %t, want %t", alteration, again, isUsedAgain)
		}
	}
}
