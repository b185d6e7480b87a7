package lives_test

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// life is one customer: the events, and what has become of them so far.
type life struct {
	w      *world
	number int
	events []event

	account   string // id, empty before the first event
	email     string
	suspended bool
	openedAt  time.Time

	purchases []*purchase
	jobs      []*job
	entries   []*entry
	requests  []*request
	refunds   []*refund
	disputes  []*dispute
	reported  map[string]string // ids of breaks by their line
	settled   map[string]bool   // breaks that a person has closed, by their line
	followed  []string          // breaks of which the advice has been followed since the last night, by their line
	stirred   time.Time         // when anything else has happened last
	rewritten bool              // rows of nights that have been reported were changed in place
	breaks    []string          // lines of those that the last night had open
	extras    []*extra          // charges that no purchase names
	subs      []*subscription
	planted   string // what is to go wrong with the next grant
}

type purchase struct {
	id, label       string
	credits, amount int64
	currency        string
	status          string
	completedAt     time.Time
	charge          string // id
	invoice         string
	fromBalance     int64 // what the invoice took from the customer's balance
	outOfBand       bool
	corrected       int64         // by how much the platform has corrected the amount since
	sub             *subscription // what a charge of it has paid for; nil: credits
	from, through   time.Time     // the period that the charge is for
	prorated        bool          // its invoice gives credit for a part of a period
	stated          stated        // what the platform has instead of amount and currency; zero: those
	statedAt        int           // the night in which it got that
	misstated       []stated      // all that it ever had
	failedAt        time.Time     // its charge, after it had succeeded
	window          string        // state that was to be said of its refund window last; empty: none that was clear
	refunds         []*refund
	disputes        []*dispute
}

// stated is an amount in another currency than the charge's.
type stated struct {
	amount   int64
	currency string
}

// isForeign says whether the platform has the purchase in another currency than it was paid in.
func (p *purchase) isForeign() bool { return p.stated.currency != "" }

// platforms are amount and currency as the platform has them.
func (p *purchase) platforms() (amount int64, currency string) {
	if p.isForeign() {
		return p.stated.amount, p.stated.currency
	}
	return p.amount, p.currency
}

// extra is a charge that should not be: a second one of a purchase, or one of nothing.
type extra struct {
	id, label string
	purchase  *purchase // nil: of nothing
	amount    int64
	currency  string
	at        time.Time
	refunded  bool
}

// entry is a row of the credit ledger.
type entry struct {
	kind     string
	credits  int64
	purchase *purchase
	job      *job
	at       time.Time
	written  time.Time
	ours     bool // the worker's
}

type job struct {
	id, label string
	status    string
	code      string
	cost      int64
	finished  time.Time
	expected  int64 // what the night that is being judged has to credit back
}

type request struct {
	id, label string
	purchase  *purchase
	at        time.Time
	status    string
	closed    time.Time // by the customer or staff
	decision  string    // final once made
	amount    int64     // approved
	decidedOn int
	waited    bool // it was not decided by the first night
	paidByUs  bool
	taken     bool // somebody else has taken the credits for it
	messages  []string
}

type refund struct {
	id, label string
	purchase  *purchase
	amount    int64
	status    string
	at        time.Time
	failedAt  time.Time
	ours      bool
	surplus   bool   // gives back what was charged too much
	against   string // why the policy didn't allow it at its moment
}

type dispute struct {
	id, label string
	purchase  *purchase
	amount    int64
	status    string
	at        time.Time
	opened    bool      // a chargeback: money was withdrawn
	moved     time.Time // when its status or its money changed last
}

// undated are what neither the platform nor Stripe says the time of, so that the night before would see them too when they came before it is run.
var undated = map[string]bool{"plant": true, "suspend": true, "reinstate": true, "withdraw": true, "release": true, "settle": true, "bounce": true,
	"renew": true, "arrive": true, "pay": true, "give-up": true, "cancel": true, "pause": true, "resume": true, "extend": true, "refund-fails": true, "refund-arrives": true, "refund-canceled": true, "escalate": true, "evidence": true, "win": true, "lose": true, "part": true, "relapse": true, "close": true,
	"retry": true, "forget": true, "resolve": true}

// play lets an event happen; false when it isn't possible.
func (l *life) play(e event) bool {
	if l.account == "" {
		l.open()
	}
	now := l.w.clock()
	if (undated[e.verb] || e.word(0) == "late") && now.Sub(l.w.night(l.w.nightOf(now)).Begin) < nightHour {
		return false
	}
	if e.verb != "resolve" {
		l.stirred = now
	}
	switch e.verb {
	case "promo":
		l.post("promo", e.n, nil, nil, now)
		return true
	case "correct": // by an administrator, or credits that expire; also below 0
		if e.n == 0 {
			return false
		}
		l.post("adjustment", e.n, nil, nil, now)
		return true
	case "retry":
		return l.retry(e, now)
	case "buy":
		return l.buy(e, now)
	case "subscribe":
		return l.subscribe(e, now)
	case "renew", "pay", "give-up", "upgrade", "downgrade", "arrive", "cancel", "pause", "resume", "extend", "sub-refund":
		return l.onSubscription(e, now)
	case "suspend", "reinstate":
		status := map[string]string{"suspend": "suspended", "reinstate": "active"}[e.verb]
		l.w.write("UPDATE platform.accounts SET status = $2 WHERE id = $1", l.account, status)
		l.suspended = e.verb == "suspend"
		return true
	case "plant":
		return l.plant(e, now)
	case "job":
		return l.finishJob(e, now)
	case "debit", "credit-back", "adjust":
		return l.postOnJob(e, now)
	case "resolve":
		return l.advise(now)
	}
	if len(l.purchases) == 0 {
		return false
	}
	p := l.purchases[len(l.purchases)-1]
	switch e.verb {
	case "capture":
		return l.capture(p, e, now)
	case "release":
		return l.release(p, e, now)
	case "settle":
		return l.settle(p, now)
	case "bounce":
		return l.bounce(p, now)
	case "use":
		return l.use(e.n, now)
	case "ask":
		return l.ask(p, e, now)
	case "forget": // a purchase that came to nothing is deleted
		if (p.status != "pending" && p.status != "failed") || p.charge == "" || l.chargeOf(p).AmountCaptured > 0 || l.chargeOf(p).Status == "succeeded" && !l.chargeOf(p).Refunded ||
			l.chargeOf(p).Status == "pending" || slices.ContainsFunc(l.entries, func(e *entry) bool { return e.purchase == p }) {
			return false
		}
		p.status = "failed"
		l.w.write("DELETE FROM platform.purchases WHERE id = $1", p.id)
		return true
	case "withdraw", "approve":
		return l.answer(e.verb, now)
	case "refund":
		return l.refund(p, e, now)
	case "take-credits":
		if p.credits == 0 || l.out(p) > 0 || p.status != "completed" || p.charge == "" || !p.failedAt.IsZero() || l.balance() < p.credits {
			return false
		}
		l.post("refund", -p.credits, p, nil, now)
		for _, r := range l.requests {
			r.taken = r.taken || r.purchase == p
		}
		return true
	case "give-credits": // so many, or all
		back := l.out(p)
		if e.n > 0 {
			back = min(back, e.n)
		}
		if back == 0 {
			return false
		}
		l.post("refund_reversal", back, p, nil, now)
		return true
	case "refund-fails":
		return l.failRefund(now)
	case "refund-arrives", "refund-canceled":
		return l.endRefund(e.verb, now)
	case "inquiry", "chargeback":
		return l.disputed(p, e, now)
	case "escalate", "evidence", "win", "lose", "part", "relapse", "close":
		moved := false
		for _, d := range slices.Backward(l.disputes) {
			moved = l.moveDispute(d, e) || moved
			if e.word(0) != "all" {
				break
			}
		}
		return moved
	}
	panic("no such verb: " + e.verb)
}

func (l *life) open() {
	w := l.w
	l.account = w.id("acc")
	l.email = l.account + "@example.com"
	l.openedAt = w.clock()
	l.reported, l.settled = map[string]string{}, map[string]bool{}
	w.name(l, l.account, "account")
	w.write("INSERT INTO platform.accounts (id, email, status, created_at) VALUES ($1, $2, 'active', $3)", l.account, l.email, l.openedAt)
}

func (l *life) post(kind string, credits int64, p *purchase, j *job, at time.Time) *entry {
	e := &entry{kind: kind, credits: credits, purchase: p, job: j, at: at, written: l.w.clock()}
	l.entries = append(l.entries, e)
	id := l.w.id("ent")
	l.w.name(l, id, fmt.Sprintf("entry%d", len(l.entries)))
	var purchase, job any
	if p != nil {
		purchase = p.id
	}
	if j != nil {
		job = j.id
	}
	l.w.write("INSERT INTO platform.credit_entries (id, account_id, kind, credits, purchase_id, job_id, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		id, l.account, kind, credits, purchase, job, at)
	return e
}

func (l *life) balance() (credits int64) {
	for _, e := range l.entries {
		credits += e.credits
	}
	return credits
}

// settlements are currencies that don't reach the balance as they are, with the rate and how it was when the money went back.
var settlements = map[string]stripetest.Settlement{
	"eur>usd": {Currency: "usd", Rate: "1.0833"},
	"jpy>usd": {Currency: "usd", Rate: "0.0067"},
	"kwd>usd": {Currency: "usd", Rate: "3.2571"},
	"gbp>eur": {Currency: "eur", Rate: "1.1642"},
}

// buy has the customer buy credits: "buy AMOUNT CURRENCY HOW NAMED BALANCE". How is card, hold (captured later), sepa, ach, invoice or elsewhere
// (an invoice that is paid out of band); named is what of Stripe the purchase names: charge, intent, invoice or nothing; balance is what the
// customer had with us when the invoice was made. A fifth word is why a first attempt to pay is declined.
func (l *life) buy(e event, now time.Time) bool {
	currency, _, _ := strings.Cut(e.word(0), ">")
	p := &purchase{id: l.w.id("pur"), label: fmt.Sprintf("purchase%d", len(l.purchases)+1), amount: e.n, credits: e.n/3 + 1, currency: currency, status: "pending"}
	params := stripetest.ChargeParams{Amount: e.n, Currency: currency, Settlement: settlements[e.word(0)], Email: l.email, Metadata: map[string]string{"purchase_id": p.id}}
	var c stripetest.Charge
	switch how := e.word(1); how {
	case "invoice", "elsewhere":
		c = l.billed(p, e, params)
	case "card", "hold", "sepa", "ach":
		params.Method = map[string]stripetest.Method{"sepa": stripetest.SEPADebit, "ach": stripetest.USBankAccount}[how]
		params.Authorize = how == "hold"
		if params.Settlement.Currency != "" && how == "card" && e.n%7 == 0 {
			params.ApplicationFee = 10 // is no transaction fee
		}
		params.Decline = e.word(4)
		if c = must(l.w.stripe.CreateCharge(params)); c.Status == "failed" { // the customer tries again
			c = must(l.w.stripe.Attempt(c.PaymentIntent, ""))
		}
	default:
		panic("bought how? " + how)
	}
	p.charge = c.ID
	l.purchases = append(l.purchases, p)
	l.w.name(l, p.id, p.label)
	l.w.name(l, c.ID, "charge of "+p.label)
	var charge, intent, invoice any
	switch {
	case p.invoice != "" && (p.charge == "" || e.word(2) == "invoice"):
		invoice = p.invoice
	case e.word(2) == "charge":
		charge = c.ID
	case e.word(2) == "intent":
		intent = c.PaymentIntent
	}
	l.w.write(`INSERT INTO platform.purchases (id, account_id, kind, credits, amount_minor, currency, status, stripe_charge_id, stripe_payment_intent_id, stripe_invoice_id, created_at)
		VALUES ($1, $2, 'credits', $3, $4, $5, 'pending', $6, $7, $8, $9)`, p.id, l.account, p.credits, p.amount, p.currency, charge, intent, invoice, now)
	if p.invoice != "" || e.word(1) == "card" {
		l.complete(p, now)
	}
	return true
}

// billed has the purchase paid by an invoice: what the customer's balance doesn't cover by card, or elsewhere.
func (l *life) billed(p *purchase, e event, params stripetest.ChargeParams) (c stripetest.Charge) {
	customer, err := l.w.stripe.CreateCustomer(l.email, nil)
	if err != nil {
		panic(err)
	}
	balance, _ := strconv.ParseInt(e.word(3), 10, 64) // none when it isn't said
	invoice, err := l.w.stripe.CreateInvoice(stripetest.InvoiceParams{Customer: customer.ID, Currency: p.currency, StartingBalance: -balance,
		Lines: []stripetest.InvoiceLine{{Amount: e.n, Description: "credits"}}})
	if err != nil {
		panic(err)
	}
	p.invoice, p.fromBalance = invoice.ID, e.n-invoice.AmountDue
	l.w.name(l, invoice.ID, "invoice of "+p.label)
	if e.word(1) == "elsewhere" {
		if _, err := l.w.stripe.PayInvoiceOutOfBand(invoice.ID); err != nil {
			panic(err)
		}
		p.outOfBand = true
		return c
	}
	if c, err = l.w.stripe.PayInvoice(invoice.ID, params); err != nil {
		panic(err)
	}
	return c
}

// complete is what the platform does once the money has come: the purchase is of what was taken, and its credits are granted.
func (l *life) complete(p *purchase, now time.Time) {
	amount := p.amount
	if p.charge != "" {
		amount = l.chargeOf(p).AmountCaptured + p.fromBalance
	}
	l.completeWith(p, amount, now)
}

func (l *life) completeWith(p *purchase, amount int64, now time.Time) {
	p.status, p.completedAt = "completed", now
	if p.charge != "" {
		p.amount, p.credits = amount, amount/3+1
	}
	l.w.write("UPDATE platform.purchases SET status = 'completed', completed_at = $2, amount_minor = $3, credits = $4 WHERE id = $1", p.id, now, p.amount, p.credits)
	switch l.planted {
	case "no-grant":
	case "two-grants":
		l.post("purchase", p.credits, p, nil, now)
		l.post("purchase", p.credits, p, nil, now)
	case "long-grant":
		l.post("purchase", p.credits+7, p, nil, now)
	case "short-grant":
		l.post("purchase", p.credits-7, p, nil, now)
	default:
		l.post("purchase", p.credits, p, nil, now)
	}
	l.planted = ""
}

func (l *life) chargeOf(p *purchase) stripetest.Charge {
	c, ok := l.w.stripe.Charge(p.charge)
	if !ok {
		panic("no charge " + p.charge)
	}
	return c
}

func (l *life) fail(p *purchase) {
	l.rewritten = l.rewritten || p.status == "completed"
	p.status = "failed"
	l.w.write("UPDATE platform.purchases SET status = 'failed' WHERE id = $1", p.id)
}

// capture takes what was held: "capture AMOUNT before|since|more granted", as API versions before 2025-03-31 did, as those since do, or as one of
// several. The platform completes the purchase with the last one; granted: with the first, of all that is held.
func (l *life) capture(p *purchase, e event, now time.Time) bool {
	if p.status != "pending" && (p.status != "completed" || p.charge == "" || l.chargeOf(p).Captured) {
		return false
	}
	c, err := l.w.stripe.CaptureWith(p.charge, stripetest.CaptureParams{Amount: e.n, Basil: e.word(0) == "since", More: e.word(0) == "more"})
	if err != nil {
		return false
	}
	switch {
	case p.status != "pending":
	case c.Captured:
		l.complete(p, now)
	case e.word(1) == "granted":
		l.completeWith(p, c.Amount, now)
	}
	return true
}

// release gives back what is still held: "release 0 before|since", or of all purchases with a second word.
func (l *life) release(p *purchase, e event, now time.Time) bool {
	if e.word(1) == "all" {
		released := false
		for _, p := range l.purchases {
			released = l.release(p, event{words: e.words[:1]}, now) || released
		}
		return released
	}
	if p.charge == "" || p.status != "pending" && (p.status != "completed" || l.chargeOf(p).Captured) {
		return false
	}
	release := l.w.stripe.ReleaseAuthorization
	if e.word(0) == "before" && l.chargeOf(p).AmountCaptured == 0 {
		release = l.w.stripe.CancelAuthorization
	}
	c, err := release(p.charge)
	if err != nil {
		return false
	}
	switch {
	case p.status != "pending":
	case c.AmountCaptured > 0:
		l.complete(p, now)
	default:
		l.fail(p)
	}
	return true
}

func (l *life) settle(p *purchase, now time.Time) bool {
	if p.status != "pending" {
		return false
	}
	if _, err := l.w.stripe.SettleCharge(p.charge); err != nil {
		return false
	}
	l.complete(p, now)
	return true
}

// bounce has a bank debit fail: before it has settled, or long after.
func (l *life) bounce(p *purchase, now time.Time) bool {
	if p.status == "pending" {
		if _, err := l.w.stripe.FailCharge(p.charge, "insufficient_funds"); err != nil {
			return false
		}
		l.fail(p)
		return true
	}
	if p.status != "completed" || l.out(p) > 0 {
		return false
	}
	if _, err := l.w.stripe.ReturnDebit(p.charge, "insufficient_funds", 400); err != nil {
		return false
	}
	p.failedAt = now
	return true
}

func (l *life) use(credits int64, now time.Time) bool {
	if l.balance() < credits {
		return false
	}
	l.post("usage", -credits, nil, l.newJob("succeeded", "", credits, now), now)
	return true
}

func (l *life) newJob(status, code string, cost int64, now time.Time) *job {
	j := &job{id: l.w.id("job"), label: fmt.Sprintf("job%d", len(l.jobs)+1), status: status, code: code, cost: cost, finished: now}
	l.jobs = append(l.jobs, j)
	l.w.name(l, j.id, j.label)
	var failure any
	if code != "" {
		failure = code
	}
	l.w.write(`INSERT INTO platform.jobs (id, account_id, kind, model, status, failure_code, credit_cost, created_at, finished_at)
		VALUES ($1, $2, 'image', 'flux', $3, $4, $5, $6, $7)`, j.id, l.account, status, failure, cost, now.Add(-time.Minute), now)
	return j
}

// finishJob has a job end: "job COST HOW DEBITS", how being succeeded, canceled or a failure code, and an x for each debit.
func (l *life) finishJob(e event, now time.Time) bool {
	status, code := "failed", e.word(0)
	if code == "succeeded" || code == "canceled" {
		status, code = code, ""
	}
	debits := int64(strings.Count(e.word(1), "x"))
	if l.balance() < debits*e.n {
		return false
	}
	j := l.newJob(status, code, e.n, now)
	for range debits {
		l.post("usage", -e.n, nil, j, now)
	}
	return true
}

// lookback is how old what arrives may be for the next night to notice it.
const lookback = 6 * 24 * time.Hour

// postOnJob posts an entry about the last job: "debit N", "credit-back N" by staff, "adjust N"; "late" is one that says it is from when the job
// ended.
func (l *life) postOnJob(e event, now time.Time) bool {
	if len(l.jobs) == 0 {
		return false
	}
	kind, credits := "usage", -e.n
	switch e.verb {
	case "credit-back":
		kind, credits = "credit_back", e.n
	case "adjust":
		kind, credits = "adjustment", e.n
	}
	j, at := last(l.jobs), now
	if e.word(0) == "late" {
		at = j.finished
	}
	if l.balance()+credits < 0 || j.status == "none" || now.Sub(at) > lookback {
		return false
	}
	l.post(kind, credits, nil, j, at)
	return true
}

// retry has the last job run again under its id: "retry COST HOW DEBITS", as a job ends; the cost is not changed.
func (l *life) retry(e event, now time.Time) bool {
	if len(l.jobs) == 0 {
		return false
	}
	j, debits := last(l.jobs), int64(strings.Count(e.word(1), "x"))
	if j.status == "none" || j.status == "running" || j.status == "succeeded" || l.balance() < debits*j.cost {
		return false
	}
	l.rewritten = true
	j.status, j.code, j.finished = "failed", e.word(0), now
	if e.word(0) == "succeeded" || e.word(0) == "canceled" {
		j.status, j.code = e.word(0), ""
	}
	l.w.write("UPDATE platform.jobs SET status = $2, failure_code = nullif($3, ''), finished_at = $4 WHERE id = $1", j.id, j.status, j.code, now)
	for range debits {
		l.post("usage", -j.cost, nil, j, now)
	}
	return true
}

// ask has the customer ask for a refund: "ask 0", or "ask 0 words" by what was bought when, and for how much.
func (l *life) ask(p *purchase, e event, now time.Time) bool {
	for _, r := range l.requests {
		if r.purchase == p && r.status != "withdrawn" {
			return false
		}
	}
	if p.status != "completed" || p.charge == "" {
		return false
	}
	inWords := e.word(0) == "words"
	if inWords && (l.rewritten || p.isForeign() || len(l.purchases) > 1 || !l.chargeOf(p).Captured || p.amount != l.chargeOf(p).AmountCaptured+p.fromBalance) {
		return false
	}
	r := &request{id: l.w.id("req"), label: fmt.Sprintf("request%d", len(l.requests)+1), purchase: p, at: now, status: "pending"}
	l.requests = append(l.requests, r)
	l.w.name(l, r.id, r.label)
	if inWords {
		l.w.write(`INSERT INTO platform.refund_requests (id, kind, account_email, stated_date, stated_amount_minor, stated_currency, reason, status, requested_at)
			VALUES ($1, 'unused_credits', $2, $3, $4, $5, 'not needed', 'pending', $6)`,
			r.id, " "+strings.ToUpper(l.email), reconcile.DateOf(p.completedAt.In(l.w.zone)).String(), p.amount, p.currency, now)
		return true
	}
	l.w.write(`INSERT INTO platform.refund_requests (id, account_id, kind, account_email, purchase_id, reason, status, requested_at)
		VALUES ($1, $2, 'unused_credits', $3, $4, 'not needed', 'pending', $5)`, r.id, l.account, l.email, p.id, now)
	return true
}

// answer has the customer withdraw the request, or staff approve it.
func (l *life) answer(verb string, now time.Time) bool {
	if len(l.requests) == 0 || l.requests[len(l.requests)-1].status != "pending" {
		return false
	}
	r := l.requests[len(l.requests)-1]
	r.status = map[string]string{"withdraw": "withdrawn", "approve": "approved"}[verb]
	r.closed = now
	l.w.write("UPDATE platform.refund_requests SET status = $2, decided_at = $3 WHERE id = $1", r.id, r.status, now)
	return true
}

// refund has staff pay money back: "refund N due|all BOTH", what is due and N more, or N; in both books, or at Stripe only.
func (l *life) refund(p *purchase, e event, now time.Time) bool {
	if p.sub != nil || p.status != "completed" || p.charge == "" || l.balance() < p.credits-l.out(p) || !p.failedAt.IsZero() {
		return false
	}
	amount := e.n
	if e.word(0) == "due" {
		l.w.readTransactions()
		due, known := l.due(p)
		if !known {
			return false
		}
		amount += due - l.live(p)
	}
	if amount <= 0 || l.live(p)+amount > l.chargeOf(p).AmountCaptured {
		return false
	}
	against := l.against(p, now)
	r, err := l.w.stripe.CreateRefund(stripetest.RefundParams{Charge: p.charge, Amount: amount, Pending: e.word(2) == "pending", Unfunded: e.word(2) == "unfunded"})
	if err != nil {
		return false
	}
	l.noteRefund(p, r, now).against = against
	if e.word(1) == "both" && l.out(p) == 0 {
		l.post("refund", -p.credits, p, nil, now)
	}
	return true
}

func (l *life) noteRefund(p *purchase, r stripetest.Refund, at time.Time) *refund {
	noted := &refund{id: r.ID, label: fmt.Sprintf("refund%d", len(l.refunds)+1), purchase: p, amount: r.Amount, status: r.Status, at: at}
	l.refunds = append(l.refunds, noted)
	p.refunds = append(p.refunds, noted)
	l.w.name(l, r.ID, noted.label)
	return noted
}

// paid notes a refund that the worker has made, and whether it was called for.
func (l *life) paid(n int, r stripetest.Refund) {
	var q *request
	for _, other := range l.requests {
		if other.id == r.Metadata["reconciler_request"] {
			q = other
		}
	}
	p := q.purchase
	switch {
	case p.charge != r.Charge:
		l.w.fails(l, n, "%s was paid from charge %s", q.label, r.Charge)
	case q.decision != "approve":
		l.w.fails(l, n, "%s was paid, and is %s", q.label, q.decision)
	case q.paidByUs && l.live(p) > 0:
		l.w.fails(l, n, "%s was paid twice", q.label)
	case l.live(p) > 0:
		l.w.fails(l, n, "%s was paid, though refunds of %d had been made", q.label, l.live(p))
	case r.Amount != q.amount:
		l.w.fails(l, n, "%s was paid %d, due were %d", q.label, r.Amount, q.amount)
	case q.status == "withdrawn":
		l.w.fails(l, n, "%s was paid, though it was withdrawn", q.label)
	}
	q.paidByUs = true
	l.noteRefund(p, r, l.w.clock()).ours = true
}

func (l *life) failRefund(now time.Time) bool {
	for _, r := range slices.Backward(l.refunds) {
		if r.isOff() || now.Sub(r.at) < time.Hour {
			continue
		}
		if _, err := l.w.stripe.FailRefund(r.id, "expired_or_canceled_card"); err != nil {
			return false
		}
		r.status, r.failedAt = "failed", now
		return true
	}
	return false
}

// endRefund has a refund that is on its way arrive, or canceled.
func (l *life) endRefund(verb string, now time.Time) bool {
	for _, r := range slices.Backward(l.refunds) {
		if r.status != "pending" {
			continue
		}
		if verb == "refund-arrives" {
			if _, err := l.w.stripe.SucceedRefund(r.id); err != nil {
				return false
			}
			r.status = "succeeded"
			return true
		}
		if _, err := l.w.stripe.CancelRefund(r.id); err != nil {
			return false
		}
		r.status, r.failedAt = "canceled", now
		return true
	}
	return false
}

func (r *refund) isOff() bool { return r.status == "failed" || r.status == "canceled" }

// disputed has the customer's bank ask, or take the money back: "chargeback AMOUNT fee|nofee|apart RATE"; 0 for all of it. The rate is what
// the day's makes of the charge's, in percent.
func (l *life) disputed(p *purchase, e event, now time.Time) bool {
	if len(p.disputes) > 0 || !p.failedAt.IsZero() || p.status != "completed" || p.charge == "" {
		return false
	}
	params := stripetest.DisputeParams{Charge: p.charge, Amount: min(e.n, l.chargeOf(p).AmountCaptured), Inquiry: e.verb == "inquiry", FeeApart: e.word(0) == "apart"}
	if e.word(0) == "nofee" {
		params.Fee = -1
	}
	if rate := percent(e.word(1)); rate != 0 && params.Amount == 0 && e.verb == "chargeback" {
		var brought int64
		for _, t := range l.transactionsOf(p) {
			if t.Currency != p.currency {
				brought += t.Amount
			}
		}
		params.Withdraw = brought * rate / 100
	}
	made, err := l.w.stripe.OpenDispute(params)
	if err != nil {
		return false
	}
	d := &dispute{id: made.ID, label: fmt.Sprintf("dispute%d", len(l.disputes)+1), purchase: p, amount: made.Amount, status: made.Status, at: now, opened: e.verb == "chargeback"}
	l.disputes = append(l.disputes, d)
	p.disputes = append(p.disputes, d)
	l.w.name(l, d.id, d.label)
	return true
}

func percent(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64) // 0 when it isn't said
	return n
}

// moveDispute goes on with the last dispute, or with "all": "win 0 fee|keeps RATE", "part AMOUNT" (lost but for that), and so on.
func (l *life) moveDispute(d *dispute, e event) bool {
	l.w.readTransactions()
	withdrawn, returned, _ := l.gone(d)
	var after stripetest.Dispute
	var err error
	switch s := l.w.stripe; e.verb {
	case "escalate":
		after, err = s.EscalateDispute(d.id)
	case "evidence":
		after, err = s.SubmitEvidence(d.id)
	case "win":
		rate := percent(e.word(1))
		if rate == 0 || !l.isConverted(d.purchase) || returned > 0 {
			after, err = s.WinDispute(d.id, e.word(0) == "fee")
			break
		}
		after, err = s.ReturnDispute(d.id, stripetest.DisputeReturn{Amount: withdrawn * rate / 100, Status: "won"})
	case "lose":
		after, err = s.LoseDispute(d.id)
	case "part":
		if d.status != "lost" || e.n >= withdrawn-returned {
			return false
		}
		after, err = s.ReturnDispute(d.id, stripetest.DisputeReturn{Amount: e.n, Status: "lost"})
	case "relapse": // lost after it was won
		var again int64
		if rate := percent(e.word(0)); rate != 0 && l.isConverted(d.purchase) {
			again = returned * rate / 100
		}
		after, err = s.WithdrawAgain(d.id, again)
	case "close":
		after, err = s.CloseInquiry(d.id)
	}
	if err != nil {
		return false
	}
	d.status, d.moved = after.Status, l.w.clock()
	d.opened = d.opened || e.verb == "escalate"
	return true
}

// isConverted says whether a purchase's money reached the balance in another currency.
func (l *life) isConverted(p *purchase) bool {
	for _, t := range l.transactionsOf(p) {
		if t.Currency != p.currency {
			return true
		}
	}
	return false
}

// out are the credits of a purchase that a refund has taken and not given back.
func (l *life) out(p *purchase) (credits int64) {
	for _, e := range l.entries {
		if e.purchase == p && (e.kind == "refund" || e.kind == "refund_reversal") {
			credits -= e.credits
		}
	}
	return credits
}

// live is what stays refunded of a purchase.
func (l *life) live(p *purchase) (amount int64) {
	for _, r := range p.refunds {
		if !r.isOff() && !r.surplus {
			amount += r.amount
		}
	}
	return amount
}

// due is what the policy pays back of a purchase: what was captured, less what Stripe took for it, in the charge's currency, half up; not known while
// more may be captured.
func (l *life) due(p *purchase) (amount int64, known bool) {
	c := l.chargeOf(p)
	var settled, fees int64
	for _, t := range l.transactionsOf(p) {
		settled += t.Amount
		for _, fee := range t.Fees {
			if fee.Type == "" || fee.Type == "stripe_fee" || fee.Type == "tax" {
				fees += fee.Amount
			}
		}
	}
	if settled == 0 || !c.Captured {
		return 0, false
	}
	// round half up(fees * captured / settled)
	numerator := new(big.Int).Mul(big.NewInt(2*fees), big.NewInt(c.AmountCaptured))
	numerator.Add(numerator, big.NewInt(settled))
	fee := new(big.Int).Div(numerator, big.NewInt(2*settled)).Int64()
	return max(0, c.AmountCaptured-fee), true
}

// transactionsOf are the balance transactions that took the money of a purchase: of its charge, and of what a partial capture gave back.
func (l *life) transactionsOf(p *purchase) (all []stripetest.BalanceTransaction) {
	for _, t := range l.w.transactions[p.charge] {
		if t.ReportingCategory == "charge" || t.ReportingCategory == "partial_capture_reversal" {
			all = append(all, t)
		}
	}
	return all
}
