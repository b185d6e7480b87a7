// Package calendar names the holiday calendars that business days are counted by. It must never do more with a date than say
// whether it is a holiday: no time zones, no clock, no weekends (those are reconcile's).
package calendar

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/at"
	"github.com/rickar/cal/v2/be"
	"github.com/rickar/cal/v2/ca"
	"github.com/rickar/cal/v2/de"
	"github.com/rickar/cal/v2/ecb"
	"github.com/rickar/cal/v2/es"
	"github.com/rickar/cal/v2/fr"
	"github.com/rickar/cal/v2/gb"
	"github.com/rickar/cal/v2/ie"
	"github.com/rickar/cal/v2/it"
	"github.com/rickar/cal/v2/jp"
	"github.com/rickar/cal/v2/us"

	"github.com/hummingbytes/reconciler/reconcile"
)

func init() {
	// The library computes holidays as midnights in this location. In the machine's own zone a midnight that the clocks skip
	// would move the holiday by a day.
	cal.DefaultLoc = time.UTC
}

// The calendars by name: the holidays that a country's law gives to all of it, with the days on which they are observed. A calendar is only
// offered where there is one answer for the whole country. Switzerland's law knows one such day and leaves the rest to the cantons; in the
// Netherlands Good Friday and Liberation Day are days off for some and not for others. Of the United Kingdom it is England and Wales.
var holidays = map[string][]*cal.Holiday{
	"none":       {},
	"us-federal": us.Holidays,
	"at":         at.Holidays,
	"be":         be.Holidays,
	// Canada Labour Code, section 166: Easter Monday and the Civic Holiday are the provinces'.
	"ca":  without(ca.Holidays, ca.EasterMonday, ca.CivicDay),
	"de":  de.Holidays,
	"ecb": ecb.Holidays,
	"es":  es.Holidays,
	"fr":  fr.Holidays,
	"gb":  gb.Holidays,
	"ie":  ie.Holidays,
	"it":  append(slices.Clone(it.Holidays), saintFrancis),
	"jp":  jp.Holidays,
}

// saintFrancis is a national holiday of Italy again from 2026 on (Law 151 of 8 October 2025).
var saintFrancis = &cal.Holiday{
	Name: "San Francesco d'Assisi", Type: cal.ObservancePublic, StartYear: 2026, Month: time.October, Day: 4, Func: cal.CalcDayOfMonth,
}

func without(all []*cal.Holiday, some ...*cal.Holiday) []*cal.Holiday {
	return slices.DeleteFunc(slices.Clone(all), func(h *cal.Holiday) bool { return slices.Contains(some, h) })
}

// Names returns the names of all calendars, sorted.
func Names() []string {
	names := make([]string, 0, len(holidays))
	for name := range holidays {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ByName returns a function that says whether a date is a holiday of this calendar, on the day itself or on the day it is
// observed. The function is safe for concurrent use. "none" has no holidays; a name that isn't in Names is an error.
func ByName(name string) (func(reconcile.Date) bool, error) {
	years, known := caches[name]
	if !known {
		return nil, fmt.Errorf("holiday calendar %q: unknown; known are %s", name, strings.Join(Names(), ", "))
	}
	return years.isHoliday, nil
}

var caches = func() map[string]*yearCache {
	byName := make(map[string]*yearCache, len(holidays))
	for name, list := range holidays {
		byName[name] = &yearCache{calendar: &cal.Calendar{Holidays: list}}
	}
	return byName
}()

// yearCache keeps the holidays of each year asked for: due dates of a night's requests all ask for the same few.
type yearCache struct {
	calendar *cal.Calendar
	years    sync.Map // int -> map[reconcile.Date]bool, never changed once stored
}

func (c *yearCache) isHoliday(d reconcile.Date) bool {
	cached, ok := c.years.Load(d.Year)
	if !ok {
		cached, _ = c.years.LoadOrStore(d.Year, c.holidaysOf(d.Year))
	}
	return cached.(map[reconcile.Date]bool)[d]
}

func (c *yearCache) holidaysOf(year int) map[reconcile.Date]bool {
	days := make(map[reconcile.Date]bool)
	for t := time.Date(year, time.January, 1, 12, 0, 0, 0, time.UTC); t.Year() == year; t = t.AddDate(0, 0, 1) {
		if actual, observed, _ := c.calendar.IsHoliday(t); actual || observed {
			days[reconcile.DateOf(t)] = true
		}
	}
	return days
}
