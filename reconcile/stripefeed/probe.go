package stripefeed

import (
	"context"
	"time"
)

// Probed is what one harmless call tells about a key.
type Probed struct {
	AccountID string
	Livemode  bool
	Clock     time.Time // Stripe's
}

// Probe asks Stripe whose key this is. It changes nothing.
func (c *Client) Probe(ctx context.Context) (Probed, error) {
	account, at, err := get(ctx, c, "/v1/account", "/v1/account", nil, (*account).check)
	if err != nil {
		return Probed{}, err
	}
	return Probed{AccountID: account.ID, Livemode: c.livemode, Clock: at}, nil
}
