package reports

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// axeVariable names the script of axe-core (npm: axe-core/axe.min.js). Without it the script of a global npm package is used.
const axeVariable = "AXE_CORE"

// The page and the index, judged by axe-core in a real browser, in light and in dark, wide and narrow. CI installs both; on a machine that has
// neither browser nor script, the checks that need none (TestPageStandsOnItsOwn and its neighbours) are all there is.
func TestPagesAreAccessible(t *testing.T) {
	browser, script := findBrowser(), findAxe()
	if browser == "" || script == "" {
		if os.Getenv("CI") != "" {
			t.Fatalf("browser %q, axe-core %q (%s): CI has to have both", browser, script, axeVariable)
		}
		t.Logf("browser %q, axe-core %q: not asked", browser, script)
		return
	}
	axe, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string][]byte{}
	for name, in := range map[string]Input{"busy": busyNight(), "empty": emptyNight(), "bad": badNight()} {
		folder, _ := publish(t, in)
		if pages[name], err = os.ReadFile(filepath.Join(folder, "summary.html")); err != nil {
			t.Fatal(err)
		}
	}
	var index bytes.Buffer
	if err := WriteIndex(&index, busyNight().Before, nil, nil, beside); err != nil {
		t.Fatal(err)
	}
	pages["index"] = index.Bytes()
	for name, page := range pages {
		for _, look := range []string{"light", "dark"} {
			if name == "empty" && look == "dark" {
				continue // nothing on it that the busy night's page doesn't have
			}
			t.Run(name+"/"+look, func(t *testing.T) {
				t.Parallel()
				for _, violation := range judge(t, browser, axe, page, look) {
					t.Error(violation)
				}
			})
		}
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

var answer = regexp.MustCompile(`(?s)<pre id="axe-answer">(.*?)</pre>`)

// judge runs axe-core over a copy of the page that lets it, and returns what it objects to.
func judge(t *testing.T, browser string, axe, page []byte, look string) []string {
	t.Helper()
	policy := regexp.MustCompile(`<meta http-equiv="Content-Security-Policy"[^>]*>`)
	if !policy.Match(page) {
		t.Fatal("the page has no policy")
	}
	page = policy.ReplaceAll(page, nil)
	const ask = `
<script>axe.run(document, {resultTypes: ["violations"]}).then(function (result) {
  var pre = document.createElement("pre"); pre.id = "axe-answer";
  pre.textContent = JSON.stringify({passes: result.passes.length, violations: result.violations});
  document.body.appendChild(pre);
});</script></body>`
	copied := bytes.Replace(page, []byte("</body>"), []byte("<script>"+strings.ReplaceAll(string(axe), "</script", `<\/script`)+"</script>"+ask), 1)
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, copied, 0o666); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	scheme := map[string]string{"dark": "0", "light": "1"}[look]
	// --no-sandbox: tests may run as root in a container, and the page is our own.
	run := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(), "--blink-settings=preferredColorScheme="+scheme,
		"--window-size=1280,2000", "--virtual-time-budget=60000", "--dump-dom", "file://"+file)
	dom, err := run.Output()
	if err != nil {
		t.Fatalf("%s: %v", browser, err)
	}
	found := answer.FindSubmatch(dom)
	if found == nil {
		t.Fatal("axe-core gave no answer")
	}
	var result struct {
		Passes     int
		Violations []struct {
			ID, Help string
			Nodes    []struct{ HTML, FailureSummary string }
		}
	}
	if err := json.Unmarshal([]byte(html.UnescapeString(string(found[1]))), &result); err != nil {
		t.Fatal(err)
	}
	if result.Passes < 15 {
		t.Fatalf("axe-core checked only %d rules", result.Passes)
	}
	var violations []string
	for _, v := range result.Violations {
		for _, node := range v.Nodes[:min(3, len(v.Nodes))] {
			violations = append(violations, fmt.Sprintf("%s (%s), %d times: %.200s: %s", v.ID, v.Help, len(v.Nodes), node.HTML, node.FailureSummary))
		}
	}
	return violations
}
