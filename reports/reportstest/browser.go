// Package reportstest judges pages and files that people read: pages by axe-core in a real browser, files by what they were before.
package reportstest

import (
	"context"
	"fmt"
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

// axeVariable names the script of axe-core (npm: axe-core/axe.min.js). Without it the script of a global npm package is used.
const axeVariable = "AXE_CORE"

// picturesVariable names a folder for what the pages look like. Without it none are kept.
const picturesVariable = "PAGE_PICTURES"

// Browser is a real one, with axe-core at hand.
type Browser struct {
	t   testing.TB
	ctx context.Context
	axe string
}

// OpenBrowser opens a browser for one test; nil, and said in the log, where the machine has none or no axe-core. CI has to have both.
func OpenBrowser(t testing.TB) *Browser {
	t.Helper()
	program, script := findBrowser(), findAxe()
	if program == "" || script == "" {
		if os.Getenv("CI") != "" {
			t.Fatalf("browser %q, axe-core %q (%s): CI has to have both", program, script, axeVariable)
		}
		t.Logf("browser %q, axe-core %q: not asked", program, script)
		return nil
	}
	axe, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	// No sandbox: tests may run as root in a container, and the pages are our own.
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox)
	allocated, closeBrowser := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(closeBrowser)
	ctx, closeTab := chromedp.NewContext(allocated)
	t.Cleanup(closeTab)
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(cancel)
	return &Browser{t, ctx, string(axe) + ";0"}
}

// Run does what a person would.
func (b *Browser) Run(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// Follow does what leads to another page, and goes on when that is there: until then what is asked for may be the page's before.
func (b *Browser) Follow(actions ...chromedp.Action) {
	b.t.Helper()
	if _, err := chromedp.RunResponse(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// Text is what the page's main part says.
func (b *Browser) Text() (text string) {
	b.t.Helper()
	b.Run(chromedp.Text("main", &text, chromedp.ByQuery))
	return text
}

// Look is a screen that a page is looked at on.
type Look struct {
	Name   string
	Width  int64
	Scheme string // light, dark
}

// Looks are the screens that every page has to be right on.
var Looks = []Look{{"phone-light", 390, "light"}, {"phone-dark", 390, "dark"}, {"desktop-light", 1280, "light"}, {"desktop-dark", 1280, "dark"}, {"wide-light", 2200, "light"}}

// Judge has axe-core judge the page that is open on each of the screens, and fails where it objects or the page is wider than the screen.
func (b *Browser) Judge(name string, looks ...Look) {
	b.t.Helper()
	for _, look := range looks {
		var result struct {
			Passes     int
			Violations []string
		}
		var overflows bool
		b.Run(chromedp.EmulateViewport(look.Width, 900),
			emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.Scheme}}),
			chromedp.Evaluate(b.axe, nil),
			chromedp.Evaluate(`axe.run(document, {resultTypes: ["violations"]}).then(r => ({passes: r.passes.length, violations: r.violations.map(
				v => v.id + " (" + v.help + "), " + v.nodes.length + " times: " + v.nodes[0].html.slice(0, 200) + ": " + v.nodes[0].failureSummary)}))`, &result,
				func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }),
			chromedp.Evaluate(`document.documentElement.scrollWidth > window.innerWidth`, &overflows))
		if result.Passes < 15 {
			b.t.Errorf("%s, %s: axe-core checked only %d rules", name, look.Name, result.Passes)
		}
		for _, violation := range result.Violations {
			b.t.Errorf("%s, %s: %s", name, look.Name, violation)
		}
		if overflows {
			b.t.Errorf("%s, %s: wider than the screen", name, look.Name)
		}
		if os.Getenv(picturesVariable) != "" {
			var picture []byte
			b.Run(chromedp.FullScreenshot(&picture, 80))
			b.keep(fmt.Sprintf("%s-%s.jpg", name, look.Name), picture)
		}
	}
}

// Print prints the page that is open, and fails where that gives no pages.
func (b *Browser) Print(name string) {
	b.t.Helper()
	var printed []byte
	b.Run(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		printed, _, err = page.PrintToPDF().WithPreferCSSPageSize(true).Do(ctx)
		return err
	}))
	if len(printed) < 1000 {
		b.t.Errorf("%s: printed, it has %d bytes", name, len(printed))
	}
	b.keep(name+".pdf", printed)
}

func (b *Browser) keep(name string, content []byte) {
	folder := os.Getenv(picturesVariable)
	if folder == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
		b.t.Fatal(err)
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
	if script := os.Getenv(axeVariable); script != "" {
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
