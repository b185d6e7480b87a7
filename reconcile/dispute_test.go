package reconcile

import (
	"math"
	"slices"
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

func money(withdrawn, returned, fees int64) DisputeMoney {
	return DisputeMoney{WithdrawnMinor: withdrawn, ReturnedMinor: returned, FeesMinor: fees}
}

// One dispute of a charge of 5,000, and what it comes to.
func TestJudgeDispute(t *testing.T) {
	for name, tc := range map[string]struct {
		status    string
		money     DisputeMoney
		converted bool
		account   string
		refunded  int64
		want      DisputeOutcome
		both      bool // disputed and refunded
		gone      int64
	}{
		"inquiry on an active account":      {status: "warning_needs_response", account: "active", want: DisputeOutcome{Phase: PhaseInquiry, TieOut: TieOutTied}},
		"inquiry closed":                    {status: "warning_closed", account: "active", want: DisputeOutcome{Phase: PhaseClosed, TieOut: TieOutTied}},
		"chargeback on an active account":   {status: "needs_response", money: money(5000, 0, 1500), account: "active", gone: 5000, want: DisputeOutcome{PhaseChargeback, true, 5000, 6500, TieOutTied}},
		"chargeback on a suspended account": {status: "under_review", money: money(5000, 0, 1500), account: "suspended", gone: 5000, want: DisputeOutcome{PhaseChargeback, false, 5000, 6500, TieOutTied}},
		"chargeback on a closed account":    {status: "under_review", money: money(5000, 0, 0), account: "closed", gone: 5000, want: DisputeOutcome{PhaseChargeback, false, 5000, 5000, TieOutTied}},
		"chargeback not withdrawn yet":      {status: "needs_response", gone: 5000, want: DisputeOutcome{PhaseChargeback, false, 5000, 0, TieOutAwaiting}},
		"a part back while it goes on":      {status: "under_review", money: money(5000, 300, 0), gone: 4700, want: DisputeOutcome{PhaseChargeback, false, 4700, 4700, TieOutTied}},
		"won, the fee kept":                 {status: "won", money: money(5000, 5000, 1500), account: "active", want: DisputeOutcome{PhaseWon, false, 0, 1500, TieOutTied}},
		"won, the fee back":                 {status: "won", money: money(5000, 5000, 0), want: DisputeOutcome{PhaseWon, false, 0, 0, TieOutTied}},
		"won, the money not back yet":       {status: "won", money: money(5000, 0, 1500), want: DisputeOutcome{PhaseWon, false, 0, 6500, TieOutAwaiting}},
		"won, a part not back yet":          {status: "won", money: money(5000, 4999, 0), want: DisputeOutcome{PhaseWon, false, 0, 1, TieOutAwaiting}},
		"won, more back than was taken":     {status: "won", money: money(5000, 5001, 0), want: DisputeOutcome{PhaseWon, false, 0, 0, TieOutResidual}},
		"lost":                              {status: "lost", money: money(5000, 0, 1500), gone: 5000, want: DisputeOutcome{PhaseLost, false, 5000, 6500, TieOutTied}},
		"partly won":                        {status: "lost", money: money(5000, 2000, 0), gone: 3000, want: DisputeOutcome{PhasePartlyWon, false, 3000, 3000, TieOutTied}},
		"lost, more back than was taken":    {status: "lost", money: money(5000, 5001, 0), want: DisputeOutcome{PhasePartlyWon, false, 0, 0, TieOutResidual}},
		"lost and refunded":                 {status: "lost", money: money(5000, 0, 1500), refunded: 4500, both: true, gone: 9500, want: DisputeOutcome{PhaseLost, false, 5000, 6500, TieOutTied}},
		"lost, and the refunded part back":  {status: "lost", money: money(5000, 4500, 0), refunded: 4500, gone: 5000, want: DisputeOutcome{PhasePartlyWon, false, 5000, 500, TieOutTied}},
		"a unit of the refund not back":     {status: "lost", money: money(5000, 4499, 0), refunded: 4500, both: true, gone: 5001, want: DisputeOutcome{PhasePartlyWon, false, 5000, 501, TieOutTied}},
		"refunded and charged back":         {status: "needs_response", money: money(5000, 0, 0), refunded: 1, both: true, gone: 5001, want: DisputeOutcome{PhaseChargeback, false, 5000, 5000, TieOutTied}},
		"refunded, and an inquiry":          {status: "warning_under_review", refunded: 4500, gone: 4500, want: DisputeOutcome{PhaseInquiry, false, 4500, 0, TieOutTied}},
		"won and refunded":                  {status: "won", money: money(5000, 5000, 0), refunded: 4500, gone: 4500, want: DisputeOutcome{PhaseWon, false, 4500, 0, TieOutTied}},
		"an inquiry that took money":        {status: "warning_needs_response", money: money(5000, 0, 0), want: DisputeOutcome{PhaseInquiry, false, 0, 5000, TieOutResidual}},
		"less taken than disputed":          {status: "needs_response", money: money(4000, 0, 0), gone: 4000, want: DisputeOutcome{PhaseChargeback, false, 4000, 4000, TieOutResidual}},

		"converted":                         {status: "needs_response", converted: true, money: money(5400, 0, 0), gone: 5000, want: DisputeOutcome{PhaseChargeback, false, 5000, 5400, TieOutTied}},
		"converted, partly won":             {status: "lost", converted: true, money: money(5400, 1800, 0), gone: 3333, want: DisputeOutcome{PhasePartlyWon, false, 3333, 3600, TieOutTied}},
		"converted, won at a worse rate":    {status: "won", converted: true, money: money(5450, 5425, 0), want: DisputeOutcome{PhaseWon, false, 0, 0, TieOutTied}},
		"converted, won at a better rate":   {status: "won", converted: true, money: money(5400, 5450, 1500), want: DisputeOutcome{PhaseWon, false, 0, 1500, TieOutTied}},
		"converted, at the furthest rate":   {status: "won", converted: true, money: money(5000, 4000, 0), want: DisputeOutcome{PhaseWon, false, 0, 0, TieOutTied}},
		"converted, and a part is missing":  {status: "won", converted: true, money: money(5000, 3999, 0), want: DisputeOutcome{PhaseWon, false, 0, 1001, TieOutAwaiting}},
		"converted, and far too much":       {status: "won", converted: true, money: money(5000, 6001, 0), want: DisputeOutcome{PhaseWon, false, 0, 0, TieOutResidual}},
		"converted, won, nothing back yet":  {status: "won", converted: true, money: money(5400, 0, 0), want: DisputeOutcome{PhaseWon, false, 0, 5400, TieOutAwaiting}},
		"the refunded part at a worse rate": {status: "lost", converted: true, money: money(5400, 4762, 0), refunded: 4500, gone: 5091, want: DisputeOutcome{PhasePartlyWon, false, 5000, 638, TieOutTied}},
		"the same at the furthest rate":     {status: "lost", converted: true, money: money(5000, 4000, 0), refunded: 4800, gone: 5800, want: DisputeOutcome{PhasePartlyWon, false, 5000, 1000, TieOutTied}},
		"and a unit more is missing":        {status: "lost", converted: true, money: money(5000, 4000, 0), refunded: 4801, both: true, gone: 5801, want: DisputeOutcome{PhasePartlyWon, false, 5000, 1000, TieOutTied}},
		"it goes on, at any rate":           {status: "under_review", converted: true, money: money(5000, 4000, 0), refunded: 4800, both: true, gone: 5800, want: DisputeOutcome{PhaseChargeback, false, 5000, 1000, TieOutTied}},
		"more of the fee back than charged": {status: "won", money: money(5000, 5000, -1), want: DisputeOutcome{PhaseWon, false, 0, 0, TieOutTied}},
	} {
		got := JudgeDisputes(DisputedCharge{CapturedMinor: 5000, RefundedMinor: tc.refunded, AccountStatus: tc.account, Disputes: []DisputeFacts{
			{Status: tc.status, DisputeMoney: tc.money, AmountMinor: 5000, SameCurrency: !tc.converted},
		}})
		if got.Disputes[0] != tc.want || got.DisputedAndRefunded != tc.both || got.GoneMinor != tc.gone || got.ClawbackMinor != tc.want.ClawbackMinor {
			t.Errorf("%s:\n got %+v\nwant %+v, both %t, gone %d", name, got, tc.want, tc.both, tc.gone)
		}
	}
}

// Only money that came back in part may have shrunk by its rate: what a dispute that was won brought back explains nothing of another's loss.
func TestAWonDisputeExplainsNoOtherLoss(t *testing.T) {
	got := JudgeDisputes(DisputedCharge{CapturedMinor: 5000, RefundedMinor: 1, Disputes: []DisputeFacts{
		{Status: "won", DisputeMoney: money(2000, 2000, 0), AmountMinor: 2000},
		{Status: "lost", DisputeMoney: money(5000, 0, 0), AmountMinor: 5000, SameCurrency: true},
	}})
	if !got.DisputedAndRefunded || got.GoneMinor != 5001 {
		t.Errorf("%+v", got)
	}
}

// What has left a charge is clawed back once, however many refunds and disputes took it.
func TestClawbackIsOncePerCharge(t *testing.T) {
	lost := func(amount, back int64) DisputeFacts {
		return DisputeFacts{Status: "lost", DisputeMoney: money(amount, back, 0), AmountMinor: amount, SameCurrency: true}
	}
	for name, tc := range map[string]struct {
		refunded int64
		disputes []DisputeFacts
		want     []int64
		total    int64
		both     bool
	}{
		"two parts":                 {0, []DisputeFacts{lost(2000, 0), lost(3000, 0)}, []int64{2000, 3000}, 5000, false},
		"the same part twice":       {0, []DisputeFacts{lost(3000, 0), lost(3000, 0)}, []int64{3000, 2000}, 5000, false},
		"refund and two parts":      {1000, []DisputeFacts{lost(2000, 0), lost(3000, 0)}, []int64{3000, 2000}, 5000, true},
		"refund and the rest":       {1000, []DisputeFacts{lost(4000, 0)}, []int64{5000}, 5000, false},
		"one lost, one partly back": {0, []DisputeFacts{lost(2000, 0), lost(3000, 1000)}, []int64{2000, 2000}, 4000, false},
	} {
		got := JudgeDisputes(DisputedCharge{CapturedMinor: 5000, RefundedMinor: tc.refunded, Disputes: tc.disputes})
		var clawback []int64
		for _, o := range got.Disputes {
			clawback = append(clawback, o.ClawbackMinor)
		}
		if !slices.Equal(clawback, tc.want) || got.ClawbackMinor != tc.total || got.DisputedAndRefunded != tc.both {
			t.Errorf("%s: %v, %+v", name, clawback, got)
		}
	}
	amount := rapid.Int64Range(0, math.MaxInt64/4)
	rapid.Check(t, func(t *rapid.T) {
		c := DisputedCharge{CapturedMinor: amount.Draw(t, "captured"), RefundedMinor: amount.Draw(t, "refunded")}
		for range rapid.IntRange(1, 3).Draw(t, "disputes") {
			c.Disputes = append(c.Disputes, DisputeFacts{
				Status:       rapid.SampledFrom([]string{"warning_closed", "needs_response", "won", "lost"}).Draw(t, "status"),
				DisputeMoney: money(amount.Draw(t, "withdrawn"), amount.Draw(t, "returned"), 0), AmountMinor: amount.Draw(t, "disputed"), SameCurrency: rapid.Bool().Draw(t, "same"),
			})
		}
		got, sum := JudgeDisputes(c), int64(0)
		for _, o := range got.Disputes {
			if o.ClawbackMinor < 0 || o.ReinstatementMinor < 0 {
				t.Fatalf("%+v", o)
			}
			sum += o.ClawbackMinor
		}
		if sum != got.ClawbackMinor || got.ClawbackMinor != min(got.GoneMinor, c.CapturedMinor) || got.GoneMinor < c.RefundedMinor {
			t.Fatalf("%+v, in all %d", got, sum)
		}
	})
}

// What a dispute has taken and will not bring back is written off once it has ended: to losses, to exchange differences, or against what was
// withdrawn before the books began.
func TestDisputeWriteOff(t *testing.T) {
	for name, tc := range map[string]struct {
		books DisputeBooks
		want  DisputeWriteOff
	}{
		"open":                {DisputeBooks{DisputeFacts: DisputeFacts{Status: "under_review", DisputeMoney: money(2000, 0, 0), AmountMinor: 2000, SameCurrency: true}}, DisputeWriteOff{}},
		"lost":                {DisputeBooks{DisputeFacts: DisputeFacts{Status: "lost", DisputeMoney: money(2000, 0, 0), AmountMinor: 2000, SameCurrency: true}}, DisputeWriteOff{LossMinor: 2000}},
		"partly won":          {DisputeBooks{DisputeFacts: DisputeFacts{Status: "lost", DisputeMoney: money(2000, 800, 0), AmountMinor: 2000, SameCurrency: true}}, DisputeWriteOff{LossMinor: 1200}},
		"won":                 {DisputeBooks{DisputeFacts: DisputeFacts{Status: "won", DisputeMoney: money(2000, 2000, 0), AmountMinor: 2000, SameCurrency: true}}, DisputeWriteOff{}},
		"won, to come":        {DisputeBooks{DisputeFacts: DisputeFacts{Status: "won", DisputeMoney: money(2000, 0, 0), AmountMinor: 2000, SameCurrency: true}}, DisputeWriteOff{}},
		"inquiry":             {DisputeBooks{DisputeFacts: DisputeFacts{Status: "warning_closed", AmountMinor: 2000, SameCurrency: true}}, DisputeWriteOff{}},
		"won, other rates":    {DisputeBooks{DisputeFacts: DisputeFacts{Status: "won", DisputeMoney: money(10900, 10850, 0), AmountMinor: 10000}, SettledMinor: 10833}, DisputeWriteOff{ExchangeMinor: 50}},
		"won at a gain":       {DisputeBooks{DisputeFacts: DisputeFacts{Status: "won", DisputeMoney: money(10850, 10900, 0), AmountMinor: 10000}, SettledMinor: 10833}, DisputeWriteOff{ExchangeMinor: -50}},
		"lost at other rate":  {DisputeBooks{DisputeFacts: DisputeFacts{Status: "lost", DisputeMoney: money(10900, 0, 0), AmountMinor: 10000}, SettledMinor: 10833}, DisputeWriteOff{LossMinor: 10833, ExchangeMinor: 67}},
		"lost, rate unknown":  {DisputeBooks{DisputeFacts: DisputeFacts{Status: "lost", DisputeMoney: money(10900, 0, 0), AmountMinor: 10000}}, DisputeWriteOff{LossMinor: 10900}},
		"half lost at a rate": {DisputeBooks{DisputeFacts: DisputeFacts{Status: "lost", DisputeMoney: money(10900, 5450, 0), AmountMinor: 10000}, SettledMinor: 10833}, DisputeWriteOff{LossMinor: 5417, ExchangeMinor: 33}},
		"withdrawn beforehand": {DisputeBooks{DisputeFacts: DisputeFacts{Status: "won", DisputeMoney: money(2000, 2000, 0), AmountMinor: 2000, SameCurrency: true}, WithdrawnBeforehandMinor: 2000},
			DisputeWriteOff{BeforehandMinor: -2000}},
		"lost beforehand": {DisputeBooks{DisputeFacts: DisputeFacts{Status: "lost", DisputeMoney: money(2000, 0, 0), AmountMinor: 2000, SameCurrency: true}, WithdrawnBeforehandMinor: 2000}, DisputeWriteOff{}},
		"part back before the books, part in them": {DisputeBooks{DisputeFacts: DisputeFacts{Status: "lost", DisputeMoney: money(2000, 1500, 0), AmountMinor: 2000, SameCurrency: true},
			WithdrawnBeforehandMinor: 2000, ReturnedBeforehandMinor: 700}, DisputeWriteOff{BeforehandMinor: -800}},
	} {
		got := tc.books.WriteOff()
		if got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
		inBooks := tc.books.WithdrawnMinor - tc.books.WithdrawnBeforehandMinor - tc.books.ReturnedMinor + tc.books.ReturnedBeforehandMinor
		if sum := got.LossMinor + got.ExchangeMinor + got.BeforehandMinor; sum != 0 && sum != inBooks {
			t.Errorf("%s: writes off %d of %d", name, sum, inBooks)
		}
	}
	if got := (DisputeWriteOff{2000, 67, 0}).Less(DisputeWriteOff{1200, 0, -5}); got != (DisputeWriteOff{800, 67, 5}) {
		t.Errorf("%+v", got)
	}
}

// What a dispute that doesn't tie should have moved is the disputed amount while it is at stake, and nothing once it is not or more came back
// than was taken.
func TestResidualOfADispute(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status                             string
		withdrawn, returned, called, moved int64
	}{
		{"needs_response", 1900, 0, 2000, 1900},
		{"lost", 1900, 1900, 2000, 1900},
		{"lost", 1900, 1901, 0, -1},
		{"won", 1900, 1900, 0, 0},
		{"won", 1900, 1950, 0, -50},
		{"warning_closed", 1900, 0, 0, 1900},
	} {
		f := DisputeFacts{Status: test.status, AmountMinor: 2000, SameCurrency: true, DisputeMoney: DisputeMoney{WithdrawnMinor: test.withdrawn, ReturnedMinor: test.returned}}
		if called, moved := f.Residual(); called != test.called || moved != test.moved {
			t.Errorf("%+v calls for %d, moved %d", test, called, moved)
		}
	}
}

// Whether any dispute of a charge is open, or takes money, counts, in whichever order they come.
func TestDisputesOfAChargeCountTogether(t *testing.T) {
	of := func(status string, withdrawn, returned int64) DisputeFacts {
		return DisputeFacts{Status: status, DisputeMoney: money(withdrawn, returned, 0), AmountMinor: withdrawn, SameCurrency: true}
	}
	open, won, lost, inquiry := of("under_review", 1000, 0), of("won", 1000, 1000), of("lost", 5000, 0), of("warning_closed", 0, 0)
	for name, tc := range map[string]struct {
		refunded int64
		disputes []DisputeFacts
		want     bool
	}{
		"open, then won":                     {100, []DisputeFacts{open, won}, true},
		"won, then open":                     {100, []DisputeFacts{won, open}, true},
		"lost whole, then won":               {100, []DisputeFacts{lost, won}, true},
		"won, then lost whole":               {100, []DisputeFacts{won, lost}, true},
		"lost in part, the rest refunded":    {3000, []DisputeFacts{of("lost", 2000, 0), won}, false},
		"all refunded, and only an inquiry":  {6000, []DisputeFacts{inquiry}, false},
		"nothing refunded, and open":         {0, []DisputeFacts{open}, false},
		"nothing refunded, and lost whole":   {0, []DisputeFacts{lost, lost}, false},
		"refunded, and only one that is won": {5000, []DisputeFacts{won}, false},
	} {
		if got := JudgeDisputes(DisputedCharge{CapturedMinor: 5000, RefundedMinor: tc.refunded, Disputes: tc.disputes}); got.DisputedAndRefunded != tc.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestDisputeWriteOffAtTheEdges(t *testing.T) {
	books := func(status string, withdrawn, returned int64) DisputeBooks {
		return DisputeBooks{DisputeFacts: DisputeFacts{Status: status, DisputeMoney: money(withdrawn, returned, 0), AmountMinor: 2000, SameCurrency: true}}
	}
	closed := books("warning_closed", 2000, 2000)
	closed.WithdrawnBeforehandMinor = 2000
	again := books("lost", 2000, 1600) // 1,500 and more back before the books began
	again.WithdrawnBeforehandMinor, again.ReturnedBeforehandMinor = 2000, 1500
	more := books("lost", 2000, 2300) // 500 were still out, and 800 came
	more.WithdrawnBeforehandMinor, more.ReturnedBeforehandMinor = 2000, 1500
	unmoved := books("lost", 0, 0)
	unmoved.SameCurrency, unmoved.SettledMinor = false, 2221
	same := books("lost", 2000, 0)
	same.SettledMinor = 2221
	for name, tc := range map[string]struct {
		books DisputeBooks
		want  DisputeWriteOff
	}{
		"an inquiry that took money beforehand":    {closed, DisputeWriteOff{BeforehandMinor: -2000}},
		"a little back after most of it":           {again, DisputeWriteOff{BeforehandMinor: -100}},
		"more than the rest of it back":            {more, DisputeWriteOff{BeforehandMinor: -500, LossMinor: -300}},
		"converted, and nothing was taken":         {unmoved, DisputeWriteOff{}},
		"not converted, and its rate is not asked": {same, DisputeWriteOff{LossMinor: 2000}},
		"all back, and it goes on":                 {books("under_review", 2000, 2000), DisputeWriteOff{}},
	} {
		if got := tc.books.WriteOff(); got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
	if got := (DisputeWriteOff{2000, 67, -100}).Less(DisputeWriteOff{1200, 50, -30}); got != (DisputeWriteOff{800, 17, -70}) {
		t.Errorf("%+v", got)
	}
}
