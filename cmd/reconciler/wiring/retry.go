package wiring

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/cmd/reconciler/check"
	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

const (
	// CatchUpRetry is how long run --catch-up goes on trying unless the settings say otherwise: a scheduler comes back once a day.
	CatchUpRetry = 30 * time.Minute
	// Pauses begin with retryFirst, and become as long as retryLast.
	retryFirst = 15 * time.Second
	retryLast  = 2 * time.Minute
)

// Patiently does something again and again while it can't be finished for now, for as long as limit; what another try won't mend ends it at
// once, and so does the end of ctx. Time passes as wallTime says.
func Patiently(ctx context.Context, log zerolog.Logger, limit time.Duration, do func() error) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = retryFirst, retryLast
	began := WallTime.Now()
	for attempt := 1; ; attempt++ {
		err := do()
		if err == nil || ctx.Err() != nil || !jobs.Retryable(err) {
			return err
		}
		pause, spent := pauses.NextBackOff(), WallTime.Now().Sub(began)
		if spent+pause > limit {
			if attempt > 1 {
				return fmt.Errorf("given up after %d attempts in %s: %w", attempt, spent.Round(time.Second), err)
			}
			return err
		}
		message := "could not finish; trying again"
		if errors.Is(err, postgres.ErrLockHeld) {
			message = "another worker has the night; waiting for it"
		}
		log.Warn().Err(err).Int("attempt", attempt).Dur("wait_ms", pause).Dur("left_ms", limit-spent).Msg(message)
		select {
		case <-WallTime.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("%w, while waiting to try again: %w", context.Cause(ctx), err)
		}
	}
}

// OnceFit opens workers for one attempt after the other. Once a database has been fit, one that takes no writes is a failover under way: the
// name may lead to the new primary soon.
func OnceFit() func(ctx context.Context, c cli.Config) (*jobs.Worker, func(), error) {
	fit := false
	return func(ctx context.Context, c cli.Config) (*jobs.Worker, func(), error) {
		w, closeWorker, err := NewWorker(ctx, c)
		if fit {
			err = AwaitPrimary(err)
		}
		fit = fit || err == nil
		return w, closeWorker, err
	}
}

// AwaitPrimary makes a server that takes no writes any more worth another try.
func AwaitPrimary(err error) error {
	if errors.Is(err, check.ErrTakesNoWrites) {
		return fmt.Errorf("%w: %s", postgres.ErrUnavailable, err)
	}
	return err
}
