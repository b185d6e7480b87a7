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

	"github.com/google/go-cmp/cmp"

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
	for _, stripe := range []bool{false, true} {
		o := options()
		o.Stripe = stripe
		firstBusiness, first := play(t, o)
		secondBusiness, second := play(t, o)
		if a, b := dump(t, first.DB.DB), dump(t, second.DB.DB); a != b {
			t.Errorf("two runs of one seed differ: %s, %s", a, b)
		}
		if stripe && !cmp.Equal(firstBusiness.Stripe().State(), secondBusiness.Stripe().State()) {
			t.Error("two runs of one seed differ at Stripe")
		}
		o.Seed++
		_, third := play(t, o)
		if a, b := dump(t, first.DB.DB), dump(t, third.DB.DB); a == b {
			t.Error("another seed gives the same business")
		}
	}
}

// What is played without faults has none, by rules far simpler than the worker's.
func TestSoundBusiness(t *testing.T) {
	o := options()
	o.FaultsPerKind = -1
	for _, zone := range []string{"UTC", "America/New_York", "Africa/Cairo"} {
		t.Run(zone, func(t *testing.T) {
			location, err := time.LoadLocation(zone)
			if err != nil {
				t.Fatal(err)
			}
			o := o
			o.Zone = location
			o.Start = reconcile.Date{Year: 2026, Month: time.March, Day: 6} // New York's clocks change on the 8th
			if zone == "Africa/Cairo" {
				o.Start = reconcile.Date{Year: 2026, Month: time.April, Day: 22} // at midnight of the 24th
			}
			s, db := play(t, o)
			if got := s.Expected(); len(got) > 0 {
				t.Errorf("expects %v of a business without faults", got)
			}
			for name, query := range map[string]string{
				"jobs with other debits than their cost": `SELECT count(*) FROM platform.jobs j LEFT JOIN
					(SELECT job_id, account_id, sum(credits) AS credits, count(*) AS n FROM platform.credit_entries WHERE kind = 'usage' GROUP BY 1, 2) e ON e.job_id = j.id
					WHERE j.finished_at IS NOT NULL AND (coalesce(e.credits, 0) <> -j.credit_cost OR e.n > 1 OR e.account_id <> j.account_id)`,
				"debits without a job": `SELECT count(*) FROM platform.credit_entries e WHERE kind = 'usage' AND NOT EXISTS (SELECT FROM platform.jobs j WHERE j.id = e.job_id)`,
				"debits before their job or after its end": `SELECT count(*) FROM platform.credit_entries e JOIN platform.jobs j ON j.id = e.job_id
					WHERE e.kind = 'usage' AND e.created_at NOT IN (j.created_at, j.finished_at)`,
				"purchases with other grants than their credits": `SELECT count(*) FROM platform.purchases p LEFT JOIN
					(SELECT purchase_id, sum(credits) AS credits FROM platform.credit_entries WHERE kind = 'purchase' GROUP BY 1) e ON e.purchase_id = p.id
					WHERE coalesce(e.credits, 0) <> CASE p.status WHEN 'completed' THEN p.credits ELSE 0 END`,
				"balances below 0": `SELECT count(*) FROM (SELECT sum(credits) OVER (PARTITION BY account_id ORDER BY created_at) AS balance
					FROM platform.credit_entries) e WHERE balance < 0`,
				"failures without a code": `SELECT count(*) FROM platform.jobs WHERE status IN ('failed', 'interrupted') AND failure_code IS NULL`,
				"rows of the future": fmt.Sprintf(`SELECT (SELECT count(*) FROM platform.credit_entries WHERE created_at >= '%[1]s')
					+ (SELECT count(*) FROM platform.jobs WHERE greatest(created_at, finished_at) >= '%[1]s')
					+ (SELECT count(*) FROM platform.purchases WHERE greatest(created_at, completed_at) >= '%[1]s')
					+ (SELECT count(*) FROM platform.refund_requests WHERE greatest(requested_at, decided_at) >= '%[1]s')`, s.Clock().Format(time.RFC3339)),
			} {
				var n int
				if err := db.Get(&n, db.Gathered(query)); err != nil {
					t.Fatal(err)
				}
				if n != 0 {
					t.Errorf("%d %s", n, name)
				}
			}
			var jobs, failed int
			if err := db.QueryRow("SELECT count(*), count(*) FILTER (WHERE status IN ('failed', 'interrupted')) FROM platform.jobs").Scan(&jobs, &failed); err != nil {
				t.Fatal(err)
			}
			if jobs < 600 || failed == 0 || failed > jobs/20 {
				t.Errorf("%d of %d jobs failed", failed, jobs)
			}
			for _, relation := range relations {
				var n int
				if err := db.Get(&n, "SELECT count(*) FROM platform."+relation); err != nil || n == 0 {
					t.Errorf("%s: %d rows, %v", relation, n, err)
				}
			}
		})
	}
}

func TestEveryFaultIsPlanted(t *testing.T) {
	o := options()
	o.Stripe, o.Nights = true, 12 // a refund is unpaid after 7 business days
	s, _ := play(t, o)
	planted := make(map[reconcile.BreakKind]int)
	for _, e := range s.Expected() {
		planted[e.Kind]++
	}
	for _, rule := range reconcile.BreakRules {
		if planted[rule.Kind] == 0 {
			t.Errorf("no %s is planted within %d nights", rule.Kind, len(s.Nights()))
		}
	}
	if len(s.ExpectedRejects()) == 0 {
		t.Error("no row that breaks the contract is planted")
	}
	if err := s.Stripe().CheckBooks(); err != nil {
		t.Error(err)
	}
}

func TestNightsGoInOrder(t *testing.T) {
	s, err := simulation.New(options())
	if err != nil {
		t.Fatal(err)
	}
	db := testdb.New(t)
	if err := s.PlayNight(t.Context(), db.DB.DB, s.Nights()[1].Date); err == nil {
		t.Error("the second night was played before the first")
	}
	for range 2 {
		err = s.PlayNight(t.Context(), db.DB.DB, s.Nights()[0].Date)
	}
	if err == nil {
		t.Error("the first night was played twice")
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]simulation.Options{
		"no start":       {Nights: 1},
		"no nights":      {Start: options().Start},
		"too many":       {Start: options().Start, Nights: 4000},
		"minus accounts": {Start: options().Start, Nights: 1, Accounts: -1},
		"minus jobs":     {Start: options().Start, Nights: 1, JobsPerNight: -1},
	} {
		if _, err := simulation.New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestInterruptedNightLeavesNothing(t *testing.T) {
	s, err := simulation.New(options())
	if err != nil {
		t.Fatal(err)
	}
	db := testdb.New(t)
	if _, err := db.Exec("ALTER TABLE platform.refund_requests DROP COLUMN reason"); err != nil { // written last
		t.Fatal(err)
	}
	first := s.Nights()[0].Date
	if err := s.PlayNight(t.Context(), db.DB.DB, first); err == nil {
		t.Fatal("a night was played into a table that lacks a column")
	}
	var rows int
	if err := db.Get(&rows, "SELECT (SELECT count(*) FROM platform.accounts) + (SELECT count(*) FROM platform.jobs)"); err != nil || rows != 0 {
		t.Errorf("%d rows are left of the failed night, %v", rows, err)
	}
	if err := s.PlayNight(t.Context(), db.DB.DB, first); err == nil {
		t.Error("a simulation that has lost a night goes on")
	}
}
