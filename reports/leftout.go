package reports

import (
	"fmt"
	"strings"
)

// sourceCheck begins the names of the control totals that count the platform's rows: those in breaks were left out, as they break the contract.
const sourceCheck = "source "

// LeftOut is how many rows of one relation a night could not use.
type LeftOut struct {
	Relation   string
	Rows, Seen Number
}

// String is a sentence for people.
func (l LeftOut) String() string {
	return fmt.Sprintf("%s of %s rows of %s break the contract with the platform and were left out.", grouped(l.Rows), grouped(l.Seen), l.Relation)
}

// LeftOut says whether so many of a relation's rows were left out that what the night says of the rest says little: at least 3, and one in
// twenty. A view that gives a status another name leaves out all of them, and every total still ties.
func (c ControlTotal) LeftOut() (l LeftOut, many bool) {
	relation, isSource := strings.CutPrefix(c.Check, sourceCheck)
	if !isSource {
		return l, false
	}
	const least, share = 3, 20
	l = LeftOut{relation, c.Breaks, c.Scanned}
	rows, seen := c.Breaks.big(), c.Scanned.big()
	return l, rows.IsInt64() && rows.Int64() >= least && rows.Int64()*share >= seen.Int64()
}

// leftOutRows is how many rows of all relations were left out.
func leftOutRows(s *Summary) Number {
	var all sum
	for _, control := range s.ControlTotals {
		if strings.HasPrefix(control.Check, sourceCheck) {
			all.add(control.Breaks)
		}
	}
	return all.number()
}
