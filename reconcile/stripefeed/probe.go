package stripefeed

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"time"
)

// Probed is what a few harmless calls tell about a key.
type Probed struct {
	AccountID string
	Livemode  bool
	Clock     time.Time // Stripe's
	// Lacking are the permissions that a sync needs and the key doesn't have, as Stripe names them.
	Lacking []string
}

// Identify asks Stripe whose key this is. It changes nothing. A key that may not read the account is told whose it is all the same.
func (c *Client) Identify(ctx context.Context) (Probed, error) {
	account, at, err := get(ctx, c, "/v1/account", "/v1/account", nil, (*account).check)
	var lacking *PermissionError
	switch {
	case errors.As(err, &lacking) && lacking.account != "":
		return Probed{AccountID: lacking.account, Livemode: c.livemode}, nil
	case err != nil:
		return Probed{}, err
	}
	return Probed{AccountID: account.ID, Livemode: c.livemode, Clock: at}, nil
}

// Probe is Identify, and asks for one object of everything that a sync reads, so that every missing permission is known at once.
func (c *Client) Probe(ctx context.Context) (Probed, error) {
	probed, err := c.Identify(ctx)
	if err != nil {
		return Probed{}, err
	}
	ask := func(path string, query url.Values) error {
		_, at, err := get(ctx, c, path, path, query, func(*json.RawMessage) error { return nil })
		var lacking *PermissionError
		switch {
		case errors.As(err, &lacking):
			name := lacking.Permission
			if name == "" {
				name = "read access to " + path
			}
			if !slices.Contains(probed.Lacking, name) {
				probed.Lacking = append(probed.Lacking, name)
			}
			return nil
		case err != nil:
			return err
		}
		probed.Clock = at
		return nil
	}
	if err := ask("/v1/balance", nil); err != nil {
		return Probed{}, err
	}
	for _, st := range append(slices.Clone(streams), intents) {
		query := url.Values{"limit": {"1"}}
		for name, values := range st.listing.query {
			query[name] = values
		}
		if err := ask(st.listing.path, query); err != nil {
			return Probed{}, err
		}
	}
	return probed, nil
}
