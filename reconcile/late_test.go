package reconcile_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hummingbytes/reconciler/reconcile"
)

func hashed(seed uint64, rows int) []reconcile.HashedRow {
	all := make([]reconcile.HashedRow, rows)
	for i := range all {
		id := fmt.Sprintf("%d/%d", seed, i)
		digest := sha256.Sum256([]byte(id))
		all[i] = reconcile.HashedRow{ID: id, Hash: binary.LittleEndian.Uint64(digest[:]), At: time.Unix(int64(i), 0)}
	}
	return all
}

func sumOf(rows []reconcile.HashedRow) (sum uint64) {
	for _, row := range rows {
		sum ^= row.Hash
	}
	return sum
}

// Whichever rows arrived late are named: any number of few, and a few of many.
func TestLateRowsAreNamed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := hashed(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(1, 200).Draw(t, "rows"))
		most := 2
		if len(rows) <= 48 {
			most = len(rows)
		}
		late := rapid.SliceOfNDistinct(rapid.IntRange(0, len(rows)-1), 1, most, rapid.ID).Draw(t, "late")
		slices.Sort(late)
		var want []reconcile.HashedRow
		for _, i := range late {
			want = append(want, rows[i])
		}
		got, ok := reconcile.LateRows(rows, len(want), sumOf(want))
		if !ok || !slices.Equal(got, want) {
			t.Fatalf("of %d rows %v are late: named %v (%t)", len(rows), want, got, ok)
		}
	})
}

// Rows that were written together arrive together: a batch of a busy account used to be beyond the search.
func TestBugBatchesOfLateRowsOfBusyAccountsWereNotNamed(t *testing.T) {
	many := hashed(7, 3000)
	for name, late := range map[string][]int{
		"one after another in time":            span(1000, 1400),
		"with the first of them by mistake":    append([]int{3}, span(2000, 2100)...),
		"two batches":                          append(span(100, 130), span(900, 1000)...),
		"here and there within a short while":  {500, 502, 503, 505, 509, 511, 512, 513},
		"the last ones":                        span(2900, 3000),
		"the first ones":                       span(0, 50),
		"by id, whatever time they are of":     {9, 90, 91, 92, 900, 901, 902, 903, 904, 905, 906, 907, 908, 909, 910},
		"numbers that count up, by their size": span(99, 301),
		"two batches of the same size":         append(span(100, 140), span(900, 940)...),
		"two batches, the smaller one last":    append(span(100, 140), span(2990, 3000)...),
		"two batches, the larger one last":     append(span(100, 110), span(2960, 3000)...),
	} {
		var want []reconcile.HashedRow
		for _, i := range late {
			want = append(want, many[i])
		}
		got, ok := reconcile.LateRows(many, len(want), sumOf(want))
		byID := func(a, b reconcile.HashedRow) int { return strings.Compare(a.ID, b.ID) }
		slices.SortFunc(got, byID)
		slices.SortFunc(want, byID)
		if !ok || !slices.Equal(got, want) {
			t.Errorf("%s: named %d rows of %d (%t)", name, len(got), len(want), ok)
		}
	}
	for name, test := range map[string]struct {
		count int
		sum   uint64
	}{
		"a sum that none has":                          {40, 42},
		"the same of one":                              {1, 42},
		"none, and yet another":                        {0, 1},
		"the same row twice":                           {2, 0},
		"one row, and another one twice":               {3, many[5].Hash},
		"more than there are":                          {3001, sumOf(many)},
		"fewer than before":                            {-1, many[0].Hash},
		"one batch, and twice the rows on one side":    {60, sumOf(many[1000:1040])},
		"a batch, of which others are said to be late": {41, sumOf(many[1000:1040])},
	} {
		if late, ok := reconcile.LateRows(many, test.count, test.sum); ok {
			t.Errorf("%s: named %v", name, late)
		}
	}
}

func span(from, to int) (all []int) {
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}

func TestLateRowsThatExplainNothing(t *testing.T) {
	rows := []reconcile.HashedRow{{ID: "a", Hash: 0x9e3779b97f4a7c15}, {ID: "b", Hash: 0xbf58476d1ce4e5b9}, {ID: "c", Hash: 0x94d049bb133111eb}}
	for name, test := range map[string]struct {
		count int
		sum   uint64
	}{
		"fewer than before":        {-1, rows[0].Hash},
		"more than there are":      {4, sumOf(rows)},
		"none, and yet another":    {0, 1},
		"all, and something else":  {3, sumOf(rows) ^ 1},
		"a sum that none has":      {1, 42},
		"the sum of another count": {2, rows[1].Hash},
	} {
		if late, ok := reconcile.LateRows(rows, test.count, test.sum); ok {
			t.Errorf("%s: named %v", name, late)
		}
	}
	dependent := append(slices.Clone(rows), reconcile.HashedRow{ID: "d", Hash: rows[0].Hash ^ rows[1].Hash})
	if late, ok := reconcile.LateRows(dependent, -1, rows[0].Hash); ok {
		t.Errorf("fewer than before, of hashes that depend on each other: named %v", late)
	}
	if late, ok := reconcile.LateRows(rows, 0, 0); !ok || len(late) != 0 {
		t.Errorf("no row at all: %v, %t", late, ok)
	}
}

// Rows whose hashes depend on each other are told apart as far as the number of late ones does it.
func TestLateRowsWithDependentHashes(t *testing.T) {
	a, b := uint64(0x9e3779b97f4a7c15), uint64(0xbf58476d1ce4e5b9)
	rows := []reconcile.HashedRow{{ID: "a", Hash: a}, {ID: "b", Hash: b}, {ID: "both", Hash: a ^ b}}
	for _, test := range []struct {
		count int
		sum   uint64
		want  string
	}{{1, a ^ b, "both"}, {2, a ^ b, "a b"}, {2, a, "b both"}} {
		late, ok := reconcile.LateRows(rows, test.count, test.sum)
		var ids []string
		for _, row := range late {
			ids = append(ids, row.ID)
		}
		if got := strings.Join(ids, " "); !ok || got != test.want {
			t.Errorf("%d rows: %q, %t; want %q", test.count, got, ok, test.want)
		}
	}
}

// Of a busy account: none is late, or so many that the search would be too long and has to end.
func TestLateRowsOfABusyAccountEndTheirSearch(t *testing.T) {
	rows := make([]reconcile.HashedRow, 10_000)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range rows {
		rows[i] = reconcile.HashedRow{ID: fmt.Sprint(i), Hash: random.Uint64()}
	}
	if late, ok := reconcile.LateRows(rows, 0, 0); !ok || len(late) != 0 {
		t.Errorf("none: %v, %t", late, ok)
	}
	if late, ok := reconcile.LateRows(rows, 300, 42); ok {
		t.Errorf("named %d rows that explain nothing", len(late))
	}
}

// Of 48 rows any number is told apart, wherever they stand.
func TestLateRowsAreNamedOfAsManyAsAreIndependent(t *testing.T) {
	rows := hashed(11, 48)
	var want []reconcile.HashedRow
	for i := 0; i < len(rows); i += 2 {
		want = append(want, rows[i])
	}
	if got, ok := reconcile.LateRows(rows, len(want), sumOf(want)); !ok || !slices.Equal(got, want) {
		t.Errorf("named %v (%t), want %v", got, ok, want)
	}
}

// A search takes 2,000,000 steps and no more: what the last of them finds is named, and what the next would find isn't.
func TestLateRowsAreSearchedForUpToTheBound(t *testing.T) {
	const bound = 2_000_000
	check := func(rows []reconcile.HashedRow, late []int, isNamed bool) {
		t.Helper()
		var want []reconcile.HashedRow
		for _, i := range late {
			want = append(want, rows[i])
		}
		got, ok := reconcile.LateRows(rows, len(want), sumOf(want))
		if ok != isNamed || ok && !slices.Equal(got, want) {
			t.Errorf("%d late rows of %d, from the %dth: named %d (%t)", len(want), len(rows), late[0], len(got), ok)
		}
	}
	rows := hashed(3, 3000)
	first, second, tried := 0, 0, 0 // a step each: the first row of three, then every second one after it
	for ; tried < bound; first++ {
		tried++
		for second = first + 1; second <= len(rows)-2 && tried < bound; second++ {
			tried++
		}
	}
	first, second = first-1, second-1
	check(rows, []int{first, second, second + 300}, true)
	check(rows, []int{first, second + 1, second + 300}, false)

	rows = hashed(5, 2000) // two stretches: a step for each row and each of the two, by the length of the shorter one, from 0 on
	last := bound/(2*len(rows)) - 1
	check(rows, append(span(10, 10+last), span(1000, 1000+last)...), true)
	check(rows, append(span(10, 11+last), span(1000, 1001+last)...), false)
}
