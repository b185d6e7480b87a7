package reconcile

import "time"

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
	// UsedCredits of the purchase: first in, first out over the account (clause 2.3).
	UsedCredits int64
	Refunded    bool
	Disputed    bool
	// RequestedAt is when the earliest request that still holds the window was made: one that is neither denied nor withdrawn. Zero: there is none.
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
