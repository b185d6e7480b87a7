package reconcile

// HashedRow is a row of a reported period, with the hash that the period's totals were summed from.
type HashedRow struct {
	ID   string
	Hash uint64
}

// maxLateSubsets bounds the search for the rows that explain a difference.
const maxLateSubsets = 2_000_000

// LateRows names the rows that turned up after a bucket's totals were taken: those count rows whose hashes sum (modulo 2^64) to
// hashSum. ok is false when no such rows exist or when the search would be too long; then the rows can't be told apart.
//
// That another choice of rows has the same sum by chance has a probability below maxLateSubsets / 2^64, about 10^-13.
func LateRows(rows []HashedRow, count int, hashSum uint64) (late []HashedRow, ok bool) {
	if count < 0 || count > len(rows) {
		return nil, false
	}
	if count == len(rows) {
		var sum uint64
		for _, row := range rows {
			sum += row.Hash
		}
		return rows, sum == hashSum
	}
	tried := 0
	var search func(from, left int, sum uint64) bool
	search = func(from, left int, sum uint64) bool {
		if left == 0 {
			return sum == hashSum
		}
		for i := from; i+left <= len(rows); i++ {
			if tried++; tried > maxLateSubsets {
				return false
			}
			if search(i+1, left-1, sum+rows[i].Hash) {
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
