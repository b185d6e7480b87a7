package stripefeed

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// SyncOptions say what to bring up to date, and how.
type SyncOptions struct {
	Store *postgres.Store
	Date  reconcile.Date // the night that asks
	AsOf  time.Time      // the instant that the tables must be complete through

	// Again reads Stripe even when the tables are complete through AsOf already, and the last 30 days of it anew, payouts included.
	Again bool
}

// Progress is how far a sync has come.
type Progress struct {
	Stream       string // what was just read
	Windows      int    // done, over all streams
	WindowsTotal int
	Rows         int64 // read, over all streams
}

// Result is what a sync came to.
type Result struct {
	Account         string
	Livemode        bool
	CompleteThrough time.Time
	Rows            map[string]int64 // read, by stream
	AlreadyComplete bool             // nothing had to be read
}

// Status is whether Stripe was looked at for a night.
type Status string

// The states of reconciler.stripe_syncs.
const (
	Complete Status = "complete"
	Failed   Status = "failed"
	NoKey    Status = "no_key"
)

// Look says whether the Stripe tables can be trusted for a night.
type Look struct {
	Status  Status // "" when nobody has tried
	Problem string // why not, for people
}

// Complete says whether everything that Stripe had at as-of is in the tables. Without it, nothing about Stripe is clean.
func (l Look) Complete() bool { return l.Status == Complete }

// LookedAt says whether Stripe was looked at for a night.
func LookedAt(ctx context.Context, q postgres.Querier, date reconcile.Date) (Look, error) {
	var rows []struct {
		Status          Status     `db:"status"`
		Problem         string     `db:"problem"`
		CompleteThrough *time.Time `db:"complete_through"`
	}
	if err := q.Select(ctx, &rows, "stripe/looked_at", postgres.Args{"date": date}); err != nil {
		return Look{}, err
	}
	if len(rows) == 0 {
		return Look{Problem: "Stripe has not been asked"}, nil
	}
	return Look{Status: rows[0].Status, Problem: rows[0].Problem}, nil
}

// RecordNoKey notes that a night ran without a key, so that Stripe was not looked at.
func RecordNoKey(ctx context.Context, store *postgres.Store, date reconcile.Date, asOf time.Time) error {
	return record(ctx, store, date, asOf, NoKey, 0, Result{}, "no STRIPE_API_KEY is set")
}

func record(ctx context.Context, store *postgres.Store, date reconcile.Date, asOf time.Time, status Status, through int64, r Result, problem string) error {
	_, err := store.Exec(ctx, "stripe/record_sync", postgres.Args{
		"date": date, "as_of": asOf, "status": string(status), "complete_through": through,
		"stripe_account": r.Account, "livemode": r.Livemode, "problem": problem,
	})
	return err
}

// allStreams is the watermark of a sync that got through to its end.
const allStreams = "all"

// earliest is before the first object of any Stripe account.
var earliest = time.Date(2011, 9, 1, 0, 0, 0, 0, time.UTC)

// Sync brings the tables up to Stripe's clock, less the lag, and notes that for the night. When it returns an error, the night is
// noted as one that Stripe was not looked at for, and what had been read stays: the next sync goes on from there.
func (c *Client) Sync(ctx context.Context, o SyncOptions) (Result, error) {
	s := &syncer{client: c, o: o, log: c.options.Log, rows: map[string]int64{}}
	s.result.Livemode = c.livemode
	err := s.run(ctx)
	s.result.Rows = s.rows
	if err != nil {
		err = fmt.Errorf("sync Stripe for %s: %w", o.Date, err)
		// The note must be made even when the reason is that ctx has ended.
		noteCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return s.result, errors.Join(err, record(noteCtx, o.Store, o.Date, o.AsOf, Failed, 0, s.result, reason(err)))
	}
	return s.result, nil
}

// reason is what a report says about a failed sync: one of a few sentences, so that it reads the same on every rerun.
func reason(err error) string {
	var permission *PermissionError
	switch {
	case errors.As(err, &permission):
		return permission.Error()
	case errors.Is(err, ErrRefused):
		return "the key was refused, or is of another mode or account than before"
	case errors.Is(err, ErrAnomaly):
		return "Stripe's answers contradicted themselves"
	case errors.Is(err, ErrUnavailable):
		return "Stripe could not be reached, or did not answer properly"
	case errors.Is(err, postgres.ErrUnavailable):
		return "the database could not be reached"
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return "the sync was stopped"
	}
	return "the sync failed; its log says why"
}

// syncer is one running sync.
type syncer struct {
	client *Client
	o      SyncOptions
	log    zerolog.Logger
	result Result

	started int64 // Stripe's clock when the sync began
	upper   int64 // windows end here

	mu           sync.Mutex // guards what follows
	rows         map[string]int64
	windowsDone  int
	windowsTotal int
}

// syncLock keeps nights that run side by side from reading the same twice: the second finds everything there.
const syncLock = "sync-stripe"

func (s *syncer) run(ctx context.Context) (err error) {
	lock, err := s.o.Store.TryLock(ctx, syncLock)
	for errors.Is(err, postgres.ErrLockHeld) {
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
		lock, err = s.o.Store.TryLock(ctx, syncLock)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	opened, err := s.identify(ctx)
	if err != nil {
		return err
	}
	watermarks, err := s.watermarks(ctx)
	if err != nil {
		return err
	}
	if through := watermarks[allStreams]; !s.o.Again && through >= s.o.AsOf.Unix() {
		s.result.AlreadyComplete, s.result.CompleteThrough = true, time.Unix(through, 0).UTC()
		return record(ctx, s.o.Store, s.o.Date, s.o.AsOf, Complete, through, s.result, "")
	}
	if err := s.waitForAsOf(ctx); err != nil {
		return err
	}
	if err := s.readWindows(ctx, watermarks, opened); err != nil {
		return err
	}
	if err := s.readSubscriptionsRunning(ctx); err != nil {
		return err
	}
	if err := s.readUnsettled(ctx, watermarks); err != nil {
		return err
	}
	if err := s.readNamed(ctx); err != nil {
		return err
	}
	if err := s.breakDownPayouts(ctx); err != nil {
		return err
	}
	if err := s.readBalance(ctx); err != nil {
		return err
	}
	if err := s.settle(ctx, watermarks[allStreams]); err != nil {
		return err
	}
	if err := s.advance(ctx, allStreams, s.upper); err != nil {
		return err
	}
	s.result.CompleteThrough = time.Unix(s.upper, 0).UTC()
	return record(ctx, s.o.Store, s.o.Date, s.o.AsOf, Complete, s.upper, s.result, "")
}

// identify finds out whose key it is, and refuses another account or mode than the tables are about. It returns when the account
// was opened, 0 if Stripe doesn't say.
func (s *syncer) identify(ctx context.Context) (opened int64, err error) {
	account, at, err := get(ctx, s.client, "/v1/account", "/v1/account", nil, (*account).check)
	var permission *PermissionError
	switch {
	case errors.As(err, &permission) && permission.account != "":
		// A key that may not read the account is told whose it is all the same.
		s.result.Account = permission.account
		if _, at, err = s.balance(ctx); err != nil {
			return 0, err
		}
	case err != nil:
		return 0, err
	default:
		s.result.Account, opened = account.ID, account.Created
	}
	if at.IsZero() {
		return 0, anomalyf("the answers have no date")
	}
	s.started = at.Unix()
	var known []struct {
		StripeAccount string `db:"stripe_account"`
		Livemode      bool   `db:"livemode"`
	}
	if err := s.o.Store.Select(ctx, &known, "stripe/accounts", nil); err != nil {
		return 0, err
	}
	for _, k := range known {
		if k.StripeAccount != s.result.Account || k.Livemode != s.client.livemode {
			return 0, fmt.Errorf("%w: this database's books are of %s (livemode %t), the key is of %s (livemode %t); use a key of the first, or another database",
				ErrRefused, k.StripeAccount, k.Livemode, s.result.Account, s.client.livemode)
		}
	}
	if len(known) > 0 {
		return opened, nil
	}
	_, err = s.o.Store.Exec(ctx, "stripe/remember_account", postgres.Args{
		"stripe_account": s.result.Account, "livemode": s.client.livemode, "seen_at": s.started,
	})
	return opened, err
}

func (s *syncer) watermarks(ctx context.Context) (map[string]int64, error) {
	var rows []struct {
		Stream        string `db:"stream"`
		SyncedThrough int64  `db:"synced_through"`
	}
	err := s.o.Store.Select(ctx, &rows, "stripe/watermarks", postgres.Args{"stripe_account": s.result.Account, "livemode": s.client.livemode})
	marks := map[string]int64{}
	for _, row := range rows {
		marks[row.Stream] = row.SyncedThrough
	}
	return marks, err
}

func (s *syncer) advance(ctx context.Context, stream string, through int64) error {
	_, err := s.o.Store.Exec(ctx, "stripe/advance_watermark", postgres.Args{
		"stripe_account": s.result.Account, "livemode": s.client.livemode, "stream": stream, "synced_through": through,
	})
	return err
}

// waitForAsOf sets the upper bound of all windows by Stripe's clock. Just after as-of it waits until the lag has passed.
func (s *syncer) waitForAsOf(ctx context.Context) error {
	lag, asOf := int64(s.client.options.SyncLag/time.Second), s.o.AsOf.Unix()
	s.upper = s.started - lag
	if s.started < asOf {
		return fmt.Errorf("%w: it is %s at Stripe, and the night ends at %s", ErrUnavailable,
			time.Unix(s.started, 0).UTC().Format(time.RFC3339), s.o.AsOf.UTC().Format(time.RFC3339))
	}
	for s.upper < asOf {
		if err := sleep(ctx, time.Duration(asOf-s.upper)*time.Second); err != nil {
			return err
		}
		_, at, err := s.balance(ctx)
		if err != nil {
			return err
		}
		if at.Unix()-lag <= s.upper {
			return anomalyf("Stripe's clock stands still")
		}
		s.upper = at.Unix() - lag
	}
	return nil
}

// analyzeFrom is how many rows make fresh statistics worth their time.
const analyzeFrom = 5000

// settle does what needs all streams to be there: states are dated by balance transactions, and the planner is told what there is now.
// since is the last sync that got this far: one that failed after it may have left states undated.
func (s *syncer) settle(ctx context.Context, since int64) error {
	var rows int64
	for _, n := range s.rows {
		rows += n
	}
	if rows >= analyzeFrom {
		if _, err := s.o.Store.Exec(ctx, "stripe/analyze", nil); err != nil {
			return err
		}
	}
	return s.o.Store.InTx(ctx, postgres.TxOptions{}, func(ctx context.Context, tx *postgres.Tx) error {
		_, err := tx.Exec(ctx, "stripe/date_states", postgres.Args{"since": since})
		return err
	})
}

func (s *syncer) balance(ctx context.Context) (*balance, time.Time, error) {
	b, at, err := get(ctx, s.client, "/v1/balance", "/v1/balance", nil, (*balance).check)
	if err == nil && b.Livemode != nil && *b.Livemode != s.client.livemode {
		err = fmt.Errorf("%w: the balance is of the other mode than the key", ErrRefused)
	}
	return b, at, err
}

const day = int64(24 * 60 * 60)

// windowSeconds cuts a range into at most about a hundred windows of a day or more.
func windowSeconds(from, to int64) int64 {
	return min(max((to-from)/100, day), 30*day)
}

// window is a part of a stream, and whether all of it is committed.
type window struct {
	from, to int64
	done     bool
}

// windows are the parts of one stream that a sync reads, oldest first.
type windows struct {
	stream stream
	mu     sync.Mutex
	parts  []window
	marked int // parts[:marked] are behind the watermark
}

func (s *syncer) readWindows(ctx context.Context, watermarks map[string]int64, opened int64) error {
	var all []*windows
	longest := 0
	for _, stream := range streams {
		from, err := s.begin(ctx, stream, watermarks, opened)
		if err != nil {
			return err
		}
		w := &windows{stream: stream}
		step := windowSeconds(from, s.upper)
		if _, marked := watermarks[stream.name]; marked && stream.mayReturn {
			step = max(step, (monthDays+2)*day) // there are few of them, and they are read every time
		}
		for ; from < s.upper; from += step {
			w.parts = append(w.parts, window{from: from, to: min(from+step, s.upper)})
		}
		all, longest = append(all, w), max(longest, len(w.parts))
		s.windowsTotal += len(w.parts)
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(s.client.options.SyncParallel)
	// Oldest first, the streams in turns: so that the watermarks move, and no endpoint's limit holds up the others.
	for i := range longest {
		for _, w := range all {
			if i < len(w.parts) {
				group.Go(func() error { return s.readWindow(groupCtx, w, i) })
			}
		}
	}
	return group.Wait()
}

// monthDays is how far back is read what may still fail after it had succeeded, and everything when an earlier sync has missed something.
const monthDays = 30

// pendingDays is how far back balance transactions are listed again as long as one of them is pending; older ones are asked for one by one.
const pendingDays = 14

// begin is where reading a stream begins: some way before the watermark, or with the account.
func (s *syncer) begin(ctx context.Context, stream stream, watermarks map[string]int64, opened int64) (int64, error) {
	mark, ok := watermarks[stream.name]
	if !ok {
		if opened > 0 {
			return opened - day, nil
		}
		return earliest.Unix(), nil
	}
	from := mark - int64(s.client.options.SyncOverlap/time.Second)
	if s.o.Again || stream.mayReturn {
		from = min(from, mark-monthDays*day)
	}
	if stream.name != "balance_transactions" {
		return from, nil
	}
	// There are too many pending ones to ask for one by one, and most are young.
	var oldest int64
	err := s.o.Store.Get(ctx, &oldest, "stripe/oldest_pending_transaction", postgres.Args{"since": mark - pendingDays*day})
	if oldest > 0 {
		from = min(from, oldest)
	}
	return from, err
}

func (s *syncer) readWindow(ctx context.Context, w *windows, index int) error {
	part := w.parts[index]
	if err := w.stream.read(ctx, s, w.stream.listing.window(part.from, part.to)); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.parts[index].done = true
	before := w.marked
	for w.marked < len(w.parts) && w.parts[w.marked].done {
		w.marked++
	}
	s.mu.Lock()
	s.windowsDone++
	s.mu.Unlock()
	s.count(w.stream.name, 0)
	if w.marked == before {
		return nil
	}
	return s.advance(ctx, w.stream.name, w.parts[w.marked-1].to)
}

// count adds rows that were committed, and tells how far the sync has come.
func (s *syncer) count(stream string, rows int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[stream] += int64(rows)
	if s.client.options.Progress == nil {
		return
	}
	p := Progress{Stream: stream, Windows: s.windowsDone, WindowsTotal: s.windowsTotal}
	for _, n := range s.rows {
		p.Rows += n
	}
	s.client.options.Progress(p)
}

// readSubscriptionsRunning reads all subscriptions that aren't over, as they change without anything new being created; and, one by
// one, those that are over since.
func (s *syncer) readSubscriptionsRunning(ctx context.Context) error {
	running := subscriptions.listing
	running.query = nil // Stripe's default: all but the canceled ones
	if err := subscriptions.read(ctx, s, running); err != nil {
		return err
	}
	var ids []string
	if err := s.o.Store.Select(ctx, &ids, "stripe/running_subscriptions_unseen", postgres.Args{"since": s.started}); err != nil {
		return err
	}
	return s.readEach(ctx, named{subscriptions.name: ids}, false)
}

// named are ids by stream.
type named map[string][]string

func (s *syncer) named(ctx context.Context, statement string, args postgres.Args) (named, error) {
	ids := named{}
	err := postgres.Each(ctx, s.o.Store, statement, args, func(row struct {
		Stream string `db:"stream"`
		ID     string `db:"id"`
	}) error {
		ids[row.Stream] = append(ids[row.Stream], row.ID)
		return nil
	})
	return ids, err
}

// readUnsettled asks for the objects again that may still change and that no window has brought.
func (s *syncer) readUnsettled(ctx context.Context, watermarks map[string]int64) error {
	if len(watermarks) == 0 {
		return nil // everything was read just now
	}
	before := s.upper
	for _, stream := range streams {
		before = min(before, watermarks[stream.name])
	}
	ids, err := s.named(ctx, "stripe/unsettled", postgres.Args{
		"before": before - int64(s.client.options.SyncOverlap/time.Second), "since": s.upper - monthDays*day,
		"pending_before": watermarks[transactions.name] - pendingDays*day,
	})
	if err != nil {
		return err
	}
	return s.readEach(ctx, ids, false)
}

// namedSince is how far back purchases are looked at for what they name.
const namedSince = 30 * day

func (s *syncer) readNamed(ctx context.Context) error {
	ids, err := s.named(ctx, "stripe/named_by_purchases", postgres.Args{"since": s.o.AsOf.Unix() - namedSince})
	if err != nil {
		return err
	}
	return s.readEach(ctx, ids, true)
}

// readEach reads single objects. Where an id comes from the platform it may be wrong; Stripe's own ids have to be there.
func (s *syncer) readEach(ctx context.Context, ids named, mayBeWrong bool) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.client.options.SyncParallel)
	for _, name := range slices.Sorted(maps.Keys(ids)) {
		stream := streamByName(name)
		for part := range slices.Chunk(ids[name], 100) {
			group.Go(func() error { return stream.readSome(ctx, s, part, mayBeWrong) })
		}
	}
	return group.Wait()
}

// breakDownPayouts reads which balance transactions each automatic payout paid out.
func (s *syncer) breakDownPayouts(ctx context.Context) error {
	var ids []string
	again := s.upper // payouts since then are broken down even if they were before
	if s.o.Again {
		again -= monthDays * day
	}
	if err := s.o.Store.Select(ctx, &ids, "stripe/payouts_to_break_down", postgres.Args{"again": again}); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.client.options.SyncParallel)
	for _, id := range ids {
		group.Go(func() error { return s.breakDown(ctx, id) })
	}
	return group.Wait()
}

func (s *syncer) breakDown(ctx context.Context, payoutID string) error {
	l := transactions.listing
	l.query = url.Values{"payout": {payoutID}}
	batch := newBatch(s, transactions)
	batch.payout = payoutID
	err := pages(ctx, s.client, l, func(rows []*balanceTransaction, at time.Time) error {
		for _, row := range rows {
			if err := batch.add(ctx, row, at); err != nil {
				return err
			}
		}
		return nil
	})
	if err = batch.finish(ctx, err); err != nil {
		return fmt.Errorf("break down payout %s: %w", payoutID, err)
	}
	_, err = s.o.Store.Exec(ctx, "stripe/mark_broken_down", postgres.Args{"payout_id": payoutID})
	return err
}

// readBalance keeps Stripe's Balance object, if the balance stands still long enough to read the transactions up to it.
func (s *syncer) readBalance(ctx context.Context) error {
	for range 3 {
		before, at, err := s.balance(ctx)
		if err != nil {
			return err
		}
		if err := transactions.read(ctx, s, transactions.listing.window(s.upper, at.Unix()+1)); err != nil {
			return err
		}
		after, _, err := s.balance(ctx)
		if err != nil {
			return err
		}
		available, pending, err := before.byCurrency()
		if err != nil {
			return err
		}
		availableAfter, pendingAfter, err := after.byCurrency()
		if err != nil {
			return err
		}
		if maps.Equal(available, availableAfter) && maps.Equal(pending, pendingAfter) {
			return s.keepBalance(ctx, at.Unix(), available, pending)
		}
	}
	s.log.Info().Msg("Stripe's balance kept moving; this night is not compared with it")
	return nil
}

func (s *syncer) keepBalance(ctx context.Context, at int64, available, pending map[string]int64) error {
	currencies := slices.Sorted(maps.Keys(available))
	a, p := make([]int64, len(currencies)), make([]int64, len(currencies))
	for i, currency := range currencies {
		a[i], p[i] = available[currency], pending[currency]
	}
	_, err := s.o.Store.Exec(ctx, "stripe/insert_balance", postgres.Args{
		"taken_at": at, "currency": currencies, "available_minor": a, "pending_minor": p,
	})
	return err
}
