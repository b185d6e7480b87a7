package stripefeed

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/stripe/stripe-go/v76"
)

var (
	// ErrUnavailable marks what is worth another try later: Stripe is out of reach, limits us, or answers garbage.
	ErrUnavailable = errors.New("unable to reach Stripe")
	// ErrRefused marks what no retry mends: a wrong key, a missing permission, another mode or account than before.
	ErrRefused = errors.New("key refused by Stripe")
	// ErrAnomaly marks an answer that contradicts itself, so that nothing may be concluded from it: a page that repeats, an empty
	// page that says there is more, a row without an id.
	ErrAnomaly = errors.New("self-contradicting answer from Stripe")
	// ErrNotFound says that Stripe has no such object.
	ErrNotFound = errors.New("no such object at Stripe")
)

// garbled is an answer that is no answer: cut off, HTML, an empty object.
type garbled struct {
	status int
	reason string
}

func (g *garbled) Error() string { return fmt.Sprintf("status %d, %s", g.status, g.reason) }

// verdict is what one attempt came to.
type verdict struct {
	err   error // nil: fine
	retry bool
}

// judge classifies the error of an attempt. Nothing of the body gets into the message, but for Stripe's own words on 4xx.
func judge(err error, seen observation) verdict {
	if err == nil {
		return verdict{}
	}
	var stripeErr *stripe.Error
	if errors.As(err, &stripeErr) {
		return judgeStripe(stripeErr, seen)
	}
	var bad *garbled
	switch {
	case errors.As(err, &bad):
		return verdict{fmt.Errorf("%w: %w", ErrUnavailable, bad), true}
	case seen.status == 0:
		return verdict{fmt.Errorf("%w: %w", ErrUnavailable, err), true}
	case retriable(seen):
		return verdict{fmt.Errorf("%w: %w", ErrUnavailable, &garbled{seen.status, http.StatusText(seen.status)}), true}
	case strings.HasPrefix(seen.header.Get("Content-Type"), "application/json"): // Stripe's own answer, and not all of it
		return verdict{fmt.Errorf("%w: %w", ErrUnavailable, &garbled{seen.status, "the body is cut off or not JSON"}), true}
	case seen.status == http.StatusUnauthorized || seen.status == http.StatusForbidden:
		return verdict{fmt.Errorf("%w: status %d", ErrRefused, seen.status), false}
	case seen.status >= 400:
		return verdict{fmt.Errorf("%w: status %d, not an answer of Stripe's; check STRIPE_API_BASE", ErrSettings, seen.status), false}
	case seen.status >= 300:
		return verdict{fmt.Errorf("%w: status %d: redirects are not followed; check STRIPE_API_BASE", ErrSettings, seen.status), false}
	default: // a body that was cut off, or isn't JSON; the library's message would quote it
		return verdict{fmt.Errorf("%w: %w", ErrUnavailable, &garbled{seen.status, "the body is cut off or not JSON"}), true}
	}
}

// private is what Stripe's words may quote and no log or table may keep: keys, and addresses of customers.
var private = regexp.MustCompile(`\b(sk|rk|pk)_(test|live)_[A-Za-z0-9*_]+|[\pL\pN._%+-]+@[\pL\pN-]+(\.[\pL\pN-]+)*\.\pL{2,}`)

// spoken are Stripe's words, fit to be kept.
func spoken(words string) string { return private.ReplaceAllString(words, "[redacted]") }

func judgeStripe(err *stripe.Error, seen observation) verdict {
	switch {
	case err.Code == stripe.ErrorCodeRateLimit || err.Code == stripe.ErrorCodeLockTimeout || retriable(seen):
		return verdict{fmt.Errorf("%w: status %d %s", ErrUnavailable, seen.status, err.Code), true}
	case seen.status == http.StatusUnauthorized:
		return verdict{fmt.Errorf("%w: %s", ErrRefused, spoken(err.Msg)), false}
	case seen.status == http.StatusForbidden:
		return verdict{&PermissionError{Permission: namedPermission.FindString(err.Msg), account: accountID.FindString(err.Msg)}, false}
	case seen.status == http.StatusNotFound || err.Code == stripe.ErrorCodeResourceMissing:
		return verdict{fmt.Errorf("%w: %s", ErrNotFound, spoken(err.Msg)), false}
	default:
		return verdict{fmt.Errorf("status %d %s: %s", seen.status, err.Code, spoken(err.Msg)), false}
	}
}

// retriable says whether a status may pass: conflicts, limits, and faults on Stripe's side, unless Stripe says which it is.
func retriable(seen observation) bool {
	switch seen.header.Get("Stripe-Should-Retry") {
	case "true":
		return seen.status >= 400
	case "false":
		return seen.status == http.StatusTooManyRequests
	}
	return seen.status == http.StatusConflict || seen.status == http.StatusTooManyRequests || seen.status == http.StatusRequestTimeout ||
		seen.status >= 500
}

// PermissionError says which permission the restricted key lacks. It is an ErrRefused.
type PermissionError struct {
	Permission string // as Stripe names it, such as rak_charge_read; "" when it doesn't
	Endpoint   string
	Access     string // what was asked for there: read or write
	account    string
}

func (e *PermissionError) Error() string {
	if e.Permission == "" {
		return fmt.Sprintf("%s lacks a permission of the key: give it %s access there", e.Endpoint, e.Access)
	}
	return fmt.Sprintf("%s needs the permission %s: add it to the restricted key", e.Endpoint, e.Permission)
}

func (e *PermissionError) Unwrap() error { return ErrRefused }

// at adds to the lack of a permission, where err is one, what was asked for.
func at(endpoint, access string, err error) error {
	var lacking *PermissionError
	if errors.As(err, &lacking) {
		lacking.Endpoint, lacking.Access = endpoint, access
	}
	return err
}

var (
	namedPermission = regexp.MustCompile(`rak_[a-z_]+`)
	accountID       = regexp.MustCompile(`acct_[A-Za-z0-9]+`)
)
