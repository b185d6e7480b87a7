package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/refunds"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// overtaken is what customers, staff or banks do between the approval of a refund and its execution.
type overtaken struct {
	name, currency string
	pay            func(*stripetest.ChargeParams)
	do             func(b *bothBooks, p purchased, request string)
	after          func(b *bothBooks, p purchased) // two days later
	// meanwhile is the break that tells of it from then on; unpaid is what stopped it, in the break once the refund is overdue, and "" where
	// no money is due any more; leftOut is why it is not planned again before.
	meanwhile, leftOut, unpaid string
	gone                       int64         // what a lost dispute has paid of the refund by then
	subject                    func() string // of meanwhile; default the purchase
	since                      int           // the night of meanwhile; default the 6th

	purchased
	request string
}

// A refund that is stopped before it was sent is no break of its own: nothing was refunded. What stopped it is a break where it is one, its
// request is not planned again while it would be stopped again, and it is refund_unpaid, with the reason, once it is overdue. All this on
// either side of midnight, in any currency.
func TestStoppedRefundIsToldOfByWhatStoppedIt(t *testing.T) {
	t.Parallel()
	for _, at := range []struct {
		name               string
		changed, executing time.Duration // since the midnight after the purchase
		last               int           // day that is looked at: overdue, or not
	}{
		{"on one day", 9 * time.Hour, 10 * time.Hour, 8},
		{"either side of midnight", 24*time.Hour - time.Second, 24*time.Hour + 5*time.Minute, 16},
	} {
		t.Run(at.name, func(t *testing.T) {
			t.Parallel()
			stoppedRefunds(t, at.changed, at.executing, at.last)
		})
	}
}

func stoppedRefunds(t *testing.T, changed, executing time.Duration, last int) {
	b := newPayments(t) // from Monday, 5 January 2026: what the night of the 5th approves is overdue on the 15th
	var pending, short stripetest.Refund
	var inquiry stripetest.Dispute
	disputes := map[string]stripetest.Dispute{}
	disputed := func(b *bothBooks, p purchased, amount int64) {
		disputes[p.id] = ok[stripetest.Dispute](t)(b.stripe.OpenDispute(stripetest.DisputeParams{Charge: p.charge, Amount: amount}))
		b.exec("UPDATE platform.accounts SET status = 'suspended' WHERE id = $1", p.account)
	}
	lost := func(b *bothBooks, p purchased) { ok[stripetest.Dispute](t)(b.stripe.LoseDispute(disputes[p.id].ID)) }
	cases := []*overtaken{
		{name: "the bank took the debit back", currency: "eur", pay: func(c *stripetest.ChargeParams) { c.Method = stripetest.SEPADebit },
			do: func(b *bothBooks, p purchased, _ string) {
				ok[stripetest.Charge](t)(b.stripe.ReturnDebit(p.charge, "insufficient_funds", 400))
			}, meanwhile: "charge_status_mismatch", leftOut: "charge_status", unpaid: "charge_status"},
		{name: "a chargeback, later won", currency: "usd", do: func(b *bothBooks, p purchased, _ string) { disputed(b, p, 0) },
			after: func(b *bothBooks, p purchased) {
				ok[stripetest.Dispute](t)(b.stripe.WinDispute(disputes[p.id].ID, true))
			},
			leftOut: "disputed_before_refund", unpaid: "disputed_before_refund"},
		{name: "a chargeback, lost: the money has left", currency: "usd", do: func(b *bothBooks, p purchased, _ string) { disputed(b, p, 0) },
			after: lost, leftOut: "disputed_before_refund"},
		{name: "a chargeback, lost but for a part", currency: "kwd", do: func(b *bothBooks, p purchased, _ string) { disputed(b, p, 0) },
			after: func(b *bothBooks, p purchased) {
				lost(b, p)
				ok[stripetest.Dispute](t)(b.stripe.ReturnDispute(disputes[p.id].ID, stripetest.DisputeReturn{Amount: 8_000, Status: "lost"}))
			}, leftOut: "disputed_before_refund", unpaid: "disputed_before_refund", gone: 12_000},
		{name: "a part charged back, and lost", currency: "jpy", do: func(b *bothBooks, p purchased, _ string) { disputed(b, p, 300) },
			after: lost, leftOut: "disputed_before_refund", unpaid: "disputed_before_refund", gone: 300},
		{name: "an inquiry", currency: "jpy", do: func(b *bothBooks, p purchased, _ string) {
			inquiry = ok[stripetest.Dispute](t)(b.stripe.OpenDispute(stripetest.DisputeParams{Charge: p.charge, Inquiry: true}))
		}, after: func(b *bothBooks, _ purchased) {
			ok[stripetest.Dispute](t)(b.stripe.CloseInquiry(inquiry.ID))
		}, leftOut: "disputed_before_refund", unpaid: "disputed_before_refund"},
		{name: "staff paid it, pending", currency: "usd", do: func(b *bothBooks, p purchased, _ string) {
			b.entry(p, "refund", -p.credits)
			pending = ok[stripetest.Refund](t)(b.stripe.CreateRefund(stripetest.RefundParams{Charge: p.charge, Amount: b.refundable(p), Pending: true}))
		}, after: func(b *bothBooks, _ purchased) {
			ok[stripetest.Refund](t)(b.stripe.SucceedRefund(pending.ID))
		}},
		{name: "staff paid it", currency: "eur", do: func(b *bothBooks, p purchased, _ string) { b.giveBack(p) }},
		{name: "staff paid another amount", currency: "usd", do: func(b *bothBooks, p purchased, _ string) {
			b.entry(p, "refund", -p.credits)
			short = b.refund(p, b.refundable(p)-1)
		}, meanwhile: "refund_amount_mismatch", subject: func() string { return short.ID }},
		{name: "staff took the credits, and paid nothing", currency: "eur", do: func(b *bothBooks, p purchased, _ string) { b.entry(p, "refund", -p.credits) },
			meanwhile: "refund_missing_at_stripe", since: 7, leftOut: "refund_missing_at_stripe"},
		{name: "the customer used credits", currency: "kwd", do: func(b *bothBooks, p purchased, _ string) { b.use(p, 1) },
			leftOut: "used_credits", unpaid: "used_credits"},
		{name: "the request was withdrawn", currency: "usd", do: func(b *bothBooks, _ purchased, request string) {
			b.exec("UPDATE platform.refund_requests SET status = 'withdrawn', decided_at = $2 WHERE id = $1", request, b.clock())
		}, leftOut: "withdrawn on the platform"},
	}
	for _, c := range cases {
		p, charge := b.pay(20_000, c.currency, c.pay)
		if c.pay != nil {
			ok[stripetest.Charge](t)(b.stripe.SettleCharge(charge.ID))
		}
		b.store(p, "completed", "", charge.ID, "")
		c.purchased = p
		c.request = b.ask(p)
	}
	decided := b.night()
	plan := b.approvedPlan(decided.Date)

	b.now.Store(decided.End.Add(changed).Unix())
	for _, c := range cases {
		c.do(b, c.purchased, c.request)
	}
	b.now.Store(decided.End.Add(executing).Unix())
	b.worker.Settings.Refund.Caps.ConsecutiveFailures = 1
	outcome, err := b.worker.RefundDesk().Execute(context.Background(), plan, "Carol")
	if err != nil || outcome.Sent != 0 || outcome.Stopped != len(cases) {
		t.Fatalf("%+v, %v; want all stopped", outcome, err)
	}
	if open := b.allOpen(); len(open) > 0 {
		t.Errorf("right after: %q", open)
	}
	if _, out, err := b.worker.RefundDesk().Plan(context.Background(), decided.Date, "Anna"); !errors.Is(err, refunds.ErrNothingDue) || len(out) != len(cases) {
		t.Errorf("right after, though no sync has seen yet why: %v; left out %v", err, out)
	}

	for day := 6; day <= last; day++ {
		span := reconcile.NightOf(reconcile.Date{Year: 2026, Month: time.January, Day: day}, time.UTC)
		if day == 8 {
			for _, c := range cases {
				if c.after != nil {
					c.after(b, c.purchased)
				}
			}
		}
		b.now.Store(max(b.now.Load(), span.End.Add(20*time.Minute).Unix()))
		if day == 16 {
			b.rehearse(span.Date)
		}
		if err := b.run(span.Date); err != nil {
			t.Fatal(err)
		}
		var want []string
		leftOut := map[string]string{}
		for _, c := range cases {
			if c.meanwhile != "" && day >= c.since {
				subject := c.purchased.id
				if c.subject != nil {
					subject = c.subject()
				}
				want = append(want, c.meanwhile+" "+subject)
			}
			if c.unpaid != "" && day >= 15 {
				want = append(want, "refund_unpaid "+c.request)
			}
			if c.leftOut != "" {
				leftOut[c.request] = c.leftOut
			}
		}
		open := b.texts("SELECT kind || ' ' || subject_id FROM reconciler.breaks WHERE closed_on IS NULL ORDER BY 1")
		if diff := cmp.Diff(sorted(want), open, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("day %d: %s", day, diff)
		}
		_, out, err := b.worker.RefundDesk().Plan(context.Background(), span.Date, "Anna")
		if !errors.Is(err, refunds.ErrNothingDue) {
			t.Errorf("day %d: planned again: %v", day, err)
		}
		for _, l := range out {
			if problem, is := leftOut[l.RequestID]; !is || !strings.Contains(l.Problem, problem) {
				t.Errorf("day %d: %s is left out: %s; want %q", day, l.RequestID, l.Problem, problem)
			}
			delete(leftOut, l.RequestID)
		}
		if len(leftOut) > 0 {
			t.Errorf("day %d: not left out: %v", day, leftOut)
		}
		if day != 7 && day != 8 && day != 15 { // in which other things are open than in the one before
			continue
		}
		faults, err := b.worker.Verify(context.Background(), span.Date, night.AuditHead{})
		if err != nil || len(faults) > 0 {
			t.Errorf("day %d: verification: %v, %v", day, faults, err)
		}
	}
	for _, c := range cases {
		if c.unpaid == "" || last < 15 {
			continue
		}
		if detail := b.unpaidDetail(c.request); !strings.Contains(detail, "stopped in plan "+plan+": ") || !strings.Contains(detail, c.unpaid) ||
			strings.Contains(c.unpaid, "disputed") && !strings.Contains(detail, "dispute dp_") {
			t.Errorf("%s: unpaid because %q, want %s", c.name, detail, c.unpaid)
		}
		// Other kinds' events hold words: those are left out before anything is taken for a number, whatever the planner would begin with.
		if left := b.count(`WITH opened AS MATERIALIZED (
				SELECT l.ours, l.theirs, l.variance FROM reconciler.breaks k JOIN reconciler.break_events l ON l.break_id = k.break_id
				WHERE k.kind = 'refund_unpaid' AND k.subject_id = $1 AND l.event = 'opened'
			) SELECT theirs::bigint FROM opened WHERE ours::bigint - theirs::bigint = variance`, c.request); int64(left) != c.gone {
			t.Errorf("%s: %d have left, want %d", c.name, left, c.gone)
		}
		b.exec("UPDATE platform.refund_requests SET status = 'denied', decided_at = $2 WHERE id = $1", c.request, b.clock())
	}
	if last < 15 {
		return
	}
	b.night() // as the advice says
	if unpaid := b.texts("SELECT subject_id FROM reconciler.breaks WHERE kind = 'refund_unpaid' AND closed_on IS NULL"); len(unpaid) > 0 {
		t.Errorf("still unpaid: %v", unpaid)
	}
}

// rehearse looks at a dry run of a night: it would open nothing about refunds that were never sent.
func (b *bothBooks) rehearse(date reconcile.Date) {
	b.t.Helper()
	var said bytes.Buffer
	if err := b.worker.Rehearse(context.Background(), &said, date); err != nil {
		b.t.Fatal(err)
	}
	if strings.Contains(said.String(), "refund_against_policy") || strings.Contains(said.String(), "disputed_and_refunded") {
		b.t.Errorf("dry run: %s", said.String())
	}
}

func (b *bothBooks) unpaidDetail(request string) (detail string) {
	b.t.Helper()
	err := b.db.QueryRow(`SELECT l.detail FROM reconciler.breaks k JOIN reconciler.break_events l ON l.break_id = k.break_id
		WHERE k.kind = 'refund_unpaid' AND k.subject_id = $1 AND l.event = 'opened'`, request).Scan(&detail)
	if err != nil {
		b.t.Fatal(err)
	}
	return detail
}

// A plan that a breaker or the kill switch stops is a break of its own, and its refunds are refund_unpaid once overdue, however long it stands;
// when it is executed after all, each is paid once and nothing is left open.
func TestRefundsOfAPlanThatABreakerStoppedAreUnpaidUntilItRuns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, breaker string
		stop          func(*night.RefundSettings)
		last          int // day that it stands: overdue, or not
	}{
		{"kill switch", "kill_switch", func(s *night.RefundSettings) { s.Halt = true }, 15},
		{"cap", "cap_day_amount", func(s *night.RefundSettings) { s.Caps.DayMinor = map[string]int64{"*": 1} }, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newPayments(t)
			var requests []string
			for _, currency := range []string{"usd", "jpy", "eur"} {
				requests = append(requests, b.ask(b.buy(20_000, currency)))
			}
			plan := b.approvedPlan(b.night().Date)
			running := b.worker.Settings.Refund
			c.stop(&b.worker.Settings.Refund)
			if outcome, err := b.worker.RefundDesk().Execute(context.Background(), plan, "Carol"); !errors.Is(err, night.ErrIntegrity) || outcome.Sent > 0 {
				t.Fatalf("%+v, %v", outcome, err)
			}
			stopped := "refund_against_policy " + plan + " " + c.breaker
			for day := 6; day <= c.last; day++ {
				want := []string{stopped}
				if night := b.night(); night.Date.Day >= 15 {
					for _, request := range requests {
						want = append(want, "refund_unpaid "+request+" refund")
					}
				}
				if diff := cmp.Diff(sorted(want), b.allOpen()); diff != "" {
					t.Fatalf("day %d: %s", day, diff)
				}
			}
			for _, request := range requests {
				if c.last < 15 {
					break
				}
				if detail := b.unpaidDetail(request); !strings.Contains(detail, "planned in plan "+plan) {
					t.Errorf("unpaid because %q", detail)
				}
			}
			b.worker.Settings.Refund = running
			if outcome, err := b.worker.RefundDesk().Execute(context.Background(), plan, "Carol"); err != nil || outcome.Sent != len(requests) {
				t.Fatalf("%+v, %v", outcome, err)
			}
			b.whole()
		})
	}
}
