package night

import (
	"database/sql"

	"github.com/hummingbytes/reconciler/reconcile"
)

// PaymentFacts are the columns that a reconcile.Payment is made of.
type PaymentFacts struct {
	ChargeCurrency   string
	CapturedMinor    int64
	SurplusMinor     int64
	SettledMinor     sql.NullInt64 // null while Stripe has not said
	FeeMinor         sql.NullInt64 // likewise
	PaymentOpen      bool          // more may be captured
	InvoiceID        string
	FromBalanceMinor int64
	PaidOutOfBand    bool
	PaymentAccepted  bool
}

func (f PaymentFacts) Payment() reconcile.Payment {
	return reconcile.Payment{
		Currency: f.ChargeCurrency, CapturedMinor: f.CapturedMinor, SurplusMinor: f.SurplusMinor, SettledMinor: f.SettledMinor.Int64, FeeMinor: f.FeeMinor.Int64,
		Known: f.SettledMinor.Valid && f.FeeMinor.Valid, Open: f.PaymentOpen, InvoiceID: f.InvoiceID, FromBalanceMinor: f.FromBalanceMinor,
		PaidOutOfBand: f.PaidOutOfBand, Accepted: f.PaymentAccepted,
	}
}
