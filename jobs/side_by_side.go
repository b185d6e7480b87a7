package jobs

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// sideBySide does parts of the night's work that don't depend on each other, each on a connection of its own; in a rehearsal, where all of it
// happens in one transaction, one after the other. The first error ends the others.
func (n *Night) sideBySide(ctx context.Context, parts ...func(ctx context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	if n.rehearsal {
		group.SetLimit(1)
	}
	for _, part := range parts {
		group.Go(func() (err error) {
			defer n.catchPanic("open", &err)
			return part(ctx)
		})
	}
	return group.Wait()
}

// errand is work that is done beside a transaction, which waits for it before it draws conclusions.
type errand struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

// beside begins an errand; in a rehearsal it is done at once. ctx must be that from outside of the transaction.
func (n *Night) beside(ctx context.Context, work func(ctx context.Context) error) *errand {
	ctx, cancel := context.WithCancel(ctx)
	e := &errand{cancel: cancel, done: make(chan struct{})}
	do := func() {
		defer close(e.done)
		defer n.catchPanic("errand", &e.err)
		e.err = work(ctx)
	}
	if n.rehearsal {
		do()
	} else {
		go do()
	}
	return e
}

// wait returns how the errand ended; none at all ended well.
func (e *errand) wait() error {
	if e == nil {
		return nil
	}
	<-e.done
	return e.err
}

// giveUp ends the errand, if it hasn't ended yet, and waits for that.
func (e *errand) giveUp() {
	e.cancel()
	<-e.done
}

// connectionsForTwo is how many connections two jobs at once take, with what each does beside itself, and the night's locks.
const connectionsForTwo = 6

// beginBesides begins the jobs that begin with another one. In a rehearsal, and with few connections, each waits for its own turn.
func (n *Night) beginBesides(ctx context.Context, with Job, wanted []Job) {
	if n.rehearsal || n.Store.MaxConnections() < connectionsForTwo {
		return
	}
	for _, job := range wanted {
		if job.With == with.Name {
			n.recount = newRecount()
			n.besides[job.Name] = n.beside(ctx, func(ctx context.Context) error { return n.runJob(ctx, job) })
		}
	}
}

// endBesides ends the jobs that are still at work beside others, and waits for that.
func (n *Night) endBesides() {
	for _, job := range n.besides {
		job.giveUp()
	}
}

// awaitBesides waits until no job is being done beside others any more. How they ended is on record, and in besideFailures.
func (n *Night) awaitBesides() {
	for _, job := range n.besides {
		<-job.done
	}
}

// besideFailures waits for the jobs beside the others, and returns why they failed.
func (n *Night) besideFailures() (failures []error) {
	for _, name := range slices.Sorted(maps.Keys(n.besides)) {
		failures = append(failures, n.besides[name].wait())
	}
	return failures
}

// recount is what the count of the night's rows after its reading has found: nil, or errStillWritten. What is posted beside the count is only
// committed once that is known. A nil one has found nothing, and keeps nobody waiting.
type recount struct {
	once sync.Once
	done chan struct{}
	err  error
}

func newRecount() *recount { return &recount{done: make(chan struct{})} }

// found tells the outcome to those who wait; only the first one counts. Other errors than errStillWritten are no reason to post nothing.
func (r *recount) found(err error) {
	if r == nil {
		return
	}
	r.once.Do(func() {
		if errors.Is(err, errStillWritten) {
			r.err = err
		}
		close(r.done)
	})
}

func (r *recount) wait(ctx context.Context) error {
	if r == nil {
		return nil
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
