package books

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/accounting"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// ledgerEntries is what the ledger's entries of a night say by kind, in credits, and how many there are; and how much of it was read, and is there now.
type ledgerEntries struct {
	Purchases         whole
	Promotions        whole
	Usage             whole
	CreditBacks       whole
	Refunds           whole
	Adjustments       whole
	LateItems         whole
	Debits            int64
	CreditBackEntries int64
	LateEntries       int64
	ReadRows, RowsNow numbers.Number
	ReadCredits       numbers.Number
}

// journal writes a night's entries in batches, checked one by one.
type journal struct {
	night *night.Night
	tx    *postgres.Tx
	rows  []journalRow
	count int64
}

// journalRow is a row of reconciler.journal_lines.
type journalRow struct {
	AccountID     string      `json:"account_id"`
	EntryID       string      `json:"entry_id"`
	LineNo        int         `json:"line_no"`
	Kind          string      `json:"kind"`
	Role          string      `json:"role"`
	LedgerAccount string      `json:"ledger_account"`
	Currency      string      `json:"currency"`
	AmountMinor   json.Number `json:"amount_minor"`
	Description   string      `json:"description"`
	Source        string      `json:"source"`
	Clause        string      `json:"clause"`
}

// post adds entries, and refuses one that doesn't balance.
func (j *journal) post(ctx context.Context, entries ...accounting.JournalEntry) error {
	for _, e := range entries {
		if err := e.Check(); err != nil {
			return fmt.Errorf("%w: %w", night.ErrIntegrity, err)
		}
		j.count++
		for i, line := range e.Lines {
			j.rows = append(j.rows, journalRow{
				AccountID: e.AccountID, EntryID: e.ID, LineNo: i + 1, Kind: string(e.Kind), Role: string(line.Role),
				LedgerAccount: j.night.Settings.Chart.Name(line.Role, line.Currency), Currency: line.Currency,
				AmountMinor: json.Number(line.Amount.String()), Description: e.Description, Source: e.Source, Clause: e.Clause,
			})
		}
	}
	if len(j.rows) < postgres.BatchRows {
		return nil
	}
	return j.flush(ctx)
}

func (j *journal) flush(ctx context.Context) error {
	err := postgres.WriteRows(ctx, j.tx, "books/add_lines", nil, j.rows)
	j.rows = j.rows[:0]
	return err
}

// reach is how far the journal of the night before went: this night's continues from there.
type reach struct {
	BooksBegin    time.Time
	StripeThrough time.Time
	StripeOpened  bool
}

// keepJournal writes the night's double-entry journal from its roll-forward, its refund windows, and Stripe's balance transactions. It
// needs the night's refund windows: without them it writes nothing, and errWindowsMissing says so.
func keepJournal(ctx context.Context, n *night.Night, tx *postgres.Tx, ledger ledgerEntries, lots lotTotals, rollsOn, looked bool) (int64, error) {
	if err := n.Forget(ctx, tx, "books/clear_journal"); err != nil {
		return 0, err
	}
	var around struct {
		reach
		Continues     bool
		WindowsStated bool
		BeginsAfter   bool
		Recognizes    bool
	}
	if err := tx.Get(ctx, &around, "books/journals_around", nil); err != nil {
		return 0, err
	}
	if !around.WindowsStated {
		return 0, errWindowsMissing
	}
	continues, from := rollsOn && around.Continues, around.reach
	if !continues {
		from = reach{BooksBegin: n.Begin, StripeThrough: n.Begin}
	}
	if around.BeginsAfter {
		n.Log.Warn().Stringer("next", n.Date.AddDays(1)).Msg("the journal of the night after was begun before this one's: repeat that night, so that it continues from here")
	}
	j := &journal{night: n, tx: tx.With(postgres.Args{
		"continues": continues, "books_begin": from.BooksBegin, "begin_date": n.DateOf(from.BooksBegin), "from": from.StripeThrough, "opens": !from.StripeOpened,
		"moved_since": from.StripeThrough.AddDate(0, 0, -clearedFor),
	})}
	for _, step := range []func() error{
		func() error {
			if continues {
				return nil
			}
			return j.opening(ctx)
		},
		func() error { return j.purchases(ctx) },
		func() error { return j.windows(ctx) },
		func() error {
			if lots.Refunded == 0 {
				return nil
			}
			return j.refunds(ctx)
		},
		func() error { return j.movements(ctx, ledger) },
		func() error { return j.credits(ctx, ledger) },
		func() error { return j.stripe(ctx, from, looked, around.Recognizes) },
		func() error { return j.flush(ctx) },
	} {
		if err := step(); err != nil {
			return 0, err
		}
	}
	if err := j.balanceAccounts(ctx); err != nil {
		return 0, err
	}
	_, err := j.tx.Exec(ctx, "books/split_liability", nil)
	return j.count, err
}

// errWindowsMissing: the job refund-windows has not stated the night's windows.
var errWindowsMissing = errors.New("the night has no journal: its refund windows are not stated; repeat the night once refund-windows can be done")

// whole is a whole number of any size, as statements give sums. Null is none.
type whole struct{ *big.Int }

func (w *whole) Scan(src any) error {
	var n numbers.Number
	if err := n.Scan(src); err != nil {
		return err
	}
	if !n.Known() {
		return errors.New("null where there has to be a number")
	}
	w.Int = n.Big()
	return nil
}

func (w whole) Value() (driver.Value, error) { return w.String(), nil }

// opening brings in what was owed before the first night.
func (j *journal) opening(ctx context.Context) error {
	var refundable, rolled []struct {
		Currency string
		Opening  whole
	}
	if err := j.tx.Select(ctx, &refundable, "books/refundable", nil); err != nil {
		return err
	}
	if err := j.tx.Select(ctx, &rolled, "books/openings", nil); err != nil {
		return err
	}
	credits := new(big.Int)
	var liabilities []accounting.Liability
	for _, r := range rolled {
		if r.Currency == accounting.CreditUnit {
			credits = r.Opening.Int
			continue
		}
		l := accounting.Liability{Currency: r.Currency, Total: r.Opening.Int, Refundable: new(big.Int)}
		for _, part := range refundable {
			if part.Currency == r.Currency {
				l.Refundable = part.Opening.Int
			}
		}
		liabilities = append(liabilities, l)
	}
	return j.post(ctx, accounting.PostOpening(j.night.Date, credits, liabilities)...)
}

func (j *journal) purchases(ctx context.Context) error {
	after := ""
	for more := true; more; {
		var batch []struct {
			AccountID   string
			PurchaseID  string
			Kind        string
			Credits     int64
			AmountMinor int64
			FromBalance int64 `db:"from_balance_minor"`
			TaxMinor    int64
			Currency    string
			CompletedAt time.Time
			Late        bool `db:"is_late"`
		}
		if err := j.tx.Select(ctx, &batch, "books/journal_purchases", postgres.Args{"after": after, "limit": postgres.BatchRows}); err != nil || len(batch) == 0 {
			return err
		}
		after, more = batch[len(batch)-1].PurchaseID, len(batch) == postgres.BatchRows
		for _, p := range batch {
			entries := accounting.PostPurchase(j.night.Date, accounting.BookedPurchase{
				AccountID: p.AccountID, PurchaseID: p.PurchaseID, Kind: p.Kind, Credits: p.Credits, AmountMinor: p.AmountMinor,
				TaxMinor: p.TaxMinor, FromBalanceMinor: p.FromBalance, Currency: p.Currency, CompletedOn: j.night.DateOf(p.CompletedAt), Late: p.Late,
			})
			if err := j.post(ctx, entries...); err != nil {
				return err
			}
		}
	}
	return nil
}

func (j *journal) windows(ctx context.Context) error {
	var changes []struct {
		Currency string
		State    reconcile.WindowState
		Closed   bool
		Count    int64
		Amount   whole
	}
	if err := j.tx.Select(ctx, &changes, "books/window_changes", nil); err != nil {
		return err
	}
	for _, c := range changes {
		err := j.post(ctx, accounting.PostWindowChange(j.night.Date, accounting.WindowChange{
			Currency: c.Currency, State: c.State, Closed: c.Closed, Count: c.Count, Amount: c.Amount.Int,
		})...)
		if err != nil {
			return err
		}
	}
	return nil
}

func (j *journal) refunds(ctx context.Context) error {
	var rows []struct {
		AccountID     string
		PurchaseID    string
		Currency      string
		AmountMinor   int64
		TaxMinor      int64
		FromBalance   int64 `db:"from_balance_minor"`
		Direction     int
		Late          bool `db:"is_late"`
		ValueBefore   whole
		ValueAfter    whole
		WasRefundable bool
		WithheldMinor int64
	}
	if err := j.tx.Select(ctx, &rows, "books/journal_refunds", nil); err != nil {
		return err
	}
	for _, r := range rows {
		lot := accounting.RefundedLot{
			AccountID: r.AccountID, PurchaseID: r.PurchaseID, Currency: r.Currency, PaidMinor: r.AmountMinor, TaxMinor: r.TaxMinor, FromBalanceMinor: r.FromBalance,
			WasRefundable: r.WasRefundable && r.Direction < 0, WithheldMinor: r.WithheldMinor, Reversed: r.Direction > 0, Late: r.Late,
			ValueBefore: r.ValueBefore.Int, ValueAfter: r.ValueAfter.Int,
		}
		if err := j.post(ctx, accounting.PostRefund(j.night.Date, lot)...); err != nil {
			return err
		}
	}
	return nil
}

func (j *journal) movements(ctx context.Context, ledger ledgerEntries) error {
	var rows []struct {
		Currency                                                string
		Usage, CreditBacks, Adjustments, Reallocated, LateItems whole
	}
	if err := j.tx.Select(ctx, &rows, "books/movements", nil); err != nil {
		return err
	}
	for _, r := range rows {
		err := j.post(ctx, accounting.PostMovement(j.night.Date, accounting.Movement{
			Currency: r.Currency, Debits: ledger.Debits, CreditBackEntries: ledger.CreditBackEntries, LateEntries: ledger.LateEntries,
			Usage: r.Usage.Int, CreditBacks: r.CreditBacks.Int, Adjustments: r.Adjustments.Int, Reallocated: r.Reallocated.Int, LateItems: r.LateItems.Int,
		})...)
		if err != nil {
			return err
		}
	}
	return nil
}

func (j *journal) credits(ctx context.Context, ledger ledgerEntries) error {
	return j.post(ctx, accounting.PostCredits(j.night.Date, accounting.CreditMovement{
		Purchases: ledger.Purchases.Int, Promotions: ledger.Promotions.Int, Usage: ledger.Usage.Int, CreditBacks: ledger.CreditBacks.Int,
		Refunds: ledger.Refunds.Int, Adjustments: ledger.Adjustments.Int, LateItems: ledger.LateItems.Int,
	})...)
}

// stripe books the day of subscriptions, and what moved at Stripe after the instant that the journal had reached; nothing of Stripe's in a night that
// could not look at Stripe.
func (j *journal) stripe(ctx context.Context, from reach, looked, recognizes bool) error {
	reached := reach{StripeThrough: from.StripeThrough, StripeOpened: from.StripeOpened}
	steps := []func(context.Context) error{}
	if looked {
		reached = reach{StripeThrough: j.night.End, StripeOpened: true}
		steps = append(steps, j.takeLate)
		if !from.StripeOpened {
			steps = append(steps, j.stripeBefore)
		}
		steps = append(steps, j.stripeActivity, j.payoutsMoved, j.disputesMoved)
	}
	if recognizes {
		steps = append(steps, func(ctx context.Context) error { return j.subscriptions(ctx, reached.StripeThrough) })
	}
	if looked {
		steps = append(steps, func(ctx context.Context) error { return j.paymentsCleared(ctx, from.StripeThrough) })
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	_, err := j.tx.Exec(ctx, "books/close_journal", postgres.Args{"through": reached.StripeThrough, "stripe_opened": reached.StripeOpened})
	return err
}

// takeLate has the night book what arrived late at Stripe.
func (j *journal) takeLate(ctx context.Context) error {
	_, err := j.tx.Exec(ctx, "books/take_late_stripe", nil)
	return err
}

// subscriptions earns the night's day of subscription charges, and books what refunds take back of them.
func (j *journal) subscriptions(ctx context.Context, through time.Time) error {
	if _, err := j.tx.Exec(ctx, "books/recognize", postgres.Args{"as_of": through}); err != nil {
		return err
	}
	var rows []struct {
		AccountID                               string
		SubjectID                               string
		IsPurchase                              bool
		Earning, Opening                        int64
		Currency                                string
		Opened, Settled, Tax, Earned, GivenBack whole
	}
	if err := j.tx.Select(ctx, &rows, "books/recognized", nil); err != nil {
		return err
	}
	for _, r := range rows {
		err := j.post(ctx, accounting.PostRecognized(j.night.Date, accounting.RecognizedMove{
			AccountID: r.AccountID, SubjectID: r.SubjectID, IsPurchase: r.IsPurchase, Currency: r.Currency, Opening: r.Opening, Earning: r.Earning,
			Opened: r.Opened.Int, Settled: r.Settled.Int, Tax: r.Tax.Int, Earned: r.Earned.Int, GivenBack: r.GivenBack.Int,
		})...)
		if err != nil {
			return err
		}
	}
	return nil
}

func (j *journal) stripeBefore(ctx context.Context) error {
	var balances []struct {
		Currency string
		Net      whole
	}
	if err := j.tx.Select(ctx, &balances, "books/stripe_before", nil); err != nil {
		return err
	}
	for _, b := range balances {
		if err := j.post(ctx, accounting.PostStripeBeforehand(j.night.Date, b.Currency, b.Net.Int)...); err != nil {
			return err
		}
	}
	return nil
}

func (j *journal) stripeActivity(ctx context.Context) error {
	var rows []struct {
		Category, Source            string
		Count                       int64
		Currency, PresentedCurrency string
		Amount, Fee, Presented      whole
		AtChargeRate                numbers.Number
	}
	if err := j.tx.Select(ctx, &rows, "books/stripe_activity", nil); err != nil {
		return err
	}
	for _, r := range rows {
		a := accounting.StripeActivity{
			Category: r.Category, Source: r.Source, Count: r.Count, Currency: r.Currency, PresentedCurrency: r.PresentedCurrency,
			Amount: r.Amount.Int, Fee: r.Fee.Int, Presented: r.Presented.Int,
		}
		if r.AtChargeRate.Known() {
			a.AtChargeRate = r.AtChargeRate.Big()
		}
		if err := j.post(ctx, accounting.PostStripe(j.night.Date, a)...); err != nil {
			return err
		}
	}
	return nil
}

func (j *journal) payoutsMoved(ctx context.Context) error {
	var rows []struct {
		PayoutID    string
		Currency    string
		AmountMinor int64
		Returned    bool
		WasPaid     bool
		Beforehand  bool
	}
	if err := j.tx.Select(ctx, &rows, "books/payouts_moved", nil); err != nil {
		return err
	}
	for _, r := range rows {
		if err := j.post(ctx, accounting.PostPayoutState(j.night.Date, accounting.MovedPayout{
			PayoutID: r.PayoutID, Currency: r.Currency, AmountMinor: r.AmountMinor, Returned: r.Returned, WasPaid: r.WasPaid, Beforehand: r.Beforehand,
		})...); err != nil {
			return err
		}
	}
	return nil
}

// disputesMoved writes off the part of disputes' money that will not come back, and reverses a write-off where money came back after all: it posts the
// difference between what the night says and what earlier nights have posted.
func (j *journal) disputesMoved(ctx context.Context) error {
	var rows []struct {
		DisputeID           string
		Currency            string
		AmountMinor         int64
		SameCurrency        bool
		Status              string
		Withdrawn           int64
		Returned            int64
		LossWas             int64
		ExchangeWas         int64
		BeforehandWas       int64
		WithdrawnBeforehand int64
		ReturnedBeforehand  int64
		SettledMinor        int64
	}
	if err := j.tx.Select(ctx, &rows, "books/disputes_moved", nil); err != nil {
		return err
	}
	for _, r := range rows {
		books := reconcile.DisputeBooks{
			DisputeFacts: reconcile.DisputeFacts{
				Status: r.Status, DisputeMoney: reconcile.DisputeMoney{WithdrawnMinor: r.Withdrawn, ReturnedMinor: r.Returned},
				AmountMinor: r.AmountMinor, SameCurrency: r.SameCurrency,
			},
			WithdrawnBeforehandMinor: r.WithdrawnBeforehand, ReturnedBeforehandMinor: r.ReturnedBeforehand, SettledMinor: r.SettledMinor,
		}
		off := books.WriteOff().Less(reconcile.DisputeWriteOff{LossMinor: r.LossWas, ExchangeMinor: r.ExchangeWas, BeforehandMinor: r.BeforehandWas})
		if err := j.post(ctx, accounting.PostDisputeWriteOff(j.night.Date, r.DisputeID, r.Currency, off)...); err != nil {
			return err
		}
	}
	return nil
}

// clearedFor is for how many days a payment or dispute that is settled is looked at every night. An older one is looked at when something happens to it.
const clearedFor = 60

// paymentsCleared clears the payments that something happened to after the instant that the journal had reached.
func (j *journal) paymentsCleared(ctx context.Context, from time.Time) error {
	if err := j.flush(ctx); err != nil { // the night's refunds are among what a payment comes to
		return err
	}
	var rows []struct {
		AccountID                                       string
		SubjectID                                       string
		Currency                                        string
		Sold, Brought, Payable, Refunded, Changed, Lost whole
		IsSubscription                                  bool
		RestatedSold, RestatedPayable, Rewithheld       whole
		Posted, Resolved                                string // JSON
	}
	err := j.tx.Select(ctx, &rows, "books/payment_books", postgres.Args{
		"from_date": j.night.DateOf(from), "cleared_since": j.night.Date.AddDays(-clearedFor), "cleared": accounting.EntryClearing, "kinds": accounting.PaymentBreaks(),
	})
	if err != nil {
		return err
	}
	for _, r := range rows {
		b := accounting.PaymentBooks{
			AccountID: r.AccountID, SubjectID: r.SubjectID, Currency: r.Currency, IsSubscription: r.IsSubscription, Sold: r.Sold.Int, Brought: r.Brought.Int,
			Payable: r.Payable.Int, Refunded: r.Refunded.Int, Changed: r.Changed.Int, Lost: r.Lost.Int, Rewithheld: r.Rewithheld.Int,
		}
		before := accounting.PaymentClearing{}
		if err := errors.Join(json.Unmarshal([]byte(r.Resolved), &b.Resolved), json.Unmarshal([]byte(r.Posted), &before)); err != nil {
			return fmt.Errorf("payment of %s: %w", r.SubjectID, err)
		}
		if r.RestatedSold.Sign() != 0 || r.RestatedPayable.Sign() != 0 {
			b.Restated = &accounting.Restated{Sold: r.RestatedSold.Int, Payable: r.RestatedPayable.Int}
		}
		if err := j.post(ctx, accounting.PostPaymentClearing(j.night.Date, b, before)...); err != nil {
			return err
		}
	}
	return nil
}

// balanceAccounts carries the balances of the balance sheet through the night.
func (j *journal) balanceAccounts(ctx context.Context) error {
	chart := j.night.Settings.Chart
	var roles, names []string
	for _, role := range chart.Roles() {
		if role.IsPermanent() {
			roles, names = append(roles, string(role)), append(names, chart.Account(role).Name)
		}
	}
	_, err := j.tx.Exec(ctx, "books/balance_accounts", postgres.Args{"roles": roles, "names": names})
	return err
}
