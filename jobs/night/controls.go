package night

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// controls gathers the control totals of one job. Sums come and go as decimal text: credits of a whole platform can pass 64 bits.
type controls struct {
	night  *Night
	job    string
	totals []controlTotal
}

// controlTotal is a row of reconciler.control_totals.
type controlTotal struct {
	Control   string `json:"control"`
	CheckName string `json:"check_name"`
	Unit      string `json:"unit"`
	Scanned   string `json:"scanned"`
	Matched   string `json:"matched"`
	Awaiting  string `json:"awaiting"`
	Breaks    string `json:"breaks"`
}

func NewControls(n *Night, job string) *controls {
	return &controls{night: n, job: job, totals: []controlTotal{}}
}

// Add adds a total by the name that people read.
func (c *controls) Add(check, unit, scanned, matched, awaiting, breaks string) {
	c.AddKeyed("", check, unit, scanned, matched, awaiting, breaks)
}

// AddKeyed adds one that statements find by a key.
func (c *controls) AddKeyed(control, check, unit, scanned, matched, awaiting, breaks string) {
	c.totals = append(c.totals, controlTotal{control, check, unit, scanned, matched, awaiting, breaks})
}

// Record writes the totals, reads them back, and fails with ErrIntegrity naming every check that doesn't tie.
func (c *controls) Record(ctx context.Context, tx *postgres.Tx) error {
	var stored []struct {
		CheckName  string
		Unit       string
		Difference string
	}
	rows, err := json.Marshal(c.totals)
	if err != nil {
		return err
	}
	if err := tx.Select(ctx, &stored, "controls/record", postgres.Args{"job": c.job, "rows": string(rows)}); err != nil {
		return err
	}
	if len(stored) != len(c.totals) {
		return fmt.Errorf("control totals of %s: %d of %d were stored; another job has one of the same name", c.job, len(stored), len(c.totals))
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

// ClosingIsLedger is the key of the control that the closing is what the whole ledger comes to.
const ClosingIsLedger = "closing_is_ledger"
