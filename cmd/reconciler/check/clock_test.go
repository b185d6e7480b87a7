package check

import (
	"errors"
	"testing"
	"time"
)

// A clock that is a little off is a warning. By one that is minutes off the database's, a night could begin before it is over, and it waits, as what is mended
// by itself once the clock is set.
func TestNightsWaitForAClockThatIsFarOff(t *testing.T) {
	now := time.Date(2026, 3, 3, 3, 15, 0, 0, time.UTC)
	for _, c := range []struct {
		off  time.Duration
		want Outcome
	}{
		{0, OK}, {4 * time.Second, OK}, {time.Minute, Warning}, {-4 * time.Minute, Warning}, {-5 * time.Minute, Failed}, {6 * time.Minute, Failed}, {-25 * time.Hour, Failed},
	} {
		checked := &checkup{}
		checked.databaseSkew(now.Add(c.off), now, now)
		if len(checked.lines) != 1 || checked.lines[0].Result != c.want {
			t.Errorf("%s off: %+v", c.off, checked.lines)
		}
		if err := checked.verdict(); (c.want == Failed) != errors.Is(err, errCheckedAgain) {
			t.Errorf("%s off: %v", c.off, err)
		}
	}
}
