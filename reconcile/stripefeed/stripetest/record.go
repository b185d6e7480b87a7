package stripetest

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

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
