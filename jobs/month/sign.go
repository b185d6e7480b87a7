package month

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/publish"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports"
	"github.com/hummingbytes/reconciler/reports/month"
	"github.com/hummingbytes/reconciler/reports/storage"
)

// ErrPeriod says that a month can't be closed, reviewed or reopened as asked, by whom, or for that reason.
var ErrPeriod = errors.New("period")

// All accepts every open error for one reason.
const All = "all"

// Acceptance lets open errors stay for a reason: one break, all of a kind, or All.
type Acceptance struct{ What, Reason string }

// ParseAcceptance reads WHAT=REASON.
func ParseAcceptance(text string) (Acceptance, error) {
	what, reason, ok := strings.Cut(text, "=")
	what, reason = strings.TrimSpace(what), strings.TrimSpace(reason)
	if !ok || what == "" {
		return Acceptance{}, fmt.Errorf("%q: want BREAK_ID=REASON, KIND=REASON or %s=REASON", text, All)
	}
	if fault := night.ReasonFault(reason); fault != "" {
		return Acceptance{}, fmt.Errorf("%s: the reason %s", what, fault)
	}
	return Acceptance{what, reason}, nil
}

// of says how closely an acceptance names a break; 0: it doesn't.
func (a Acceptance) of(b month.Break) int {
	switch a.What {
	case b.BreakID:
		return 3
	case string(b.Kind):
		return 2
	case All:
		return 1
	default:
		return 0
	}
}

// acceptedBy is the reason for which a break may stay: of several, that of the one which names it most closely.
func acceptedBy(accepted []Acceptance, b month.Break) (reason string, ok bool) {
	closest := 0
	for _, a := range accepted {
		if n := a.of(b); n > closest {
			closest, reason = n, a.Reason
		}
	}
	return reason, closest > 0
}

// Close closes a month for a person and publishes it: from now on its nights' reports can't change, and rows that arrive for it are late items
// of the open month. It refuses with an ErrIntegrity while a night is missing or does not tie, a figure differs from its second count, a night's
// manifest was changed, or an error is open that nobody has accepted. A month that was closed and not published for a crash is published.
func (o *Office) Close(ctx context.Context, m reconcile.Month, by string, accepted []Acceptance, at time.Time) (Published, error) {
	by, err := person(m, by)
	if err != nil {
		return Published{}, err
	}
	s, err := statusOf(ctx, o.Store, m)
	if err != nil {
		return Published{}, err
	}
	if s.closed != nil {
		return o.complete(ctx, m, at)
	}
	return o.sign(ctx, m, at, func(ctx context.Context, tx *postgres.Tx, s status) error {
		if s.closed != nil {
			return fmt.Errorf("%w %s is closed already", ErrPeriod, m)
		}
		if err := recordPeriod(ctx, tx, m, "closed", by, "", s, at); err != nil {
			return err
		}
		return o.accept(ctx, tx, m, by, accepted, s.actions+1, at)
	}, "close", by)
}

// complete publishes what was signed and not published.
func (o *Office) complete(ctx context.Context, m reconcile.Month, at time.Time) (Published, error) {
	onRecord, err := newest(ctx, o.Store, m)
	if err != nil {
		return Published{}, err
	}
	latest, err := o.Reports.Latest(ctx, m)
	if err != nil {
		return Published{}, err
	}
	if latest.Number >= onRecord.Revision && onRecord.Revision > 0 {
		return Published{}, fmt.Errorf("%w %s is closed already", ErrPeriod, m)
	}
	return o.publish(ctx, m, at)
}

// accept notes which open errors may stay, and fails where one may not, or where an acceptance is of none.
func (o *Office) accept(ctx context.Context, tx *postgres.Tx, m reconcile.Month, by string, accepted []Acceptance, actionNo int, at time.Time) error {
	in := &month.Input{Month: m}
	if err := o.nights(ctx, tx, in); err != nil {
		return err
	}
	g := &gathering{office: o, q: tx, in: in}
	if err := g.breaks(ctx, at); err != nil {
		return err
	}
	open := in.OpenErrors()
	var refused []month.Break
	for _, b := range open {
		reason, ok := acceptedBy(accepted, b)
		if !ok {
			refused = append(refused, b)
			continue
		}
		_, err := tx.Exec(ctx, "periods/accept", postgres.Args{"account_id": b.AccountID, "period": m.String(), "action_no": actionNo, "break_id": b.BreakID,
			"accepted_by": by, "reason": reason, "at": at})
		if err != nil {
			return err
		}
	}
	for _, a := range accepted {
		if a.What != All && !slices.ContainsFunc(open, func(b month.Break) bool { return a.of(b) > 0 }) {
			return fmt.Errorf("%w %s: --accept %s: no error of that id or kind is open at its end", ErrPeriod, m, a.What)
		}
	}
	if len(refused) > 0 {
		return &OpenErrors{Month: m, Open: refused}
	}
	return nil
}

// OpenErrors are the errors that are open at the end of a month and that nobody has accepted: it is an ErrIntegrity.
type OpenErrors struct {
	Month reconcile.Month
	Open  []month.Break
}

func (e *OpenErrors) Error() string {
	return fmt.Sprintf("%v: month %s can't be closed: open errors that nobody has accepted: %d; resolve them, or let them stay: --accept BREAK_ID=REASON, --accept KIND=REASON for all of a kind",
		night.ErrIntegrity, e.Month, len(e.Open))
}

// Unwrap makes it an ErrIntegrity.
func (e *OpenErrors) Unwrap() error { return night.ErrIntegrity }

// Review signs a closed month for a second person, and publishes it so. What is published must be what was closed: the files, and the figures
// worked out again. Who closed the month can't review it, which the database sees to as well.
func (o *Office) Review(ctx context.Context, m reconcile.Month, by string, at time.Time) (Published, error) {
	by, err := person(m, by)
	if err != nil {
		return Published{}, err
	}
	s, err := statusOf(ctx, o.Store, m)
	switch {
	case err != nil:
		return Published{}, err
	case s.closed == nil:
		return Published{}, fmt.Errorf("%w %s is not closed; there is nothing to review", ErrPeriod, m)
	case s.reviewed != nil:
		if onRecord, err := newest(ctx, o.Store, m); err == nil {
			if latest, err := o.Reports.Latest(ctx, m); err == nil && latest.Number < onRecord.Revision {
				return o.publish(ctx, m, at)
			}
		}
		return Published{}, fmt.Errorf("%w %s was reviewed by %s already", ErrPeriod, m, s.reviewed.Actor)
	case night.SamePerson(by, s.closed.Actor):
		return Published{}, fmt.Errorf("%w %s was closed by %s; somebody else has to review it", ErrPeriod, m, s.closed.Actor)
	}
	faults, err := o.Verify(ctx, m)
	if err != nil {
		return Published{}, err
	}
	if len(faults) > 0 {
		return Published{}, fmt.Errorf("%w: month %s is not as it was closed: %s: %s (faults: %d); reconciler verify --period %s lists them", night.ErrIntegrity, m, faults[0].Where, faults[0].What, len(faults), m)
	}
	return o.sign(ctx, m, at, func(ctx context.Context, tx *postgres.Tx, s status) error {
		onRecord, err := newest(ctx, tx, m)
		if err != nil {
			return err
		}
		if s.closed == nil {
			return fmt.Errorf("%w %s is not closed", ErrPeriod, m)
		}
		done, err := tx.Exec(ctx, "periods/review", postgres.Args{"period": m.String(), "action_no": s.closed.No, "reviewed_by": by, "manifest_sha256": onRecord.ManifestSHA256, "at": at})
		if postgres.CheckViolation(err, "closer_is_not_reviewer") {
			return fmt.Errorf("%w %s was closed by %s; somebody else has to review it", ErrPeriod, m, s.closed.Actor)
		}
		if err == nil && done != 1 {
			err = fmt.Errorf("%w %s is not closed", ErrPeriod, m)
		}
		return err
	}, "review", by)
}

// sign notes a signature, builds the month with it and notes what is to be published, all in one transaction; then it publishes. What is on
// record and not published yet is published by the next command.
func (o *Office) sign(ctx context.Context, m reconcile.Month, at time.Time, note func(context.Context, *postgres.Tx, status) error, command, by string) (done Published, err error) {
	var prepared *month.Prepared
	err = o.Store.InTx(ctx, postgres.TxOptions{}, func(ctx context.Context, tx *postgres.Tx) (err error) {
		if prepared != nil { // of an attempt that is done over
			if err := prepared.Discard(); err != nil {
				return err
			}
			prepared = nil
		}
		s, err := statusOf(ctx, tx, m)
		if err != nil {
			return err
		}
		if err := note(ctx, tx, s); err != nil {
			return err
		}
		if s, err = statusOf(ctx, tx, m); err != nil {
			return err
		}
		in, err := o.gather(ctx, tx, m, s, at)
		if err != nil {
			return err
		}
		faults, err := o.unsignable(ctx, in)
		if err != nil {
			return err
		}
		if len(faults) > 0 {
			return fmt.Errorf("%w: month %s can't be signed: %s%s", night.ErrIntegrity, m, strings.Join(faults, "; "), hint(in))
		}
		onRecord, err := newest(ctx, tx, m)
		if err != nil {
			return err
		}
		if prepared, err = month.Prepare(ctx, o.Reports, in); err != nil {
			return storage.Classed(err)
		}
		if err := refuse(m, s, onRecord, prepared); err != nil {
			return err
		}
		if err := catchUp(ctx, tx, m, prepared.Latest, onRecord, at); err != nil {
			return err
		}
		done = Published{Revision: prepared.Revision(), State: s.state(), IsNew: true, Input: in, Location: o.Reports.Location(m, prepared.Revision(), prepared.Revision())}
		if err := recordPublication(ctx, tx, m, done.Revision, s.state(), s.closed.No, prepared.ManifestSHA256, at); err != nil {
			return err
		}
		a, err := night.OpenAudit(ctx, tx, by, command+" "+m.String(), at)
		if err != nil {
			return err
		}
		return errors.Join(a.AddPeriodActions(ctx), a.AddMonthSignatures(ctx), a.Seal(ctx))
	})
	if err != nil {
		return Published{}, discardAnd(prepared, err)
	}
	if err := prepared.Publish(ctx); err != nil {
		return done, fmt.Errorf("month %s is signed, and its files are not published yet; run the command again: %w", m, storage.Classed(err))
	}
	return done, publish.Index(ctx, o.Store, o.Reports)
}

// unsignable are the reasons not to sign a month: its own, and manifests of nights that are not what was published.
func (o *Office) unsignable(ctx context.Context, in *month.Input) ([]string, error) {
	faults := in.Faults()
	for _, night := range in.Nights {
		raw, err := o.read(ctx, night.BusinessDate, night.Revision, storage.ManifestName)
		switch {
		case errors.Is(err, storage.ErrNotPublished):
			faults = append(faults, fmt.Sprintf("the reports of the night of %s are gone from the report storage", night.BusinessDate))
		case err != nil:
			return nil, err
		case reports.ManifestHash(raw) != night.ManifestSHA256:
			faults = append(faults, fmt.Sprintf("the manifest of the night of %s was changed after publication", night.BusinessDate))
		}
	}
	return faults, nil
}

func hint(in *month.Input) string {
	if len(in.Missing) == 0 {
		return ""
	}
	return fmt.Sprintf("; run them first: reconciler backfill --from %s --to %s", in.Missing[0], in.Missing[len(in.Missing)-1])
}

// Reopen undoes Close, for a reason that stays on record. The signed revision stays, and a draft is published as the next one at once, so that nobody
// finds a page that calls the month closed.
func (o *Office) Reopen(ctx context.Context, m reconcile.Month, by, reason string, at time.Time) error {
	by, err := person(m, by)
	if err != nil {
		return err
	}
	if fault := night.ReasonFault(reason); fault != "" {
		return fmt.Errorf("%w %s: the reason %s", ErrPeriod, m, fault)
	}
	err = o.Store.InTx(ctx, postgres.TxOptions{}, func(ctx context.Context, tx *postgres.Tx) error {
		s, err := statusOf(ctx, tx, m)
		if err != nil {
			return err
		}
		if s.closed == nil {
			return fmt.Errorf("%w %s is not closed", ErrPeriod, m)
		}
		if err := recordPeriod(ctx, tx, m, "reopened", by, reason, s, at); err != nil {
			return err
		}
		a, err := night.OpenAudit(ctx, tx, by, "reopen "+m.String(), at)
		if err != nil {
			return err
		}
		return errors.Join(a.AddPeriodActions(ctx), a.Seal(ctx))
	})
	if err != nil {
		return err
	}
	_, err = o.Draft(ctx, m, at)
	return err
}

// recordPeriod notes an action. Two at once run into the key: one of them wins.
func recordPeriod(ctx context.Context, tx *postgres.Tx, m reconcile.Month, action, by, reason string, s status, at time.Time) error {
	_, err := tx.Exec(ctx, "periods/record", postgres.Args{"period": m.String(), "action_no": s.actions + 1, "action": action, "actor": by, "reason": reason, "at": at})
	return err
}

func person(m reconcile.Month, name string) (string, error) {
	clean, fault := night.Person(name)
	if fault != "" {
		return "", fmt.Errorf("%w %s: --by %s", ErrPeriod, m, fault)
	}
	return clean, nil
}
