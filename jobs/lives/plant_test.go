package lives_test

import (
	"fmt"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// plant makes a mistake that no side should make: "plant N WHAT".
func (l *life) plant(e event, now time.Time) bool {
	var p *purchase
	if len(l.purchases) > 0 {
		p = last(l.purchases)
	}
	switch what := e.word(0); what {
	case "no-grant", "two-grants", "long-grant", "short-grant": // of the purchase to come
		l.planted = what
		return true
	case "misstated": // the platform has another amount than was charged
		if p == nil || p.isForeign() || p.status != "completed" || p.charge == "" || p.amount+e.n <= 0 {
			return false
		}
		p.amount += e.n
		l.rewritten = true
		if l.w.nightOf(p.completedAt) < l.w.nightOf(now) {
			p.corrected += e.n
		}
		l.w.write("UPDATE platform.purchases SET amount_minor = $2 WHERE id = $1", p.id, p.amount)
		return true
	case "other-currency": // the platform has so much of another currency than was charged
		if p == nil || p.status != "completed" || p.charge == "" || e.word(1) == p.currency || l.w.nightOf(now)-l.w.nightOf(p.completedAt) > 2 {
			return false
		}
		p.stated, p.statedAt = stated{e.n, e.word(1)}, l.w.nightOf(now)
		p.misstated = append(p.misstated, p.stated)
		l.rewritten = true
		l.w.write("UPDATE platform.purchases SET amount_minor = $2, currency = $3 WHERE id = $1", p.id, e.n, e.word(1))
		return true
	case "charged-twice":
		if p == nil || p.status != "completed" || p.charge == "" {
			return false
		}
		amount := e.n
		if amount == 0 { // all of it
			amount = max(100, p.amount)
		}
		return l.chargeMore(p, amount, p.currency, now)
	case "stray-charge":
		return l.chargeMore(nil, e.n, "usd", now)
	case "unpaid": // a purchase that nobody has paid
		p := &purchase{id: l.w.id("pur"), label: fmt.Sprintf("purchase%d", len(l.purchases)+1), amount: e.n, credits: e.n/3 + 1, currency: "usd", status: "completed", completedAt: now, outOfBand: true}
		l.purchases = append(l.purchases, p)
		l.w.name(l, p.id, p.label)
		l.w.write(`INSERT INTO platform.purchases (id, account_id, kind, credits, amount_minor, currency, status, created_at, completed_at)
			VALUES ($1, $2, 'credits', $3, $4, $5, 'completed', $6, $6)`, p.id, l.account, p.credits, p.amount, p.currency, now)
		l.post("purchase", p.credits, p, nil, now)
		return true
	case "failed": // the platform says so of a purchase whose money has come
		if p == nil || p.status != "completed" || p.charge == "" {
			return false
		}
		l.fail(p)
		l.post("adjustment", -p.credits, p, nil, now)
		return true
	case "debit-of-nothing":
		if l.balance() < e.n {
			return false
		}
		j := &job{id: l.w.id("job"), label: fmt.Sprintf("job%d", len(l.jobs)+1), cost: 0, status: "none", finished: now}
		l.jobs = append(l.jobs, j)
		l.w.name(l, j.id, j.label)
		l.post("usage", -e.n, nil, j, now)
		return true
	case "stuck":
		j := &job{id: l.w.id("job"), label: fmt.Sprintf("job%d", len(l.jobs)+1), cost: e.n, status: "running", finished: now}
		l.jobs = append(l.jobs, j)
		l.w.name(l, j.id, j.label)
		l.w.write(`INSERT INTO platform.jobs (id, account_id, kind, model, status, credit_cost, created_at) VALUES ($1, $2, 'image', 'flux', 'running', $3, $4)`, j.id, l.account, e.n, now)
		return true
	}
	panic("plant what? " + e.word(0))
}

// chargeMore charges the customer once more, for a purchase that is paid or for none.
func (l *life) chargeMore(p *purchase, amount int64, currency string, now time.Time) bool {
	params := stripetest.ChargeParams{Amount: amount, Currency: currency, Email: l.email}
	if p != nil {
		params.Metadata = map[string]string{"purchase_id": p.id}
	}
	c, err := l.w.stripe.CreateCharge(params)
	if err != nil {
		panic(err)
	}
	x := &extra{id: c.ID, label: fmt.Sprintf("extra%d", len(l.extras)+1), purchase: p, amount: amount, currency: currency, at: now}
	l.extras = append(l.extras, x)
	l.w.name(l, x.id, x.label)
	return true
}

func (l *life) judgeExtra(v *verdict, x *extra, asOf time.Time) {
	if x.refunded {
		return
	}
	kind, late := "duplicate_charge", true
	if x.purchase == nil {
		kind, late = "charge_missing_in_platform", asOf.Sub(x.at) >= counterpart
	}
	if line := breakLine(kind, x.label, number(-x.amount), x.currency); late {
		v.must(line)
	}
}

// judgeGrants holds a purchase against what was granted for it.
func (l *life) judgeGrants(v *verdict, p *purchase) {
	var grants, net int64
	for _, e := range l.entries {
		if e.purchase == p && (e.kind == "purchase" || e.kind == "adjustment") {
			net += e.credits
			if e.kind == "purchase" {
				grants++
			}
		}
	}
	one := func(kind string, variance int64) { v.must(breakLine(kind, p.label, number(variance), "credits")) }
	switch {
	case p.status == "failed" && l.granted(p) != 0:
		one("grant_without_purchase", -l.granted(p))
	case p.status != "completed", net == p.credits, p.outOfBand && net == 0:
	case grants == 0:
		one("purchase_without_grant", p.credits)
	case grants > 1 && net == grants*p.credits:
		one("duplicate_grant", p.credits-net)
	default:
		one("grant_amount_mismatch", p.credits-net)
	}
}
