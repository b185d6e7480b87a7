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

// Contains says whether t is in [Begin, End).
func (n Night) Contains(t time.Time) bool { return !t.Before(n.Begin) && t.Before(n.End) }

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
