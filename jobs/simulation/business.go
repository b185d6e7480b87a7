package simulation

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// account is a customer. credits is what they know they can spend: bought and given, less what jobs cost.
type account struct {
	id, email, currency string
	customer            string // at Stripe, from the first payment on
	credits             int64
}

// purchase is a payment for credits or for a month of a subscription.
type purchase struct {
	id                      string
	account                 *account
	kind                    string
	credits, amountMinor    int64
	currency                string
	status                  string
	intent, charge, invoice string
	createdAt, completedAt  time.Time
}

// job is a fine-tuning or generation job. The database knows it as soon as a night ended with it running.
type job struct {
	serial                int64
	id                    string
	account               *account
	kind, model           string
	status, failureCode   string
	cost                  int64
	createdAt, finishedAt time.Time
	debitedAtStart        bool
	stored                bool
}

// entry is a row of the credit ledger.
type entry struct {
	account       *account
	kind          string
	credits       int64
	purchase, job string
	key, memo     string
	at            time.Time // now unless set
}

var (
	givenNames  = []string{"ada", "grace", "alan", "edsger", "barbara", "donald", "frances", "ken", "radia", "leslie", "margaret", "niklaus", "lynn", "tony", "karen", "john", "adele", "butler", "shafi", "silvio"}
	familyNames = []string{"larch", "birch", "maple", "alder", "rowan", "hazel", "aspen", "cedar", "linden", "willow", "juniper", "elm", "spruce", "poplar", "acacia"}
	currencies  = []string{"usd", "usd", "usd", "usd", "usd", "usd", "eur", "eur", "eur", "jpy", "jpy", "kwd"}
)

// welcomeCredits are given to every new account.
const welcomeCredits = 25

// packs are what can be bought: credits, and the price in minor units by currency.
var packs = []pack{
	{1_000, map[string]int64{"usd": 1000, "eur": 950, "jpy": 1500, "kwd": 3100}},
	{2_600, map[string]int64{"usd": 2500, "eur": 2400, "jpy": 3800, "kwd": 7700}},
	{5_500, map[string]int64{"usd": 5000, "eur": 4800, "jpy": 7500, "kwd": 15400}},
	{12_000, map[string]int64{"usd": 10000, "eur": 9600, "jpy": 15000, "kwd": 30700}},
	{30_000, map[string]int64{"usd": 24000, "eur": 23000, "jpy": 36000, "kwd": 73500}},
	{80_000, map[string]int64{"usd": 60000, "eur": 57500, "jpy": 90000, "kwd": 184000}},
}

type pack struct {
	credits     int64
	amountMinor map[string]int64
}

// smallestPack holds at least so many credits; the largest if none does.
func smallestPack(credits int64) pack {
	for _, p := range packs {
		if p.credits >= credits {
			return p
		}
	}
	return packs[len(packs)-1]
}

// workload is a kind of job with what it costs and how long it takes.
type workload struct {
	kind, model       string
	perMille          int // of all jobs
	costLow, costHigh int64
	low, high         time.Duration
	debitedAtStart    bool
}

var workloads = []workload{
	{"image", "Flux.1-dev", 420, 4, 16, 4 * time.Second, 40 * time.Second, false},
	{"image", "Qwen Image", 330, 3, 12, 3 * time.Second, 30 * time.Second, false},
	{"video", "Wan2.2", 170, 40, 180, time.Minute, 11 * time.Minute, false},
	{"fine_tune", "Flux.1-dev", 35, 300, 900, 18 * time.Minute, 2 * time.Hour, true},
	{"fine_tune", "Qwen Image", 25, 250, 800, 15 * time.Minute, 100 * time.Minute, true},
	{"fine_tune", "Wan2.2", 20, 600, 1600, 40 * time.Minute, 4 * time.Hour, true},
}

// Failure codes as GPU fleets really report them, by whose fault they are under the default policy.
var (
	systemCodes = []string{"NODE_FAIL", "node_lost", "GPU_XID_79", "CUDA_ERROR_ECC_UNCORRECTABLE", "NCCL_TIMEOUT", "OOMKilled", "Evicted", "PREEMPTED",
		"CUDA out of memory", "INTERNAL_ERROR", "RuntimeError", "storage_timeout"}
	userCodes = []string{"invalid_dataset", "PROMPT_REJECTED", "content_policy_violation", "INVALID_CONFIG", "invalid_input", "cancelled_by_user"}
)

// hourWeights is how busy the hours of a local day are; weekends are quieter.
var hourWeights = [24]int{18, 12, 9, 7, 7, 9, 14, 22, 38, 52, 60, 62, 55, 58, 66, 70, 68, 62, 58, 60, 64, 58, 44, 28}

const weekendPerMille = 620

func (s *Simulation) newAccount(r *rand.Rand) *account {
	a := &account{id: s.mint.next("acc"), currency: pick(r, currencies)}
	s.totals.Accounts++
	a.email = fmt.Sprintf("%s.%s%d@example.com", pick(r, givenNames), pick(r, familyNames), s.totals.Accounts)
	s.out.insert("accounts", a.id, a.email, "active", s.now)
	s.post(entry{account: a, kind: "promo", credits: welcomeCredits, key: "welcome:" + a.id, memo: "Welcome to Humming Bytes"})
	a.credits = welcomeCredits
	return a
}

// post writes a ledger entry. It does not touch what the account may spend: that was settled when the job or purchase began.
func (s *Simulation) post(e entry) string {
	setDefault(&e.at, s.now)
	id := s.mint.next("ent")
	s.totals.Entries++
	s.out.insert("credit_entries", id, e.account.id, e.kind, e.credits, orNull(e.purchase), orNull(e.job), orNull(e.key), orNull(e.memo), e.at)
	return id
}

func (s *Simulation) storePurchase(p *purchase) {
	s.totals.Purchases++
	s.out.insert("purchases", p.id, p.account.id, p.kind, p.credits, p.amountMinor, p.currency, p.status, orNull(p.intent), orNull(p.charge),
		orNull(p.invoice), p.createdAt, instantOrNull(p.completedAt))
}

func (s *Simulation) newPurchase(a *account, kind string, credits, amountMinor int64) *purchase {
	return &purchase{id: s.mint.next("pur"), account: a, kind: kind, credits: credits, amountMinor: amountMinor, currency: a.currency,
		status: "pending", createdAt: s.now}
}

// buy is a purchase that is paid by card and granted at once.
func (s *Simulation) buy(a *account, choice pack) *purchase {
	p := s.newPurchase(a, "credits", choice.credits, choice.amountMinor[a.currency])
	s.charge(p, nil)
	s.completed(p)
	return p
}

func (s *Simulation) grant(p *purchase) {
	if p.credits == 0 {
		return
	}
	s.post(entry{account: p.account, kind: "purchase", credits: p.credits, purchase: p.id, key: "grant:" + p.id})
	p.account.credits += p.credits
}

// buyAnyhow is buy as it happens to many: now and then Stripe is slow.
func (s *Simulation) buyAnyhow(r *rand.Rand, a *account, choice pack) {
	if !chance(r, 20) {
		s.buy(a, choice)
		return
	}
	p := s.newPurchase(a, "credits", choice.credits, choice.amountMinor[a.currency])
	s.chargeSlowly(p)
	s.completed(p)
}

// declined is a purchase whose card was refused.
func (s *Simulation) declined(a *account, choice pack) {
	p := s.newPurchase(a, "credits", choice.credits, choice.amountMinor[a.currency])
	s.decline(p)
}

func (s *Simulation) decline(p *purchase) {
	s.charge(p, func(c *stripetest.ChargeParams) { c.Decline = "card_declined" })
	p.status = "failed"
	s.storePurchase(p)
}

// buyByDebit is a purchase that the bank confirms, or not, days later.
func (s *Simulation) buyByDebit(r *rand.Rand, a *account, choice pack) {
	p := s.newPurchase(a, "credits", choice.credits, choice.amountMinor[a.currency])
	s.charge(p, func(c *stripetest.ChargeParams) { c.Method = stripetest.SEPADebit })
	s.storePurchase(p)
	paid := chance(r, 900)
	s.plan(s.now.Add(spell(r, 30*time.Hour, 100*time.Hour)), func() {
		if !paid {
			s.bankSays(p, false)
			s.out.update("UPDATE platform.purchases SET status = 'failed' WHERE id = $1", p.id)
			return
		}
		s.bankSays(p, true)
		s.complete(p)
	})
}

// complete notes that a purchase that was stored as pending is paid, and grants it.
func (s *Simulation) complete(p *purchase) {
	p.status, p.completedAt = "completed", s.now
	s.out.update("UPDATE platform.purchases SET status = 'completed', completed_at = $2 WHERE id = $1", p.id, s.now)
	s.grant(p)
}

// bankSays settles or fails a bank debit at Stripe.
func (s *Simulation) bankSays(p *purchase, paid bool) {
	if s.stripe == nil {
		return
	}
	var err error
	if paid {
		_, err = s.stripe.SettleCharge(p.charge)
	} else {
		_, err = s.stripe.FailCharge(p.charge, "insufficient_funds")
	}
	s.fail(err)
}

// planHistory is what there was before the first night: accounts with credits, some of them bought days ago, and subscriptions.
func (s *Simulation) planHistory() {
	r := s.random("history")
	for range s.options.Accounts {
		s.plan(s.now.Add(spell(r, time.Hour, (historyDays-1)*24*time.Hour)), func() {
			a := s.newAccount(r)
			s.accounts = append(s.accounts, a)
			if chance(r, 700) {
				s.buy(a, pick(r, packs[:5]))
			}
			if chance(r, 120) {
				s.subscribe(r, a)
			}
		})
	}
}

// planArrivals puts a night's new customers, their purchases and their jobs on the calendar, hour by hour.
func (s *Simulation) planArrivals(night reconcile.Night) {
	var hours []time.Time
	for hour := night.Begin; hour.Before(night.End); hour = hour.Add(time.Hour) {
		hours = append(hours, hour)
	}
	for _, hour := range hours {
		s.plan(hour, func() {
			if len(s.options.Trace) > 0 {
				s.replayUntil(minTime(hour.Add(time.Hour), night.End))
				return
			}
			s.inventHour(night, hour)
		})
	}
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func (s *Simulation) inventHour(night reconcile.Night, hour time.Time) {
	r := s.background
	within := func() time.Time { return hour.Add(spell(r, 0, time.Hour-time.Second)) }
	for range s.arrivals(night, hour, s.options.JobsPerNight) {
		s.plan(within(), func() { s.customerWantsJob(r) })
	}
	for range s.arrivals(night, hour, 6+s.options.Accounts/40) {
		s.plan(within(), func() { s.customerArrives(r) })
	}
	for range s.arrivals(night, hour, 4+s.options.Accounts/100) {
		s.plan(within(), func() { s.goodwill(r) })
	}
}

// arrivals is how many of a night's perNight come in this hour, give or take a tenth.
func (s *Simulation) arrivals(night reconcile.Night, hour time.Time, perNight int) int {
	total := 0
	for _, weight := range hourWeights {
		total += weight
	}
	share := int64(perNight) * int64(hourWeights[hour.In(s.options.Zone).Hour()]) * 1000
	if day := night.Date.Weekday(); day == time.Saturday || day == time.Sunday {
		share = share * weekendPerMille / 1000
	}
	share = share * between(s.background, 900, 1100) / 1000
	thousandths := share / int64(total)
	return int(thousandths/1000) + map[bool]int{true: 1}[int64(s.background.IntN(1000)) < thousandths%1000]
}

// customer is somebody who comes often: the earlier ones more than the later.
func (s *Simulation) customer(r *rand.Rand) *account {
	n := len(s.accounts)
	return s.accounts[min(r.IntN(n), r.IntN(n), r.IntN(n))]
}

func (s *Simulation) customerArrives(r *rand.Rand) {
	a := s.newAccount(r)
	s.accounts = append(s.accounts, a)
	switch {
	case chance(r, 40):
		s.declined(a, packs[0])
	case chance(r, 50) && a.currency == "eur":
		s.buyByDebit(r, a, pick(r, packs[:3]))
	case chance(r, 600):
		s.buyAnyhow(r, a, pick(r, packs[:4]))
	}
	if chance(r, 60) {
		s.subscribe(r, a)
	}
}

// goodwill is what support gives and takes by hand.
func (s *Simulation) goodwill(r *rand.Rand) {
	a := s.customer(r)
	switch {
	case chance(r, 600):
		credits := between(r, 1, 10) * 10
		s.post(entry{account: a, kind: "promo", credits: credits, memo: "Thank you for your feedback"})
		a.credits += credits
	case chance(r, 700):
		credits := between(r, 1, 8) * 5
		s.post(entry{account: a, kind: "adjustment", credits: credits, memo: "Goodwill"})
		a.credits += credits
	case a.credits >= 15:
		s.post(entry{account: a, kind: "adjustment", credits: -15, memo: "Promotion entered twice"})
		a.credits -= 15
	}
}

func (s *Simulation) customerWantsJob(r *rand.Rand) {
	a := s.customer(r)
	draw, choice := r.IntN(1000), workloads[0]
	for _, w := range workloads {
		choice = w
		if draw -= w.perMille; draw < 0 {
			break
		}
	}
	j := &job{account: a, kind: choice.kind, model: choice.model, cost: between(r, choice.costLow, choice.costHigh), debitedAtStart: choice.debitedAtStart}
	if chance(r, 12) {
		j.cost = 0 // a free preview
	}
	if a.credits < j.cost {
		if chance(r, 30) {
			s.declined(a, smallestPack(j.cost))
			return
		}
		s.buyAnyhow(r, a, smallestPack(j.cost*between(r, 2, 20)))
	}
	s.outcome(r, j)
	s.start(j, s.now.Add(spell(r, choice.low, choice.high)))
}

// outcome decides how a job will end: 1.5 % fail or are interrupted, 0.4 % are canceled.
func (s *Simulation) outcome(r *rand.Rand, j *job) {
	switch draw := r.IntN(1000); {
	case draw < 7:
		j.status, j.failureCode = "failed", pick(r, systemCodes)
	case draw < 9:
		j.status, j.failureCode = "interrupted", pick(r, []string{"PREEMPTED", "NODE_FAIL"})
	case draw < 15:
		j.status, j.failureCode = "failed", pick(r, userCodes)
	case draw < 19:
		j.status = "canceled"
	default:
		j.status = "succeeded"
	}
}

// start begins a job that ends at an instant as its status says, and takes its cost from what the account may spend.
func (s *Simulation) start(j *job, finishAt time.Time) {
	s.begin(j)
	if j.debitedAtStart {
		s.debit(j)
	}
	s.plan(finishAt, func() {
		s.finish(j)
		if !j.debitedAtStart {
			s.debit(j)
		}
	})
}

// begin puts a job into the world, without an end.
func (s *Simulation) begin(j *job) {
	s.jobs++
	s.totals.Jobs++
	j.serial, j.createdAt = s.jobs, s.now
	setDefault(&j.id, s.mint.next("job"))
	j.account.credits -= j.cost
	s.running[j] = struct{}{}
}

func (s *Simulation) finish(j *job) {
	delete(s.running, j)
	j.finishedAt = s.now
	if j.stored {
		s.out.update("UPDATE platform.jobs SET status = $2, failure_code = $3, finished_at = $4 WHERE id = $1",
			j.id, j.status, orNull(j.failureCode), j.finishedAt)
		return
	}
	s.storeJob(j, j.status)
}

func (s *Simulation) debit(j *job) {
	if j.cost > 0 {
		s.post(entry{account: j.account, kind: "usage", credits: -j.cost, job: j.id, key: "debit:" + j.id})
	}
}

func (s *Simulation) storeJob(j *job, status string) {
	j.stored = true
	code := ""
	if !j.finishedAt.IsZero() {
		code = j.failureCode
	}
	s.out.insert("jobs", j.id, j.account.id, j.kind, j.model, status, orNull(code), j.cost, j.createdAt, instantOrNull(j.finishedAt))
}

// storeRunning writes the jobs that the night ends with and that the database doesn't know yet.
func (s *Simulation) storeRunning() {
	jobs := slices.SortedFunc(maps.Keys(s.running), func(a, b *job) int { return cmp.Compare(a.serial, b.serial) })
	for _, j := range jobs {
		if j.stored {
			continue
		}
		status := "running"
		if j.status == "queued" {
			status = j.status
		}
		s.storeJob(j, status)
	}
}
