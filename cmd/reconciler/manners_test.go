package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/demo"
	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// longestWait is how long a write of the platform may wait for a lock beside a night. How long the write takes in all is the machine's affair.
const longestWait = "1s"

// The platform goes on writing while nights run: nobody waits for the worker, and every total ties. Where it writes rows of the very night all
// the time, the night says that it has to be run again.
func TestNightsBesideAPlatformThatWrites(t *testing.T) {
	t.Parallel()
	const nights = 2
	db := testdb.New(t)
	if err := playInto(db, simulation.Options{Seed: 7, Nights: nights, Accounts: 60, JobsPerNight: 1000, FaultsPerKind: 1}); err != nil {
		t.Fatal(err)
	}
	var accounts []string
	if err := db.Select(&accounts, "SELECT id FROM platform.accounts ORDER BY id LIMIT 3"); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var writers sync.WaitGroup
	var late atomic.Bool
	var mu sync.Mutex
	longest, writes := time.Duration(0), 0
	for writer, account := range accounts { // one each: they don't wait for each other
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id, at := fmt.Sprintf("job_w%d_%06d", writer, i), startOf(demo.Start.AddDays(nights)).Add(time.Duration(i)*time.Millisecond)
				if i%2 == 1 && late.Load() {
					at = startOf(demo.Start.AddDays(i % nights)).Add(time.Duration(i%86400) * time.Second)
				}
				began := time.Now()
				tx, err := db.BeginTxx(t.Context(), nil)
				if err == nil {
					_, err = tx.Exec("SET LOCAL lock_timeout = '" + longestWait + "'")
				}
				if err == nil {
					_, err = tx.Exec("INSERT INTO platform.jobs (id, account_id, kind, model, status, credit_cost, created_at, finished_at) VALUES ($1, $2, 'image', 'm', 'succeeded', 3, $3, $3)", id, account, at)
				}
				if err == nil {
					_, err = tx.Exec("INSERT INTO platform.credit_entries (id, account_id, kind, credits, job_id, idempotency_key, created_at) VALUES ($1, $2, 'usage', -3, $3, $1, $4)", "ent_"+id, account, id, at)
				}
				if err == nil {
					_, err = tx.Exec("UPDATE platform.accounts SET status = status WHERE id = $1", account)
				}
				if err == nil {
					err = tx.Commit()
				}
				if err != nil {
					t.Errorf("the platform can't write: %v", err)
					return
				}
				mu.Lock()
				writes++
				longest = max(longest, time.Since(began))
				mu.Unlock()
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	folder := t.TempDir()
	for _, night := range nightsBetween(demo.Start, nights) {
		var out, log bytes.Buffer
		if code := run(t.Context(), []string{"run", "--date", night, "--database-url", db.URL, "--reports-url", folder, "--log-level", "warn"}, &out, &log); code != cli.ExitDone {
			t.Errorf("night %s: exit code %d: %s", night, code, log.String())
		}
	}
	late.Store(true)
	for _, night := range nightsBetween(demo.Start, nights) {
		for range 3 {
			var out, log bytes.Buffer
			code := run(t.Context(), []string{"run", "match-jobs", "--date", night, "--database-url", db.URL, "--reports-url", folder, "--log-level", "warn"}, &out, &log)
			if code != cli.ExitDone && (code != cli.ExitRetry || !strings.Contains(log.String(), "run it again")) {
				t.Errorf("match-jobs of %s: exit code %d: %s", night, code, log.String())
			}
		}
	}
	stop()
	writers.Wait()
	if writes < 100 {
		t.Errorf("only %d writes beside %d nights", writes, nights)
	}
	t.Logf("%d writes beside %d nights, the longest took %s", writes, nights, longest)
	var untied int
	if err := db.Get(&untied, "SELECT count(*) FROM reconciler.control_totals WHERE difference <> 0"); err != nil || untied != 0 {
		t.Errorf("%d totals don't tie, %v", untied, err)
	}
}
