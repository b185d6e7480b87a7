package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
)

// Counted is a count with its noun: "1 night", "3 nights".
func Counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// FirstOf lists the first few names, and counts the rest.
func FirstOf(names []string) string {
	if len(names) > MaxListed {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:MaxListed], ", "), len(names)-MaxListed)
	}
	return strings.Join(names, ", ")
}

// OrDash is text, or a dash where there is none.
func OrDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// WrapText breaks text into lines of at most width characters, the later ones indented.
func WrapText(text string, width, indent int) string {
	var out strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i > 0 && column+1+len(word) > width:
			out.WriteString("\n" + strings.Repeat(" ", indent))
			column = 0
		case i > 0:
			out.WriteByte(' ')
			column++
		}
		out.WriteString(word)
		column += len(word)
	}
	return out.String()
}

// ParseDay reads a business date of any time.
func ParseDay(text string, zone *time.Location) (reconcile.Date, error) {
	if strings.EqualFold(text, yesterday) {
		return reconcile.DateOf(time.Now().In(zone)).AddDays(-1), nil
	}
	return reconcile.ParseDate(text)
}

// ParseNight reads the date of a night that is over; "" is yesterday.
func ParseNight(text string, zone *time.Location) (reconcile.Date, error) {
	today := reconcile.DateOf(time.Now().In(zone))
	if text == "" || strings.EqualFold(text, yesterday) {
		return today.AddDays(-1), nil
	}
	date, err := reconcile.ParseDate(text)
	if err != nil {
		return date, UsageError("--date: %w", err)
	}
	if !date.Before(today) {
		return date, UsageError("--date: %s is not over yet in %s; the last complete night is %s", date, zone, today.AddDays(-1))
	}
	return date, nil
}

// yesterday is a business date by its name, so that a command can be copied.
const yesterday = "yesterday"

// MaxListed is how many things of one kind are named; the rest is counted.
const MaxListed = 3
