package reconcile

import "testing"

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
		"another amount left it":    {PayoutFacts{Status: "paid", Automatic: true, AmountMinor: 900, OwnMinor: -300, Itemised: true, NetMinor: 900}, TieOutResidual, 600},
		"a debit of the bank":       {PayoutFacts{Status: "paid", Automatic: true, AmountMinor: -900, OwnMinor: 900, Itemised: true, NetMinor: -900}, TieOutTied, 0},
		"an unknown status":         {PayoutFacts{Status: "floating", Automatic: true, AmountMinor: 900, OwnMinor: -900, Itemised: true, NetMinor: 900}, TieOutResidual, 0},
	} {
		got, residual, why := TieOutPayout(tc.facts)
		if got != tc.want || residual != tc.residual || (got == TieOutResidual) != (why != "") {
			t.Errorf("%s: %s %d %q, want %s %d", name, got, residual, why, tc.want, tc.residual)
		}
	}
}
