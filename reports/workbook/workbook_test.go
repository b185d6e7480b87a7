package workbook

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/xuri/excelize/v2"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/tables"
)

func TestXMLTexts(t *testing.T) {
	for text, want := range map[string]string{
		"a<b>&\"'": "a&lt;b&gt;&amp;\"'", "x\r\ny\rz\n": "x\ny\nz\n", "\r": "\n", "_x000D_": "_x005F_x000D_", "_x00_": "_x00_", "a\x00\x1bb\tc\nd": "a\uFFFD\uFFFDb\tc\nd",
		"\uFFFE\uFFFF": "\uFFFD\uFFFD", "bad \xff": "bad \uFFFD", "é✓": "é✓",
	} {
		if got := string(appendXML(nil, text)); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
}

// Excel refuses a workbook with a cell of more than 32,767 UTF-16 units, of which a character beyond the basic plane has two.
func TestLongTextsAreCutByUTF16Units(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		cut  bool
	}{
		"as long as may be":           {strings.Repeat("x", excelCellText), false},
		"one more":                    {strings.Repeat("x", excelCellText+1), true},
		"many bytes, few units":       {strings.Repeat("日", excelCellText), false},
		"few characters, many units":  {strings.Repeat("😀", excelCellText/2+1), true},
		"as many pairs as fit":        {strings.Repeat("😀", excelCellText/2) + "x", false},
		"pairs at an odd place":       {"x" + strings.Repeat("😀", excelCellText), true},
		"bytes that are no character": {strings.Repeat("\xff", excelCellText+1), true},
	} {
		got := cutToCell(c.text)
		units := len(utf16.Encode([]rune(got)))
		if units > excelCellText {
			t.Errorf("%s: %d units", name, units)
		}
		if !c.cut {
			if got != c.text {
				t.Errorf("%s: was cut", name)
			}
			continue
		}
		kept, marked := strings.CutSuffix(got, cutMark)
		if !marked || !strings.HasPrefix(c.text, kept) || units < excelCellText-len(cutMark)-2 {
			t.Errorf("%s: %d units, marked %v, begins like the text %v", name, units, marked, strings.HasPrefix(c.text, kept))
		}
	}
}

func TestWorkbookSplitsLongTables(t *testing.T) {
	var out bytes.Buffer
	w, err := New(&out)
	if err != nil {
		t.Fatal(err)
	}
	w.rowsPerSheet = 10
	s, err := w.OpenSheet("Breaks", tables.ColumnsOf[tables.Break](), Options{PerUnit: true})
	if err != nil {
		t.Fatal(err)
	}
	f := figures.New(figures.Facts{})
	const breaks = 25
	for i := range breaks {
		row := tables.Break{BreakID: fmt.Sprintf("brk_%d", i), Kind: reconcile.JobWithoutDebit, Severity: reconcile.Error, Status: "open", Unit: "credits", Variance: numbers.Int(1)}
		f.AddBreak(row)
		if err := s.Write(reflect.ValueOf(&row).Elem()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := w.OpenSheet("CreditBacks", tables.ColumnsOf[tables.CreditBack](), Options{})
	if err == nil {
		err = c.Close()
	}
	if err == nil {
		c, err = w.OpenSheet("Controls", tables.ColumnsOf[tables.ControlTotal](), Options{})
	}
	if err == nil {
		err = c.Close()
	}
	for _, family := range []string{"RefundWindows", "RefundDecisions"} {
		if err == nil {
			c, err = w.OpenSheet(family, map[string]tables.Columns{"RefundWindows": tables.ColumnsOf[tables.RefundWindow](), "RefundDecisions": tables.ColumnsOf[tables.RefundDecision]()}[family], Options{})
		}
		if err == nil {
			err = c.Close()
		}
	}
	summary := f.Summary(nil)
	if err == nil {
		err = w.Close(summary)
	}
	if err != nil {
		t.Fatal(err)
	}
	book, err := excelize.OpenReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	if got := strings.Join(book.GetSheetList(), ","); got != "Summary,Breaks,Breaks (2),Breaks (3),CreditBacks,Controls,RefundWindows,RefundDecisions" {
		t.Fatalf("sheets are %s", got)
	}
	rows := 0
	for _, sheet := range []string{"Breaks", "Breaks (2)", "Breaks (3)"} {
		ids, err := book.GetCols(sheet)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids[0] {
			if strings.HasPrefix(id, "brk_") {
				rows++
			}
		}
	}
	if rows != breaks {
		t.Errorf("%d rows on the sheets, want %d", rows, breaks)
	}
	found, err := book.SearchSheet("Summary", "error")
	if err != nil || len(found) == 0 {
		t.Fatalf("%v, %v", found, err)
	}
	cell := "B" + strings.TrimPrefix(found[0], "A")
	calculated, err := book.CalcCellValue("Summary", cell)
	if want := fmt.Sprint(summary.Breaks.BySeverity[0].Open); err != nil || calculated != want {
		t.Errorf("open errors over all sheets come to %s, want %s (%v)", calculated, want, err)
	}
}
