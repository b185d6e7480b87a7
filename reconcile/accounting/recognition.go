package accounting

import (
	"cmp"
	"math/big"
	"slices"

	"github.com/hummingbytes/reconciler/reconcile"
)

// ServiceLine is a line of an invoice: what it bills and for which days.
type ServiceLine struct {
	// AmountMinor is without tax and before discounts; below 0: what a proration takes back.
	AmountMinor int64
	// From and To are the days of the service in the time zone of nights; To is the first day after it. A line that ends where it begins is
	// earned on From.
	From, To reconcile.Date
}

// GivenBack is a refund of a charge that has not failed: the day it was made, and its amount, tax included.
type GivenBack struct {
	On          reconcile.Date
	AmountMinor int64
}

// ServiceCharge is what was charged for a service, or, below 0, credited: a subscription's payment, or an invoice that the customer's balance took.
type ServiceCharge struct {
	AmountMinor int64 // tax included
	TaxMinor    int64 // of that, owed to the tax office; with the sign of AmountMinor
	// Lines in their order: by the begin of their period, then id. None: it is not known what days were paid for, and all of it stays deferred.
	Lines []ServiceLine
	// GivenBack may be in any order. A charge below 0 has none.
	GivenBack []GivenBack
}

// Recognition is where the money of a service charge is as of the end of a day. The four add up to what was charged.
type Recognition struct {
	Earned    *big.Int // revenue
	Deferred  *big.Int // owed as service
	Tax       *big.Int // owed to the tax office
	GivenBack *big.Int // tax included, at most what was charged
}

// On is where the money is at the end of a day. Each line is earned by the day over its period: after d of n days floor(amount*d/n) of it, so that
// the days sum exactly to the whole. What was charged is shared out to the lines by their amounts, as these are before discounts; that is
// cumulative too, and towards 0.
//
// What is given back takes its part of the tax along (tax*returned/charged), and reduces what is still deferred at the end of its day; what it leaves
// of that is earned as the whole would have been. Beyond it, it takes back revenue.
func (c ServiceCharge) On(day reconcile.Date) Recognition {
	net := big.NewInt(c.AmountMinor - c.TaxMinor)
	whole := func(on reconcile.Date) *big.Int { return new(big.Int).Sub(net, c.earned(on)) }
	// left is what is deferred when whole was due.
	left := func(on reconcile.Date) *big.Int { return whole(on) }
	var returned, tax int64
	backs := slices.Clone(c.GivenBack)
	slices.SortStableFunc(backs, func(a, b GivenBack) int { return cmp.Or(a.On.Compare(b.On), cmp.Compare(a.AmountMinor, b.AmountMinor)) })
	for _, back := range backs {
		if back.On.After(day) {
			break
		}
		was, taxWas := returned, tax
		returned = was + min(back.AmountMinor, c.AmountMinor-was)
		tax = c.taxOf(returned)
		then, rest := whole(back.On), left(back.On)
		rest.Sub(rest, big.NewInt(returned-was-(tax-taxWas)))
		if rest.Sign() < 0 {
			rest.SetInt64(0)
		}
		left = func(on reconcile.Date) *big.Int { return partLeft(rest, whole(on), then) }
	}
	r := Recognition{Deferred: left(day), Tax: big.NewInt(c.TaxMinor - tax), GivenBack: big.NewInt(returned)}
	r.Earned = big.NewInt(c.AmountMinor)
	for _, elsewhere := range []*big.Int{r.Deferred, r.Tax, r.GivenBack} {
		r.Earned.Sub(r.Earned, elsewhere)
	}
	return r
}

// partLeft is what of rest is still deferred, which was all when then was: rest*now/then, rounded up.
func partLeft(rest, now, then *big.Int) *big.Int {
	if now.Sign() <= 0 || then.Sign() <= 0 {
		return new(big.Int)
	}
	part := new(big.Int).Mul(rest, now)
	part.Add(part, then).Sub(part, big.NewInt(1))
	return part.Quo(part, then)
}

// taxOf is the tax in a part of what was charged.
func (c ServiceCharge) taxOf(returned int64) int64 {
	if c.AmountMinor == 0 {
		return 0
	}
	return share(big.NewInt(c.TaxMinor), returned, c.AmountMinor).Int64()
}

// earned is what the days up to the end of day have earned, refunds aside.
func (c ServiceCharge) earned(day reconcile.Date) *big.Int {
	shares := c.shares()
	sum := new(big.Int)
	for i, line := range c.Lines[:len(shares)] {
		days := max(1, line.To.DaysSince(line.From))
		sum.Add(sum, share(shares[i], int64(min(days, max(0, day.DaysSince(line.From)+1))), int64(days)))
	}
	return sum
}

// shares is what of the charge, without tax, each line has; none where the lines don't explain it.
func (c ServiceCharge) shares() []*big.Int {
	net, total := big.NewInt(c.AmountMinor-c.TaxMinor), new(big.Int)
	for _, line := range c.Lines {
		total.Add(total, big.NewInt(line.AmountMinor))
	}
	isExact := total.Cmp(net) == 0
	if !isExact && (total.Sign() == 0 || total.Sign()*net.Sign() < 0) {
		return nil
	}
	shares := make([]*big.Int, len(c.Lines))
	through, given := new(big.Int), new(big.Int)
	for i, line := range c.Lines {
		shares[i] = big.NewInt(line.AmountMinor)
		if isExact {
			continue
		}
		through.Add(through, shares[i])
		soFar := new(big.Int).Mul(net, through)
		soFar.Quo(soFar, total)
		shares[i] = new(big.Int).Sub(soFar, given)
		given = soFar
	}
	return shares
}

// share is part/whole of an amount, rounded towards 0.
func share(amount *big.Int, part, whole int64) *big.Int {
	product := new(big.Int).Mul(amount, big.NewInt(part))
	return product.Quo(product, big.NewInt(whole))
}
