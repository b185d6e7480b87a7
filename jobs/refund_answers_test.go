package jobs_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// step is something that happens to a purchase, at a time since the first night began.
type step struct {
	at string // "1d 09:00"
	do func(b *bothBooks, c *requestCase)
}

// requestCase is a purchase that is asked to be refunded, with what happens to it, and what has to become of it.
type requestCase struct {
	name     string
	currency string
	steps    []step
	decision string // of every request, in the first night
	says     string // in every notification; %s: what is due
	breaks   []string
	// planned: money is still due.
	planned bool

	bought   purchased
	requests []string
	refund   stripetest.Refund
}

func (c *requestCase) status(b *bothBooks, status string) {
	b.exec("UPDATE platform.refund_requests SET status = $2, decided_at = $3 WHERE id = $1", c.requests[0], status, b.clock())
}

func buys(b *bothBooks, c *requestCase) {
	c.bought = b.buy(20_000, c.currency)
	c.bought.currency = c.currency
}
func asks(b *bothBooks, c *requestCase)  { c.requests = append(c.requests, b.ask(c.bought)) }
func takes(b *bothBooks, c *requestCase) { b.entry(c.bought, "refund", -c.bought.credits) }
func pays(b *bothBooks, c *requestCase)  { c.refund = b.refund(c.bought, b.refundable(c.bought)) }
func uses(b *bothBooks, c *requestCase)  { b.use(c.bought, 5) }
func status(status string) func(b *bothBooks, c *requestCase) {
	return func(b *bothBooks, c *requestCase) { c.status(b, status) }
}
func paysMore(by int64) func(b *bothBooks, c *requestCase) {
	return func(b *bothBooks, c *requestCase) {
		c.refund = b.refund(c.bought, b.refundable(c.bought)+by)
	}
}

// isGiven credits that no purchase is of, and that burn after those of the purchase.
func isGiven(b *bothBooks, c *requestCase) {
	b.exec("INSERT INTO platform.credit_entries (id, account_id, kind, credits, created_at) VALUES ($1, $2, 'promo', 100, $3)", b.id("ent"), c.bought.account, b.clock())
}

func requestCases() []*requestCase {
	const refunded, willRefund = "We refunded %s to your original payment method", "We will refund %s to your original payment method"
	return []*requestCase{
		{name: "staff pay at once", decision: "approve", says: refunded, steps: []step{{"05:00", buys}, {"06:00", asks}, {"09:00", takes}, {"09:00", pays}}},
		{name: "staff approve and pay", currency: "jpy", decision: "approve", says: refunded,
			steps: []step{{"05:00", buys}, {"06:00", asks}, {"07:00", status("approved")}, {"09:00", pays}, {"09:01", takes}}},
		{name: "the wrong amount", currency: "kwd", decision: "approve", says: "by our refund policy it should be %s", breaks: []string{"refund_amount_mismatch"},
			steps: []step{{"05:00", buys}, {"06:00", asks}, {"09:00", takes}, {"09:00", paysMore(-100)}}},
		{name: "in two parts", currency: "eur", decision: "approve", says: refunded,
			steps: []step{{"05:00", buys}, {"06:00", asks}, {"09:00", takes}, {"09:00", paysMore(-500)}, {"09:30", func(b *bothBooks, c *requestCase) { b.refund(c.bought, 500) }}}},
		{name: "refunded before anybody asked", decision: "deny", says: "was refunded before", steps: []step{{"05:00", buys}, {"05:30", takes}, {"05:30", pays}, {"06:00", asks}}},
		{name: "a part before anybody asked, and the rest against the denial", decision: "deny", says: "We refunded 5.00 USD to your original payment method all the same",
			breaks: []string{"refund_against_policy"},
			steps:  []step{{"05:00", buys}, {"05:30", takes}, {"05:30", paysMore(-500)}, {"06:00", asks}, {"09:00", func(b *bothBooks, c *requestCase) { c.refund = b.refund(c.bought, 500) }}}},
		{name: "used before it was refunded", decision: "deny", says: "We refunded %s to your original payment method all the same", breaks: []string{"refund_against_policy"},
			steps: []step{{"05:00", buys}, {"06:00", asks}, {"07:00", uses}, {"08:00", isGiven}, {"09:00", takes}, {"09:00", pays}}},
		{name: "used after it was refunded, before the credits were taken", currency: "eur", decision: "approve", says: refunded,
			steps: []step{{"05:00", buys}, {"05:10", isGiven}, {"06:00", asks}, {"09:00", pays}, {"10:00", uses}, {"11:00", takes}}},
		{name: "other credits used between the credits and the money", decision: "approve", says: refunded,
			steps: []step{{"05:00", buys}, {"05:10", isGiven}, {"06:00", asks}, {"08:55", takes}, {"08:57", uses}, {"09:00", pays}}},
		{name: "the money after midnight", decision: "approve", says: willRefund + ", and the credits have left your account",
			steps: []step{{"05:00", buys}, {"06:00", asks}, {"23:50", takes}, {"1d 00:10", pays}}},
		{name: "the credits after midnight", decision: "approve", says: refunded, steps: []step{{"05:00", buys}, {"06:00", asks}, {"23:50", pays}, {"1d 00:10", takes}}},
		{name: "the credits never", decision: "approve", says: refunded, breaks: []string{"refund_missing_in_ledger"}, steps: []step{{"05:00", buys}, {"06:00", asks}, {"09:00", pays}}},
		{name: "the money never", decision: "approve", says: willRefund, breaks: []string{"refund_missing_at_stripe"}, steps: []step{{"05:00", buys}, {"06:00", asks}, {"09:00", takes}}},
		{name: "asked twice", decision: "approve", says: refunded, steps: []step{{"05:00", buys}, {"06:00", asks}, {"08:00", asks}, {"09:00", takes}, {"09:00", pays}}},
		{name: "withdrawn, and refunded in time: nobody asked any more, and nothing was denied", decision: "deny", says: "is closed\n\nWe refunded %s",
			steps: []step{{"05:00", buys}, {"06:00", asks}, {"08:00", status("withdrawn")}, {"09:00", takes}, {"09:00", pays}}},
		{name: "refunded, and then withdrawn", decision: "approve", says: refunded,
			steps: []step{{"05:00", buys}, {"06:00", asks}, {"09:00", takes}, {"09:00", pays}, {"10:00", status("withdrawn")}}},
		{name: "the refund fails, and the credits are back", decision: "approve", says: willRefund, planned: true,
			steps: []step{{"05:00", buys}, {"06:00", asks}, {"09:00", takes}, {"09:00", pays},
				{"15:00", func(b *bothBooks, c *requestCase) {
					ok[stripetest.Refund](b.t)(b.stripe.FailRefund(c.refund.ID, "lost_or_stolen_card"))
				}},
				{"15:01", func(b *bothBooks, c *requestCase) { b.entry(c.bought, "refund_reversal", c.bought.credits) }}}},
		{name: "by its details, without a reason", decision: "approve", says: refunded,
			steps: []step{{"05:00", buys}, {"06:00", func(b *bothBooks, c *requestCase) {
				asks(b, c)
				b.exec(`UPDATE platform.refund_requests SET account_id = NULL, purchase_id = NULL, reason = '', stated_date = $2, stated_amount_minor = $3, stated_currency = $4
					WHERE id = $1`, c.requests[0], b.clock(), c.bought.amount, c.currency)
			}}, {"09:00", takes}, {"09:00", pays}}},
		{name: "nobody pays", decision: "approve", says: willRefund, planned: true, steps: []step{{"05:00", buys}, {"06:00", asks}}},
	}
}

// A request that a refund answers is decided by what was known when it was made: however credits and money came about on either side of
// midnight, what the customer is told is what has happened, once, and nothing that is as it should be is a break. A dry run, verification
// and a policy test say the same, and what was answered is never planned again.
func TestRequestsAnsweredByRefunds(t *testing.T) {
	t.Parallel()
	b := newBothBooks(t)
	b.report()
	cases := requestCases()
	type event struct {
		at time.Time
		c  *requestCase
		do func(b *bothBooks, c *requestCase)
	}
	var events []event
	for _, c := range cases {
		if c.currency == "" {
			c.currency = "usd"
		}
		for _, s := range c.steps {
			days, clock, later := strings.Cut(s.at, "d ")
			if !later {
				days, clock = "0", s.at
			}
			since := ok[time.Duration](t)(time.ParseDuration(days+"h"))*24 + ok[time.Time](t)(time.Parse("15:04", clock)).Sub(ok[time.Time](t)(time.Parse("15:04", "00:00")))
			events = append(events, event{businessStart.Add(since), c, s.do})
		}
	}
	slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	play := func(until time.Time) {
		for len(events) > 0 && events[0].at.Before(until) {
			b.now.Store(events[0].at.Unix())
			events[0].do(b, events[0].c)
			events = events[1:]
		}
	}
	first := reconcile.NightOf(b.date(), time.UTC)
	play(first.End)
	b.now.Store(first.End.Add(5 * time.Minute).Unix())

	if err := b.worker.RunNight(context.Background(), first.Date, "sync-stripe"); err != nil { // a dry run uses what is known of Stripe
		t.Fatal(err)
	}
	var said bytes.Buffer
	if err := b.worker.Rehearse(context.Background(), &said, first.Date); err != nil {
		t.Fatal(err)
	}
	if err := b.run(first.Date); err != nil {
		t.Fatal(err)
	}
	for _, row := range b.texts("SELECT request_id || ' ' || account_id || ' ' || decision FROM reconciler.refund_decisions WHERE business_date = $1", first.Date) {
		if !strings.Contains(strings.Join(strings.Fields(said.String()), " "), row) {
			t.Errorf("decided is %s; the dry run said\n%s", row, &said)
		}
	}
	for _, c := range cases {
		due := reconcile.FormatMinor(b.refundable(c.bought), c.currency)
		for _, id := range c.requests {
			var decision, message string
			var notices int
			if err := b.db.QueryRow(`SELECT d.decision, coalesce(min(n.message), ''), count(n.*) FROM reconciler.refund_decisions d
				LEFT JOIN reconciler.notifications n ON n.request_id = d.request_id WHERE d.request_id = $1 AND d.business_date = $2 GROUP BY d.decision`,
				id, first.Date).Scan(&decision, &message, &notices); err != nil {
				t.Fatal(err)
			}
			says := c.says
			if strings.Contains(says, "%s") {
				says = fmt.Sprintf(says, due)
			}
			if decision != c.decision || notices != 1 || !strings.Contains(message, says) {
				t.Errorf("%s: %s, %d notifications:\n%s\nwant %s: %s", c.name, decision, notices, message, c.decision, says)
			}
		}
	}

	play(first.End.AddDate(0, 0, 1))
	decided := b.texts("SELECT request_id || ' ' || decision || ' ' || coalesce(refund_minor, 0) FROM reconciler.refund_decisions WHERE decision IN ('approve', 'deny') ORDER BY 1")
	b.night()
	b.night()
	want := []string{}
	for _, c := range cases {
		for _, kind := range c.breaks {
			subject := c.refund.ID
			if kind == "refund_missing_at_stripe" {
				subject = c.bought.id
			}
			want = append(want, kind+" "+subject)
		}
	}
	if diff := cmp.Diff(sorted(want), b.texts("SELECT kind || ' ' || subject_id FROM reconciler.breaks WHERE closed_on IS NULL ORDER BY 1")); diff != "" {
		t.Errorf("open breaks: %s", diff)
	}
	if diff := cmp.Diff(decided, b.texts("SELECT request_id || ' ' || decision || ' ' || coalesce(refund_minor, 0) FROM reconciler.refund_decisions WHERE decision IN ('approve', 'deny') ORDER BY 1")); diff != "" {
		t.Errorf("final decisions: %s", diff)
	}

	ctx := context.Background()
	faults, err := b.worker.Verify(ctx, first.Date, night.AuditHead{})
	if err != nil || len(faults) > 0 {
		t.Errorf("verification: %v, %v", faults, err)
	}
	_, _, err = b.worker.TestPolicy(ctx, b.worker.Policies, first.Date, first.Date, func(change jobs.PolicyChange) error {
		t.Errorf("the policy in force would have decided otherwise: %+v", change)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	plan, leftOut, err := b.worker.RefundDesk().Plan(ctx, b.date().AddDays(-1), "Ana")
	if err != nil {
		t.Fatal(err)
	}
	var planned, due []string
	for _, item := range plan.Items {
		planned = append(planned, item.RequestID)
	}
	for _, c := range cases {
		if c.planned {
			due = append(due, c.requests...)
		}
	}
	if diff := cmp.Diff(sorted(due), sorted(planned)); diff != "" || len(leftOut) != 1 || !strings.Contains(leftOut[0].Problem, "refund_missing_at_stripe") {
		t.Errorf("planned: %s; left out: %v", diff, leftOut)
	}
}

// The purchases that requests mean are found once for windows and decisions; but a request that was corrected in between is decided as it stands.
func TestARequestCorrectedBetweenTheStepsIsDecidedAsItStands(t *testing.T) {
	t.Parallel()
	b := newBothBooks(t)
	b.report()
	first, named := b.pay(2_000, "usd", nil)
	b.store(first, "completed", "", named.ID, "")
	meant, charge := b.pay(3_000, "usd", nil)
	meant.account = first.account
	b.store(meant, "completed", "", charge.ID, "")
	request := b.ask(first)
	asked := 0
	b.worker.Store.Intercept = func(_ context.Context, statement string, done bool) error {
		if statement != "request_matches/due" || done {
			return nil
		}
		if asked++; asked == 2 { // windows have asked before
			b.exec("UPDATE platform.refund_requests SET purchase_id = $2 WHERE id = $1", request, meant.id)
		}
		return nil
	}
	b.night()
	if got := b.texts("SELECT purchase_id FROM reconciler.refund_decisions WHERE request_id = $1", request); asked != 2 || !slices.Equal(got, []string{meant.id}) {
		t.Errorf("decided about %v, want %s", got, meant.id)
	}
}

// The least number of a bigint is one that a ledger can hold; taken out, it is more credits than there are numbers above 0.
func TestARefundOfTheMostCreditsThereAre(t *testing.T) {
	t.Parallel()
	b := newBothBooks(t)
	b.report()
	paid, unpaid := &requestCase{currency: "usd"}, &requestCase{currency: "usd"}
	for _, c := range []*requestCase{paid, unpaid} {
		buys(b, c)
	}
	b.advance(time.Hour)
	uses(b, unpaid)
	for _, c := range []*requestCase{paid, unpaid} {
		asks(b, c)
		b.advance(time.Hour)
		b.entry(c.bought, "refund", math.MinInt64)
		pays(b, c)
	}
	b.night()
	b.night() // a refund against the denial is judged by the denial that was recorded
	want := []string{"approve " + paid.requests[0], "deny " + unpaid.requests[0]}
	if diff := cmp.Diff(want, b.texts("SELECT DISTINCT decision || ' ' || request_id FROM reconciler.refund_decisions ORDER BY 1")); diff != "" {
		t.Error(diff)
	}
	if got := b.texts("SELECT subject_id FROM reconciler.breaks WHERE kind = 'refund_against_policy'"); !slices.Equal(got, []string{unpaid.refund.ID}) {
		t.Errorf("against the policy: %v", got)
	}
}
