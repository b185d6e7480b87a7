package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reports"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/reports/tables"
	"github.com/hummingbytes/reconciler/reports/workbook"
)

// readersVariable names a folder node_modules with the readers from npm: xlsx, exceljs and @duckdb/node-api.
const readersVariable = "READERS_NODE_MODULES"

// reader is a program that people open the night's files with.
type reader struct {
	name string
	// missing says what the machine lacks to run it; "" is nothing.
	missing func() string
	// read returns the cells of each file by its sheets; a CSV file has one sheet, named "".
	read readFunc
	// plain: it tells texts from numbers by their looks, and shows neither the apostrophe of a defused cell nor a number's zeros.
	plain bool
}

// sheets are the cells of a file's sheets.
type sheets map[string][][]string

// The workbook and every CSV file have the same cells in every program that people open them with, on a night of the demo and on one with
// texts that want to get out. CI has all of the programs; elsewhere those that are missing are named.
func TestReadersFindWhatWasWritten(t *testing.T) {
	t.Parallel()
	books, rows := map[string]sheets{}, map[string]sheets{}
	for name, night := range map[string]string{"demo": filepath.Join(theDemo(t), "2026-03-04"), "hostile": hostileNight(t)} {
		files, err := filepath.Glob(filepath.Join(night, "*.csv"))
		if err != nil || len(files) < 10 {
			t.Fatalf("%d CSV files, %v", len(files), err)
		}
		// Under names of their own, as some readers put what they have read into one folder by the files' names.
		folder := t.TempDir()
		for _, file := range append(files, filepath.Join(night, workbook.FileName)) {
			own := filepath.Join(folder, name+"_"+filepath.Base(file))
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(own, content, 0o666); err != nil {
				t.Fatal(err)
			}
			if filepath.Ext(own) == ".csv" {
				rows[own] = writtenRows(t, own)
			} else {
				books[own] = writtenCells(t, own)
			}
		}
	}
	for _, r := range workbookReaders() {
		r.compare(t, "workbook", books)
	}
	for _, r := range fileReaders() {
		r.compare(t, "CSV", rows)
	}
}

func (r reader) compare(t *testing.T, what string, written map[string]sheets) {
	t.Run(what+" in "+r.name, func(t *testing.T) {
		if missing := r.missing(); missing != "" {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s: not installed", missing)
			}
			t.Logf("not looked at with %s, as %s is not installed", r.name, missing)
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		read, err := r.read(ctx, slices.Sorted(maps.Keys(written)), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		compared, wrong := 0, 0
		for file, want := range written {
			name, got := filepath.Base(file), read[file]
			for sheet, rows := range want {
				for i, row := range rows {
					for j, cell := range row {
						found := ""
						if i < len(got[sheet]) && j < len(got[sheet][i]) {
							found = got[sheet][i][j]
						}
						if compared++; !r.same(cell, found) {
							if wrong++; wrong <= 20 {
								t.Errorf("%s %s row %d column %d is %.200q, was written as %.200q", name, sheet, i+1, j+1, found, cell)
							}
						}
					}
				}
				for i := len(rows); i < len(got[sheet]); i++ {
					if text := strings.Join(got[sheet][i], ""); text != "" {
						t.Errorf("%s %s has a row %d that nobody wrote: %.200q", name, sheet, i+1, text)
					}
				}
			}
		}
		if compared == 0 {
			t.Error("no cell was compared")
		}
		t.Logf("%d cells compared", compared)
	})
}

// same compares cells as people see them: numbers by their value, instants to the second, line breaks however a program keeps them.
func (r reader) same(want, got string) bool {
	breaks := strings.NewReplacer("\r\n", "\n", "\r", "\n")
	want, got = breaks.Replace(want), breaks.Replace(got)
	switch {
	case want == got:
		return true
	case r.plain && got == strings.TrimPrefix(want, "'"):
		return true
	case strings.EqualFold(got, "true"):
		return want == "1" || want == "true"
	case strings.EqualFold(got, "false"):
		return want == "0" || want == "false"
	}
	wanted, isNumber := number(want)
	found, foundNumber := number(got)
	if isNumber && foundNumber {
		return math.Abs(wanted-found) <= 1e-12*math.Abs(wanted)+1e-9
	}
	if !isNumber && !r.plain {
		return false
	}
	var isInstant bool
	if !isNumber {
		if wanted, isInstant = serial(want); !isInstant {
			return false
		}
	}
	if !foundNumber {
		if found, isInstant = serial(got); !isInstant {
			return false
		}
	}
	return math.Abs(wanted-found) < 1.5/86400
}

func number(text string) (float64, bool) {
	value, err := strconv.ParseFloat(text, 64)
	return value, err == nil
}

// serial is an instant as Excel counts days.
func serial(text string) (float64, bool) {
	for _, layout := range []string{time.DateOnly, time.DateTime, "2006-01-02T15:04:05", time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return float64(at.UnixMilli())/86400_000 + 25569, true
		}
	}
	return 0, false
}

// writtenCells are the workbook's cells as they are in its XML.
func writtenCells(t *testing.T, file string) sheets {
	t.Helper()
	book, err := excelize.OpenFile(file)
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	cells := sheets{}
	for _, sheet := range book.GetSheetList() {
		if cells[sheet], err = book.GetRows(sheet, excelize.Options{RawCellValue: true}); err != nil {
			t.Fatal(err)
		}
	}
	return cells
}

// writtenRows are a CSV file's cells by RFC 4180; encoding/csv takes \r\n within a cell for \n, as the comparison does.
func writtenRows(t *testing.T, file string) sheets {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return sheets{"": rows}
}

func command(name string) func() string {
	return func() string {
		if _, err := exec.LookPath(name); err != nil {
			return name
		}
		return ""
	}
}

func nodePackage(name string) func() string {
	return func() string {
		if _, err := exec.LookPath("node"); err != nil {
			return "node"
		}
		if _, err := os.Stat(filepath.Join(os.Getenv(readersVariable), name, "package.json")); os.Getenv(readersVariable) == "" || err != nil {
			return name + " (npm, in " + readersVariable + ")"
		}
		return ""
	}
}

// systemPython is Debian's: its packages are not seen by others.
const systemPython = "/usr/bin/python3"

func openpyxl() string {
	if exec.Command(systemPython, "-c", "import openpyxl").Run() != nil {
		return "python3-openpyxl"
	}
	return ""
}

func csvkit() string {
	if exec.Command(systemPython, "-c", "import csvkit").Run() != nil {
		return "csvkit"
	}
	return ""
}

func workbookReaders() []reader {
	return []reader{
		{name: "openpyxl", missing: openpyxl, read: asJSON(systemPython, "testdata/readers/read.py", "whole")},
		{name: "openpyxl, streaming", missing: openpyxl, read: asJSON(systemPython, "testdata/readers/read.py", "streaming")},
		{name: "SheetJS", missing: nodePackage("xlsx"), read: asJSON("node", "testdata/readers/read.js", "sheetjs")},
		{name: "exceljs", missing: nodePackage("exceljs"), read: asJSON("node", "testdata/readers/read.js", "exceljs")},
		{name: "csvkit", missing: command("in2csv"), read: each(csvkitSheets)},
		{name: "LibreOffice", missing: command("soffice"), read: libreOffice},
		{name: "gnumeric", missing: command("ssconvert"), read: each(gnumericSheets)},
	}
}

func fileReaders() []reader {
	return []reader{
		{name: "SheetJS", missing: nodePackage("xlsx"), plain: true, read: asJSON("node", "testdata/readers/read.js", "sheetjs")},
		{name: "DuckDB", missing: nodePackage("@duckdb/node-api"), read: asJSON("node", "testdata/readers/read.js", "duckdb")},
		{name: "csvkit", missing: csvkit, read: asJSON(systemPython, "testdata/readers/read.py", "csvformat")},
		{name: "LibreOffice", missing: command("soffice"), plain: true, read: libreOffice},
		{name: "gnumeric", missing: command("ssconvert"), plain: true, read: each(gnumericFile)},
	}
}

type readFunc = func(ctx context.Context, files []string, scratch string) (map[string]sheets, error)

// each reads one file after the other.
func each(read func(ctx context.Context, file, scratch string) (sheets, error)) readFunc {
	return func(ctx context.Context, files []string, scratch string) (map[string]sheets, error) {
		all := map[string]sheets{}
		for i, file := range files {
			own := filepath.Join(scratch, strconv.Itoa(i))
			if err := os.Mkdir(own, 0o777); err != nil {
				return nil, err
			}
			var err error
			if all[file], err = read(ctx, file, own); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
		return all, nil
	}
}

// asJSON runs a script that prints the cells of files as JSON.
func asJSON(program, script, mode string) readFunc {
	return func(ctx context.Context, files []string, _ string) (map[string]sheets, error) {
		run := exec.CommandContext(ctx, program, append([]string{script, mode}, files...)...)
		run.Env = append(os.Environ(), "NODE_PATH="+os.Getenv(readersVariable))
		out, err := output(run)
		if err != nil {
			return nil, err
		}
		var all map[string]sheets
		return all, json.Unmarshal(out, &all)
	}
}

func output(run *exec.Cmd) ([]byte, error) {
	var said bytes.Buffer
	run.Stderr = &said
	out, err := run.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", run.Args[0], err, said.String())
	}
	return out, err
}

// parse reads CSV with rows of different lengths and keeps empty lines, as a sheet has them.
func parse(content []byte) ([][]string, error) {
	r := csv.NewReader(bytes.NewReader(content))
	r.FieldsPerRecord = -1
	var rows [][]string
	next := 1 // line that the next row begins on, unless empty ones come before it
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		line, _ := r.FieldPos(0)
		for ; next < line; next++ {
			rows = append(rows, nil)
		}
		rows = append(rows, row)
		next = line + 1 + strings.Count(strings.Join(row, ""), "\n")
	}
}

// csvkitSheets has all sheets written in one go, as its start takes the longest: beside the workbook, and numbered.
func csvkitSheets(ctx context.Context, file, scratch string) (sheets, error) {
	names, err := output(exec.CommandContext(ctx, "in2csv", "--names", file))
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	book := filepath.Join(scratch, "book.xlsx")
	if err := os.WriteFile(book, content, 0o666); err != nil {
		return nil, err
	}
	// --blanks: else it takes texts such as NULL for nothing.
	if _, err := output(exec.CommandContext(ctx, "in2csv", "--no-header-row", "--no-inference", "--blanks", "--write-sheets", "-", book)); err != nil {
		return nil, err
	}
	numbered, err := folderOfSheets(scratch, "book_")
	if err != nil {
		return nil, err
	}
	all := sheets{}
	for i, name := range strings.Fields(string(names)) {
		rows := numbered[strconv.Itoa(i)]
		all[name] = rows[min(1, len(rows)):] // the first has the names that it gives the columns
	}
	return all, nil
}

// libreOffice converts all files in one go, as its start takes the longest; of a workbook every sheet.
func libreOffice(ctx context.Context, files []string, scratch string) (map[string]sheets, error) {
	out, filter := filepath.Join(scratch, "out"), "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,"
	args := []string{"--headless", "-env:UserInstallation=file://" + filepath.Join(scratch, "profile")}
	if filepath.Ext(files[0]) == ".csv" {
		args = append(args, "--infilter=CSV:44,34,76,1,,0,false,false")
	} else {
		filter += "-1"
	}
	if _, err := output(exec.CommandContext(ctx, "soffice", append(append(args, "--convert-to", filter, "--outdir", out), files...)...)); err != nil {
		return nil, err
	}
	all := map[string]sheets{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
		if filepath.Ext(file) == ".csv" {
			content, err := os.ReadFile(filepath.Join(out, name+".csv"))
			if err != nil {
				return nil, err
			}
			rows, err := parse(content)
			if err != nil {
				return nil, err
			}
			all[file] = sheets{"": rows}
			continue
		}
		var err error
		if all[file], err = folderOfSheets(out, name+"-"); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func gnumericSheets(ctx context.Context, file, scratch string) (sheets, error) {
	if _, err := output(exec.CommandContext(ctx, "ssconvert", "-S", "-O", "format=raw locale=C", "-T", "Gnumeric_stf:stf_assistant", file, filepath.Join(scratch, "s-%s.csv"))); err != nil {
		return nil, err
	}
	return folderOfSheets(scratch, "s-")
}

// gnumericFile names the importer: left to guess, it splits a short file at hyphens.
func gnumericFile(ctx context.Context, file, scratch string) (sheets, error) {
	if _, err := output(exec.CommandContext(ctx, "ssconvert", "-I", "Gnumeric_stf:stf_csvtab", "-O", "format=raw locale=C", "-T", "Gnumeric_stf:stf_assistant", file, filepath.Join(scratch, "s-.csv"))); err != nil {
		return nil, err
	}
	return folderOfSheets(scratch, "s-")
}

func folderOfSheets(folder, prefix string) (sheets, error) {
	files, err := filepath.Glob(filepath.Join(folder, prefix+"*.csv"))
	if err != nil {
		return nil, err
	}
	all := sheets{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), prefix), ".csv")
		if all[name], err = parse(content); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return all, nil
}

// hostileNight publishes a night with texts that programs are known to spoil.
func hostileNight(t *testing.T) string {
	t.Helper()
	date := reconcile.Date{Year: 2026, Month: time.March, Day: 14}
	night := reconcile.NightOf(date, time.UTC)
	texts := []string{"two\r\nlines", "two\nlines", "=1+1", "+1", "-1+1", "@SUM(A1)", "\uFF1D1+1", "\u00A0=1+1", "-5", "005", "1e5", "0x10", "TRUE", "2026-03-01",
		` outer blanks `, `"quoted", with a comma`, "semi;colon", "a\ttab", "日本語 العربية", "\u202Eright to left", "😀😀", "<b>&amp;</b>", "NULL", "N/A", "#REF!", "'apostrophe", `back\slash`,
		strings.Repeat("long ", 6000)}
	rule, _ := reconcile.JobWithoutDebit.Rule()
	var breaks []tables.Break
	var rejects []tables.Reject
	for i, text := range texts {
		breaks = append(breaks, tables.Break{BreakID: fmt.Sprintf("brk_%03d", i), Kind: rule.Kind, Severity: rule.Severity, Status: "open", SubjectType: rule.SubjectType, SubjectID: fmt.Sprintf("job_%d", i),
			Field: "credits", Ours: "1", Theirs: "0", Variance: "1", Unit: "credits", FirstSeen: date, LastSeen: date, Action: rule.Action, Detail: text})
		rejects = append(rejects, tables.Reject{Relation: "jobs", RowID: fmt.Sprintf("row_%03d", i), Field: "kind", AccountID: "acc", Value: text, Problem: "is not one of them"})
	}
	in := reports.Input{Facts: figures.Facts{BusinessDate: date, Begin: night.Begin, AsOf: night.End, TimeZone: "UTC", CodeVersion: "v1", PolicyVersion: "1",
		Stripe: figures.StripeFacts{Looked: true}, Jobs: []figures.JobRun{{Job: "match-jobs", Status: "completed"}}}}
	in.Breaks, in.Rejects = tables.Of(breaks...), tables.Of(rejects...)
	root := t.TempDir()
	st, err := storage.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	prepared, err := reports.Prepare(t.Context(), st, in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := prepared.Publish(t.Context(), reports.PublishOptions{}); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, date.String())
}
