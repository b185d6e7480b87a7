package reports

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/hummingbytes/reconciler/reports/pages"
	"github.com/hummingbytes/reconciler/reports/reportstest"
)

// The page and the index, judged by axe-core in a real browser, in light and in dark, wide and narrow. CI installs both; on a machine that has
// neither browser nor script, the checks that need none (TestPageStandsOnItsOwn and its neighbours) are all there is.
func TestPagesAreAccessible(t *testing.T) {
	browser := reportstest.OpenBrowser(t)
	if browser == nil {
		return
	}
	looks := reportstest.Looks
	judge := func(name, file string, looks ...reportstest.Look) {
		browser.Run(chromedp.Navigate("file://" + file))
		browser.Judge(name, looks...)
	}
	for name, night := range map[string]struct {
		in    Input
		looks []reportstest.Look
	}{"busy": {busyNight(), []reportstest.Look{looks[2], looks[3]}}, "empty": {emptyNight(), []reportstest.Look{looks[2]}}, "bad": {badNight(), []reportstest.Look{looks[2], looks[3]}}} {
		folder, _ := publish(t, night.in)
		judge("night-"+name, filepath.Join(folder, "summary.html"), night.looks...)
	}
	var index bytes.Buffer
	if err := pages.WriteIndex(&index, busyNight().Before, nil, nil, beside); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), pages.IndexName)
	if err := os.WriteFile(file, index.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	judge("index", file, looks[2], looks[3])
}
