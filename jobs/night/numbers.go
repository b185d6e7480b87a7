package night

import (
	"fmt"

	"github.com/hummingbytes/reconciler/reconcile/numbers"
)

// Tally sums what a matching statement returned per outcome: matched, awaiting or breaks.
type Tally map[string]*numbers.Sum

// Add adds to an outcome. That there is no amount is an error: a sum that a statement forgot would read as 0.
func (t Tally) Add(outcome string, amount numbers.Number) error {
	if !amount.Known() {
		return fmt.Errorf("%s: no amount", outcome)
	}
	if t[outcome] == nil {
		t[outcome] = new(numbers.Sum)
	}
	t[outcome].Add(amount)
	return nil
}

// Text is what an outcome comes to.
func (t Tally) Text(outcome string) string { return string(t.sum(outcome)) }

func (t Tally) sum(outcome string) numbers.Number {
	if t[outcome] == nil {
		return "0"
	}
	return t[outcome].Number()
}

// Int64 is for log lines, where saturating does no harm.
func (t Tally) Int64(outcome string) int64 {
	value, _ := t.sum(outcome).Small()
	return value
}
