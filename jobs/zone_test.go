package jobs_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile"
)

func zoneOf(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// begin puts nights on record as they were begun in a zone.
func (w *worker) begin(t testing.TB, zone string, dates ...string) {
	t.Helper()
	for _, text := range dates {
		date, err := reconcile.ParseDate(text)
		if err != nil {
			t.Fatal(err)
		}
		night := reconcile.NightOf(date, zoneOf(t, zone))
		w.db.MustExec(`INSERT INTO reconciler.runs (business_date, job, status, as_of, started_at) VALUES ($1, 'night', 'completed', $2, $2)`, text, night.AsOf())
	}
}

// The nights of a database are in one time zone: that of its first night, which a database from before it was kept learns from its nights.
func TestTheNightsOfADatabaseAreInOneZone(t *testing.T) {
	t.Parallel()
	w := newWorker(t)
	winter, summer := []string{"2026-01-10", "2026-01-11"}, []string{"2026-01-10", "2026-07-10"}
	for _, c := range []struct {
		name       string
		kept       string // by the database
		published  string // in the manifest of its first night
		zone       string // of the nights on record
		nights     []string
		stray      string // zone of one more night, 2026-07-20
		configured string
		want       string // the zone's name; "" where it is refused
		advice     string // what the refusal says
	}{
		{name: "no night yet", configured: "Asia/Tokyo", want: "Asia/Tokyo"},
		{name: "kept", kept: "UTC", configured: "UTC", want: "UTC"},
		{name: "kept under another name of the zone", kept: "Asia/Calcutta", configured: "Asia/Kolkata", want: "Asia/Calcutta"},
		{name: "Etc/UTC is UTC", kept: "UTC", configured: "Etc/UTC", want: "UTC"},
		{name: "another zone", kept: "UTC", configured: "America/New_York", advice: "set RECONCILER_TIMEZONE to UTC"},
		{name: "another zone that has had the same midnights lately", kept: "Europe/London", configured: "Europe/Lisbon", advice: "Europe/London"},
		{name: "kept under a name that is read in two ways", kept: "CET", zone: "CET", nights: summer, configured: "Europe/Berlin", want: "Europe/Berlin"},
		{name: "another zone than such a name", kept: "CET", zone: "CET", nights: summer, configured: "UTC", advice: "Europe/Brussels"},
		{name: "learned", zone: "Europe/Berlin", nights: summer, configured: "Europe/Berlin", want: "Europe/Berlin"},
		{name: "learned, several explain it", zone: "UTC", nights: winter, configured: "Europe/London", want: "Europe/London"},
		{name: "learned, several explain it, the manifest knows", zone: "UTC", nights: winter, published: "UTC", configured: "Europe/London", advice: "set RECONCILER_TIMEZONE to UTC"},
		{name: "learned, a manifest that can't be of this database", zone: "UTC", nights: winter, published: "Asia/Tokyo", configured: "UTC", want: "UTC"},
		{name: "learned, not the configured one", zone: "UTC", nights: summer, configured: "America/New_York", advice: "such as UTC"},
		{name: "learned, only in summer another", zone: "UTC", nights: summer, configured: "Europe/London", advice: "such as UTC"},
		{name: "one night is out of line", zone: "UTC", nights: summer, stray: "America/New_York", configured: "UTC", want: "UTC"},
		{name: "one night is out of line, and configured for", zone: "UTC", nights: summer, stray: "America/New_York", configured: "America/New_York", advice: "such as UTC"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.reset(t, time.UTC)
			if c.kept != "" {
				w.db.MustExec("INSERT INTO reconciler.time_zone (zone) VALUES ($1)", c.kept)
			}
			w.begin(t, c.zone, c.nights...)
			if c.stray != "" {
				w.begin(t, c.stray, "2026-07-20")
			}
			if c.published != "" {
				publishZone(t, w, c.nights[0], c.published)
			}
			found, err := jobs.FindZone(t.Context(), w.Store, w.Reports, zoneOf(t, c.configured))
			if c.want == "" {
				if !errors.Is(err, jobs.ErrZone) || !strings.Contains(err.Error(), c.advice) || !strings.Contains(err.Error(), c.configured) {
					t.Errorf("got %v, %v", found.Zone, err)
				}
				return
			}
			if err != nil || found.Zone.String() != c.want {
				t.Fatalf("got %v, %v", found.Zone, err)
			}
			strays, err := jobs.StrayNights(t.Context(), w.Store, found.Zone)
			if err != nil || (len(strays) == 1) != (c.stray != "") {
				t.Errorf("nights out of line: %v, %v", strays, err)
			}
		})
	}
}

// publishZone has a manifest say in which zone a night was published.
func publishZone(t testing.TB, w *worker, date, zone string) {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"business_date": date, "time_zone": zone, "revision": 1})
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(w.folder, date)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "manifest.json"), raw, 0o644); err != nil {
		t.Fatal(err)
	}
	w.db.MustExec(`INSERT INTO reconciler.publications (business_date, revision, as_of, manifest_sha256, location, published_at) VALUES ($1::date, 1, $1::date, '', '', $1::date)`, date)
}

// The first night keeps its zone, reports name it as the first did, and a night in another one is refused before it is begun.
func TestANightInAnotherZoneIsRefused(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	w.Settings.Zone = zoneOf(t, "Asia/Calcutta")
	if err := w.RunNight(t.Context(), s.First); err != nil {
		t.Fatal(err)
	}
	before := w.rows(t)
	w.Settings.Zone = zoneOf(t, "America/New_York")
	for _, only := range [][]string{nil, {"match-jobs"}} {
		if err := w.RunNight(t.Context(), s.First.AddDays(1), only...); !errors.Is(err, jobs.ErrZone) || !strings.Contains(err.Error(), "Asia/Calcutta") {
			t.Errorf("in another zone: %v", err)
		}
	}
	if after := w.rows(t); after != before {
		t.Errorf("it has left something:\n%s\nbefore:\n%s", after, before)
	}
	w.Settings.Zone = zoneOf(t, "Asia/Kolkata")
	if err := w.RunNight(t.Context(), s.First.AddDays(1)); err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile(filepath.Join(w.folder, s.First.AddDays(1).String(), "manifest.json"))
	if err != nil || !strings.Contains(string(manifest), `"time_zone": "Asia/Calcutta"`) {
		t.Errorf("the second night's manifest: %v\n%s", err, manifest)
	}
}

// rows counts the rows of every table that a night writes.
func (w *worker) rows(t testing.TB) string {
	t.Helper()
	var counts []string
	if err := w.db.Select(&counts, `SELECT format('%s: %s', t.table_name, (xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM reconciler.%I', t.table_name), false, true, '')))[1])
		FROM information_schema.tables t WHERE t.table_schema = 'reconciler' ORDER BY 1`); err != nil {
		t.Fatal(err)
	}
	return strings.Join(counts, "\n")
}
