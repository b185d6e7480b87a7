package figures

import (
	"cmp"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// How many rows the page shows of what may be long; the files have all of them.
const (
	topBreaksPerKind = 10
	topRows          = 15
	// maxGroups bounds how many different texts of the platform (failure codes, statuses) are counted one by one.
	maxGroups = 500
	topCodes  = 20
)

// Collector adds the rows of a night up while they are written, in constant memory.
type Collector struct {
	facts Facts

	breaks      BreakFigures
	breakStake  tally
	bySeverity  map[reconcile.Severity]*severityTally
	byAge       [len(ageBuckets)]AgeFigures
	byKind      map[reconcile.BreakKind]*kindTally
	creditBacks struct {
		last                tables.CreditBack
		jobs                int64
		byDecision, byClass groups[string, creditBackTally]
		byCode              groups[codeKey, creditBackTally]
	}
	windows struct {
		byState groups[string, windowTally]
		closing [len(closingHours)]windowTally
		next    topN[tables.RefundWindow]
	}
	requests struct {
		total, undecided, overdue, dueSoon int64
		byDecision                         groups[string, decisionTally]
		byDaysLeft                         [len(daysLeftBuckets)]int64
		urgent, final                      topN[tables.RefundDecision]
	}
	rollForward []tables.RollForward
	activity    []tables.StripeActivity
	cash        []tables.StripeCash
	payouts     struct {
		total       int64
		byStatus    groups[[2]string, amountTally]
		residual    tally
		notItemised tally
		transit     topN[tables.Payout]
		// explained is, by currency, what payouts.csv says of the transactions less what payout_items.csv has: 0.
		explained, items tally
	}
	bridge     map[bridgeKey]*amountTally
	BridgeEnds []BridgeEnds
	disputes   struct {
		total, open int64
		byPhase     groups[string, windowTally]
		first       topN[tables.Dispute]
		due, past   int64
		firstDue    tables.Moment
		dueMoney    tally
	}
	subscriptions struct {
		total    int64
		byTieOut groups[string, amountTally]
	}
	controls []tables.ControlTotal
	rejects  struct {
		total      int64
		byRelation groups[[2]string, int64]
		first      []tables.Reject
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
	top        topN[tables.Break]
}

type codeKey struct{ code, class string }

type creditBackTally struct {
	jobs              int64
	debited, credited numbers.Sum
}

type windowTally struct {
	count   int64
	credits numbers.Sum
	money   tally
}

type decisionTally struct {
	count int64
	money tally
}

type amountTally struct {
	count  int64
	amount numbers.Sum
}

var (
	ageBuckets = [...]struct {
		name string
		upTo int64
	}{{"tonight", 0}, {"1–2 days", 2}, {"3–7 days", 7}, {"8–30 days", 30}, {"over 30 days", 1 << 62}}
	closingHours    = [...]int64{24, 48, 168}
	daysLeftBuckets = [...]string{"overdue", "today", "1 day", "2 days", "3–4 days", "5 or more"}
)

// New begins to count a night.
func New(facts Facts) *Collector {
	f := &Collector{facts: facts, bySeverity: map[reconcile.Severity]*severityTally{}, byKind: map[reconcile.BreakKind]*kindTally{}}
	for i, bucket := range ageBuckets {
		f.byAge[i].Age = bucket.name
	}
	f.creditBacks.byDecision.limit, f.creditBacks.byClass.limit, f.creditBacks.byCode.limit = maxGroups, maxGroups, maxGroups
	f.windows.byState.limit, f.requests.byDecision.limit = maxGroups, maxGroups
	f.payouts.byStatus.limit, f.disputes.byPhase.limit, f.subscriptions.byTieOut.limit, f.rejects.byRelation.limit = maxGroups, maxGroups, maxGroups, maxGroups
	f.windows.next = topN[tables.RefundWindow]{n: topRows, order: func(a, b tables.RefundWindow) int {
		return cmp.Or(a.ExpiresAt.Compare(b.ExpiresAt), cmp.Compare(a.PurchaseID, b.PurchaseID))
	}}
	f.requests.urgent = topN[tables.RefundDecision]{n: topRows, order: func(a, b tables.RefundDecision) int {
		return cmp.Or(cmp.Compare(a.DaysLeft, b.DaysLeft), a.DueDate.Compare(b.DueDate), cmp.Compare(a.RequestID, b.RequestID))
	}}
	f.requests.final = topN[tables.RefundDecision]{n: topRows, order: func(a, b tables.RefundDecision) int {
		return cmp.Or(cmp.Compare(a.Decision, b.Decision), b.RefundMinor.Compare(a.RefundMinor), cmp.Compare(a.RequestID, b.RequestID))
	}}
	f.payouts.transit = topN[tables.Payout]{n: topRows, order: func(a, b tables.Payout) int {
		return cmp.Or(a.ArrivalDate.Compare(b.ArrivalDate), cmp.Compare(a.PayoutID, b.PayoutID))
	}}
	f.disputes.first = topN[tables.Dispute]{n: topRows, order: func(a, b tables.Dispute) int {
		return cmp.Or(a.OpenedAt.Compare(b.OpenedAt), cmp.Compare(a.DisputeID, b.DisputeID))
	}}
	return f
}

// byMoney orders breaks by what is at stake, then the older first.
func byMoney(a, b tables.Break) int {
	return cmp.Or(b.Variance.Abs().Compare(a.Variance.Abs()), cmp.Compare(b.AgeDays, a.AgeDays), cmp.Compare(a.BreakID, b.BreakID))
}

// AddBreak counts a row of breaks.csv.
func (f *Collector) AddBreak(row tables.Break) {
	kind := f.byKind[row.Kind]
	if kind == nil {
		rule, _ := row.Kind.Rule()
		kind = &kindTally{KindFigures: KindFigures{Kind: row.Kind, Severity: row.Severity, Between: rule.Between},
			top: topN[tables.Break]{n: topBreaksPerKind, order: byMoney}}
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
	if !IsStake(row.Unit) || row.Variance.IsZero() {
		return
	}
	kind.stake.add(row.Unit, row.Variance.Abs())
	kind.net.add(row.Unit, row.Variance)
	severity.stake.add(row.Unit, row.Variance.Abs())
	if row.Severity != reconcile.Info {
		f.breakStake.add(row.Unit, row.Variance.Abs())
	}
}

// IsStake says whether a variance in that unit is money or credits; seconds and days are not.
func IsStake(unit string) bool { return unit == "credits" || numbers.IsCurrency(unit) }

func ageBucket(days int64) int {
	for i, bucket := range ageBuckets {
		if days <= bucket.upTo {
			return i
		}
	}
	return len(ageBuckets) - 1
}

// AddCreditBack counts a row of credit_backs.csv. Rows of one job follow one another, each with all that it had been debited by then.
func (f *Collector) AddCreditBack(row tables.CreditBack) {
	c := &f.creditBacks
	jobs, debited := int64(1), row.Debited
	if c.last.JobID == row.JobID && c.last.AccountID == row.AccountID {
		jobs, debited = 0, row.Debited.Minus(c.last.Debited)
	}
	c.last = row
	c.jobs += jobs
	for _, group := range []*creditBackTally{c.byDecision.of(row.Decision), c.byClass.of(row.Class), c.byCode.of(codeKey{row.FailureCode, row.Class})} {
		group.jobs += jobs
		group.debited.Add(debited)
		group.credited.Add(row.CreditBack)
	}
}

// AddWindow counts a row of refund_windows.csv.
func (f *Collector) AddWindow(row tables.RefundWindow) {
	atRisk := row.RefundableMinor
	if !atRisk.Known() {
		atRisk = numbers.Int(row.AmountMinor)
	}
	add := func(t *windowTally) {
		t.count++
		t.credits.Add(numbers.Int(row.Credits))
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

// AddRequest counts a row of refund_decisions.csv.
func (f *Collector) AddRequest(row tables.RefundDecision) {
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

// AddRollForward counts a row of roll_forward.csv.
func (f *Collector) AddRollForward(row tables.RollForward) {
	f.rollForward = append(f.rollForward, row)
}

// AddActivity counts a row of stripe_activity.csv.
func (f *Collector) AddActivity(row tables.StripeActivity) { f.activity = append(f.activity, row) }

// AddCash counts a row of stripe_cash.csv.
func (f *Collector) AddCash(row tables.StripeCash) { f.cash = append(f.cash, row) }

// AddSubscription counts a row of subscriptions.csv.
func (f *Collector) AddSubscription(row tables.Subscription) {
	f.subscriptions.total++
	f.subscriptions.byTieOut.of(row.TieOut).count++
}

// AddControlTotal counts a row of control_totals.csv.
func (f *Collector) AddControlTotal(row tables.ControlTotal) { f.controls = append(f.controls, row) }

// AddNotification counts a row of notifications.csv.
func (f *Collector) AddNotification(tables.Notification) { f.notifications++ }

// AddPayout counts a row of payouts.csv.
func (f *Collector) AddPayout(row tables.Payout) {
	f.payouts.total++
	f.payouts.explained.add(row.Currency, row.NetMinor)
	f.payouts.items.add(row.Currency, numbers.Int(row.Transactions))
	group := f.payouts.byStatus.of([2]string{row.Status, row.Currency})
	group.count++
	group.amount.Add(numbers.Int(row.AmountMinor))
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

// AddPayoutItem takes an item off what payouts.csv says of its currency.
func (f *Collector) AddPayoutItem(row tables.PayoutItem) {
	f.payouts.explained.add(row.Currency, numbers.Int(-row.NetMinor))
	f.payouts.items.add(row.Currency, numbers.Int(-1))
}

// inTransit says whether a payout has left the balance and not arrived: Stripe's statuses pending and in_transit.
func inTransit(status string) bool { return status == "pending" || status == "in_transit" }

// AddDispute counts a row of disputes.csv.
func (f *Collector) AddDispute(row tables.Dispute) {
	f.disputes.total++
	group := f.disputes.byPhase.of(row.Phase)
	group.count++
	group.money.add(row.Currency, numbers.Int(row.AmountMinor))
	if disputeOpen(row.Phase) {
		f.disputes.open++
		f.disputes.first.add(row)
	}
	f.addEvidence(row)
}

// evidenceDays is how long before its date evidence begins to be due.
const evidenceDays = 3

// addEvidence counts a dispute whose evidence is due. A bank that reviews what it was sent takes no more.
func (f *Collector) addEvidence(row tables.Dispute) {
	if !disputeOpen(row.Phase) || strings.HasSuffix(row.Status, "under_review") || row.EvidenceDueBy.IsZero() || row.EvidenceDueBy.After(f.facts.AsOf.AddDate(0, 0, evidenceDays)) {
		return
	}
	d := &f.disputes
	d.due++
	if !row.EvidenceDueBy.After(f.facts.AsOf) {
		d.past++
	}
	if d.firstDue.IsZero() || row.EvidenceDueBy.Before(d.firstDue.Time) {
		d.firstDue = row.EvidenceDueBy
	}
	d.dueMoney.add(row.Currency, numbers.Int(row.AmountMinor))
}

// disputeOpen says whether a dispute still wants something. A phase that nobody knows is open until somebody has looked.
func disputeOpen(phase string) bool {
	switch reconcile.DisputePhase(phase) {
	case reconcile.PhaseWon, reconcile.PhasePartlyWon, reconcile.PhaseLost, reconcile.PhaseClosed:
		return false
	}
	return true
}

// AddReject counts a row of rejects.csv.
func (f *Collector) AddReject(row tables.Reject) {
	f.rejects.total++
	*f.rejects.byRelation.of([2]string{row.Relation, row.Field})++
	if len(f.rejects.first) < topRows {
		f.rejects.first = append(f.rejects.first, row)
	}
}
