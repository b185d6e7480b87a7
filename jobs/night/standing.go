package night

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// booking is where entries of this night go: its own as-of, or that of the latest night already reported.
type booking struct {
	At time.Time
	On reconcile.Date // the night that sees them
}

func (n *Night) Booking() booking {
	latest := n.Night
	if n.IsOlder() {
		latest = reconcile.NightOf(n.Run.Reported, n.Settings.Zone)
	}
	return booking{At: latest.AsOf(), On: latest.Date.AddDays(1)}
}

// IsOpen says whether what arrives late can be booked in this night: no later night has been reported, and this one either hasn't been or
// is reported anew. A single job of a reported night publishes nothing: what it booked would be in nobody's books.
func (n *Night) IsOpen() bool {
	reported := n.Run.Reported
	return reported.IsZero() || n.Date.After(reported) || n.Date == reported && n.Run.Whole
}

// IsOlder says whether a later night has been reported.
func (n *Night) IsOlder() bool { return n.Run.Reported.After(n.Date) }

// LastReported is the latest night whose report has been made; zero when there is none.
func LastReported(ctx context.Context, q postgres.Querier) (reconcile.Date, error) {
	var last reconcile.Date
	err := q.Get(ctx, &last, "runs/last_reported", nil)
	if errors.Is(err, sql.ErrNoRows) {
		return reconcile.Date{}, nil
	}
	return last, err
}
