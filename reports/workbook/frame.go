package workbook

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"

	"github.com/xuri/excelize/v2"
)

// frame is what holds sheets together: every part of a workbook but the sheets. It is excelize's; its tables are those of sheets with one row.
type frame struct {
	paths []string // in excelize's order
	parts map[string][]byte
}

// frames are those that were made so far, by their sheets' names and columns: one night has other rows than another, and hardly ever other sheets.
var frames sync.Map

func frameOf(sheets []*sheetInfo) (*frame, error) {
	var key strings.Builder
	for _, info := range sheets {
		fmt.Fprintln(&key, info.name, info.header())
	}
	if made, ok := frames.Load(key.String()); ok {
		return made.(*frame), nil
	}
	book := excelize.NewFile()
	if _, err := addStyles(book); err != nil {
		return nil, err
	}
	if err := describeSheets(book, sheets); err != nil {
		return nil, err
	}
	made := &frame{parts: map[string][]byte{}}
	book.SetZipWriter(func(io.Writer) excelize.ZipWriter { return made })
	if err := book.Write(io.Discard); err != nil {
		return nil, err
	}
	frames.Store(key.String(), made)
	return made, nil
}

// describeSheets tells excelize of every sheet and its table, so that the parts that list them are right.
func describeSheets(book *excelize.File, sheets []*sheetInfo) error {
	if err := book.SetSheetName("Sheet1", sheets[0].name); err != nil {
		return err
	}
	tables := map[string]int{}
	// For each table that is added excelize reads all those before it again, for their numbers and names. So it gets just the numbers to read.
	parts := map[any]any{}
	for number, info := range sheets[summarySheetNumber:] {
		if _, err := book.NewSheet(info.name); err != nil {
			return err
		}
		header := info.header()
		if err := book.SetSheetRow(info.name, "A1", &header); err != nil {
			return err
		}
		tables[info.family]++
		stripes := true
		if err := book.AddTable(info.name, &excelize.Table{Range: info.cells(1), Name: fmt.Sprintf("table_%s_%d", info.family, tables[info.family]),
			StyleName: "TableStyleLight1", ShowRowStripes: &stripes}); err != nil {
			return err
		}
		// Printed, the names of the columns are repeated on each page.
		if err := book.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Titles", RefersTo: "'" + info.name + "'!$1:$1", Scope: info.name}); err != nil {
			return err
		}
		path := tablePath(number + 1)
		part, ok := book.Pkg.Swap(path, fmt.Appendf(nil, `<table xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" id="%d"/>`, number+1))
		if !ok {
			return fmt.Errorf("sheet %s: its table is not in %s", info.name, path)
		}
		parts[path] = part
	}
	for path, part := range parts {
		book.Pkg.Store(path, part)
	}
	book.SetActiveSheet(0)
	return nil
}

// header is the names of the columns, as they are on the sheet.
func (s *sheetInfo) header() []any {
	header := make([]any, len(s.columns))
	for i, c := range s.columns {
		header[i] = sheetColumn(c)
	}
	return header
}

// cells are those of a table with so many rows; it has one at least.
func (s *sheetInfo) cells(rows int64) string {
	letters := columnLetters(len(s.columns))
	return fmt.Sprintf("A1:%s%d", letters[len(letters)-1], max(rows, 1)+1)
}

// Create begins a part. The frame is excelize's archive.
func (f *frame) Create(path string) (io.Writer, error) {
	if strings.HasPrefix(path, sheetFolder) && !strings.HasPrefix(path, sheetFolder+"_") {
		return io.Discard, nil
	}
	f.paths = append(f.paths, path)
	return partWriter{f, path}, nil
}

type partWriter struct {
	frame *frame
	path  string
}

func (p partWriter) Write(content []byte) (int, error) {
	p.frame.parts[p.path] = append(p.frame.parts[p.path], content...)
	return len(content), nil
}

// AddFS adds nothing: excelize writes single parts only.
func (f *frame) AddFS(fs.FS) error { return errors.ErrUnsupported }

// Close has nothing to end.
func (f *frame) Close() error { return nil }
