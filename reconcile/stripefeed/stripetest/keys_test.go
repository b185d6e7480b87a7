package stripetest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

func call(t *testing.T, method, target, authorization string, header map[string]string) answer {
	t.Helper()
	request, err := http.NewRequest(method, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	return do(t, request)
}

func TestKeys(t *testing.T) {
	s, _ := newStripe(t, func(o *stripetest.Options) {
		o.Keys = []stripetest.Key{{Secret: "sk_test_everything"}, {Secret: "rk_test_nothing"}}
	})
	base := listen(t, s)
	tests := map[string]struct {
		method, path, authorization string
		status                      int
		message                     string
	}{
		"no key":                    {"GET", "/v1/charges", "", 401, "You did not provide an API key"},
		"empty key":                 {"GET", "/v1/charges", "Bearer ", 401, "You did not provide an API key"},
		"wrong key":                 {"GET", "/v1/charges", "Bearer rk_test_abcdefgh1234", 401, "Invalid API Key provided: rk_test_********1234"},
		"read key reads":            {"GET", "/v1/charges", "Bearer " + s.ReadKey(), 200, ""},
		"read key cannot refund":    {"POST", "/v1/refunds", "Bearer " + s.ReadKey(), 403, "Having the 'rak_charge_write' permission would allow this request to continue."},
		"refund key reads charges":  {"GET", "/v1/charges", "Bearer " + s.RefundKey(), 200, ""},
		"refund key reads no money": {"GET", "/v1/balance_transactions", "Bearer " + s.RefundKey(), 403, "'rak_balance_transaction_source_read'"},
		"refund key may refund":     {"POST", "/v1/refunds", "Bearer " + s.RefundKey(), 400, "payment_intent or charge"},
		"secret key":                {"GET", "/v1/balance", "Bearer sk_test_everything", 200, ""},
		"powerless key":             {"GET", "/v1/balance", "Bearer rk_test_nothing", 403, "'rak_balance_read'"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := call(t, test.method, base+test.path, test.authorization, nil)
			if got.status != test.status || !strings.Contains(got.body, test.message) {
				t.Errorf("%d %s", got.status, got.body)
			}
			if key := strings.TrimPrefix(test.authorization, "Bearer "); len(key) > len("rk_test_") && strings.Contains(got.body, key) {
				t.Errorf("the answer gives the key away: %s", got.body)
			}
		})
	}
	request, err := http.NewRequest("GET", base+"/v1/balance", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("sk_test_everything", "")
	if got := do(t, request); got.status != 200 {
		t.Errorf("basic authentication: %d", got.status)
	}
	if got := call(t, "GET", base+"/v1/balance", "Bearer "+s.ReadKey(), map[string]string{"Stripe-Version": "2020-08-27"}); got.status != 400 {
		t.Errorf("another API version: %d", got.status)
	}
}

func TestAKeyOfTheOtherModeSeesAnEmptyAccount(t *testing.T) {
	s, clock := newStripe(t, func(o *stripetest.Options) { o.Keys = []stripetest.Key{{Secret: "sk_live_other_mode"}} })
	simulate(t, s, clock)
	base := listen(t, s)
	got := call(t, "GET", base+"/v1/balance", "Bearer sk_live_other_mode", nil).decode(t)
	if got["livemode"] != true {
		t.Errorf("balance %v", got)
	}
	if rows, _ := call(t, "GET", base+"/v1/charges", "Bearer sk_live_other_mode", nil).decode(t)["data"].([]any); len(rows) != 0 {
		t.Errorf("%d charges", len(rows))
	}
	if fetch(t, s, base, "/v1/balance").decode(t)["livemode"] != false {
		t.Error("the business's own mode is not test")
	}
}

func TestNewRefusesKeysWithoutAMode(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("New took a key without a mode")
		}
	}()
	stripetest.New(stripetest.Options{Clock: newClock().Now, ReadKey: "secret"})
}
