package stripefeed

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"time"
)

// pageLimit is the most rows that Stripe gives a page.
const pageLimit = "100"

// anomalyError is an ErrAnomaly with what is wrong.
type anomalyError struct{ reason string }

func (e anomalyError) Error() string { return ErrAnomaly.Error() + ": " + e.reason }
func (anomalyError) Unwrap() error   { return ErrAnomaly }

func anomalyf(format string, args ...any) error { return anomalyError{fmt.Sprintf(format, args...)} }

// head is what every object of Stripe's has.
type head struct {
	ID       string `json:"id"`
	Object   string `json:"object"`
	Created  int64  `json:"created"`
	Livemode *bool  `json:"livemode"` // balance transactions and refunds have none
}

func (h *head) base() *head { return h }

// object is a pointer to a row type.
type object[T any] interface {
	*T
	base() *head
}

// page is a list as Stripe sends it. Pointers tell what is missing from what is empty.
type page[T any] struct {
	Object  string `json:"object"`
	HasMore *bool  `json:"has_more"`
	Data    *[]*T  `json:"data"`
}

// listing is one list, from its first page to its last.
type listing struct {
	path    string
	query   url.Values // filters, without limit and cursor
	object  string     // what its rows must be
	undated bool       // its rows have no created (invoice lines)
}

// pages reads a list page by page, newest first, and hands each page on with Stripe's clock. It returns nil only after a page that
// says that it is the last, every page having moved the cursor on to rows not seen before; anything else is an error.
func pages[T any, P object[T]](ctx context.Context, c *Client, l listing, fn func(rows []P, at time.Time) error) error {
	query := maps.Clone(l.query)
	if query == nil {
		query = url.Values{}
	}
	query.Set("limit", pageLimit)
	var cursors []string // rows of the page before, the last one last
	recent := recentRows{ids: map[string]struct{}{}}
	for number := 1; ; number++ {
		p, at, err := get(ctx, c, l.path, l.path, query, func(p *page[T]) error {
			if p.Object == "" && p.Data == nil {
				return &garbled{200, "the answer is an empty object"}
			}
			return nil
		})
		if errors.Is(err, ErrNotFound) && len(cursors) > 1 {
			// The row that the page was to begin after is gone by now: the one before it is as good.
			cursors = cursors[:len(cursors)-1]
			query.Set("starting_after", cursors[len(cursors)-1])
			number--
			continue
		}
		if err != nil {
			return err
		}
		rows, err := checkPage[T, P](c, l, p)
		for i := 0; err == nil && i < len(rows); i++ {
			err = recent.add(rows[i].base(), l.undated)
		}
		if err != nil {
			return fmt.Errorf("GET %s, page %d: %w", l.path, number, err)
		}
		if len(rows) > 0 {
			if err := fn(rows, at); err != nil {
				return err
			}
		}
		if !*p.HasMore {
			return nil
		}
		cursors = cursors[:0]
		for _, row := range rows {
			cursors = append(cursors, row.base().ID)
		}
		query.Set("starting_after", cursors[len(cursors)-1])
	}
}

const (
	rememberedRows = 50 * 100
	// disorderSeconds is how far rows may be out of order. Stripe sorts by created, but doesn't promise to sort within a moment.
	disorderSeconds = 300
)

// recentRows finds a list that goes round in a circle, in constant memory: a short circle brings back an id that is remembered, a
// long one has to jump back in time.
type recentRows struct {
	ids    map[string]struct{}
	ring   []string
	next   int
	oldest int64
}

func (r *recentRows) add(h *head, undated bool) error {
	if _, again := r.ids[h.ID]; again {
		return anomalyf("%s came twice", h.ID)
	}
	if !undated && r.oldest != 0 && h.Created > r.oldest+disorderSeconds {
		return anomalyf("%s is newer than the rows before it", h.ID)
	}
	if r.oldest == 0 || h.Created < r.oldest {
		r.oldest = h.Created
	}
	r.ids[h.ID] = struct{}{}
	if len(r.ring) < rememberedRows {
		r.ring = append(r.ring, h.ID)
		return nil
	}
	delete(r.ids, r.ring[r.next])
	r.ring[r.next] = h.ID
	r.next = (r.next + 1) % rememberedRows
	return nil
}

func checkPage[T any, P object[T]](c *Client, l listing, p *page[T]) ([]P, error) {
	switch {
	case p.Object != "list":
		return nil, anomalyf("it is a %q, not a list", p.Object)
	case p.Data == nil:
		return nil, anomalyf("it has no rows, not even none")
	case p.HasMore == nil:
		return nil, anomalyf("it doesn't say whether there is more")
	case *p.HasMore && len(*p.Data) == 0:
		return nil, anomalyf("it is empty and says that there is more")
	}
	rows := make([]P, len(*p.Data))
	for i, row := range *p.Data {
		if row == nil {
			return nil, anomalyf("row %d is null", i+1)
		}
		rows[i] = P(row)
		if err := checkRow(c, l, rows[i].base()); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func checkRow(c *Client, l listing, h *head) error {
	switch {
	case h.ID == "":
		return anomalyf("a row has no id")
	case h.Object != l.object:
		return anomalyf("%s is a %q, not a %s", h.ID, h.Object, l.object)
	case h.Created <= 0 && !l.undated:
		return anomalyf("%s doesn't say when it was created", h.ID)
	case h.Livemode != nil && *h.Livemode != c.livemode:
		return fmt.Errorf("%w: %s is of the other mode than the key", ErrRefused, h.ID)
	}
	return nil
}

// one reads a single object; ErrNotFound when Stripe has none.
func one[T any, P object[T]](ctx context.Context, c *Client, l listing, id string) (P, time.Time, error) {
	row, at, err := get(ctx, c, l.path+"/{id}", l.path+"/"+url.PathEscape(id), nil, func(row *T) error {
		if P(row).base().ID == "" {
			return &garbled{200, "the answer is an empty object"}
		}
		return nil
	})
	if err != nil {
		return nil, at, err
	}
	if err := checkRow(c, l, P(row).base()); err != nil {
		return nil, at, fmt.Errorf("GET %s/%s: %w", l.path, id, err)
	}
	if got := P(row).base().ID; got != id {
		return nil, at, fmt.Errorf("GET %s/%s: %w", l.path, id, anomalyf("it is %s", got))
	}
	return row, at, nil
}

// between is a list's rows created in [from, to), in Unix seconds.
func (l listing) between(from, to int64) listing {
	query := maps.Clone(l.query)
	if query == nil {
		query = url.Values{}
	}
	query.Set("created[gte]", fmt.Sprint(from))
	query.Set("created[lt]", fmt.Sprint(to))
	l.query = query
	return l
}
