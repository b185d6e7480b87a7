package stripetest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// State is the end state of the account without ids, timestamps and order of what the requests created, so that a run under faults
// can be compared with a faultless one (reflect.DeepEqual, cmp.Diff or String).
type State struct {
	Charges  []ChargeState
	Refunds  []RefundState
	Disputes []DisputeState
	Payouts  []PayoutState
	Activity []Activity
}

// ChargeState is what a run can have changed of a charge.
type ChargeState struct {
	ID                                     string
	Amount, AmountCaptured, AmountRefunded int64
	Currency, Status                       string
	Refunded, Disputed                     bool
}

// RefundState is a refund.
type RefundState struct {
	Charge           string
	Amount           int64
	Currency, Status string
	Reason           string
	Metadata         string // key=value, sorted
}

// DisputeState is a dispute.
type DisputeState struct {
	ID, Status string
	Amount     int64
}

// PayoutState is a payout.
type PayoutState struct {
	ID, Status, Currency string
	Amount               int64
}

// Activity sums the balance transactions of a currency and reporting category, in minor units.
type Activity struct {
	Currency, ReportingCategory string
	Count, Amount, Fee, Net     int64
}

// State takes a snapshot.
func (s *Stripe) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, now := s.books, s.now()
	state := State{Activity: b.activity(func(*BalanceTransaction) bool { return true })}
	for _, c := range all[Charge](b.charges.rows) {
		state.Charges = append(state.Charges, ChargeState{
			ID: c.ID, Amount: c.Amount, AmountCaptured: c.AmountCaptured, AmountRefunded: c.AmountRefunded, Currency: c.Currency,
			Status: c.Status, Refunded: c.Refunded, Disputed: c.Disputed,
		})
	}
	for _, r := range all[Refund](b.refunds.rows) {
		state.Refunds = append(state.Refunds, RefundState{
			Charge: r.Charge, Amount: r.Amount, Currency: r.Currency, Status: r.Status, Reason: r.Reason, Metadata: flat(r.Metadata),
		})
	}
	slices.SortFunc(state.Refunds, func(a, b RefundState) int {
		return cmp.Or(cmp.Compare(a.Charge, b.Charge), cmp.Compare(a.Amount, b.Amount), cmp.Compare(a.Metadata, b.Metadata), cmp.Compare(a.Status, b.Status))
	})
	for _, d := range all[Dispute](b.disputes.rows) {
		state.Disputes = append(state.Disputes, DisputeState{ID: d.ID, Status: d.Status, Amount: d.Amount})
	}
	for _, p := range all[Payout](b.payouts.rows) {
		state.Payouts = append(state.Payouts, PayoutState{ID: p.ID, Status: p.status(now), Currency: p.Currency, Amount: p.Amount})
	}
	return state
}

// Activity sums the balance transactions created in [from, to), by currency and reporting category.
func (s *Stripe) Activity(from, to time.Time) []Activity {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.books.activity(func(t *BalanceTransaction) bool { return !t.Created.Before(from) && t.Created.Before(to) })
}

func (b *books) activity(counts func(*BalanceTransaction) bool) []Activity {
	sums := map[[2]string]Activity{}
	for _, t := range all[BalanceTransaction](b.transactions.rows) {
		if !counts(t) {
			continue
		}
		key := [2]string{t.Currency, t.ReportingCategory}
		sum := sums[key]
		sum.Currency, sum.ReportingCategory = t.Currency, t.ReportingCategory
		sum.Count++
		sum.Amount += t.Amount
		sum.Fee += t.Fee
		sum.Net += t.Net
		sums[key] = sum
	}
	return slices.SortedFunc(maps.Values(sums), func(a, b Activity) int {
		return cmp.Or(cmp.Compare(a.Currency, b.Currency), cmp.Compare(a.ReportingCategory, b.ReportingCategory))
	})
}

func flat(metadata map[string]string) string {
	pairs := make([]string, 0, len(metadata))
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		pairs = append(pairs, key+"="+metadata[key])
	}
	return strings.Join(pairs, " ")
}

// String has one line per row, for comparing and for reading.
func (s State) String() string {
	var text strings.Builder
	for _, row := range s.Charges {
		fmt.Fprintf(&text, "%+v\n", row)
	}
	for _, row := range s.Refunds {
		fmt.Fprintf(&text, "%+v\n", row)
	}
	for _, row := range s.Disputes {
		fmt.Fprintf(&text, "%+v\n", row)
	}
	for _, row := range s.Payouts {
		fmt.Fprintf(&text, "%+v\n", row)
	}
	for _, row := range s.Activity {
		fmt.Fprintf(&text, "%+v\n", row)
	}
	return text.String()
}

// find copies an object out of a table.
func find[T any](s *Stripe, from func(b *books) *table, id string) (T, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	object := get[T](from(s.books), id)
	if object == nil {
		var none T
		return none, false
	}
	return *object, true
}

// copies are all objects of a table, oldest first.
func copies[T any](s *Stripe, from func(b *books) *table) []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := from(s.books).rows
	objects := make([]T, len(rows))
	for i, object := range all[T](rows) {
		objects[i] = *object
	}
	return objects
}

// The following are copies of objects as they are now. Their maps and slices are shared and must not be changed.

// Charge finds a charge.
func (s *Stripe) Charge(id string) (Charge, bool) {
	return find[Charge](s, func(b *books) *table { return b.charges }, id)
}

// Charges are all charges, oldest first.
func (s *Stripe) Charges() []Charge {
	return copies[Charge](s, func(b *books) *table { return b.charges })
}

// PaymentIntent finds a payment intent.
func (s *Stripe) PaymentIntent(id string) (PaymentIntent, bool) {
	return find[PaymentIntent](s, func(b *books) *table { return b.intents }, id)
}

// Refund finds a refund.
func (s *Stripe) Refund(id string) (Refund, bool) {
	return find[Refund](s, func(b *books) *table { return b.refunds }, id)
}

// Refunds are all refunds, oldest first.
func (s *Stripe) Refunds() []Refund {
	return copies[Refund](s, func(b *books) *table { return b.refunds })
}

// Dispute finds a dispute.
func (s *Stripe) Dispute(id string) (Dispute, bool) {
	return find[Dispute](s, func(b *books) *table { return b.disputes }, id)
}

// Disputes are all disputes, oldest first.
func (s *Stripe) Disputes() []Dispute {
	return copies[Dispute](s, func(b *books) *table { return b.disputes })
}

// Payout finds a payout.
func (s *Stripe) Payout(id string) (Payout, bool) {
	return find[Payout](s, func(b *books) *table { return b.payouts }, id)
}

// Payouts are all payouts, oldest first.
func (s *Stripe) Payouts() []Payout {
	return copies[Payout](s, func(b *books) *table { return b.payouts })
}

// Invoice finds an invoice.
func (s *Stripe) Invoice(id string) (Invoice, bool) {
	return find[Invoice](s, func(b *books) *table { return b.invoices }, id)
}

// Invoices are all invoices that were not deleted, oldest first.
func (s *Stripe) Invoices() []Invoice {
	return slices.DeleteFunc(copies[Invoice](s, func(b *books) *table { return b.invoices }), func(inv Invoice) bool { return inv.deleted })
}

// Subscription finds a subscription.
func (s *Stripe) Subscription(id string) (Subscription, bool) {
	return find[Subscription](s, func(b *books) *table { return b.subscriptions }, id)
}

// Subscriptions are all subscriptions, oldest first.
func (s *Stripe) Subscriptions() []Subscription {
	return copies[Subscription](s, func(b *books) *table { return b.subscriptions })
}

// BalanceTransaction finds a balance transaction.
func (s *Stripe) BalanceTransaction(id string) (BalanceTransaction, bool) {
	return find[BalanceTransaction](s, func(b *books) *table { return b.transactions }, id)
}

// BalanceTransactions are all balance transactions, oldest first.
func (s *Stripe) BalanceTransactions() []BalanceTransaction {
	return copies[BalanceTransaction](s, func(b *books) *table { return b.transactions })
}
