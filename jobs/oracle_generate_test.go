package jobs_test

import (
	"fmt"
	"math"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/hummingbytes/reconciler/reconcile"
)

// stage is when and where random platforms play: consecutive nights in one time zone.
type stage struct {
	First  reconcile.Date
	Nights int
	Zone   *time.Location
}

func (s stage) night(i int) reconcile.Night { return reconcile.NightOf(s.First.AddDays(i), s.Zone) }

// platforms generates small platforms that are dense with trouble: few accounts, instants that collide at the edges of nights and of
// refund windows, and in every table the faults that the breaks are about, next to rows without any fault.
func platforms(s stage) *rapid.Generator[platform] {
	return rapid.Custom(func(t *rapid.T) platform {
		g := &generating{T: t, stage: s}
		accounts := rapid.IntRange(1, 2).Draw(t, "accounts")
		for a := range accounts {
			g.account(fmt.Sprintf("acct-%d", a))
		}
		g.orphans()
		for range rapid.IntRange(0, 3).Draw(t, "requests") {
			g.request()
		}
		if g.chance(6) {
			g.breakContract()
		}
		return g.platform
	})
}

type generating struct {
	*rapid.T
	stage
	platform platform
	made     int
}

// chance is true in about one of n cases.
func (g *generating) chance(n int) bool { return rapid.IntRange(1, n).Draw(g.T, "chance") == n }

func draw[V any](g *generating, what string, from ...V) V {
	return rapid.SampledFrom(from).Draw(g.T, what)
}

func (g *generating) id(kind string) string {
	g.made++
	// Ids are not in the order of time, so that ties by id are worth something.
	return fmt.Sprintf("%s-%d%d", kind, rapid.IntRange(0, 9).Draw(g.T, "salt"), g.made)
}

// instant is at or about the edge of a night, the middle of one, or a week before: where everything collides.
func (g *generating) instant() time.Time {
	night := g.night(draw(g, "night", -9, -8, -7, -6, -2, -1, -1, 0, 0, 0, 0, 1, 1, 1, 2, 2, g.Nights-1, g.Nights))
	switch draw(g, "edge", "begin", "begin", "just after", "noon", "noon", "noon", "a second later", "just before the end") {
	case "begin":
		return night.Begin
	case "just after":
		return night.Begin.Add(time.Microsecond)
	case "noon":
		return night.Begin.Add(12 * time.Hour)
	case "a second later":
		return night.Begin.Add(12*time.Hour + time.Second)
	default:
		return night.End.Add(-time.Microsecond)
	}
}

func (g *generating) after(t time.Time) time.Time {
	return t.Add(draw(g, "delay", 0, 0, 0, time.Microsecond, time.Second, time.Hour, 12*time.Hour, 24*time.Hour, 47*time.Hour, 48*time.Hour))
}

// amount of credits: small and often the same, now and then as large as a bigint holds.
func (g *generating) amount() int64 {
	if g.chance(40) {
		return draw[int64](g, "huge", math.MaxInt64, math.MaxInt64-1, math.MaxInt64/2)
	}
	return draw[int64](g, "credits", 1, 3, 5, 10, 10, 10, 20, 100)
}

// turn is the night before which a row stamped t arrives: in time, but now and then after its night has been reported.
func (g *generating) turn(t time.Time) int {
	if t.Before(g.night(0).Begin) || !g.chance(12) {
		return 0
	}
	for i := range g.Nights - 1 {
		if isOf(g.night(i), t) {
			return rapid.IntRange(i, g.Nights-1).Draw(g.T, "turn")
		}
	}
	return 0
}

// turnInBooks is the same for entries and purchases, which may also arrive late when they are stamped before the first night: the books opened with
// what there was of them.
func (g *generating) turnInBooks(t time.Time) int {
	if t.Before(g.night(0).Begin) && g.chance(12) {
		return rapid.IntRange(0, g.Nights-1).Draw(g.T, "turn")
	}
	return g.turn(t)
}

func (g *generating) enter(e entry, at time.Time) {
	e.ID = g.id("e")
	e.CreatedAt = ref(at)
	e.Turn = g.turnInBooks(at)
	g.platform.Entries = append(g.platform.Entries, e)
}

func (g *generating) someAccount() string {
	if len(g.platform.Accounts) == 0 {
		return "acct-0"
	}
	return rapid.SampledFrom(g.platform.Accounts).Draw(g.T, "account").ID
}

func (g *generating) account(id string) {
	g.platform.Accounts = append(g.platform.Accounts, account{ID: id, Email: ref(draw(g, "email", id+"@x.test", id+"@x.test", "Shared@x.test")),
		Status: ref(draw(g, "status", "active", "active", "suspended", "closed")), CreatedAt: ref(g.night(-400).Begin)})
	for range rapid.IntRange(0, 3).Draw(g.T, "purchases") {
		g.purchase(id)
	}
	for range rapid.IntRange(0, 1).Draw(g.T, "promos") {
		g.enter(entry{AccountID: ref(id), Kind: ref("promo"), Credits: ref(draw[int64](g, "credits", 0, 5, 10, 50))}, g.instant())
	}
	for range rapid.IntRange(0, 4).Draw(g.T, "jobs") {
		g.job(id)
	}
	if g.chance(4) {
		g.enter(entry{AccountID: ref(id), Kind: ref("adjustment"), Credits: ref(draw[int64](g, "credits", -5, -1, 0, 1, 5, 10))}, g.instant())
	}
}

func (g *generating) purchase(owner string) {
	completed := g.instant()
	p := purchase{ID: g.id("p"), AccountID: ref(owner), Kind: ref(draw(g, "kind", "credits", "credits", "credits", "credits", "subscription")),
		Credits: ref(g.amount()), AmountMinor: ref(draw[int64](g, "price", 0, 99, 1000, 1000, 1000, math.MaxInt64)),
		Currency: ref(draw(g, "currency", "usd", "usd", "eur", "jpy")), CreatedAt: ref(completed.Add(-draw(g, "checkout", 0, time.Second, 25*time.Hour)))}
	if g.chance(10) {
		p.Credits = ref[int64](0)
	}
	if g.chance(3) {
		p.InvoiceID = ref(owner + draw(g, "invoice", "-in-1", "-in-2"))
	}
	switch draw(g, "outcome", "completed", "completed", "completed", "completed", "completed", "completed", "completed", "pending", "failed") {
	case "completed":
		p.Status, p.CompletedAt, p.Turn = ref("completed"), ref(completed), g.turnInBooks(completed)
	case "pending":
		p.Status = ref("pending")
	case "failed":
		p.Status = ref("failed")
	}
	g.platform.Purchases = append(g.platform.Purchases, p)
	grant := entry{AccountID: ref(owner), Kind: ref("purchase"), Credits: p.Credits, PurchaseID: ref(p.ID)}
	switch draw(g, "grant", "right", "right", "right", "right", "right", "later", "none", "twice", "other amount", "taken back", "foreign") {
	case "right":
		if oneOf(p.Status, "completed") || g.chance(3) {
			g.enter(grant, completed)
		}
	case "later":
		g.enter(grant, g.after(completed))
	case "twice":
		g.enter(grant, completed)
		g.enter(grant, g.after(completed))
	case "other amount":
		grant.Credits = ref(draw[int64](g, "granted", 0, 1, 7, 10, 20))
		g.enter(grant, completed)
	case "taken back":
		g.enter(grant, completed)
		grant.Kind, grant.Credits = ref("adjustment"), ref(-*p.Credits)
		g.enter(grant, g.after(completed))
	case "foreign":
		grant.AccountID = ref(g.someAccount())
		g.enter(grant, completed)
	}
	if g.chance(7) {
		refund := entry{AccountID: ref(owner), Kind: ref("refund"), Credits: ref(-*p.Credits), PurchaseID: ref(p.ID)}
		at := g.after(completed)
		g.enter(refund, at)
		if g.chance(3) {
			refund.Kind, refund.Credits = ref("refund_reversal"), p.Credits
			g.enter(refund, g.after(at))
		}
	}
}

func (g *generating) job(owner string) {
	finished := g.instant()
	j := job{ID: g.id("j"), AccountID: ref(owner), Kind: ref(draw(g, "kind", "image", "video", "fine_tune")), Model: ref("m"),
		CreditCost: ref(draw[int64](g, "cost", 0, 1, 3, 5, 5, 10, 10)), CreatedAt: ref(finished.Add(-draw(g, "run time", 0, time.Second, time.Hour, 48*time.Hour, 50*time.Hour))),
		Status: ref(draw(g, "status", "succeeded", "failed", "failed", "failed", "failed", "interrupted", "canceled", "running", "queued"))}
	if g.chance(40) {
		j.CreditCost = ref(g.amount())
	}
	if g.chance(15) {
		j.AccountID = ref("acct-without-row")
	}
	if !oneOf(j.Status, "running", "queued") {
		j.FinishedAt = ref(finished)
	}
	if oneOf(j.Status, "failed", "interrupted", "canceled") || g.chance(6) {
		if code := draw(g, "code", "NODE_FAIL", "node-fail", "CUDA error: out of memory", "invalid_input", "internal_error", "content_policy_violation", "what is this", "", "-"); code != "-" {
			j.FailureCode = ref(code)
		}
	}
	if j.FinishedAt != nil {
		j.Turn = max(g.turn(finished), g.turn(finished))
	}
	g.platform.Jobs = append(g.platform.Jobs, j)

	debit := entry{AccountID: ref(owner), Kind: ref("usage"), Credits: ref(-*j.CreditCost), JobID: ref(j.ID)}
	at := draw(g, "debited", finished, finished, *j.CreatedAt)
	switch draw(g, "debit", "right", "right", "right", "right", "right", "right", "none", "later", "twice", "thrice", "other amount", "split", "only an adjustment",
		"double", "foreign", "also foreign", "reversed", "partly reversed", "twice, one reversed", "corrected") {
	case "right":
		g.enter(debit, at)
	case "later":
		g.enter(debit, g.after(finished))
	case "twice":
		g.enter(debit, at)
		g.enter(debit, g.after(at))
	case "thrice":
		g.enter(debit, at)
		g.enter(debit, at)
		g.enter(debit, g.after(at))
	case "other amount":
		debit.Credits = ref(-draw[int64](g, "debited", 0, 1, 4, 10, 20))
		g.enter(debit, at)
	case "split":
		half := debit
		half.Credits = ref(*debit.Credits / 2)
		g.enter(half, at)
		half.Credits = ref(*debit.Credits - *debit.Credits/2)
		g.enter(half, g.after(at))
	case "double":
		if *j.CreditCost < 1000 {
			debit.Credits = ref(*debit.Credits * 2)
		}
		g.enter(debit, at)
	case "foreign":
		debit.AccountID = ref(g.someAccount())
		g.enter(debit, at)
	case "also foreign":
		g.enter(debit, at)
		debit.AccountID = ref(g.someAccount())
		g.enter(debit, g.after(at))
	case "only an adjustment":
		g.reverse(debit, -*debit.Credits, at)
	case "reversed":
		g.enter(debit, at)
		g.reverse(debit, *debit.Credits, at)
	case "partly reversed":
		g.enter(debit, at)
		g.reverse(debit, *debit.Credits/2, at)
	case "twice, one reversed":
		g.enter(debit, at)
		g.enter(debit, g.after(at))
		g.reverse(debit, *debit.Credits, at)
	case "corrected":
		debit.Credits = ref(min(0, *debit.Credits+1))
		g.enter(debit, at)
		g.reverse(debit, 1, at)
	}
	if g.chance(8) {
		back := entry{AccountID: ref(owner), Kind: ref("credit_back"), Credits: ref(draw(g, "given back", 0, 1, *j.CreditCost, *j.CreditCost, 20)), JobID: ref(j.ID)}
		if g.chance(5) {
			back.AccountID = ref(g.someAccount())
		}
		g.enter(back, g.after(finished))
	}
}

// reverse gives credits of a debit back, or takes more of them, by an adjustment that names the job.
func (g *generating) reverse(debit entry, credits int64, at time.Time) {
	debit.Kind, debit.Credits = ref("adjustment"), ref(-credits)
	g.enter(debit, g.after(at))
}

// orphans are entries that name what does not exist.
func (g *generating) orphans() {
	if g.chance(6) {
		usage := entry{AccountID: ref(g.someAccount()), Kind: ref("usage"), Credits: ref[int64](-5), JobID: ref("j-nowhere")}
		at := g.instant()
		g.enter(usage, at)
		if g.chance(3) {
			g.reverse(usage, -5, at)
		}
	}
	if g.chance(8) {
		g.enter(entry{AccountID: ref(g.someAccount()), Kind: ref("credit_back"), Credits: ref[int64](4), JobID: ref("j-nowhere")}, g.instant())
	}
	if g.chance(12) {
		g.enter(entry{AccountID: ref(g.someAccount()), Kind: ref("usage"), Credits: ref(draw[int64](g, "credits", -2, 0))}, g.instant())
	}
	if g.chance(6) {
		g.enter(entry{AccountID: ref(g.someAccount()), Kind: ref("purchase"), Credits: ref[int64](10), PurchaseID: ref("p-nowhere")}, g.instant())
	}
}

func (g *generating) request() {
	requested := g.instant()
	q := request{ID: g.id("r"), Kind: ref(draw(g, "kind", "unused_credits", "unused_credits", "unused_credits", "failed_job")), AccountEmail: ref("nobody@x.test"),
		Reason: ref(draw(g, "reason", "please", "please", "please", "please", " \n")), Status: ref(draw(g, "status", "pending", "pending", "pending", "pending", "pending", "approved", "denied", "withdrawn"))}
	a := g.someAccount()
	if !g.chance(5) {
		q.AccountID = ref(a)
	}
	for _, r := range g.platform.Accounts {
		if r.ID == a && !g.chance(10) {
			q.AccountEmail = ref(draw(g, "written", *r.Email, *r.Email, strings.ToUpper(*r.Email), " "+*r.Email))
		}
	}
	if oneOf(q.Kind, "failed_job") {
		q.JobID = ref("j-nowhere")
		if len(g.platform.Jobs) > 0 && !g.chance(8) {
			q.JobID = ref(rapid.SampledFrom(g.platform.Jobs).Draw(g.T, "job").ID)
		}
		if g.chance(8) {
			q.JobID = nil
		}
	} else if len(g.platform.Purchases) > 0 {
		p := rapid.SampledFrom(g.platform.Purchases).Draw(g.T, "purchase")
		if p.CompletedAt != nil && !g.chance(3) {
			requested = p.CompletedAt.Add(draw(g, "waited", 0, time.Hour, 24*time.Hour, 7*24*time.Hour-time.Microsecond, 7*24*time.Hour, 7*24*time.Hour+time.Microsecond, 8*24*time.Hour))
		}
		if g.chance(2) && q.AccountID != nil {
			q.AccountID = p.AccountID
		}
		switch draw(g, "names", "purchase", "purchase", "invoice", "details", "details", "some details", "nothing") {
		case "purchase":
			q.PurchaseID = ref(p.ID)
			if g.chance(10) {
				q.PurchaseID = ref("p-nowhere")
			}
		case "invoice":
			q.InvoiceID = ref("in-nowhere")
			if p.InvoiceID != nil {
				q.InvoiceID = p.InvoiceID
			}
		case "details":
			g.state(&q, p)
		case "some details":
			g.state(&q, p)
			switch draw(g, "lacks", "date", "amount", "currency") {
			case "date":
				q.StatedDate = nil
			case "amount":
				q.StatedAmountMinor = nil
			case "currency":
				q.StatedCurrency = nil
			}
		}
	}
	q.RequestedAt = ref(requested)
	if !oneOf(q.Status, "pending") {
		q.DecidedAt = ref(g.after(requested))
	}
	q.Turn = g.turn(requested)
	g.platform.Requests = append(g.platform.Requests, q)
}

// state names a purchase by its details, now and then by the day before it.
func (g *generating) state(q *request, p purchase) {
	bought := p.CreatedAt
	if p.CompletedAt != nil {
		bought = p.CompletedAt
	}
	date := reconcile.DateOf(bought.In(g.Zone))
	if g.chance(8) {
		date = date.AddDays(-1)
	}
	q.StatedDate, q.StatedAmountMinor, q.StatedCurrency = ref(date.String()), p.AmountMinor, p.Currency
}

// breakContract spoils one row that nothing else in the platform refers to by then.
func (g *generating) breakContract() {
	switch draw(g, "spoils", "job", "purchase", "entry", "request") {
	case "job":
		j := job{ID: g.id("j"), AccountID: ref(g.someAccount()), Kind: ref("image"), Model: ref("m"), Status: ref("failed"), FailureCode: ref("NODE_FAIL"),
			CreditCost: ref[int64](5), CreatedAt: ref(g.night(0).Begin), FinishedAt: ref(g.night(0).Begin.Add(time.Hour))}
		switch draw(g, "field", "account", "kind", "status", "cost", "negative cost", "order", "created_at") {
		case "account":
			j.AccountID = nil
		case "kind":
			j.Kind = ref("audio")
		case "status":
			j.Status = ref("exploded")
		case "cost":
			j.CreditCost = nil
		case "negative cost":
			j.CreditCost = ref[int64](-5)
		case "created_at":
			j.CreatedAt = nil
		case "order":
			j.CreatedAt = ref(j.FinishedAt.Add(time.Second))
		}
		g.platform.Jobs = append(g.platform.Jobs, j)
		g.enter(entry{AccountID: ref(g.someAccount()), Kind: ref("usage"), Credits: ref[int64](-5), JobID: ref(j.ID)}, *j.FinishedAt)
	case "purchase":
		p := purchase{ID: g.id("p"), AccountID: ref(g.someAccount()), Kind: ref("credits"), Credits: ref[int64](10), AmountMinor: ref[int64](1000), Currency: ref("usd"),
			Status: ref("completed"), CreatedAt: ref(g.night(0).Begin), CompletedAt: ref(g.night(0).Begin)}
		switch draw(g, "field", "account", "kind", "status", "credits", "negative amount", "completed_at") {
		case "account":
			p.AccountID = nil
		case "kind":
			p.Kind = nil
		case "status":
			p.Status = ref("done")
		case "credits":
			p.Credits = ref[int64](-10)
		case "negative amount":
			p.AmountMinor = ref[int64](-1)
		case "completed_at":
			p.CompletedAt = nil
		}
		g.platform.Purchases = append(g.platform.Purchases, p)
		g.enter(entry{AccountID: ref(g.someAccount()), Kind: ref("purchase"), Credits: ref[int64](10), PurchaseID: ref(p.ID)}, *p.CreatedAt)
	case "entry":
		e := entry{AccountID: ref(g.someAccount()), Kind: ref("promo"), Credits: ref[int64](5)}
		switch draw(g, "field", "account", "kind", "credits", "sign") {
		case "account":
			e.AccountID = nil
		case "kind":
			e.Kind = ref("gift")
		case "credits":
			e.Credits = nil
		case "sign":
			e.Credits = ref[int64](-5)
		}
		g.enter(e, g.night(0).Begin.Add(time.Hour))
	case "request":
		q := request{ID: g.id("r"), AccountID: ref(g.someAccount()), AccountEmail: ref("a@x.test"), Kind: ref("unused_credits"), Reason: ref("please"),
			Status: ref("pending"), RequestedAt: ref(g.night(0).Begin.Add(time.Hour))}
		switch draw(g, "field", "kind", "status", "requested_at") {
		case "kind":
			q.Kind = ref("everything")
		case "status":
			q.Status = ref("maybe")
		case "requested_at":
			q.RequestedAt = nil
		}
		g.platform.Requests = append(g.platform.Requests, q)
	}
}
