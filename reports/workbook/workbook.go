// Package workbook writes a workbook in one pass, whatever it has of rows.
package workbook

import (
	"archive/zip"
	"bytes"
	"io"
	"sync"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// FileName is the workbook's file.
const FileName = "reconciliation.xlsx"

// Excel's own limits, and what we keep free below a table for its totals.
const (
	excelRows          = 1_048_576
	excelCellText      = 32_767
	excelDigits        = 15 // more of them are kept as text: Excel would round them
	rowsBelowTable     = 300
	maxUnitsInTotals   = 200
	dataRowsPerSheet   = excelRows - 1 - rowsBelowTable
	firstDataRow       = 2
	summarySheetNumber = 1
)

// Book writes a workbook in one pass: the rows of each sheet go straight into the archive as they come, so that memory doesn't grow
// with them. Everything that is small (styles, tables, the list of sheets) is the frame that excelize makes, and is added at the end.
//
// Sheets must be written in their final order. Texts are written as inline strings, which no spreadsheet evaluates.
type Book struct {
	archive      *zip.Writer
	styles       styleSet
	sheets       []*sheetInfo // in order; the first is the summary, which is written last
	rowsPerSheet int64
}

// sheetInfo is a finished sheet.
type sheetInfo struct {
	name    string
	columns tables.Columns // nil: the summary, which has no table
	rows    int64
	family  string // the name before it was split
}

// styleSet are the indexes of the cell styles in the workbook.
type styleSet struct {
	header, headerRight, text, long, unit, date, instant, title, strong, warn, totalText int

	money [4]int // by decimals
	bad   [4]int // of numbers that should be others
	total [4]int
}

// New begins a workbook.
func New(out io.Writer) (*Book, error) {
	w := &Book{archive: zip.NewWriter(out), rowsPerSheet: dataRowsPerSheet, sheets: []*sheetInfo{{name: "Summary", family: "Summary"}}}
	// The rows' XML repeats itself so much that the fastest level packs it nearly as well.
	w.archive.RegisterCompressor(zip.Deflate, compressor)
	var err error
	w.styles, err = styles()
	return w, err
}

// styles are the same in every workbook.
var styles = sync.OnceValues(func() (styleSet, error) { return addStyles(excelize.NewFile()) })

// addStyles registers every style that a cell may refer to.
func addStyles(book *excelize.File) (s styleSet, err error) {
	add := func(style *excelize.Style) int {
		var id int
		if err == nil {
			id, err = book.NewStyle(style)
		}
		return id
	}
	format := func(pattern string) *string { return &pattern }
	top := &excelize.Alignment{Vertical: "top"}
	// Texts keep clear of the number before them, which ends at the right.
	left := &excelize.Alignment{Vertical: "top", Horizontal: "left", Indent: 1}
	wrapped := &excelize.Alignment{Vertical: "top", Horizontal: "left", Indent: 1, WrapText: true}
	font := func(size float64, colour string) *excelize.Font {
		return &excelize.Font{Bold: true, Family: "Calibri", Size: size, Color: colour}
	}
	bold := font(11, "")
	line := []excelize.Border{{Type: "top", Color: "1B2127", Style: 1}}
	fill := func(colour string) excelize.Fill {
		return excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{colour}}
	}
	s.header = add(&excelize.Style{Font: font(11, "FFFFFF"), Fill: fill("37474F"), Alignment: &excelize.Alignment{Vertical: "center", Horizontal: "left", Indent: 1, WrapText: true}})
	s.headerRight = add(&excelize.Style{Font: font(11, "FFFFFF"), Fill: fill("37474F"), Alignment: &excelize.Alignment{Vertical: "center", Horizontal: "right", WrapText: true}})
	s.text = add(&excelize.Style{Alignment: left})
	s.long = add(&excelize.Style{Alignment: wrapped})
	s.unit = add(&excelize.Style{Alignment: &excelize.Alignment{Horizontal: "left", Indent: 1}})
	s.date = add(&excelize.Style{Alignment: left, CustomNumFmt: format("yyyy-mm-dd")})
	s.instant = add(&excelize.Style{Alignment: left, CustomNumFmt: format("yyyy-mm-dd hh:mm:ss")})
	s.title = add(&excelize.Style{Font: font(15, "")})
	s.strong = add(&excelize.Style{Font: bold})
	s.warn = add(&excelize.Style{Font: font(11, "9C1C14")})
	s.totalText = add(&excelize.Style{Font: bold, Border: line})
	for decimals, pattern := range []string{"#,##0", "#,##0.0", "#,##0.00", "#,##0.000"} {
		s.money[decimals] = add(&excelize.Style{Alignment: top, CustomNumFmt: format(pattern + ";-" + pattern)})
		s.bad[decimals] = add(&excelize.Style{Font: font(11, "9C1C14"), Fill: fill("FBE3E0"), Alignment: top, CustomNumFmt: format(pattern + ";-" + pattern)})
		s.total[decimals] = add(&excelize.Style{Font: bold, Border: line, CustomNumFmt: format(pattern + ";-" + pattern)})
	}
	return s, err
}

// Close writes a night's summary and everything around the sheets.
func (w *Book) Close(s *figures.Summary) error {
	return w.finish("Reconciliation "+s.BusinessDate.String(), s.AsOf, func(sheet *summarySheet) { sheet.night(s) })
}

// finish writes the first sheet and everything around the sheets.
func (w *Book) finish(title string, at time.Time, front func(*summarySheet)) error {
	if err := w.writeFront(front); err != nil {
		return err
	}
	frame, err := frameOf(w.sheets)
	if err != nil {
		return err
	}
	own := map[string][]byte{propertiesPath: properties(title, at)}
	for number, info := range w.sheets[summarySheetNumber:] {
		path := tablePath(number + 1)
		own[path] = bytes.ReplaceAll(frame.parts[path], []byte(info.cells(1)), []byte(info.cells(info.rows)))
	}
	for _, path := range frame.paths {
		part, ok := own[path]
		if !ok {
			part = frame.parts[path]
		}
		out, err := w.createPart(path)
		if err == nil {
			_, err = out.Write(part)
		}
		if err != nil {
			return err
		}
	}
	return w.archive.Close()
}
