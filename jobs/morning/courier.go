// Package morning tells people of a night: one message a published revision and address, by mail or to a webhook, and one when a night failed
// or was never run.
//
// It must never fail or delay a night, send a message to an address twice, or say more of a customer than that there is one.
package morning

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/terminal"
)

// remember is how long a message that could not be sent is tried again: after that it is news no more.
const remember = 3 * 24 * time.Hour

// Published is where the files of nights are.
type Published interface {
	Open(ctx context.Context, night fmt.Stringer, revision int, name string) (io.ReadCloser, error)
}

// Courier sends morning messages. Its fields are set once.
type Courier struct {
	Store     *postgres.Store
	Published Published
	Addresses []Address
	// Link leads to a revision of a night for who reads the message.
	Link  func(night reconcile.Date, revision int) string
	Log   zerolog.Logger
	Clock func() time.Time
	// Patience bounds one try to hand a message over.
	Patience time.Duration

	mu   sync.Mutex // of one delivery at a time
	told map[string]bool
}

// Expect notes that a schedule or a catch-up is about to do these nights, so that they are told of even if this process ends in between.
func (c *Courier) Expect(ctx context.Context, nights []reconcile.Date) {
	if len(c.Addresses) == 0 {
		return
	}
	for _, night := range nights {
		if err := c.record(ctx, nightSubject(night), Address{}, 1, "expected", ""); err != nil {
			c.Log.Warn().Err(err).Stringer("business_date", night).Msg("morning message: the night can't be noted")
			return
		}
	}
}

func nightSubject(night reconcile.Date) string { return night.String() }

// Deliver sends what is due: every revision of expected nights that was published and not told of yet, and what could not be sent before.
// troubled are nights that need a person. What goes wrong is logged, and tried again next time.
func (c *Courier) Deliver(ctx context.Context, troubled []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, address := range c.Addresses {
		if err := c.deliverTo(ctx, address, troubled); err != nil {
			c.Log.Warn().Err(err).Str("address", address.Name).Msg("morning message: could not be sent")
		}
	}
}

// due is a revision to tell an address of.
type due struct {
	BusinessDate reconcile.Date
	Revision     int
	AttemptNo    int
}

func (c *Courier) deliverTo(ctx context.Context, address Address, troubled []string) error {
	var list []due
	err := c.Store.Select(ctx, &list, "morning/due", postgres.Args{"address_sha256": address.sha256, "since": c.Clock().Add(-remember)})
	if err != nil {
		return err
	}
	for _, d := range list {
		if err := c.tell(ctx, address, d, troubled); err != nil {
			return fmt.Errorf("%s: %w", revisionSubject(d.BusinessDate, d.Revision), err)
		}
	}
	return nil
}

func revisionSubject(night reconcile.Date, revision int) string {
	return fmt.Sprintf("%s/r%d", night, revision)
}

func (c *Courier) tell(ctx context.Context, address Address, d due, troubled []string) error {
	summary, err := c.summary(ctx, d)
	if err != nil {
		return err
	}
	link := c.Link(d.BusinessDate, d.Revision)
	m := MessageOf(summary, troubled, link)
	return c.sendOnce(ctx, revisionSubject(d.BusinessDate, d.Revision), d.AttemptNo, letter{
		title: m.Title, body: m.Text(), night: d.BusinessDate.String(), link: link, address: address,
	})
}

func (c *Courier) summary(ctx context.Context, d due) (*figures.Summary, error) {
	file, err := c.Published.Open(ctx, d.BusinessDate, d.Revision, "summary.json")
	if err != nil {
		return nil, fmt.Errorf("open its summary.json: %w", err)
	}
	defer file.Close() // it was only read
	var summary figures.Summary
	if err := json.NewDecoder(file).Decode(&summary); err != nil {
		return nil, fmt.Errorf("read its summary.json: %w", err)
	}
	return &summary, nil
}

// sendOnce claims a try, makes it, and records how it ended. A try whose end isn't on record is never repeated: the message may have arrived.
func (c *Courier) sendOnce(ctx context.Context, subject string, attempt int, l letter) error {
	sum := sha256.Sum256([]byte(subject + "\n" + l.address.sha256))
	l.id = hex.EncodeToString(sum[:16])
	claimed, err := c.claim(ctx, subject, l.address, attempt)
	if err != nil || !claimed {
		return err
	}
	sent := c.send(ctx, l)
	event, detail := "sent", ""
	switch {
	case errors.Is(sent, errUncertain):
		event, detail = "uncertain", sent.Error()
	case sent != nil:
		event, detail = "failed", sent.Error()
	}
	// However ctx ended, the end of the try has to be on record.
	recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(sent, c.record(recording, subject, l.address, attempt, event, detail))
}

func (c *Courier) claim(ctx context.Context, subject string, address Address, attempt int) (bool, error) {
	noted, err := c.note(ctx, subject, address, attempt, "begun", "")
	return noted == 1, err
}

func (c *Courier) record(ctx context.Context, subject string, address Address, attempt int, event, detail string) error {
	_, err := c.note(ctx, subject, address, attempt, event, detail)
	return err
}

func (c *Courier) note(ctx context.Context, subject string, address Address, attempt int, event, detail string) (int64, error) {
	return c.Store.Exec(ctx, "morning/note", postgres.Args{"subject": subject, "address_sha256": address.sha256,
		"address": address.Name, "attempt_no": attempt, "event": event, "detail": terminal.OneLine(detail), "at": c.Clock()})
}

// TellFailure sends one message for a night that could not be done, at most once a night, address and cause. It is also sent when the database
// is out of reach; this process then remembers that it was.
func (c *Courier) TellFailure(ctx context.Context, title string, causes []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, address := range c.Addresses {
		if err := c.tellFailure(ctx, address, title, causes); err != nil {
			c.Log.Warn().Err(err).Str("address", address.Name).Msg("morning message: could not be sent")
		}
	}
}

func (c *Courier) tellFailure(ctx context.Context, address Address, title string, causes []string) error {
	subject := "failure: " + title
	key := subject + address.sha256
	if c.told[key] {
		return nil
	}
	l := letter{title: title, body: strings.Join(causes, "\n") + "\n", address: address}
	var attempt int
	err := c.Store.Get(ctx, &attempt, "morning/next_attempt", postgres.Args{"subject": subject, "address_sha256": address.sha256})
	switch {
	case errors.Is(err, postgres.ErrUnavailable) || errors.Is(err, postgres.ErrSetup):
		sum := sha256.Sum256([]byte(key))
		l.id = hex.EncodeToString(sum[:16])
		err = c.send(ctx, l)
	case err == nil && attempt > 0:
		err = c.sendOnce(ctx, subject, attempt, l)
	}
	if err == nil || errors.Is(err, errUncertain) {
		if c.told == nil {
			c.told = map[string]bool{}
		}
		c.told[key] = true
	}
	return err
}
