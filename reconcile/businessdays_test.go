package reconcile_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hummingbytes/reconciler/reconcile"
)

func date(t testing.TB, text string) reconcile.Date {
	t.Helper()
	d, err := reconcile.ParseDate(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func holidays(t testing.TB, dates ...string) func(reconcile.Date) bool {
	set := make(map[reconcile.Date]bool)
	for _, text := range dates {
		set[date(t, text)] = true
	}
	return func(d reconcile.Date) bool { return set[d] }
}

func TestDueDate(t *testing.T) {
	tests := []struct {
		name     string
		request  string
		days     int
		holidays []string
		want     string
	}{
		{"a plain week: Monday", "2026-03-02", 7, nil, "2026-03-11"},
		{"requested on a Friday", "2026-03-06", 7, nil, "2026-03-17"},
		{"requested on a Saturday", "2026-03-07", 7, nil, "2026-03-17"},
		{"requested on a Sunday", "2026-03-08", 7, nil, "2026-03-17"},
		{"the day itself does not count, even as a business day", "2026-03-02", 1, nil, "2026-03-03"},
		{"Friday to Monday", "2026-03-06", 1, nil, "2026-03-09"},
		{"requested on a holiday", "2026-11-26", 1, []string{"2026-11-26"}, "2026-11-27"},
		{"Thanksgiving in between", "2026-11-20", 7, []string{"2026-11-26"}, "2026-12-02"},
		{"over Christmas and New Year", "2026-12-21", 7, []string{"2026-12-25", "2027-01-01"}, "2026-12-31"},
		{"over the year's end, due after New Year", "2026-12-22", 7, []string{"2026-12-25", "2027-01-01"}, "2027-01-04"},
		{"a holiday on a Saturday changes nothing", "2026-07-01", 2, []string{"2026-07-04"}, "2026-07-03"},
		{"observed on the Friday before, it does", "2026-07-01", 2, []string{"2026-07-03", "2026-07-04"}, "2026-07-06"},
		{"a leap day", "2028-02-28", 1, nil, "2028-02-29"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := reconcile.DueDate(date(t, test.request), test.days, holidays(t, test.holidays...))
			if err != nil || got != date(t, test.want) {
				t.Errorf("%s, %v; want %s", got, err, test.want)
			}
		})
	}
}

func TestDueDateErrors(t *testing.T) {
	if _, err := reconcile.DueDate(date(t, "2026-03-02"), 0, nil); err == nil {
		t.Error("0 business days are accepted")
	}
	if _, err := reconcile.DueDate(date(t, "2026-03-02"), 1, func(reconcile.Date) bool { return true }); err == nil {
		t.Error("a calendar without business days gives a due date")
	}
}

func TestBusinessDaysLeft(t *testing.T) {
	isHoliday := holidays(t, "2026-11-26")
	due := date(t, "2026-11-27") // the Friday after Thanksgiving
	tests := []struct {
		today   string
		left    int
		overdue bool
	}{
		{"2026-11-20", 4, false}, {"2026-11-21", 4, false}, {"2026-11-22", 4, false}, {"2026-11-23", 3, false}, {"2026-11-25", 1, false},
		{"2026-11-26", 1, false}, {"2026-11-27", 0, false}, {"2026-11-28", -1, true}, {"2026-11-29", -1, true}, {"2026-11-30", -1, true}, {"2026-12-01", -2, true},
	}
	for _, test := range tests {
		today := date(t, test.today)
		if left := reconcile.BusinessDaysLeft(today, due, isHoliday); left != test.left {
			t.Errorf("%s: %d days left, want %d", test.today, left, test.left)
		}
		if overdue := reconcile.ReviewIsOverdue(due, today); overdue != test.overdue {
			t.Errorf("%s: overdue %t", test.today, overdue)
		}
	}
}

func TestDueDateLeavesAllItsDays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		request := reconcile.Date{Year: 2026, Month: 1, Day: 1}.AddDays(rapid.IntRange(0, 2000).Draw(t, "day"))
		n := rapid.IntRange(1, 30).Draw(t, "n")
		modulus := rapid.IntRange(2, 40).Draw(t, "every nth day is a holiday")
		isHoliday := func(d reconcile.Date) bool { return d.Day%modulus == 1 }
		due, err := reconcile.DueDate(request, n, isHoliday)
		if err != nil {
			t.Fatal(err)
		}
		if !reconcile.IsBusinessDay(due, isHoliday) {
			t.Fatalf("due on %s, no business day", due)
		}
		if left := reconcile.BusinessDaysLeft(request, due, isHoliday); left != n {
			t.Fatalf("%d days left of %d", left, n)
		}
		if left := reconcile.BusinessDaysLeft(due, due, isHoliday); left != 0 {
			t.Fatalf("%d days left on the due date", left)
		}
		after := due.AddDays(rapid.IntRange(1, 40).Draw(t, "days after"))
		if left := reconcile.BusinessDaysLeft(after, due, isHoliday); left >= 0 {
			t.Fatalf("%d days left after the due date", left)
		}
	})
}

// The last date that is overdue is overdue, and the day after it is not.
func TestOverdueThrough(t *testing.T) {
	holiday := func(d reconcile.Date) bool { return d == reconcile.Date{Year: 2026, Month: time.January, Day: 19} }
	for today := (reconcile.Date{Year: 2026, Month: time.January, Day: 1}); today.Before(reconcile.Date{Year: 2026, Month: time.March, Day: 1}); today = today.AddDays(1) {
		for n := 1; n <= 10; n++ {
			last, err := reconcile.OverdueThrough(today, n, holiday)
			if err != nil {
				t.Fatal(err)
			}
			for from, want := range map[reconcile.Date]bool{last: true, last.AddDays(1): false} {
				due, err := reconcile.DueDate(from, n, holiday)
				if err != nil || reconcile.ReviewIsOverdue(due, today) != want {
					t.Errorf("%s, %d business days: of %s, due on %s, overdue should be %t: %v", today, n, from, due, want, err)
				}
			}
		}
	}
	if _, err := reconcile.OverdueThrough(reconcile.Date{Year: 2026, Month: time.January, Day: 5}, 0, nil); err == nil {
		t.Error("nothing is due after no days")
	}
}
