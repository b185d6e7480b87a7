package reports

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/hummingbytes/reconciler/reports/storage"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// publish publishes a night to a fresh folder and returns the night's folder.
func publish(t testing.TB, in Input) (folder string, published Publication) {
	t.Helper()
	root := t.TempDir()
	st, err := storage.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	if published, err = Publish(context.Background(), st, in, PublishOptions{}); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, in.BusinessDate.String()), published
}

func TestGoldenNights(t *testing.T) {
	for name, in := range map[string]Input{"busy": busyNight(), "empty": emptyNight()} {
		t.Run(name, func(t *testing.T) {
			folder, published := publish(t, in)
			for _, file := range append(published.Manifest.Files, FileEntry{Name: storage.ManifestName}) {
				content, err := os.ReadFile(filepath.Join(folder, file.Name))
				if err != nil {
					t.Fatal(err)
				}
				if file.Name == WorkbookName {
					// Its cells in words: the archive's bytes depend on the compressor, which a new Go may change.
					content, file.Name = dumpWorkbook(t, content), file.Name+".txt"
				}
				if file.Name == "summary.html" {
					content = workbookSize.ReplaceAll(content, []byte("$1?$2"))
				}
				if file.Name == storage.ManifestName {
					content = withoutWorkbookHash(t, content)
				}
				golden(t, filepath.Join(name, file.Name), content)
			}
		})
	}
}

func TestGoldenIndex(t *testing.T) {
	nights := append(busyNight().Before, NightFigures{Date: date("2026-03-14"), Revision: 3, Status: StatusUntied, Stripe: true, Errors: 12, Credited: "900"},
		NightFigures{Date: date("2026-03-15"), Revision: 1, Status: StatusIncomplete, Credited: "0"})
	var page bytes.Buffer
	if err := WriteIndex(&page, nights, nil, nil, beside); err != nil {
		t.Fatal(err)
	}
	golden(t, "index.html", page.Bytes())
	page.Reset()
	if err := WriteIndex(&page, nil, nil, nil, beside); err != nil {
		t.Fatal(err)
	}
	golden(t, "index-empty.html", page.Bytes())
}

// beside is where a folder keeps its revisions.
func beside(night fmt.Stringer, revision, latest int) string {
	if revision == latest {
		return night.String()
	}
	return fmt.Sprintf("%s.r%d", night, revision)
}

// workbookSize is the one figure of the page that depends on the compressor.
var workbookSize = regexp.MustCompile(`(reconciliation\.xlsx</a></th><td class="n">–</td><td class="n">)[0-9,]+(<)`)

// golden compares with a file of testdata, or rewrites it.
func golden(t *testing.T, name string, content []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(content), "\n")); diff != "" {
		t.Errorf("%s is not what it was; if that is meant, run go test ./reports -update\n%s", name, diff)
	}
}

// dumpWorkbook lists every cell: its place, its text as shown, its formula.
func dumpWorkbook(t *testing.T, content []byte) []byte {
	t.Helper()
	book, err := excelize.OpenReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	var out bytes.Buffer
	for _, sheet := range book.GetSheetList() {
		tables, err := book.GetTables(sheet)
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range tables {
			fmt.Fprintf(&out, "%s table %s %s\n", sheet, table.Name, table.Range)
		}
		rows, err := book.GetRows(sheet)
		if err != nil {
			t.Fatal(err)
		}
		for r, row := range rows {
			for c, shown := range row {
				cell, err := excelize.CoordinatesToCellName(c+1, r+1)
				if err != nil {
					t.Fatal(err)
				}
				formula, err := book.GetCellFormula(sheet, cell)
				if err != nil {
					t.Fatal(err)
				}
				if formula != "" {
					formula = " =" + formula
				}
				if shown != "" || formula != "" {
					fmt.Fprintf(&out, "%s!%s %q%s\n", sheet, cell, shown, formula)
				}
			}
		}
	}
	return out.Bytes()
}

// withoutWorkbookHash leaves out of a manifest what depends on the compressor.
func withoutWorkbookHash(t *testing.T, raw []byte) []byte {
	t.Helper()
	manifest, err := ReadManifest(raw)
	if err != nil {
		t.Fatal(err)
	}
	for i := range manifest.Files {
		switch manifest.Files[i].Name {
		case WorkbookName, "summary.html": // the page lists the workbook's size
			manifest.Files[i].Size, manifest.Files[i].SHA256 = 0, ""
		}
	}
	raw, err = manifest.encode()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
