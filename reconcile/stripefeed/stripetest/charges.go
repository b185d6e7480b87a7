package stripetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Method is how a customer pays.
type Method string

// Methods. Cards settle at once; bank debits stay pending until SettleCharge or FailCharge.
const (
	Card          Method = "card"
	SEPADebit     Method = "sepa_debit"
	USBankAccount Method = "us_bank_account"
)

func (m Method) isAsync() bool { return m == SEPADebit || m == USBankAccount }

// ChargeParams describe a payment.
type ChargeParams struct {
	Amount      int64 // minor units of Currency
	Currency    string
	Customer    string // id, optional
	Method      Method // default Card
	Description string
	Email       string
	Metadata    map[string]string
	// Direct makes a charge without a payment intent.
	Direct bool
	// Decline is a failure code (such as "card_declined"): the attempt fails and moves no money.
	Decline string
	// Authorize only holds the money on the card, until Capture or CancelAuthorization.
	Authorize bool
	// Settlement is needed where the money reaches the balance in another currency.
	Settlement Settlement
	// Fees that Stripe takes, in the settlement currency; nil for the default schedule, empty for none.
	Fees []Fee
	// ApplicationFee is what a Connect application takes of the payment beside Stripe's fees, in minor units of the settlement currency.
	ApplicationFee int64
	// EarlyTransaction posts a pending bank debit to the balance at once, so that a failure reverses it.
	EarlyTransaction bool
	// LateTransaction leaves a card charge's balance_transaction null until SettleCharge.
	LateTransaction bool
	// AvailableIn is how long the money stays pending; default Options.AvailableAfter.
	AvailableIn time.Duration
}

// Charge is one attempt to take a customer's money. Amounts are minor units of Currency.
type Charge struct {
	Object
	Amount, AmountCaptured, AmountRefunded int64
	Currency                               string
	Customer, PaymentIntent, Invoice       string
	Method                                 Method
	Description, Email                     string
	Status                                 string // "succeeded", "pending" or "failed"
	Captured, Refunded, Disputed           bool
	FailureCode                            string
	BalanceTransaction                     string
	FailureBalanceTransaction              string
	Metadata                               map[string]string

	livemode        bool
	settlement      Settlement
	brought         int64 // to the balance by what was captured, in the settlement currency
	refundedSettled int64 // of brought
	reversed        int64 // of Amount: what a partial capture left, where it came back as a refund
	released        bool  // the authorisation ended without a refund
	fees            []Fee
	applicationFee  int64
	availableIn     time.Duration
	transactions    []string // one for each capture
	refunds         []string
}

// CreateCustomer makes a customer.
func (s *Stripe) CreateCustomer(email string, metadata map[string]string) (Customer, error) {
	return change(s, "create a customer", func(b *books, now time.Time) (Customer, error) {
		customer := &Customer{Object: b.object("cus", now), Email: email, Metadata: maps.Clone(metadata), livemode: b.livemode}
		b.customers.add(customer)
		return *customer, nil
	})
}

// CreateCharge makes a payment: a payment intent (unless Direct) and the charge of its first attempt.
func (s *Stripe) CreateCharge(p ChargeParams) (Charge, error) {
	return change(s, "create a charge", func(b *books, now time.Time) (Charge, error) {
		p, err := b.checkCharge(p)
		if err != nil {
			return Charge{}, err
		}
		var intent *PaymentIntent
		if !p.Direct {
			intent = b.newIntent(p, "", now)
		}
		return *b.attempt(p, intent, "", now), nil
	})
}

func (b *books) checkCharge(p ChargeParams) (ChargeParams, error) {
	setDefault(&p.Method, Card)
	setDefault(&p.AvailableIn, b.options.AvailableAfter)
	if err := checkAmount(p.Amount, p.Currency); err != nil {
		return p, err
	}
	if p.Customer != "" && b.customers.byID[p.Customer] == nil {
		return p, fmt.Errorf("no customer %s", p.Customer)
	}
	if p.Authorize && p.Method.isAsync() {
		return p, fmt.Errorf("%s cannot be authorised and captured later", p.Method)
	}
	settlement, err := settle(p.Amount, p.Currency, p.Settlement)
	if err != nil {
		return p, err
	}
	p.Settlement = settlement
	for _, fee := range p.Fees {
		if fee.Amount < 0 {
			return p, fmt.Errorf("fee %d is negative", fee.Amount)
		}
	}
	if p.ApplicationFee < 0 {
		return p, fmt.Errorf("application fee %d is negative", p.ApplicationFee)
	}
	p.Metadata = maps.Clone(p.Metadata)
	p.Fees = slices.Clone(p.Fees)
	return p, nil
}

// attempt makes the charge and, where the money moves at once, its balance transaction.
func (b *books) attempt(p ChargeParams, intent *PaymentIntent, invoice string, now time.Time) *Charge {
	prefix := "ch"
	if p.Method != Card {
		prefix = "py"
	}
	c := &Charge{
		Object: b.object(prefix, now), Amount: p.Amount, Currency: p.Currency, Customer: p.Customer, Invoice: invoice,
		Method: p.Method, Description: p.Description, Email: p.Email, Metadata: p.Metadata, livemode: b.livemode,
		settlement: p.Settlement, fees: p.Fees, applicationFee: p.ApplicationFee, availableIn: p.AvailableIn,
	}
	if intent != nil {
		c.PaymentIntent = intent.ID
		intent.LatestCharge = c.ID
	}
	switch {
	case p.Decline != "":
		c.Status, c.FailureCode = "failed", p.Decline
	case p.Authorize:
		c.Status = "succeeded"
	case p.Method.isAsync():
		c.Status, c.Captured, c.AmountCaptured = "pending", true, c.Amount
		if p.EarlyTransaction {
			b.postCharge(c, c.settlement.Amount, b.feesFor(c, c.Amount), now)
		}
	default:
		c.Status, c.Captured, c.AmountCaptured = "succeeded", true, c.Amount
		if !p.LateTransaction {
			b.postCharge(c, c.settlement.Amount, b.feesFor(c, c.Amount), now)
		}
	}
	b.charges.add(c)
	return c
}

// postCharge books what reaches the balance, in the settlement currency, with these fees.
func (b *books) postCharge(c *Charge, settled int64, fees []Fee, now time.Time) {
	kind := "charge"
	if c.Method != Card {
		kind = "payment"
	}
	if c.applicationFee > 0 && len(c.transactions) == 0 {
		fees = append(slices.Clip(fees), Fee{Amount: c.applicationFee, Type: "application_fee", Description: "Humming Connect application fee"})
	}
	c.brought += settled
	c.BalanceTransaction = b.post(now, BalanceTransaction{
		Type: kind, ReportingCategory: "charge", Amount: settled, Currency: c.settlement.Currency,
		ExchangeRate: c.settlement.Rate, Fees: fees, Description: c.Description, Source: c.ID, AvailableOn: now.Add(c.availableIn),
	}).ID
	c.transactions = append(c.transactions, c.BalanceTransaction)
}

// settled is what so much of the charge comes to in the settlement currency.
func (c *Charge) settled(amount int64) int64 { return share(c.settlement.Amount, amount, c.Amount) }

// feesFor are Stripe's fees on so much of the charge: by the schedule, or the charge's own in proportion.
func (b *books) feesFor(c *Charge, amount int64) []Fee {
	if c.fees == nil {
		return b.defaultFees(c.Method, c.settled(amount), c.settlement.Currency)
	}
	fees := slices.Clone(c.fees)
	for i := range fees {
		fees[i].Amount = share(fees[i].Amount, amount, c.Amount)
	}
	return fees
}

// unrefunded is what can still be refunded: of the money that was captured, or else the hold.
func (c *Charge) unrefunded() int64 {
	if c.AmountCaptured > 0 {
		return c.AmountCaptured + c.reversed - c.AmountRefunded
	}
	return c.Amount - c.AmountRefunded
}

func (b *books) charge(id string) (*Charge, error) {
	if charge := get[Charge](b.charges, id); charge != nil {
		return charge, nil
	}
	return nil, fmt.Errorf("no charge %s", id)
}

// SettleCharge completes a pending charge, and posts the balance transaction of a charge that has none yet.
func (s *Stripe) SettleCharge(id string) (Charge, error) {
	return change(s, "settle charge "+id, func(b *books, now time.Time) (Charge, error) {
		c, err := b.charge(id)
		switch {
		case err != nil:
			return Charge{}, err
		case c.Status == "failed" || !c.Captured:
			return *c, fmt.Errorf("it is %s and captured=%t", c.Status, c.Captured)
		case c.Status == "succeeded" && c.BalanceTransaction != "":
			return *c, errors.New("it is settled already")
		}
		c.Status = "succeeded"
		if c.BalanceTransaction == "" {
			b.postCharge(c, c.settled(c.AmountCaptured), b.feesFor(c, c.AmountCaptured), now)
		}
		b.settleInvoice(c, now)
		return *c, nil
	})
}

// FailCharge fails a pending charge with a failure code; what it had moved moves back.
func (s *Stripe) FailCharge(id, code string) (Charge, error) {
	return change(s, "fail charge "+id, func(b *books, now time.Time) (Charge, error) {
		c, err := b.charge(id)
		if err != nil {
			return Charge{}, err
		}
		if c.Status != "pending" {
			return *c, fmt.Errorf("it is %s", c.Status)
		}
		c.Status, c.FailureCode = "failed", code
		c.Captured, c.AmountCaptured, c.brought = false, 0, 0
		if c.BalanceTransaction != "" {
			// The fee of a failed debit comes back with it.
			original := get[BalanceTransaction](b.transactions, c.BalanceTransaction)
			returned := slices.Clone(original.Fees)
			for i := range returned {
				returned[i].Amount = -returned[i].Amount
			}
			c.FailureBalanceTransaction = b.post(now, BalanceTransaction{
				Type: "payment_failure_refund", ReportingCategory: "charge_failure", Amount: -original.Amount, Currency: original.Currency,
				ExchangeRate: original.ExchangeRate, Fees: returned, Description: "REFUND FOR FAILED PAYMENT", Source: c.ID,
				AvailableOn: later(original.AvailableOn, now),
			}).ID
		}
		return *c, nil
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// CaptureParams describe a capture. What becomes of the rest of the authorisation is decided by the API version that the platform
// captures with, whatever version a reader speaks.
type CaptureParams struct {
	Amount int64 // minor units of the charge; 0 for all that is left
	// Basil captures as from API version 2025-03-31 on: one balance transaction of the captured amount, and the rest is released without
	// a refund. Before, the whole authorisation is posted, and a refund of reporting category partial_capture_reversal takes the rest back
	// with its part of the fee.
	Basil bool
	// More keeps the rest for further captures (multicapture): each has a balance transaction of its own, and the charge names the last.
	More bool
	// Fees that Stripe takes for this capture, in the settlement currency; nil as for the charge.
	Fees []Fee
}

// Capture takes an authorised charge's money, all or a part, as before API version 2025-03-31.
func (s *Stripe) Capture(id string, amount int64) (Charge, error) {
	if amount == 0 {
		return Charge{}, fmt.Errorf("stripe double: capture charge %s: amount 0", id)
	}
	return s.CaptureWith(id, CaptureParams{Amount: amount})
}

// CaptureWith takes an authorised charge's money, all or a part.
func (s *Stripe) CaptureWith(id string, p CaptureParams) (Charge, error) {
	return change(s, "capture charge "+id, func(b *books, now time.Time) (Charge, error) {
		c, err := b.charge(id)
		if err != nil {
			return Charge{}, err
		}
		left := c.Amount - c.AmountCaptured
		setDefault(&p.Amount, left)
		switch {
		case !c.isHeld():
			return *c, errors.New("it is not a held authorisation")
		case p.Amount <= 0 || p.Amount > left:
			return *c, fmt.Errorf("amount %d is not within 1 and %d", p.Amount, left)
		}
		isFirst := c.AmountCaptured == 0
		c.Captured, c.AmountCaptured = !p.More || p.Amount == left, c.AmountCaptured+p.Amount
		kept := p.Fees
		if kept == nil {
			kept = b.feesFor(c, p.Amount)
		}
		if !isFirst || p.More || p.Basil || p.Amount == left {
			b.postCharge(c, c.settled(c.AmountCaptured)-c.brought, slices.Clone(kept), now)
			return *c, nil
		}
		whole := b.feesFor(c, c.Amount)
		b.postCharge(c, c.settlement.Amount, slices.Clone(whole), now)
		b.reverse(c, feeDifference(kept, whole), now)
		return *c, nil
	})
}

// isHeld is whether there is still something to capture.
func (c *Charge) isHeld() bool {
	return !c.Captured && c.Status == "succeeded" && !c.Refunded && !c.released
}

// feeDifference is kept less whole, line by line.
func feeDifference(kept, whole []Fee) []Fee {
	var lines []Fee
	for _, fee := range whole {
		fee.Amount = -fee.Amount
		lines = append(lines, fee)
	}
	for _, fee := range kept {
		setDefault(&fee.Type, "stripe_fee")
		i := slices.IndexFunc(lines, func(line Fee) bool { setDefault(&line.Type, "stripe_fee"); return line.Type == fee.Type })
		if i < 0 {
			lines = append(lines, fee)
			continue
		}
		lines[i].Amount += fee.Amount
	}
	return lines
}

// reverse takes back what a partial capture left of the authorisation, with its part of the fee.
func (b *books) reverse(c *Charge, fees []Fee, now time.Time) {
	rest := c.Amount - c.AmountCaptured
	r := &Refund{
		Object: b.object("re", now), Amount: rest, Currency: c.Currency, Charge: c.ID, PaymentIntent: c.PaymentIntent,
		Status: "succeeded", method: c.Method, reversal: true,
	}
	r.settled = c.brought - c.settled(c.AmountCaptured)
	r.BalanceTransaction = b.post(now, BalanceTransaction{
		Type: "refund", ReportingCategory: "partial_capture_reversal", Amount: -r.settled, Currency: c.settlement.Currency,
		ExchangeRate: c.settlement.Rate, Fees: fees, Description: "REFUND FOR CHARGE", Source: r.ID, AvailableOn: now,
	}).ID
	c.brought -= r.settled
	c.reversed, c.AmountRefunded = rest, rest
	c.refunds = append(c.refunds, r.ID)
	b.refunds.add(r)
}

// CancelAuthorization gives an authorised charge's hold back as before API version 2025-03-31: as a refund that moves no money.
func (s *Stripe) CancelAuthorization(id string) (Charge, error) {
	return change(s, "cancel charge "+id, func(b *books, now time.Time) (Charge, error) {
		c, err := b.charge(id)
		if err != nil {
			return Charge{}, err
		}
		if !c.isHeld() || c.AmountCaptured > 0 {
			return *c, errors.New("it is not a held authorisation")
		}
		b.refund(c, refundRequest{amount: c.Amount, reason: "expired_uncaptured_charge", status: "succeeded"}, now)
		return *c, nil
	})
}

// ReleaseAuthorization gives the rest of an authorised charge's hold back as from API version 2025-03-31 on: without a refund. What was
// captured of it stays captured.
func (s *Stripe) ReleaseAuthorization(id string) (Charge, error) {
	return change(s, "release charge "+id, func(b *books, now time.Time) (Charge, error) {
		c, err := b.charge(id)
		if err != nil {
			return Charge{}, err
		}
		if !c.isHeld() {
			return *c, errors.New("it is not a held authorisation")
		}
		c.released = true
		if c.AmountCaptured > 0 {
			c.Captured = true
		} else if intent := get[PaymentIntent](b.intents, c.PaymentIntent); intent != nil {
			intent.CanceledAt = now
		}
		return *c, nil
	})
}

func (c *Charge) paid() bool { return c.Status != "failed" }

func (c *Charge) field(name string, _ time.Time) string {
	switch name {
	case "customer":
		return c.Customer
	case "payment_intent":
		return c.PaymentIntent
	}
	return ""
}

func (c *Charge) write(w *writer) {
	w.open()
	w.head("charge", c.Object)
	w.number("amount", c.Amount)
	w.number("amount_captured", c.AmountCaptured)
	w.number("amount_refunded", c.AmountRefunded)
	if c.applicationFee == 0 {
		w.raw("application", "null")
		w.raw("application_fee", "null")
		w.raw("application_fee_amount", "null")
	} else {
		w.text("application", application)
		w.text("application_fee", "fee_"+c.ID[3:])
		w.number("application_fee_amount", share(c.Amount, c.applicationFee, c.settlement.Amount))
	}
	w.ref("balance_transaction", c.BalanceTransaction)
	w.name("billing_details")
	w.open()
	w.raw("address", `{"city":null,"country":null,"line1":null,"line2":null,"postal_code":null,"state":null}`)
	w.textOrNull("email", c.Email)
	w.raw("name", "null")
	w.raw("phone", "null")
	w.close()
	w.text("calculated_statement_descriptor", "HUMMING BYTES")
	w.boolean("captured", c.Captured)
	w.text("currency", c.Currency)
	w.ref("customer", c.Customer)
	w.textOrNull("description", c.Description)
	w.boolean("disputed", c.Disputed)
	w.ref("failure_balance_transaction", c.FailureBalanceTransaction)
	w.textOrNull("failure_code", c.FailureCode)
	if c.FailureCode == "" {
		w.raw("failure_message", "null")
	} else {
		w.text("failure_message", "The payment failed: "+c.FailureCode+".")
	}
	w.raw("fraud_details", "{}")
	w.ref("invoice", c.Invoice)
	w.boolean("livemode", c.livemode)
	w.metadata(c.Metadata)
	w.raw("on_behalf_of", "null")
	if c.Status == "failed" {
		w.raw("outcome", `{"network_status":"declined_by_network","reason":"generic_decline","risk_level":"normal","risk_score":12,"seller_message":"The bank did not return any further details with this decline.","type":"issuer_declined"}`)
	} else {
		w.raw("outcome", `{"network_status":"approved_by_network","reason":null,"risk_level":"normal","risk_score":12,"seller_message":"Payment complete.","type":"authorized"}`)
	}
	w.boolean("paid", c.paid())
	w.ref("payment_intent", c.PaymentIntent)
	w.text("payment_method", "pm_"+c.ID[3:])
	w.raw("payment_method_details", methodDetails[c.Method])
	w.textOrNull("receipt_email", c.Email)
	w.raw("receipt_number", "null")
	w.raw("receipt_url", "null")
	w.boolean("refunded", c.Refunded)
	c.writeRefunds(w)
	w.raw("review", "null")
	w.raw("shipping", "null")
	w.raw("source_transfer", "null")
	w.raw("statement_descriptor", "null")
	w.raw("statement_descriptor_suffix", "null")
	w.text("status", c.Status)
	w.raw("transfer_data", "null")
	w.raw("transfer_group", "null")
	w.close()
}

// application is the Connect application that takes application fees.
const application = "ca_Humming0000000000000000000000000"

// embeddedRefunds is how many refunds an expanded charge carries.
const embeddedRefunds = 10

// writeRefunds writes the refunds only where they are expanded, as Stripe does since API version 2022-11-15.
func (c *Charge) writeRefunds(w *writer) {
	if w.expand == nil || w.expand.children["refunds"] == nil {
		return
	}
	var rows []record
	for _, id := range slices.Backward(c.refunds) {
		if len(rows) < embeddedRefunds {
			rows = append(rows, w.books.refunds.byID[id])
		}
	}
	w.list("refunds", "/v1/charges/"+c.ID+"/refunds", len(c.refunds) > len(rows), rows)
}

var methodDetails = map[Method]string{
	Card: `{"card":{"brand":"visa","checks":{"address_line1_check":null,"address_postal_code_check":null,"cvc_check":"pass"},` +
		`"country":"US","exp_month":8,"exp_year":2030,"fingerprint":"r40d4vOgg3VecDJF","funding":"credit","installments":null,` +
		`"last4":"4242","mandate":null,"network":"visa","three_d_secure":null,"wallet":null},"type":"card"}`,
	SEPADebit:     `{"sepa_debit":{"bank_code":"37040044","branch_code":null,"country":"DE","fingerprint":"vifs0Ho7vwRn1Miu","last4":"3000","mandate":null},"type":"sepa_debit"}`,
	USBankAccount: `{"type":"us_bank_account","us_bank_account":{"account_holder_type":"individual","account_type":"checking","bank_name":"STRIPE TEST BANK","fingerprint":"FFDMA0xfhBjWSZLu","last4":"6789","routing_number":"110000000"}}`,
}

// Customer is who pays.
type Customer struct {
	Object
	Email    string
	Metadata map[string]string
	livemode bool
}

func (c *Customer) field(name string, _ time.Time) string {
	if name == "email" {
		return c.Email
	}
	return ""
}

func (c *Customer) write(w *writer) {
	w.open()
	w.head("customer", c.Object)
	w.raw("address", "null")
	w.number("balance", 0)
	w.raw("currency", "null")
	w.raw("default_source", "null")
	w.boolean("delinquent", false)
	w.raw("description", "null")
	w.raw("discount", "null")
	w.textOrNull("email", c.Email)
	w.boolean("livemode", c.livemode)
	w.metadata(c.Metadata)
	w.raw("name", "null")
	w.raw("phone", "null")
	w.raw("preferred_locales", "[]")
	w.raw("shipping", "null")
	w.text("tax_exempt", "none")
	w.raw("test_clock", "null")
	w.close()
}

// ReturnDebit has the bank take back a bank debit that had succeeded: the charge fails after all, its money leaves the balance, and Stripe
// takes a fee for the failure (in minor units of the settlement currency) on top of the one that it keeps. Code is such as
// "insufficient_funds". One that was refunded or charged back can't be returned too.
func (s *Stripe) ReturnDebit(id, code string, fee int64) (Charge, error) {
	return change(s, "return debit "+id, func(b *books, now time.Time) (Charge, error) {
		c, err := b.charge(id)
		switch {
		case err != nil:
			return Charge{}, err
		case !c.Method.isAsync() || c.Status != "succeeded" || c.BalanceTransaction == "":
			return *c, fmt.Errorf("it is a %s payment and %s", c.Method, c.Status)
		case c.AmountRefunded > 0 || !b.disputesAllowRefund(c):
			return *c, fmt.Errorf("%d of it went back already, disputed=%t", c.AmountRefunded, c.Disputed)
		case fee < 0:
			return *c, fmt.Errorf("fee %d is negative", fee)
		}
		original := get[BalanceTransaction](b.transactions, c.BalanceTransaction)
		var fees []Fee
		if fee > 0 {
			fees = []Fee{{Amount: fee, Description: "Failed payment fee"}}
		}
		c.Status, c.FailureCode = "failed", code
		c.Captured, c.AmountCaptured, c.brought = false, 0, 0
		c.FailureBalanceTransaction = b.post(now, BalanceTransaction{
			Type: "payment_failure_refund", ReportingCategory: "charge_failure", Amount: -original.Amount, Currency: original.Currency,
			ExchangeRate: original.ExchangeRate, Fees: fees, Description: "REFUND FOR FAILED PAYMENT", Source: c.ID, AvailableOn: now,
		}).ID
		return *c, nil
	})
}
