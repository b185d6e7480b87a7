package workbook

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// night writes the first sheet of a night's workbook: the night in figures, each as a formula over the other sheets with the value that it
// comes to, so that whoever doubts one can follow it.
func (s *summarySheet) night(sum *figures.Summary) {
	s.face(sum)
	s.liability(sum)
	s.stripe(sum)
	s.controls(sum)
	s.breaks(sum)
	s.creditBacks(sum)
	s.refunds(sum)
}

// writeFront writes the workbook's first sheet.
func (w *Book) writeFront(write func(*summarySheet)) error {
	var rows bytes.Buffer
	out := bufio.NewWriter(&rows)
	sum := &summarySheet{Sheet: Sheet{book: w, out: out, letters: columnLetters(16)}}
	write(sum)
	if err := out.Flush(); err != nil {
		return err
	}
	entry, err := w.createPart(sheetPath(summarySheetNumber))
	if err != nil {
		return err
	}
	_, err = io.WriteString(entry, sheetHead(nil, fmt.Sprintf("A1:%s%d", sum.letters[sum.width-1], sum.row))+rows.String()+sheetTail(false))
	return err
}

// Columns of labels and of figures on the summary, and how long a line of text across them may be, in characters.
const (
	summaryLabelWidth  = 40
	summaryColumnWidth = 15
	summaryTextWidth   = 105
)

// summarySheet writes rows of labels and figures.
type summarySheet struct {
	Sheet
	row   int64
	width int // columns that are used
}

// figure is a cell: a text, or a number with the formula that gives it.
type figure struct {
	text    string
	value   numbers.Number
	unit    string
	formula string
	style   int  // of a text
	bad     bool // of a number that should be another
}

// line writes a row of cells.
func (s *summarySheet) line(cells ...figure) {
	s.row++
	s.width = max(s.width, len(cells))
	s.buffer = append(s.buffer[:0], `<row r="`...)
	s.buffer = strconv.AppendInt(s.buffer, s.row, 10)
	s.buffer = append(s.buffer, '"')
	lines := 1
	if len(cells) > 1 && cells[0].style == s.book.styles.text { // a label beside figures, which would cover its end
		if lines = linesOf(cells[0].text, summaryLabelWidth); lines > 1 {
			cells[0].style = s.book.styles.long
		}
	}
	if slices.ContainsFunc(cells[min(1, len(cells)):], func(c figure) bool {
		return c.style == s.book.styles.headerRight && utf8.RuneCountInString(c.text) > summaryColumnWidth-2
	}) {
		lines = 2
	}
	if lines > 1 {
		s.buffer = append(s.buffer, ` ht="`...)
		s.buffer = strconv.AppendInt(s.buffer, int64(lines)*lineHeight, 10)
		s.buffer = append(s.buffer, `" customHeight="1"`...)
	}
	s.buffer = append(s.buffer, '>')
	for i, c := range cells {
		switch {
		case c.value.Known():
			decimals, style := numbers.Decimals(c.unit), s.book.styles.money
			if c.bad {
				style = s.book.styles.bad
			}
			s.openCell(i, s.row, style[decimals])
			text := decimalText(string(c.value), decimals)
			switch {
			case countDigits([]byte(c.value)) > excelDigits:
				s.inline(text)
			case c.formula != "":
				s.formula(c.formula, text)
			default:
				s.number(text)
			}
		case c.text != "":
			s.openCell(i, s.row, c.style)
			s.inline(c.text)
		}
	}
	s.endRow()
}

// text writes a text across the columns of figures, over as many rows as it needs.
func (s *summarySheet) text(label figure, text string, style int) {
	var line string
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > summaryTextWidth {
			s.line(label, figure{text: line, style: style})
			label, line = figure{}, ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	s.line(label, figure{text: line, style: style})
}

func (s *summarySheet) blank() { s.row++ }

// heading begins a block.
func (s *summarySheet) heading(texts ...string) {
	s.blank()
	var cells []figure
	for i, text := range texts {
		style := s.book.styles.headerRight
		if i == 0 {
			style = s.book.styles.header
		}
		cells = append(cells, figure{text: text, style: style})
	}
	s.line(cells...)
}

func (s *summarySheet) face(sum *figures.Summary) {
	styles := s.book.styles
	s.line(figure{text: "Reconciliation of " + figures.LongDate(sum.BusinessDate), style: styles.title})
	status := figure{text: figures.StatusText(sum.Status), style: styles.strong}
	if sum.Status != figures.StatusTied {
		status.style = styles.warn
	}
	s.line(figure{text: "Status"}, status)
	for _, reason := range sum.StatusReasons {
		s.text(figure{}, reason, styles.warn)
	}
	if !sum.Stripe.Looked {
		s.text(figure{text: "Stripe", style: styles.strong}, strings.TrimSpace("Stripe was not looked at. "+sum.Stripe.Note), styles.warn)
	}
	s.text(figure{text: "In short"}, figures.Headline(sum), 0)
	s.line(figure{text: "Read as of"}, figure{text: figures.InstantText(sum.AsOf)})
	s.line(figure{text: "Business date in"}, figure{text: sum.TimeZone})
	s.line(figure{text: "Policy version"}, figure{text: sum.PolicyVersion})
	s.line(figure{text: "Code version"}, figure{text: sum.CodeVersion})
	s.line(figure{text: "Amounts are in the currency's own decimals, as in summary.html; the CSV files have minor units."})
}

// liability repeats the roll-forward's ends, from its sheet.
func (s *summarySheet) liability(sum *figures.Summary) {
	if len(sum.RollForward) == 0 {
		return
	}
	s.heading("Credit liability", "Opening", "Movements", "Closing", "Counted from the lots", "Difference")
	at := s.cellIn("RollForward", tables.ColumnsOf[tables.RollForward]())
	for i, row := range sum.RollForward {
		name := "Credits"
		if row.Measure != "credits" {
			name = numbers.Unit(row.Measure)
		}
		ref := func(column string) string { return at(column, i) }
		difference := figure{value: row.Difference, unit: row.Measure, formula: ref("difference")}
		if !row.Difference.IsZero() {
			difference.bad = true
		}
		s.line(figure{text: name}, figure{value: row.Opening, unit: row.Measure, formula: ref("opening")},
			figure{value: row.Closing.Minus(row.Opening), unit: row.Measure, formula: "ROUND(" + ref("closing") + "-" + ref("opening") + ",3)"},
			figure{value: row.Closing, unit: row.Measure, formula: ref("closing")},
			figure{value: row.ClosingFromLots, unit: row.Measure, formula: ref("closing_from_lots")}, difference)
	}
}

// cellIn gives references to the cells of a table's rows, counted from 0. Only for tables that fit on one sheet.
func (s *summarySheet) cellIn(family string, cs tables.Columns) func(column string, row int) string {
	letters := columnLetters(len(cs))
	return func(column string, row int) string {
		return fmt.Sprintf("%s!%s%d", family, letters[cs.Index(column)], row+firstDataRow)
	}
}

func (s *summarySheet) stripe(sum *figures.Summary) {
	if len(sum.StripeCash) == 0 {
		return
	}
	s.heading("Balance at Stripe", "Opening", "Activity", "Payouts", "Closing", "Available", "Pending", "Residual to Stripe's figure")
	for _, row := range sum.StripeCash {
		unit, at := row.Currency, s.row+1
		residual := figure{value: row.ResidualMinor, unit: unit, text: "not compared"}
		if !row.ResidualMinor.IsZero() {
			residual.bad = true
		}
		s.line(figure{text: numbers.Unit(unit)}, figure{value: row.OpeningMinor, unit: unit}, figure{value: row.ActivityMinor, unit: unit}, figure{value: row.PayoutsMinor, unit: unit},
			figure{value: row.ClosingMinor, unit: unit, formula: fmt.Sprintf("ROUND(SUM(B%d:D%d),3)", at, at)},
			figure{value: row.AvailableMinor, unit: unit}, figure{value: row.PendingMinor, unit: unit}, residual)
	}
}

func (s *summarySheet) controls(sum *figures.Summary) {
	s.heading("Control totals", "Checks", "That do not tie")
	untied := numbers.Int(0)
	for _, row := range sum.ControlTotals {
		if !row.Difference.IsZero() {
			untied = untied.Plus("1")
		}
	}
	cs := tables.ColumnsOf[tables.ControlTotal]()
	check, difference := columnLetters(len(cs))[cs.Index("check")], columnLetters(len(cs))[cs.Index("difference")]
	last := max(len(sum.ControlTotals), 1) + 1
	wrong := figure{value: untied, formula: fmt.Sprintf(`COUNTIF(Controls!%[1]s2:%[1]s%[2]d,"<>0")-COUNTBLANK(Controls!%[1]s2:%[1]s%[2]d)`, difference, last)}
	if !untied.IsZero() {
		wrong.bad = true
	}
	s.line(figure{text: "Scanned = matched + awaiting + breaks"},
		figure{value: numbers.Int(int64(len(sum.ControlTotals))), formula: fmt.Sprintf("COUNTA(Controls!%s2:%s%d)", check, check, last)}, wrong)
}

// over joins a formula over all sheets that a table was split into. {sheet} is the sheet, {column} the cells of a column.
func (s *summarySheet) over(family string, build func(cells func(column string) string) string) string {
	var parts []string
	for _, info := range s.book.sheets {
		if info.family != family {
			continue
		}
		letters := columnLetters(len(info.columns))
		parts = append(parts, build(func(column string) string {
			letter := letters[info.columns.Index(column)]
			return fmt.Sprintf("'%s'!%s%d:%s%d", info.name, letter, firstDataRow, letter, max(info.rows, 1)+1)
		}))
	}
	return strings.Join(parts, "+")
}

func (s *summarySheet) breaks(sum *figures.Summary) {
	s.heading("Breaks", "Open", "New tonight")
	for _, severity := range sum.Breaks.BySeverity {
		s.line(figure{text: string(severity.Severity)}, figure{value: numbers.Int(severity.Open), formula: s.over("Breaks", func(cells func(string) string) string {
			return fmt.Sprintf(`COUNTIFS(%s,"%s",%s,"open")`, cells("severity"), severity.Severity, cells("status"))
		})})
	}
	s.line(figure{text: "all", style: s.book.styles.strong}, figure{value: numbers.Int(sum.Breaks.Open), formula: fmt.Sprintf("SUM(B%d:B%d)", s.row-2, s.row)},
		figure{value: numbers.Int(sum.Breaks.New), formula: s.over("Breaks", func(cells func(string) string) string {
			return fmt.Sprintf(`COUNTIFS(%s,"open",%s,0)`, cells("status"), cells("age_days"))
		})})
	for _, kind := range sum.Breaks.ByKind {
		if kind.Open == 0 {
			continue
		}
		cells := []figure{{text: "  " + string(kind.Kind)}, {value: numbers.Int(kind.Open), formula: s.over("Breaks", func(cells func(string) string) string {
			return fmt.Sprintf(`COUNTIFS(%s,"%s",%s,"open")`, cells("kind"), kind.Kind, cells("status"))
		})}, {value: numbers.Int(kind.New)}}
		for _, stake := range kind.AtStake[:min(6, len(kind.AtStake))] {
			cells = append(cells, figure{value: stake.Value, unit: stake.Unit}, figure{text: numbers.Unit(stake.Unit) + " at stake", style: s.book.styles.unit})
		}
		s.line(cells...)
	}
}

func (s *summarySheet) creditBacks(sum *figures.Summary) {
	s.heading("Failed jobs", "Jobs", "Debited (credits)", "Credited back (credits)")
	from := s.row + 1
	for _, class := range sum.CreditBacks.ByClass {
		sumOf := func(column string) string {
			return s.over("CreditBacks", func(cells func(string) string) string {
				return fmt.Sprintf(`SUMIFS(%s,%s,"%s")`, cells(column), cells("class"), class.Name)
			})
		}
		s.line(figure{text: figures.ClassText(class.Name)}, figure{value: numbers.Int(class.Jobs), formula: s.over("CreditBacks", func(cells func(string) string) string {
			return fmt.Sprintf(`COUNTIFS(%s,"%s")`, cells("class"), class.Name)
		})}, figure{value: class.Debited, formula: sumOf("debited")}, figure{value: class.Credited, formula: sumOf("credit_back")})
	}
	var jobs int64
	debited, credited := numbers.Int(0), numbers.Int(0)
	for _, class := range sum.CreditBacks.ByClass {
		jobs, debited, credited = jobs+class.Jobs, debited.Plus(class.Debited), credited.Plus(class.Credited)
	}
	total := func(letter string) string { return fmt.Sprintf("SUM(%s%d:%s%d)", letter, from, letter, s.row) }
	s.line(figure{text: "all", style: s.book.styles.strong}, figure{value: numbers.Int(jobs), formula: total("B")},
		figure{value: debited, formula: total("C")}, figure{value: credited, formula: total("D")})
}

func (s *summarySheet) refunds(sum *figures.Summary) {
	s.heading("Refund windows", "Windows", "Money")
	for _, group := range sum.RefundWindows.ByState {
		s.line(s.grouped(group.State, group.Windows, "RefundWindows", "state", group.Money)...)
	}
	s.heading("Refund requests", "Requests", "To pay back")
	for _, group := range sum.RefundRequests.ByDecision {
		s.line(s.grouped(group.Decision, group.Requests, "RefundDecisions", "decision", group.Money)...)
	}
	s.line(figure{text: "undecided and overdue"}, figure{value: numbers.Int(sum.RefundRequests.Overdue)})
}

// grouped is a row of a count by a column's value, and the money with it.
func (s *summarySheet) grouped(name string, count int64, family, column string, money []figures.Amount) []figure {
	cells := []figure{{text: strings.ReplaceAll(name, "_", " ")}, {value: numbers.Int(count), formula: s.over(family, func(cells func(string) string) string {
		return fmt.Sprintf(`COUNTIFS(%s,"%s")`, cells(column), name)
	})}}
	for _, amount := range money[:min(5, len(money))] {
		cells = append(cells, figure{value: amount.Value, unit: amount.Unit}, figure{text: numbers.Unit(amount.Unit), style: s.book.styles.unit})
	}
	return cells
}
