package stripefeed

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
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
	if err := c.mayRead(ctx, &probed, "/v1/balance", nil); err != nil {
		return Probed{}, err
	}
	for _, st := range append(slices.Clone(streams), intents) {
		query := url.Values{"limit": {"1"}}
		for name, values := range st.listing.query {
			query[name] = values
		}
		if err := c.mayRead(ctx, &probed, st.listing.path, query); err != nil {
			return Probed{}, err
		}
	}
	return probed, nil
}

// ProbeRefunds is Identify, and asks for what the execution of refunds reads. Whether a key may refund only a request for a refund could show, and
// nothing but an approved plan sends one, not even of a charge that there is not.
func (c *Client) ProbeRefunds(ctx context.Context) (Probed, error) {
	probed, err := c.Identify(ctx)
	if err != nil {
		return Probed{}, err
	}
	for _, l := range []listing{chargesNow, refundsNow} {
		if err := c.mayRead(ctx, &probed, l.path, url.Values{"limit": {"1"}}); err != nil {
			return Probed{}, err
		}
	}
	return probed, nil
}

// mayRead asks for one object of a kind, and notes the permission that is lacking for it.
func (c *Client) mayRead(ctx context.Context, probed *Probed, path string, query url.Values) error {
	_, answered, err := get(ctx, c, path, path, query, func(*json.RawMessage) error { return nil })
	if err = at("GET "+path, "read", err); probed.lacks(err) {
		return nil
	}
	if err == nil {
		probed.Clock = answered
	}
	return err
}

// lacks notes the permission that an error is about, if it is about one.
func (p *Probed) lacks(err error) bool {
	var lacking *PermissionError
	if !errors.As(err, &lacking) {
		return false
	}
	name := lacking.Permission
	if name == "" {
		_, path, _ := strings.Cut(lacking.Endpoint, " ")
		name = lacking.Access + " access to " + path
	}
	if !slices.Contains(p.Lacking, name) {
		p.Lacking = append(p.Lacking, name)
	}
	return true
}
