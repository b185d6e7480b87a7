package stripefeed

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/form"
)

// ErrRejected marks a refund that Stripe has definitely refused: it was not made, and the same request would be refused again.
var ErrRejected = errors.New("refund refused by Stripe")

// ErrUnknownOutcome marks a refund that may or may not have been made: no answer, a garbled one, or any that is not a definite refusal.
var ErrUnknownOutcome = errors.New("the refund's outcome is unknown")

// ChargeNow is a charge as Stripe shows it at this moment. Amounts are minor units of Currency.
type ChargeNow struct {
	ID            string
	AmountMinor   int64
	CapturedMinor int64
	RefundedMinor int64
	Currency      string
	Status        string
	Captured      bool
	Refunded      bool
	Disputed      bool
}

// RefundNow is a refund as Stripe shows it at this moment.
type RefundNow struct {
	ID          string
	ChargeID    string
	AmountMinor int64
	Currency    string
	Status      string
	Metadata    map[string]string
}

// Live says whether the refund takes money out: it has neither failed nor been canceled.
func (r RefundNow) Live() bool { return r.Status != "failed" && r.Status != "canceled" }

// RefundOrder is a refund to be made. The same order has to carry the same key every time it is sent.
type RefundOrder struct {
	ChargeID       string
	AmountMinor    int64
	IdempotencyKey string
	Metadata       map[string]string
}

type chargeNow struct {
	head
	Amount         *int64 `json:"amount"`
	AmountCaptured *int64 `json:"amount_captured"`
	AmountRefunded *int64 `json:"amount_refunded"`
	Currency       string `json:"currency"`
	Status         string `json:"status"`
	Captured       *bool  `json:"captured"`
	Refunded       *bool  `json:"refunded"`
	Disputed       *bool  `json:"disputed"`
}

type refundNow struct {
	head
	Charge   ref               `json:"charge"`
	Amount   *int64            `json:"amount"`
	Currency string            `json:"currency"`
	Status   string            `json:"status"`
	Metadata map[string]string `json:"metadata"`
}

func (r *refundNow) refund() (RefundNow, error) {
	if r.Amount == nil || r.Charge == "" || r.Currency == "" || r.Status == "" {
		return RefundNow{}, anomalyf("refund %s lacks its charge, amount, currency or status", r.ID)
	}
	return RefundNow{r.ID, string(r.Charge), *r.Amount, r.Currency, r.Status, r.Metadata}, nil
}

var (
	chargesNow = listing{path: "/v1/charges", object: "charge"}
	refundsNow = listing{path: "/v1/refunds", object: "refund"}
)

// ReadCharge reads a charge again, with the attempts that the options allow. ErrNotFound when Stripe has none.
func (c *Client) ReadCharge(ctx context.Context, id string) (ChargeNow, error) {
	row, _, err := one[chargeNow](ctx, c, chargesNow, id)
	if err != nil {
		return ChargeNow{}, err
	}
	if row.Amount == nil || row.AmountCaptured == nil || row.AmountRefunded == nil || row.Captured == nil || row.Refunded == nil || row.Disputed == nil ||
		row.Livemode == nil {
		return ChargeNow{}, fmt.Errorf("GET /v1/charges/%s: %w", id, anomalyf("it lacks amounts, flags or its mode"))
	}
	return ChargeNow{
		ID: row.ID, AmountMinor: *row.Amount, CapturedMinor: *row.AmountCaptured, RefundedMinor: *row.AmountRefunded, Currency: row.Currency,
		Status: row.Status, Captured: *row.Captured, Refunded: *row.Refunded, Disputed: *row.Disputed,
	}, nil
}

// RefundsOf reads all refunds of a charge, whoever made them and whatever became of them.
func (c *Client) RefundsOf(ctx context.Context, chargeID string) ([]RefundNow, error) {
	l := refundsNow
	l.query = url.Values{"charge": {chargeID}}
	var refunds []RefundNow
	err := pages(ctx, c, l, func(rows []*refundNow, _ time.Time) error {
		for _, row := range rows {
			refund, err := row.refund()
			if err == nil && refund.ChargeID != chargeID {
				err = anomalyf("refund %s is of charge %s, not of %s", refund.ID, refund.ChargeID, chargeID)
			}
			if err != nil {
				return fmt.Errorf("GET /v1/refunds: %w", err)
			}
			refunds = append(refunds, refund)
		}
		return nil
	})
	return refunds, err
}

// CreateRefund asks for a refund once. An error is ErrRejected when Stripe has definitely refused that refund, ErrRefused when it has refused the
// key, which says nothing of the refund: the same request may go through with another key. It is ErrUnknownOutcome in every other case, also for
// limits and conflicts, where the same request may yet go through. It is never retried here.
func (c *Client) CreateRefund(ctx context.Context, o RefundOrder) (RefundNow, error) {
	const path = "/v1/refunds"
	if o.ChargeID == "" || o.AmountMinor <= 0 || o.IdempotencyKey == "" {
		return RefundNow{}, fmt.Errorf("%w: the order lacks a charge, an amount or a key", ErrRejected)
	}
	if err := c.limits.wait(ctx, path); err != nil {
		return RefundNow{}, fmt.Errorf("%w: POST %s: %w", ErrUnknownOutcome, path, err)
	}
	values := &form.Values{}
	values.Add("amount", strconv.FormatInt(o.AmountMinor, 10))
	values.Add("charge", o.ChargeID)
	values.Add("reason", string(stripe.RefundReasonRequestedByCustomer))
	for _, name := range slices.Sorted(maps.Keys(o.Metadata)) {
		values.Add("metadata["+name+"]", o.Metadata[name])
	}
	ctx, cancel := context.WithTimeout(ctx, c.options.AttemptTimeout)
	defer cancel()
	seen := &observation{}
	var answer document[refundNow]
	err := c.backend.CallRaw(http.MethodPost, path, c.options.Key, values, &stripe.Params{
		Context: context.WithValue(ctx, observationKey{}, seen), IdempotencyKey: stripe.String(o.IdempotencyKey),
	}, &answer)
	if err != nil {
		why := at("POST "+path, "write", judge(err, *seen).err)
		switch definitely := definite(err, *seen); {
		case definitely && errors.Is(why, ErrRefused):
			return RefundNow{}, fmt.Errorf("POST %s: %w", path, why)
		case definitely:
			return RefundNow{}, fmt.Errorf("%w: %w", ErrRejected, why)
		}
		return RefundNow{}, fmt.Errorf("%w: POST %s: %w", ErrUnknownOutcome, path, why)
	}
	if err := checkRow(c, refundsNow, answer.body.base()); err != nil {
		return RefundNow{}, fmt.Errorf("%w: POST %s: %w", ErrUnknownOutcome, path, err)
	}
	refund, err := answer.body.refund()
	if err == nil && (refund.ChargeID != o.ChargeID || refund.AmountMinor != o.AmountMinor) {
		err = anomalyf("%s refunds %d of %s; asked for were %d of %s", refund.ID, refund.AmountMinor, refund.ChargeID, o.AmountMinor, o.ChargeID)
	}
	if err != nil {
		return RefundNow{}, fmt.Errorf("%w: POST %s: %w", ErrUnknownOutcome, path, err)
	}
	return refund, nil
}

// definite says whether an error can only mean that nothing was done: a refusal in Stripe's own form. A key that was used for something
// else is none: something was done under it. Neither are limits, conflicts and time-outs, which may pass.
func definite(err error, seen observation) bool {
	var refusal *stripe.Error
	if !errors.As(err, &refusal) || refusal.Type == stripe.ErrorTypeIdempotency || refusal.Type == stripe.ErrorTypeAPI || retriable(seen) {
		return false
	}
	switch refusal.Code {
	case stripe.ErrorCodeRateLimit, stripe.ErrorCodeLockTimeout, stripe.ErrorCodeIdempotencyKeyInUse:
		return false
	}
	switch seen.status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound:
		return true
	}
	return false
}
