package reports

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/hummingbytes/reconciler/reconcile"
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
					if want := contentPolicy(n.FirstChild.Data); policy != want {
						t.Errorf("the policy is %q, want %q before the style sheet", policy, want)
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
	for _, want := range []string{"All totals agree. Rows of the platform that break its contract and were left out: 2.", "24 breaks are open, 6 errors among them; 2.87 EUR, 59.00 USD, 970 credits at stake.",
		"1 refund request is overdue.", "104,815.41"} {
		if !strings.Contains(textOf(busy), want) {
			t.Errorf("the busy night's page doesn't say %q", want)
		}
	}
}

func TestStatusHasEveryReason(t *testing.T) {
	in := badNight()
	f := newFigures(in.Facts)
	f.addControlTotal(ControlTotal{Check: "a", Unit: "usd", Difference: "-100"})
	f.addRollForward(RollForward{Measure: "eur", Difference: "1"})
	s := f.summary(nil)
	if s.Status != StatusUntied || len(s.StatusReasons) != 3 {
		t.Errorf("%s: %q", s.Status, s.StatusReasons)
	}
	f = newFigures(in.Facts)
	f.addControlTotal(ControlTotal{Check: "a", Difference: "0"})
	if s := f.summary(nil); s.Status != StatusIncomplete || len(s.StatusReasons) != 1 {
		t.Errorf("%s: %q", s.Status, s.StatusReasons)
	}
}

// A waterfall's bars end where its closing does, whatever the signs.
func TestWaterfallHoldsTogether(t *testing.T) {
	for name, steps := range map[string][]step{
		"usual":     movements(RollForward{"credits", "1204330", "61000", "2500", "-58420", "3411", "-1000", "-200", "25", "1211646", "1211646", "0"}),
		"negative":  movements(RollForward{"credits", "-1200", "61000", "2500", "-158420", "3411", "-1000", "-200", "25", "-93884", "-93914", "30"}),
		"nothing":   movements(RollForward{"usd", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0"}),
		"unchanged": movements(RollForward{"usd", "500", "0", "0", "0", "0", "0", "0", "0", "500", "500", "0"}),
		"huge":      movements(RollForward{"usd", "92233720368547758070000", "1", "0", "-1", "0", "0", "0", "0", "92233720368547758070000", "92233720368547758070000", "0"}),
	} {
		c := waterfall("x", "title", "usd", steps)
		for _, m := range c.Marks {
			if m.X < 0 || m.X+m.W > chartWidth || m.X2 > chartWidth || m.Y+m.H > c.Height {
				t.Errorf("%s: %+v is outside of the drawing", name, m)
			}
		}
	}
}

// What a break's sides are is seen from its variance: amounts get the currency's decimals, ids and states stay as they are.
func TestSidesOfABreak(t *testing.T) {
	for _, c := range []struct {
		b    Break
		want string
	}{
		{Break{Ours: "9900", Theirs: "8900", Variance: "1000", Unit: "usd"}, "99.00 89.00"},
		{Break{Ours: "", Theirs: "10000", Variance: "-10000", Unit: "usd"}, "– 100.00"},
		{Break{Ours: "1500", Theirs: "0", Variance: "1500", Unit: "credits"}, "1,500 0"},
		{Break{Ours: "12345", Theirs: "67890", Variance: "13", Unit: "credits"}, "12345 67890"}, // ids of accounts
		{Break{Ours: "completed", Theirs: "failed", Variance: "10000", Unit: "usd"}, "completed failed"},
		{Break{Ours: "100", Theirs: "40", Variance: "60", Unit: "seconds"}, "100 40"},
	} {
		if got := sideText(c.b, c.b.Ours) + " " + sideText(c.b, c.b.Theirs); got != c.want {
			t.Errorf("%+v: %q, want %q", c.b, got, c.want)
		}
	}
}

func TestTopNKeepsTheFirst(t *testing.T) {
	top := topN[int]{n: 3, order: func(a, b int) int { return a - b }}
	for _, v := range []int{5, 3, 9, 1, 7, 3} {
		top.add(v)
	}
	if len(top.items) != 3 || top.items[0] != 1 || top.items[1] != 3 || top.items[2] != 3 {
		t.Errorf("%v", top.items)
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
	for _, groups := range [][]CreditBackGroup{s.CreditBacks.ByDecision, s.CreditBacks.ByClass, s.CreditBacks.ByCode} {
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
	back, err := NightsOf(night.Figures())
	if err != nil || len(back) != 1 {
		t.Fatalf("%v, %v", back, err)
	}
	if got, want := spoken(back[0]), spoken(night); got != want || back[0].Closing != night.Closing || back[0].Credited != night.Credited || len(back[0].Approved) != 1 {
		t.Errorf("%+v, want %+v", back[0], night)
	}
	if _, err := NightsOf([]NightFigure{{Measure: "status", Value: "7"}}); err == nil {
		t.Error("status 7 was let in")
	}
}

func TestEveryKindHasAnAnchorOfItsOwn(t *testing.T) {
	valid, seen := regexp.MustCompile(`^kind-[a-z0-9-]+$`), map[string]bool{}
	for _, rule := range reconcile.BreakRules {
		id := anchor(rule.Kind)
		if !valid.MatchString(id) || seen[id] {
			t.Errorf("%s has the anchor %q", rule.Kind, id)
		}
		seen[id] = true
	}
	if id := anchor(`x" onload="1`); !valid.MatchString(id) {
		t.Errorf("a hostile kind has the anchor %q", id)
	}
}

func spoken(n NightFigures) string { return (&indexNight{NightFigures: n}).Spoken() }

// No label of a chart begins outside of it, however long a failure code or a category is.
func TestLabelsOfChartsFit(t *testing.T) {
	for _, label := range []string{"no", "CUDA_ERROR_ECC_UNCORRECTABLE", "Partial capture reversal", strings.Repeat("W", 60), strings.Repeat("界", 40)} {
		for _, c := range []chart{
			bars("b", "bars", []bar{{label, "1 job", Int(1), "bar"}, {"short", "2 jobs", Int(2), "bar"}}),
			waterfall("w", "waterfall", "usd", []step{{"Opening", Int(5), true}, {label, Int(2), false}, {"Closing", Int(7), true}}),
		} {
			for _, m := range c.Marks {
				if m.Class == "label end" && m.X < textWidth(m.Text) {
					t.Errorf("%s: %q ends at %d and is %d wide", c.ID, m.Text, m.X, textWidth(m.Text))
				}
				if m.W > 0 && (m.X+m.W > chartWidth-100 || m.Y+m.H > c.Height) {
					t.Errorf("%s: a bar of %q reaches %d, %d of %d, %d", c.ID, label, m.X+m.W, m.Y+m.H, chartWidth, c.Height)
				}
			}
			if strings.Contains(label, "CUDA") && c.ID == "b" && !slices.ContainsFunc(c.Marks, func(m mark) bool { return m.Class == "label" && m.Text == label }) {
				t.Errorf("the label %q isn't whole", label)
			}
		}
	}
}

// A night whose totals agree, but whose balance at Stripe is not what Stripe says, does not read as one in which everything agrees.
func TestHeadlineNamesTheResidualAtStripe(t *testing.T) {
	s := &Summary{Status: StatusTied, StripeCash: []StripeCash{{Currency: "eur", ResidualMinor: "0"}, {Currency: "usd", ResidualMinor: "-1234"}, {Currency: "jpy"}},
		Breaks: BreakFigures{Open: 1, BySeverity: []SeverityFigures{{Open: 1}, {}, {}}}}
	want := "All totals that are counted here agree. The balance at Stripe is not what Stripe itself says it is: −12.34 USD. 1 break is open, 1 error among them."
	if got := headline(s); got != want {
		t.Errorf("%s", got)
	}
}
