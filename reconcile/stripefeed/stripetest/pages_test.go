package stripetest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
	"pgregory.net/rapid"
)

func TestListsAreNewestFirstAndPageWithoutGapsOrRepeats(t *testing.T) {
	s, clock := newStripe(t, func(o *stripetest.Options) { o.ValidateResponses = nil })
	var made []string
	for i := range 250 {
		if i%40 == 0 {
			clock.advance(time.Second) // many charges share a second
		}
		made = append(made, must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 100, Currency: "usd"})).ID)
	}
	slices.Reverse(made)
	base := listen(t, s)
	for _, limit := range []string{"1", "7", "100"} {
		if got := walk(t, s, base, "/v1/charges", url.Values{"limit": {limit}}, nil); !slices.Equal(got, made) {
			t.Errorf("limit %s: %d rows, not those made in their order", limit, len(got))
		}
	}
	if got := walk(t, s, base, "/v1/charges", url.Values{}, nil); !slices.Equal(got, made) {
		t.Errorf("default limit: %d rows, not those made in their order", len(got))
	}
}

// A page is what a naive filter over the whole list gives, for any combination of parameters.
func TestPagesAgreeWithANaiveFilter(t *testing.T) {
	s, clock := newStripe(t, func(o *stripetest.Options) { o.ValidateResponses = nil })
	simulate(t, s, clock)
	base := listen(t, s)
	newest := s.BalanceTransactions()
	slices.Reverse(newest)
	first, last := newest[len(newest)-1].Created.Unix(), newest[0].Created.Unix()
	rapid.Check(t, func(rt *rapid.T) {
		form := url.Values{}
		matching := newest
		keep := func(wanted func(stripetest.BalanceTransaction) bool) {
			matching = slices.DeleteFunc(slices.Clone(matching), func(b stripetest.BalanceTransaction) bool { return !wanted(b) })
		}
		for operator, within := range map[string]func(created, bound int64) bool{
			"gte": func(c, b int64) bool { return c >= b }, "gt": func(c, b int64) bool { return c > b },
			"lte": func(c, b int64) bool { return c <= b }, "lt": func(c, b int64) bool { return c < b },
		} {
			if rapid.Bool().Draw(rt, operator) {
				bound := rapid.OneOf(rapid.Int64Range(first-1, last+1), rapid.SampledFrom([]int64{first, last})).Draw(rt, "bound")
				form.Set("created["+operator+"]", fmt.Sprint(bound))
				keep(func(b stripetest.BalanceTransaction) bool { return within(b.Created.Unix(), bound) })
			}
		}
		pick := func(name string) stripetest.BalanceTransaction { return rapid.SampledFrom(newest).Draw(rt, name) }
		if rapid.Bool().Draw(rt, "by currency") {
			value := pick("currency").Currency
			form.Set("currency", value)
			keep(func(b stripetest.BalanceTransaction) bool { return b.Currency == value })
		}
		if rapid.Bool().Draw(rt, "by type") {
			value := pick("type").Type
			form.Set("type", value)
			keep(func(b stripetest.BalanceTransaction) bool { return b.Type == value })
		}
		if value := pick("source").Source; value != "" && rapid.Bool().Draw(rt, "by source") {
			form.Set("source", value)
			keep(func(b stripetest.BalanceTransaction) bool { return b.Source == value })
		}
		if value := pick("payout").Payout; value != "" && rapid.Bool().Draw(rt, "by payout") {
			form.Set("payout", value)
			keep(func(b stripetest.BalanceTransaction) bool { return b.Payout == value })
		}
		limit := rapid.IntRange(1, 30).Draw(rt, "limit")
		form.Set("limit", fmt.Sprint(limit))
		at := func(id string) int {
			return slices.IndexFunc(newest, func(b stripetest.BalanceTransaction) bool { return b.ID == id })
		}
		backwards := false
		switch rapid.IntRange(0, 2).Draw(rt, "cursor") {
		case 1:
			cursor := pick("after").ID
			form.Set("starting_after", cursor)
			keep(func(b stripetest.BalanceTransaction) bool { return at(b.ID) > at(cursor) })
		case 2:
			cursor := pick("before").ID
			form.Set("ending_before", cursor)
			keep(func(b stripetest.BalanceTransaction) bool { return at(b.ID) < at(cursor) })
			backwards = true
		}
		hasMore := len(matching) > limit
		if hasMore && backwards {
			matching = matching[len(matching)-limit:]
		} else if hasMore {
			matching = matching[:limit]
		}
		page := fetch(t, s, base, "/v1/balance_transactions?"+form.Encode()).decode(t)
		rows, _ := page["data"].([]any)
		var got, want []string
		for _, row := range rows {
			object, _ := row.(map[string]any)
			got = append(got, fmt.Sprint(object["id"]))
		}
		for _, transaction := range matching {
			want = append(want, transaction.ID)
		}
		if !slices.Equal(got, want) || page["has_more"] != hasMore {
			rt.Fatalf("%s: got %d rows, has_more %v; want %d, %t", form.Encode(), len(got), page["has_more"], len(want), hasMore)
		}
	})
}

func TestFiltersOfLists(t *testing.T) {
	s, clock := newStripe(t)
	simulate(t, s, clock)
	base := listen(t, s)
	charge := s.Charges()[0]
	count := func(path string) int {
		prefix, query, _ := strings.Cut(path, "?")
		form := must[url.Values](t)(url.ParseQuery(query))
		return len(walk(t, s, base, prefix, form, nil))
	}
	refunds, subscriptions, canceled := 0, len(s.Subscriptions()), 0
	for _, refund := range s.Refunds() {
		if refund.Charge == charge.ID {
			refunds++
		}
	}
	for _, subscription := range s.Subscriptions() {
		if subscription.Status == "canceled" {
			canceled++
		}
	}
	sub := s.Subscriptions()[0]
	tests := map[string]int{
		"/v1/refunds?charge=" + charge.ID:                         refunds,
		"/v1/charges/" + charge.ID + "/refunds":                   refunds,
		"/v1/refunds?payment_intent=" + charge.PaymentIntent:      refunds,
		"/v1/charges?payment_intent=" + charge.PaymentIntent:      1,
		"/v1/subscriptions?status=all":                            subscriptions,
		"/v1/subscriptions":                                       subscriptions - canceled,
		"/v1/subscriptions?status=canceled":                       canceled,
		"/v1/subscriptions?status=ended":                          canceled + 1,
		"/v1/subscriptions?status=paused":                         1,
		"/v1/invoices?subscription=" + sub.ID + "&status=void":    1,
		"/v1/customers?email=ann@example.com":                     1,
		"/v1/customers?email=nobody@example.com":                  0,
		"/v1/payouts?status=failed":                               1,
		"/v1/payouts?status=canceled":                             1,
		"/v1/payouts?arrival_date[lt]=1":                          0,
		fmt.Sprint("/v1/charges?created=", charge.Created.Unix()): 1,
	}
	for path, want := range tests {
		if got := count(path); got != want {
			t.Errorf("%s: %d rows, want %d", path, got, want)
		}
	}
}

// The payout's own transaction is among its transactions, so they sum to zero; and only automatic payouts have any.
func TestTransactionsOfAPayout(t *testing.T) {
	s, clock := newStripe(t)
	simulate(t, s, clock)
	base := listen(t, s)
	automatic := 0
	for _, payout := range s.Payouts() {
		if !payout.Automatic {
			problem := fetch(t, s, base, "/v1/balance_transactions?payout="+payout.ID).problem(t)
			if problem["param"] != "payout" || !strings.Contains(fmt.Sprint(problem["message"]), "automatic") {
				t.Errorf("manual payout: %v", problem)
			}
			continue
		}
		automatic++
		var sum int64
		ids := walk(t, s, base, "/v1/balance_transactions", url.Values{"payout": {payout.ID}, "limit": {"3"}}, nil)
		for _, id := range ids {
			transaction, _ := s.BalanceTransaction(id)
			sum += transaction.Net
		}
		if sum != 0 || !slices.Contains(ids, payout.BalanceTransaction) || len(ids) < 2 {
			t.Errorf("%s: %d transactions sum to %d", payout.ID, len(ids), sum)
		}
	}
	if automatic < 5 {
		t.Errorf("only %d automatic payouts", automatic)
	}
}

func TestBadRequests(t *testing.T) {
	s, clock := newStripe(t)
	simulate(t, s, clock)
	base := listen(t, s)
	charges := s.Charges()
	tests := map[string]struct {
		path        string
		status      int
		code, param string
		message     string
	}{
		"unknown path":           {"/v1/wishes", 404, "", "", "Unrecognized request URL (GET: /v1/wishes)"},
		"outside of v1":          {"/v2/charges", 404, "", "", "Unrecognized request URL"},
		"missing object":         {"/v1/charges/ch_none", 404, "resource_missing", "charge", "No such charge: 'ch_none'"},
		"missing transaction":    {"/v1/balance_transactions/txn_none", 404, "resource_missing", "id", "No such balance transaction"},
		"limit too large":        {"/v1/charges?limit=101", 400, "parameter_invalid_integer", "limit", "less than or equal to 100"},
		"limit zero":             {"/v1/charges?limit=0", 400, "parameter_invalid_integer", "limit", "greater than or equal to 1"},
		"limit no number":        {"/v1/charges?limit=all", 400, "parameter_invalid_integer", "limit", "Invalid integer: all"},
		"created no number":      {"/v1/charges?created[gte]=today", 400, "parameter_invalid_integer", "created", "Invalid integer: today"},
		"unknown range":          {"/v1/charges?created[near]=1", 400, "parameter_unknown", "created[near]", "created[near]"},
		"unknown filter":         {"/v1/charges?colour=red", 400, "parameter_unknown", "colour", "Received unknown parameter: colour"},
		"filter of another list": {"/v1/charges?payout=po_1", 400, "parameter_unknown", "payout", ""},
		"available_on filter":    {"/v1/balance_transactions?available_on[gte]=1", 400, "parameter_unknown", "available_on[gte]", ""},
		"unknown cursor":         {"/v1/charges?starting_after=ch_none", 400, "resource_missing", "starting_after", "No such charge: 'ch_none'"},
		"two cursors":            {"/v1/charges?starting_after=" + charges[0].ID + "&ending_before=" + charges[1].ID, 400, "parameters_exclusive", "", "only specify one"},
		"unknown payout":         {"/v1/balance_transactions?payout=po_none", 404, "resource_missing", "payout", "No such payout"},
		"not expandable":         {"/v1/charges?expand[]=data.amount", 400, "", "expand", "cannot be expanded (data.amount)"},
		"expansion without data": {"/v1/charges?expand[]=balance_transaction", 400, "", "expand", "'data.balance_transaction'"},
		"expansion too deep":     {"/v1/charges?expand[]=data.a.b.c.d", 400, "", "expand", "more than 4 levels"},
		"object not expandable":  {"/v1/charges/" + charges[0].ID + "?expand[]=mood", 400, "", "expand", "(mood)"},
		"unknown on an object":   {"/v1/charges/" + charges[0].ID + "?limit=1", 400, "parameter_unknown", "limit", ""},
		"lines of no invoice":    {"/v1/invoices/in_none/lines", 404, "resource_missing", "invoice", ""},
		"refunds of no charge":   {"/v1/charges/ch_none/refunds", 404, "resource_missing", "charge", ""},
		"broken query":           {"/v1/charges?limit=%zz", 400, "", "", "Invalid request parameters"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := fetch(t, s, base, test.path)
			problem := got.problem(t)
			text := func(name string) string {
				value, _ := problem[name].(string)
				return value
			}
			if got.status != test.status || text("code") != test.code || text("param") != test.param ||
				!strings.Contains(text("message"), test.message) || text("type") != "invalid_request_error" {
				t.Errorf("status %d, %v", got.status, problem)
			}
			if !strings.HasPrefix(text("request_log_url"), "https://dashboard.stripe.com/test/logs/"+got.header.Get("Request-Id")) {
				t.Errorf("request_log_url %s, request id %s", text("request_log_url"), got.header.Get("Request-Id"))
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	s, clock := newStripe(t)
	base := listen(t, s)
	clock.advance(1234 * time.Second)
	got := fetch(t, s, base, "/v1/balance")
	date, err := http.ParseTime(got.header.Get("Date"))
	if err != nil || !date.Equal(clock.Now()) {
		t.Errorf("Date %q, simulated %s", got.header.Get("Date"), clock.Now())
	}
	other := fetch(t, s, base, "/v1/balance")
	if id := got.header.Get("Request-Id"); !strings.HasPrefix(id, "req_") || id == other.header.Get("Request-Id") {
		t.Errorf("Request-Id %q, then %q", id, other.header.Get("Request-Id"))
	}
	if got.header.Get("Stripe-Version") != stripetest.APIVersion {
		t.Errorf("Stripe-Version %q", got.header.Get("Stripe-Version"))
	}
}
