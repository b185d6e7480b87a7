package stripetest

const idAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// mint makes ids that look like Stripe's: the n-th id of a prefix depends on the seed, the prefix and n only.
type mint struct {
	seed uint64
	next map[string]uint64
}

func (m *mint) id(prefix string) string { return prefix + "_1" + m.token(prefix, 23) }

func (m *mint) token(kind string, length int) string {
	m.next[kind]++
	state := m.seed
	for _, c := range []byte(kind) {
		state = mix(state ^ uint64(c))
	}
	state = mix(state + m.next[kind])
	token := make([]byte, length)
	for i := range token {
		if i%8 == 0 {
			state = mix(state)
		}
		token[i] = idAlphabet[(state>>(7*(i%8)))%uint64(len(idAlphabet))]
	}
	return string(token)
}

// mix is splitmix64's finaliser: a bijection, so that different states stay different.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return x ^ (x >> 31)
}
