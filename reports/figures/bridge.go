package figures

import (
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// BridgeSteps lead from what was sold in a night to what was charged in it, in this order.
var BridgeSteps = []struct{ Key, Title string }{
	{"not_charged", "Sold, but not charged at Stripe"},
	{"charged_before", "Sold tonight, charged before"},
	{"other_currency_sold", "Charged in another currency"},
	{"other_amount", "Charged another amount"},
	{"sold_another_night", "Charged tonight, sold another night"},
	{"other_currency_charged", "Sold in another currency"},
	{"charged_again", "Charged again for the same purchase"},
	{"no_purchase", "Charged without a purchase"},
}

// BridgeEnds are what was sold and what was charged in a night in one currency, each counted by itself.
type BridgeEnds struct {
	Currency       string
	Purchases      int64
	PurchasesMinor numbers.Number
	Charges        int64
	ChargesMinor   numbers.Number
}

// BridgeFigures lead from the purchases of a night to its charges in one currency: purchases + steps = charges, and what is missing to that
// is the difference, which must be 0.
type BridgeFigures struct {
	Currency       string         `json:"currency"`
	Purchases      int64          `json:"purchases"`
	PurchasesMinor numbers.Number `json:"purchases_minor"`
	Steps          []BridgeStep   `json:"steps"`
	Charges        int64          `json:"charges"`
	ChargesMinor   numbers.Number `json:"charges_minor"`
	Difference     numbers.Number `json:"difference"`
}

// BridgeStep is one reason why what was sold is not what was charged: its rows of bridge.csv.
type BridgeStep struct {
	Step        string         `json:"step"`
	Rows        int64          `json:"rows"`
	AmountMinor numbers.Number `json:"amount_minor"`
}

type bridgeKey struct{ currency, step string }

// AddBridgeItem counts a row of bridge.csv.
func (f *Collector) AddBridgeItem(row tables.BridgeItem) {
	if f.bridge == nil {
		f.bridge = map[bridgeKey]*amountTally{}
	}
	key := bridgeKey{row.Currency, row.Step}
	t := f.bridge[key]
	if t == nil {
		t = &amountTally{}
		f.bridge[key] = t
	}
	t.count++
	t.amount.Add(numbers.Int(row.AmountMinor))
}

func (f *Collector) summarizeBridge(s *Summary) {
	s.Bridge = []BridgeFigures{}
	for _, ends := range f.BridgeEnds {
		b := BridgeFigures{Currency: ends.Currency, Purchases: ends.Purchases, PurchasesMinor: ends.PurchasesMinor, Steps: []BridgeStep{},
			Charges: ends.Charges, ChargesMinor: ends.ChargesMinor}
		reached := ends.PurchasesMinor
		for _, step := range BridgeSteps {
			if t := f.bridge[bridgeKey{ends.Currency, step.Key}]; t != nil {
				b.Steps = append(b.Steps, BridgeStep{step.Key, t.count, t.amount.Number()})
				reached = reached.Plus(t.amount.Number())
			}
		}
		b.Difference = ends.ChargesMinor.Minus(reached)
		s.Bridge = append(s.Bridge, b)
	}
}
