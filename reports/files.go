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
	"time"

	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/reports/tables"
	"github.com/hummingbytes/reconciler/reports/workbook"
)

// Files are the files of one folder of reports as they are written, each with its size and hash, and the workbook among them.
type Files struct {
	dir      string
	files    []tables.FileEntry
	workbook *workbook.Book
}

// NewFiles are the files of a staged folder.
func NewFiles(dir string) *Files { return &Files{dir: dir} }

// Dir is the folder.
func (b *Files) Dir() string { return b.dir }

// Entries are the files that are written so far, in the order in which they were begun to be noted.
func (b *Files) Entries() []tables.FileEntry { return b.files }

// Write writes a whole file; one that is written again replaces what it was.
func (b *Files) Write(name string, write func(out io.Writer) error) error { return b.file(name, write) }

// WriteJSON writes a file of indented JSON.
func (b *Files) WriteJSON(name string, value any) error {
	return b.file(name, func(out io.Writer) error { return writeJSON(out, value) })
}

// Workbook writes a workbook: its tables through tables, which calls WriteTable for each in the order of the sheets, then its first sheet,
// Summary. title and at are its properties.
func (b *Files) Workbook(name, title string, at time.Time, tables func() error, front func(*workbook.Front)) error {
	file, err := b.create(name)
	if err != nil {
		return err
	}
	if b.workbook, err = workbook.New(file); err == nil {
		err = tables()
	}
	if err == nil {
		err = b.workbook.CloseWith(title, at, front)
	}
	b.workbook = nil
	return file.close(-1, err)
}

// WriteTable streams rows to a CSV file and to a sheet of the workbook that is being written, and hands each to add. Either name may be empty.
func WriteTable[T any](ctx context.Context, b *Files, fileName, sheetName string, rows tables.Rows[T], add func(T)) error {
	return table(ctx, b, fileName, sheetName, workbook.Options{PerUnit: true}, rows, add)
}

// table streams one table to its file, to its sheet, and into the figures. Either name may be empty.
func table[T any](ctx context.Context, b *Files, fileName, sheetName string, o workbook.Options, rows tables.Rows[T], add func(T)) (err error) {
	cs := tables.ColumnsOf[T]()
	var writers []func(reflect.Value) error
	var count int64
	if fileName != "" {
		file, err := b.create(fileName)
		if err != nil {
			return err
		}
		lines, err := tables.NewCSVFile(file, cs)
		if err != nil {
			return file.close(0, err)
		}
		writers = append(writers, lines.Write)
		defer func() { err = file.close(count, errors.Join(err, lines.Close())) }()
	}
	if sheetName != "" {
		s, err := b.workbook.OpenSheet(sheetName, cs, o)
		if err != nil {
			return fmt.Errorf("sheet %s: %w", sheetName, err)
		}
		writers = append(writers, s.Write)
		defer func() { err = errors.Join(err, s.Close()) }()
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
	folder *Files
	name   string
	file   *os.File
	hashed *hashedWriter
}

func (b *Files) create(name string) (*reportFile, error) {
	if name != filepath.Base(name) || name == storage.ManifestName {
		return nil, fmt.Errorf("write %s: a report is a file of its folder", name)
	}
	file, err := os.Create(filepath.Join(b.dir, name))
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	hashed := &hashedWriter{out: file, hash: sha256.New()}
	return &reportFile{Writer: bufio.NewWriterSize(hashed, 1<<16), folder: b, name: name, file: file, hashed: hashed}, nil
}

// close ends the file and notes its size and hash. writeErr is what went wrong before; rows below 0: it has none.
func (f *reportFile) close(rows int64, writeErr error) error {
	if err := errors.Join(writeErr, f.Flush(), f.file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", f.name, err)
	}
	entry := tables.FileEntry{Name: f.name, Size: f.hashed.size, SHA256: hex.EncodeToString(f.hashed.hash.Sum(nil))}
	if rows >= 0 {
		entry.Rows = &rows
	}
	f.folder.note(entry)
	return nil
}

// file writes a whole file.
func (b *Files) file(name string, write func(out io.Writer) error) error {
	file, err := b.create(name)
	if err != nil {
		return err
	}
	return file.close(-1, write(file))
}

// note replaces the entry of a file that was written again.
func (b *Files) note(entry tables.FileEntry) {
	for i := range b.files {
		if b.files[i].Name == entry.Name {
			b.files[i] = entry
			return
		}
	}
	b.files = append(b.files, entry)
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
