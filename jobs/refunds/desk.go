package refunds

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
)

// Desk plans, approves, executes and stops refunds, for people and for the nights.
type Desk struct {
	Store    *postgres.Store
	Policies reconcile.Policies
	Settings night.Settings
	Log      zerolog.Logger
	Gateway  Gateway // nil without STRIPE_REFUND_KEY, and then no money can leave
	Clock    func() time.Time
	Step     func(name string)
}

func (w *Desk) now() time.Time { return w.Clock() }

func (w *Desk) step(name string) { w.Step(name) }

// instant is the present as the database stores it.
func (w *Desk) instant() time.Time { return w.now().UTC().Truncate(time.Microsecond) }

func (w *Desk) today() reconcile.Date { return reconcile.DateOf(w.now().In(w.Settings.Zone)) }

// ErrUsage says that what was asked about a refund plan can't be done, and why: no such plan, not approved.
var ErrUsage = errors.New("refunds")

// ErrNothingDue says that there is nothing to plan, which is no fault of anybody's.
var ErrNothingDue = errors.New("nothing to plan")

// Gateway is Stripe as the execution of refunds needs it, through the key that may refund; *stripefeed.Client is one.
type Gateway interface {
	ReadCharge(ctx context.Context, id string) (stripefeed.ChargeNow, error)
	RefundsOf(ctx context.Context, chargeID string) ([]stripefeed.RefundNow, error)
	CreateRefund(ctx context.Context, o stripefeed.RefundOrder) (stripefeed.RefundNow, error)
}
