package reconcile

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The life of a refund has no step back, and none out of an end; money is only asked for with the credits held.
func TestStepsOfARefund(t *testing.T) {
	order := intentStates()
	for _, from := range append([]IntentState{""}, order...) {
		for _, to := range order {
			may := from.MayBecome(to)
			switch {
			case !may:
			case from != "" && !from.Live():
				t.Errorf("%s is an end, and can become %s", from, to)
			case from == to && from != IntentUnknown:
				t.Errorf("%s can become itself", from)
			case slices.Index(order, to) < slices.Index(order, from):
				t.Errorf("%s can go back to %s", from, to)
			case to == IntentSent && !from.HoldsCredits():
				t.Errorf("%s can be sent without its credits being held", from)
			}
			if releases := from.Releases(to); may && releases != (from.HoldsCredits() && !to.HoldsCredits()) {
				t.Errorf("%s to %s releases %v", from, to, releases)
			}
		}
	}
}

func currentRefund() Current {
	planned := plannedRefund("r")
	completed := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	return Current{
		Planned: planned, Decision: DecisionApprove, Decided: planned, RequestStatus: RequestPending, RequestedAt: completed.Add(time.Hour),
		Purchase: PurchaseFacts{
			ID: planned.PurchaseID, Kind: PurchaseCredits, Status: PurchaseCompleted, AmountMinor: 10_000, Currency: "usd", Credits: 100,
			CompletedAt: completed, ExpiresAt: completed.Add(168 * time.Hour),
			Payment: Payment{Currency: "usd", CapturedMinor: 10_000, SettledMinor: 10_000, FeeMinor: planned.FeeMinor, Known: true},
		},
		GrantedCredits: 100,
		Charge:         ChargeState{Found: true, Status: "succeeded", Currency: "usd", AmountMinor: 10_000, CapturedMinor: 10_000, Captured: true},
		At:             completed.Add(1000 * time.Hour),
	}
}

// Every reason against a refund is found and named; those that customers, staff or banks give by what they do are told from those that say that
// something is wrong with what was decided by.
func TestRefusals(t *testing.T) {
	if refusals := RefusalsOf(currentRefund()); len(refusals) > 0 {
		t.Fatalf("a refund that nothing speaks against is refused: %+v", refusals)
	}
	for _, c := range []struct {
		name, field string
		movedOn     bool
		change      func(*Current)
	}{
		{"no such charge", "charge", false, func(c *Current) { c.Charge = ChargeState{} }},
		{"disputed", "disputed_before_refund", true, func(c *Current) { c.Charge.Disputed, c.Purchase.Disputed = true, true }},
		{"partly refunded", "amount_refunded", true, func(c *Current) { c.Charge.RefundedMinor = 1 }},
		{"refunded", "amount_refunded", true, func(c *Current) { c.Charge.Refunded = true }},
		{"a refund under way", "amount_refunded", true, func(c *Current) { c.Charge.Refunds = []string{"re_1"} }},
		{"the charge's currency", "charge_currency", false, func(c *Current) { c.Charge.Currency = "eur" }},
		{"more captured since", "charge_amount_minor", false, func(c *Current) { c.Charge.AmountMinor, c.Charge.CapturedMinor = 10_001, 10_001 }},
		{"captured in part", "charge_amount_minor", false, func(c *Current) { c.Charge.CapturedMinor = 9_999 }},
		{"a charge that failed", "charge_status", true, func(c *Current) { c.Charge.Status = "failed" }},
		{"withdrawn", "request_status", true, func(c *Current) { c.RequestStatus = RequestWithdrawn }},
		{"denied", "request_status", true, func(c *Current) { c.RequestStatus = RequestDenied }},
		{"no request any more", "request_status", false, func(c *Current) { c.RequestStatus = "" }},
		{"a subscription", "purchase_status", false, func(c *Current) { c.Purchase.Kind = PurchaseSubscription }},
		{"not completed", "purchase_status", true, func(c *Current) { c.Purchase.Status = PurchaseFailed }},
		{"the purchase is gone", "purchase_status", false, func(c *Current) { c.Purchase.Kind, c.Purchase.Status = "", "" }},
		{"another currency", "currency", false, func(c *Current) { c.Purchase.Currency = "eur" }},
		{"another amount", "amount_minor", false, func(c *Current) { c.Purchase.AmountMinor = 9_999 }},
		{"another amount paid", "amount_minor", false, func(c *Current) { c.Purchase.AmountMinor, c.Purchase.Payment.FromBalanceMinor = 9_999, -1 }},
		{"another fee", "fee_minor", false, func(c *Current) { c.Purchase.Payment.FeeMinor = c.Planned.FeeMinor + 1 }},
		{"the fee isn't known, or nothing has settled", "fee_minor", false, func(c *Current) { c.Purchase.Payment.SettledMinor = 0 }},
		{"a fee that can't be converted, where none was withheld", "fee_minor", false, func(c *Current) {
			c.Planned.AmountMinor, c.Planned.FeeMinor = 10_000, 0
			c.Purchase.Payment.SettledMinor = 0
		}},
		{"a purchase of fewer credits", "credits", false, func(c *Current) { c.Purchase.Credits = 99 }},
		{"refunded more than was taken back", "amount_refunded", true, func(c *Current) { c.Charge.RefundedMinor, c.ReversedMinor = 500, 400 }},
		{"taken back more than was refunded", "amount_refunded", true, func(c *Current) { c.Charge.RefundedMinor, c.ReversedMinor = 0, 400 }},
		{"authorised, not captured", "charge_captured", true, func(c *Current) { c.Charge.Captured = false }},
		{"pending, as if captured", "charge_status", true, func(c *Current) { c.Charge.Status = "pending" }},
		{"less granted", "credits", false, func(c *Current) { c.GrantedCredits = 99 }},
		{"one credit used", "used_credits", true, func(c *Current) { c.Purchase.UsedCredits = 1 }},
		{"credits taken", "refunded_credits", true, func(c *Current) { c.TakenCredits, c.Purchase.RefundedBefore = 100, true }},
		{"requested a moment late", "window_state", false, func(c *Current) { c.RequestedAt = c.Purchase.ExpiresAt.Add(time.Microsecond) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			current := currentRefund()
			c.change(&current)
			refusals := RefusalsOf(current)
			if len(refusals) == 0 || refusals[0].Field != c.field || refusals[0].Reason == "" || MovedOn(refusals) != c.movedOn {
				t.Errorf("got %+v, want %s, moved on: %t", refusals, c.field, c.movedOn)
			}
			for _, r := range refusals {
				if ofCharge := slices.Contains(refusalsOfCharge(current), r); ofCharge != slices.Contains(ChargeFields(), r.Field) {
					t.Errorf("%s: read from Stripe: %t, among the fields of a charge: %t", r.Field, ofCharge, !ofCharge)
				}
			}
		})
	}
	for name, change := range map[string]func(*Current){
		"a refund that failed":         func(c *Current) { c.Charge.RefundedMinor, c.ReversedMinor = 400, 400 },
		"a fee that isn't known again": func(c *Current) { c.Purchase.Payment.Known, c.Purchase.Payment.FeeMinor = false, c.Planned.FeeMinor+1 },
	} {
		current := currentRefund()
		change(&current)
		if refusals := RefusalsOf(current); len(refusals) > 0 {
			t.Errorf("%s is refused: %+v", name, refusals)
		}
	}
	for name, change := range map[string]func(*Current){
		"another amount":      func(c *Current) { c.Purchase.AmountMinor = 9_999 },
		"another amount paid": func(c *Current) { c.Purchase.AmountMinor, c.Purchase.Payment.FromBalanceMinor = 9_999, -1 },
	} {
		current := currentRefund()
		change(&current)
		if refusals := RefusalsOf(current); len(refusals) == 0 || refusals[0].Ours != fmt.Sprint(current.Planned.AmountMinor+current.Planned.FeeMinor) {
			t.Errorf("%s: what was decided by is not said: %+v", name, refusals)
		}
	}
	refusal := Refusal{Field: "currency", Ours: "usd", Theirs: "eur", Reason: "it changed"}
	if got, want := refusal.String(), `it changed: currency is "eur", should be "usd"`; got != want {
		t.Errorf("a refusal reads %s, want %s", got, want)
	}
	atTheLastMoment := currentRefund()
	atTheLastMoment.RequestedAt = atTheLastMoment.Purchase.ExpiresAt
	if refusals := RefusalsOf(atTheLastMoment); len(refusals) > 0 {
		t.Errorf("a request at the window's last instant is refused: %+v", refusals)
	}
}

func TestDecisionDiffers(t *testing.T) {
	if problem := DecisionDiffers(currentRefund()); problem != "" {
		t.Fatal(problem)
	}
	for name, change := range map[string]func(*Current){
		"denied": func(c *Current) { c.Decision = DecisionDeny }, "gone": func(c *Current) { c.Decision = "" },
		"amount": func(c *Current) { c.Decided.AmountMinor++ }, "fee": func(c *Current) { c.Decided.FeeMinor++ },
		"currency": func(c *Current) { c.Decided.Currency = "eur" }, "charge": func(c *Current) { c.Decided.ChargeID = "x" },
		"purchase": func(c *Current) { c.Decided.PurchaseID = "x" }, "credits": func(c *Current) { c.Decided.Credits++ },
		"clauses": func(c *Current) { c.Decided.Clauses = "1" }, "policy": func(c *Current) { c.Decided.PolicyVersion = "9" },
	} {
		current := currentRefund()
		change(&current)
		if DecisionDiffers(current) == "" {
			t.Errorf("%s: not noticed", name)
		}
	}
}

func TestNextStepOfAnOpenOutcome(t *testing.T) {
	for _, c := range []struct {
		outcome OpenOutcome
		want    NextStep
	}{
		{OpenOutcome{Found: true}, StepRecord},
		{OpenOutcome{Found: true, KeyAge: 100 * time.Hour, Refused: true}, StepRecord},
		{OpenOutcome{}, StepSend},
		{OpenOutcome{KeyAge: KeyLifetime - KeyRest - 1}, StepSend},
		{OpenOutcome{KeyAge: KeyLifetime - KeyRest}, StepWait},
		{OpenOutcome{KeyAge: KeyLifetime - 1}, StepWait},
		{OpenOutcome{KeyAge: KeyLifetime}, StepGiveUp},
		{OpenOutcome{KeyAge: KeyLifetime, Refused: true}, StepGiveUp},
		{OpenOutcome{Refused: true}, StepWait},
		{OpenOutcome{KeyAge: -1}, StepWait},
	} {
		if got := c.outcome.Next(); got != c.want {
			t.Errorf("%+v: %s, want %s", c.outcome, got, c.want)
		}
	}
}

func TestCapsAtTheirEdges(t *testing.T) {
	amounts := func(limit int64) map[string]int64 { return map[string]int64{"usd": limit} }
	for _, c := range []struct {
		name   string
		caps   RefundCaps
		tally  RefundTally
		amount int64
		code   string
	}{
		{"no caps", RefundCaps{}, RefundTally{RunCount: math.MaxInt64, DayMinor: math.MaxInt64}, math.MaxInt64, ""},
		{"the last of a run", RefundCaps{RunCount: 3}, RefundTally{RunCount: 2}, 1, ""},
		{"one too many of a run", RefundCaps{RunCount: 3}, RefundTally{RunCount: 3}, 1, "cap_run_count"},
		{"of a customer", RefundCaps{CustomerCount: 1}, RefundTally{CustomerCount: 1}, 1, "cap_customer_count"},
		{"of a day", RefundCaps{DayCount: 1}, RefundTally{DayCount: 1}, 1, "cap_day_count"},
		{"to the unit", RefundCaps{RunMinor: amounts(100)}, RefundTally{RunMinor: 60}, 40, ""},
		{"a unit more", RefundCaps{RunMinor: amounts(100)}, RefundTally{RunMinor: 60}, 41, "cap_run_amount"},
		{"of a customer, alone too much", RefundCaps{CustomerMinor: amounts(100)}, RefundTally{}, 101, "cap_customer_amount"},
		{"another currency", RefundCaps{DayMinor: map[string]int64{"eur": 1}}, RefundTally{}, 100, ""},
		{"every other currency", RefundCaps{DayMinor: map[string]int64{"eur": 1000, "*": 99}}, RefundTally{}, 100, "cap_day_amount"},
		{"sums that would overflow", RefundCaps{DayMinor: amounts(math.MaxInt64)}, RefundTally{DayMinor: math.MaxInt64 - 1}, 2, "cap_day_amount"},
	} {
		trip, tripped := c.caps.Check(c.tally, c.amount, "usd")
		if trip.Code != c.code || tripped != (c.code != "") {
			t.Errorf("%s: got %+v, %v", c.name, trip, tripped)
		}
	}
}

// Whatever the order, no more leaves than a cap allows.
func TestCapsBoundWhatLeaves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Int64Range(1, 1_000).Draw(t, "limit")
		caps := RefundCaps{DayMinor: map[string]int64{"usd": limit}}
		var tally RefundTally
		for _, amount := range rapid.SliceOf(rapid.Int64Range(1, 500)).Draw(t, "amounts") {
			if _, tripped := caps.Check(tally, amount, "usd"); !tripped {
				tally.DayMinor += amount
			} else if tally.DayMinor+amount <= limit {
				t.Fatalf("%d more than %d trips a cap of %d", amount, tally.DayMinor, limit)
			}
		}
		if tally.DayMinor > limit {
			t.Fatalf("%d left, the cap is %d", tally.DayMinor, limit)
		}
	})
}

func TestAnomalies(t *testing.T) {
	week := []int64{10, 20, 30, 40, 50, 60, 70}
	for _, c := range []struct {
		name      string
		total     int64
		days      []int64
		multiple  int64
		anomalous bool
	}{
		{"at the multiple", 400, week, 10, false},
		{"above it", 401, week, 10, true},
		{"switched off", 1_000_000, week, 0, false},
		{"too little history", 1_000_000, week[:6], 10, false},
		{"nothing before", 100, []int64{0, 0, 0, 0, 0, 0, 0}, 10, false},
		{"a huge median", math.MaxInt64, []int64{math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64}, 10, false},
	} {
		var before []*big.Int
		for _, day := range c.days {
			before = append(before, big.NewInt(day))
		}
		if _, anomalous := Anomalous(big.NewInt(c.total), before, c.multiple); anomalous != c.anomalous {
			t.Errorf("%s: %v", c.name, anomalous)
		}
	}
}

func TestTripsSayAmountsAsPeopleReadThem(t *testing.T) {
	for _, test := range []struct {
		trip Trip
		want string
	}{
		{Trip{Breaker: "the cap of a run", Measured: 4, Allowed: 3, Unit: UnitRefunds}, "the cap of a run is 3 refunds; it would be 4 refunds"},
		{Trip{Breaker: "the cap of a day", Measured: 500_001, Allowed: 500_000, Unit: "usd"}, "the cap of a day is 5000.00 USD; it would be 5000.01 USD"},
		{Trip{Breaker: "the cap of a day", Measured: 701, Allowed: 700, Unit: "jpy"}, "the cap of a day is 700 JPY; it would be 701 JPY"},
	} {
		if got := test.trip.String(); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

func TestSumsStayInTheirBounds(t *testing.T) {
	const most = math.MaxInt64
	for _, c := range [][3]int64{{1, 2, 3}, {most, 1, most}, {most - 1, 1, most}, {most - 1, 2, most}, {most, 0, most}, {5, -3, 2}, {-5, 3, -2}, {-5, most, most - 5}, {most, -1, most - 1}} {
		if got := saturatingAdd(c[0], c[1]); got != c[2] {
			t.Errorf("%d and %d are %d, want %d", c[0], c[1], got, c[2])
		}
	}
	// A multiple of the median beyond 64 bits is no limit that a total could be above.
	days := slices.Repeat([]*big.Int{big.NewInt(1 << 62)}, minAnomalyTotals)
	if _, anomalous := Anomalous(big.NewInt(1<<61), days, 3); anomalous {
		t.Error("half a median is anomalous")
	}
}

func TestAPlannedRefundHoldsNoCredits(t *testing.T) {
	if IntentPlanned.HoldsCredits() || !IntentSending.HoldsCredits() || IntentPlanned.Releases(IntentCancelled) {
		t.Error("credits are held from the hold on, not from the plan")
	}
}

// intentStates are all states, in the order of a refund's life.
func intentStates() []IntentState {
	return []IntentState{
		IntentPlanned, IntentSending, IntentUnknown, IntentSent, IntentSettled, IntentRejected, IntentFailed, IntentStopped, IntentCancelled,
	}
}
