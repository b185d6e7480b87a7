package simulation

import (
	"math/rand/v2"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// lives are what staff, customers, their banks and Stripe do with a payment that takes an unusual course and is right all the same: nothing of
// it is a break. Each plays on an account of its own, and is told the instant that it is about.
var lives = []func(s *Simulation, r *rand.Rand, at time.Time){
	func(s *Simulation, r *rand.Rand, at time.Time) { // half of what was authorised is captured, and asked back
		s.withPartialCapture(r, at.Add(-50*time.Hour), stripetest.CaptureParams{}, func(p *purchase) {
			s.plan(at, func() { s.ask(s.stated(p), reconcile.DecisionApprove, "approved", settled) })
		})
	},
	func(s *Simulation, r *rand.Rand, at time.Time) { // staff pay within the hours of the request
		s.withPurchase(r, at.Add(-50*time.Hour), func(p *purchase) { s.plan(at, func() { s.payAtOnce(p) }) })
	},
	func(s *Simulation, r *rand.Rand, at time.Time) { // a quarter comes from the customer's balance
		s.plan(at.Add(-50*time.Hour), func() {
			p := s.unpaid(r)
			s.billFromBalance(p)
			s.completed(p)
			s.plan(at, func() { s.ask(s.stated(p), reconcile.DecisionApprove, "approved", settled) })
		})
	},
	func(s *Simulation, r *rand.Rand, at time.Time) { // a chargeback that is lost, but for a part
		s.withChargeback(r, at, func(d stripetest.Dispute) error {
			if _, err := s.stripe.LoseDispute(d.ID); err != nil {
				return err
			}
			_, err := s.stripe.ReturnDispute(d.ID, stripetest.DisputeReturn{Amount: max(withdrawn(s, d)/3, 1), Status: "lost"})
			return err
		})
	},
	func(s *Simulation, r *rand.Rand, at time.Time) { // as from API version 2025-03-31 on, and paid on the day of the request
		s.withPartialCapture(r, at.Add(-50*time.Hour), stripetest.CaptureParams{Basil: true}, func(p *purchase) {
			s.plan(at, func() { s.payAtOnce(p) })
		})
	},
	func(s *Simulation, r *rand.Rand, at time.Time) { // a chargeback that is won after it was lost
		s.withChargeback(r, at, func(d stripetest.Dispute) error {
			if _, err := s.stripe.LoseDispute(d.ID); err != nil {
				return err
			}
			s.plan(s.now.Add(3*24*time.Hour), func() {
				_, err := s.stripe.WinDispute(d.ID, false)
				s.fail(err)
			})
			return nil
		})
	},
}

// planLives spreads the lives over the nights, one every night and each in its turn.
func (s *Simulation) planLives() {
	r := s.random("lives")
	for i, night := range s.nights {
		lives[i%len(lives)](s, r, night.Begin.Add(spell(r, 8*time.Hour, 20*time.Hour)))
	}
}

// withPartialCapture makes a new customer order a large pack, of which the smaller one is delivered and captured a day later; then tells the
// story on.
func (s *Simulation) withPartialCapture(r *rand.Rand, at time.Time, capture stripetest.CaptureParams, then func(p *purchase)) {
	s.plan(at.Add(-24*time.Hour), func() {
		p := s.unpaid(r)
		ordered := smallestPack(p.credits + 1)
		s.charge(p, func(c *stripetest.ChargeParams) {
			c.Amount, c.Authorize = ordered.amountMinor[p.currency], true
		})
		s.storePurchase(p)
		s.plan(at, func() {
			capture.Amount = p.amountMinor
			_, err := s.stripe.CaptureWith(p.charge, capture)
			s.fail(err)
			s.complete(p)
			then(p)
		})
	})
}

// billFromBalance has a purchase paid by an invoice, of which a quarter comes from what the customer has with us.
func (s *Simulation) billFromBalance(p *purchase) {
	invoice, err := s.stripe.CreateInvoice(stripetest.InvoiceParams{Customer: s.payer(p.account), Currency: p.currency, StartingBalance: -p.amountMinor / 4,
		Lines: []stripetest.InvoiceLine{{Amount: p.amountMinor, Description: "Credits"}}})
	s.fail(err)
	c, err := s.stripe.PayInvoice(invoice.ID, s.chargeParams(p))
	s.fail(err)
	p.invoice, p.intent, p.charge = invoice.ID, c.PaymentIntent, c.ID
}

// payAtOnce files a request that staff approve and pay within the hours, so that the night finds it paid.
func (s *Simulation) payAtOnce(p *purchase) {
	q := s.stated(p)
	q.purchase = p.id
	s.ask(q, reconcile.DecisionApprove, "approved", 2*time.Hour)
}

// withChargeback has a new customer's bank take the money of used credits back, the account be suspended, and the dispute end five days later.
func (s *Simulation) withChargeback(r *rand.Rand, at time.Time, end func(d stripetest.Dispute) error) {
	s.withPurchase(r, at.Add(-4*24*time.Hour), func(p *purchase) {
		s.plan(at.Add(-24*time.Hour), func() { s.runJob(r, p.account, p.credits, "succeeded", "") })
		s.plan(at, func() {
			d := s.dispute(p, false)
			s.setStatus(p.account, "suspended")
			s.plan(at.Add(5*24*time.Hour), func() { s.fail(end(d)) })
		})
	})
}

// withdrawn is what a dispute has taken from the balance.
func withdrawn(s *Simulation, d stripetest.Dispute) int64 {
	var amount int64
	for _, id := range d.BalanceTransactions {
		if t, ok := s.stripe.BalanceTransaction(id); ok {
			amount -= t.Amount
		}
	}
	return amount
}
