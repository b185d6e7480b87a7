package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// worker is the worker under test with a database of its own, without Stripe and without caps.
type worker struct {
	jobs.Worker
	db       *testdb.DB
	policies reconcile.Policies
}

func newWorker(t testing.TB) *worker {
	t.Helper()
	db := testdb.New(t)
	store, err := postgres.Open(postgres.Options{URL: db.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &worker{db: db, policies: testPolicies(t)}
	w.Worker = jobs.Worker{Store: store, Policies: w.policies, Log: zerolog.Nop(), CodeVersion: "test"}
	w.reset(t, time.UTC)
	return w
}

// reset empties the database, which is a lot faster than another one.
func (w *worker) reset(t testing.TB, zone *time.Location) {
	t.Helper()
	var tables []string
	err := w.db.Select(&tables, `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
		WHERE schemaname IN ('platform', 'reconciler') AND tablename NOT LIKE '%goose%'`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.db.Exec("TRUNCATE " + strings.Join(tables, ", ")); err != nil {
		t.Fatal(err)
	}
	w.Settings = jobs.Settings{Zone: zone}
}

func (w *worker) night(n reconcile.Night) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return w.RunNight(ctx, n.Date)
}

// published reads what the night left.
func (w *worker) published(t testing.TB, night reconcile.Date) published {
	t.Helper()
	p := published{}
	for file, query := range map[string]string{
		"breaks.csv": `SELECT b.kind, b.subject_id, b.account_id, CASE WHEN b.closed_on = $1::date THEN b.closed_as ELSE 'open' END AS status,
			b.opened_on::text AS first_seen, (CASE WHEN b.closed_on = $1::date THEN $1::date - 1 ELSE $1::date END)::text AS last_seen, e.variance::text, e.unit
			FROM reconciler.breaks b
			CROSS JOIN LATERAL (SELECT * FROM reconciler.break_events e WHERE e.account_id = b.account_id AND e.break_id = b.break_id
				AND e.business_date <= $1::date ORDER BY e.business_date DESC, e.event_no DESC LIMIT 1) e
			WHERE b.opened_on <= $1::date AND (b.closed_on IS NULL OR b.closed_on >= $1::date)`,
		"credit_backs.csv": `SELECT job_id, account_id, class, debited::text, credited_before::text, credit_back::text, decision, clause
			FROM reconciler.credit_backs WHERE business_date = $1::date`,
		"refund_windows.csv": `SELECT purchase_id, account_id, state, used_credits::text, credits::text, amount_minor::text, currency,
			to_char(completed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS completed_at, to_char(expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS expires_at
			FROM reconciler.refund_windows WHERE business_date = $1::date`,
		"refund_decisions.csv": `SELECT request_id, account_id, purchase_id, job_id, due_date::text, decision, currency, clauses
			FROM reconciler.refund_decisions WHERE business_date = $1::date`,
		"roll_forward.csv": `SELECT measure, opening::text, purchases::text, promotions::text, usage::text, credit_backs::text, refunds::text, adjustments::text,
			late_items::text, closing::text, closing_from_lots::text, (closing - closing_from_lots)::text AS difference
			FROM reconciler.roll_forward WHERE business_date = $1::date`,
		"control_totals.csv": `SELECT check_name AS check, unit, scanned::text, matched::text, awaiting::text, breaks::text, difference::text
			FROM reconciler.control_totals WHERE business_date = $1::date`,
	} {
		rows, err := w.db.Queryx(query, night.String())
		if err != nil {
			t.Fatal(file, err)
		}
		for rows.Next() {
			cells := map[string]any{}
			if err := rows.MapScan(cells); err != nil {
				t.Fatal(err)
			}
			row := map[string]string{}
			for name, cell := range cells {
				row[name] = fmt.Sprint(cell)
				if text, isBytes := cell.([]byte); isBytes {
					row[name] = string(text)
				}
				if strings.HasSuffix(name, "_at") {
					at, err := time.Parse("2006-01-02T15:04:05.999999Z", row[name])
					if err != nil {
						t.Fatal(err)
					}
					row[name] = instant(at)
				}
			}
			p[file] = append(p[file], row)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
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
