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

// A night with an open error, or whose balance at Stripe is not what Stripe says, does not read as one in which everything agrees.
func TestOnlyACleanNightReadsAsOne(t *testing.T) {
	residual := []tables.StripeCash{{Currency: "eur", ResidualMinor: "0"}, {Currency: "usd", ResidualMinor: "-1234"}, {Currency: "jpy"}}
	for _, c := range []struct {
		errors         int64
		cash           []tables.StripeCash
		chip, headline string
	}{
		{0, residual[:1], "✓ totals agree", "Every row is accounted for, and all totals agree. No break is open."},
		{0, residual, "✗ Stripe's balance differs", "All totals that are counted here agree. The balance at Stripe is not what Stripe itself says it is: −12.34 USD. No break is open."},
		{1, residual, "1 error open", "Every row is accounted for: matched, awaited, or a break. The balance at Stripe is not what Stripe itself says it is: −12.34 USD. 1 break is open, 1 error among them."},
		{2, nil, "2 errors open", "Every row is accounted for: matched, awaited, or a break. 2 breaks are open, 2 errors among them."},
	} {
		s := &Summary{Status: StatusTied, StripeCash: c.cash, Breaks: BreakFigures{Open: c.errors, BySeverity: []SeverityFigures{{Severity: reconcile.Error, Open: c.errors}, {}, {}}}}
		if got := Headline(s); got != c.headline {
			t.Errorf("%d errors: %s", c.errors, got)
		}
		chip, class := StatusWords(s.Status, s.OpenErrors(), s.HasResidual())
		if clean := c.errors == 0 && !s.HasResidual(); chip != c.chip || (class == "ok") != clean {
			t.Errorf("%d errors: %s, %s", c.errors, chip, class)
		}
	}
}
