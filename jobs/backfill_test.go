package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// lateJob adds a job and its debit to a night, as a platform does that is late.
func (b *smallBusiness) lateJob(id string, finished time.Time) error {
	var account string
	if err := b.db.Get(&account, "SELECT min(id) FROM platform.accounts"); err != nil {
		return err
	}
	_, err := b.db.Exec("INSERT INTO platform.jobs (id, account_id, kind, model, status, credit_cost, created_at, finished_at) VALUES ($1, $2, 'image', 'm', 'succeeded', 3, $3, $3)", id, account, finished)
	if err == nil {
		_, err = b.db.Exec("INSERT INTO platform.credit_entries (id, account_id, kind, credits, job_id, idempotency_key, created_at) VALUES ($1, $2, 'usage', -3, $3, $1, $4)", "ent_"+id, account, id, finished)
	}
	return err
}

// A dry run of a range goes through it as a backfill would, each night upon the one before, and says of each what the backfill then does.
func TestDryRunOfARangeSaysWhatTheBackfillDoes(t *testing.T) {
	t.Parallel()
	b := newSmallBusiness(t, 4)
	b.play(t)
	b.run(t, b.date(0))
	before, files := b.books(t), snapshot(t, b.folder)
	rehearse := func() string {
		var said bytes.Buffer
		if _, err := b.worker.Backfill(context.Background(), jobs.BackfillOptions{From: b.date(0), To: b.date(3), DryRun: &said}); err != nil {
			t.Fatal(err)
		}
		return said.String()
	}
	said := rehearse()
	if after := b.books(t); after != before {
		t.Error("the dry run changed the books")
	}
	compareFiles(t, files, snapshot(t, b.folder))
	parts := strings.Split(said, "Dry run of ")[1:]
	if len(parts) != 4 || !strings.Contains(parts[0], "Its reports would be what is published.") || !strings.Contains(parts[1], "No reports are published for it yet.") {
		t.Fatalf("the dry run said\n%s", said)
	}
	if _, err := b.worker.Backfill(context.Background(), jobs.BackfillOptions{From: b.date(0), To: b.date(3)}); err != nil {
		t.Fatal(err)
	}
	for night := 1; night < 4; night++ {
		for _, want := range []string{
			b.text(t, "SELECT count(*) || ' credit-backs of ' || coalesce(sum(credit_back), 0) || ' credits would be posted' FROM reconciler.credit_backs WHERE decision = 'credited' AND business_date = $1::date", b.date(night).String()),
			b.text(t, "SELECT count(*) FILTER (WHERE decision = 'approve') || ' refund requests would be approved, ' || count(*) FILTER (WHERE decision = 'deny') || ' denied' FROM reconciler.refund_decisions WHERE business_date = $1::date", b.date(night).String()),
		} {
			if !strings.Contains(parts[night], want) {
				t.Errorf("of night %d the backfill says %q, the dry run said\n%s", night, want, parts[night])
			}
		}
		var breaks []struct {
			Event, Kind string
			Count       int
		}
		if err := b.db.Select(&breaks, "SELECT e.event, min(k.kind) AS kind, count(*) FROM reconciler.break_events e JOIN (SELECT DISTINCT break_id, kind FROM reconciler.breaks) k USING (break_id) WHERE e.business_date = $1::date GROUP BY e.event, k.kind", b.date(night).String()); err != nil {
			t.Fatal(err)
		}
		for _, row := range breaks {
			if want := fmt.Sprintf("%s %s %d", row.Event, row.Kind, row.Count); !strings.Contains(strings.Join(strings.Fields(parts[night]), " "), want) {
				t.Errorf("of night %d the backfill says %q, the dry run said\n%s", night, want, parts[night])
			}
		}
	}
	// Something arrives that would change what is published: it is named, row by row.
	if err := b.lateJob("job_zz_late", reconcile.NightOf(b.date(2), time.UTC).Begin.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	parts = strings.Split(rehearse(), "Dry run of ")[1:]
	if !strings.Contains(parts[2], "files would differ from what is published") || !strings.Contains(parts[2], "control_totals.csv: ") || !strings.Contains(parts[2], "    + ") || !strings.Contains(parts[2], "    - ") {
		t.Errorf("of the night that would differ the dry run says\n%s", parts[2])
	}
}

// A long dry run makes way for a worker that waits for its night, and that worker need not come back for it.
func TestDryRunGivesWay(t *testing.T) {
	t.Parallel()
	b := newSmallBusiness(t, 4)
	b.play(t)
	b.run(t, b.date(0))
	other := *b.worker
	other.LockPatience = time.Minute
	nightly := make(chan error, 1)
	started := false
	var said bytes.Buffer
	rehearsing := *b.worker
	rehearsing.Step = func(string) {
		if !started {
			started = true
			go func() { nightly <- other.RunNight(context.Background(), b.date(3)) }()
			for b.text(t, "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == "0" {
				time.Sleep(5 * time.Millisecond)
			}
		}
	}
	_, err := rehearsing.Backfill(context.Background(), jobs.BackfillOptions{From: b.date(1), To: b.date(2), DryRun: &said})
	if !errors.Is(err, jobs.ErrGaveWay) || !errors.Is(err, postgres.ErrUnavailable) {
		t.Errorf("the dry run ended with %v", err)
	}
	if strings.Count(said.String(), "Dry run of ") != 1 {
		t.Errorf("the dry run said\n%s", &said)
	}
	if err := <-nightly; err != nil {
		t.Error(err)
	}
}

// A night that is asked for during a backfill comes next, not after all of it: whoever waits has the turn before the one who comes back for it.
func TestANightGetsItsTurnBesideABackfill(t *testing.T) {
	t.Parallel()
	b := newSmallBusiness(t, 6)
	b.play(t)
	b.run(t, b.date(0))
	other := *b.worker
	other.LockPatience = time.Minute
	nightly := make(chan error, 1)
	var once sync.Once
	backfilling := *b.worker
	backfilling.LockPatience = time.Minute
	backfilling.Step = func(string) {
		once.Do(func() {
			go func() { nightly <- other.RunNight(context.Background(), b.date(5)) }()
			for b.text(t, "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == "0" {
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	if _, err := backfilling.Backfill(context.Background(), jobs.BackfillOptions{From: b.date(1), To: b.date(4)}); err != nil {
		t.Fatal(err)
	}
	if err := <-nightly; err != nil {
		t.Fatal(err)
	}
	order := b.text(t, "SELECT string_agg(business_date::text, ' ' ORDER BY finished_at) FROM reconciler.runs WHERE job = 'night' AND business_date > $1::date", b.date(0).String())
	want := strings.Join([]string{b.date(1).String(), b.date(5).String(), b.date(2).String(), b.date(3).String(), b.date(4).String()}, " ")
	if order != want {
		t.Errorf("the nights were done in the order %s, want %s", order, want)
	}
}
