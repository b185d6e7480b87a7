// Package calendar names the holiday calendars that business days are counted by. It must never do more with a date than say
// whether it is a holiday: no time zones, no clock.
package calendar

import (
	"fmt"

	"github.com/hummingbytes/reconciler/reconcile"
)

// ByName returns the calendar of this name: a function that says whether a date is a holiday.
func ByName(name string) (func(reconcile.Date) bool, error) {
	return nil, fmt.Errorf("holiday calendar %q: unknown", name)
}
