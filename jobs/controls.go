package jobs

import (
	"context"
	"fmt"
	"math/big"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// controls gathers the control totals of one job. Sums come and go as decimal text: credits of a whole platform can pass 64 bits.
type controls struct {
	night *Night
	job   string
	rows  []postgres.Args
}

func newControls(n *Night, job string) *controls { return &controls{night: n, job: job} }

func (c *controls) add(check, unit, scanned, matched, awaiting, breaks string) {
	c.rows = append(c.rows, c.night.args(c.job, postgres.Args{
		"check": check, "unit": unit, "scanned": scanned, "matched": matched, "awaiting": awaiting, "breaks": breaks,
	}))
}

// record writes the totals, reads them back, and fails with ErrIntegrity naming every check that doesn't tie.
func (c *controls) record(ctx context.Context, tx *postgres.Tx) error {
	if _, err := tx.Exec(ctx, "controls/clear", c.night.args(c.job, nil)); err != nil {
		return err
	}
	for _, row := range c.rows {
		if _, err := tx.Exec(ctx, "controls/add", row); err != nil {
			return err
		}
	}
	var untied []struct {
		CheckName  string `db:"check_name"`
		Unit       string
		Difference string
	}
	if err := tx.Select(ctx, &untied, "controls/untied", c.night.args(c.job, nil)); err != nil {
		return err
	}
	for i, u := range untied {
		if i == 0 {
			return fmt.Errorf("%w: control total %q does not tie by %s %s (%d in all that don't)", ErrIntegrity, u.CheckName, u.Difference, u.Unit, len(untied))
		}
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
