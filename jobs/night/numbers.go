package night

import (
	"fmt"
	"math/big"
)

// Tally sums what a matching statement returned per outcome: matched, awaiting or breaks.
type Tally map[string]*big.Int

func (t Tally) Add(outcome, amount string) error {
	value, ok := new(big.Int).SetString(amount, 10)
	if !ok {
		return fmt.Errorf("%s: %q is no whole number", outcome, amount)
	}
	if t[outcome] == nil {
		t[outcome] = new(big.Int)
	}
	t[outcome].Add(t[outcome], value)
	return nil
}

func (t Tally) Text(outcome string) string {
	if t[outcome] == nil {
		return "0"
	}
	return t[outcome].String()
}

// Int64 is for log lines, where saturating does no harm.
func (t Tally) Int64(outcome string) int64 {
	if t[outcome] == nil || !t[outcome].IsInt64() {
		return 0
	}
	return t[outcome].Int64()
}

func FormatInt(v int64) string { return big.NewInt(v).String() }

func BigInt(text string) *big.Int {
	value, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return new(big.Int)
	}
	return value
}

// Plus adds two whole numbers of the database.
func Plus(a, b string) string { return new(big.Int).Add(BigInt(a), BigInt(b)).String() }
