package reconcile

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"time"
)

// IntentState is where a refund that is to be made stands.
type IntentState string

// The life of a refund: planned -> sending -> sent | rejected | unknown -> settled | failed.
const (
	// IntentPlanned: nothing has happened yet.
	IntentPlanned IntentState = "planned"
	// IntentSending: the credits are held, and Stripe is being asked or is about to be.
	IntentSending IntentState = "sending"
	// IntentUnknown: Stripe may or may not have made the refund.
	IntentUnknown IntentState = "unknown"
	// IntentSent: Stripe has made the refund.
	IntentSent IntentState = "sent"
	// IntentSettled: Stripe says that it succeeded. It may still fail later.
	IntentSettled IntentState = "settled"
	// IntentRejected: Stripe has definitely not made it; the credits are back.
	IntentRejected IntentState = "rejected"
	// IntentFailed: Stripe made it and it failed; money and credits are back.
	IntentFailed IntentState = "failed"
	// IntentStopped: a check before sending said no. Nothing was moved.
	IntentStopped IntentState = "stopped"
	// IntentCancelled: its plan was withdrawn before anything was moved.
	IntentCancelled IntentState = "cancelled"
)

// intentSteps are all steps there are; the table of steps in the database allows the same.
var intentSteps = map[IntentState][]IntentState{
	"":             {IntentPlanned},
	IntentPlanned:  {IntentSending, IntentStopped, IntentCancelled},
	IntentSending:  {IntentSent, IntentRejected, IntentUnknown},
	IntentUnknown:  {IntentSent, IntentRejected, IntentUnknown},
	IntentSent:     {IntentSettled, IntentFailed},
	IntentSettled:  {IntentFailed},
	IntentRejected: nil, IntentFailed: nil, IntentStopped: nil, IntentCancelled: nil,
}

// MayBecome says whether the life of a refund has that step. "" is before its beginning.
func (s IntentState) MayBecome(next IntentState) bool { return slices.Contains(intentSteps[s], next) }

// Live says whether another refund of the same request or charge would be a second one: everything but what has definitely come to
// nothing.
func (s IntentState) Live() bool {
	switch s {
	case IntentPlanned, IntentSending, IntentUnknown, IntentSent, IntentSettled:
		return true
	}
	return false
}

// IsOpen says whether Stripe may or may not have made the refund, as far as is on record.
func (s IntentState) IsOpen() bool { return s == IntentSending || s == IntentUnknown }

// HoldsCredits says whether the credits are out of the account.
func (s IntentState) HoldsCredits() bool { return s.Live() && s != IntentPlanned }

// Releases says whether the step gives held credits back.
func (s IntentState) Releases(next IntentState) bool { return s.HoldsCredits() && !next.Live() }

// Refusal is a reason against sending a refund: what differs, from what, and why that matters. It is no break by itself, as nothing was refunded: the
// difference may be a break of its own kind, and an approval that stays unpaid is RefundUnpaid.
type Refusal struct {
	Field        string
	Ours, Theirs string
	Reason       string
	// MovedOn: the customer, staff or the customer's bank have done something since the decision, which is nobody's fault. Without it, what
	// was decided by is not what is there.
	MovedOn bool
}

func (r Refusal) String() string {
	return fmt.Sprintf("%s: %s is %q, should be %q", r.Reason, r.Field, r.Theirs, r.Ours)
}

// MovedOn says whether something that was done since the decision explains why a refund is refused.
func MovedOn(refusals []Refusal) bool {
	return slices.ContainsFunc(refusals, func(r Refusal) bool { return r.MovedOn })
}

// Current is everything that is looked at once more right before money leaves. What the ledger says leaves this refund's own hold out.
type Current struct {
	Planned PlannedRefund
	// The decision as it is stored now.
	Decision Decision
	Decided  PlannedRefund
	// The request and the purchase as the platform has them now.
	RequestStatus RequestStatus
	RequestedAt   time.Time
	Purchase      PurchaseFacts
	// GrantedCredits are what the ledger has granted for the purchase, TakenCredits what refunds have taken of them.
	GrantedCredits, TakenCredits int64
	// The charge as Stripe has it now.
	Charge ChargeState
	// Reversals are those of its refunds that only took back what a partial capture had left, ReversedMinor what they come to: nobody had
	// paid that.
	Reversals     []string
	ReversedMinor int64
	// At is the present instant.
	At time.Time
}

// ChargeState is a charge as Stripe shows it; amounts in minor units of Currency.
type ChargeState struct {
	Found                                     bool
	Status, Currency                          string
	AmountMinor, CapturedMinor, RefundedMinor int64
	Captured, Refunded, Disputed              bool
	// Refunds are the live refunds that it has already, ours not counted.
	Refunds []string
}

// RefusalsOf are all reasons against sending this refund now; none: it may go. They are asked right before, so that nothing that has
// happened since the decision is paid over.
func RefusalsOf(c Current) []Refusal {
	var refusals []Refusal
	refuse := func(field string, ours, theirs any, reason string, movedOn bool) {
		refusals = append(refusals, Refusal{field, fmt.Sprint(ours), fmt.Sprint(theirs), reason, movedOn})
	}
	refusals = append(refusals, refusalsOfCharge(c)...)
	p, planned := c.Purchase, c.Planned
	if c.RequestStatus == RequestWithdrawn || c.RequestStatus == RequestDenied || c.RequestStatus == "" {
		refuse("request_status", RequestApproved, c.RequestStatus, "the request is not open any more", c.RequestStatus != "")
	}
	if p.Kind != PurchaseCredits || p.Status != PurchaseCompleted {
		refuse("purchase_status", "completed credits", string(p.Status)+" "+string(p.Kind), "it is no completed purchase of credits", p.Kind == PurchaseCredits)
	}
	if p.Currency != planned.Currency {
		refuse("currency", planned.Currency, p.Currency, "the purchase is in another currency now", false)
	}
	switch paid := p.Payment.PaidMinor(); {
	case !p.Payment.Covers(p.AmountMinor, p.Currency):
		refuse("amount_minor", planned.AmountMinor+planned.FeeMinor, p.AmountMinor, "the purchase has another amount now than was paid", false)
	case paid != planned.AmountMinor+planned.FeeMinor:
		refuse("amount_minor", planned.AmountMinor+planned.FeeMinor, paid, "another amount was paid than was decided by", false)
	}
	if _, withheld, err := p.Payment.Refundable(); p.Payment.Known && (err != nil || withheld != planned.FeeMinor) {
		refuse("fee_minor", planned.FeeMinor, withheld, "Stripe's fee is not the one that was decided by", false)
	}
	if p.Credits != planned.Credits || c.GrantedCredits != planned.Credits {
		refuse("credits", planned.Credits, c.GrantedCredits, "the ledger has not granted what the purchase is of", false)
	}
	if p.UsedCredits > 0 {
		refuse("used_credits", 0, p.UsedCredits, "credits of the purchase have been used since the decision", true)
	}
	if c.TakenCredits != 0 {
		refuse("refunded_credits", 0, c.TakenCredits, "the credits have been taken out for a refund already", true)
	}
	if len(refusals) > 0 {
		return refusals
	}
	window := WindowFacts{
		AsOf: c.At, CompletedAt: p.CompletedAt, ExpiresAt: p.ExpiresAt, UsedCredits: p.UsedCredits,
		Refunded: p.RefundedBefore, Disputed: p.Disputed, RequestedAt: c.RequestedAt,
	}
	if state := window.State(); state != WindowRequested {
		refuse("window_state", WindowRequested, state, "the refund window does not allow it any more", false)
	}
	return refusals
}

// ChargeFields are the fields of refusals that only Stripe tells of: the charge as it was when it was read.
func ChargeFields() []string {
	return []string{"charge", "disputed_before_refund", "amount_refunded", "charge_currency", "charge_amount_minor", "charge_status", "charge_captured"}
}

func refusalsOfCharge(c Current) []Refusal {
	charge := c.Charge
	if !charge.Found {
		return []Refusal{{Field: "charge", Ours: c.Planned.ChargeID, Reason: "Stripe has no such charge"}}
	}
	var refusals []Refusal
	refuse := func(field string, ours, theirs any, reason string, movedOn bool) {
		refusals = append(refusals, Refusal{field, fmt.Sprint(ours), fmt.Sprint(theirs), reason, movedOn})
	}
	if charge.Disputed {
		refuse("disputed_before_refund", false, true, "the payment is disputed; a refund on top could pay it back twice", true)
	}
	refunded := charge.RefundedMinor - c.ReversedMinor
	refunds := slices.DeleteFunc(slices.Clone(charge.Refunds), func(id string) bool { return slices.Contains(c.Reversals, id) })
	if refunded != 0 || charge.Refunded || len(refunds) > 0 {
		refuse("amount_refunded", 0, refunded, "some or all of the payment was refunded already", true)
	}
	if charge.Currency != c.Planned.Currency {
		refuse("charge_currency", c.Planned.Currency, charge.Currency, "the charge is in another currency", false)
	}
	if captured := c.Purchase.Payment.CapturedMinor; charge.CapturedMinor != captured {
		refuse("charge_amount_minor", captured, charge.CapturedMinor, "another amount was captured of the charge than was decided by", false)
	}
	switch {
	case charge.Status != "succeeded":
		refuse("charge_status", "succeeded", charge.Status, "the charge has not succeeded", true)
	case !charge.Captured:
		refuse("charge_captured", true, false, "more of the payment may still be captured, so what was paid is not known yet", true)
	}
	return refusals
}

// DecisionDiffers names the first thing in which a stored decision is not what was planned by; "" when nothing is.
func DecisionDiffers(c Current) string {
	p, d := c.Planned, c.Decided
	switch {
	case c.Decision != DecisionApprove:
		return fmt.Sprintf("the decision is %q, not approve", c.Decision)
	case d.AmountMinor != p.AmountMinor:
		return fmt.Sprintf("the amount is %d, planned were %d", d.AmountMinor, p.AmountMinor)
	case d.FeeMinor != p.FeeMinor:
		return fmt.Sprintf("the fee is %d, planned were %d", d.FeeMinor, p.FeeMinor)
	case d.Currency != p.Currency:
		return fmt.Sprintf("the currency is %s, planned was %s", d.Currency, p.Currency)
	case d.ChargeID != p.ChargeID:
		return fmt.Sprintf("the charge is %s, planned was %s", d.ChargeID, p.ChargeID)
	case d.PurchaseID != p.PurchaseID:
		return fmt.Sprintf("the purchase is %s, planned was %s", d.PurchaseID, p.PurchaseID)
	case d.Credits != p.Credits:
		return fmt.Sprintf("the credits are %d, planned were %d", d.Credits, p.Credits)
	case d.Clauses != p.Clauses || d.PolicyVersion != p.PolicyVersion:
		return "clauses or policy version are others"
	}
	return ""
}

// KeyLifetime is how long an idempotency key is relied on: Stripe may forget one after 24 h, and an hour is kept for clocks
// (https://docs.stripe.com/api/idempotent_requests). Nothing is sent in its last hour, KeyRest, so that no request is under way any more
// when a refund that Stripe doesn't have is given up.
const (
	KeyLifetime = 23 * time.Hour
	KeyRest     = time.Hour
)

// NextStep is what to do about a refund whose outcome is open.
type NextStep string

// The steps.
const (
	// StepRecord: Stripe has it; note that.
	StepRecord NextStep = "record"
	// StepSend: send it, again or for the first time, with the same key and parameters.
	StepSend NextStep = "send"
	// StepWait: it may neither be sent again nor given up: an earlier request may still be under way.
	StepWait NextStep = "wait"
	// StepGiveUp: its key has expired and Stripe has no refund: it was never made.
	StepGiveUp NextStep = "give up"
)

// OpenOutcome is what is known of a refund in state sending or unknown after its charge's refunds were looked up.
type OpenOutcome struct {
	// Found: the charge has a refund that carries our id.
	Found bool
	// KeyAge is how long ago the idempotency key was first used.
	KeyAge time.Duration
	// Refused: a check says no now.
	Refused bool
}

// Next decides. An expired key is never sent again: Stripe could take it for a new refund. A refund that may be under way is not given
// up before its key has expired.
func (o OpenOutcome) Next() NextStep {
	switch {
	case o.Found:
		return StepRecord
	case o.KeyAge >= KeyLifetime:
		return StepGiveUp
	case o.KeyAge < 0, o.Refused, o.KeyAge >= KeyLifetime-KeyRest: // a clock that ran backwards tells nothing about the key
		return StepWait
	default:
		return StepSend
	}
}

// RefundCaps bound what may leave; 0 means no bound. Amounts are minor units by currency, "*" for every currency that isn't named.
type RefundCaps struct {
	RunCount, CustomerCount, DayCount    int64
	RunMinor, CustomerMinor, DayMinor    map[string]int64
	AnomalyMultiple, ConsecutiveFailures int64
}

// RefundTally is what has left already, without the refund that is asked about. Amounts are of its currency.
type RefundTally struct {
	RunCount, CustomerCount, DayCount int64
	RunMinor, CustomerMinor, DayMinor int64
}

// Trip is a circuit breaker that has tripped.
type Trip struct {
	Code              string // for machines
	Breaker           string // in words
	Measured, Allowed int64
	Unit              string // UnitRefunds, or a currency
}

// UnitRefunds is what caps on how many refunds there may be count.
const UnitRefunds = "refunds"

func (t Trip) String() string {
	return t.Breaker + " is " + t.amount(t.Allowed) + "; it would be " + t.amount(t.Measured)
}

func (t Trip) amount(n int64) string {
	if t.Unit == UnitRefunds {
		return strconv.FormatInt(n, 10) + " " + t.Unit
	}
	return FormatMinor(n, t.Unit)
}

// Check says which cap one more refund would break, if any.
func (c RefundCaps) Check(t RefundTally, amountMinor int64, currency string) (Trip, bool) {
	bound := func(caps map[string]int64) int64 {
		if limit, ok := caps[currency]; ok {
			return limit
		}
		return caps["*"]
	}
	for _, cap := range []struct {
		code, breaker string
		before, limit int64
		more          int64
		unit          string
	}{
		{"cap_run_count", "the cap on refunds of a run", t.RunCount, c.RunCount, 1, UnitRefunds},
		{"cap_customer_count", "the cap on refunds of a customer a day", t.CustomerCount, c.CustomerCount, 1, UnitRefunds},
		{"cap_day_count", "the cap on refunds of a day", t.DayCount, c.DayCount, 1, UnitRefunds},
		{"cap_run_amount", "the cap on the money of a run", t.RunMinor, bound(c.RunMinor), amountMinor, currency},
		{"cap_customer_amount", "the cap on the money of a customer a day", t.CustomerMinor, bound(c.CustomerMinor), amountMinor, currency},
		{"cap_day_amount", "the cap on the money of a day", t.DayMinor, bound(c.DayMinor), amountMinor, currency},
	} {
		if cap.limit > 0 && (cap.more > cap.limit || cap.before > cap.limit-cap.more) {
			return Trip{cap.code, cap.breaker, saturatingAdd(cap.before, cap.more), cap.limit, cap.unit}, true
		}
	}
	return Trip{}, false
}

func saturatingAdd(a, b int64) int64 {
	if b > 0 && a > int64(maxInt64)-b {
		return int64(maxInt64)
	}
	return a + b
}

// minAnomalyTotals is how many totals the median needs before it says anything.
const minAnomalyTotals = 7

// Anomalous says whether a total is more than multiple times the median of those before it, 0 meaning never; there have to be some, and a median
// above 0.
func Anomalous(total *big.Int, before []*big.Int, multiple int64) (median *big.Int, anomalous bool) {
	if multiple <= 0 || len(before) < minAnomalyTotals {
		return new(big.Int), false
	}
	sorted := slices.SortedFunc(slices.Values(before), (*big.Int).Cmp)
	median = sorted[len(sorted)/2]
	return median, median.Sign() > 0 && total.Cmp(new(big.Int).Mul(median, big.NewInt(multiple))) > 0
}

// PlannedRefund is one refund of a plan: what an approved decision calls for. Amounts are minor units of Currency.
type PlannedRefund struct {
	AccountID   string `json:"account_id"`
	RequestID   string `json:"request_id"`
	PurchaseID  string `json:"purchase_id"`
	ChargeID    string `json:"charge_id"`
	DecidedOn   Date   `json:"decided_on"` // the night of the decision
	AmountMinor int64  `json:"amount_minor"`
	// FeeMinor is withheld: amount and fee together are what was paid.
	FeeMinor int64  `json:"fee_minor"`
	Currency string `json:"currency"`
	// Credits leave the account.
	Credits       int64  `json:"credits"`
	Clauses       string `json:"clauses"`
	PolicyVersion string `json:"policy_version"`
	// Attempt counts the tries to pay this request; those before have definitely come to nothing.
	Attempt int `json:"attempt"`
}

// IntentID names this try to pay this request, and nothing else: the idempotency key at Stripe comes from it.
func (r PlannedRefund) IntentID() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d", r.RequestID, r.Attempt))
	return "ri_" + hex.EncodeToString(sum[:12])
}

// IdempotencyKey is what every request for this refund carries, however often it is sent.
func (r PlannedRefund) IdempotencyKey() string { return "reconciler-refund-" + r.IntentID() }

// HoldEntryID and ReleaseEntryID are the ledger entries that take the credits, and give them back if the refund comes to nothing.
func (r PlannedRefund) HoldEntryID() string { return "rf_" + r.IntentID()[len("ri_"):] }

// ReleaseEntryID: see HoldEntryID.
func (r PlannedRefund) ReleaseEntryID() string { return "rr_" + r.IntentID()[len("ri_"):] }

// RefundPlan is a list of refunds that is approved as a whole.
type RefundPlan struct {
	// Date: decisions through this night.
	Date    Date            `json:"date"`
	Refunds []PlannedRefund `json:"refunds"`
}

// sorted is the plan in the order of its requests.
func (p RefundPlan) sorted() RefundPlan {
	p.Refunds = slices.SortedFunc(slices.Values(p.Refunds), func(a, b PlannedRefund) int {
		return cmp.Or(cmp.Compare(a.RequestID, b.RequestID), cmp.Compare(a.Attempt, b.Attempt))
	})
	return p
}

// Hash is SHA-256 over the plan's content, whatever the order of its refunds.
func (p RefundPlan) Hash() string {
	content, err := json.Marshal(p.sorted())
	if err != nil {
		panic(fmt.Sprintf("a plan of texts and numbers can always be encoded: %v", err))
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// ID names the plan by its night and its content: the same content is the same plan.
func (p RefundPlan) ID() string { return "plan_" + p.Date.String() + "_" + p.Hash()[:12] }

// Totals are the amounts of the plan by currency, in minor units. ErrOverflow when one doesn't fit.
func (p RefundPlan) Totals() (map[string]int64, error) {
	totals := map[string]int64{}
	for _, r := range p.Refunds {
		sum := totals[r.Currency] + r.AmountMinor
		if sum < totals[r.Currency] {
			return nil, fmt.Errorf("total of the plan in %s: %w", r.Currency, ErrOverflow)
		}
		totals[r.Currency] = sum
	}
	return totals, nil
}
