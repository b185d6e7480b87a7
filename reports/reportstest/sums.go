package reportstest

import "math/big"

// Sums add up amounts of reports under keys.
type Sums map[string]*big.Int

// Add adds sign times an amount, which may be an empty cell.
func (s Sums) Add(key, amount string, sign int64) {
	if amount == "" {
		return
	}
	n, ok := new(big.Int).SetString(amount, 10)
	if !ok {
		panic(amount)
	}
	if s[key] == nil {
		s[key] = new(big.Int)
	}
	s[key].Add(s[key], n.Mul(n, big.NewInt(sign)))
}

// Of is what a key has come to.
func (s Sums) Of(key string) string {
	if s[key] == nil {
		return "0"
	}
	return s[key].String()
}
