package figures

import (
	"cmp"
	"math/big"
	"slices"

	"github.com/hummingbytes/reconciler/reconcile/numbers"
)

// tally adds up amounts by unit.
type tally map[string]*big.Int

func (t *tally) add(unit string, n numbers.Number) {
	if *t == nil {
		*t = tally{}
	}
	sum := (*t)[unit]
	if sum == nil {
		sum = new(big.Int)
		(*t)[unit] = sum
	}
	sum.Add(sum, n.Big())
}

// amounts lists the sums: money first by currency, then credits and the rest; never nil.
func (t tally) amounts() []Amount {
	list := make([]Amount, 0, len(t))
	for unit, sum := range t {
		list = append(list, Amount{unit, numbers.Of(sum)})
	}
	slices.SortFunc(list, func(a, b Amount) int {
		if byKind := cmp.Compare(b2i(!numbers.IsCurrency(a.Unit)), b2i(!numbers.IsCurrency(b.Unit))); byKind != 0 {
			return byKind
		}
		return cmp.Compare(a.Unit, b.Unit)
	})
	return list
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// topN keeps the n first items by an order, in constant memory.
type topN[T any] struct {
	n     int
	order func(a, b T) int
	items []T
}

func (t *topN[T]) add(item T) {
	if len(t.items) == t.n && t.order(item, t.items[t.n-1]) >= 0 {
		return
	}
	at, _ := slices.BinarySearchFunc(t.items, item, t.order)
	t.items = slices.Insert(t.items, at, item)
	if len(t.items) > t.n {
		t.items = t.items[:t.n]
	}
}

// groups are named groups in the order of their first rows, at most limit of them; the rest shares one.
type groups[K comparable, G any] struct {
	limit int
	byKey map[K]*G
	order []K
	rest  G
}

func (g *groups[K, G]) of(key K) *G {
	if found := g.byKey[key]; found != nil {
		return found
	}
	if len(g.byKey) == g.limit {
		return &g.rest
	}
	if g.byKey == nil {
		g.byKey = map[K]*G{}
	}
	fresh := new(G)
	g.byKey[key] = fresh
	g.order = append(g.order, key)
	return fresh
}
