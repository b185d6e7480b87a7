package stripetest

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// What Stripe itself should never do, for planting contradictions that a reconciliation has to find.

// HideTransaction takes a balance transaction out of lists and lookups, while the balance still counts it.
func (s *Stripe) HideTransaction(id string) error {
	_, err := change(s, "hide "+id, func(b *books, _ time.Time) (struct{}, error) {
		t := get[BalanceTransaction](b.transactions, id)
		if t == nil {
			return struct{}{}, errors.New("there is none")
		}
		t.hidden = true
		return struct{}{}, nil
	})
	return err
}

// DetachTransaction takes a balance transaction out of the automatic payout that it was paid out with, so that the
// payout's transactions no longer sum to it. CheckBooks leaves that payout alone from then on.
func (s *Stripe) DetachTransaction(id string) error {
	_, err := change(s, "detach "+id, func(b *books, _ time.Time) (struct{}, error) {
		t := get[BalanceTransaction](b.transactions, id)
		if t == nil || t.Payout == "" {
			return struct{}{}, errors.New("it is in no automatic payout")
		}
		get[Payout](b.payouts, t.Payout).planted = true
		index := b.transactions.index["payout"]
		index[t.Payout] = slices.DeleteFunc(index[t.Payout], func(row record) bool { return row.key() == id })
		t.Payout = ""
		return struct{}{}, nil
	})
	return err
}

// SetStatus overrides the status that a charge, refund or dispute shows, also to one that Stripe has not. It moves no
// money, and answers with an unknown status break the specification.
func (s *Stripe) SetStatus(id, status string) error {
	_, err := change(s, "set the status of "+id, func(b *books, _ time.Time) (struct{}, error) {
		switch object := b.find(id).(type) {
		case *Charge:
			object.Status = status
		case *Refund:
			object.Status = status
		case *Dispute:
			object.Status = status
		default:
			return struct{}{}, fmt.Errorf("it is no charge, refund or dispute: %T", object)
		}
		return struct{}{}, nil
	})
	return err
}

// find is the object with an id, nil when there is none.
func (b *books) find(id string) record {
	if table := b.tableOf(id); table != nil {
		return table.byID[id]
	}
	return nil
}

// hidden is whether lists and lookups leave the row out.
func hidden(row record) bool {
	switch object := row.(type) {
	case *BalanceTransaction:
		return object.hidden
	case *Invoice:
		return object.deleted
	}
	return false
}
