package simulation_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

func options() simulation.Options {
	return simulation.Options{Seed: 7, Start: reconcile.Date{Year: 2026, Month: time.March, Day: 2}, Nights: 6, Accounts: 60, JobsPerNight: 200}
}

// play plays all nights into a fresh database.
func play(t *testing.T, o simulation.Options) (*simulation.Simulation, *testdb.DB) {
	t.Helper()
	s, err := simulation.New(o)
	if err != nil {
		t.Fatal(err)
	}
	db := testdb.New(t)
	for _, night := range s.Nights() {
		if err := s.PlayNight(t.Context(), db.DB.DB, night.Date); err != nil {
			t.Fatal(err)
		}
	}
	return s, db
}

var relations = []string{"accounts", "purchases", "jobs", "credit_entries", "refund_requests", "subscriptions", "subscription_changes"}

// dump is a hash of every row of the platform.
func dump(t *testing.T, db *sql.DB) string {
	t.Helper()
	h := sha256.New()
	for _, relation := range relations {
		rows, err := db.QueryContext(context.Background(), "SELECT row_to_json(t)::text FROM platform."+relation+" t ORDER BY id")
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var row string
			if err := rows.Scan(&row); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(h, relation, row)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		rows.Close()
	}
	return hex.EncodeToString(h.Sum(nil))
}

func TestSameSeedSameBusiness(t *testing.T) {
	_, first := play(t, options())
	_, second := play(t, options())
	if a, b := dump(t, first.DB.DB), dump(t, second.DB.DB); a != b {
		t.Errorf("two runs of one seed differ: %s, %s", a, b)
	}
	other := options()
	other.Seed++
	_, third := play(t, other)
	if a, b := dump(t, first.DB.DB), dump(t, third.DB.DB); a == b {
		t.Error("another seed gives the same business")
	}
}

