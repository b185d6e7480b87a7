package jobs

// What these set is of the whole package: a test that uses one of them runs by itself, without t.Parallel.

// SetLookBackRows makes a history long for tests that has only so many rows.
func SetLookBackRows(rows int64) (restore func()) {
	back, turn, ledger := lookBackRows, turnRows, ledgerRows
	lookBackRows, turnRows, ledgerRows = rows, min(rows, turn), min(rows, ledger)
	return func() { lookBackRows, turnRows, ledgerRows = back, turn, ledger }
}

// SetTurnRows makes a history that has only so many rows long enough for tests to be gone through in turns, row by row.
func SetTurnRows(rows int64) (restore func()) {
	turn, ledger := turnRows, ledgerRows
	turnRows, ledgerRows = rows, rows
	return func() { turnRows, ledgerRows = turn, ledger }
}

var TurnOf = turnOf

// FactsTx is what statements that look up one row after the other run with.
var FactsTx = factsTx
