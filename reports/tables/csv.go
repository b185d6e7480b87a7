package tables

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The CSV files follow RFC 4180: UTF-8 without a byte order mark, a header row, records that end in CRLF, cells quoted where they
// must be. The writer is our own because encoding/csv drops carriage returns within cells when it ends records that way.

// CSVFile writes the rows of one type.
type CSVFile struct {
	out     *bufio.Writer
	columns Columns
	scratch []byte
}

// NewCSVFile begins a file with its header.
func NewCSVFile(w io.Writer, cs Columns) (*CSVFile, error) {
	f := &CSVFile{out: bufio.NewWriter(w), columns: cs}
	for i, name := range cs.fileHeader() {
		if i > 0 {
			f.out.WriteByte(',')
		}
		f.out.WriteString(name)
	}
	_, err := f.out.WriteString("\r\n")
	return f, err
}

// Write appends one row; row must be addressable.
func (f *CSVFile) Write(row reflect.Value) error {
	first := true
	for _, c := range f.columns {
		if !c.inFile {
			continue
		}
		if !first {
			f.out.WriteByte(',')
		}
		first = false
		f.scratch = c.Text(f.scratch[:0], row)
		if c.Kind != TextColumn {
			f.out.Write(f.scratch)
			continue
		}
		f.writeText(f.scratch)
	}
	_, err := f.out.WriteString("\r\n")
	return err
}

func (f *CSVFile) writeText(cell []byte) {
	if !utf8.Valid(cell) {
		cell = []byte(strings.ToValidUTF8(string(cell), "\uFFFD"))
	}
	defused := needsDefusing(cell)
	quoted := needsQuotes(cell)
	if !quoted {
		if defused {
			f.out.WriteByte('\'')
		}
		f.out.Write(cell)
		return
	}
	f.out.WriteByte('"')
	if defused {
		f.out.WriteByte('\'')
	}
	for _, b := range cell {
		if b == '"' {
			f.out.WriteByte('"')
		}
		f.out.WriteByte(b)
	}
	f.out.WriteByte('"')
}

// Close writes what is left.
func (f *CSVFile) Close() error { return f.out.Flush() }

// needsQuotes: what RFC 4180 wants quoted, and outer blanks, which some readers drop.
func needsQuotes(cell []byte) bool {
	if len(cell) == 0 {
		return false
	}
	if cell[0] == ' ' || cell[len(cell)-1] == ' ' {
		return true
	}
	for _, b := range cell {
		if b == '"' || b == ',' || b == '\r' || b == '\n' {
			return true
		}
	}
	return false
}

// needsDefusing says whether a text gets an apostrophe put before it: what a spreadsheet would run as a formula, and, so that the
// apostrophe can be taken away again, what looks like that already.
func needsDefusing(cell []byte) bool {
	return runsAsFormula(bytes.TrimLeft(cell, "'"))
}

// runsAsFormula says whether a spreadsheet would take the text for a formula: also after what it skips or a person can't see, and in the
// full-width forms that East Asian versions read like the others. A plain negative number is no formula.
func runsAsFormula(cell []byte) bool {
	if len(cell) > 0 && (cell[0] == '\t' || cell[0] == '\r' || cell[0] == '\n') {
		return true
	}
	cell = bytes.TrimLeftFunc(cell, unseen)
	first, size := utf8.DecodeRune(cell)
	switch first {
	case '=', '+', '@', '\uFF1D', '\uFF0B', '\uFF20', '\uFE66', '\uFE62', '\uFE6B', '\uFF0D', '\uFE63', '\u2212':
		return true
	case '-':
		return !isDigits(cell[size:])
	default:
		return false
	}
}

// unseen are blanks of every width, control characters, and what has no width, such as a byte order mark.
func unseen(r rune) bool {
	return unicode.IsSpace(r) || unicode.In(r, unicode.Zs, unicode.Cc, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

func isDigits(text []byte) bool {
	for _, b := range text {
		if b < '0' || b > '9' {
			return false
		}
	}
	return len(text) > 0
}

// DefuseText puts an apostrophe before a text that a spreadsheet would run as a formula, as the CSV files do.
func DefuseText(text string) string {
	if needsDefusing([]byte(text)) {
		return "'" + text
	}
	return text
}

// RestoreText undoes DefuseText: for reading back a file that went through a spreadsheet.
func RestoreText(cell string) string {
	if strings.HasPrefix(cell, "'") && needsDefusing([]byte(cell[1:])) {
		return cell[1:]
	}
	return cell
}

// WriteCSV writes a whole file of rows: for lists that aren't part of a night's folder.
func WriteCSV[T any](w io.Writer, rows []T) error {
	f, err := NewCSVFile(w, ColumnsOf[T]())
	if err != nil {
		return err
	}
	for i := range rows {
		if err := f.Write(reflect.ValueOf(&rows[i]).Elem()); err != nil {
			return fmt.Errorf("row %d: %w", i+1, err)
		}
	}
	return f.Close()
}
