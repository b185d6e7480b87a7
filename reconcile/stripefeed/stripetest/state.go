package stripetest

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// State is the end state of the account without ids, timestamps and order of what the requests created, so that a run under faults
// can be compared with a faultless one (reflect.DeepEqual or cmp.Diff).
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

const idAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// mint makes ids that look like Stripe's: the n-th id of a prefix depends on the seed, the prefix and n only.
type mint struct {
	seed uint64
	next map[string]uint64
}

func (m *mint) id(prefix string) string { return prefix + "_1" + m.token(prefix, 23) }

func (m *mint) token(kind string, length int) string {
	m.next[kind]++
	state := m.seed
	for _, c := range []byte(kind) {
		state = mix(state ^ uint64(c))
	}
	state = mix(state + m.next[kind])
	token := make([]byte, length)
	for i := range token {
		if i%8 == 0 {
			state = mix(state)
		}
		token[i] = idAlphabet[(state>>(7*(i%8)))%uint64(len(idAlphabet))]
	}
	return string(token)
}

// mix is splitmix64's finaliser: a bijection, so that different states stay different.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return x ^ (x >> 31)
}

// Object is what all Stripe objects have.
type Object struct {
	ID      string
	Created time.Time
	seq     int64 // breaks ties within a second, in the order of creation
}

func (o *Object) key() string     { return o.ID }
func (o *Object) created() int64  { return o.Created.Unix() }
func (o *Object) sequence() int64 { return o.seq }

// record is an object that can be stored, filtered and rendered.
type record interface {
	key() string
	created() int64
	sequence() int64
	// field is the value of a filterable property as a request would write it.
	field(name string, now time.Time) string
	write(w *writer)
}

// table keeps the objects of one kind, oldest first, with an index for each property that lists filter by often.
type table struct {
	object string // as in the property "object"
	noun   string // as in error messages
	url    string
	rows   []record
	byID   map[string]record
	index  map[string]map[string][]record
}

func newTable(object, noun, url string, indexed ...string) *table {
	t := &table{object: object, noun: noun, url: url, byID: map[string]record{}, index: map[string]map[string][]record{}}
	for _, field := range indexed {
		t.index[field] = map[string][]record{}
	}
	return t
}

func (t *table) add(row record) {
	t.rows = insert(t.rows, row)
	t.byID[row.key()] = row
	for field := range t.index {
		t.reindex(field, row)
	}
}

// reindex files the row under its present value of a field. Values are set once, so nothing is ever unfiled.
func (t *table) reindex(field string, row record) {
	if value := row.field(field, time.Time{}); value != "" {
		t.index[field][value] = insert(t.index[field][value], row)
	}
}

func insert(rows []record, row record) []record {
	if n := len(rows); n == 0 || compare(rows[n-1], row) < 0 {
		return append(rows, row)
	}
	at, _ := slices.BinarySearchFunc(rows, row, compare)
	return slices.Insert(rows, at, row)
}

func compare(a, b record) int {
	return cmp.Or(cmp.Compare(a.created(), b.created()), cmp.Compare(a.sequence(), b.sequence()))
}

func get[T any](t *table, id string) *T {
	row, _ := any(t.byID[id]).(*T)
	return row
}

// all lists a table's objects oldest first.
func all[T any](rows []record) []*T {
	objects := make([]*T, len(rows))
	for i, row := range rows {
		objects[i], _ = any(row).(*T)
	}
	return objects
}

// listing is a parsed list request.
type listing struct {
	equal         map[string]string
	ranges        map[string]span
	startingAfter record
	endingBefore  record
	limit         int
	hide          func(row record, now time.Time) bool // nil hides nothing
}

// span is a range of Unix seconds, both ends included.
type span struct{ from, to int64 }

func (s span) contains(value int64) bool { return s.from <= value && value <= s.to }

// page finds the rows of one page, newest first, without walking over what is before it.
func (t *table) page(l listing, now time.Time) (rows []record, hasMore bool) {
	candidates := t.rows
	for field, value := range l.equal {
		if index := t.index[field]; index != nil && len(index[value]) < len(candidates) {
			candidates = index[value]
		}
	}
	low, high := 0, len(candidates)
	if created, ok := l.ranges["created"]; ok {
		low, _ = slices.BinarySearchFunc(candidates, created.from, func(r record, from int64) int { return cmp.Compare(r.created(), from) })
		high, _ = slices.BinarySearchFunc(candidates, created.to, func(r record, to int64) int {
			if r.created() <= to {
				return -1
			}
			return 1
		})
	}
	if l.startingAfter != nil {
		at, _ := slices.BinarySearchFunc(candidates, l.startingAfter, compare)
		high = min(high, at)
	}
	if l.endingBefore != nil {
		at, found := slices.BinarySearchFunc(candidates, l.endingBefore, compare)
		if found {
			at++
		}
		low = max(low, at)
	}
	take := func(row record) bool {
		if !l.matches(row, now) {
			return true
		}
		if len(rows) == l.limit {
			hasMore = true
			return false
		}
		rows = append(rows, row)
		return true
	}
	if l.endingBefore != nil {
		for i := low; i < high && take(candidates[i]); i++ {
		}
		slices.Reverse(rows)
		return rows, hasMore
	}
	for i := high - 1; i >= low && take(candidates[i]); i-- {
	}
	return rows, hasMore
}

func (l listing) matches(row record, now time.Time) bool {
	if isDeleted(row) || l.hide != nil && l.hide(row, now) {
		return false
	}
	for field, value := range l.equal {
		if row.field(field, now) != value {
			return false
		}
	}
	for field, span := range l.ranges {
		if field != "created" && !span.contains(parseSeconds(row.field(field, now))) {
			return false
		}
	}
	return true
}
