package jobs

import (
	"context"

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

// wait returns how the errand ended.
func (e *errand) wait() error {
	<-e.done
	return e.err
}

// giveUp ends the errand, if it hasn't ended yet, and waits for that.
func (e *errand) giveUp() {
	e.cancel()
	<-e.done
}
