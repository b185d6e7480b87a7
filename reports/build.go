package reports

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"reflect"

	"github.com/hummingbytes/reconciler/reports/storage"
)

// Tables are the rows of a night. A nil table has none.
type Tables struct {
	RollForward     Rows[RollForward]
	StripeActivity  Rows[StripeActivity]
	StripeCash      Rows[StripeCash]
	Payouts         Rows[Payout]
	Disputes        Rows[Dispute]
	Subscriptions   Rows[Subscription]
	Breaks          Rows[Break]
	CreditBacks     Rows[CreditBack]
	RefundWindows   Rows[RefundWindow]
	RefundDecisions Rows[RefundDecision]
	Notifications   Rows[Notification]
	Journal         Rows[JournalLine]
	ControlTotals   Rows[ControlTotal]
	Rejects         Rows[Reject]
}

// Writer is one more file of a night's folder, by its name: the journal, for one. What it writes must follow from the night alone.
type Writer struct {
	Name  string
	Write func(ctx context.Context, w io.Writer) error
}

// Input is everything that a night's files follow from.
type Input struct {
	Facts
	Tables
	// Writers are further files.
	Writers []Writer
	// Sources is what the night read of the platform.
	Sources []SourceTotal
	// Before are the figures of the up to 29 nights before, oldest first.
	Before []NightFigures
	// Previous is the newest night published before this one; nil: there is none.
	Previous *PreviousNight
}

// built is a night's folder, complete but for what names the revision.
type built struct {
	dir     string
	input   Input
	summary *Summary
	files   []FileEntry
}

// build writes every file that doesn't depend on the revision.
func build(ctx context.Context, dir string, in Input) (*built, error) {
	b := &built{dir: dir, input: in}
	f := newFigures(in.Facts)
	if err := b.tables(ctx, f); err != nil {
		return nil, err
	}
	for _, w := range in.Writers {
		if err := b.file(w.Name, func(out io.Writer) (int64, error) { return -1, w.Write(ctx, out) }); err != nil {
			return nil, err
		}
	}
	b.summary = f.summary(in.Before)
	return b, nil
}

// tables streams every table once, in the order of the workbook's sheets.
func (b *built) tables(ctx context.Context, f *figures) error {
	t := b.input.Tables
	return errors.Join(
		table(ctx, b, "roll_forward.csv", t.RollForward, f.addRollForward),
		table(ctx, b, "stripe_activity.csv", t.StripeActivity, f.addActivity),
		table(ctx, b, "stripe_cash.csv", t.StripeCash, f.addCash),
		table(ctx, b, "payouts.csv", t.Payouts, f.addPayout),
		table(ctx, b, "disputes.csv", t.Disputes, f.addDispute),
		table(ctx, b, "subscriptions.csv", t.Subscriptions, f.addSubscription),
		table(ctx, b, "breaks.csv", t.Breaks, f.addBreak),
		table(ctx, b, "credit_backs.csv", t.CreditBacks, f.addCreditBack),
		table(ctx, b, "refund_windows.csv", t.RefundWindows, f.addWindow),
		table(ctx, b, "refund_decisions.csv", t.RefundDecisions, f.addRequest),
		table(ctx, b, "notifications.csv", t.Notifications, f.addNotification),
		table(ctx, b, "control_totals.csv", t.ControlTotals, f.addControlTotal),
		table(ctx, b, "rejects.csv", t.Rejects, f.addReject),
	)
}

// table streams one table to its file and into the figures.
func table[T any](ctx context.Context, b *built, name string, rows Rows[T], add func(T)) error {
	return b.file(name, func(out io.Writer) (count int64, err error) {
		file, err := newCSVFile(out, columnsOf[T]())
		if err != nil {
			return 0, err
		}
		if rows != nil {
			var current T
			row := reflect.ValueOf(&current).Elem()
			err = rows(ctx, func(next T) error {
				current = next
				add(next)
				count++
				return file.write(row)
			})
		}
		return count, errors.Join(err, file.close())
	})
}

// file writes one file of the folder and notes its size and hash.
func (b *built) file(name string, write func(out io.Writer) (rows int64, err error)) error {
	if name != filepath.Base(name) {
		return fmt.Errorf("write %s: a report is a file name, not a path", name)
	}
	out, err := os.Create(filepath.Join(b.dir, name))
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	hashed := &hashedWriter{out: out, hash: sha256.New()}
	buffered := bufio.NewWriterSize(hashed, 1<<16)
	rows, err := write(buffered)
	if err := errors.Join(err, buffered.Flush(), out.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	entry := FileEntry{Name: name, Size: hashed.size, SHA256: hex.EncodeToString(hashed.hash.Sum(nil))}
	if rows >= 0 {
		entry.Rows = &rows
	}
	b.note(entry)
	return nil
}

// note replaces the entry of a file that was written again.
func (b *built) note(entry FileEntry) {
	for i := range b.files {
		if b.files[i].Name == entry.Name {
			b.files[i] = entry
			return
		}
	}
	b.files = append(b.files, entry)
}

// finish writes what names the revision: the page and summary.json, and the manifest that goes with them.
func (b *built) finish(revision int) (Manifest, error) {
	b.summary.Revision = revision
	b.summary.Trends[len(b.summary.Trends)-1].Revision = revision
	err := b.file("summary.json", func(out io.Writer) (int64, error) { return -1, writeJSON(out, b.summary) })
	if err == nil {
		err = b.file("summary.html", func(out io.Writer) (int64, error) { return -1, writePage(out, b.summary, b.files) })
	}
	if err != nil {
		return Manifest{}, err
	}
	return b.manifest(revision), nil
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

// writeJSON indents, keeps characters as they are, and ends with a line feed.
func writeJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

type hashedWriter struct {
	out  io.Writer
	hash hash.Hash
	size int64
}

func (w *hashedWriter) Write(p []byte) (int, error) {
	n, err := w.out.Write(p)
	w.hash.Write(p[:n])
	w.size += int64(n)
	return n, err
}
