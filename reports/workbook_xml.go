package reports

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hummingbytes/reconciler/reconcile"
)

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
