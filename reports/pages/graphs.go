package pages

import (
	"fmt"
	"strings"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// maxWaterfalls bounds how many currencies are drawn; the tables have all.
const maxWaterfalls = 6

// graphs draws the night's graphs.
func (p *page) graphs() {
	p.ageGraph()
	p.waterfalls()
	p.shareGraphs()
	p.creditBackGraphs()
	p.refundGraphs()
	p.Trends = trends(p.S)
}

func (p *page) ageGraph() {
	if p.S.Breaks.Open == 0 {
		return
	}
	var ages []bar
	for _, age := range p.S.Breaks.ByAge {
		total := age.Error + age.Warning + age.Info
		ages = append(ages, bar{Label: age.Age, Value: numbers.Grouped(numbers.Int(total)), Size: numbers.Int(total), Class: "bar"})
	}
	p.AgeGraph = bars("age", "Open breaks by age", ages)
}

// waterfalls lead from opening to closing, for the liability and for the balance at Stripe.
func (p *page) waterfalls() {
	s := p.S
	for i, row := range s.RollForward[:min(maxWaterfalls, len(s.RollForward))] {
		name := "credits"
		if row.Measure != "credits" {
			name = numbers.Unit(row.Measure)
		}
		p.Waterfalls = append(p.Waterfalls, waterfall(fmt.Sprintf("liability-%d", i+1), "Credit liability in "+name, row.Measure, movements(row)))
	}
	for i, row := range s.StripeCash[:min(maxWaterfalls, len(s.StripeCash))] {
		p.CashFalls = append(p.CashFalls, waterfall(fmt.Sprintf("cash-%d", i+1), "Balance at Stripe in "+numbers.Unit(row.Currency), row.Currency, cashSteps(row, s.StripeActivity)))
	}
}

// shareGraphs show how much of each check is matched, in two graphs side by side where there are many; checks that matched entirely are
// only listed.
func (p *page) shareGraphs() {
	for _, row := range p.S.ControlTotals {
		if row.Awaiting.IsZero() && row.Breaks.IsZero() && row.Difference.IsZero() {
			p.MatchedTotals = append(p.MatchedTotals, row)
		} else {
			p.OpenTotals = append(p.OpenTotals, row)
		}
	}
	open := openChecks(p.S.ControlTotals)
	half := (min(maxShares, len(open)) + 1) / 2
	if len(open) <= 4 {
		half = len(open)
	}
	p.MoreShares = int64(max(0, len(open)-maxShares))
	for i, part := range [][]tables.ControlTotal{open[:half], open[half:min(maxShares, len(open))]} {
		if len(part) > 0 {
			p.ShareGraphs = append(p.ShareGraphs, shareBars(fmt.Sprintf("share-%d", i+1), []string{"Checks that are not matched entirely", "Further checks that are not matched entirely"}[i], part))
		}
	}
}

// creditBackGraphs show whose fault failed jobs were, and why they failed.
func (p *page) creditBackGraphs() {
	c := p.S.CreditBacks
	if c.Jobs == 0 {
		return
	}
	var classes, codes []bar
	for _, class := range c.ByClass {
		classes = append(classes, bar{classLabel(class.Name), numbers.Plural(class.Jobs, "job") + ", " + numbers.Grouped(class.Credited) + " back", numbers.Int(class.Jobs), classFill(class.Name)})
	}
	for _, code := range c.ByCode[:min(10, len(c.ByCode))] {
		codes = append(codes, bar{orText(code.Name, "(no code)"), numbers.Plural(code.Jobs, "job"), numbers.Int(code.Jobs), classFill(code.Class)})
	}
	p.ClassGraph = bars("classes", "Failed jobs by whose fault it was", classes)
	p.CodeGraph = bars("codes", "Failed jobs by failure code", codes)
}

// refundGraphs show which refund windows close soon, and how long is left to decide requests.
func (p *page) refundGraphs() {
	var closing, days []bar
	for _, group := range p.S.RefundWindows.Closing {
		closing = append(closing, bar{withinText(group.Hours), numbers.Plural(group.Windows, "window"), numbers.Int(group.Windows), "bar"})
	}
	p.ClosingGraph = bars("closing", "Open refund windows that close within", closing)
	for i, group := range p.S.RefundRequests.ByDaysLeft {
		class := "bar"
		if i == 0 {
			class = "broken"
		}
		days = append(days, bar{group.Days, numbers.Plural(group.Requests, "request"), numbers.Int(group.Requests), class})
	}
	p.DaysGraph = bars("days", "Undecided requests by business days left", days)
}

// classLabel is a class in the few characters that a graph has room for.
func classLabel(class string) string {
	switch class {
	case "system":
		return "our side"
	case "user":
		return "the customer's side"
	case "unknown":
		return "not classified"
	default:
		return class
	}
}

func classFill(class string) string {
	switch class {
	case "system":
		return "bar"
	case "user":
		return "soft"
	default:
		return "awaiting"
	}
}

// cashSteps are the balance's opening, what moved it by reporting category, and its closing. Where the categories don't add up to the
// activity, the rest is a step of its own.
func cashSteps(row tables.StripeCash, activity []tables.StripeActivity) []step {
	steps := []step{{"Opening", row.OpeningMinor, true}}
	rest := row.ActivityMinor
	for _, a := range activity {
		if a.Currency == row.Currency && !strings.HasPrefix(a.ReportingCategory, "payout") && !a.Net.IsZero() {
			steps = append(steps, step{figures.KindName(reconcile.BreakKind(a.ReportingCategory)), a.Net, false})
			rest = rest.Minus(a.Net)
		}
	}
	if !rest.IsZero() {
		steps = append(steps, step{"Other activity", rest, false})
	}
	return append(steps, step{"Payouts", row.PayoutsMinor, false}, step{"Closing", row.ClosingMinor, true})
}

func trends(s *figures.Summary) []graph {
	list := []graph{
		trend("trend-breaks", "Open breaks: errors (dark), warnings (hatched), info (light)", "", s.BusinessDate, s.Trends, []trendPart{
			{"errors", "broken", func(n figures.NightFigures) numbers.Number { return numbers.Int(n.Errors) }},
			{"warnings", "awaiting", func(n figures.NightFigures) numbers.Number { return numbers.Int(n.Warnings) }},
			{"info", "soft", func(n figures.NightFigures) numbers.Number { return numbers.Int(n.Infos) }}}),
		trend("trend-credited", "Credits credited back", "credits", s.BusinessDate, s.Trends, []trendPart{
			{"credited back", "bar", func(n figures.NightFigures) numbers.Number { return n.Credited }}}),
		trend("trend-requests", "Undecided refund requests: overdue (dark), in time (light)", "", s.BusinessDate, s.Trends, []trendPart{
			{"overdue", "broken", func(n figures.NightFigures) numbers.Number { return numbers.Int(n.Overdue) }},
			{"in time", "soft", func(n figures.NightFigures) numbers.Number { return numbers.Int(n.Undecided - n.Overdue) }}}),
	}
	for _, night := range s.Trends {
		if night.Closing.Known() {
			return append(list, trend("trend-closing", "Credits owed to customers at closing", "credits", s.BusinessDate, s.Trends, []trendPart{
				{"credits owed", "matched", func(n figures.NightFigures) numbers.Number { return n.Closing }}}))
		}
	}
	return list
}
