package simulation

import (
	"math/rand/v2"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
)

// request is a customer's request for a refund, as the platform stores it. What a customer leaves out is empty or nil.
type request struct {
	account       *account
	kind          string
	email         string
	purchase, job string
	invoice       string
	date          reconcile.Date
	amountMinor   int64
	currency      string
	reason        string
	// refund is paid back by staff once the request is settled as approved, where there is Stripe.
	refund *purchase
}

// ask files a request that the platform's staff settles as told after a while; 0: never. decision is what the worker must say of it on
// the same night.
func (s *Simulation) ask(q request, decision reconcile.Decision, settleAs string, after time.Duration) string {
	s.totals.Requests++
	id := s.mint.next("req")
	accountID := ""
	if q.account != nil {
		accountID = q.account.id
		setDefault(&q.email, q.account.email)
	}
	var date, amount any
	if !q.date.IsZero() {
		date = q.date.String()
	}
	if q.amountMinor != 0 {
		amount = q.amountMinor
	}
	s.out.insert("refund_requests", id, orNull(accountID), q.kind, q.email, orNull(q.purchase), orNull(q.job), orNull(q.invoice), date, amount,
		orNull(q.currency), q.reason, "pending", s.now, nil)
	if decision == reconcile.DecisionApprove && q.kind == "unused_credits" && s.stripe == nil {
		decision = reconcile.DecisionWaiting // for Stripe's fee
	}
	if after == 0 || !s.now.Add(after).Before(s.nights[0].Begin) { // else it was settled before the worker's first night
		s.decisions = append(s.decisions, Decision{RequestID: id, Night: s.nightOf(s.now), Decision: decision})
	}
	if after > 0 {
		s.plan(s.now.Add(after), func() {
			s.out.update("UPDATE platform.refund_requests SET status = $2, decided_at = $3 WHERE id = $1", id, settleAs, s.now)
			if q.refund != nil && settleAs == "approved" && s.stripe != nil {
				s.refund(q.refund)
			}
		})
	}
	return id
}

// settled is how long staff takes: well before a review is overdue, whatever weekend is in between.
const settled = 75 * time.Hour

// stated is what a customer knows of a purchase without its ids.
func (s *Simulation) stated(p *purchase) request {
	return request{account: p.account, kind: "unused_credits", date: reconcile.DateOf(p.completedAt.In(s.options.Zone)),
		amountMinor: p.amountMinor, currency: p.currency, reason: "I don't need the credits", refund: p}
}

// requestCases are the stories of refund requests: every outcome, with and without ids, in time and late. Each plays on an account of its
// own that does nothing else, and is told the instant at which the request is made.
var requestCases = []func(s *Simulation, r *rand.Rand, at time.Time){
	func(s *Simulation, r *rand.Rand, at time.Time) { // unused, in time, with the purchase's id
		s.withPurchase(r, at.Add(-spell(r, time.Hour, 6*24*time.Hour)), func(p *purchase) {
			s.plan(at, func() {
				s.ask(request{account: p.account, kind: "unused_credits", purchase: p.id, reason: "Bought the wrong pack", refund: p}, reconcile.DecisionApprove, "approved", settled)
			})
		})
	},
	func(s *Simulation, r *rand.Rand, at time.Time) { // the same by date, amount and currency only
		s.withPurchase(r, at.Add(-spell(r, time.Hour, 6*24*time.Hour)), func(p *purchase) {
			s.plan(at, func() { s.ask(s.stated(p), reconcile.DecisionApprove, "approved", settled) })
		})
	},
	func(s *Simulation, r *rand.Rand, at time.Time) { // some credits were used
		s.withPurchase(r, at.Add(-50*time.Hour), func(p *purchase) {
			s.plan(at.Add(-20*time.Hour), func() { s.runJob(r, p.account, welcomeCredits+40, "succeeded", "") })
			s.plan(at, func() {
				s.ask(request{account: p.account, kind: "unused_credits", purchase: p.id, reason: "Results are not what I hoped for"}, reconcile.DecisionDeny, "denied", settled)
			})
		})
	},
	func(s *Simulation, r *rand.Rand, at time.Time) { // a day late
		s.withPurchase(r, at.Add(-8*24*time.Hour), func(p *purchase) {
			s.plan(at, func() {
				s.ask(request{account: p.account, kind: "unused_credits", purchase: p.id, reason: "Forgot about it"}, reconcile.DecisionDeny, "denied", settled)
			})
		})
	},
	func(s *Simulation, r *rand.Rand, at time.Time) { // a job of ours failed
		s.withPurchase(r, at.Add(-30*time.Hour), func(p *purchase) {
			s.plan(at.Add(-time.Hour), func() {
				j := s.runJob(r, p.account, between(r, 30, 300), "failed", pick(r, systemCodes))
				s.plan(at, func() {
					s.ask(request{account: p.account, kind: "failed_job", job: j.id, reason: "The job crashed"}, reconcile.DecisionApprove, "approved", settled)
				})
			})
		})
	},
	func(s *Simulation, r *rand.Rand, at time.Time) { // the customer's data was the reason
		s.withPurchase(r, at.Add(-30*time.Hour), func(p *purchase) {
			s.plan(at.Add(-time.Hour), func() {
				j := s.runJob(r, p.account, between(r, 30, 300), "failed", pick(r, userCodes))
				s.plan(at, func() {
					s.ask(request{account: p.account, kind: "failed_job", job: j.id, reason: "The job did not run"}, reconcile.DecisionDeny, "denied", settled)
				})
			})
		})
	},
	func(s *Simulation, r *rand.Rand, at time.Time) { // nothing fits what the customer says
		s.withPurchase(r, at.Add(-2*24*time.Hour), func(p *purchase) {
			s.plan(at, func() {
				q := s.stated(p)
				q.amountMinor += 100
				s.ask(q, reconcile.DecisionNeedsInformation, "withdrawn", settled)
			})
		})
	},
	func(s *Simulation, r *rand.Rand, at time.Time) { // two purchases fit
		s.withPurchase(r, at.Add(-26*time.Hour), func(p *purchase) {
			second := s.buyAgain(p)
			s.plan(at, func() { s.ask(s.stated(second), reconcile.DecisionNeedsInformation, "withdrawn", settled) })
		})
	},
	func(s *Simulation, r *rand.Rand, at time.Time) { // at the very last instant
		s.withPurchase(r, at.Add(-7*24*time.Hour), func(p *purchase) {
			s.plan(p.completedAt.Add(7*24*time.Hour), func() { s.ask(s.stated(p), reconcile.DecisionApprove, "approved", settled) })
		})
	},
	func(s *Simulation, r *rand.Rand, at time.Time) { // a subscription, by its invoice
		s.plan(at.Add(-3*24*time.Hour), func() {
			sub := s.newSubscription(s.newAccount(r), 0)
			p := sub.lastPayment
			s.plan(at, func() {
				s.ask(request{account: sub.account, kind: "unused_credits", invoice: p.invoice, reason: "Did not use it this month"}, reconcile.DecisionDeny, "denied", settled)
			})
		})
	},
	func(s *Simulation, r *rand.Rand, at time.Time) { // withdrawn within the hour
		s.withPurchase(r, at.Add(-4*24*time.Hour), func(p *purchase) {
			s.plan(at, func() {
				s.ask(request{account: p.account, kind: "unused_credits", purchase: p.id, reason: "Changed my mind"}, reconcile.DecisionDeny, "withdrawn", 20*time.Minute)
			})
		})
	},
	func(s *Simulation, r *rand.Rand, at time.Time) { // no job named
		s.plan(at, func() {
			s.ask(request{account: s.newAccount(r), kind: "failed_job", reason: "It failed"}, reconcile.DecisionNeedsInformation, "withdrawn", settled)
		})
	},
	func(s *Simulation, r *rand.Rand, at time.Time) { // the job is running still
		s.withPurchase(r, at.Add(-5*24*time.Hour), func(p *purchase) {
			s.plan(at.Add(-time.Hour), func() {
				j := &job{account: p.account, kind: "fine_tune", model: "Wan2.2", cost: between(r, 200, 700), status: "failed", failureCode: "NODE_FAIL", debitedAtStart: true}
				s.start(j, at.Add(spell(r, 26*time.Hour, 30*time.Hour)))
				s.plan(at, func() {
					s.ask(request{account: p.account, kind: "failed_job", job: j.id, reason: "It hangs"}, reconcile.DecisionWaiting, "approved", settled)
				})
			})
		})
	},
	func(s *Simulation, r *rand.Rand, at time.Time) { // a failure of ours in between doesn't spoil the refund
		s.withPurchase(r, at.Add(-5*24*time.Hour), func(p *purchase) {
			if failedAt := at.Add(-24 * time.Hour); !failedAt.Before(s.nights[0].Begin) { // before that, nobody credited it back
				s.plan(failedAt, func() { s.runJob(r, p.account, welcomeCredits+100, "failed", "GPU_XID_79") })
			}
			s.plan(at, func() {
				s.ask(request{account: p.account, kind: "unused_credits", purchase: p.id, reason: "Too unreliable", refund: p}, reconcile.DecisionApprove, "approved", settled)
			})
		})
	},
	func(s *Simulation, r *rand.Rand, at time.Time) { // asked before Stripe has said what its fee was
		s.plan(s.endOfNight(at).Add(-3*time.Hour), func() {
			p := s.unpaid(r)
			s.chargeSlowly(p)
			s.completed(p)
			s.plan(s.now.Add(20*time.Minute), func() {
				s.ask(request{account: p.account, kind: "unused_credits", purchase: p.id, reason: "Wrong account", refund: p}, reconcile.DecisionWaiting, "approved", settled)
			})
		})
	},
	func(s *Simulation, r *rand.Rand, at time.Time) { // asked in time, then used the credits the same day
		s.withPurchase(r, at.Add(-24*time.Hour), func(p *purchase) {
			s.plan(at, func() { s.ask(s.stated(p), reconcile.DecisionDeny, "denied", settled) })
			s.plan(at.Add(10*time.Minute), func() { s.runJob(r, p.account, welcomeCredits+60, "succeeded", "") })
		})
	},
}

// withPurchase makes a new customer who buys a pack at an instant and does nothing else; then tells the story on.
func (s *Simulation) withPurchase(r *rand.Rand, at time.Time, then func(p *purchase)) {
	s.plan(at, func() { then(s.buy(s.newAccount(r), pick(r, packs[:4]))) })
}

// buyAgain repeats a purchase on the same account.
func (s *Simulation) buyAgain(p *purchase) *purchase {
	for _, choice := range packs {
		if choice.credits == p.credits {
			return s.buy(p.account, choice)
		}
	}
	return s.buy(p.account, packs[0])
}

// runJob runs a short job of an account that can pay for it: it ends within a minute, within the same night.
func (s *Simulation) runJob(r *rand.Rand, a *account, cost int64, status, code string) *job {
	j := &job{account: a, kind: "image", model: pick(r, []string{"Flux.1-dev", "Qwen Image"}), cost: cost, status: status, failureCode: code}
	s.start(j, minTime(s.now.Add(spell(r, 3*time.Second, 50*time.Second)), s.endOfNight(s.now)))
	return j
}

// endOfNight is the last millisecond of the business date of an instant.
func (s *Simulation) endOfNight(t time.Time) time.Time {
	return reconcile.NightOf(reconcile.DateOf(t.In(s.options.Zone)), s.options.Zone).End.Add(-time.Millisecond)
}

// planRequests spreads the cases over the nights: each at least once, and one to three a night.
func (s *Simulation) planRequests() {
	r := s.random("requests")
	next := 0
	for i, night := range s.nights {
		count := max(1+r.IntN(3), (len(requestCases)-next)/(len(s.nights)-i))
		for range count {
			requestCases[next%len(requestCases)](s, r, night.Begin.Add(spell(r, 8*time.Hour, 21*time.Hour)))
			next++
		}
	}
}
