package calendar_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/calendar"
)

func date(t testing.TB, text string) reconcile.Date {
	t.Helper()
	d, err := reconcile.ParseDate(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func byName(t testing.TB, name string) func(reconcile.Date) bool {
	t.Helper()
	isHoliday, err := calendar.ByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return isHoliday
}

// weekdayHolidays lists the holidays of a year that fall on, or are observed on, a weekday.
func weekdayHolidays(t testing.TB, name string, year int) string {
	isHoliday := byName(t, name)
	var days []string
	for d := (reconcile.Date{Year: year, Month: time.January, Day: 1}); d.Year == year; d = d.AddDays(1) {
		if w := d.Weekday(); w != time.Saturday && w != time.Sunday && isHoliday(d) {
			days = append(days, d.String()[5:])
		}
	}
	return strings.Join(days, " ")
}

func TestHolidaysOfAYear(t *testing.T) {
	tests := []struct {
		calendar string
		year     int
		want     string
	}{
		// https://www.opm.gov/policy-data-oversight/pay-leave/federal-holidays/
		{"us-federal", 2020, "01-01 01-20 02-17 05-25 07-03 09-07 10-12 11-11 11-26 12-25"},
		{"us-federal", 2021, "01-01 01-18 02-15 05-31 06-18 07-05 09-06 10-11 11-11 11-25 12-24 12-31"},
		{"us-federal", 2022, "01-17 02-21 05-30 06-20 07-04 09-05 10-10 11-11 11-24 12-26"},
		{"us-federal", 2023, "01-02 01-16 02-20 05-29 06-19 07-04 09-04 10-09 11-10 11-23 12-25"},
		{"us-federal", 2026, "01-01 01-19 02-16 05-25 06-19 07-03 09-07 10-12 11-11 11-26 12-25"},
		{"us-federal", 2027, "01-01 01-18 02-15 05-31 06-18 07-05 09-06 10-11 11-11 11-25 12-24 12-31"},
		{"us-federal", 2028, "01-17 02-21 05-29 06-19 07-04 09-04 10-09 11-10 11-23 12-25"},
		{"none", 2026, ""},
		{"it", 2025, "01-01 01-06 04-21 04-25 05-01 06-02 08-15 12-08 12-25 12-26"},
		{"it", 2026, "01-01 01-06 04-06 05-01 06-02 12-08 12-25"},
		{"it", 2027, "01-01 01-06 03-29 06-02 10-04 11-01 12-08"},
		// https://laws-lois.justice.gc.ca/eng/acts/L-2/section-166.html
		{"ca", 2025, "01-01 04-18 05-19 07-01 09-01 09-30 10-13 11-11 12-25 12-26"},
		{"gb", 2026, "01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-28"},
		{"gb", 2027, "01-01 03-26 03-29 05-03 05-31 08-30 12-27 12-28"},
		{"de", 2026, "01-01 04-03 04-06 05-01 05-14 05-25 12-25"},
		{"fr", 2026, "01-01 04-06 05-01 05-08 05-14 05-25 07-14 11-11 12-25"},
		{"ecb", 2026, "01-01 04-03 04-06 05-01 12-25"},
	}
	for _, test := range tests {
		if got := weekdayHolidays(t, test.calendar, test.year); got != test.want {
			t.Errorf("%s %d:\n got %s\nwant %s", test.calendar, test.year, got, test.want)
		}
	}
}

func TestEveryCalendarHasAChristmasOrNone(t *testing.T) {
	names := calendar.Names()
	if !slices.IsSorted(names) || !slices.Contains(names, "us-federal") || !slices.Contains(names, "none") {
		t.Error(names)
	}
	for _, name := range names {
		isHoliday := byName(t, name)
		if want := name != "none" && name != "jp"; isHoliday(date(t, "2026-12-25")) != want {
			t.Errorf("%s: Christmas is a holiday: %t", name, !want)
		}
		if want := name != "none"; isHoliday(date(t, "2026-01-01")) != want {
			t.Errorf("%s: New Year is a holiday: %t", name, !want)
		}
		if isHoliday(date(t, "2026-03-10")) {
			t.Errorf("%s: 10 March is a holiday", name)
		}
	}
}

func TestUnknownCalendar(t *testing.T) {
	// Where regions or trades differ, no calendar claims to be the country's.
	for _, name := range []string{"", "us", "US-FEDERAL", "us-federal ", "ch", "nl"} {
		if _, err := calendar.ByName(name); err == nil || !strings.Contains(err.Error(), "us-federal") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// Seven business days as the policy counts them, across the holidays that people get wrong.
func TestReviewAcrossHolidays(t *testing.T) {
	isHoliday := byName(t, "us-federal")
	tests := []struct{ name, request, want string }{
		{"Thanksgiving", "2026-11-20", "2026-12-02"},
		{"requested on Thanksgiving", "2026-11-26", "2026-12-07"},
		{"the day before Thanksgiving", "2026-11-25", "2026-12-07"},
		{"over Christmas and New Year", "2026-12-18", "2026-12-30"},
		{"over the year's end", "2026-12-24", "2027-01-06"},
		{"New Year on a Saturday, observed in the old year", "2021-12-22", "2022-01-04"},
		{"Christmas on a Sunday, observed on Monday", "2022-12-20", "2022-12-30"},
		{"Independence Day on a Saturday, observed on Friday", "2026-06-30", "2026-07-10"},
		{"Independence Day on a Sunday, observed on Monday", "2027-07-01", "2027-07-13"},
		{"Veterans Day on a Tuesday", "2025-11-07", "2025-11-19"},
		{"Juneteenth before it was a holiday", "2020-06-16", "2020-06-25"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := reconcile.DueDate(date(t, test.request), 7, isHoliday)
			if err != nil || got != date(t, test.want) {
				t.Errorf("%s, %v; want %s", got, err, test.want)
			}
			if left := reconcile.BusinessDaysLeft(date(t, test.request), got, isHoliday); left != 7 {
				t.Errorf("%d days left on the day of the request", left)
			}
		})
	}
}

// A calendar must not depend on the zone of the machine: in Cairo, for one, the clocks skip midnights.
func TestMachineTimeZoneDoesNotMatter(t *testing.T) {
	if os.Getenv("CALENDAR_TEST_CHILD") != "" {
		for _, name := range calendar.Names() {
			for year := 2020; year <= 2030; year++ {
				os.Stdout.WriteString(name + " " + weekdayHolidays(t, name, year) + "\n")
			}
		}
		return
	}
	holidaysIn := func(zone string) string {
		child := exec.Command(os.Args[0], "-test.run=^TestMachineTimeZoneDoesNotMatter$")
		child.Env = append(os.Environ(), "CALENDAR_TEST_CHILD=1", "TZ="+zone)
		out, err := child.Output()
		if err != nil {
			t.Fatalf("%s: %v", zone, err)
		}
		return string(out)
	}
	want := holidaysIn("UTC")
	for _, zone := range []string{"Africa/Cairo", "America/Sao_Paulo", "America/New_York", "Pacific/Apia", "Pacific/Kiritimati", "Asia/Beirut"} {
		if got := holidaysIn(zone); got != want || len(got) < 1000 {
			t.Errorf("%s: other holidays than in UTC (%d bytes)", zone, len(got))
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	isHoliday := byName(t, "us-federal")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for year := 1990; year < 2060; year++ {
				if !isHoliday(reconcile.Date{Year: year, Month: time.December, Day: 25}) {
					t.Errorf("no Christmas in %d", year)
				}
			}
		})
	}
	group.Wait()
}
