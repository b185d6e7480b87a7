package jobs_test

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
)

// The oracle says what a night must come to, in the plainest way there is: it looks at every row of every table again for every
// question. It shares no statement and no rule with the worker but the policy's failure table, the calendar's arithmetic and the
// bounds of a business date, so that where both agree, two readings of the policy do. There is no Stripe here: fees are unknown.
type oracle struct {
	policies  reconcile.Policies
	isHoliday func(reconcile.Date) bool
	zone      *time.Location

	books    platform             // all rows that have arrived, and what the nights posted
	reported []reconcile.Night    // in the order they ran
	lateAt   map[string]time.Time // when an entry or a purchase that arrived late counts, by its id
	final    map[string]string    // approve or deny, by request
	finalAt  map[string]time.Time // when that was decided
	open     map[string]breakRow  // by breakRow.fault
	posted   int
}

func newOracle(policies reconcile.Policies, isHoliday func(reconcile.Date) bool, zone *time.Location) *oracle {
	return &oracle{
		policies: policies, isHoliday: isHoliday, zone: zone,
		lateAt: map[string]time.Time{}, final: map[string]string{}, finalAt: map[string]time.Time{}, open: map[string]breakRow{},
	}
}

// verdict is what the oracle expects of a night.
type verdict struct {
	Breaks      []breakRow
	CreditBacks []creditBackRow
	Windows     []windowRow
	Decisions   []decisionRow
	RollForward []rollRow
	Controls    []controlRow
	Money       []moneyRow
	Rejects     []rejectRow
}

type breakRow struct {
	Kind, Account, Subject string
	Status                 string // open or cleared
	FirstSeen, LastSeen    string
	Variance               *big.Int // ours - theirs
	Unit                   string
}

func (b breakRow) fault() string { return b.Kind + "|" + b.Subject }

type creditBackRow struct {
	Job, Account, Class     string
	Debited, CreditedBefore *big.Int
	CreditBack              int64
	Decision, Clause        string
}

type windowRow struct {
	Purchase, Account    string
	CompletedAt, Expires time.Time
	State                string
	Credits, Used        int64
	AmountMinor          int64
	Currency             string
}

type decisionRow struct {
	Request, Account, Purchase, Job string
	Due                             string
	Decision, Currency, Clauses     string
}

type controlRow struct {
	Check, Unit                        string
	Scanned, Matched, Awaiting, Breaks *big.Int
}

type rejectRow struct{ Relation, Row string }

// moneyRow is the roll-forward in one currency, as far as the rules alone settle it: which column takes a change of value that two
// causes share does not matter to what is left.
type moneyRow struct {
	Currency                                string
	Opening, Purchases, LatePurchases, Left *big.Int
}

type rollRow struct {
	Measure                                                                        string
	Opening, Purchases, Promotions, Usage, CreditBacks, Refunds, Adjustments, Late *big.Int
	Closing, FromLots                                                              *big.Int
}

// Rows as the rules see them: those that keep the contract, without pointers.

type validJob struct {
	id, account, status, code string
	cost                      int64
	created                   time.Time
	finished                  time.Time // zero while it has not finished
}

type validPurchase struct {
	id, account, kind, status, invoice, currency string
	credits, amount                              int64
	created                                      time.Time
	completed                                    time.Time // zero while it is not completed
}

type posting struct {
	id, account, kind, purchase, job string
	credits                          int64
	created                          time.Time
	at                               time.Time // when it counts
	late                             bool
}

type validRequest struct {
	id, account, email, kind, purchase, job, invoice, date, currency, status string
	amount                                                                   *int64
	requested, decided                                                       time.Time
	unreasoned                                                               bool
}

func oneOf(value *string, allowed ...string) bool {
	return value != nil && slices.Contains(allowed, *value)
}

// jobs are those that exist as of an instant. A finish at or after it has not happened.
func (o *oracle) jobs(asOf time.Time) []validJob {
	var valid []validJob
	for _, r := range o.books.Jobs {
		if !keepsContractJob(r) || !r.CreatedAt.Before(asOf) {
			continue
		}
		j := validJob{id: r.ID, account: *r.AccountID, status: *r.Status, code: deref(r.FailureCode), cost: *r.CreditCost, created: *r.CreatedAt}
		if oneOf(r.Status, "succeeded", "failed", "interrupted", "canceled") && r.FinishedAt.Before(asOf) {
			j.finished = *r.FinishedAt
		}
		valid = append(valid, j)
	}
	return valid
}

func keepsContractJob(r job) bool {
	if r.AccountID == nil || r.Model == nil || r.CreditCost == nil || *r.CreditCost < 0 || r.CreatedAt == nil ||
		!oneOf(r.Kind, "fine_tune", "image", "video") {
		return false
	}
	switch {
	case oneOf(r.Status, "queued", "running"):
		return r.FinishedAt == nil
	case oneOf(r.Status, "succeeded", "failed", "interrupted", "canceled"):
		return r.FinishedAt != nil && !r.FinishedAt.Before(*r.CreatedAt)
	}
	return false
}

func (o *oracle) purchases(asOf time.Time) []validPurchase {
	var valid []validPurchase
	for _, r := range o.books.Purchases {
		if !keepsContractPurchase(r) || !r.CreatedAt.Before(asOf) {
			continue
		}
		p := validPurchase{id: r.ID, account: *r.AccountID, kind: *r.Kind, status: *r.Status, invoice: deref(r.InvoiceID), currency: *r.Currency,
			credits: *r.Credits, amount: *r.AmountMinor, created: *r.CreatedAt}
		if *r.Status == "completed" {
			if r.CompletedAt.Before(asOf) {
				p.completed = *r.CompletedAt
			} else {
				p.status = "pending"
			}
		}
		valid = append(valid, p)
	}
	return valid
}

func keepsContractPurchase(r purchase) bool {
	if r.AccountID == nil || r.Credits == nil || *r.Credits < 0 || r.AmountMinor == nil || *r.AmountMinor < 0 || r.Currency == nil ||
		r.CreatedAt == nil || !oneOf(r.Kind, "credits", "subscription") || !oneOf(r.Status, "pending", "completed", "failed") {
		return false
	}
	return *r.Status != "completed" || r.CompletedAt != nil && !r.CompletedAt.Before(*r.CreatedAt)
}

// entries are those that count before an instant.
func (o *oracle) entries(before time.Time) []posting {
	var valid []posting
	for _, r := range o.books.Entries {
		if !keepsContractEntry(r) {
			continue
		}
		e := posting{id: r.ID, account: *r.AccountID, kind: *r.Kind, purchase: deref(r.PurchaseID), job: deref(r.JobID), credits: *r.Credits,
			created: *r.CreatedAt, at: *r.CreatedAt}
		if at, late := o.lateAt[r.ID]; late {
			e.at, e.late = at, true
		}
		if e.at.Before(before) {
			valid = append(valid, e)
		}
	}
	return valid
}

func keepsContractEntry(r entry) bool {
	if r.AccountID == nil || r.Credits == nil || r.CreatedAt == nil || r.Kind == nil {
		return false
	}
	switch *r.Kind {
	case "purchase", "promo", "credit_back", "refund_reversal":
		return *r.Credits >= 0
	case "usage", "refund":
		return *r.Credits <= 0
	case "adjustment":
		return true
	}
	return false
}

func (o *oracle) requests(asOf time.Time) []validRequest {
	var valid []validRequest
	for _, r := range o.books.Requests {
		if !keepsContractRequest(r) || !r.RequestedAt.Before(asOf) {
			continue
		}
		q := validRequest{id: r.ID, account: deref(r.AccountID), email: *r.AccountEmail, kind: *r.Kind, purchase: deref(r.PurchaseID),
			job: deref(r.JobID), invoice: deref(r.InvoiceID), date: deref(r.StatedDate), currency: deref(r.StatedCurrency),
			amount: r.StatedAmountMinor, status: *r.Status, requested: *r.RequestedAt,
			unreasoned: strings.TrimSpace(*r.Reason) == ""}
		if r.DecidedAt != nil {
			q.decided = *r.DecidedAt
		}
		if r.DecidedAt != nil && !r.DecidedAt.Before(asOf) {
			q.status = "pending"
		}
		valid = append(valid, q)
	}
	return valid
}

func keepsContractRequest(r request) bool {
	return r.AccountEmail != nil && r.Reason != nil && r.RequestedAt != nil && oneOf(r.Kind, "unused_credits", "failed_job") &&
		oneOf(r.Status, "pending", "approved", "denied", "withdrawn") && (r.DecidedAt == nil || !r.DecidedAt.Before(*r.RequestedAt))
}

// rejects are the rows of the night that break the contract, and those without the time that would say of which night they are.
func (o *oracle) rejects(n reconcile.Night) []rejectRow {
	ofNight := func(stamps ...*time.Time) bool {
		return stamps[0] == nil || slices.ContainsFunc(stamps, func(t *time.Time) bool { return t != nil && isOf(n, *t) })
	}
	var rows []rejectRow
	for _, r := range o.books.Purchases {
		if !keepsContractPurchase(r) && ofNight(r.CreatedAt, r.CompletedAt) {
			rows = append(rows, rejectRow{"purchases", r.ID})
		}
	}
	for _, r := range o.books.Jobs {
		if !keepsContractJob(r) && ofNight(r.CreatedAt, r.FinishedAt) {
			rows = append(rows, rejectRow{"jobs", r.ID})
		}
	}
	for _, r := range o.books.Entries {
		if !keepsContractEntry(r) && ofNight(r.CreatedAt) {
			rows = append(rows, rejectRow{"credit_entries", r.ID})
		}
	}
	for _, r := range o.books.Requests {
		if !keepsContractRequest(r) && ofNight(r.RequestedAt) {
			rows = append(rows, rejectRow{"refund_requests", r.ID})
		}
	}
	return rows
}

// lateRejects break the contract too, and arrive when the night that they are stamped in has been reported: the open one names them.
func (o *oracle) lateRejects(n reconcile.Night, turnedUp platform) []rejectRow {
	late := func(stamps ...*time.Time) bool {
		was := func(t *time.Time) bool {
			return t != nil && slices.ContainsFunc(o.reported, func(r reconcile.Night) bool { return isOf(r, *t) })
		}
		ahead := func(t *time.Time) bool { return t != nil && !t.Before(n.Begin) }
		return slices.ContainsFunc(stamps, was) && !slices.ContainsFunc(stamps[1:], ahead)
	}
	var rows []rejectRow
	for _, r := range turnedUp.Purchases {
		if !keepsContractPurchase(r) && late(r.CreatedAt, r.CompletedAt) {
			rows = append(rows, rejectRow{"purchases", r.ID})
		}
	}
	for _, r := range turnedUp.Jobs {
		if !keepsContractJob(r) && late(r.CreatedAt, r.FinishedAt) {
			rows = append(rows, rejectRow{"jobs", r.ID})
		}
	}
	for _, r := range turnedUp.Entries {
		if !keepsContractEntry(r) && late(r.CreatedAt) {
			rows = append(rows, rejectRow{"credit_entries", r.ID})
		}
	}
	for _, r := range turnedUp.Requests {
		if !keepsContractRequest(r) && late(r.RequestedAt) {
			rows = append(rows, rejectRow{"refund_requests", r.ID})
		}
	}
	return rows
}

// night is the whole night of a business date, with the rows that have arrived before it. Nights are asked for in order.
func (o *oracle) night(n reconcile.Night, more platform) verdict {
	o.books.add(more)
	o.bookLateItems(n, more)
	var v verdict
	v.CreditBacks = o.creditBacks(n)
	v.Windows = o.windows(n)
	v.Decisions = o.decisions(n)
	v.Breaks = o.breaks(n)
	v.RollForward = o.rollForward(n)
	v.Controls = o.controls(n, v)
	v.Money = o.money(n)
	v.Rejects = append(o.rejects(n), o.lateRejects(n, more)...)
	o.post(n, v)
	o.reported = append(o.reported, n)
	return v
}

// bookLateItems: a row that arrives in an already reported period, or in the time before, is booked in the open one.
func (o *oracle) bookLateItems(n reconcile.Night, turnedUp platform) {
	if len(o.reported) == 0 {
		return
	}
	isLate := func(at time.Time) bool {
		return at.Before(o.reported[0].Begin) || slices.ContainsFunc(o.reported, func(earlier reconcile.Night) bool { return isOf(earlier, at) })
	}
	for _, e := range turnedUp.Entries {
		if keepsContractEntry(e) && isLate(*e.CreatedAt) {
			o.lateAt[e.ID] = n.Begin
		}
	}
	for _, p := range turnedUp.Purchases {
		if keepsContractPurchase(p) && p.CompletedAt != nil && isLate(*p.CompletedAt) {
			o.lateAt[p.ID] = n.Begin
		}
	}
}

// ownPosting begins the id of what the worker has booked.
const ownPosting = "~posted-"

// post books what the night decided: at its as-of, so that it does not see it itself.
func (o *oracle) post(n reconcile.Night, v verdict) {
	for _, c := range v.CreditBacks {
		if c.Decision == "credited" {
			o.posted++
			o.books.Entries = append(o.books.Entries, entry{ID: ownPosting + fmt.Sprint(o.posted), AccountID: ref(c.Account), Kind: ref("credit_back"),
				Credits: ref(c.CreditBack), JobID: ref(c.Job), CreatedAt: ref(n.AsOf())})
		}
	}
	for _, d := range v.Decisions {
		if d.Decision == "approve" || d.Decision == "deny" {
			o.final[d.Request], o.finalAt[d.Request] = d.Decision, n.AsOf()
		}
	}
}

// allEntries are those that have arrived so far, whatever their time.
func (o *oracle) allEntries() []posting { return o.entries(endOfTime) }

var endOfTime = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// lines is the verdict as text, a row a line, sorted: for comparing and for showing.
func (v verdict) lines() []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for _, b := range v.Breaks {
		add("break       %s of %s account=%s %s first=%s last=%s variance=%s %s", b.Kind, b.Subject, b.Account, b.Status, b.FirstSeen, b.LastSeen,
			b.Variance, b.Unit)
	}
	for _, c := range v.CreditBacks {
		add("credit-back %s account=%s %s debited=%s before=%s back=%d %s clause=%s", c.Job, c.Account, c.Class, c.Debited, c.CreditedBefore,
			c.CreditBack, c.Decision, c.Clause)
	}
	for _, w := range v.Windows {
		add("window      %s account=%s %s used=%d of %d paid=%d %s completed=%s expires=%s", w.Purchase, w.Account, w.State, w.Used, w.Credits,
			w.AmountMinor, w.Currency, instant(w.CompletedAt), instant(w.Expires))
	}
	for _, d := range v.Decisions {
		add("decision    %s account=%s purchase=%s job=%s due=%s %s currency=%s clauses=%s", d.Request, d.Account, d.Purchase, d.Job, d.Due,
			d.Decision, d.Currency, d.Clauses)
	}
	for _, r := range v.Rejects {
		add("reject      %s of %s", r.Row, r.Relation)
	}
	for _, r := range v.RollForward {
		add("roll        %s opening=%s purchases=%s promotions=%s usage=%s credit_backs=%s refunds=%s adjustments=%s late=%s closing=%s lots=%s", r.Measure,
			r.Opening, r.Purchases, r.Promotions, r.Usage, r.CreditBacks, r.Refunds, r.Adjustments, r.Late, r.Closing, r.FromLots)
	}
	slices.Sort(lines)
	return lines
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999Z") }

// control is a control total in the making: amounts by what became of them.
type control struct{ matched, awaiting, broken *big.Int }

func newControl() *control { return &control{new(big.Int), new(big.Int), new(big.Int)} }

func (c *control) add(outcome string, amount int64) {
	sum := map[string]*big.Int{"matched": c.matched, "awaiting": c.awaiting, "breaks": c.broken}[outcome]
	sum.Add(sum, big.NewInt(amount))
}

func (c *control) row(check, unit string) controlRow {
	scanned := new(big.Int).Add(c.matched, c.awaiting)
	return controlRow{Check: check, Unit: unit, Scanned: scanned.Add(scanned, c.broken), Matched: c.matched, Awaiting: c.awaiting, Breaks: c.broken}
}

// controls are the control totals of the night: every row and every credit of it, matched, awaiting or broken.
func (o *oracle) controls(n reconcile.Night, v verdict) []controlRow {
	broken := map[string]bool{}
	for _, b := range v.Breaks {
		if b.Status == "open" {
			broken[b.Unit+b.Subject] = true // of what is counted here, those in credits
		}
	}
	outcome := func(subject string) string {
		if broken["credits"+subject] {
			return "breaks"
		}
		return "matched"
	}
	entries := pick(o.entries(n.AsOf()), func(e posting) bool { return isOf(n, e.at) })
	return slices.Concat(o.jobControls(n, v, entries, outcome), o.purchaseControls(n, v, entries, outcome))
}

func (o *oracle) jobControls(n reconcile.Night, v verdict, entries []posting, outcome func(subject string) string) []controlRow {
	finished, cost, debits, unfinished, failed := newControl(), newControl(), newControl(), newControl(), newControl()
	waiting := o.rejectedJobs()
	for _, j := range o.jobs(n.AsOf()) {
		switch {
		case isOf(n, j.finished):
			finished.add(outcome(j.id), 1)
			cost.add(outcome(j.id), j.cost)
		case j.finished.IsZero() && n.AsOf().Sub(j.created) > 48*time.Hour:
			unfinished.add("breaks", 1)
		case j.finished.IsZero():
			unfinished.add("awaiting", 1)
		}
		waiting[j.id] = j.finished.IsZero()
	}
	for _, e := range entries {
		if e.kind != "usage" {
			continue
		}
		became := outcome(cmp.Or(e.job, "entry:"+e.id))
		if became == "matched" && waiting[e.job] {
			became = "awaiting"
		}
		debits.add(became, -e.credits)
	}
	posted, credits := newControl(), newControl()
	for _, c := range v.CreditBacks {
		if c.Decision == "credited" {
			posted.add("matched", 1)
			credits.add("matched", c.CreditBack)
		}
	}
	for _, c := range v.CreditBacks {
		for _, j := range o.jobs(n.AsOf()) {
			switch {
			case j.id != c.Job || !unsuccessful(j) || !isOf(n, j.finished):
			case c.Decision == "pending":
				failed.add("awaiting", 1)
			default:
				failed.add("matched", 1)
			}
		}
	}
	return []controlRow{finished.row("finished jobs", "jobs"), cost.row("cost of finished jobs", "credits"), debits.row("debits of the night", "credits"),
		unfinished.row("unfinished jobs", "jobs"), failed.row("failed jobs decided", "jobs"), posted.row("credit-backs in the ledger", "entries"),
		credits.row("credit-backs in the ledger", "credits")}
}

func (o *oracle) purchaseControls(n reconcile.Night, v verdict, entries []posting, outcome func(subject string) string) []controlRow {
	completed, credits, grants, opened, requests := newControl(), newControl(), newControl(), newControl(), newControl()
	rejected := map[string]bool{}
	for _, r := range o.books.Purchases {
		rejected[r.ID] = !keepsContractPurchase(r)
	}
	for _, p := range o.purchases(n.AsOf()) {
		if isOf(n, p.completed) {
			completed.add(outcome(p.id), 1)
			credits.add(outcome(p.id), p.credits)
			if p.kind == "credits" {
				opened.add("matched", 1)
			}
		}
	}
	for _, e := range entries {
		if e.kind != "purchase" {
			continue
		}
		became := outcome(cmp.Or(e.purchase, "entry:"+e.id))
		if rejected[e.purchase] {
			became = "awaiting"
		}
		grants.add(became, e.credits)
	}
	for _, d := range v.Decisions {
		if d.Decision == "approve" || d.Decision == "deny" {
			requests.add("matched", 1)
		} else {
			requests.add("awaiting", 1)
		}
	}
	return []controlRow{completed.row("completed purchases", "purchases"), credits.row("credits purchased", "credits"), grants.row("grants of the night", "credits"),
		opened.row("refund windows opened", "purchases"), requests.row("refund requests", "requests")}
}

// watched says whether the nights have looked at an instant: those since the first one that ran.
func (o *oracle) watched(n reconcile.Night, t time.Time) bool {
	first := n.Begin
	for _, earlier := range o.reported {
		if earlier.Begin.Before(first) {
			first = earlier.Begin
		}
	}
	return !t.Before(first) && t.Before(n.AsOf())
}

// Sums, without bounds.

func total(entries []posting, which func(posting) bool) *big.Int {
	sum := new(big.Int)
	for _, e := range entries {
		if which(e) {
			sum.Add(sum, big.NewInt(e.credits))
		}
	}
	return sum
}

func count(entries []posting, which func(posting) bool) int {
	return len(pick(entries, which))
}

func negated(n *big.Int) *big.Int { return new(big.Int).Neg(n) }

func minus(a, b *big.Int) *big.Int { return new(big.Int).Sub(a, b) }

func atLeastZero(n *big.Int) *big.Int {
	if n.Sign() < 0 {
		return new(big.Int)
	}
	return n
}

// isDebit: usage of a job and its reversals, which are adjustments that name the job.
func isDebit(e posting) bool { return e.job != "" && (e.kind == "usage" || e.kind == "adjustment") }

// isNothing: a debit of nothing is no reason to look at an older job again.
func isNothing(e posting) bool { return e.kind == "usage" && e.credits == 0 }

// netDebits of a job on one account: what was taken for it and not reversed.
func netDebits(entries []posting, job, account string) *big.Int {
	return negated(total(entries, func(e posting) bool { return isDebit(e) && e.job == job && e.account == account }))
}

func creditedBack(entries []posting, job, account string) *big.Int {
	return total(entries, func(e posting) bool { return e.kind == "credit_back" && e.job == job && e.account == account })
}

// asBigint: no single entry can hold more, so no job is credited back more either.
func asBigint(n *big.Int) *big.Int {
	if most := big.NewInt(math.MaxInt64); n.Cmp(most) > 0 {
		return most
	}
	return n
}

func (o *oracle) classify(j validJob) reconcile.Classification {
	policy, err := o.policies.At(j.finished)
	if err != nil {
		panic(err)
	}
	return policy.Failures.Classify(reconcile.JobStatus(j.status), j.code)
}

func unsuccessful(j validJob) bool {
	return !j.finished.IsZero() && slices.Contains([]string{"failed", "interrupted", "canceled"}, j.status)
}

// creditBacks (clause 3): every job that failed in the night, those that a later debit leaves something due for, and those that others
// credited back in it, however they ended.
func (o *oracle) creditBacks(n reconcile.Night) []creditBackRow {
	entries := o.entries(n.AsOf())
	var rows []creditBackRow
	for _, j := range o.jobs(n.AsOf()) {
		byOthers := count(entries, func(e posting) bool {
			return isCreditBack(e) && e.credits > 0 && e.job == j.id && isOf(n, e.at) && !strings.HasPrefix(e.id, ownPosting)
		}) > 0
		if !unsuccessful(j) && !byOthers {
			continue
		}
		debited, before := asBigint(netDebits(entries, j.id, j.account)), asBigint(creditedBack(entries, j.id, j.account))
		var class reconcile.Classification
		if unsuccessful(j) {
			class = o.classify(j)
		}
		row := creditBackRow{Job: j.id, Account: j.account, Class: string(class.Class), Debited: debited, CreditedBefore: before}
		// Never twice, whatever is backfilled: what was credited back after this night counts as well.
		due := minus(atLeastZero(debited), creditedBack(o.allEntries(), j.id, j.account))
		switch {
		case !unsuccessful(j):
			row.Class, row.Decision, row.Clause = "unknown", "not_due", "3"
		case class.Class == reconcile.FailureSystem && due.Sign() > 0:
			row.Decision, row.Clause, row.CreditBack = "credited", "3.1", due.Int64()
		case class.Class == reconcile.FailureSystem:
			row.Decision, row.Clause = "not_due", "3.1"
		case class.Class == reconcile.FailureUser:
			row.Decision, row.Clause = "not_due", "3.2"
		default:
			row.Decision, row.Clause = "pending", "3"
		}
		touched := count(entries, func(e posting) bool { return isDebit(e) && !isNothing(e) && e.job == j.id && isOf(n, e.at) }) > 0
		turnedUp := o.turnedUpLate(n, j)
		if unsuccessful(j) && isOf(n, j.finished) || row.Decision == "credited" && (touched || turnedUp) || byOthers {
			rows = append(rows, row)
		}
	}
	return rows
}

// turnedUpLate: the job's row was not there yet when its night was reported.
func (o *oracle) turnedUpLate(n reconcile.Night, j validJob) bool {
	for _, r := range o.books.Jobs {
		if r.ID == j.id {
			return r.Turn == len(o.reported) && r.Turn > 0 && j.finished.Before(n.Begin) && o.watched(n, j.finished)
		}
	}
	return false
}

// Lots (clause 2).

type lot struct {
	id       string // of the purchase, else of the entry that granted it
	purchase string // empty for promotions and positive adjustments
	granted  time.Time
	credits  *big.Int
	gone     bool // refunded
	used     *big.Int
}

// lots of an account in the order in which they burn, with what is used of each; overdrawn is usage that
// no lot covers, and below 0 what was credited back beyond all usage.
func (o *oracle) lots(account string, asOf time.Time) (ordered []lot, overdrawn *big.Int) {
	entries := pick(o.entries(asOf), func(e posting) bool { return e.account == account })
	net := new(big.Int)
	for _, e := range entries {
		credits := big.NewInt(e.credits)
		switch e.kind {
		case "purchase":
			ordered = grow(ordered, e, refunded(entries, e.purchase))
		case "promo":
			ordered = append(ordered, lot{id: e.id, granted: e.created, credits: credits})
		case "usage", "credit_back":
			net.Sub(net, credits)
		case "adjustment":
			if e.credits > 0 {
				ordered = append(ordered, lot{id: e.id, granted: e.created, credits: credits})
			} else {
				net.Sub(net, credits)
			}
		}
	}
	slices.SortFunc(ordered, func(a, b lot) int { return cmp.Or(a.granted.Compare(b.granted), cmp.Compare(a.id, b.id)) })
	before := new(big.Int)
	for i := range ordered {
		l := &ordered[i]
		l.used = new(big.Int)
		if l.gone {
			continue
		}
		l.used = atLeastZero(minus(net, before))
		if l.used.Cmp(l.credits) > 0 {
			l.used = l.credits
		}
		before = new(big.Int).Add(before, l.credits)
	}
	if net.Sign() < 0 {
		return ordered, net
	}
	return ordered, atLeastZero(minus(net, before))
}

// grow adds a grant to the lot of its purchase, which is as old as the first grant.
func grow(lots []lot, e posting, gone bool) []lot {
	credits := big.NewInt(e.credits)
	for i, l := range lots {
		if l.purchase != "" && l.purchase == e.purchase {
			lots[i].credits = new(big.Int).Add(l.credits, credits)
			if e.created.Before(l.granted) {
				lots[i].granted = e.created
			}
			return lots
		}
	}
	return append(lots, lot{id: cmp.Or(e.purchase, e.id), purchase: e.purchase, granted: e.created, credits: credits, gone: gone})
}

// refunded: credits of the purchase were taken out for a refund and not put back.
func refunded(entries []posting, purchase string) bool {
	return purchase != "" && total(entries, func(e posting) bool {
		return e.purchase == purchase && (e.kind == "refund" || e.kind == "refund_reversal")
	}).Sign() < 0
}

func (o *oracle) refunded(p validPurchase, asOf time.Time) bool {
	return refunded(pick(o.entries(asOf), func(e posting) bool { return e.account == p.account }), p.id)
}

func (o *oracle) usedOf(p validPurchase, asOf time.Time) int64 {
	ordered, _ := o.lots(p.account, asOf)
	used := new(big.Int)
	for _, l := range ordered {
		if l.purchase == p.id {
			used.Add(used, l.used)
		}
	}
	if used.Cmp(big.NewInt(p.credits)) > 0 {
		return p.credits
	}
	return used.Int64()
}

// windows: those that were open or requested at opening, and those that opened or changed state in the night.
func (o *oracle) windows(n reconcile.Night) []windowRow {
	var rows []windowRow
	for _, p := range o.purchases(n.AsOf()) {
		if p.kind != "credits" || p.completed.IsZero() {
			continue
		}
		expires := o.expires(p)
		before, now := o.windowState(p, expires, n.Begin), o.windowState(p, expires, n.AsOf())
		if before == "open" || before == "requested" || before != now {
			rows = append(rows, windowRow{Purchase: p.id, Account: p.account, CompletedAt: p.completed, Expires: expires, State: now,
				Credits: p.credits, Used: o.usedOf(p, n.AsOf()), AmountMinor: p.amount, Currency: p.currency})
		}
	}
	return rows
}

// expires is the last instant for a request: 168 h after completion, by the policy in force then.
func (o *oracle) expires(p validPurchase) time.Time {
	policy, err := o.policies.At(p.completed)
	if err != nil {
		panic(err)
	}
	return p.completed.Add(policy.RefundWindow)
}

// windowState is the first that applies: refunded, disputed, used, requested, expired, open; "" before the purchase was completed.
func (o *oracle) windowState(p validPurchase, expires, asOf time.Time) string {
	switch {
	case !p.completed.Before(asOf):
		return ""
	case o.refunded(p, asOf):
		return "refunded"
	case o.usedOf(p, asOf) > 0:
		return "used"
	case o.requested(p, expires, asOf):
		return "requested"
	case expires.Before(asOf):
		return "expired"
	default:
		return "open"
	}
}

// requested: a request made in time holds the window while it is undecided, or approved and not yet paid.
func (o *oracle) requested(p validPurchase, expires, asOf time.Time) bool {
	for _, q := range o.requests(asOf) {
		if q.kind != "unused_credits" || q.requested.After(expires) || q.status == "denied" || q.status == "withdrawn" {
			continue
		}
		if o.final[q.id] == "deny" && o.finalAt[q.id].Before(asOf) {
			continue
		}
		if matches, _ := o.match(q, asOf); len(matches) == 1 && matches[0].id == p.id {
			return true
		}
	}
	return false
}

// match finds the purchases that a request means: by the id it names, else by invoice, else by account, date, amount and currency.
// owner is false when the account of the request is known and not the purchase's.
func (o *oracle) match(q validRequest, asOf time.Time) (matches []validPurchase, owner bool) {
	accounts := o.accountsOf(q)
	for _, p := range o.purchases(asOf) {
		var fits bool
		switch {
		case q.purchase != "":
			fits = p.id == q.purchase
		case q.invoice != "":
			fits = p.invoice == q.invoice
		default:
			fits = !p.completed.IsZero() && slices.Contains(accounts, p.account) && slices.Contains(o.accountsOfEmail(q.email), p.account) &&
				q.date == reconcile.DateOf(p.completed.In(o.zone)).String() && q.amount != nil && *q.amount == p.amount && q.currency == p.currency
		}
		if fits {
			matches = append(matches, p)
		}
	}
	owner = len(matches) != 1 || slices.Contains(accounts, matches[0].account)
	return matches, owner
}

// accountsOf a request: the one it names, else those with its e-mail address.
func (o *oracle) accountsOf(q validRequest) []string {
	if q.account != "" {
		return []string{q.account}
	}
	return o.accountsOfEmail(q.email)
}

// contradictsItself: a request of one account that names the e-mail address of another.
func (o *oracle) contradictsItself(q validRequest) bool {
	ids := o.accountsOfEmail(q.email)
	return q.account != "" && len(ids) > 0 && !slices.Contains(ids, q.account)
}

func (o *oracle) accountsOfEmail(email string) []string {
	var ids []string
	for _, a := range o.books.Accounts {
		if a.Email != nil && strings.EqualFold(strings.TrimSpace(*a.Email), strings.TrimSpace(email)) {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

// decisions: every request that was undecided at opening or arrived in the night.
func (o *oracle) decisions(n reconcile.Night) []decisionRow {
	atOpening := map[string]validRequest{}
	for _, q := range o.requests(n.Begin) {
		atOpening[q.id] = q
	}
	backs := o.withCreditBacks(n)
	var rows []decisionRow
	for _, q := range o.requests(n.AsOf()) {
		if o.final[q.id] != "" {
			continue
		}
		if opening, wasThere := atOpening[q.id]; wasThere && opening.status != "pending" {
			continue
		}
		row := decisionRow{Request: q.id, Account: o.accountOf(q, n.AsOf()), Due: o.dueDate(q).String()}
		var clauses []string
		if q.kind == "failed_job" {
			if o.jobExists(q.job, n.AsOf()) {
				row.Job = q.job
			}
			row.Decision, clauses = o.decideJob(q, n.AsOf())
		} else {
			row.Purchase, row.Currency, row.Decision, clauses = o.decidePurchase(q, n.AsOf(), backs)
		}
		if q.status == "approved" {
			clauses = append(clauses, "6")
		}
		slices.Sort(clauses)
		row.Clauses = strings.Join(slices.Compact(clauses), "; ")
		rows = append(rows, row)
	}
	return rows
}

// withCreditBacks are the books with what the night credits back, as if it had been just before its end: a failure of ours that was credited back
// used nothing.
func (o *oracle) withCreditBacks(n reconcile.Night) *oracle {
	after := *o
	after.books.Entries = slices.Clone(o.books.Entries)
	for _, c := range o.creditBacks(n) {
		if c.Decision == "credited" {
			after.books.Entries = append(after.books.Entries, entry{ID: ownPosting + c.Job, AccountID: ref(c.Account), Kind: ref("credit_back"),
				Credits: ref(c.CreditBack), JobID: ref(c.Job), CreatedAt: ref(n.AsOf().Add(-time.Microsecond))})
		}
	}
	return &after
}

// accountOf a request: the one it names, else that of what it is about, else the only one with its e-mail address.
func (o *oracle) accountOf(q validRequest, asOf time.Time) string {
	if q.account != "" {
		return q.account
	}
	if q.kind == "failed_job" {
		for _, j := range o.jobs(asOf) {
			if j.id == q.job {
				return j.account
			}
		}
	} else if matches, _ := o.match(q, asOf); len(matches) == 1 {
		return matches[0].account
	}
	if ids := o.accountsOfEmail(q.email); len(ids) == 1 {
		return ids[0]
	}
	return ""
}

func closedByPlatform(q validRequest) bool { return q.status == "denied" || q.status == "withdrawn" }

func (o *oracle) jobExists(id string, asOf time.Time) bool {
	return slices.ContainsFunc(o.jobs(asOf), func(j validJob) bool { return j.id == id })
}

// decidePurchase (clauses 1, 2, 4, 6). The fee is never known here: what nothing speaks against waits, unless nothing was paid, so that
// whatever the fee, nothing is paid back.
func (o *oracle) decidePurchase(q validRequest, asOf time.Time, backs *oracle) (purchase, currency, decision string, clauses []string) {
	matches, owner := o.match(q, asOf)
	if len(matches) == 1 {
		purchase = matches[0].id
	}
	var against []string
	var answered time.Time
	var before bool
	if len(matches) == 1 {
		answered, before = o.answered(q, matches[0], asOf)
	}
	if closedByPlatform(q) && (answered.IsZero() || q.decided.IsZero() || q.decided.Before(answered)) {
		against = append(against, "6")
	}
	if len(matches) != 1 || !owner || o.contradictsItself(q) {
		if against != nil {
			return purchase, "", "deny", against
		}
		return purchase, "", "needs_information", []string{"6"}
	}
	p := matches[0]
	if p.completed.IsZero() {
		against = append(against, "2.1")
	}
	if p.kind != "credits" {
		against = append(against, "4.1")
	} else {
		if !p.completed.IsZero() && q.requested.After(o.expires(p)) {
			against = append(against, "2.3")
		}
		used := backs.usedOf(p, asOf)
		if !answered.IsZero() {
			used = o.usedOf(p, answered)
		}
		if used > 0 {
			against = append(against, "2.3")
		}
	}
	if before {
		against = append(against, "1")
	}
	var with []string
	if !answered.IsZero() {
		with = []string{"6"} // it says so
	}
	switch {
	case len(against) > 0:
		return p.id, p.currency, "deny", append(against, with...)
	case q.unreasoned && answered.IsZero():
		return p.id, p.currency, "needs_information", []string{"6"}
	case p.amount == 0:
		return p.id, p.currency, "approve", append([]string{"2.1", "2.2"}, with...)
	default:
		return p.id, p.currency, "waiting", append([]string{"2.2"}, with...)
	}
}

// answered: when the credits of the purchase were taken for a refund that was begun after the request and stands; or else, whether they had been
// taken before it. Money is not known here.
func (o *oracle) answered(q validRequest, p validPurchase, asOf time.Time) (at time.Time, before bool) {
	taken := new(big.Int)
	steps := pick(o.entries(asOf), func(e posting) bool {
		return e.account == p.account && e.purchase == p.id && (e.kind == "refund" || e.kind == "refund_reversal")
	})
	slices.SortStableFunc(steps, func(a, b posting) int { return a.at.Compare(b.at) })
	for _, e := range steps {
		if taken.Sign() <= 0 && e.kind == "refund" {
			at = e.at
		}
		if taken.Sub(taken, big.NewInt(e.credits)); taken.Sign() <= 0 {
			at = time.Time{}
		}
	}
	if before = !at.IsZero() && at.Before(q.requested); before {
		return time.Time{}, true
	}
	return at, false
}

// decideJob (clause 3): costs come back as credits, by the nightly credit-backs.
func (o *oracle) decideJob(q validRequest, asOf time.Time) (string, []string) {
	var meant *validJob
	for _, j := range o.jobs(asOf) {
		if j.id == q.job {
			meant = &j
		}
	}
	if meant == nil || o.contradictsItself(q) || !slices.Contains(o.accountsOf(q), meant.account) {
		if closedByPlatform(q) {
			return "deny", []string{"6"}
		}
		return "needs_information", []string{"6"}
	}
	decision, clause := "waiting", "3"
	switch {
	case meant.finished.IsZero():
	case meant.status == "succeeded":
		decision, clause = "deny", "1"
	case o.classify(*meant).Class == reconcile.FailureUser:
		decision, clause = "deny", "3.2"
	case o.classify(*meant).Class == reconcile.FailureSystem:
		decision, clause = "approve", "3.1"
	}
	switch {
	case closedByPlatform(q) && decision == "deny":
		return "deny", []string{"6", clause}
	case closedByPlatform(q):
		return "deny", []string{"6"}
	}
	return decision, []string{clause}
}

// dueDate is the seventh business day after the request's business date (clause 6).
func (o *oracle) dueDate(q validRequest) reconcile.Date {
	date := reconcile.DateOf(q.requested.In(o.zone))
	for left := 7; left > 0; {
		date = date.AddDays(1)
		if date.Weekday() != time.Saturday && date.Weekday() != time.Sunday && !o.isHoliday(date) {
			left--
		}
	}
	return date
}

// breaks: what is wrong as of the night, and what was until the night before and no longer is.
func (o *oracle) breaks(n reconcile.Night) []breakRow {
	found := map[string]breakRow{}
	add := func(kind reconcile.BreakKind, account, subject string, variance *big.Int, unit string) {
		b := breakRow{Kind: string(kind), Account: account, Subject: subject, Status: "open", FirstSeen: n.Date.String(), LastSeen: n.Date.String(),
			Variance: variance, Unit: unit}
		if known, ok := o.open[b.fault()]; ok {
			b.FirstSeen, b.Account = known.FirstSeen, known.Account // the same break, older
		}
		found[b.fault()] = b
	}
	o.jobBreaks(n, add)
	o.purchaseBreaks(n, add)
	o.accountBreaks(n, add)
	o.requestBreaks(n, add)
	var rows []breakRow
	for _, b := range found {
		rows = append(rows, b)
	}
	for fault, b := range o.open {
		if _, still := found[fault]; !still {
			b.Status = "cleared"
			rows = append(rows, b)
		}
	}
	o.open = found
	return rows
}

type addBreak func(kind reconcile.BreakKind, account, subject string, variance *big.Int, unit string)

func (o *oracle) jobBreaks(n reconcile.Night, add addBreak) {
	entries := o.entries(n.AsOf())
	known := o.rejectedJobs()
	for _, j := range o.jobs(n.AsOf()) {
		known[j.id] = true
		if j.finished.IsZero() && n.AsOf().Sub(j.created) > 48*time.Hour {
			add(reconcile.JobStuck, j.account, j.id, new(big.Int), "")
		}
		named := pick(entries, func(e posting) bool { return e.job == j.id })
		if !o.watched(n, j.finished) && count(named, func(e posting) bool { return o.watched(n, e.at) && !isNothing(e) }) == 0 {
			continue
		}
		own := standing(named, j.account)
		foreignDebits, foreignCredits := foreign(named, j.account)
		if kind := o.debitBreak(j, named); kind != "" {
			variance := minus(big.NewInt(j.cost), own.debited)
			if variance.Sign() < 0 {
				variance.Add(variance, own.credited) // some of the surplus is back
			}
			add(kind, j.account, j.id, variance, "credits")
		}
		if foreignDebits.Sign() != 0 {
			variance := minus(big.NewInt(j.cost), own.debited)
			if variance.Sign() <= 0 { // it lacks nothing
				variance = negated(foreignDebits)
			}
			add(reconcile.DebitAccountMismatch, j.account, j.id, variance, "credits")
		}
		founded := unsuccessful(j) && o.classify(j).Class != reconcile.FailureUser
		surplus := atLeastZero(minus(own.debited, big.NewInt(j.cost)))
		if j.finished.IsZero() {
			surplus = new(big.Int)
		}
		unfounded := new(big.Int).Set(foreignCredits)
		if !founded {
			unfounded.Add(unfounded, atLeastZero(minus(own.credited, surplus)))
		} else if own.credited.Sign() > 0 && own.credited.Cmp(own.debited) > 0 {
			add(reconcile.CreditBackExceeds, j.account, j.id, minus(own.debited, own.credited), "credits")
		}
		if unfounded.Sign() > 0 {
			add(reconcile.CreditBackUnfounded, cmp.Or(foreignCreditor(named, j.account), j.account), j.id, negated(unfounded), "credits")
		}
		if unsuccessful(j) && o.classify(j).Class == reconcile.FailureUnknown {
			add(reconcile.FailureUnclassified, j.account, j.id, minus(own.debited, own.credited), "credits")
		}
	}
	for _, id := range orphans(entries, known, func(e posting) string { return e.job }) {
		named := pick(entries, func(e posting) bool { return e.job == id })
		if count(named, func(e posting) bool { return o.watched(n, e.at) && !isNothing(e) }) == 0 {
			continue
		}
		debits, credits := foreign(named, "")
		if debits.Sign() != 0 {
			add(reconcile.DebitWithoutJob, foreignDebtor(named, ""), id, negated(debits), "credits")
		}
		if credits.Sign() > 0 {
			add(reconcile.CreditBackUnfounded, foreignCreditor(named, ""), id, negated(credits), "credits")
		}
	}
	for _, e := range entries {
		if e.job == "" && e.credits != 0 && o.watched(n, e.at) {
			switch e.kind { // an entry that names no job stands for itself
			case "usage":
				add(reconcile.DebitWithoutJob, e.account, "entry:"+e.id, big.NewInt(e.credits), "credits")
			case "credit_back":
				add(reconcile.CreditBackUnfounded, e.account, "entry:"+e.id, big.NewInt(-e.credits), "credits")
			}
		}
	}
}

// rejectedJobs break the contract: they are reported as such, and nothing is said about what names them.
func (o *oracle) rejectedJobs() map[string]bool {
	ids := map[string]bool{}
	for _, r := range o.books.Jobs {
		if !keepsContractJob(r) {
			ids[r.ID] = true
		}
	}
	return ids
}

// firstAccount is the first by id of the accounts on which these entries come to anything.
func firstAccount(entries []posting, which func(posting) bool) string {
	var accounts []string
	for _, e := range entries {
		if total(entries, func(other posting) bool { return which(other) && other.account == e.account }).Sign() != 0 {
			accounts = append(accounts, e.account)
		}
	}
	return slices.Min(accounts)
}

// orphans are the ids that entries name and that don't exist.
func orphans(entries []posting, known map[string]bool, name func(posting) string) []string {
	var ids []string
	for _, e := range entries {
		if id := name(e); id != "" && !known[id] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// accountOfJob is what one account was debited for a job and credited back for it, in net.
type accountOfJob struct{ debited, credited *big.Int }

// standing of an account with a job. A credit-back is reversed by taking credits with an adjustment: there is no negative one.
func standing(named []posting, account string) accountOfJob {
	of := pick(named, func(e posting) bool { return e.account == account })
	s := accountOfJob{negated(total(of, isDebit)), total(of, isCreditBack)}
	taken := negated(total(of, func(e posting) bool { return e.kind == "adjustment" && e.credits < 0 }))
	if taken.Cmp(s.credited) > 0 {
		taken = s.credited
	}
	return accountOfJob{minus(s.debited, taken), minus(s.credited, taken)}
}

// foreign is what accounts other than the job's have been debited for it, and what they were given, by what is left of both.
func foreign(named []posting, own string) (debits, credits *big.Int) {
	debits, credits = new(big.Int), new(big.Int)
	for _, account := range accountsOf(named) {
		if s := standing(named, account); account == own {
			continue
		} else if s.credited.Sign() > 0 && s.credited.Cmp(s.debited) > 0 {
			credits.Add(credits, minus(s.credited, s.debited))
		} else {
			debits.Add(debits, minus(s.debited, s.credited))
		}
	}
	return debits, credits
}

func accountsOf(entries []posting) []string {
	var accounts []string
	for _, e := range entries {
		accounts = append(accounts, e.account)
	}
	slices.Sort(accounts)
	return slices.Compact(accounts)
}

// foreignCreditor and foreignDebtor are the first account, by id, that was given or debited anything.
func foreignCreditor(named []posting, own string) string {
	for _, account := range accountsOf(named) {
		if s := standing(named, account); account != own && s.credited.Sign() > 0 && s.credited.Cmp(s.debited) > 0 {
			return account
		}
	}
	return ""
}

func foreignDebtor(named []posting, own string) string {
	for _, account := range accountsOf(named) {
		s := standing(named, account)
		if account != own && s.debited.Cmp(s.credited) != 0 && (s.credited.Sign() <= 0 || s.credited.Cmp(s.debited) < 0) {
			return account
		}
	}
	return ""
}

// debitBreak is what is wrong with what a job's own account was debited, the most specific kind; "" when nothing is, or when it lacks what
// another account was debited. A debit is due when the job has finished. What is credited back in full for a failure of ours, or given back
// of a surplus, needs no other repair.
func (o *oracle) debitBreak(j validJob, named []posting) reconcile.BreakKind {
	foreignDebits, _ := foreign(named, j.account)
	own, cost := standing(named, j.account), big.NewInt(j.cost)
	usages := count(named, func(e posting) bool { return e.kind == "usage" && e.account == j.account })
	entries := count(named, func(e posting) bool { return e.account == j.account && !isNothing(e) })
	surplus := minus(own.debited, cost)
	class := reconcile.FailureUser
	if unsuccessful(j) {
		class = o.classify(j).Class
	}
	switch {
	case j.finished.IsZero() || own.debited.Cmp(cost) == 0 || foreignDebits.Sign() != 0 && surplus.Sign() < 0:
		return ""
	case class != reconcile.FailureUser && entries > 0 && (own.debited.Sign() >= 0 || own.credited.Sign() > 0) &&
		(class == reconcile.FailureSystem || own.credited.Cmp(own.debited) >= 0):
		return ""
	case own.credited.Sign() > 0 && surplus.Sign() > 0 && own.credited.Cmp(surplus) >= 0:
		return ""
	case usages == 0 && own.debited.Sign() == 0:
		return reconcile.JobWithoutDebit
	case usages >= 2 && cost.Sign() > 0 && own.debited.Cmp(new(big.Int).Mul(cost, big.NewInt(int64(usages)))) == 0:
		return reconcile.DuplicateDebit
	default:
		return reconcile.DebitAmountMismatch
	}
}

func isCreditBack(e posting) bool { return e.kind == "credit_back" }

// isGrant: the credits of a purchase, and corrections of them, which are adjustments that name the purchase.
func isGrant(e posting) bool {
	return e.purchase != "" && (e.kind == "purchase" || e.kind == "adjustment")
}

func (o *oracle) purchaseBreaks(n reconcile.Night, add addBreak) {
	entries := o.entries(n.AsOf())
	known := map[string]bool{}
	for _, r := range o.books.Purchases {
		known[r.ID] = !keepsContractPurchase(r) // such rows are rejects; nothing is said about what names them
	}
	for _, p := range o.purchases(n.AsOf()) {
		known[p.id] = true
		named := pick(entries, func(e posting) bool { return e.purchase == p.id && isGrant(e) })
		// What was granted for a purchase that is not completed may also be taken back as by a refund.
		isTaken := func(e posting) bool {
			return p.completed.IsZero() && e.purchase == p.id && e.account == p.account && (e.kind == "refund" || e.kind == "refund_reversal")
		}
		taken := pick(entries, isTaken)
		isWatched := func(e posting) bool { return o.watched(n, e.at) }
		_, late := o.lateAt[p.id]
		if !late && !o.watched(n, p.completed) && count(named, isWatched) == 0 && count(taken, isWatched) == 0 {
			continue
		}
		if len(taken) > 0 && total(named, isGrant).Cmp(negated(total(taken, isTaken))) == 0 {
			continue
		}
		if kind := grantBreak(p, named); kind != "" {
			own := total(pick(named, func(e posting) bool { return e.account == p.account }), isGrant)
			variance := minus(big.NewInt(p.credits), own)
			switch {
			case kind == reconcile.GrantWithoutPurchase:
				variance = negated(total(named, isGrant))
			case variance.Sign() == 0:
				variance = minus(own, total(named, isGrant))
			}
			add(kind, p.account, p.id, variance, "credits")
		}
	}
	for _, id := range orphans(pick(entries, isGrant), known, func(e posting) string { return e.purchase }) {
		named := pick(entries, func(e posting) bool { return e.purchase == id && isGrant(e) })
		if count(named, func(e posting) bool { return o.watched(n, e.at) }) > 0 && total(named, isGrant).Sign() != 0 {
			add(reconcile.GrantWithoutPurchase, firstAccount(named, isGrant), id, negated(total(named, isGrant)), "credits")
		}
	}
}

// grantBreak is what is wrong with the grants of a purchase, the most specific kind; "" when nothing is.
func grantBreak(p validPurchase, named []posting) reconcile.BreakKind {
	own := pick(named, func(e posting) bool { return e.account == p.account })
	granted, foreign, due := total(own, isGrant), minus(total(named, isGrant), total(own, isGrant)), big.NewInt(p.credits)
	grants := count(own, func(e posting) bool { return e.kind == "purchase" })
	switch {
	case p.completed.IsZero() && total(named, isGrant).Sign() != 0:
		return reconcile.GrantWithoutPurchase
	case p.completed.IsZero():
		return ""
	case foreign.Sign() != 0:
		return reconcile.GrantAmountMismatch
	case granted.Cmp(due) == 0:
		return ""
	case grants == 0 && granted.Sign() == 0:
		return reconcile.PurchaseWithoutGrant
	case grants >= 2 && due.Sign() > 0 && granted.Cmp(new(big.Int).Mul(due, big.NewInt(int64(grants)))) == 0:
		return reconcile.DuplicateGrant
	default:
		return reconcile.GrantAmountMismatch
	}
}

func (o *oracle) accountBreaks(n reconcile.Night, add addBreak) {
	entries := o.entries(n.AsOf())
	for _, e := range entries {
		of := func(other posting) bool { return other.account == e.account }
		if o.watched(n, e.at) && total(entries, of).Sign() < 0 {
			add(reconcile.NegativeBalance, e.account, e.account, total(entries, of), "credits")
		}
		if e.late && isOf(n, e.at) {
			add(reconcile.LateItem, e.account, e.id, big.NewInt(e.credits), "credits")
		}
	}
}

func (o *oracle) requestBreaks(n reconcile.Night, add addBreak) {
	decided := map[string]bool{}
	for _, d := range o.decisions(n) {
		decided[d.Request] = d.Decision == "approve" || d.Decision == "deny"
	}
	for _, q := range o.requests(n.AsOf()) {
		if q.status == "pending" && o.final[q.id] == "" && !decided[q.id] && n.Date.After(o.dueDate(q)) {
			add(reconcile.ReviewOverdue, o.accountOf(q, n.AsOf()), q.id, o.daysOverdue(q, n.Date), "business days")
		}
	}
}

// daysOverdue are the business days since a request was due, at least one.
func (o *oracle) daysOverdue(q validRequest, today reconcile.Date) *big.Int {
	days := int64(0)
	for d := o.dueDate(q).AddDays(1); !d.After(today); d = d.AddDays(1) {
		if d.Weekday() != time.Saturday && d.Weekday() != time.Sunday && !o.isHoliday(d) {
			days++
		}
	}
	return big.NewInt(max(1, days))
}

// rollForward in credits. Closing follows from the entries, FromLots from the lots.
func (o *oracle) rollForward(n reconcile.Night) []rollRow {
	entries := o.entries(n.AsOf())
	inNight := func(kinds ...string) *big.Int {
		return total(entries, func(e posting) bool { return isOf(n, e.at) && !e.late && slices.Contains(kinds, e.kind) })
	}
	all := func(posting) bool { return true }
	return []rollRow{{
		Measure:     "credits",
		Opening:     total(o.entries(n.Begin), all),
		Purchases:   inNight("purchase"),
		Promotions:  inNight("promo"),
		Usage:       inNight("usage"),
		CreditBacks: inNight("credit_back"),
		Refunds:     inNight("refund", "refund_reversal"),
		Adjustments: inNight("adjustment"),
		Late:        total(entries, func(e posting) bool { return isOf(n, e.at) && e.late }),
		Closing:     total(entries, all),
		FromLots:    o.fromLots(n.AsOf()),
	}}
}

// money is what was paid for purchases and is not used up yet, at the price of each lot, rounded so that the parts make up the whole. A
// purchase without a grant is owed in full, a refunded one not at all.
func (o *oracle) money(n reconcile.Night) []moneyRow {
	byCurrency := map[string]*moneyRow{}
	for _, p := range o.purchases(n.AsOf()) {
		if p.completed.IsZero() || p.kind != "credits" && p.credits == 0 {
			continue
		}
		row := byCurrency[p.currency]
		if row == nil {
			row = &moneyRow{Currency: p.currency, Opening: new(big.Int), Purchases: new(big.Int), LatePurchases: new(big.Int), Left: new(big.Int)}
			byCurrency[p.currency] = row
		}
		at, late := o.lateAt[p.id]
		if !late {
			at = p.completed
		}
		switch {
		case at.Before(n.Begin):
			row.Opening.Add(row.Opening, o.valueLeft(p, n.Begin))
		case late:
			row.LatePurchases.Add(row.LatePurchases, big.NewInt(p.amount))
		default:
			row.Purchases.Add(row.Purchases, big.NewInt(p.amount))
		}
		row.Left.Add(row.Left, o.valueLeft(p, n.AsOf()))
	}
	var rows []moneyRow
	for _, row := range byCurrency {
		rows = append(rows, *row)
	}
	return rows
}

func (o *oracle) valueLeft(p validPurchase, asOf time.Time) *big.Int {
	amount := big.NewInt(p.amount)
	if o.refunded(p, asOf) {
		return new(big.Int)
	}
	ordered, _ := o.lots(p.account, asOf)
	for _, l := range ordered {
		if l.purchase == p.id && l.credits.Sign() > 0 {
			used := new(big.Int).Mul(amount, l.used)
			return minus(amount, used.Div(used, l.credits))
		}
	}
	return amount
}

// fromLots is what is left in all lots, less what accounts have overdrawn. A refund takes credits out that its lot still counts here:
// usually all of them, and where it took other than that, the rest stays.
func (o *oracle) fromLots(asOf time.Time) *big.Int {
	left := new(big.Int)
	accounts := map[string]bool{}
	for _, e := range o.entries(asOf) {
		if accounts[e.account] {
			continue
		}
		accounts[e.account] = true
		ordered, overdrawn := o.lots(e.account, asOf)
		for _, l := range ordered {
			left.Add(left, minus(l.credits, l.used))
		}
		left.Sub(left, overdrawn)
	}
	return left.Add(left, total(o.entries(asOf), func(e posting) bool { return e.kind == "refund" || e.kind == "refund_reversal" }))
}
