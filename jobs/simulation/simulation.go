package simulation

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// Options describe the business. The same options give the same business.
type Options struct {
	Seed uint64
	// Start is the first night; with a Trace the zero date is the trace's first day in Zone.
	Start reconcile.Date
	// Nights that will be played, 1 to 3660; with a Trace 0 is all days of it.
	Nights int
	// Zone is the business's time zone; nil is UTC.
	Zone *time.Location
	// Accounts that there are at the beginning; 0 is 300. A few new ones come every night. Without effect on a Trace.
	Accounts int
	// JobsPerNight on an average weekday; 0 is 2000. Without effect on a Trace.
	JobsPerNight int
	// Trace replaces the invented jobs.
	Trace []TraceRow
	// Stripe has everything paid through a double of Stripe (Simulation.Stripe), with fees, refunds, disputes and payouts, and faults of
	// its own. Without it purchases carry ids of charges that are nowhere.
	Stripe bool
	// FaultsPerKind is how many faults of each kind are planted; 0 is 2, below 0 none at all (and no rejected rows).
	FaultsPerKind int
	// IsHoliday is the calendar that reviews are due by; nil: there are no holidays.
	IsHoliday func(reconcile.Date) bool
	// ReviewBusinessDays a refund request may wait; 0 is 7.
	ReviewBusinessDays int
}

// historyDays before the first night have purchases and subscriptions, but no jobs.
const historyDays = 12

func (o *Options) complete() error {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if len(o.Trace) > 0 {
		first := reconcile.DateOf(o.Trace[0].CreatedAt.In(o.Zone))
		last := reconcile.DateOf(o.Trace[len(o.Trace)-1].CreatedAt.In(o.Zone))
		setDefault(&o.Start, first)
		setDefault(&o.Nights, last.DaysSince(o.Start)+1)
		setDefault(&o.Accounts, 10) // apart from those of the trace
	}
	setDefault(&o.Accounts, 300)
	setDefault(&o.JobsPerNight, 2000)
	setDefault(&o.FaultsPerKind, 2)
	setDefault(&o.ReviewBusinessDays, 7)
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("simulation: "+format, args...))
		}
	}
	check(!o.Start.IsZero(), "no start date")
	check(o.Nights >= 1 && o.Nights <= 3660, "%d nights: must be 1 to 3660", o.Nights)
	check(o.Accounts >= 1, "%d accounts: must be at least 1", o.Accounts)
	check(o.JobsPerNight >= 0, "%d jobs a night: must not be negative", o.JobsPerNight)
	return errors.Join(faults...)
}

func setDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

// Simulation is a business being played. It is not safe for concurrent use, but for Clock.
type Simulation struct {
	options Options
	nights  []reconcile.Night
	mint    mint

	now     time.Time
	clock   atomic.Int64 // now in microseconds, for readers on other goroutines
	queue   eventQueue
	planned int64
	played  int // nights
	failure error
	out     *writer

	accounts   []*account
	byGroup    map[string]*account // of a trace
	nextRow    int                 // of the trace
	running    map[*job]struct{}
	jobs       int64
	background *rand.Rand

	stripe     *stripetest.Stripe
	misstated  map[reconcile.Date]string // the currency whose balance Stripe misstates that night
	incomplete map[string]bool           // payouts that Stripe breaks down incompletely

	expected  []Expectation
	rejects   []Reject
	decisions []Decision
	totals    Totals
}

// Totals count what was played so far.
type Totals struct {
	Accounts, Purchases, Jobs, Entries, Requests int64
}

// New prepares a business; nothing is written yet.
func New(o Options) (*Simulation, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	s := &Simulation{
		options: o,
		mint:    mint{seed: o.Seed, serial: make(map[string]uint64)},
		byGroup: make(map[string]*account),
		running: make(map[*job]struct{}),

		misstated: make(map[reconcile.Date]string), incomplete: make(map[string]bool),
	}
	for i := range o.Nights {
		s.nights = append(s.nights, reconcile.NightOf(o.Start.AddDays(i), o.Zone))
	}
	s.background = s.random("background")
	s.advance(reconcile.NightOf(o.Start.AddDays(-historyDays), o.Zone).Begin)
	if o.Stripe {
		s.openStripe()
		s.planDisputes()
		s.planPayouts()
		s.planStripeFees()
		s.planLives()
	}
	s.planHistory()
	s.planRequests()
	if o.FaultsPerKind > 0 {
		s.planFaults()
		s.planRejects()
	}
	if s.failure != nil {
		return nil, fmt.Errorf("simulation: %w", s.failure)
	}
	return s, nil
}

// Nights are the business dates that can be played, in order.
func (s *Simulation) Nights() []reconcile.Night { return s.nights }

// Totals count what was played so far.
func (s *Simulation) Totals() Totals { return s.totals }

// Clock is the simulated time: the end of the night that was played last. It may be called from any goroutine.
func (s *Simulation) Clock() time.Time { return time.UnixMicro(s.clock.Load()).UTC() }

// PlayNight writes everything that happens on a night into the platform's tables of db (schema platform), in one transaction; with the
// first night also what was there before it. Nights must be played in order, each once. After an error the simulation can't go on.
func (s *Simulation) PlayNight(ctx context.Context, db *sql.DB, date reconcile.Date) (err error) {
	if s.failure != nil {
		return fmt.Errorf("play night %s: an earlier one failed: %w", date, s.failure)
	}
	if s.played >= len(s.nights) || s.nights[s.played].Date != date {
		return fmt.Errorf("play night %s: %d of %d nights were played, and they go in order from %s", date, s.played, len(s.nights), s.options.Start)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("play night %s: %w", date, err)
			s.failure = err
		}
	}()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	// A private copy of made-up data: a crash costs nothing but playing it again.
	if _, err := tx.ExecContext(ctx, "SET LOCAL synchronous_commit = off"); err != nil {
		return err
	}
	s.out = newWriter(ctx, tx)
	night := s.nights[s.played]
	if s.played == 0 {
		s.playUntil(night.Begin)
	}
	s.planArrivals(night)
	s.playUntil(night.End)
	s.storeRunning()
	if err := errors.Join(s.failure, s.out.flush()); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.played++
	return s.analyze(ctx, db)
}

// analyze keeps the planner informed, as the autovacuum of a platform in use would: after nights 1, 4, 16, 64 ..
func (s *Simulation) analyze(ctx context.Context, db *sql.DB) error {
	if bits.OnesCount(uint(s.played)) != 1 || bits.TrailingZeros(uint(s.played))%2 != 0 {
		return nil
	}
	for _, relation := range writeOrder {
		if _, err := db.ExecContext(ctx, "ANALYZE platform."+relation); err != nil {
			return err
		}
	}
	return nil
}
