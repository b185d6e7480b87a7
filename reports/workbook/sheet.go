package workbook

import (
	"bufio"
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/tables"
	"github.com/xuri/excelize/v2"
)

// Options are what is special about a sheet.
type Options struct {
	// perUnit adds the money columns up below the table, a row per unit.
	PerUnit bool
	// formulas are columns that the workbook works out itself; the value of the row is what it comes to. %d is the row. Spreadsheets
	// calculate in floating point, so that money is rounded to the last decimal a currency may have.
	Formulas map[string]string
	// amounts are text columns that hold an amount in the row's unit where isAmount says so.
	Amounts  []string
	IsAmount func(row reflect.Value) bool
}

// Sheet writes the rows of one table, over as many sheets as they need.
type Sheet struct {
	book      *Book
	family    string
	columns   tables.Columns
	options   Options
	out       *bufio.Writer
	rows      int64 // on the current sheet
	part      int
	buffer    []byte
	scratch   []byte
	letters   []string
	totals    map[string][]numbers.Sum // by unit, per column
	asText    map[string][]bool
	units     []string
	hasTotals bool
}

// OpenSheet begins a table's first sheet.
func (w *Book) OpenSheet(family string, cs tables.Columns, o Options) (*Sheet, error) {
	s := &Sheet{book: w, family: family, columns: cs, options: o, letters: columnLetters(len(cs))}
	for _, c := range cs {
		s.hasTotals = s.hasTotals || c.Total || c.Kind == tables.NumberColumn && c.Money >= 0 && o.PerUnit
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

func (s *Sheet) begin() error {
	s.part++
	s.rows, s.totals, s.asText, s.units = 0, map[string][]numbers.Sum{}, map[string][]bool{}, nil
	name := s.family
	if s.part > 1 {
		name = fmt.Sprintf("%s (%d)", s.family, s.part)
	}
	s.book.sheets = append(s.book.sheets, &sheetInfo{name: name, family: s.family, columns: s.columns})
	entry, err := s.book.createPart(sheetPath(len(s.book.sheets)))
	if err != nil {
		return err
	}
	s.out = bufio.NewWriter(entry)
	s.out.WriteString(sheetHead(s.columns, ""))
	s.buffer = append(s.buffer[:0], `<row r="1">`...)
	for i, c := range s.columns {
		style := s.book.styles.header
		if c.Kind == tables.NumberColumn {
			style = s.book.styles.headerRight
		}
		s.openCell(i, 1, style)
		s.inline(sheetColumn(c))
	}
	return s.endRow()
}

// sheetColumn is a column's name on a sheet, where amounts are in the currency's own decimals.
func sheetColumn(c tables.Column) string { return strings.TrimSuffix(c.Name, "_minor") }

// Write appends one row; row must be addressable.
func (s *Sheet) Write(row reflect.Value) error {
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
	exact, lines := true, 1 // no number of the row had to become a text
	for _, c := range s.columns {
		switch {
		case c.Kind == tables.NumberColumn:
			s.scratch = c.Text(s.scratch[:0], row)
			exact = exact && countDigits(s.scratch) <= excelDigits
		case longText(c):
			lines = max(lines, linesOf(row.FieldByIndex(c.Field).String(), columnWidth(c)))
		}
	}
	if lines > 1 {
		s.buffer = append(s.buffer, `" ht="`...)
		s.buffer = strconv.AppendInt(s.buffer, int64(lines*lineHeight), 10)
		s.buffer = append(s.buffer, `" customHeight="1`...)
	}
	s.buffer = append(s.buffer, `">`...)
	for i := range s.columns {
		s.cell(i, number, row, exact)
	}
	return s.endRow()
}

func countDigits(number []byte) int { return len(bytes.TrimPrefix(number, []byte("-"))) }

// cell appends one cell of a row.
func (s *Sheet) cell(i int, number int64, row reflect.Value, exact bool) {
	c := s.columns[i]
	styles := &s.book.styles
	switch c.Kind {
	case tables.NumberColumn:
		s.scratch = c.Text(s.scratch[:0], row)
		if len(s.scratch) == 0 {
			return
		}
		unit := ""
		if c.Money >= 0 {
			unit = row.FieldByIndex(s.columns[c.Money].Field).String()
		}
		decimals := numbers.Decimals(unit)
		s.addTotal(i, unit, s.scratch)
		style := styles.money
		if c.Name == "difference" && numbers.Number(s.scratch).Big().Sign() != 0 {
			style = styles.bad
		}
		s.openCell(i, number, style[decimals])
		switch formula := s.options.Formulas[c.Name]; {
		case countDigits(s.scratch) > excelDigits:
			s.inline(decimalText(string(s.scratch), decimals))
		case formula != "" && exact:
			s.formula(strings.ReplaceAll(formula, "%d", strconv.FormatInt(number, 10)), decimalText(string(s.scratch), decimals))
		default:
			s.number(decimalText(string(s.scratch), decimals))
		}
	case tables.DateColumn:
		if d := row.FieldByIndex(c.Field).Addr().Interface().(*reconcile.Date); !d.IsZero() {
			s.openCell(i, number, styles.date)
			s.number(strconv.Itoa(d.DaysSince(excelEpoch)))
		}
	case tables.TimeColumn:
		if t := tables.Instant(row.FieldByIndex(c.Field)); !t.IsZero() {
			s.openCell(i, number, styles.instant)
			s.number(excelInstant(t))
		}
	case tables.BoolColumn:
		s.openCell(i, number, styles.text)
		s.buffer = append(s.buffer, ` t="b"><v>`...)
		digit := byte('0')
		if row.FieldByIndex(c.Field).Bool() {
			digit = '1'
		}
		s.buffer = append(s.buffer, digit)
		s.buffer = append(s.buffer, `</v></c>`...)
	default:
		text := row.FieldByIndex(c.Field).String()
		switch {
		case text == "":
		case c.Money >= 0 && slices.Contains(s.options.Amounts, c.Name) && countDigits([]byte(text)) <= excelDigits && s.options.IsAmount(row):
			decimals := numbers.Decimals(row.FieldByIndex(s.columns[c.Money].Field).String())
			s.openCell(i, number, styles.money[decimals])
			s.number(decimalText(text, decimals))
		case longText(c):
			s.openCell(i, number, styles.long)
			s.inline(text)
		default:
			s.openCell(i, number, styles.text)
			s.inline(text)
		}
	}
}

// addTotal adds a cell to its column's total.
func (s *Sheet) addTotal(i int, unit string, digits []byte) {
	c := s.columns[i]
	if !c.Total && !(s.options.PerUnit && c.Money >= 0 && figures.IsStake(unit)) {
		return
	}
	sums := s.totals[unit]
	if sums == nil {
		if len(s.units) == maxUnitsInTotals {
			return
		}
		sums = make([]numbers.Sum, len(s.columns))
		s.totals[unit], s.asText[unit] = sums, make([]bool, len(s.columns))
		s.units = append(s.units, unit)
	}
	sums[i].Add(numbers.Number(digits))
	if countDigits(digits) > excelDigits {
		s.asText[unit][i] = true
	}
}

func (s *Sheet) endRow() error {
	s.buffer = append(s.buffer, `</row>`...)
	_, err := s.out.Write(s.buffer)
	return err
}

// end writes the totals and closes the current sheet.
func (s *Sheet) end() error {
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
func (s *Sheet) writeTotals() error {
	next := s.rows + 3
	last := s.rows + 1
	if slices.ContainsFunc(s.columns, func(c tables.Column) bool { return c.Total }) {
		s.totalRow(next, "Total of the rows shown", func(i int) (formula, unit string, ok bool) {
			ref := fmt.Sprintf("%s%d:%s%d", s.letters[i], firstDataRow, s.letters[i], last)
			return "SUBTOTAL(109," + ref + ")", "", s.columns[i].Total
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
		s.totalRow(next, "Total "+numbers.Unit(unit), func(i int) (string, string, bool) {
			c := s.columns[i]
			if c.Kind != tables.NumberColumn || c.Money < 0 || !s.options.PerUnit {
				return "", "", false
			}
			formula := fmt.Sprintf(`ROUND(SUMIFS(%[1]s%[3]d:%[1]s%[4]d,%[2]s%[3]d:%[2]s%[4]d,"%[5]s"),3)`,
				s.letters[i], s.letters[c.Money], firstDataRow, last, strings.ReplaceAll(unit, `"`, `""`))
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
func (s *Sheet) totalRow(number int64, label string, of func(i int) (formula, unit string, ok bool)) {
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
		var value numbers.Number = "0"
		text := false
		if sums := s.totals[unit]; sums != nil {
			value, text = sums[i].Number(), s.asText[unit][i]
		}
		decimals := numbers.Decimals(unit)
		s.openCell(i, number, s.book.styles.total[decimals])
		if text || countDigits([]byte(value)) > excelDigits {
			s.inline(decimalText(string(value), decimals))
		} else {
			s.formula(formula, decimalText(string(value), decimals))
		}
	}
}

// Close ends the table's last sheet.
func (s *Sheet) Close() error { return s.end() }
