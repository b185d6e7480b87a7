package stripefeed_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// refundable is a charge at a double, and a client that may refund it.
func refundable(t *testing.T, patience time.Duration) (*stripetest.Stripe, stripetest.Charge, *stripefeed.Client) {
	t.Helper()
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	double := stripetest.New(stripetest.Options{Clock: func() time.Time { return now }, Seed: 3})
	t.Cleanup(func() { double.Close() })
	charge, err := double.CreateCharge(stripetest.ChargeParams{Amount: 10_000, Currency: "usd"})
	if err != nil {
		t.Fatal(err)
	}
	return double, charge, refunding(t, double, patience)
}

// refunding is a client of a double that may refund, and waits so long for each answer.
func refunding(t *testing.T, double *stripetest.Stripe, patience time.Duration) *stripefeed.Client {
	t.Helper()
	base, err := double.Listen()
	if err != nil {
		t.Fatal(err)
	}
	client, err := stripefeed.New(stripefeed.Options{
		Key: double.RefundKey(), BaseURL: base, Log: zerolog.Nop(), EndpointPerSecond: 1e6, TotalPerSecond: 1e6,
		BackoffBase: time.Millisecond, BackoffLimit: 2 * time.Millisecond, Attempts: 2, AttemptTimeout: patience,
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// patienceFor is short where the call would hang anyway.
func patienceFor(kind stripetest.Kind) time.Duration {
	if kind.Hangs() {
		return 500 * time.Millisecond
	}
	return 10 * time.Second
}

func order(charge stripetest.Charge) stripefeed.RefundOrder {
	return stripefeed.RefundOrder{ChargeID: charge.ID, AmountMinor: 9_000, IdempotencyKey: "key-1", Metadata: map[string]string{"intent": "ri_1"}}
}

// A refusal is only called definite when nothing was done, and an answer only good when it is the refund that was asked for: for every way
// in which the call can break.
func TestCreateRefundKnowsWhatItDoesNotKnow(t *testing.T) {
	for _, kind := range stripetest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			double, charge, client := refundable(t, patienceFor(kind))
			double.SetFaults(stripetest.Fault{Match: stripetest.Match{Method: http.MethodPost}, Kind: kind, Delay: 10 * time.Millisecond})
			refund, err := client.CreateRefund(context.Background(), order(charge))
			made := len(double.State().Refunds)
			switch {
			case err == nil:
				if made != 1 || refund.AmountMinor != 9_000 || refund.ChargeID != charge.ID || refund.Metadata["intent"] != "ri_1" {
					t.Errorf("it says that %+v was made; there are %d", refund, made)
				}
			case errors.Is(err, stripefeed.ErrRejected):
				if made != 0 {
					t.Errorf("it says that Stripe refused, and Stripe has made it: %v", err)
				}
			case errors.Is(err, stripefeed.ErrRefused) && !errors.Is(err, stripefeed.ErrUnknownOutcome):
				if made != 0 {
					t.Errorf("it says that Stripe refused the key, and Stripe has made it: %v", err)
				}
			case !errors.Is(err, stripefeed.ErrUnknownOutcome):
				t.Errorf("neither refused nor unknown: %v", err)
			}
			// The same order with the same key makes no second one; an answer that was lost is found by the metadata.
			double.SetFaults()
			client = refunding(t, double, 10*time.Second)
			if !errors.Is(err, stripefeed.ErrRejected) && kind != stripetest.StoredServerError {
				if _, err := client.CreateRefund(context.Background(), order(charge)); err != nil && kind != stripetest.ServerErrorAfter {
					t.Errorf("sent again: %v", err)
				}
				refunds, err := client.RefundsOf(context.Background(), charge.ID)
				if err != nil || len(refunds) != 1 || refunds[0].Metadata["intent"] != "ri_1" || !refunds[0].Live() {
					t.Errorf("looked up: %+v, %v", refunds, err)
				}
			}
		})
	}
}

// What Stripe itself says no to.
func TestDefiniteRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*stripetest.Stripe, stripetest.Charge) error
		order   func(*stripefeed.RefundOrder)
		want    error
	}{
		"already refunded": {prepare: func(s *stripetest.Stripe, c stripetest.Charge) error {
			_, err := s.CreateRefund(stripetest.RefundParams{Charge: c.ID})
			return err
		}, want: stripefeed.ErrRejected},
		"disputed": {prepare: func(s *stripetest.Stripe, c stripetest.Charge) error {
			_, err := s.OpenDispute(stripetest.DisputeParams{Charge: c.ID})
			return err
		}, want: stripefeed.ErrRejected},
		"too much":                           {order: func(o *stripefeed.RefundOrder) { o.AmountMinor = 10_001 }, want: stripefeed.ErrRejected},
		"no such charge":                     {order: func(o *stripefeed.RefundOrder) { o.ChargeID = "ch_none" }, want: stripefeed.ErrRejected},
		"no key of ours":                     {order: func(o *stripefeed.RefundOrder) { o.IdempotencyKey = "" }, want: stripefeed.ErrRejected},
		"the key was used for another thing": {prepare: nil, order: nil, want: stripefeed.ErrUnknownOutcome},
	} {
		t.Run(name, func(t *testing.T) {
			double, charge, client := refundable(t, 10*time.Second)
			o := order(charge)
			if c.prepare != nil {
				if err := c.prepare(double, charge); err != nil {
					t.Fatal(err)
				}
			}
			if c.order != nil {
				c.order(&o)
			}
			if c.want == stripefeed.ErrUnknownOutcome {
				if _, err := client.CreateRefund(context.Background(), o); err != nil {
					t.Fatal(err)
				}
				o.AmountMinor--
			}
			if _, err := client.CreateRefund(context.Background(), o); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// A lookup that can't see everything is an error, never a shorter list.
func TestRefundsOfNeverReadsShort(t *testing.T) {
	for _, kind := range stripetest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			double, charge, patient := refundable(t, 10*time.Second)
			if _, err := patient.CreateRefund(context.Background(), order(charge)); err != nil {
				t.Fatal(err)
			}
			client := refunding(t, double, patienceFor(kind))
			double.SetFaults(stripetest.Fault{Match: stripetest.Match{Method: http.MethodGet, Times: -1}, Kind: kind})
			refunds, err := client.RefundsOf(context.Background(), charge.ID)
			if err == nil && len(refunds) != 1 {
				t.Errorf("it reads as complete with %d refunds", len(refunds))
			}
			now, err := client.ReadCharge(context.Background(), charge.ID)
			if err == nil && (now.AmountMinor != 10_000 || now.RefundedMinor != 9_000) {
				t.Errorf("the charge reads as %+v", now)
			}
		})
	}
}

// The read key can't refund, whatever is asked of it.
func TestReadKeyCantRefund(t *testing.T) {
	double, charge, _ := refundable(t, 10*time.Second)
	base, err := double.Listen()
	if err != nil {
		t.Fatal(err)
	}
	client, err := stripefeed.New(stripefeed.Options{Key: double.ReadKey(), BaseURL: base, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateRefund(context.Background(), order(charge)); !errors.Is(err, stripefeed.ErrRefused) {
		t.Errorf("got %v", err)
	}
}
