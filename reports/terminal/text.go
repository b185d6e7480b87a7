// Package terminal writes text from outside so that a terminal shows it and does nothing else with it.
package terminal

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"github.com/hummingbytes/reconciler/reconcile/numbers"
)

// markedAmount is an amount in text that the database puts together for people, as the fragment amount_mark marks it. Memos and names stand in the
// same text, and may hold a mark as well: what isn't between two as an amount is no amount.
var markedAmount = regexp.MustCompile("\x1f(-?[0-9]+|[?]) ([^\x1f]*)\x1f")

// WithAmounts writes text in which amounts stand between marks, such as 1200 eur, with those amounts as people read them, as one line.
func WithAmounts(text string) string {
	var out strings.Builder
	end := 0
	for _, at := range markedAmount.FindAllStringSubmatchIndex(text, -1) {
		value, unit := text[at[2]:at[3]], text[at[4]:at[5]]
		amount := numbers.AmountOrText(value, unit)
		if amount == value && !numbers.IsCurrency(unit) {
			amount = strings.TrimSpace(value + " " + numbers.Unit(unit))
		}
		out.WriteString(OneLine(text[end:at[0]]) + OneLine(amount))
		end = at[1]
	}
	return out.String() + OneLine(text[end:])
}

// OneLine writes text so that a terminal shows it as one line and does nothing else with it: whatever moves the cursor, breaks the line, turns
// the direction of writing or can't be seen is escaped as in Go and JSON, \n or \u202e. Ids, memos and names come from outside.
func OneLine(text string) string { return escaped(text, false) }

func escaped(text string, lines bool) string {
	var out strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size <= 1:
			fmt.Fprintf(&out, `\x%02x`, text[i])
		case r == '\n' && lines:
			out.WriteByte('\n')
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\r':
			out.WriteString(`\r`)
		case r == '\t' && lines:
			out.WriteByte('\t')
		case r == '\t':
			out.WriteString(`\t`)
		case isUnseen(r) && r > 0xffff:
			fmt.Fprintf(&out, `\U%08x`, r)
		case isUnseen(r):
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			out.WriteString(text[i : i+size])
		}
		i += size
	}
	return out.String()
}

// isUnseen says whether a character is a control character, a format character (those of bidirectional text among them; a soft hyphen and a
// joiner are some too), or one that ends a line.
func isUnseen(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }

// PlainText passes text on as OneLine writes it, but with its line breaks and tabs: for all of a command's output. What is JSON stays the
// same JSON.
type PlainText struct {
	Out  io.Writer
	rest []byte // the beginning of a character whose end comes with the next write
}

func (p *PlainText) Write(text []byte) (int, error) {
	all := append(p.rest, text...)
	end := len(all)
	for back := 1; back < utf8.UTFMax && back <= len(all); back++ {
		if start := len(all) - back; utf8.RuneStart(all[start]) {
			if !utf8.FullRune(all[start:]) {
				end = start
			}
			break
		}
	}
	p.rest = append([]byte(nil), all[end:]...)
	if _, err := io.WriteString(p.Out, escaped(string(all[:end]), true)); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Table is a table for a terminal: columns side by side, one row a line whatever is in it.
type Table struct {
	columns *tabwriter.Writer
	err     error
}

// NewTable begins a table; without a heading, its rows stand alone.
func NewTable(out io.Writer, heading ...string) *Table {
	t := &Table{columns: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	if len(heading) > 0 {
		t.write(heading)
	}
	return t
}

// Row adds a row; its cells are written as fmt.Sprint does.
func (t *Table) Row(cells ...any) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		texts[i] = OneLine(fmt.Sprint(cell))
	}
	t.write(texts)
}

func (t *Table) write(cells []string) {
	if t.err == nil {
		_, t.err = fmt.Fprintln(t.columns, strings.Join(cells, "\t"))
	}
}

// End writes what is left, and says whether everything could be written.
func (t *Table) End() error {
	if t.err != nil {
		return t.err
	}
	return t.columns.Flush()
}
