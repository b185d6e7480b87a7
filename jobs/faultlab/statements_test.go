package faultlab_test

import (
	"context"
	"database/sql/driver"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// place is one moment at which a statement can fail: before it acts, or after it has.
type place struct {
	nth       int
	done      bool
	statement string
}

func (p place) String() string {
	when := "before"
	if p.done {
		when = "after"
	}
	return fmt.Sprintf("statement %d (%s) failing %s it acted", p.nth, p.statement, when)
}

// counting counts the moments of a run; failing at one of them when it is told to.
type counting struct {
	seen   atomic.Int64
	at     int64 // 0: never
	mu     sync.Mutex
	places []place
	hit    atomic.Bool
	// finished counts the runs that were put on record as done, up to the fault.
	finished atomic.Int64
}

func (c *counting) intercept(_ context.Context, statement string, done bool) error {
	nth := c.seen.Add(1)
	if c.at == 0 {
		c.mu.Lock()
		c.places = append(c.places, place{int(nth), done, statement})
		c.mu.Unlock()
	}
	if nth == c.at {
		c.hit.Store(true)
		return driver.ErrBadConn
	}
	if statement == "runs/finish" && done && !c.hit.Load() {
		c.finished.Add(1)
	}
	return nil
}

// TestEveryStatementOfARefundMayFail fails the execution of a plan at every statement, before it acted and after, commits included. Run
// again, it always ends where the faultless execution ends.
func TestEveryStatementOfARefundMayFail(t *testing.T) {
	t.Parallel()
	failEveryStatement(t, false, 6)
}

// TestEveryStatementOfANightMayFail does the same to a whole night that executes an approved plan among its jobs.
func TestEveryStatementOfANightMayFail(t *testing.T) {
	t.Parallel()
	failEveryStatement(t, true, 2)
}

func failEveryStatement(t *testing.T, night bool, most int) {
	w := start(t)
	run := func(l *lab, c *counting) error {
		worker, closeWorker := l.must(night)
		defer closeWorker()
		worker.Store.Intercept = c.intercept
		if night {
			l.clock.set(nightTime)
			return worker.RunNight(context.Background(), secondDay)
		}
		_, err := worker.RefundDesk().Execute(context.Background(), w.planID, "Carol")
		return err
	}
	clean := w.open(t)
	places := &counting{}
	if err := run(clean, places); err != nil {
		t.Fatal(err)
	}
	want := clean.ending()
	clean.holds(true)
	clean.drop()
	var counts tally
	t.Run("place", func(t *testing.T) {
		sweep(t, sample(places.places, most), func(t *testing.T, p place) {
			l := w.open(t)
			fault := &counting{at: int64(p.nth)}
			err := run(l, fault)
			violations := l.violations(false)
			// What comes after the night is on record as completed is only told to its log: it need not fail.
			if err == nil && fault.hit.Load() && (!night || fault.finished.Load() < places.finished.Load()) {
				violations = append(violations, "the run says that all is well")
			}
			l.again(night)
			violations = append(violations, l.violations(true)...)
			if diff := l.ending().differs(want); diff != "" {
				violations = append(violations, diff)
			}
			counts.add(2, fault.hit.Load(), violations, t, p.String())
		})
	})
	counts.tell(t, "statement sweep")
}
