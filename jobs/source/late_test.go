package source

import "testing"

// A share chosen by dividing by their number stays the same one where there is one more every night.
func TestEveryOldNightIsLookedAt(t *testing.T) {
	for _, perShare := range []int{1, 2, 3, 30} {
		last := map[int]int{}
		for day := 1; day < 1500; day++ {
			shares := (day + perShare - 1) / perShare
			last[shareOf(day, shares)] = day
			for share := range shares {
				since, ok := last[share]
				if !ok {
					since = share * perShare // it had not begun before
				}
				if waited := day - since; waited > 2*shares+perShare {
					t.Fatalf("day %d of a share every %d: share %d of %d has waited for %d days", day, perShare, share, shares, waited)
				}
			}
		}
	}
}
