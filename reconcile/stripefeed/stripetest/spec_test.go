package stripetest_test

import (
	"net/url"
	"testing"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// lists are all lists, with what a sync may want expanded in them.
var lists = map[string][]string{
	"/v1/balance_transactions": {"data.source"},
	"/v1/charges":              {"data.balance_transaction", "data.refunds", "data.payment_intent", "data.invoice", "data.customer", "data.failure_balance_transaction"},
	"/v1/customers":            nil,
	"/v1/payment_intents":      {"data.latest_charge", "data.latest_charge.balance_transaction", "data.invoice"},
	"/v1/refunds":              {"data.charge", "data.charge.balance_transaction", "data.balance_transaction", "data.payment_intent"},
	"/v1/disputes":             {"data.charge", "data.payment_intent", "data.balance_transactions.source"},
	"/v1/payouts":              {"data.balance_transaction", "data.failure_balance_transaction"},
	"/v1/invoices":             {"data.charge", "data.payment_intent", "data.subscription", "data.customer"},
	"/v1/subscriptions":        {"data.latest_invoice", "data.customer", "data.latest_invoice.charge"},
}

func single(expand []string) url.Values {
	form := url.Values{}
	for _, path := range expand {
		form.Add("expand[]", path[len("data."):])
	}
	return form
}

// Every list and every object of a business that reached every state, plain and expanded, is as the official
// specification says; newStripe's cleanup reports what is not.
func TestEveryAnswerFollowsTheSpecification(t *testing.T) {
	for _, livemode := range []bool{false, true} {
		s, clock := newStripe(t, func(o *stripetest.Options) { o.Livemode, o.FeeTaxBasisPoints = livemode, 2_000 })
		simulate(t, s, clock)
		base := listen(t, s)
		for _, path := range []string{"/v1/balance", "/v1/account"} {
			if got := fetch(t, s, base, path); got.status != 200 {
				t.Errorf("%s: %d %s", path, got.status, got.body)
			}
		}
		for path, expand := range lists {
			ids := walk(t, s, base, path, url.Values{"limit": {"100"}, "status": status(path)}, nil)
			if len(ids) == 0 {
				t.Errorf("%s is empty", path)
			}
			expanded := walk(t, s, base, path, url.Values{"limit": {"7"}, "expand[]": expand, "status": status(path)}, nil)
			if len(expanded) != len(ids) {
				t.Errorf("%s: %d rows expanded, %d plain", path, len(expanded), len(ids))
			}
			for _, id := range ids {
				for _, form := range []url.Values{{}, single(expand)} {
					if got := fetch(t, s, base, path+"/"+id+"?"+form.Encode()); got.status != 200 {
						t.Errorf("%s/%s?%s: %d %s", path, id, form.Encode(), got.status, got.body)
					}
				}
				if path == "/v1/invoices" {
					walk(t, s, base, path+"/"+id+"/lines", url.Values{"limit": {"10"}}, nil)
				}
			}
		}
	}
}

// status asks for all subscriptions; other lists show everything anyway.
func status(path string) []string {
	if path == "/v1/subscriptions" {
		return []string{"all"}
	}
	return nil
}

// walk pages through a list and returns the ids in their order.
func walk(t testing.TB, s *stripetest.Stripe, base, path string, form url.Values, each func(row map[string]any)) []string {
	t.Helper()
	var ids []string
	seen := map[string]bool{}
	for {
		got := fetch(t, s, base, path+"?"+form.Encode())
		if got.status != 200 {
			t.Fatalf("%s?%s: %d %s", path, form.Encode(), got.status, got.body)
		}
		page := got.decode(t)
		rows, _ := page["data"].([]any)
		for _, row := range rows {
			object, _ := row.(map[string]any)
			id, _ := object["id"].(string)
			if id == "" || seen[id] {
				t.Fatalf("%s: id %q is empty or repeated", path, id)
			}
			seen[id] = true
			ids = append(ids, id)
			if each != nil {
				each(object)
			}
		}
		if page["has_more"] != true {
			return ids
		}
		if len(rows) == 0 {
			t.Fatalf("%s: empty page with has_more", path)
		}
		form.Set("starting_after", ids[len(ids)-1])
	}
}
