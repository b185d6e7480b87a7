// Package month closes months: it puts a month together from its nights as they are stored and published, publishes it as a draft or closed,
// has it reviewed by a second person, and verifies what was published. What a month says of a balance comes from the nights' journals alone.
//
// It must never book anything, or change what a night has stored.
package month

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/publish"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/accounting"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports"
	"github.com/hummingbytes/reconciler/reports/month"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// Office is what months are put together and published with.
type Office struct {
	Store       *postgres.Store
	Reports     storage.Storage
	Zone        *time.Location
	Chart       accounting.Chart
	CodeVersion string
}

// ErrNoNights says that no night of the month has been reported.
var ErrNoNights = errors.New("no night of the month has been reported")

// Published is what a command has published.
type Published struct {
	Revision int
	State    string
	Location string
	// IsNew: a revision was made; else the newest was this already.
	IsNew bool
	Input *month.Input
}

// action is what was done to a period.
type action struct {
	No             int `db:"action_no"`
	Action         string
	Actor          string
	Reason         string
	At             time.Time
	ManifestSHA256 string
}

// record is a revision of a month that is on record.
type record struct {
	Revision       int
	State          string
	ActionNo       int
	ManifestSHA256 string
}

// status is where a month stands.
type status struct {
	history  []action
	closed   *action // nil: it is not closed
	reviewed *action // nil: nobody has
	actions  int
}

func (s status) state() string {
	switch {
	case s.reviewed != nil:
		return month.StateReviewed
	case s.closed != nil:
		return month.StateClosed
	default:
		return month.StateDraft
	}
}

func statusOf(ctx context.Context, q postgres.Querier, m reconcile.Month) (s status, err error) {
	if err := q.Select(ctx, &s.history, "periods/history", postgres.Args{"period": m.String()}); err != nil {
		return s, err
	}
	for i := range s.history {
		a := &s.history[i]
		s.actions = max(s.actions, a.No)
		switch a.Action {
		case "closed":
			s.closed, s.reviewed = a, nil
		case "reviewed":
			s.reviewed = a
		default:
			s.closed, s.reviewed = nil, nil
		}
	}
	return s, nil
}

// signOff is what sign_off.json says of it.
func (s status) signOff(ctx context.Context, q postgres.Querier, m reconcile.Month) (month.SignOff, error) {
	off := month.SignOff{Period: m.String(), State: s.state(), Accepted: []month.Acceptance{}, History: []month.Action{}}
	for _, a := range s.history {
		off.History = append(off.History, month.Action{Action: a.Action, By: a.Actor, At: a.At.UTC(), Reason: a.Reason})
	}
	if s.closed == nil {
		return off, nil
	}
	off.Closed = &month.Signature{By: s.closed.Actor, At: s.closed.At.UTC()}
	if s.reviewed != nil {
		off.Reviewed = &month.Signature{By: s.reviewed.Actor, At: s.reviewed.At.UTC(), ManifestSHA256: s.reviewed.ManifestSHA256}
	}
	err := q.Select(ctx, &off.Accepted, "periods/accepted", postgres.Args{"period": m.String(), "action_no": s.closed.No})
	for i := range off.Accepted {
		off.Accepted[i].At = off.Accepted[i].At.UTC()
	}
	return off, err
}

// Draft publishes the month as it stands: a draft where it is open; where it is closed, the signed revision if that is not published yet.
func (o *Office) Draft(ctx context.Context, m reconcile.Month, at time.Time) (published Published, err error) {
	s, err := statusOf(ctx, o.Store, m)
	if err != nil {
		return Published{}, err
	}
	onRecord, err := newest(ctx, o.Store, m)
	if err != nil {
		return Published{}, err
	}
	latest, err := o.Reports.Latest(ctx, m)
	if err != nil {
		return Published{}, err
	}
	if s.closed != nil && onRecord.State == s.state() && onRecord.ActionNo == s.actions && latest.Number >= onRecord.Revision {
		return Published{Revision: latest.Number, State: s.state(), Location: o.Reports.Location(m, latest.Number, latest.Number)}, nil
	}
	return o.publish(ctx, m, at)
}

// publish builds the month from what is stored, and publishes it where it differs from what is published. A closed month must come out as it was
// when it was closed; an ErrIntegrity says where it doesn't.
func (o *Office) publish(ctx context.Context, m reconcile.Month, at time.Time) (Published, error) {
	var prepared *month.Prepared
	var in *month.Input
	var s status
	var onRecord record
	err := o.Store.InTx(ctx, postgres.TxOptions{ReadOnly: true}, func(ctx context.Context, tx *postgres.Tx) (err error) {
		if s, err = statusOf(ctx, tx, m); err != nil {
			return err
		}
		if in, err = o.gather(ctx, tx, m, s, at); err != nil {
			return err
		}
		if onRecord, err = newest(ctx, tx, m); err != nil {
			return err
		}
		prepared, err = month.Prepare(ctx, o.Reports, in)
		return err
	})
	if err != nil {
		return Published{}, discardAnd(prepared, storage.Classed(err))
	}
	fault := refuse(m, s, onRecord, prepared)
	if fault != nil {
		return Published{}, discardAnd(prepared, fault)
	}
	done := Published{Revision: prepared.Revision(), State: s.state(), IsNew: !prepared.Same(), Input: in}
	if err := prepared.Publish(ctx); err != nil {
		return Published{}, storage.Classed(err)
	}
	done.Location = o.Reports.Location(m, done.Revision, done.Revision)
	err = o.Store.InTx(ctx, postgres.TxOptions{}, func(ctx context.Context, tx *postgres.Tx) error {
		if err := catchUp(ctx, tx, m, prepared.Latest, onRecord, at); err != nil {
			return err
		}
		return recordPublication(ctx, tx, m, done.Revision, s.state(), s.actions, prepared.ManifestSHA256, at)
	})
	if err != nil {
		return done, err
	}
	return done, publish.Index(ctx, o.Store, o.Reports)
}

func discardAnd(p *month.Prepared, err error) error {
	if p == nil {
		return err
	}
	return errors.Join(err, p.Discard())
}

func newest(ctx context.Context, q postgres.Querier, m reconcile.Month) (record, error) {
	var all []record
	err := q.Select(ctx, &all, "periods/publication", postgres.Args{"period": m.String()})
	if err != nil || len(all) == 0 {
		return record{}, err
	}
	return all[0], nil
}

func recordPublication(ctx context.Context, tx *postgres.Tx, m reconcile.Month, revision int, state string, actionNo int, manifest string, at time.Time) error {
	_, err := tx.Exec(ctx, "periods/record_publication", postgres.Args{"period": m.String(), "revision": revision, "state": state, "action_no": actionNo,
		"manifest_sha256": manifest, "at": at})
	return err
}

// catchUp puts a draft on record whose command was cut off between its publication and that.
func catchUp(ctx context.Context, tx *postgres.Tx, m reconcile.Month, latest storage.Revision, onRecord record, at time.Time) error {
	var manifest month.Manifest
	if latest.Number != onRecord.Revision+1 || json.Unmarshal(latest.Manifest, &manifest) != nil || manifest.State != month.StateDraft {
		return nil
	}
	return recordPublication(ctx, tx, m, latest.Number, manifest.State, 0, reports.ManifestHash(latest.Manifest), at)
}

// refuse says why the prepared files must not be published: what is there was changed, or a signed month would come out otherwise.
func refuse(m reconcile.Month, s status, onRecord record, p *month.Prepared) error {
	if latest := p.Latest; latest.Number > 0 && latest.Number == onRecord.Revision && reports.ManifestHash(latest.Manifest) != onRecord.ManifestSHA256 {
		return fmt.Errorf("%w: month %s: the manifest of revision %d was changed after publication; nothing was published: put back what was published", night.ErrIntegrity, m, latest.Number)
	}
	if s.closed == nil || onRecord.ActionNo != s.actions || onRecord.State != s.state() {
		return nil
	}
	// On record is what was signed: the same bytes, published already or not.
	if p.Revision() != onRecord.Revision || p.ManifestSHA256 != onRecord.ManifestSHA256 {
		return fmt.Errorf("%w: month %s is closed and would come out otherwise than it was signed (%v); nothing was published; reconciler verify --period %s says more",
			night.ErrIntegrity, m, p.Differs, m)
	}
	return nil
}

// published reads what a revision of a month said of balances and items; one that isn't there says nothing.
func (o *Office) published(ctx context.Context, m reconcile.Month, revision int) (month.Published, error) {
	p := month.Published{Revision: revision}
	file, err := o.Reports.Open(ctx, m, revision, storage.ManifestName)
	if errors.Is(err, storage.ErrNotPublished) {
		return month.Published{}, nil
	}
	if err != nil {
		return p, err
	}
	var manifest month.Manifest
	err = json.NewDecoder(file).Decode(&manifest)
	if err = errors.Join(err, file.Close()); err != nil {
		return p, fmt.Errorf("month %s revision %d: %s: %w", m, revision, storage.ManifestName, err)
	}
	p.State = manifest.State
	err = o.eachRow(ctx, m, revision, month.TrialBalanceName, func(row map[string]string) error {
		p.Trial = append(p.Trial, month.TrialBalance{Account: row["ledger_account"], Currency: row["currency"], Opening: numbers.Number(row["opening"]),
			Debits: numbers.Number(row["debits"]), Credits: numbers.Number(row["credits"]), Closing: numbers.Number(row["closing"])})
		return nil
	})
	if err != nil {
		return p, err
	}
	return p, o.eachRow(ctx, m, revision, month.OpenItemsName, func(row map[string]string) error {
		opened, err := reconcile.ParseDate(row["opened_on"])
		if err != nil {
			return err
		}
		p.Items = append(p.Items, month.OpenItem{Account: row["ledger_account"], Currency: row["currency"], ItemType: row["item_type"], ItemID: tables.RestoreText(row["item_id"]),
			AccountID: tables.RestoreText(row["account_id"]), OpenedOn: opened, AgeDays: int64(m.Last().DaysSince(opened)), Amount: numbers.Number(row["amount"]), BreakID: row["break_id"],
			Explanation: tables.RestoreText(row["explanation"])})
		return nil
	})
}

// eachRow hands the rows of a published CSV file to fn, by column.
func (o *Office) eachRow(ctx context.Context, m reconcile.Month, revision int, name string, fn func(map[string]string) error) (err error) {
	file, err := o.Reports.Open(ctx, m, revision, name)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, file.Close())
		if err != nil {
			err = fmt.Errorf("month %s revision %d: %s: %w", m, revision, name, err)
		}
	}()
	rows := csv.NewReader(file)
	header, err := rows.Read()
	if err != nil {
		return err
	}
	for {
		cells, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		row := map[string]string{}
		for i, cell := range cells {
			row[header[i]] = cell
		}
		if err := fn(row); err != nil {
			return err
		}
	}
}
