package lives_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
)

// verdict is what a night has to report of a life, line by line, and what it may report where the policy leaves it open.
type verdict struct {
	want, may []string
	either    [][]string // of each exactly one
}

func (v *verdict) must(line string)      { v.want = append(v.want, line) }
func (v *verdict) allow(line string)     { v.may = append(v.may, line) }
func (v *verdict) oneOf(lines ...string) { v.either = append(v.either, lines) }

// filled keeps a line in columns where a value is empty.
func filled(values ...string) string {
	for i, value := range values {
		if value == "" {
			values[i] = "-"
		}
		values[i] = strings.ReplaceAll(values[i], " ", "_")
	}
	return strings.Join(values, " ")
}

func breakLine(kind, subject, variance, unit string) string {
	switch kind { // the refunds of a purchase are wrong together, so that any of them may be the one to look at
	case "refund_amount_mismatch", "refund_missing_in_ledger":
		subject = "a_refund"
	}
	return filled("break", kind, subject, variance, unit)
}

func decisionLine(request, decision, amount, currency string) string {
	return filled("decision", request, decision, amount, currency)
}

func noticeLine(request, outcome, amount string) string {
	return filled("notice", request, outcome, amount)
}

func creditBackLine(job, decision, credits string) string {
	return filled("credit-back", job, decision, credits)
}

func windowLine(purchase, state, used, refundable string) string {
	if state != "open" && state != "requested" {
		refundable = "*"
	}
	return filled("window", purchase, state, used, refundable)
}

func disputeLine(dispute, status, withdrawn, returned, fees, clawback, tie string) string {
	return filled("dispute", dispute, status, withdrawn, returned, fees, clawback, tie)
}

func number(n int64) string { return fmt.Sprint(n) }

// What the policy says in numbers.
const (
	window       = 7 * 24 * time.Hour  // clause 2.1: to the second, and the second itself is in time
	counterpart  = 24 * time.Hour      // until then the other side may still come
	pendingLimit = 10 * 24 * time.Hour // a refund that is still on its way then is a break
	stuckAfter   = 48 * time.Hour      // for which a job may be queued or running
	reviewDays   = 7                   // business days: until a decision, and from it until the money has left
)

// judge says what night n, which ends at asOf, has to report. It is asked at that instant: what has happened is what the night may see.
func (l *life) judge(n int, asOf time.Time) verdict {
	v := verdict{}
	if l.account == "" {
		return v
	}
	for _, p := range l.purchases {
		l.judgePurchase(&v, p, n, asOf)
	}
	for _, d := range l.disputes {
		l.judgeDispute(&v, d, n)
	}
	for _, j := range l.jobs {
		l.judgeJob(&v, j, n, asOf)
	}
	for _, s := range l.subs {
		l.judgeSubscription(&v, s, asOf)
	}
	for _, p := range l.purchases {
		if p.sub == nil { // a subscription has no window
			l.judgeWindow(&v, p, n, asOf)
		}
	}
	for _, r := range l.requests {
		l.judgeRequest(&v, r, n, asOf)
	}
	for _, x := range l.extras {
		l.judgeExtra(&v, x, asOf)
	}
	if balance := l.balance(); balance < 0 {
		v.must(breakLine("negative_balance", "account", number(balance), "credits"))
	}
	for i, e := range l.entries { // an entry of a night that has been reported is booked in this one
		if written := l.w.nightOf(e.written); written == n && l.w.nightOf(e.at) < n && !e.ours {
			v.must(breakLine("late_item", fmt.Sprintf("entry%d", i+1), "*", "*"))
		}
	}
	v.want = slices.DeleteFunc(v.want, func(line string) bool {
		closed := l.isSettled(line)
		if closed {
			v.allow(line)
		}
		return closed
	})
	v.either = slices.DeleteFunc(v.either, func(lines []string) bool {
		closed := slices.ContainsFunc(lines, func(line string) bool { return l.settled[line] })
		if closed {
			v.may = append(v.may, lines...)
		}
		return closed
	})
	return v
}

// nightOf is the number of the night that an instant belongs to.
func (w *world) nightOf(at time.Time) int {
	return reconcile.DateOf(at.In(w.zone)).DaysSince(firstNight)
}

func (l *life) judgePurchase(v *verdict, p *purchase, n int, asOf time.Time) {
	l.judgeGrants(v, p)
	if p.status != "completed" && p.charge != "" && p.failedAt.IsZero() {
		if c := l.chargeOf(p); c.Status == "succeeded" && c.AmountCaptured > 0 { // its money is here all the same
			line := breakLine("charge_status_mismatch", p.label, number(-c.AmountCaptured), p.currency)
			if came := l.transactionsOf(p)[0].Created; asOf.Sub(came) >= counterpart {
				v.must(line)
			} else {
				v.allow(line)
			}
		}
	}
	if p.status != "completed" {
		return // it has come to nothing on both sides, or not yet to anything
	}
	if p.outOfBand { // Stripe has none of its money
		if l.granted(p) == 0 { // the credits have been taken back
			return
		}
		if asOf.Sub(p.completedAt) >= counterpart {
			v.must(breakLine("purchase_missing_at_stripe", p.label, number(p.amount), p.currency))
		}
		return
	}
	c := l.chargeOf(p)
	if !p.failedAt.IsZero() {
		amount, currency := p.platforms()
		line := breakLine("charge_status_mismatch", p.label, number(amount), currency)
		if asOf.Sub(p.failedAt) >= counterpart {
			v.must(line)
		} else {
			v.allow(line)
		}
		return
	}
	if p.isForeign() { // all that was bought is at stake
		// Changed after it was booked, it may be told a night later.
		if p.statedAt != n || l.w.nightOf(p.completedAt) >= n-1 {
			v.must(l.currencyLine(p))
		} else {
			v.allow(l.currencyLine(p))
		}
	} else if more := c.AmountCaptured - l.surplus(p) + p.fromBalance - p.amount; more != 0 {
		line := func(more int64) string {
			return breakLine("charge_amount_mismatch", p.label, number(-more), p.currency)
		}
		if l.isConverted(p) && !c.Captured { // what each capture was of is only told by what it was settled for
			v.oneOf(line(more), line(more-1), line(more+1), line(more-2), line(more+2), line(more-3), line(more+3)) // a cent is three fils
		} else {
			v.must(line(more))
		}
	}
	l.judgeRefunds(v, p, asOf)
}

// judgeWindow says what the refund window of a purchase is: the first state that applies of refunded, disputed, used, requested, expired and open.
func (l *life) judgeWindow(v *verdict, p *purchase, n int, asOf time.Time) {
	before := p.window
	if before == "" && l.w.nightOf(p.completedAt) == n {
		before = "open" // and was not there yet
	}
	p.window = ""
	grants, net := 0, int64(0)
	for _, e := range l.entries {
		if e.purchase == p && (e.kind == "purchase" || e.kind == "adjustment") {
			grants, net = grants+1, net+e.credits
		}
	}
	var back int64 // comes back in this very night, for failures of ours
	for _, j := range l.jobs {
		back += j.expected
	}
	won := slices.ContainsFunc(p.disputes, func(d *dispute) bool { return !d.opened || d.status == "won" })
	if p.status != "completed" || grants != 1 || net != p.credits || back != 0 || won || !p.failedAt.IsZero() || (l.live(p) > 0) != (l.out(p) > 0) {
		v.allow(windowLine(p.label, "*", "*", "*")) // nothing that is clear
		return
	}
	expires := p.completedAt.Add(window)
	used, refundable := l.used(p, asOf.Add(-time.Microsecond)), "*"
	if !p.isForeign() && !p.outOfBand && p.amount == l.chargeOf(p).AmountCaptured+p.fromBalance {
		refundable = ""
		if due, known := l.due(p); known {
			refundable = number(due)
		}
	}
	held := slices.ContainsFunc(l.requests, func(r *request) bool {
		return r.purchase == p && !r.at.After(expires) && r.status != "withdrawn" && r.decision != "deny"
	})
	state := "open"
	switch {
	case l.live(p) > 0:
		state = "refunded"
	case len(p.disputes) > 0:
		state = "disputed"
	case used > 0:
		state = "used"
	case held:
		state = "requested"
	case expires.Before(asOf):
		state = "expired"
	}
	usedText := number(used)
	if state == "refunded" {
		usedText = "*"
	}
	line := windowLine(p.label, state, usedText, refundable)
	p.window = state
	if before == "" || state != "open" && state != "requested" && before == state {
		v.allow(line) // it need not be told again
	} else {
		v.must(line)
	}
}

// surplus is what was given back of a charge because it was more than the purchase.
func (l *life) surplus(p *purchase) (amount int64) {
	for _, r := range p.refunds {
		if r.surplus && !r.isOff() {
			amount += r.amount
		}
	}
	return amount
}

// granted are the credits of a purchase as they stand in the ledger.
func (l *life) granted(p *purchase) (credits int64) {
	for _, e := range l.entries {
		if e.purchase == p {
			credits += e.credits
		}
	}
	return credits
}

// currencyLine is the break of a purchase that the platform has in another currency than it was paid in.
func (l *life) currencyLine(p *purchase) string {
	return breakLine("charge_currency_mismatch", p.label, number(p.stated.amount), p.stated.currency)
}

// isExplained says whether what was paid is what the purchase was made for, or somebody has accepted that it isn't.
func (l *life) isExplained(p *purchase) bool {
	if p.isForeign() {
		return l.isSettled(l.currencyLine(p))
	}
	more := l.chargeOf(p).AmountCaptured - l.surplus(p) + p.fromBalance - p.amount
	return more == 0 || l.isSettled(breakLine("charge_amount_mismatch", p.label, number(-more), p.currency))
}

func (l *life) judgeRefunds(v *verdict, p *purchase, asOf time.Time) {
	if p.sub != nil {
		l.judgeRefundsOfSubscription(v, p, asOf)
		return
	}
	paid, out := l.live(p), l.out(p)
	due, isCaptured := l.due(p)
	isDueKnown := isCaptured && l.isExplained(p) // somebody has said that this pays for that
	must := v.must
	var kept int64 // by the customer's bank
	var ended time.Time
	isOpen := false
	for _, d := range p.disputes {
		if d.opened && isOpenChargeback(d) { // what the chargeback says weighs more, and who gets the money is for it to say
			must, isOpen = v.allow, true
		}
		if d.status == "lost" {
			kept += l.outstanding(d)
		}
		if d.opened && d.moved.After(ended) { // an inquiry moves nothing
			ended = d.moved
		}
	}
	for _, r := range p.refunds {
		if r.status == "pending" { // awaited
			must = v.allow
		}
	}
	owed := func(r *refund) int64 { // nothing has gone back but by the bank: all that is due, however much of it was tried
		if isDueKnown && due > 0 {
			return due - min(kept, due)
		}
		return r.amount
	}
	var firstLive *refund
	against := false
	for _, r := range p.refunds {
		if r.surplus || r.isOff() {
			continue
		}
		if firstLive == nil {
			firstLive = r
		}
		if r.against != "" {
			against = true
			must(breakLine("refund_against_policy", r.label, number(-r.amount), p.currency))
		}
		if r.status == "pending" {
			if line := breakLine("refund_stuck", r.label, "*", "*"); asOf.Sub(r.at) > pendingLimit {
				v.must(line)
			} else if asOf.Sub(r.at) == pendingLimit {
				v.allow(line)
			}
		}
	}
	switch {
	case firstLive != nil:
		// Of what was due the bank's part has gone back as well; what was refunded beyond is too much, whatever the bank does.
		if isDueKnown && (paid > due || paid+kept < due) {
			line := breakLine("refund_amount_mismatch", "", number(due-paid-max(0, min(kept, due-paid))), p.currency)
			another := l.failedLine(p, due-paid-max(0, min(kept, due-paid)))
			switch {
			case against, isOpen: // the money ought not to have gone at all, or the chargeback says who gets it
				v.allow(line)
				v.allow(another)
			case another != "": // a part that was to come has failed
				v.oneOf(line, another)
			default:
				must(line)
			}
		} else if !isDueKnown { // whether that was all that was due nobody can say yet
			for _, r := range p.refunds {
				if r.isOff() && r.amount > paid {
					v.allow(breakLine("refund_failed", r.label, number(r.amount), p.currency))
				}
			}
		}
		if out < p.credits && asOf.Sub(firstLive.at) >= counterpart {
			must(breakLine("refund_missing_in_ledger", "", number(out-p.credits), "credits"))
		}
	case out > 0 && !isOpen && kept > 0 && isCaptured && kept >= due: // the bank has paid
		if !isDueKnown {
			v.allow(breakLine("refund_missing_at_stripe", p.label, number(out), "credits"))
		}
	case out > 0:
		failed := slices.IndexFunc(p.refunds, func(r *refund) bool { return r.isOff() && !r.surplus })
		if failed >= 0 {
			for _, r := range p.refunds[failed:] {
				if !r.isOff() {
					continue
				}
				line := breakLine("refund_failed", r.label, number(owed(r)), p.currency)
				if r == last(p.refunds) && !r.ours {
					must(line)
				} else { // an earlier try, or one of the worker's, which releases the credits itself
					v.allow(line)
				}
			}
		} else if asOf.Sub(l.takenAt(p)) >= counterpart && asOf.Sub(ended) >= counterpart {
			must(breakLine("refund_missing_at_stripe", p.label, number(out), "credits"))
		}
	default: // credits and money are where they were
		for _, r := range p.refunds {
			if r.isOff() {
				v.allow(breakLine("refund_failed", r.label, number(owed(r)), p.currency))
			}
		}
	}
}

func last[T any](all []T) T { return all[len(all)-1] }

// failedLine is the break of the last of a purchase's refunds when that has failed, with all that is to go back, however much of it was tried.
func (l *life) failedLine(p *purchase, owed int64) string {
	if r := last(p.refunds); r.isOff() {
		return breakLine("refund_failed", r.label, number(owed), p.currency)
	}
	return ""
}

// takenAt is when a refund took the credits of a purchase.
func (l *life) takenAt(p *purchase) (at time.Time) {
	for _, e := range l.entries {
		if e.purchase == p && e.kind == "refund" {
			at = e.at
		}
	}
	return at
}

// against says why the policy does not allow a refund of a purchase that is made now; "" when it does.
func (l *life) against(p *purchase, now time.Time) string {
	asked := now
	for _, r := range l.requests {
		if r.purchase == p && r.status != "withdrawn" && r.at.Before(now) {
			asked = r.at
		}
	}
	for _, r := range l.requests {
		begun := l.out(p) > 0 && l.takenAt(p).Before(r.at) // by the credits, so that the request was not about it
		if r.purchase == p && r.decision == "deny" && r.status != "withdrawn" && !begun {
			return "denied"
		}
	}
	for _, f := range p.refunds {
		if asked != now && !f.isOff() && !f.surplus && f.at.Before(asked) {
			return "refunded before it was asked for"
		}
	}
	switch {
	case asked.After(p.completedAt.Add(window)):
		return "late"
	case l.used(p, now) > 0:
		return "used"
	}
	return ""
}

// used are the credits of a purchase that were used through an instant: lots burn first in, first out, and what was refunded is no lot.
func (l *life) used(p *purchase, through time.Time) int64 { return l.usedBut(p, through, 0) }

// usedBut are those used, but for credits that come back.
func (l *life) usedBut(p *purchase, through time.Time, back int64) int64 {
	usage, before := -back, int64(0)
	for _, e := range l.entries {
		if e.at.After(through) {
			continue
		}
		switch {
		case e.kind == "usage", e.kind == "credit_back", e.kind == "adjustment" && e.credits < 0:
			usage -= e.credits
		}
	}
	for _, e := range l.entries { // in the order of their grants
		isLot := e.kind == "promo" || e.kind == "purchase" || e.kind == "adjustment" && e.credits > 0
		if !isLot || e.at.After(through) {
			continue
		}
		if e.purchase == p && e.kind == "purchase" {
			return min(max(usage-before, 0), p.credits)
		}
		if e.purchase == nil || l.out(e.purchase) == 0 {
			before += e.credits
		}
	}
	return 0
}

func isOpenChargeback(d *dispute) bool {
	return d.status == "needs_response" || d.status == "under_review"
}

// gone is what a dispute has taken and given back, in the settlement currency, with the fees: what is taken again was not given back.
func (l *life) gone(d *dispute) (withdrawn, returned, fees int64) {
	for _, t := range l.w.transactions[d.id] {
		switch t.ReportingCategory {
		case "dispute":
			withdrawn -= t.Amount + returned
			returned = 0
		case "dispute_reversal":
			returned += t.Amount
		default: // a fee in a row of its own
			fees -= t.Amount
		}
		fees += t.Fee
	}
	return withdrawn, returned, fees
}

// outstanding is what a dispute has of its charge, in the charge's currency: in proportion to what was withdrawn and is not back.
func (l *life) outstanding(d *dispute) int64 {
	withdrawn, returned, _ := l.gone(d)
	if withdrawn == 0 || d.status == "won" {
		return 0
	}
	return roundShare(d.amount, withdrawn-returned, withdrawn)
}

func (l *life) judgeDispute(v *verdict, d *dispute, n int) {
	p := d.purchase
	if isOpenChargeback(d) && !l.suspended {
		v.must(breakLine("dispute_account_active", d.label, number(d.amount), p.currency))
	}
	withdrawn, returned, fees := l.gone(d)
	paid := l.live(p)
	outstanding := l.outstanding(d)
	clawback := number(outstanding)
	if paid > 0 || returned > 0 && l.isConverted(p) { // computed once for both, or at which rate the policy doesn't say
		clawback = "*"
	}
	v.allow(disputeLine(d.label, d.status, number(withdrawn), number(returned), number(fees), clawback, "tied"))
	if l.w.nightOf(d.at) == n {
		v.must(disputeLine(d.label, "*", "*", "*", "*", "*", "*"))
	}
	if paid == 0 || !d.opened {
		return
	}
	over := l.chargeOf(p).AmountCaptured - paid - outstanding
	line := breakLine("disputed_and_refunded", "charge of "+p.label, number(over), p.currency)
	switch {
	case over < 0 && returned > 0 && l.isConverted(p) && -over <= roundShare(d.amount, returned, withdrawn): // the rate of what came back may be why
		v.allow(line)
	case over < 0:
		v.must(line)
	default:
		v.allow(breakLine("disputed_and_refunded", "charge of "+p.label, "0", p.currency))
		v.allow(line)
	}
}

// roundShare is whole * part / of, half up.
func roundShare(whole, part, of int64) int64 { return (2*whole*part + of) / (2 * of) }

func (l *life) judgeRequest(v *verdict, r *request, n int, asOf time.Time) {
	p := r.purchase
	if r.decision != "" {
		if r.decision == "approve" && r.amount > 0 && l.live(p) == 0 {
			l.judgeUnpaid(v, r, businessDays(r.decidedOn, n))
		}
		return
	}
	must := func(decision, amount string) {
		currency := p.currency
		if decision != "approve" {
			amount, currency = "*", "*"
		}
		row, notice := decisionLine(r.label, decision, amount, currency), noticeLine(r.label, decision, amount)
		switch {
		case r.waited && r.status != "pending" && l.w.nightOf(r.closed) < n: // settled by others, so that it need not come back
			v.allow(row)
			v.allow(notice)
		case decision == "*" || decision == "waiting":
			v.must(row)
			v.allow(noticeLine(r.label, "*", "*"))
			overdue := businessDays(l.w.nightOf(r.at), n-1) >= reviewDays // its due date is over, be it on a Saturday
			if line := breakLine("review_overdue", r.label, "*", "*"); overdue && decision == "waiting" && r.status == "pending" {
				v.must(line)
			} else if overdue {
				v.allow(line)
			}
		default:
			v.must(row)
			v.must(notice)
		}
		r.waited = true
	}
	if p.sub != nil || r.status == "withdrawn" && !l.answeredOpen(r) {
		must("deny", "")
		return
	}
	moment, before := asOf.Add(-time.Microsecond), int64(0)
	answered := false
	for _, f := range p.refunds {
		switch {
		case f.surplus:
		case !f.at.Before(r.at) && !answered && l.stands(f): // also in the same second, to which Stripe tells the time
			moment, answered = f.at, true
		case f.at.Before(r.at) && !f.isOff():
			before += f.amount
		}
	}
	var back int64 // comes back in this very night, for failures of ours
	for _, j := range l.jobs {
		back += j.expected
	}
	used := l.used(p, moment)
	unclear := answered && used > 0 && l.usedBut(p, moment, back) == 0 // what comes back tonight, was it known to whoever answered?
	if !answered {
		used = l.usedBut(p, moment, back)
	}
	due, feeKnown := l.due(p)
	disputed, open := false, false
	for _, d := range p.disputes {
		disputed = disputed || d.opened && d.status != "won" && !d.at.After(moment)
		open = open || !d.opened || d.status == "won"
	}
	switch {
	case !p.failedAt.IsZero(), open && !disputed, !answered && before == 0 && l.out(p) > 0, unclear:
		must("*", "") // the policy doesn't say
	case before > 0, r.at.After(p.completedAt.Add(window)), used > 0, disputed:
		must("deny", "")
	case !feeKnown || p.isForeign() || !l.isExplained(p):
		must("waiting", "")
	default:
		must("approve", number(due))
	}
}

// judgeUnpaid: the money of what was approved has to have left some business days later, be it by a dispute that was lost.
func (l *life) judgeUnpaid(v *verdict, r *request, waited int) {
	p, owed, lost := r.purchase, r.amount, len(r.purchase.disputes) > 0
	for _, d := range p.disputes {
		owed -= l.outstanding(d)
		lost = lost && d.status == "lost"
	}
	line := breakLine("refund_unpaid", r.label, "*", "*")
	switch {
	case waited < reviewDays:
	case lost && owed <= 0: // the customer's bank has paid
	case lost && !p.isForeign() && waited > reviewDays+1 && r.status != "withdrawn" && !r.taken && l.out(p) == 0 && len(p.refunds) == 0 && l.used(p, l.w.clock()) == 0 && p.failedAt.IsZero():
		v.must(breakLine("refund_unpaid", r.label, number(owed), p.currency))
	case waited > reviewDays+1 && l.isDue(r):
		v.must(line)
	default:
		v.allow(line) // on its last day, or with something in the way that has a break of its own
	}
}

// businessDays counts those after night from through night to. No holiday falls on a weekday of the worlds' months.
func businessDays(from, to int) (days int) {
	for n := from + 1; n <= to; n++ {
		if weekday := firstNight.AddDays(n).Weekday(); weekday != time.Saturday && weekday != time.Sunday {
			days++
		}
	}
	return days
}

// decided notes what a night decided; what is final may not come again.
func (l *life) decided(n int, id, decision, amount string) {
	for _, r := range l.requests {
		if r.id == id && (decision == "approve" || decision == "deny") {
			r.decision, r.decidedOn = decision, n
			r.amount, _ = strconv.ParseInt(amount, 10, 64) // none of what was denied
		}
	}
}

// isDue says whether a plan has to pay the request: it was approved, and nothing speaks against it by now.
func (l *life) isDue(r *request) bool {
	p := r.purchase
	if l.used(p, l.w.clock()) > 0 {
		return false
	}
	return r.decision == "approve" && r.amount > 0 && !r.paidByUs && !p.isForeign() && r.status != "withdrawn" && len(p.refunds) == 0 && len(p.disputes) == 0 && p.failedAt.IsZero() && !r.taken
}

// told holds what a customer was told against what has happened.
func (l *life) told(n int, id, outcome, message string) {
	i := slices.IndexFunc(l.requests, func(r *request) bool { return r.id == id })
	if i < 0 {
		return
	}
	r := l.requests[i]
	r.messages = append(r.messages, message)
	_, body, _ := strings.Cut(message, "\n\n") // after its subject
	opening, _, _ := strings.Cut(body, "\n")
	end := l.w.night(n).End
	var paid int64 // since the request, and still there
	for _, f := range r.purchase.refunds {
		if !f.at.Before(r.at) && f.at.Before(end) && !f.isOff() && !f.surplus {
			paid += f.amount
		}
	}
	says := func(text string) bool { return strings.Contains(opening, text) }
	wrong := ""
	switch promises := says("We will refund"); {
	case paid > 0 && (promises || says("nothing is refunded") || says("can't refund") || says("no money to pay back")):
		wrong = "that money has gone is not said"
	case paid > 0 && outcome != "waiting" && outcome != "needs_information" && !says("We refunded "+reconcile.FormatMinor(paid, r.purchase.currency)+" "):
		wrong = "what has gone is another amount"
	case paid == 0 && says("We refunded"):
		wrong = "no money has gone"
	case promises && (outcome != "approve" || r.status == "withdrawn"):
		wrong = "nothing will be refunded"
	case outcome == "approve" && (says("can't refund") || says("does not provide") || says("is closed")):
		wrong = "it was approved"
	case says("credits have left") && l.outBefore(r.purchase, end) == 0, says("credits leave") && l.outBefore(r.purchase, end) > 0:
		wrong = "the credits are not where it says"
	}
	if wrong != "" {
		l.w.fails(l, n, "%s: %s: %d of %s, the customer is told %q", r.label, wrong, paid, r.status, opening)
	}
}

// answeredOpen reports whether a refund was made while the request was open: that answers it while it stands.
func (l *life) answeredOpen(r *request) bool {
	return slices.ContainsFunc(r.purchase.refunds, func(f *refund) bool {
		return !f.surplus && !f.at.Before(r.at) && f.at.Before(r.closed) && l.stands(f)
	})
}

// stands reports whether something of a refund has not been undone: its money, or the credits that it took.
func (l *life) stands(f *refund) bool { return !f.isOff() || l.out(f.purchase) > 0 }

// outBefore are the credits of a purchase that refunds had taken by an instant.
func (l *life) outBefore(p *purchase, end time.Time) (credits int64) {
	for _, e := range l.entries {
		if e.purchase == p && (e.kind == "refund" || e.kind == "refund_reversal") && e.at.Before(end) {
			credits -= e.credits
		}
	}
	return credits
}

// classOf is the class of the failure codes that lives use, by clause 3 of the policy.
func classOf(j *job) string {
	switch {
	case j.status == "succeeded":
		return ""
	case j.status == "canceled", j.code == "invalid_input":
		return "user"
	case j.code == "node_lost", j.code == "OOMKilled":
		return "system"
	}
	return "unknown"
}

func (l *life) judgeJob(v *verdict, j *job, n int, asOf time.Time) {
	var debits, net, credited, byOthers int64
	adjusted, latest := false, j.finished
	for _, e := range l.entries {
		if e.job != j {
			continue
		}
		switch e.kind {
		case "usage":
			debits++
			net -= e.credits
		case "adjustment":
			net -= e.credits
			adjusted = true
		case "credit_back":
			credited += e.credits
			if !e.ours {
				byOthers += e.credits
			}
		}
		if e.written.After(latest) {
			latest = e.written
		}
	}
	switch {
	case j.status == "none": // there is no such job
		if net != 0 {
			v.must(breakLine("debit_without_job", j.label, number(-net), "credits"))
		}
		return
	case j.status == "running":
		if asOf.Sub(j.finished) > stuckAfter {
			v.must(breakLine("job_stuck", j.label, "*", "*"))
		}
		return
	}
	class := classOf(j)
	tonight := l.w.nightOf(j.finished) == n
	j.expected = 0
	switch {
	case class == "system" && net > credited:
		j.expected = net - credited
		v.must(creditBackLine(j.label, "credited", number(j.expected)))
		credited = net
	case class == "unknown":
		v.must(breakLine("failure_unclassified", j.label, "*", "*"))
		if tonight {
			v.must(creditBackLine(j.label, "pending", "*"))
		} else {
			v.allow(creditBackLine(j.label, "pending", "*"))
		}
	case tonight && class != "":
		v.must(creditBackLine(j.label, "*", "0"))
	default:
		v.allow(creditBackLine(j.label, "not_due", "0"))
	}
	one := func(kind string, variance int64) { v.must(breakLine(kind, j.label, number(variance), "credits")) }
	switch {
	case class != "system" && class != "unknown" && credited > 0 && net == j.cost+credited: // reversed by an adjustment
	case class != "system" && class != "unknown" && credited > 0 && net != j.cost:
		// Two faults of one job, of which staff may have meant the one to mend the other.
		for _, kind := range []string{"credit_back_unfounded", "duplicate_debit", "debit_amount_mismatch", "job_without_debit", "credit_back_exceeds_debit"} {
			v.allow(breakLine(kind, j.label, "*", "credits"))
		}
	case class != "system" && class != "unknown" && credited > 0 && adjusted: // of what was reversed it can be either
		v.must(breakLine("*", j.label, "*", "credits"))
	case class != "system" && class != "unknown" && credited > 0:
		one("credit_back_unfounded", -credited)
	case credited > 0 && credited > net && byOthers == 0: // what we gave back, others gave back too, as an adjustment: by either name
		v.must(breakLine("*", j.label, "*", "credits"))
	case credited > 0 && credited > net:
		one("credit_back_exceeds_debit", net-credited)
	case credited > 0 && credited == net: // nothing is left to repair
	case class == "unknown" && credited > 0 && net != j.cost: // with or without what others gave back
		v.must(breakLine("*", j.label, "*", "credits"))
	case net == j.cost:
	case net == 0 && debits == 0:
		one("job_without_debit", j.cost)
	case net == 0 && (class == "system" || class == "unknown"): // debited, and given back in full
		v.allow(breakLine("*", j.label, number(j.cost), "credits"))
	case net == 0: // debited, and given back for no reason: by either name
		one("*", j.cost)
	case j.cost > 0 && net > j.cost && net%j.cost == 0 && debits == net/j.cost:
		one("duplicate_debit", j.cost-net)
	default:
		one("debit_amount_mismatch", j.cost-net)
	}
}

// creditedMeanwhile allows for credits that staff have given back after the end of the night and before it was run: what a night may see of the
// ledger ends with it, but nothing is given back twice.
func (l *life) creditedMeanwhile(v *verdict, asOf time.Time) {
	for _, j := range l.jobs {
		var meanwhile int64
		for _, e := range l.entries {
			if e.job == j && e.kind == "credit_back" && !e.ours && !e.at.Before(asOf) {
				meanwhile += e.credits
			}
		}
		if meanwhile == 0 || j.expected == 0 {
			continue
		}
		line := creditBackLine(j.label, "credited", number(j.expected))
		v.want = slices.DeleteFunc(v.want, func(other string) bool { return other == line })
		if j.expected = max(0, j.expected-meanwhile); j.expected > 0 {
			v.must(creditBackLine(j.label, "credited", number(j.expected)))
		} else {
			v.allow(creditBackLine(j.label, "*", "0"))
		}
		v.allow(breakLine("*", j.label, "*", "credits")) // the two sides differ until the next night sees both
	}
}

// adopt takes over what the worker has posted since, once it is what it was to be.
func (w *world) adopt(n int) {
	w.t.Helper()
	var rows []struct {
		ID         string  `db:"id"`
		AccountID  string  `db:"account_id"`
		Kind       string  `db:"kind"`
		Credits    int64   `db:"credits"`
		PurchaseID *string `db:"purchase_id"`
		JobID      *string `db:"job_id"`
		At         micros  `db:"created_at"`
	}
	if err := w.db.Select(&rows, "SELECT id, account_id, kind, credits, purchase_id, job_id, created_at FROM platform.credit_entries WHERE idempotency_key IS NOT NULL"); err != nil {
		w.t.Fatal(err)
	}
	for _, row := range rows {
		if w.byID[row.ID] != nil {
			continue
		}
		l, _ := w.label(row.AccountID)
		w.name(l, row.ID, "entry of ours")
		e := &entry{kind: row.Kind, credits: row.Credits, at: row.At.Time, written: w.clock(), ours: true}
		l.entries = append(l.entries, e)
		switch {
		case row.JobID != nil:
			e.job = l.jobs[slices.IndexFunc(l.jobs, func(j *job) bool { return j.id == *row.JobID })]
			if row.Kind != "credit_back" || row.Credits != e.job.expected {
				w.fails(l, n, "%s: posted %s %d, to be credited back were %d", e.job.label, row.Kind, row.Credits, e.job.expected)
			}
			e.job.expected = 0
		case row.PurchaseID != nil:
			e.purchase = l.purchases[slices.IndexFunc(l.purchases, func(p *purchase) bool { return p.id == *row.PurchaseID })]
			if row.Kind == "refund" && row.Credits != -e.purchase.credits {
				w.fails(l, n, "%s: %d credits were taken of %d", e.purchase.label, -row.Credits, e.purchase.credits)
			}
			if out := l.out(e.purchase); out != 0 && out != e.purchase.credits {
				w.fails(l, n, "%s: %d of %d credits are out", e.purchase.label, out, e.purchase.credits)
			}
		}
		if l.balance() < 0 && row.Credits < 0 {
			w.fails(l, n, "the worker has made the balance %d", l.balance())
		}
	}
	for _, l := range w.lives {
		for _, j := range l.jobs {
			if j.expected != 0 {
				w.fails(l, n, "%s: %d credits did not come back", j.label, j.expected)
				j.expected = 0
			}
		}
	}
}

// micros is an instant read from the database.
type micros struct{ time.Time }

func (m *micros) Scan(value any) error {
	at, ok := value.(time.Time)
	if !ok {
		return fmt.Errorf("no instant: %v", value)
	}
	m.Time = at.UTC()
	return nil
}

// found keeps the id of a break that was reported, for a person to close it.
func (l *life) found(line, id string) { l.reported[line] = id }
