// Package workbook writes a workbook in one pass, whatever it has of rows.
package workbook

import (
	"archive/zip"
	"fmt"
	"io"
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
// with them. Everything that is small (styles, tables, the list of sheets) is excelize's, and is added at the end.
//
// Sheets must be written in their final order. Texts are written as inline strings, which no spreadsheet evaluates.
type Book struct {
	archive      *zip.Writer
	book         *excelize.File // without rows: the parts around the sheets
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
	header, headerRight, text, long, unit, date, instant, title, strong, warn, totalText, bad int

	money [4]int // by decimals
	total [4]int
}

// New begins a workbook.
func New(out io.Writer) (*Book, error) {
	w := &Book{archive: zip.NewWriter(out), book: excelize.NewFile(), rowsPerSheet: dataRowsPerSheet,
		sheets: []*sheetInfo{{name: "Summary", family: "Summary"}}}
	// The rows' XML repeats itself so much that the fastest level packs it nearly as well.
	w.archive.RegisterCompressor(zip.Deflate, compressor)
	return w, w.addStyles()
}

// addStyles registers every style before the first row refers to one.
func (w *Book) addStyles() (err error) {
	add := func(style *excelize.Style) int {
		var id int
		if err == nil {
			id, err = w.book.NewStyle(style)
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
	s := &w.styles
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
	s.bad = add(&excelize.Style{Font: font(11, "9C1C14"), Fill: fill("FBE3E0"),
		CustomNumFmt: format("#,##0.###;-#,##0.###")})
	for decimals, pattern := range []string{"#,##0", "#,##0.0", "#,##0.00", "#,##0.000"} {
		s.money[decimals] = add(&excelize.Style{Alignment: top, CustomNumFmt: format(pattern + ";-" + pattern)})
		s.total[decimals] = add(&excelize.Style{Font: bold, Border: line, CustomNumFmt: format(pattern + ";-" + pattern)})
	}
	return err
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
	if err := w.describeSheets(); err != nil {
		return err
	}
	w.book.Pkg.Store(propertiesPath, properties(title, at))
	w.book.SetZipWriter(func(io.Writer) excelize.ZipWriter { return &partWriter{workbook: w} })
	if err := w.book.Write(io.Discard); err != nil {
		return err
	}
	return w.archive.Close()
}

// describeSheets tells excelize of every sheet and its table, so that the parts that list them are right.
func (w *Book) describeSheets() error {
	if err := w.book.SetSheetName("Sheet1", "Summary"); err != nil {
		return err
	}
	tables := map[string]int{}
	// For each table that is added excelize reads all those before it again, for their numbers and names. So it gets just the numbers to read.
	parts := map[any]any{}
	for number, info := range w.sheets[summarySheetNumber:] {
		if _, err := w.book.NewSheet(info.name); err != nil {
			return err
		}
		header := make([]any, len(info.columns))
		for i, c := range info.columns {
			header[i] = sheetColumn(c)
		}
		if err := w.book.SetSheetRow(info.name, "A1", &header); err != nil {
			return err
		}
		corner, err := excelize.CoordinatesToCellName(len(info.columns), int(max(info.rows, 1))+1)
		if err != nil {
			return err
		}
		tables[info.family]++
		stripes := true
		if err := w.book.AddTable(info.name, &excelize.Table{Range: "A1:" + corner, Name: fmt.Sprintf("table_%s_%d", info.family, tables[info.family]),
			StyleName: "TableStyleLight1", ShowRowStripes: &stripes}); err != nil {
			return err
		}
		// Printed, the names of the columns are repeated on each page.
		if err := w.book.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Titles", RefersTo: "'" + info.name + "'!$1:$1", Scope: info.name}); err != nil {
			return err
		}
		path := fmt.Sprintf("xl/tables/table%d.xml", number+1)
		part, ok := w.book.Pkg.Swap(path, fmt.Appendf(nil, `<table xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" id="%d"/>`, number+1))
		if !ok {
			return fmt.Errorf("sheet %s: its table is not in %s", info.name, path)
		}
		parts[path] = part
	}
	for path, part := range parts {
		w.book.Pkg.Store(path, part)
	}
	w.book.SetActiveSheet(0)
	return nil
}
