package desk_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// pictures is a folder for what the pages look like; empty: none are kept.
var pictures = os.Getenv("DESK_PICTURES")

// The desk in a real browser: people sign in, filter, assign and resolve with the keyboard and no script of the page's own, and axe-core objects to
// nothing, from phone to wide screen, in light, dark and print.
func TestTheDeskInABrowser(t *testing.T) {
	t.Parallel()
	browser, script := findBrowser(), findAxe()
	if browser == "" || script == "" {
		if os.Getenv("CI") != "" {
			t.Fatalf("browser %q, axe-core %q (AXE_CORE): CI has to have both", browser, script)
		}
		t.Logf("browser %q, axe-core %q: not asked", browser, script)
		return
	}
	axe, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	o := open(t, "reconciler_app")
	o.fill(130)
	o.db.MustExec(`INSERT INTO reconciler.publications (business_date, revision, as_of, manifest_sha256, location, published_at) VALUES ('2026-03-05', 1, '2026-03-06', '', '', '2026-03-06')`)
	o.db.MustExec(`INSERT INTO reconciler.night_figures (business_date, measure, unit, value) VALUES ('2026-03-05', 'status', '', 0), ('2026-03-05', 'errors', '', 130)`)
	allocated, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(browser), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()))...)
	defer cancel()
	ctx, cancel := chromedp.NewContext(allocated)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	look := func(name string) {
		t.Helper()
		for _, size := range []struct {
			name  string
			width int64
		}{{"phone", 390}, {"desktop", 1280}, {"wide", 2200}} {
			for _, scheme := range []string{"light", "dark"} {
				if size.name == "wide" && scheme == "dark" {
					continue
				}
				var violations string
				var overflows bool
				var picture []byte
				err := chromedp.Run(ctx, chromedp.EmulateViewport(size.width, 900),
					emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
					chromedp.Evaluate(string(axe)+";0", nil),
					chromedp.Evaluate(`axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.map(v => v.id + ": " + v.help + ": " + v.nodes[0].html.slice(0, 200)).join("\n"))`, &violations, awaitPromise),
					chromedp.Evaluate(`document.documentElement.scrollWidth > window.innerWidth`, &overflows),
					chromedp.FullScreenshot(&picture, 80))
				if err != nil {
					t.Fatalf("%s, %s, %s: %v", name, size.name, scheme, err)
				}
				if violations != "" {
					t.Errorf("%s, %s, %s: %s", name, size.name, scheme, violations)
				}
				if overflows {
					t.Errorf("%s, %s: wider than the screen", name, size.name)
				}
				keep(t, fmt.Sprintf("%s-%s-%s.jpg", name, size.name, scheme), picture)
			}
		}
	}
	run := func(actions ...chromedp.Action) {
		t.Helper()
		if err := chromedp.Run(ctx, actions...); err != nil {
			t.Fatal(err)
		}
	}
	text := func() (text string) {
		t.Helper()
		run(chromedp.Text("main", &text, chromedp.ByQuery))
		return text
	}
	run(chromedp.Navigate(o.server.URL + "/breaks"))
	look("sign-in")
	run(chromedp.SendKeys("#name", "Ana Ruiz"), chromedp.SendKeys("#password", "wrong\r"), chromedp.WaitVisible(`[role="alert"]`))
	run(chromedp.SendKeys("#password", "Ana Ruiz's password\r"), chromedp.WaitVisible("#severity"))
	look("breaks")
	run(chromedp.Navigate(o.server.URL + "/"))
	if got := text(); !strings.Contains(got, "2026-03-05") {
		t.Errorf("the index:\n%s", got)
	}
	look("index")
	run(chromedp.Navigate(o.server.URL+"/breaks"), chromedp.SendKeys("#subject", "job_7"+hostile[1]+"\r"), chromedp.WaitVisible("tbody tr th a"), chromedp.Click("tbody tr th a"), chromedp.WaitVisible("#note"))
	look("break")
	run(chromedp.SendKeys("#o", "Ana Ruiz"), chromedp.SendKeys("#note", "asked the bank"), chromedp.Click(`form[action$="/work"] button`), chromedp.WaitVisible(`//td[contains(., "asked the bank")]`))
	run(chromedp.SendKeys("#reason", "booked twice, reversed by hand"), chromedp.Click(`form[action$="/resolve"] button`), chromedp.WaitVisible(`//td[contains(., "reversed by hand")]`))
	if got := text(); !strings.Contains(got, "resolved") || strings.Contains(got, "Work on it") {
		t.Errorf("the resolved break:\n%s", got)
	}
	run(chromedp.Navigate(o.server.URL + "/search?q=" + url.QueryEscape("ana@example.com")))
	look("search")
	var asked []string
	run(chromedp.Evaluate(`performance.getEntriesByType("resource").map(e => e.name)`, &asked))
	for _, address := range asked {
		if !strings.HasPrefix(address, o.server.URL) {
			t.Errorf("the page loads %s", address)
		}
	}
	var printed []byte
	run(chromedp.Navigate(o.server.URL+"/breaks"), chromedp.ActionFunc(func(ctx context.Context) (err error) {
		printed, _, err = page.PrintToPDF().Do(ctx)
		return err
	}))
	keep(t, "breaks.pdf", printed)
	// The session ends while a form is open.
	run(chromedp.Navigate(o.server.URL+"/breaks/brk_00000009"), chromedp.WaitVisible("#note"))
	o.later(9 * time.Hour)
	run(chromedp.SendKeys("#note", "too late"), chromedp.Click(`form[action$="/work"] button`), chromedp.WaitVisible("#password"))
	if got := text(); !strings.Contains(got, "was not saved") {
		t.Errorf("after the session:\n%s", got)
	}
}

func awaitPromise(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

func keep(t *testing.T, name string, content []byte) {
	t.Helper()
	if pictures == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(pictures, name), content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func findBrowser() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

func findAxe() string {
	if script := os.Getenv("AXE_CORE"); script != "" {
		return script
	}
	root, err := exec.Command("npm", "root", "--global").Output()
	if err != nil {
		return ""
	}
	script := filepath.Join(strings.TrimSpace(string(root)), "axe-core", "axe.min.js")
	if _, err := os.Stat(script); err != nil {
		return ""
	}
	return script
}
