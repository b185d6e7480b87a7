// Package stripetest is a stateful double of Stripe that runs in process, for tests and for the demonstration.
//
// It speaks API version 2023-10-16 over HTTP as far as the worker reads and writes it: lists with cursors, single
// objects, expansion, refund creation with idempotency keys, restricted keys. Behind the endpoints is a simulated
// business: payments, refunds, disputes, payouts, fees, invoices and subscriptions, whose balance transactions
// always add up to the balance (CheckBooks proves it). A fault plan breaks any call in any of the ways in which
// networks, proxies and Stripe itself break calls.
//
// What it answers is compared with Stripe's official OpenAPI specification (package stripetest/openapi), so that it
// cannot drift away from the real API.
//
// It must never be reachable from production wiring: it forgets everything, moves no money and accepts well-known
// keys. It reads no wall clock for what it simulates; every timestamp comes from Options.Clock.
package stripetest

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// APIVersion is the only Stripe API version that the double speaks.
const APIVersion = "2023-10-16"

// Options describe the simulated Stripe account. Only Clock is required.
type Options struct {
	// Clock is the simulated time: of every object's `created`, of what is available by now, of the Date header.
	// It is called from several goroutines at once.
	Clock func() time.Time
	// Livemode is the mode that the simulated business is in. A key of the other mode sees an empty account.
	Livemode bool
	// Seed makes the ids; the same seed and the same calls give the same ids.
	Seed uint64

	AccountName string // shown by /v1/account and on invoices; default "Humming Bytes"
	Country     string // default "US"
	Currency    string // the account's default currency; default "usd"

	// ReadKey and RefundKey are restricted keys: the first may read everything, the second may read charges, payment
	// intents and disputes, and create refunds. Defaults: DefaultReadKey and DefaultRefundKey for the mode.
	ReadKey, RefundKey string
	// Keys are further API keys.
	Keys []Key

	// AvailableAfter is how long card payments stay pending; default 48 h.
	AvailableAfter time.Duration
	// PayoutTransit is how long standard payouts are in transit; default 48 h.
	PayoutTransit time.Duration
	// ReconciliationLag is how long an automatic payout's reconciliation_status stays in_progress; default 0.
	ReconciliationLag time.Duration
	// FeeTaxBasisPoints is the tax on the default fees, in 1/100 %; default 0.
	FeeTaxBasisPoints int64

	// ValidateResponses checks every regular answer, usually openapi.Validate. An answer that fails becomes a 500
	// whose message says why, and is kept for InvalidResponses.
	ValidateResponses func(method, path string, status int, body []byte) error
	// RecordLimit bounds how many requests are remembered; the oldest go first. Default 10,000.
	RecordLimit int
	// Latency is real time that every call takes; default none.
	Latency time.Duration
}

// Stripe is the double. All its methods may be called at any time from any goroutine.
type Stripe struct {
	options Options
	keys    map[string]Key

	mu       sync.Mutex
	books    *books // of the mode of the business
	empty    *books // what a key of the other mode sees
	idem     map[string]*idempotent
	faults   []*plannedFault
	calls    int
	requests []Request
	pages    map[string]*servedPages
	invalid  []error

	before atomic.Pointer[func(method, target string)]

	serverMu sync.Mutex
	servers  []*http.Server
	closing  chan struct{}
	closed   bool
}

// New makes a double with an empty account. It panics when the options contradict themselves, since they are
// written by programmers.
func New(options Options) *Stripe {
	if options.Clock == nil {
		panic("stripetest: Options.Clock is required")
	}
	setDefault(&options.AccountName, "Humming Bytes")
	setDefault(&options.Country, "US")
	setDefault(&options.Currency, "usd")
	setDefault(&options.ReadKey, DefaultReadKey(options.Livemode))
	setDefault(&options.RefundKey, DefaultRefundKey(options.Livemode))
	setDefault(&options.AvailableAfter, 48*time.Hour)
	setDefault(&options.PayoutTransit, 48*time.Hour)
	setDefault(&options.RecordLimit, 10_000)
	s := &Stripe{
		options: options,
		keys:    map[string]Key{},
		books:   newBooks(options, options.Livemode),
		empty:   newBooks(options, !options.Livemode),
		idem:    map[string]*idempotent{},
		pages:   map[string]*servedPages{},
		closing: make(chan struct{}),
	}
	for _, key := range append([]Key{readKey(options.ReadKey), refundKey(options.RefundKey)}, options.Keys...) {
		if _, err := key.livemode(); err != nil {
			panic("stripetest: " + err.Error())
		}
		s.keys[key.Secret] = key
	}
	return s
}

func setDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

// Listen serves the double on a free loopback port and returns the base URL, without a trailing slash.
func (s *Stripe) Listen() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen for the Stripe double: %w", err)
	}
	server := &http.Server{Handler: s, ConnContext: countConnection, ErrorLog: discardLog, ReadHeaderTimeout: time.Minute}
	s.serverMu.Lock()
	defer s.serverMu.Unlock()
	if s.closed {
		return "", errors.Join(errors.New("listen for the Stripe double: it is closed"), listener.Close())
	}
	s.servers = append(s.servers, server)
	go func() { _ = server.Serve(listener) }() // ends with http.ErrServerClosed
	return "http://" + listener.Addr().String(), nil
}

// Close drops all connections, also those that a fault keeps hanging.
func (s *Stripe) Close() error {
	s.serverMu.Lock()
	defer s.serverMu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	close(s.closing)
	var errs []error
	for _, server := range s.servers {
		errs = append(errs, server.Close())
	}
	return errors.Join(errs...)
}

// BeforeEachCall has something happen to the business before every call is looked at, such as between a list and what is read of its rows;
// nil for nothing. The target is path and query. It is called from several goroutines at once.
func (s *Stripe) BeforeEachCall(do func(method, target string)) {
	if do == nil {
		s.before.Store(nil)
		return
	}
	s.before.Store(&do)
}

// now is the simulated instant, to the second as Stripe stamps.
func (s *Stripe) now() time.Time { return s.options.Clock().UTC().Truncate(time.Second) }

// change runs one business event under the lock, all at the same instant.
func change[T any](s *Stripe, what string, event func(b *books, now time.Time) (T, error)) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	result, err := event(s.books, s.now())
	if err != nil {
		err = fmt.Errorf("stripe double: %s: %w", what, err)
	}
	return result, err
}

// AccountID is the id of the simulated account (acct_...).
func (s *Stripe) AccountID() string { return s.books.account }

// ReadKey is the restricted key that may read everything.
func (s *Stripe) ReadKey() string { return s.options.ReadKey }

// RefundKey is the restricted key that may create refunds.
func (s *Stripe) RefundKey() string { return s.options.RefundKey }

// books are the objects of one mode of the account.
type books struct {
	options  Options
	livemode bool
	account  string
	opened   time.Time
	mint     mint
	seq      int64

	customers, charges, intents, refunds, disputes, payouts *table
	transactions, invoices, subscriptions, topups           *table

	// net is what was ever posted per currency, kept apart from the transactions so that CheckBooks compares two counts.
	net map[string]int64
	// unpaid are the transactions that no automatic payout took yet.
	unpaid map[string][]*BalanceTransaction
}

func newBooks(options Options, livemode bool) *books {
	b := &books{
		options:  options,
		livemode: livemode,
		opened:   options.Clock().UTC().Truncate(time.Second),
		mint:     mint{seed: options.Seed, next: map[string]uint64{}},
		net:      map[string]int64{},
		unpaid:   map[string][]*BalanceTransaction{},

		customers:     newTable("customer", "customer", "/v1/customers", "email"),
		charges:       newTable("charge", "charge", "/v1/charges", "customer", "payment_intent"),
		intents:       newTable("payment_intent", "payment_intent", "/v1/payment_intents", "customer"),
		refunds:       newTable("refund", "refund", "/v1/refunds", "charge", "payment_intent"),
		disputes:      newTable("dispute", "dispute", "/v1/disputes", "charge", "payment_intent"),
		payouts:       newTable("payout", "payout", "/v1/payouts"),
		transactions:  newTable("balance_transaction", "balance transaction", "/v1/balance_transactions", "source", "payout", "type", "currency"),
		invoices:      newTable("invoice", "invoice", "/v1/invoices", "customer", "subscription"),
		subscriptions: newTable("subscription", "subscription", "/v1/subscriptions", "customer"),
		topups:        newTable("topup", "topup", "/v1/topups"),
	}
	b.account = "acct_" + b.mint.token("acct", 16)
	return b
}

// object starts a new object with the next id of its prefix.
func (b *books) object(prefix string, now time.Time) Object {
	b.seq++
	return Object{ID: b.mint.id(prefix), Created: now, seq: b.seq}
}

// tableOf finds the table that an id belongs to by its prefix; nil when there is none.
func (b *books) tableOf(id string) *table {
	prefix, _, _ := strings.Cut(id, "_")
	switch prefix {
	case "cus":
		return b.customers
	case "ch", "py":
		return b.charges
	case "pi":
		return b.intents
	case "re", "pyr":
		return b.refunds
	case "dp", "du":
		return b.disputes
	case "po":
		return b.payouts
	case "txn":
		return b.transactions
	case "in":
		return b.invoices
	case "sub":
		return b.subscriptions
	case "tu":
		return b.topups
	}
	return nil
}

// isDeleted is whether lists and lookups leave the row out.
func isDeleted(row record) bool {
	invoice, is := row.(*Invoice)
	return is && invoice.deleted
}

// Request is one call as the double saw it.
type Request struct {
	Number         int // 1 is the first call ever
	Method, Path   string
	Form           url.Values // of the query, or of the body of a POST
	Key            string     // the API key, in full
	IdempotencyKey string
	RequestID      string
	At             time.Time // simulated
	Arrived        time.Time // real, to measure rates
	Warm           bool      // on a connection that served a request before
	Fault          Kind      // the fault that was due, "" for none
	FaultHit       bool      // the fault really changed something
	Status         int       // 0 when there was no answer
	Replayed       bool      // answered from an idempotency key
}

// remember keeps the request, in a ring of Options.RecordLimit.
func (s *Stripe) remember(c *call, r *http.Request, form url.Values, fault *Fault) {
	key, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !found {
		key, _, _ = r.BasicAuth()
	}
	request := Request{
		Number: c.number, Method: r.Method, Path: r.URL.Path, Form: form, Key: key, IdempotencyKey: c.idempotencyKey,
		RequestID: c.requestID, At: c.now, Arrived: time.Now(), Warm: c.warm,
	}
	if fault != nil {
		request.Fault = fault.Kind
	}
	if len(s.requests) < s.options.RecordLimit {
		s.requests = append(s.requests, request)
		return
	}
	s.requests[(c.number-1)%s.options.RecordLimit] = request
}

// finish notes how a call ended, and keeps the page that it served where a fault may need it later.
func (s *Stripe) finish(c *call, answer response, hit bool) (isKept bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slot := (c.number - 1) % s.options.RecordLimit; slot < len(s.requests) && s.requests[slot].Number == c.number {
		s.requests[slot].Status = answer.status
		s.requests[slot].FaultHit = hit
		s.requests[slot].Replayed = answer.header.Get("Idempotent-Replayed") == "true"
	}
	if c.list && answer.status == http.StatusOK && len(s.faults) > 0 {
		pages := s.pages[c.listing]
		if pages == nil {
			pages = &servedPages{first: answer.body}
			s.pages[c.listing] = pages
		}
		pages.latest = answer.body
		return true
	}
	return false
}

// Requests are the calls so far, oldest first, the last Options.RecordLimit of them.
func (s *Stripe) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) == 0 {
		return nil
	}
	start := 0
	if len(s.requests) == s.options.RecordLimit {
		start = s.calls % s.options.RecordLimit
	}
	return append(append([]Request{}, s.requests[start:]...), s.requests[:start]...)
}

// Calls is how many calls came in so far.
func (s *Stripe) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}
