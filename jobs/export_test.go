package jobs

// SetLookBackRows makes a history long for tests that has only so many rows.
func SetLookBackRows(rows int64) (restore func()) {
	before, turn := lookBackRows, turnRows
	lookBackRows, turnRows = rows, min(rows, turn)
	return func() { lookBackRows, turnRows = before, turn }
}

// SetTurnRows makes a history long enough for tests to be gone through in turns, row by row.
func SetTurnRows(rows int64) (restore func()) {
	turn := turnRows
	turnRows = rows
	return func() { turnRows = turn }
}

var TurnOf = turnOf

// LookupTx is what statements that look up one row after the other run with.
var LookupTx = lookupTx
