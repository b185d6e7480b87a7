package jobs

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/policyfile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// TestSkippedJobsAreOnRecord: a job that is left out because one that it needs has failed says so, also where an earlier attempt got to it.
func TestSkippedJobsAreOnRecord(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	store, err := postgres.Open(postgres.Options{URL: db.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	policies, err := policyfile.Default()
	if err != nil {
		t.Fatal(err)
	}
	var broken error
	run := func(context.Context, *Night) (Counts, error) { return nil, nil }
	w := &Worker{Store: store, Policies: policies, Log: zerolog.Nop(), jobs: []Job{
		{Name: "match-jobs", Run: func(context.Context, *Night) (Counts, error) { return nil, broken }},
		{Name: "credit-backs", Run: run, Needs: []string{"match-jobs"}},
		{Name: "refund-windows", Run: run, Needs: []string{"credit-backs"}},
		{Name: "subscriptions", Run: run},
	}}
	date := reconcile.Date{Year: 2026, Month: time.March, Day: 5}
	for _, attempt := range []struct {
		failure error
		want    string
	}{
		{nil, "completed completed completed completed"},
		{errors.New("disk full"), "failed skipped skipped completed"},
		{nil, "completed completed completed completed"},
	} {
		broken = attempt.failure
		if err := w.RunNight(t.Context(), date); !errors.Is(err, broken) {
			t.Fatal(err)
		}
		var statuses []string
		if err := db.Select(&statuses, "SELECT status FROM reconciler.runs WHERE job <> 'night' ORDER BY job = 'subscriptions', job = 'refund-windows', job = 'credit-backs'"); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(statuses, " "); got != attempt.want {
			t.Errorf("with failure %v: %s, want %s", attempt.failure, got, attempt.want)
		}
	}
}
