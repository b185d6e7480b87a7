package stripetest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// outcome is what one call came to.
type outcome struct {
	answer
	err error
}

// try does a request under a fault plan.
func try(t *testing.T, s *stripetest.Stripe, base string, request *http.Request, warm bool, plan ...stripetest.Fault) outcome {
	t.Helper()
	client := newClient(t, s, base, warm)
	s.SetFaults(plan...)
	return send(client, request)
}

// newClient is a client with connections of its own; a warm one has used its connection before.
func newClient(t *testing.T, s *stripetest.Stripe, base string, warm bool) *http.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 1}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: 400 * time.Millisecond}
	if warm {
		first, err := http.NewRequest("GET", base+"/v1/balance", nil)
		if err != nil {
			t.Fatal(err)
		}
		first.Header.Set("Authorization", "Bearer "+s.ReadKey())
		if got := send(client, first); got.err != nil {
			t.Fatal(got.err)
		}
	}
	return client
}

func send(client *http.Client, request *http.Request) outcome {
	response, err := client.Do(request)
	if err != nil {
		return outcome{err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return outcome{answer{response.StatusCode, response.Header, string(body)}, err}
}

func chargesRequest(t *testing.T, s *stripetest.Stripe, base, cursor string) *http.Request {
	t.Helper()
	form := url.Values{"limit": {"2"}}
	if cursor != "" {
		form.Set("starting_after", cursor)
	}
	request, err := http.NewRequest("GET", base+"/v1/charges?"+form.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+s.ReadKey())
	return request
}

// isGood is whether a client could take the outcome for a good page.
func isGood(got outcome) bool {
	var page struct {
		Object string
		Data   []struct {
			ID       string
			Livemode bool
			Status   string
		}
		HasMore *bool `json:"has_more"`
	}
	if got.err != nil || got.status != 200 || json.Unmarshal([]byte(got.body), &page) != nil || page.Object != "list" || page.HasMore == nil || got.header.Get("Date") == "" {
		return false
	}
	seen := map[string]bool{}
	for _, row := range page.Data {
		if row.ID == "" || seen[row.ID] || row.Livemode || row.Status != "succeeded" {
			return false
		}
		seen[row.ID] = true
	}
	return len(page.Data) == 2
}

// Every kind shows up at a client, for reads and for writes, and leaves the next call alone.
func TestEveryFault(t *testing.T) {
	for _, kind := range stripetest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s, _ := newStripe(t)
			for range 6 {
				must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 1_000, Currency: "usd"}))
			}
			base := listen(t, s)
			plan := stripetest.Fault{Match: stripetest.Match{Path: "/v1/charges", Call: 2}, Kind: kind, Delay: 50 * time.Millisecond}
			warm := kind == stripetest.CloseWarmBefore || kind == stripetest.CloseWarmAfter
			clean := try(t, s, base, chargesRequest(t, s, base, ""), false)
			if !isGood(clean) {
				t.Fatalf("without faults: %+v", clean)
			}
			var page struct{ Data []struct{ ID string } }
			if err := json.Unmarshal([]byte(clean.body), &page); err != nil {
				t.Fatal(err)
			}
			cursor := page.Data[1].ID
			next := try(t, s, base, chargesRequest(t, s, base, cursor), false)

			s.SetFaults(plan)
			first := get(t, chargesRequest(t, s, base, ""))
			if first.body != clean.body {
				t.Errorf("the call before the fault: %+v", first)
			}
			got := send(newClient(t, s, base, warm), chargesRequest(t, s, base, cursor))
			if kind == stripetest.TimeoutThenAct {
				waitFor(t, func() bool { return hits(s, kind) == 1 }) // after the client has given up
			}
			hit := hits(s, kind)
			switch kind {
			case stripetest.UnknownCategory, stripetest.StoredServerError:
				// Charges have no category, and reads no idempotency key.
				if hit != 0 || !isGood(got) {
					t.Errorf("hit %d times: %+v", hit, got)
				}
			case stripetest.CloseWarmBefore, stripetest.CloseWarmAfter, stripetest.ActSlowly, stripetest.DuplicateResponse:
				// net/http repeats the read on its own, or the client does not notice.
				if hit != 1 || !isGood(got) {
					t.Errorf("hit %d times: %+v", hit, got)
				}
			case stripetest.ReversedPage:
				if hit != 1 || len(got.body) != len(next.body) || got.body == next.body {
					t.Errorf("hit %d times: %+v", hit, got)
				}
			case stripetest.RepeatedPage, stripetest.RestartedList:
				if hit != 1 || got.body != clean.body {
					t.Errorf("hit %d times: %+v", hit, got)
				}
			case stripetest.StuckCursor:
				if hit != 1 || !strings.Contains(got.body, cursor) || got.body == next.body {
					t.Errorf("hit %d times: %+v", hit, got)
				}
			default:
				if hit != 1 || isGood(got) {
					t.Errorf("hit %d times, and the client sees nothing: %+v", hit, got)
				}
			}
			if after := get(t, chargesRequest(t, s, base, cursor)); after.body != next.body {
				t.Errorf("the call after the fault: %+v", after)
			}
		})
	}
}

// hits counts the calls that a kind of fault has changed.
func hits(s *stripetest.Stripe, kind stripetest.Kind) int {
	n := 0
	for _, request := range s.Requests() {
		if request.Fault == kind && request.FaultHit {
			n++
		}
	}
	return n
}

// get is a call on a connection of its own.
func get(t *testing.T, request *http.Request) answer {
	t.Helper()
	request.Close = true
	return do(t, request)
}

// A write under each kind was carried out or not, as ActsAnyway says; the retry with the same key leaves one refund.
func TestEveryFaultOnAWrite(t *testing.T) {
	for _, kind := range stripetest.Kinds() {
		for name, warm := range map[string]bool{"cold": false, "warm": true} {
			t.Run(string(kind)+", "+name, func(t *testing.T) {
				t.Parallel()
				testFaultOnAWrite(t, kind, warm)
			})
		}
	}
}

func testFaultOnAWrite(t *testing.T, kind stripetest.Kind, warm bool) {
	s, _, base, form := refundable(t)
	got := try(t, s, base, refundRequest(t, s, base, "k1", form), warm,
		stripetest.Fault{Match: stripetest.Match{Method: "POST"}, Kind: kind, Delay: 20 * time.Millisecond})
	if kind == stripetest.TimeoutThenAct {
		waitFor(t, func() bool { return len(s.Refunds()) == 1 })
	}
	// net/http sends it again on its own when a warm connection dies before the first byte of an answer; a cold one
	// is not closed by the kinds for warm ones.
	isResent := kind == stripetest.CloseWarmBefore || warm && kind == stripetest.ResetBefore
	want := 0
	if kind.ActsAnyway() || isResent {
		want = 1
	}
	if made := len(s.Refunds()); made != want {
		t.Errorf("%d refunds, want %d (%+v)", made, want, got)
	}
	retried := try(t, s, base, refundRequest(t, s, base, "k1", form), false)
	isStored := kind == stripetest.ServerErrorAfter || kind == stripetest.StoredServerError
	if isStored != (retried.status == 500) || retried.err != nil {
		t.Errorf("retry %+v", retried)
	}
	if made := len(s.Refunds()); made != 1 && kind != stripetest.StoredServerError {
		t.Errorf("%d refunds after the retry", made)
	}
}

func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatal("it never happened")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestShapesOfFaults(t *testing.T) {
	s, _ := newStripe(t)
	must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 1_000, Currency: "usd"}))
	must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 1_000, Currency: "usd"}))
	base := listen(t, s)
	tests := map[stripetest.Kind]func(got outcome) bool{
		stripetest.RateLimit: func(got outcome) bool { return got.status == 429 && strings.Contains(got.body, `"code":"rate_limit"`) },
		stripetest.LockTimeout: func(got outcome) bool {
			return got.status == 429 && strings.Contains(got.body, `"code":"lock_timeout"`)
		},
		stripetest.RateLimitHTML:  func(got outcome) bool { return got.status == 429 && strings.HasPrefix(got.body, "<!DOCTYPE") },
		stripetest.RateLimitEmpty: func(got outcome) bool { return got.status == 429 && got.body == "" },
		stripetest.Unauthorized:   func(got outcome) bool { return got.status == 401 },
		stripetest.Forbidden: func(got outcome) bool {
			return got.status == 403 && strings.Contains(got.body, "permission would allow")
		},
		stripetest.BadGatewayAfter: func(got outcome) bool {
			return got.status == 502 && strings.HasPrefix(got.header.Get("Content-Type"), "text/html")
		},
		stripetest.ResetBefore:   func(got outcome) bool { return errors.Is(got.err, syscall.ECONNRESET) },
		stripetest.TimeoutBefore: func(got outcome) bool { return errors.Is(got.err, context.DeadlineExceeded) },
		stripetest.StalledBody:   func(got outcome) bool { return got.status == 200 && errors.Is(got.err, context.DeadlineExceeded) },
		stripetest.TruncatedBody: func(got outcome) bool {
			return got.status == 200 && errors.Is(got.err, io.ErrUnexpectedEOF) && got.body != ""
		},
		stripetest.HTMLBody:      func(got outcome) bool { return got.status == 200 && strings.HasPrefix(got.body, "<!DOCTYPE") },
		stripetest.EmptyBody:     func(got outcome) bool { return got.status == 200 && got.body == "" && got.err == nil },
		stripetest.EmptyObject:   func(got outcome) bool { return got.body == "{}" },
		stripetest.NullBody:      func(got outcome) bool { return got.body == "null" },
		stripetest.MalformedJSON: func(got outcome) bool { return got.status == 200 && !json.Valid([]byte(got.body)) },
		stripetest.DoubledBody: func(got outcome) bool {
			return !json.Valid([]byte(got.body)) && json.NewDecoder(bytes.NewBufferString(got.body)).Decode(new(any)) == nil
		},
		stripetest.NoDate: func(got outcome) bool { return got.header.Get("Date") == "" && got.status == 200 },
		stripetest.EmptyPage: func(got outcome) bool {
			return strings.Contains(got.body, `"data":[]`) && strings.Contains(got.body, `"has_more":true`)
		},
		stripetest.NullRow:      func(got outcome) bool { return strings.Contains(got.body, `,null]`) },
		stripetest.RowWithoutID: func(got outcome) bool { return strings.Contains(got.body, `,{}]`) },
		stripetest.ForeignRow:   func(got outcome) bool { return strings.Contains(got.body, `"object":"coupon"`) },
		stripetest.MissingHasMore: func(got outcome) bool {
			return !strings.Contains(got.body, `"has_more":false,"url":"/v1/charges"`) && strings.Contains(got.body, `"data":[{`)
		},
		stripetest.MissingListObject: func(got outcome) bool {
			return !strings.Contains(got.body, `"object":"list"`) && strings.Contains(got.body, `"data":[{`)
		},
		stripetest.MissingData: func(got outcome) bool {
			return !strings.Contains(got.body, `"data"`) && strings.Contains(got.body, `"list"`)
		},
		stripetest.WrongLivemode: func(got outcome) bool { return strings.Contains(got.body, `"livemode":true`) },
		stripetest.UnknownStatus: func(got outcome) bool { return strings.Contains(got.body, `"status":"in_limbo"`) },
	}
	for kind, isRight := range tests {
		if got := try(t, s, base, chargesRequest(t, s, base, ""), false, stripetest.Fault{Kind: kind}); !isRight(got) {
			t.Errorf("%s: %+v", kind, got)
		}
	}
	request := chargesRequest(t, s, base, "")
	request.URL.Path = "/v1/balance_transactions"
	if got := try(t, s, base, request, false, stripetest.Fault{Kind: stripetest.UnknownCategory}); !strings.Contains(got.body, `"reporting_category":"carbon_offset"`) {
		t.Errorf("unknown category: %+v", got)
	}
}

// On the third page, a repeated page is the second, and a list that starts over is at the first again.
func TestRepeatedPagesAndListsThatStartOver(t *testing.T) {
	s, _ := newStripe(t)
	for range 6 {
		must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 1_000, Currency: "usd"}))
	}
	base := listen(t, s)
	for kind, want := range map[stripetest.Kind]int{stripetest.RepeatedPage: 1, stripetest.RestartedList: 0} {
		s.SetFaults(stripetest.Fault{Match: stripetest.Match{Call: 3}, Kind: kind})
		var bodies []string
		cursor := ""
		for range 3 {
			got := get(t, chargesRequest(t, s, base, cursor))
			var page struct{ Data []struct{ ID string } }
			if err := json.Unmarshal([]byte(got.body), &page); err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, got.body)
			cursor = page.Data[1].ID
		}
		if bodies[2] != bodies[want] || bodies[0] == bodies[1] {
			t.Errorf("%s: the third page is not page %d", kind, want+1)
		}
	}
}

func TestMatch(t *testing.T) {
	tests := map[string]struct {
		match stripetest.Match
		want  string // of six calls: charges, charges, refunds, charges, a charge, charges
	}{
		"first call":             {stripetest.Match{}, "x....."},
		"third call overall":     {stripetest.Match{Call: 3}, "..x..."},
		"two calls":              {stripetest.Match{Call: 2, Times: 2}, ".xx..."},
		"from the third on":      {stripetest.Match{Call: 3, Times: -1}, "..xxxx"},
		"third call of a path":   {stripetest.Match{Path: "/v1/charges", Call: 3}, "...x.."},
		"prefix":                 {stripetest.Match{Path: "/v1/charges*", Times: -1}, "xx.xxx"},
		"below a path":           {stripetest.Match{Path: "/v1/charges/*"}, "....x."},
		"another method":         {stripetest.Match{Method: "POST"}, "......"},
		"method":                 {stripetest.Match{Method: "GET", Call: 6}, ".....x"},
		"more calls than happen": {stripetest.Match{Call: 7}, "......"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, _ := newStripe(t)
			charge := must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 1_000, Currency: "usd"}))
			base := listen(t, s)
			s.SetFaults(stripetest.Fault{Match: test.match, Kind: stripetest.RateLimit})
			got := ""
			for _, path := range []string{"/v1/charges", "/v1/charges", "/v1/refunds", "/v1/charges", "/v1/charges/" + charge.ID, "/v1/charges"} {
				if fetch(t, s, base, path).status == 429 {
					got += "x"
				} else {
					got += "."
				}
			}
			if got != test.want {
				t.Errorf("hit %s, want %s", got, test.want)
			}
		})
	}
}

func TestCloseEndsHangingCalls(t *testing.T) {
	s := stripetest.New(stripetest.Options{Clock: newClock().Now})
	base := listen(t, s)
	s.SetFaults(stripetest.Fault{Kind: stripetest.TimeoutBefore})
	failed := make(chan error, 1)
	request := chargesRequest(t, s, base, "")
	go func() {
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			response.Body.Close()
		}
		failed <- err
	}()
	waitFor(t, func() bool { return s.Calls() == 1 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err == nil {
		t.Error("the hanging call succeeded")
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	if _, err := s.Listen(); err == nil {
		t.Error("a closed double listens")
	}
}
