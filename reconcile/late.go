package reconcile

import (
	"cmp"
	"math/bits"
	"slices"
	"time"
)

// HashedRow is a row of a reported period, with the hash that the period's totals were made of.
type HashedRow struct {
	ID   string
	Hash uint64
	At   time.Time // when it is stamped
}

const (
	// maxLateSubsets bounds the search for the rows that explain a difference.
	maxLateSubsets = 2_000_000
	// maxIndependentRows is how many hashes of 64 bits are nearly always independent, so that one choice of them at most has a given sum.
	maxIndependentRows = 48
	// neighbourRows is how many neighbours are tried together: few enough that no choice of them has a given sum by chance, of however many neighbours.
	neighbourRows = 32
)

// LateRows names the rows that arrived after totals were taken of an account: those count rows whose hashes have the exclusive or
// hashSum. ok is false when no such rows exist or when the search would be too long; then the rows can't be told apart.
//
// Of up to 48 rows any number is told apart. Of more, a few are, and any number that come one after another by id or by time, as rows that were
// written together do: that another choice of them has the same sum by chance has a probability below 10^-4 for up to a million rows.
func LateRows(rows []HashedRow, count int, hashSum uint64) (late []HashedRow, ok bool) {
	switch {
	case count < 0 || count > len(rows):
		return nil, false
	case count == len(rows):
		var sum uint64
		for _, row := range rows {
			sum ^= row.Hash
		}
		return rows, sum == hashSum
	case len(rows) <= maxIndependentRows:
		return solveLateRows(rows, count, hashSum)
	default:
		if late, ok = searchLateRows(rows, count, hashSum); ok {
			return late, true
		}
		return lateNeighbours(rows, count, hashSum)
	}
}

// lateNeighbours looks for late rows that are close to each other: any of a few neighbours, or all of up to two stretches.
func lateNeighbours(rows []HashedRow, count int, hashSum uint64) (late []HashedRow, ok bool) {
	for _, order := range []func(a, b HashedRow) int{
		func(a, b HashedRow) int { return cmp.Compare(a.ID, b.ID) },
		func(a, b HashedRow) int { // numbers that count up
			return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
		},
		func(a, b HashedRow) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) },
	} {
		sorted := slices.SortedFunc(slices.Values(rows), order)
		for from := 0; count <= neighbourRows && from < len(sorted); from += neighbourRows / 2 {
			if late, ok = solveLateRows(sorted[from:min(from+neighbourRows, len(sorted))], count, hashSum); ok {
				return late, true
			}
		}
		if late, ok = lateStretches(sorted, count, hashSum); ok {
			return late, true
		}
	}
	return nil, false
}

// lateStretches finds late rows that come one after another, or in two such stretches.
func lateStretches(rows []HashedRow, count int, hashSum uint64) (late []HashedRow, ok bool) {
	before := make([]uint64, len(rows)+1) // the sum of the hashes of all rows before
	for i, row := range rows {
		before[i+1] = before[i] ^ row.Hash
	}
	tried := 0
	for short := 0; short <= count/2; short++ {
		if tried += 2 * len(rows); tried > maxLateSubsets {
			break
		}
		long := count - short
		starts := make(map[uint64]int, len(rows))
		for i := 0; i+long <= len(rows); i++ {
			starts[before[i]^before[i+long]] = i
		}
		for i := 0; i+short <= len(rows); i++ {
			start, found := starts[hashSum^before[i]^before[i+short]]
			switch {
			case !found:
			case short == 0:
				return rows[start : start+long], true
			case i+short <= start:
				return slices.Concat(rows[i:i+short], rows[start:start+long]), true
			case start+long <= i:
				return slices.Concat(rows[start:start+long], rows[i:i+short]), true
			}
		}
	}
	return nil, false
}

// solveLateRows finds the choice of rows with a given sum by elimination over the field of two elements.
func solveLateRows(rows []HashedRow, count int, hashSum uint64) (late []HashedRow, ok bool) {
	type equation struct{ hash, members uint64 } // the sum of the hashes of these rows
	var basis [64]equation                       // by the leading bit
	reduce := func(e equation) equation {
		for e.hash != 0 {
			lead := 63 - bits.LeadingZeros64(e.hash)
			if basis[lead].hash == 0 {
				break
			}
			e.hash ^= basis[lead].hash
			e.members ^= basis[lead].members
		}
		return e
	}
	for i, row := range rows {
		e := reduce(equation{row.Hash, 1 << i})
		if e.hash == 0 {
			return searchLateRows(rows, count, hashSum) // not independent: more than one choice might do
		}
		basis[63-bits.LeadingZeros64(e.hash)] = e
	}
	rest := reduce(equation{hash: hashSum})
	if rest.hash != 0 || bits.OnesCount64(rest.members) != count {
		return nil, false
	}
	for i, row := range rows {
		if rest.members>>i&1 == 1 {
			late = append(late, row)
		}
	}
	return late, true
}

// searchLateRows tries choices of rows; the last one of a choice is looked up by the hash that it must have.
func searchLateRows(rows []HashedRow, count int, hashSum uint64) (late []HashedRow, ok bool) {
	if count == 0 {
		return nil, hashSum == 0
	}
	last := make(map[uint64]int, len(rows))
	for i, row := range rows {
		last[row.Hash] = i
	}
	tried := 0
	var search func(from, left int, sum uint64) bool
	search = func(from, left int, sum uint64) bool {
		if left == 1 {
			i, found := last[sum^hashSum]
			if found && i >= from {
				late = append(late, rows[i])
				return true
			}
			return false
		}
		for i := from; i+left <= len(rows); i++ {
			if tried++; tried > maxLateSubsets {
				return false
			}
			if search(i+1, left-1, sum^rows[i].Hash) {
				late = append(late, rows[i])
				return true
			}
		}
		return false
	}
	if !search(0, count, 0) || tried > maxLateSubsets {
		return nil, false
	}
	for i, j := 0, len(late)-1; i < j; i, j = i+1, j-1 {
		late[i], late[j] = late[j], late[i]
	}
	return late, true
}
