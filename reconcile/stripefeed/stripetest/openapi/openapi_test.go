package openapi_test

import (
	"testing"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest/openapi"
	"github.com/stripe/stripe-mock/embedded"
)

const balance = `{"object":"balance","available":[{"amount":1,"currency":"usd"}],"pending":[],"livemode":false}`

func TestValidate(t *testing.T) {
	tests := map[string]struct {
		path   string
		status int
		body   string
		valid  bool
	}{
		"as specified":                 {"/v1/balance", 200, balance, true},
		"wrong type":                   {"/v1/balance", 200, `{"object":"balance","available":[{"amount":"1","currency":"usd"}],"pending":[],"livemode":false}`, false},
		"missing member":               {"/v1/balance", 200, `{"object":"balance","available":[],"livemode":false}`, false},
		"member that Stripe has not":   {"/v1/balance", 200, `{"object":"balance","available":[],"pending":[],"livemode":false,"mood":"good"}`, false},
		"null that may not be":         {"/v1/balance", 200, `{"object":"balance","available":null,"pending":[],"livemode":false}`, false},
		"list of something else":       {"/v1/charges", 200, `{"object":"list","url":"/v1/charges","has_more":false,"data":[` + balance + `]}`, false},
		"empty list":                   {"/v1/charges", 200, `{"object":"list","url":"/v1/charges","has_more":false,"data":[]}`, true},
		"list with the url of another": {"/v1/charges", 200, `{"object":"list","url":"/v1/refunds","has_more":false,"data":[]}`, false},
		"unknown path":                 {"/v1/wishes", 200, `{}`, false},
		"no JSON":                      {"/v1/balance", 200, `<html>`, false},
		"error":                        {"/v1/balance", 401, `{"error":{"type":"invalid_request_error","message":"no"}}`, true},
		"error of an unknown type":     {"/v1/balance", 401, `{"error":{"type":"bad_mood","message":"no"}}`, false},
		"error that is not wrapped":    {"/v1/balance", 401, `{"type":"invalid_request_error"}`, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := openapi.Validate("GET", test.path, test.status, []byte(test.body))
			if (err == nil) != test.valid {
				t.Errorf("valid = %t, want %t: %v", err == nil, test.valid, err)
			}
		})
	}
}

// A validator that accepts nothing would be as useless as one that accepts everything.
func TestOfficialFixturesPassWhereTheyFollowTheSpecification(t *testing.T) {
	if len(embedded.OpenAPISpec) == 0 {
		t.Fatal("the official mock embeds no specification")
	}
	payout := `{"object":"list","url":"/v1/payouts","has_more":false,"data":[{"amount":1100,"arrival_date":1234567890,"automatic":true,
		"balance_transaction":"txn_1","created":1234567890,"currency":"usd","id":"po_1","livemode":false,"metadata":{},"method":"standard",
		"object":"payout","reconciliation_status":"completed","source_type":"card","status":"in_transit","type":"bank_account"}]}`
	if err := openapi.Validate("GET", "/v1/payouts", 200, []byte(payout)); err != nil {
		t.Error(err)
	}
}
