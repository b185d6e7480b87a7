package jobs_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/night"
)

// A night whose rerun failed after its report was published is told of, and catch-up ends with an integrity error until it is mended: also
// when the rerun had another revision, and when nothing else is due.
func TestCatchUpTellsOfEarlierNightsThatFailed(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	w.Clock = ticking(s.night(3))
	w.play(t, s, crowd(s, 500, 5), 0)
	if _, err := w.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	tell := func(nights ...int) {
		t.Helper()
		troubled, err := night.TroubledNights(t.Context(), w.Store)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, night := range troubled {
			got = append(got, night.BusinessDate.String())
		}
		if want := dates(s, nights...); !slices.Equal(got, want) {
			t.Errorf("troubled are %v, want %v", got, want)
		}
	}
	tell()
	fail := func(i int, status string) { // as a rerun that published another revision leaves it
		w.db.MustExec(`INSERT INTO reconciler.runs SELECT (jsonb_populate_record(r, jsonb_build_object('revision', 2, 'status', $2::text, 'error', 'integrity: x'))).*
			FROM reconciler.runs r WHERE r.job = 'night' AND r.business_date = $1::date AND r.revision = 1`, s.night(i).Date.String(), status)
	}
	fail(1, "failed")
	tell(1)
	result, err := w.CatchUp(t.Context())
	if !errors.Is(err, night.ErrIntegrity) || jobs.Retryable(err) || len(result.Done) != 0 || len(result.Troubled) != 1 {
		t.Errorf("did %v, told of %v, %v", result.Done, result.Troubled, err)
	}
	w.db.MustExec("UPDATE reconciler.runs SET status = 'failed' WHERE job = 'night' AND business_date = $1::date", s.night(3).Date.String())
	tell(1, 3) // the newest is due again
	result, err = w.CatchUp(t.Context())
	if got := len(result.Done); got != 1 || !errors.Is(err, night.ErrIntegrity) {
		t.Errorf("did %d nights, %v", got, err)
	}
	tell(1)
	w.db.MustExec("DELETE FROM reconciler.runs WHERE revision = 2")
	tell()

	// One that nobody ever began is told of, and is nobody's fault.
	w.db.MustExec("DELETE FROM reconciler.runs WHERE business_date = $1::date", s.night(2).Date.String())
	tell(2)
	if result, err = w.CatchUp(t.Context()); err != nil || len(result.Troubled) != 1 || !result.Troubled[0].Missing() {
		t.Errorf("told of %v, %v", result.Troubled, err)
	}

	// While a worker is at a night, nothing is the matter with it; a worker that is gone has left it undone.
	fail(1, "running")
	lock, err := w.Store.TryLock(t.Context(), "night/"+s.night(1).Date.String())
	if err != nil {
		t.Fatal(err)
	}
	tell(2)
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	tell(1, 2)

	// Who closes a month has looked at its nights.
	w.db.MustExec(`INSERT INTO reconciler.periods (period, action_no, action, actor, reason, at) VALUES ($1, 1, 'closed', 'ana', '', now())`, s.night(1).Date.String()[:7])
	tell()
}
