package reports

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"

	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/pages"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/reports/tables"
	"github.com/hummingbytes/reconciler/reports/workbook"
)

// Tables are the rows of a night. A nil table has none.
type Tables struct {
	RollForward     tables.Rows[tables.RollForward]
	StripeActivity  tables.Rows[tables.StripeActivity]
	StripeCash      tables.Rows[tables.StripeCash]
	Payouts         tables.Rows[tables.Payout]
	PayoutItems     tables.Rows[tables.PayoutItem]
	Bridge          tables.Rows[tables.BridgeItem]
	Disputes        tables.Rows[tables.Dispute]
	Subscriptions   tables.Rows[tables.Subscription]
	Breaks          tables.Rows[tables.Break]
	CreditBacks     tables.Rows[tables.CreditBack]
	RefundWindows   tables.Rows[tables.RefundWindow]
	RefundDecisions tables.Rows[tables.RefundDecision]
	Notifications   tables.Rows[tables.Notification]
	Journal         tables.Rows[tables.JournalLine]
	ControlTotals   tables.Rows[tables.ControlTotal]
	Rejects         tables.Rows[tables.Reject]
}

// Writer is one more file of a night's folder, by its name: the journal, for one. What it writes must follow from the night alone.
type Writer struct {
	Name  string
	Write func(ctx context.Context, w io.Writer) error
}

// Input is everything that a night's files follow from.
type Input struct {
	figures.Facts
	Tables
	// Writers are further files.
	Writers []Writer
	// Sources is what the night read of the platform.
	Sources []SourceTotal
	// Awaited are the objects that await their counterpart longest, check by check.
	Awaited []tables.Awaited
	// BridgeEnds are what was sold and what was charged in the night, by currency.
	BridgeEnds []figures.BridgeEnds
	// Before are the figures of the up to 29 nights before, oldest first.
	Before []figures.NightFigures
	// Previous is the newest night published before this one; nil: there is none.
	Previous *PreviousNight
}

// built is a night's folder, complete but for what names the revision.
type built struct {
	Files
	input   Input
	summary *figures.Summary
	// finished is the manifest of the revision that was finished last.
	finished Manifest
}

// build writes every file that doesn't depend on the revision.
func build(ctx context.Context, dir string, in Input) (_ *built, err error) {
	b := &built{Files: Files{dir: dir}, input: in}
	f := figures.New(in.Facts)
	f.BridgeEnds = in.BridgeEnds
	file, err := b.create(workbook.FileName)
	if err != nil {
		return nil, err
	}
	if b.workbook, err = workbook.New(file); err == nil {
		err = b.tables(ctx, f)
	}
	if err == nil {
		b.summary = f.Summary(in.Before)
		b.summary.Awaiting = figures.Awaiting(in.Awaited, in.AsOf)
		err = b.workbook.Close(b.summary)
	}
	if err := file.close(-1, err); err != nil {
		return nil, err
	}
	for _, w := range in.Writers {
		if err := b.file(w.Name, func(out io.Writer) error { return w.Write(ctx, out) }); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// tables streams every table once, in the order of the workbook's sheets.
func (b *built) tables(ctx context.Context, f *figures.Collector) error {
	t := b.input.Tables
	perUnit := workbook.Options{PerUnit: true}
	steps := []func() error{
		func() error {
			return table(ctx, &b.Files, "roll_forward.csv", "RollForward", workbook.Options{Formulas: map[string]string{
				"closing": "ROUND(SUM(B%d:I%d),3)", "difference": "ROUND(J%d-K%d,3)"}}, t.RollForward, f.AddRollForward)
		},
		func() error {
			return table(ctx, &b.Files, "stripe_activity.csv", "StripeActivity", perUnit, t.StripeActivity, f.AddActivity)
		},
		func() error { return table(ctx, &b.Files, "stripe_cash.csv", "", perUnit, t.StripeCash, f.AddCash) },
		func() error { return table(ctx, &b.Files, "payouts.csv", "Payouts", perUnit, t.Payouts, f.AddPayout) },
		func() error {
			return table(ctx, &b.Files, "payout_items.csv", "", perUnit, t.PayoutItems, f.AddPayoutItem)
		},
		func() error { return table(ctx, &b.Files, "bridge.csv", "", perUnit, t.Bridge, f.AddBridgeItem) },
		func() error { return table(ctx, &b.Files, "disputes.csv", "", perUnit, t.Disputes, f.AddDispute) },
		func() error {
			return table(ctx, &b.Files, "subscriptions.csv", "", perUnit, t.Subscriptions, f.AddSubscription)
		},
		func() error {
			return table(ctx, &b.Files, "breaks.csv", "Breaks", workbook.Options{PerUnit: true, Amounts: []string{"ours", "theirs"}, IsAmount: func(row reflect.Value) bool {
				return figures.SidesAreAmounts(row.Addr().Interface().(*tables.Break))
			}}, t.Breaks, f.AddBreak)
		},
		func() error {
			return table(ctx, &b.Files, "credit_backs.csv", "CreditBacks", perUnit, t.CreditBacks, f.AddCreditBack)
		},
		func() error {
			return table(ctx, &b.Files, "refund_windows.csv", "RefundWindows", perUnit, t.RefundWindows, f.AddWindow)
		},
		func() error {
			return table(ctx, &b.Files, "refund_decisions.csv", "RefundDecisions", perUnit, t.RefundDecisions, f.AddRequest)
		},
		func() error {
			return table(ctx, &b.Files, "notifications.csv", "", perUnit, t.Notifications, f.AddNotification)
		},
		func() error {
			return table(ctx, &b.Files, "journal.csv", "Journal", perUnit, t.Journal, func(tables.JournalLine) {})
		},
		func() error {
			return table(ctx, &b.Files, "control_totals.csv", "Controls", workbook.Options{Formulas: map[string]string{
				"difference": "ROUND(C%d-D%d-E%d-F%d,3)"}}, t.ControlTotals, f.AddControlTotal)
		},
		func() error { return table(ctx, &b.Files, "rejects.csv", "", perUnit, t.Rejects, f.AddReject) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// finish writes what names the revision: the page and summary.json, and the manifest that goes with them.
func (b *built) finish(revision int) (Manifest, error) {
	if b.finished.Revision == revision {
		return b.finished, nil
	}
	b.summary.Revision = revision
	b.summary.Trends[len(b.summary.Trends)-1].Revision = revision
	err := b.file("summary.json", func(out io.Writer) error { return writeJSON(out, b.summary) })
	if err == nil {
		err = b.file("summary.html", func(out io.Writer) error { return pages.WriteNight(out, b.summary, b.files) })
	}
	if err != nil {
		return Manifest{}, err
	}
	b.finished = b.manifest(revision)
	return b.finished, nil
}

// complete writes what finish does, and the manifest's file.
func (b *built) complete(revision int) (Manifest, []byte, error) {
	manifest, err := b.finish(revision)
	if err != nil {
		return Manifest{}, nil, err
	}
	raw, err := manifest.encode()
	if err == nil {
		err = os.WriteFile(filepath.Join(b.dir, storage.ManifestName), raw, 0o666)
	}
	if err != nil {
		return Manifest{}, nil, fmt.Errorf("write %s: %w", storage.ManifestName, err)
	}
	return manifest, raw, nil
}
