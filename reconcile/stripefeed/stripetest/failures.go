package stripetest

import (
	"fmt"
	"time"
)

// ReturnDebit has the bank take back a bank debit that had succeeded: the charge fails after all, its money leaves the balance, and Stripe
// takes a fee for the failure (in minor units of the settlement currency) on top of the one that it keeps. Code is such as
// "insufficient_funds". One that was refunded or charged back can't be returned too.
func (s *Stripe) ReturnDebit(id, code string, fee int64) (Charge, error) {
	return change(s, "return debit "+id, func(b *books, now time.Time) (Charge, error) {
		c, err := b.charge(id)
		switch {
		case err != nil:
			return Charge{}, err
		case !c.Method.isAsync() || c.Status != "succeeded" || c.BalanceTransaction == "":
			return *c, fmt.Errorf("it is a %s payment and %s", c.Method, c.Status)
		case c.AmountRefunded > 0 || !b.disputesAllowRefund(c):
			return *c, fmt.Errorf("%d of it went back already, disputed=%t", c.AmountRefunded, c.Disputed)
		case fee < 0:
			return *c, fmt.Errorf("fee %d is negative", fee)
		}
		original := get[BalanceTransaction](b.transactions, c.BalanceTransaction)
		var fees []Fee
		if fee > 0 {
			fees = []Fee{{Amount: fee, Description: "Failed payment fee"}}
		}
		c.Status, c.FailureCode = "failed", code
		c.Captured, c.AmountCaptured, c.brought = false, 0, 0
		c.FailureBalanceTransaction = b.post(now, BalanceTransaction{
			Type: "payment_failure_refund", ReportingCategory: "charge_failure", Amount: -original.Amount, Currency: original.Currency,
			ExchangeRate: original.ExchangeRate, Fees: fees, Description: "REFUND FOR FAILED PAYMENT", Source: c.ID, AvailableOn: now,
		}).ID
		return *c, nil
	})
}
