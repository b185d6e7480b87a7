package jobs

import (
	"context"
	"fmt"
	"math/big"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// controls gathers the control totals of one job. Sums come and go as decimal text: credits of a whole platform can pass 64 bits.
type controls struct {
	night                                             *Night
	job                                               string
	checks, units, scanned, matched, awaiting, breaks []string
}

func newControls(n *Night, job string) *controls { return &controls{night: n, job: job} }

func (c *controls) add(check, unit, scanned, matched, awaiting, breaks string) {
	c.checks, c.units = append(c.checks, check), append(c.units, unit)
	c.scanned, c.matched = append(c.scanned, scanned), append(c.matched, matched)
	c.awaiting, c.breaks = append(c.awaiting, awaiting), append(c.breaks, breaks)
}

// record writes the totals, reads them back, and fails with ErrIntegrity naming every check that doesn't tie.
func (c *controls) record(ctx context.Context, tx *postgres.Tx) error {
	var stored []struct {
		CheckName  string `db:"check_name"`
		Unit       string
		Difference string
	}
	err := tx.Select(ctx, &stored, "controls/record", c.night.args(c.job, postgres.Args{
		"checks": c.checks, "units": c.units, "scanned": c.scanned, "matched": c.matched, "awaiting": c.awaiting, "breaks": c.breaks,
	}))
	if err != nil {
		return err
	}
	if len(stored) != len(c.checks) {
		return fmt.Errorf("control totals of %s: %d of %d were stored; another job has one of the same name", c.job, len(stored), len(c.checks))
	}
	untied, first := 0, 0
	for i := range stored {
		if stored[i].Difference == "0" {
			continue
		}
		if untied++; untied == 1 || stored[i].CheckName+"\x00"+stored[i].Unit < stored[first].CheckName+"\x00"+stored[first].Unit {
			first = i
		}
	}
	if untied > 0 {
		u := stored[first]
		return fmt.Errorf("%w: control total %q does not tie by %s %s (%d in all that don't)", ErrIntegrity, u.CheckName, u.Difference, u.Unit, untied)
	}
	return nil
}

// tally sums what a matching statement returned per outcome: matched, awaiting or breaks.
type tally map[string]*big.Int

func (t tally) add(outcome, amount string) error {
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

func (t tally) text(outcome string) string {
	if t[outcome] == nil {
		return "0"
	}
	return t[outcome].String()
}

// int64 is for log lines, where saturating does no harm.
func (t tally) int64(outcome string) int64 {
	if t[outcome] == nil || !t[outcome].IsInt64() {
		return 0
	}
	return t[outcome].Int64()
}

func formatInt(v int64) string { return big.NewInt(v).String() }
