package workbook

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// propertiesPath is the part of the workbook that says what it is and who made it when.
const propertiesPath = "docProps/core.xml"

// properties is that part. It is written here since excelize leaves the prefix cp away, which is the same XML; exceljs refuses it.
func properties(title string, made time.Time) []byte {
	const instant = `<dcterms:%[1]s xsi:type="dcterms:W3CDTF">%[2]s</dcterms:%[1]s>`
	at := made.UTC().Format(time.RFC3339)
	return []byte(`<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n" +
		`<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/"` +
		` xmlns:dcterms="http://purl.org/dc/terms/" xmlns:dcmitype="http://purl.org/dc/dcmitype/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">` +
		`<dc:title>` + string(appendXML(nil, title)) + `</dc:title><dc:creator>reconciler</dc:creator><cp:lastModifiedBy>reconciler</cp:lastModifiedBy>` +
		fmt.Sprintf(instant, "created", at) + fmt.Sprintf(instant, "modified", at) + `<dc:language>en</dc:language></cp:coreProperties>`)
}

// columnWidth is in characters: by what a column holds, so that a sheet's columns fit side by side on a printed page, and no less than its name
// takes, in bold and with some room before it.
func columnWidth(c tables.Column) int {
	return max(contentWidth(c), utf8.RuneCountInString(sheetColumn(c))*11/10+3)
}

func contentWidth(c tables.Column) int {
	switch c.Name {
	case "detail", "reason", "reasons", "description", "message", "explanation", "what":
		return 50
	case "action", "check":
		return 34
	case "ledger_account", "source":
		return 30
	case "break_id", "entry_id", "kind", "reporting_category":
		return 26
	case "currency", "unit", "status", "severity", "age_days", "line_no", "class", "clause", "count":
		return 11
	case "subject_id", "payout_id", "dispute_id", "charge_id", "stripe_subscription_id":
		return 30
	}
	return map[tables.ColumnType]int{tables.TextColumn: 20, tables.NumberColumn: 14, tables.DateColumn: 13, tables.TimeColumn: 21, tables.BoolColumn: 11}[c.Kind]
}

// longText says whether a column's texts are sentences, which are shown over several lines.
func longText(c tables.Column) bool { return c.Kind == tables.TextColumn && contentWidth(c) >= 34 }

// lineHeight is in points, and maxLines how many lines the highest row that Excel knows (409 points) has.
const (
	lineHeight = 15
	maxLines   = 27
)

// linesOf is over how many lines a text in a column that wraps is shown, reckoned with characters somewhat wider than digits, in which a column's
// width is measured. Excel works heights out by itself; others show such a row one line high, and the next row over the text.
func linesOf(text string, width int) int {
	return min(maxLines, 1+utf8.RuneCountInString(text)*10/(width*9))
}

// sheetHead is a sheet's XML up to its first row. Without columns it is the summary's; extent is the cells that are filled, "" where that
// isn't known yet. A wrong one is worse than none: some readers look no further.
func sheetHead(cs tables.Columns, extent string) string {
	var head strings.Builder
	head.WriteString(`<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n" +
		`<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">` +
		`<sheetPr><pageSetUpPr fitToPage="1"/></sheetPr>`)
	if extent != "" {
		head.WriteString(`<dimension ref="` + extent + `"/>`)
	}
	head.WriteString(`<sheetViews><sheetView workbookViewId="0"`)
	if cs != nil {
		head.WriteString(`><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/><selection pane="bottomLeft" activeCell="A2" sqref="A2"/></sheetView>`)
	} else {
		head.WriteString(` tabSelected="1" showGridLines="0"/>`)
	}
	head.WriteString(`</sheetViews><sheetFormatPr defaultRowHeight="15"/><cols>`)
	if cs == nil {
		fmt.Fprintf(&head, `<col min="1" max="1" width="%d" customWidth="1"/><col min="2" max="16" width="%d" customWidth="1"/>`, summaryLabelWidth, summaryColumnWidth)
	}
	for i, c := range cs {
		fmt.Fprintf(&head, `<col min="%d" max="%d" width="%d" customWidth="1"/>`, i+1, i+1, columnWidth(c))
	}
	head.WriteString(`</cols><sheetData>`)
	return head.String()
}

// sheetTail is the XML behind the last row; rId1 is the table, as excelize numbers it.
func sheetTail(table bool) string {
	tail := `</sheetData><pageMargins left="0.25" right="0.25" top="0.5" bottom="0.5" header="0.25" footer="0.25"/>` +
		`<pageSetup paperSize="9" orientation="landscape" fitToHeight="0"/><headerFooter><oddFooter>&amp;L&amp;F, &amp;A&amp;RPage &amp;P of &amp;N</oddFooter></headerFooter>`
	if table {
		tail += `<tableParts count="1"><tablePart r:id="rId1"/></tableParts>`
	}
	return tail + `</worksheet>`
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

func (s *Sheet) openCell(i int, row int64, style int) {
	s.buffer = append(s.buffer, `<c r="`...)
	s.buffer = append(s.buffer, s.letters[i]...)
	s.buffer = strconv.AppendInt(s.buffer, row, 10)
	s.buffer = append(s.buffer, `" s="`...)
	s.buffer = strconv.AppendInt(s.buffer, int64(style), 10)
	s.buffer = append(s.buffer, '"')
}

func (s *Sheet) number(text string) {
	s.buffer = append(s.buffer, `><v>`...)
	s.buffer = append(s.buffer, text...)
	s.buffer = append(s.buffer, `</v></c>`...)
}

func (s *Sheet) formula(formula, value string) {
	s.buffer = append(s.buffer, `><f>`...)
	s.buffer = appendXML(s.buffer, formula)
	s.buffer = append(s.buffer, `</f><v>`...)
	s.buffer = append(s.buffer, value...)
	s.buffer = append(s.buffer, `</v></c>`...)
}

func (s *Sheet) inline(text string) {
	s.buffer = append(s.buffer, ` t="inlineStr"><is><t xml:space="preserve">`...)
	s.buffer = appendXML(s.buffer, cutToCell(text))
	s.buffer = append(s.buffer, `</t></is></c>`...)
}

// cutMark ends a text that was cut off to fit into a cell.
const cutMark = "… (cut off here: see the CSV file)"

// cutToCell shortens a text to what a cell holds, and says so at its end. Excel counts UTF-16 units, of which an emoji has two.
func cutToCell(text string) string {
	if len(text) <= excelCellText { // a byte of UTF-8 is never more than a unit
		return text
	}
	units, fits := 0, 0
	for i, r := range text {
		if units <= excelCellText-len(cutMark) { // more than it has units, so that it always fits
			fits = i
		}
		if units += utf16.RuneLen(r); units > excelCellText {
			return text[:fits] + cutMark
		}
	}
	return text
}

// appendXML escapes a text for XML and for Excel, which takes _x000D_ for a carriage return: a text that looks so by itself is masked.
// What XML can't hold becomes U+FFFD.
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
				// Cells break lines at \n, as in Excel: of \r some readers make its escape, others a second break.
				if i+1 == len(text) || text[i+1] != '\n' {
					buf = append(buf, '\n')
				}
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
