package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
)

// Schedule says when something is due, as cron does, but by the clock on the wall: a local time that the clocks skip in spring comes when
// they have moved on, and one that comes twice in autumn counts once. So every day has the same ticks.
type Schedule struct {
	spec string
	zone *time.Location
	cron cron.Schedule
}

// leastEvery is the shortest @every: the parser makes one second of anything less, of nothing and of what is negative, too.
const leastEvery = time.Minute

// ParseSchedule reads five cron fields ("15 3 * * *"), or @hourly, @daily, @every 30m and the like, in a time zone.
func ParseSchedule(spec string, zone *time.Location) (Schedule, error) {
	s := Schedule{spec: strings.TrimSpace(spec), zone: zone}
	// A time zone of its own within the text would be a second truth, and an unfinished one makes the parser panic.
	if strings.Contains(s.spec, "TZ=") {
		return s, fmt.Errorf("%q: the time zone of a schedule is a setting of its own", spec)
	}
	parsed, err := cron.ParseStandard(s.spec)
	if err != nil {
		return s, fmt.Errorf("%q is no schedule: %w; an example: 15 3 * * * (every day at 03:15)", spec, err)
	}
	if fields, ok := parsed.(*cron.SpecSchedule); ok {
		fields.Location = time.UTC // it sees wall clocks only
	}
	if every, ok := parsed.(cron.ConstantDelaySchedule); ok && every.Delay < leastEvery {
		return s, fmt.Errorf("%q is too often; the least is @every %s", spec, "1m")
	}
	s.cron = parsed
	if s.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return s, fmt.Errorf("%q never comes: there is no such date", spec)
	}
	return s, nil
}

// String is the schedule as it was given.
func (s Schedule) String() string { return s.spec }

// Next is the first tick after t.
func (s Schedule) Next(t time.Time) time.Time {
	if _, ok := s.cron.(*cron.SpecSchedule); !ok {
		return s.cron.Next(t)
	}
	local := t.Add(-clockChange).In(s.zone) // what a change of clocks is about to skip may still be to come
	wall := time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), 0, time.UTC)
	for {
		if wall = s.cron.Next(wall); wall.IsZero() {
			return wall
		}
		if tick := firstInstant(wall, s.zone); tick.After(t) {
			return tick
		}
	}
}

// clockChange is more than clocks are ever put forward or back, changes of the date line aside.
const clockChange = 3 * time.Hour

// firstInstant is when clocks in the zone first show the time on the wall or, where they skip it, a later one.
func firstInstant(wall time.Time, zone *time.Location) time.Time {
	_, before := wall.Add(-36 * time.Hour).In(zone).Zone()
	_, after := wall.Add(36 * time.Hour).In(zone).Zone()
	early := wall.Add(-time.Duration(max(before, after)) * time.Second)
	late := wall.Add(-time.Duration(min(before, after)) * time.Second)
	shows := func(t time.Time) time.Duration { // how far the clocks are past the wall's time
		_, offset := t.In(zone).Zone()
		return t.Add(time.Duration(offset) * time.Second).Sub(wall)
	}
	switch {
	case shows(early) == 0:
		return early.UTC()
	case shows(late) == 0:
		return late.UTC()
	}
	for late.Sub(early) > 1 { // skipped: the change lies between the two
		middle := early.Add(late.Sub(early) / 2)
		if shows(middle) < 0 {
			early = middle
		} else {
			late = middle
		}
	}
	return late.UTC()
}

// ParseJobSchedules reads the schedules of single jobs, as "sync-stripe=@hourly; refunds=30 9 * * 1-5".
func ParseJobSchedules(text string, zone *time.Location) (map[string]Schedule, error) {
	schedules := map[string]Schedule{}
	var faults []error
	for _, part := range strings.Split(text, ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		job, spec, ok := strings.Cut(part, "=")
		job = strings.TrimSpace(job)
		switch _, twice := schedules[job]; {
		case !ok:
			faults = append(faults, fmt.Errorf("%q is not JOB=SCHEDULE", strings.TrimSpace(part)))
			continue
		case !slices.Contains(Names(), job):
			faults = append(faults, fmt.Errorf("there is no job %q; jobs: %s", job, strings.Join(Names(), ", ")))
			continue
		case twice:
			faults = append(faults, fmt.Errorf("job %s has two schedules", job))
			continue
		}
		schedule, err := ParseSchedule(spec, zone)
		if err != nil {
			faults = append(faults, fmt.Errorf("job %s: %w", job, err))
			continue
		}
		schedules[job] = schedule
	}
	return schedules, joined(faults)
}

// NightsOnRecord say where a worker is in the row of nights; zero dates: nowhere yet.
type NightsOnRecord struct {
	Completed reconcile.Date // the newest night that is done
	Begun     reconcile.Date // the oldest that was ever begun
}

// DueNights are the nights to do at an instant, in order: every one after the last completed, up to the newest that is over. Where none
// has been completed they begin with the first that was begun, and where there is none, with the newest: how far back to go is for a
// person to say, with a backfill.
func DueNights(record NightsOnRecord, now time.Time, zone *time.Location) []reconcile.Date {
	yesterday := reconcile.DateOf(now.In(zone)).AddDays(-1)
	first := record.Completed.AddDays(1)
	if record.Completed.IsZero() {
		if first = record.Begun; first.IsZero() {
			first = yesterday
		}
	}
	var due []reconcile.Date
	for date := first; !date.After(yesterday); date = date.AddDays(1) {
		due = append(due, date)
	}
	return due
}

// CatchUpResult is what became of the nights that were due.
type CatchUpResult struct {
	Done   []reconcile.Date
	Broken []reconcile.Date // these ended with ErrIntegrity or ErrPanic; the later ones were done all the same
	// Troubled are nights that this did not do, and that no schedule will: earlier ones whose last run failed, or that were never run.
	Troubled []night.TroubledNight
}

// CatchUp does every night that is due, in order. It stops at the first that can't be finished for now (Retryable), so that no night is
// left behind; one that ended with ErrIntegrity or ErrPanic doesn't stop the later ones, and comes back at the end. An earlier night whose
// last run failed is an ErrIntegrity as well, every time until it is mended.
func (w *Worker) CatchUp(ctx context.Context) (result CatchUpResult, err error) {
	record, err := w.NightsOnRecord(ctx)
	if err != nil {
		return result, err
	}
	var broken error
	for _, day := range DueNights(record, w.now(), w.Settings.Defaults().Zone) {
		if err := w.stopped(ctx); err != nil {
			return result, errors.Join(fmt.Errorf("stopped before night %s: %w", day, err), broken)
		}
		err := w.runOpenNight(ctx, day, runOptions{unlessDone: true})
		switch {
		case err == nil:
			result.Done = append(result.Done, day)
		case Retryable(err) || w.stopped(ctx) != nil:
			return result, errors.Join(err, broken)
		case VerdictOf(err) == Integrity || errors.Is(err, ErrPanic):
			result.Broken = append(result.Broken, day)
			broken = errors.Join(broken, err)
		default:
			return result, errors.Join(err, broken)
		}
	}
	troubled, err := night.TroubledNights(ctx, w.Store)
	if err != nil {
		return result, errors.Join(err, broken)
	}
	for _, found := range troubled {
		if slices.Contains(result.Broken, found.BusinessDate) || !found.Passed {
			continue
		}
		result.Troubled = append(result.Troubled, found)
		if !found.Missing() {
			broken = errors.Join(broken, fmt.Errorf("%w: %s, and no schedule does it again; %s", night.ErrIntegrity, found, found.Fix()))
		}
	}
	return result, broken
}

// NightsOnRecord reads from the database where the worker is.
func (w *Worker) NightsOnRecord(ctx context.Context) (record NightsOnRecord, err error) {
	var nights struct{ Completed, Begun sql.NullTime }
	if err := w.Store.Get(ctx, &nights, "runs/nights_on_record", nil); err != nil {
		return record, fmt.Errorf("find the nights on record: %w", err)
	}
	if nights.Completed.Valid {
		record.Completed = reconcile.DateOf(nights.Completed.Time)
	}
	if nights.Begun.Valid {
		record.Begun = reconcile.DateOf(nights.Begun.Time)
	}
	return record, nil
}

// joined is errors.Join on one line.
func joined(faults []error) error {
	if len(faults) == 0 {
		return nil
	}
	texts := make([]string, len(faults))
	for i, fault := range faults {
		texts[i] = fault.Error()
	}
	return errors.New(strings.Join(texts, "; "))
}
