package lives_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// advise follows the advice of every break that is open in the life, as the reports give it.
func (l *life) advise(now time.Time) bool {
	l.w.readTransactions()
	followed := false
	v := l.judge(l.w.nightOf(now), now)
	for _, lines := range v.either {
		v.want = append(v.want, lines[0])
	}
	for _, line := range v.want {
		if fields := strings.Fields(line); fields[0] == "break" && l.follow(line, fields[1], fields[2], fields[3], now) {
			followed = true
			if !l.settled[line] {
				l.followed = append(l.followed, line)
				l.w.count.advised++
			}
		}
	}
	return followed
}

// holdAdvice holds what a night has found of a life against the advice that was followed before it: that clears what it was given for, and by
// itself opens nothing.
func (l *life) holdAdvice(n int, got []string) {
	breaks := slices.DeleteFunc(slices.Clone(got), func(line string) bool { return !strings.HasPrefix(line, "break ") })
	for _, line := range l.followed {
		if len(without([]string{line}, breaks)) == 0 {
			l.w.fails(l, n, "advice was followed, and there is still: %s", line)
		}
	}
	if len(l.followed) > 0 && l.w.night(n).End.Sub(l.stirred) > 24*time.Hour+stuckAfter {
		for _, line := range without(breaks, l.breaks) {
			of := strings.Fields(line)
			after := func(kind, subject string) bool {
				return len(without([]string{breakLine(kind, subject, "*", "*")}, l.followed)) == 0
			}
			switch {
			case of[1] == "refund_amount_mismatch" && after("charge_currency_mismatch", "*"): // until then nobody could say what was due
				continue
			case after("failure_unclassified", of[2]): // the class says what the job was to be debited
				continue
			case of[1] == "refund_unpaid", of[1] == "review_overdue", of[1] == "refund_stuck": // come with time alone
				continue
			}
			l.w.fails(l, n, "advice opened: %s, having been followed for %q", line, l.followed)
		}
	}
	l.followed, l.breaks = nil, breaks
}

func (l *life) follow(line, kind, subject, varianceText string, now time.Time) bool {
	variance, _ := strconv.ParseInt(varianceText, 10, 64) // 0 where there is none
	var j *job
	for _, other := range l.jobs {
		if other.label == subject {
			j = other
		}
	}
	var p *purchase
	for _, other := range l.purchases {
		if other.label == subject {
			p = other
		}
	}
	switch kind {
	case "job_without_debit":
		if l.balance() < variance {
			return false
		}
		l.post("usage", -variance, nil, j, now)
	case "duplicate_debit", "debit_amount_mismatch", "credit_back_unfounded", "credit_back_exceeds_debit":
		// What was debited too much comes back, and what came back too much goes, as an adjustment that names the job.
		if strings.HasPrefix(kind, "credit_back") {
			variance = -variance
		}
		if l.balance()-variance < 0 {
			return false
		}
		l.post("adjustment", -variance, nil, j, now)
	case "failure_unclassified":
		l.rewritten = true
		j.code = "invalid_input"
		l.w.write("UPDATE platform.jobs SET failure_code = $2 WHERE id = $1", j.id, j.code)
	case "dispute_account_active":
		l.suspended = true
		l.w.write("UPDATE platform.accounts SET status = 'suspended' WHERE id = $1", l.account)
	case "charge_currency_mismatch":
		if l.number%2 == 1 {
			return l.close(line, now) // it is what was paid all the same
		}
		l.rewritten = true
		p.stated = stated{}
		p.amount = l.chargeOf(p).AmountCaptured - l.surplus(p) + p.fromBalance
		l.w.write("UPDATE platform.purchases SET amount_minor = $2, currency = $3 WHERE id = $1", p.id, p.amount, p.currency)
	case "upgrade_not_charged", "access_ended_early", "access_outlasts_period":
		return l.adviseSubscription(kind, subject, now)
	case "refund_missing_at_stripe":
		if p.sub != nil { // no refund was due
			l.post("refund_reversal", l.out(p), p, nil, now)
			return true
		}
		amount, known := l.due(p)
		if !known || amount <= 0 {
			return false
		}
		if l.against(p, now) != "" { // not to be refunded: the credits go back
			l.post("refund_reversal", l.out(p), p, nil, now)
			return true
		}
		r, err := l.w.stripe.CreateRefund(stripetest.RefundParams{Charge: p.charge, Amount: amount})
		if err != nil {
			return false
		}
		l.noteRefund(p, r, now)
	case "refund_missing_in_ledger":
		taken := false
		for _, p := range l.purchases {
			if l.live(p) > 0 && l.out(p) == 0 && l.balance() >= p.credits {
				l.post("refund", -p.credits, p, nil, now)
				taken = true
			}
		}
		return taken
	case "refund_failed":
		for _, r := range l.refunds {
			if r.label == subject && l.out(r.purchase) > 0 {
				l.post("refund_reversal", l.out(r.purchase), r.purchase, nil, now)
				return true
			}
		}
		return false
	case "charge_status_mismatch":
		if p.status == "pending" {
			l.complete(p, now)
			return true
		}
		if p.status == "failed" { // its money is here, so that it is a purchase after all
			l.rewritten = true
			p.status = "completed"
			l.w.write("UPDATE platform.purchases SET status = 'completed' WHERE id = $1", p.id)
			l.post("adjustment", p.credits, p, nil, now)
			return true
		}
		if l.out(p) == 0 && l.balance() < p.credits {
			return false
		}
		l.fail(p)
		if l.out(p) == 0 {
			l.post("adjustment", -p.credits, p, nil, now)
		}
	case "negative_balance": // billed elsewhere
		l.post("adjustment", -variance, nil, nil, now)
	case "debit_without_job":
		l.post("adjustment", -variance, nil, j, now)
	case "job_stuck":
		j.status, j.finished, j.cost = "canceled", now, 0
		l.w.write("UPDATE platform.jobs SET status = 'canceled', finished_at = $2, credit_cost = 0 WHERE id = $1", j.id, now)
	case "purchase_without_grant":
		l.post("purchase", variance, p, nil, now)
	case "grant_amount_mismatch", "duplicate_grant":
		if l.balance()+variance < 0 {
			return false
		}
		l.post("adjustment", variance, p, nil, now)
	case "purchase_missing_at_stripe": // there is no payment to be found
		if p.invoice != "" {
			return l.close(line, now) // it was paid elsewhere
		}
		if l.balance() < p.credits {
			return false
		}
		l.fail(p)
		l.post("adjustment", -p.credits, p, nil, now)
	case "charge_amount_mismatch":
		if variance < 0 && l.number%2 == 0 { // too much was charged: it goes back
			r, err := l.w.stripe.CreateRefund(stripetest.RefundParams{Charge: p.charge, Amount: -variance})
			if err != nil {
				return false
			}
			l.noteRefund(p, r, now).surplus = true
			return true
		}
		l.rewritten = true
		p.amount -= variance
		p.corrected -= variance
		l.w.write("UPDATE platform.purchases SET amount_minor = $2 WHERE id = $1", p.id, p.amount)
	case "disputed_and_refunded":
		return l.proveRefund(line, subject, -variance, now)
	case "duplicate_charge", "charge_missing_in_platform":
		for _, x := range l.extras {
			if x.label != subject {
				continue
			}
			r, err := l.w.stripe.CreateRefund(stripetest.RefundParams{Charge: x.id})
			if err != nil {
				return false
			}
			x.refunded = true
			l.w.name(l, r.ID, "refund of "+x.label)
		}
	default: // for a person to look into, and to close
		return l.close(line, now)
	}
	return true
}

// proveRefund submits a refund as evidence against the dispute of its charge: the customer's bank returns what went back twice, at the day's rate.
func (l *life) proveRefund(line, subject string, twice int64, now time.Time) bool {
	for _, d := range l.disputes {
		if strings.TrimPrefix(subject, "charge_of_") != d.purchase.label || d.status == "won" {
			continue
		}
		withdrawn, returned, _ := l.gone(d)
		back := (withdrawn*twice + d.amount - 1) / d.amount
		if l.isConverted(d.purchase) {
			back = back * 98 / 100
		}
		if twice <= 0 || back <= 0 || back >= withdrawn-returned {
			continue
		}
		if isOpenChargeback(d) {
			if _, err := l.w.stripe.LoseDispute(d.id); err != nil {
				return false
			}
		}
		after, err := l.w.stripe.ReturnDispute(d.id, stripetest.DisputeReturn{Amount: back, Status: "lost"})
		if err != nil {
			return false
		}
		d.status, d.moved = after.Status, now
		return true
	}
	return l.close(line, now)
}

// close has a person close a break that was reported.
func (l *life) close(line string, now time.Time) bool {
	id := l.reported[line]
	if id == "" || l.settled[line] {
		return false
	}
	if !l.w.resolve(l, id, reconcile.ResolvedAccepted) {
		return false // what it is about has changed since the last night
	}
	l.settled[line] = true
	return true
}

// resolve has a person resolve a break; false when it isn't open any more.
func (w *world) resolve(l *life, id, resolution string) bool {
	err := jobs.ResolveBreaks(w.t.Context(), w.worker.Store, w.clock(), []jobs.Resolution{{BreakID: id, Resolution: resolution, Reason: "looked into", Actor: "Dana"}})
	if err != nil && !errors.Is(err, jobs.ErrNotOpen) {
		w.fails(l, w.nightOf(w.clock()), "resolving %s: %v", id, err)
	}
	return err == nil
}

// resolveAll has people resolve whatever is still open: what could not be put right, and what they have put right elsewhere.
func (w *world) resolveAll() {
	for i, b := range w.open {
		if w.resolve(b.life, b.id, []string{reconcile.ResolvedAccepted, reconcile.ResolvedWrittenOff, reconcile.ResolvedCorrected}[i%3]) {
			b.life.settled[b.line] = true
		}
	}
}

// isSettled says whether a person has closed a break, by its line.
func (l *life) isSettled(line string) bool {
	for settled := range l.settled {
		if fits(settled, line) {
			return true
		}
	}
	return false
}
