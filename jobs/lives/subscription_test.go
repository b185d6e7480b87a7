package lives_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// subscription is one of a customer's, as both sides have it.
type subscription struct {
	id, stripeID, label string
	status              string
	currency            string
	price, credits      int64
	named               string    // what of Stripe its purchases name: charge or invoice
	start, end          time.Time // the platform's period
	paidThrough         time.Time
	accessEnds          time.Time // zero: not said
	canceled            bool
	unpaid              string // invoice that is open
	givenUp             string // invoice that was marked as uncollectible, which may be paid all the same
	changes             []*planChange
}

// planChange is an upgrade or a downgrade.
type planChange struct {
	id, label, kind string
	at              time.Time
	charged         bool
	held            []statement // its row, which the platform has not written yet
	cycleEnd        time.Time   // of the paid period that it fell into
}

// subscribe has the customer subscribe: "subscribe PRICE CURRENCY CREDITS week|month NAMED".
func (l *life) subscribe(e event, now time.Time) bool {
	credits, err := strconv.ParseInt(e.word(1), 10, 64)
	if err != nil {
		panic(err)
	}
	customer := must(l.w.stripe.CreateCustomer(l.email, nil))
	sub := must(l.w.stripe.CreateSubscription(stripetest.SubscriptionParams{Customer: customer.ID,
		Price: stripetest.Price{Nickname: "studio-" + e.word(2), UnitAmount: e.n, Currency: e.word(0), Interval: e.word(2)}}))
	s := &subscription{id: l.w.id("sub"), stripeID: sub.ID, label: fmt.Sprintf("subscription%d", len(l.subs)+1), status: "active", currency: e.word(0), price: e.n, credits: credits,
		named: e.word(3), start: sub.CurrentPeriodStart, end: sub.CurrentPeriodEnd}
	l.subs = append(l.subs, s)
	l.w.name(l, s.id, s.label)
	l.w.name(l, sub.ID, s.label+" at Stripe")
	l.w.write(`INSERT INTO platform.subscriptions (id, account_id, stripe_subscription_id, plan, status, current_period_start, current_period_end)
		VALUES ($1, $2, $3, 'studio', 'active', $4, $5)`, s.id, l.account, sub.ID, s.start, s.end)
	invoice := must(l.w.stripe.CreateInvoice(stripetest.InvoiceParams{Subscription: sub.ID}))
	l.payFor(s, invoice, s.credits, s.start, s.end, now)
	s.paidThrough = s.end
	return true
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// payFor has an invoice of a subscription paid, and the platform know of it.
func (l *life) payFor(s *subscription, invoice stripetest.Invoice, credits int64, from, through, now time.Time) *purchase {
	c := must(l.w.stripe.PayInvoice(invoice.ID, stripetest.ChargeParams{}))
	p := &purchase{id: l.w.id("pur"), label: fmt.Sprintf("purchase%d", len(l.purchases)+1), amount: c.Amount, credits: credits, currency: s.currency, status: "completed", completedAt: now,
		charge: c.ID, invoice: invoice.ID, sub: s, from: from, through: through}
	l.purchases = append(l.purchases, p)
	l.w.name(l, p.id, p.label)
	l.w.name(l, c.ID, "charge of "+p.label)
	l.w.name(l, invoice.ID, "invoice of "+p.label)
	var byCharge, byInvoice any = c.ID, nil
	if s.named == "invoice" {
		byCharge, byInvoice = nil, invoice.ID
	}
	l.w.write(`INSERT INTO platform.purchases (id, account_id, kind, credits, amount_minor, currency, status, stripe_charge_id, stripe_invoice_id, created_at, completed_at)
		VALUES ($1, $2, 'subscription', $3, $4, $5, 'completed', $6, $7, $8, $8)`, p.id, l.account, p.credits, p.amount, p.currency, byCharge, byInvoice, now)
	if credits > 0 {
		l.post("purchase", credits, p, nil, now)
	}
	return p
}

// store has the platform have the subscription as it is.
func (l *life) store(s *subscription, requested any) {
	var ends any
	if !s.accessEnds.IsZero() {
		ends = s.accessEnds
	}
	l.w.write(`UPDATE platform.subscriptions SET status = $2, current_period_start = $3, current_period_end = $4, access_ends_at = $5, cancel_requested_at = coalesce($6, cancel_requested_at)
		WHERE id = $1`, s.id, s.status, s.start, s.end, ends, requested)
}

// onSubscription has something happen to the customer's subscription.
func (l *life) onSubscription(e event, now time.Time) bool {
	if len(l.subs) == 0 {
		return false
	}
	s := last(l.subs)
	switch e.verb {
	case "renew": // "renew 0 paid|open|open-past_due": the next period begins, paid for or not
		if s.canceled || s.unpaid != "" || now.Before(s.end) || s.status != "active" {
			return false
		}
		sub := must(l.w.stripe.RenewSubscription(s.stripeID))
		s.start, s.end = sub.CurrentPeriodStart, sub.CurrentPeriodEnd
		invoice := must(l.w.stripe.CreateInvoice(stripetest.InvoiceParams{Subscription: s.stripeID}))
		l.w.name(l, invoice.ID, "an invoice of "+s.label)
		if e.word(0) == "paid" {
			l.payFor(s, invoice, s.credits, s.start, s.end, now)
			s.paidThrough = s.end
		} else {
			s.unpaid = invoice.ID
			if _, status, said := strings.Cut(e.word(0), "-"); said {
				s.status = status
			}
		}
		l.store(s, nil)
	case "pay": // what was open, or given up
		if s.givenUp != "" {
			invoice, _ := l.w.stripe.Invoice(s.givenUp)
			l.payFor(s, invoice, s.credits, s.start, s.end, now)
			s.givenUp, s.paidThrough = "", s.end
			return true
		}
		if s.unpaid == "" {
			return false
		}
		invoice, _ := l.w.stripe.Invoice(s.unpaid)
		l.payFor(s, invoice, s.credits, s.start, s.end, now)
		s.unpaid, s.paidThrough = "", s.end
		if !s.canceled {
			s.status = "active"
		}
		l.store(s, nil)
	case "give-up": // nobody will pay it: access ends with what was paid
		if s.unpaid == "" {
			return false
		}
		must(l.w.stripe.CloseInvoice(s.unpaid, e.word(0)))
		if e.word(0) == "uncollectible" {
			s.givenUp = s.unpaid
		}
		s.unpaid, s.status, s.canceled, s.accessEnds = "", "canceled", true, s.paidThrough
		l.store(s, now)
	case "upgrade", "downgrade":
		return l.changePlan(s, e, now)
	case "arrive": // what the platform has not written yet
		arrived := false
		for _, c := range s.changes {
			arrived = l.arrive(s, c) || arrived
		}
		return arrived
	case "cancel": // "cancel 0 end|now|beyond"
		if s.canceled || s.unpaid != "" {
			return false
		}
		s.canceled = true
		switch e.word(0) {
		case "now":
			s.accessEnds, s.status = now, "canceled"
			must(l.w.stripe.CancelSubscription(s.stripeID, false))
		case "beyond":
			s.accessEnds = s.paidThrough.AddDate(0, 0, 3)
			must(l.w.stripe.CancelSubscription(s.stripeID, true))
		default:
			s.accessEnds = s.paidThrough
			must(l.w.stripe.CancelSubscription(s.stripeID, true))
		}
		l.store(s, now)
	case "pause", "resume": // "resume" also of one that is past due, by hand
		status := map[string]string{"pause": "paused", "resume": "active"}[e.verb]
		if s.canceled || s.status == status {
			return false
		}
		s.status = status
		l.store(s, nil)
	case "extend": // staff give three days more
		if !s.canceled {
			return false
		}
		s.accessEnds = s.accessEnds.AddDate(0, 0, 3)
		l.store(s, nil)
	case "sub-refund": // "sub-refund AMOUNT now|pending" of the last charge; 0: all of it
		if len(l.purchases) == 0 || last(l.purchases).sub == nil {
			return false
		}
		p := last(l.purchases)
		amount := min(e.n, p.amount-l.live(p))
		if e.n == 0 {
			amount = p.amount - l.live(p)
		}
		if p.status != "completed" || amount <= 0 {
			return false
		}
		r, err := l.w.stripe.CreateRefund(stripetest.RefundParams{Charge: p.charge, Amount: amount, Pending: e.word(0) == "pending"})
		if err != nil {
			return false
		}
		l.noteRefund(p, r, now)
	}
	return true
}

// changePlan is "upgrade AMOUNT charged|credited|free" at once, or "downgrade 0 end|now". Credited gives back a part of the period. Late: the platform's
// row of it comes with the next "arrive".
func (l *life) changePlan(s *subscription, e event, now time.Time) bool {
	if s.canceled || s.status != "active" || s.unpaid != "" || !now.Before(s.paidThrough.Add(-time.Hour)) || !now.After(s.start.Add(time.Hour)) {
		return false
	}
	c := &planChange{id: l.w.id("chg"), label: fmt.Sprintf("change%d", len(s.changes)+1), kind: e.verb, at: now, cycleEnd: s.paidThrough}
	var invoice any
	if e.verb == "upgrade" && e.word(0) != "free" {
		lines := []stripetest.InvoiceLine{{Amount: e.n + 2000, Description: "Remaining time", Proration: true, PeriodStart: now, PeriodEnd: s.end}}
		if e.word(0) == "credited" {
			lines = append(lines, stripetest.InvoiceLine{Amount: -700, Description: "Unused time", Proration: true, PeriodStart: now, PeriodEnd: s.end})
		}
		i := must(l.w.stripe.CreateInvoice(stripetest.InvoiceParams{Subscription: s.stripeID, BillingReason: "subscription_update", Lines: lines}))
		p := l.payFor(s, i, 0, now, s.end, now)
		p.prorated = e.word(0) == "credited"
		c.charged, invoice = true, i.ID
	}
	if e.word(0) == "end" {
		c.at = s.end
	}
	s.changes = append(s.changes, c)
	c.held = []statement{{`INSERT INTO platform.subscription_changes (id, account_id, subscription_id, kind, from_plan, to_plan, requested_at, effective_at, stripe_invoice_id)
		VALUES ($1, $2, $3, $4, 'studio', 'lab', $5, $6, $7)`, []any{c.id, l.account, s.id, c.kind, now, c.at, invoice}}}
	if e.word(1) != "late" {
		l.arrive(s, c)
	}
	return true
}

// arrive has the platform write the row of a change of plan.
func (l *life) arrive(s *subscription, c *planChange) bool {
	if c.held == nil {
		return false
	}
	now := l.w.clock()
	l.rewritten = l.rewritten || l.w.nightOf(c.at) < l.w.nightOf(now) // the night that it took effect in has a row more
	l.w.name(l, c.id, s.label+c.label)
	l.w.pending = append(l.w.pending, c.held...)
	c.held = nil
	return true
}

// judgeSubscription holds access and changes of plan against what was paid for (clause 4): what was paid for is there until its end and not after it; an
// upgrade is charged at once, a downgrade waits for the cycle's end.
func (l *life) judgeSubscription(v *verdict, s *subscription, asOf time.Time) {
	const same = time.Minute // clocks may differ
	switch {
	case !s.accessEnds.IsZero() && s.accessEnds.Before(s.paidThrough.Add(-same)):
		v.must(breakLine("access_ended_early", s.label, "*", "*"))
	case !s.accessEnds.IsZero() && s.accessEnds.After(s.paidThrough.Add(same)):
		v.must(breakLine("access_outlasts_period", s.label, "*", "*"))
	case s.accessEnds.IsZero() && s.status == "active":
		line := breakLine("access_outlasts_period", s.label, "*", "*")
		if waited := asOf.Sub(s.paidThrough); waited >= counterpart {
			v.must(line)
		} else if waited > 0 {
			v.allow(line)
		}
	}
	for _, c := range s.changes {
		switch {
		case !c.at.Before(asOf), c.held != nil:
		case c.kind == "upgrade" && !c.charged:
			if line := breakLine("upgrade_not_charged", s.label+c.label, "*", "*"); asOf.Sub(c.at) >= counterpart {
				v.must(line)
			}
		case c.kind == "downgrade" && c.at.Before(c.cycleEnd.Add(-same)):
			v.must(breakLine("downgrade_early", s.label+c.label, "*", "*"))
		}
	}
	for _, p := range l.purchases {
		if p.sub == s && p.prorated {
			v.must(breakLine("subscription_prorated", "invoice of "+p.label, "700", p.currency))
		}
	}
}

// judgeRefundsOfSubscription: none is allowed, whoever makes it (clause 4.1).
func (l *life) judgeRefundsOfSubscription(v *verdict, p *purchase, asOf time.Time) {
	for _, r := range p.refunds {
		if r.isOff() {
			v.allow(breakLine("refund_failed", r.label, number(r.amount), p.currency))
			continue
		}
		v.must(breakLine("subscription_refunded", r.label, number(-r.amount), p.currency))
		if line := breakLine("refund_stuck", r.label, "*", "*"); r.status == "pending" && asOf.Sub(r.at) > pendingLimit {
			v.must(line)
		} else if r.status == "pending" && asOf.Sub(r.at) == pendingLimit {
			v.allow(line)
		}
	}
	if out := l.out(p); out > 0 && len(p.refunds) == 0 {
		line := breakLine("refund_missing_at_stripe", p.label, number(out), "credits")
		if len(p.disputes) == 0 && asOf.Sub(l.takenAt(p)) >= counterpart {
			v.must(line)
		} else {
			v.allow(line)
		}
	}
}

// adviseSubscription restores or ends access as it was paid for, and charges an upgrade.
func (l *life) adviseSubscription(kind, subject string, now time.Time) bool {
	for _, s := range l.subs {
		if kind != "upgrade_not_charged" && s.label == subject {
			s.accessEnds, s.canceled = s.paidThrough, true
			l.store(s, now)
			return true
		}
		for _, c := range s.changes {
			if s.label+c.label != subject || c.charged || c.held != nil {
				continue
			}
			i := must(l.w.stripe.CreateInvoice(stripetest.InvoiceParams{Subscription: s.stripeID, BillingReason: "subscription_update",
				Lines: []stripetest.InvoiceLine{{Amount: 1300, Description: "Remaining time", Proration: true, PeriodStart: c.at, PeriodEnd: c.cycleEnd}}}))
			l.payFor(s, i, 0, c.at, c.cycleEnd, now)
			c.charged = true
			l.w.write("UPDATE platform.subscription_changes SET stripe_invoice_id = $2 WHERE id = $1", c.id, i.ID)
			return true
		}
	}
	return false
}

// deferred is what is still to be earned of subscriptions without credits when the last night has ended, by currency: by the day, the first counting
// whole and the last not at all; of what was refunded in part, or is in another currency than it was paid in, at least and at most.
func (w *world) deferred() (least, most map[string]int64) {
	least, most = map[string]int64{}, map[string]int64{}
	day := firstNight.AddDays(w.nights - 1)
	for _, l := range w.lives {
		for _, p := range l.purchases {
			if p.sub == nil || p.credits > 0 {
				continue
			}
			first := reconcile.DateOf(p.from.In(w.zone))
			days := max(1, reconcile.DateOf(p.through.In(w.zone)).DaysSince(first))
			passed := int64(min(max(day.DaysSince(first)+1, 0), days))
			rest := p.amount - p.amount*passed/int64(days)
			switch {
			case len(p.misstated) > 0:
				for _, s := range p.misstated {
					most[s.currency] += s.amount
				}
				most[p.currency] += p.amount
			case p.prorated: // two lines, each rounded by itself
				least[p.currency] += max(0, rest-1)
				most[p.currency] += rest + 1
			case len(p.refunds) > 0:
				most[p.currency] += rest
			default:
				least[p.currency] += rest
				most[p.currency] += rest
			}
		}
	}
	return least, most
}
