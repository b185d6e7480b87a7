package stripetest

import (
	"net/http"
	"net/url"
	"time"
)

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
