package jobs

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports"
)

// ErrIntegrity says that the books can't be trusted as they are: control totals don't tie, a circuit breaker tripped, or a closed
// period would change. Nobody should retry it blindly.
var ErrIntegrity = errors.New("integrity")

// Counts are what a job did, for its run row and its log line.
type Counts map[string]int64

// Job is one step of the night.
type Job struct {
	Name string
	Run  func(ctx context.Context, n *Night) (Counts, error)
	// Needs names the jobs without which this one can't do its work; when one of them failed it is skipped.
	Needs []string
	// With names an earlier job with which this one begins, as no other goes by what it leaves behind: all others are done beside it. Money that
	// leaves, and the publication, wait for it.
	With string
}

// All are the jobs of a night in their order.
func All() []Job {
	return []Job{
		{Name: "sync-stripe", Run: syncStripe},
		{Name: "match-jobs", Run: matchJobs},
		{Name: "credit-backs", Run: creditBacks, With: "match-jobs"},
		{Name: "match-purchases", Run: matchPurchases},
		{Name: "refund-windows", Run: refundWindows},
		{Name: "refund-requests", Run: refundRequests},
		{Name: "refunds", Run: refunds},
		{Name: "disputes", Run: disputes},
		{Name: "subscriptions", Run: subscriptions},
		{Name: "reports", Run: reportNight},
	}
}

// Names are the names of All.
func Names() []string {
	var names []string
	for _, job := range All() {
		names = append(names, job.Name)
	}
	return names
}

// Settings are what an operator may set about the night's work.
type Settings struct {
	Zone *time.Location // of business dates
	// AwaitingFor is how old a counterpart between platform and Stripe may become before its absence is a break. Default 24 h.
	AwaitingFor time.Duration
	// JobStuckAfter is how long a job may be queued or running. Default 48 h.
	JobStuckAfter time.Duration
	// RefundStuckAfter is how long a refund may be pending at Stripe, and other money of Stripe's that is announced, before that is a break.
	// Default 10 days.
	RefundStuckAfter time.Duration
	// Matching is MatchFast unless set.
	Matching Matching
	// LateLookbackNights is how many reported nights are checked for rows that turned up since. Default 7.
	LateLookbackNights int
	// CreditBackMaxCount and CreditBackMaxCredits cap what one night may credit back; 0: no cap.
	CreditBackMaxCount   int64
	CreditBackMaxCredits int64
	// CreditBackAnomalyMultiple stops a night that would credit back more than this many times the median of the 30 nights before; 0: never.
	CreditBackAnomalyMultiple int64
	// Chart names the accounts of the journal; the zero value is reconcile.DefaultChart.
	Chart reconcile.Chart
	// Refund is about the execution of refund plans.
	Refund RefundSettings
}

// Defaults fills what was left zero, the caps aside: 0 there means no cap.
func (s Settings) Defaults() Settings {
	if s.Zone == nil {
		s.Zone = time.UTC
	}
	if s.AwaitingFor == 0 {
		s.AwaitingFor = 24 * time.Hour
	}
	if s.JobStuckAfter == 0 {
		s.JobStuckAfter = 48 * time.Hour
	}
	if s.RefundStuckAfter == 0 {
		s.RefundStuckAfter = 10 * 24 * time.Hour
	}
	if s.LateLookbackNights == 0 {
		s.LateLookbackNights = 7
	}
	if s.Chart.IsZero() {
		s.Chart = reconcile.DefaultChart()
	}
	return s
}

// Worker is everything that stays the same from night to night. Its fields are set once, by cmd.
type Worker struct {
	Store       *postgres.Store
	Policies    reconcile.Policies
	Settings    Settings
	Log         zerolog.Logger
	CodeVersion string
	Stripe      StripeSource // nil without STRIPE_API_KEY
	// Refunds may create refunds; nil without STRIPE_REFUND_KEY, and then no money can leave.
	Refunds RefundGateway
	Reports ReportSink
	// DryRun, when set, makes RunNight work everything out, change nothing, and say there what it would have posted.
	DryRun io.Writer
	// rehearsal: what is written to the database will be rolled back, so that nothing may leave it.
	rehearsal bool
	// inspect, in a rehearsal, looks at the prepared reports before they are thrown away.
	inspect func(ctx context.Context, prepared *reports.Prepared) error
	Clock   func() time.Time // for run rows and events of people only, at times asked by two jobs at once; nil: time.Now
	// Progress, when set, is told which job of which night begins, and Ended how long it took; at times by two jobs at once.
	Progress func(night reconcile.Date, job string)
	Ended    func(night reconcile.Date, job string, took time.Duration)
	// Step, when set, is called at named steps of every job, at times by two at once; kill sweeps hook in here.
	Step func(name string)
	// Drain, once closed, makes the worker finish the job at hand and begin no other; nil: never. The end of the context stops it at once.
	Drain <-chan struct{}
	// LockPatience is how long to wait for another worker that is at another night; 0: not at all. For the same night nobody waits.
	LockPatience time.Duration
	// jobs, where a test sets it, are what a night consists of instead of All.
	jobs []Job
	// hasTurn: whoever calls has taken the turn already, for several nights.
	hasTurn bool
	// unlessDone makes RunNight leave out a night that turns out to be completed once it has the lock.
	unlessDone bool
}

// Night is one business date being worked on: what every job is handed.
type Night struct {
	*Worker
	reconcile.Night
	Policy    string   // hash of the policies: what failure classes and versions are stored under
	Revision  int      // the revision of the report that this run works on
	whole     bool     // all jobs are run, and the night is reported at the end
	ambiguous []string // relations of the platform in which an id may be there more than once
	surplus   []surplusRows
	unguarded *postgres.Store // reads every row of every relation; see guardSource
	// command is what runs instead of the night itself, and by whose hand: the audit log says so.
	command struct{ name, actor string }
	reading reading
	// besides are the jobs that have been begun beside others, by name.
	besides map[string]*errand
	// recount is what match-jobs finds when it counts the night's rows again.
	recount *recount
	// appending is held by the job that appends to the audit log; see inAuditedTx.
	appending sync.Mutex
	// ledgerChanged: an earlier night's ledger is no longer what was read, and no late entry explains it.
	ledgerChanged bool
	// lookedBehind: this run has looked at what turned up in the time before the night that opened the books; mustLookBehind: it has to.
	lookedBehind, mustLookBehind bool
	log                          zerolog.Logger
}

func (w *Worker) now() time.Time {
	if w.Clock != nil {
		return w.Clock()
	}
	return time.Now()
}

// processToken tells this process from every other one.
var processToken = rand.Text()

func (w *Worker) token() string { return processToken }

func (w *Worker) step(name string) {
	if w.Step != nil {
		w.Step(name)
	}
}

// args are the parameters nearly every statement of a job takes, and the given ones.
func (n *Night) args(job string, more postgres.Args) postgres.Args {
	args := postgres.Args{"date": n.Date, "job": job}
	for name, value := range more {
		args[name] = value
	}
	return args
}

// span are the parameters of the night's interval.
func (n *Night) span(more postgres.Args) postgres.Args {
	args := postgres.Args{"begin": n.Begin, "end": n.End}
	for name, value := range more {
		args[name] = value
	}
	return args
}

// RunNight does all jobs of a night in order, or those named. It takes the night's lock first: postgres.ErrLockHeld when another worker
// has it. A job that fails doesn't stop the ones that don't need it; the errors come back joined, ErrIntegrity among them where it applies.
func (w *Worker) RunNight(ctx context.Context, date reconcile.Date, only ...string) (err error) {
	if w.DryRun != nil {
		return w.rehearse(ctx, []reconcile.Date{date}, func(_ reconcile.Date, nightErr error) error { return nightErr }, only...)
	}
	closed, err := loadPeriod(ctx, w.Store, PeriodOf(date))
	if err != nil {
		return fmt.Errorf("night %s: %w", date, err)
	}
	if closed.State == "closed" {
		return w.runClosedNight(ctx, date)
	}
	return w.runNight(ctx, date, only...)
}

func (w *Worker) runNight(ctx context.Context, date reconcile.Date, only ...string) (err error) {
	settings := w.Settings.Defaults()
	n := &Night{Worker: w, Night: reconcile.NightOf(date, settings.Zone), Policy: w.Policies.Hash()}
	n.Worker = &Worker{}
	*n.Worker = *w
	n.Worker.Settings = settings
	n.log = w.Log.With().Stringer("business_date", date).Time("as_of", n.AsOf()).Logger()

	lock, err := w.Store.TryLock(ctx, nightLock(date))
	if errors.Is(err, postgres.ErrLockHeld) {
		err = w.atWork(ctx, err)
	}
	if err != nil {
		return fmt.Errorf("night %s: %w", date, err)
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	if !w.hasTurn {
		turn, err2 := w.takeTurn(ctx)
		if errors.Is(err2, postgres.ErrLockHeld) {
			err2 = w.atWork(ctx, err2)
		}
		if err2 != nil {
			return fmt.Errorf("night %s: %w", date, err2)
		}
		defer func() { err = errors.Join(err, turn.Unlock()) }()
	}

	w.Store.KeepStatements()

	if err := n.keepZone(ctx); err != nil {
		return err
	}
	if err := n.findAmbiguous(ctx); err != nil {
		return fmt.Errorf("night %s: look at the source: %w", date, err)
	}
	if err := w.Store.Get(ctx, &n.Revision, "runs/revision", postgres.Args{"date": date}); err != nil {
		return fmt.Errorf("night %s: %w", date, err)
	}
	whole := len(only) == 0
	n.whole = whole
	if w.unlessDone {
		if done, err := n.isDone(ctx); err != nil || done {
			return err
		}
	}
	if whole {
		if err := n.beginRun(ctx, "night"); err != nil {
			return err
		}
	}
	err = n.runJobs(ctx, only)
	if whole {
		failed := err != nil
		err = errors.Join(err, n.finishRun("night", nil, err))
		if failed {
			n.tellIndex(ctx)
		}
		n.tellAuditHead(ctx)
	}
	return err
}

// tellIndex has the index page say that the run has failed. It was written while the run was still under way.
func (n *Night) tellIndex(ctx context.Context) {
	if n.rehearsal || n.Reports == nil || ctx.Err() != nil {
		return
	}
	if err := n.publishIndex(ctx); err != nil {
		n.log.Warn().Err(err).Msg("the index page does not tell that this night has failed")
	}
}

// tellAuditHead puts the end of the audit log's chain into this log, which is kept elsewhere: whoever rewrote the whole chain would have to
// change what was told of it as well. It can't be in the report, whose bytes know no clock.
func (n *Night) tellAuditHead(ctx context.Context) {
	if n.rehearsal || ctx.Err() != nil {
		return
	}
	var head struct {
		Link   int64
		Sha256 string
	}
	err := n.Store.Get(ctx, &head, "audit/last_link", postgres.Args{})
	switch {
	case errors.Is(err, sql.ErrNoRows): // nothing was ever changed
	case err != nil:
		n.log.Warn().Err(err).Msg("the end of the audit log can't be told")
	default:
		n.log.Info().Str("run", n.runID()).Int64("link", head.Link).Str("sha256", head.Sha256).Msg("end of the audit log")
	}
}

// takeTurn takes the lock that one night at a time holds, whichever it is: nights are chained by their books, the decisions that are final
// and the audit log, so that two at once would stand in each other's way. Those who wait get it in the order in which they came, so that a
// long backfill keeps nobody out.
func (w *Worker) takeTurn(ctx context.Context) (*postgres.Lock, error) {
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-w.Drain:
			stop()
		case <-waiting.Done():
		}
	}()
	turn, err := w.Store.AwaitLock(waiting, "nights", w.LockPatience)
	if err != nil && w.stopped(ctx) != nil {
		return nil, w.stopped(ctx)
	}
	return turn, err
}

// isDone says whether the whole night is completed.
func (n *Night) isDone(ctx context.Context) (bool, error) {
	var completed []reconcile.Date
	if err := n.Store.Select(ctx, &completed, "runs/completed_nights", postgres.Args{"from": n.Date, "to": n.Date}); err != nil {
		return false, fmt.Errorf("night %s: %w", n.Date, err)
	}
	return len(completed) > 0, nil
}

func (n *Night) order() []Job {
	if n.jobs != nil {
		return n.jobs
	}
	return All()
}

// runJobs does the jobs, and starts over when the platform was still writing rows of this night: all of its jobs have to go by the same rows.
func (n *Night) runJobs(ctx context.Context, only []string) error {
	const attempts = 3
	done := map[string]bool{}
	for attempt := 1; ; attempt++ {
		err := n.tryJobs(ctx, only, done)
		if !errors.Is(err, errStillWritten) || attempt == attempts {
			return err
		}
		n.log.Warn().Err(err).Msg("starting over: rows of this night have turned up since it was read")
	}
}

// tryJobs does the jobs but for a sync that is done already.
func (n *Night) tryJobs(ctx context.Context, only []string, done map[string]bool) error {
	if err := n.open(ctx); err != nil {
		return fmt.Errorf("night %s: open: %w", n.Date, err)
	}
	wanted := slices.DeleteFunc(slices.Clone(n.order()), func(job Job) bool {
		return len(only) > 0 && !slices.Contains(only, job.Name) || job.Name == "sync-stripe" && done[job.Name]
	})
	n.besides, n.recount = map[string]*errand{}, nil
	defer n.endBesides()
	var failures []error
	failed := map[string]bool{}
	for _, job := range wanted {
		if _, begun := n.besides[job.Name]; begun {
			continue
		}
		if err := n.stopped(ctx); err != nil {
			failures = append(failures, fmt.Errorf("night %s: stopped before %s: %w", n.Date, job.Name, err))
			break
		}
		if slices.ContainsFunc(job.Needs, func(name string) bool { return failed[name] || n.besides[name].wait() != nil }) {
			failed[job.Name] = true
			n.log.Warn().Str("job", job.Name).Msg("skipped: a job that it needs has failed")
			if err := n.skipRun(ctx, job.Name); err != nil {
				failures = append(failures, err)
			}
			continue
		}
		n.beginBesides(ctx, job, wanted)
		err := n.runJob(ctx, job)
		n.recount.found(err)
		if errors.Is(err, errStillWritten) {
			return err
		}
		done[job.Name] = err == nil
		if err != nil {
			failed[job.Name] = true
			failures = append(failures, err)
		}
	}
	return errors.Join(append(failures, n.besideFailures()...)...)
}

func (n *Night) runJob(ctx context.Context, job Job) (err error) {
	if n.Progress != nil {
		n.Progress(n.Date, job.Name)
	}
	if err := n.beginRun(ctx, job.Name); err != nil {
		return err
	}
	started := n.now()
	counts, err := n.runSafely(ctx, job)
	if err != nil {
		err = fmt.Errorf("night %s: %s: %w", n.Date, job.Name, err)
	}
	took := n.now().Sub(started)
	n.logJob(job.Name, counts, took, err)
	if n.Ended != nil {
		n.Ended(n.Date, job.Name, took)
	}
	return errors.Join(err, n.finishRun(job.Name, counts, err))
}

// ErrPanic says that a job panicked: a mistake in the worker, which another try won't mend.
var ErrPanic = errors.New("panic")

// catchPanic makes an error of a panic, so that one mistake is neither the end of the other jobs nor of a long-lived process.
func (n *Night) catchPanic(job string, err *error) {
	if cause := recover(); cause != nil {
		n.log.Error().Str("job", job).Str("stack", string(debug.Stack())).Msgf("panic: %v", cause)
		*err = fmt.Errorf("%w: %v", ErrPanic, cause)
	}
}

func (n *Night) runSafely(ctx context.Context, job Job) (counts Counts, err error) {
	defer n.catchPanic(job.Name, &err)
	if err := n.noteStates(ctx, job.Name); err != nil {
		return nil, err
	}
	return job.Run(ctx, n)
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

func (n *Night) logJob(job string, counts Counts, took time.Duration, err error) {
	event := n.log.Info()
	if err != nil {
		event = n.log.Error().Err(err)
	}
	for _, name := range slices.Sorted(mapsKeys(counts)) {
		event = event.Int64(name, counts[name])
	}
	event.Str("run", n.runID()).Str("job", job).Dur("took_ms", took).Msg("job done")
}

func mapsKeys(c Counts) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for name := range c {
			if !yield(name) {
				return
			}
		}
	}
}

// runID names a run the same way in every rerun, so that reports can carry it.
func (n *Night) runID() string { return fmt.Sprintf("%s/r%d", n.Date, n.Revision) }

func (n *Night) beginRun(ctx context.Context, job string) error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	_, err = n.Store.Exec(ctx, "runs/begin", n.args(job, postgres.Args{
		"revision": n.Revision, "as_of": n.AsOf(), "worker": fmt.Sprintf("%s/%d", host, os.Getpid()),
		"code_version": n.CodeVersion, "policy_version": n.policyVersion(), "at": n.now(),
	}))
	if err != nil {
		return fmt.Errorf("night %s: begin %s: %w", n.Date, job, err)
	}
	return nil
}

// errSkipped is how the run of a job ends that was not begun.
var errSkipped = errors.New("a job that it needs has failed")

// skipRun puts on record that a job was left out: an earlier attempt's row would say otherwise.
func (n *Night) skipRun(ctx context.Context, job string) error {
	if err := n.beginRun(ctx, job); err != nil {
		return err
	}
	return n.finishRun(job, nil, errSkipped)
}

// finishRun records how a run ended, also when the context is what ended it.
func (n *Night) finishRun(job string, counts Counts, runErr error) error {
	status, text := "completed", ""
	switch {
	case errors.Is(runErr, context.Canceled):
		status, text = "stopped", "stopped before it was done"
	case errors.Is(runErr, errSkipped):
		status, text = "skipped", runErr.Error()
	case runErr != nil:
		status, text = "failed", runErr.Error()
	}
	if counts == nil {
		counts = Counts{}
	}
	encoded, err := json.Marshal(counts)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err = n.Store.Exec(ctx, "runs/finish", n.args(job, postgres.Args{
		"revision": n.Revision, "status": status, "counts": string(encoded), "error": text, "at": n.now(),
	}))
	if err != nil {
		return fmt.Errorf("night %s: finish %s: %w", n.Date, job, err)
	}
	return nil
}

// policyVersion is the version in force at the night's end; jobs and purchases of the night may go by an earlier one.
func (n *Night) policyVersion() string {
	version, err := n.Policies.At(n.AsOf())
	if err != nil {
		return ""
	}
	return version.Version
}
