package stripetest

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Refund is money going back to the customer. Amount is in minor units of Currency, the charge's currency.
type Refund struct {
	Object
	Amount                    int64
	Currency                  string
	Charge, PaymentIntent     string
	Reason                    string
	Status                    string // "pending", "succeeded", "failed", "canceled"
	FailureReason             string
	BalanceTransaction        string
	FailureBalanceTransaction string
	Metadata                  map[string]string

	method     Method
	isOfIntent bool  // it names no charge
	reversal   bool  // it is what a partial capture left
	settled    int64 // what it took from the balance, in the settlement currency
}

// RefundParams describe a refund that somebody makes in the dashboard.
type RefundParams struct {
	Charge   string
	Amount   int64 // minor units; 0 for all that is left
	Reason   string
	Metadata map[string]string
	Pending  bool // it stays pending until SucceedRefund, FailRefund or CancelRefund
	// Unfunded: it is pending because the balance does not suffice. Nothing has moved and it has no balance transaction before SucceedRefund.
	Unfunded bool
	// IntentOnly: Stripe names the payment intent and no charge, as it may.
	IntentOnly bool
}

type refundRequest struct {
	amount     int64
	reason     string
	metadata   map[string]string
	status     string
	unfunded   bool
	isOfIntent bool
}

// CreateRefund refunds a charge under the same rules as POST /v1/refunds.
func (s *Stripe) CreateRefund(p RefundParams) (Refund, error) {
	return change(s, "refund charge "+p.Charge, func(b *books, now time.Time) (Refund, error) {
		c, err := b.charge(p.Charge)
		if err != nil {
			return Refund{}, err
		}
		if p.Amount == 0 {
			p.Amount = c.unrefunded()
		}
		if problem := b.refundable(c, p.Amount); problem != nil {
			return Refund{}, problem
		}
		status := b.refundStatus(c)
		if p.Pending || p.Unfunded {
			status = "pending"
		}
		return *b.refund(c, refundRequest{amount: p.Amount, reason: p.Reason, metadata: maps.Clone(p.Metadata), status: status, unfunded: p.Unfunded, isOfIntent: p.IntentOnly}, now), nil
	})
}

// refundStatus is the first status of a refund: cards at once, bank transfers take days.
func (b *books) refundStatus(c *Charge) string {
	if c.Method.isAsync() {
		return "pending"
	}
	return "succeeded"
}

// maxRefund is the largest amount that Stripe takes in one refund of a charge that is not larger itself.
const maxRefund = 99_999_999

// refundable says why Stripe would not refund the amount of the charge, nil when it would. Not all of these have a code.
func (b *books) refundable(c *Charge, amount int64) *apiError {
	left := c.unrefunded()
	switch {
	case amount > max(maxRefund, c.Amount):
		return invalidRequest("amount_too_large", "Amount must be no more than "+display(maxRefund, c.Currency), "amount")
	case left <= 0:
		return invalidRequest("charge_already_refunded", "Charge "+c.ID+" has already been refunded.", "")
	case c.Disputed && !b.disputesAllowRefund(c):
		return invalidRequest("charge_disputed", "Charge "+c.ID+" has been charged back; cannot issue a refund.", "")
	case c.Status != "succeeded" || c.released && c.AmountCaptured == 0:
		return invalidRequest("charge_not_refundable", "Charge "+c.ID+" is "+c.Status+" and cannot be refunded.", "")
	case amount > left:
		return invalidRequest("", fmt.Sprintf("Refund amount (%s) is greater than unrefunded amount on charge (%s)",
			display(amount, c.Currency), display(left, c.Currency)), "amount")
	case c.AmountCaptured == 0 && amount < c.Amount:
		return invalidRequest("", "You cannot partially refund an uncaptured charge. Instead, capture the charge for an amount less than the original amount", "amount")
	case amount <= 0:
		return invalidRequest("parameter_invalid_integer", "Invalid positive integer", "amount")
	}
	return nil
}

// refund gives money of a charge back. The fee stays with Stripe.
func (b *books) refund(c *Charge, request refundRequest, now time.Time) *Refund {
	prefix := "re"
	if c.Method != Card {
		prefix = "pyr"
	}
	r := &Refund{
		Object: b.object(prefix, now), Amount: request.amount, Currency: c.Currency, Charge: c.ID, PaymentIntent: c.PaymentIntent,
		Reason: request.reason, Status: request.status, Metadata: request.metadata, method: c.Method,
		isOfIntent: request.isOfIntent && c.PaymentIntent != "",
	}
	c.AmountRefunded += r.Amount
	c.Refunded = c.unrefunded() == 0
	c.refunds = append(c.refunds, r.ID)
	if intent := get[PaymentIntent](b.intents, c.PaymentIntent); intent != nil && c.AmountCaptured == 0 {
		intent.CanceledAt = now
	}
	b.refunds.add(r)
	if c.AmountCaptured > 0 && !request.unfunded {
		b.fund(r, c, now)
	}
	return r
}

// fund takes a refund's money from the balance.
func (b *books) fund(r *Refund, c *Charge, now time.Time) {
	kind := "refund"
	if c.Method != Card {
		kind = "payment_refund"
	}
	funded := r.Amount
	for _, id := range c.refunds {
		if other := get[Refund](b.refunds, id); other.moved() {
			funded += other.Amount
		}
	}
	// Cumulative rounding: refunds of all that was captured take back exactly what it had brought.
	r.settled = share(c.settled(c.AmountCaptured), funded, c.AmountCaptured) - c.refundedSettled
	c.refundedSettled += r.settled
	r.BalanceTransaction = b.post(now, BalanceTransaction{
		Type: kind, ReportingCategory: "refund", Amount: -r.settled, Currency: c.settlement.Currency,
		ExchangeRate: c.settlement.Rate, Description: "REFUND FOR CHARGE", Source: r.ID, AvailableOn: now,
	}).ID
}

// moved says whether the customer's money has left the balance by the refund and has not come back.
func (r *Refund) moved() bool {
	return r.BalanceTransaction != "" && r.FailureBalanceTransaction == "" && !r.reversal
}

// onRefund runs a step of a refund's life.
func (s *Stripe) onRefund(what, id string, step func(b *books, r *Refund, c *Charge, now time.Time) error) (Refund, error) {
	return change(s, what+" refund "+id, func(b *books, now time.Time) (Refund, error) {
		r := get[Refund](b.refunds, id)
		if r == nil {
			return Refund{}, errors.New("there is none")
		}
		err := step(b, r, get[Charge](b.charges, r.Charge), now)
		return *r, err
	})
}

// SucceedRefund completes a pending refund; one that was unfunded takes its money from the balance now.
func (s *Stripe) SucceedRefund(id string) (Refund, error) {
	return s.onRefund("complete", id, func(b *books, r *Refund, c *Charge, now time.Time) error {
		if r.Status != "pending" {
			return fmt.Errorf("it is %s", r.Status)
		}
		r.Status = "succeeded"
		if r.BalanceTransaction == "" {
			b.fund(r, c, now)
		}
		return nil
	})
}

// FailRefund fails a pending or even a succeeded refund: what it had moved comes back to the balance and the charge is
// no longer refunded by it. Reason is such as "lost_or_stolen_card" or "expired_or_canceled_card".
func (s *Stripe) FailRefund(id, reason string) (Refund, error) {
	return s.onRefund("fail", id, func(b *books, r *Refund, c *Charge, now time.Time) error {
		if r.Status != "pending" && (r.Status != "succeeded" || r.BalanceTransaction == "") {
			return fmt.Errorf("it is %s and moved %d", r.Status, r.settled)
		}
		if r.reversal {
			return errors.New("it gave nobody money")
		}
		r.Status, r.FailureReason = "failed", reason
		b.undoRefund(r, c, now)
		return nil
	})
}

// CancelRefund cancels a refund that is still pending; what it had moved comes back to the balance.
func (s *Stripe) CancelRefund(id string) (Refund, error) {
	return s.onRefund("cancel", id, func(b *books, r *Refund, c *Charge, now time.Time) error {
		if r.Status != "pending" {
			return fmt.Errorf("it is %s", r.Status)
		}
		r.Status = "canceled"
		b.undoRefund(r, c, now)
		return nil
	})
}

// undoRefund brings back what a refund has moved; the charge is no longer refunded by it.
func (b *books) undoRefund(r *Refund, c *Charge, now time.Time) {
	c.AmountRefunded -= r.Amount
	c.Refunded = false
	if !r.moved() {
		return
	}
	c.refundedSettled -= r.settled
	r.FailureBalanceTransaction = b.post(now, BalanceTransaction{
		Type: "refund_failure", ReportingCategory: "refund_failure", Amount: r.settled, Currency: c.settlement.Currency,
		ExchangeRate: c.settlement.Rate, Description: "REFUND FAILURE", Source: r.ID, AvailableOn: now,
	}).ID
}

func (r *Refund) field(name string, _ time.Time) string {
	switch name {
	case "charge":
		if r.isOfIntent {
			return ""
		}
		return r.Charge
	case "payment_intent":
		return r.PaymentIntent
	}
	return ""
}

func (r *Refund) write(w *writer) {
	w.open()
	w.head("refund", r.Object)
	w.number("amount", r.Amount)
	w.ref("balance_transaction", r.BalanceTransaction)
	w.ref("charge", r.field("charge", w.now))
	w.text("currency", r.Currency)
	switch r.method {
	case Card:
		w.raw("destination_details", `{"card":{"reference_status":"pending","reference_type":"acquirer_reference_number","type":"refund"},"type":"card"}`)
	default:
		w.raw("destination_details", `{"type":"`+string(r.method)+`"}`)
	}
	if r.FailureBalanceTransaction != "" {
		w.ref("failure_balance_transaction", r.FailureBalanceTransaction)
	} else {
		w.expand.child("failure_balance_transaction").touch()
	}
	if r.Status == "failed" {
		w.text("failure_reason", r.FailureReason)
	}
	w.metadata(r.Metadata)
	w.ref("payment_intent", r.PaymentIntent)
	w.textOrNull("reason", r.Reason)
	w.raw("receipt_number", "null")
	w.raw("source_transfer_reversal", "null")
	w.text("status", r.Status)
	w.raw("transfer_reversal", "null")
	w.close()
}

// display is an amount as error messages show it.
func display(amount int64, currency string) string {
	digits := strconv.FormatInt(amount, 10)
	if e := exponent(currency); e > 0 {
		for len(digits) <= e {
			digits = "0" + digits
		}
		digits = digits[:len(digits)-e] + "." + digits[len(digits)-e:]
	}
	return digits + " " + strings.ToUpper(currency)
}

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
