package stripetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

var discardLog = log.New(io.Discard, "", 0)

// maxRequestBytes bounds request bodies.
const maxRequestBytes = 1 << 20

type connectionKey struct{}

// countConnection gives every connection a counter of its requests, to tell warm ones from cold ones.
func countConnection(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, new(atomic.Int64))
}

// response is what the double has decided to answer, before a fault gets at it.
type response struct {
	status int
	header http.Header
	body   []byte
}

func errorResponse(err *apiError, requestID string, livemode bool, now time.Time) response {
	return response{status: err.status, header: http.Header{}, body: err.document(requestID, livemode, now)}
}

// ServeHTTP answers one API request.
func (s *Stripe) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	warm := false
	if count, ok := r.Context().Value(connectionKey{}).(*atomic.Int64); ok {
		warm = count.Add(1) > 1
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBytes))
	if err != nil {
		return // the client went away while sending
	}
	form, parseErr := url.ParseQuery(string(body))
	if r.Method == http.MethodGet {
		form, parseErr = url.ParseQuery(r.URL.RawQuery)
	}
	if s.options.Latency > 0 {
		select {
		case <-time.After(s.options.Latency):
		case <-r.Context().Done():
			return
		}
	}
	if before := s.before.Load(); before != nil {
		(*before)(r.Method, r.URL.RequestURI())
	}
	call, fault := s.begin(r, form, warm)
	line := &wire{w: w, r: r, call: call, closing: s.closing}
	if fault != nil && s.breakBefore(line, fault) {
		return
	}
	answer := s.answer(r, call, form, parseErr, fault)
	if s.options.ValidateResponses != nil {
		answer = s.validated(r, call, answer)
	}
	if fault == nil {
		isKept := s.finish(call, answer, false)
		line.send(answer)
		if call.list && !isKept {
			page := answer.body
			pageBuffers.Put(&page)
		}
		return
	}
	s.breakAfter(line, fault, answer)
}

// call is what is known of a request in flight.
type call struct {
	number         int
	requestID      string
	now            time.Time
	method, path   string
	idempotencyKey string
	list           bool   // it asks for a list
	listing        string // which list, whatever the cursor; "" unless list
	cursor         string // where the page starts
	warm           bool   // on a connection that served a request before
}

// begin numbers and records the request, and finds the fault that is planned for it.
func (s *Stripe) begin(r *http.Request, form url.Values, warm bool) (*call, *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	c := &call{
		number: s.calls, requestID: "req_" + s.books.mint.token("req", 14), now: s.now(), method: r.Method, path: r.URL.Path,
		idempotencyKey: r.Header.Get("Idempotency-Key"), cursor: form.Get("starting_after") + form.Get("ending_before"), warm: warm,
	}
	if endpoint, id := s.route(r); endpoint != nil && r.Method == http.MethodGet && (id == "" || strings.Count(r.URL.Path, "/") == 4) {
		c.list = !strings.HasSuffix(r.URL.Path, "/balance") && !strings.HasSuffix(r.URL.Path, "/account")
		same := maps.Clone(form)
		same.Del("starting_after")
		same.Del("ending_before")
		c.listing = r.URL.Path + "?" + same.Encode()
	}
	fault := s.planned(c)
	s.remember(c, r, form, fault)
	return c, fault
}

// answer does what the request asks.
func (s *Stripe) answer(r *http.Request, c *call, form url.Values, parseErr error, fault *Fault) response {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, problem := s.authenticate(r)
	livemode := s.options.Livemode
	fail := func(problem *apiError) response { return errorResponse(problem, c.requestID, livemode, c.now) }
	if problem != nil {
		return fail(problem)
	}
	livemode, _ = key.livemode() // New has checked it
	if parseErr != nil {
		return fail(invalidRequest("", "Invalid request parameters: "+parseErr.Error(), ""))
	}
	if version := r.Header.Get("Stripe-Version"); version != "" && version != APIVersion {
		return fail(invalidRequest("", fmt.Sprintf("Invalid Stripe API version: %s. This account speaks %s.", version, APIVersion), ""))
	}
	endpoint, id := s.route(r)
	if endpoint == nil {
		return fail(&apiError{
			status: http.StatusNotFound, kind: "invalid_request_error",
			message: fmt.Sprintf("Unrecognized request URL (%s: %s). Please see https://stripe.com/docs or we can help at https://support.stripe.com/.", r.Method, r.URL.Path),
		})
	}
	if problem := s.authorize(key, endpoint.permission); problem != nil {
		return fail(problem)
	}
	b := s.books
	if livemode != s.options.Livemode {
		b = s.empty
	}
	run := func() (response, bool) {
		document, executed, problem := endpoint.handle(b, id, form, s.now())
		if problem != nil {
			return fail(problem), executed
		}
		return response{status: http.StatusOK, header: http.Header{}, body: document}, executed
	}
	idempotencyKey := r.Header.Get("Idempotency-Key")
	if r.Method != http.MethodPost || idempotencyKey == "" {
		answer, _ := run()
		return answer
	}
	return s.idempotently(r, c, livemode, idempotencyKey, form, fault, run)
}

// validated replaces an answer that breaks the specification by a loud error.
func (s *Stripe) validated(r *http.Request, c *call, answer response) response {
	err := s.options.ValidateResponses(r.Method, r.URL.Path, answer.status, answer.body)
	if err == nil {
		return answer
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err = fmt.Errorf("answer to %s %s: %w", r.Method, r.URL, err)
	s.invalid = append(s.invalid, err)
	return errorResponse(serverError(http.StatusInternalServerError, err.Error()), c.requestID, s.options.Livemode, c.now)
}

// InvalidResponses are the answers that Options.ValidateResponses refused, joined; nil when there were none.
func (s *Stripe) InvalidResponses() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.invalid...)
}

// wire is the connection that an answer goes out on.
type wire struct {
	w       http.ResponseWriter
	r       *http.Request
	call    *call
	closing chan struct{}
}

// headers merges what every answer carries with the answer's own.
func (l *wire) headers(answer response) http.Header {
	header := http.Header{
		"Content-Type":   {"application/json"},
		"Content-Length": {strconv.Itoa(len(answer.body))},
		"Date":           {l.call.now.Format(http.TimeFormat)},
		"Request-Id":     {l.call.requestID},
		"Stripe-Version": {APIVersion},
	}
	if l.call.idempotencyKey != "" {
		header.Set("Idempotency-Key", l.call.idempotencyKey)
	}
	maps.Copy(header, answer.header)
	return header
}

func (l *wire) send(answer response) {
	maps.Copy(l.w.Header(), l.headers(answer))
	l.w.WriteHeader(answer.status)
	_, _ = l.w.Write(answer.body) // a client that went away is no business of the double
}

// endpoint is one operation of the API.
type endpoint struct {
	permission string
	// handle answers a request; executed says that it got past the validation of its parameters.
	handle func(b *books, id string, form url.Values, now time.Time) (document []byte, executed bool, problem *apiError)
}

// route finds the endpoint of a request and the id in its path.
func (s *Stripe) route(r *http.Request) (*endpoint, string) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	if !strings.HasPrefix(r.URL.Path, "/v1/") || len(parts) > 3 {
		return nil, ""
	}
	id := ""
	pattern := parts[0]
	if len(parts) > 1 {
		id = parts[1]
		pattern += "/{id}"
	}
	if len(parts) > 2 {
		pattern += "/" + parts[2]
	}
	return endpoints[r.Method+" "+pattern], id
}

var endpoints = map[string]*endpoint{
	"GET balance": {"rak_balance_read", func(b *books, _ string, form url.Values, now time.Time) ([]byte, bool, *apiError) {
		return b.balanceDocument(now), true, onlyParams(form)
	}},
	"GET account": {"rak_accounts_kyc_basic_read", func(b *books, _ string, form url.Values, _ time.Time) ([]byte, bool, *apiError) {
		return b.accountDocument(), true, onlyParams(form)
	}},
	"GET balance_transactions":      listOf("rak_balance_transaction_source_read", func(b *books) *table { return b.transactions }, "currency", "payout", "source", "type"),
	"GET balance_transactions/{id}": oneOf("rak_balance_transaction_source_read", "id", func(b *books) *table { return b.transactions }),
	"GET charges":                   listOf("rak_charge_read", func(b *books) *table { return b.charges }, "customer", "payment_intent", "transfer_group"),
	"GET charges/{id}":              oneOf("rak_charge_read", "charge", func(b *books) *table { return b.charges }),
	"GET charges/{id}/refunds":      {"rak_charge_read", listChargeRefunds},
	"GET customers":                 listOf("rak_customer_read", func(b *books) *table { return b.customers }, "email"),
	"GET customers/{id}":            oneOf("rak_customer_read", "customer", func(b *books) *table { return b.customers }),
	"GET payment_intents":           listOf("rak_payment_intent_read", func(b *books) *table { return b.intents }, "customer"),
	"GET payment_intents/{id}":      oneOf("rak_payment_intent_read", "intent", func(b *books) *table { return b.intents }),
	"GET refunds":                   listOf("rak_charge_read", func(b *books) *table { return b.refunds }, "charge", "payment_intent"),
	"GET refunds/{id}":              oneOf("rak_charge_read", "refund", func(b *books) *table { return b.refunds }),
	"POST refunds":                  {"rak_charge_write", postRefund},
	"GET disputes":                  listOf("rak_dispute_read", func(b *books) *table { return b.disputes }, "charge", "payment_intent"),
	"GET disputes/{id}":             oneOf("rak_dispute_read", "dispute", func(b *books) *table { return b.disputes }),
	"GET payouts":                   listOf("rak_payout_read", func(b *books) *table { return b.payouts }, "arrival_date", "destination", "status"),
	"GET payouts/{id}":              oneOf("rak_payout_read", "payout", func(b *books) *table { return b.payouts }),
	"GET invoices":                  listOf("rak_invoice_read", func(b *books) *table { return b.invoices }, "collection_method", "customer", "status", "subscription"),
	"GET invoices/{id}":             oneOf("rak_invoice_read", "invoice", func(b *books) *table { return b.invoices }),
	"GET invoices/{id}/lines":       {"rak_invoice_read", listInvoiceLines},
	"GET subscriptions":             listOf("rak_subscription_read", func(b *books) *table { return b.subscriptions }, "collection_method", "current_period_end", "current_period_start", "customer", "price", "status"),
	"GET subscriptions/{id}":        oneOf("rak_subscription_read", "subscription_exposed_id", func(b *books) *table { return b.subscriptions }),
}

// oneOf retrieves a single object.
func oneOf(permission, param string, from func(b *books) *table) *endpoint {
	return &endpoint{permission, func(b *books, id string, form url.Values, now time.Time) ([]byte, bool, *apiError) {
		if problem := onlyParams(form); problem != nil {
			return nil, false, problem
		}
		t := from(b)
		row := t.byID[id]
		if row == nil || isDeleted(row) {
			return nil, true, noSuch(t.noun, id, param)
		}
		expand, problem := parseExpansion(expandPaths(form))
		if problem != nil {
			return nil, false, problem
		}
		document := b.document(row, expand, now)
		if path := expand.unused(); path != "" {
			return nil, false, cannotExpand(path)
		}
		return document, true, nil
	}}
}

func cannotExpand(path string) *apiError {
	return invalidRequest("", "This property cannot be expanded ("+path+").", "expand")
}

func (b *books) accountDocument() []byte {
	w := &writer{}
	w.open()
	w.head("account", Object{ID: b.account, Created: b.opened})
	w.name("business_profile")
	w.open()
	w.text("name", b.options.AccountName)
	w.close()
	w.raw("business_type", `"company"`)
	w.raw("capabilities", `{"card_payments":"active","transfers":"active"}`)
	w.boolean("charges_enabled", true)
	w.raw("controller", `{"type":"account"}`)
	w.text("country", b.options.Country)
	w.text("default_currency", b.options.Currency)
	w.boolean("details_submitted", true)
	w.text("email", "finance@example.com")
	w.metadata(nil)
	w.boolean("payouts_enabled", true)
	w.name("settings")
	w.open()
	w.raw("branding", `{"icon":null,"logo":null,"primary_color":null,"secondary_color":null}`)
	w.raw("card_payments", `{"statement_descriptor_prefix":null,"statement_descriptor_prefix_kana":null,"statement_descriptor_prefix_kanji":null}`)
	w.raw("dashboard", `{"display_name":null,"timezone":"Etc/UTC"}`)
	w.raw("payments", `{"statement_descriptor":null,"statement_descriptor_kana":null,"statement_descriptor_kanji":null}`)
	w.raw("payouts", `{"debit_negative_balances":true,"schedule":{"delay_days":2,"interval":"daily"},"statement_descriptor":null}`)
	w.close()
	w.text("type", "standard")
	w.close()
	return w.buf
}

// apiError is an error as Stripe answers it.
type apiError struct {
	status  int
	kind    string // type
	code    string
	message string
	param   string
}

func (e *apiError) Error() string { return e.message }

func (e *apiError) document(requestID string, livemode bool, now time.Time) []byte {
	w := &writer{}
	w.open()
	w.name("error")
	w.open()
	optional := func(name, value string) {
		if value != "" {
			w.text(name, value)
		}
	}
	optional("code", e.code)
	if e.code != "" {
		w.text("doc_url", "https://stripe.com/docs/error-codes/"+dashed(e.code))
	}
	optional("message", e.message)
	optional("param", e.param)
	mode := "test/"
	if livemode {
		mode = ""
	}
	w.text("request_log_url", "https://dashboard.stripe.com/"+mode+"logs/"+requestID+"?t="+strconv.FormatInt(now.Unix(), 10))
	w.text("type", e.kind)
	w.close()
	w.close()
	return w.buf
}

func dashed(code string) string {
	name := []byte(code)
	for i, c := range name {
		if c == '_' {
			name[i] = '-'
		}
	}
	return string(name)
}

func invalidRequest(code, message, param string) *apiError {
	return &apiError{status: http.StatusBadRequest, kind: "invalid_request_error", code: code, message: message, param: param}
}

func noSuch(noun, id, param string) *apiError {
	return &apiError{
		status: http.StatusNotFound, kind: "invalid_request_error", code: "resource_missing",
		message: "No such " + noun + ": '" + id + "'", param: param,
	}
}

func serverError(status int, message string) *apiError {
	return &apiError{status: status, kind: "api_error", message: message}
}

// keyLifetime is how long Stripe keeps the result of an idempotency key.
const keyLifetime = 24 * time.Hour

// idempotent is what is known of an idempotency key.
type idempotent struct {
	fingerprint string
	inFlight    bool
	answer      response
	requestID   string
	made        time.Time
}

// idempotently runs a POST at most once per key. Results are kept once the endpoint has begun to execute, failures
// and 500s included; what fails validation or conflicts with a request in flight leaves no trace. The lock is held
// on entry and on return.
func (s *Stripe) idempotently(r *http.Request, c *call, livemode bool, key string, form url.Values, fault *Fault, run func() (response, bool)) response {
	slot := mode(livemode) + " " + key
	fingerprint := r.Method + " " + r.URL.Path + "?" + form.Encode()
	known := s.idem[slot]
	if known != nil && !known.inFlight && c.now.Sub(known.made) >= keyLifetime {
		known = nil
	}
	fail := func(problem *apiError) response { return errorResponse(problem, c.requestID, livemode, c.now) }
	switch {
	case known != nil && known.fingerprint != fingerprint:
		return fail(&apiError{
			status: http.StatusBadRequest, kind: "idempotency_error",
			message: "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '" + key + "' if you meant to execute a different request.",
		})
	case known != nil && known.inFlight:
		return fail(&apiError{
			status: http.StatusConflict, kind: "idempotency_error", code: "idempotency_key_in_use",
			message: "There is currently another in-progress request using this Stripe Idempotent-Key (that probably means you submitted twice, and the other request is still going through): " + key + ". Please try again later.",
		})
	case known != nil:
		replay := known.answer
		replay.header = http.Header{"Idempotent-Replayed": {"true"}, "Original-Request": {known.requestID}}
		return replay
	}
	known = &idempotent{fingerprint: fingerprint, inFlight: true, requestID: c.requestID, made: c.now}
	s.idem[slot] = known
	if fault != nil && fault.Kind == ActSlowly {
		s.pause(fault)
	}
	var answer response
	var executed bool
	if fault != nil && fault.Kind == StoredServerError {
		answer, executed = fail(serverError(http.StatusInternalServerError, outage)), true
	} else {
		answer, executed = run()
	}
	if fault != nil && fault.Kind == ServerErrorAfter && executed {
		answer = fail(serverError(http.StatusInternalServerError, outage))
	}
	answer.header.Set("Original-Request", c.requestID)
	if !executed {
		delete(s.idem, slot)
		return answer
	}
	known.inFlight, known.answer = false, answer
	return answer
}

// pause lets other requests in while this one takes its time.
func (s *Stripe) pause(fault *Fault) {
	s.mu.Unlock()
	defer s.mu.Lock()
	select {
	case <-time.After(fault.Delay):
	case <-s.closing:
	}
}

// Key is an API key. The mode is in its prefix: sk_test_, sk_live_, rk_test_, rk_live_.
type Key struct {
	Secret string
	// Permissions of a restricted key (rk_), such as "rak_charge_read" or "rak_charge_write" (which includes reading).
	// Secret keys (sk_) may do everything.
	Permissions []string
}

// DefaultReadKey is the well-known key that may read everything in a mode.
func DefaultReadKey(livemode bool) string { return "rk_" + mode(livemode) + "_stripetest_read_only" }

// DefaultRefundKey is the well-known key that may create refunds in a mode.
func DefaultRefundKey(livemode bool) string { return "rk_" + mode(livemode) + "_stripetest_refunds" }

func mode(livemode bool) string {
	if livemode {
		return "live"
	}
	return "test"
}

func readKey(secret string) Key {
	return Key{Secret: secret, Permissions: []string{
		"rak_accounts_kyc_basic_read", "rak_balance_read", "rak_balance_transaction_source_read", "rak_charge_read", "rak_customer_read",
		"rak_dispute_read", "rak_invoice_read", "rak_payment_intent_read", "rak_payout_read", "rak_subscription_read",
	}}
}

func refundKey(secret string) Key {
	return Key{Secret: secret, Permissions: []string{"rak_charge_write", "rak_dispute_read", "rak_payment_intent_read"}}
}

func (k Key) livemode() (bool, error) {
	for prefix, livemode := range map[string]bool{"sk_test_": false, "rk_test_": false, "sk_live_": true, "rk_live_": true} {
		if strings.HasPrefix(k.Secret, prefix) && len(k.Secret) > len(prefix) {
			return livemode, nil
		}
	}
	return false, fmt.Errorf("API key %s starts with none of sk_test_, sk_live_, rk_test_, rk_live_", redact(k.Secret))
}

func (k Key) allows(permission string) bool {
	if strings.HasPrefix(k.Secret, "sk_") {
		return true
	}
	for _, granted := range k.Permissions {
		if granted == permission || granted == strings.TrimSuffix(permission, "_read")+"_write" {
			return true
		}
	}
	return false
}

// redact shows of a key what Stripe's messages show.
func redact(secret string) string {
	const shown = 4
	prefix := min(len("rk_test_"), len(secret))
	if len(secret) <= prefix+shown {
		return secret[:prefix] + "***"
	}
	return secret[:prefix] + strings.Repeat("*", len(secret)-prefix-shown) + secret[len(secret)-shown:]
}

// authenticate finds the key of a request: bearer or basic, as Stripe takes both.
func (s *Stripe) authenticate(r *http.Request) (Key, *apiError) {
	secret, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !found {
		secret, _, found = r.BasicAuth()
	}
	if !found || secret == "" {
		return Key{}, &apiError{
			status: http.StatusUnauthorized, kind: "invalid_request_error",
			message: "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
		}
	}
	key, known := s.keys[secret]
	if !known {
		return Key{}, &apiError{status: http.StatusUnauthorized, kind: "invalid_request_error", message: "Invalid API Key provided: " + redact(secret)}
	}
	return key, nil
}

func (s *Stripe) authorize(key Key, permission string) *apiError {
	if key.allows(permission) {
		return nil
	}
	return &apiError{
		status: http.StatusForbidden, kind: "invalid_request_error",
		message: fmt.Sprintf("The provided key '%s' does not have the required permissions for this endpoint on account '%s'. Having the '%s' permission would allow this request to continue.",
			redact(key.Secret), s.books.account, permission),
	}
}
