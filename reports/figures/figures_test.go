package figures

import (
	"regexp"
	"testing"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reports/tables"
)

func TestTopNKeepsTheFirst(t *testing.T) {
	top := topN[int]{n: 3, order: func(a, b int) int { return a - b }}
	for _, v := range []int{5, 3, 9, 1, 7, 3} {
		top.add(v)
	}
	if len(top.items) != 3 || top.items[0] != 1 || top.items[1] != 3 || top.items[2] != 3 {
		t.Errorf("%v", top.items)
	}
}

func TestEveryKindHasAnAnchorOfItsOwn(t *testing.T) {
	valid, seen := regexp.MustCompile(`^kind-[a-z0-9-]+$`), map[string]bool{}
	for _, rule := range reconcile.BreakRules {
		id := Anchor(rule.Kind)
		if !valid.MatchString(id) || seen[id] {
			t.Errorf("%s has the anchor %q", rule.Kind, id)
		}
		seen[id] = true
	}
	if id := Anchor(`x" onload="1`); !valid.MatchString(id) {
		t.Errorf("a hostile kind has the anchor %q", id)
	}
}

// A night whose totals agree, but whose balance at Stripe is not what Stripe says, does not read as one in which everything agrees.
func TestHeadlineNamesTheResidualAtStripe(t *testing.T) {
	s := &Summary{Status: StatusTied, StripeCash: []tables.StripeCash{{Currency: "eur", ResidualMinor: "0"}, {Currency: "usd", ResidualMinor: "-1234"}, {Currency: "jpy"}},
		Breaks: BreakFigures{Open: 1, BySeverity: []SeverityFigures{{Open: 1}, {}, {}}}}
	want := "All totals that are counted here agree. The balance at Stripe is not what Stripe itself says it is: −12.34 USD. 1 break is open, 1 error among them."
	if got := Headline(s); got != want {
		t.Errorf("%s", got)
	}
}
