package reports

import (
	"bufio"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/xuri/excelize/v2"
)

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
	s.out.WriteString(sheetHead(s.columns, ""))
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

// sheetColumn is a column's name on a sheet, where amounts are in the currency's own decimals.
func sheetColumn(c column) string { return strings.TrimSuffix(c.name, "_minor") }

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
func (s *sheet) addTotal(i int, unit string, digits []byte) {
	c := s.columns[i]
	if !c.total && !(s.options.perUnit && c.money >= 0 && isStake(unit)) {
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

func (s *sheet) endRow() error {
	s.buffer = append(s.buffer, `</row>`...)
	_, err := s.out.Write(s.buffer)
	return err
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
