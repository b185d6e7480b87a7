package reports

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/hummingbytes/reconciler/reconcile"
)

//go:embed page.gohtml
var pageSource string

//go:embed page.css
var styleSource string

var pageTemplate = template.Must(template.New("page").Funcs(pageFuncs).Parse(pageSource))

var pageFuncs = template.FuncMap{
	"amount":     amountText,
	"amountUnit": amountWithUnit,
	"count":      func(n int64) string { return grouped(Int(n)) },
	"int":        Int,
	"instant":    instantText,
	"minus1":     func(n int) int { return n - 1 },
	"negative":   func(n int64) string { return grouped(Int(-n)) },
	"nonzero":    nonzero,
	"plural":     plural,
	"short":      func(text string, limit int) string { return shorten(text, limit) },
	"side":       sideText,
	"unit":       unitText,
	"within":     withinText,
	"words":      func(text string) string { return strings.ReplaceAll(text, "_", " ") },
	"className":  classText,
}

// PageStyle is the style sheet of every page, and the content security policy that lets a page load nothing at all and run nothing.
func PageStyle() (style template.CSS, policy string) {
	return template.CSS(styleSource), contentPolicy(styleSource)
}

// PageFuncs are the functions of the pages' templates.
func PageFuncs() template.FuncMap { return maps.Clone(pageFuncs) }

// contentPolicy lets the page load nothing at all and run nothing; its one style sheet is named by its hash.
func contentPolicy(style string) string {
	digest := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'; base-uri 'none'; form-action 'none'"
}

func instantText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func nonzero(amounts []Amount) []Amount {
	var list []Amount
	for _, amount := range amounts {
		if !amount.Value.IsZero() {
			list = append(list, amount)
		}
	}
	return list
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(Int(n)) + " " + noun + "s"
}

// sidesAreAmounts says whether both sides of a break are amounts in its unit: then, and only then, the variance is what lies between them.
func sidesAreAmounts(b *Break) bool {
	if !isStake(b.Unit) {
		return false
	}
	var ours, theirs Number
	if b.Ours != "" && ours.parse(b.Ours) != nil || b.Theirs != "" && theirs.parse(b.Theirs) != nil {
		return false
	}
	return ours.Minus(theirs).Compare(b.Variance) == 0
}

// sideText shows one side of a break.
func sideText(b Break, value string) string {
	switch {
	case value == "":
		return "–"
	case sidesAreAmounts(&b):
		return amountText(Number(value), b.Unit)
	default:
		return shorten(value, 40)
	}
}

func withinText(hours int64) string {
	if hours%24 == 0 && hours > 48 {
		return plural(hours/24, "day")
	}
	return plural(hours, "hour")
}

func classText(class string) string {
	switch class {
	case "system":
		return "ours (system)"
	case "user":
		return "the customer's (user)"
	case "unknown":
		return "not classified"
	default:
		return class
	}
}

// page is what the template shows.
type page struct {
	S           *Summary
	Policy      string
	Style       template.CSS
	Title       string
	StatusText  string
	StatusClass string
	Headline    string
	Tiles       []tile
	Sections    []section
	Ties        []tie
	Bridge      []bridgeRow
	ProofRows   []proofRow
	Kinds       []kindSection

	AgeChart, ClassChart, CodeChart, ClosingChart, DaysChart chart
	Waterfalls, CashFalls, ShareCharts, Trends               []chart

	OpenErrors                int64
	OpenTotals, MatchedTotals []ControlTotal
	MoreShares                int64

	Next          []RefundWindow
	Urgent, Final []RefundDecision
	OpenDisputes  []Dispute
	Transit       []Payout
	FirstRejects  []Reject
	Files         []FileEntry
}

type tile struct{ Name, Big, More, Class, Href string }

type section struct{ ID, Name string }

type kindSection struct {
	K                             KindFigures
	Anchor, Name, Meaning, Action string
	Subject                       string
	Rows                          []Break
	More                          bool
}

// RowCount is Rows for the template.
func (f FileEntry) RowCount() int64 { return *f.Rows }

// writePage writes summary.html.
func writePage(out io.Writer, s *Summary, files []FileEntry) error {
	p := page{S: s, Policy: contentPolicy(styleSource), Style: template.CSS(styleSource), Title: longDate(s.BusinessDate),
		Next: s.RefundWindows.next, Urgent: s.RefundRequests.urgent, Final: s.RefundRequests.final, OpenDisputes: s.Disputes.open,
		Transit: s.Payouts.transit, FirstRejects: s.Rejects.first,
		Sections: []section{{"attention", "Attention"}, {"proof", "Opening to closing"}, {"bridge", "Purchases to charges"}, {"controls", "Control totals"}, {"credit-backs", "Credit-backs"},
			{"windows", "Refund windows"}, {"requests", "Refund requests"}, {"stripe", "Stripe"}, {"trends", "Trends"}, {"breaks", "Breaks"},
			{"rejects", "Rows left out"}, {"run", "Run and files"}},
	}
	for _, file := range files {
		if file.Name != "summary.html" { // it can't know its own size
			p.Files = append(p.Files, file)
		}
	}
	slices.SortFunc(p.Files, func(a, b FileEntry) int { return cmp.Compare(a.Name, b.Name) })
	p.StatusText, p.StatusClass = StatusWords(s.Status, s.Breaks.BySeverity[0].Open)
	p.Headline = headline(s)
	p.OpenErrors = s.Breaks.BySeverity[0].Open
	p.Tiles = tiles(s)
	p.Kinds = kindSections(s)
	p.Ties = ties(s)
	p.Bridge = bridgeRows(s.Bridge)
	p.ProofRows = proofRows(s.RollForward)
	p.charts()
	return pageTemplate.Execute(out, p)
}

func longDate(d reconcile.Date) string {
	return fmt.Sprintf("%s, %d %s %d", d.Weekday(), d.Day, d.Month, d.Year)
}

func statusText(status Status) string {
	switch status {
	case StatusTied:
		return "✓ totals agree"
	case StatusUntied:
		return "✗ totals disagree"
	default:
		return "! incomplete"
	}
}

func statusClass(status Status) string {
	switch status {
	case StatusTied:
		return "ok"
	case StatusUntied:
		return "error"
	default:
		return "warning"
	}
}

// headline is the night in two or three sentences.
func headline(s *Summary) string {
	var said []string
	switch s.Status {
	case StatusTied:
		said = append(said, "Every row is accounted for, and all totals agree.")
	case StatusUntied:
		said = append(said, "The totals of this night do not agree.")
	default:
		said = append(said, "Part of this night could not be looked at.")
	}
	if left := leftOutRows(s); !left.IsZero() {
		if s.Status == StatusTied {
			said[0] = "All totals agree."
		}
		said = append(said, fmt.Sprintf("Rows of the platform that break its contract and were left out: %s.", grouped(left)))
	}
	if residuals := amountList(cashResiduals(s)); residuals != "" {
		if s.Status == StatusTied {
			said[0] = "All totals that are counted here agree."
		}
		said = append(said, "The balance at Stripe is not what Stripe itself says it is: "+residuals+".")
	}
	errors, warnings := s.Breaks.BySeverity[0].Open, s.Breaks.BySeverity[1].Open
	switch {
	case s.Breaks.Open == 0:
		said = append(said, "No break is open.")
	case errors+warnings == 0:
		said = append(said, fmt.Sprintf("%s open, for information only.", isOpen(s.Breaks.Open, "break")))
	default:
		text := isOpen(s.Breaks.Open, "break") + " open"
		if errors > 0 {
			text += ", " + plural(errors, "error") + " among them"
		}
		if stake := amountList(s.Breaks.AtStake); stake != "" {
			text += "; " + stake + " at stake"
		}
		said = append(said, text+".")
	}
	if s.RefundRequests.Overdue > 0 {
		said = append(said, isOpen(s.RefundRequests.Overdue, "refund request")+" overdue.")
	}
	return strings.Join(said, " ")
}

// cashResiduals are the differences to Stripe's own balance.
func cashResiduals(s *Summary) []Amount {
	var list []Amount
	for _, row := range s.StripeCash {
		if !row.ResidualMinor.IsZero() {
			list = append(list, Amount{row.Currency, row.ResidualMinor})
		}
	}
	return list
}

// isOpen is "1 break is" or "2 breaks are".
func isOpen(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun + " is"
	}
	return plural(n, noun) + " are"
}

func amountList(amounts []Amount) string {
	var list []string
	for _, a := range amounts {
		list = append(list, amountWithUnit(a.Value, a.Unit))
	}
	return strings.Join(list, ", ")
}

func tiles(s *Summary) []tile {
	errors, warnings := s.Breaks.BySeverity[0].Open, s.Breaks.BySeverity[1].Open
	list := []tile{{Name: "Open breaks", Big: grouped(Int(s.Breaks.Open)), Href: "#attention",
		More: fmt.Sprintf("%s, %s, %d new", plural(errors, "error"), plural(warnings, "warning"), s.Breaks.New)}}
	if errors > 0 {
		list[0].Class = "error"
	}
	for _, row := range s.RollForward {
		if row.Measure != "credits" {
			continue
		}
		closing := tile{Name: "Credits owed to customers", Big: grouped(row.Closing), Href: "#proof",
			More: "from " + grouped(row.Opening) + " at opening; counted twice, difference " + grouped(row.Difference)}
		if !row.Difference.IsZero() {
			closing.Class = "error"
		}
		list = append(list, closing)
	}
	for _, row := range s.StripeCash {
		cash := tile{Name: "Balance at Stripe", Big: amountWithUnit(row.ClosingMinor, row.Currency), Href: "#cash", More: "not compared with Stripe's own figure"}
		if row.ResidualMinor.Known() {
			cash.More = "residual to Stripe's own figure: " + amountText(row.ResidualMinor, row.Currency)
		}
		if !row.ResidualMinor.IsZero() {
			cash.Class = "error"
		}
		list = append(list, cash)
	}
	credited := s.CreditBacks.ByDecision[0]
	list = append(list, tile{Name: "Credited back tonight", Big: amountWithUnit(credited.Credited, "credits"), Href: "#credit-backs",
		More: "for " + plural(credited.Jobs, "job") + " that failed on our side"})
	soon := s.RefundWindows.Closing[0]
	list = append(list, tile{Name: "Windows closing in 24 hours", Big: grouped(Int(soon.Windows)), Href: "#windows", More: orText(amountList(soon.Money), "no money at risk")})
	requests := tile{Name: "Refund requests to decide", Big: grouped(Int(s.RefundRequests.Undecided)), Href: "#requests",
		More: fmt.Sprintf("%d overdue, %d due within 2 days", s.RefundRequests.Overdue, s.RefundRequests.DueSoon)}
	if s.RefundRequests.Overdue > 0 {
		requests.Class = "error"
	}
	return append(list, requests)
}

func orText(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func kindName(kind reconcile.BreakKind) string {
	words := strings.ReplaceAll(string(kind), "_", " ")
	if words == "" {
		return words
	}
	runes := []rune(strings.ReplaceAll(words, "stripe", "Stripe"))
	runes[0] = unicode.ToUpper(runes[0])
	return string(runes)
}

// anchor is a break kind as an element id.
func anchor(kind reconcile.BreakKind) string {
	return "kind-" + strings.Map(func(r rune) rune {
		if r == '_' {
			return '-'
		}
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return 'x'
	}, strings.ToLower(string(kind)))
}

func kindSections(s *Summary) []kindSection {
	var list []kindSection
	for _, kind := range s.Breaks.ByKind {
		if kind.Open == 0 {
			continue
		}
		rule, ok := kind.Kind.Rule()
		if !ok {
			rule.Meaning = "This version does not know the kind."
		}
		subject := "Subject"
		if rule.SubjectType != "" {
			subject = kindName(reconcile.BreakKind(rule.SubjectType))
		}
		list = append(list, kindSection{K: kind, Anchor: anchor(kind.Kind), Name: kindName(kind.Kind), Meaning: rule.Meaning, Action: rule.Action,
			Subject: subject, Rows: kind.top, More: kind.Open > int64(len(kind.top))})
	}
	return list
}

// StyleSheet is the style of the published pages, for other pages that should look like them.
func StyleSheet() string { return styleSource }

// StatusWords say how a night ended, and with which colour, for a page: a night whose totals agree is green only when no error is open.
func StatusWords(status Status, errors int64) (text, class string) {
	class = statusClass(status)
	if status == StatusTied && errors > 0 {
		class = "error"
	}
	text = statusText(status)
	if status == StatusTied && errors > 0 {
		text = "totals agree, " + plural(errors, "error") + " open"
	}
	return text, class
}
