package reports

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/pages"
	"github.com/hummingbytes/reconciler/reports/reportstest"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/reports/tables"
	"github.com/hummingbytes/reconciler/reports/workbook"
)

// publish publishes a night to a fresh folder and returns the night's folder.
func publish(t testing.TB, in Input) (folder string, published Publication) {
	t.Helper()
	root := t.TempDir()
	st, err := storage.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	if published, err = prepareAndPublish(context.Background(), st, in, PublishOptions{}); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, in.BusinessDate.String()), published
}

func TestGoldenNights(t *testing.T) {
	for name, in := range map[string]Input{"busy": busyNight(), "empty": emptyNight()} {
		t.Run(name, func(t *testing.T) {
			folder, published := publish(t, in)
			for _, file := range append(published.Manifest.Files, tables.FileEntry{Name: storage.ManifestName}) {
				content, err := os.ReadFile(filepath.Join(folder, file.Name))
				if err != nil {
					t.Fatal(err)
				}
				if file.Name == workbook.FileName {
					// Its cells in words: the archive's bytes depend on the compressor, which a new Go may change.
					content, file.Name = reportstest.Cells(t, content), file.Name+".txt"
				}
				if file.Name == "summary.html" {
					content = workbookSize.ReplaceAll(content, []byte("$1?$2"))
				}
				if file.Name == storage.ManifestName {
					content = withoutWorkbookHash(t, content)
				}
				reportstest.Golden(t, filepath.Join(name, file.Name), content)
			}
		})
	}
}

func TestGoldenIndex(t *testing.T) {
	nights := append(busyNight().Before, figures.NightFigures{Date: date("2026-03-14"), Revision: 3, Status: figures.StatusUntied, Stripe: true, Errors: 12, Credited: "900"},
		figures.NightFigures{Date: date("2026-03-15"), Revision: 1, Status: figures.StatusIncomplete, Credited: "0"})
	var page bytes.Buffer
	if err := pages.WriteIndex(&page, nights, nil, nil, beside); err != nil {
		t.Fatal(err)
	}
	reportstest.Golden(t, "index.html", page.Bytes())
	page.Reset()
	if err := pages.WriteIndex(&page, nil, nil, nil, beside); err != nil {
		t.Fatal(err)
	}
	reportstest.Golden(t, "index-empty.html", page.Bytes())
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

// withoutWorkbookHash leaves out of a manifest what depends on the compressor.
func withoutWorkbookHash(t *testing.T, raw []byte) []byte {
	t.Helper()
	manifest, err := ReadManifest(raw)
	if err != nil {
		t.Fatal(err)
	}
	for i := range manifest.Files {
		switch manifest.Files[i].Name {
		case workbook.FileName, "summary.html": // the page lists the workbook's size
			manifest.Files[i].Size, manifest.Files[i].SHA256 = 0, ""
		}
	}
	raw, err = manifest.encode()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// prepareAndPublish prepares and publishes a night in one go.
func prepareAndPublish(ctx context.Context, st storage.Storage, in Input, o PublishOptions) (Publication, error) {
	prepared, err := Prepare(ctx, st, in)
	if err != nil {
		return Publication{}, err
	}
	return prepared.Publish(ctx, o)
}
