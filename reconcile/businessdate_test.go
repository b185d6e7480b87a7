package reconcile_test

import (
	"encoding/json"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"

	"github.com/hummingbytes/reconciler/reconcile"
)

func zoneOf(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestDatesAreReadInOneFormOnly(t *testing.T) {
	for text, want := range map[string]reconcile.Date{
		"2026-11-30": {Year: 2026, Month: time.November, Day: 30}, "2024-02-29": {Year: 2024, Month: time.February, Day: 29},
	} {
		if got, err := reconcile.ParseDate(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "2026-02-29", "2026-1-2", "26-01-02", "2026-11-30T00:00:00Z", " 2026-11-30", "2026/11/30", "yesterday"} {
		if got, err := reconcile.ParseDate(text); err == nil || !got.IsZero() {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestDatesInADatabase(t *testing.T) {
	want := reconcile.Date{Year: 2026, Month: time.March, Day: 29}
	for _, src := range []any{"2026-03-29", []byte("2026-03-29"), time.Date(2026, time.March, 29, 23, 0, 0, 0, time.UTC)} {
		got := reconcile.Date{Year: 1}
		if err := got.Scan(src); err != nil || got != want {
			t.Errorf("%v: %v, %v", src, got, err)
		}
	}
	for _, src := range []any{nil, "", []byte{}} {
		got := want
		if err := got.Scan(src); err != nil || !got.IsZero() {
			t.Errorf("%v: %v, %v", src, got, err)
		}
	}
	for _, src := range []any{int64(20260329), "29.03.2026"} {
		got := want
		if err := got.Scan(src); err == nil || got != want {
			t.Errorf("%v: %v, %v", src, got, err)
		}
	}
	if value, err := want.Value(); err != nil || value != "2026-03-29" {
		t.Error(value, err)
	}
	if value, err := (reconcile.Date{}).Value(); err != nil || value != nil {
		t.Error(value, err)
	}
}

func TestDatesInJSON(t *testing.T) {
	type row struct{ D reconcile.Date }
	for _, d := range []reconcile.Date{{}, {Year: 2026, Month: time.March, Day: 29}} {
		text, err := json.Marshal(row{d})
		if err != nil {
			t.Fatal(err)
		}
		back := row{reconcile.Date{Year: 1}}
		if err := json.Unmarshal(text, &back); err != nil || back.D != d {
			t.Errorf("%s: %v, %v", text, back.D, err)
		}
	}
	if err := json.Unmarshal([]byte(`{"D": "2026-02-30"}`), &row{}); err == nil {
		t.Error("took 30 February")
	}
}

func TestDateArithmetic(t *testing.T) {
	leap, march := reconcile.Date{Year: 2024, Month: time.February, Day: 28}, reconcile.Date{Year: 2024, Month: time.March, Day: 1}
	if got := leap.AddDays(2); got != march {
		t.Error(got)
	}
	if march.DaysSince(leap) != 2 || leap.DaysSince(march) != -2 || leap.DaysSince(leap) != 0 {
		t.Error(march.DaysSince(leap), leap.DaysSince(march))
	}
	if !leap.Before(march) || march.Before(leap) || leap.Before(leap) || !march.After(leap) || leap.After(march) || leap.After(leap) {
		t.Error("order")
	}
	if leap.Compare(march) != -1 || leap.Compare(leap) != 0 || march.Compare(leap) != 1 {
		t.Error("compare")
	}
}

// A night is [begin, end) in its zone: 23 or 25 hours long when clocks change, and where they skip midnight it begins at the first instant.
func TestNights(t *testing.T) {
	for _, test := range []struct{ zone, date, begin, end string }{
		{"UTC", "2026-03-02", "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"},
		{"America/New_York", "2026-03-08", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"},    // 23 h
		{"America/New_York", "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},    // 25 h
		{"Europe/Berlin", "2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},       // 25 h
		{"Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"},        // midnight to 1:00 does not exist
		{"Asia/Beirut", "2022-03-27", "2022-03-26T22:00:00Z", "2022-03-27T21:00:00Z"},         // nor here
		{"America/Havana", "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},      // midnight twice: the first one
		{"Australia/Lord_Howe", "2026-10-04", "2026-10-03T13:30:00Z", "2026-10-04T13:00:00Z"}, // half an hour
		{"Pacific/Apia", "2011-12-29", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},        // the day after does not exist
		{"Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
		{"Asia/Kathmandu", "2026-03-02", "2026-03-01T18:15:00Z", "2026-03-02T18:15:00Z"},
	} {
		d, err := reconcile.ParseDate(test.date)
		if err != nil {
			t.Fatal(err)
		}
		n := reconcile.NightOf(d, zoneOf(t, test.zone))
		if n.Date != d || n.Begin.Format(time.RFC3339Nano) != test.begin || n.End.Format(time.RFC3339Nano) != test.end || !n.AsOf().Equal(n.End) {
			t.Errorf("%s %s: [%s, %s), want [%s, %s)", test.zone, test.date, n.Begin.Format(time.RFC3339Nano), n.End.Format(time.RFC3339Nano), test.begin, test.end)
		}
	}
}

// In every zone each instant is in exactly one night, that of its civil date.
func TestNightsLeaveNoInstantOut(t *testing.T) {
	zones := []string{"UTC", "America/New_York", "America/Sao_Paulo", "America/Havana", "Africa/Cairo", "Asia/Beirut", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Kiritimati", "Asia/Tehran"}
	rapid.Check(t, func(r *rapid.T) {
		zone := zoneOf(t, rapid.SampledFrom(zones).Draw(r, "zone"))
		at := time.Unix(rapid.Int64Range(946_684_800, 2_051_222_400).Draw(r, "at"), 0)
		d := reconcile.DateOf(at.In(zone))
		n, next := reconcile.NightOf(d, zone), reconcile.NightOf(d.AddDays(1), zone)
		if at.Before(n.Begin) || !at.Before(n.End) || !n.End.Equal(next.Begin) {
			r.Fatalf("%s is not in the night %s of %s: [%s, %s), the next begins %s", at.UTC(), d, zone, n.Begin, n.End, next.Begin)
		}
		if reconcile.DateOf(n.Begin.In(zone)) != d || reconcile.DateOf(n.Begin.Add(-1).In(zone)) == d {
			r.Fatalf("%s in %s does not begin at %s", d, zone, n.Begin)
		}
	})
}

func TestMonthsAreReadInOneFormOnly(t *testing.T) {
	if m, err := reconcile.ParseMonth("2026-03"); err != nil || m != (reconcile.Month{Year: 2026, Month: time.March}) {
		t.Errorf("%v, %v", m, err)
	}
	for _, text := range []string{"", "2026-3", "2026-13", "2026-03-01", "March 2026"} {
		if m, err := reconcile.ParseMonth(text); err == nil {
			t.Errorf("%q is %v", text, m)
		}
	}
}
