package source

import "testing"

// Turns were once taken by dividing by their number, and stayed at the same one where there was one more every night.
func TestEveryOldNightHasItsTurn(t *testing.T) {
	for _, perTurn := range []int{1, 2, 3, 30} {
		last := map[int]int{}
		for day := 1; day < 1500; day++ {
			turns := (day + perTurn - 1) / perTurn
			last[turnOf(day, turns)] = day
			for turn := range turns {
				since, ok := last[turn]
				if !ok {
					since = turn * perTurn // it had not begun before
				}
				if waited := day - since; waited > 2*turns+perTurn {
					t.Fatalf("day %d of a turn every %d: turn %d of %d has waited for %d days", day, perTurn, turn, turns, waited)
				}
			}
		}
	}
}
