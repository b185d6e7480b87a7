package reports

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
)

// How many rows the page shows of what may be long; the files have all of them.
const (
	topBreaksPerKind = 10
	topRows          = 15
	// maxGroups bounds how many different texts of the platform (failure codes, statuses) are counted one by one.
	maxGroups = 500
	topCodes  = 20
)

// figures adds the rows of a night up while they are written, in constant memory.
type figures struct {
	facts Facts

	breaks      BreakFigures
	breakStake  tally
	bySeverity  map[reconcile.Severity]*severityTally
	byAge       [len(ageBuckets)]AgeFigures
	byKind      map[reconcile.BreakKind]*kindTally
	creditBacks struct {
		jobs                int64
		byDecision, byClass groups[string, creditBackTally]
		byCode              groups[codeKey, creditBackTally]
	}
	windows struct {
		byState groups[string, windowTally]
		closing [len(closingHours)]windowTally
		next    topN[RefundWindow]
	}
	requests struct {
		total, undecided, overdue, dueSoon int64
		byDecision                         groups[string, decisionTally]
		byDaysLeft                         [len(daysLeftBuckets)]int64
		urgent, final                      topN[RefundDecision]
	}
	rollForward []RollForward
	activity    []StripeActivity
	cash        []StripeCash
	payouts     struct {
		total       int64
		byStatus    groups[[2]string, amountTally]
		residual    tally
		notItemised tally
		transit     topN[Payout]
	}
	disputes struct {
		total, open int64
		byPhase     groups[string, windowTally]
		first       topN[Dispute]
	}
	subscriptions struct {
		total    int64
		byTieOut groups[string, amountTally]
	}
	controls []ControlTotal
	rejects  struct {
		total      int64
		byRelation groups[[2]string, int64]
		first      []Reject
	}
	notifications int64
}

type severityTally struct {
	open  int64
	stake tally
}

type kindTally struct {
	KindFigures
	stake, net tally
	top        topN[Break]
}

type codeKey struct{ code, class string }

type creditBackTally struct {
	jobs              int64
	debited, credited sum
}

type windowTally struct {
	count   int64
	credits sum
	money   tally
}

type decisionTally struct {
	count int64
	money tally
}

type amountTally struct {
	count  int64
	amount sum
}

var (
	ageBuckets = [...]struct {
		name string
		upTo int64
	}{{"tonight", 0}, {"1–2 days", 2}, {"3–7 days", 7}, {"8–30 days", 30}, {"over 30 days", 1 << 62}}
	closingHours    = [...]int64{24, 48, 168}
	daysLeftBuckets = [...]string{"overdue", "today", "1 day", "2 days", "3–4 days", "5 or more"}
)

func newFigures(facts Facts) *figures {
	f := &figures{facts: facts, bySeverity: map[reconcile.Severity]*severityTally{}, byKind: map[reconcile.BreakKind]*kindTally{}}
	for i, bucket := range ageBuckets {
		f.byAge[i].Age = bucket.name
	}
	f.creditBacks.byDecision.limit, f.creditBacks.byClass.limit, f.creditBacks.byCode.limit = maxGroups, maxGroups, maxGroups
	f.windows.byState.limit, f.requests.byDecision.limit = maxGroups, maxGroups
	f.payouts.byStatus.limit, f.disputes.byPhase.limit, f.subscriptions.byTieOut.limit, f.rejects.byRelation.limit = maxGroups, maxGroups, maxGroups, maxGroups
	f.windows.next = topN[RefundWindow]{n: topRows, order: func(a, b RefundWindow) int {
		return cmp.Or(a.ExpiresAt.Compare(b.ExpiresAt), cmp.Compare(a.PurchaseID, b.PurchaseID))
	}}
	f.requests.urgent = topN[RefundDecision]{n: topRows, order: func(a, b RefundDecision) int {
		return cmp.Or(cmp.Compare(a.DaysLeft, b.DaysLeft), a.DueDate.Compare(b.DueDate), cmp.Compare(a.RequestID, b.RequestID))
	}}
	f.requests.final = topN[RefundDecision]{n: topRows, order: func(a, b RefundDecision) int {
		return cmp.Or(cmp.Compare(a.Decision, b.Decision), b.RefundMinor.Compare(a.RefundMinor), cmp.Compare(a.RequestID, b.RequestID))
	}}
	f.payouts.transit = topN[Payout]{n: topRows, order: func(a, b Payout) int {
		return cmp.Or(a.ArrivalDate.Compare(b.ArrivalDate), cmp.Compare(a.PayoutID, b.PayoutID))
	}}
	f.disputes.first = topN[Dispute]{n: topRows, order: func(a, b Dispute) int {
		return cmp.Or(a.OpenedAt.Compare(b.OpenedAt), cmp.Compare(a.DisputeID, b.DisputeID))
	}}
	return f
}

// byMoney orders breaks by what is at stake, then the older first.
func byMoney(a, b Break) int {
	return cmp.Or(b.Variance.Abs().Compare(a.Variance.Abs()), cmp.Compare(b.AgeDays, a.AgeDays), cmp.Compare(a.BreakID, b.BreakID))
}

func (f *figures) addBreak(row Break) {
	kind := f.byKind[row.Kind]
	if kind == nil {
		rule, _ := row.Kind.Rule()
		kind = &kindTally{KindFigures: KindFigures{Kind: row.Kind, Severity: row.Severity, Between: rule.Between},
			top: topN[Break]{n: topBreaksPerKind, order: byMoney}}
		f.byKind[row.Kind] = kind
	}
	switch row.Status {
	case "resolved":
		f.breaks.Resolved++
		kind.Closed++
		return
	case "cleared":
		f.breaks.Cleared++
		kind.Closed++
		return
	}
	f.breaks.Open++
	kind.Open++
	if row.AgeDays == 0 {
		f.breaks.New++
		kind.New++
	}
	kind.OldestDays = max(kind.OldestDays, row.AgeDays)
	kind.top.add(row)
	severity := f.bySeverity[row.Severity]
	if severity == nil {
		severity = &severityTally{}
		f.bySeverity[row.Severity] = severity
	}
	severity.open++
	age := &f.byAge[ageBucket(row.AgeDays)]
	switch row.Severity {
	case reconcile.Error:
		age.Error++
	case reconcile.Warning:
		age.Warning++
	default:
		age.Info++
	}
	if !isStake(row.Unit) || row.Variance.IsZero() {
		return
	}
	kind.stake.add(row.Unit, row.Variance.Abs())
	kind.net.add(row.Unit, row.Variance)
	severity.stake.add(row.Unit, row.Variance.Abs())
	if row.Severity != reconcile.Info {
		f.breakStake.add(row.Unit, row.Variance.Abs())
	}
}

// isStake says whether a variance in that unit is money or credits; seconds and days are not.
func isStake(unit string) bool { return unit == "credits" || isCurrency(unit) }

func ageBucket(days int64) int {
	for i, bucket := range ageBuckets {
		if days <= bucket.upTo {
			return i
		}
	}
	return len(ageBuckets) - 1
}

func (f *figures) addCreditBack(row CreditBack) {
	c := &f.creditBacks
	c.jobs++
	for _, group := range []*creditBackTally{c.byDecision.of(row.Decision), c.byClass.of(row.Class), c.byCode.of(codeKey{row.FailureCode, row.Class})} {
		group.jobs++
		group.debited.add(row.Debited)
		group.credited.add(row.CreditBack)
	}
}

func (f *figures) addWindow(row RefundWindow) {
	atRisk := row.RefundableMinor
	if !atRisk.Known() {
		atRisk = Int(row.AmountMinor)
	}
	add := func(t *windowTally) {
		t.count++
		t.credits.add(Int(row.Credits))
		t.money.add(row.Currency, atRisk)
	}
	add(f.windows.byState.of(row.State))
	if row.State != string(reconcile.WindowOpen) {
		return
	}
	left := row.ExpiresAt.Sub(f.facts.AsOf)
	for i, hours := range closingHours {
		if left <= time.Duration(hours)*time.Hour {
			add(&f.windows.closing[i])
		}
	}
	f.windows.next.add(row)
}

func (f *figures) addRequest(row RefundDecision) {
	r := &f.requests
	r.total++
	group := r.byDecision.of(row.Decision)
	group.count++
	if row.Decision == string(reconcile.DecisionApprove) {
		group.money.add(row.Currency, row.RefundMinor)
	}
	if reconcile.Decision(row.Decision).Final() {
		r.final.add(row)
		return
	}
	r.undecided++
	if row.DaysLeft < 0 {
		r.overdue++
	} else if row.DaysLeft <= 2 {
		r.dueSoon++
	}
	r.byDaysLeft[daysLeftBucket(row.DaysLeft)]++
	r.urgent.add(row)
}

func daysLeftBucket(days int64) int {
	switch {
	case days < 0:
		return 0
	case days <= 2:
		return int(days) + 1
	case days <= 4:
		return 4
	default:
		return 5
	}
}

func (f *figures) addRollForward(row RollForward) { f.rollForward = append(f.rollForward, row) }
func (f *figures) addActivity(row StripeActivity) { f.activity = append(f.activity, row) }
func (f *figures) addCash(row StripeCash)         { f.cash = append(f.cash, row) }
func (f *figures) addSubscription(row Subscription) {
	f.subscriptions.total++
	f.subscriptions.byTieOut.of(row.TieOut).count++
}
func (f *figures) addControlTotal(row ControlTotal) { f.controls = append(f.controls, row) }
func (f *figures) addNotification(Notification)     { f.notifications++ }

func (f *figures) addPayout(row Payout) {
	f.payouts.total++
	group := f.payouts.byStatus.of([2]string{row.Status, row.Currency})
	group.count++
	group.amount.add(Int(row.AmountMinor))
	switch row.TieOut {
	case string(reconcile.TieOutResidual):
		f.payouts.residual.add(row.Currency, row.ResidualMinor.Abs())
	case string(reconcile.TieOutNotItemised):
		f.payouts.notItemised.add(row.Currency, row.ResidualMinor.Abs())
	}
	if inTransit(row.Status) {
		f.payouts.transit.add(row)
	}
}

// inTransit says whether a payout has left the balance and not arrived: Stripe's statuses pending and in_transit.
func inTransit(status string) bool { return status == "pending" || status == "in_transit" }

func (f *figures) addDispute(row Dispute) {
	f.disputes.total++
	group := f.disputes.byPhase.of(row.Phase)
	group.count++
	group.money.add(row.Currency, Int(row.AmountMinor))
	if disputeOpen(row.Phase) {
		f.disputes.open++
		f.disputes.first.add(row)
	}
}

// disputeOpen says whether a dispute still wants something. A phase that nobody knows is open until somebody has looked.
func disputeOpen(phase string) bool { return phase != "won" && phase != "lost" && phase != "closed" }

func (f *figures) addReject(row Reject) {
	f.rejects.total++
	*f.rejects.byRelation.of([2]string{row.Relation, row.Field})++
	if len(f.rejects.first) < topRows {
		f.rejects.first = append(f.rejects.first, row)
	}
}

// summary is all of it, with the trends of the nights before.
func (f *figures) summary(before []NightFigures) *Summary {
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
	s.Rejects = RejectFigures{Rows: f.rejects.total, ByRelation: []RejectGroup{}, first: f.rejects.first}
	for _, key := range f.rejects.byRelation.order {
		s.Rejects.ByRelation = append(s.Rejects.ByRelation, RejectGroup{key[0], key[1], *f.rejects.byRelation.byKey[key]})
	}
	if f.rejects.byRelation.rest > 0 {
		s.Rejects.ByRelation = append(s.Rejects.ByRelation, RejectGroup{"others", "", f.rejects.byRelation.rest})
	}
	s.Status, s.StatusReasons = statusOf(s)
	s.Trends = append(slices.Clone(before), s.Night())
	return s
}

func (f *figures) summarizeBreaks(s *Summary) {
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
		figures.AtStake, figures.Net, figures.top = t.stake.amounts(), t.net.amounts(), t.top.items
		s.Breaks.ByKind = append(s.Breaks.ByKind, figures)
	}
	slices.SortFunc(s.Breaks.ByKind, func(a, b KindFigures) int {
		return cmp.Or(cmp.Compare(b.Severity.Rank(), a.Severity.Rank()), cmp.Compare(place[a.Kind], place[b.Kind]), cmp.Compare(a.Kind, b.Kind))
	})
}

func (f *figures) summarizeCreditBacks(s *Summary) {
	c := &f.creditBacks
	s.CreditBacks = CreditBackFigures{Jobs: c.jobs, ByDecision: []CreditBackGroup{}, ByClass: []CreditBackGroup{}, ByCode: []CreditBackGroup{}}
	group := func(name, class string, t *creditBackTally) CreditBackGroup {
		return CreditBackGroup{name, class, t.jobs, t.debited.number(), t.credited.number()}
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

func (f *figures) summarizeWindows(s *Summary) {
	s.RefundWindows = WindowFigures{ByState: []WindowGroup{}, Closing: []ClosingWindow{}, next: f.windows.next.items}
	states := reconcile.WindowStates()
	slices.Reverse(states) // what may still cost money first
	for _, state := range states {
		t := f.windows.byState.byKey[string(state)]
		if t == nil {
			t = &windowTally{}
		}
		s.RefundWindows.ByState = append(s.RefundWindows.ByState, WindowGroup{string(state), t.count, t.credits.number(), t.money.amounts()})
	}
	for i, hours := range closingHours {
		t := &f.windows.closing[i]
		s.RefundWindows.Closing = append(s.RefundWindows.Closing, ClosingWindow{hours, t.count, t.money.amounts()})
	}
}

func (f *figures) summarizeRequests(s *Summary) {
	r := &f.requests
	s.RefundRequests = RequestFigures{Requests: r.total, Undecided: r.undecided, Overdue: r.overdue, DueSoon: r.dueSoon,
		ByDecision: []DecisionGroup{}, ByDaysLeft: []DaysLeftGroup{}, urgent: r.urgent.items, final: r.final.items}
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

func (f *figures) summarizeStripe(s *Summary) {
	p := &f.payouts
	s.Payouts = PayoutFigures{Payouts: p.total, InTransit: []PayoutGroup{}, ByStatus: []PayoutGroup{}, Residual: p.residual.amounts(), NotItemised: p.notItemised.amounts(), transit: p.transit.items}
	for _, key := range p.byStatus.order {
		t := p.byStatus.byKey[key]
		group := PayoutGroup{key[0], key[1], t.count, t.amount.number()}
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
	d := &f.disputes
	s.Disputes = DisputeFigures{Disputes: d.total, Open: d.open, ByPhase: []DisputeGroup{}, open: d.first.items}
	for _, phase := range d.byPhase.order {
		t := d.byPhase.byKey[phase]
		s.Disputes.ByPhase = append(s.Disputes.ByPhase, DisputeGroup{phase, t.count, t.money.amounts()})
	}
	slices.SortFunc(s.Disputes.ByPhase, func(a, b DisputeGroup) int { return cmp.Compare(a.Phase, b.Phase) })
}

func (f *figures) summarizeSubscriptions(s *Summary) {
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
		if !control.Difference.IsZero() {
			status = StatusUntied
			reasons = append(reasons, fmt.Sprintf("The check “%s” is off by %s.", control.Check, amountWithUnit(control.Difference, control.Unit)))
		}
	}
	for _, row := range s.RollForward {
		if !row.Difference.IsZero() {
			status = StatusUntied
			reasons = append(reasons, fmt.Sprintf("The roll-forward in %s is off by %s.", unitText(row.Measure), amountWithUnit(row.Difference, row.Measure)))
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
