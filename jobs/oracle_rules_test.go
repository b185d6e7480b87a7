package jobs_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/calendar"
)

// testPolicies has two versions: from the second night of testStage on, one more code is known.
func testPolicies(t testing.TB) reconcile.Policies {
	t.Helper()
	system := reconcile.FailureRule{Name: "ours", Class: reconcile.FailureSystem, Reason: "a machine of ours failed",
		Codes: []string{"NODE_FAIL", "internal_error"}, Patterns: []string{"cuda error*"}}
	user := reconcile.FailureRule{Name: "theirs", Class: reconcile.FailureUser, Reason: "the input was invalid", Codes: []string{"invalid_input"}, Patterns: []string{"policy violation"}}
	older, err := reconcile.NewFailureTable([]reconcile.FailureRule{system, user})
	if err != nil {
		t.Fatal(err)
	}
	system.Codes = append(system.Codes, "newly known")
	newer, err := reconcile.NewFailureTable([]reconcile.FailureRule{system, user})
	if err != nil {
		t.Fatal(err)
	}
	version := reconcile.PolicyVersion{Version: "1", EffectiveFrom: utc("2020-01-01 00:00:00"), RefundWindow: 168 * time.Hour, ReviewBusinessDays: 7,
		HolidayCalendar: "us-federal", Failures: older}
	next := version
	next.Version, next.EffectiveFrom, next.Failures = "2", utc("2026-03-06 12:00:00"), newer
	policies, err := reconcile.NewPolicies([]reconcile.PolicyVersion{version, next})
	if err != nil {
		t.Fatal(err)
	}
	return policies
}

func usHolidays(t testing.TB) func(reconcile.Date) bool {
	t.Helper()
	isHoliday, err := calendar.ByName("us-federal")
	if err != nil {
		t.Fatal(err)
	}
	return isHoliday
}

func utc(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04:05.999999", text)
	if err != nil {
		panic(err)
	}
	return t
}

func date(text string) reconcile.Date {
	d, err := reconcile.ParseDate(text)
	if err != nil {
		panic(err)
	}
	return d
}

// Rows for examples, by the columns that matter to them; the rest is what nobody would complain about.

const someone = "acct-0"

func customer() []account {
	return []account{{ID: someone, Email: ref("a@x.test"), Status: ref("active"), CreatedAt: ref(utc("2025-01-01 00:00:00"))}}
}

func bought(id string, credits int64, completed string) purchase {
	return purchase{ID: id, AccountID: ref(someone), Kind: ref("credits"), Credits: &credits, AmountMinor: ref[int64](1000), Currency: ref("usd"),
		Status: ref("completed"), CreatedAt: ref(utc(completed)), CompletedAt: ref(utc(completed))}
}

func ran(id, status, code string, cost int64, finished string) job {
	j := job{ID: id, AccountID: ref(someone), Kind: ref("image"), Model: ref("m"), Status: &status, CreditCost: &cost,
		CreatedAt: ref(utc(finished).Add(-time.Minute)), FinishedAt: ref(utc(finished))}
	if code != "" {
		j.FailureCode = &code
	}
	return j
}

func entered(id, kind string, credits int64, names, created string) entry {
	e := entry{ID: id, AccountID: ref(someone), Kind: &kind, Credits: &credits, CreatedAt: ref(utc(created))}
	switch {
	case strings.HasPrefix(names, "p"):
		e.PurchaseID = &names
	case names != "":
		e.JobID = &names
	}
	return e
}

func asked(id, purchase, requested string) request {
	return request{ID: id, AccountID: ref(someone), AccountEmail: ref("a@x.test"), Kind: ref("unused_credits"), PurchaseID: &purchase, Reason: ref("please"),
		Status: ref("pending"), RequestedAt: ref(utc(requested))}
}

// verdicts runs the oracle through consecutive nights.
func verdicts(t *testing.T, p platform, first string, nights int) []verdict {
	t.Helper()
	o := newOracle(testPolicies(t), usHolidays(t), time.UTC)
	var all []verdict
	for i := range nights {
		all = append(all, o.night(reconcile.NightOf(date(first).AddDays(i), time.UTC), p.turn(i)))
	}
	return all
}

// TestOracleByHand compares the oracle with examples that were worked out on paper.
func TestOracleByHand(t *testing.T) {
	tests := []struct {
		name     string
		platform platform
		nights   []string // what each night has to say, roll-forward left out
	}{
		{"a night of nothing", platform{Accounts: customer()}, []string{""}},
		{"a system failure comes back in full the night it happens, and is used up for that night only", platform{
			Accounts:  customer(),
			Purchases: []purchase{bought("p1", 10, "2026-03-05 09:00:00")},
			Jobs:      []job{ran("j1", "failed", "NODE_FAIL", 4, "2026-03-05 10:00:00")},
			Entries:   []entry{entered("e1", "purchase", 10, "p1", "2026-03-05 09:00:00"), entered("e2", "usage", -4, "j1", "2026-03-05 10:00:00")},
		}, []string{`
credit-back j1 account=acct-0 system debited=4 before=0 back=4 credited clause=3.1
window      p1 account=acct-0 used used=4 of 10 paid=1000 usd completed=2026-03-05T09:00:00Z expires=2026-03-12T09:00:00Z`, `
window      p1 account=acct-0 open used=0 of 10 paid=1000 usd completed=2026-03-05T09:00:00Z expires=2026-03-12T09:00:00Z`}},
		{"whose fault it was: canceled, unknown, and known from the second version on", platform{
			Accounts: customer(),
			Jobs: []job{
				ran("j1", "canceled", "NODE_FAIL", 2, "2026-03-05 10:00:00"),
				ran("j2", "failed", "", 2, "2026-03-05 10:00:00"),
				ran("j3", "failed", "newly known", 2, "2026-03-06 11:59:59"),
				ran("j4", "interrupted", "newly known", 2, "2026-03-06 12:00:00"),
			},
			Entries: []entry{
				entered("e0", "promo", 100, "", "2026-03-01 00:00:00"),
				entered("e1", "usage", -2, "j1", "2026-03-05 10:00:00"), entered("e2", "usage", -2, "j2", "2026-03-05 10:00:00"),
				entered("e3", "usage", -2, "j3", "2026-03-06 10:00:00"), entered("e4", "usage", -2, "j4", "2026-03-06 10:00:00"),
			},
		}, []string{`
break       failure_unclassified of j2 account=acct-0 open first=2026-03-05 last=2026-03-05 variance=2 credits
credit-back j1 account=acct-0 user debited=2 before=0 back=0 not_due clause=3.2
credit-back j2 account=acct-0 unknown debited=2 before=0 back=0 pending clause=3`, `
break       failure_unclassified of j2 account=acct-0 open first=2026-03-05 last=2026-03-06 variance=2 credits
break       failure_unclassified of j3 account=acct-0 open first=2026-03-06 last=2026-03-06 variance=2 credits
credit-back j3 account=acct-0 unknown debited=2 before=0 back=0 pending clause=3
credit-back j4 account=acct-0 system debited=2 before=0 back=2 credited clause=3.1`}},
		{"one break a fault, the most specific kind", platform{
			Accounts: append(customer(), account{ID: "acct-1", Email: ref("b@x.test"), Status: ref("active"), CreatedAt: ref(utc("2025-01-01 00:00:00"))}),
			Jobs: []job{
				ran("j1", "succeeded", "", 3, "2026-03-05 10:00:00"), ran("j2", "succeeded", "", 3, "2026-03-05 10:00:00"),
				ran("j3", "succeeded", "", 3, "2026-03-05 10:00:00"), ran("j4", "succeeded", "", 3, "2026-03-05 10:00:00"),
				ran("j5", "succeeded", "", 0, "2026-03-05 10:00:00"),
			},
			Entries: []entry{
				entered("e0", "promo", 100, "", "2026-03-01 00:00:00"),
				entered("e2", "usage", -3, "j2", "2026-03-05 10:00:00"), entered("e3", "usage", -3, "j2", "2026-03-05 10:00:01"),
				entered("e4", "usage", -6, "j3", "2026-03-05 10:00:00"),
				{ID: "e5", AccountID: ref("acct-1"), Kind: ref("usage"), Credits: ref[int64](-3), JobID: ref("j4"), CreatedAt: ref(utc("2026-03-05 10:00:00"))},
				{ID: "e6", AccountID: ref("acct-1"), Kind: ref("promo"), Credits: ref[int64](3), CreatedAt: ref(utc("2026-03-05 09:00:00"))},
				entered("e7", "usage", -1, "jx", "2026-03-05 10:00:00"),
				entered("e8", "adjustment", 1, "jx", "2026-03-06 10:00:00"),
			},
		}, []string{`
break       debit_account_mismatch of j4 account=acct-0 open first=2026-03-05 last=2026-03-05 variance=3 credits
break       debit_amount_mismatch of j3 account=acct-0 open first=2026-03-05 last=2026-03-05 variance=-3 credits
break       debit_without_job of jx account=acct-0 open first=2026-03-05 last=2026-03-05 variance=-1 credits
break       duplicate_debit of j2 account=acct-0 open first=2026-03-05 last=2026-03-05 variance=-3 credits
break       job_without_debit of j1 account=acct-0 open first=2026-03-05 last=2026-03-05 variance=3 credits`, `
break       debit_account_mismatch of j4 account=acct-0 open first=2026-03-05 last=2026-03-06 variance=3 credits
break       debit_amount_mismatch of j3 account=acct-0 open first=2026-03-05 last=2026-03-06 variance=-3 credits
break       debit_without_job of jx account=acct-0 cleared first=2026-03-05 last=2026-03-05 variance=-1 credits
break       duplicate_debit of j2 account=acct-0 open first=2026-03-05 last=2026-03-06 variance=-3 credits
break       job_without_debit of j1 account=acct-0 open first=2026-03-05 last=2026-03-06 variance=3 credits`}},
		{"a late debit tops the credit-back up, a reversal after it exceeds", platform{
			Accounts: customer(),
			Jobs:     []job{ran("j1", "failed", "NODE_FAIL", 5, "2026-03-05 10:00:00")},
			Entries: []entry{
				entered("e0", "promo", 100, "", "2026-03-01 00:00:00"), entered("e1", "usage", -3, "j1", "2026-03-05 10:00:00"),
				entered("e2", "usage", -2, "j1", "2026-03-06 10:00:00"), entered("e3", "adjustment", 1, "j1", "2026-03-07 10:00:00"),
			},
		}, []string{`
credit-back j1 account=acct-0 system debited=3 before=0 back=3 credited clause=3.1`, `
credit-back j1 account=acct-0 system debited=5 before=3 back=2 credited clause=3.1`, `
break       credit_back_exceeds_debit of j1 account=acct-0 open first=2026-03-07 last=2026-03-07 variance=-1 credits`}},
		{"first in, first out by grant time, then id; a refunded lot leaves", platform{
			Accounts: customer(),
			Purchases: []purchase{bought("p1", 10, "2026-03-04 09:00:00"), bought("p2", 10, "2026-03-04 09:00:00"),
				bought("p3", 10, "2026-03-04 10:00:00")},
			Jobs: []job{ran("j1", "succeeded", "", 15, "2026-03-05 10:00:00")},
			Entries: []entry{entered("e1", "purchase", 10, "p2", "2026-03-04 09:00:00"), entered("e2", "purchase", 10, "p1", "2026-03-04 09:00:00"),
				entered("e3", "purchase", 10, "p3", "2026-03-04 10:00:00"), entered("e4", "usage", -15, "j1", "2026-03-05 10:00:00"),
				entered("e5", "refund", -10, "p1", "2026-03-06 10:00:00")},
		}, []string{`
window      p1 account=acct-0 used used=10 of 10 paid=1000 usd completed=2026-03-04T09:00:00Z expires=2026-03-11T09:00:00Z
window      p2 account=acct-0 used used=5 of 10 paid=1000 usd completed=2026-03-04T09:00:00Z expires=2026-03-11T09:00:00Z
window      p3 account=acct-0 open used=0 of 10 paid=1000 usd completed=2026-03-04T10:00:00Z expires=2026-03-11T10:00:00Z`, `
window      p1 account=acct-0 refunded used=0 of 10 paid=1000 usd completed=2026-03-04T09:00:00Z expires=2026-03-11T09:00:00Z
window      p3 account=acct-0 used used=5 of 10 paid=1000 usd completed=2026-03-04T10:00:00Z expires=2026-03-11T10:00:00Z`}},
		{"at 168 h a request is in time and holds the window, a microsecond later it is late", platform{
			Accounts:  customer(),
			Purchases: []purchase{bought("p1", 10, "2026-02-26 12:00:00"), bought("p2", 10, "2026-02-26 12:00:00")},
			Entries:   []entry{entered("e1", "purchase", 10, "p1", "2026-02-26 12:00:00"), entered("e2", "purchase", 10, "p2", "2026-02-26 12:00:00")},
			Requests:  []request{asked("r1", "p1", "2026-03-05 12:00:00"), asked("r2", "p2", "2026-03-05 12:00:00.000001")},
		}, []string{`
decision    r1 account=acct-0 purchase=p1 job= due=2026-03-16 waiting currency=usd clauses=2.2
decision    r2 account=acct-0 purchase=p2 job= due=2026-03-16 deny currency=usd clauses=2.3
window      p1 account=acct-0 requested used=0 of 10 paid=1000 usd completed=2026-02-26T12:00:00Z expires=2026-03-05T12:00:00Z
window      p2 account=acct-0 expired used=0 of 10 paid=1000 usd completed=2026-02-26T12:00:00Z expires=2026-03-05T12:00:00Z`, `
decision    r1 account=acct-0 purchase=p1 job= due=2026-03-16 waiting currency=usd clauses=2.2
window      p1 account=acct-0 requested used=0 of 10 paid=1000 usd completed=2026-02-26T12:00:00Z expires=2026-03-05T12:00:00Z`}},
		{"every reason against, and a request by details that fit two purchases", platform{
			Accounts:  customer(),
			Purchases: []purchase{bought("p1", 10, "2026-02-20 12:00:00"), bought("p2", 10, "2026-03-05 12:00:00"), bought("p3", 10, "2026-03-05 13:00:00")},
			Jobs:      []job{ran("j1", "succeeded", "", 1, "2026-02-21 10:00:00")},
			Entries: []entry{entered("e1", "purchase", 10, "p1", "2026-02-20 12:00:00"), entered("e4", "usage", -1, "j1", "2026-02-21 10:00:00"),
				entered("e2", "purchase", 10, "p2", "2026-03-05 12:00:00"), entered("e3", "purchase", 10, "p3", "2026-03-05 13:00:00")},
			Requests: []request{asked("r1", "p1", "2026-03-05 12:00:00"),
				{ID: "r2", AccountEmail: ref("A@x.test"), Kind: ref("unused_credits"), Reason: ref("please"), Status: ref("pending"), RequestedAt: ref(utc("2026-03-05 14:00:00")),
					StatedDate: ref("2026-03-05"), StatedAmountMinor: ref[int64](1000), StatedCurrency: ref("usd")}},
		}, []string{`
decision    r1 account=acct-0 purchase=p1 job= due=2026-03-16 deny currency=usd clauses=2.3
decision    r2 account=acct-0 purchase= job= due=2026-03-16 needs_information currency= clauses=6
window      p2 account=acct-0 open used=0 of 10 paid=1000 usd completed=2026-03-05T12:00:00Z expires=2026-03-12T12:00:00Z
window      p3 account=acct-0 open used=0 of 10 paid=1000 usd completed=2026-03-05T13:00:00Z expires=2026-03-12T13:00:00Z`}},
		{"an entry that arrives late counts in the night that it arrives in", platform{
			Accounts: customer(),
			Jobs:     []job{ran("j1", "succeeded", "", 5, "2026-03-05 10:00:00")},
			Entries: []entry{entered("e0", "promo", 5, "", "2026-03-01 00:00:00"),
				{ID: "e1", AccountID: ref(someone), Kind: ref("usage"), Credits: ref[int64](-5), JobID: ref("j1"), CreatedAt: ref(utc("2026-03-05 10:00:00")), Turn: 1}},
		}, []string{`
break       job_without_debit of j1 account=acct-0 open first=2026-03-05 last=2026-03-05 variance=5 credits`, `
break       job_without_debit of j1 account=acct-0 cleared first=2026-03-05 last=2026-03-05 variance=5 credits
break       late_item of e1 account=acct-0 open first=2026-03-06 last=2026-03-06 variance=-5 credits`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for i, v := range verdicts(t, test.platform, "2026-03-05", len(test.nights)) {
				for _, r := range v.RollForward {
					if r.Closing.Cmp(r.FromLots) != 0 {
						t.Errorf("night %d: closing %s, from lots %s", i, r.Closing, r.FromLots)
					}
				}
				v.RollForward = nil
				compareLines(t, date("2026-03-05").AddDays(i), wantLines(test.nights[i]), v.lines())
			}
		})
	}
}

// TestOracleKeepsItsOwnBooks checks on random platforms what must hold whatever the rules are: the books roll forward without a gap,
// lots and entries agree, nothing is credited beyond its debits or twice.
func TestOracleKeepsItsOwnBooks(t *testing.T) {
	policies, isHoliday := testPolicies(t), usHolidays(t)
	rapid.Check(t, func(rt *rapid.T) {
		s := testStage
		p := platforms(s).Draw(rt, "platform")
		o := newOracle(policies, isHoliday, s.Zone)
		var before *rollRow
		for i := range s.Nights {
			v := o.night(s.night(i), p.turn(i))
			r := v.RollForward[0]
			if before != nil && before.Closing.Cmp(r.Opening) != 0 {
				rt.Fatalf("night %d opens with %s after %s:\n%s", i, r.Opening, before.Closing, p)
			}
			if r.Closing.Cmp(r.FromLots) != 0 {
				rt.Fatalf("night %d closes with %s, lots say %s:\n%s", i, r.Closing, r.FromLots, p)
			}
			before = &r
			faults := map[string]bool{}
			for _, b := range v.Breaks {
				if faults[b.fault()] {
					rt.Fatalf("break %s twice in night %d:\n%s", b.fault(), i, p)
				}
				faults[b.fault()] = true
			}
		}
		for _, j := range o.jobs(s.night(s.Nights).End) {
			entries := o.entries(s.night(s.Nights).End)
			ours := total(pick(entries, func(e posting) bool { return strings.HasPrefix(e.id, "~posted") && e.job == j.id }), func(posting) bool { return true })
			debits := negated(total(entries, func(e posting) bool { return isDebit(e) && e.job == j.id && e.credits < 0 }))
			if ours.Cmp(debits) > 0 {
				rt.Fatalf("job %s was credited %s of %s:\n%s", j.id, ours, debits, p)
			}
		}
	})
}

// testStage begins on a Thursday; its second night has the change of policy.
var testStage = stage{First: reconcile.Date{Year: 2026, Month: time.March, Day: 5}, Nights: 4, Zone: time.UTC}

// TestGeneratorsReachTheirTargets makes sure that random platforms are not too tame: every kind of break that does not need Stripe, every
// decision, state and class occurs within some hundred of them.
func TestGeneratorsReachTheirTargets(t *testing.T) {
	seen := map[string]int{}
	policies, isHoliday := testPolicies(t), usHolidays(t)
	generator := platforms(testStage)
	for seed := range 400 {
		p := generator.Example(seed)
		o := newOracle(policies, isHoliday, testStage.Zone)
		for i := range testStage.Nights {
			v := o.night(testStage.night(i), p.turn(i))
			for _, b := range v.Breaks {
				seen["break "+b.Kind+" "+b.Status]++
			}
			for _, c := range v.CreditBacks {
				seen["credit-back "+c.Class+" "+c.Decision]++
				if c.CreditedBefore.Sign() > 0 {
					seen["credit-back topped up"]++
				}
			}
			for _, w := range v.Windows {
				seen["window "+w.State]++
			}
			for _, d := range v.Decisions {
				seen["decision "+d.Decision]++
			}
		}
	}
	var want []string
	for _, rule := range reconcile.BreakRules {
		if slices.Contains([]string{"jobs and ledger", "purchases and ledger"}, rule.Between) || rule.Kind == reconcile.ReviewOverdue {
			want = append(want, "break "+string(rule.Kind)+" open")
		}
	}
	want = append(want, "break late_item cleared", "break job_without_debit cleared", "credit-back system credited", "credit-back system not_due",
		"credit-back user not_due", "credit-back unknown pending", "credit-back topped up", "window open", "window used", "window expired",
		"window requested", "window refunded", "decision approve", "decision deny", "decision needs_information", "decision waiting")
	for _, target := range want {
		if seen[target] < 3 {
			t.Errorf("%s: %d times", target, seen[target])
		}
	}
	if t.Failed() {
		t.Log(seen)
	}
}
