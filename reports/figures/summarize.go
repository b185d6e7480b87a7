package figures

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// Summary is all of it, with the trends of the nights before.
func (f *Collector) Summary(before []NightFigures) *Summary {
	s := &Summary{Schema: 1, Facts: f.facts, Breaks: f.breaks,
		RollForward: orEmpty(f.rollForward), StripeActivity: orEmpty(f.activity), ControlTotals: orEmpty(f.controls),
		StripeCash: orEmpty(f.cash), Notifications: f.notifications}
	s.Jobs = orEmpty(s.Jobs)
	f.summarizeBreaks(s)
	f.summarizeCreditBacks(s)
	f.summarizeWindows(s)
	f.summarizeRequests(s)
	f.summarizeStripe(s)
	f.summarizeSubscriptions(s)
	s.Rejects = RejectFigures{Rows: f.rejects.total, ByRelation: []RejectGroup{}, First: f.rejects.first}
	for _, key := range f.rejects.byRelation.order {
		s.Rejects.ByRelation = append(s.Rejects.ByRelation, RejectGroup{key[0], key[1], *f.rejects.byRelation.byKey[key]})
	}
	if f.rejects.byRelation.rest > 0 {
		s.Rejects.ByRelation = append(s.Rejects.ByRelation, RejectGroup{"others", "", f.rejects.byRelation.rest})
	}
	s.Status, s.StatusReasons = statusOf(s)
	s.Attention = attentions(s)
	s.Trends = append(slices.Clone(before), s.Night())
	return s
}

func (f *Collector) summarizeBreaks(s *Summary) {
	s.Breaks.AtStake = f.breakStake.amounts()
	s.Breaks.ByAge = f.byAge[:]
	s.Breaks.BySeverity = []SeverityFigures{}
	for _, severity := range []reconcile.Severity{reconcile.Error, reconcile.Warning, reconcile.Info} {
		figures := SeverityFigures{Severity: severity, AtStake: []Amount{}}
		if t := f.bySeverity[severity]; t != nil {
			figures.Open, figures.AtStake = t.open, t.stake.amounts()
		}
		s.Breaks.BySeverity = append(s.Breaks.BySeverity, figures)
	}
	place := map[reconcile.BreakKind]int{}
	for i, rule := range reconcile.BreakRules {
		place[rule.Kind] = i + 1 // 0: a kind that isn't in the catalogue goes first, as nobody expects it
	}
	s.Breaks.ByKind = []KindFigures{}
	for _, t := range f.byKind {
		figures := t.KindFigures
		figures.AtStake, figures.Net, figures.Top = t.stake.amounts(), t.net.amounts(), t.top.items
		s.Breaks.ByKind = append(s.Breaks.ByKind, figures)
	}
	slices.SortFunc(s.Breaks.ByKind, func(a, b KindFigures) int {
		return cmp.Or(cmp.Compare(b.Severity.Rank(), a.Severity.Rank()), cmp.Compare(place[a.Kind], place[b.Kind]), cmp.Compare(a.Kind, b.Kind))
	})
}

func (f *Collector) summarizeCreditBacks(s *Summary) {
	c := &f.creditBacks
	s.CreditBacks = CreditBackFigures{Jobs: c.jobs, ByDecision: []CreditBackGroup{}, ByClass: []CreditBackGroup{}, ByCode: []CreditBackGroup{}}
	group := func(name, class string, t *creditBackTally) CreditBackGroup {
		return CreditBackGroup{name, class, t.jobs, t.debited.Number(), t.credited.Number()}
	}
	var none creditBackTally
	for _, name := range []string{"credited", "not_due", "pending"} {
		t := c.byDecision.byKey[name]
		if t == nil {
			t = &none
		}
		s.CreditBacks.ByDecision = append(s.CreditBacks.ByDecision, group(name, "", t))
	}
	for _, name := range []string{"system", "user", "unknown"} {
		t := c.byClass.byKey[name]
		if t == nil {
			t = &none
		}
		s.CreditBacks.ByClass = append(s.CreditBacks.ByClass, group(name, "", t))
	}
	for _, key := range c.byCode.order {
		s.CreditBacks.ByCode = append(s.CreditBacks.ByCode, group(key.code, key.class, c.byCode.byKey[key]))
	}
	slices.SortFunc(s.CreditBacks.ByCode, func(a, b CreditBackGroup) int {
		return cmp.Or(cmp.Compare(b.Jobs, a.Jobs), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Class, b.Class))
	})
	for _, tooMany := range s.CreditBacks.ByCode[min(topCodes, len(s.CreditBacks.ByCode)):] {
		s.CreditBacks.MoreCodes += tooMany.Jobs
	}
	s.CreditBacks.MoreCodes += c.byCode.rest.jobs
	s.CreditBacks.ByCode = s.CreditBacks.ByCode[:min(topCodes, len(s.CreditBacks.ByCode))]
}

func (f *Collector) summarizeWindows(s *Summary) {
	s.RefundWindows = WindowFigures{ByState: []WindowGroup{}, Closing: []ClosingWindow{}, Next: f.windows.next.items}
	states := reconcile.WindowStates()
	slices.Reverse(states) // what may still cost money first
	for _, state := range states {
		t := f.windows.byState.byKey[string(state)]
		if t == nil {
			t = &windowTally{}
		}
		s.RefundWindows.ByState = append(s.RefundWindows.ByState, WindowGroup{string(state), t.count, t.credits.Number(), t.money.amounts()})
	}
	for i, hours := range closingHours {
		t := &f.windows.closing[i]
		s.RefundWindows.Closing = append(s.RefundWindows.Closing, ClosingWindow{hours, t.count, t.money.amounts()})
	}
}

func (f *Collector) summarizeRequests(s *Summary) {
	r := &f.requests
	s.RefundRequests = RequestFigures{Requests: r.total, Undecided: r.undecided, Overdue: r.overdue, DueSoon: r.dueSoon,
		ByDecision: []DecisionGroup{}, ByDaysLeft: []DaysLeftGroup{}, Urgent: r.urgent.items, Final: r.final.items}
	for _, decision := range []reconcile.Decision{reconcile.DecisionApprove, reconcile.DecisionDeny, reconcile.DecisionNeedsInformation, reconcile.DecisionWaiting} {
		t := r.byDecision.byKey[string(decision)]
		if t == nil {
			t = &decisionTally{}
		}
		s.RefundRequests.ByDecision = append(s.RefundRequests.ByDecision, DecisionGroup{string(decision), t.count, t.money.amounts()})
	}
	for i, name := range daysLeftBuckets {
		s.RefundRequests.ByDaysLeft = append(s.RefundRequests.ByDaysLeft, DaysLeftGroup{name, r.byDaysLeft[i]})
	}
}

func (f *Collector) summarizeStripe(s *Summary) {
	p := &f.payouts
	s.Payouts = PayoutFigures{Payouts: p.total, InTransit: []PayoutGroup{}, ByStatus: []PayoutGroup{}, Residual: p.residual.amounts(), NotItemised: p.notItemised.amounts(), Transit: p.transit.items}
	for _, key := range p.byStatus.order {
		t := p.byStatus.byKey[key]
		group := PayoutGroup{key[0], key[1], t.count, t.amount.Number()}
		s.Payouts.ByStatus = append(s.Payouts.ByStatus, group)
		if inTransit(key[0]) {
			s.Payouts.InTransit = append(s.Payouts.InTransit, group)
		}
	}
	byStatus := func(a, b PayoutGroup) int {
		return cmp.Or(cmp.Compare(a.Status, b.Status), cmp.Compare(a.Currency, b.Currency))
	}
	slices.SortFunc(s.Payouts.ByStatus, byStatus)
	slices.SortFunc(s.Payouts.InTransit, byStatus)
	for _, of := range []tally{p.explained, p.items} {
		for _, left := range of.amounts() {
			if !left.Value.IsZero() && !slices.Contains(s.Payouts.missing, left.Unit) {
				s.Payouts.missing = append(s.Payouts.missing, left.Unit)
			}
		}
	}
	f.summarizeBridge(s)
	d := &f.disputes
	s.Disputes = DisputeFigures{Disputes: d.total, Open: d.open, ByPhase: []DisputeGroup{}, OpenRows: d.first.items,
		EvidenceDue: EvidenceFigures{Days: evidenceDays, Disputes: d.due, Past: d.past, FirstDue: d.firstDue, Money: d.dueMoney.amounts()}}
	for _, phase := range d.byPhase.order {
		t := d.byPhase.byKey[phase]
		s.Disputes.ByPhase = append(s.Disputes.ByPhase, DisputeGroup{phase, t.count, t.money.amounts()})
	}
	slices.SortFunc(s.Disputes.ByPhase, func(a, b DisputeGroup) int { return cmp.Compare(a.Phase, b.Phase) })
}

// Awaiting puts what is awaited together by check.
func Awaiting(awaited []tables.Awaited, asOf time.Time) []AwaitingFigures {
	list := []AwaitingFigures{}
	for _, row := range awaited {
		if len(list) == 0 || list[len(list)-1].Check != row.Check {
			list = append(list, AwaitingFigures{Check: row.Check, Objects: row.Objects})
		}
		item := AwaitedItem{SubjectID: row.SubjectID, AccountID: row.AccountID, Since: row.Since, Detail: row.Detail}
		if !row.Since.IsZero() {
			item.Days = int64(asOf.Sub(row.Since.Time) / (24 * time.Hour))
		}
		if row.Unit != "" {
			item.Amount = &Amount{row.Unit, row.Amount}
		}
		last := &list[len(list)-1]
		last.Oldest = append(last.Oldest, item)
	}
	return list
}

func (f *Collector) summarizeSubscriptions(s *Summary) {
	s.Subscriptions = SubscriptionFigures{Subscriptions: f.subscriptions.total, ByTieOut: []SubscriptionGroup{}}
	for _, tieOut := range f.subscriptions.byTieOut.order {
		s.Subscriptions.ByTieOut = append(s.Subscriptions.ByTieOut, SubscriptionGroup{tieOut, f.subscriptions.byTieOut.byKey[tieOut].count})
	}
	slices.SortFunc(s.Subscriptions.ByTieOut, func(a, b SubscriptionGroup) int { return cmp.Compare(a.TieOut, b.TieOut) })
}

// statusOf says whether the night ties, and every reason why it doesn't.
func statusOf(s *Summary) (Status, []string) {
	status, reasons := StatusTied, []string{}
	for _, job := range s.Jobs {
		switch job.Status {
		case "completed", "skipped":
		case JobMissing:
			status = StatusIncomplete
			reasons = append(reasons, fmt.Sprintf("The job %s did not run.", job.Job))
		default:
			status = StatusIncomplete
			reasons = append(reasons, fmt.Sprintf("The job %s did not complete.", job.Job))
		}
	}
	if len(s.ControlTotals) == 0 {
		status = StatusIncomplete
		reasons = append(reasons, "No check has run for this night.")
	}
	for _, control := range s.ControlTotals {
		if left, many := control.LeftOut(); many {
			status = StatusIncomplete
			reasons = append(reasons, left.String())
		}
	}
	for _, control := range s.ControlTotals {
		if !control.Difference.IsZero() {
			status = StatusUntied
			reasons = append(reasons, fmt.Sprintf("The check “%s” is off by %s.", control.Check, numbers.WithUnit(control.Difference, control.Unit)))
		}
	}
	for _, row := range s.RollForward {
		if !row.Difference.IsZero() {
			status = StatusUntied
			reasons = append(reasons, fmt.Sprintf("The roll-forward in %s is off by %s.", numbers.Unit(row.Measure), numbers.WithUnit(row.Difference, row.Measure)))
		}
	}
	for _, currency := range s.Payouts.missing {
		status = StatusUntied
		reasons = append(reasons, fmt.Sprintf("The transactions in payout_items.csv do not add up to payouts.csv in %s.", numbers.Unit(currency)))
	}
	for _, b := range s.Bridge {
		if !b.Difference.IsZero() {
			status = StatusUntied
			reasons = append(reasons, fmt.Sprintf("The bridge from purchases to charges in %s is off by %s.", numbers.Unit(b.Currency), numbers.WithUnit(b.Difference, b.Currency)))
		}
	}
	return status, reasons
}

// Night is the handful of figures that later nights and the index keep of this one.
func (s *Summary) Night() NightFigures {
	n := NightFigures{Date: s.BusinessDate, Revision: s.Revision, Status: s.Status, Stripe: s.Stripe.Looked,
		NewBreaks: s.Breaks.New, FailedJobs: s.CreditBacks.Jobs, Credited: s.CreditBacks.ByDecision[0].Credited,
		Undecided: s.RefundRequests.Undecided, Overdue: s.RefundRequests.Overdue, Approved: s.RefundRequests.ByDecision[0].Money}
	n.Errors, n.Warnings, n.Infos = s.Breaks.BySeverity[0].Open, s.Breaks.BySeverity[1].Open, s.Breaks.BySeverity[2].Open
	for _, row := range s.RollForward {
		if row.Measure == "credits" {
			n.Closing = row.Closing
		}
	}
	return n
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
