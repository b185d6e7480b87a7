package reconcile_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/hummingbytes/reconciler/reconcile"
)

func TestSeveritiesHaveAnOrder(t *testing.T) {
	for rank, severity := range []reconcile.Severity{reconcile.Info, reconcile.Warning, reconcile.Error} {
		if severity.Rank() != rank {
			t.Errorf("%s: rank %d, want %d", severity, severity.Rank(), rank)
		}
	}
	if rank := reconcile.Severity("fatal").Rank(); rank >= 0 {
		t.Errorf("an unknown severity has rank %d", rank)
	}
}

func TestEveryKindOfBreakIsInTheCatalogueOnce(t *testing.T) {
	if kinds := reconcile.BreakKinds(); len(kinds) != len(reconcile.BreakRules) || !slices.IsSorted(kinds) {
		t.Errorf("the kinds are %v, want those of %d rules in order", kinds, len(reconcile.BreakRules))
	}
	seen := map[reconcile.BreakKind]bool{}
	for _, rule := range reconcile.BreakRules {
		if seen[rule.Kind] {
			t.Errorf("%s stands twice", rule.Kind)
		}
		seen[rule.Kind] = true
		if found, ok := rule.Kind.Rule(); !ok || found != rule {
			t.Errorf("%s: %+v, %t", rule.Kind, found, ok)
		}
		if rule.Severity.Rank() < 0 || rule.SubjectType == "" || !strings.HasSuffix(rule.Meaning, ".") || !strings.HasSuffix(rule.Action, ".") {
			t.Errorf("%s: %+v", rule.Kind, rule)
		}
	}
	if rule, ok := reconcile.BreakKind("no_such_break").Rule(); ok || rule != (reconcile.BreakRule{}) {
		t.Errorf("%+v, %t", rule, ok)
	}
}

// Advice to give, take, reverse or grant credits names the entry that the ledger takes: it knows no other way to put them right.
func TestAdviceAboutCreditsNamesTheEntry(t *testing.T) {
	entries := []string{"adjustment", "refund_reversal", "refund entry", "entry of kind refund", "Grant the credits", "grant the credits", "grant its credits"}
	advised := 0
	for _, rule := range reconcile.BreakRules {
		for _, clause := range strings.FieldsFunc(rule.Action, func(r rune) bool { return r == ';' || r == '.' }) {
			moves := slices.ContainsFunc([]string{"give", "Give", "take", "Take", "reverse", "Reverse", "grant"}, func(verb string) bool { return strings.Contains(clause, verb+" ") }) &&
				(strings.Contains(clause, "credits") || strings.Contains(clause, "surplus") || strings.Contains(clause, "variance"))
			if !moves {
				continue
			}
			advised++
			if !slices.ContainsFunc(entries, func(entry string) bool { return strings.Contains(clause, entry) }) {
				t.Errorf("%s: %q says not by which entry", rule.Kind, clause)
			}
		}
	}
	if advised < 12 {
		t.Errorf("only %d pieces of advice are about credits", advised)
	}
}

// A break that a person has resolved stays so while the fault is the same; what only goes on with the days doesn't make it another.
func TestValuesThatSayWhetherAFaultIsTheSame(t *testing.T) {
	all := reconcile.FaultValues{Ours: true, Theirs: true, Variance: true}
	for kind, want := range map[reconcile.BreakKind]reconcile.FaultValues{
		reconcile.DebitAmountMismatch: all, reconcile.RefundAmountMismatch: all, reconcile.ReviewOverdue: {Theirs: true}, reconcile.BalanceResidual: {Variance: true},
	} {
		if got := kind.FaultValues(); got != want {
			t.Errorf("%s: %+v, want %+v", kind, got, want)
		}
	}
}

func TestZonesThatAreReadInTwoWays(t *testing.T) {
	for name, city := range map[string]string{"CET": "Europe/Brussels", "EET": "Europe/Athens", "MET": "Europe/Brussels", "WET": "Europe/Lisbon", "UTC": "", "Europe/Brussels": ""} {
		if got := reconcile.ReadInTwoWays(name); got != city {
			t.Errorf("%s: %q, want %q", name, got, city)
		}
	}
}
