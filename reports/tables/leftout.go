package tables

import (
	"fmt"
	"strings"

	"github.com/hummingbytes/reconciler/reconcile/numbers"
)

// sourceCheck begins the names of the control totals that count the platform's rows: those in breaks were left out, as they break the contract.
const sourceCheck = "source "

// LeftOut is how many rows of one relation a night could not use.
type LeftOut struct {
	Relation   string
	Rows, Seen numbers.Number
}

// String is a sentence for people.
func (l LeftOut) String() string {
	return fmt.Sprintf("%s of %s rows of %s break the contract with the platform and were left out.", numbers.Grouped(l.Rows), numbers.Grouped(l.Seen), l.Relation)
}

// SourceOf is the relation whose rows the total counts, if it counts those of one.
func (c ControlTotal) SourceOf() (relation string, isSource bool) {
	return strings.CutPrefix(c.Check, sourceCheck)
}

// LeftOut says whether so many of a relation's rows were left out that what the night says of the rest says little: at least 3, and one in
// twenty. A view that gives a status another name leaves out all of them, and every total still ties.
func (c ControlTotal) LeftOut() (l LeftOut, many bool) {
	relation, isSource := c.SourceOf()
	if !isSource {
		return l, false
	}
	const least, share = 3, 20
	l = LeftOut{relation, c.Breaks, c.Scanned}
	rows, seen := c.Breaks.Big(), c.Scanned.Big()
	return l, rows.IsInt64() && rows.Int64() >= least && rows.Int64()*share >= seen.Int64()
}
