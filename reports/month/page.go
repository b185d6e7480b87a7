package month

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/accounting"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/pages"
	"github.com/hummingbytes/reconciler/reports/tables"
	"github.com/hummingbytes/reconciler/reports/workbook"
)

//go:embed month.gohtml
var pageSource string

var pageTemplate = template.Must(template.New("month").Funcs(pages.Funcs()).Funcs(template.FuncMap{
	"counted": func(n int, noun string) string { return plural(n, noun, noun+"s") },
	"text":    figures.KindName,
	"days": func(n int64) string {
		if n == 1 {
			return "1 day"
		}
		return fmt.Sprintf("%d days", n)
	},
	"measure":  measureText,
	"sentence": sentence,
	// Tables of one kind have a name each, for who doesn't see where they stand.
	"labelled": func(label string, rows any) labelled { return labelled{label, rows} },
	"long":     longDate,
}).Parse(pageSource))

type labelled struct {
	Label string
	Rows  any
}

// shown is how many rows of a list the page has; the files have all.
const shown = 100

// page is what the template shows.
type page struct {
	*Input
	Style                    template.CSS
	Policy                   string
	Title, State, StateClass string
	Headline                 string
	Revision                 int
	Faults                   []string
	Tiles                    []tile
	Untied                   []Proof
	Groups                   []group
	Errors                   []Break
	BreakRows                []Break
	MoreBreaks               int
	RefundRows               []Refund
	MoreRefunds              int
	LateRows                 []LateItem
	MoreLate                 int
	TrialGroups              []trialGroup
	RollRows                 []rollRow
	WaterfallTotals          []Waterfall
	Changes                  changes
	SignedChanges            []balanceChange
	SignedItems              changes
	OpeningChanges           []balanceChange
	Files                    []tables.FileEntry
}

// tile is a figure at the top of the page.
type tile struct {
	Name, Big, More, Class, Href string
	Amount, Second               workbook.FrontAmount // shown in place of Big, and before More, where there is one
}

func (in *Input) tiles() []tile {
	oldest, accounts := int64(0), 0
	for _, g := range in.groups() {
		oldest, accounts = max(oldest, g.Oldest), accounts+1
	}
	list := []tile{
		{Name: "Open items", Big: fmt.Sprint(len(in.Items)), Href: "#items", More: fmt.Sprintf("in %s, the oldest %s", plural(accounts, "account", "accounts"), plural(int(oldest), "day", "days"))},
		{Name: "Open errors", Big: fmt.Sprint(in.SignOff.OpenErrors), Href: "#breaks", More: fmt.Sprintf("%d accepted, %s open", len(in.SignOff.Accepted), plural(int(in.SignOff.OpenWarnings), "warning", "warnings"))},
	}
	if in.SignOff.OpenErrors > 0 {
		list[1].Class = "error"
	}
	for _, c := range in.Cash {
		list = append(list, tile{Name: "Balance at Stripe", Amount: amount(c.ClosingMinor, c.Currency), Href: "#cash", Second: amount(c.OpeningMinor, c.Currency), More: "as the month opened"})
	}
	for _, i := range in.Income {
		if i.IsTotal {
			list = append(list, tile{Name: "Income less expenses", Amount: amount(i.Month, i.Currency), Href: "#income", Second: amount(i.Year, i.Currency), More: "this year"})
		}
	}
	return list
}

// group is an account whose balance consists of items.
type group struct {
	Account, Currency string
	Items             []OpenItem
	Shown             []OpenItem
	More              int
	Sum, Closing      numbers.Number
	Oldest            int64
}

// Ties says whether the items add up to the balance.
func (g group) Ties() bool { return g.Sum.Minus(g.Closing).IsZero() }

type trialGroup struct {
	Currency string
	Rows     []TrialBalance
	Total    TrialBalance
}

type rollRow struct {
	Name  string
	Cells []workbook.FrontAmount
	Sum   bool
	Bad   bool
}

// balanceChange is a balance that is another than was drafted or signed.
type balanceChange struct {
	Account, Currency string
	Was, Is, By       numbers.Number
}

// changes are what differs from an earlier revision.
type changes struct {
	Revision  int
	State     string
	Balances  []balanceChange
	New, Gone []OpenItem
	Moved     []OpenItem // the amount is another
	MoreItems int
}

// Any says whether there is one.
func (c changes) Any() bool {
	return len(c.Balances)+len(c.New)+len(c.Gone)+len(c.Moved)+c.MoreItems > 0
}

func (in *Input) page(revision int, baseline Published) *page {
	p := &page{Input: in, Title: monthName(in.Month), State: in.SignOff.State, StateClass: map[string]string{StateDraft: "warning", StateClosed: "ok", StateReviewed: "ok"}[in.SignOff.State],
		Headline: in.headline(), Revision: revision, Faults: in.Faults(), Groups: in.groups(), Errors: in.OpenErrors()}
	p.Style, p.Policy = pages.Style()
	p.Tiles = in.tiles()
	for _, proof := range in.Proofs {
		if !proof.Difference.IsZero() {
			p.Untied = append(p.Untied, proof)
		}
	}
	sorted := slices.Clone(in.Breaks)
	slices.SortStableFunc(sorted, func(a, b Break) int {
		return cmp.Or(rank(a.Severity)-rank(b.Severity), atStake(b).Compare(atStake(a)), cmp.Compare(b.AgeDays, a.AgeDays))
	})
	p.BreakRows, p.MoreBreaks = first(sorted)
	p.RefundRows, p.MoreRefunds = first(in.Refunds)
	p.LateRows, p.MoreLate = first(in.Late)
	p.TrialGroups = trialGroups(in.Trial)
	p.RollRows = rollRows(in.RollForward)
	p.WaterfallTotals = waterfallTotals(in.Waterfall)
	p.Changes = compare(baseline, in.Trial, in.Items)
	if in.Signed.Revision > 0 && in.SignOff.State == StateDraft {
		p.SignedItems = compare(in.Signed, in.Trial, in.Items)
		p.SignedChanges = p.SignedItems.Balances
	}
	if in.Before.Revision > 0 {
		p.OpeningChanges = openings(in.Before.Trial, in.Trial)
	}
	return p
}

// atStake is the money of a break, in minor units of whatever currency: an order to read in, and no more.
func atStake(b Break) numbers.Number {
	if !numbers.IsCurrency(b.Unit) {
		return "0"
	}
	return b.Variance.Abs()
}

func rank(s reconcile.Severity) int {
	return slices.Index([]reconcile.Severity{reconcile.Error, reconcile.Warning, reconcile.Info}, s)
}

func first[T any](rows []T) ([]T, int) {
	n := min(shown, len(rows))
	return rows[:n], len(rows) - n
}

// groups are the accounts with open items: those that have items or a balance.
func (in *Input) groups() (list []group) {
	items := map[[2]string][]OpenItem{}
	for _, item := range in.Items {
		key := [2]string{item.Account, item.Currency}
		items[key] = append(items[key], item)
	}
	for _, row := range in.Trial {
		key := [2]string{row.Account, row.Currency}
		if !row.Role.HasOpenItems() || row.Closing.IsZero() && len(items[key]) == 0 {
			continue
		}
		g := group{Account: row.Account, Currency: row.Currency, Items: items[key], Closing: row.Closing, Sum: "0"}
		for _, item := range g.Items {
			g.Sum = g.Sum.Plus(item.Amount)
			g.Oldest = max(g.Oldest, item.AgeDays)
		}
		oldest := slices.Clone(g.Items)
		slices.SortStableFunc(oldest, func(a, b OpenItem) int { return int(b.AgeDays - a.AgeDays) })
		g.Shown, g.More = first(oldest)
		list = append(list, g)
	}
	return list
}

func trialGroups(rows []TrialBalance) (groups []trialGroup) {
	byCurrency := map[string]int{}
	for _, row := range rows {
		i, ok := byCurrency[row.Currency]
		if !ok {
			i = len(groups)
			byCurrency[row.Currency] = i
			groups = append(groups, trialGroup{Currency: row.Currency, Total: TrialBalance{Currency: row.Currency, Opening: "0", Debits: "0", Credits: "0", Closing: "0"}})
		}
		g := &groups[i]
		g.Rows = append(g.Rows, row)
		g.Total.Opening, g.Total.Debits = g.Total.Opening.Plus(row.Opening), g.Total.Debits.Plus(row.Debits)
		g.Total.Credits, g.Total.Closing = g.Total.Credits.Plus(row.Credits), g.Total.Closing.Plus(row.Closing)
	}
	slices.SortStableFunc(groups, func(a, b trialGroup) int { return strings.Compare(a.Currency, b.Currency) })
	return groups
}

func rollRows(rows []tables.RollForward) (list []rollRow) {
	for _, column := range []struct {
		name     string
		of       func(tables.RollForward) numbers.Number
		sum, tie bool
	}{
		{"Opening", func(r tables.RollForward) numbers.Number { return r.Opening }, true, false},
		{"Purchases", func(r tables.RollForward) numbers.Number { return r.Purchases }, false, false},
		{"Promotions", func(r tables.RollForward) numbers.Number { return r.Promotions }, false, false},
		{"Usage", func(r tables.RollForward) numbers.Number { return r.Usage }, false, false},
		{"Credit-backs", func(r tables.RollForward) numbers.Number { return r.CreditBacks }, false, false},
		{"Refunds", func(r tables.RollForward) numbers.Number { return r.Refunds }, false, false},
		{"Adjustments", func(r tables.RollForward) numbers.Number { return r.Adjustments }, false, false},
		{"Late items", func(r tables.RollForward) numbers.Number { return r.LateItems }, false, false},
		{"Closing", func(r tables.RollForward) numbers.Number { return r.Closing }, true, false},
		{"Counted again from the lots", func(r tables.RollForward) numbers.Number { return r.ClosingFromLots }, false, false},
		{"Difference", func(r tables.RollForward) numbers.Number { return r.Difference }, true, true},
	} {
		row := rollRow{Name: column.name, Sum: column.sum}
		for _, r := range rows {
			n := column.of(r)
			row.Cells = append(row.Cells, amount(n, r.Measure))
			row.Bad = row.Bad || column.tie && !n.IsZero()
		}
		list = append(list, row)
	}
	return list
}

func waterfallTotals(rows []Waterfall) (totals []Waterfall) {
	for _, row := range rows {
		i := slices.IndexFunc(totals, func(t Waterfall) bool { return t.Currency == row.Currency && t.Kind == row.Kind })
		if i < 0 {
			i = len(totals)
			totals = append(totals, Waterfall{Currency: row.Currency, Kind: row.Kind, Sold: "0", Refunded: "0", EarnedBefore: "0", Earned: "0", Remaining: "0"})
		}
		t := &totals[i]
		t.Sold, t.Refunded, t.EarnedBefore = t.Sold.Plus(row.Sold), t.Refunded.Plus(row.Refunded), t.EarnedBefore.Plus(row.EarnedBefore)
		t.Earned, t.Remaining = t.Earned.Plus(row.Earned), t.Remaining.Plus(row.Remaining)
	}
	slices.SortFunc(totals, func(a, b Waterfall) int { return strings.Compare(a.Currency+a.Kind, b.Currency+b.Kind) })
	return totals
}

// compare says what differs from an earlier revision.
func compare(was Published, trial []TrialBalance, items []OpenItem) changes {
	c := changes{Revision: was.Revision, State: was.State}
	if was.Revision == 0 {
		return c
	}
	c.Balances = balances(was.Trial, trial, func(r TrialBalance) numbers.Number { return r.Closing }, func(r TrialBalance) numbers.Number { return r.Closing })
	type key struct{ account, currency, kind, id string }
	of := func(i OpenItem) key { return key{i.Account, i.Currency, i.ItemType, i.ItemID} }
	before := map[key]OpenItem{}
	for _, item := range was.Items {
		before[of(item)] = item
	}
	for _, item := range items {
		old, ok := before[of(item)]
		delete(before, of(item))
		switch {
		case !ok:
			c.New = append(c.New, item)
		case old.Amount != item.Amount:
			c.Moved = append(c.Moved, item)
		}
	}
	for _, item := range was.Items {
		if _, gone := before[of(item)]; gone {
			c.Gone = append(c.Gone, item)
		}
	}
	for _, list := range []*[]OpenItem{&c.New, &c.Gone, &c.Moved} {
		var more int
		*list, more = first(*list)
		c.MoreItems += more
	}
	return c
}

// openings are the balances that the month opened with and the month before was not signed with.
func openings(was, is []TrialBalance) []balanceChange {
	return balances(was, is, func(r TrialBalance) numbers.Number { return r.Closing }, func(r TrialBalance) numbers.Number { return r.Opening })
}

func balances(was, is []TrialBalance, ofWas, ofIs func(TrialBalance) numbers.Number) (list []balanceChange) {
	before := map[[2]string]numbers.Number{}
	for _, row := range was {
		before[[2]string{row.Account, row.Currency}] = ofWas(row)
	}
	for _, row := range is {
		key := [2]string{row.Account, row.Currency}
		if by := ofIs(row).Minus(before[key]); !by.IsZero() {
			list = append(list, balanceChange{row.Account, row.Currency, "0", ofIs(row), by})
			if old := before[key]; old.Known() {
				list[len(list)-1].Was = old
			}
		}
		delete(before, key)
	}
	for _, row := range was {
		key := [2]string{row.Account, row.Currency}
		if old, gone := before[key]; gone && !old.IsZero() {
			list = append(list, balanceChange{row.Account, row.Currency, old, "0", old.Neg()})
		}
	}
	return list
}

func longDate(d reconcile.Date) string { return fmt.Sprintf("%d %s %d", d.Day, d.Month, d.Year) }

func monthName(m reconcile.Month) string { return fmt.Sprintf("%s %d", m.Month, m.Year) }

func measureText(measure string) string {
	if measure == accounting.CreditUnit {
		return "Credits"
	}
	return strings.ToUpper(measure)
}

// stateText says in words where the month stands.
func (in *Input) stateText() string {
	s := in.SignOff
	switch {
	case s.Reviewed != nil:
		return fmt.Sprintf("Closed by %s, reviewed by %s", s.Closed.By, s.Reviewed.By)
	case s.Closed != nil:
		return fmt.Sprintf("Closed by %s, not reviewed yet", s.Closed.By)
	default:
		return "Draft: nobody has closed it"
	}
}

func (in *Input) headline() string {
	var said []string
	if faults := in.Faults(); len(faults) > 0 {
		said = append(said, "This month can't be closed: "+strings.Join(faults[:min(3, len(faults))], "; ")+".")
	} else {
		every := "Every night"
		if first := in.Nights[0].BusinessDate; first.After(in.Month.First()) {
			every += fmt.Sprintf(" from %s, where the books begin,", longDate(first))
		}
		said = append(said, every+" is there and ties, and every balance is explained item by item.")
	}
	if in.StripeSeen.IsZero() {
		said = append(said, "Stripe was not looked at.")
	} else if in.StripeSeen.Before(in.Through) {
		said = append(said, fmt.Sprintf("Stripe was not looked at after %s.", longDate(in.StripeSeen)))
	}
	s := in.SignOff
	if open := s.OpenErrors + s.OpenWarnings + s.OpenInfos; open == 0 {
		said = append(said, "No break is open.")
	} else {
		said = append(said, fmt.Sprintf("%s open at its end, %s among them.", plural(int(open), "break is", "breaks are"), plural(int(s.OpenErrors), "error", "errors")))
	}
	return strings.Join(said, " ")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// sentence begins with a capital letter and ends with a full stop.
func sentence(text string) string {
	r, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[size:] + "."
}
