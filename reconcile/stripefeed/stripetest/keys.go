package stripetest

import (
	"fmt"
	"net/http"
	"strings"
)

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
