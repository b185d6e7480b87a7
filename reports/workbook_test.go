package reports

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/hummingbytes/reconciler/reports/tables"
	"github.com/hummingbytes/reconciler/reports/workbook"
)

func openWorkbook(t *testing.T, folder string) *excelize.File {
	t.Helper()
	book, err := excelize.OpenFile(filepath.Join(folder, workbook.FileName))
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

// A row is as high as its longest sentence takes, for readers that don't work heights out by themselves.
func TestRowsAreAsHighAsTheirSentences(t *testing.T) {
	folder, _ := publish(t, busyNight())
	book := openWorkbook(t, folder)
	rows, err := book.GetRows("Breaks")
	if err != nil {
		t.Fatal(err)
	}
	wrapped := 0
	for i, name := range rows[0] {
		if name != "action" && name != "detail" {
			continue
		}
		letter, err := excelize.ColumnNumberToName(i + 1)
		if err != nil {
			t.Fatal(err)
		}
		width, err := book.GetColWidth("Breaks", letter)
		if err != nil {
			t.Fatal(err)
		}
		for r, row := range rows[1:] {
			if i >= len(row) {
				continue
			}
			lines := math.Ceil(float64(len([]rune(row[i]))) / width)
			if height, err := book.GetRowHeight("Breaks", r+2); err != nil || height < min(lines, 27)*15 {
				t.Errorf("row %d is %g high, %v: %q takes %g lines", r+2, height, err, row[i], lines)
			}
			if lines > 1 {
				wrapped++
			}
		}
	}
	if wrapped == 0 {
		t.Error("no sentence takes more than a line")
	}
}

// A column is as wide as its name in bold takes: a header is one line high, and a name without spaces breaks anywhere.
func TestColumnsAreAsWideAsTheirNames(t *testing.T) {
	folder, _ := publish(t, busyNight())
	book := openWorkbook(t, folder)
	for _, sheet := range book.GetSheetList()[1:] {
		rows, err := book.GetRows(sheet)
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range rows[0] {
			letter, err := excelize.ColumnNumberToName(i + 1)
			if err != nil {
				t.Fatal(err)
			}
			if width, err := book.GetColWidth(sheet, letter); err != nil || width < float64(len(name))*1.1+2 {
				t.Errorf("%s: column %s is %g wide, %v", sheet, name, width, err)
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
	in.RefundWindows = tables.Of(
		tables.RefundWindow{PurchaseID: "p1", AmountMinor: 10, FeeMinor: "1", RefundableMinor: "9", Currency: "usd", State: "open", ExpiresAt: in.AsOf, CompletedAt: at("2026-03-14T23:59:59Z")},
		tables.RefundWindow{PurchaseID: "p2", AmountMinor: 9007199254740993, Currency: "usd", State: "used", ExpiresAt: in.AsOf, CompletedAt: in.Begin},
		tables.RefundWindow{PurchaseID: "p3", AmountMinor: -123456789012345, Currency: "kwd", State: "used", ExpiresAt: in.AsOf, CompletedAt: in.Begin},
		tables.RefundWindow{PurchaseID: "p4", AmountMinor: 5, Currency: "jpy", State: "used", ExpiresAt: in.AsOf, CompletedAt: in.Begin},
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

func TestWorkbookBytesDontChange(t *testing.T) {
	var first []byte
	for range 3 {
		folder, _ := publish(t, busyNight())
		content, err := os.ReadFile(filepath.Join(folder, workbook.FileName))
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

func TestWorkbookPropertiesHaveTheirNamespaces(t *testing.T) {
	folder, _ := publish(t, emptyNight())
	book := openWorkbook(t, folder)
	raw, ok := book.Pkg.Load("docProps/core.xml")
	if !ok || !strings.Contains(string(raw.([]byte)), "<cp:lastModifiedBy>reconciler</cp:lastModifiedBy>") {
		t.Errorf("properties are %s", raw)
	}
	properties, err := book.GetDocProps()
	if err != nil || properties.Title != "Reconciliation 2026-03-14" || properties.Created != "2026-03-15T00:00:00Z" || properties.LastModifiedBy != "reconciler" {
		t.Errorf("properties are %+v, %v", properties, err)
	}
}

// The extent of the summary is that of its cells; a sheet of rows that are streamed says none rather than a wrong one.
func TestSheetsSayTheirExtentOrNone(t *testing.T) {
	folder, _ := publish(t, busyNight())
	archive, err := zip.OpenReader(filepath.Join(folder, workbook.FileName))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	for number, sheet := range openWorkbook(t, folder).GetSheetList() {
		part, err := archive.Open(fmt.Sprintf("xl/worksheets/sheet%d.xml", number+1))
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		said := regexp.MustCompile(`<dimension ref="([^"]*)"`).FindSubmatch(content)
		if number > 0 {
			if said != nil {
				t.Errorf("%s says %s before its rows are known", sheet, said[1])
			}
			continue
		}
		var lastRow, lastColumn int
		for _, cell := range regexp.MustCompile(`<c r="([A-Z]+[0-9]+)"`).FindAllSubmatch(content, -1) {
			column, row, err := excelize.CellNameToCoordinates(string(cell[1]))
			if err != nil {
				t.Fatal(err)
			}
			lastRow, lastColumn = max(lastRow, row), max(lastColumn, column)
		}
		corner, err := excelize.CoordinatesToCellName(lastColumn, lastRow)
		if err != nil || said == nil || string(said[1]) != "A1:"+corner {
			t.Errorf("%s says %q, its cells end in %s (%v)", sheet, said, corner, err)
		}
	}
}

// Each table is printed across one page, with the names of its columns on every page.
func TestSheetsArePrintedAcrossOnePage(t *testing.T) {
	folder, _ := publish(t, busyNight())
	book := openWorkbook(t, folder)
	titles := map[string]string{}
	for _, name := range book.GetDefinedName() {
		if name.Name == "_xlnm.Print_Titles" {
			titles[name.Scope] = name.RefersTo
		}
	}
	for i, sheet := range book.GetSheetList() {
		properties, err := book.GetSheetProps(sheet)
		if err != nil || properties.FitToPage == nil || !*properties.FitToPage {
			t.Errorf("%s isn't fitted to pages (%v)", sheet, err)
		}
		layout, err := book.GetPageLayout(sheet)
		if err != nil || layout.Orientation == nil || *layout.Orientation != "landscape" || layout.FitToHeight == nil || *layout.FitToHeight != 0 || layout.FitToWidth != nil && *layout.FitToWidth != 1 {
			t.Errorf("%s has the layout %+v (%v)", sheet, layout, err)
		}
		if want := "'" + sheet + "'!$1:$1"; i > 0 && titles[sheet] != want {
			t.Errorf("%s repeats %q, want %q", sheet, titles[sheet], want)
		}
	}
}

// Sums are of what can be added up: seconds of one break and of another can't.
func TestOnlyMoneyAndCreditsHaveTotals(t *testing.T) {
	in := emptyNight()
	row := busyBreaks()[0]
	in.Breaks = func(_ context.Context, fn func(tables.Break) error) error {
		for _, unit := range []string{"credits", "usd", "seconds", "business_days"} {
			row.BreakID, row.Unit, row.Variance = "brk_"+unit, unit, "5"
			if err := fn(row); err != nil {
				return err
			}
		}
		return nil
	}
	folder, _ := publish(t, in)
	ids, err := openWorkbook(t, folder).GetCols("Breaks")
	if err != nil {
		t.Fatal(err)
	}
	var totals []string
	for _, text := range ids[0] {
		if strings.HasPrefix(text, "Total") {
			totals = append(totals, text)
		}
	}
	if want := []string{"Total credits", "Total USD"}; !reflect.DeepEqual(totals, want) {
		t.Errorf("totals are %q, want %q", totals, want)
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
		`csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,-1`, "--outdir", out, filepath.Join(folder, workbook.FileName))
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
