package simulation

import (
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
)

// Expectation is a break that the worker must report.
type Expectation struct {
	Kind        reconcile.BreakKind
	SubjectType string
	SubjectID   string
	AccountID   string
	// FirstNight is the night that must open it.
	FirstNight reconcile.Date
	// ClearsOn is the night that must find it gone, because the platform mended it; the zero date: it stays open.
	ClearsOn reconcile.Date
	// Passing breaks are news of one night: when they are cleared is the worker's to say.
	Passing bool
	// Planted is false for what is wrong in a replayed trace itself.
	Planted bool
	// Story says in a few words what was done.
	Story string
}

// Reject is a row of the source that breaks the contract and that the worker must leave out and list.
type Reject struct {
	Relation, RowID, Field string
	Night                  reconcile.Date
}

// Decision is what the worker must say of a refund request on the night that it arrived.
type Decision struct {
	RequestID string
	Night     reconcile.Date
	Decision  reconcile.Decision
}

// Expected are the breaks that must have been reported by now: after the night that was played last. A mending yet to come is left out.
func (s *Simulation) Expected() []Expectation {
	var due []Expectation
	for _, e := range s.expected {
		if s.played == 0 || e.FirstNight.After(s.lastPlayed()) {
			continue
		}
		if e.ClearsOn.After(s.lastPlayed()) {
			e.ClearsOn = reconcile.Date{}
		}
		due = append(due, e)
	}
	return due
}

// ExpectedRejects are the rows that must have been rejected by now.
func (s *Simulation) ExpectedRejects() []Reject {
	var due []Reject
	for _, r := range s.rejects {
		if s.played > 0 && !r.Night.After(s.lastPlayed()) {
			due = append(due, r)
		}
	}
	return due
}

// ExpectedDecisions are what must have been said by now of the requests that arrived since the first night.
func (s *Simulation) ExpectedDecisions() []Decision {
	var due []Decision
	for _, d := range s.decisions {
		if s.played > 0 && !d.Night.After(s.lastPlayed()) {
			due = append(due, d)
		}
	}
	return due
}

func (s *Simulation) lastPlayed() reconcile.Date { return s.nights[s.played-1].Date }

// expect notes a break that is there from an instant on, and until is mended at another; zero: never.
func (s *Simulation) expect(kind reconcile.BreakKind, subject string, a *account, from, until time.Time, story string) *Expectation {
	rule, _ := kind.Rule()
	e := Expectation{Kind: kind, SubjectType: rule.SubjectType, SubjectID: subject, FirstNight: s.nightOf(from), Planted: true, Story: story}
	if a != nil {
		e.AccountID = a.id
	}
	if !until.IsZero() {
		e.ClearsOn = s.nightOf(until)
	}
	s.expected = append(s.expected, e)
	return &s.expected[len(s.expected)-1]
}

// nightOf is the first played night whose run sees what happened at an instant.
func (s *Simulation) nightOf(t time.Time) reconcile.Date {
	date := reconcile.DateOf(t.In(s.options.Zone))
	if date.Before(s.options.Start) {
		return s.options.Start
	}
	return date
}
