package reports

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/pages"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// parsePage reads summary.html of a night as a browser would.
func parsePage(t *testing.T, in Input) (root *html.Node, source, folder string) {
	t.Helper()
	folder, _ = publish(t, in)
	raw, err := os.ReadFile(filepath.Join(folder, "summary.html"))
	if err != nil {
		t.Fatal(err)
	}
	if root, err = html.Parse(bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	return root, string(raw), folder
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// The page runs nothing, loads nothing, and every link leads somewhere: to an element of the page, or to a file of the night.
func TestPageStandsOnItsOwn(t *testing.T) {
	for name, in := range map[string]Input{"busy": busyNight(), "empty": emptyNight(), "bad": badNight()} {
		t.Run(name, func(t *testing.T) {
			root, _, folder := parsePage(t, in)
			ids, links, policy := map[string]int{}, []string{}, ""
			for n := range root.Descendants() {
				if n.Type != html.ElementNode {
					continue
				}
				switch n.Data {
				case "script", "img", "iframe", "object", "embed", "link", "form", "video", "base":
					t.Errorf("there is a <%s>", n.Data)
				case "a":
					links = append(links, attribute(n, "href"))
				case "meta":
					if attribute(n, "http-equiv") == "Content-Security-Policy" {
						policy = attribute(n, "content")
					}
				case "style":
					if style, want := pages.Style(); policy != want || n.FirstChild.Data != string(style) {
						t.Errorf("the policy is %q, want %q before the style sheet that it names", policy, want)
					}
				}
				for _, a := range n.Attr {
					switch {
					case a.Key == "id":
						if ids[a.Val]++; ids[a.Val] > 1 {
							t.Errorf("id %q is there twice", a.Val)
						}
					case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "src":
						t.Errorf("<%s> has %s=%q", n.Data, a.Key, a.Val)
					}
				}
			}
			if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
				t.Errorf("the policy is %q", policy)
			}
			for _, link := range links {
				switch {
				case strings.HasPrefix(link, "#"):
					if ids[link[1:]] == 0 {
						t.Errorf("%s leads nowhere", link)
					}
				case strings.HasPrefix(link, "../"): // other nights, the index
				default:
					if _, err := os.Stat(filepath.Join(folder, link)); err != nil {
						t.Errorf("%s: no such file in the night's folder", link)
					}
				}
			}
		})
	}
}

func TestPageDrawingsAreDescribed(t *testing.T) {
	root, _, _ := parsePage(t, busyNight())
	drawings := 0
	for n := range root.Descendants() {
		if n.Data != "svg" || attribute(n, "role") != "img" {
			continue
		}
		drawings++
		var title, description string
		for c := range n.ChildNodes() {
			if c.FirstChild == nil {
				continue
			}
			switch c.Data {
			case "title":
				title = c.FirstChild.Data
			case "desc":
				description = c.FirstChild.Data
			}
		}
		if title == "" || len(description) < 20 {
			t.Errorf("drawing %q has the description %q", title, description)
		}
	}
	if drawings < 10 {
		t.Errorf("only %d drawings", drawings)
	}
}

func textOf(n *html.Node) string {
	var out strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode && d.Parent.Data != "style" {
			out.WriteString(d.Data)
			out.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

func TestPageEscapesHostileTexts(t *testing.T) {
	root, source, _ := parsePage(t, badNight())
	if strings.Contains(source, "<img") || strings.Contains(source, "<b>") {
		t.Error("a text got out of its cell")
	}
	if !strings.Contains(textOf(root), "<img src=x onerror=alert(1)>") {
		t.Error("the text isn't shown as it is")
	}
}

func TestPageSaysWhatWasNotLookedAt(t *testing.T) {
	bad, _, _ := parsePage(t, badNight())
	for _, want := range []string{"Stripe was not looked at.", "These totals do not agree. Don't close on them.", "The job match-purchases did not complete.",
		"The check “jobs and debits” is off by 1 job.", "The roll-forward in credits is off by 30 credits."} {
		if !strings.Contains(textOf(bad), want) {
			t.Errorf("the bad night's page doesn't say %q", want)
		}
	}
	if strings.Contains(textOf(bad), "Payouts None.") || strings.Count(textOf(bad), "Not looked at.") != 3 {
		t.Error("what was not looked at reads as if there were none")
	}
	empty, _, _ := parsePage(t, emptyNight())
	for _, want := range []string{"Every row is accounted for, and all totals agree.", "No break is open.", "Nothing. No break is open", "No refund request was undecided"} {
		if !strings.Contains(textOf(empty), want) {
			t.Errorf("the empty night's page doesn't say %q", want)
		}
	}
	if strings.Contains(textOf(empty), "Stripe was not looked at") {
		t.Error("the empty night's page says that Stripe was not looked at")
	}
	unchecked := emptyNight()
	unchecked.ControlTotals = nil
	blind, _, _ := parsePage(t, unchecked)
	if text := textOf(blind); strings.Contains(text, "✓ totals agree") || strings.Contains(text, "Nothing. No break") || !strings.Contains(text, "No check has run for this night") {
		t.Error("a night without a check reads as clean")
	}
	busy, _, _ := parsePage(t, busyNight())
	for _, want := range []string{"Every row that was taken is accounted for: matched, awaited, or a break. Rows of the platform that break its contract and were left out: 2.", "6 errors open", "24 breaks are open, 6 errors among them; 2.87 EUR, 59.00 USD, 970 credits at stake.",
		"1 refund request is overdue.", "104,815.41"} {
		if !strings.Contains(textOf(busy), want) {
			t.Errorf("the busy night's page doesn't say %q", want)
		}
	}
	if text := textOf(busy); strings.Contains(text, "✓ totals agree") || strings.Contains(strings.ToLower(text), "all totals agree") {
		t.Error("a night with open errors says that its totals agree")
	}
}

func TestStatusHasEveryReason(t *testing.T) {
	in := badNight()
	f := figures.New(in.Facts)
	f.AddControlTotal(tables.ControlTotal{Check: "a", Unit: "usd", Difference: "-100"})
	f.AddRollForward(tables.RollForward{Measure: "eur", Difference: "1"})
	s := f.Summary(nil)
	if s.Status != figures.StatusUntied || len(s.StatusReasons) != 3 {
		t.Errorf("%s: %q", s.Status, s.StatusReasons)
	}
	f = figures.New(in.Facts)
	f.AddControlTotal(tables.ControlTotal{Check: "a", Difference: "0"})
	if s := f.Summary(nil); s.Status != figures.StatusIncomplete || len(s.StatusReasons) != 1 {
		t.Errorf("%s: %q", s.Status, s.StatusReasons)
	}
}

func TestFiguresAddUp(t *testing.T) {
	_, published := publish(t, busyNight())
	s := published.Summary
	var kinds, severities, ages, closed int64
	for _, kind := range s.Breaks.ByKind {
		kinds += kind.Open
		closed += kind.Closed
	}
	for _, severity := range s.Breaks.BySeverity {
		severities += severity.Open
	}
	for _, age := range s.Breaks.ByAge {
		ages += age.Error + age.Warning + age.Info
	}
	if kinds != s.Breaks.Open || severities != s.Breaks.Open || ages != s.Breaks.Open || closed != s.Breaks.Resolved+s.Breaks.Cleared {
		t.Errorf("open %d: by kind %d, by severity %d, by age %d; closed %d", s.Breaks.Open, kinds, severities, ages, closed)
	}
	for _, groups := range [][]figures.CreditBackGroup{s.CreditBacks.ByDecision, s.CreditBacks.ByClass, s.CreditBacks.ByCode} {
		var jobs int64
		for _, group := range groups {
			jobs += group.Jobs
		}
		if jobs != s.CreditBacks.Jobs {
			t.Errorf("groups have %d jobs, want %d: %+v", jobs, s.CreditBacks.Jobs, groups)
		}
	}
	if last := s.Trends[len(s.Trends)-1]; last.Date != s.BusinessDate || last.Errors != s.Breaks.BySeverity[0].Open || last.Closing != "1211646" {
		t.Errorf("the trend ends with %+v", last)
	}
}

func TestStoredFiguresComeBack(t *testing.T) {
	_, published := publish(t, busyNight())
	night := published.Summary.Night()
	back, err := figures.NightsOf(night.Figures())
	if err != nil || len(back) != 1 {
		t.Fatalf("%v, %v", back, err)
	}
	if len(back[0].Approved) != 1 || !reflect.DeepEqual(back[0], night) {
		t.Errorf("%+v, want %+v", back[0], night)
	}
	if _, err := figures.NightsOf([]figures.NightFigure{{Measure: "status", Value: "7"}}); err == nil {
		t.Error("status 7 was let in")
	}
}
