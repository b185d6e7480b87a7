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
	// Awaited are the objects that await their counterpart longest, check by check.
	Awaited []Awaited
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
	// finished is the manifest of the revision that was finished last.
	finished Manifest

	workbook *workbook
}

// build writes every file that doesn't depend on the revision.
func build(ctx context.Context, dir string, in Input) (_ *built, err error) {
	b := &built{dir: dir, input: in}
	f := newFigures(in.Facts)
	file, err := b.create(WorkbookName)
	if err != nil {
		return nil, err
	}
	if b.workbook, err = newWorkbook(file); err == nil {
		err = b.tables(ctx, f)
	}
	if err == nil {
		b.summary = f.summary(in.Before)
		b.summary.Awaiting = awaitingFigures(in.Awaited, in.AsOf)
		err = b.workbook.close(b.summary)
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
func (b *built) tables(ctx context.Context, f *figures) error {
	t := b.input.Tables
	perUnit := sheetOptions{perUnit: true}
	steps := []func() error{
		func() error {
			return table(ctx, b, "roll_forward.csv", "RollForward", sheetOptions{formulas: map[string]string{
				"closing": "ROUND(SUM(B%d:I%d),3)", "difference": "ROUND(J%d-K%d,3)"}}, t.RollForward, f.addRollForward)
		},
		func() error {
			return table(ctx, b, "stripe_activity.csv", "StripeActivity", perUnit, t.StripeActivity, f.addActivity)
		},
		func() error { return table(ctx, b, "stripe_cash.csv", "", perUnit, t.StripeCash, f.addCash) },
		func() error { return table(ctx, b, "payouts.csv", "Payouts", perUnit, t.Payouts, f.addPayout) },
		func() error { return table(ctx, b, "disputes.csv", "", perUnit, t.Disputes, f.addDispute) },
		func() error {
			return table(ctx, b, "subscriptions.csv", "", perUnit, t.Subscriptions, f.addSubscription)
		},
		func() error {
			return table(ctx, b, "breaks.csv", "Breaks", sheetOptions{perUnit: true, amounts: []string{"ours", "theirs"}, isAmount: func(row reflect.Value) bool {
				return sidesAreAmounts(row.Addr().Interface().(*Break))
			}}, t.Breaks, f.addBreak)
		},
		func() error {
			return table(ctx, b, "credit_backs.csv", "CreditBacks", perUnit, t.CreditBacks, f.addCreditBack)
		},
		func() error {
			return table(ctx, b, "refund_windows.csv", "RefundWindows", perUnit, t.RefundWindows, f.addWindow)
		},
		func() error {
			return table(ctx, b, "refund_decisions.csv", "RefundDecisions", perUnit, t.RefundDecisions, f.addRequest)
		},
		func() error {
			return table(ctx, b, "notifications.csv", "", perUnit, t.Notifications, f.addNotification)
		},
		func() error { return table(ctx, b, "journal.csv", "Journal", perUnit, t.Journal, func(JournalLine) {}) },
		func() error {
			return table(ctx, b, "control_totals.csv", "Controls", sheetOptions{formulas: map[string]string{
				"difference": "ROUND(C%d-D%d-E%d-F%d,3)"}}, t.ControlTotals, f.addControlTotal)
		},
		func() error { return table(ctx, b, "rejects.csv", "", perUnit, t.Rejects, f.addReject) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// table streams one table to its file, to its sheet, and into the figures. Either name may be empty.
func table[T any](ctx context.Context, b *built, fileName, sheetName string, o sheetOptions, rows Rows[T], add func(T)) (err error) {
	cs := columnsOf[T]()
	var writers []func(reflect.Value) error
	var count int64
	if fileName != "" {
		file, err := b.create(fileName)
		if err != nil {
			return err
		}
		lines, err := newCSVFile(file, cs)
		if err != nil {
			return file.close(0, err)
		}
		writers = append(writers, lines.write)
		defer func() { err = file.close(count, errors.Join(err, lines.close())) }()
	}
	if sheetName != "" {
		s, err := b.workbook.openSheet(sheetName, cs, o)
		if err != nil {
			return fmt.Errorf("sheet %s: %w", sheetName, err)
		}
		writers = append(writers, s.write)
		defer func() { err = errors.Join(err, s.close()) }()
	}
	if rows == nil {
		return nil
	}
	spread := newSpread[T](ctx, writers)
	return spread.finish(rows(ctx, func(next T) error {
		count++
		add(next)
		return spread.write(next)
	}))
}

// reportFile is a file of the folder being written.
type reportFile struct {
	*bufio.Writer
	built  *built
	name   string
	file   *os.File
	hashed *hashedWriter
}

func (b *built) create(name string) (*reportFile, error) {
	if name != filepath.Base(name) || name == storage.ManifestName {
		return nil, fmt.Errorf("write %s: a report is a file of the night's folder", name)
	}
	file, err := os.Create(filepath.Join(b.dir, name))
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	hashed := &hashedWriter{out: file, hash: sha256.New()}
	return &reportFile{Writer: bufio.NewWriterSize(hashed, 1<<16), built: b, name: name, file: file, hashed: hashed}, nil
}

// close ends the file and notes its size and hash. writeErr is what went wrong before; rows below 0: it has none.
func (f *reportFile) close(rows int64, writeErr error) error {
	if err := errors.Join(writeErr, f.Flush(), f.file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", f.name, err)
	}
	entry := FileEntry{Name: f.name, Size: f.hashed.size, SHA256: hex.EncodeToString(f.hashed.hash.Sum(nil))}
	if rows >= 0 {
		entry.Rows = &rows
	}
	f.built.note(entry)
	return nil
}

// file writes a whole file.
func (b *built) file(name string, write func(out io.Writer) error) error {
	file, err := b.create(name)
	if err != nil {
		return err
	}
	return file.close(-1, write(file))
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
	if b.finished.Revision == revision {
		return b.finished, nil
	}
	b.summary.Revision = revision
	b.summary.Trends[len(b.summary.Trends)-1].Revision = revision
	err := b.file("summary.json", func(out io.Writer) error { return writeJSON(out, b.summary) })
	if err == nil {
		err = b.file("summary.html", func(out io.Writer) error { return writePage(out, b.summary, b.files) })
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
