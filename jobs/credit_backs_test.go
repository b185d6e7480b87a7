package jobs_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/policyfile"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// Jobs of every status and class, with every order of what was debited, credited back before, debited elsewhere and credited by others: what the
// database makes of the core's cases is what the core decides about each job.
func TestCreditBacksInTheDatabaseAreWhatTheCoreDecides(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := testdb.New(t)
	store := openStore(t, db.URL)
	policies, err := policyfile.Default()
	if err != nil {
		t.Fatal(err)
	}
	night := reconcile.Date{Year: 2026, Month: 3, Day: 2}
	db.MustExec(`CREATE TABLE public.fate AS
		SELECT concat_ws('/', s.status, s.finished, c.code, d.debited, b.before, e.elsewhere, o.others) AS id, *
		FROM (VALUES ('failed', '2026-03-02 10:00Z'), ('interrupted', '2026-03-02 23:59:59.999999Z'), ('canceled', '2026-03-02 00:00Z'), ('succeeded', '2026-03-02 10:00Z'),
		             ('running', NULL), ('failed', '2026-03-03 00:00Z')) s (status, finished),
		     (VALUES ('NODE_FAIL'), ('invalid_input'), ('never seen'), ('')) c (code),
		     (VALUES (-3), (0), (1), (10)) d (debited), (VALUES (0), (1), (10), (12)) b (before), (VALUES (0), (1), (7)) e (elsewhere), (VALUES (0), (2)) o (others)`)
	db.MustExec(`INSERT INTO platform.accounts (id, email, status, created_at)
		SELECT id, id || '@x.test', 'active', '2026-02-01Z' FROM (VALUES ('ran'), ('another')) a (id)`)
	db.MustExec(`INSERT INTO platform.jobs (id, account_id, kind, model, status, failure_code, credit_cost, created_at, finished_at)
		SELECT id, 'ran', 'image', 'm', status, nullif(code, ''), 10, '2026-03-01 12:00Z', finished::timestamptz FROM public.fate`)
	db.MustExec(`INSERT INTO platform.credit_entries (id, account_id, kind, credits, job_id, idempotency_key, created_at)
		SELECT x.kind || ' ' || f.id || x.account_id || x.at, x.account_id, x.kind, x.credits, f.id, x.kind || ' ' || f.id || x.account_id || x.at, x.at::timestamptz
		FROM public.fate f CROSS JOIN LATERAL (VALUES
			('ran', CASE WHEN f.debited > 0 THEN 'usage' ELSE 'adjustment' END, -f.debited, '2026-03-02 10:00Z'),
			('ran', 'credit_back', f.before, '2026-03-01 13:00Z'),
			('another', 'usage', -f.elsewhere, '2026-03-02 10:00Z'),
			('ran', 'credit_back', f.others, '2026-03-02 11:00Z')) x (account_id, kind, credits, at)
		WHERE x.credits <> 0`)
	w := &jobs.Worker{Store: store, Policies: policies, Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.ErrorLevel)}
	if err := w.RunNight(ctx, night); err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		ID, Status, Code, Class, Decision, Clause, Reason         string
		Debited, Before, Elsewhere, Others                        int64
		CreditBack, RecordedDebit, CreditedBefore, Posted, Booked int64
		Recorded                                                  bool
	}
	err = db.Select(&rows, db.Gathered(`SELECT f.id, CASE WHEN f.finished >= '2026-03-03' THEN 'running' ELSE f.status END AS status, f.code, f.debited, f.before, f.elsewhere, f.others,
			c.job_id IS NOT NULL AS recorded, coalesce(c.class, '') AS class, coalesce(c.decision, '') AS decision, coalesce(c.clause, '') AS clause,
			coalesce(c.reason, '') AS reason, coalesce(c.credit_back, 0) AS credit_back, coalesce(c.debited, 0)::bigint AS recorded_debit,
			coalesce(c.credited_before, 0)::bigint AS credited_before, coalesce(e.credits, 0) AS posted,
			(SELECT count(*) FROM platform.credit_entries n WHERE n.job_id = f.id AND n.idempotency_key LIKE 'reconciler:credit_back:%') AS booked
		FROM public.fate f
		LEFT JOIN reconciler.credit_backs c ON c.job_id = f.id AND c.business_date = '2026-03-02'
		LEFT JOIN platform.credit_entries e ON e.id = c.entry_id`))
	if err != nil {
		t.Fatal(err)
	}
	version, err := policies.At(time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	outcomes := map[string]int{}
	for _, row := range rows {
		status := reconcile.JobStatus(row.Status)
		if wanted := status.Unsuccessful() || row.Others > 0; row.Recorded != wanted {
			t.Errorf("%s: recorded %t, want %t", row.ID, row.Recorded, wanted)
		}
		if !row.Recorded {
			continue
		}
		class := version.Failures.Classify(status, row.Code)
		want := reconcile.DecideCreditBack(status, class, row.Debited, row.Before+row.Others, row.Elsewhere)
		if row.Others > 0 {
			want.Reason += fmt.Sprintf("; credited back that night by others than this worker: %d credits", row.Others)
		}
		got := reconcile.CreditBackDecision{Outcome: reconcile.CreditBackOutcome(row.Decision), Credits: row.CreditBack, Clause: row.Clause, Reason: row.Reason}
		if got != want {
			t.Errorf("%s:\n got %+v\nwant %+v", row.ID, got, want)
		}
		if row.Class != string(class.Class) || row.RecordedDebit != row.Debited || row.CreditedBefore != row.Before+row.Others {
			t.Errorf("%s: recorded as %+v", row.ID, row)
		}
		if row.Posted != want.Credits || (row.Booked == 1) != (want.Credits > 0) || row.Booked > 1 {
			t.Errorf("%s: %d credits in %d entries, decided were %d", row.ID, row.Posted, row.Booked, want.Credits)
		}
		outcomes[row.Decision+" "+row.Class]++
	}
	if len(rows) != 6*4*4*4*3*2 || len(outcomes) != 5 { // credited, not due for each class, pending
		t.Errorf("%d jobs, %v", len(rows), outcomes)
	}
}
