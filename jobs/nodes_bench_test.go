package jobs_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

var benchmarkJobs = flag.Int64("jobs", 100_000, "how many jobs the night of BenchmarkNight has")

// BenchmarkNight is the first night of a platform, of jobs made up by the million, with -benchtime 1x, as a night that is run again posts nothing.
// Where the tests have a cluster, the same night is run on its coordinator alone, on all of it, and a third time with what goes through the
// coordinator counted: by step how long it took, how long of that no node was at work, and what was sent. What distributing costs is told as the times
// that the night takes of one server's.
func BenchmarkNight(b *testing.B) {
	one := map[string]float64{}
	b.Run("one server", func(b *testing.B) { one = benchmarkNight(b, testdb.NewOnOneServer(b), nil) })
	b.Run("distributed", func(b *testing.B) {
		took := benchmarkNight(b, newDistributed(b), nil)
		for _, step := range measured {
			if one[step] > 0 {
				b.ReportMetric(took[step]/one[step], step+"-times")
			}
		}
	})
	b.Run("counted", func(b *testing.B) {
		db, counted := newDistributed(b), &traffic{}
		detours(b, db, counted, 1000)
		benchmarkNight(b, db, counted)
	})
}

// measured are the steps whose time grows with a night, and all of it.
var measured = []string{"open", "match-jobs", "credit-backs", "reports", "night"}

func newDistributed(b *testing.B) *testdb.DB {
	db := testdb.New(b)
	if !db.Distributed() {
		b.Skip(testdb.CitusVariable + " is not set: nobody measured a distributed database")
	}
	return db
}

// benchmarkNight is how many seconds the night's steps took, of which opening is the first.
func benchmarkNight(b *testing.B, db *testdb.DB, counted *traffic) map[string]float64 {
	w := newWorkerOn(b, db)
	day := reconcile.NightOf(date("2026-03-05"), time.UTC)
	accounts := *benchmarkJobs / 10
	if err := simulation.FillAccounts(b.Context(), w.db.DB.DB, accounts, day.Begin.AddDate(0, 0, -1)); err != nil {
		b.Fatal(err)
	}
	if _, err := (simulation.BulkNight{Night: day, Seed: 1, Jobs: *benchmarkJobs, Accounts: accounts, FailuresPerMillion: 15_000, FaultsPerMillion: 1000}).Fill(b.Context(), w.db.DB.DB); err != nil {
		b.Fatal(err)
	}
	w.db.MustExec("VACUUM ANALYZE")
	if counted == nil {
		counted = &traffic{}
	}
	took := map[string]float64{}
	var told strings.Builder
	begun := counted.now()
	end := func(step string) {
		now := counted.now()
		seconds, passed := now.at.Sub(begun.at).Seconds(), now.since(begun)
		took[step] += seconds
		fmt.Fprintf(&told, "\n%-16s %8.2f s  %8.2f s without the nodes %9.2f MB to the coordinator %9.2f MB from it %9.2f MB between the others", step, seconds, seconds-passed.nodesAtWork.Seconds(),
			float64(passed.toCoordinator)/1e6, float64(passed.toNodes)/1e6, float64(passed.across)/1e6)
		begun = now
	}
	w.Progress = func(_ reconcile.Date, step string) {
		if len(took) == 0 {
			end("open")
		}
	}
	w.Ended = func(_ reconcile.Date, step string, _ time.Duration) { end(step) }
	b.ResetTimer()
	first := counted.now()
	begun = first
	for range b.N {
		if err := w.RunNight(b.Context(), day.Date); err != nil {
			b.Fatal(err)
		}
	}
	all := counted.now()
	passed := all.since(first)
	took["night"] = all.at.Sub(first.at).Seconds()
	for _, step := range measured {
		b.ReportMetric(took[step], step+"-s")
	}
	if passed.toNodes > 0 {
		fmt.Printf("%d jobs, %d accounts%s\n", *benchmarkJobs, accounts, told.String()) // b.Log shows ten lines
		b.ReportMetric(took["night"]-passed.nodesAtWork.Seconds(), "without-nodes-s")
		b.ReportMetric(float64(passed.toCoordinator)/1e6, "MB-to-coordinator")
	}
	return took
}
