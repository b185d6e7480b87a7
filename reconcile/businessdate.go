package reconcile

import (
	"database/sql/driver"
	"fmt"
	"time"
)

// Date is a civil date without a time zone, the zero value being no date at all.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf is the civil date of t in t's own location.
func DateOf(t time.Time) Date {
	year, month, day := t.Date()
	return Date{year, month, day}
}

// ParseDate reads YYYY-MM-DD and nothing else; a day that doesn't exist is an error.
func ParseDate(text string) (Date, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return Date{}, fmt.Errorf("date %q: want YYYY-MM-DD", text)
	}
	return DateOf(t), nil
}

// String is YYYY-MM-DD.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// IsZero says whether d is no date.
func (d Date) IsZero() bool { return d == Date{} }

// AddDays moves by n calendar days, back when n is negative.
func (d Date) AddDays(n int) Date { return DateOf(d.utc().AddDate(0, 0, n)) }

// Weekday is the day of the week.
func (d Date) Weekday() time.Weekday { return d.utc().Weekday() }

// DaysSince is how many calendar days d is after other; negative when before.
func (d Date) DaysSince(other Date) int { return int(d.utc().Sub(other.utc()) / (24 * time.Hour)) }

// Compare is -1, 0 or +1 as d is before, equal to or after other.
func (d Date) Compare(other Date) int { return d.utc().Compare(other.utc()) }

// Before says whether d is earlier than other.
func (d Date) Before(other Date) bool { return d.Compare(other) < 0 }

// After says whether d is later than other.
func (d Date) After(other Date) bool { return d.Compare(other) > 0 }

func (d Date) utc() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }

// Value stores a date as SQL date; the zero date as null.
func (d Date) Value() (driver.Value, error) {
	if d.IsZero() {
		return nil, nil
	}
	return d.String(), nil
}

// Scan reads a SQL date; null is the zero date.
func (d *Date) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*d = Date{}
	case time.Time:
		*d = DateOf(v)
	case string:
		return d.UnmarshalText([]byte(v))
	case []byte:
		return d.UnmarshalText(v)
	default:
		return fmt.Errorf("date: cannot read %T", src)
	}
	return nil
}

// MarshalText is String; "" for the zero date.
func (d Date) MarshalText() ([]byte, error) {
	if d.IsZero() {
		return nil, nil
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads what MarshalText wrote.
func (d *Date) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = Date{}
		return nil
	}
	parsed, err := ParseDate(string(text))
	if err == nil {
		*d = parsed
	}
	return err
}

// Night is one business date in its time zone: the half-open interval [Begin, End). On days when clocks change it has 23 or 25 hours.
type Night struct {
	Date  Date
	Begin time.Time
	End   time.Time
}

// NightOf is the night of a business date in a time zone. A local midnight that the clocks skip (Africa/Cairo, for one) begins
// the day at its first instant.
func NightOf(d Date, zone *time.Location) Night {
	return Night{Date: d, Begin: startOfDay(d, zone), End: startOfDay(d.AddDays(1), zone)}
}

// AsOf is the instant that everything in the night is read as of: rows stamped at or after it do not exist for the run.
func (n Night) AsOf() time.Time { return n.End }

// startOfDay is the first instant whose civil date is d. time.Date alone won't do: for a skipped midnight it may answer with an
// instant of the day before.
func startOfDay(d Date, zone *time.Location) time.Time {
	t := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, zone)
	if DateOf(t) == d && DateOf(t.Add(-time.Nanosecond)) != d {
		return t.UTC()
	}
	// Halve the interval between an instant before the day and one in or after it. Samoa once left out a whole day: there the day is empty.
	before, within := t.Add(-50*time.Hour), t.Add(50*time.Hour)
	for within.Sub(before) > 1 {
		middle := before.Add(within.Sub(before) / 2)
		if DateOf(middle.In(zone)).Before(d) {
			before = middle
		} else {
			within = middle
		}
	}
	return within.UTC()
}

// Month is a calendar month, the zero value being none.
type Month struct {
	Year  int
	Month time.Month
}

// MonthOf is the month that a date is in.
func MonthOf(d Date) Month { return Month{d.Year, d.Month} }

// ParseMonth reads YYYY-MM and nothing else.
func ParseMonth(text string) (Month, error) {
	t, err := time.Parse("2006-01", text)
	if err != nil {
		return Month{}, fmt.Errorf("month %q: want YYYY-MM", text)
	}
	return MonthOf(DateOf(t)), nil
}

// String is YYYY-MM.
func (m Month) String() string { return fmt.Sprintf("%04d-%02d", m.Year, m.Month) }

// First is the month's first day.
func (m Month) First() Date { return Date{m.Year, m.Month, 1} }

// Last is its last day.
func (m Month) Last() Date { return m.Next().First().AddDays(-1) }

// Next is the month after.
func (m Month) Next() Month { return MonthOf(m.First().AddDays(31)) }

// Previous is the month before.
func (m Month) Previous() Month { return MonthOf(m.First().AddDays(-1)) }

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

// twoWays are the names that the IANA database has for zones with summer time, and PostgreSQL for abbreviations without it, by a city of
// each zone. PostgreSQL prefers the abbreviation in AT TIME ZONE, and the zone in SET TIME ZONE.
var twoWays = map[string]string{"CET": "Europe/Brussels", "EET": "Europe/Athens", "MET": "Europe/Brussels", "WET": "Europe/Lisbon"}

// ReadInTwoWays is a city of a zone whose name means different zones to different readers; "" for every other name.
func ReadInTwoWays(name string) (city string) { return twoWays[name] }
