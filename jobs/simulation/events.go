package simulation

import (
	"container/heap"
	"time"
)

// event is something that happens at an instant; what is planned first happens first when instants are equal.
type event struct {
	at     time.Time
	serial int64
	happen func()
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	if c := q[i].at.Compare(q[j].at); c != 0 {
		return c < 0
	}
	return q[i].serial < q[j].serial
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(e any)   { *q = append(*q, e.(event)) }
func (q *eventQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = event{}
	*q = old[:len(old)-1]
	return last
}

// plan puts an event on the calendar. What would have been in the past happens now.
func (s *Simulation) plan(at time.Time, happen func()) {
	if at.Before(s.now) {
		at = s.now
	}
	s.planned++
	heap.Push(&s.queue, event{at: at, serial: s.planned, happen: happen})
}

// playUntil lets everything happen that is planned before end, in order, and stops at the first failure.
func (s *Simulation) playUntil(end time.Time) {
	for len(s.queue) > 0 && s.queue[0].at.Before(end) && s.failure == nil {
		e := heap.Pop(&s.queue).(event)
		s.advance(e.at)
		e.happen()
	}
	if s.failure == nil {
		s.advance(end)
	}
}

func (s *Simulation) advance(to time.Time) {
	s.now = to
	s.clock.Store(to.UnixMicro())
}
