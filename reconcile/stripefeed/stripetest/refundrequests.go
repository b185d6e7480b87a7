package stripetest

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// postRefund answers POST /v1/refunds.
func postRefund(b *books, _ string, form url.Values, now time.Time) ([]byte, bool, *apiError) {
	if problem := onlyParams(form, "amount", "charge", "instructions_email", "metadata", "payment_intent", "reason", "refund_application_fee", "reverse_transfer"); problem != nil {
		return nil, false, problem
	}
	metadata, problem := parseMetadata(form)
	if problem != nil {
		return nil, false, problem
	}
	expand, problem := parseExpansion(expandPaths(form))
	if problem != nil {
		return nil, false, problem
	}
	charge, problem := b.chargeToRefund(form)
	if problem != nil {
		return nil, problem.status == http.StatusNotFound, problem
	}
	reason := form.Get("reason")
	switch reason {
	case "", "duplicate", "fraudulent", "requested_by_customer":
	default:
		return nil, false, invalidRequest("", "Invalid reason: must be one of duplicate, fraudulent, or requested_by_customer", "reason")
	}
	amount := charge.unrefunded()
	if form.Has("amount") {
		if amount = parseSeconds(form.Get("amount")); amount <= 0 {
			return nil, false, invalidRequest("parameter_invalid_integer", "Invalid positive integer", "amount")
		}
	}
	if problem := b.refundable(charge, amount); problem != nil {
		return nil, true, problem
	}
	status := b.refundStatus(charge)
	refund := b.refund(charge, refundRequest{amount: amount, reason: reason, metadata: metadata, status: status}, now)
	document := b.document(refund, expand, now)
	return document, true, nil
}

func (b *books) chargeToRefund(form url.Values) (*Charge, *apiError) {
	chargeID, intentID := form.Get("charge"), form.Get("payment_intent")
	switch {
	case chargeID != "" && intentID != "":
		return nil, invalidRequest("parameters_exclusive", "You may only specify one of these parameters: charge, payment_intent.", "")
	case intentID != "":
		intent := get[PaymentIntent](b.intents, intentID)
		if intent == nil {
			return nil, noSuch("payment_intent", intentID, "payment_intent")
		}
		charge := get[Charge](b.charges, intent.LatestCharge)
		if charge == nil {
			return nil, invalidRequest("payment_intent_unexpected_state", "This PaymentIntent ("+intentID+") does not have a successful charge to refund.", "payment_intent")
		}
		return charge, nil
	case chargeID != "":
		charge := get[Charge](b.charges, chargeID)
		if charge == nil {
			return nil, noSuch("charge", chargeID, "charge")
		}
		return charge, nil
	}
	return nil, invalidRequest("parameter_missing", "One of the following params should be provided for this request: payment_intent or charge.", "")
}

// Stripe's limits on metadata.
const (
	maxMetadataKeys  = 50
	maxMetadataName  = 40
	maxMetadataValue = 500
)

func parseMetadata(form url.Values) (map[string]string, *apiError) {
	metadata := map[string]string{}
	for param := range form {
		name, key, nested := strings.Cut(strings.TrimSuffix(param, "]"), "[")
		if name != "metadata" {
			continue
		}
		value := form.Get(param)
		switch {
		case !nested && value == "":
		case !nested || len(key) > maxMetadataName || len(value) > maxMetadataValue:
			return nil, invalidRequest("", "Invalid metadata: keys have at most 40 characters, values at most 500.", "metadata")
		case value != "":
			metadata[key] = value
		}
	}
	if len(metadata) > maxMetadataKeys {
		return nil, invalidRequest("", "Metadata can have at most 50 keys.", "metadata")
	}
	return metadata, nil
}
