package jobs_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
)

// advised are the kinds of breaks whose advice is an entry in the ledger.
var advised = map[reconcile.BreakKind]bool{
	reconcile.JobWithoutDebit: true, reconcile.DebitWithoutJob: true, reconcile.DebitAmountMismatch: true, reconcile.DuplicateDebit: true,
	reconcile.DebitAccountMismatch: true, reconcile.CreditBackUnfounded: true, reconcile.CreditBackExceeds: true,
	reconcile.PurchaseWithoutGrant: true, reconcile.GrantWithoutPurchase: true, reconcile.GrantAmountMismatch: true, reconcile.DuplicateGrant: true,
}

// repair are the entries that a break's action asks for, made from nothing but the row of the report. The ledger takes usage below 0,
// grants above 0, and adjustments of either sign.
func repair(t *testing.T, b map[string]string) (entries []entry) {
	t.Helper()
	variance, isNumber := new(big.Int).SetString(b["variance"], 10)
	if !isNumber || !variance.IsInt64() {
		t.Fatalf("break %s: variance %q", b["break_id"], b["variance"])
	}
	credits := variance.Int64()
	book := func(kind, account string, credits int64) {
		e := entry{ID: fmt.Sprintf("repair-%s-%d", b["break_id"], len(entries)), AccountID: ref(account), Kind: ref(kind), Credits: ref(credits)}
		if strings.Contains(b["kind"], "grant") {
			e.PurchaseID = ref(b["subject_id"])
		} else {
			e.JobID = ref(b["subject_id"])
		}
		entries = append(entries, e)
	}
	switch kind := reconcile.BreakKind(b["kind"]); {
	case kind == reconcile.JobWithoutDebit, kind == reconcile.DebitAmountMismatch && credits > 0:
		book("usage", b["account_id"], -credits)
	case kind == reconcile.DebitWithoutJob, kind == reconcile.DebitAmountMismatch, kind == reconcile.DuplicateDebit:
		book("adjustment", b["account_id"], -credits)
	case kind == reconcile.DebitAccountMismatch:
		var debited, own, cost int64
		var other string
		if _, err := fmt.Sscanf(strings.ReplaceAll(b["detail"], ":", ""), "debited to account %s %d credits; to the account that ran it %d of %d", &other, &debited, &own, &cost); err != nil {
			t.Fatalf("%s: %v", b["detail"], err)
		}
		book("adjustment", other, debited)
		if own < cost {
			book("usage", b["account_id"], own-cost)
		}
	case kind == reconcile.PurchaseWithoutGrant:
		book("purchase", b["account_id"], credits)
	case kind == reconcile.GrantAmountMismatch && b["field"] == "account_id":
		var granted, own, bought int64
		var other string
		detail := strings.ReplaceAll(strings.ReplaceAll(b["detail"], ":", ""), "'", "")
		if _, err := fmt.Sscanf(detail, "granted to account %s %d credits; to the buyers account %d of %d", &other, &granted, &own, &bought); err != nil {
			t.Fatalf("%s: %v", b["detail"], err)
		}
		book("adjustment", other, -granted)
		if own != bought {
			book("adjustment", b["account_id"], bought-own)
		}
	default:
		book("adjustment", b["account_id"], credits)
	}
	return entries
}

// Whoever does what a break of jobs and ledger, or of purchases and ledger, asks for finds it cleared the next night, and no other opened by
// that: not on the subject, and none that would ask to take back what was just given.
func TestFollowingTheAdviceClearsABreakAndOpensNoOther(t *testing.T) {
	t.Parallel()
	w := newWorker(t)
	followed := map[string]int{}
	examples := []platform{contradictions()}
	generator := platforms(testStage)
	for i := range 120 {
		examples = append(examples, until(generator.Example(7000+i).turn(0), testStage.night(0).End))
	}
	for _, w.matching = range []night.Matching{night.MatchFast, night.MatchExact} {
		w.reset(t, time.UTC)
		for i, p := range examples {
			p.prefixed(casePrefix(i)).load(t, w.db.DB)
		}
		first, second, third := testStage.night(0), testStage.night(1), testStage.night(2)
		if err := w.night(first); err != nil {
			t.Fatal(err)
		}
		faulty := map[string]bool{}
		var repairs platform
		for _, b := range w.published(t, first.Date)["breaks.csv"] {
			faulty[b["subject_id"]] = true
			if !advised[reconcile.BreakKind(b["kind"])] {
				continue
			}
			followed[b["kind"]]++
			repairs.Entries = append(repairs.Entries, repair(t, b)...)
		}
		for i := range repairs.Entries {
			repairs.Entries[i].CreatedAt = ref(second.Begin.Add(time.Hour))
		}
		repairs.load(t, w.db.DB)
		for _, night := range []reconcile.Night{second, third} { // what the second night credits back counts in the third
			if err := w.night(night); err != nil {
				t.Fatal(err)
			}
			for _, b := range w.published(t, night.Date)["breaks.csv"] {
				if advised[reconcile.BreakKind(b["kind"])] && b["status"] == "open" {
					t.Errorf("%s: %s of %s: ours %s, theirs %s, %s (had a fault: %t)", night.Date, b["kind"], b["subject_id"], b["ours"], b["theirs"], b["detail"], faulty[b["subject_id"]])
				}
			}
		}
		if t.Failed() {
			break
		}
	}
	for kind := range advised {
		if followed[string(kind)] == 0 {
			t.Errorf("no advice of %s was followed", kind)
		}
	}
	t.Logf("followed: %v", followed)
}

// until leaves out what has not happened by an instant.
func until(p platform, end time.Time) platform {
	before := func(t *time.Time) bool { return t == nil || t.Before(end) }
	p.Purchases = pick(p.Purchases, func(r purchase) bool { return before(r.CreatedAt) && before(r.CompletedAt) })
	p.Jobs = pick(p.Jobs, func(r job) bool { return before(r.CreatedAt) && before(r.FinishedAt) })
	p.Entries = pick(p.Entries, func(r entry) bool { return before(r.CreatedAt) })
	p.Requests = nil
	return p
}

// contradictions are jobs on which faults meet, so that the advice about one could undo that about the other.
func contradictions() platform {
	at := "2026-03-05 10:00:00"
	p := platform{Accounts: append(customer(), account{ID: "acct-1", Email: ref("b@x.test"), Status: ref("active"), CreatedAt: ref(utc("2025-01-01 00:00:00"))})}
	serial := 0
	add := func(account, kind string, credits int64, job string) {
		serial++
		e := entered(fmt.Sprintf("e%03d", serial), kind, credits, job, at)
		e.AccountID = ref(account)
		p.Entries = append(p.Entries, e)
	}
	add(someone, "promo", 100_000, "")
	add("acct-1", "promo", 100_000, "")
	for _, end := range []struct{ status, code string }{{"failed", "NODE_FAIL"}, {"failed", "invalid_input"}, {"failed", "nobody knows"}, {"canceled", ""}, {"succeeded", ""}} {
		for _, cost := range []int64{0, 40} {
			for _, debits := range [][]int64{nil, {40}, {40, 40}, {7}} {
				for _, credited := range []int64{0, 7, 19, 40, 80} {
					for _, elsewhere := range []int64{0, 40} {
						j := ran(fmt.Sprintf("job-%s-%s-%d-%d-%d-%d", end.status, strings.ReplaceAll(end.code, " ", "_"), cost, len(debits)*100+len(debits), credited, elsewhere), end.status, end.code, cost, at)
						if len(debits) > 0 {
							j.ID += fmt.Sprint("-", debits[0])
						}
						p.Jobs = append(p.Jobs, j)
						for _, debit := range debits {
							add(someone, "usage", -debit, j.ID)
						}
						if credited > 0 {
							add(someone, "credit_back", credited, j.ID)
						}
						if elsewhere > 0 {
							add("acct-1", "usage", -elsewhere, j.ID)
						}
					}
				}
			}
		}
	}
	for i, grants := range [][]int64{{10, 10}, {15}, {4}, {}, {10}} {
		bought := bought(fmt.Sprintf("p-granted-%d", i), 10, at)
		p.Purchases = append(p.Purchases, bought)
		for j, credits := range grants {
			serial++
			grant := entered(fmt.Sprintf("e%03d", serial), "purchase", credits, bought.ID, at)
			if i == 4 && j == 0 {
				grant.AccountID = ref("acct-1")
			}
			p.Entries = append(p.Entries, grant)
		}
	}
	add(someone, "purchase", 10, "")
	add(someone, "usage", -5, "")
	add(someone, "credit_back", 3, "")
	add(someone, "usage", -5, "job-that-never-was")
	add(someone, "credit_back", 5, "job-that-never-was")
	add("acct-1", "credit_back", 9, "job-that-never-was-2")
	return p
}
