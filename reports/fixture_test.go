package reports

import (
	"context"
	"fmt"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
)

// The nights that the tests write: a busy one, an empty one, and a bad one.

func date(text string) reconcile.Date {
	d, err := reconcile.ParseDate(text)
	if err != nil {
		panic(err)
	}
	return d
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func facts(d string) Facts {
	night := reconcile.NightOf(date(d), time.UTC)
	return Facts{BusinessDate: night.Date, Begin: night.Begin, AsOf: night.End, TimeZone: "UTC", CodeVersion: "v1.4.0", PolicyVersion: "2025-01-01",
		Stripe: StripeFacts{Looked: true}, Jobs: completed()}
}

func completed() []JobRun {
	var jobs []JobRun
	for _, job := range []string{"sync-stripe", "match-jobs", "credit-backs", "match-purchases", "refund-windows", "refund-requests", "refunds", "disputes", "subscriptions"} {
		jobs = append(jobs, JobRun{Job: job, Status: "completed"})
	}
	return jobs
}

func emptyNight() Input {
	in := Input{Facts: facts("2026-03-14")}
	in.ControlTotals = Of(ControlTotal{"finished jobs", "jobs", "0", "0", "0", "0", "0"})
	in.RollForward = Of(RollForward{"credits", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0"})
	return in
}

func newBreak(kind reconcile.BreakKind, subject, field, ours, theirs string, variance int64, unit, first string) Break {
	rule, ok := kind.Rule()
	if !ok {
		panic(kind)
	}
	last, seen := date("2026-03-14"), date(first)
	return Break{BreakID: fmt.Sprintf("brk_%020d", len(subject)*7919+len(kind)*104729+int(variance&0xffff)), Kind: kind, Severity: rule.Severity, Status: "open", AccountID: "acct_" + subject[max(0, len(subject)-3):],
		SubjectType: rule.SubjectType, SubjectID: subject, Field: field, Ours: ours, Theirs: theirs, Variance: Int(variance), Unit: unit,
		FirstSeen: seen, LastSeen: last, AgeDays: int64(last.DaysSince(seen)), Action: rule.Action, Detail: ""}
}

func busyBreaks() []Break {
	list := []Break{
		newBreak(reconcile.JobWithoutDebit, "job_000412", "credits", "120", "0", 120, "credits", "2026-03-14"),
		newBreak(reconcile.DuplicateDebit, "job_000977", "credits", "40", "80", -40, "credits", "2026-03-12"),
		newBreak(reconcile.DebitAmountMismatch, "job_001203", "credits", "900", "90", 810, "credits", "2026-03-14"),
		newBreak(reconcile.FailureUnclassified, "job_001777", "failure_code", "E_WEIRD", "", 0, "", "2026-03-10"),
		newBreak(reconcile.PurchaseMissingAtStripe, "pur_00088", "status", "completed", "", 4900, "usd", "2026-03-05"),
		newBreak(reconcile.ChargeAmountMismatch, "pur_00091", "amount_minor", "9900", "8900", 1000, "usd", "2026-03-14"),
		newBreak(reconcile.RefundAmountMismatch, "re_00012", "amount_minor", "4613", "4900", -287, "eur", "2026-02-02"),
		newBreak(reconcile.ReviewOverdue, "req_0031", "due_date", "2026-03-12", "", -2, "days", "2026-03-13"),
		newBreak(reconcile.DisputeAccountActive, "dp_0004", "status", "active", "needs_response", 0, "", "2026-03-11"),
		newBreak(reconcile.LateItem, "ent_99871", "created_at", "2026-03-02T08:00:00Z", "", 25, "credits", "2026-03-14"),
	}
	list[6].Detail = `Refund of "4,900" made by hand, =HYPERLINK("http://example.test","x"), and <script>alert(1)</script> in its note`
	for i := range 14 {
		list = append(list, newBreak(reconcile.JobStuck, fmt.Sprintf("job_01%04d", i*37), "status", "running", "finished", 180000+int64(i)*911, "seconds", "2026-03-14"))
	}
	cleared := newBreak(reconcile.DebitWithoutJob, "job_000001", "credits", "0", "15", -15, "credits", "2026-03-09")
	cleared.Status, cleared.LastSeen = "cleared", date("2026-03-13")
	resolved := newBreak(reconcile.NegativeBalance, "acct_777", "balance", "-30", "0", -30, "credits", "2026-03-01")
	resolved.Status = "resolved"
	return append(list, cleared, resolved)
}

func busyNight() Input {
	in := Input{Facts: facts("2026-03-14")}
	in.Breaks = Of(busyBreaks()...)
	var backs []CreditBack
	codes := []struct{ code, class, decision string }{{"NODE_FAIL", "system", "credited"}, {"XID_79", "system", "credited"}, {"nccl_timeout", "system", "credited"},
		{"invalid_dataset", "user", "not_due"}, {"prompt_rejected", "user", "not_due"}, {"E_WEIRD", "unknown", "pending"}, {"", "unknown", "pending"}}
	for i := range 60 {
		c := codes[(i*i+i/3)%len(codes)]
		row := CreditBack{JobID: fmt.Sprintf("job_%06d", 1000+i), AccountID: fmt.Sprintf("acct_%03d", i%9), Kind: []string{"image", "video", "fine_tune"}[i%3],
			FailureCode: c.code, Class: c.class, Debited: Int(int64(10 + i*3)), CreditedBefore: "0", CreditBack: "0", Decision: c.decision, Clause: "3.1", Reason: "the job failed on our side: a node was lost"}
		if c.decision == "credited" {
			row.CreditBack, row.EntryID = row.Debited, fmt.Sprintf("cb_%06d", 1000+i)
		}
		backs = append(backs, row)
	}
	in.CreditBacks = Of(backs...)
	var windows []RefundWindow
	for i := range 40 {
		done := at("2026-03-07T02:00:00Z").Add(time.Duration(i) * 4 * time.Hour)
		row := RefundWindow{PurchaseID: fmt.Sprintf("pur_%05d", 100+i), AccountID: fmt.Sprintf("acct_%03d", i%11), CompletedAt: done, ExpiresAt: done.Add(168 * time.Hour),
			State: []string{"open", "open", "used", "open", "requested"}[i%5], Credits: 500, AmountMinor: 4900, FeeMinor: "172", RefundableMinor: "4728", Currency: []string{"usd", "eur", "jpy"}[i%3]}
		switch row.State {
		case "used":
			row.UsedCredits = 120
		case "open":
			if i%7 == 0 {
				row.FeeMinor, row.RefundableMinor = "", ""
			}
		}
		if row.ExpiresAt.Before(in.AsOf) && row.State == "open" {
			row.State = "expired"
		}
		windows = append(windows, row)
	}
	in.RefundWindows = Of(windows...)
	in.RefundDecisions = Of(
		RefundDecision{RequestID: "req_0029", AccountID: "acct_001", PurchaseID: "pur_00104", RequestedAt: at("2026-03-14T09:12:00Z"), DueDate: date("2026-03-25"), Decision: "approve", RefundMinor: "4728", Currency: "usd", Clauses: "2.1 2.2", Reasons: "None of the credits were used, and the request was made in time. Of the 49.00 USD paid, 1.72 USD of transaction fees are not refunded.", DaysLeft: 7},
		RefundDecision{RequestID: "req_0030", AccountID: "acct_002", PurchaseID: "pur_00107", RequestedAt: at("2026-03-14T10:00:00Z"), DueDate: date("2026-03-25"), Decision: "deny", RefundMinor: "", Currency: "usd", Clauses: "2.3", Reasons: "120 of the 500 credits of this purchase were used already.", DaysLeft: 7},
		RefundDecision{RequestID: "req_0031", AccountID: "acct_003", RequestedAt: at("2026-03-03T10:00:00Z"), DueDate: date("2026-03-12"), Decision: "needs_information", Clauses: "6", Reasons: "Please tell us: purchase date.", DaysLeft: -1},
		RefundDecision{RequestID: "req_0032", AccountID: "acct_004", PurchaseID: "pur_00111", RequestedAt: at("2026-03-13T10:00:00Z"), DueDate: date("2026-03-24"), Decision: "waiting", Currency: "eur", Clauses: "2.2", Reasons: "The transaction fee of the payment is not known yet.", DaysLeft: 6},
		RefundDecision{RequestID: "req_0033", AccountID: "acct_005", JobID: "job_001777", RequestedAt: at("2026-03-05T10:00:00Z"), DueDate: date("2026-03-16"), Decision: "waiting", Clauses: "3", Reasons: "Whose fault the failure was is not classified yet.", DaysLeft: 1},
	)
	in.Notifications = Of(
		Notification{RequestID: "req_0029", AccountID: "acct_001", Outcome: "approve", AmountMinor: "4728", Currency: "usd", Message: "We approved your refund request. You get back 47.28 USD."},
		Notification{RequestID: "req_0030", AccountID: "acct_002", Outcome: "deny", Message: "We can't refund this purchase: 120 of the 500 credits were used already."},
	)
	in.RollForward = Of(
		RollForward{"credits", "1204330", "61000", "2500", "-58420", "3411", "-1000", "-200", "25", "1211646", "1211646", "0"},
		RollForward{"eur", "480012", "29400", "0", "-21877", "941", "0", "0", "0", "488476", "488476", "0"},
		RollForward{"jpy", "90000", "9800", "0", "-4100", "0", "0", "0", "0", "95700", "95700", "0"},
		RollForward{"usd", "10431177", "514500", "0", "-480230", "22410", "-4900", "-1630", "214", "10481541", "10481541", "0"},
	)
	in.StripeActivity = Of(
		StripeActivity{"charge", "eur", 6, "29400", "1032", "28368"}, StripeActivity{"charge", "usd", 105, "514500", "18060", "496440"},
		StripeActivity{"dispute", "usd", 1, "-4900", "1500", "-6400"}, StripeActivity{"payout", "usd", 1, "-402115", "0", "-402115"}, StripeActivity{"refund", "usd", 1, "-4728", "0", "-4728"},
	)
	in.StripeCash = Of(
		StripeCash{Currency: "eur", OpeningMinor: "120400", ActivityMinor: "28368", PayoutsMinor: "0", ClosingMinor: "148768", AvailableMinor: "90000", PendingMinor: "58768"},
		StripeCash{Currency: "usd", OpeningMinor: "1890211", ActivityMinor: "485312", PayoutsMinor: "-402115", ClosingMinor: "1973408", AvailableMinor: "900000", PendingMinor: "1073408", BalanceAt: Moment{at("2026-03-15T00:10:00Z")}, AfterMinor: "4728", StripeAvailableMinor: "900000", StripePendingMinor: "1078136", ResidualMinor: "0"},
	)
	in.Payouts = Of(
		Payout{PayoutID: "po_0007", Currency: "usd", Status: "paid", Automatic: true, Method: "standard", Type: "bank_account", CreatedAt: at("2026-03-12T00:05:00Z"), ArrivalDate: date("2026-03-14"), AmountMinor: 398220, Transactions: 88, GrossMinor: "411020", FeeMinor: "12800", NetMinor: "398220", ReturnedMinor: "0", ResidualMinor: "0", TieOut: "tied"},
		Payout{PayoutID: "po_0008", Currency: "usd", Status: "in_transit", Automatic: true, Method: "standard", Type: "bank_account", CreatedAt: at("2026-03-14T00:05:00Z"), ArrivalDate: date("2026-03-17"), AmountMinor: 402115, Transactions: 91, GrossMinor: "415000", FeeMinor: "12885", NetMinor: "402115", ReturnedMinor: "0", ResidualMinor: "0", TieOut: "tied"},
	)
	in.PayoutItems = func(_ context.Context, fn func(PayoutItem) error) error {
		for _, payout := range []struct {
			id         string
			items      int64
			gross, fee int64
		}{{"po_0007", 88, 411020, 12800}, {"po_0008", 91, 415000, 12885}} {
			for i := range payout.items {
				item := PayoutItem{PayoutID: payout.id, BalanceTransactionID: fmt.Sprintf("txn_%s_%03d", payout.id[3:], i), ReportingCategory: "charge", SourceID: fmt.Sprintf("ch_%04d", i),
					PurchaseID: fmt.Sprintf("pur_%05d", i), AccountID: fmt.Sprintf("acct_%03d", i%11), GrossMinor: 4600, FeeMinor: 140, Currency: "usd"}
				if i == payout.items-1 { // what the others leave
					item.GrossMinor, item.FeeMinor = payout.gross-4600*i, payout.fee-140*i
				}
				item.NetMinor = item.GrossMinor - item.FeeMinor
				if err := fn(item); err != nil {
					return err
				}
			}
		}
		return nil
	}
	in.Bridge = Of(BridgeItem{"eur", "charged_before", "pur_00301", "ch_0301", "acct_004", -4900}, BridgeItem{"usd", "no_purchase", "", "ch_0302", "", 1900},
		BridgeItem{"usd", "not_charged", "pur_00088", "", "acct_088", -4900}, BridgeItem{"usd", "other_amount", "pur_00091", "ch_0091", "acct_091", -1000})
	in.BridgeEnds = []BridgeEnds{{"eur", 6, "29400", 5, "24500"}, {"usd", 105, "514500", 105, "510500"}}
	in.Disputes = Of(
		Dispute{DisputeID: "dp_0004", AccountID: "acct_004", PurchaseID: "pur_00071", ChargeID: "ch_0071", Phase: "chargeback", Status: "needs_response", Reason: "fraudulent", OpenedAt: at("2026-03-11T14:00:00Z"), EvidenceDueBy: Moment{at("2026-03-20T23:59:59Z")}, AmountMinor: 4900, Currency: "usd", WithdrawnMinor: "4900", ReturnedMinor: "0", FeesMinor: "1500", SettlementCurrency: "usd", RefundedMinor: "0", ClawbackMinor: "4900", ReinstatementMinor: "6400", AccountStatus: "active", ReviewSuspension: true, TieOut: "tied"},
		Dispute{DisputeID: "dp_0003", AccountID: "acct_007", PurchaseID: "pur_00055", ChargeID: "ch_0055", Phase: "chargeback", Status: "needs_response", Reason: "product_not_received", OpenedAt: at("2026-03-09T08:00:00Z"), EvidenceDueBy: Moment{at("2026-03-17T23:59:59Z")}, AmountMinor: 9600, Currency: "jpy", WithdrawnMinor: "9600", ReturnedMinor: "0", FeesMinor: "0", SettlementCurrency: "jpy", RefundedMinor: "0", ClawbackMinor: "9600", ReinstatementMinor: "9600", AccountStatus: "suspended", TieOut: "tied"},
	)
	in.Subscriptions = Of(
		Subscription{SubscriptionID: "sub_001", AccountID: "acct_008", StripeSubscriptionID: "sub_1Qx", Plan: "studio", Status: "active", StripeStatus: "active", CurrentPeriodStart: Moment{at("2026-03-01T00:00:00Z")}, CurrentPeriodEnd: Moment{at("2026-04-01T00:00:00Z")}, InvoicedMinor: "0", PaidMinor: "0", ProratedMinor: "0", RefundedMinor: "0", Currency: "usd", TieOut: "tied"},
	)
	in.Journal = Of(
		JournalLine{EntryID: "purchase:pur_00100", LineNo: 1, AccountID: "acct_001", Kind: "purchase", Account: "Assets:Stripe:Clearing:USD", Debit: "4900", Credit: "", Currency: "usd", Description: "Purchase pur_00100", Source: "pur_00100", Clause: "2.1"},
		JournalLine{EntryID: "purchase:pur_00100", LineNo: 2, AccountID: "acct_001", Kind: "purchase", Account: "Liabilities:Refunds:USD", Debit: "", Credit: "4900", Currency: "usd", Description: "Purchase pur_00100", Source: "pur_00100", Clause: "2.1"},
		JournalLine{EntryID: "usage:2026-03-14", LineNo: 1, AccountID: "", Kind: "usage", Account: "Liabilities:Contract:JPY", Debit: "4100", Credit: "", Currency: "jpy", Description: "Usage of the night", Source: "", Clause: ""},
		JournalLine{EntryID: "usage:2026-03-14", LineNo: 2, AccountID: "", Kind: "usage", Account: "Income:Usage:JPY", Debit: "", Credit: "4100", Currency: "jpy", Description: "Usage of the night", Source: "", Clause: ""},
	)
	in.ControlTotals = Of(
		ControlTotal{"charges", "", "111", "108", "2", "1", "0"}, ControlTotal{"charges", "usd", "514500", "504700", "8800", "1000", "0"},
		ControlTotal{"jobs and debits", "credits", "58420", "57450", "0", "970", "0"}, ControlTotal{"jobs and debits", "jobs", "12402", "12399", "0", "3", "0"},
		ControlTotal{"purchases and grants", "", "111", "111", "0", "0", "0"}, ControlTotal{"source jobs", "rows", "12404", "12402", "0", "2", "0"},
	)
	in.Awaited = []Awaited{
		{Check: "charges on the platform", Objects: 2, SubjectID: "ch_0098", Since: Moment{at("2026-03-14T21:10:00Z")}, Amount: "4400", Unit: "usd"},
		{Check: "refunds that stood", Objects: 2, SubjectID: "re_0011", AccountID: "acct_003", Since: Moment{at("2026-03-08T09:00:00Z")}, Amount: "4728", Unit: "usd", Detail: "purchase pur_00091, pending for 6 days"},
		{Check: "refunds that stood", Objects: 2, SubjectID: "re_0012", AccountID: "acct_006", Since: Moment{at("2026-03-13T18:00:00Z")}, Amount: "9600", Unit: "jpy", Detail: "purchase pur_00095, pending for 1 days"},
	}
	in.Rejects = Of(Reject{"jobs", "job_bad1", "credit_cost", "acct_001", "-5", "must not be negative"}, Reject{"jobs", "job_bad2", "finished_at", "acct_002", "2026-03-14 08:00:00+00", "is before created_at"})
	in.Sources = []SourceTotal{{"credit_entries", 12611, "1234", "998877665544332211"}, {"jobs", 12404, "58425", "112233445566778899"}}
	for i := range 29 {
		if i == 11 {
			continue
		}
		d := date("2026-02-13").AddDays(i)
		in.Before = append(in.Before, NightFigures{Date: d, Revision: 1, Status: StatusTied, Stripe: i > 2, Errors: int64(i * 7 % 9), Warnings: int64(i*5%7 + i/4), Infos: int64(i % 3), NewBreaks: int64(i % 5),
			FailedJobs: int64(40 + i*13%23), Credited: Int(int64(2500 + i*i*31%2900)), Undecided: int64(3 + i%4), Overdue: int64(i / 14), Closing: Int(int64(1100000 + i*3721)), Approved: []Amount{{"usd", "4728"}}})
	}
	in.Previous = &PreviousNight{date("2026-03-13"), 1, "5f6e7d8c9b0a5f6e7d8c9b0a5f6e7d8c9b0a5f6e7d8c9b0a5f6e7d8c9b0a5f6e"}
	return in
}

// badNight is one that nobody should close on: a job failed, a total is off, Stripe was out of reach, everything is red, texts are hostile.
func badNight() Input {
	in := busyNight()
	in.Stripe = StripeFacts{Note: "No key is set (STRIPE_API_KEY)."}
	in.Jobs[0].Status, in.Jobs[0].Note = "skipped", "no key"
	in.Jobs[3].Status = "failed"
	in.StripeActivity, in.StripeCash, in.Payouts, in.Disputes, in.Subscriptions = nil, nil, nil, nil, nil
	in.RollForward = Of(RollForward{"credits", "-1200", "61000", "2500", "-158420", "3411", "-1000", "-200", "25", "-93884", "-93914", "30"})
	in.ControlTotals = Of(ControlTotal{"jobs and debits", "jobs", "12402", "11002", "0", "1399", "1"}, ControlTotal{"jobs and debits", "credits", "58420", "40000", "0", "18420", "0"})
	in.breakEverything()
	return in
}

// breakEverything replaces the breaks by one or more of every kind, most of them with amounts near the limits and texts that want to get out.
func (in *Input) breakEverything() {
	var list []Break
	for i, rule := range reconcile.BreakRules {
		for j := range 3 + i%12 {
			row := newBreak(rule.Kind, fmt.Sprintf(`%s_<b>"'&%03d`, rule.SubjectType, j), "credits", "9223372036854775807", "-9223372036854775808", int64(1)<<62-int64(i*j), []string{"credits", "usd", "jpy", "kwd", "ugx", ""}[j%6],
				date("2026-03-14").AddDays(-(i*j)%60).String())
			row.BreakID = fmt.Sprintf("brk_%010d%010d", i, j)
			row.Detail = "=cmd|'/C calc'!A0\n</td></table><img src=x onerror=alert(1)> a very long explanation that goes on and on, so that the table has something to wrap around on a narrow screen"
			list = append(list, row)
		}
	}
	in.Breaks = Of(list...)
}
