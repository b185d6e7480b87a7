package stripefeed

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stripe/stripe-go/v76"
	stripecharge "github.com/stripe/stripe-go/v76/charge"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// benchCharges is how many charges the account of the benchmarks has.
const benchCharges = 20_000

// replay answers from memory what the double answered before, so that a benchmark measures the client.
type replay struct {
	from  http.Handler
	mu    sync.Mutex
	pages map[string]*httptest.ResponseRecorder
}

func (r *replay) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	page := r.pages[request.URL.RequestURI()]
	if page == nil {
		page = httptest.NewRecorder()
		page.Header().Set("Date", opening.AddDate(0, 1, 0).Format(http.TimeFormat))
		r.from.ServeHTTP(page, request)
		r.pages[request.URL.RequestURI()] = page
	}
	r.mu.Unlock()
	for name, values := range page.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(page.Code)
	w.Write(page.Body.Bytes())
}

// benchFixture is an account with many charges, answered from memory.
func benchFixture(b *testing.B) *fixture {
	f := &fixture{t: b, clock: newClock(opening)}
	f.stripe = stripetest.New(stripetest.Options{Clock: f.clock.now, Seed: 1})
	for n := range benchCharges {
		f.clock.advance(100 * time.Second)
		if _, err := f.stripe.CreateCharge(stripetest.ChargeParams{Amount: int64(1000 + n), Currency: "usd", Metadata: map[string]string{"purchase_id": "p"}}); err != nil {
			b.Fatal(err)
		}
	}
	server := httptest.NewServer(&replay{from: f.stripe, pages: map[string]*httptest.ResponseRecorder{}})
	b.Cleanup(server.Close)
	f.client = f.newClient(Options{Key: f.stripe.ReadKey(), BaseURL: server.URL, AttemptTimeout: time.Minute, SyncBatchRows: 1000})
	f.store, f.platform = openStore(b)
	return f
}

// BenchmarkChargesIntoPostgreSQL reads a list page after page through our pager and commits every row.
func BenchmarkChargesIntoPostgreSQL(b *testing.B) {
	f := benchFixture(b)
	s := &syncer{client: f.client, o: SyncOptions{Store: f.store}, log: zerolog.Nop(), rows: map[string]int64{}}
	run := func() {
		if _, err := f.platform.Exec("TRUNCATE reconciler.stripe_charges, reconciler.stripe_states"); err != nil {
			b.Fatal(err)
		}
		charges := streamByName("charges")
		if err := charges.read(context.Background(), s, charges.listing); err != nil {
			b.Fatal(err)
		}
	}
	measure(b, run)
	if s.rows["charges"]%benchCharges != 0 {
		b.Fatalf("%d rows", s.rows["charges"])
	}
}

// BenchmarkChargesThroughStripeGo has stripe-go's own iterator read the same list, and does nothing with the rows.
func BenchmarkChargesThroughStripeGo(b *testing.B) {
	f := benchFixture(b)
	client := stripecharge.Client{B: f.client.backend, Key: f.client.options.Key}
	run := func() {
		params := &stripe.ChargeListParams{}
		params.Limit = stripe.Int64(100)
		rows := 0
		i := client.List(params)
		for i.Next() {
			rows++
		}
		if i.Err() != nil || rows != benchCharges {
			b.Fatalf("%d rows, %v", rows, i.Err())
		}
	}
	measure(b, run)
}

// BenchmarkFirstSync is the whole sync of the account, spans in parallel, from the double to the tables.
func BenchmarkFirstSync(b *testing.B) {
	f := benchFixture(b)
	run := func() {
		f.store, f.platform = openStore(b)
		defer f.store.Close()
		f.mustSync()
	}
	measure(b, run)
}

// measure reports rows a second. That memory doesn't grow is TestMemoryIsFlat's: here the answers are kept in it.
func measure(b *testing.B, run func()) {
	run() // fills what is answered from memory
	b.ResetTimer()
	for range b.N {
		run()
	}
	b.StopTimer()
	b.ReportMetric(float64(benchCharges)*float64(b.N)/b.Elapsed().Seconds(), "charges/s")
}
