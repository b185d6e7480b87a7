package jobs_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reports"
	"github.com/hummingbytes/reconciler/reports/storage"
)

// Nights of the simulated business on a real PostgreSQL, published to a folder: complete, the same bytes on a rerun, a new revision when
// the platform's rows changed, each manifest naming the one before.
func TestReportsOfSimulatedNights(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b := newBusiness(t, simulation.Options{Seed: 1, Nights: 3})
	sim, db, w, folder := b.sim, b.db, b.worker, b.folder
	var last reconcile.Date
	for _, night := range sim.Nights() {
		if err := sim.PlayNight(ctx, db.DB.DB, night.Date); err != nil {
			t.Fatal(err)
		}
		if err := w.RunNight(ctx, night.Date); err != nil {
			t.Fatal(err)
		}
		last = night.Date
	}
	before := snapshot(t, folder)
	for _, name := range []string{"index.html", last.String() + "/summary.html", last.String() + "/manifest.json", last.String() + "/breaks.csv"} {
		if len(before[name]) == 0 {
			t.Errorf("%s is missing or empty", name)
		}
	}

	var open int
	if err := db.Get(&open, `SELECT count(*) FROM reconciler.breaks WHERE opened_on <= $1 AND (closed_on IS NULL OR closed_on > $1)`, last); err != nil {
		t.Fatal(err)
	}
	if rows := openRows(t, before[last.String()+"/breaks.csv"]); rows != open || open == 0 {
		t.Errorf("breaks.csv has %d open breaks, the database %d", rows, open)
	}

	if err := w.RunNight(ctx, last); err != nil {
		t.Fatal(err)
	}
	for name, content := range snapshot(t, folder) {
		if !bytes.Equal(before[name], content) {
			t.Errorf("rerun: %s is not the same", name)
		}
	}
	checkChain(t, folder, sim.Nights())

	// One more job without a debit: its night is published again, and what was there is kept.
	if _, err := db.Exec(`INSERT INTO platform.jobs (id, account_id, kind, model, status, credit_cost, created_at, finished_at)
		SELECT 'job_extra', id, 'image', 'm', 'succeeded', 7, $1::date + interval '1 hour', $1::date + interval '2 hours' FROM platform.accounts ORDER BY id LIMIT 1`, last); err != nil {
		t.Fatal(err)
	}
	if err := w.RunNight(ctx, last); err != nil {
		t.Fatal(err)
	}
	after := snapshot(t, folder)
	if !bytes.Contains(after[last.String()+"/breaks.csv"], []byte("job_extra")) {
		t.Error("revision 2 doesn't have the new break")
	}
	for _, name := range []string{"manifest.json", "breaks.csv", "summary.html"} {
		if !bytes.Equal(after[last.String()+".r1/"+name], before[last.String()+"/"+name]) {
			t.Errorf("%s of revision 1 was not kept", name)
		}
	}
	var statuses []string
	if err := db.Select(&statuses, `SELECT DISTINCT status FROM reconciler.runs WHERE business_date = $1`, last); err != nil {
		t.Fatal(err)
	}
	if len(statuses) != 1 || statuses[0] != "completed" {
		t.Errorf("run rows are %v: want all completed", statuses)
	}
}

// checkChain follows the manifests from night to night.
func checkChain(t *testing.T, folder string, nights []reconcile.Night) {
	t.Helper()
	previous := ""
	for _, night := range nights {
		raw, err := os.ReadFile(filepath.Join(folder, night.Date.String(), storage.ManifestName))
		if err != nil {
			t.Fatal(err)
		}
		manifest, err := reports.ReadManifest(raw)
		if err != nil {
			t.Fatal(err)
		}
		named := ""
		if manifest.Previous != nil {
			named = manifest.Previous.ManifestSHA256
		}
		if named != previous {
			t.Errorf("%s: names %q as the night before, which is %q", night.Date, named, previous)
		}
		previous = reports.ManifestHash(raw)
	}
}

func openRows(t *testing.T, content []byte) int {
	t.Helper()
	reader, open := csv.NewReader(bytes.NewReader(content)), 0
	for {
		row, err := reader.Read()
		if err == io.EOF {
			return open
		}
		if err != nil {
			t.Fatal(err)
		}
		if row[3] == "open" {
			open++
		}
	}
}

// snapshot reads every published file below a folder.
func snapshot(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		files[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
