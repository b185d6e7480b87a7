#!/usr/bin/env bash
# npm cron-schedule 6.0.0 and croner 11.0.1 on the same lines: "0 0 * * 5L", the last Friday of the month for croner, is every Friday for
# cron-schedule; "0 0 * * 1#1", the first Monday, is every Monday; "0 0 15W * *", the weekday nearest to the 15th, is the 15th, a Saturday or not.
# cron-parser 5.10.6 reads "5/20 * * * *" as every 20 minutes, cron-schedule as once an hour. It takes the number that an element begins with
# and drops what follows; only an element that begins otherwise ("LW") is refused. Its README names none of these letters, so that a line it
# can't read should be an error, as an element out of range is one.
# Matters to jobs whose line moves from one scheduler to the other: a monthly settlement runs weekly. Compare the next dates before you move.
# Needs node, npm and its registry. Fails once this is no longer so.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts cron-schedule@6.0.0 croner@11.0.1 cron-parser@5.10.6 >/dev/null
cat >next.mjs <<'JS'
import { parseCronExpression } from 'cron-schedule'
import { Cron } from 'croner'
import parser from 'cron-parser'

const start = new Date('2026-08-01T12:00:00Z')
const show = (name, line, dates) => console.log(name, line, '=', dates.map((d) => d.toISOString().slice(5, 16)).join(' '))
for (const line of ['0 0 * * 5L', '0 0 * * 1#1', '0 0 15W * *']) {
  show('croner       ', line, new Cron(line, { paused: true, timezone: 'UTC' }).nextRuns(3, start))
  show('cron-schedule', line, parseCronExpression(line).getNextDates(3, start))
}
const minutes = parser.CronExpressionParser.parse('5/20 * * * *', { currentDate: start, tz: 'UTC' })
show('cron-parser  ', '5/20 * * * *', [1, 2, 3].map(() => minutes.next().toDate()))
show('cron-schedule', '5/20 * * * *', parseCronExpression('5/20 * * * *').getNextDates(3, start))
JS
TZ=UTC node next.mjs | tee said
diff said - <<'SEEN' || { echo "This has changed." >&2; exit 1; }
croner        0 0 * * 5L = 08-28T00:00 09-25T00:00 10-30T00:00
cron-schedule 0 0 * * 5L = 08-07T00:00 08-14T00:00 08-21T00:00
croner        0 0 * * 1#1 = 08-03T00:00 09-07T00:00 10-05T00:00
cron-schedule 0 0 * * 1#1 = 08-03T00:00 08-10T00:00 08-17T00:00
croner        0 0 15W * * = 08-14T00:00 09-15T00:00 10-15T00:00
cron-schedule 0 0 15W * * = 08-15T00:00 09-15T00:00 10-15T00:00
cron-parser   5/20 * * * * = 08-01T12:05 08-01T12:25 08-01T12:45
cron-schedule 5/20 * * * * = 08-01T12:05 08-01T13:05 08-01T14:05
SEEN
