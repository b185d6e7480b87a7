package reports

import (
	"context"
	"fmt"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/tables"
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

func facts(d string) figures.Facts {
	night := reconcile.NightOf(date(d), time.UTC)
	return figures.Facts{BusinessDate: night.Date, Begin: night.Begin, AsOf: night.End, TimeZone: "UTC", CodeVersion: "v1.4.0", PolicyVersion: "2025-01-01",
		Stripe: figures.StripeFacts{Looked: true}, Jobs: completed()}
}

func completed() []figures.JobRun {
	var jobs []figures.JobRun
	for _, job := range []string{"sync-stripe", "match-jobs", "credit-backs", "match-purchases", "refund-windows", "refund-requests", "refunds", "disputes", "subscriptions"} {
		jobs = append(jobs, figures.JobRun{Job: job, Status: "completed"})
	}
	return jobs
}

func emptyNight() Input {
	in := Input{Facts: facts("2026-03-14")}
	in.ControlTotals = tables.Of(tables.ControlTotal{Check: "finished jobs", Unit: "jobs", Scanned: "0", Matched: "0", Awaiting: "0", Breaks: "0", Difference: "0"})
	in.RollForward = tables.Of(tables.RollForward{Measure: "credits", Opening: "0", Purchases: "0", Promotions: "0", Usage: "0", CreditBacks: "0", Refunds: "0", Adjustments: "0", LateItems: "0", Closing: "0", ClosingFromLots: "0", Difference: "0"})
	return in
}

func newBreak(kind reconcile.BreakKind, subject, field, ours, theirs string, variance int64, unit, first string) tables.Break {
	rule, ok := kind.Rule()
	if !ok {
		panic(kind)
	}
	last, seen := date("2026-03-14"), date(first)
	return tables.Break{BreakID: fmt.Sprintf("brk_%020d", len(subject)*7919+len(kind)*104729+int(variance&0xffff)), Kind: kind, Severity: rule.Severity, Status: "open", AccountID: "acct_" + subject[max(0, len(subject)-3):],
		SubjectType: rule.SubjectType, SubjectID: subject, Field: field, Ours: ours, Theirs: theirs, Variance: numbers.Int(variance), Unit: unit,
		FirstSeen: seen, LastSeen: last, AgeDays: int64(last.DaysSince(seen)), Action: rule.Action, Detail: ""}
}

func busyBreaks() []tables.Break {
	list := []tables.Break{
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
	in.Breaks = tables.Of(busyBreaks()...)
	var backs []tables.CreditBack
	codes := []struct{ code, class, decision string }{{"NODE_FAIL", "system", "credited"}, {"XID_79", "system", "credited"}, {"nccl_timeout", "system", "credited"},
		{"invalid_dataset", "user", "not_due"}, {"prompt_rejected", "user", "not_due"}, {"E_WEIRD", "unknown", "pending"}, {"", "unknown", "pending"}}
	for i := range 60 {
		c := codes[(i*i+i/3)%len(codes)]
		row := tables.CreditBack{JobID: fmt.Sprintf("job_%06d", 1000+i), AccountID: fmt.Sprintf("acct_%03d", i%9), Kind: []string{"image", "video", "fine_tune"}[i%3],
			FailureCode: c.code, Class: c.class, Debited: numbers.Int(int64(10 + i*3)), CreditedBefore: "0", CreditBack: "0", Decision: c.decision, Clause: "3.1", Reason: "the job failed on our side: a node was lost"}
		if c.decision == "credited" {
			row.CreditBack, row.EntryID = row.Debited, fmt.Sprintf("cb_%06d", 1000+i)
		}
		backs = append(backs, row)
	}
	in.CreditBacks = tables.Of(backs...)
	var windows []tables.RefundWindow
	for i := range 40 {
		done := at("2026-03-07T02:00:00Z").Add(time.Duration(i) * 4 * time.Hour)
		row := tables.RefundWindow{PurchaseID: fmt.Sprintf("pur_%05d", 100+i), AccountID: fmt.Sprintf("acct_%03d", i%11), CompletedAt: done, ExpiresAt: done.Add(168 * time.Hour),
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
	in.RefundWindows = tables.Of(windows...)
	in.RefundDecisions = tables.Of(
		tables.RefundDecision{RequestID: "req_0029", AccountID: "acct_001", PurchaseID: "pur_00104", RequestedAt: at("2026-03-14T09:12:00Z"), DueDate: date("2026-03-25"), Decision: "approve", RefundMinor: "4728", Currency: "usd", Clauses: "2.1 2.2", Reasons: "None of the credits were used, and the request was made in time. Of the 49.00 USD paid, 1.72 USD of transaction fees are not refunded.", DaysLeft: 7},
		tables.RefundDecision{RequestID: "req_0030", AccountID: "acct_002", PurchaseID: "pur_00107", RequestedAt: at("2026-03-14T10:00:00Z"), DueDate: date("2026-03-25"), Decision: "deny", RefundMinor: "", Currency: "usd", Clauses: "2.3", Reasons: "120 of the 500 credits of this purchase were used already.", DaysLeft: 7},
		tables.RefundDecision{RequestID: "req_0031", AccountID: "acct_003", RequestedAt: at("2026-03-03T10:00:00Z"), DueDate: date("2026-03-12"), Decision: "needs_information", Clauses: "6", Reasons: "Please tell us: purchase date.", DaysLeft: -1},
		tables.RefundDecision{RequestID: "req_0032", AccountID: "acct_004", PurchaseID: "pur_00111", RequestedAt: at("2026-03-13T10:00:00Z"), DueDate: date("2026-03-24"), Decision: "waiting", Currency: "eur", Clauses: "2.2", Reasons: "The transaction fee of the payment is not known yet.", DaysLeft: 6},
		tables.RefundDecision{RequestID: "req_0033", AccountID: "acct_005", JobID: "job_001777", RequestedAt: at("2026-03-05T10:00:00Z"), DueDate: date("2026-03-16"), Decision: "waiting", Clauses: "3", Reasons: "Whose fault the failure was is not classified yet.", DaysLeft: 1},
	)
	in.Notifications = tables.Of(
		tables.Notification{RequestID: "req_0029", AccountID: "acct_001", Outcome: "approve", AmountMinor: "4728", Currency: "usd", Message: "We approved your refund request. You get back 47.28 USD."},
		tables.Notification{RequestID: "req_0030", AccountID: "acct_002", Outcome: "deny", Message: "We can't refund this purchase: 120 of the 500 credits were used already."},
	)
	in.RollForward = tables.Of(
		tables.RollForward{Measure: "credits", Opening: "1204330", Purchases: "61000", Promotions: "2500", Usage: "-58420", CreditBacks: "3411", Refunds: "-1000", Adjustments: "-200", LateItems: "25", Closing: "1211646", ClosingFromLots: "1211646", Difference: "0"},
		tables.RollForward{Measure: "eur", Opening: "480012", Purchases: "29400", Promotions: "0", Usage: "-21877", CreditBacks: "941", Refunds: "0", Adjustments: "0", LateItems: "0", Closing: "488476", ClosingFromLots: "488476", Difference: "0"},
		tables.RollForward{Measure: "jpy", Opening: "90000", Purchases: "9800", Promotions: "0", Usage: "-4100", CreditBacks: "0", Refunds: "0", Adjustments: "0", LateItems: "0", Closing: "95700", ClosingFromLots: "95700", Difference: "0"},
		tables.RollForward{Measure: "usd", Opening: "10431177", Purchases: "514500", Promotions: "0", Usage: "-480230", CreditBacks: "22410", Refunds: "-4900", Adjustments: "-1630", LateItems: "214", Closing: "10481541", ClosingFromLots: "10481541", Difference: "0"},
	)
	in.StripeActivity = tables.Of(
		tables.StripeActivity{ReportingCategory: "charge", Currency: "eur", Count: 6, Gross: "29400", Fee: "1032", Net: "28368"}, tables.StripeActivity{ReportingCategory: "charge", Currency: "usd", Count: 105, Gross: "514500", Fee: "18060", Net: "496440"},
		tables.StripeActivity{ReportingCategory: "dispute", Currency: "usd", Count: 1, Gross: "-4900", Fee: "1500", Net: "-6400"}, tables.StripeActivity{ReportingCategory: "payout", Currency: "usd", Count: 1, Gross: "-402115", Fee: "0", Net: "-402115"}, tables.StripeActivity{ReportingCategory: "refund", Currency: "usd", Count: 1, Gross: "-4728", Fee: "0", Net: "-4728"},
	)
	in.StripeCash = tables.Of(
		tables.StripeCash{Currency: "eur", OpeningMinor: "120400", ActivityMinor: "28368", PayoutsMinor: "0", ClosingMinor: "148768", AvailableMinor: "90000", PendingMinor: "58768"},
		tables.StripeCash{Currency: "usd", OpeningMinor: "1890211", ActivityMinor: "485312", PayoutsMinor: "-402115", ClosingMinor: "1973408", AvailableMinor: "900000", PendingMinor: "1073408", BalanceAt: tables.Moment{Time: at("2026-03-15T00:10:00Z")}, AfterMinor: "4728", StripeAvailableMinor: "900000", StripePendingMinor: "1078136", ResidualMinor: "0"},
	)
	in.Payouts = tables.Of(
		tables.Payout{PayoutID: "po_0007", Currency: "usd", Status: "paid", Automatic: true, Method: "standard", Type: "bank_account", CreatedAt: at("2026-03-12T00:05:00Z"), ArrivalDate: date("2026-03-14"), AmountMinor: 398220, Transactions: 88, GrossMinor: "411020", FeeMinor: "12800", NetMinor: "398220", ReturnedMinor: "0", ResidualMinor: "0", TieOut: "tied"},
		tables.Payout{PayoutID: "po_0008", Currency: "usd", Status: "in_transit", Automatic: true, Method: "standard", Type: "bank_account", CreatedAt: at("2026-03-14T00:05:00Z"), ArrivalDate: date("2026-03-17"), AmountMinor: 402115, Transactions: 91, GrossMinor: "415000", FeeMinor: "12885", NetMinor: "402115", ReturnedMinor: "0", ResidualMinor: "0", TieOut: "tied"},
	)
	in.PayoutItems = func(_ context.Context, fn func(tables.PayoutItem) error) error {
		for _, payout := range []struct {
			id         string
			items      int64
			gross, fee int64
		}{{"po_0007", 88, 411020, 12800}, {"po_0008", 91, 415000, 12885}} {
			for i := range payout.items {
				item := tables.PayoutItem{PayoutID: payout.id, BalanceTransactionID: fmt.Sprintf("txn_%s_%03d", payout.id[3:], i), ReportingCategory: "charge", SourceID: fmt.Sprintf("ch_%04d", i),
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
	in.Bridge = tables.Of(tables.BridgeItem{Currency: "eur", Step: "charged_before", PurchaseID: "pur_00301", ChargeID: "ch_0301", AccountID: "acct_004", AmountMinor: -4900}, tables.BridgeItem{Currency: "usd", Step: "no_purchase", PurchaseID: "", ChargeID: "ch_0302", AccountID: "", AmountMinor: 1900},
		tables.BridgeItem{Currency: "usd", Step: "not_charged", PurchaseID: "pur_00088", ChargeID: "", AccountID: "acct_088", AmountMinor: -4900}, tables.BridgeItem{Currency: "usd", Step: "other_amount", PurchaseID: "pur_00091", ChargeID: "ch_0091", AccountID: "acct_091", AmountMinor: -1000})
	in.BridgeEnds = []figures.BridgeEnds{{Currency: "eur", Purchases: 6, PurchasesMinor: "29400", Charges: 5, ChargesMinor: "24500"}, {Currency: "usd", Purchases: 105, PurchasesMinor: "514500", Charges: 105, ChargesMinor: "510500"}}
	in.Disputes = tables.Of(
		tables.Dispute{DisputeID: "dp_0004", AccountID: "acct_004", PurchaseID: "pur_00071", ChargeID: "ch_0071", Phase: "chargeback", Status: "needs_response", Reason: "fraudulent", OpenedAt: at("2026-03-11T14:00:00Z"), EvidenceDueBy: tables.Moment{Time: at("2026-03-20T23:59:59Z")}, AmountMinor: 4900, Currency: "usd", WithdrawnMinor: "4900", ReturnedMinor: "0", FeesMinor: "1500", SettlementCurrency: "usd", RefundedMinor: "0", ClawbackMinor: "4900", ReinstatementMinor: "6400", AccountStatus: "active", ReviewSuspension: true, TieOut: "tied"},
		tables.Dispute{DisputeID: "dp_0003", AccountID: "acct_007", PurchaseID: "pur_00055", ChargeID: "ch_0055", Phase: "chargeback", Status: "needs_response", Reason: "product_not_received", OpenedAt: at("2026-03-09T08:00:00Z"), EvidenceDueBy: tables.Moment{Time: at("2026-03-17T23:59:59Z")}, AmountMinor: 9600, Currency: "jpy", WithdrawnMinor: "9600", ReturnedMinor: "0", FeesMinor: "0", SettlementCurrency: "jpy", RefundedMinor: "0", ClawbackMinor: "9600", ReinstatementMinor: "9600", AccountStatus: "suspended", TieOut: "tied"},
	)
	in.Subscriptions = tables.Of(
		tables.Subscription{SubscriptionID: "sub_001", AccountID: "acct_008", StripeSubscriptionID: "sub_1Qx", Plan: "studio", Status: "active", StripeStatus: "active", CurrentPeriodStart: tables.Moment{Time: at("2026-03-01T00:00:00Z")}, CurrentPeriodEnd: tables.Moment{Time: at("2026-04-01T00:00:00Z")}, InvoicedMinor: "0", PaidMinor: "0", ProratedMinor: "0", RefundedMinor: "0", Currency: "usd", TieOut: "tied"},
	)
	in.Journal = tables.Of(
		tables.JournalLine{EntryID: "purchase:pur_00100", LineNo: 1, AccountID: "acct_001", Kind: "purchase", Account: "Assets:Stripe:Clearing:USD", Debit: "4900", Credit: "", Currency: "usd", Description: "Purchase pur_00100", Source: "pur_00100", Clause: "2.1"},
		tables.JournalLine{EntryID: "purchase:pur_00100", LineNo: 2, AccountID: "acct_001", Kind: "purchase", Account: "Liabilities:Refunds:USD", Debit: "", Credit: "4900", Currency: "usd", Description: "Purchase pur_00100", Source: "pur_00100", Clause: "2.1"},
		tables.JournalLine{EntryID: "usage:2026-03-14", LineNo: 1, AccountID: "", Kind: "usage", Account: "Liabilities:Contract:JPY", Debit: "4100", Credit: "", Currency: "jpy", Description: "Usage of the night", Source: "", Clause: ""},
		tables.JournalLine{EntryID: "usage:2026-03-14", LineNo: 2, AccountID: "", Kind: "usage", Account: "Income:Usage:JPY", Debit: "", Credit: "4100", Currency: "jpy", Description: "Usage of the night", Source: "", Clause: ""},
	)
	in.ControlTotals = tables.Of(
		tables.ControlTotal{Check: "charges", Unit: "", Scanned: "111", Matched: "108", Awaiting: "2", Breaks: "1", Difference: "0"}, tables.ControlTotal{Check: "charges", Unit: "usd", Scanned: "514500", Matched: "504700", Awaiting: "8800", Breaks: "1000", Difference: "0"},
		tables.ControlTotal{Check: "jobs and debits", Unit: "credits", Scanned: "58420", Matched: "57450", Awaiting: "0", Breaks: "970", Difference: "0"}, tables.ControlTotal{Check: "jobs and debits", Unit: "jobs", Scanned: "12402", Matched: "12399", Awaiting: "0", Breaks: "3", Difference: "0"},
		tables.ControlTotal{Check: "purchases and grants", Unit: "", Scanned: "111", Matched: "111", Awaiting: "0", Breaks: "0", Difference: "0"}, tables.ControlTotal{Check: "source jobs", Unit: "rows", Scanned: "12404", Matched: "12402", Awaiting: "0", Breaks: "2", Difference: "0"},
	)
	in.Awaited = []tables.Awaited{
		{Check: "charges on the platform", Objects: 2, SubjectID: "ch_0098", Since: tables.Moment{Time: at("2026-03-14T21:10:00Z")}, Amount: "4400", Unit: "usd"},
		{Check: "refunds that stood", Objects: 2, SubjectID: "re_0011", AccountID: "acct_003", Since: tables.Moment{Time: at("2026-03-08T09:00:00Z")}, Amount: "4728", Unit: "usd", Detail: "purchase pur_00091, pending for 6 days"},
		{Check: "refunds that stood", Objects: 2, SubjectID: "re_0012", AccountID: "acct_006", Since: tables.Moment{Time: at("2026-03-13T18:00:00Z")}, Amount: "9600", Unit: "jpy", Detail: "purchase pur_00095, pending for 1 days"},
	}
	in.Rejects = tables.Of(tables.Reject{Relation: "jobs", RowID: "job_bad1", Field: "credit_cost", AccountID: "acct_001", Value: "-5", Problem: "must not be negative"}, tables.Reject{Relation: "jobs", RowID: "job_bad2", Field: "finished_at", AccountID: "acct_002", Value: "2026-03-14 08:00:00+00", Problem: "is before created_at"})
	in.Sources = []SourceTotal{{"credit_entries", 12611, "1234", "998877665544332211"}, {"jobs", 12404, "58425", "112233445566778899"}}
	for i := range 29 {
		if i == 11 {
			continue
		}
		d := date("2026-02-13").AddDays(i)
		in.Before = append(in.Before, figures.NightFigures{Date: d, Revision: 1, Status: figures.StatusTied, Stripe: i > 2, Errors: int64(i * 7 % 9), Warnings: int64(i*5%7 + i/4), Infos: int64(i % 3), NewBreaks: int64(i % 5),
			FailedJobs: int64(40 + i*13%23), Credited: numbers.Int(int64(2500 + i*i*31%2900)), Undecided: int64(3 + i%4), Overdue: int64(i / 14), Closing: numbers.Int(int64(1100000 + i*3721)), Approved: []figures.Amount{{Unit: "usd", Value: "4728"}}})
	}
	in.Previous = &PreviousNight{date("2026-03-13"), 1, "5f6e7d8c9b0a5f6e7d8c9b0a5f6e7d8c9b0a5f6e7d8c9b0a5f6e7d8c9b0a5f6e"}
	return in
}

// badNight is one that nobody should close on: a job failed, a total is off, Stripe was out of reach, everything is red, texts are hostile.
func badNight() Input {
	in := busyNight()
	in.Stripe = figures.StripeFacts{Note: "No key is set (STRIPE_API_KEY)."}
	in.Jobs[0].Status, in.Jobs[0].Note = "skipped", "no key"
	in.Jobs[3].Status = "failed"
	in.StripeActivity, in.StripeCash, in.Payouts, in.Disputes, in.Subscriptions = nil, nil, nil, nil, nil
	in.RollForward = tables.Of(tables.RollForward{Measure: "credits", Opening: "-1200", Purchases: "61000", Promotions: "2500", Usage: "-158420", CreditBacks: "3411", Refunds: "-1000", Adjustments: "-200", LateItems: "25", Closing: "-93884", ClosingFromLots: "-93914", Difference: "30"})
	in.ControlTotals = tables.Of(tables.ControlTotal{Check: "jobs and debits", Unit: "jobs", Scanned: "12402", Matched: "11002", Awaiting: "0", Breaks: "1399", Difference: "1"}, tables.ControlTotal{Check: "jobs and debits", Unit: "credits", Scanned: "58420", Matched: "40000", Awaiting: "0", Breaks: "18420", Difference: "0"})
	in.breakEverything()
	return in
}

// breakEverything replaces the breaks by one or more of every kind, most of them with amounts near the limits and texts that want to get out.
func (in *Input) breakEverything() {
	var list []tables.Break
	for i, rule := range reconcile.BreakRules {
		for j := range 3 + i%12 {
			row := newBreak(rule.Kind, fmt.Sprintf(`%s_<b>"'&%03d`, rule.SubjectType, j), "credits", "9223372036854775807", "-9223372036854775808", int64(1)<<62-int64(i*j), []string{"credits", "usd", "jpy", "kwd", "ugx", ""}[j%6],
				date("2026-03-14").AddDays(-(i*j)%60).String())
			row.BreakID = fmt.Sprintf("brk_%010d%010d", i, j)
			row.Detail = "=cmd|'/C calc'!A0\n</td></table><img src=x onerror=alert(1)> a very long explanation that goes on and on, so that the table has something to wrap around on a narrow screen"
			list = append(list, row)
		}
	}
	in.Breaks = tables.Of(list...)
}
