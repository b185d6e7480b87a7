// Package pages writes what people read in a browser: the page of a night, and the index of all nights. A page runs nothing and loads nothing.
package pages

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

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/tables"
)

//go:embed night.gohtml
var pageSource string

//go:embed page.css
var styleSource string

var pageTemplate = template.Must(template.New("page").Funcs(pageFuncs).Parse(pageSource))

var pageFuncs = template.FuncMap{
	"amount":     numbers.Amount,
	"amountUnit": numbers.WithUnit,
	"count":      func(n int64) string { return numbers.Grouped(numbers.Int(n)) },
	"int":        numbers.Int,
	"instant":    figures.InstantText,
	"minus1":     func(n int) int { return n - 1 },
	"negative":   func(n int64) string { return numbers.Grouped(numbers.Int(-n)) },
	"nonzero":    nonzero,
	"plural":     numbers.Plural,
	"detail":     numbers.InDetail,
	"short":      func(text string, limit int) string { return shorten(text, limit) },
	"side":       sideText,
	"sideClass":  sideClass,
	"unit":       numbers.Unit,
	"within":     withinText,
	"words":      func(text string) string { return strings.ReplaceAll(text, "_", " ") },
	"className":  figures.ClassText,
}

// Style is the style sheet of every page, and the content security policy that lets a page load nothing at all and run nothing.
func Style() (style template.CSS, policy string) {
	return template.CSS(styleSource), contentPolicy(styleSource)
}

// Funcs are the functions of the pages' templates.
func Funcs() template.FuncMap { return maps.Clone(pageFuncs) }

// contentPolicy lets the page load nothing at all and run nothing; its one style sheet is named by its hash.
func contentPolicy(style string) string {
	digest := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'; base-uri 'none'; form-action 'none'"
}

func nonzero(amounts []figures.Amount) []figures.Amount {
	var list []figures.Amount
	for _, amount := range amounts {
		if !amount.Value.IsZero() {
			list = append(list, amount)
		}
	}
	return list
}

// sideText shows one side of a break.
func sideText(b tables.Break, value string) string {
	switch {
	case value == "":
		return "–"
	case figures.SidesAreAmounts(&b):
		return numbers.Amount(numbers.Number(value), b.Unit)
	}
	if at, err := time.Parse(time.RFC3339, value); err == nil {
		return figures.InstantText(at)
	}
	return shorten(value, 40)
}

// sideClass keeps an amount on one line; an id or a word may be broken.
func sideClass(b tables.Break) string {
	if figures.SidesAreAmounts(&b) {
		return "n"
	}
	return "side"
}

func withinText(hours int64) string {
	if hours%24 == 0 && hours > 48 {
		return numbers.Plural(hours/24, "day")
	}
	return numbers.Plural(hours, "hour")
}

// page is what the template shows.
type page struct {
	S           *figures.Summary
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

	AgeGraph, ClassGraph, CodeGraph, ClosingGraph, DaysGraph graph
	Waterfalls, CashFalls, ShareGraphs, Trends               []graph

	OpenErrors                int64
	OpenTotals, MatchedTotals []tables.ControlTotal
	MoreShares                int64

	Next          []tables.RefundWindow
	Urgent, Final []tables.RefundDecision
	OpenDisputes  []tables.Dispute
	Transit       []tables.Payout
	FirstRejects  []tables.Reject
	Files         []tables.FileEntry
}

type tile struct{ Name, Big, More, Class, Href string }

type section struct{ ID, Name string }

type kindSection struct {
	K                             figures.KindFigures
	Anchor, Name, Meaning, Action string
	Subject                       string
	Rows                          []tables.Break
	More                          bool
}

// WriteNight writes summary.html.
func WriteNight(out io.Writer, s *figures.Summary, files []tables.FileEntry) error {
	p := page{S: s, Policy: contentPolicy(styleSource), Style: template.CSS(styleSource), Title: figures.LongDate(s.BusinessDate),
		Next: s.RefundWindows.Next, Urgent: s.RefundRequests.Urgent, Final: s.RefundRequests.Final, OpenDisputes: s.Disputes.OpenRows,
		Transit: s.Payouts.Transit, FirstRejects: s.Rejects.First,
		Sections: []section{{"attention", "Attention"}, {"proof", "Opening to closing"}, {"bridge", "Purchases to charges"}, {"controls", "Control totals"}, {"credit-backs", "Credit-backs"},
			{"windows", "Refund windows"}, {"requests", "Refund requests"}, {"stripe", "Stripe"}, {"trends", "Trends"}, {"breaks", "Breaks"},
			{"rejects", "Rows left out"}, {"run", "Run and files"}},
	}
	for _, file := range files {
		if file.Name != "summary.html" { // it can't know its own size
			p.Files = append(p.Files, file)
		}
	}
	slices.SortFunc(p.Files, func(a, b tables.FileEntry) int { return cmp.Compare(a.Name, b.Name) })
	p.StatusText, p.StatusClass = figures.StatusWords(s.Status, s.OpenErrors(), s.HasResidual())
	p.Headline = figures.Headline(s)
	p.OpenErrors = s.OpenErrors()
	p.Tiles = tiles(s)
	p.Kinds = kindSections(s)
	p.Ties = ties(s)
	p.Bridge = bridgeRows(s.Bridge)
	p.ProofRows = proofRows(s.RollForward)
	p.graphs()
	return pageTemplate.Execute(out, p)
}

func tiles(s *figures.Summary) []tile {
	errors, warnings := s.Breaks.BySeverity[0].Open, s.Breaks.BySeverity[1].Open
	list := []tile{{Name: "Open breaks", Big: numbers.Grouped(numbers.Int(s.Breaks.Open)), Href: "#attention",
		More: fmt.Sprintf("%s, %s, %d new", numbers.Plural(errors, "error"), numbers.Plural(warnings, "warning"), s.Breaks.New)}}
	if errors > 0 {
		list[0].Class = "error"
	}
	for _, row := range s.RollForward {
		if row.Measure != "credits" {
			continue
		}
		closing := tile{Name: "Credits owed to customers", Big: numbers.Grouped(row.Closing), Href: "#proof",
			More: "from " + numbers.Grouped(row.Opening) + " at opening; counted twice, difference " + numbers.Grouped(row.Difference)}
		if !row.Difference.IsZero() {
			closing.Class = "error"
		}
		list = append(list, closing)
	}
	for _, row := range s.StripeCash {
		cash := tile{Name: "Balance at Stripe", Big: numbers.WithUnit(row.ClosingMinor, row.Currency), Href: "#cash", More: "not compared with Stripe's own figure"}
		if row.ResidualMinor.Known() {
			cash.More = "residual to Stripe's own figure: " + numbers.Amount(row.ResidualMinor, row.Currency)
		}
		if !row.ResidualMinor.IsZero() {
			cash.Class = "error"
		}
		list = append(list, cash)
	}
	credited := s.CreditBacks.ByDecision[0]
	list = append(list, tile{Name: "Credited back tonight", Big: numbers.WithUnit(credited.Credited, "credits"), Href: "#credit-backs",
		More: "for " + numbers.Plural(credited.Jobs, "job") + " that failed on our side"})
	soon := s.RefundWindows.Closing[0]
	list = append(list, tile{Name: "Windows closing in 24 hours", Big: numbers.Grouped(numbers.Int(soon.Windows)), Href: "#windows", More: orText(figures.AmountList(soon.Money), "no money at risk")})
	requests := tile{Name: "Refund requests to decide", Big: numbers.Grouped(numbers.Int(s.RefundRequests.Undecided)), Href: "#requests",
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

func kindSections(s *figures.Summary) []kindSection {
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
			subject = figures.KindName(reconcile.BreakKind(rule.SubjectType))
		}
		list = append(list, kindSection{K: kind, Anchor: figures.Anchor(kind.Kind), Name: figures.KindName(kind.Kind), Meaning: rule.Meaning, Action: rule.Action,
			Subject: subject, Rows: kind.Top, More: kind.Open > int64(len(kind.Top))})
	}
	return list
}

// StyleSheet is the style of the published pages, for other pages that should look like them.
func StyleSheet() string { return styleSource }
