package reconcile_test

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hummingbytes/reconciler/reconcile"
)

var noon = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)

func TestUsed(t *testing.T) {
	lot := func(id string, hours int, credits int64) reconcile.Lot {
		return reconcile.Lot{ID: id, GrantedAt: noon.Add(time.Duration(hours) * time.Hour), Credits: credits}
	}
	refunded := func(l reconcile.Lot) reconcile.Lot { l.Refunded = true; return l }
	tests := []struct {
		name      string
		lots      []reconcile.Lot
		netUsage  int64
		want      string // id:used, in order
		overdrawn int64
	}{
		{"nothing used", []reconcile.Lot{lot("a", 0, 10), lot("b", 1, 10)}, 0, "a:0 b:0", 0},
		{"more credited back than used", []reconcile.Lot{lot("a", 0, 10)}, -5, "a:0", 0},
		{"first in, first out, in whatever order they come", []reconcile.Lot{lot("b", 1, 10), lot("a", 0, 10)}, 12, "a:10 b:2", 0},
		{"exactly the first", []reconcile.Lot{lot("a", 0, 10), lot("b", 1, 10)}, 10, "a:10 b:0", 0},
		{"one more", []reconcile.Lot{lot("a", 0, 10), lot("b", 1, 10)}, 11, "a:10 b:1", 0},
		{"granted at the same instant: by id", []reconcile.Lot{lot("b", 0, 10), lot("a", 0, 10)}, 1, "a:1 b:0", 0},
		{"ids by their bytes", []reconcile.Lot{lot("p10", 0, 1), lot("p9", 0, 1), lot("P9", 0, 1)}, 2, "P9:1 p10:1 p9:0", 0},
		{"a refunded lot leaves the order", []reconcile.Lot{refunded(lot("a", 0, 10)), lot("b", 1, 10)}, 4, "a:0 b:4", 0},
		{"empty lots are passed over", []reconcile.Lot{lot("a", 0, 0), lot("b", 1, 10)}, 4, "a:0 b:4", 0},
		{"beyond all lots", []reconcile.Lot{lot("a", 0, 10)}, 15, "a:10", 5},
		{"no lots", nil, 3, "", 3},
		{"sums beyond 64 bits", []reconcile.Lot{lot("a", 0, math.MaxInt64), lot("b", 1, math.MaxInt64)}, math.MaxInt64, fmt.Sprintf("a:%d b:0", int64(math.MaxInt64)), 0},
		{"the lowest net usage", []reconcile.Lot{lot("a", 0, 1)}, math.MinInt64, "a:0", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			usage, err := reconcile.Used(test.lots, test.netUsage)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for i, l := range usage.Lots {
				if i > 0 {
					got += " "
				}
				got += fmt.Sprintf("%s:%d", l.ID, l.UsedCredits)
			}
			if got != test.want || usage.OverdrawnCredits != test.overdrawn {
				t.Errorf("%q, overdrawn %d; want %q, %d", got, usage.OverdrawnCredits, test.want, test.overdrawn)
			}
		})
	}
	if _, err := reconcile.Used([]reconcile.Lot{lot("a", 0, -1)}, 0); err == nil {
		t.Error("a lot of -1 credits is accepted")
	}
}

func drawLots(t *rapid.T) []reconcile.Lot {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) reconcile.Lot {
		return reconcile.Lot{
			ID:        rapid.StringMatching(`[ab][0-9]`).Draw(t, "id"),
			GrantedAt: noon.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "hour")) * time.Hour),
			Credits:   rapid.Int64Range(0, 50).Draw(t, "credits"),
			Refunded:  rapid.IntRange(0, 4).Draw(t, "refunded") == 0,
		}
	}), 0, 8).Draw(t, "lots")
}

// The rule as it is written: used(p) = clamp(net_usage - before(p), 0, credits(p)).
func TestUsedIsTheClampOfTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lots := drawLots(t)
		netUsage := rapid.Int64Range(-50, 400).Draw(t, "net usage")
		usage, err := reconcile.Used(lots, netUsage)
		if err != nil {
			t.Fatal(err)
		}
		var before, total int64
		for i, l := range usage.Lots {
			if i > 0 {
				previous := usage.Lots[i-1]
				if l.GrantedAt.Before(previous.GrantedAt) || l.GrantedAt.Equal(previous.GrantedAt) && l.ID < previous.ID {
					t.Fatalf("%s stands before %s", previous.ID, l.ID)
				}
			}
			want := int64(0)
			if !l.Refunded {
				want = min(max(netUsage-before, 0), l.Credits)
				before += l.Credits
			}
			if l.UsedCredits != want {
				t.Fatalf("lot %d: used %d, want %d", i, l.UsedCredits, want)
			}
			total += l.UsedCredits
		}
		if want := min(max(netUsage, 0), before); total != want {
			t.Fatalf("used %d in all, want %d", total, want)
		}
		if want := max(netUsage-before, 0); usage.OverdrawnCredits != want {
			t.Fatalf("overdrawn %d, want %d", usage.OverdrawnCredits, want)
		}
		if len(usage.Lots) != len(lots) {
			t.Fatalf("%d lots of %d", len(usage.Lots), len(lots))
		}
	})
}

func TestUsedLeavesTheLotsAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lots := drawLots(t)
		kept := slices.Clone(lots)
		if _, err := reconcile.Used(lots, 10); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(lots, kept) {
			t.Fatal("the argument was reordered")
		}
	})
}

func TestValueUsed(t *testing.T) {
	tests := []struct{ amount, credits, used, want int64 }{
		{1000, 3, 0, 0}, {1000, 3, 1, 333}, {1000, 3, 2, 666}, {1000, 3, 3, 1000},
		{0, 100, 50, 0}, {1, 100, 99, 0}, {1, 100, 100, 1}, {500, 0, 0, 0},
		{math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64},
		{math.MaxInt64, math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64 - 1},
	}
	for _, test := range tests {
		if got, err := reconcile.ValueUsed(test.amount, test.credits, test.used); err != nil || got != test.want {
			t.Errorf("%d of %d for %d: %d, %v; want %d", test.used, test.credits, test.amount, got, err, test.want)
		}
	}
	for _, bad := range [][3]int64{{-1, 10, 1}, {1, 10, -1}, {1, 10, 11}, {1, -1, -1}, {1, 0, 1}} {
		if got, err := reconcile.ValueUsed(bad[0], bad[1], bad[2]); err == nil {
			t.Errorf("%v: %d, want an error", bad, got)
		}
	}
}

// However a lot is used up, the values of the parts sum exactly to what was paid.
func TestValueUsedPartsSumToTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount, credits := anyAmount(t, "amount"), max(1, anyAmount(t, "credits"))
		var used, valued int64
		for used < credits {
			part := rapid.Int64Range(1, credits-used).Draw(t, "part")
			if rapid.IntRange(0, 5).Draw(t, "rest") == 0 {
				part = credits - used
			}
			from, err := reconcile.ValueUsed(amount, credits, used)
			if err != nil {
				t.Fatal(err)
			}
			to, err := reconcile.ValueUsed(amount, credits, used+part)
			if err != nil {
				t.Fatal(err)
			}
			if to < from {
				t.Fatalf("value falls from %d to %d", from, to)
			}
			valued += to - from
			used += part
			want := new(big.Int).Mul(big.NewInt(amount), big.NewInt(used))
			if want.Quo(want, big.NewInt(credits)); want.Int64() != to {
				t.Fatalf("value of %d: %d, want %s", used, to, want)
			}
		}
		if valued != amount {
			t.Fatalf("parts sum to %d, paid were %d", valued, amount)
		}
	})
}
