package simulation

import (
	"math/rand/v2"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// plans of a subscription, cheapest first; the price is a month's, in minor units, and credits are granted with every payment.
var plans = []plan{
	{"starter", 500, map[string]int64{"usd": 900, "eur": 900, "jpy": 1400, "kwd": 2800}},
	{"studio", 2_500, map[string]int64{"usd": 2900, "eur": 2700, "jpy": 4400, "kwd": 8900}},
	{"lab", 0, map[string]int64{"usd": 9900, "eur": 9300, "jpy": 15000, "kwd": 30400}}, // support and storage, no credits
}

type plan struct {
	name        string
	credits     int64
	amountMinor map[string]int64
}

// subscription runs by the month.
type subscription struct {
	id, stripeID           string
	account                *account
	plan                   int // of plans
	periodStart, periodEnd time.Time
	canceled               bool
	lastPayment            *purchase
}

// subscribe begins a subscription, and decides what becomes of it.
func (s *Simulation) subscribe(r *rand.Rand, a *account) {
	sub := s.newSubscription(a, r.IntN(len(plans)))
	later := s.now.Add(spell(r, 24*time.Hour, 12*24*time.Hour))
	switch draw := r.IntN(1000); {
	case draw < 150:
		s.plan(later, func() { s.upgrade(sub) })
	case draw < 260:
		s.plan(later, func() { s.downgrade(sub) })
	case draw < 400:
		s.plan(later, func() { s.cancel(sub) })
	}
}

func (s *Simulation) newSubscription(a *account, plan int) *subscription {
	sub := &subscription{id: s.mint.next("sbs"), account: a, plan: plan}
	s.beginAtStripe(sub)
	s.out.insert("subscriptions", sub.id, a.id, sub.stripeID, plans[plan].name, "active", sub.periodStart, sub.periodEnd, nil, nil)
	s.payPlan(sub)
	s.plan(sub.periodEnd, func() { s.renew(sub) })
	return sub
}

// price is what Stripe knows of a plan.
func (sub *subscription) price() stripetest.Price {
	chosen := plans[sub.plan]
	return stripetest.Price{Nickname: chosen.name, UnitAmount: chosen.amountMinor[sub.account.currency], Currency: sub.account.currency}
}

func (s *Simulation) beginAtStripe(sub *subscription) {
	if s.stripe == nil {
		sub.stripeID = s.mint.next("sub")
		sub.periodStart, sub.periodEnd = s.now, s.now.AddDate(0, 1, 0)
		return
	}
	begun, err := s.stripe.CreateSubscription(stripetest.SubscriptionParams{Customer: s.payer(sub.account), Price: sub.price()})
	s.fail(err)
	sub.stripeID, sub.periodStart, sub.periodEnd = begun.ID, begun.CurrentPeriodStart, begun.CurrentPeriodEnd
}

func (s *Simulation) payPlan(sub *subscription) {
	chosen := plans[sub.plan]
	p := s.newPurchase(sub.account, "subscription", chosen.credits, chosen.amountMinor[sub.account.currency])
	s.invoice(sub, p, "", nil)
	s.completed(p)
	sub.lastPayment = p
}

func (s *Simulation) renew(sub *subscription) {
	if s.stripe != nil {
		_, err := s.stripe.RenewSubscription(sub.stripeID)
		s.fail(err)
	}
	if sub.canceled {
		s.out.update("UPDATE platform.subscriptions SET status = 'canceled' WHERE id = $1", sub.id)
		return
	}
	sub.periodStart, sub.periodEnd = sub.periodEnd, sub.periodEnd.AddDate(0, 1, 0)
	s.setPrice(sub)
	s.out.update("UPDATE platform.subscriptions SET current_period_start = $2, current_period_end = $3, plan = $4 WHERE id = $1",
		sub.id, sub.periodStart, sub.periodEnd, plans[sub.plan].name)
	s.payPlan(sub)
	s.plan(sub.periodEnd, func() { s.renew(sub) })
}

// changed records a change of a subscription.
func (s *Simulation) changed(sub *subscription, kind, toPlan string, effectiveAt time.Time, invoice string) string {
	id := s.mint.next("sch")
	s.out.insert("subscription_changes", id, sub.account.id, sub.id, kind, plans[sub.plan].name, orNull(toPlan), s.now, effectiveAt, orNull(invoice))
	return id
}

// upgrade takes effect and is charged at once: the difference between the plans.
func (s *Simulation) upgrade(sub *subscription) {
	if sub.plan == len(plans)-1 || sub.canceled {
		return
	}
	next := plans[sub.plan+1]
	p := s.newPurchase(sub.account, "subscription", 0, next.amountMinor[sub.account.currency]-plans[sub.plan].amountMinor[sub.account.currency])
	s.invoice(sub, p, "subscription_update", []stripetest.InvoiceLine{{Amount: p.amountMinor, Description: "Upgrade to " + next.name}})
	s.completed(p)
	s.changed(sub, "upgrade", next.name, s.now, p.invoice)
	s.out.update("UPDATE platform.subscriptions SET plan = $2 WHERE id = $1", sub.id, next.name)
	sub.plan++
	s.setPrice(sub)
}

// setPrice has Stripe bill the present plan from now on.
func (s *Simulation) setPrice(sub *subscription) {
	if s.stripe == nil {
		return
	}
	_, err := s.stripe.UpdateSubscription(sub.stripeID, func(at *stripetest.Subscription) { at.Price = sub.price() })
	s.fail(err)
}

// downgrade takes effect when the paid period ends.
func (s *Simulation) downgrade(sub *subscription) {
	if sub.plan == 0 || sub.canceled {
		return
	}
	s.changed(sub, "downgrade", plans[sub.plan-1].name, sub.periodEnd, "")
	sub.plan-- // renew writes it
}

// cancel leaves access until the paid period ends.
func (s *Simulation) cancel(sub *subscription) {
	s.changed(sub, "cancel", "", sub.periodEnd, "")
	s.out.update("UPDATE platform.subscriptions SET cancel_requested_at = $2, access_ends_at = $3 WHERE id = $1", sub.id, s.now, sub.periodEnd)
	sub.canceled = true
	if s.stripe != nil {
		_, err := s.stripe.CancelSubscription(sub.stripeID, true)
		s.fail(err)
	}
}
