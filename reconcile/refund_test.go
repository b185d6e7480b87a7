package reconcile_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hummingbytes/reconciler/reconcile"
)

var noon = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)

// refundable is a request that nothing speaks against; tests change what they are about.
func refundable() reconcile.RefundFacts {
	return reconcile.RefundFacts{
		Kind: reconcile.RequestUnusedCredits, Status: reconcile.RequestPending, RequestedAt: noon.Add(time.Hour), PurchaseMatches: 1,
		Stated: reconcile.StatedFacts{AccountEmail: true, PurchaseID: true, Date: true, Amount: true, Currency: true, Reason: true},
		Purchase: &reconcile.PurchaseFacts{
			ID: "pur_1", Kind: reconcile.PurchaseCredits, Status: reconcile.PurchaseCompleted, AmountMinor: 1000, Currency: "usd",
			CompletedAt: noon, ExpiresAt: noon.Add(week), Credits: 100,
			Payment: reconcile.Payment{Currency: "usd", CapturedMinor: 1000, SettledMinor: 1000, FeeMinor: 59, Known: true},
		},
	}
}

func reasonCodes(d reconcile.RefundDecision) string {
	var codes []string
	for _, r := range d.Reasons {
		codes = append(codes, string(r.Code)+":"+r.Clause)
	}
	return strings.Join(codes, " ")
}

func TestDecideRefundOfUnusedCredits(t *testing.T) {
	tests := []struct {
		name     string
		change   func(*reconcile.RefundFacts)
		decision reconcile.Decision
		refund   int64
		fee      int64
		reasons  string
		clauses  string
		missing  string
	}{
		{"in order", func(f *reconcile.RefundFacts) {}, reconcile.DecisionApprove, 941, 59, "unused_in_time:2.1 fee_withheld:2.2", "2.1 2.2", ""},
		{"no fee was taken", func(f *reconcile.RefundFacts) { f.Purchase.Payment.FeeMinor = 0 }, reconcile.DecisionApprove, 1000, 0, "unused_in_time:2.1", "2.1", ""},
		{"the fee is as much as was paid", func(f *reconcile.RefundFacts) { f.Purchase.Payment.FeeMinor = 1000 }, reconcile.DecisionApprove, 0, 1000, "unused_in_time:2.1 fee_exceeds_amount:2.2", "2.1 2.2", ""},
		{"the fee is more than was paid", func(f *reconcile.RefundFacts) { f.Purchase.Payment.FeeMinor = 1001 }, reconcile.DecisionApprove, 0, 1000, "unused_in_time:2.1 fee_exceeds_amount:2.2", "2.1 2.2", ""},
		{"nothing was paid, so no fee is waited for", func(f *reconcile.RefundFacts) { f.Purchase.AmountMinor, f.Purchase.Payment.Known = 0, false }, reconcile.DecisionApprove, 0, 0, "unused_in_time:2.1 nothing_paid:2.2", "2.1 2.2", ""},
		{"requested at the last instant", func(f *reconcile.RefundFacts) { f.RequestedAt = noon.Add(week) }, reconcile.DecisionApprove, 941, 59, "unused_in_time:2.1 fee_withheld:2.2", "2.1 2.2", ""},
		{"requested a second late", func(f *reconcile.RefundFacts) { f.RequestedAt = noon.Add(week + time.Second) }, reconcile.DecisionDeny, 0, 0, "requested_late:2.3", "2.3", ""},
		{"one credit used", func(f *reconcile.RefundFacts) { f.Purchase.UsedCredits = 1 }, reconcile.DecisionDeny, 0, 0, "credits_used:2.3", "2.3", ""},
		{"disputed", func(f *reconcile.RefundFacts) { f.Purchase.Disputed = true }, reconcile.DecisionDeny, 0, 0, "disputed:5.1", "5.1", ""},
		{"refunded before", func(f *reconcile.RefundFacts) { f.Purchase.RefundedBefore = true }, reconcile.DecisionDeny, 0, 0, "refunded_before:1", "1", ""},
		{"not completed", func(f *reconcile.RefundFacts) {
			f.Purchase.Status, f.Purchase.CompletedAt, f.Purchase.ExpiresAt = reconcile.PurchasePending, time.Time{}, time.Time{}
		}, reconcile.DecisionDeny, 0, 0, "purchase_not_completed:2.1", "2.1", ""},
		{"failed", func(f *reconcile.RefundFacts) { f.Purchase.Status = reconcile.PurchaseFailed }, reconcile.DecisionDeny, 0, 0, "purchase_not_completed:2.1", "2.1", ""},
		{"a subscription has no window, and its credits don't matter", func(f *reconcile.RefundFacts) {
			f.Purchase.Kind, f.Purchase.UsedCredits, f.RequestedAt = reconcile.PurchaseSubscription, 5, noon.Add(2*week)
		}, reconcile.DecisionDeny, 0, 0, "not_a_credit_purchase:4.1", "4.1", ""},
		{"everything at once", func(f *reconcile.RefundFacts) {
			f.RequestedAt, f.Status = noon.Add(2*week), reconcile.RequestWithdrawn
			f.Purchase.UsedCredits, f.Purchase.Disputed, f.Purchase.RefundedBefore, f.Purchase.Payment.Known = 1, true, true, false
		}, reconcile.DecisionDeny, 0, 0, "withdrawn:6 requested_late:2.3 credits_used:2.3 disputed:5.1 refunded_before:1", "1 2.3 5.1 6", ""},
		{"fee unknown", func(f *reconcile.RefundFacts) { f.Purchase.Payment.Known = false }, reconcile.DecisionWaiting, 0, 0, "fee_unknown:2.2", "2.2", ""},
		{"fee unknown, but denied all the same", func(f *reconcile.RefundFacts) { f.Purchase.Payment.Known, f.Purchase.UsedCredits = false, 1 }, reconcile.DecisionDeny, 0, 0, "credits_used:2.3", "2.3", ""},
		{"withdrawn", func(f *reconcile.RefundFacts) { f.Status = reconcile.RequestWithdrawn }, reconcile.DecisionDeny, 0, 0, "withdrawn:6", "6", ""},
		{"withdrawn at an instant that is known, unanswered", func(f *reconcile.RefundFacts) {
			f.Status, f.StatusSince = reconcile.RequestWithdrawn, noon.Add(time.Hour)
		}, reconcile.DecisionDeny, 0, 0, "withdrawn:6", "6", ""},
		{"denied on the platform", func(f *reconcile.RefundFacts) { f.Status = reconcile.RequestDenied }, reconcile.DecisionDeny, 0, 0, "decided_on_platform:6", "6", ""},
		{"approved on the platform", func(f *reconcile.RefundFacts) { f.Status = reconcile.RequestApproved }, reconcile.DecisionApprove, 941, 59, "unused_in_time:2.1 fee_withheld:2.2 approved_on_platform:6", "2.1 2.2 6", ""},
		{"approved on the platform against the policy", func(f *reconcile.RefundFacts) { f.Status, f.Purchase.UsedCredits = reconcile.RequestApproved, 1 }, reconcile.DecisionDeny, 0, 0, "credits_used:2.3 approved_on_platform:6", "2.3 6", ""},
		{"no purchase fits, no id and half the details", func(f *reconcile.RefundFacts) {
			f.Purchase, f.PurchaseMatches, f.Stated = nil, 0, reconcile.StatedFacts{AccountEmail: true, Reason: true}
		}, reconcile.DecisionNeedsInformation, 0, 0, "purchase_not_found:6", "6", "purchase date; purchase amount; purchase currency"},
		{"no purchase has the id", func(f *reconcile.RefundFacts) { f.Purchase, f.PurchaseMatches = nil, 0 }, reconcile.DecisionNeedsInformation, 0, 0, "purchase_not_found:6", "6", "purchase id"},
		{"no purchase has the invoice", func(f *reconcile.RefundFacts) {
			f.Purchase, f.PurchaseMatches, f.Stated = nil, 0, reconcile.StatedFacts{AccountEmail: true, InvoiceID: true, Reason: true}
		}, reconcile.DecisionNeedsInformation, 0, 0, "purchase_not_found:6", "6", "invoice id"},
		{"no purchase has the id, no account the e-mail", func(f *reconcile.RefundFacts) { f.Purchase, f.PurchaseMatches, f.EmailUnknown = nil, 0, true },
			reconcile.DecisionNeedsInformation, 0, 0, "email_unknown:6 purchase_not_found:6", "6", "account email; purchase id"},
		{"all details given, the amount differs", func(f *reconcile.RefundFacts) {
			f.Purchase, f.PurchaseMatches, f.Stated.PurchaseID, f.HasPurchases, f.Nearest.Amount = nil, 0, false, true, true
		}, reconcile.DecisionNeedsInformation, 0, 0, "purchase_not_found:6", "6", "purchase amount"},
		{"the date differs, and there is no currency", func(f *reconcile.RefundFacts) {
			f.Purchase, f.PurchaseMatches, f.Stated.PurchaseID, f.Stated.Currency, f.HasPurchases, f.Nearest.Date = nil, 0, false, false, true, true
		}, reconcile.DecisionNeedsInformation, 0, 0, "purchase_not_found:6", "6", "purchase currency; purchase date"},
		{"all details given, all differ", func(f *reconcile.RefundFacts) {
			f.Purchase, f.PurchaseMatches, f.Stated.PurchaseID, f.HasPurchases = nil, 0, false, true
			f.Nearest = reconcile.StatedDifferences{Date: true, Amount: true, Currency: true}
		}, reconcile.DecisionNeedsInformation, 0, 0, "purchase_not_found:6", "6", "details that match a purchase of the account"},
		{"all details given, the account has no purchase", func(f *reconcile.RefundFacts) {
			f.Purchase, f.PurchaseMatches, f.Stated.PurchaseID = nil, 0, false
		}, reconcile.DecisionNeedsInformation, 0, 0, "purchase_not_found:6", "6", "details that match a purchase of the account"},
		{"no account has the e-mail", func(f *reconcile.RefundFacts) {
			f.Purchase, f.PurchaseMatches, f.Stated.PurchaseID, f.Stated.Date, f.EmailUnknown = nil, 0, false, false, true
		}, reconcile.DecisionNeedsInformation, 0, 0, "email_unknown:6", "6", "account email; purchase date"},
		{"no account has the e-mail, the purchase is somebody's", func(f *reconcile.RefundFacts) { f.Purchase.OtherAccount, f.EmailUnknown = true, true },
			reconcile.DecisionNeedsInformation, 0, 0, "email_unknown:6", "6", "account email"},
		{"the account's own purchase, another account's e-mail", func(f *reconcile.RefundFacts) { f.EmailOfAnother = true },
			reconcile.DecisionNeedsInformation, 0, 0, "email_of_another_account:6", "6", "account email"},
		{"another account's e-mail and its purchase", func(f *reconcile.RefundFacts) { f.EmailOfAnother, f.Purchase.OtherAccount = true, true },
			reconcile.DecisionNeedsInformation, 0, 0, "email_of_another_account:6", "6", "account email"},
		{"another account's e-mail, withdrawn", func(f *reconcile.RefundFacts) { f.EmailOfAnother, f.Status = true, reconcile.RequestWithdrawn },
			reconcile.DecisionDeny, 0, 0, "withdrawn:6", "6", ""},
		{"no reason", func(f *reconcile.RefundFacts) { f.Stated.Reason = false }, reconcile.DecisionNeedsInformation, 0, 0, "no_reason_given:6", "6", "reason for the request"},
		{"no reason, but denied all the same", func(f *reconcile.RefundFacts) { f.Stated.Reason, f.Purchase.UsedCredits = false, 1 }, reconcile.DecisionDeny, 0, 0, "credits_used:2.3", "2.3", ""},
		{"no reason, and no such purchase", func(f *reconcile.RefundFacts) { f.Purchase, f.PurchaseMatches, f.Stated.Reason = nil, 0, false },
			reconcile.DecisionNeedsInformation, 0, 0, "purchase_not_found:6 no_reason_given:6", "6", "purchase id; reason for the request"},
		{"nothing stated at all", func(f *reconcile.RefundFacts) {
			f.Purchase, f.PurchaseMatches, f.Stated = nil, 0, reconcile.StatedFacts{}
		}, reconcile.DecisionNeedsInformation, 0, 0, "purchase_not_found:6 no_reason_given:6", "6", "account email; purchase date; purchase amount; purchase currency; reason for the request"},
		{"two purchases fit", func(f *reconcile.RefundFacts) {
			f.Purchase, f.PurchaseMatches, f.Stated.PurchaseID, f.Stated.Currency = nil, 2, false, false
		}, reconcile.DecisionNeedsInformation, 0, 0, "purchase_ambiguous:6", "6", "purchase currency; invoice id"},
		{"two purchases share the invoice", func(f *reconcile.RefundFacts) {
			f.Purchase, f.PurchaseMatches, f.Stated.InvoiceID = nil, 2, true
		}, reconcile.DecisionNeedsInformation, 0, 0, "purchase_ambiguous:6", "6", "details that match a purchase of the account"},
		{"two fit, withdrawn", func(f *reconcile.RefundFacts) {
			f.Purchase, f.PurchaseMatches, f.Status = nil, 2, reconcile.RequestWithdrawn
		}, reconcile.DecisionDeny, 0, 0, "withdrawn:6", "6", ""},
		{"none fits, denied on the platform", func(f *reconcile.RefundFacts) {
			f.Purchase, f.PurchaseMatches, f.Status = nil, 0, reconcile.RequestDenied
		}, reconcile.DecisionDeny, 0, 0, "decided_on_platform:6", "6", ""},
		{"none fits, approved on the platform", func(f *reconcile.RefundFacts) {
			f.Purchase, f.PurchaseMatches, f.Status = nil, 0, reconcile.RequestApproved
		}, reconcile.DecisionNeedsInformation, 0, 0, "purchase_not_found:6 approved_on_platform:6", "6", "purchase id"},
		{"two of three details differ, and the third is missing: no purchase is near", func(f *reconcile.RefundFacts) {
			f.Purchase, f.PurchaseMatches, f.Stated.PurchaseID, f.Stated.Currency, f.HasPurchases = nil, 0, false, false, true
			f.Nearest = reconcile.StatedDifferences{Date: true, Amount: true}
		}, reconcile.DecisionNeedsInformation, 0, 0, "purchase_not_found:6", "6", "purchase currency"},
		{"another account's e-mail, and no id: nobody's purchases were looked at", func(f *reconcile.RefundFacts) {
			f.Purchase, f.PurchaseMatches, f.Stated.PurchaseID, f.Stated.Date, f.EmailOfAnother = nil, 0, false, false, true
		}, reconcile.DecisionNeedsInformation, 0, 0, "email_of_another_account:6", "6", "account email; purchase date"},
		{"the account's own purchase, an e-mail that no account has", func(f *reconcile.RefundFacts) { f.EmailUnknown = true },
			reconcile.DecisionApprove, 941, 59, "unused_in_time:2.1 fee_withheld:2.2", "2.1 2.2", ""},
		{"the invoice was noted as paid outside of Stripe, and a charge paid it", func(f *reconcile.RefundFacts) { f.Purchase.Payment.PaidOutOfBand = true },
			reconcile.DecisionApprove, 941, 59, "unused_in_time:2.1 fee_withheld:2.2", "2.1 2.2", ""},
		{"nothing was to pay, so nothing of it came from the balance", func(f *reconcile.RefundFacts) {
			f.Purchase.AmountMinor, f.Purchase.Payment.FromBalanceMinor = 0, 300
		}, reconcile.DecisionApprove, 0, 0, "unused_in_time:2.1 nothing_paid:2.2", "2.1 2.2", ""},
		{"somebody else's purchase", func(f *reconcile.RefundFacts) { f.Purchase.OtherAccount = true }, reconcile.DecisionNeedsInformation, 0, 0, "other_account:6", "6", "account email of the account that made the purchase"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			facts := refundable()
			test.change(&facts)
			got := reconcile.DecideRefund(facts)
			if got.Decision != test.decision || got.RefundMinor != test.refund || got.FeeMinor != test.fee {
				t.Errorf("%s, refund %d, fee %d; want %s, %d, %d", got.Decision, got.RefundMinor, got.FeeMinor, test.decision, test.refund, test.fee)
			}
			if codes := reasonCodes(got); codes != test.reasons {
				t.Errorf("reasons %q, want %q", codes, test.reasons)
			}
			if clauses := strings.Join(got.Clauses, " "); clauses != test.clauses {
				t.Errorf("clauses %q, want %q", clauses, test.clauses)
			}
			if missing := strings.Join(got.Missing, "; "); missing != test.missing {
				t.Errorf("missing %q, want %q", missing, test.missing)
			}
			if wantCurrency := map[bool]string{true: "usd"}[facts.Purchase != nil && !facts.Purchase.OtherAccount && !facts.EmailOfAnother]; got.Currency != wantCurrency {
				t.Errorf("currency %q, want %q", got.Currency, wantCurrency)
			}
		})
	}
}

func TestDecideRefundOfAFailedJob(t *testing.T) {
	system := reconcile.Classification{Class: reconcile.FailureSystem, Rule: "node", Clause: "3.1", Reason: "a machine of ours failed"}
	user := reconcile.Classification{Class: reconcile.FailureUser, Rule: "data", Clause: "3.2", Reason: "the data given for it could not be used"}
	unknown := reconcile.Classification{Class: reconcile.FailureUnknown, Rule: reconcile.RuleNoCode, Clause: "3", Reason: "it carries no failure code"}
	tests := []struct {
		name     string
		status   reconcile.RequestStatus
		job      *reconcile.JobFacts
		decision reconcile.Decision
		reasons  string
		missing  string
		text     string
	}{
		{"our fault, credited", "pending", &reconcile.JobFacts{Status: "failed", Classification: system, DebitedCredits: 10, CreditedCredits: 10}, "approve", "credited_as_credits:3.1", "",
			"The job failed on our side: a machine of ours failed. We credited back what was taken for it, as credits and not as money: 10 credits."},
		{"our fault, not credited yet", "pending", &reconcile.JobFacts{Status: "interrupted", Classification: system, DebitedCredits: 1}, "approve", "credited_as_credits:3.1", "",
			"The job failed on our side: a machine of ours failed. We are crediting back what was taken for it, as credits and not as money: 1 credit."},
		{"our fault, nothing taken", "pending", &reconcile.JobFacts{Status: "failed", Classification: system}, "approve", "nothing_debited:3.1", "",
			"The job failed on our side: a machine of ours failed. No credits were taken for it."},
		{"our fault, taken from another account", "pending", &reconcile.JobFacts{Status: "failed", Classification: system, DebitedElsewhere: 4}, "approve", "nothing_debited:3.1", "",
			"The job failed on our side: a machine of ours failed. No credits were taken from the account for it so far. Should they still be, we credit them back."},
		{"the user's fault", "pending", &reconcile.JobFacts{Status: "failed", Classification: user, DebitedCredits: 10}, "deny", "user_failure:3.2", "",
			"The job did not fail on our side: the data given for it could not be used."},
		{"canceled", "pending", &reconcile.JobFacts{Status: "canceled", Classification: system, DebitedCredits: 10}, "deny", "job_canceled:3.2", "", ""},
		{"succeeded", "pending", &reconcile.JobFacts{Status: "succeeded", DebitedCredits: 10}, "deny", "job_succeeded:1", "", ""},
		{"nobody knows", "pending", &reconcile.JobFacts{Status: "failed", Classification: unknown, DebitedCredits: 10}, "waiting", "failure_unclassified:3", "", ""},
		{"never classified", "pending", &reconcile.JobFacts{Status: "failed", DebitedCredits: 10}, "waiting", "failure_unclassified:3", "", ""},
		{"running", "pending", &reconcile.JobFacts{Status: "running"}, "waiting", "job_unfinished:3", "", ""},
		{"queued", "pending", &reconcile.JobFacts{Status: "queued"}, "waiting", "job_unfinished:3", "", ""},
		{"no such job", "pending", nil, "needs_information", "job_not_found:6", "the id of a job of the account", ""},
		{"somebody else's job", "pending", &reconcile.JobFacts{Status: "failed", Classification: system, OtherAccount: true}, "needs_information", "other_account:6", "account email of the account that ran the job", ""},
		{"withdrawn while we would approve", "withdrawn", &reconcile.JobFacts{Status: "failed", Classification: system, DebitedCredits: 10}, "deny", "withdrawn:6", "", ""},
		{"withdrawn while we would deny", "withdrawn", &reconcile.JobFacts{Status: "failed", Classification: user}, "deny", "withdrawn:6 user_failure:3.2", "", ""},
		{"withdrawn while we would wait", "withdrawn", &reconcile.JobFacts{Status: "running"}, "deny", "withdrawn:6", "", ""},
		{"denied on the platform, no such job", "denied", nil, "deny", "decided_on_platform:6", "", ""},
		{"approved on the platform, but the user's fault", "approved", &reconcile.JobFacts{Status: "failed", Classification: user}, "deny", "user_failure:3.2 approved_on_platform:6", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := reconcile.DecideRefund(reconcile.RefundFacts{
				Kind: reconcile.RequestFailedJob, Status: test.status, RequestedAt: noon, Stated: reconcile.StatedFacts{AccountEmail: true, JobID: true, Reason: true}, Job: test.job,
			})
			if got.Decision != test.decision || reasonCodes(got) != test.reasons || strings.Join(got.Missing, "; ") != test.missing {
				t.Errorf("%s, %q, missing %q; want %s, %q, %q", got.Decision, reasonCodes(got), got.Missing, test.decision, test.reasons, test.missing)
			}
			if got.RefundMinor != 0 || got.FeeMinor != 0 || got.Currency != "" {
				t.Errorf("a failed job is refunded in money: %+v", got)
			}
			if test.text != "" && got.Reasons[0].Text != test.text {
				t.Errorf("%q, want %q", got.Reasons[0].Text, test.text)
			}
		})
	}
	got := reconcile.DecideRefund(reconcile.RefundFacts{Kind: reconcile.RequestFailedJob, Status: reconcile.RequestPending, Stated: reconcile.StatedFacts{Reason: true}})
	if got.Decision != reconcile.DecisionNeedsInformation || !slices.Equal(got.Missing, []string{reconcile.MissingJobID}) {
		t.Errorf("without a job id: %+v", got)
	}
}

// A request about a job is asked whose it is by what it says of the account, once.
func TestWhoAsksAboutAFailedJob(t *testing.T) {
	for name, test := range map[string]struct {
		otherAccount, emailUnknown, emailOfAnother bool
		reasons, missing                           string
	}{
		"the account's own job":                                  {false, false, false, "nothing_debited:3.1", ""},
		"the account's own job, an e-mail that no account has":   {false, true, false, "nothing_debited:3.1", ""},
		"the account's own job, another account's e-mail":        {false, false, true, "email_of_another_account:6", "account email"},
		"another account's job and its e-mail":                   {true, false, true, "email_of_another_account:6", "account email"},
		"another account's job, an e-mail that no account has":   {true, true, false, "email_unknown:6", "account email"},
		"another account's job, the e-mail of the one that asks": {true, false, false, "other_account:6", "account email of the account that ran the job"},
	} {
		got := reconcile.DecideRefund(reconcile.RefundFacts{
			Kind: reconcile.RequestFailedJob, Status: reconcile.RequestPending, Stated: reconcile.StatedFacts{AccountEmail: true, JobID: true, Reason: true},
			EmailUnknown: test.emailUnknown, EmailOfAnother: test.emailOfAnother,
			Job: &reconcile.JobFacts{Status: reconcile.JobFailed, Classification: reconcile.Classification{Class: reconcile.FailureSystem}, OtherAccount: test.otherAccount},
		})
		if codes, missing := reasonCodes(got), strings.Join(got.Missing, "; "); codes != test.reasons || missing != test.missing {
			t.Errorf("%s: %s, missing %q; want %s, %q", name, codes, missing, test.reasons, test.missing)
		}
	}
}

func drawFacts(t *rapid.T) reconcile.RefundFacts {
	chance := func(label string) bool { return rapid.IntRange(0, 3).Draw(t, label) == 0 }
	f := refundable()
	f.Kind = rapid.SampledFrom([]reconcile.RequestKind{reconcile.RequestUnusedCredits, reconcile.RequestFailedJob}).Draw(t, "kind")
	f.Status = rapid.SampledFrom([]reconcile.RequestStatus{"pending", "pending", "approved", "denied", "withdrawn"}).Draw(t, "status")
	f.RequestedAt = noon.Add(week + time.Duration(rapid.IntRange(-2, 1).Draw(t, "seconds late"))*time.Second)
	f.PurchaseMatches = rapid.SampledFrom([]int{1, 1, 1, 0, 2}).Draw(t, "matches")
	f.Stated = reconcile.StatedFacts{
		AccountEmail: chance("email"), PurchaseID: chance("purchase id"), InvoiceID: chance("invoice"), JobID: chance("job id"),
		Date: chance("date"), Amount: chance("amount given"), Currency: chance("currency given"), Reason: !chance("no reason"),
	}
	f.EmailUnknown, f.HasPurchases = chance("unknown e-mail"), chance("has purchases")
	f.EmailOfAnother = !f.EmailUnknown && chance("another's e-mail")
	f.Nearest = reconcile.StatedDifferences{Date: f.Stated.Date && chance("other date"), Amount: f.Stated.Amount && chance("other amount"),
		Currency: f.Stated.Currency && chance("other currency")}
	p := f.Purchase
	p.Kind = rapid.SampledFrom([]reconcile.PurchaseKind{"credits", "credits", "subscription"}).Draw(t, "purchase kind")
	p.Status = rapid.SampledFrom([]reconcile.PurchaseStatus{"completed", "completed", "completed", "pending", "failed"}).Draw(t, "purchase status")
	p.AmountMinor, p.Payment.FeeMinor = rapid.Int64Range(0, 2000).Draw(t, "amount"), rapid.Int64Range(0, 100).Draw(t, "fee")
	p.Currency = rapid.SampledFrom([]string{"usd", "jpy", "kwd", "ugx"}).Draw(t, "currency")
	p.Payment.Currency, p.Payment.InvoiceID = p.Currency, "INV-1"
	if chance("from balance") {
		p.Payment.FromBalanceMinor = min(p.AmountMinor, 300)
	}
	p.Payment.CapturedMinor = p.AmountMinor - p.Payment.FromBalanceMinor
	if p.AmountMinor > 0 && chance("other amount") {
		p.Payment.CapturedMinor += 500
		p.Payment.Accepted = chance("accepted")
	}
	p.Payment.SettledMinor = max(1, p.Payment.CapturedMinor)
	p.Payment.Known, p.Disputed, p.RefundedBefore, p.OtherAccount = !chance("fee unknown"), chance("disputed"), chance("refunded"), chance("other account")
	p.UsedCredits = rapid.SampledFrom([]int64{0, 0, 0, 1, 100}).Draw(t, "used")
	if f.PurchaseMatches != 1 {
		f.Purchase = nil
	}
	if !chance("no job") {
		status := rapid.SampledFrom([]reconcile.JobStatus{"queued", "running", "succeeded", "failed", "interrupted", "canceled"}).Draw(t, "job status")
		class := rapid.SampledFrom([]reconcile.FailureClass{"system", "user", "unknown"}).Draw(t, "class")
		f.Job = &reconcile.JobFacts{
			ID: "job_1", Status: status, OtherAccount: chance("other account's job"), DebitedCredits: rapid.Int64Range(0, 5).Draw(t, "debited"), CreditedCredits: rapid.Int64Range(0, 5).Draw(t, "credited"),
			Classification: reconcile.Classification{Class: class, Rule: "rule", Clause: class.Clause(), Reason: "a machine of ours failed"},
		}
	}
	return f
}

// The conditions of the policy, written down once more and independently.
func TestRefundDecisionsFollowTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFacts(t)
		d := reconcile.DecideRefund(f)
		open := f.Status == reconcile.RequestPending || f.Status == reconcile.RequestApproved
		var approve bool
		if f.Kind == reconcile.RequestUnusedCredits {
			p := f.Purchase
			approve = open && p != nil && !p.OtherAccount && !f.EmailOfAnother && f.Stated.Reason && p.Status == "completed" && p.Kind == "credits" && !f.RequestedAt.After(noon.Add(week)) &&
				p.UsedCredits == 0 && !p.Disputed && !p.RefundedBefore &&
				(p.AmountMinor == 0 || p.Payment.Known && (p.Payment.Accepted || p.Payment.CapturedMinor+p.Payment.FromBalanceMinor == p.AmountMinor))
		} else {
			j := f.Job
			approve = open && j != nil && !j.OtherAccount && !f.EmailOfAnother && (j.Status == "failed" || j.Status == "interrupted") && j.Classification.Class == "system"
		}
		if (d.Decision == reconcile.DecisionApprove) != approve {
			t.Fatalf("%s: %+v\n%+v\n%+v", d.Decision, f, f.Purchase, f.Job)
		}
		if !open && d.Decision != reconcile.DecisionDeny {
			t.Fatalf("%s is decided %s", f.Status, d.Decision)
		}
		switch {
		case approve && f.Kind == reconcile.RequestUnusedCredits:
			pay := f.Purchase.Payment
			fee := pay.FeeMinor
			if pay.CapturedMinor == 0 {
				fee = 0
			}
			if d.RefundMinor != max(0, pay.CapturedMinor-fee) || d.RefundMinor+d.FeeMinor != pay.CapturedMinor {
				t.Fatalf("refund %d, fee %d of %d", d.RefundMinor, d.FeeMinor, pay.CapturedMinor)
			}
		case d.RefundMinor != 0 || d.FeeMinor != 0:
			t.Fatalf("%s of %s with money: %+v", d.Decision, f.Kind, d)
		}
		if len(d.Reasons) == 0 || (d.Decision == reconcile.DecisionNeedsInformation) != (len(d.Missing) > 0) {
			t.Fatalf("%+v", d)
		}
		for i, r := range d.Reasons {
			if _, known := reconcile.ClauseByID(r.Clause); !known || !slices.Contains(d.Clauses, r.Clause) || r.Text == "" {
				t.Fatalf("reason %d: %+v, clauses %v", i, r, d.Clauses)
			}
		}
		if !slices.IsSorted(d.Clauses) || len(slices.Compact(slices.Clone(d.Clauses))) != len(d.Clauses) {
			t.Fatalf("clauses %v", d.Clauses)
		}
		checkNotification(t, f.Kind, d)
	})
}

var jargon = regexp.MustCompile(`(?i)@|\bnull\b|_|\b(as-of|lot|debit|minor unit|enum|nil|webhook|idempoten\w*)\b`)

func checkNotification(t *rapid.T, kind reconcile.RequestKind, d reconcile.RefundDecision) {
	n := reconcile.NotifyDecision(kind, d)
	if n.Subject == "" || !strings.HasSuffix(n.Body, "\n") || strings.Contains(n.Body, "\n\n\n") {
		t.Fatalf("%+v", n)
	}
	text := n.Subject + "\n" + n.Body
	if d.Currency != "ugx" && jargon.MatchString(text) {
		t.Fatalf("jargon %q in:\n%s", jargon.FindString(text), text)
	}
	if d.RefundMinor > 0 && !strings.Contains(n.Body, reconcile.FormatMinor(d.RefundMinor, d.Currency)) {
		t.Fatalf("the amount %d %s is not in:\n%s", d.RefundMinor, d.Currency, text)
	}
	for _, missing := range d.Missing {
		if !strings.Contains(n.Body, missing) {
			t.Fatalf("missing %q is not in:\n%s", missing, text)
		}
	}
}

func TestNotifyDecision(t *testing.T) {
	system := reconcile.Classification{Class: reconcile.FailureSystem, Reason: "a machine of ours failed"}
	tests := []struct {
		name   string
		change func(*reconcile.RefundFacts)
		want   string
	}{
		{"approved", func(f *reconcile.RefundFacts) {}, `Your refund request was approved

We will refund 9.41 USD to your original payment method, and the credits leave your account.

None of the credits were used, and the request was made in time.
Of the 10.00 USD paid, 0.59 USD of transaction fees are not refunded.

This follows sections 2.1 and 2.2 of our refund policy.
`},
		{"approved on the platform before", func(f *reconcile.RefundFacts) { f.Status, f.Purchase.Payment.FeeMinor = reconcile.RequestApproved, 0 }, `Your refund request was approved

We will refund 10.00 USD to your original payment method, and the credits leave your account.

None of the credits were used, and the request was made in time.

This follows section 2.1 of our refund policy.
`},
		{"denied", func(f *reconcile.RefundFacts) { f.RequestedAt, f.Purchase.UsedCredits = noon.Add(2*week), 5 }, `Your refund request was not approved

We can't refund what you asked for.

The request came too late: a refund could be requested until 9 March 2026, 12:00:00 UTC.
Credits of this purchase were used already: 5 of 100.

This follows section 2.3 of our refund policy.
`},
		{"not completed yet, which is no reason to ask for it never again", func(f *reconcile.RefundFacts) {
			f.Purchase.Status, f.Purchase.CompletedAt = reconcile.PurchasePending, time.Time{}
		}, `Your refund request was not approved

We can't refund what you asked for.

The purchase is not completed yet, so nothing was paid that could be refunded; once it is, a refund can be requested.

This follows section 2.1 of our refund policy.
`},
		{"disputed, be it still or no more", func(f *reconcile.RefundFacts) { f.Purchase.Disputed = true }, `Your refund request was not approved

We can't refund what you asked for.

The payment was disputed with the payment provider.

This follows section 5.1 of our refund policy.
`},
		{"withdrawn", func(f *reconcile.RefundFacts) { f.Status = reconcile.RequestWithdrawn }, `Your refund request is closed

Nothing is refunded.

The request was withdrawn.

This follows section 6 of our refund policy.
`},
		{"needs information", func(f *reconcile.RefundFacts) { f.Purchase, f.PurchaseMatches = nil, 2 }, `Your refund request: we need to know more

We can't decide your refund request yet.

What the request says fits 2 purchases; it has to name the one that is meant.

Please tell us: invoice id.
`},
		{"needs to know who asks, and for what", func(f *reconcile.RefundFacts) {
			f.Purchase, f.PurchaseMatches, f.EmailUnknown, f.Stated.Reason = nil, 0, true, false
		}, `Your refund request: we need to know more

We can't decide your refund request yet.

No account has the e-mail address that the request names.
No purchase has the id that the request names.
The request gives no reason.

Please tell us: account email, purchase id, reason for the request.
`},
		{"needs the amount", func(f *reconcile.RefundFacts) {
			f.Purchase, f.PurchaseMatches, f.Stated.PurchaseID, f.HasPurchases, f.Nearest.Amount = nil, 0, false, true, true
		}, `Your refund request: we need to know more

We can't decide your refund request yet.

No purchase of the account fits what the request says. The nearest one has another purchase amount.

Please tell us: purchase amount.
`},
		{"needs a purchase, and the account has none", func(f *reconcile.RefundFacts) {
			f.Purchase, f.PurchaseMatches, f.Stated.PurchaseID = nil, 0, false
		}, `Your refund request: we need to know more

We can't decide your refund request yet.

The account has no completed purchase.

Please tell us: details that match a purchase of the account.
`},
		{"needs a purchase, and none of the account's is near", func(f *reconcile.RefundFacts) {
			f.Purchase, f.PurchaseMatches, f.Stated.PurchaseID, f.HasPurchases = nil, 0, false, true
		}, `Your refund request: we need to know more

We can't decide your refund request yet.

No purchase of the account fits what the request says.

Please tell us: details that match a purchase of the account.
`},
		{"waiting", func(f *reconcile.RefundFacts) { f.Purchase.Payment.Known = false }, `Your refund request is being reviewed

We have your refund request and will tell you as soon as it is decided.

The transaction fee of the payment is not known yet.
`},
		{"a failed job", func(f *reconcile.RefundFacts) {
			f.Kind, f.Job = reconcile.RequestFailedJob, &reconcile.JobFacts{Status: reconcile.JobFailed, Classification: system, DebitedCredits: 12, CreditedCredits: 12}
		}, `Your request about a failed job: credits credited back

We looked into the job that you wrote to us about.

The job failed on our side: a machine of ours failed. We credited back what was taken for it, as credits and not as money: 12 credits.

This follows section 3.1 of our refund policy.
`},
		{"a failed job that cost nothing", func(f *reconcile.RefundFacts) {
			f.Kind, f.Job = reconcile.RequestFailedJob, &reconcile.JobFacts{Status: reconcile.JobFailed, Classification: system}
		}, `Your request about a failed job

We looked into the job that you wrote to us about.

The job failed on our side: a machine of ours failed. No credits were taken for it.

This follows section 3.1 of our refund policy.
`},
		{"a fee that eats it all", func(f *reconcile.RefundFacts) { f.Purchase.Payment.FeeMinor = 1000 }, `Your refund request was approved

There is no money to pay back.

None of the credits were used, and the request was made in time.
The transaction fees come to as much as was paid, so that nothing is left to refund.

This follows sections 2.1 and 2.2 of our refund policy.
`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			facts := refundable()
			test.change(&facts)
			n := reconcile.NotifyDecision(facts.Kind, reconcile.DecideRefund(facts))
			if got := fmt.Sprintf("%s\n\n%s", n.Subject, n.Body); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

// What the customer is told of a refund that has been made, or begun, follows from what has happened, not from what was due.
func TestNotificationsOfAnsweredRequests(t *testing.T) {
	answered := func(due int64, paid int64, currency string, taken bool) reconcile.RefundDecision {
		return reconcile.RefundDecision{Decision: reconcile.DecisionApprove, RefundMinor: due, Currency: "usd",
			Answer:  &reconcile.RefundAnswer{PaidMinor: paid, Currency: currency, CreditsTaken: taken},
			Reasons: []reconcile.Reason{{Code: reconcile.ReasonApprovedOnPlatform, Text: "for our own people"}, {Code: reconcile.ReasonAnsweredByRefund, Text: "for them too"}}}
	}
	for _, test := range []struct {
		decision reconcile.RefundDecision
		want     string
	}{
		{answered(0, 0, "", true), "There is no money to pay back. The credits have left your account."},
		{answered(0, 0, "", false), "There is no money to pay back. The credits leave your account."},
		{answered(941, 0, "", true), "We will refund 9.41 USD to your original payment method, and the credits have left your account."},
		{answered(941, 941, "usd", true), "We refunded 9.41 USD to your original payment method, and the credits have left your account."},
		{answered(941, 941, "eur", true), "We refunded 9.41 EUR to your original payment method; by our refund policy it should be 9.41 USD, and we are looking into the difference."},
		{answered(941, 900, "usd", true), "We refunded 9.00 USD to your original payment method; by our refund policy it should be 9.41 USD, and we are looking into the difference."},
		{answered(0, 900, "usd", true), "We refunded 9.00 USD to your original payment method; by our refund policy it should be 0.00 USD, and we are looking into the difference."},
	} {
		n := reconcile.NotifyDecision(reconcile.RequestUnusedCredits, test.decision)
		if opening, _, _ := strings.Cut(n.Body, "\n"); opening != test.want || strings.Contains(n.Body, "for ") {
			t.Errorf("%q, want %q", n.Body, test.want)
		}
	}
	waiting := reconcile.RefundDecision{Decision: reconcile.DecisionNeedsInformation, Reasons: []reconcile.Reason{{Code: reconcile.ReasonJobNotFound, Clause: reconcile.ClauseRequest, Text: "Which job?"}}, Missing: []string{"the job"}}
	if n := reconcile.NotifyDecision(reconcile.RequestFailedJob, waiting); strings.Contains(n.Body, "This follows") {
		t.Errorf("a clause is cited for what is not decided: %q", n.Body)
	}
}
