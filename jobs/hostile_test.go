package jobs_test

import (
	"slices"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs"
)

// TestEntriesThatNameNothingAreNotTakenForIdsThatLookTheSame: an entry without a job is shown as entry:ID, and nothing keeps a platform from
// giving a job just that id.
func TestEntriesThatNameNothingAreNotTakenForIdsThatLookTheSame(t *testing.T) {
	unnamed := func(id, kind string, credits int64) entry {
		return entered(id, kind, credits, "", "2026-03-05 12:00:00")
	}
	named := func(id, kind string, credits int64, job string) entry {
		e := unnamed(id, kind, credits)
		e.JobID = &job
		return e
	}
	succeeded := func(id string, cost int64) job { return ran(id, "succeeded", "", cost, "2026-03-05 12:00:00") }
	confused := bought("entry:e3", 10, "2026-03-05 12:00:00")
	clean := bought("entry:self:e3", 10, "2026-03-05 12:00:00")
	p := platform{
		Accounts: customer(),
		Jobs:     []job{succeeded("entry:e1", 5), succeeded("entry:self:e1", 5), succeeded("entry:named:entry:e1", 5), succeeded("entry:e2", 7)},
		Entries: []entry{
			unnamed("e1", "usage", -5), // would pay for entry:e1, which nothing pays for
			named("d1", "usage", -5, "entry:self:e1"), named("d2", "usage", -5, "entry:named:entry:e1"),
			unnamed("e2", "credit_back", 3), named("d3", "usage", -6, "entry:e2"),
			unnamed("e3", "purchase", 10), grantOf(clean),
		},
		Purchases: []purchase{confused, clean},
	}
	want := []string{
		"credit_back_unfounded entry:e2 entry.credits 0 3 -3",
		"debit_amount_mismatch entry:e2 credits 7 6 1",
		"debit_without_job entry:e1 entry.credits 0 5 -5",
		"grant_without_purchase entry:e3 entry.credits 0 10 -10",
		"job_without_debit entry:e1 credits 5 0 5",
		"purchase_without_grant entry:e3 credits 10 0 10",
	}
	s := stage{First: date("2026-03-05"), Nights: 2, Zone: time.UTC}
	w := newWorker(t)
	for _, w.matching = range []jobs.Matching{jobs.MatchFast, jobs.MatchExact} {
		w.reset(t, s.Zone)
		p.load(t, w.db.DB)
		for i := range s.Nights { // the second night looks at them again because they were broken
			if err := w.night(s.night(i)); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, b := range w.published(t, s.night(i).Date)["breaks.csv"] {
				if b["kind"] != "negative_balance" {
					got = append(got, b["kind"]+" "+b["subject_id"]+" "+b["field"]+" "+b["ours"]+" "+b["theirs"]+" "+b["variance"])
				}
			}
			slices.Sort(got)
			compareLines(t, s.night(i).Date, want, got)
		}
	}
}
