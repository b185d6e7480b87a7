package jobs_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// Whenever Stripe tells of the money of disputes and payouts: in the end the journal says what it would have said had it been told at once, and
// nothing is left on its way.
func TestTheBooksDoNotDependOnWhenStripeTells(t *testing.T) {
	t.Parallel()
	seeds := uint64(1)
	if *longBusiness {
		seeds = 10
	}
	for seed := range seeds {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			told := disputesAndPayouts(t, seed, false)
			if diff := cmp.Diff(told, disputesAndPayouts(t, seed, true)); diff != "" {
				t.Errorf("told late:\n%s", diff)
			}
		})
	}
}

// disputesAndPayouts are what the journal came to by account, over nights in which disputes and payouts take random ways. Late: of what moved since
// the night before, each night only comes to know some; the rest, the next night.
func disputesAndPayouts(t *testing.T, seed uint64, late bool) map[string]int64 {
	t.Helper()
	r, hides := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
	l := newLives(t)
	euros := func(c *stripetest.ChargeParams) { c.Settlement = stripetest.Settlement{Currency: "usd", Amount: 5421} }
	days := map[int]func(){}
	on := func(day int, happens func()) { alongside(days, day, happens) }
	for i := range 10 {
		opened := r.IntN(3)
		on(opened, func() {
			currency, settled := "usd", (func(*stripetest.ChargeParams))(nil)
			if i%3 == 0 {
				currency, settled = "eur", euros
			}
			p := l.bought(5000, currency, settled)
			params := stripetest.DisputeParams{Charge: p.charge, FeeApart: i%4 == 0}
			if i%3 == 0 {
				params.Withdraw = 5500
			}
			d := ok[stripetest.Dispute](t)(l.stripe.OpenDispute(params))
			lost, then := opened+1+r.IntN(2), opened+3+r.IntN(2)
			switch i % 4 {
			case 0:
				on(lost, func() { ok[stripetest.Dispute](t)(l.stripe.LoseDispute(d.ID)) })
			case 1:
				on(lost, func() { ok[stripetest.Dispute](t)(l.stripe.WinDispute(d.ID, i%2 == 0)) })
			case 2:
				on(lost, func() { ok[stripetest.Dispute](t)(l.stripe.LoseDispute(d.ID)) })
				on(then, func() {
					ok[stripetest.Dispute](t)(l.stripe.ReturnDispute(d.ID, stripetest.DisputeReturn{Amount: 1200, Status: "lost"}))
				})
			default:
				on(lost, func() { ok[stripetest.Dispute](t)(l.stripe.LoseDispute(d.ID)) })
				on(then, func() { ok[stripetest.Dispute](t)(l.stripe.WinDispute(d.ID, false)) })
			}
		})
	}
	for day := range 6 {
		on(day, func() {
			if _, err := l.stripe.RunAutomaticPayouts(); err != nil {
				t.Fatal(err)
			}
			for _, balance := range l.stripe.Balances() {
				if balance.Available > 3000 {
					ok[stripetest.Payout](t)(l.stripe.CreatePayout(stripetest.PayoutParams{Amount: 1000, Currency: balance.Currency, Instant: day%2 == 0}))
				}
			}
		})
	}
	for _, day := range []int{4, 6} {
		on(day, func() {
			for _, payout := range l.stripe.Payouts() {
				if payout.Amount == 1000 {
					if _, err := l.stripe.FailPayout(payout.ID, "account_closed"); err == nil {
						return
					}
				}
			}
		})
	}
	known := map[string]bool{}
	l.worker.Step = func(step string) {
		if step != "sync-stripe/synced" || !late || len(l.booksOfAMonth.nights) > 8 {
			return
		}
		for _, transaction := range l.stripe.BalanceTransactions() {
			fresh := !known[transaction.ID]
			known[transaction.ID] = true
			switch transaction.ReportingCategory {
			case "dispute", "dispute_reversal", "fee", "payout", "payout_reversal":
			default:
				continue
			}
			if !fresh || hides.IntN(2) == 0 {
				continue
			}
			l.exec("DELETE FROM reconciler.stripe_balance_transactions WHERE id = $1", transaction.ID)
			if transaction.ReportingCategory == "payout" && hides.IntN(2) == 0 {
				l.exec("DELETE FROM reconciler.stripe_states WHERE object_id = $1", transaction.Source)
				l.exec("DELETE FROM reconciler.stripe_payouts WHERE id = $1", transaction.Source)
			}
		}
	}
	l.nights(11, days)
	if late && l.count("SELECT count(*) FROM reconciler.stripe_late WHERE booked_on IS NOT NULL") < 5 {
		t.Error("hardly anything was late")
	}
	if diff := cmp.Diff(map[string]int64{}, l.passedThrough()); diff != "" {
		t.Errorf("late %t: %s", late, diff)
	}
	all := map[string]int64{}
	rows, err := l.db.Query("SELECT role || ' ' || currency, sum(amount_minor)::bigint FROM reconciler.journal_lines GROUP BY 1")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var account string
		var amount int64
		if err := rows.Scan(&account, &amount); err != nil {
			t.Fatal(err)
		}
		all[account] = amount
	}
	return all
}
