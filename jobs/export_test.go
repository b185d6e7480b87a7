package jobs

// SetLookBackRows makes a history long for tests that has only so many rows.
func SetLookBackRows(rows int64) (restore func()) {
	before := lookBackRows
	lookBackRows = rows
	return func() { lookBackRows = before }
}
