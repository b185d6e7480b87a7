package reconcile

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"time"
)

// Lot is a grant of credits that usage draws on: a purchase, a promotional grant, or a
// positive adjustment. The last two are worth nothing in money.
type Lot struct {
	ID        string
	GrantedAt time.Time
	// Credits granted, 0 or more.
	Credits int64
	// AmountMinor is what was paid for the lot, in minor units of Currency.
	AmountMinor int64
	Currency    string
	// Refunded lots have left the account: nothing is drawn from them.
	Refunded bool
}

// LotUse is a lot and what was used of it.
type LotUse struct {
	Lot
	// UsedCredits is 0 to Credits; 0 for a refunded lot.
	UsedCredits int64
}

// LotUsage is how one account's net usage is spread over its lots.
type LotUsage struct {
	// Lots in the order in which they burn: by grant time, then id. Refunded ones are in
	// their place, unused.
	Lots []LotUse
	// OverdrawnCredits is the net usage beyond all lots: the account's balance is below 0.
	OverdrawnCredits int64
}

// Used spreads an account's net usage over its lots, first in, first out by grant time, then
// id (clause 2.3). netUsage is usage debits minus credit-backs, negative adjustments counted
// as usage, all as of the same instant as the lots; below 0 it counts as 0. The order of lots
// does not matter. A lot with negative credits is an error.
func Used(lots []Lot, netUsage int64) (LotUsage, error) {
	ordered := slices.Clone(lots)
	slices.SortStableFunc(ordered, func(a, b Lot) int {
		return cmp.Or(a.GrantedAt.Compare(b.GrantedAt), cmp.Compare(a.ID, b.ID))
	})
	usage := LotUsage{Lots: make([]LotUse, 0, len(ordered)), OverdrawnCredits: max(netUsage, 0)}
	for _, lot := range ordered {
		if lot.Credits < 0 {
			return LotUsage{}, fmt.Errorf("lot %s: %d credits: a grant can't be negative", lot.ID, lot.Credits)
		}
		use := LotUse{Lot: lot}
		if !lot.Refunded {
			use.UsedCredits = min(usage.OverdrawnCredits, lot.Credits)
			usage.OverdrawnCredits -= use.UsedCredits
		}
		usage.Lots = append(usage.Lots, use)
	}
	return usage, nil
}

// ValueUsed is the money that the first used of a lot's credits are worth:
// floor(amountMinor * used / credits). Rounding is cumulative: the value of a span of credits
// is the difference of two such values, so the parts always sum exactly to amountMinor.
// It needs 0 <= used <= credits and amountMinor >= 0; a lot without credits is worth 0.
func ValueUsed(amountMinor, credits, used int64) (int64, error) {
	if amountMinor < 0 || used < 0 || used > credits {
		return 0, fmt.Errorf("value of %d of %d credits bought for %d: out of range", used, credits, amountMinor)
	}
	if used == 0 {
		return 0, nil
	}
	hi, lo := bits.Mul64(uint64(amountMinor), uint64(used))
	value, _ := bits.Div64(hi, lo, uint64(credits)) // a part of the amount always fits
	return int64(value), nil
}

// WindowState is the state of a credit purchase's refund window as of a run.
type WindowState string

const (
	// WindowOpen: unused and in time.
	WindowOpen WindowState = "open"
	// WindowRequested: a request made in time holds the window; it does not expire meanwhile.
	WindowRequested WindowState = "requested"
	// WindowUsed: credits of the purchase were used.
	WindowUsed WindowState = "used"
	// WindowExpired: the time is over.
	WindowExpired WindowState = "expired"
	// WindowRefunded: the purchase was refunded.
	WindowRefunded WindowState = "refunded"
	// WindowDisputed: the charge is or was disputed.
	WindowDisputed WindowState = "disputed"
)

// WindowStates are all states, in the order in which they take precedence.
func WindowStates() []WindowState {
	return []WindowState{WindowRefunded, WindowDisputed, WindowUsed, WindowRequested, WindowExpired, WindowOpen}
}

// WindowFacts is what the state of a refund window follows from, all read as of AsOf.
type WindowFacts struct {
	AsOf        time.Time
	CompletedAt time.Time
	// ExpiresAt is the last instant for a request; see PolicyVersion.WindowExpiresAt.
	ExpiresAt time.Time
	// UsedCredits of the purchase; see Used.
	UsedCredits int64
	Refunded    bool
	Disputed    bool
	// RequestedAt is when the earliest request that still holds the window was made (see
	// RequestStatus.HoldsWindow); zero: there is none.
	RequestedAt time.Time
}

// RequestInTime reports whether a request made at requestedAt is in time for a window that
// expires at expiresAt: at that very instant it still is (clauses 2.1, 2.3).
func RequestInTime(requestedAt, expiresAt time.Time) bool { return !requestedAt.After(expiresAt) }

// WindowExpiredAt reports whether a window is expired as of an instant: expiresAt < asOf.
func WindowExpiredAt(expiresAt, asOf time.Time) bool { return expiresAt.Before(asOf) }

// State returns the first state that applies: refunded, disputed, used, requested, expired, open.
func (f WindowFacts) State() WindowState {
	switch {
	case f.Refunded:
		return WindowRefunded
	case f.Disputed:
		return WindowDisputed
	case f.UsedCredits > 0:
		return WindowUsed
	case !f.RequestedAt.IsZero() && RequestInTime(f.RequestedAt, f.ExpiresAt):
		return WindowRequested
	case WindowExpiredAt(f.ExpiresAt, f.AsOf):
		return WindowExpired
	default:
		return WindowOpen
	}
}
