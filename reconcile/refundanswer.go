package reconcile

import (
	"cmp"
	"math/big"
	"slices"
	"time"
)

// RefundMovement is one step in refunding a purchase: money that Stripe gave back and that stands, or credits that the ledger took for it.
type RefundMovement struct {
	At time.Time
	// AmountMinor went back, in minor units of Currency; 0 for a movement of credits. Stripe's instants are whole seconds.
	AmountMinor int64
	Currency    string
	// Credits as the ledger has them: below 0 taken out of the account, above 0 put back. 0 for a movement of money.
	Credits int64
}

// RefundAnswer is a refund that was made after a request for it.
type RefundAnswer struct {
	// At is when the refund began to be made, by its money or its credits: what is known then decides.
	At time.Time
	// PaidMinor is the money that went back since the request, in minor units of Currency: 0 while only the credits have been taken.
	PaidMinor int64
	Currency  string
	// CreditsTaken: the ledger has taken the credits, or some of them.
	CreditsTaken bool
}

// AnswerTo finds the refund that answers a request among the movements of its purchase, in any order, and says whether something of the
// purchase had been refunded before the request. A request and a refund of the same instant, as far as Stripe tells instants, belong
// together. Credits alone that were taken before the request, with no money since, are a refund from before it.
func AnswerTo(requestedAt time.Time, movements []RefundMovement) (answer *RefundAnswer, before bool) {
	movements = slices.SortedStableFunc(slices.Values(movements), func(a, b RefundMovement) int { return a.At.Compare(b.At) })
	var a RefundAnswer
	var out big.Int       // credits of the purchase that are out, which may be more than an int64 holds
	var takenAt time.Time // since when credits have been out without a break
	for _, m := range movements {
		switch {
		case m.AmountMinor <= 0:
		case m.At.Before(requestedAt.Truncate(time.Second)):
			before = true
		default:
			if a.At.IsZero() {
				a.At = m.At
			}
			a.PaidMinor, a.Currency = a.PaidMinor+m.AmountMinor, cmp.Or(a.Currency, m.Currency)
		}
		if out.Sign() <= 0 && m.Credits < 0 {
			takenAt = m.At
		}
		if out.Sub(&out, big.NewInt(m.Credits)).Sign() <= 0 {
			takenAt = time.Time{}
		}
	}
	a.CreditsTaken = out.Sign() > 0
	switch {
	case a.At.IsZero() && takenAt.IsZero():
		return nil, before
	case a.At.IsZero() && takenAt.Before(requestedAt):
		return nil, true
	case a.At.IsZero():
		a.At = takenAt
	case !takenAt.IsZero() && takenAt.Before(a.At):
		a.At = takenAt // from then on nothing could use the credits
	}
	return &a, before
}

// DenialHolds says whether money that went back for a purchase went against the denial of a request, by the movements up to that instant: not where the
// refund had begun before the request, with its credits alone. Credits that went with earlier money are not its beginning.
func DenialHolds(requestedAt time.Time, movements []RefundMovement) bool {
	answer, before := AnswerTo(requestedAt, movements)
	return answer != nil && (before || !answer.At.Before(requestedAt.Truncate(time.Second)))
}
