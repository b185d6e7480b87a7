package stripefeed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stripe/stripe-mock/embedded"
	"github.com/stripe/stripe-mock/server"
)

const testKey = "rk_test_0123456789abcdefSECRET"

// serve answers every request with fn, and returns a client of it.
func serve(t *testing.T, o Options, fn http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(fn)
	t.Cleanup(s.Close)
	f := &fixture{t: t}
	o.BaseURL = s.URL
	setDefault(&o.Key, testKey)
	return f.newClient(o)
}

func TestNewRefusesWrongSettings(t *testing.T) {
	for name, o := range map[string]Options{
		"no key":            {},
		"publishable key":   {Key: "pk_test_0123456789abcdefSECRET"},
		"key with a space":  {Key: "rk_test_01234 SECRET"},
		"unknown mode":      {Key: testKey, Mode: "production"},
		"live for a test":   {Key: "rk_live_0123456789abcdefSECRET", Mode: "test"},
		"test for live":     {Key: testKey, Mode: "live"},
		"base without host": {Key: testKey, BaseURL: "api.stripe.com"},
		"live key in clear": {Key: "sk_live_0123456789abcdefSECRET", BaseURL: "http://stripe.example.com"},
	} {
		_, err := New(o)
		if !errors.Is(err, ErrSettings) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
	_, err := New(Options{Key: testKey, Mode: "live", BaseURL: "nonsense"})
	if err == nil || !strings.Contains(err.Error(), "settings say live") || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("not everything that is wrong was said at once: %v", err)
	}
}

// Every endpoint that a sync uses, against Stripe's official mock, which refuses any other API version than 2023-10-16.
func TestClientSpeaksToTheOfficialMock(t *testing.T) {
	spec, err := server.LoadSpec(embedded.OpenAPISpec, "")
	if err != nil {
		t.Fatal(err)
	}
	fixtures, err := server.LoadFixtures(embedded.OpenAPIFixtures, "")
	if err != nil {
		t.Fatal(err)
	}
	stub, err := server.NewStubServer(fixtures, spec, true, false)
	if err != nil {
		t.Fatal(err)
	}
	c := serve(t, Options{Key: "rk_test_0123456789abcdef"}, stub.HandleRequest)
	ctx := context.Background()
	s := &syncer{client: c}
	if _, _, err := s.balance(ctx); err != nil {
		t.Errorf("balance: %v", err)
	}
	if _, _, err := get(ctx, c, "/v1/account", "/v1/account", nil, (*account).check); err != nil {
		t.Errorf("account: %v", err)
	}
	checkMock[balanceTransaction](t, c, transactions.listing)
	checkMock[charge](t, c, streamByName("charges").listing)
	checkMock[refund](t, c, streamByName("refunds").listing)
	checkMock[dispute](t, c, streamByName("disputes").listing)
	checkMock[payout](t, c, streamByName("payouts").listing)
	checkMock[invoice](t, c, streamByName("invoices").listing)
	checkMock[subscription](t, c, subscriptions.listing)
	checkMock[paymentIntent](t, c, intents.listing)
	lines := invoiceLines
	lines.path = "/v1/invoices/in_1/lines"
	if err := pages(ctx, c, lines, func(rows []*invoiceLine, _ time.Time) error {
		return rows[0].store(columns{})
	}); err != nil {
		t.Errorf("invoice lines: %v", err)
	}
	// The other ways in which lists are asked for, as the mock refuses parameters that the specification doesn't have.
	running := subscriptions.listing
	running.query = nil
	checkMock[subscription](t, c, running)
	paidOut := transactions.listing
	paidOut.query = url.Values{"payout": {"po_1"}}
	checkMock[balanceTransaction](t, c, paidOut)
	if _, err := c.ReadCharge(ctx, "ch_1"); err != nil && !errors.Is(err, ErrAnomaly) { // the mock has one of its own, whatever is asked for
		t.Errorf("a charge: %v", err)
	}
	if _, err := c.RefundsOf(ctx, "ch_1"); !errors.Is(err, ErrAnomaly) { // likewise
		t.Errorf("a charge's refunds: %v", err)
	}
	order := RefundOrder{ChargeID: "ch_1", AmountMinor: 7, IdempotencyKey: "k", Metadata: map[string]string{"reconciler_intent": "ri_1"}}
	if made, err := c.CreateRefund(ctx, order); err != nil || made.AmountMinor != 7 || made.ChargeID != "ch_1" {
		t.Errorf("making a refund: %+v, %v", made, err)
	}
}

// checkMock lists an endpoint and reads the first row by itself.
func checkMock[T any, P interface {
	object[T]
	stored
}](t *testing.T, c *Client, l listing) {
	t.Helper()
	ctx := context.Background()
	rows := 0
	err := pages(ctx, c, l.between(1, 2_000_000_000), func(page []P, at time.Time) error {
		rows += len(page)
		if at.IsZero() {
			t.Errorf("%s: no date", l.path)
		}
		return page[0].store(columns{})
	})
	if err != nil || rows == 0 {
		t.Errorf("%s: %d rows, %v", l.path, rows, err)
	}
	row, _, err := get(ctx, c, l.path, l.path+"/x_123", nil, func(*T) error { return nil })
	if err != nil {
		t.Errorf("%s/{id}: %v", l.path, err)
		return
	}
	if err := P(row).store(columns{}); err != nil {
		t.Errorf("%s/{id}: %v", l.path, err)
	}
}

const emptyList = `{"object":"list","data":[],"has_more":false,"url":"/v1/charges"}`

func list(c *Client) error {
	return pages(context.Background(), c, listing{path: "/v1/charges", object: "charge"}, func([]*charge, time.Time) error { return nil })
}

func TestCallsAreRetriedOnlyWhereThatHelps(t *testing.T) {
	write := func(status int, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	stripeError := func(kind, code, message string) string {
		return fmt.Sprintf(`{"error":{"type":%q,"code":%q,"message":%q}}`, kind, code, message)
	}
	for _, tc := range []struct {
		name    string
		first   func(http.ResponseWriter) // the first answer; the second is fine
		retried bool
		want    error
		text    string
	}{
		{"429", write(429, stripeError("invalid_request_error", "rate_limit", "slow down")), true, nil, ""},
		{"429 without a type", write(429, `{"error":{"message":"slow down"}}`), true, nil, ""},
		{"429 html", write(429, "<html>Too many</html>"), true, nil, ""},
		{"429 empty", write(429, ""), true, nil, ""},
		{"lock timeout", write(429, stripeError("invalid_request_error", "lock_timeout", "busy")), true, nil, ""},
		{"409", write(409, stripeError("idempotency_error", "", "in use")), true, nil, ""},
		{"500", write(500, stripeError("api_error", "", "oops")), true, nil, ""},
		{"502 html", write(502, "<html>Bad gateway</html>"), true, nil, ""},
		{"503", write(503, ""), true, nil, ""},
		{"200 html", write(200, "<html>Maintenance</html>"), true, nil, ""},
		{"200 empty object", write(200, "{}"), true, nil, ""},
		{"200 null", write(200, "null"), true, nil, ""},
		{"200 cut off", write(200, emptyList[:20]), true, nil, ""},
		{"200 shorter than announced", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "5000")
			fmt.Fprint(w, emptyList)
		}, true, nil, ""},
		{"no date", func(w http.ResponseWriter) {
			w.Header()["Date"] = nil
			fmt.Fprint(w, emptyList)
		}, true, nil, ""},
		{"500 that Stripe says not to retry", func(w http.ResponseWriter) {
			w.Header().Set("Stripe-Should-Retry", "false")
			write(500, stripeError("api_error", "", "oops"))(w)
		}, false, nil, "500"},
		{"400", write(400, stripeError("invalid_request_error", "parameter_unknown", "Received unknown parameter")), false, nil, "unknown parameter"},
		{"401", write(401, stripeError("invalid_request_error", "", "Invalid API Key provided: rk_test_****0000")), false, ErrRefused, "Invalid API Key"},
		{"403", write(403, stripeError("invalid_request_error", "", "Having the 'rak_charge_read' permission would allow this request")), false, ErrRefused, "rak_charge_read"},
		{"404", write(404, stripeError("invalid_request_error", "resource_missing", "No such charge")), false, ErrNotFound, "No such charge"},
		{"404 cut off", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "5000")
			write(404, `{"error":{"type":"invalid_request_error","code":"resource_mis`)(w)
		}, true, nil, ""},
		{"404 of a proxy", write(404, "<html>nginx</html>"), false, nil, "STRIPE_API_BASE"},
		{"redirect", func(w http.ResponseWriter) {
			w.Header().Set("Location", "https://elsewhere.example.com/")
			w.WriteHeader(302)
		}, false, nil, "redirects are not followed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var calls atomic.Int64
			c := serve(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
				if calls.Add(1) == 1 {
					tc.first(w)
					return
				}
				fmt.Fprint(w, emptyList)
			})
			err := list(c)
			if tc.retried != (calls.Load() == 2) || tc.retried != (err == nil) {
				t.Fatalf("%d calls, %v", calls.Load(), err)
			}
			if tc.want != nil && !errors.Is(err, tc.want) || !tc.retried && !strings.Contains(err.Error(), tc.text) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestRetriesAreBounded(t *testing.T) {
	var calls atomic.Int64
	c := serve(t, Options{Attempts: 4}, func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.WriteHeader(503)
	})
	if err := list(c); !errors.Is(err, ErrUnavailable) || calls.Load() != 4 {
		t.Errorf("%d calls, %v", calls.Load(), err)
	}
}

func TestBackoffEndsWithTheContext(t *testing.T) {
	c := serve(t, Options{BackoffBase: time.Hour, BackoffLimit: time.Hour}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, _, err := get(ctx, c, "x", "/v1/balance", nil, (*balance).check)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}

func TestBackoffHonoursRetryAfterWithinItsLimit(t *testing.T) {
	c := &Client{options: Options{BackoffBase: time.Second, BackoffLimit: time.Minute}}
	date := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	with := func(value string) observation {
		return observation{status: 429, header: http.Header{"Retry-After": {value}}, date: date}
	}
	for name, tc := range map[string]struct {
		attempt  int
		seen     observation
		min, max time.Duration
	}{
		"first":           {1, with(""), time.Second / 2, time.Second},
		"doubled":         {3, with(""), 2 * time.Second, 4 * time.Second},
		"limited":         {60, with(""), 30 * time.Second, time.Minute},
		"seconds":         {1, with("7"), 7 * time.Second, 7 * time.Second},
		"a date":          {1, with(date.Add(9 * time.Second).Format(http.TimeFormat)), 9 * time.Second, 9 * time.Second},
		"a date long ago": {1, with(date.Add(-time.Hour).Format(http.TimeFormat)), time.Second / 2, time.Second},
		"hours":           {1, with("86400"), time.Minute, time.Minute},
		"negative":        {1, with("-5"), time.Second / 2, time.Second},
		"nonsense":        {1, with("soon"), time.Second / 2, time.Second},
	} {
		for range 100 {
			if got := c.backoff(tc.attempt, tc.seen); got < tc.min || got > tc.max {
				t.Fatalf("%s: waits %v, want %v to %v", name, got, tc.min, tc.max)
			}
		}
	}
}

func TestRateLimitsAreKept(t *testing.T) {
	var calls atomic.Int64
	c := serve(t, Options{EndpointPerSecond: 20, TotalPerSecond: 1e6}, func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		fmt.Fprint(w, emptyList)
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for ctx.Err() == nil {
		if err := pages(ctx, c, listing{path: "/v1/charges", object: "charge"}, func([]*charge, time.Time) error { return nil }); err != nil {
			break
		}
	}
	if n := calls.Load(); n < 5 || n > 30 {
		t.Errorf("%d calls in a second, the limit being 20", n)
	}
}

// A call that would have to wait for its turn for longer than it may is worth another try.
func TestNoTimeToWaitForATurn(t *testing.T) {
	c := serve(t, Options{EndpointPerSecond: 1, TotalPerSecond: 1e6}, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, emptyList) })
	if err := list(c); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	err := pages(ctx, c, listing{path: "/v1/charges", object: "charge"}, func([]*charge, time.Time) error { return nil })
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

// Bodies are full of personal data: not a word of them may reach the log or an error, and the key must reach neither.
func TestNothingOfBodiesOrKeysIsLogged(t *testing.T) {
	const private = "jane.doe@example.com"
	var log bytes.Buffer
	for name, answer := range map[string]func(http.ResponseWriter){
		"html":     func(w http.ResponseWriter) { fmt.Fprintf(w, "<html>%s</html>", private) },
		"cut off":  func(w http.ResponseWriter) { fmt.Fprintf(w, `{"object":"list","data":[{"email":"%s"`, private) },
		"500":      func(w http.ResponseWriter) { w.WriteHeader(500); fmt.Fprintf(w, "trace: %s", private) },
		"500 json": func(w http.ResponseWriter) { w.WriteHeader(500); fmt.Fprintf(w, `{"error":{"message":"%s"}}`, private) },
		"fine": func(w http.ResponseWriter) {
			fmt.Fprintf(w, `{"object":"list","has_more":false,"data":[],"x":"%s"}`, private)
		},
		"wrong row": func(w http.ResponseWriter) {
			fmt.Fprintf(w, `{"object":"list","has_more":false,"data":[{"id":"","email":"%s"}]}`, private)
		},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
		c, err := New(Options{Key: testKey, BaseURL: s.URL, Attempts: 2, BackoffBase: time.Millisecond, Log: zerolog.New(&log)})
		if err != nil {
			t.Fatal(err)
		}
		err = list(c)
		s.Close()
		for _, secret := range []string{private, "SECRET"} {
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error says %s: %v", name, secret, err)
			}
			if strings.Contains(log.String(), secret) {
				t.Errorf("%s: the log says %s: %s", name, secret, log.String())
			}
		}
	}
	if log.Len() == 0 {
		t.Error("nothing was logged at all")
	}
}

func TestPagerTakesNothingOnTrust(t *testing.T) {
	row := func(id string, created int) string {
		return fmt.Sprintf(`{"id":%q,"object":"charge","created":%d,"livemode":false}`, id, created)
	}
	page := func(more bool, rows ...string) string {
		return fmt.Sprintf(`{"object":"list","data":[%s],"has_more":%t}`, strings.Join(rows, ","), more)
	}
	for name, tc := range map[string]struct {
		pages []string
		want  error
	}{
		"one page":                  {[]string{page(false, row("a", 9), row("b", 8))}, nil},
		"three pages":               {[]string{page(true, row("a", 9)), page(true, row("b", 8)), page(false, row("c", 8))}, nil},
		"an empty last page":        {[]string{page(true, row("a", 9)), page(false)}, nil},
		"rows hardly out of order":  {[]string{page(false, row("a", 9), row("b", 10))}, nil},
		"a repeated page":           {[]string{page(true, row("a", 9)), page(true, row("a", 9))}, ErrAnomaly},
		"an empty first page":       {[]string{page(true)}, ErrAnomaly},
		"an empty later page":       {[]string{page(true, row("a", 9)), page(true)}, ErrAnomaly},
		"a row twice in a page":     {[]string{page(false, row("a", 9), row("a", 9))}, ErrAnomaly},
		"a null row":                {[]string{page(false, "null")}, ErrAnomaly},
		"a row without an id":       {[]string{page(false, row("", 9))}, ErrAnomaly},
		"a row without a date":      {[]string{page(false, row("a", 0))}, ErrAnomaly},
		"a row of another kind":     {[]string{`{"object":"list","data":[{"id":"a","object":"refund","created":9}],"has_more":false}`}, ErrAnomaly},
		"a jump back in time":       {[]string{page(false, row("a", 9), row("b", 5000))}, ErrAnomaly},
		"not a list":                {[]string{`{"object":"charge","data":[],"has_more":false}`}, ErrAnomaly},
		"a list without object":     {[]string{`{"data":[],"has_more":false}`}, ErrAnomaly},
		"a list without rows":       {[]string{`{"object":"list","has_more":false}`}, ErrAnomaly},
		"null for rows":             {[]string{`{"object":"list","data":null,"has_more":false}`}, ErrAnomaly},
		"nothing said of more":      {[]string{`{"object":"list","data":[]}`}, ErrAnomaly},
		"the other mode":            {[]string{`{"object":"list","data":[{"id":"a","object":"charge","created":9,"livemode":true}],"has_more":false}`}, ErrRefused},
		"an empty object, for ever": {[]string{`{}`, `{}`, `{}`}, ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			next := 0
			c := serve(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
				if cursor := r.URL.Query().Get("starting_after"); (next > 0 && tc.want != ErrUnavailable) != (cursor != "") {
					t.Errorf("page %d is asked for after %q", next+1, cursor)
				}
				if next == len(tc.pages) {
					t.Error("asked for more than there is")
					next--
				}
				fmt.Fprint(w, tc.pages[next])
				next++
			})
			err := list(c)
			if tc.want == nil && err != nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("%v, want %v", err, tc.want)
			}
		})
	}
}

// A circle longer than what is remembered of a list has to jump back in time.
func TestPagerFindsLongCircles(t *testing.T) {
	const rows = 20_000
	next, calls := 0, 0
	c := serve(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		fmt.Fprint(w, `{"object":"list","has_more":true,"data":[`)
		for i := range 100 {
			if i > 0 {
				fmt.Fprint(w, ",")
			}
			fmt.Fprintf(w, `{"id":"ch_%d","object":"charge","created":%d}`, next, 2_000_000-next)
			next = (next + 1) % rows
		}
		fmt.Fprint(w, "]}")
	})
	if err := list(c); !errors.Is(err, ErrAnomaly) || calls != rows/100+1 {
		t.Errorf("%d calls: %v", calls, err)
	}
}

// A refund is asked for in one piece of a known length: proxies may refuse what comes in chunks, or hand on an empty request.
func TestARefundSaysHowLongItIs(t *testing.T) {
	var length int64
	client := serve(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		length = r.ContentLength
		if err := r.ParseForm(); err != nil || r.PostForm.Get("charge") != "ch_1" || r.PostForm.Get("amount") != "500" {
			t.Errorf("the form is %v, %v", r.PostForm, err)
		}
		fmt.Fprint(w, `{"id": "re_1", "object": "refund", "created": 1772000000, "charge": "ch_1", "amount": 500, "currency": "usd", "status": "succeeded", "metadata": {}}`)
	})
	if _, err := client.CreateRefund(t.Context(), RefundOrder{ChargeID: "ch_1", AmountMinor: 500, IdempotencyKey: "key-1"}); err != nil {
		t.Fatal(err)
	}
	if length <= 0 {
		t.Errorf("the request's length is %d", length)
	}
}
