package pages

import (
	"slices"
	"strings"
	"testing"

	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// A waterfall's bars end where its closing does, whatever the signs.
func TestWaterfallHoldsTogether(t *testing.T) {
	for name, steps := range map[string][]step{
		"usual":     movements(tables.RollForward{Measure: "credits", Opening: "1204330", Purchases: "61000", Promotions: "2500", Usage: "-58420", CreditBacks: "3411", Refunds: "-1000", Adjustments: "-200", LateItems: "25", Closing: "1211646", ClosingFromLots: "1211646", Difference: "0"}),
		"negative":  movements(tables.RollForward{Measure: "credits", Opening: "-1200", Purchases: "61000", Promotions: "2500", Usage: "-158420", CreditBacks: "3411", Refunds: "-1000", Adjustments: "-200", LateItems: "25", Closing: "-93884", ClosingFromLots: "-93914", Difference: "30"}),
		"nothing":   movements(tables.RollForward{Measure: "usd", Opening: "0", Purchases: "0", Promotions: "0", Usage: "0", CreditBacks: "0", Refunds: "0", Adjustments: "0", LateItems: "0", Closing: "0", ClosingFromLots: "0", Difference: "0"}),
		"unchanged": movements(tables.RollForward{Measure: "usd", Opening: "500", Purchases: "0", Promotions: "0", Usage: "0", CreditBacks: "0", Refunds: "0", Adjustments: "0", LateItems: "0", Closing: "500", ClosingFromLots: "500", Difference: "0"}),
		"huge":      movements(tables.RollForward{Measure: "usd", Opening: "92233720368547758070000", Purchases: "1", Promotions: "0", Usage: "-1", CreditBacks: "0", Refunds: "0", Adjustments: "0", LateItems: "0", Closing: "92233720368547758070000", ClosingFromLots: "92233720368547758070000", Difference: "0"}),
	} {
		c := waterfall("x", "title", "usd", steps)
		for _, m := range c.Marks {
			if m.X < 0 || m.X+m.W > graphWidth || m.X2 > graphWidth || m.Y+m.H > c.Height {
				t.Errorf("%s: %+v is outside of the drawing", name, m)
			}
		}
	}
}

// No label of a graph begins outside of it, however long a failure code or a category is.
func TestLabelsOfChartsFit(t *testing.T) {
	for _, label := range []string{"no", "CUDA_ERROR_ECC_UNCORRECTABLE", "Partial capture reversal", strings.Repeat("W", 60), strings.Repeat("界", 40)} {
		for _, c := range []graph{
			bars("b", "bars", []bar{{label, "1 job", numbers.Int(1), "bar"}, {"short", "2 jobs", numbers.Int(2), "bar"}}),
			waterfall("w", "waterfall", "usd", []step{{"Opening", numbers.Int(5), true}, {label, numbers.Int(2), false}, {"Closing", numbers.Int(7), true}}),
		} {
			for _, m := range c.Marks {
				if m.Class == "label end" && m.X < textWidth(m.Text) {
					t.Errorf("%s: %q ends at %d and is %d wide", c.ID, m.Text, m.X, textWidth(m.Text))
				}
				if m.W > 0 && (m.X+m.W > graphWidth-100 || m.Y+m.H > c.Height) {
					t.Errorf("%s: a bar of %q reaches %d, %d of %d, %d", c.ID, label, m.X+m.W, m.Y+m.H, graphWidth, c.Height)
				}
			}
			if strings.Contains(label, "CUDA") && c.ID == "b" && !slices.ContainsFunc(c.Marks, func(m mark) bool { return m.Class == "label" && m.Text == label }) {
				t.Errorf("the label %q isn't whole", label)
			}
		}
	}
}

// What a break's sides are is seen from its variance: amounts get the currency's decimals, ids and states stay as they are.
func TestSidesOfABreak(t *testing.T) {
	for _, c := range []struct {
		b    tables.Break
		want string
	}{
		{tables.Break{Ours: "9900", Theirs: "8900", Variance: "1000", Unit: "usd"}, "99.00 89.00"},
		{tables.Break{Ours: "", Theirs: "10000", Variance: "-10000", Unit: "usd"}, "– 100.00"},
		{tables.Break{Ours: "1500", Theirs: "0", Variance: "1500", Unit: "credits"}, "1,500 0"},
		{tables.Break{Ours: "12345", Theirs: "67890", Variance: "13", Unit: "credits"}, "12345 67890"}, // ids of accounts
		{tables.Break{Ours: "completed", Theirs: "failed", Variance: "10000", Unit: "usd"}, "completed failed"},
		{tables.Break{Ours: "100", Theirs: "40", Variance: "60", Unit: "seconds"}, "100 40"},
	} {
		if got := sideText(c.b, c.b.Ours) + " " + sideText(c.b, c.b.Theirs); got != c.want {
			t.Errorf("%+v: %q, want %q", c.b, got, c.want)
		}
	}
}
