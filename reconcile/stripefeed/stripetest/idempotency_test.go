package stripetest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// refundable is a double that listens, with a charge of 1000.
func refundable(t *testing.T) (*stripetest.Stripe, *clock, string, url.Values) {
	t.Helper()
	s, clock := newStripe(t)
	charge := must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 1_000, Currency: "usd"}))
	return s, clock, listen(t, s), url.Values{"charge": {charge.ID}, "amount": {"400"}}
}

func with(form url.Values, name, value string) url.Values {
	changed := url.Values{name: {value}}
	for name, values := range form {
		if !changed.Has(name) {
			changed[name] = values
		}
	}
	return changed
}

func TestTheSameKeyAndParametersGiveTheSameAnswer(t *testing.T) {
	s, clock, base, form := refundable(t)
	first := post(t, s, base, "k1", form)
	clock.advance(24*time.Hour - time.Second)
	again := post(t, s, base, "k1", form)
	if first.status != 200 || again.status != 200 || first.body != again.body {
		t.Errorf("%d %s\nthen %d %s", first.status, first.body, again.status, again.body)
	}
	if first.header.Get("Idempotent-Replayed") != "" || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("Idempotent-Replayed %q, then %q", first.header.Get("Idempotent-Replayed"), again.header.Get("Idempotent-Replayed"))
	}
	if again.header.Get("Original-Request") != first.header.Get("Request-Id") || again.header.Get("Idempotency-Key") != "k1" {
		t.Errorf("headers %v", again.header)
	}
	if len(s.Refunds()) != 1 {
		t.Errorf("%d refunds", len(s.Refunds()))
	}
	requests := s.Requests()
	if last := requests[len(requests)-1]; !last.Replayed || last.IdempotencyKey != "k1" || last.Key != s.RefundKey() || last.Form.Get("amount") != "400" {
		t.Errorf("recorded %+v", last)
	}
}

func TestAKeyIsForgottenAfter24Hours(t *testing.T) {
	s, clock, base, form := refundable(t)
	post(t, s, base, "k1", form)
	clock.advance(24 * time.Hour)
	if got := post(t, s, base, "k1", form); got.status != 200 || got.header.Get("Idempotent-Replayed") != "" || len(s.Refunds()) != 2 {
		t.Errorf("%d, %d refunds: an expired key refunds again", got.status, len(s.Refunds()))
	}
}

func TestTheSameKeyWithOtherParametersIsAnError(t *testing.T) {
	s, _, base, form := refundable(t)
	post(t, s, base, "k1", form)
	for _, other := range []url.Values{with(form, "amount", "401"), with(form, "metadata[a]", "b"), {"charge": form["charge"]}} {
		got := post(t, s, base, "k1", other)
		if problem := got.problem(t); got.status != 400 || problem["type"] != "idempotency_error" {
			t.Errorf("%d %v", got.status, problem)
		}
	}
	if len(s.Refunds()) != 1 {
		t.Errorf("%d refunds", len(s.Refunds()))
	}
}

func TestWithoutAKeyEveryPostActs(t *testing.T) {
	s, _, base, form := refundable(t)
	post(t, s, base, "", form)
	post(t, s, base, "", form)
	if len(s.Refunds()) != 2 {
		t.Errorf("%d refunds", len(s.Refunds()))
	}
}

func TestRefusalsAreKeptAndValidationErrorsAreNot(t *testing.T) {
	s, _, base, form := refundable(t)
	tooMuch := with(form, "amount", "5000")
	if got := post(t, s, base, "k1", tooMuch); got.status != 400 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got := post(t, s, base, "k1", tooMuch); got.header.Get("Idempotent-Replayed") != "true" || got.status != 400 {
		t.Errorf("an executed refusal is not replayed: %d %v", got.status, got.header)
	}
	invalid := with(form, "amount", "0")
	post(t, s, base, "k2", invalid)
	if got := post(t, s, base, "k2", form); got.status != 200 {
		t.Errorf("a key whose request failed validation is not free: %d %s", got.status, got.body)
	}
}

func TestAKeyInUseConflicts(t *testing.T) {
	s, _, base, form := refundable(t)
	s.SetFaults(stripetest.Fault{Match: stripetest.Match{Method: "POST"}, Kind: stripetest.ActSlowly, Delay: 300 * time.Millisecond})
	done := make(chan answer, 1)
	slow := refundRequest(t, s, base, "k1", form)
	go func() {
		response, err := http.DefaultClient.Do(slow)
		if err != nil {
			done <- answer{}
			return
		}
		response.Body.Close()
		done <- answer{status: response.StatusCode}
	}()
	for s.Calls() == 0 {
		time.Sleep(time.Millisecond)
	}
	got := post(t, s, base, "k1", form)
	if problem := got.problem(t); got.status != 409 || problem["code"] != "idempotency_key_in_use" {
		t.Errorf("%d %v", got.status, problem)
	}
	if first := <-done; first.status != 200 {
		t.Errorf("the slow one: %d", first.status)
	}
	if got := post(t, s, base, "k1", form); got.status != 200 || len(s.Refunds()) != 1 {
		t.Errorf("%d, %d refunds", got.status, len(s.Refunds()))
	}
}

func TestAStored500IsReplayedWhetherItActedOrNot(t *testing.T) {
	for kind, refunds := range map[stripetest.Kind]int{stripetest.ServerErrorAfter: 1, stripetest.StoredServerError: 0} {
		s, clock, base, form := refundable(t)
		s.SetFaults(stripetest.Fault{Kind: kind})
		for range 3 {
			if got := post(t, s, base, "k1", form); got.status != 500 || !strings.Contains(got.body, "api_error") {
				t.Errorf("%s: %d %s", kind, got.status, got.body)
			}
		}
		if len(s.Refunds()) != refunds {
			t.Errorf("%s: %d refunds", kind, len(s.Refunds()))
		}
		clock.advance(24 * time.Hour)
		if got := post(t, s, base, "k1", form); got.status != 200 {
			t.Errorf("%s: the key is not free after a day: %d", kind, got.status)
		}
	}
}
