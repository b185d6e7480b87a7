package reconcile_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/hummingbytes/reconciler/reconcile"
)

func hashed(seed uint64, rows int) []reconcile.HashedRow {
	all := make([]reconcile.HashedRow, rows)
	for i := range all {
		id := fmt.Sprintf("%d/%d", seed, i)
		digest := sha256.Sum256([]byte(id))
		all[i] = reconcile.HashedRow{ID: id, Hash: binary.LittleEndian.Uint64(digest[:])}
	}
	return all
}

func sumOf(rows []reconcile.HashedRow) (sum uint64) {
	for _, row := range rows {
		sum ^= row.Hash
	}
	return sum
}

// Whichever rows turned up late are named: any number of few, and a few of many.
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

func TestLateRowsThatExplainNothing(t *testing.T) {
	rows := []reconcile.HashedRow{{"a", 0x9e3779b97f4a7c15}, {"b", 0xbf58476d1ce4e5b9}, {"c", 0x94d049bb133111eb}}
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
	if late, ok := reconcile.LateRows(rows, 0, 0); !ok || len(late) != 0 {
		t.Errorf("no row at all: %v, %t", late, ok)
	}
}
