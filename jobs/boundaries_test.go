package jobs_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
)

// boundary is an example at the edge of a rule: rows of the platform, and what the reports of each night must say of them.
type boundary struct {
	name     string
	first    string
	zone     string
	platform platform
	nights   []string
}

func (b boundary) stage(t testing.TB) stage {
	z := time.UTC
	if b.zone != "" {
		z = zone(t, b.zone)
	}
	return stage{First: date(b.first), Nights: len(b.nights), Zone: z}
}

// grantOf is the entry that grants a purchase at the instant of its completion.
func grantOf(p purchase) entry {
	return entry{ID: "g-" + p.ID, AccountID: p.AccountID, Kind: ref("purchase"), Credits: p.Credits, PurchaseID: ref(p.ID), CreatedAt: p.CompletedAt}
}

func grantsOf(purchases []purchase, more ...entry) []entry {
	var entries []entry
	for _, p := range purchases {
		entries = append(entries, grantOf(p))
	}
	return append(entries, more...)
}

// endedAt are jobs of the user's failing, free of charge, each finished at one instant: they show which night it belongs to.
func endedAt(instants ...string) []job {
	var jobs []job
	for i, at := range instants {
		jobs = append(jobs, ran("j"+string(rune('1'+i)), "failed", "invalid_input", 0, at))
	}
	return jobs
}

func undetailed(id, requested string) request {
	return request{ID: id, AccountID: ref(someone), AccountEmail: ref("a@x.test"), Kind: ref("unused_credits"), Reason: ref("please"), Status: ref("pending"),
		RequestedAt: ref(utc(requested))}
}

func boundaries() []boundary {
	weekOld := []purchase{bought("p1", 10, "2026-02-26 12:00:00"), bought("p2", 10, "2026-02-26 12:00:00"), bought("p3", 10, "2026-02-26 12:00:00")}
	edges := []purchase{bought("p1", 10, "2026-02-26 23:59:59.999999"), bought("p2", 10, "2026-02-27 00:00:00"), bought("p3", 10, "2026-02-27 00:00:00.000001")}
	springForward := []purchase{bought("p1", 10, "2026-03-05 05:30:00"), bought("p2", 10, "2026-03-05 05:30:00")}
	before, after := bought("p1", 10, "2026-02-20 12:00:00"), bought("p2", 10, "2026-03-05 12:00:00")
	tied := []purchase{bought("p9", 10, "2026-03-04 12:00:00"), bought("p1", 10, "2026-03-04 12:00:00")}
	withdrawn := asked("r1", "p1", "2026-03-04 12:00:00")
	withdrawn.Status, withdrawn.DecidedAt = ref("withdrawn"), ref(utc("2026-03-07 00:00:00"))
	old := bought("p1", 10, "2026-02-26 12:00:00")
	invoiced := []purchase{bought("p1", 10, "2026-02-26 12:00:00"), bought("p2", 10, "2026-03-06 12:00:00")}
	for i := range invoiced {
		invoiced[i].InvoiceID = ref("in-1")
	}
	huge := int64(math.MaxInt64)

	return []boundary{
		{"the second before, at and after 168 h", "2026-03-05", "", platform{
			Purchases: weekOld, Entries: grantsOf(weekOld),
			Requests: []request{asked("r1", "p1", "2026-03-05 11:59:59"), asked("r2", "p2", "2026-03-05 12:00:00"), asked("r3", "p3", "2026-03-05 12:00:01")},
		}, []string{`
decision    r1 account=acct-0 purchase=p1 job= due=2026-03-16 waiting currency=usd clauses=2.2
decision    r2 account=acct-0 purchase=p2 job= due=2026-03-16 waiting currency=usd clauses=2.2
decision    r3 account=acct-0 purchase=p3 job= due=2026-03-16 deny currency=usd clauses=2.3
window      p1 account=acct-0 requested used=0 of 10 paid=1000 usd completed=2026-02-26T12:00:00Z expires=2026-03-05T12:00:00Z
window      p2 account=acct-0 requested used=0 of 10 paid=1000 usd completed=2026-02-26T12:00:00Z expires=2026-03-05T12:00:00Z
window      p3 account=acct-0 expired used=0 of 10 paid=1000 usd completed=2026-02-26T12:00:00Z expires=2026-03-05T12:00:00Z`}},

		{"a window that expires at the as-of is still open, one a microsecond before is not", "2026-03-05", "", platform{
			Purchases: edges, Entries: grantsOf(edges),
		}, []string{`
window      p1 account=acct-0 expired used=0 of 10 paid=1000 usd completed=2026-02-26T23:59:59.999999Z expires=2026-03-05T23:59:59.999999Z
window      p2 account=acct-0 open used=0 of 10 paid=1000 usd completed=2026-02-27T00:00:00Z expires=2026-03-06T00:00:00Z
window      p3 account=acct-0 open used=0 of 10 paid=1000 usd completed=2026-02-27T00:00:00.000001Z expires=2026-03-06T00:00:00.000001Z`, `
window      p2 account=acct-0 expired used=0 of 10 paid=1000 usd completed=2026-02-27T00:00:00Z expires=2026-03-06T00:00:00Z
window      p3 account=acct-0 expired used=0 of 10 paid=1000 usd completed=2026-02-27T00:00:00.000001Z expires=2026-03-06T00:00:00.000001Z`, ``}},

		{"a request holds its window past expiry until it is withdrawn, at midnight", "2026-03-05", "", platform{
			Purchases: []purchase{old}, Entries: grantsOf([]purchase{old}), Requests: []request{withdrawn},
		}, []string{`
decision    r1 account=acct-0 purchase=p1 job= due=2026-03-13 waiting currency=usd clauses=2.2
window      p1 account=acct-0 requested used=0 of 10 paid=1000 usd completed=2026-02-26T12:00:00Z expires=2026-03-05T12:00:00Z`, `
decision    r1 account=acct-0 purchase=p1 job= due=2026-03-13 waiting currency=usd clauses=2.2
window      p1 account=acct-0 requested used=0 of 10 paid=1000 usd completed=2026-02-26T12:00:00Z expires=2026-03-05T12:00:00Z`, `
decision    r1 account=acct-0 purchase=p1 job= due=2026-03-13 deny currency=usd clauses=6
window      p1 account=acct-0 expired used=0 of 10 paid=1000 usd completed=2026-02-26T12:00:00Z expires=2026-03-05T12:00:00Z`, ``}},

		{"the day New York's clocks go forward has 23 hours", "2026-03-08", "America/New_York", platform{
			Jobs: endedAt("2026-03-08 04:59:59.999999", "2026-03-08 05:00:00", "2026-03-09 03:59:59.999999", "2026-03-09 04:00:00"),
		}, []string{`
credit-back j2 account=acct-0 user debited=0 before=0 back=0 not_due clause=3.2
credit-back j3 account=acct-0 user debited=0 before=0 back=0 not_due clause=3.2`, `
credit-back j4 account=acct-0 user debited=0 before=0 back=0 not_due clause=3.2`}},

		{"the day New York's clocks go back has 25 hours", "2026-11-01", "America/New_York", platform{
			Jobs: endedAt("2026-11-01 03:59:59.999999", "2026-11-01 04:00:00", "2026-11-02 04:59:59.999999", "2026-11-02 05:00:00"),
		}, []string{`
credit-back j2 account=acct-0 user debited=0 before=0 back=0 not_due clause=3.2
credit-back j3 account=acct-0 user debited=0 before=0 back=0 not_due clause=3.2`, `
credit-back j4 account=acct-0 user debited=0 before=0 back=0 not_due clause=3.2`}},

		{"Cairo skips a midnight: the day begins at its first instant", "2026-04-23", "Africa/Cairo", platform{
			Jobs: endedAt("2026-04-22 22:00:00", "2026-04-23 21:59:59.999999", "2026-04-23 22:00:00", "2026-04-24 20:59:59.999999", "2026-04-24 21:00:00"),
		}, []string{`
credit-back j1 account=acct-0 user debited=0 before=0 back=0 not_due clause=3.2
credit-back j2 account=acct-0 user debited=0 before=0 back=0 not_due clause=3.2`, `
credit-back j3 account=acct-0 user debited=0 before=0 back=0 not_due clause=3.2
credit-back j4 account=acct-0 user debited=0 before=0 back=0 not_due clause=3.2`, `
credit-back j5 account=acct-0 user debited=0 before=0 back=0 not_due clause=3.2`}},

		{"Cairo has the hour before midnight twice", "2026-10-29", "Africa/Cairo", platform{
			Jobs: endedAt("2026-10-28 21:00:00", "2026-10-29 20:30:00", "2026-10-29 21:59:59.999999", "2026-10-29 22:00:00"),
		}, []string{`
credit-back j1 account=acct-0 user debited=0 before=0 back=0 not_due clause=3.2
credit-back j2 account=acct-0 user debited=0 before=0 back=0 not_due clause=3.2
credit-back j3 account=acct-0 user debited=0 before=0 back=0 not_due clause=3.2`, `
credit-back j4 account=acct-0 user debited=0 before=0 back=0 not_due clause=3.2`}},

		{"7 days are 168 h, also when a local week has 167", "2026-03-12", "America/New_York", platform{
			Purchases: springForward, Entries: grantsOf(springForward),
			// Bought at half past midnight; a week later the clocks show half past one when 168 h are over.
			Requests: []request{asked("r1", "p1", "2026-03-12 05:30:00"), asked("r2", "p2", "2026-03-12 05:30:00.000001")},
		}, []string{`
decision    r1 account=acct-0 purchase=p1 job= due=2026-03-23 waiting currency=usd clauses=2.2
decision    r2 account=acct-0 purchase=p2 job= due=2026-03-23 deny currency=usd clauses=2.3
window      p1 account=acct-0 requested used=0 of 10 paid=1000 usd completed=2026-03-05T05:30:00Z expires=2026-03-12T05:30:00Z
window      p2 account=acct-0 expired used=0 of 10 paid=1000 usd completed=2026-03-05T05:30:00Z expires=2026-03-12T05:30:00Z`}},

		{"what happens at midnight belongs to the day that begins", "2026-03-05", "", platform{
			Jobs: []job{ran("j1", "succeeded", "", 5, "2026-03-05 23:59:59.999999"), ran("j2", "succeeded", "", 5, "2026-03-06 00:00:00")},
			Entries: []entry{entered("e0", "promo", 100, "", "2026-03-01 00:00:00"), entered("e1", "usage", -5, "j1", "2026-03-06 00:00:00"),
				entered("e2", "usage", -5, "j2", "2026-03-05 23:59:59.999999")},
		}, []string{`
break       job_without_debit of j1 account=acct-0 open first=2026-03-05 last=2026-03-05 variance=5 credits`, `
break       job_without_debit of j1 account=acct-0 cleared first=2026-03-05 last=2026-03-05 variance=5 credits`, ``}},

		{"seven business days, across the 3rd of July and the weekend", "2026-07-10", "", platform{
			Requests: []request{undetailed("r1", "2026-06-29 23:59:59.999999"), undetailed("r2", "2026-06-30 00:00:00")},
		}, []string{`
break       review_overdue of r1 account=acct-0 open first=2026-07-10 last=2026-07-10 variance=1 business days
decision    r1 account=acct-0 purchase= job= due=2026-07-09 needs_information currency= clauses=6
decision    r2 account=acct-0 purchase= job= due=2026-07-10 needs_information currency= clauses=6`, `
break       review_overdue of r1 account=acct-0 open first=2026-07-10 last=2026-07-11 variance=1 business days
break       review_overdue of r2 account=acct-0 open first=2026-07-11 last=2026-07-11 variance=1 business days
decision    r1 account=acct-0 purchase= job= due=2026-07-09 needs_information currency= clauses=6
decision    r2 account=acct-0 purchase= job= due=2026-07-10 needs_information currency= clauses=6`}},

		{"seven business days, across Christmas, by the business date of New York", "2026-12-30", "America/New_York", platform{
			Requests: []request{undetailed("r1", "2026-12-18 04:59:59"), undetailed("r2", "2026-12-18 05:00:00")},
		}, []string{`
break       review_overdue of r1 account=acct-0 open first=2026-12-30 last=2026-12-30 variance=1 business days
decision    r1 account=acct-0 purchase= job= due=2026-12-29 needs_information currency= clauses=6
decision    r2 account=acct-0 purchase= job= due=2026-12-30 needs_information currency= clauses=6`}},

		{"lots granted in the same instant burn by id, of purchases and promotions alike", "2026-03-05", "", platform{
			Purchases: tied,
			Jobs:      []job{ran("j1", "succeeded", "", 15, "2026-03-05 12:00:00")},
			Entries:   grantsOf(tied, entered("o5", "promo", 4, "", "2026-03-04 12:00:00"), entered("e1", "usage", -15, "j1", "2026-03-05 12:00:00")),
		}, []string{`
window      p1 account=acct-0 used used=10 of 10 paid=1000 usd completed=2026-03-04T12:00:00Z expires=2026-03-11T12:00:00Z
window      p9 account=acct-0 used used=1 of 10 paid=1000 usd completed=2026-03-04T12:00:00Z expires=2026-03-11T12:00:00Z`}},

		{"a credit-back that arrives after a new purchase gives the older lot its credits back", "2026-03-05", "", platform{
			Purchases: []purchase{before, after},
			Jobs:      []job{ran("j1", "failed", "NODE_FAIL", 10, "2026-03-05 10:00:00"), ran("j2", "succeeded", "", 10, "2026-03-06 10:00:00")},
			Entries: grantsOf([]purchase{before, after}, entered("e1", "usage", -10, "j1", "2026-03-05 10:00:00"),
				entered("e2", "usage", -10, "j2", "2026-03-06 10:00:00")),
		}, []string{`
credit-back j1 account=acct-0 system debited=10 before=0 back=10 credited clause=3.1
window      p1 account=acct-0 used used=10 of 10 paid=1000 usd completed=2026-02-20T12:00:00Z expires=2026-02-27T12:00:00Z
window      p2 account=acct-0 open used=0 of 10 paid=1000 usd completed=2026-03-05T12:00:00Z expires=2026-03-12T12:00:00Z`, `
window      p2 account=acct-0 open used=0 of 10 paid=1000 usd completed=2026-03-05T12:00:00Z expires=2026-03-12T12:00:00Z`}},

		{"a debit that comes after the credit-back tops it up, and one that arrives late as well", "2026-03-05", "", platform{
			Jobs: []job{ran("j1", "failed", "NODE_FAIL", 6, "2026-03-05 10:00:00")},
			Entries: []entry{entered("e0", "promo", 100, "", "2026-03-01 00:00:00"), entered("e1", "usage", -1, "j1", "2026-03-05 10:00:00"),
				entered("e2", "usage", -2, "j1", "2026-03-06 10:00:00"), late(entered("e3", "usage", -3, "j1", "2026-03-05 11:00:00"), 2)},
		}, []string{`
credit-back j1 account=acct-0 system debited=1 before=0 back=1 credited clause=3.1`, `
credit-back j1 account=acct-0 system debited=3 before=1 back=2 credited clause=3.1`, `
break       late_item of e3 account=acct-0 open first=2026-03-07 last=2026-03-07 variance=-3 credits
credit-back j1 account=acct-0 system debited=6 before=3 back=3 credited clause=3.1`, `
break       late_item of e3 account=acct-0 cleared first=2026-03-07 last=2026-03-07 variance=-3 credits`}},

		{"a second purchase on the invoice that a request names lets the window of the first expire", "2026-03-05", "", platform{
			Purchases: invoiced, Entries: grantsOf(invoiced),
			Requests: []request{{ID: "r1", AccountID: ref(someone), AccountEmail: ref("a@x.test"), Kind: ref("unused_credits"), InvoiceID: ref("in-1"),
				Reason: ref("please"), Status: ref("pending"), RequestedAt: ref(utc("2026-03-04 12:00:00"))}},
		}, []string{`
decision    r1 account=acct-0 purchase=p1 job= due=2026-03-13 waiting currency=usd clauses=2.2
window      p1 account=acct-0 requested used=0 of 10 paid=1000 usd completed=2026-02-26T12:00:00Z expires=2026-03-05T12:00:00Z`, `
decision    r1 account=acct-0 purchase= job= due=2026-03-13 needs_information currency= clauses=6
window      p1 account=acct-0 expired used=0 of 10 paid=1000 usd completed=2026-02-26T12:00:00Z expires=2026-03-05T12:00:00Z
window      p2 account=acct-0 open used=0 of 10 paid=1000 usd completed=2026-03-06T12:00:00Z expires=2026-03-13T12:00:00Z`}},

		{"an overdue review is the same break when the account of the request comes to be known", "2026-03-05", "", platform{
			Purchases: []purchase{bought("p1", 10, "2026-03-06 12:00:00")}, Entries: grantsOf([]purchase{bought("p1", 10, "2026-03-06 12:00:00")}),
			Requests: []request{{ID: "r1", AccountEmail: ref("b@x.test"), Kind: ref("unused_credits"), PurchaseID: ref("p1"), Reason: ref("please"),
				Status: ref("pending"), RequestedAt: ref(utc("2026-02-20 12:00:00"))}},
		}, []string{`
break       review_overdue of r1 account= open first=2026-03-05 last=2026-03-05 variance=2 business days
decision    r1 account= purchase= job= due=2026-03-03 needs_information currency= clauses=6`, `
break       review_overdue of r1 account= open first=2026-03-05 last=2026-03-06 variance=3 business days
decision    r1 account=acct-0 purchase=p1 job= due=2026-03-03 needs_information currency= clauses=6
window      p1 account=acct-0 requested used=0 of 10 paid=1000 usd completed=2026-03-06T12:00:00Z expires=2026-03-13T12:00:00Z`}},

		{"a purchase whose credits were never granted is unused", "2026-03-05", "", platform{
			Purchases: []purchase{bought("p1", 10, "2026-03-05 12:00:00")}, Requests: []request{asked("r1", "p1", "2026-03-05 12:00:00")},
		}, []string{`
break       purchase_without_grant of p1 account=acct-0 open first=2026-03-05 last=2026-03-05 variance=10 credits
decision    r1 account=acct-0 purchase=p1 job= due=2026-03-16 waiting currency=usd clauses=2.2
window      p1 account=acct-0 requested used=0 of 10 paid=1000 usd completed=2026-03-05T12:00:00Z expires=2026-03-12T12:00:00Z`}},

		{"a purchase that was refunded without ever having been granted is refunded", "2026-03-05", "", platform{
			Purchases: []purchase{bought("p1", 10, "2026-03-05 12:00:00")}, Entries: []entry{entered("e1", "refund", -10, "p1", "2026-03-05 13:00:00")},
			Requests: []request{asked("r1", "p1", "2026-03-05 14:00:00")},
		}, []string{`
break       negative_balance of acct-0 account=acct-0 open first=2026-03-05 last=2026-03-05 variance=-10 credits
break       purchase_without_grant of p1 account=acct-0 open first=2026-03-05 last=2026-03-05 variance=10 credits
decision    r1 account=acct-0 purchase=p1 job= due=2026-03-16 deny currency=usd clauses=1
window      p1 account=acct-0 refunded used=0 of 10 paid=1000 usd completed=2026-03-05T12:00:00Z expires=2026-03-12T12:00:00Z`}},

		{"what was credited back in full needs no other repair, whatever was debited; beyond that it is one break", "2026-03-05", "", platform{
			Jobs: []job{ran("j1", "failed", "NODE_FAIL", 40, "2026-03-05 10:00:00"), ran("j2", "failed", "NODE_FAIL", 0, "2026-03-05 10:00:00"),
				ran("j3", "failed", "NODE_FAIL", 19, "2026-03-05 10:00:00"), ran("j4", "failed", "", 40, "2026-03-05 10:00:00"),
				ran("j5", "succeeded", "", 40, "2026-03-05 10:00:00"), ran("j6", "succeeded", "", 40, "2026-03-05 10:00:00")},
			Entries: []entry{
				entered("e0", "promo", 1000, "", "2026-03-01 00:00:00"),
				entered("e1", "usage", -40, "j1", "2026-03-05 10:00:00"), entered("e2", "usage", -40, "j1", "2026-03-05 10:00:01"), entered("e3", "credit_back", 80, "j1", "2026-03-05 11:00:00"),
				entered("e4", "usage", -7, "j2", "2026-03-05 10:00:00"), entered("e5", "credit_back", 7, "j2", "2026-03-05 11:00:00"),
				entered("e6", "credit_back", 19, "j3", "2026-03-05 11:00:00"),
				entered("e7", "usage", -40, "j4", "2026-03-05 10:00:00"), entered("e8", "usage", -40, "j4", "2026-03-05 10:00:01"), entered("e9", "credit_back", 80, "j4", "2026-03-05 11:00:00"),
				// A surplus may come back as a credit-back as well; what goes beyond it was not due.
				entered("ea", "usage", -40, "j5", "2026-03-05 10:00:00"), entered("eb", "usage", -40, "j5", "2026-03-05 10:00:01"), entered("ec", "credit_back", 40, "j5", "2026-03-05 11:00:00"),
				entered("ed", "usage", -40, "j6", "2026-03-05 10:00:00"), entered("ee", "usage", -40, "j6", "2026-03-05 10:00:01"), entered("ef", "credit_back", 80, "j6", "2026-03-05 11:00:00"),
				// Reversed by an adjustment: there is no negative credit-back.
				entered("eg", "adjustment", -40, "j6", "2026-03-06 11:00:00"), entered("eh", "adjustment", -19, "j3", "2026-03-06 11:00:00"),
			},
		}, []string{`
break       credit_back_exceeds_debit of j3 account=acct-0 open first=2026-03-05 last=2026-03-05 variance=-19 credits
break       credit_back_unfounded of j6 account=acct-0 open first=2026-03-05 last=2026-03-05 variance=-40 credits
break       failure_unclassified of j4 account=acct-0 open first=2026-03-05 last=2026-03-05 variance=0 credits
credit-back j1 account=acct-0 system debited=80 before=80 back=0 not_due clause=3.1
credit-back j2 account=acct-0 system debited=7 before=7 back=0 not_due clause=3.1
credit-back j3 account=acct-0 system debited=0 before=19 back=0 not_due clause=3.1
credit-back j4 account=acct-0 unknown debited=80 before=80 back=0 pending clause=3
credit-back j5 account=acct-0 unknown debited=80 before=40 back=0 not_due clause=3
credit-back j6 account=acct-0 unknown debited=80 before=80 back=0 not_due clause=3`, `
break       credit_back_exceeds_debit of j3 account=acct-0 cleared first=2026-03-05 last=2026-03-05 variance=-19 credits
break       credit_back_unfounded of j6 account=acct-0 cleared first=2026-03-05 last=2026-03-05 variance=-40 credits
break       failure_unclassified of j4 account=acct-0 open first=2026-03-05 last=2026-03-06 variance=0 credits`}},

		{"jobs that cost nothing", "2026-03-05", "", platform{
			Jobs: []job{ran("j1", "failed", "NODE_FAIL", 0, "2026-03-05 10:00:00"), ran("j2", "succeeded", "", 0, "2026-03-05 10:00:00"),
				ran("j3", "failed", "NODE_FAIL", 0, "2026-03-05 10:00:00")},
			Entries: []entry{entered("e0", "promo", 100, "", "2026-03-01 00:00:00"), entered("e2", "usage", 0, "j2", "2026-03-05 10:00:00"),
				entered("e3", "usage", -3, "j3", "2026-03-05 10:00:00")},
		}, []string{`
credit-back j1 account=acct-0 system debited=0 before=0 back=0 not_due clause=3.1
credit-back j3 account=acct-0 system debited=3 before=0 back=3 credited clause=3.1`}},

		{"duplicates of amounts as large as a bigint holds", "2026-03-05", "", platform{
			Purchases: []purchase{bought("p1", huge, "2026-03-05 09:00:00")},
			Jobs:      []job{ran("j1", "succeeded", "", huge, "2026-03-05 10:00:00")},
			Entries: []entry{entered("g1", "purchase", huge, "p1", "2026-03-05 09:00:00"), entered("g2", "purchase", huge, "p1", "2026-03-05 09:00:00"),
				entered("e1", "usage", -huge, "j1", "2026-03-05 10:00:00"), entered("e2", "usage", -huge, "j1", "2026-03-05 10:00:00")},
		}, []string{`
break       duplicate_debit of j1 account=acct-0 open first=2026-03-05 last=2026-03-05 variance=-9223372036854775807 credits
break       duplicate_grant of p1 account=acct-0 open first=2026-03-05 last=2026-03-05 variance=-9223372036854775807 credits
window      p1 account=acct-0 used used=9223372036854775807 of 9223372036854775807 paid=1000 usd completed=2026-03-05T09:00:00Z expires=2026-03-12T09:00:00Z`}},

		{"amounts as large as a bigint holds, and sums beyond", "2026-03-05", "", platform{
			Purchases: []purchase{bought("p1", huge, "2026-03-04 12:00:00"), bought("p2", huge, "2026-03-04 12:00:01")},
			Jobs:      []job{ran("j1", "failed", "NODE_FAIL", huge, "2026-03-05 10:00:00"), ran("j2", "succeeded", "", huge, "2026-03-05 10:00:00")},
			Entries: []entry{entered("g1", "purchase", huge, "p1", "2026-03-04 12:00:00"), entered("g2", "purchase", huge, "p2", "2026-03-04 12:00:01"),
				entered("e0", "promo", huge, "", "2026-03-04 13:00:00"),
				entered("e1", "usage", -huge, "j1", "2026-03-05 10:00:00"), entered("e2", "usage", -huge, "j2", "2026-03-05 10:00:00")},
		}, []string{`
credit-back j1 account=acct-0 system debited=9223372036854775807 before=0 back=9223372036854775807 credited clause=3.1
window      p1 account=acct-0 used used=9223372036854775807 of 9223372036854775807 paid=1000 usd completed=2026-03-04T12:00:00Z expires=2026-03-11T12:00:00Z
window      p2 account=acct-0 used used=9223372036854775807 of 9223372036854775807 paid=1000 usd completed=2026-03-04T12:00:01Z expires=2026-03-11T12:00:01Z`, `
window      p2 account=acct-0 open used=0 of 9223372036854775807 paid=1000 usd completed=2026-03-04T12:00:01Z expires=2026-03-11T12:00:01Z`}},
	}
}

// late is the entry as one that arrives only before the given night.
func late(e entry, turn int) entry {
	e.Turn = turn
	return e
}

// TestOracleAtBoundaries compares the oracle with the examples at the edges of the rules.
func TestOracleAtBoundaries(t *testing.T) {
	for _, b := range boundaries() {
		t.Run(b.name, func(t *testing.T) {
			s, p := b.stage(t), b.platform
			p.Accounts = customer()
			o := newOracle(testPolicies(t), usHolidays(t), s.Zone)
			for i, want := range b.nights {
				v := o.night(s.night(i), p.turn(i))
				v.RollForward = nil
				compareLines(t, s.First.AddDays(i), wantLines(want), v.lines())
			}
		})
	}
}

// TestBoundaries compares the worker with the same examples. Those that play on the same nights share a database.
func TestBoundaries(t *testing.T) {
	t.Parallel()
	w := newWorker(t)
	var order []string
	together := map[string][]boundary{}
	for _, b := range boundaries() {
		key := b.first + b.zone
		if together[key] == nil {
			order = append(order, key)
		}
		together[key] = append(together[key], b)
	}
	for _, key := range order {
		group := together[key]
		nights := 0
		for _, b := range group {
			nights = max(nights, len(b.nights))
		}
		s := group[0].stage(t)
		w.reset(t, s.Zone)
		for turn := range nights {
			n := s.night(turn)
			for i, b := range group {
				p := b.platform
				p.Accounts = customer()
				p.turn(turn).prefixed(casePrefix(i)).load(t, w.db.DB)
			}
			if err := w.night(n); err != nil {
				t.Fatal(err)
			}
			published := w.published(t, n.Date)
			for i, b := range group {
				if turn >= len(b.nights) {
					continue
				}
				if diff := diffLines(wantLines(b.nights[turn]), published.lines(casePrefix(i))); diff != "" {
					t.Errorf("%s, night %s (- wanted, + found):\n%s", b.name, n.Date, diff)
				}
			}
		}
	}
}

// TestNewlyKnownCodeIsDecidedTheNextNight gives failure codes a class after jobs failed: the next night credits the one back and says of the other
// why nothing is, and the breaks that asked for a class clear. What was decided before stays decided.
func TestNewlyKnownCodeIsDecidedTheNextNight(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	p := platform{
		Accounts: customer(),
		Jobs: []job{ran("j1", "failed", "what is this", 5, "2026-03-05 10:00:00"), ran("j2", "failed", "what is that", 5, "2026-03-05 10:00:00"),
			ran("j3", "failed", "invalid_input", 5, "2026-03-05 10:00:00"), ran("j4", "failed", "whose is this", 5, "2026-03-05 10:00:00")},
		Entries: []entry{entered("e0", "promo", 100, "", "2026-03-01 00:00:00"), entered("e1", "usage", -5, "j1", "2026-03-05 10:00:00"),
			entered("e2", "usage", -5, "j2", "2026-03-05 10:00:00"), entered("e3", "usage", -5, "j3", "2026-03-05 10:00:00"),
			entered("e4", "usage", -5, "j4", "2026-03-05 10:00:00")},
	}
	w.play(t, s, p, 0)
	compareLines(t, s.First, wantLines(`
break       failure_unclassified of j1 account=acct-0 open first=2026-03-05 last=2026-03-05 variance=5 credits
break       failure_unclassified of j2 account=acct-0 open first=2026-03-05 last=2026-03-05 variance=5 credits
break       failure_unclassified of j4 account=acct-0 open first=2026-03-05 last=2026-03-05 variance=5 credits
credit-back j1 account=acct-0 unknown debited=5 before=0 back=0 pending clause=3
credit-back j2 account=acct-0 unknown debited=5 before=0 back=0 pending clause=3
credit-back j3 account=acct-0 user debited=5 before=0 back=0 not_due clause=3.2
credit-back j4 account=acct-0 unknown debited=5 before=0 back=0 pending clause=3`), w.published(t, s.First).lines(""))

	versions := w.policies.Versions()
	for i := range versions {
		rules := append(versions[i].Failures.Rules(), reconcile.FailureRule{Name: "new", Class: reconcile.FailureSystem, Reason: "it was us", Codes: []string{"what is this"}},
			reconcile.FailureRule{Name: "new too", Class: reconcile.FailureUser, Reason: "it was not us", Codes: []string{"whose is this"}})
		table, err := reconcile.NewFailureTable(rules)
		if err != nil {
			t.Fatal(err)
		}
		versions[i].Failures = table
	}
	policies, err := reconcile.NewPolicies(versions)
	if err != nil {
		t.Fatal(err)
	}
	w.Policies = policies
	w.again(t, s, 1)
	compareLines(t, s.First.AddDays(1), wantLines(`
break       failure_unclassified of j1 account=acct-0 cleared first=2026-03-05 last=2026-03-05 variance=5 credits
break       failure_unclassified of j2 account=acct-0 open first=2026-03-05 last=2026-03-06 variance=5 credits
break       failure_unclassified of j4 account=acct-0 cleared first=2026-03-05 last=2026-03-05 variance=5 credits
credit-back j1 account=acct-0 system debited=5 before=0 back=5 credited clause=3.1
credit-back j4 account=acct-0 user debited=5 before=0 back=0 not_due clause=3.2`), w.published(t, s.First.AddDays(1)).lines(""))

	settled := w.state(t)
	w.again(t, s, 1)
	compareStates(t, "after rerunning the night that credited", settled, w.state(t))
	w.again(t, s, 2)
	compareLines(t, s.First.AddDays(2), wantLines(`
break       failure_unclassified of j2 account=acct-0 open first=2026-03-05 last=2026-03-07 variance=5 credits`), w.published(t, s.First.AddDays(2)).lines(""))

	// Worked out again, the first night differs, and verification says why.
	faults, err := w.Verify(context.Background(), s.First, night.AuditHead{})
	if err != nil {
		t.Fatal(err)
	}
	var because []string
	for _, fault := range faults {
		if fault.Where == "policy" {
			because = append(because, fault.What)
		}
	}
	compareLines(t, s.First, []string{`failure code "what is this" had no class when the night was reported, and version 1 has one now: system`,
		`failure code "whose is this" had no class when the night was reported, and version 1 has one now: user`}, because)

	// Had the policy been this one from the beginning, the first night would have credited what the second did, and nothing more would have been paid out.
	var changes []string
	_, totals, err := w.TestPolicy(context.Background(), policies, s.First, s.First.AddDays(2), func(c jobs.PolicyChange) error {
		changes = append(changes, fmt.Sprintf("%s %s: %s, %s, %d", c.Night, c.ID, c.Was, c.Would, c.Amount))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	compareLines(t, s.First, []string{"2026-03-05 j1: pending (unknown), credited (system), 5", "2026-03-05 j4: pending (unknown), not_due (user), 0",
		"2026-03-06 j1: credited (system), not_due (system), -5"}, changes)
	if totals["credits"].Sign() != 0 {
		t.Errorf("%s credits more would have been paid out", totals["credits"])
	}
}

// TestNightRunAgainTopsUpWhatItHasCreditedBack writes debits into a night after that has credited their jobs back: the night's next run credits back
// what is missing, once, whatever became of the run before.
func TestNightRunAgainTopsUpWhatItHasCreditedBack(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	p := platform{
		Accounts: customer(),
		Jobs: []job{ran("j1", "failed", "NODE_FAIL", 5, "2026-03-05 10:00:00"), ran("j2", "failed", "NODE_FAIL", 5, "2026-03-05 10:00:00"),
			ran("j3", "failed", "NODE_FAIL", 0, "2026-03-05 10:00:00")},
		Entries: []entry{entered("e0", "promo", 100, "", "2026-03-01 00:00:00"), entered("e1", "usage", -5, "j1", "2026-03-05 10:00:00"),
			entered("e2", "usage", -5, "j2", "2026-03-05 10:00:00")},
	}
	w.play(t, s, p, 0)
	platform{Entries: []entry{entered("e3", "usage", -3, "j1", "2026-03-05 23:59:59"), entered("e4", "usage", -4, "j3", "2026-03-05 23:59:59")}}.load(t, w.db.DB)
	w.again(t, s, 0)
	compareLines(t, s.First, wantLines(`
credit-back j1 account=acct-0 system debited=5 before=0 back=5 credited clause=3.1
credit-back j1 account=acct-0 system debited=8 before=0 back=3 credited clause=3.1
credit-back j2 account=acct-0 system debited=5 before=0 back=5 credited clause=3.1
credit-back j3 account=acct-0 system debited=4 before=0 back=4 credited clause=3.1`), w.published(t, s.First).lines(""))
	settled := w.state(t)
	w.again(t, s, 0)
	compareStates(t, "after rerunning the night once more", settled, w.state(t))
	w.again(t, s, 1)
	compareLines(t, s.First.AddDays(1), nil, w.published(t, s.First.AddDays(1)).lines(""))
	settled = w.state(t)
	w.again(t, s, 0, 1)
	compareStates(t, "after rerunning both nights", settled, w.state(t))
}

// TestRequestAboutWhatIsOlderThanThePolicyWaits has a policy file that begins on a day, and requests about a purchase and a job of before that day: no
// version says what is due, so that somebody has to; the requests beside them are decided.
func TestRequestAboutWhatIsOlderThanThePolicyWaits(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	versions := w.policies.Versions()
	versions[0].EffectiveFrom = utc("2026-01-01 00:00:00")
	policies, err := reconcile.NewPolicies(versions)
	if err != nil {
		t.Fatal(err)
	}
	w.Policies = policies
	older, newer := bought("p1", 10, "2025-12-31 23:59:59.999999"), bought("p2", 10, "2026-01-01 00:00:00")
	failed := request{ID: "r3", AccountID: ref(someone), AccountEmail: ref("a@x.test"), Kind: ref("failed_job"), JobID: ref("j1"), Reason: ref("please"), Status: ref("pending"),
		RequestedAt: ref(utc("2026-03-05 12:00:00"))}
	withdrawn := asked("r4", "p1", "2026-03-05 12:00:00")
	withdrawn.Status, withdrawn.DecidedAt = ref("withdrawn"), ref(utc("2026-03-05 13:00:00"))
	early := undetailed("r5", "2025-12-30 12:00:00")
	w.play(t, s, platform{
		Accounts: customer(), Purchases: []purchase{older, newer}, Entries: grantsOf([]purchase{older, newer}),
		Jobs:     []job{ran("j1", "failed", "NODE_FAIL", 0, "2025-12-31 10:00:00")},
		Requests: []request{asked("r1", "p1", "2026-03-05 12:00:00"), asked("r2", "p2", "2026-03-05 12:00:00"), failed, withdrawn, early},
	}, 0)
	compareLines(t, s.First, wantLines(`
break       review_overdue of r5 account=acct-0 open first=2026-03-05 last=2026-03-05 variance=37 business days
decision    r1 account=acct-0 purchase=p1 job= due=2026-03-16 waiting currency= clauses=6
decision    r2 account=acct-0 purchase=p2 job= due=2026-03-16 deny currency=usd clauses=2.3
decision    r3 account=acct-0 purchase= job=j1 due=2026-03-16 waiting currency= clauses=6
decision    r4 account=acct-0 purchase=p1 job= due=2026-03-16 deny currency= clauses=6
decision    r5 account=acct-0 purchase= job= due=2026-01-09 needs_information currency= clauses=6`), w.published(t, s.First).lines(""))
}

// TestNightBeforeThePolicyIsRefused runs a night that begins before the first version of the policy: it is the policy file that has to be changed, and
// nothing is written until it is.
func TestNightBeforeThePolicyIsRefused(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	versions := w.policies.Versions()
	versions[0].EffectiveFrom = utc("2026-03-05 00:00:00.000001")
	policies, err := reconcile.NewPolicies(versions)
	if err != nil {
		t.Fatal(err)
	}
	w.Policies = policies
	bought := bought("p1", 10, "2026-03-05 12:00:00")
	w.reset(t, s.Zone)
	platform{Accounts: customer(), Purchases: []purchase{bought}, Entries: grantsOf([]purchase{bought})}.load(t, w.db.DB)
	if err := w.night(s.night(0)); jobs.VerdictOf(err) != jobs.Operator {
		t.Errorf("a night before the policy: %v", err)
	}
	var runs int
	if err := w.db.Get(&runs, "SELECT count(*) FROM reconciler.runs"); err != nil || runs != 0 {
		t.Errorf("%d runs are on record: %v", runs, err)
	}
	w.again(t, s, 1)
	compareLines(t, s.First.AddDays(1), wantLines(`
window      p1 account=acct-0 open used=0 of 10 paid=1000 usd completed=2026-03-05T12:00:00Z expires=2026-03-12T12:00:00Z`), w.published(t, s.First.AddDays(1)).lines(""))
}
