package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// Scheduler does nights, and single jobs between them, on their schedules in one long-lived process. One thing at a time: a tick that
// comes while something runs is not made up for, as the next one finds everything that is due. Nothing that a night does ends it.
type Scheduler struct {
	Worker *Worker
	// Nights says when to look for nights that are due; it is also done once at the start.
	Nights Schedule
	// Jobs are single jobs and when to do them, for the night completed last.
	Jobs map[string]Schedule
	// Ready, when set, is asked before anything is done, a single job too; its error counts as that of what was to be done.
	Ready func(ctx context.Context) error
	// Begins, when set, is told before the nights that are due are done.
	Begins func(ctx context.Context)
	// Ended, when set, is told how each attempt to catch up ended.
	Ended func(result CatchUpResult, err error)
	// After is time.After; nil: that. A test may have time pass faster, with the Worker's Clock.
	After func(time.Duration) <-chan time.Time

	mu     sync.Mutex
	status SchedulerStatus
}

// SchedulerStatus is what a probe may want to know.
type SchedulerStatus struct {
	Running  bool      // between the begin of Run and its end
	Working  bool      // a night or a job is being done
	NextTick time.Time // of Nights
	Retry    time.Time // when what could not be finished is tried again; zero: nothing waits for that
	Problem  string    // why the last attempt to catch up did not do everything; empty: it did
	Failed   []string  // single jobs that could not be done the last time, sorted
}

// Status may be called from any goroutine.
func (s *Scheduler) Status() SchedulerStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

func (s *Scheduler) note(change func(*SchedulerStatus)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
}

// Retries of what failed for now begin after retryFirst, and become as rare as retryLast. The next tick is another chance in any case.
const (
	retryFirst = time.Minute
	retryLast  = 30 * time.Minute
	// longestWait bounds one wait, so that clocks that are set and machines that were asleep are noticed.
	longestWait = 5 * time.Minute
)

// Run works until ctx ends, or the worker is drained. What is being done then goes on until the worker stops it.
// Work is done on workCtx, whose end stops it at once.
func (s *Scheduler) Run(ctx, workCtx context.Context) {
	s.note(func(status *SchedulerStatus) { status.Running = true })
	defer s.note(func(status *SchedulerStatus) { status.Running = false })
	now := s.Worker.now()
	next := map[string]time.Time{}
	for job, schedule := range s.Jobs {
		next[job] = schedule.Next(now)
	}
	for nightsAt := now; ctx.Err() == nil; {
		now := s.Worker.now()
		// Where the clock was set back, what was worked out by the one before may be years away.
		nightsAt = earlier(nightsAt, s.Nights.Next(now))
		for job := range next {
			next[job] = earlier(next[job], s.Jobs[job].Next(now))
		}
		if !now.Before(nightsAt) {
			s.catchUp(ctx, workCtx, s.Nights.Next(now))
			nightsAt = s.Nights.Next(s.Worker.now())
			s.note(func(status *SchedulerStatus) { status.NextTick = nightsAt })
			s.Worker.Log.Info().Time("next", nightsAt).Msg("waiting for the next night")
			continue
		}
		soonest := nightsAt
		for _, job := range slices.Sorted(maps.Keys(next)) {
			if ctx.Err() == nil && !now.Before(next[job]) {
				s.single(workCtx, job)
				next[job] = s.Jobs[job].Next(s.Worker.now())
			}
			if next[job].Before(soonest) {
				soonest = next[job]
			}
		}
		s.wait(ctx, min(soonest.Sub(s.Worker.now()), longestWait))
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func (s *Scheduler) wait(ctx context.Context, d time.Duration) {
	after := s.After
	if after == nil {
		after = time.After
	}
	select {
	case <-after(max(d, 0)):
	case <-ctx.Done():
	}
}

// catchUp does the nights that are due, again and again until all are done, something other than patience is needed, or the next tick comes.
func (s *Scheduler) catchUp(ctx, workCtx context.Context, until time.Time) {
	s.note(func(status *SchedulerStatus) { status.NextTick = until })
	defer s.note(func(status *SchedulerStatus) { status.Retry = time.Time{} })
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = retryFirst, retryLast
	for ctx.Err() == nil {
		result, err := s.attempt(workCtx)
		if s.Ended != nil {
			s.Ended(result, err)
		}
		s.report(result, err)
		if err == nil || !Retryable(err) {
			return
		}
		pause := pauses.NextBackOff()
		again := s.Worker.now().Add(pause)
		if !again.Before(until) {
			return
		}
		s.note(func(status *SchedulerStatus) { status.Retry = again })
		s.wait(ctx, pause)
	}
}

func (s *Scheduler) attempt(ctx context.Context) (result CatchUpResult, err error) {
	s.note(func(status *SchedulerStatus) { status.Working, status.Retry = true, time.Time{} })
	defer func() {
		if cause := recover(); cause != nil {
			s.Worker.Log.Error().Str("stack", string(debug.Stack())).Msgf("panic: %v", cause)
			err = fmt.Errorf("%w: %v", ErrPanic, cause)
		}
		s.note(func(status *SchedulerStatus) {
			status.Working, status.Problem = false, ""
			if err != nil {
				status.Problem = err.Error()
			}
		})
	}()
	if s.Ready != nil {
		if err := s.Ready(ctx); err != nil {
			return result, err
		}
	}
	if s.Begins != nil {
		s.Begins(ctx)
	}
	return s.Worker.CatchUp(ctx)
}

func (s *Scheduler) report(result CatchUpResult, err error) {
	log := s.Worker.Log
	for _, night := range result.Done {
		log.Info().Stringer("business_date", night).Msg("night done")
	}
	for _, night := range result.Broken {
		log.Error().Stringer("business_date", night).Msg("night needs a person: it is not done again once a later one is completed")
	}
	for _, night := range result.Troubled {
		log.Error().Stringer("business_date", night.BusinessDate).Str("status", night.Status).Str("fix", night.Fix()).Msg("night needs a person: no schedule does it again")
	}
	switch {
	case err == nil:
	case errors.Is(err, postgres.ErrLockHeld):
		log.Info().Err(err).Msg("another worker has the night")
	case errors.Is(err, context.Canceled):
		log.Info().Err(err).Msg("stopped")
	case Retryable(err):
		log.Warn().Err(err).Msg("could not finish; trying again")
	default:
		log.Error().Err(err).Msg("could not finish")
	}
}

// single does one job of the night completed last.
func (s *Scheduler) single(ctx context.Context, job string) {
	s.note(func(status *SchedulerStatus) { status.Working = true })
	log := s.Worker.Log.With().Str("job", job).Logger()
	failed := true
	defer func() {
		if cause := recover(); cause != nil {
			log.Error().Str("stack", string(debug.Stack())).Msgf("panic: %v", cause)
		}
		s.note(func(status *SchedulerStatus) {
			others := slices.DeleteFunc(slices.Clone(status.Failed), func(name string) bool { return name == job })
			if status.Working, status.Failed = false, others; failed {
				status.Failed = slices.Sorted(slices.Values(append(others, job)))
			}
		})
	}()
	err := s.singleOf(ctx, job)
	failed = err != nil && !errors.Is(err, errNoNightYet)
	switch {
	case err == nil:
	case errors.Is(err, errNoNightYet):
		log.Info().Err(err).Msg("nothing to do the job for")
	case Retryable(err):
		log.Warn().Err(err).Msg("could not finish; the next tick tries again")
	default:
		log.Error().Err(err).Msg("could not finish")
	}
}

var errNoNightYet = errors.New("no night is completed yet")

func (s *Scheduler) singleOf(ctx context.Context, job string) error {
	if s.Ready != nil {
		if err := s.Ready(ctx); err != nil {
			return err
		}
	}
	record, err := s.Worker.NightsOnRecord(ctx)
	if err != nil {
		return err
	}
	if record.Completed.IsZero() {
		return errNoNightYet
	}
	return s.Worker.RunNight(ctx, record.Completed, job)
}
