package pages

import (
	"slices"

	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/figures"
)

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
func bridgeRows(bridges []figures.BridgeFigures) []bridgeRow {
	if len(bridges) == 0 {
		return nil
	}
	sold, charged, difference := bridgeRow{Name: "Purchases of the night", Sum: true}, bridgeRow{Name: "Charges of the night", Sum: true}, bridgeRow{Name: "Difference", Sum: true}
	for _, b := range bridges {
		sold.Cells = append(sold.Cells, bridgeCell{Rows: numbers.Grouped(numbers.Int(b.Purchases)), Amount: numbers.Amount(b.PurchasesMinor, b.Currency)})
		charged.Cells = append(charged.Cells, bridgeCell{Rows: numbers.Grouped(numbers.Int(b.Charges)), Amount: numbers.Amount(b.ChargesMinor, b.Currency)})
		cell := bridgeCell{Amount: numbers.Amount(b.Difference, b.Currency) + " ✓"}
		if !b.Difference.IsZero() {
			cell = bridgeCell{Amount: numbers.Amount(b.Difference, b.Currency) + " ✗", Bad: true}
		}
		difference.Cells = append(difference.Cells, cell)
	}
	rows := []bridgeRow{sold}
	for _, step := range figures.BridgeSteps {
		row, taken := bridgeRow{Name: step.Title}, false
		for _, b := range bridges {
			cell := bridgeCell{Rows: "–", Amount: "–"}
			if i := slices.IndexFunc(b.Steps, func(s figures.BridgeStep) bool { return s.Step == step.Key }); i >= 0 {
				cell = bridgeCell{Rows: numbers.Grouped(numbers.Int(b.Steps[i].Rows)), Amount: numbers.Amount(b.Steps[i].AmountMinor, b.Currency)}
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
