package simulation

import (
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// random is a stream of chance of its own for a purpose, so that one part of the business changing leaves the others as they were.
func (s *Simulation) random(purpose string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(purpose))
	return rand.New(rand.NewPCG(s.options.Seed, h.Sum64()))
}

// chance is true in perMille of 1000 cases.
func chance(r *rand.Rand, perMille int) bool { return r.IntN(1000) < perMille }

// between is a whole number in [low, high].
func between(r *rand.Rand, low, high int64) int64 { return low + r.Int64N(high-low+1) }

// spell is a duration in [low, high], to the millisecond.
func spell(r *rand.Rand, low, high time.Duration) time.Duration {
	return time.Duration(between(r, low.Milliseconds(), high.Milliseconds())) * time.Millisecond
}

// pick takes one of the choices.
func pick[T any](r *rand.Rand, choices []T) T { return choices[r.IntN(len(choices))] }

// mint makes ids that look random and never repeat: a bijection of the serial number, spelled in base 32.
type mint struct {
	seed   uint64
	serial map[string]uint64
}

const idLetters = "0123456789abcdefghjkmnpqrstvwxyz"

func (m *mint) next(prefix string) string {
	m.serial[prefix]++
	return prefix + "_" + m.token(prefix, m.serial[prefix])
}

func (m *mint) token(prefix string, serial uint64) string {
	h := fnv.New64a()
	h.Write([]byte(prefix))
	state := mix(serial ^ mix(m.seed^h.Sum64()))
	var text [13]byte
	for i := range text {
		text[i] = idLetters[state&31]
		state >>= 5
	}
	return string(text[:])
}

// mix is the finaliser of splitmix64, a bijection.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return x ^ (x >> 31)
}
