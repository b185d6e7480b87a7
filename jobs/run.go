package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/jobs/books"
	"github.com/hummingbytes/reconciler/jobs/decide"
	"github.com/hummingbytes/reconciler/jobs/match"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/publish"
	"github.com/hummingbytes/reconciler/jobs/refunds"
	"github.com/hummingbytes/reconciler/jobs/source"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports"
	"github.com/hummingbytes/reconciler/reports/storage"
)

// step is one of a night's steps, in what operators call its jobs.
type step struct {
	name string
	run  func(ctx context.Context, n *night.Night, read *source.Reading) (night.Counts, error)
}

// Two steps by what operators call them: the one that reads Stripe, and the one that moves money.
const (
	syncJob    = "sync-stripe"
	refundsJob = "refunds"
)

// steps are those of a night in their order.
func (w *Worker) steps(o runOptions) []step {
	alone := func(run func(ctx context.Context, n *night.Night) (night.Counts, error)) func(context.Context, *night.Night, *source.Reading) (night.Counts, error) {
		return func(ctx context.Context, n *night.Night, _ *source.Reading) (night.Counts, error) { return run(ctx, n) }
	}
	stripe, requests := &match.Stripe{Source: w.Stripe, Onwards: slices.Equal(o.only, []string{syncJob})}, &decide.Requests{}
	return []step{
		{syncJob, alone(stripe.Sync)},
		{"match-jobs", match.Jobs},
		{"credit-backs", decide.CreditBacks},
		{"match-purchases", alone(stripe.Purchases)},
		{"refund-windows", alone(requests.Windows)},
		{"refund-requests", alone(requests.Decide)},
		{refundsJob, alone(func(ctx context.Context, n *night.Night) (night.Counts, error) {
			look, err := stripe.Look(ctx, n)
			if err != nil {
				return nil, err
			}
			return refunds.Run(ctx, n, w.RefundDesk(), look)
		})},
		{"disputes", alone(stripe.Disputes)},
		{"subscriptions", alone(stripe.Subscriptions)},
		{"reports", func(ctx context.Context, n *night.Night, read *source.Reading) (night.Counts, error) {
			return w.report(ctx, n, read, stripe, o)
		}},
	}
}

// report closes the night's books, and publishes its reports. Books that don't tie are published as they are, with the difference,
// and are an integrity error all the same.
func (w *Worker) report(ctx context.Context, n *night.Night, read *source.Reading, stripe *match.Stripe, o runOptions) (night.Counts, error) {
	look, err := stripe.Look(ctx, n)
	if err != nil {
		return nil, err
	}
	counts, booksErr := books.Close(ctx, n, read, look.Complete())
	booksErr = read.Doubt(ctx, n, booksErr)
	if booksErr != nil && !errors.As(booksErr, &books.UntiedBooks{}) {
		return counts, booksErr
	}
	if w.Reports == nil {
		n.Log.Warn().Msg("no reports: REPORTS_URL is not set")
		return counts, booksErr
	}
	published, err := publish.Publish(ctx, n, Names(), look, w.Reports, o.inspect)
	maps.Copy(counts, published)
	return counts, errors.Join(booksErr, err)
}

// Names are the names of a night's jobs in their order.
func Names() []string {
	var names []string
	for _, step := range (&Worker{}).steps(runOptions{}) {
		names = append(names, step.name)
	}
	return names
}

// Worker is everything that stays the same from night to night. Its fields are set once, by cmd.
type Worker struct {
	Store       *postgres.Store
	Policies    reconcile.Policies
	Settings    night.Settings
	Log         zerolog.Logger
	CodeVersion string
	Stripe      match.StripeSource // nil without STRIPE_API_KEY
	// Refunds may create refunds; nil without STRIPE_REFUND_KEY, and then no money can leave.
	Refunds refunds.Gateway
	Reports storage.Storage
	Clock   func() time.Time // for run rows and events of people only; nil: time.Now
	// Progress, when set, is told which job of which night begins, and Ended how long it took.
	Progress func(night reconcile.Date, job string)
	Ended    func(night reconcile.Date, job string, took time.Duration)
	// Large, when set, is told of each night for which statements are not planned once and kept, as there are many rows, before anything of it is read.
	Large func()
	// Step, when set, is called at named steps of every job; kill sweeps hook in here.
	Step func(name string)
	// Drain, once closed, makes the worker finish the job at hand and begin no other; nil: never. The end of the context stops it at once.
	Drain <-chan struct{}
	// LockPatience is how long to wait for another worker that is at another night; 0: not at all. For the same night nobody waits.
	LockPatience time.Duration
}

// RefundDesk is for whoever plans, approves, executes or stops refunds.
func (w *Worker) RefundDesk() *refunds.Desk {
	return &refunds.Desk{Store: w.Store, Policies: w.Policies, Settings: w.Settings.Defaults(), Log: w.Log, Gateway: w.Refunds, Clock: w.now, Step: w.step}
}

// runOptions say how one night is run.
type runOptions struct {
	only       []string        // the jobs to do; none: all, and the night is reported at the end
	unlessDone bool            // a night that is found completed once its lock is taken is left out
	turnTaken  bool            // by the caller, for several nights
	rehearsal  *postgres.Store // when set, everything is done in its transaction, which is rolled back
	asNoted    bool            // the platform's changeable rows are read as they were noted
	matching   night.Matching  // "": as the settings say
	// inspect, in a rehearsal, looks at the prepared reports before they are thrown away.
	inspect func(ctx context.Context, prepared *reports.Prepared) error
}

func (w *Worker) now() time.Time {
	if w.Clock != nil {
		return w.Clock()
	}
	return time.Now()
}

func (w *Worker) step(name string) {
	if w.Step != nil {
		w.Step(name)
	}
}

// RunNight does all jobs of a night in order, or those named. It takes the night's lock first: postgres.ErrLockHeld when another worker
// has it. A job that fails doesn't stop the others; the errors come back joined, ErrIntegrity among them where it applies.
func (w *Worker) RunNight(ctx context.Context, date reconcile.Date, only ...string) (err error) {
	return w.runOpenNight(ctx, date, runOptions{only: only})
}

// runOpenNight runs a night, or only compares it with what was published where its period is closed.
func (w *Worker) runOpenNight(ctx context.Context, date reconcile.Date, o runOptions) error {
	closed, err := loadPeriod(ctx, w.Store, PeriodOf(date))
	if err != nil {
		return fmt.Errorf("night %s: %w", date, err)
	}
	if closed.State != "closed" {
		return w.runNight(ctx, date, o)
	}
	if slices.Equal(o.only, []string{refundsJob}) {
		return w.executeBesideClosedNight(ctx, date)
	}
	return w.runClosedNight(ctx, date)
}

// night is what the steps of a night are handed: it finds out where the night stands, which stays so while the worker has the turn, and has the
// database keep what several of its statements need: their settings, and where there are few rows their plans too.
func (w *Worker) night(ctx context.Context, date reconcile.Date, zone *time.Location, o runOptions) (*night.Night, error) {
	n := night.Night{
		Night: reconcile.NightOf(date, zone), Store: w.Store, Policies: w.Policies, Settings: w.Settings.Defaults(),
		Run: night.Run{CodeVersion: w.CodeVersion, Whole: len(o.only) == 0, Rehearsal: o.rehearsal != nil, AsNoted: o.asNoted, Clock: w.now, Step: w.step},
	}
	n.Settings.Zone = zone
	if o.rehearsal != nil {
		n.Store = o.rehearsal
	}
	if o.matching != "" {
		n.Settings.Matching = o.matching
	}
	n.Log = w.Log.With().Stringer("business_date", date).Time("as_of", n.AsOf()).Logger()
	var standing struct {
		Revision int
		Reported reconcile.Date
		Rows     int64
		IsNew    bool
		Moves    int64

		PolicyVersions int
	}
	limit := n.Settings.Sizes.PlannedRows
	if err := n.Store.Get(ctx, &standing, "runs/standing", postgres.Args{"date": date, "begin": n.Begin, "end": n.End, "policy": n.Policies.Hash(), "limit": limit}); err != nil {
		return nil, err
	}
	n.Revision, n.Run.Reported = standing.Revision, standing.Reported
	n.Run.First = standing.IsNew
	n.Run.PlannedMoves = standing.Moves
	n.Run.PolicyKnown = standing.PolicyVersions == len(n.Policies.Versions())
	n.Run.Few = standing.Rows <= limit && !n.Store.OnCluster() // where statements have to be planned with their values
	if !n.Run.Few && w.Large != nil {
		w.Large()
	}
	w.Store.KeepSessions(night.MatchingTx.Setting(map[string]any{"work_mem": night.MatchingTx.WorkMem}).Settings, n.Run.Few)
	return night.New(n), nil
}

func (w *Worker) runNight(ctx context.Context, date reconcile.Date, o runOptions) (err error) {
	store := w.Store
	if o.rehearsal != nil {
		store = o.rehearsal
	}
	lock, err := store.TryLock(ctx, night.NightLock(date))
	if errors.Is(err, postgres.ErrLockHeld) {
		err = w.atWork(ctx, err)
	}
	if err != nil {
		return fmt.Errorf("night %s: %w", date, err)
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	if !o.turnTaken {
		turn, err2 := w.takeTurn(ctx)
		if errors.Is(err2, postgres.ErrLockHeld) {
			err2 = w.atWork(ctx, err2)
		}
		if err2 != nil {
			return fmt.Errorf("night %s: %w", date, err2)
		}
		defer func() { err = errors.Join(err, turn.Unlock()) }()
	}

	zone, err := keepZone(ctx, store, w.Reports, w.Settings.Defaults().Zone)
	if err != nil {
		return fmt.Errorf("night %s: %w", date, err)
	}
	if o.unlessDone {
		if done, err := isDone(ctx, store, date); err != nil || done {
			return err
		}
	}
	n, err := w.night(ctx, date, zone, o)
	if err != nil {
		return fmt.Errorf("night %s: %w", date, err)
	}
	if _, err := n.Policies.At(n.Begin); err != nil { // nothing of it could be decided, and failure codes would look unknown
		return fmt.Errorf("night %s: %w, when the night begins: give the first version of the policy file an earlier effective_from", date, err)
	}
	if n.Run.Whole || n.Run.First { // on record before anything is read: the next run is not the first
		begun := "night"
		if !n.Run.Whole {
			begun = o.only[0]
		}
		if err := n.BeginRun(ctx, begun, night.EndedRun{}); err != nil {
			return err
		}
	}
	err = w.runSteps(ctx, n, o)
	if n.Run.Whole {
		failed := err != nil
		ended, endErr := n.EndRun("night", nil, err)
		err = errors.Join(err, endErr, n.FinishRun(ended))
		if failed {
			w.tellIndex(ctx, n)
		}
		tellAuditHead(ctx, n)
	}
	return err
}

// tellIndex has the index page say that the run has failed. It was written while the run was still under way.
func (w *Worker) tellIndex(ctx context.Context, n *night.Night) {
	if n.Run.Rehearsal || w.Reports == nil || ctx.Err() != nil {
		return
	}
	if err := publish.Index(ctx, n.Store, w.Reports); err != nil {
		n.Log.Warn().Err(err).Msg("the index page does not tell that this night has failed")
	}
}

// tellAuditHead writes the newest link of the audit log to the worker's log, which is kept elsewhere: whoever rewrote the whole chain would have to
// change that as well. It can't be in the report, whose bytes must not depend on the clock.
func tellAuditHead(ctx context.Context, n *night.Night) {
	if n.Run.Rehearsal || ctx.Err() != nil {
		return
	}
	var head night.AuditHead
	err := n.Store.Get(ctx, &head, "audit/last_link", nil)
	switch {
	case errors.Is(err, sql.ErrNoRows): // nothing was ever changed
	case err != nil:
		n.Log.Warn().Err(err).Msg("the end of the audit log can't be told")
	default:
		n.Log.Info().Str("run", n.RunID()).Int64("link", head.Link).Str("sha256", head.Sha256).Msg("end of the audit log")
	}
}

// takeTurn takes the lock that one night at a time holds, whichever night it is: books, final decisions and the audit log lead from one night to the
// next, so that two at once would get in each other's way. Those who wait get it in the order in which they came, so that a
// long backfill keeps nobody out.
func (w *Worker) takeTurn(ctx context.Context) (*postgres.Lock, error) {
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	go func(drain <-chan struct{}) { // which may outlast this call by a moment
		select {
		case <-drain:
			stop()
		case <-waiting.Done():
		}
	}(w.Drain)
	turn, err := w.Store.AwaitLock(waiting, "nights", w.LockPatience)
	if err != nil && w.stopped(ctx) != nil {
		return nil, w.stopped(ctx)
	}
	return turn, err
}

// isDone says whether the whole night is completed.
func isDone(ctx context.Context, store *postgres.Store, date reconcile.Date) (bool, error) {
	var completed []reconcile.Date
	if err := store.Select(ctx, &completed, "runs/completed_nights", postgres.Args{"from": date, "to": date}); err != nil {
		return false, fmt.Errorf("night %s: %w", date, err)
	}
	return len(completed) > 0, nil
}

// runSteps does the steps, and starts over when the platform was still writing rows of this night: all of its steps must use the same rows.
func (w *Worker) runSteps(ctx context.Context, n *night.Night, o runOptions) error {
	const attempts = 3
	synced, checkBaseline := false, false
	for attempt := 1; ; attempt++ {
		err := w.trySteps(ctx, n, o, attempt, checkBaseline, &synced)
		if !errors.Is(err, source.ErrStillWritten) || attempt == attempts {
			return err
		}
		checkBaseline = checkBaseline || errors.Is(err, source.ErrBaselineChanged)
		n.Log.Warn().Err(err).Msg("starting over: rows of this night have arrived since it was read")
	}
}

// trySteps does the steps but for a sync that is done already.
func (w *Worker) trySteps(ctx context.Context, base *night.Night, o runOptions, attempt int, checkBaseline bool, synced *bool) (err error) {
	begun := *base
	begun.Run.First = base.Run.First && attempt == 1
	n, read, err := w.open(ctx, &begun, checkBaseline)
	if err != nil {
		return fmt.Errorf("night %s: open: %w", base.Date, err)
	}
	defer func() { base.Revision = n.Revision }()
	var ended night.EndedRun // of the step before, which is recorded with the beginning of the next
	defer func() { err = errors.Join(err, n.FinishRun(ended)) }()
	var failures []error
	for _, step := range w.steps(o) {
		if len(o.only) > 0 && !slices.Contains(o.only, step.name) || step.name == syncJob && *synced {
			continue
		}
		if err := w.stopped(ctx); err != nil {
			failures = append(failures, fmt.Errorf("night %s: stopped before %s: %w", n.Date, step.name, err))
			break
		}
		var err error
		ended, err = w.runStep(ctx, n, read, step, ended)
		if errors.Is(err, source.ErrStillWritten) {
			return err
		}
		*synced = *synced || step.name == syncJob && err == nil
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// open reads the night. What it returns reads the first row alone of an id that is there more than once.
func (w *Worker) open(ctx context.Context, base *night.Night, checkBaseline bool) (n *night.Night, read *source.Reading, err error) {
	defer catchPanic(base, "open", &err)
	return source.Open(ctx, base, checkBaseline)
}

// runStep records how the step before ended when it begins its own; it returns how that ended, to be recorded.
func (w *Worker) runStep(ctx context.Context, n *night.Night, read *source.Reading, step step, before night.EndedRun) (ended night.EndedRun, err error) {
	if w.Progress != nil {
		w.Progress(n.Date, step.name)
	}
	if err := n.BeginRun(ctx, step.name, before); err != nil {
		return before, err
	}
	started := n.Now()
	counts, err := runSafely(ctx, n, read, step)
	if err == nil {
		err = tellPlanner(ctx, n, counts)
	}
	if err = read.Doubt(ctx, n, err); err != nil {
		err = fmt.Errorf("night %s: %s: %w", n.Date, step.name, err)
	}
	took := n.Now().Sub(started)
	logJob(n, step.name, counts, took, err)
	if w.Ended != nil {
		w.Ended(n.Date, step.name, took)
	}
	ended, endErr := n.EndRun(step.name, counts, err)
	return ended, errors.Join(err, endErr)
}

// tellPlanner gathers statistics of what a step has added much to, so that plans which were kept from nights that found next to nothing are made anew:
// they look for each row by reading all there are, since there were hardly any.
func tellPlanner(ctx context.Context, n *night.Night, counts night.Counts) error {
	const many = 1000
	changes := counts["credit_backs_posted"]
	for _, breaks := range []string{"breaks_opened", "breaks_reopened", "breaks_changed", "breaks_cleared"} {
		changes += counts[breaks]
	}
	if !n.Run.Few || changes < many {
		return nil
	}
	_, err := n.Store.Exec(ctx, "runs/analyze_changes", nil)
	return err
}

// ErrPanic says that a job panicked: a mistake in the worker, which another try won't mend.
var ErrPanic = errors.New("panic")

// catchPanic makes an error of a panic, so that one mistake is neither the end of the other jobs nor of a long-lived process.
func catchPanic(n *night.Night, job string, err *error) {
	if cause := recover(); cause != nil {
		n.Log.Error().Str("job", job).Str("stack", string(debug.Stack())).Msgf("panic: %v", cause)
		*err = fmt.Errorf("%w: %v", ErrPanic, cause)
	}
}

func runSafely(ctx context.Context, n *night.Night, read *source.Reading, step step) (counts night.Counts, err error) {
	defer catchPanic(n, step.name, &err)
	if err := n.NoteStates(ctx, step.name); err != nil {
		return nil, err
	}
	return step.run(ctx, n, read)
}

// stopped says whether no other job may be begun.
func (w *Worker) stopped(ctx context.Context) error {
	select {
	case <-w.Drain:
		return context.Canceled
	default:
		return ctx.Err()
	}
}

func logJob(n *night.Night, job string, counts night.Counts, took time.Duration, err error) {
	event := n.Log.Info()
	if err != nil {
		event = n.Log.Error().Err(err)
	}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		event = event.Int64(name, counts[name])
	}
	event.Str("run", n.RunID()).Str("job", job).Dur("took_ms", took).Msg("job done")
}

// atWork adds to a lock that is held what its holder is at, as far as that is on record.
func (w *Worker) atWork(ctx context.Context, held error) error {
	var worker struct {
		Worker       string
		BusinessDate reconcile.Date
		Job          string
		StartedAt    time.Time
	}
	if err := w.Store.Get(ctx, &worker, "runs/at_work", nil); err != nil {
		return held // it says enough without
	}
	return fmt.Errorf("%w; begun last: %s of %s, by %s at %s", held, worker.Job, worker.BusinessDate, worker.Worker, worker.StartedAt.UTC().Format(time.RFC3339))
}
