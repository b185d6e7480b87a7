package reports

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
)

func openWorkbook(t *testing.T, folder string) *excelize.File {
	t.Helper()
	book, err := excelize.OpenFile(filepath.Join(folder, WorkbookName))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { book.Close() })
	return book
}

func TestWorkbookHasTheContractsSheets(t *testing.T) {
	want := []string{"Summary", "RollForward", "StripeActivity", "Payouts", "Breaks", "CreditBacks", "RefundWindows", "RefundDecisions", "Journal", "Controls"}
	for name, in := range map[string]Input{"busy": busyNight(), "empty": emptyNight(), "bad": badNight()} {
		folder, _ := publish(t, in)
		book := openWorkbook(t, folder)
		if got := book.GetSheetList(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: sheets are %v", name, got)
		}
		for _, sheet := range want[1:] {
			tables, err := book.GetTables(sheet)
			if err != nil || len(tables) != 1 {
				t.Errorf("%s: %s has %d tables, %v", name, sheet, len(tables), err)
			}
			panes, err := book.GetPanes(sheet)
			if err != nil || !panes.Freeze || panes.YSplit != 1 {
				t.Errorf("%s: %s: the header isn't frozen (%v)", name, sheet, err)
			}
		}
	}
}

// Every formula's cached value is what excelize's own engine works out, so that a reader who doesn't calculate sees the same figures.
func TestWorkbookFormulasComeToTheirCachedValues(t *testing.T) {
	for name, in := range map[string]Input{"busy": busyNight(), "empty": emptyNight()} {
		folder, _ := publish(t, in)
		book := openWorkbook(t, folder)
		formulas := 0
		for _, sheet := range book.GetSheetList() {
			rows, err := book.GetRows(sheet, excelize.Options{RawCellValue: true})
			if err != nil {
				t.Fatal(err)
			}
			for r, row := range rows {
				for c, cached := range row {
					cell, err := excelize.CoordinatesToCellName(c+1, r+1)
					if err != nil {
						t.Fatal(err)
					}
					formula, err := book.GetCellFormula(sheet, cell)
					if err != nil {
						t.Fatal(err)
					}
					if formula == "" {
						continue
					}
					formulas++
					calculated, err := book.CalcCellValue(sheet, cell, excelize.Options{RawCellValue: true})
					if err != nil {
						t.Errorf("%s: %s!%s =%s: %v", name, sheet, cell, formula, err)
						continue
					}
					if !sameDecimal(calculated, cached) {
						t.Errorf("%s: %s!%s =%s comes to %s, the file says %s", name, sheet, cell, formula, calculated, cached)
					}
				}
			}
		}
		if formulas < 10 {
			t.Errorf("%s: only %d formulas", name, formulas)
		}
	}
}

// sameDecimal compares texts of decimals to the third place: the engine calculates in floating point, the files never do.
func sameDecimal(a, b string) bool {
	round := func(text string) string {
		var value float64
		if _, err := fmt.Sscan(text, &value); err != nil {
			return text
		}
		return fmt.Sprintf("%.3f", value+0)
	}
	return round(a) == round(b)
}

func TestWorkbookTextsAreNoFormulas(t *testing.T) {
	folder, _ := publish(t, badNight())
	book := openWorkbook(t, folder)
	rows, err := book.GetRows("Breaks")
	if err != nil {
		t.Fatal(err)
	}
	hostile := 0
	for r, row := range rows {
		for c, text := range row {
			if !strings.HasPrefix(text, "=") {
				continue
			}
			hostile++
			cell, err := excelize.CoordinatesToCellName(c+1, r+1)
			if err != nil {
				t.Fatal(err)
			}
			formula, err := book.GetCellFormula("Breaks", cell)
			kind, kindErr := book.GetCellType("Breaks", cell)
			if err != nil || kindErr != nil || formula != "" || kind != excelize.CellTypeInlineString {
				t.Errorf("Breaks!%s is a formula: %q, type %v", cell, formula, kind)
			}
		}
	}
	if hostile == 0 {
		t.Error("no hostile text got in: the test tests nothing")
	}
}

func TestWorkbookHasTheFilesFigures(t *testing.T) {
	in := busyNight()
	// Amounts that floating point would spoil, and one that Excel would round.
	in.RefundWindows = Of(
		RefundWindow{PurchaseID: "p1", AmountMinor: 10, FeeMinor: "1", RefundableMinor: "9", Currency: "usd", State: "open", ExpiresAt: in.AsOf, CompletedAt: at("2026-03-14T23:59:59Z")},
		RefundWindow{PurchaseID: "p2", AmountMinor: 9007199254740993, Currency: "usd", State: "used", ExpiresAt: in.AsOf, CompletedAt: in.Begin},
		RefundWindow{PurchaseID: "p3", AmountMinor: -123456789012345, Currency: "kwd", State: "used", ExpiresAt: in.AsOf, CompletedAt: in.Begin},
		RefundWindow{PurchaseID: "p4", AmountMinor: 5, Currency: "jpy", State: "used", ExpiresAt: in.AsOf, CompletedAt: in.Begin},
	)
	folder, _ := publish(t, in)
	book := openWorkbook(t, folder)
	for cell, want := range map[string]string{
		"H2": "0.10", "I2": "0.01", "H3": "90071992547409.93", "H4": "-123456789012.345", "H5": "5", "I5": "",
		"C2": "46095.999988426", "C3": "46095.000000000", "A7": "Total of the rows shown", "A9": "Total KWD", "A10": "Total USD", "H10": "90071992547410.03",
	} {
		got, err := book.GetCellValue("RefundWindows", cell, excelize.Options{RawCellValue: true})
		if err != nil || got != want {
			t.Errorf("RefundWindows!%s is %q, want %q (%v)", cell, got, want, err)
		}
	}
	// Shown as people read them:
	for cell, want := range map[string]string{"H2": "0.10", "H4": "-123,456,789,012.345", "C2": "2026-03-14 23:59:59"} {
		if got, err := book.GetCellValue("RefundWindows", cell); err != nil || got != want {
			t.Errorf("RefundWindows!%s shows %q, want %q (%v)", cell, got, want, err)
		}
	}
	if kind, err := book.GetCellType("RefundWindows", "H3"); err != nil || kind != excelize.CellTypeInlineString {
		t.Errorf("an amount of 16 digits is no text: %v, %v", kind, err)
	}
}

func TestWorkbookSplitsLongTables(t *testing.T) {
	var out bytes.Buffer
	w, err := newWorkbook(&out)
	if err != nil {
		t.Fatal(err)
	}
	w.rowsPerSheet = 10
	s, err := w.openSheet("Breaks", columnsOf[Break](), sheetOptions{perUnit: true})
	if err != nil {
		t.Fatal(err)
	}
	f := newFigures(facts("2026-03-14"))
	for _, row := range busyBreaks() {
		f.addBreak(row)
		if err := s.write(reflect.ValueOf(&row).Elem()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	c, err := w.openSheet("CreditBacks", columnsOf[CreditBack](), sheetOptions{})
	if err == nil {
		err = c.close()
	}
	if err == nil {
		c, err = w.openSheet("Controls", columnsOf[ControlTotal](), sheetOptions{})
	}
	if err == nil {
		err = c.close()
	}
	for _, family := range []string{"RefundWindows", "RefundDecisions"} {
		if err == nil {
			c, err = w.openSheet(family, map[string]columns{"RefundWindows": columnsOf[RefundWindow](), "RefundDecisions": columnsOf[RefundDecision]()}[family], sheetOptions{})
		}
		if err == nil {
			err = c.close()
		}
	}
	summary := f.summary(nil)
	if err == nil {
		err = w.close(summary)
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
	if rows != len(busyBreaks()) {
		t.Errorf("%d rows on the sheets, want %d", rows, len(busyBreaks()))
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

func TestWorkbookBytesDontChange(t *testing.T) {
	var first []byte
	for range 3 {
		folder, _ := publish(t, busyNight())
		content, err := os.ReadFile(filepath.Join(folder, WorkbookName))
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = content
		} else if !bytes.Equal(first, content) {
			t.Fatal("the same night gave other bytes")
		}
	}
	archive, err := zip.NewReader(bytes.NewReader(first), int64(len(first)))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range archive.File {
		if !file.Modified.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%s has a time: %v", file.Name, file.Modified)
		}
	}
}

func TestXMLTexts(t *testing.T) {
	for text, want := range map[string]string{
		"a<b>&\"'": "a&lt;b&gt;&amp;\"'", "x\ry": "x_x000D_y", "_x000D_": "_x005F_x000D_", "_x00_": "_x00_", "a\x00\x1bb\tc\nd": "a\uFFFD\uFFFDb\tc\nd",
		"\uFFFE\uFFFF": "\uFFFD\uFFFD", "bad \xff": "bad \uFFFD", "é✓": "é✓",
	} {
		if got := string(appendXML(nil, text)); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
}

// LibreOffice opens the workbook, calculates it anew, and finds the figures of the files. Where it isn't installed, excelize's engine above
// is the only referee; CI installs it.
func TestLibreOfficeReadsTheWorkbook(t *testing.T) {
	office, err := exec.LookPath("soffice")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("LibreOffice is not installed")
		}
		t.Log("LibreOffice is not installed: not asked")
		return
	}
	folder, _ := publish(t, busyNight())
	out, profile := t.TempDir(), t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	// -1: every sheet to a file of its own, as BOOK-SHEET.csv.
	convert := exec.CommandContext(ctx, office, "--headless", "-env:UserInstallation=file://"+profile, "--convert-to",
		`csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,-1`, "--outdir", out, filepath.Join(folder, WorkbookName))
	if said, err := convert.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	read := func(sheet string) [][]string {
		content, err := os.ReadFile(filepath.Join(out, "reconciliation-"+sheet+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		reader := csv.NewReader(bytes.NewReader(content))
		reader.FieldsPerRecord = -1
		records, err := reader.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return records
	}
	liability := read("RollForward")
	if got := strings.Join(liability[4], "|"); got != "usd|104311.77|5145|0|-4802.3|224.1|-49|-16.3|2.14|104815.41|104815.41|0" {
		t.Errorf("the roll-forward in USD reads %s", got)
	}
	breaks := read("Breaks")
	if len(breaks) < len(busyBreaks())+1 || breaks[0][0] != "break_id" {
		t.Errorf("Breaks has %d rows", len(breaks))
	}
	everything := regexp.MustCompile(`#(REF|NAME|VALUE|DIV/0|N/A)|Err:\d`)
	for _, sheet := range []string{"Summary", "RollForward", "StripeActivity", "Payouts", "Breaks", "CreditBacks", "RefundWindows", "RefundDecisions", "Journal", "Controls"} {
		for r, row := range read(sheet) {
			for c, cell := range row {
				if everything.MatchString(cell) {
					t.Errorf("%s row %d column %d: %s", sheet, r+1, c+1, cell)
				}
			}
		}
	}
}
