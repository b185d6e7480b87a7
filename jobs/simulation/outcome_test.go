package simulation

import (
	"slices"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
)

func march(day int) reconcile.Date { return reconcile.Date{Year: 2026, Month: time.March, Day: day} }

func TestCompare(t *testing.T) {
	stuck := Expectation{Kind: reconcile.JobStuck, SubjectID: "job_1", AccountID: "acc_1", FirstNight: march(3), Story: "it hangs"}
	mended := stuck
	mended.ClearsOn = march(5)
	passing := stuck
	passing.Passing = true
	right := Found{Kind: reconcile.JobStuck, SubjectID: "job_1", AccountID: "acc_1", OpenedOn: march(3)}
	early, closed, closedLate, elsewhere := right, right, right, right
	early.OpenedOn = march(2)
	closed.ClosedOn, closedLate.ClosedOn = march(5), march(6)
	elsewhere.AccountID = "acc_2"
	for name, c := range map[string]struct {
		expected []Expectation
		found    []Found
		want     []string
		right    int
	}{
		"nothing":            {},
		"found":              {[]Expectation{stuck}, []Found{right}, nil, 1},
		"mended":             {[]Expectation{mended}, []Found{closed}, nil, 1},
		"passing, open":      {[]Expectation{passing}, []Found{right}, nil, 1},
		"passing, closed":    {[]Expectation{passing}, []Found{closed}, nil, 1},
		"not found":          {[]Expectation{stuck}, nil, []string{"job_stuck job_1 (it hangs): must have been reported on 2026-03-03, and was not"}, 0},
		"twice":              {[]Expectation{stuck}, []Found{right, early}, []string{"job_stuck job_1 (it hangs): was reported 2 times"}, 0},
		"early":              {[]Expectation{stuck}, []Found{early}, []string{"job_stuck job_1 (it hangs): must have been reported on 2026-03-03, and was on 2026-03-02"}, 0},
		"other account":      {[]Expectation{stuck}, []Found{elsewhere}, []string{`job_stuck job_1 (it hangs): belongs to account acc_1, was reported for "acc_2"`}, 0},
		"gone, but there":    {[]Expectation{stuck}, []Found{closed}, []string{"job_stuck job_1 (it hangs): is still there, but was taken for gone on 2026-03-05"}, 0},
		"mended, still open": {[]Expectation{mended}, []Found{right}, []string{"job_stuck job_1 (it hangs): was mended on 2026-03-05, and is still reported"}, 0},
		"mended, cleared late": {[]Expectation{mended}, []Found{closedLate},
			[]string{"job_stuck job_1 (it hangs): was mended on 2026-03-05, and taken for gone on 2026-03-06"}, 0},
		"not planted": {nil, []Found{right}, []string{"job_stuck job_1: reported on 2026-03-03, but nothing is wrong with it"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := compare(c.expected, c.found)
			if !slices.Equal(o.Differences, c.want) {
				t.Errorf("differences %q, want %q", o.Differences, c.want)
			}
			correct := 0
			for _, k := range o.Kinds {
				correct += k.Right
			}
			if correct != c.right {
				t.Errorf("%d right, want %d", correct, c.right)
			}
		})
	}
}

func TestCompareRejects(t *testing.T) {
	planted := Reject{Relation: "jobs", RowID: "job_1", Field: "status", Night: march(2)}
	other := Reject{Relation: "jobs", RowID: "job_2", Field: "kind", Night: march(2)}
	var o Outcome
	o.compareRejects([]Reject{planted}, []Reject{planted})
	if len(o.Differences) > 0 {
		t.Errorf("differences %q, want none", o.Differences)
	}
	o.compareRejects([]Reject{planted}, []Reject{other})
	want := []string{"jobs job_2: rejected on 2026-03-02 for its kind, but nothing is wrong with that",
		"jobs job_1: must have been rejected on 2026-03-02 for its status, and was not"}
	if !slices.Equal(o.Differences, want) {
		t.Errorf("differences %q, want %q", o.Differences, want)
	}
}
