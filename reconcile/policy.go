package reconcile

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
	"time"
)

// ErrNoPolicy says that no policy version is in force at an instant.
var ErrNoPolicy = errors.New("no policy version in force")

// PolicyVersion is the refund policy as it stood during [EffectiveFrom, EffectiveTo).
//
// A purchase, and every request about it, is decided by the version in force at its
// completed_at; a job by the one in force at its finished_at.
type PolicyVersion struct {
	// Version names the version in decisions and reports.
	Version string
	// EffectiveFrom is the first instant at which the version is in force.
	EffectiveFrom time.Time
	// EffectiveTo is the first instant at which it no longer is; zero: no end yet.
	EffectiveTo time.Time
	// RefundWindow is how long after completed_at a refund may be requested, the last
	// instant included (clause 2.1).
	RefundWindow time.Duration
	// ReviewBusinessDays is how many business days a review may take (clause 6).
	ReviewBusinessDays int
	// HolidayCalendar names the calendar whose holidays are no business days.
	HolidayCalendar string
	// OtherFeesWithheld are types of fee that a refund does not pay back beside Stripe's own fees and the tax on them (clause 2.2); see
	// OtherFeeTypes.
	OtherFeesWithheld []string
	// Failures tells whose fault a failed job was (clause 3).
	Failures FailureTable
}

// WindowExpiresAt returns the last instant at which a refund of a purchase completed at
// completedAt may be requested.
func (v PolicyVersion) WindowExpiresAt(completedAt time.Time) time.Time {
	return completedAt.Add(v.RefundWindow)
}

// hashInto takes in everything in the version that can change a decision.
func (v PolicyVersion) hashInto(h hash.Hash) {
	hashString(h, v.Version)
	hashInstant(h, v.EffectiveFrom)
	hashInstant(h, v.EffectiveTo)
	hashInt(h, int64(v.RefundWindow))
	hashInt(h, int64(v.ReviewBusinessDays))
	hashString(h, v.HolidayCalendar)
	v.Failures.hashInto(h)
	if len(v.OtherFeesWithheld) > 0 { // a version without any is what it was before there were such fees
		for _, kind := range slices.Sorted(slices.Values(v.OtherFeesWithheld)) {
			hashString(h, "other fee "+kind)
		}
	}
}

// OtherFeeTypes are the types of fee in a balance transaction that are neither Stripe's own fee nor tax on it
// (https://docs.stripe.com/api/balance_transactions/object, fee_details.type). They are no transaction fees unless a policy version says so.
func OtherFeeTypes() []string { return []string{"application_fee", "payment_method_passthrough_fee"} }

// CheckOtherFeesWithheld says what is wrong with a version's list of fees at index, nil when nothing is.
func CheckOtherFeesWithheld(kinds []string, index int) error {
	kind := kinds[index]
	switch {
	case kind == "stripe_fee" || kind == "tax":
		return fmt.Errorf("%q is always withheld: leave it out", kind)
	case !slices.Contains(OtherFeeTypes(), kind):
		return fmt.Errorf("%q is no type of fee; known are %s", kind, strings.Join(OtherFeeTypes(), ", "))
	case slices.Index(kinds, kind) < index:
		return fmt.Errorf("%q is named twice", kind)
	}
	return nil
}

// Policies are the versions of the refund policy, in order and without gap or overlap.
// The zero value has no version: At always fails.
type Policies struct {
	versions []PolicyVersion
	hash     string // worked out once: statements of every night ask for it, and a failure table has many rows
}

// NewPolicies checks the versions and links them up: each must begin after the one before
// it, an EffectiveTo that is given must be where the next one begins, and one that isn't is
// set to that. The last version has no end. All that is wrong is returned, joined.
func NewPolicies(versions []PolicyVersion) (Policies, error) {
	if len(versions) == 0 {
		return Policies{}, errors.New("no policy version given")
	}
	linked := slices.Clone(versions)
	var faults []error
	names := make(map[string]bool, len(linked))
	for i := range linked {
		v := &linked[i]
		if names[v.Version] {
			faults = append(faults, fmt.Errorf("policy version %q: named twice", v.Version))
		}
		names[v.Version] = true
		faults = append(faults, v.faults()...)
		if i+1 < len(linked) {
			next := linked[i+1]
			if v.EffectiveTo.IsZero() {
				v.EffectiveTo = next.EffectiveFrom
			}
			if err := CheckSuccession(*v, next); err != nil {
				faults = append(faults, err)
			}
		} else if !v.EffectiveTo.IsZero() {
			faults = append(faults, fmt.Errorf("policy version %q: ends at %s and no version follows: leave the end of the last version out",
				v.Version, formatInstant(v.EffectiveTo)))
		}
	}
	if len(faults) > 0 {
		return Policies{}, errors.Join(faults...)
	}
	return Policies{versions: linked, hash: hashVersions(linked)}, nil
}

// CheckSuccession says what is wrong with next following v: it must begin after v begins,
// and where v ends. An end that v leaves open is taken to be next's beginning.
func CheckSuccession(v, next PolicyVersion) error {
	if !next.EffectiveFrom.After(v.EffectiveFrom) {
		return fmt.Errorf("policy version %q: begins at %s, not after version %q before it, which begins at %s",
			next.Version, formatInstant(next.EffectiveFrom), v.Version, formatInstant(v.EffectiveFrom))
	}
	switch {
	case v.EffectiveTo.IsZero() || v.EffectiveTo.Equal(next.EffectiveFrom):
		return nil
	case v.EffectiveTo.Before(next.EffectiveFrom):
		return fmt.Errorf("policy version %q: gap: version %q ends at %s, this one begins at %s",
			next.Version, v.Version, formatInstant(v.EffectiveTo), formatInstant(next.EffectiveFrom))
	default:
		return fmt.Errorf("policy version %q: overlap: version %q ends at %s, this one begins at %s already",
			next.Version, v.Version, formatInstant(v.EffectiveTo), formatInstant(next.EffectiveFrom))
	}
}

// The bounds of what a version may say; beyond them a figure is taken for a slip.
const (
	MaxRefundWindow       = 3660 * 24 * time.Hour
	MaxReviewBusinessDays = 365
)

func (v PolicyVersion) faults() []error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("policy version %q: "+format, append([]any{v.Version}, args...)...))
	}
	if v.Version == "" {
		fault("has no name")
	}
	if v.EffectiveFrom.IsZero() {
		fault("has no beginning")
	}
	if v.RefundWindow <= 0 || v.RefundWindow > MaxRefundWindow {
		fault("refund window %s: must be above 0 and at most %s", v.RefundWindow, MaxRefundWindow)
	}
	if v.ReviewBusinessDays < 1 || v.ReviewBusinessDays > MaxReviewBusinessDays {
		fault("%d business days for a review: must be 1 to %d", v.ReviewBusinessDays, MaxReviewBusinessDays)
	}
	if v.HolidayCalendar == "" {
		fault("has no holiday calendar")
	}
	for i := range v.OtherFeesWithheld {
		if err := CheckOtherFeesWithheld(v.OtherFeesWithheld, i); err != nil {
			fault("other fees withheld: %s", err)
		}
	}
	if v.Failures.IsZero() {
		fault("has no failure table")
	}
	return faults
}

// At returns the version in force at t. The error is ErrNoPolicy where t lies before the
// first version.
func (p Policies) At(t time.Time) (PolicyVersion, error) {
	// There are no gaps and the last version has no end, so the last one that has begun is the one in force.
	i, found := slices.BinarySearchFunc(p.versions, t, func(v PolicyVersion, t time.Time) int {
		return v.EffectiveFrom.Compare(t)
	})
	if !found {
		i--
	}
	if i < 0 {
		return PolicyVersion{}, fmt.Errorf("%w at %s", ErrNoPolicy, formatInstant(t))
	}
	return p.versions[i], nil
}

// Versions returns the versions in order of time.
func (p Policies) Versions() []PolicyVersion { return slices.Clone(p.versions) }

// Hash is the SHA-256 (hex) over everything that can change a decision: two files that
// differ in layout only have the same hash.
func (p Policies) Hash() string {
	if p.hash == "" { // made without NewPolicies: no versions
		return hashVersions(p.versions)
	}
	return p.hash
}

func hashVersions(versions []PolicyVersion) string {
	h := sha256.New()
	for _, v := range versions {
		v.hashInto(h)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func formatInstant(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// hashString writes s with its length before it, so that no two lists of strings collide.
func hashString(h hash.Hash, s string) {
	hashInt(h, int64(len(s)))
	h.Write([]byte(s))
}

func hashInt(h hash.Hash, n int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	h.Write(b[:])
}

func hashInstant(h hash.Hash, t time.Time) {
	if t.IsZero() {
		hashString(h, "")
		return
	}
	hashString(h, formatInstant(t))
}

// Clause is one numbered statement of the refund policy. Decisions cite clauses by ID.
type Clause struct {
	// ID is the section's number ("1"), or section and bullet ("2.3"). Bullets are
	// numbered in the order in which the policy lists them.
	ID string
	// Text is the policy's own wording; for a section that consists of bullets, its heading.
	Text string
}

// The clauses that decisions cite. Their words are in the table that Clauses returns.
const (
	ClauseFinalSale             = "1"   // purchases are final, except as the policy says
	ClauseUnusedCredits         = "2.1" // unused credits may be refunded within 7 days
	ClauseOriginalMethod        = "2.2" // to the original payment method, minus fees
	ClauseLateOrUsed            = "2.3" // after 7 days, or once used, no refund
	ClauseFailedJobs            = "3"   // which of the two bullets holds is still open
	ClauseSystemFailure         = "3.1" // our fault: the compute costs are credited back
	ClauseUserError             = "3.2" // the user's error: credits stay used
	ClauseSubscriptionFinal     = "4.1" // subscription fees are non-refundable
	ClauseSubscriptionCancel    = "4.2" // access until the period ends, nothing prorated
	ClauseSubscriptionChange    = "4.3" // downgrades at the cycle's end, upgrades at once
	ClauseChargebackSuspension  = "5.1" // a chargeback may suspend the account
	ClauseChargebackReinstating = "5.2" // what reinstatement may require
	ClauseRequest               = "6"   // what a request names, review and notification
)

// Clauses returns the numbered statements of the refund policy in their order, word for word but for the contact address.
func Clauses() []Clause {
	return []Clause{
		{ClauseFinalSale, "All purchases on our platform are final and non-refundable, except as outlined below. This includes credits purchased for fine-tuning models (e.g., Flux.1-dev, Qwen Image, Wan2.2) or generating assets (images/videos). We do not offer refunds for partially used credits or completed services, as these involve irreversible compute resources."},
		{"2", "Refunds for Unused Credits"},
		{ClauseUnusedCredits, "If you purchase credits and have not used any of them, you may request a refund within 7 days of purchase."},
		{ClauseOriginalMethod, "Refunds will be processed to your original payment method, minus any transaction fees (e.g., Stripe processing fees)."},
		{ClauseLateOrUsed, "After 7 days or once any credits are used (e.g., for a fine-tuning job or asset generation), no refunds will be issued."},
		{ClauseFailedJobs, "Failed or Interrupted Jobs"},
		{ClauseSystemFailure, "If a fine-tuning or asset generation job fails due to a system error or infrastructure issue on our side, we will credit back the associated compute costs."},
		{ClauseUserError, "If a job is interrupted or fails due to user error (e.g., invalid data, non-compliant prompts), credits used will not be refunded."},
		{"4", "Subscription Charges"},
		{ClauseSubscriptionFinal, "Subscription fees are non-refundable once the billing cycle has started."},
		{ClauseSubscriptionCancel, "If you cancel a subscription, you will continue to have access to the subscription features until the end of the current billing period. No prorated refunds are provided for partial months."},
		{ClauseSubscriptionChange, "Downgrades take effect at the end of the billing cycle. Upgrades are charged immediately and are non-refundable."},
		{"5", "Chargebacks and Disputes"},
		{ClauseChargebackSuspension, "If you initiate a chargeback with your payment provider, your account may be suspended while we investigate."},
		{ClauseChargebackReinstating, "If the chargeback is resolved in our favor, any reinstatement of your account may require repayment of disputed amounts and applicable fees."},
		{ClauseRequest, "To request a refund for unused credits or a failed job (as permitted above), contact us with: your account email; purchase date and amount; job ID or invoice ID; reason for the refund request. We review requests within 7 business days and will notify you of the outcome. Approved refunds are processed to the original payment method."},
		{"7", "We may update this Refund Policy from time to time. Material changes will be communicated via email or in-app notifications."},
	}
}

// ClauseByID returns the clause with this id, and whether there is one.
func ClauseByID(id string) (Clause, bool) {
	for _, c := range Clauses() {
		if c.ID == id {
			return c, true
		}
	}
	return Clause{}, false
}
