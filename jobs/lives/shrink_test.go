package lives_test

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// signature is what a fault is of, whatever the amounts.
func (f fault) signature() string {
	fields := strings.Fields(strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, f.text))
	return strings.Join(fields[:min(len(fields), 4)], " ")
}

// shrink takes events out of lives that were judged wrong as long as they stay wrong in the same way. All attempts of a round are lived side
// by side in one world.
func shrink(t testing.TB, zone *time.Location, wrong map[string][]event, rounds int) map[string][]event {
	shrunk := map[string][]event{}
	for signature, events := range wrong {
		shrunk[signature] = events
	}
	for range rounds {
		nights := 0
		for _, events := range shrunk {
			nights = max(nights, int(events[len(events)-1].at/day)+3)
		}
		w := newWorld(t, zone, nights, 99)
		type attempt struct {
			signature string
			events    []event
		}
		attempts := map[*life]attempt{}
		for signature, events := range shrunk {
			for i := range events {
				fewer := slices.Delete(slices.Clone(events), i, i+1)
				if len(fewer) > 0 {
					attempts[w.add(fewer)] = attempt{signature, fewer}
				}
			}
			if half := len(events) / 2; half > 1 {
				attempts[w.add(events[:half])] = attempt{signature, events[:half]}
			}
		}
		w.live()
		better := false
		for _, f := range w.faults {
			a, ok := attempts[f.life]
			if ok && f.signature() == a.signature && len(a.events) < len(shrunk[a.signature]) {
				shrunk[a.signature], better = a.events, true
			}
		}
		if !better {
			break
		}
	}
	return shrunk
}
