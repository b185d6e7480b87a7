package stripetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Payout is money going from the balance to the account's bank. Amount is in minor units of Currency.
type Payout struct {
	Object
	Amount                    int64
	Currency                  string
	Automatic, Instant        bool
	ArrivalDate               time.Time
	FailureCode               string
	BalanceTransaction        string
	FailureBalanceTransaction string
	// OriginalPayout is the payout that this one takes back, ReversedBy the one that takes this one back.
	OriginalPayout, ReversedBy string

	livemode   bool
	canceled   bool
	reconciled time.Time
}

// RunAutomaticPayouts pays out what is available by now and was not paid out yet, one payout per currency, as the
// daily schedule does. Currencies whose sum is not positive wait for the next time.
func (s *Stripe) RunAutomaticPayouts() ([]Payout, error) {
	return change(s, "run automatic payouts", func(b *books, now time.Time) ([]Payout, error) {
		var made []Payout
		for _, currency := range slices.Sorted(maps.Keys(b.unpaid)) {
			if payout := b.payOut(currency, func(sum int64) bool { return sum > 0 }, now); payout != nil {
				made = append(made, *payout)
			}
		}
		return made, nil
	})
}

// RunNegativePayouts debits the bank for what is available and below 0, one payout of a negative amount per currency, as Stripe does where
// the account allows it.
func (s *Stripe) RunNegativePayouts() ([]Payout, error) {
	return change(s, "run negative payouts", func(b *books, now time.Time) ([]Payout, error) {
		var made []Payout
		for _, currency := range slices.Sorted(maps.Keys(b.unpaid)) {
			if payout := b.payOut(currency, func(sum int64) bool { return sum < 0 }, now); payout != nil {
				made = append(made, *payout)
			}
		}
		return made, nil
	})
}

// ReversePayout takes a payout that was paid back from the bank: another payout, of the negative amount, names it.
func (s *Stripe) ReversePayout(id string) (Payout, error) {
	return change(s, "reverse payout "+id, func(b *books, now time.Time) (Payout, error) {
		p := get[Payout](b.payouts, id)
		switch {
		case p == nil:
			return Payout{}, errors.New("there is none")
		case p.status(now) != "paid" || p.ReversedBy != "" || p.OriginalPayout != "" || p.Amount <= 0:
			return *p, fmt.Errorf("it is %s, reversed by %q and of %d", p.status(now), p.ReversedBy, p.Amount)
		}
		reversal := &Payout{
			Object: b.object("po", now), Amount: -p.Amount, Currency: p.Currency, OriginalPayout: p.ID, livemode: b.livemode,
			ArrivalDate: midnight(now.Add(b.options.PayoutTransit)),
		}
		p.ReversedBy = reversal.ID
		b.postPayout(reversal, nil, now)
		b.payouts.add(reversal)
		return *reversal, nil
	})
}

// payOut gathers what is available of a currency, if the sum of it is due.
func (b *books) payOut(currency string, due func(sum int64) bool, now time.Time) *Payout {
	var amount int64
	var gathered, rest []*BalanceTransaction
	for _, t := range b.unpaid[currency] {
		if t.AvailableOn.After(now) {
			rest = append(rest, t)
			continue
		}
		gathered = append(gathered, t)
		amount += t.Net
	}
	if !due(amount) {
		return nil
	}
	p := &Payout{
		Object: b.object("po", now), Amount: amount, Currency: currency, Automatic: true, livemode: b.livemode,
		ArrivalDate: midnight(now.Add(b.options.PayoutTransit)), reconciled: now.Add(b.options.ReconciliationLag),
	}
	b.unpaid[currency] = rest
	for _, t := range gathered {
		t.Payout = p.ID
		b.transactions.reindex("payout", t)
	}
	b.postPayout(p, nil, now)
	b.payouts.add(p)
	return p
}

// postPayout books the payout; as Stripe lists it, an automatic payout's own transaction is among those of the payout.
func (b *books) postPayout(p *Payout, fees []Fee, now time.Time) {
	movement := BalanceTransaction{
		Type: "payout", ReportingCategory: "payout", Amount: -p.Amount, Currency: p.Currency, Fees: fees,
		Description: "STRIPE PAYOUT", Source: p.ID, AvailableOn: now,
	}
	if p.Automatic {
		movement.Payout = p.ID
	}
	p.BalanceTransaction = b.post(now, movement).ID
}

func midnight(t time.Time) time.Time { return t.Truncate(24 * time.Hour) }

// PayoutParams describe a payout that somebody makes by hand.
type PayoutParams struct {
	Amount   int64
	Currency string
	Instant  bool
	Fee      int64 // for instant payouts: what Stripe takes on top; 0 for 1 %
}

// CreatePayout pays out by hand. It takes no particular transactions: they cannot be listed by this payout, and
// the next automatic payout is smaller by it.
func (s *Stripe) CreatePayout(params PayoutParams) (Payout, error) {
	return change(s, "create a payout", func(b *books, now time.Time) (Payout, error) {
		if err := checkAmount(params.Amount, params.Currency); err != nil {
			return Payout{}, err
		}
		p := &Payout{
			Amount: params.Amount, Currency: params.Currency, Instant: params.Instant, livemode: b.livemode,
			ArrivalDate: midnight(now.Add(b.options.PayoutTransit)),
		}
		var fees []Fee
		if params.Instant {
			p.ArrivalDate = now.Add(30 * time.Minute)
			setDefault(&params.Fee, share(params.Amount, 1, 100))
			fees = []Fee{{Amount: params.Fee, Description: "Instant payout fee"}}
		}
		for _, balance := range b.balances(now) {
			if balance.Currency == p.Currency && balance.Available < p.Amount+total(fees) {
				return Payout{}, fmt.Errorf("%d %s and %d fee is more than the available %d", p.Amount, p.Currency, total(fees), balance.Available)
			}
		}
		p.Object = b.object("po", now)
		b.postPayout(p, fees, now)
		b.payouts.add(p)
		return *p, nil
	})
}

// FailPayout has the bank send the money back. Code is such as "account_closed".
func (s *Stripe) FailPayout(id, code string) (Payout, error) {
	return s.returnPayout("fail payout", id, "payout_failure", func(p *Payout, now time.Time) error {
		p.FailureCode = code
		return nil
	})
}

// CancelPayout takes a payout back that is still pending (before its arrival date and by hand).
func (s *Stripe) CancelPayout(id string) (Payout, error) {
	return s.returnPayout("cancel payout", id, "payout_cancel", func(p *Payout, now time.Time) error {
		if p.Automatic || p.status(now) == "paid" {
			return fmt.Errorf("it is %s and automatic=%t", p.status(now), p.Automatic)
		}
		p.canceled = true
		return nil
	})
}

func (s *Stripe) returnPayout(what, id, kind string, mark func(p *Payout, now time.Time) error) (Payout, error) {
	return change(s, what+" "+id, func(b *books, now time.Time) (Payout, error) {
		p := get[Payout](b.payouts, id)
		if p == nil {
			return Payout{}, errors.New("there is none")
		}
		if p.FailureBalanceTransaction != "" {
			return *p, fmt.Errorf("it is %s", p.status(now))
		}
		if err := mark(p, now); err != nil {
			return *p, err
		}
		p.FailureBalanceTransaction = b.post(now, BalanceTransaction{
			Type: kind, ReportingCategory: "payout_reversal", Amount: p.Amount, Currency: p.Currency,
			Description: "STRIPE PAYOUT RETURNED", Source: p.ID, AvailableOn: now,
		}).ID
		return *p, nil
	})
}

// status follows the clock: in transit until the arrival date, then paid.
func (p *Payout) status(now time.Time) string {
	switch {
	case p.FailureCode != "":
		return "failed"
	case p.canceled:
		return "canceled"
	case now.Before(p.ArrivalDate):
		return "in_transit"
	}
	return "paid"
}

func (p *Payout) method() string {
	if p.Instant {
		return "instant"
	}
	return "standard"
}

func (p *Payout) reconciliation(now time.Time) string {
	switch {
	case !p.Automatic:
		return "not_applicable"
	case now.Before(p.reconciled):
		return "in_progress"
	}
	return "completed"
}

const payoutDestination = "ba_1MKm7r2eZvKYlo2CzX1Zc0pQ"

func (p *Payout) field(name string, now time.Time) string {
	switch name {
	case "status":
		return p.status(now)
	case "destination":
		return payoutDestination
	case "arrival_date":
		return strconv.FormatInt(p.ArrivalDate.Unix(), 10)
	}
	return ""
}

func (p *Payout) write(w *writer) {
	w.open()
	w.head("payout", p.Object)
	w.number("amount", p.Amount)
	w.number("arrival_date", p.ArrivalDate.Unix())
	w.boolean("automatic", p.Automatic)
	w.ref("balance_transaction", p.BalanceTransaction)
	w.text("currency", p.Currency)
	w.text("description", "STRIPE PAYOUT")
	w.ref("destination", payoutDestination)
	w.ref("failure_balance_transaction", p.FailureBalanceTransaction)
	w.textOrNull("failure_code", p.FailureCode)
	if p.FailureCode == "" {
		w.raw("failure_message", "null")
	} else {
		w.text("failure_message", "The bank returned the payout: "+p.FailureCode+".")
	}
	w.boolean("livemode", p.livemode)
	w.metadata(nil)
	w.text("method", p.method())
	w.ref("original_payout", p.OriginalPayout)
	w.text("reconciliation_status", p.reconciliation(w.now))
	w.ref("reversed_by", p.ReversedBy)
	w.text("source_type", "card")
	w.raw("statement_descriptor", "null")
	w.text("status", p.status(w.now))
	w.text("type", "bank_account")
	w.close()
}
