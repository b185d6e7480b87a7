package books

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
)

// ledgerEntries is what the ledger's entries of a night say by kind, in credits, and how many there are.
type ledgerEntries struct {
	Purchases, Promotions, Usage, Refunds, Adjustments string
	CreditBacks                                        string `db:"credit_backs"`
	LateItems                                          string `db:"late_items"`
	Debits                                             int64
	CreditBackEntries                                  int64 `db:"credit_back_entries"`
	LateEntries                                        int64 `db:"late_entries"`
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
func (j *journal) post(ctx context.Context, entries ...reconcile.JournalEntry) error {
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
	if len(j.rows) < night.BatchRows {
		return nil
	}
	return j.flush(ctx)
}

func (j *journal) flush(ctx context.Context) error {
	if len(j.rows) == 0 {
		return nil
	}
	encoded, err := json.Marshal(j.rows)
	if err != nil {
		return err
	}
	j.rows = j.rows[:0]
	_, err = j.tx.Exec(ctx, "books/add_lines", postgres.Args{"date": j.night.Date, "rows": string(encoded)})
	return err
}

// reach is where a night's journal takes over from the one before.
type reach struct {
	BooksBegin    time.Time `db:"books_begin"`
	StripeThrough time.Time `db:"stripe_through"`
	StripeOpened  bool      `db:"stripe_opened"`
}

// keepJournal writes the night's double-entry journal from its roll-forward, its refund windows, and Stripe's balance transactions. It
// needs the night's refund windows: without them it writes nothing, and errWindowsMissing says so.
func keepJournal(ctx context.Context, n *night.Night, tx *postgres.Tx, ledger ledgerEntries, rollsOn bool) (int64, error) {
	if _, err := tx.Exec(ctx, "books/clear_journal", postgres.Args{"date": n.Date, "end": n.End}); err != nil {
		return 0, err
	}
	var stated bool
	if err := tx.Get(ctx, &stated, "books/windows_stated", postgres.Args{"date": n.Date}); err != nil {
		return 0, err
	}
	if !stated {
		return 0, errWindowsMissing
	}
	goesOn := rollsOn
	var from reach
	switch err := tx.Get(ctx, &from, "books/previous_journal", postgres.Args{"date": n.Date}); {
	case errors.Is(err, sql.ErrNoRows):
		goesOn = false
	case err != nil:
		return 0, err
	}
	if !goesOn {
		from = reach{BooksBegin: n.Begin, StripeThrough: n.Begin}
	}
	var around struct {
		BeginsAfter bool `db:"begins_after"`
		Recognizes  bool
	}
	if err := tx.Get(ctx, &around, "books/next_begins", postgres.Args{"date": n.Date, "next_begin": n.End}); err != nil {
		return 0, err
	}
	if around.BeginsAfter {
		n.Log.Warn().Stringer("next", n.Date.AddDays(1)).Msg("the journal of the night after was begun before this one's: repeat that night, so that it goes on from here")
	}
	j := &journal{night: n, tx: tx}
	span := n.Span(postgres.Args{"date": n.Date, "goes_on": goesOn})
	for _, step := range []func() error{
		func() error {
			if goesOn {
				return nil
			}
			return j.opening(ctx, span)
		},
		func() error { return j.purchases(ctx) },
		func() error { return j.windows(ctx, span) },
		func() error { return j.refunds(ctx, span) },
		func() error { return j.movements(ctx, ledger) },
		func() error { return j.credits(ctx, ledger) },
		func() error { return j.stripe(ctx, from, goesOn, around.Recognizes) },
		func() error { return j.flush(ctx) },
	} {
		if err := step(); err != nil {
			return 0, err
		}
	}
	if err := balanceAccounts(ctx, n, tx, goesOn); err != nil {
		return 0, err
	}
	_, err := tx.Exec(ctx, "books/split_liability", span)
	return j.count, err
}

// errWindowsMissing: the job refund-windows has not stated the night's windows.
var errWindowsMissing = errors.New("the night has no journal: its refund windows are not stated; repeat the night once refund-windows can be done")

// number reads a whole number as PostgreSQL writes numerics.
func number(text string) (*big.Int, error) {
	value, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return nil, fmt.Errorf("%q is no whole number", text)
	}
	return value, nil
}

// bigInts reads several into place.
func bigInts(texts []string, into ...**big.Int) error {
	for i, text := range texts {
		value, err := number(text)
		if err != nil {
			return err
		}
		*into[i] = value
	}
	return nil
}

// opening brings in what was owed before the first night.
func (j *journal) opening(ctx context.Context, span postgres.Args) error {
	var refundable, rolled []struct{ Currency, Opening, Closing string }
	if err := j.tx.Select(ctx, &refundable, "books/refundable", span); err != nil {
		return err
	}
	if err := j.tx.Select(ctx, &rolled, "books/openings", postgres.Args{"date": j.night.Date}); err != nil {
		return err
	}
	credits := new(big.Int)
	var liabilities []reconcile.Liability
	for _, r := range rolled {
		total, err := number(r.Opening)
		if err != nil {
			return err
		}
		if r.Currency == reconcile.CreditUnit {
			credits = total
			continue
		}
		l := reconcile.Liability{Currency: r.Currency, Total: total, Refundable: new(big.Int)}
		for _, part := range refundable {
			if part.Currency == r.Currency {
				if l.Refundable, err = number(part.Opening); err != nil {
					return err
				}
			}
		}
		liabilities = append(liabilities, l)
	}
	return j.post(ctx, reconcile.PostOpening(j.night.Date, credits, liabilities)...)
}

func (j *journal) purchases(ctx context.Context) error {
	after := ""
	for more := true; more; {
		var batch []struct {
			AccountID   string    `db:"account_id"`
			PurchaseID  string    `db:"purchase_id"`
			Kind        string    `db:"kind"`
			Credits     int64     `db:"credits"`
			AmountMinor int64     `db:"amount_minor"`
			FromBalance int64     `db:"from_balance_minor"`
			TaxMinor    int64     `db:"tax_minor"`
			Currency    string    `db:"currency"`
			CompletedAt time.Time `db:"completed_at"`
			Late        bool      `db:"is_late"`
		}
		if err := j.tx.Select(ctx, &batch, "books/journal_purchases", j.night.Span(postgres.Args{"as_of": j.night.AsOf(), "after": after, "limit": night.BatchRows})); err != nil || len(batch) == 0 {
			return err
		}
		after, more = batch[len(batch)-1].PurchaseID, len(batch) == night.BatchRows
		for _, p := range batch {
			entries := reconcile.PostPurchase(j.night.Date, reconcile.BookedPurchase{
				AccountID: p.AccountID, PurchaseID: p.PurchaseID, Kind: p.Kind, Credits: p.Credits, AmountMinor: p.AmountMinor,
				TaxMinor: p.TaxMinor, FromBalanceMinor: p.FromBalance, Currency: p.Currency, CompletedOn: reconcile.DateOf(p.CompletedAt.In(j.night.Settings.Zone)), Late: p.Late,
			})
			if err := j.post(ctx, entries...); err != nil {
				return err
			}
		}
	}
	return nil
}

func (j *journal) windows(ctx context.Context, span postgres.Args) error {
	var changes []struct {
		Currency, State, Amount string
		Closed                  bool
		Count                   int64
	}
	if err := j.tx.Select(ctx, &changes, "books/window_changes", span); err != nil {
		return err
	}
	for _, c := range changes {
		amount, err := number(c.Amount)
		if err != nil {
			return err
		}
		err = j.post(ctx, reconcile.PostWindowChange(j.night.Date, reconcile.WindowChange{
			Currency: c.Currency, State: reconcile.WindowState(c.State), Closed: c.Closed, Count: c.Count, Amount: amount,
		})...)
		if err != nil {
			return err
		}
	}
	return nil
}

func (j *journal) refunds(ctx context.Context, span postgres.Args) error {
	var rows []struct {
		AccountID     string `db:"account_id"`
		PurchaseID    string `db:"purchase_id"`
		Currency      string `db:"currency"`
		AmountMinor   int64  `db:"amount_minor"`
		TaxMinor      int64  `db:"tax_minor"`
		FromBalance   int64  `db:"from_balance_minor"`
		Direction     int    `db:"direction"`
		Late          bool   `db:"is_late"`
		ValueBefore   string `db:"value_before"`
		ValueAfter    string `db:"value_after"`
		WasRefundable bool   `db:"was_refundable"`
		WithheldMinor int64  `db:"withheld_minor"`
	}
	if err := j.tx.Select(ctx, &rows, "books/journal_refunds", night.With(span, postgres.Args{"as_of": j.night.AsOf(), "policy": j.night.PolicyHash()})); err != nil {
		return err
	}
	for _, r := range rows {
		lot := reconcile.RefundedLot{
			AccountID: r.AccountID, PurchaseID: r.PurchaseID, Currency: r.Currency, PaidMinor: r.AmountMinor, TaxMinor: r.TaxMinor, FromBalanceMinor: r.FromBalance,
			WasRefundable: r.WasRefundable && r.Direction < 0, WithheldMinor: r.WithheldMinor, Reversed: r.Direction > 0, Late: r.Late,
		}
		if err := bigInts([]string{r.ValueBefore, r.ValueAfter}, &lot.ValueBefore, &lot.ValueAfter); err != nil {
			return fmt.Errorf("purchase %s: %w", r.PurchaseID, err)
		}
		if err := j.post(ctx, reconcile.PostRefund(j.night.Date, lot)...); err != nil {
			return err
		}
	}
	return nil
}

func (j *journal) movements(ctx context.Context, ledger ledgerEntries) error {
	var rows []struct {
		Currency, Usage, Adjustments, Reallocated string
		CreditBacks                               string `db:"credit_backs"`
		LateItems                                 string `db:"late_items"`
	}
	if err := j.tx.Select(ctx, &rows, "books/movements", j.night.Span(postgres.Args{"date": j.night.Date})); err != nil {
		return err
	}
	for _, r := range rows {
		m := reconcile.Movement{Currency: r.Currency, Debits: ledger.Debits, CreditBackEntries: ledger.CreditBackEntries, LateEntries: ledger.LateEntries}
		err := bigInts([]string{r.Usage, r.CreditBacks, r.Adjustments, r.Reallocated, r.LateItems}, &m.Usage, &m.CreditBacks, &m.Adjustments, &m.Reallocated, &m.LateItems)
		if err != nil {
			return err
		}
		if err := j.post(ctx, reconcile.PostMovement(j.night.Date, m)...); err != nil {
			return err
		}
	}
	return nil
}

func (j *journal) credits(ctx context.Context, ledger ledgerEntries) error {
	var m reconcile.CreditMovement
	err := bigInts([]string{ledger.Purchases, ledger.Promotions, ledger.Usage, ledger.CreditBacks, ledger.Refunds, ledger.Adjustments, ledger.LateItems},
		&m.Purchases, &m.Promotions, &m.Usage, &m.CreditBacks, &m.Refunds, &m.Adjustments, &m.LateItems)
	if err != nil {
		return err
	}
	return j.post(ctx, reconcile.PostCredits(j.night.Date, m)...)
}

// stripe books the day of subscriptions, and what moved at Stripe since the journal had got there; nothing in a night that Stripe could not be looked at for.
func (j *journal) stripe(ctx context.Context, from reach, goesOn, recognizes bool) error {
	looked, err := stripefeed.LookedAt(ctx, j.tx, j.night.Date)
	if err != nil {
		return err
	}
	through, opened := from.StripeThrough, from.StripeOpened
	if looked.Complete() {
		through, opened = j.night.End, true
	}
	recognize := func(context.Context, postgres.Args, time.Time) error {
		if !recognizes {
			return nil
		}
		return j.subscriptions(ctx, from, through, goesOn)
	}
	if !looked.Complete() {
		if err := recognize(ctx, nil, from.BooksBegin); err != nil {
			return err
		}
	} else {
		if _, err := j.tx.Exec(ctx, "books/take_late_stripe", postgres.Args{"date": j.night.Date, "through": through}); err != nil {
			return err
		}
		if !from.StripeOpened {
			if err := j.stripeBefore(ctx, from.BooksBegin); err != nil {
				return err
			}
		}
		window := postgres.Args{"from": from.StripeThrough, "through": through, "opens": !from.StripeOpened}
		for _, step := range []func(context.Context, postgres.Args, time.Time) error{j.stripeActivity, j.payoutsMoved, j.disputesMoved, recognize, j.paymentsCleared} {
			if err := step(ctx, window, from.BooksBegin); err != nil {
				return err
			}
		}
	}
	_, err = j.tx.Exec(ctx, "books/close_journal", postgres.Args{
		"date": j.night.Date, "books_begin": from.BooksBegin, "from": from.StripeThrough, "through": through, "stripe_opened": opened,
	})
	return err
}

// subscriptions earns the night's day of subscription charges, and books what refunds take back of them.
func (j *journal) subscriptions(ctx context.Context, from reach, through time.Time, goesOn bool) error {
	n := j.night
	begin := postgres.Args{"date": n.Date, "begin_date": reconcile.DateOf(from.BooksBegin.In(n.Settings.Zone))}
	if _, err := j.tx.Exec(ctx, "books/recognize", n.Span(night.With(begin, postgres.Args{
		"goes_on": goesOn, "books_begin": from.BooksBegin, "from": from.StripeThrough, "as_of": through, "opens": !from.StripeOpened, "zone": n.Settings.Zone.String(),
	}))); err != nil {
		return err
	}
	var rows []struct {
		AccountID                              string `db:"account_id"`
		SubjectID                              string `db:"subject_id"`
		IsPurchase                             bool   `db:"is_purchase"`
		Earning, Opening                       int64
		Currency, Opened, Settled, Tax, Earned string
		GivenBack                              string `db:"given_back"`
	}
	if err := j.tx.Select(ctx, &rows, "books/recognized", begin); err != nil {
		return err
	}
	for _, r := range rows {
		m := reconcile.RecognizedMove{AccountID: r.AccountID, SubjectID: r.SubjectID, IsPurchase: r.IsPurchase, Currency: r.Currency, Opening: r.Opening, Earning: r.Earning}
		if err := bigInts([]string{r.Opened, r.Settled, r.Tax, r.Earned, r.GivenBack}, &m.Opened, &m.Settled, &m.Tax, &m.Earned, &m.GivenBack); err != nil {
			return err
		}
		if err := j.post(ctx, reconcile.PostRecognized(n.Date, m)...); err != nil {
			return err
		}
	}
	return nil
}

func (j *journal) stripeBefore(ctx context.Context, booksBegin time.Time) error {
	var balances []struct{ Currency, Net string }
	if err := j.tx.Select(ctx, &balances, "books/stripe_before", postgres.Args{"date": j.night.Date, "books_begin": booksBegin}); err != nil {
		return err
	}
	for _, b := range balances {
		net, err := number(b.Net)
		if err != nil {
			return err
		}
		if err := j.post(ctx, reconcile.PostStripeBeforehand(j.night.Date, b.Currency, net)...); err != nil {
			return err
		}
	}
	return nil
}

func (j *journal) stripeActivity(ctx context.Context, window postgres.Args, booksBegin time.Time) error {
	var rows []struct {
		Category, Source, Currency, Amount, Fee, Presented string
		PresentedCurrency                                  string         `db:"presented_currency"`
		AtChargeRate                                       sql.NullString `db:"at_charge_rate"`
		Count                                              int64
	}
	args := postgres.Args{"date": j.night.Date, "from": window["from"], "as_of": window["through"], "books_begin": booksBegin, "opens": window["opens"]}
	if err := j.tx.Select(ctx, &rows, "books/stripe_activity", args); err != nil {
		return err
	}
	for _, r := range rows {
		a := reconcile.StripeActivity{
			Category: r.Category, Source: r.Source, Count: r.Count, Currency: r.Currency, PresentedCurrency: r.PresentedCurrency,
		}
		if err := bigInts([]string{r.Amount, r.Fee, r.Presented}, &a.Amount, &a.Fee, &a.Presented); err != nil {
			return err
		}
		if r.AtChargeRate.Valid {
			if err := bigInts([]string{r.AtChargeRate.String}, &a.AtChargeRate); err != nil {
				return err
			}
		}
		if err := j.post(ctx, reconcile.PostStripe(j.night.Date, a)...); err != nil {
			return err
		}
	}
	return nil
}

func (j *journal) payoutsMoved(ctx context.Context, window postgres.Args, booksBegin time.Time) error {
	var rows []struct {
		PayoutID    string `db:"payout_id"`
		Currency    string
		AmountMinor int64 `db:"amount_minor"`
		Returned    bool
		WasPaid     bool `db:"was_paid"`
		Beforehand  bool
	}
	args := j.since(window, booksBegin, postgres.Args{"through": window["through"]})
	if err := j.tx.Select(ctx, &rows, "books/payouts_moved", args); err != nil {
		return err
	}
	for _, r := range rows {
		if err := j.post(ctx, reconcile.PostPayoutState(j.night.Date, reconcile.MovedPayout{
			PayoutID: r.PayoutID, Currency: r.Currency, AmountMinor: r.AmountMinor, Returned: r.Returned, WasPaid: r.WasPaid, Beforehand: r.Beforehand,
		})...); err != nil {
			return err
		}
	}
	return nil
}

// disputesMoved writes off what of disputes' money is no longer to come back, and takes that back where it came after all: what the night says
// less what was said before.
func (j *journal) disputesMoved(ctx context.Context, window postgres.Args, booksBegin time.Time) error {
	var rows []struct {
		DisputeID           string `db:"dispute_id"`
		Currency            string
		AmountMinor         int64 `db:"amount_minor"`
		SameCurrency        bool  `db:"same_currency"`
		Status              string
		Withdrawn           int64
		Returned            int64
		LossWas             int64 `db:"loss_was"`
		ExchangeWas         int64 `db:"exchange_was"`
		BeforehandWas       int64 `db:"beforehand_was"`
		WithdrawnBeforehand int64 `db:"withdrawn_beforehand"`
		ReturnedBeforehand  int64 `db:"returned_beforehand"`
		SettledMinor        int64 `db:"settled_minor"`
	}
	args := j.since(window, booksBegin, postgres.Args{"as_of": window["through"]})
	if err := j.tx.Select(ctx, &rows, "books/disputes_moved", args); err != nil {
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
		if err := j.post(ctx, reconcile.PostDisputeWriteOff(j.night.Date, r.DisputeID, r.Currency, off)...); err != nil {
			return err
		}
	}
	return nil
}

// clearedFor is for how many days what has been settled is looked at every night; what is older when something happens to it.
const clearedFor = 60

// since are the arguments of what is held against what the journal has posted before tonight: of what happened in the last days, as Stripe may tell it late.
func (j *journal) since(window postgres.Args, booksBegin time.Time, args postgres.Args) postgres.Args {
	return night.With(args, postgres.Args{
		"date": j.night.Date, "books_begin": booksBegin, "begin_date": reconcile.DateOf(booksBegin.In(j.night.Settings.Zone)),
		"moved_since": window["from"].(time.Time).AddDate(0, 0, -clearedFor),
	})
}

// paymentsCleared clears the payments that something happened to since the journal had got there.
func (j *journal) paymentsCleared(ctx context.Context, window postgres.Args, booksBegin time.Time) error {
	if err := j.flush(ctx); err != nil { // the night's refunds are among what a payment comes to
		return err
	}
	var rows []struct {
		AccountID                                                 string `db:"account_id"`
		SubjectID                                                 string `db:"subject_id"`
		Currency, Sold, Brought, Payable, Refunded, Changed, Lost string
		Posted, Resolved                                          string // JSON
	}
	n := j.night
	dateOf := func(at time.Time) reconcile.Date { return reconcile.DateOf(at.In(n.Settings.Zone)) }
	err := j.tx.Select(ctx, &rows, "books/payment_books", postgres.Args{
		"from": window["from"], "as_of": window["through"], "opens": window["opens"], "books_begin": booksBegin, "date": n.Date, "begin_date": dateOf(booksBegin),
		"from_date": dateOf(window["from"].(time.Time)), "cleared_since": n.Date.AddDays(-clearedFor), "cleared": reconcile.EntryClearing,
		"kinds": reconcile.PaymentBreaks(),
	})
	if err != nil {
		return err
	}
	for _, r := range rows {
		b := reconcile.PaymentBooks{AccountID: r.AccountID, SubjectID: r.SubjectID, Currency: r.Currency}
		before := reconcile.PaymentClearing{}
		err := errors.Join(
			bigInts([]string{r.Sold, r.Brought, r.Payable, r.Refunded, r.Changed, r.Lost}, &b.Sold, &b.Brought, &b.Payable, &b.Refunded, &b.Changed, &b.Lost),
			json.Unmarshal([]byte(r.Resolved), &b.Resolved), json.Unmarshal([]byte(r.Posted), &before))
		if err != nil {
			return fmt.Errorf("payment of %s: %w", r.SubjectID, err)
		}
		if err := j.post(ctx, reconcile.PostPaymentClearing(n.Date, b, before)...); err != nil {
			return err
		}
	}
	return nil
}

// balanceAccounts carries the balances of the balance sheet through the night.
func balanceAccounts(ctx context.Context, n *night.Night, tx *postgres.Tx, goesOn bool) error {
	var roles, names []string
	for _, role := range n.Settings.Chart.Roles() {
		if role.IsPermanent() {
			roles, names = append(roles, string(role)), append(names, n.Settings.Chart.Account(role).Name)
		}
	}
	_, err := tx.Exec(ctx, "books/balance_accounts", postgres.Args{"date": n.Date, "goes_on": goesOn, "roles": roles, "names": names})
	return err
}
