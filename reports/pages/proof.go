package pages

import (
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// tie is one line of the proof: opening and movements give a closing, which a second count must agree with.
type tie struct {
	Name, Href, Opening, Movements, Closing, Again, Difference, Class string
}

type proofRow struct {
	Name  string
	Sum   bool
	Cells []proofCell
}

type proofCell struct {
	Text string
	Bad  bool
}

// movements are a roll-forward's steps in the order of its columns.
func movements(row tables.RollForward) []step {
	return []step{{"Opening", row.Opening, true}, {"Purchases", row.Purchases, false}, {"Promotions", row.Promotions, false}, {"Usage", row.Usage, false},
		{"Credit-backs", row.CreditBacks, false}, {"Refunds", row.Refunds, false}, {"Adjustments", row.Adjustments, false}, {"Late items", row.LateItems, false},
		{"Closing", row.Closing, true}}
}

// proofRows turn the roll-forward on its side: a measure a column.
func proofRows(measures []tables.RollForward) []proofRow {
	if len(measures) == 0 {
		return nil
	}
	var rows []proofRow
	for i, s := range movements(measures[0]) {
		row := proofRow{Name: s.Label, Sum: s.Total}
		for _, measure := range measures {
			row.Cells = append(row.Cells, proofCell{Text: numbers.Amount(movements(measure)[i].Value, measure.Measure)})
		}
		rows = append(rows, row)
	}
	lots, difference := proofRow{Name: "Closing, counted again from what is left of each purchase and gift"}, proofRow{Name: "Difference", Sum: true}
	for _, measure := range measures {
		lots.Cells = append(lots.Cells, proofCell{Text: numbers.Amount(measure.ClosingFromLots, measure.Measure)})
		cell := proofCell{Text: numbers.Amount(measure.Difference, measure.Measure) + " ✓"}
		if !measure.Difference.IsZero() {
			cell = proofCell{Text: numbers.Amount(measure.Difference, measure.Measure) + " ✗", Bad: true}
		}
		difference.Cells = append(difference.Cells, cell)
	}
	return append(rows, lots, difference)
}

// ties are the liability per measure, and the balance at Stripe per currency.
func ties(s *figures.Summary) []tie {
	var list []tie
	for _, row := range s.RollForward {
		name := "Credits owed to customers"
		if row.Measure != "credits" {
			name = "Their value in " + numbers.Unit(row.Measure)
		}
		list = append(list, newTie(name, "#proof", row.Measure, row.Opening, row.Closing, row.ClosingFromLots, row.Difference))
	}
	for _, row := range s.StripeCash {
		var again numbers.Number // Stripe's own balance, brought back to the end of the night
		if row.ResidualMinor.Known() {
			again = row.StripeAvailableMinor.Plus(row.StripePendingMinor).Minus(row.AfterMinor)
		}
		list = append(list, newTie("Balance at Stripe in "+numbers.Unit(row.Currency), "#cash", row.Currency, row.OpeningMinor, row.ClosingMinor, again, row.ResidualMinor))
	}
	return list
}

func newTie(name, href, unit string, opening, closing, again, difference numbers.Number) tie {
	movements := closing.Minus(opening)
	t := tie{Name: name, Href: href, Opening: numbers.Amount(opening, unit), Movements: numbers.Amount(movements, unit), Closing: numbers.Amount(closing, unit),
		Again: "not compared", Difference: "–", Class: "info"}
	if !movements.IsZero() && !movements.IsNegative() {
		t.Movements = "+" + t.Movements
	}
	if again.Known() {
		t.Again, t.Difference, t.Class = numbers.Amount(again, unit), numbers.Amount(difference, unit)+" ✓", "ok"
		if !difference.IsZero() {
			t.Difference, t.Class = numbers.Amount(difference, unit)+" ✗", "error"
		}
	}
	return t
}
