package reports

import "slices"

// bridgeSteps lead from what was sold in a night to what was charged in it, in this order.
var bridgeSteps = []struct{ key, title string }{
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
	Currency       string `db:"currency"`
	Purchases      int64  `db:"purchases"`
	PurchasesMinor Number `db:"purchases_minor"`
	Charges        int64  `db:"charges"`
	ChargesMinor   Number `db:"charges_minor"`
}

// BridgeFigures lead from the purchases of a night to its charges in one currency: purchases + steps = charges, and what is missing to that
// is the difference, which must be 0.
type BridgeFigures struct {
	Currency       string       `json:"currency"`
	Purchases      int64        `json:"purchases"`
	PurchasesMinor Number       `json:"purchases_minor"`
	Steps          []BridgeStep `json:"steps"`
	Charges        int64        `json:"charges"`
	ChargesMinor   Number       `json:"charges_minor"`
	Difference     Number       `json:"difference"`
}

// BridgeStep is one reason why what was sold is not what was charged: its rows of bridge.csv.
type BridgeStep struct {
	Step        string `json:"step"`
	Rows        int64  `json:"rows"`
	AmountMinor Number `json:"amount_minor"`
}

type bridgeKey struct{ currency, step string }

func (f *figures) addBridgeItem(row BridgeItem) {
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
	t.amount.add(Int(row.AmountMinor))
}

func (f *figures) summarizeBridge(s *Summary) {
	s.Bridge = []BridgeFigures{}
	for _, ends := range f.bridgeEnds {
		b := BridgeFigures{Currency: ends.Currency, Purchases: ends.Purchases, PurchasesMinor: ends.PurchasesMinor, Steps: []BridgeStep{},
			Charges: ends.Charges, ChargesMinor: ends.ChargesMinor}
		reached := ends.PurchasesMinor
		for _, step := range bridgeSteps {
			if t := f.bridge[bridgeKey{ends.Currency, step.key}]; t != nil {
				b.Steps = append(b.Steps, BridgeStep{step.key, t.count, t.amount.number()})
				reached = reached.Plus(t.amount.number())
			}
		}
		b.Difference = ends.ChargesMinor.Minus(reached)
		s.Bridge = append(s.Bridge, b)
	}
}

// bridgeRow is a line of the page's bridge: a currency a column.
type bridgeRow struct {
	Name  string
	Sum   bool
	Cells []bridgeCell
}

type bridgeCell struct {
	Rows   string
	Amount string
	Bad    bool
}

// bridgeRows turn the bridges on their sides: a currency a column, without the steps that nobody took.
func bridgeRows(bridges []BridgeFigures) []bridgeRow {
	if len(bridges) == 0 {
		return nil
	}
	sold, charged, difference := bridgeRow{Name: "Purchases of the night", Sum: true}, bridgeRow{Name: "Charges of the night", Sum: true}, bridgeRow{Name: "Difference", Sum: true}
	for _, b := range bridges {
		sold.Cells = append(sold.Cells, bridgeCell{Rows: grouped(Int(b.Purchases)), Amount: amountText(b.PurchasesMinor, b.Currency)})
		charged.Cells = append(charged.Cells, bridgeCell{Rows: grouped(Int(b.Charges)), Amount: amountText(b.ChargesMinor, b.Currency)})
		cell := bridgeCell{Amount: amountText(b.Difference, b.Currency) + " ✓"}
		if !b.Difference.IsZero() {
			cell = bridgeCell{Amount: amountText(b.Difference, b.Currency) + " ✗", Bad: true}
		}
		difference.Cells = append(difference.Cells, cell)
	}
	rows := []bridgeRow{sold}
	for _, step := range bridgeSteps {
		row, taken := bridgeRow{Name: step.title}, false
		for _, b := range bridges {
			cell := bridgeCell{Rows: "–", Amount: "–"}
			if i := slices.IndexFunc(b.Steps, func(s BridgeStep) bool { return s.Step == step.key }); i >= 0 {
				cell = bridgeCell{Rows: grouped(Int(b.Steps[i].Rows)), Amount: amountText(b.Steps[i].AmountMinor, b.Currency)}
				taken = true
			}
			row.Cells = append(row.Cells, cell)
		}
		if taken {
			rows = append(rows, row)
		}
	}
	return append(rows, charged, difference)
}
