package check

import (
	"context"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
)

// stripeAttempts is how often a check-up asks: somebody waits for the answer.
const stripeAttempts = 3

// stripe proves the keys against the account, where there are any.
func (c *checkup) stripe(ctx context.Context) {
	if c.config.StripeKey == "" {
		c.add("Stripe", Skipped, "set STRIPE_API_KEY to a restricted read key", "no key: nights run without Stripe, and every report says so")
		return
	}
	const (
		fix  = "use a restricted key of the right account and mode, and no STRIPE_API_BASE that isn't Stripe's"
		away = "check that the network lets requests out to Stripe, and that nothing in between puts its own certificate before it; nights are retried until then"
	)
	key := func(secret string) stripefeed.Options {
		return stripefeed.Options{Key: secret, BaseURL: c.config.StripeBase, Mode: c.config.StripeMode, Log: c.config.Log, Attempts: stripeAttempts}
	}
	client, err := stripefeed.New(key(c.config.StripeKey))
	var probed stripefeed.Probed
	if err == nil {
		probed, err = client.Probe(ctx)
	}
	switch {
	case err != nil:
		c.fail("Stripe", fix, away, err)
		return
	case len(probed.Lacking) > 0:
		c.add("Stripe", Failed, "give the restricted key these permissions in Stripe's dashboard", "the key lacks %s", strings.Join(probed.Lacking, ", "))
	default:
		c.add("Stripe", OK, "", "account %s, %s mode, the key can read everything a sync needs", probed.AccountID, modeOf(probed))
	}
	if !probed.Clock.IsZero() {
		answered := time.Now()
		c.skew("Stripe", probed.Clock, answered, answered)
	}
	if strings.HasPrefix(c.config.StripeKey, "sk_") {
		c.add("Stripe key", Warning, "make a restricted key (rk_…) with read permissions only", "is a secret key: it may do anything at Stripe, even make refunds")
	}
	if c.config.StripeRefundKey == "" {
		return
	}
	client, err = stripefeed.New(key(c.config.StripeRefundKey))
	var refunds stripefeed.Probed
	if err == nil {
		refunds, err = client.ProbeRefunds(ctx)
	}
	switch {
	case err != nil:
		c.fail("Stripe refund key", fix, away, err)
	case refunds.AccountID != probed.AccountID || refunds.Livemode != probed.Livemode:
		c.add("Stripe refund key", Failed, "use keys of one account and mode", "belongs to account %s, %s mode; the read key does not", refunds.AccountID, modeOf(refunds))
	case len(refunds.Lacking) > 0:
		c.add("Stripe refund key", Failed, "give the restricted key these permissions in Stripe's dashboard", "the key lacks %s", strings.Join(refunds.Lacking, ", "))
	default:
		c.add("Stripe refund key", OK, "", "of the same account and mode, the key can read what was refunded; only a refund can show whether it may refund")
	}
}

func modeOf(probed stripefeed.Probed) string {
	if probed.Livemode {
		return "live"
	}
	return "test"
}
