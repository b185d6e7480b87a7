package stripetest

import (
	"strings"
	"testing"
	"time"
)

// CheckBooks finds each kind of contradiction; a check that cannot fail proves nothing.
func TestCheckBooksFindsContradictions(t *testing.T) {
	tests := map[string]struct {
		damage func(b *books)
		want   string
	}{
		"net is not amount less fee":  {func(b *books) { first[BalanceTransaction](b.transactions).Net++ }, "net"},
		"fee lines do not sum":        {func(b *books) { first[BalanceTransaction](b.transactions).Fees[0].Amount++ }, "fee lines"},
		"balance moved on its own":    {func(b *books) { b.net["usd"]++ }, "balance of usd"},
		"source vanished":             {func(b *books) { delete(b.refunds.byID, first[Refund](b.refunds).ID) }, "does not exist"},
		"charge brought another sum":  {func(b *books) { first[Charge](b.charges).settlement.Amount++ }, "instead of"},
		"refunded more than refunds":  {func(b *books) { first[Charge](b.charges).AmountRefunded++ }, "its refunds sum to"},
		"refund moved another sum":    {func(b *books) { first[Charge](b.charges).refundedSettled++ }, "noted"},
		"dispute withdrew another":    {func(b *books) { first[Dispute](b.disputes).withdrawn++ }, "withdrawn"},
		"payout lost a transaction":   {func(b *books) { first[BalanceTransaction](b.transactions).Payout = "" }, "instead of 0"},
		"payout moved another amount": {func(b *books) { first[Payout](b.payouts).Amount++ }, "moved"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
			s := New(Options{Clock: func() time.Time { return now }})
			for range 2 {
				charge, err := s.CreateCharge(ChargeParams{Amount: 1_000, Currency: "usd"})
				if err != nil {
					t.Fatal(err)
				}
				now = now.Add(72 * time.Hour)
				if _, err := s.RunAutomaticPayouts(); err != nil {
					t.Fatal(err)
				}
				if _, err := s.CreateRefund(RefundParams{Charge: charge.ID, Amount: 300}); err != nil {
					t.Fatal(err)
				}
				if _, err := s.OpenDispute(DisputeParams{Charge: charge.ID, Amount: 200}); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.CheckBooks(); err != nil {
				t.Fatalf("before the damage: %v", err)
			}
			test.damage(s.books)
			if err := s.CheckBooks(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("found %v, want something about %q", err, test.want)
			}
		})
	}
}

func first[T any](t *table) *T { return all[T](t.rows)[0] }
