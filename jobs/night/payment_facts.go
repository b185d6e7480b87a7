package night

import (
	"database/sql"

	"github.com/hummingbytes/reconciler/reconcile"
)

// PaymentFacts are the columns that a reconcile.Payment is made of.
type PaymentFacts struct {
	ChargeCurrency   string        `db:"charge_currency"`
	CapturedMinor    int64         `db:"captured_minor"`
	SurplusMinor     int64         `db:"surplus_minor"`
	SettledMinor     sql.NullInt64 `db:"settled_minor"` // null while Stripe has not said
	FeeMinor         sql.NullInt64 `db:"fee_minor"`     // likewise
	InvoiceID        string        `db:"invoice_id"`
	FromBalanceMinor int64         `db:"from_balance_minor"`
	PaidOutOfBand    bool          `db:"paid_out_of_band"`
	PaymentAccepted  bool          `db:"payment_accepted"`
}

func (f PaymentFacts) Payment() reconcile.Payment {
	return reconcile.Payment{
		Currency: f.ChargeCurrency, CapturedMinor: f.CapturedMinor, SurplusMinor: f.SurplusMinor, SettledMinor: f.SettledMinor.Int64, FeeMinor: f.FeeMinor.Int64,
		Known: f.SettledMinor.Valid && f.FeeMinor.Valid, InvoiceID: f.InvoiceID, FromBalanceMinor: f.FromBalanceMinor,
		PaidOutOfBand: f.PaidOutOfBand, Accepted: f.PaymentAccepted,
	}
}
