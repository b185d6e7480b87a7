package stripetest

import (
	"fmt"
	"maps"
	"time"
)

// PaymentIntent is one payment of a customer, over all attempts.
type PaymentIntent struct {
	Object
	Amount       int64
	Currency     string
	Customer     string
	Invoice      string
	Method       Method
	LatestCharge string
	Metadata     map[string]string
	CanceledAt   time.Time

	livemode bool
	manual   bool
	params   ChargeParams
}

func (b *books) newIntent(p ChargeParams, invoice string, now time.Time) *PaymentIntent {
	intent := &PaymentIntent{
		Object: b.object("pi", now), Amount: p.Amount, Currency: p.Currency, Customer: p.Customer, Invoice: invoice,
		Method: p.Method, Metadata: maps.Clone(p.Metadata), livemode: b.livemode, manual: p.Authorize, params: p,
	}
	b.intents.add(intent)
	return intent
}

// CreatePaymentIntent makes a payment intent that nobody has tried to pay yet.
func (s *Stripe) CreatePaymentIntent(p ChargeParams) (PaymentIntent, error) {
	return change(s, "create a payment intent", func(b *books, now time.Time) (PaymentIntent, error) {
		p, err := b.checkCharge(p)
		if err != nil {
			return PaymentIntent{}, err
		}
		return *b.newIntent(p, "", now), nil
	})
}

// Attempt tries to pay a payment intent; with a failure code, the attempt fails and another may follow.
func (s *Stripe) Attempt(intentID, decline string) (Charge, error) {
	return change(s, "attempt to pay "+intentID, func(b *books, now time.Time) (Charge, error) {
		intent := get[PaymentIntent](b.intents, intentID)
		if intent == nil {
			return Charge{}, fmt.Errorf("no payment intent %s", intentID)
		}
		if status := intent.status(b); status != "requires_payment_method" {
			return Charge{}, fmt.Errorf("it is %s", status)
		}
		p := intent.params
		p.Decline = decline
		p.Metadata = maps.Clone(p.Metadata)
		return *b.attempt(p, intent, intent.Invoice, now), nil
	})
}

// status follows from the latest charge.
func (p *PaymentIntent) status(b *books) string {
	charge := get[Charge](b.charges, p.LatestCharge)
	switch {
	case !p.CanceledAt.IsZero():
		return "canceled"
	case charge == nil || charge.Status == "failed":
		return "requires_payment_method"
	case charge.Status == "pending":
		return "processing"
	case !charge.Captured:
		return "requires_capture"
	}
	return "succeeded"
}

func (p *PaymentIntent) field(name string, _ time.Time) string {
	if name == "customer" {
		return p.Customer
	}
	return ""
}

func (p *PaymentIntent) write(w *writer) {
	charge := get[Charge](w.books.charges, p.LatestCharge)
	status := p.status(w.books)
	var capturable, received int64
	if status == "requires_capture" {
		capturable = charge.Amount - charge.AmountCaptured
	}
	if status == "succeeded" || status == "requires_capture" {
		received = charge.AmountCaptured
	}
	w.open()
	w.head("payment_intent", p.Object)
	w.number("amount", p.Amount)
	w.number("amount_capturable", capturable)
	w.raw("amount_details", `{"tip":{}}`)
	w.number("amount_received", received)
	w.raw("application", "null")
	w.raw("application_fee_amount", "null")
	w.raw("automatic_payment_methods", "null")
	w.instant("canceled_at", p.CanceledAt)
	w.raw("cancellation_reason", "null")
	if p.manual {
		w.text("capture_method", "manual")
	} else {
		w.text("capture_method", "automatic")
	}
	w.raw("client_secret", "null")
	w.text("confirmation_method", "automatic")
	w.text("currency", p.Currency)
	w.ref("customer", p.Customer)
	w.raw("description", "null")
	w.ref("invoice", p.Invoice)
	if charge != nil && charge.Status == "failed" {
		w.name("last_payment_error")
		w.open()
		w.text("charge", charge.ID)
		w.text("code", charge.FailureCode)
		w.text("message", "The payment failed: "+charge.FailureCode+".")
		w.text("type", "card_error")
		w.close()
	} else {
		w.raw("last_payment_error", "null")
	}
	w.ref("latest_charge", p.LatestCharge)
	w.boolean("livemode", p.livemode)
	w.metadata(p.Metadata)
	w.raw("next_action", "null")
	w.raw("on_behalf_of", "null")
	if charge == nil || charge.Status == "failed" {
		w.ref("payment_method", "")
	} else {
		w.ref("payment_method", "pm_"+charge.ID[3:])
	}
	w.raw("payment_method_options", "{}")
	w.raw("payment_method_types", `["`+string(p.Method)+`"]`)
	w.raw("processing", "null")
	w.raw("receipt_email", "null")
	w.raw("review", "null")
	w.raw("setup_future_usage", "null")
	w.raw("shipping", "null")
	w.raw("statement_descriptor", "null")
	w.raw("statement_descriptor_suffix", "null")
	w.text("status", status)
	w.raw("transfer_data", "null")
	w.raw("transfer_group", "null")
	w.close()
}
