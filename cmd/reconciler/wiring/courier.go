package wiring

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/morning"
	"github.com/hummingbytes/reconciler/reconcile"
)

// deliveryPatience is how long a command waits for its messages to be sent before it ends.
const deliveryPatience = time.Minute

// sendingPatience bounds one try to hand a message to one address.
const sendingPatience = 20 * time.Second

// failingFor is how long serve lets a night fail before it says so: run --catch-up tries as long.
const failingFor = CatchUpRetry

// NewCourier wires what tells people of nights.
func NewCourier(c cli.Config, w *jobs.Worker) *morning.Courier {
	return &morning.Courier{
		Store: w.Store, Published: w.Reports, Addresses: c.Notify, Log: c.Log, Clock: WallTime.Now, Patience: sendingPatience,
		Link: func(night reconcile.Date, revision int) string {
			if c.ReportsLink == "" {
				return w.Reports.Location(night, revision, revision)
			}
			return strings.TrimSuffix(c.ReportsLink, "/") + "/" + w.Reports.Folder(night, revision, revision) + "/summary.html"
		},
	}
}

// ExpectNights notes which nights a schedule or a catch-up is about to do.
func ExpectNights(ctx context.Context, courier *morning.Courier, w *jobs.Worker) {
	record, err := w.NightsOnRecord(ctx)
	if err != nil {
		return // the catch-up asks the same, and says so
	}
	courier.Expect(ctx, jobs.DueNights(record, WallTime.Now(), w.Settings.Defaults().Zone))
}

// TellCaughtUp is tellMorning at the end of a command. Nothing that goes wrong here changes how the command ends.
func TellCaughtUp(ctx context.Context, c cli.Config, result jobs.CatchUpResult, err error) {
	if len(c.Notify) == 0 {
		return
	}
	w, closeWorker, wireErr := WireWorker(c)
	if wireErr != nil {
		c.Log.Warn().Err(wireErr).Msg("morning message: not sent")
		return
	}
	defer closeWorker()
	ctx, cancel := context.WithTimeout(ctx, deliveryPatience)
	defer cancel()
	tellMorning(ctx, NewCourier(c, w), w.Settings.Defaults().Zone, result, err)
}

// tellMorning sends what there is to say after a catch-up: of the nights that are published, of those that need a person, and of a failure.
func tellMorning(ctx context.Context, courier *morning.Courier, zone *time.Location, result jobs.CatchUpResult, err error) {
	var troubled []string
	for _, night := range result.Troubled {
		troubled = append(troubled, fmt.Sprintf("%s; %s", night, night.Fix()))
	}
	for _, night := range result.Broken {
		troubled = append(troubled, fmt.Sprintf("%s ended with broken integrity; fix the cause, then: reconciler run --date %s", night, night))
	}
	courier.Deliver(ctx, troubled)
	switch {
	case err == nil || errors.Is(err, context.Canceled):
	case len(troubled) > 0:
		for _, line := range troubled {
			what, fix, _ := strings.Cut(line, "; ")
			courier.TellFailure(ctx, "Reconciliation: "+what, []string{fix, "The log says why."})
		}
	default:
		day := reconcile.DateOf(WallTime.Now().In(zone))
		courier.TellFailure(ctx, fmt.Sprintf("Reconciliation: the night due on %s could not be done", day),
			[]string{"It is done by the next run once the cause is gone; the log says what it is. To see all that is wrong: reconciler check"})
	}
}

// Background tells of nights beside serve's work, one after the other, and never keeps a night waiting.
type Background struct {
	Courier *morning.Courier
	Zone    *time.Location // of the nights
	Now     func() time.Time
	mu      sync.Mutex
	next    *caughtUp // what is still to be told; a later catch-up takes the place of an earlier one
	busy    bool
	failing time.Time // since when catch-ups have failed for now
	telling sync.WaitGroup
}

// caughtUp is how an attempt to catch up ended.
type caughtUp struct {
	result jobs.CatchUpResult
	err    error
}

// Ended takes note of how an attempt ended. What can't be finished for now is worth a message when it has lasted.
func (b *Background) Ended(ctx context.Context, result jobs.CatchUpResult, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil || !jobs.Retryable(err):
		b.failing = time.Time{}
	case b.failing.IsZero():
		b.failing, err = b.Now(), nil
	case b.Now().Sub(b.failing) < failingFor:
		err = nil
	}
	b.next = &caughtUp{result, err}
	if !b.busy {
		b.busy = true
		b.telling.Go(func() { b.tell(ctx) })
	}
}

func (b *Background) tell(ctx context.Context) {
	for {
		b.mu.Lock()
		next := b.next
		b.next, b.busy = nil, next != nil
		b.mu.Unlock()
		if next == nil {
			return
		}
		tellMorning(ctx, b.Courier, b.Zone, next.result, next.err)
	}
}

// Wait gives messages on their way a moment to arrive.
func (b *Background) Wait(stop context.CancelFunc) {
	timer := time.AfterFunc(5*time.Second, stop)
	defer timer.Stop()
	b.telling.Wait()
}
