package reports

import (
	"archive/zip"
	"bufio"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"

	"github.com/hummingbytes/reconciler/reconcile"
)

// WorkbookName is the workbook's file.
const WorkbookName = "reconciliation.xlsx"

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
	maxColumnsOnPage   = 12 // a wider table is printed on several pages rather than too small to read
)

// workbook writes a workbook in one pass: the rows of each sheet go straight into the archive as they come, so that memory doesn't grow
// with them. Everything that is small (styles, tables, the list of sheets) is excelize's, and is added at the end.
//
// Sheets must be written in their final order. Texts are written as inline strings, which no spreadsheet evaluates.
type workbook struct {
	archive      *zip.Writer
	book         *excelize.File // without rows: the parts around the sheets
	styles       styleSet
	sheets       []*sheetInfo // in order; the first is the summary, which is written last
	rowsPerSheet int64
}

// sheetInfo is a finished sheet.
type sheetInfo struct {
	name    string
	columns columns // nil: the summary, which has no table
	rows    int64
	family  string // the name before it was split
}

// styleSet are the indexes of the cell styles in the workbook.
type styleSet struct {
	header, headerRight, text, unit, date, instant, title, strong, warn, totalText, bad int

	money [4]int // by decimals
	total [4]int
}

func newWorkbook(out io.Writer) (*workbook, error) {
	w := &workbook{archive: zip.NewWriter(out), book: excelize.NewFile(), rowsPerSheet: dataRowsPerSheet,
		sheets: []*sheetInfo{{name: "Summary", family: "Summary"}}}
	// The rows' XML repeats itself so much that the fastest level packs it nearly as well.
	w.archive.RegisterCompressor(zip.Deflate, compressor)
	return w, w.addStyles()
}

// addStyles registers every style before the first row refers to one.
func (w *workbook) addStyles() (err error) {
	add := func(style *excelize.Style) int {
		var id int
		if err == nil {
			id, err = w.book.NewStyle(style)
		}
		return id
	}
	format := func(pattern string) *string { return &pattern }
	top := &excelize.Alignment{Vertical: "top"}
	font := func(size float64, colour string) *excelize.Font {
		return &excelize.Font{Bold: true, Family: "Calibri", Size: size, Color: colour}
	}
	bold := font(11, "")
	line := []excelize.Border{{Type: "top", Color: "1B2127", Style: 1}}
	s := &w.styles
	fill := func(colour string) excelize.Fill {
		return excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{colour}}
	}
	s.header = add(&excelize.Style{Font: font(11, "FFFFFF"), Fill: fill("37474F"), Alignment: &excelize.Alignment{Vertical: "center"}})
	s.headerRight = add(&excelize.Style{Font: font(11, "FFFFFF"), Fill: fill("37474F"), Alignment: &excelize.Alignment{Vertical: "center", Horizontal: "right"}})
	s.text = add(&excelize.Style{Alignment: top})
	s.unit = add(&excelize.Style{Alignment: &excelize.Alignment{Horizontal: "left", Indent: 1}})
	s.date = add(&excelize.Style{Alignment: top, CustomNumFmt: format("yyyy-mm-dd")})
	s.instant = add(&excelize.Style{Alignment: top, CustomNumFmt: format("yyyy-mm-dd hh:mm:ss")})
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

// sheetOptions are what is special about a sheet.
type sheetOptions struct {
	// perUnit adds the money columns up below the table, a row per unit.
	perUnit bool
	// formulas are columns that the workbook works out itself; the value of the row is what it comes to. %d is the row. Spreadsheets
	// calculate in floating point, so that money is rounded to the last decimal a currency may have.
	formulas map[string]string
	// amounts are text columns that hold an amount in the row's unit where isAmount says so.
	amounts  []string
	isAmount func(row reflect.Value) bool
}

// sheet writes the rows of one table, over as many sheets as they need.
type sheet struct {
	book      *workbook
	family    string
	columns   columns
	options   sheetOptions
	out       *bufio.Writer
	rows      int64 // on the current sheet
	part      int
	buffer    []byte
	scratch   []byte
	letters   []string
	totals    map[string][]sum // by unit, per column
	asText    map[string][]bool
	units     []string
	hasTotals bool
}

// openSheet begins a table's first sheet.
func (w *workbook) openSheet(family string, cs columns, o sheetOptions) (*sheet, error) {
	s := &sheet{book: w, family: family, columns: cs, options: o, letters: columnLetters(len(cs))}
	for _, c := range cs {
		s.hasTotals = s.hasTotals || c.total || c.kind == numberColumn && c.money >= 0 && o.perUnit
	}
	return s, s.begin()
}

func columnLetters(n int) []string {
	var letters []string
	for i := range n {
		name, err := excelize.ColumnNumberToName(i + 1)
		if err != nil {
			panic(err) // no row type has 16,384 columns
		}
		letters = append(letters, name)
	}
	return letters
}

func (s *sheet) begin() error {
	s.part++
	s.rows, s.totals, s.asText, s.units = 0, map[string][]sum{}, map[string][]bool{}, nil
	name := s.family
	if s.part > 1 {
		name = fmt.Sprintf("%s (%d)", s.family, s.part)
	}
	s.book.sheets = append(s.book.sheets, &sheetInfo{name: name, family: s.family, columns: s.columns})
	entry, err := s.book.createPart(sheetPath(len(s.book.sheets)))
	if err != nil {
		return err
	}
	s.out = bufio.NewWriterSize(entry, 1<<16)
	s.out.WriteString(sheetHead(s.columns, true))
	s.buffer = append(s.buffer[:0], `<row r="1">`...)
	for i, c := range s.columns {
		style := s.book.styles.header
		if c.kind == numberColumn {
			style = s.book.styles.headerRight
		}
		s.openCell(i, 1, style)
		s.inline(sheetColumn(c))
	}
	return s.endRow()
}

// createPart begins a file of the archive. Its time is the earliest that archives know, as no other follows from the night.
func (w *workbook) createPart(name string) (io.Writer, error) {
	return w.archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)})
}

// sheetColumn is a column's name on a sheet, where amounts are in the currency's own decimals.
func sheetColumn(c column) string { return strings.TrimSuffix(c.name, "_minor") }

func sheetPath(number int) string { return fmt.Sprintf("xl/worksheets/sheet%d.xml", number) }

// sheetHead is a sheet's XML up to its first row: header frozen, widths by what a column holds.
func sheetHead(cs columns, frozen bool) string {
	var head strings.Builder
	head.WriteString(`<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n" +
		`<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">` +
		`<sheetPr><pageSetUpPr fitToPage="` + strconv.Itoa(b2i(len(cs) <= maxColumnsOnPage)) + `"/></sheetPr><sheetViews><sheetView workbookViewId="0"`)
	if frozen {
		head.WriteString(`><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/><selection pane="bottomLeft" activeCell="A2" sqref="A2"/></sheetView>`)
	} else {
		head.WriteString(` tabSelected="1" showGridLines="0"/>`)
	}
	head.WriteString(`</sheetViews><sheetFormatPr defaultRowHeight="15"/><cols>`)
	if cs == nil {
		head.WriteString(`<col min="1" max="1" width="40" customWidth="1"/><col min="2" max="16" width="22" customWidth="1"/>`)
	}
	for i, c := range cs {
		width := map[columnType]int{textColumn: 18, numberColumn: 16, dateColumn: 12, timeColumn: 20, boolColumn: 11}[c.kind]
		switch c.name {
		case "detail", "action", "reason", "reasons", "description":
			width = 60
		case "break_id", "entry_id", "kind":
			width = 27
		case "check":
			width = 34
		}
		fmt.Fprintf(&head, `<col min="%d" max="%d" width="%d" customWidth="1"/>`, i+1, i+1, width)
	}
	head.WriteString(`</cols><sheetData>`)
	return head.String()
}

// sheetTail is the XML behind the last row; rId1 is the table, as excelize numbers it.
func sheetTail(table bool) string {
	tail := `</sheetData><pageMargins left="0.5" right="0.5" top="0.6" bottom="0.6" header="0.3" footer="0.3"/>` +
		`<pageSetup paperSize="9" orientation="landscape" fitToHeight="0"/><headerFooter><oddFooter>&amp;L&amp;F, &amp;A&amp;RPage &amp;P of &amp;N</oddFooter></headerFooter>`
	if table {
		tail += `<tableParts count="1"><tablePart r:id="rId1"/></tableParts>`
	}
	return tail + `</worksheet>`
}

// write appends one row; row must be addressable.
func (s *sheet) write(row reflect.Value) error {
	if s.rows == s.book.rowsPerSheet {
		if err := s.end(); err != nil {
			return err
		}
		if err := s.begin(); err != nil {
			return err
		}
	}
	s.rows++
	number := s.rows + 1
	s.buffer = append(s.buffer[:0], `<row r="`...)
	s.buffer = strconv.AppendInt(s.buffer, number, 10)
	s.buffer = append(s.buffer, `">`...)
	exact := true // no number of the row had to become a text
	for i := range s.columns {
		s.scratch = s.columns[i].text(s.scratch[:0], row)
		if s.columns[i].kind == numberColumn && countDigits(s.scratch) > excelDigits {
			exact = false
		}
	}
	for i := range s.columns {
		s.cell(i, number, row, exact)
	}
	return s.endRow()
}

func countDigits(number []byte) int { return len(number) - b2i(len(number) > 0 && number[0] == '-') }

// cell appends one cell of a row.
func (s *sheet) cell(i int, number int64, row reflect.Value, exact bool) {
	c := s.columns[i]
	styles := &s.book.styles
	switch c.kind {
	case numberColumn:
		s.scratch = c.text(s.scratch[:0], row)
		if len(s.scratch) == 0 {
			return
		}
		unit := ""
		if c.money >= 0 {
			unit = row.Field(s.columns[c.money].field).String()
		}
		decimals := decimalsOf(unit)
		s.addTotal(i, unit, s.scratch)
		style := styles.money[decimals]
		if c.name == "difference" && Number(s.scratch).big().Sign() != 0 {
			style = styles.bad
		}
		s.openCell(i, number, style)
		switch formula := s.options.formulas[c.name]; {
		case countDigits(s.scratch) > excelDigits:
			s.inline(decimalText(string(s.scratch), decimals))
		case formula != "" && exact:
			s.formula(strings.ReplaceAll(formula, "%d", strconv.FormatInt(number, 10)), decimalText(string(s.scratch), decimals))
		default:
			s.number(decimalText(string(s.scratch), decimals))
		}
	case dateColumn:
		if d := row.Field(c.field).Addr().Interface().(*reconcile.Date); !d.IsZero() {
			s.openCell(i, number, styles.date)
			s.number(strconv.Itoa(d.DaysSince(excelEpoch)))
		}
	case timeColumn:
		if t := instant(row.Field(c.field)); !t.IsZero() {
			s.openCell(i, number, styles.instant)
			s.number(excelInstant(t))
		}
	case boolColumn:
		s.openCell(i, number, styles.text)
		s.buffer = append(s.buffer, ` t="b"><v>`...)
		s.buffer = strconv.AppendInt(s.buffer, int64(b2i(row.Field(c.field).Bool())), 10)
		s.buffer = append(s.buffer, `</v></c>`...)
	default:
		text := row.Field(c.field).String()
		switch {
		case text == "":
		case c.money >= 0 && slices.Contains(s.options.amounts, c.name) && countDigits([]byte(text)) <= excelDigits && s.options.isAmount(row):
			decimals := decimalsOf(row.Field(s.columns[c.money].field).String())
			s.openCell(i, number, styles.money[decimals])
			s.number(decimalText(text, decimals))
		default:
			s.openCell(i, number, styles.text)
			s.inline(text)
		}
	}
}

// excelEpoch is day 0 of Excel's calendar for every date after February 1900.
var excelEpoch = reconcile.Date{Year: 1899, Month: time.December, Day: 30}

// excelInstant is an instant as days and a fraction of them, worked out in whole numbers.
func excelInstant(t time.Time) string {
	t = t.UTC()
	hour, minute, second := t.Clock()
	const fraction = 1_000_000_000
	part := int64(hour*3600+minute*60+second) * fraction / 86400
	// Rounded up, so that a reader who rounds down to seconds finds the second that was meant.
	if part*86400 != int64(hour*3600+minute*60+second)*fraction {
		part++
	}
	return fmt.Sprintf("%d.%09d", reconcile.DateOf(t).DaysSince(excelEpoch), part)
}

// decimalText moves the decimal point of a number of minor units: 1234 with 2 decimals is 12.34.
func decimalText(digits string, decimals int) string {
	if decimals == 0 {
		return digits
	}
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	if missing := decimals + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - decimals
	return sign + digits[:point] + "." + digits[point:]
}

// addTotal adds a cell to its column's total.
func (s *sheet) addTotal(i int, unit string, digits []byte) {
	c := s.columns[i]
	if !c.total && !(s.options.perUnit && c.money >= 0) {
		return
	}
	sums := s.totals[unit]
	if sums == nil {
		if len(s.units) == maxUnitsInTotals {
			return
		}
		sums = make([]sum, len(s.columns))
		s.totals[unit], s.asText[unit] = sums, make([]bool, len(s.columns))
		s.units = append(s.units, unit)
	}
	sums[i].add(Number(digits))
	if countDigits(digits) > excelDigits {
		s.asText[unit][i] = true
	}
}

func (s *sheet) openCell(i int, row int64, style int) {
	s.buffer = append(s.buffer, `<c r="`...)
	s.buffer = append(s.buffer, s.letters[i]...)
	s.buffer = strconv.AppendInt(s.buffer, row, 10)
	s.buffer = append(s.buffer, `" s="`...)
	s.buffer = strconv.AppendInt(s.buffer, int64(style), 10)
	s.buffer = append(s.buffer, '"')
}

func (s *sheet) number(text string) {
	s.buffer = append(s.buffer, `><v>`...)
	s.buffer = append(s.buffer, text...)
	s.buffer = append(s.buffer, `</v></c>`...)
}

func (s *sheet) formula(formula, value string) {
	s.buffer = append(s.buffer, `><f>`...)
	s.buffer = appendXML(s.buffer, formula)
	s.buffer = append(s.buffer, `</f><v>`...)
	s.buffer = append(s.buffer, value...)
	s.buffer = append(s.buffer, `</v></c>`...)
}

func (s *sheet) inline(text string) {
	s.buffer = append(s.buffer, ` t="inlineStr"><is><t xml:space="preserve">`...)
	s.buffer = appendXML(s.buffer, shorten(text, excelCellText))
	s.buffer = append(s.buffer, `</t></is></c>`...)
}

func (s *sheet) endRow() error {
	s.buffer = append(s.buffer, `</row>`...)
	_, err := s.out.Write(s.buffer)
	return err
}

// appendXML escapes a text for XML and for Excel, which takes _x000D_ for a carriage return. What XML can't hold becomes U+FFFD.
func appendXML(buf []byte, text string) []byte {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			switch {
			case c == '&':
				buf = append(buf, "&amp;"...)
			case c == '<':
				buf = append(buf, "&lt;"...)
			case c == '>':
				buf = append(buf, "&gt;"...)
			case c == '\r':
				buf = append(buf, "_x000D_"...)
			case c == '_' && looksEscaped(text[i:]):
				buf = append(buf, "_x005F_"...)
			case c < ' ' && c != '\t' && c != '\n':
				buf = append(buf, "\uFFFD"...)
			default:
				buf = append(buf, c)
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == '\uFFFE' || r == '\uFFFF' {
			r = utf8.RuneError
		}
		buf = utf8.AppendRune(buf, r)
		i += size
	}
	return buf
}

// looksEscaped says whether a text begins like _x000D_.
func looksEscaped(text string) bool {
	if len(text) < 7 || text[1] != 'x' || text[6] != '_' {
		return false
	}
	return strings.Trim(strings.ToLower(text[2:6]), "0123456789abcdef") == ""
}

// end writes the totals and closes the current sheet.
func (s *sheet) end() error {
	info := s.book.sheets[len(s.book.sheets)-1]
	info.rows = s.rows
	if s.rows == 0 {
		s.out.WriteString(`<row r="2"/>`) // a table has at least one row
	} else if s.hasTotals {
		if err := s.writeTotals(); err != nil {
			return err
		}
	}
	s.out.WriteString(sheetTail(true))
	return s.out.Flush()
}

// writeTotals adds columns up below the table, one blank row apart so that the table doesn't grow into them: first what needs no unit,
// then each unit. SUBTOTAL follows the filter.
func (s *sheet) writeTotals() error {
	next := s.rows + 3
	last := s.rows + 1
	if slices.ContainsFunc(s.columns, func(c column) bool { return c.total }) {
		s.totalRow(next, "Total of the rows shown", func(i int) (formula, unit string, ok bool) {
			ref := fmt.Sprintf("%s%d:%s%d", s.letters[i], firstDataRow, s.letters[i], last)
			return "SUBTOTAL(109," + ref + ")", "", s.columns[i].total
		})
		if err := s.endRow(); err != nil {
			return err
		}
		next++
	}
	slices.Sort(s.units)
	for _, unit := range s.units {
		if unit == "" {
			continue
		}
		s.totalRow(next, "Total "+unitText(unit), func(i int) (string, string, bool) {
			c := s.columns[i]
			if c.kind != numberColumn || c.money < 0 || !s.options.perUnit {
				return "", "", false
			}
			formula := fmt.Sprintf(`ROUND(SUMIFS(%[1]s%[3]d:%[1]s%[4]d,%[2]s%[3]d:%[2]s%[4]d,"%[5]s"),3)`,
				s.letters[i], s.letters[c.money], firstDataRow, last, strings.ReplaceAll(unit, `"`, `""`))
			return formula, unit, true
		})
		if err := s.endRow(); err != nil {
			return err
		}
		next++
	}
	return nil
}

// totalRow appends one row of totals to the buffer; the label goes into the first column without one.
func (s *sheet) totalRow(number int64, label string, of func(i int) (formula, unit string, ok bool)) {
	s.buffer = append(s.buffer[:0], `<row r="`...)
	s.buffer = strconv.AppendInt(s.buffer, number, 10)
	s.buffer = append(s.buffer, `">`...)
	for i := range s.columns {
		formula, unit, ok := of(i)
		if !ok {
			if label != "" {
				s.openCell(i, number, s.book.styles.totalText)
				s.inline(label)
				label = ""
			}
			continue
		}
		var value Number = "0"
		text := false
		if sums := s.totals[unit]; sums != nil {
			value, text = sums[i].number(), s.asText[unit][i]
		}
		decimals := decimalsOf(unit)
		s.openCell(i, number, s.book.styles.total[decimals])
		if text || countDigits([]byte(value)) > excelDigits {
			s.inline(decimalText(string(value), decimals))
		} else {
			s.formula(formula, decimalText(string(value), decimals))
		}
	}
}

// close ends the table's last sheet.
func (s *sheet) close() error { return s.end() }

// close writes the summary and everything around the sheets.
func (w *workbook) close(s *Summary) error {
	if err := w.writeSummary(s); err != nil {
		return err
	}
	if err := w.describeSheets(); err != nil {
		return err
	}
	created := s.AsOf.UTC().Format(time.RFC3339)
	if err := w.book.SetDocProps(&excelize.DocProperties{Title: "Reconciliation " + s.BusinessDate.String(), Creator: "reconciler", LastModifiedBy: "reconciler",
		Created: created, Modified: created, Language: "en"}); err != nil {
		return err
	}
	w.book.SetZipWriter(func(io.Writer) excelize.ZipWriter { return &partWriter{workbook: w} })
	if err := w.book.Write(io.Discard); err != nil {
		return err
	}
	return w.archive.Close()
}

// describeSheets tells excelize of every sheet and its table, so that the parts that list them are right.
func (w *workbook) describeSheets() error {
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

// compressors are kept to be used again: each holds tables of most of a megabyte, and a workbook has dozens of parts.
var compressors = sync.Pool{New: func() any {
	c, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		panic(err) // it only refuses levels that don't exist
	}
	return c
}}

// pooledCompressor goes back to compressors when it is closed.
type pooledCompressor struct{ *flate.Writer }

func compressor(out io.Writer) (io.WriteCloser, error) {
	c := compressors.Get().(*flate.Writer)
	c.Reset(out)
	return &pooledCompressor{c}, nil
}

func (p *pooledCompressor) Close() error {
	err := p.Writer.Close()
	compressors.Put(p.Writer)
	p.Writer = nil
	return err
}

// partWriter passes excelize's parts on into the archive, but for the sheets, which are there already.
type partWriter struct{ workbook *workbook }

// Create begins a part.
func (p *partWriter) Create(name string) (io.Writer, error) {
	for i := range p.workbook.sheets {
		if name == sheetPath(i+1) {
			return io.Discard, nil
		}
	}
	return p.workbook.createPart(name)
}

// AddFS adds nothing: excelize writes single parts only.
func (p *partWriter) AddFS(fs.FS) error { return errors.ErrUnsupported }

// Close leaves the archive open: workbook.close ends it.
func (p *partWriter) Close() error { return nil }
