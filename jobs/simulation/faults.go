package simulation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
)

// fault plants one break at an instant. What it does stays on accounts of its own with credits to spare, so that it has no other effect.
// mended says whether the platform is to put it right two to four nights later; not every fault can be.
type fault struct {
	kind  reconcile.BreakKind
	plant func(s *Simulation, r *rand.Rand, at time.Time, mended bool)
	// lead is how many nights must have been played before.
	lead int
}

// ledgerFaults are the faults within the platform's own database.
var ledgerFaults = []fault{
	{kind: reconcile.JobWithoutDebit, plant: plantJobWithoutDebit},
	{kind: reconcile.DebitWithoutJob, plant: plantDebitWithoutJob},
	{kind: reconcile.DebitAmountMismatch, plant: plantDebitAmountMismatch},
	{kind: reconcile.DuplicateDebit, plant: plantDuplicateDebit},
	{kind: reconcile.DebitAccountMismatch, plant: plantDebitAccountMismatch},
	{kind: reconcile.CreditBackUnfounded, plant: plantCreditBackUnfounded},
	{kind: reconcile.CreditBackExceeds, plant: plantCreditBackExceeds},
	{kind: reconcile.FailureUnclassified, plant: plantFailureUnclassified},
	{kind: reconcile.JobStuck, plant: plantJobStuck},
	{kind: reconcile.PurchaseWithoutGrant, plant: plantPurchaseWithoutGrant},
	{kind: reconcile.GrantWithoutPurchase, plant: plantGrantWithoutPurchase},
	{kind: reconcile.GrantAmountMismatch, plant: plantGrantAmountMismatch},
	{kind: reconcile.DuplicateGrant, plant: plantDuplicateGrant},
	{kind: reconcile.NegativeBalance, plant: plantNegativeBalance},
	{kind: reconcile.LateItem, plant: plantLateItem, lead: 2},
	{kind: reconcile.ReviewOverdue, plant: plantReviewOverdue},
}

// planFaults spreads the faults over the nights: one of each kind early, so that a short simulation shows it too, the others anywhere.
func (s *Simulation) planFaults() {
	faults := ledgerFaults
	if s.stripe != nil {
		faults = slices.Concat(faults, stripeFaults)
	}
	for i, f := range faults {
		for n := range s.options.FaultsPerKind {
			r := s.random(fmt.Sprintf("fault %s %d", f.kind, n))
			index := f.lead + i%3
			if n > 0 {
				index = f.lead + r.IntN(max(1, len(s.nights)-f.lead))
			}
			if index >= len(s.nights) {
				index = min(f.lead, len(s.nights)-1)
			}
			if index < f.lead {
				continue // too few nights for it
			}
			at := s.nights[index].Begin.Add(spell(r, 9*time.Hour, 20*time.Hour))
			f.plant(s, r, at, n%2 == 1)
		}
	}
}

// mending is when the platform puts a fault right; zero: it doesn't.
func mending(r *rand.Rand, at time.Time, mended bool) time.Time {
	later := at.Add(time.Duration(between(r, 2, 4)) * 24 * time.Hour)
	if !mended {
		return time.Time{}
	}
	return later
}

// faultyJob begins a job on a new, well-funded account some time before; then is told when it finishes, before any debit.
func (s *Simulation) faultyJob(r *rand.Rand, at time.Time, status, code string, then func(j *job)) {
	s.withPurchase(r, at.Add(-spell(r, 20*time.Minute, 5*time.Hour)), func(p *purchase) {
		w := workloads[r.IntN(len(workloads)-3)] // no fine-tuning: these end within minutes
		j := &job{account: p.account, kind: w.kind, model: w.model, cost: between(r, w.costLow, w.costHigh) + 1, status: status, failureCode: code}
		s.plan(at.Add(-spell(r, w.low, w.high)), func() {
			s.begin(j)
			s.plan(at, func() {
				s.finish(j)
				then(j)
			})
		})
	})
}

func (s *Simulation) mend(at time.Time, how func()) {
	if !at.IsZero() {
		s.plan(at, how)
	}
}

func plantJobWithoutDebit(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	mendedAt := mending(r, at, mended)
	s.faultyJob(r, at, "succeeded", "", func(j *job) {
		s.expect(reconcile.JobWithoutDebit, j.id, j.account, at, mendedAt, "finished, never debited")
		s.mend(mendedAt, func() { s.debit(j) })
	})
}

func plantDebitWithoutJob(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	mendedAt := mending(r, at, mended)
	s.withPurchase(r, at.Add(-time.Hour), func(p *purchase) {
		ghost, cost := s.mint.next("job"), between(r, 5, 90)
		s.plan(at, func() {
			s.post(entry{account: p.account, kind: "usage", credits: -cost, job: ghost, key: "debit:" + ghost})
			s.expect(reconcile.DebitWithoutJob, ghost, p.account, at, mendedAt, "debited for a job that does not exist")
			s.mend(mendedAt, func() {
				s.post(entry{account: p.account, kind: "adjustment", credits: cost, job: ghost, memo: "Reversal of a debit in error"})
			})
		})
	})
}

func plantDebitAmountMismatch(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	mendedAt := mending(r, at, mended)
	s.faultyJob(r, at, "succeeded", "", func(j *job) {
		surplus := between(r, 1, 9) // never as much as the cost of another job
		s.post(entry{account: j.account, kind: "usage", credits: -j.cost - surplus, job: j.id, key: "debit:" + j.id})
		if surplus%j.cost == 0 {
			surplus++
			s.post(entry{account: j.account, kind: "usage", credits: -1, job: j.id, key: "debit:" + j.id + ":rest"})
		}
		s.expect(reconcile.DebitAmountMismatch, j.id, j.account, at, mendedAt, fmt.Sprintf("debited %d credits too much", surplus))
		s.mend(mendedAt, func() {
			s.post(entry{account: j.account, kind: "adjustment", credits: surplus, job: j.id, memo: "Debited too much"})
		})
	})
}

func plantDuplicateDebit(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	mendedAt, times := mending(r, at, mended), between(r, 2, 3)
	s.faultyJob(r, at, "succeeded", "", func(j *job) {
		s.debit(j)
		for n := int64(2); n <= times; n++ {
			s.post(entry{account: j.account, kind: "usage", credits: -j.cost, job: j.id, key: fmt.Sprintf("debit:%s:retry%d", j.id, n)})
		}
		s.expect(reconcile.DuplicateDebit, j.id, j.account, at, mendedAt, fmt.Sprintf("debited %d times", times))
		s.mend(mendedAt, func() {
			s.post(entry{account: j.account, kind: "adjustment", credits: j.cost * (times - 1), job: j.id, memo: "Debited more than once"})
		})
	})
}

func plantDebitAccountMismatch(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	mendedAt := mending(r, at, mended)
	s.withPurchase(r, at.Add(-6*time.Hour), func(other *purchase) {
		s.faultyJob(r, at, "succeeded", "", func(j *job) {
			s.post(entry{account: other.account, kind: "usage", credits: -j.cost, job: j.id, key: "debit:" + j.id})
			s.expect(reconcile.DebitAccountMismatch, j.id, j.account, at, mendedAt, "debited to another account")
			s.mend(mendedAt, func() {
				s.post(entry{account: other.account, kind: "adjustment", credits: j.cost, job: j.id, memo: "Debited to the wrong account"})
				s.post(entry{account: j.account, kind: "usage", credits: -j.cost, job: j.id, key: "debit:" + j.id + ":moved"})
			})
		})
	})
}

func plantCreditBackUnfounded(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	status, code, story := "succeeded", "", "credited back though it succeeded"
	if mended {
		status, code, story = "failed", "PROMPT_REJECTED", "credited back by hand though the prompt was at fault"
	}
	s.faultyJob(r, at, status, code, func(j *job) {
		s.debit(j)
		s.post(entry{account: j.account, kind: "credit_back", credits: j.cost, job: j.id, key: "support:" + j.id, memo: "As agreed by phone"})
		s.expect(reconcile.CreditBackUnfounded, j.id, j.account, at, time.Time{}, story)
	})
}

func plantCreditBackExceeds(s *Simulation, r *rand.Rand, at time.Time, _ bool) {
	s.faultyJob(r, at, "failed", "NODE_FAIL", func(j *job) {
		s.debit(j)
		s.post(entry{account: j.account, kind: "credit_back", credits: j.cost + 25, job: j.id, key: "support:" + j.id, memo: "With our apologies"})
		s.expect(reconcile.CreditBackExceeds, j.id, j.account, at, time.Time{}, "25 credits more came back than were debited")
	})
}

// unknownCode is in no failure table.
const unknownCode = "ZX-4711"

func plantFailureUnclassified(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	code, story := unknownCode, "failed with a code that nobody knows"
	if mended {
		code, story = "", "failed without a code"
	}
	s.faultyJob(r, at, "failed", code, func(j *job) {
		s.debit(j)
		s.expect(reconcile.FailureUnclassified, j.id, j.account, at, time.Time{}, story)
	})
}

// stuckAfter is how long a job may be queued or running.
const stuckAfter = 48 * time.Hour

func plantJobStuck(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	begun, mendedAt := at.Add(-stuckAfter), mending(r, at, mended)
	status, story := "running", "has been running for more than 48 hours"
	if mended {
		status, story = "queued", "was queued for more than 48 hours"
	}
	s.withPurchase(r, begun.Add(-time.Hour), func(p *purchase) {
		s.plan(begun, func() {
			j := &job{account: p.account, kind: "fine_tune", model: "Wan2.2", cost: between(r, 300, 800), status: status}
			s.begin(j)
			s.expect(reconcile.JobStuck, j.id, j.account, begun.Add(stuckAfter), mendedAt, story)
			s.mend(mendedAt, func() {
				j.status = "succeeded"
				s.finish(j)
				s.debit(j)
			})
		})
	})
}

func plantPurchaseWithoutGrant(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	mendedAt := mending(r, at, mended)
	s.plan(at, func() {
		p := s.paid(r)
		s.expect(reconcile.PurchaseWithoutGrant, p.id, p.account, at, mendedAt, "paid, but the credits never came")
		s.mend(mendedAt, func() { s.grant(p) })
	})
}

// paid is a purchase of a new customer that is completed but not granted.
func (s *Simulation) paid(r *rand.Rand) *purchase {
	p := s.unpaid(r)
	s.charge(p, nil)
	p.status, p.completedAt = "completed", s.now
	s.storePurchase(p)
	return p
}

func plantGrantWithoutPurchase(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	s.plan(at, func() {
		a := s.newAccount(r)
		ghost, story := s.mint.next("pur"), "granted for a purchase that does not exist"
		if mended {
			p := s.newPurchase(a, "credits", packs[1].credits, packs[1].amountMinor[a.currency])
			s.decline(p)
			ghost, story = p.id, "granted although the payment failed"
		}
		s.post(entry{account: a, kind: "purchase", credits: packs[1].credits, purchase: ghost, key: "grant:" + ghost})
		s.expect(reconcile.GrantWithoutPurchase, ghost, a, at, time.Time{}, story)
	})
}

func plantGrantAmountMismatch(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	s.plan(at, func() {
		p := s.paid(r)
		granted, story := p.credits+100, "100 credits more were granted than bought"
		if mended {
			granted, story = p.credits-100, "100 credits less were granted than bought"
		}
		s.post(entry{account: p.account, kind: "purchase", credits: granted, purchase: p.id, key: "grant:" + p.id})
		s.expect(reconcile.GrantAmountMismatch, p.id, p.account, at, time.Time{}, story)
	})
}

func plantDuplicateGrant(s *Simulation, r *rand.Rand, at time.Time, _ bool) {
	s.plan(at, func() {
		p := s.paid(r)
		s.grant(p)
		s.post(entry{account: p.account, kind: "purchase", credits: p.credits, purchase: p.id, key: "grant:" + p.id + ":retry"})
		s.expect(reconcile.DuplicateGrant, p.id, p.account, at, time.Time{}, "granted twice")
	})
}

func plantNegativeBalance(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	mendedAt := mending(r, at, mended)
	s.plan(at.Add(-time.Minute), func() {
		a := s.newAccount(r)
		j := &job{account: a, kind: "video", model: "Wan2.2", cost: welcomeCredits + between(r, 10, 100), status: "succeeded"}
		s.begin(j)
		s.plan(at, func() {
			s.finish(j)
			s.debit(j)
			s.expect(reconcile.NegativeBalance, a.id, a, at, mendedAt, "used more credits than there were")
			s.mend(mendedAt, func() { s.buy(a, packs[0]) })
		})
	})
}

// plantLateItem writes, on the night of at, an entry that says it is two nights old. Mended, it is the debit that a job was missing;
// otherwise a gift, or the debit of a failed job that is as late itself.
func plantLateItem(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	then := at.Add(-48 * time.Hour)
	late := func(e entry, story string) {
		e.at = then
		id := s.post(e)
		s.expect(reconcile.LateItem, id, e.account, at, time.Time{}, story).Passing = true
	}
	switch {
	case mended:
		s.faultyJob(r, then, "succeeded", "", func(j *job) {
			s.expect(reconcile.JobWithoutDebit, j.id, j.account, then, at, "finished; the debit turned up two nights late")
			s.plan(at, func() {
				late(entry{account: j.account, kind: "usage", credits: -j.cost, job: j.id, key: "debit:" + j.id}, "a debit, written two nights late")
			})
		})
	case chance(r, 500):
		s.withPurchase(r, then.Add(-time.Hour), func(p *purchase) {
			s.plan(at, func() {
				late(entry{account: p.account, kind: "adjustment", credits: 40, memo: "Goodwill"}, "an adjustment, written two nights late")
			})
		})
	default:
		s.withPurchase(r, then.Add(-time.Hour), func(p *purchase) {
			s.plan(at, func() {
				j := &job{account: p.account, kind: "video", model: "Wan2.2", cost: between(r, 40, 180), status: "failed", failureCode: "NODE_FAIL"}
				s.begin(j)
				delete(s.running, j)
				j.createdAt, j.finishedAt = then.Add(-5*time.Minute), then
				s.storeJob(j, j.status)
				late(entry{account: p.account, kind: "usage", credits: -j.cost, job: j.id, key: "debit:" + j.id}, "a failed job and its debit, written two nights late")
			})
		})
	}
}

// plantReviewOverdue files a request that can't be decided and that nobody settles in time. It is filed as long ago as it takes to be
// overdue on the night of at, or as the history allows.
func plantReviewOverdue(s *Simulation, r *rand.Rand, at time.Time, mended bool) {
	filed := at.Add(-historyDays*24*time.Hour + 24*time.Hour)
	due, err := reconcile.DueDate(reconcile.DateOf(filed.In(s.options.Zone)), s.options.ReviewBusinessDays, s.options.IsHoliday)
	if err != nil {
		s.failure = err
		return
	}
	overdue := reconcile.NightOf(due.AddDays(1), s.options.Zone).Begin
	if overdue.Before(s.nights[0].Begin) {
		overdue = s.nights[0].Begin
	}
	mendedAt := mending(r, overdue.Add(12*time.Hour), mended)
	s.plan(filed, func() {
		a := s.newAccount(r)
		var settleAfter time.Duration
		if !mendedAt.IsZero() {
			settleAfter = mendedAt.Sub(filed)
		}
		id := s.ask(request{account: a, kind: "unused_credits", reason: "I want my money back"}, reconcile.DecisionNeedsInformation, "denied", settleAfter)
		s.expect(reconcile.ReviewOverdue, id, a, overdue, mendedAt, "has said nothing that could be decided on, and nobody answered")
	})
}

// planRejects plants rows that break the contract. None of them touches a sound row.
func (s *Simulation) planRejects() {
	r := s.random("rejects")
	for i, plant := range rejectedRows {
		night := s.nights[i%len(s.nights)]
		s.plan(night.Begin.Add(spell(r, 9*time.Hour, 20*time.Hour)), func() {
			relation, id, field := plant(s, s.newAccount(r))
			s.rejects = append(s.rejects, Reject{Relation: relation, RowID: id, Field: field, Night: s.nightOf(s.now)})
		})
	}
}

var rejectedRows = []func(s *Simulation, a *account) (relation, id, field string){
	func(s *Simulation, a *account) (string, string, string) {
		id := s.mint.next("job")
		s.out.insert("jobs", id, a.id, "image", "Flux.1-dev", "exploded", nil, 8, s.now, s.now.Add(time.Second))
		return "jobs", id, "status"
	},
	func(s *Simulation, a *account) (string, string, string) {
		id := s.mint.next("job")
		s.out.insert("jobs", id, a.id, "image", "Qwen Image", "succeeded", nil, -8, s.now, s.now.Add(time.Second))
		return "jobs", id, "credit_cost"
	},
	func(s *Simulation, a *account) (string, string, string) {
		id := s.mint.next("job")
		s.out.insert("jobs", id, a.id, "video", "Wan2.2", "succeeded", nil, 60, s.now, s.now.Add(-time.Minute))
		return "jobs", id, "finished_at"
	},
	func(s *Simulation, a *account) (string, string, string) {
		id := s.mint.next("ent")
		s.out.insert("credit_entries", id, a.id, "gift", 50, nil, nil, nil, nil, s.now)
		return "credit_entries", id, "kind"
	},
	func(s *Simulation, a *account) (string, string, string) {
		id := s.mint.next("ent")
		s.out.insert("credit_entries", id, "", "promo", 50, nil, nil, nil, nil, s.now)
		return "credit_entries", id, "account_id"
	},
	func(s *Simulation, a *account) (string, string, string) {
		id := s.mint.next("pur")
		s.out.insert("purchases", id, a.id, "credits", 1000, 1000, nil, "completed", nil, nil, nil, s.now, s.now)
		return "purchases", id, "currency"
	},
	func(s *Simulation, a *account) (string, string, string) {
		id := s.mint.next("req")
		s.out.insert("refund_requests", id, a.id, "moved_house", a.email, nil, nil, nil, nil, nil, nil, "Moving", "pending", s.now, nil)
		return "refund_requests", id, "kind"
	},
}
