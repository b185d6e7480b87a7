package reconcile

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestPhaseOf(t *testing.T) {
	for status, want := range map[string]DisputePhase{
		"warning_needs_response": PhaseInquiry, "warning_under_review": PhaseInquiry, "warning_closed": PhaseClosed,
		"needs_response": PhaseChargeback, "under_review": PhaseChargeback, "won": PhaseWon, "lost": PhaseLost,
		"": PhaseChargeback, "something_new": PhaseChargeback,
	} {
		if got := PhaseOf(status); got != want {
			t.Errorf("%q: %s, want %s", status, got, want)
		}
	}
}

func TestJudgeDispute(t *testing.T) {
	for name, tc := range map[string]struct {
		facts DisputeFacts
		want  DisputeOutcome
	}{
		"inquiry on an active account": {
			DisputeFacts{Status: "warning_needs_response", AmountMinor: 5000, CapturedMinor: 5000, AccountStatus: "active", SameCurrency: true},
			DisputeOutcome{Phase: PhaseInquiry, TieOut: TieOutTied}},
		"chargeback on an active account": {
			DisputeFacts{Status: "needs_response", WithdrawnMinor: 5000, FeesMinor: 1500, AmountMinor: 5000, CapturedMinor: 5000, AccountStatus: "active", SameCurrency: true},
			DisputeOutcome{Phase: PhaseChargeback, ReviewSuspension: true, ClawbackMinor: 5000, ReinstatementMinor: 6500, TieOut: TieOutTied}},
		"chargeback on a suspended account": {
			DisputeFacts{Status: "under_review", WithdrawnMinor: 5000, FeesMinor: 1500, AmountMinor: 5000, CapturedMinor: 5000, AccountStatus: "suspended", SameCurrency: true},
			DisputeOutcome{Phase: PhaseChargeback, ClawbackMinor: 5000, ReinstatementMinor: 6500, TieOut: TieOutTied}},
		"chargeback on a closed account": {
			DisputeFacts{Status: "under_review", WithdrawnMinor: 5000, AmountMinor: 5000, CapturedMinor: 5000, AccountStatus: "closed", SameCurrency: true},
			DisputeOutcome{Phase: PhaseChargeback, ClawbackMinor: 5000, ReinstatementMinor: 5000, TieOut: TieOutTied}},
		"won, the fee kept": {
			DisputeFacts{Status: "won", WithdrawnMinor: 5000, ReturnedMinor: 5000, FeesMinor: 1500, AmountMinor: 5000, CapturedMinor: 5000, AccountStatus: "active", SameCurrency: true},
			DisputeOutcome{Phase: PhaseWon, ReinstatementMinor: 1500, TieOut: TieOutTied}},
		"won, the money not back yet": {
			DisputeFacts{Status: "won", WithdrawnMinor: 5000, FeesMinor: 1500, AmountMinor: 5000, CapturedMinor: 5000, SameCurrency: true},
			DisputeOutcome{Phase: PhaseWon, ReinstatementMinor: 6500, TieOut: TieOutAwaiting}},
		"lost and refunded": {
			DisputeFacts{Status: "lost", WithdrawnMinor: 5000, FeesMinor: 1500, AmountMinor: 5000, CapturedMinor: 5000, RefundedMinor: 4500, SameCurrency: true},
			DisputeOutcome{Phase: PhaseLost, DisputedAndRefunded: true, ClawbackMinor: 5000, ReinstatementMinor: 6500, TieOut: TieOutTied}},
		"won and refunded": {
			DisputeFacts{Status: "won", WithdrawnMinor: 5000, ReturnedMinor: 5000, AmountMinor: 5000, CapturedMinor: 5000, RefundedMinor: 4500, SameCurrency: true},
			DisputeOutcome{Phase: PhaseWon, ClawbackMinor: 4500, TieOut: TieOutTied}},
		"an inquiry that took money": {
			DisputeFacts{Status: "warning_needs_response", WithdrawnMinor: 5000, AmountMinor: 5000, CapturedMinor: 5000, SameCurrency: true},
			DisputeOutcome{Phase: PhaseInquiry, ReinstatementMinor: 5000, TieOut: TieOutResidual}},
		"less taken than disputed": {
			DisputeFacts{Status: "needs_response", WithdrawnMinor: 4000, AmountMinor: 5000, CapturedMinor: 5000, SameCurrency: true},
			DisputeOutcome{Phase: PhaseChargeback, ClawbackMinor: 5000, ReinstatementMinor: 4000, TieOut: TieOutResidual}},
		"settled in another currency": {
			DisputeFacts{Status: "needs_response", WithdrawnMinor: 5400, AmountMinor: 5000, CapturedMinor: 5000},
			DisputeOutcome{Phase: PhaseChargeback, ClawbackMinor: 5000, ReinstatementMinor: 5400, TieOut: TieOutTied}},
	} {
		if got := JudgeDispute(tc.facts); got != tc.want {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, tc.want)
		}
	}
}

func TestClawbackIsNeverMoreThanWasPaid(t *testing.T) {
	amount := rapid.Int64Range(0, math.MaxInt64)
	rapid.Check(t, func(t *rapid.T) {
		captured, refunded, disputed := amount.Draw(t, "captured"), amount.Draw(t, "refunded"), amount.Draw(t, "disputed")
		got := Clawback(captured, refunded, disputed)
		if got < 0 || got > captured {
			t.Fatalf("%d of %d", got, captured)
		}
		if refunded <= captured/2 && disputed <= captured/2 && got != refunded+disputed {
			t.Fatalf("%d, want %d + %d", got, refunded, disputed)
		}
	})
}

func TestTieOutPayout(t *testing.T) {
	for name, tc := range map[string]struct {
		facts    PayoutFacts
		want     TieOut
		residual int64
	}{
		"tied":                      {PayoutFacts{Status: "paid", Automatic: true, AmountMinor: 900, OwnMinor: -900, Itemised: true, NetMinor: 900}, TieOutTied, 0},
		"on its way":                {PayoutFacts{Status: "in_transit", Automatic: true, AmountMinor: 900, OwnMinor: -900, Itemised: true, NetMinor: 900}, TieOutTied, 0},
		"one off":                   {PayoutFacts{Status: "paid", Automatic: true, AmountMinor: 900, OwnMinor: -900, Itemised: true, NetMinor: 899}, TieOutResidual, 1},
		"too much":                  {PayoutFacts{Status: "paid", Automatic: true, AmountMinor: 900, OwnMinor: -900, Itemised: true, NetMinor: 901}, TieOutResidual, -1},
		"not itemised yet":          {PayoutFacts{Status: "in_transit", Automatic: true, AmountMinor: 900, OwnMinor: -900}, TieOutAwaiting, 900},
		"itemising overdue":         {PayoutFacts{Status: "paid", Automatic: true, AmountMinor: 900, OwnMinor: -900, Overdue: true}, TieOutResidual, 900},
		"by hand":                   {PayoutFacts{Status: "paid", AmountMinor: 900, OwnMinor: -900, Overdue: true}, TieOutNotItemised, 900},
		"failed and returned":       {PayoutFacts{Status: "failed", Automatic: true, AmountMinor: 900, OwnMinor: -900, ReturnedMinor: 900, Itemised: true, NetMinor: 900}, TieOutReturned, 0},
		"failed and not returned":   {PayoutFacts{Status: "failed", Automatic: true, AmountMinor: 900, OwnMinor: -900, Itemised: true, NetMinor: 900}, TieOutResidual, 900},
		"canceled, partly returned": {PayoutFacts{Status: "canceled", AmountMinor: 900, OwnMinor: -900, ReturnedMinor: 500}, TieOutResidual, 400},
		"nothing left the balance":  {PayoutFacts{Status: "paid", Automatic: true, AmountMinor: 900, Itemised: true, NetMinor: 900}, TieOutResidual, 900},
		"a debit of the bank":       {PayoutFacts{Status: "paid", Automatic: true, AmountMinor: -900, OwnMinor: 900, Itemised: true, NetMinor: -900}, TieOutTied, 0},
		"an unknown status":         {PayoutFacts{Status: "floating", Automatic: true, AmountMinor: 900, OwnMinor: -900, Itemised: true, NetMinor: 900}, TieOutResidual, 0},
	} {
		got, residual, why := TieOutPayout(tc.facts)
		if got != tc.want || residual != tc.residual || (got == TieOutResidual) != (why != "") {
			t.Errorf("%s: %s %d %q, want %s %d", name, got, residual, why, tc.want, tc.residual)
		}
	}
}
