package jobs

import (
	"errors"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/refunds"
	"github.com/hummingbytes/reconciler/jobs/source"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/sql"
)

// Verdict is what an error asks for.
type Verdict int

// The verdicts. Where an error is several at once, the one that needs the operator comes first, then integrity: no other try mends these.
const (
	Fine       Verdict = iota
	Retry              // database, Stripe or report storage out of reach, a lock held: the same again may succeed
	Operator           // a setting, a right, a key, a certificate of the database's, or the schema has to be changed
	Integrity          // a person has to look at the books
	Unforeseen         // worth another run, but not at once
)

var verdicts = []struct {
	verdict Verdict
	causes  []error
}{
	{Operator, []error{postgres.ErrSetup, storage.ErrSetup, stripefeed.ErrRefused, stripefeed.ErrSettings, sql.ErrNewerSchema, refunds.ErrUsage, ErrZone, reconcile.ErrNoPolicy}},
	{Integrity, []error{night.ErrIntegrity, storage.ErrDamaged}},
	{Retry, []error{postgres.ErrUnavailable, stripefeed.ErrUnavailable, storage.ErrUnavailable, source.ErrStillWritten}},
}

// VerdictOf says what an error asks for, by its causes: packages mark them where they know what an operation was about.
func VerdictOf(err error) Verdict {
	if err == nil {
		return Fine
	}
	for _, known := range verdicts {
		for _, cause := range known.causes {
			if errors.Is(err, cause) {
				return known.verdict
			}
		}
	}
	return Unforeseen
}

// Retryable says whether the same again may succeed.
func Retryable(err error) bool { return VerdictOf(err) == Retry }
