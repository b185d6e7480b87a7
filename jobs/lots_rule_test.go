package jobs_test

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// ruleLot is a grant of credits that usage draws on: a purchase, a promotional grant, or a
// positive adjustment. The last two are worth nothing in money.
type ruleLot struct {
	ID        string
	GrantedAt time.Time
	// Credits granted, 0 or more.
	Credits int64
	// Refunded lots have left the account: nothing is drawn from them.
	Refunded bool
}

// lotUse is a lot and what was used of it.
type lotUse struct {
	ruleLot
	// UsedCredits is 0 to Credits; 0 for a refunded lot.
	UsedCredits int64
}

// lotUsage is how one account's net usage is spread over its lots.
type lotUsage struct {
	// Lots in the order in which they burn: by grant time, then id. Refunded ones are in
	// their place, unused.
	Lots []lotUse
	// OverdrawnCredits is the net usage beyond all lots: the account's balance is below 0.
	OverdrawnCredits int64
}

// lotsUsed is the rule that the statements apply to sets (lot_use, books/take_lots, used_at): it spreads an account's net usage over its lots, first in, first out by grant time, then
// id (clause 2.3). netUsage is usage debits minus credit-backs, negative adjustments counted
// as usage, all as of the same instant as the lots; below 0 it counts as 0. The order of lots
// does not matter. A lot with negative credits is an error.
func lotsUsed(lots []ruleLot, netUsage int64) (lotUsage, error) {
	ordered := slices.Clone(lots)
	slices.SortStableFunc(ordered, func(a, b ruleLot) int {
		return cmp.Or(a.GrantedAt.Compare(b.GrantedAt), cmp.Compare(a.ID, b.ID))
	})
	usage := lotUsage{Lots: make([]lotUse, 0, len(ordered)), OverdrawnCredits: max(netUsage, 0)}
	for _, lot := range ordered {
		if lot.Credits < 0 {
			return lotUsage{}, fmt.Errorf("lot %s: %d credits: a grant can't be negative", lot.ID, lot.Credits)
		}
		use := lotUse{ruleLot: lot}
		if !lot.Refunded {
			use.UsedCredits = min(usage.OverdrawnCredits, lot.Credits)
			usage.OverdrawnCredits -= use.UsedCredits
		}
		usage.Lots = append(usage.Lots, use)
	}
	return usage, nil
}

// valueUsed is the money that the first used of a lot's credits are worth:
// floor(amountMinor * used / credits). Rounding is cumulative: the value of a span of credits
// is the difference of two such values, so the parts always sum exactly to amountMinor.
// It needs 0 <= used <= credits and amountMinor >= 0; a lot without credits is worth 0.
func valueUsed(amountMinor, credits, used int64) (int64, error) {
	if amountMinor < 0 || used < 0 || used > credits {
		return 0, fmt.Errorf("value of %d of %d credits bought for %d: out of range", used, credits, amountMinor)
	}
	if used == 0 {
		return 0, nil
	}
	hi, lo := bits.Mul64(uint64(amountMinor), uint64(used))
	value, _ := bits.Div64(hi, lo, uint64(credits)) // a part of the amount always fits
	return int64(value), nil
}

var noon = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)

func TestUsed(t *testing.T) {
	lot := func(id string, hours int, credits int64) ruleLot {
		return ruleLot{ID: id, GrantedAt: noon.Add(time.Duration(hours) * time.Hour), Credits: credits}
	}
	refunded := func(l ruleLot) ruleLot { l.Refunded = true; return l }
	tests := []struct {
		name      string
		lots      []ruleLot
		netUsage  int64
		want      string // id:used, in order
		overdrawn int64
	}{
		{"nothing used", []ruleLot{lot("a", 0, 10), lot("b", 1, 10)}, 0, "a:0 b:0", 0},
		{"more credited back than used", []ruleLot{lot("a", 0, 10)}, -5, "a:0", 0},
		{"first in, first out, in whatever order they come", []ruleLot{lot("b", 1, 10), lot("a", 0, 10)}, 12, "a:10 b:2", 0},
		{"exactly the first", []ruleLot{lot("a", 0, 10), lot("b", 1, 10)}, 10, "a:10 b:0", 0},
		{"one more", []ruleLot{lot("a", 0, 10), lot("b", 1, 10)}, 11, "a:10 b:1", 0},
		{"granted at the same instant: by id", []ruleLot{lot("b", 0, 10), lot("a", 0, 10)}, 1, "a:1 b:0", 0},
		{"ids by their bytes", []ruleLot{lot("p10", 0, 1), lot("p9", 0, 1), lot("P9", 0, 1)}, 2, "P9:1 p10:1 p9:0", 0},
		{"a refunded lot leaves the order", []ruleLot{refunded(lot("a", 0, 10)), lot("b", 1, 10)}, 4, "a:0 b:4", 0},
		{"empty lots are passed over", []ruleLot{lot("a", 0, 0), lot("b", 1, 10)}, 4, "a:0 b:4", 0},
		{"beyond all lots", []ruleLot{lot("a", 0, 10)}, 15, "a:10", 5},
		{"no lots", nil, 3, "", 3},
		{"sums beyond 64 bits", []ruleLot{lot("a", 0, math.MaxInt64), lot("b", 1, math.MaxInt64)}, math.MaxInt64, fmt.Sprintf("a:%d b:0", int64(math.MaxInt64)), 0},
		{"the lowest net usage", []ruleLot{lot("a", 0, 1)}, math.MinInt64, "a:0", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			usage, err := lotsUsed(test.lots, test.netUsage)
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
	if _, err := lotsUsed([]ruleLot{lot("a", 0, -1)}, 0); err == nil {
		t.Error("a lot of -1 credits is accepted")
	}
}

func drawLots(t *rapid.T) []ruleLot {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) ruleLot {
		return ruleLot{
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
		usage, err := lotsUsed(lots, netUsage)
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
		if _, err := lotsUsed(lots, 10); err != nil {
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
		if got, err := valueUsed(test.amount, test.credits, test.used); err != nil || got != test.want {
			t.Errorf("%d of %d for %d: %d, %v; want %d", test.used, test.credits, test.amount, got, err, test.want)
		}
	}
	for _, bad := range [][3]int64{{-1, 10, 1}, {1, 10, -1}, {1, 10, 11}, {1, -1, -1}, {1, 0, 1}} {
		if got, err := valueUsed(bad[0], bad[1], bad[2]); err == nil {
			t.Errorf("%v: %d, want an error", bad, got)
		}
	}
}

// However a lot is used up, the values of the parts sum exactly to what was paid.
func TestValueUsedPartsSumToTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		drawn := rapid.OneOf(rapid.Int64Range(0, 1_000_000), rapid.Int64Range(0, math.MaxInt64), rapid.Just(int64(math.MaxInt64)))
		amount, credits := drawn.Draw(t, "amount"), max(1, drawn.Draw(t, "credits"))
		var used, valued int64
		for used < credits {
			part := rapid.Int64Range(1, credits-used).Draw(t, "part")
			if rapid.IntRange(0, 5).Draw(t, "rest") == 0 {
				part = credits - used
			}
			from, err := valueUsed(amount, credits, used)
			if err != nil {
				t.Fatal(err)
			}
			to, err := valueUsed(amount, credits, used+part)
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
