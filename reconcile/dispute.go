package reconcile

import (
	"math"
	"math/big"
	"strings"
)

// DisputePhase is where a dispute stands.
type DisputePhase string

// The phases of a dispute.
const (
	PhaseInquiry    DisputePhase = "inquiry"    // the bank asks; no money has moved
	PhaseChargeback DisputePhase = "chargeback" // the money is gone until it is won
	PhaseWon        DisputePhase = "won"
	PhasePartlyWon  DisputePhase = "partly_won" // lost, and a part of the money came back
	PhaseLost       DisputePhase = "lost"
	PhaseClosed     DisputePhase = "closed" // an inquiry that came to nothing
)

// PhaseOf is the phase of a Stripe dispute status, as far as the status alone says. A status that isn't known counts as an open chargeback:
// the careful reading.
func PhaseOf(status string) DisputePhase {
	switch {
	case status == "won":
		return PhaseWon
	case status == "lost":
		return PhaseLost
	case status == "warning_closed":
		return PhaseClosed
	case strings.HasPrefix(status, "warning_"):
		return PhaseInquiry
	default:
		return PhaseChargeback
	}
}

// IsAtStake says whether the disputed money is gone, or may still go.
func (p DisputePhase) IsAtStake() bool {
	return p == PhaseChargeback || p == PhaseLost || p == PhasePartlyWon
}

// DisputeMoney is what the balance transactions that name a dispute came to, by their reporting category, in the settlement currency:
// a fee or a return counts as the dispute's in whichever row it is booked.
type DisputeMoney struct {
	// WithdrawnMinor is what was taken (category dispute), ReturnedMinor what came back of it (dispute_reversal) and was not taken again; both 0 or
	// more.
	WithdrawnMinor, ReturnedMinor int64
	// FeesMinor is what Stripe charged for it less what it gave back of that: the fees of these rows, and rows of category fee.
	FeesMinor int64
}

// DisputeFacts are a dispute, as of a night.
type DisputeFacts struct {
	Status string
	DisputeMoney
	// AmountMinor is what the customer disputes, in the charge's currency.
	AmountMinor int64
	// SameCurrency: the charge was settled in its own currency, so that the amounts can be compared. Otherwise money is withdrawn and
	// returned at the rates of the days.
	SameCurrency bool
}

// DisputedCharge is a charge with all its disputes, as of a night. Amounts in the charge's currency.
type DisputedCharge struct {
	// CapturedMinor is what the customer paid, RefundedMinor what went back by refunds that stand.
	CapturedMinor, RefundedMinor int64
	// AccountStatus is the platform's, "" where no account is known.
	AccountStatus string
	Disputes      []DisputeFacts // oldest first
}

// DisputeOutcome is what follows from a dispute (clause 5).
type DisputeOutcome struct {
	Phase DisputePhase
	// ReviewSuspension: the account may be suspended and isn't (clause 5.1). Nothing is done by itself.
	ReviewSuspension bool
	// ClawbackMinor is what of the charge's clawback comes with this dispute; the first one has what the refunds took. The charge's currency.
	ClawbackMinor int64
	// ReinstatementMinor is what reinstating the account may cost (clause 5.2): the disputed amount still outstanding and the fees,
	// from actual balance transactions. Settlement currency, never below 0.
	ReinstatementMinor int64
	// TieOut says whether the balance transactions are what the phase calls for.
	TieOut TieOut
}

// ChargeOutcome is what follows from the disputes of a charge, refunds and disputes together.
type ChargeOutcome struct {
	Disputes []DisputeOutcome // in the order of the facts
	// GoneMinor is what has left the charge, or may: refunds that stand and disputed money that is not back. It may be more than was paid.
	GoneMinor int64
	// ClawbackMinor is that, but never more than was paid: nobody can take the same money back from the customer's credits twice.
	ClawbackMinor int64
	// DisputedAndRefunded: the same payment goes back twice, or is about to: a refunded charge with an open chargeback, or one that
	// refunds and disputes took more from than was paid, and not only because of exchange rates.
	DisputedAndRefunded bool
}

// JudgeDisputes says what follows from the disputes of a charge.
func JudgeDisputes(c DisputedCharge) ChargeOutcome {
	var all ChargeOutcome
	gone, isOpen, isAtStake := big.NewInt(c.RefundedMinor), false, false
	byRates := new(big.Int)
	for _, f := range c.Disputes {
		o := DisputeOutcome{Phase: f.phase(), TieOut: f.tieOut()}
		o.ReviewSuspension = o.Phase == PhaseChargeback && c.AccountStatus == "active"
		o.ReinstatementMinor = f.outstanding() + max(0, f.FeesMinor)
		gone.Add(gone, big.NewInt(f.outstandingOfCharge()))
		byRates.Add(byRates, big.NewInt(f.exchangedOfCharge()))
		before := all.ClawbackMinor
		all.ClawbackMinor = atMost(gone, c.CapturedMinor)
		o.ClawbackMinor = all.ClawbackMinor - before
		isOpen, isAtStake = isOpen || o.Phase == PhaseChargeback, isAtStake || o.Phase.IsAtStake()
		all.Disputes = append(all.Disputes, o)
	}
	all.GoneMinor = atMost(gone, math.MaxInt64)
	all.DisputedAndRefunded = c.RefundedMinor > 0 && (isOpen || isAtStake && all.GoneMinor > atMost(byRates.Add(byRates, big.NewInt(c.CapturedMinor)), math.MaxInt64))
	return all
}

func atMost(amount *big.Int, limit int64) int64 {
	if amount.Cmp(big.NewInt(limit)) > 0 {
		return limit
	}
	return amount.Int64()
}

// phase is where the dispute stands, by its status and its money.
func (f DisputeFacts) phase() DisputePhase {
	phase := PhaseOf(f.Status)
	if phase == PhaseLost && f.ReturnedMinor > 0 {
		return PhasePartlyWon
	}
	return phase
}

// outstanding is what was withdrawn and is not back, in the settlement currency. What differs only by exchange rates is not outstanding.
func (f DisputeFacts) outstanding() int64 {
	if f.phase() == PhaseWon && f.tieOut() == TieOutTied {
		return 0
	}
	return max(0, f.WithdrawnMinor-f.ReturnedMinor)
}

// outstandingOfCharge is the part of the charge that is taken by the dispute, in the charge's currency: in proportion, where it was converted.
// All of the disputed amount, where it is still to be withdrawn; none, where the dispute is won.
func (f DisputeFacts) outstandingOfCharge() int64 {
	switch {
	case !f.phase().IsAtStake():
		return 0
	case f.WithdrawnMinor == 0:
		return f.AmountMinor
	case f.SameCurrency:
		return f.outstanding()
	}
	return proportion(f.AmountMinor, f.outstanding(), f.WithdrawnMinor)
}

// exchangedOfCharge is how much of that may be nothing but the rate at which a part of the money came back, in the charge's currency.
func (f DisputeFacts) exchangedOfCharge() int64 {
	if f.SameCurrency || f.phase() != PhasePartlyWon || f.WithdrawnMinor <= 0 {
		return 0
	}
	return proportion(proportion(f.AmountMinor, min(f.ReturnedMinor, f.WithdrawnMinor), f.WithdrawnMinor), exchangeShiftPercent, 100)
}

// proportion is amount * part / whole, half up away from 0, without overflow. The whole is above 0.
func proportion(amount, part, whole int64) int64 {
	twice := new(big.Int).Mul(big.NewInt(2), new(big.Int).Mul(big.NewInt(amount), big.NewInt(part)))
	sign := int64(twice.Sign())
	twice.Abs(twice).Add(twice, big.NewInt(whole))
	return sign * twice.Quo(twice, new(big.Int).Mul(big.NewInt(2), big.NewInt(whole))).Int64()
}

// exchangeShiftPercent is how far apart the rates of a withdrawal and of its return may be, whether all of it comes back or a part. More than
// that is money that is missing.
const exchangeShiftPercent = 20

// tieOut compares the money that moved with the phase: nothing for an inquiry; the disputed amount for a chargeback, of which a part may be
// back; and all of it back when it was won, at whatever rate.
func (f DisputeFacts) tieOut() TieOut {
	missing := f.WithdrawnMinor - f.ReturnedMinor
	switch phase := f.phase(); {
	case phase == PhaseInquiry || phase == PhaseClosed:
		if missing != 0 {
			return TieOutResidual
		}
	case phase == PhaseWon && f.SameCurrency:
		return tiesOrAwaits(missing)
	case phase == PhaseWon:
		if shift := new(big.Int).Mul(big.NewInt(missing), big.NewInt(100)); shift.CmpAbs(new(big.Int).Mul(big.NewInt(f.WithdrawnMinor), big.NewInt(exchangeShiftPercent))) > 0 {
			return tiesOrAwaits(missing)
		}
	case f.WithdrawnMinor == 0:
		return TieOutAwaiting
	case f.SameCurrency && f.WithdrawnMinor != f.AmountMinor, missing < 0:
		return TieOutResidual
	}
	return TieOutTied
}

// Residual is what the status calls for and what moved instead, for a dispute that doesn't tie: of what was withdrawn, or, where that is
// not the matter, of what is still gone. In the settlement currency, and in the charge's where nothing has moved.
func (f DisputeFacts) Residual() (calledForMinor, movedMinor int64) {
	gone := f.WithdrawnMinor - f.ReturnedMinor
	if f.phase().IsAtStake() && gone >= 0 {
		return f.AmountMinor, f.WithdrawnMinor
	}
	return 0, gone
}

// tiesOrAwaits: what is missing may still come, a surplus is wrong.
func tiesOrAwaits(missing int64) TieOut {
	switch {
	case missing > 0:
		return TieOutAwaiting
	case missing < 0:
		return TieOutResidual
	}
	return TieOutTied
}

// DisputeBooks are a dispute as the journal has it: the facts as of an instant, and what of its money had moved before the books began.
type DisputeBooks struct {
	DisputeFacts
	WithdrawnBeforehandMinor, ReturnedBeforehandMinor int64
	// SettledMinor is what the disputed amount had come to when the charge was settled; 0 where that isn't known.
	SettledMinor int64
}

// DisputeWriteOff is where a dispute's money belongs once it has ended, in the settlement currency; what it leaves in the receivable is still
// to come. Signed: above 0 is a cost.
type DisputeWriteOff struct {
	LossMinor       int64 // the customer's bank kept it
	ExchangeMinor   int64 // rates of withdrawal and return, or of the charge, differ
	BeforehandMinor int64 // came back, and had been withdrawn before the books began
}

// WriteOff says what of a dispute's money is no longer to come back, 0 while it is open.
func (b DisputeBooks) WriteOff() DisputeWriteOff {
	phase := b.phase()
	switch {
	case phase == PhaseLost, phase == PhasePartlyWon:
	case (phase == PhaseWon || phase == PhaseClosed) && b.tieOut() == TieOutTied:
	default:
		return DisputeWriteOff{}
	}
	returned := b.ReturnedMinor - b.ReturnedBeforehandMinor
	beforehand := max(0, min(returned, b.WithdrawnBeforehandMinor-b.ReturnedBeforehandMinor))
	rest := b.WithdrawnMinor - b.WithdrawnBeforehandMinor - returned + beforehand
	off := DisputeWriteOff{BeforehandMinor: -beforehand, LossMinor: rest}
	switch {
	case phase == PhaseWon:
		off.LossMinor, off.ExchangeMinor = 0, rest
	case !b.SameCurrency && b.SettledMinor > 0 && b.WithdrawnMinor > 0:
		off.LossMinor = proportion(rest, b.SettledMinor, b.WithdrawnMinor)
		off.ExchangeMinor = rest - off.LossMinor
	}
	return off
}

// Less is what a write-off adds to one before.
func (w DisputeWriteOff) Less(before DisputeWriteOff) DisputeWriteOff {
	return DisputeWriteOff{w.LossMinor - before.LossMinor, w.ExchangeMinor - before.ExchangeMinor, w.BeforehandMinor - before.BeforehandMinor}
}
