package lives_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
)

const day = 24 * time.Hour

// maker makes up a life.
type maker struct {
	*rand.Rand
	events []event
	start  int // day of the life's first event
}

func (m *maker) chance(percent int) bool { return m.IntN(100) < percent }

func pick[T any](m *maker, of ...T) T { return of[m.IntN(len(of))] }

// between is an instant some days into the life: now and then the first or the last second of a day.
func (m *maker) between(from, to int) time.Duration {
	at := time.Duration(m.start+from+m.IntN(to-from+1)) * day
	switch m.IntN(12) {
	case 0:
		return at
	case 1:
		return at + day - time.Second
	}
	return at + time.Duration(m.IntN(86400))*time.Second
}

func (m *maker) add(at time.Duration, verb string, n int64, words ...string) {
	m.events = append(m.events, event{at, verb, n, words})
}

// makeLife makes up the life of a customer that begins on a day and has come to an end some days before another one.
func makeLife(r *rand.Rand, start, end int) []event {
	m := &maker{Rand: r, start: start}
	switch m.IntN(14) {
	case 0, 1, 2:
		m.jobs()
	case 3, 4:
		m.mistake()
	case 12:
		m.otherCurrency()
	case 13:
		m.subscription(end)
	default:
		m.money(0)
		if m.chance(15) {
			m.money(m.IntN(6))
		}
	}
	m.events = slices.DeleteFunc(m.events, func(e event) bool { return e.at >= time.Duration(end)*day })
	m.add(time.Duration(end-5)*day+11*time.Hour, "release", 0, "since", "all") // as Stripe does, some days after
	m.add(time.Duration(end-3)*day+11*time.Hour, "lose", 0, "all")             // and what is still disputed ends
	m.add(time.Duration(end-3)*day+12*time.Hour, "close", 0, "all")
	for hour := range 3 { // whatever is still on its way arrives
		m.add(time.Duration(end-2)*day+time.Duration(11+hour)*time.Hour, "refund-arrives", 0)
	}
	for range 3 { // everything wrong is put right, which may take several steps
		m.add(time.Duration(end)*day+10*time.Hour, "resolve", 0)
		end += 2
	}
	return inOrder(m.events)
}

func (m *maker) amount(currency string) int64 {
	n := 700 + m.Int64N(12_000)
	if m.chance(30) {
		n -= n % 500
		n += 500
	}
	if currency[:3] == "kwd" {
		n *= 10
	}
	return n
}

// money is a purchase and what becomes of it.
func (m *maker) money(from int) {
	currency := pick(m, "usd", "usd", "usd", "usd", "eur", "eur", "jpy", "kwd", "eur>usd", "jpy>usd", "kwd>usd", "gbp>eur")
	how := pick(m, "card", "card", "card", "card", "card", "hold", "hold", "hold", "sepa", "ach", "invoice", "invoice", "elsewhere")
	amount := m.amount(currency)
	bought := m.between(from, from+2)
	named, balance := pick(m, "charge", "intent", "nothing"), "0"
	if how == "invoice" || how == "elsewhere" {
		named = pick(m, "charge", "invoice")
	}
	if how == "invoice" && m.chance(60) {
		balance = strconv.FormatInt(1+m.Int64N(amount-300), 10)
	}
	declined := pick(m, "", "", "", "", "card_declined")
	if declined != "" && (how == "invoice" || how == "elsewhere") {
		declined = ""
	}
	m.add(bought, "buy", amount, currency, how, named, balance, declined)
	if how == "elsewhere" {
		return
	}
	begin := int(bought/day) - m.start // when the money has come
	switch how {
	case "hold":
		begin += m.IntN(5)
		at, part := m.between(begin+1, begin+2), amount*int64(20+m.IntN(75))/100
		switch {
		case m.chance(10):
			m.add(at, "release", 0, pick(m, "before", "since"))
		case m.chance(50): // in parts
			granted, days := pick(m, "", "granted"), pick(m, 1, 1, 6)
			m.add(at, "capture", part, "more", granted)
			next := func() time.Duration { at += time.Duration(m.IntN(days*86400)) * time.Second; return at }
			if m.chance(30) {
				m.add(next(), "capture", 1+m.Int64N(amount-part), "more")
			}
			if m.chance(60) {
				m.add(next(), "capture", amount-part, pick(m, "more", "since"))
			}
			if m.chance(50) {
				m.add(next(), "release", 0, "since")
			}
			if m.chance(30) {
				m.add(m.between(begin+1, begin+8), "resolve", 0)
			}
		case m.chance(70):
			m.add(at, "capture", part, pick(m, "before", "since"))
		default:
			m.add(at, "capture", amount, pick(m, "before", "since"))
		}
		begin += 2
	case "sepa", "ach":
		verb := pick(m, "settle", "settle", "settle", "settle", "bounce")
		m.add(m.between(begin+2, begin+5), verb, 0)
		begin += 5
		if m.chance(15) {
			m.add(m.between(begin, begin+20), "bounce", 0)
		}
	}
	if declined != "" && m.chance(40) || m.chance(3) {
		m.add(m.between(begin, begin+9), "forget", 0)
	}
	if m.chance(6) {
		m.corrections(begin, begin+9)
	}
	if m.chance(20) {
		m.add(m.between(begin, begin+8), "use", 1+m.Int64N(40))
	}
	if m.chance(20) {
		m.add(m.between(begin, begin+2), "job", 1+m.Int64N(40), "node_lost", "x")
	}
	if m.chance(60) {
		m.request(bought, begin)
	}
	if m.chance(15) {
		m.staffRefund(begin, begin+9)
	}
	if m.chance(25) {
		m.dispute(begin)
	}
	if m.chance(4) {
		m.add(m.between(begin, begin+9), "take-credits", 0)
	}
	if m.chance(4) {
		m.add(m.between(begin, begin+12), "give-credits", 0)
	}
	if m.chance(20) {
		m.add(m.between(begin+2, begin+34), "refund-fails", 0)
	}
	if m.chance(5) {
		m.add(m.between(begin+2, begin+12), "refund-canceled", 0)
	}
	m.add(m.between(begin+2, begin+12), "refund-arrives", 0)
}

func (m *maker) request(bought time.Duration, begin int) {
	asked := m.between(begin, begin+8)
	if m.chance(10) {
		asked = bought + 7*day + pick(m, -time.Second, 0, time.Second)
	}
	m.add(asked, "ask", 0, pick(m, "id", "id", "words"))
	if m.chance(10) {
		withdrawn := asked + time.Duration(m.IntN(3*86400))*time.Second
		m.add(withdrawn, "withdraw", 0)
		if m.chance(50) { // and has second thoughts
			m.add(withdrawn+time.Duration(1+m.IntN(3*86400))*time.Second, "ask", 0)
		}
	}
	if m.chance(20) {
		m.add(asked+time.Duration(m.IntN(86400))*time.Second, "approve", 0)
	}
	if m.chance(35) {
		from := int(asked/day) - m.start
		m.staffRefund(from, from+2)
	}
}

// corrections are credits that an administrator gives or takes, and promotional ones, which expire later.
func (m *maker) corrections(from, to int) {
	for range 1 + m.IntN(2) {
		given, at := 1+m.Int64N(60), m.between(from, to)
		m.add(at, pick(m, "promo", "correct"), given)
		if m.chance(60) {
			m.add(at+time.Duration(m.IntN(5*86400))*time.Second, "correct", -given)
		}
	}
	if m.chance(20) {
		m.add(m.between(from, to), "correct", -(1+m.Int64N(30))*pick(m, int64(1), 1, 1000))
	}
}

// staffRefund has staff pay money back by hand: as due, too little, too much, in two parts, in one of the books only, to be on its way for a while.
func (m *maker) staffRefund(from, to int) {
	books := pick(m, "both", "both", "both", "both", "stripe")
	speed := pick(m, "now", "now", "now", "pending", "unfunded")
	at := m.between(from, to)
	switch m.IntN(10) {
	case 0:
		m.add(at, "refund", 100+m.Int64N(600), "amount", books, speed)
	case 1:
		m.add(at, "refund", 1+m.Int64N(30), "due", books, speed)
	case 2:
		m.add(at, "refund", 100+m.Int64N(600), "amount", books, speed)
		m.add(at+time.Duration(m.IntN(2*86400))*time.Second, "refund", 0, "due", books, speed)
	default:
		m.add(at, "refund", 0, "due", books, speed)
	}
}

func (m *maker) dispute(begin int) {
	from := begin + m.IntN(12)
	at := m.between(from, from+3)
	amount := pick(m, 0, 0, 0, 300+m.Int64N(400))
	verb := "chargeback"
	if m.chance(30) {
		verb = "inquiry"
		switch m.IntN(3) {
		case 0:
			m.add(at+day+time.Duration(m.IntN(2*86400))*time.Second, "escalate", 0)
		case 1:
			m.add(at+day+time.Duration(m.IntN(2*86400))*time.Second, "close", 0)
		}
	}
	m.add(at, verb, amount, pick(m, "fee", "fee", "nofee", "apart"), pick(m, "0", "97", "103"))
	if m.chance(60) {
		m.add(at+time.Duration(m.IntN(86400))*time.Second, "suspend", 0)
	}
	if m.chance(50) {
		m.add(m.between(from+2, from+5), "evidence", 0)
	}
	switch m.IntN(5) {
	case 0, 1:
		m.add(m.between(from+5, from+8), "win", 0, pick(m, "fee", "keeps"), pick(m, "0", "98", "104"))
		if m.chance(40) {
			m.add(m.between(from+9, from+13), "relapse", 0, pick(m, "0", "97", "103"))
			m.add(m.between(from+11, from+16), pick(m, "win", "part"), 100+m.Int64N(300), pick(m, "fee", "keeps"))
		}
	case 2:
		m.add(m.between(from+5, from+8), "lose", 0)
	case 3:
		m.add(m.between(from+5, from+8), "lose", 0)
		m.add(m.between(from+8, from+14), "win", 0, pick(m, "fee", "keeps"), pick(m, "0", "98", "104"))
	case 4:
		m.add(m.between(from+5, from+8), "lose", 0)
		m.add(m.between(from+8, from+10), "part", 100+m.Int64N(300))
	}
	m.add(m.between(from+15, from+16), "reinstate", 0)
	m.add(m.between(from+15, from+16), "win", 0, "keeps") // whatever is still open ends
	m.add(m.between(from+15, from+16), "close", 0)
}

// jobs are some that end well or badly, with debits as they are to be or not.
func (m *maker) jobs() {
	m.add(m.between(0, 0), "promo", 20_000)
	if m.chance(15) {
		m.corrections(1, 12)
	}
	for range 1 + m.IntN(5) {
		from := 1 + m.IntN(12)
		cost := m.Int64N(90)
		how := pick(m, "succeeded", "succeeded", "canceled", "node_lost", "node_lost", "OOMKilled", "invalid_input", "ZX-4711")
		at := m.between(from, from)
		m.add(at, "job", cost, how, pick(m, "x", "x", "x", "x", "xx", "xxx", "-"))
		if m.chance(15) {
			m.add(at+time.Duration(m.IntN(6*86400))*time.Second, "debit", cost, "late")
		}
		if m.chance(15) { // by and by, over midnight too
			for parts := int64(2 + m.IntN(2)); parts > 0 && cost >= parts; parts-- {
				m.add(at+time.Duration(m.IntN(86400))*time.Second, "debit", cost/parts)
				cost -= cost / parts
			}
		}
		if m.chance(12) {
			m.add(at+time.Duration(m.IntN(5*86400))*time.Second, "retry", 0, pick(m, "succeeded", "succeeded", "node_lost", "node_lost", "canceled", "ZX-4711"), pick(m, "x", "x", "x", "-"))
		}
		if m.chance(30) {
			m.add(at+time.Duration(m.IntN(3*86400))*time.Second, pick(m, "debit", "credit-back", "adjust"), pick(m, cost, cost, 2*cost, 1+m.Int64N(50)))
		}
	}
}

// mistake is a purchase or an account of which one thing is wrong.
func (m *maker) mistake() {
	bought := m.between(0, 3)
	currency := pick(m, "usd", "eur", "jpy", "kwd", "eur>usd")
	buy := func() {
		m.add(bought, "buy", m.amount(currency), currency, "card", pick(m, "charge", "intent", "nothing"))
	}
	soon := bought + time.Second + time.Duration(m.IntN(86400))*time.Second
	switch m.IntN(4) {
	case 0:
		m.add(bought-time.Second, "plant", 0, pick(m, "no-grant", "two-grants", "long-grant", "short-grant"))
		buy()
	case 1:
		buy()
		m.add(soon, "plant", pick(m, int64(-50), 50, 137), "misstated")
	case 2:
		buy()
		m.add(soon, "plant", pick(m, 0, 100+m.Int64N(600)), pick(m, "charged-twice", "failed"))
	case 3:
		m.add(bought, "promo", 900)
		m.add(soon, "plant", 1+m.Int64N(80), pick(m, "debit-of-nothing", "stuck"))
		m.add(m.between(1, 4), "plant", 300+m.Int64N(5000), pick(m, "stray-charge", "unpaid"))
	}
	m.add(time.Duration(m.start+5+m.IntN(5))*day+10*time.Hour, "resolve", 0)
}

// otherCurrency is a purchase that the platform has in another currency than it was paid in, from the start or since it was booked, and what is bought,
// refunded and disputed of it.
func (m *maker) otherCurrency() {
	m.money(0)
	buy := m.events[0]
	stated := pick(m, "usd", "eur", "jpy", "kwd", "gbp")
	at := buy.at + time.Second + time.Duration(m.IntN(6*86400))*time.Second
	if m.chance(60) {
		at = buy.at + time.Second
	}
	m.add(at, "plant", pick(m, buy.n, m.amount(stated), 1+m.Int64N(99)), "other-currency", stated)
	for range 1 + m.IntN(2) {
		m.add(time.Duration(m.start+2+m.IntN(18))*day+10*time.Hour, "resolve", 0)
	}
	if m.chance(50) {
		m.staffRefund(6, 24)
	}
}

// subscription is one that is bought and renewed, or not, with all that staff and customer may do to it.
func (m *maker) subscription(end int) {
	interval := pick(m, "week", "week", "month")
	began := m.between(0, 2)
	m.add(began, "subscribe", m.amount("usd"), pick(m, "usd", "eur", "jpy", "kwd"), pick(m, "0", "0", "900"), interval, pick(m, "charge", "invoice"))
	period, offered := 7*day, 5
	if interval == "month" {
		period, offered = 31*day, 1
	}
	for n := range offered {
		due := began + time.Duration(n+1)*period + time.Duration(m.IntN(3*3600))*time.Second
		m.add(due, "renew", 0, pick(m, "paid", "paid", "paid", "paid", "open", "open-past_due"))
		if m.chance(30) {
			m.add(due+time.Duration(m.IntN(6*86400))*time.Second, pick(m, "pay", "pay", "give-up"), 0, pick(m, "void", "uncollectible"))
			if m.chance(40) {
				m.add(due+time.Duration(m.IntN(14*86400))*time.Second, "pay", 0)
			}
		}
		if m.chance(6) {
			break // nobody renews it
		}
	}
	for _, some := range []struct {
		percent int
		verb    string
		words   []string
	}{
		{20, "upgrade", []string{pick(m, "charged", "charged", "credited", "free"), pick(m, "", "", "late")}},
		{20, "downgrade", []string{pick(m, "end", "end", "now"), pick(m, "", "", "late")}},
		{80, "arrive", nil}, {80, "arrive", nil},
		{35, "cancel", []string{pick(m, "end", "end", "end", "now", "beyond")}},
		{10, "pause", nil}, {8, "resume", nil}, {5, "extend", nil},
		{20, "sub-refund", []string{pick(m, "now", "now", "pending")}},
		{10, "take-credits", nil}, {10, "ask", nil}, {10, "refund-fails", nil},
	} {
		if m.chance(some.percent) {
			m.add(m.between(1, end-6), some.verb, pick(m, 0, 100+m.Int64N(500)), some.words...)
		}
	}
	if m.chance(20) {
		m.add(m.between(1, 12), "use", 1+m.Int64N(40))
	}
	if m.chance(15) {
		m.dispute(m.IntN(12))
	}
	if m.chance(8) {
		m.add(began+time.Second, "plant", m.amount("usd"), "other-currency", pick(m, "gbp", "chf"))
		m.add(time.Duration(m.start+3+m.IntN(10))*day+10*time.Hour, "resolve", 0)
	}
}
