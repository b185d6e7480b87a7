package stripefeed

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

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
	// Onwards reads on to the present when the tables are complete through AsOf already.
	Onwards bool
	// Payouts are broken down again, and Stripe is read for that even when the tables are complete.
	Payouts []string
}

// Progress is how far a sync has come.
type Progress struct {
	Stream     string // what was just read
	Spans      int    // done, over all streams
	SpansTotal int
	Rows       int64 // read, over all streams
}

// Result is what a sync came to.
type Result struct {
	Account         string
	Livemode        bool
	CompleteThrough time.Time
	Rows            map[string]int64 // read, by stream
	AlreadyComplete bool             // nothing had to be read
}

// allStreams is the watermark of a sync that got through to its end.
const allStreams = "all"

// earliest is before the first object of any Stripe account.
var earliest = time.Date(2011, 9, 1, 0, 0, 0, 0, time.UTC)

// Sync brings the tables up to Stripe's clock, less the lag, and notes that for the night. When it returns an error, the night is
// noted as one that Stripe was not looked at for, and what had been read stays: the next sync continues from there.
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

// syncer is one running sync.
type syncer struct {
	client *Client
	o      SyncOptions
	log    zerolog.Logger
	result Result

	started int64 // Stripe's clock when the sync began
	upper   int64 // spans end here

	mu         sync.Mutex // guards what follows
	rows       map[string]int64
	spansDone  int
	spansTotal int
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
	if through := watermarks[allStreams]; !s.o.Again && !s.o.Onwards && len(s.o.Payouts) == 0 && through >= s.o.AsOf.Unix() {
		s.result.AlreadyComplete, s.result.CompleteThrough = true, time.Unix(through, 0).UTC()
		return record(ctx, s.o.Store, s.o.Date, s.o.AsOf, Complete, through, s.result, "")
	}
	if err := s.waitForAsOf(ctx); err != nil {
		return err
	}
	if err := s.readSpans(ctx, watermarks, opened); err != nil {
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
	if err := s.readMovedSince(ctx, watermarks); err != nil {
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
		StripeAccount string
		Livemode      bool
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
		Stream        string
		SyncedThrough int64
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

// waitForAsOf sets the upper bound of all spans by Stripe's clock. Just after as-of it waits until the lag has passed.
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

// capturesAgain is how far back from the last sync, in seconds, captures are looked for again: longer than spans overlap.
const capturesAgain = 4 * day

// settle does what needs all streams to be there: refunds find their charges, captures their amounts and
// states their dates by balance transactions, and the planner is told what there is now.
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
		if _, err := tx.Exec(ctx, "stripe/charges_of_refunds", nil); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "stripe/record_captures", postgres.Args{"since": since - capturesAgain}); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "stripe/date_states", postgres.Args{"since": since})
		return err
	})
}
