package stripetest

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// CheckBooks proves that the simulated books tie: every transaction's net is amount less fees, the transactions of
// each currency sum to the balance (pending and available), every automatic payout is the sum of its transactions,
// and every charge, refund, dispute and payout moved what it says. It returns all contradictions, joined.
func (s *Stripe) CheckBooks() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, now := s.books, s.now()
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("stripe double: "+format, args...)) }
	b.checkTransactions(now, wrong)
	b.checkCharges(wrong)
	b.checkDisputes(wrong)
	b.checkPayouts(wrong)
	return errors.Join(errs...)
}

func (b *books) checkTransactions(now time.Time, wrong func(string, ...any)) {
	available, pending := map[string]int64{}, map[string]int64{}
	for _, t := range all[BalanceTransaction](b.transactions.rows) {
		if t.Fee != total(t.Fees) || t.Net != t.Amount-t.Fee {
			wrong("%s: amount %d, fee %d, net %d, fee lines %d", t.ID, t.Amount, t.Fee, t.Net, total(t.Fees))
		}
		if t.Source != "" && (b.tableOf(t.Source) == nil || b.tableOf(t.Source).byID[t.Source] == nil) {
			wrong("%s: source %s does not exist", t.ID, t.Source)
		}
		if t.AvailableOn.After(now) {
			pending[t.Currency] += t.Net
		} else {
			available[t.Currency] += t.Net
		}
	}
	for _, balance := range b.balances(now) {
		if balance.Available != available[balance.Currency] || balance.Pending != pending[balance.Currency] {
			wrong("balance of %s: available %d and pending %d, by its transactions %d and %d", balance.Currency,
				balance.Available, balance.Pending, available[balance.Currency], pending[balance.Currency])
		}
	}
}

// sum adds up the amounts of transactions; missing ones are reported.
func (b *books) sum(wrong func(string, ...any), ids ...string) int64 {
	var sum int64
	for _, id := range ids {
		if id == "" {
			continue
		}
		t := get[BalanceTransaction](b.transactions, id)
		if t == nil {
			wrong("balance transaction %s does not exist", id)
			continue
		}
		sum += t.Amount
	}
	return sum
}

func (b *books) checkCharges(wrong func(string, ...any)) {
	for _, c := range all[Charge](b.charges.rows) {
		var refunded, movedBack, funded int64
		brought := b.sum(wrong, append(slices.Clone(c.transactions), c.FailureBalanceTransaction)...)
		for _, id := range c.refunds {
			r := get[Refund](b.refunds, id)
			if r == nil {
				wrong("refund %s of %s does not exist", id, c.ID)
				continue
			}
			if r.Status != "failed" && r.Status != "canceled" {
				refunded += r.Amount
			}
			if r.moved() {
				funded += r.Amount
			}
			moved := b.sum(wrong, r.BalanceTransaction, r.FailureBalanceTransaction)
			if t := get[BalanceTransaction](b.transactions, r.BalanceTransaction); t != nil && t.ReportingCategory == "partial_capture_reversal" {
				brought += moved
			} else {
				movedBack -= moved
			}
		}
		if refunded != c.AmountRefunded || refunded > c.Amount || c.AmountCaptured > c.Amount || c.Refunded != (c.unrefunded() == 0) {
			wrong("%s: amount %d, captured %d, amount_refunded %d, refunded %t, its refunds sum to %d", c.ID, c.Amount, c.AmountCaptured, c.AmountRefunded, c.Refunded, refunded)
		}
		switch {
		case c.Status == "failed" && brought != 0:
			wrong("%s failed and left %d in the balance", c.ID, brought)
		case brought != c.brought || c.Status == "succeeded" && c.BalanceTransaction != "" && brought != c.settled(c.AmountCaptured):
			wrong("%s brought %d instead of %d", c.ID, brought, c.settled(c.AmountCaptured))
		case movedBack != c.refundedSettled || funded == c.AmountCaptured && c.AmountCaptured > 0 && movedBack != c.settled(c.AmountCaptured):
			wrong("%s: refunds took %d of %d, noted %d", c.ID, movedBack, c.brought, c.refundedSettled)
		}
	}
}

func (b *books) checkDisputes(wrong func(string, ...any)) {
	for _, d := range all[Dispute](b.disputes.rows) {
		moved := b.sum(wrong, d.BalanceTransactions...)
		// Where money is converted, what comes back may be more or less than what went.
		if moved != d.won-d.withdrawn || d.Status == "won" && moved != 0 && !d.converted && !d.short {
			wrong("%s is %s: moved %d, withdrawn %d, reinstated %d", d.ID, d.Status, moved, d.withdrawn, d.won)
		}
	}
}

func (b *books) checkPayouts(wrong func(string, ...any)) {
	gathered := map[string]int64{}
	for _, t := range all[BalanceTransaction](b.transactions.rows) {
		if t.Payout != "" {
			gathered[t.Payout] += t.Net
		}
	}
	for _, p := range all[Payout](b.payouts.rows) {
		if gathered[p.ID] != 0 {
			wrong("%s: its transactions, its own included, sum to %d instead of 0", p.ID, gathered[p.ID])
		}
		moved := b.sum(wrong, p.BalanceTransaction, p.FailureBalanceTransaction)
		if returned := p.FailureBalanceTransaction != ""; moved != -p.Amount && !returned || moved != 0 && returned {
			wrong("%s of %d moved %d", p.ID, p.Amount, moved)
		}
	}
}
