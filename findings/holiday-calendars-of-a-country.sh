#!/usr/bin/env bash
# Seen with: github.com/rickar/cal/v2 v2.1.13 (Go), npm date-holidays 3.37.0.
#
# What is surprising: the calendar of a country in rickar/cal is not a list of that country's public holidays. Package it lacks 4 October,
# a national holiday of Italy again from 2026 on (Law 151 of 8 October 2025); ca has Easter Monday and the Civic Holiday, which are no
# holidays of the Canada Labour Code; ch has days of single cantons; nl has Good Friday and 5 May in every year. date-holidays, asked for
# public holidays of the same countries, has none of these but 4 October; for Canada it has only what all provinces share, so that the
# Code's own Victoria Day and 11 November are missing there. The two agree on all weekdays of, say, de and fr.
#
# Why it matters: a due date counted in business days comes out a day late or early, and nothing says so.
#
# Fails when any of this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >go.mod <<'GO'
module finding

go 1.24

require github.com/rickar/cal/v2 v2.1.13
GO
cat >main.go <<'GO'
package main

import (
	"fmt"
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/ca"
	"github.com/rickar/cal/v2/ch"
	"github.com/rickar/cal/v2/de"
	"github.com/rickar/cal/v2/fr"
	"github.com/rickar/cal/v2/it"
	"github.com/rickar/cal/v2/nl"
)

func main() {
	for _, country := range []struct {
		code string
		days []*cal.Holiday
	}{{"CA", ca.Holidays}, {"CH", ch.Holidays}, {"DE", de.Holidays}, {"FR", fr.Holidays}, {"IT", it.Holidays}, {"NL", nl.Holidays}} {
		calendar := cal.Calendar{Holidays: country.days}
		for day := time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC); day.Year() == 2027; day = day.AddDate(0, 0, 1) {
			actual, _, _ := calendar.IsHoliday(day)
			if actual && day.Weekday() != time.Saturday && day.Weekday() != time.Sunday {
				fmt.Println(country.code, day.Format("01-02"))
			}
		}
	}
}
GO
go mod tidy >/dev/null 2>&1
go run . | sort >rickar

npm install --silent --no-audit --no-fund --prefix . date-holidays@3.37.0 >/dev/null
cat >main.js <<'JS'
const Holidays = require('date-holidays');
for (const country of ['CA', 'CH', 'DE', 'FR', 'IT', 'NL'])
  for (const day of new Holidays(country).getHolidays(2027)) {
    const weekday = new Date(day.date.slice(0, 10) + 'T12:00:00Z').getUTCDay();
    if (day.type === 'public' && !day.substitute && weekday % 6 !== 0) console.log(country, day.date.slice(5, 10));
  }
JS
node main.js | sort -u >date-holidays

diff <(comm -3 rickar date-holidays) - <<'SEEN' || { echo "This has changed." >&2; exit 1; }
CA 03-29
CA 05-24
CA 08-02
CA 09-30
CA 10-11
CA 11-11
CH 01-06
CH 03-19
CH 05-27
CH 12-08
	IT 10-04
NL 03-26
NL 05-05
SEEN
echo "As described: days of 2027 that only one of the two takes for a holiday of the whole country (rickar/cal left, date-holidays right)."
comm -3 rickar date-holidays
