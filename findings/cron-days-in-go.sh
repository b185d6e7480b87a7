#!/usr/bin/env bash
# Two readers of cron expressions in Go run a job on days that its line doesn't name, or leave out one that it does; neither reports an error.
# github.com/reugn/go-quartz v0.15.2: "0 0 0 29 2 ?" fires on 1 March in years without a 29 February, "0 0 0 31 4,6 ?" on 1 May and 1 July.
# Its README has the fields of Quartz, where a day of month is that day; "0 0 0 31 * ?" it does skip rightly.
# github.com/hashicorp/cronexpr v1.1.3 (Nomad's): "0 0 * * SAT-SUN" and "0 0 * * 5-7" never fire on a Sunday, while "6,7" does. In its README
# a hyphen makes a range of both its ends, and 7 is Sunday. An hour range over midnight, "0 22-2 * * *", parses and never fires.
# Matters to nightly and month-end jobs: a close that runs in the next month books into it, and Sunday's night is never reconciled.
# Name last days as L and weekends as 0,6; refuse at start an expression whose next times you haven't looked at. Needs go and its module proxy.
# Fails once this is no longer so.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
cat >main.go <<'GO'
package main

import (
	"fmt"
	"time"

	"github.com/hashicorp/cronexpr"
	"github.com/reugn/go-quartz/quartz"
)

func main() {
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) // a Thursday
	for _, line := range []string{"0 0 0 29 2 ?", "0 0 0 31 4,6 ?", "0 0 0 31 * ?"} {
		trigger, err := quartz.NewCronTrigger(line)
		if err != nil {
			panic(err)
		}
		fmt.Print("go-quartz ", line, ":")
		for i, at := 0, start.UnixNano(); i < 3; i++ {
			if at, err = trigger.NextFireTime(at); err != nil {
				panic(err)
			}
			fmt.Print(time.Unix(0, at).UTC().Format(" 2006-01-02"))
		}
		fmt.Println()
	}
	for _, line := range []string{"0 0 * * 6,7", "0 0 * * SAT-SUN", "0 0 * * 5-7", "0 22-2 * * *"} {
		expression, err := cronexpr.Parse(line)
		if err != nil {
			panic(err)
		}
		fmt.Print("cronexpr ", line, ":")
		for _, at := range expression.NextN(start, 4) {
			fmt.Print(at.Format(" Mon 02"))
		}
		fmt.Println()
	}
}
GO
go mod init finding 2>/dev/null
go get github.com/reugn/go-quartz@v0.15.2 github.com/hashicorp/cronexpr@v1.1.3 2>/dev/null
go run . | tee said
diff said - <<'SEEN' || { echo "This has changed." >&2; exit 1; }
go-quartz 0 0 0 29 2 ?: 2026-03-01 2027-03-01 2028-02-29
go-quartz 0 0 0 31 4,6 ?: 2026-05-01 2026-07-01 2027-05-01
go-quartz 0 0 0 31 * ?: 2026-01-31 2026-03-31 2026-05-31
cronexpr 0 0 * * 6,7: Sat 03 Sun 04 Sat 10 Sun 11
cronexpr 0 0 * * SAT-SUN: Sat 03 Sat 10 Sat 17 Sat 24
cronexpr 0 0 * * 5-7: Fri 02 Sat 03 Fri 09 Sat 10
cronexpr 0 22-2 * * *:
SEEN
