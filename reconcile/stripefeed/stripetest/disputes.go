package stripetest

import (
	"errors"
	"fmt"
	"time"
)

// Dispute is a customer's bank asking about a charge (inquiry) or taking its money back (chargeback).
type Dispute struct {
	Object
	Amount                int64 // minor units of Currency, the charge's currency
	Currency              string
	Charge, PaymentIntent string
	Reason                string
	Status                string
	BalanceTransactions   []string
	Metadata              map[string]string

	// FeeTransactions are the fees that were booked in rows of their own, and what came back of them that way.
	FeeTransactions []string

	livemode       bool
	due            time.Time
	evidence       int64
	fee            int64 // what Stripe keeps of it so far, in the settlement currency
	feeApart       bool
	rate           int64 // what a withdrawal takes when the charge's own rate doesn't apply; 0: it does
	converted      bool  // the charge was settled in another currency
	short          bool  // less than all has come back though it is won: a fault
	withdrawn, won int64 // in the settlement currency
}

// DisputeParams describe a dispute.
type DisputeParams struct {
	Charge  string
	Amount  int64  // minor units; 0 for the whole captured amount
	Reason  string // default "fraudulent"
	Inquiry bool   // warning_needs_response: nothing is withdrawn, unless EscalateDispute
	Fee     int64  // dispute fee in the settlement currency; negative for none, 0 for 1500
	// FeeApart books the fee as a balance transaction of its own, of category fee with the dispute as its source.
	FeeApart bool
	// Withdraw is what leaves the balance, in the settlement currency, where the day's exchange rate is not the charge's; 0 for the charge's.
	Withdraw int64
}

// DisputeReturn is money of a dispute that comes back, in minor units of the settlement currency.
type DisputeReturn struct {
	// Amount may be more or less than what was withdrawn only where the charge was converted; 0 for all that is outstanding, negative for nothing.
	Amount int64
	// Fee that comes back, 0 for none.
	Fee int64
	// FeeApart brings the fee back in a balance transaction of its own, of category fee with the dispute as its source.
	FeeApart bool
	// Short has less than all come back though the dispute is won, and what is missing later, if ever: a fault of Stripe's.
	Short bool
	// Status afterwards: "won", "lost" (so that it is won in part), or "" for the one that it has.
	Status string
}

const (
	defaultDisputeFee = 1500
	evidenceTime      = 7 * 24 * time.Hour
)

// OpenDispute opens a chargeback, or an inquiry. Either way the charge is `disputed`; only a chargeback moves money and
// keeps the charge from being refunded.
func (s *Stripe) OpenDispute(p DisputeParams) (Dispute, error) {
	return change(s, "dispute charge "+p.Charge, func(b *books, now time.Time) (Dispute, error) {
		c, err := b.charge(p.Charge)
		if err != nil {
			return Dispute{}, err
		}
		setDefault(&p.Amount, c.AmountCaptured)
		setDefault(&p.Reason, "fraudulent")
		setDefault(&p.Fee, defaultDisputeFee)
		if c.Status != "succeeded" || !c.Captured || p.Amount <= 0 || p.Amount > c.AmountCaptured {
			return Dispute{}, fmt.Errorf("cannot dispute %d of %d captured, status %s", p.Amount, c.AmountCaptured, c.Status)
		}
		converted := c.settlement.Currency != c.Currency
		if p.Withdraw != 0 && !converted || p.Withdraw < 0 {
			return Dispute{}, fmt.Errorf("cannot withdraw %d: the charge was settled in its own currency", p.Withdraw)
		}
		prefix := "dp"
		if c.Method != Card {
			prefix = "du"
		}
		d := &Dispute{
			Object: b.object(prefix, now), Amount: p.Amount, Currency: c.Currency, Charge: c.ID, PaymentIntent: c.PaymentIntent,
			Reason: p.Reason, Status: "warning_needs_response", livemode: b.livemode, due: now.Add(evidenceTime), fee: max(p.Fee, 0),
			feeApart: p.FeeApart, rate: p.Withdraw, converted: converted,
		}
		c.Disputed = true
		if !p.Inquiry {
			b.withdraw(d, c, now)
		}
		b.disputes.add(d)
		return *d, nil
	})
}

// withdraw turns a dispute into a chargeback: the money and a fee leave the balance.
func (b *books) withdraw(d *Dispute, c *Charge, now time.Time) {
	d.Status, d.due = "needs_response", now.Add(evidenceTime)
	d.withdrawn = d.rate
	if d.rate == 0 {
		d.withdrawn = share(c.settlement.Amount, d.Amount, c.Amount)
	}
	var fees []Fee
	if d.fee > 0 && !d.feeApart {
		fees = []Fee{{Amount: d.fee, Description: "Dispute fee"}}
	}
	b.moveDispute(d, c, "dispute", -d.withdrawn, fees, "Chargeback withdrawal for "+c.ID, now)
	if d.fee > 0 && d.feeApart {
		b.moveDisputeFee(d, c, -d.fee, "Dispute fee for "+c.ID, now)
	}
}

// moveDisputeFee books a dispute's fee, or its return, in a row of its own.
func (b *books) moveDisputeFee(d *Dispute, c *Charge, amount int64, description string, now time.Time) {
	d.FeeTransactions = append(d.FeeTransactions, b.post(now, BalanceTransaction{
		Type: "stripe_fee", ReportingCategory: "fee", Amount: amount, Currency: c.settlement.Currency,
		Description: description, Source: d.ID, AvailableOn: now,
	}).ID)
}

func (b *books) moveDispute(d *Dispute, c *Charge, category string, amount int64, fees []Fee, description string, now time.Time) {
	d.BalanceTransactions = append(d.BalanceTransactions, b.post(now, BalanceTransaction{
		Type: "adjustment", ReportingCategory: category, Amount: amount, Currency: c.settlement.Currency, ExchangeRate: c.settlement.Rate,
		Fees: fees, Description: description, Source: d.ID, AvailableOn: now,
	}).ID)
}

// onDispute runs a step of a dispute's life that is possible in some statuses only.
func (s *Stripe) onDispute(what, id string, from []string, step func(b *books, d *Dispute, c *Charge, now time.Time)) (Dispute, error) {
	return change(s, what+" "+id, func(b *books, now time.Time) (Dispute, error) {
		d := get[Dispute](b.disputes, id)
		if d == nil {
			return Dispute{}, errors.New("there is none")
		}
		for _, status := range from {
			if d.Status == status {
				step(b, d, get[Charge](b.charges, d.Charge), now)
				return *d, nil
			}
		}
		return *d, fmt.Errorf("it is %s", d.Status)
	})
}

// EscalateDispute turns an inquiry into a chargeback.
func (s *Stripe) EscalateDispute(id string) (Dispute, error) {
	return s.onDispute("escalate dispute", id, []string{"warning_needs_response", "warning_under_review"}, func(b *books, d *Dispute, c *Charge, now time.Time) {
		b.withdraw(d, c, now)
	})
}

// CloseInquiry closes an inquiry that went no further.
func (s *Stripe) CloseInquiry(id string) (Dispute, error) {
	return s.onDispute("close inquiry", id, []string{"warning_needs_response", "warning_under_review"}, func(_ *books, d *Dispute, _ *Charge, _ time.Time) {
		d.Status = "warning_closed"
	})
}

// SubmitEvidence answers an inquiry or a chargeback; it is then under review.
func (s *Stripe) SubmitEvidence(id string) (Dispute, error) {
	return s.onDispute("answer dispute", id, []string{"warning_needs_response", "needs_response"}, func(_ *books, d *Dispute, _ *Charge, _ time.Time) {
		d.evidence++
		if d.Status == "needs_response" {
			d.Status = "under_review"
		} else {
			d.Status = "warning_under_review"
		}
	})
}

// WinDispute reinstates the withdrawn money, and the dispute fee too if returnFee. A dispute that was lost may still be won.
func (s *Stripe) WinDispute(id string, returnFee bool) (Dispute, error) {
	return s.onDispute("win dispute", id, []string{"needs_response", "under_review", "lost"}, func(b *books, d *Dispute, c *Charge, now time.Time) {
		back := DisputeReturn{Amount: d.withdrawn - d.won}
		if returnFee {
			back.Fee = d.fee
		}
		b.reinstate(d, c, back, now)
		d.Status = "won"
	})
}

// ReturnDispute gives money of a chargeback back, in whole or in part, at the rate of the day: it is won, or lost with a part returned.
func (s *Stripe) ReturnDispute(id string, back DisputeReturn) (Dispute, error) {
	if back.Status != "" && back.Status != "won" && back.Status != "lost" {
		return Dispute{}, fmt.Errorf("stripe double: return of dispute %s: status %q", id, back.Status)
	}
	var refused error
	from := []string{"needs_response", "under_review", "lost"}
	if back.Short {
		from = append(from, "won")
	}
	d, err := s.onDispute("return of dispute", id, from, func(b *books, d *Dispute, c *Charge, now time.Time) {
		if back.Amount == 0 {
			back.Amount = d.withdrawn - d.won
		}
		whole := back.Amount == d.withdrawn-d.won
		switch {
		case !d.converted && back.Amount > d.withdrawn-d.won, back.Fee < 0, back.Fee > d.fee, !d.converted && back.Status == "won" && !whole && !back.Short:
			refused = fmt.Errorf("stripe double: return of dispute %s: %d and %d of the fee, with %d and %d outstanding", id, back.Amount, back.Fee, d.withdrawn-d.won, d.fee)
			return
		}
		b.reinstate(d, c, back, now)
		d.short = back.Short
		setDefault(&back.Status, d.Status)
		d.Status = back.Status
	})
	if err == nil {
		err = refused
	}
	return d, err
}

func (b *books) reinstate(d *Dispute, c *Charge, back DisputeReturn, now time.Time) {
	var fees []Fee
	if back.Fee > 0 && !back.FeeApart {
		fees = []Fee{{Amount: -back.Fee, Description: "Dispute fee refund"}}
	}
	back.Amount = max(back.Amount, 0) // more may have come back already, where it was converted
	d.won += back.Amount
	d.fee -= back.Fee
	if back.Amount > 0 || len(fees) > 0 {
		b.moveDispute(d, c, "dispute_reversal", back.Amount, fees, "Chargeback reversal for "+c.ID, now)
	}
	if back.Fee > 0 && back.FeeApart {
		b.moveDisputeFee(d, c, back.Fee, "Dispute fee refund for "+c.ID, now)
	}
}

// LoseDispute ends a chargeback in the customer's favour; what was withdrawn stays withdrawn.
func (s *Stripe) LoseDispute(id string) (Dispute, error) {
	return s.onDispute("lose dispute", id, []string{"needs_response", "under_review"}, func(_ *books, d *Dispute, _ *Charge, _ time.Time) {
		d.Status = "lost"
	})
}

// WithdrawAgain has the customer's bank take the money of a dispute that was won after all, so that it is lost: what came back, or so much in the
// settlement currency, where the charge was converted.
func (s *Stripe) WithdrawAgain(id string, amount int64) (Dispute, error) {
	var refused error
	d, err := s.onDispute("withdraw again for dispute", id, []string{"won"}, func(b *books, d *Dispute, c *Charge, now time.Time) {
		setDefault(&amount, d.won)
		if amount <= 0 || !d.converted && amount != d.won {
			refused = fmt.Errorf("stripe double: withdraw again for dispute %s: %d, and %d came back", id, amount, d.won)
			return
		}
		b.moveDispute(d, c, "dispute", -amount, nil, "Chargeback withdrawal for "+c.ID, now)
		d.withdrawn, d.won, d.Status = d.withdrawn-d.won+amount, 0, "lost"
	})
	if err == nil {
		err = refused
	}
	return d, err
}

// disputesAllowRefund is whether no chargeback stands in the way: inquiries do not, won chargebacks no longer do.
func (b *books) disputesAllowRefund(c *Charge) bool {
	for _, row := range b.disputes.index["charge"][c.ID] {
		if d, ok := row.(*Dispute); ok && !d.allowsRefund() {
			return false
		}
	}
	return true
}

func (d *Dispute) allowsRefund() bool {
	switch d.Status {
	case "needs_response", "under_review", "lost":
		return false
	}
	return true
}

func (d *Dispute) field(name string, _ time.Time) string {
	switch name {
	case "charge":
		return d.Charge
	case "payment_intent":
		return d.PaymentIntent
	}
	return ""
}

const emptyEvidence = `{"access_activity_log":null,"billing_address":null,"cancellation_policy":null,"cancellation_policy_disclosure":null,` +
	`"cancellation_rebuttal":null,"customer_communication":null,"customer_email_address":null,"customer_name":null,"customer_purchase_ip":null,` +
	`"customer_signature":null,"duplicate_charge_documentation":null,"duplicate_charge_explanation":null,"duplicate_charge_id":null,` +
	`"product_description":null,"receipt":null,"refund_policy":null,"refund_policy_disclosure":null,"refund_refusal_explanation":null,` +
	`"service_date":null,"service_documentation":null,"shipping_address":null,"shipping_carrier":null,"shipping_date":null,` +
	`"shipping_documentation":null,"shipping_tracking_number":null,"uncategorized_file":null,"uncategorized_text":null}`

func (d *Dispute) write(w *writer) {
	c := get[Charge](w.books.charges, d.Charge)
	w.open()
	w.head("dispute", d.Object)
	w.number("amount", d.Amount)
	w.name("balance_transactions")
	w.buf = append(w.buf, '[')
	node := w.expand.child("balance_transactions")
	if len(d.BalanceTransactions) == 0 {
		node.touch()
	}
	for _, id := range d.BalanceTransactions {
		w.separate()
		w.under(node, func() { w.books.transactions.byID[id].write(w) })
	}
	w.buf = append(w.buf, ']')
	w.comma = true
	w.ref("charge", d.Charge)
	w.text("currency", d.Currency)
	w.raw("evidence", emptyEvidence)
	w.name("evidence_details")
	w.open()
	if d.Status == "needs_response" || d.Status == "warning_needs_response" {
		w.number("due_by", d.due.Unix())
	} else {
		w.raw("due_by", "null")
	}
	w.boolean("has_evidence", d.evidence > 0)
	w.boolean("past_due", d.evidence == 0 && d.due.Before(w.now))
	w.number("submission_count", d.evidence)
	w.close()
	w.boolean("is_charge_refundable", d.allowsRefund() && c.unrefunded() > 0)
	w.boolean("livemode", d.livemode)
	w.metadata(d.Metadata)
	w.ref("payment_intent", d.PaymentIntent)
	if c.Method == Card {
		w.raw("payment_method_details", `{"card":{"brand":"visa","network_reason_code":"10.4"},"type":"card"}`)
	}
	w.text("reason", d.Reason)
	w.text("status", d.Status)
	w.close()
}
