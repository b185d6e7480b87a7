package jobs_test

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/reports/tables"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// worker is the worker under test with a database of its own, without Stripe and without caps.
type worker struct {
	jobs.Worker
	db       *testdb.DB
	policies reconcile.Policies
	folder   string // of the reports
	matching night.Matching
}

// openStore opens the database for as long as the test takes.
func openStore(t testing.TB, url string) *postgres.Store {
	t.Helper()
	store, err := postgres.Open(postgres.Options{URL: url})
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

func newWorker(t testing.TB) *worker {
	t.Helper()
	d := newDatabase(t)
	return newWorkerWith(t, d.DB, d.store)
}

func newWorkerOn(t testing.TB, db *testdb.DB) *worker {
	t.Helper()
	return newWorkerWith(t, db, openStore(t, db.URL))
}

func newWorkerWith(t testing.TB, db *testdb.DB, store *postgres.Store) *worker {
	t.Helper()
	w := &worker{db: db, policies: testPolicies(t), folder: filepath.Join(t.TempDir(), "reports")}
	w.Worker = jobs.Worker{Store: store, Policies: w.policies, Log: zerolog.Nop(), CodeVersion: "test"}
	w.reset(t, time.UTC)
	return w
}

// reset empties the database and the reports, which is a lot faster than another database.
func (w *worker) reset(t testing.TB, zone *time.Location) {
	t.Helper()
	if _, err := w.db.Exec(emptyTables); err != nil {
		t.Fatal(err)
	}
	w.Settings = night.Settings{Zone: zone, Matching: w.matching, Sizes: w.Settings.Sizes}
	if err := os.RemoveAll(w.folder); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.Reports, err = storage.OpenFolder(w.folder); err != nil {
		t.Fatal(err)
	}
}

func (w *worker) night(n reconcile.Night) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return w.RunNight(ctx, n.Date)
}

// published reads the tables of a night's reports.
func (w *worker) published(t testing.TB, night reconcile.Date) published {
	t.Helper()
	p := published{}
	for _, name := range []string{"breaks.csv", "credit_backs.csv", "refund_windows.csv", "refund_decisions.csv", "roll_forward.csv", "control_totals.csv",
		"rejects.csv"} {
		file, err := os.Open(filepath.Join(w.folder, night.String(), name))
		if err != nil {
			t.Fatal(err)
		}
		records, err := csv.NewReader(file).ReadAll()
		if err := errors.Join(err, file.Close()); err != nil || len(records) == 0 {
			t.Fatalf("read %s of %s: %v, %d records", name, night, err, len(records))
		}
		p[name] = []map[string]string{}
		for _, record := range records[1:] {
			row := map[string]string{}
			for i, column := range records[0] {
				row[column] = tables.RestoreText(record[i])
			}
			p[name] = append(p[name], row)
		}
	}
	return p
}

// compareLines compares what a night says with what it has to.
func compareLines(t testing.TB, night reconcile.Date, want, got []string) {
	t.Helper()
	if diff := diffLines(want, got); diff != "" {
		t.Errorf("night %s:\n%s", night, diff)
	}
}

// diffLines lists what is missing (-) and what is too much (+), both sorted; "" when nothing is.
func diffLines(want, got []string) string {
	var b strings.Builder
	left := map[string]int{}
	for _, line := range got {
		left[line]++
	}
	for _, line := range want {
		if left[line]--; left[line] < 0 {
			fmt.Fprintf(&b, "  - %s\n", line)
			left[line] = 0
		}
	}
	for _, line := range got {
		if left[line] > 0 {
			fmt.Fprintf(&b, "  + %s\n", line)
			left[line]--
		}
	}
	return b.String()
}
