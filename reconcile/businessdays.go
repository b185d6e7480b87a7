package reconcile

import (
	"fmt"
	"time"
)

// maxBusinessDaySearch bounds how many calendar days are looked at for one due date, so that
// a calendar without a single business day is an error and not an endless loop.
const maxBusinessDaySearch = 10 * 366

// IsBusinessDay reports whether a date is a weekday and no holiday. isHoliday nil: there are none.
func IsBusinessDay(d Date, isHoliday func(Date) bool) bool {
	if w := d.Weekday(); w == time.Saturday || w == time.Sunday {
		return false
	}
	return isHoliday == nil || !isHoliday(d)
}

// DueDate is the n-th business day after a request's business date: the last day for its review
// (clause 6). Counting starts the day after the request, which itself may be any day. n must be
// 1 or more.
func DueDate(requestDate Date, n int, isHoliday func(Date) bool) (Date, error) {
	if n < 1 {
		return Date{}, fmt.Errorf("due date of a request of %s: %d business days: must be 1 or more", requestDate, n)
	}
	due := requestDate
	for range maxBusinessDaySearch {
		due = due.AddDays(1)
		if !IsBusinessDay(due, isHoliday) {
			continue
		}
		if n--; n == 0 {
			return due, nil
		}
	}
	return Date{}, fmt.Errorf("due date of a request of %s: too few business days in the %d days after it", requestDate, maxBusinessDaySearch)
}

// RefundBusinessDays is how many business days an approved refund has until its money has left.
const RefundBusinessDays = 7

// OverdueThrough is the last date of which what was due n business days later (see DueDate) is overdue at the end of the business date today.
// n must be 1 or more.
func OverdueThrough(today Date, n int, isHoliday func(Date) bool) (Date, error) {
	for from := today.AddDays(-n - 1); ; from = from.AddDays(-1) {
		due, err := DueDate(from, n, isHoliday)
		if err != nil {
			return Date{}, err
		}
		if ReviewIsOverdue(due, today) {
			return from, nil
		}
	}
}

// ReviewIsOverdue reports whether a request that is still undecided at the end of the business date
// today should have been decided: today is after its due date.
func ReviewIsOverdue(due, today Date) bool { return today.After(due) }

// BusinessDaysLeft is how many business days after today a review still has: 0 on the due date
// itself. Below 0 it is overdue, by that many business days; overdue is always below 0, so the
// weekend after a due Friday is -1 like the Monday that follows.
func BusinessDaysLeft(today, due Date, isHoliday func(Date) bool) int {
	if ReviewIsOverdue(due, today) {
		return -max(1, countBusinessDays(due, today, isHoliday))
	}
	return countBusinessDays(today, due, isHoliday)
}

// countBusinessDays counts those after the first date, up to and including the last.
func countBusinessDays(after, last Date, isHoliday func(Date) bool) int {
	count := 0
	for d := after.AddDays(1); !d.After(last); d = d.AddDays(1) {
		if IsBusinessDay(d, isHoliday) {
			count++
		}
	}
	return count
}
