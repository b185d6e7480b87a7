package wiring

import "time"

// ServerTime is the clock of serve.
type ServerTime struct {
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

// WallTime is real; a test of many nights has it pass faster.
var WallTime = ServerTime{Now: time.Now, After: time.After}
