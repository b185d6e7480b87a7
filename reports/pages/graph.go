package pages

import (
	"fmt"
	"html/template"
	"math/big"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// graph is a drawing of whole-numbered coordinates that becomes inline SVG in the page. It says nothing by colour alone:
// fills differ in lightness and hatching, and every bar has its figure beside it.
type graph struct {
	ID, Title, Desc string
	Width, Height   int
	Marks           []mark
}

// mark is a rectangle (W > 0), a line (X2 or Y2 set), or a text.
type mark struct {
	X, Y, W, H int
	X2, Y2     int
	Class      string
	Text       string // of a text, or the tooltip of a rectangle
	IsLine     bool
}

// escaped writes texts as the template does.
var escaped = strings.NewReplacer("\x00", "\uFFFD", `"`, "&#34;", "&", "&amp;", "'", "&#39;", "+", "&#43;", "<", "&lt;", ">", "&gt;")

// Drawn are the marks. They are written without the template, whose words for each of a page's thousand marks took as long as all its other ones.
func (c graph) Drawn() template.HTML {
	var b strings.Builder
	for _, m := range c.Marks {
		class := escaped.Replace(m.Class)
		switch {
		case m.IsLine:
			fmt.Fprintf(&b, `<line x1="%d" y1="%d" x2="%d" y2="%d" class="%s"/>`, m.X, m.Y, m.X2, m.Y2, class)
		case m.W != 0:
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d" class="%s"><title>%s</title></rect>`, m.X, m.Y, m.W, m.H, class, escaped.Replace(m.Text))
		default:
			fmt.Fprintf(&b, `<text x="%d" y="%d" class="%s">%s</text>`, m.X, m.Y, class, escaped.Replace(m.Text))
		}
		b.WriteByte('\n')
	}
	return template.HTML(b.String())
}

// Dimensions of a graph's rows, in units of its view box. It is narrow so that it can be read on a phone without being scaled down much.
const (
	graphWidth = 420
	rowHeight  = 26
	barHeight  = 14
)

func (c *graph) rect(x, y, w, h int, class, tip string) {
	if w > 0 && h > 0 {
		c.Marks = append(c.Marks, mark{X: x, Y: y, W: w, H: h, Class: class, Text: tip})
	}
}

func (c *graph) text(x, y int, class, text string) {
	c.Marks = append(c.Marks, mark{X: x, Y: y, Class: class, Text: text})
}

func (c *graph) line(x, y, x2, y2 int, class string) {
	c.Marks = append(c.Marks, mark{X: x, Y: y, X2: x2, Y2: y2, Class: class, IsLine: true})
}

// scale is value/of * length in whole units, rounded down; at least 1 for what is above 0.
func scale(value, of *big.Int, length int) int {
	if of.Sign() <= 0 || value.Sign() <= 0 {
		return 0
	}
	v := new(big.Int).Mul(value, big.NewInt(int64(length)))
	v.Quo(v, of)
	return max(1, int(v.Int64()))
}

// step is one movement of a waterfall.
type step struct {
	Label string
	Value numbers.Number
	Total bool // opening or closing: drawn from the axis, not from the level before
}

// waterfall draws how an opening became a closing. Movements are often tiny beside the totals, so that the axis is cut off where that
// makes them visible; it then says so.
func waterfall(id, title, unit string, steps []step) graph {
	c := graph{ID: id, Title: title, Width: graphWidth, Height: len(steps)*rowHeight + 22}
	level := new(big.Int)
	var lowest, highest *big.Int
	levels := make([][2]*big.Int, len(steps))
	var said []string
	for i, s := range steps {
		before := new(big.Int).Set(level)
		if s.Total {
			level.Set(s.Value.Big())
			before.SetInt64(0)
		} else {
			level.Add(level, s.Value.Big())
		}
		levels[i] = [2]*big.Int{before, new(big.Int).Set(level)}
		if lowest == nil || level.Cmp(lowest) < 0 {
			lowest = new(big.Int).Set(level)
		}
		if highest == nil || level.Cmp(highest) > 0 {
			highest = new(big.Int).Set(level)
		}
		said = append(said, s.Label+" "+numbers.WithUnit(s.Value, unit))
	}
	c.Desc = strings.Join(said, ", ") + "."
	base, cut := axisBase(lowest, highest)
	if highest == nil || highest.Sign() < 0 {
		highest = new(big.Int)
	}
	span := new(big.Int).Sub(highest, base)
	const figures, right = 126, graphWidth
	left := 104
	for _, s := range steps {
		left = max(left, min(textWidth(s.Label)+8, 200))
	}
	width := graphWidth - figures - left
	at := func(v *big.Int) int { return left + scale(new(big.Int).Sub(v, base), span, width) }
	for i, s := range steps {
		y := i*rowHeight + 4
		from, to := levels[i][0], levels[i][1]
		class := "total"
		if !s.Total {
			class = "up"
			if s.Value.IsNegative() {
				class = "down"
			}
		} else if cut {
			from = base
		}
		x, x2 := at(from), at(to)
		if x2 < x {
			x, x2 = x2, x
		}
		w := x2 - x
		if !s.Value.IsZero() {
			w = max(w, 2)
		}
		c.text(left-8, y+11, "label end", fit(s.Label, left-8))
		c.rect(x, y, w, barHeight, class, s.Label+": "+numbers.WithUnit(s.Value, unit))
		if s.Total && cut {
			c.line(left+10, y-2, left+6, y+barHeight+2, "cut")
			c.line(left+14, y-2, left+10, y+barHeight+2, "cut")
		}
		if i+1 < len(steps) {
			top := y + barHeight
			if s.Value.IsZero() {
				top = y // nothing is drawn that would carry the line on
			}
			c.line(at(to), top, at(to), y+rowHeight, "guide")
		}
		text := numbers.Amount(s.Value, unit)
		if !s.Total && !s.Value.IsZero() && !s.Value.IsNegative() {
			text = "+" + text
		}
		c.text(right, y+11, "value end", text)
	}
	note := "in " + numbers.Unit(unit)
	if cut {
		note += "; the axis is cut off, so that the movements can be seen"
		c.Desc += " The axis does not begin at 0."
	}
	c.text(0, c.Height-5, "note", note)
	return c
}

// axisBase is where the axis begins: at 0, below it for negative levels, or shortly below the lowest level where all of them are far from 0.
func axisBase(lowest, highest *big.Int) (base *big.Int, cut bool) {
	if lowest == nil || lowest.Sign() <= 0 {
		if lowest == nil {
			return new(big.Int), false
		}
		return new(big.Int).Set(lowest), false
	}
	spread := new(big.Int).Sub(highest, lowest)
	if new(big.Int).Mul(spread, big.NewInt(3)).Cmp(highest) > 0 {
		return new(big.Int), false
	}
	margin := new(big.Int).Quo(spread, big.NewInt(4))
	if margin.Sign() == 0 {
		return new(big.Int), false
	}
	return new(big.Int).Sub(lowest, margin), true
}

// maxShares bounds how many checks are drawn; the table has all.
const maxShares = 12

// openChecks are the checks that are not matched entirely, by their counts of things, the largest first: what the graph of shares draws.
func openChecks(totals []tables.ControlTotal) []tables.ControlTotal {
	var open []tables.ControlTotal
	for _, row := range totals {
		if !figures.IsStake(row.Unit) && !(row.Awaiting.IsZero() && row.Breaks.IsZero() && row.Difference.IsZero()) {
			open = append(open, row)
		}
	}
	slices.SortStableFunc(open, func(a, b tables.ControlTotal) int { return b.Scanned.Compare(a.Scanned) })
	return open
}

// shareBars draws matched, awaiting and broken of each check as one bar. A share above 0 is at least 3 units wide: a single break among
// millions must be seen.
func shareBars(id, title string, totals []tables.ControlTotal) graph {
	c := graph{ID: id, Title: title, Width: graphWidth, Height: len(totals)*40 + 4}
	var said []string
	for i, row := range totals {
		y := i * 40
		c.text(0, y+12, "label", row.Check+unitSuffix(row.Unit))
		c.text(graphWidth, y+12, "value end", numbers.Amount(row.Matched, row.Unit)+" of "+numbers.Amount(row.Scanned, row.Unit))
		parts := []struct {
			name, class string
			value       numbers.Number
		}{{"matched", "matched", row.Matched}, {"awaiting", "awaiting", row.Awaiting}, {"breaks", "broken", row.Breaks}}
		whole := new(big.Int)
		for _, part := range parts {
			whole.Add(whole, new(big.Int).Abs(part.value.Big()))
		}
		if whole.Sign() == 0 {
			c.rect(0, y+17, graphWidth, barHeight, "nothing", "nothing to match")
		}
		widths, room := [3]int{}, graphWidth
		for j := 2; j >= 0; j-- {
			if v := new(big.Int).Abs(parts[j].value.Big()); v.Sign() > 0 {
				widths[j] = min(room, max(3, scale(v, whole, graphWidth)))
				if j == 0 {
					widths[j] = room
				}
				room -= widths[j]
			}
		}
		x := 0
		for j, part := range parts {
			c.rect(x, y+17, widths[j], barHeight, part.class, part.name+": "+numbers.WithUnit(part.value, row.Unit))
			x += widths[j]
		}
		said = append(said, fmt.Sprintf("%s%s: %s scanned, %s matched, %s awaiting, %s broken", row.Check, unitSuffix(row.Unit),
			numbers.Amount(row.Scanned, row.Unit), numbers.Amount(row.Matched, row.Unit), numbers.Amount(row.Awaiting, row.Unit), numbers.Amount(row.Breaks, row.Unit)))
	}
	c.Desc = strings.Join(said, "; ") + "."
	return c
}

func unitSuffix(unit string) string {
	if unit == "" {
		return ""
	}
	return " (" + numbers.Unit(unit) + ")"
}

// bar is one bar of a list.
type bar struct {
	Label, Value string
	Size         numbers.Number
	Class        string
}

// bars draws one horizontal bar a row, the value behind it.
func bars(id, title string, rows []bar) graph {
	c := graph{ID: id, Title: title, Width: graphWidth, Height: len(rows)*rowHeight + 2}
	most := new(big.Int)
	for _, row := range rows {
		if v := row.Size.Big(); v.Cmp(most) > 0 {
			most = v
		}
	}
	left, width, height := 132, 152, rowHeight
	// Labels that have no room beside the bars stand above them.
	above := slices.ContainsFunc(rows, func(row bar) bool { return textWidth(row.Label) > left-8 })
	if above {
		left, width, height = 0, 284, rowHeight+16
		c.Height = len(rows)*height + 2
	}
	var said []string
	for i, row := range rows {
		y := i*height + 4
		if above {
			c.text(0, y+10, "label", fit(row.Label, graphWidth))
			y += 16
		} else {
			c.text(left-8, y+11, "label end", row.Label)
		}
		w := scale(row.Size.Big(), most, width)
		c.rect(left, y, w, barHeight, row.Class, row.Label+": "+row.Value)
		c.line(left, y-2, left, y+barHeight+2, "axis")
		c.text(graphWidth, y+11, "value end", row.Value)
		said = append(said, row.Label+" "+row.Value)
	}
	c.Desc = strings.Join(said, ", ") + "."
	return c
}

// trendPart is one series of a trend: stacked on the ones before it.
type trendPart struct {
	Name, Class string
	Of          func(figures.NightFigures) numbers.Number
}

// trendNights is how many nights a trend shows.
const trendNights = 30

// trend draws the last 30 nights as stacked columns. A night without a report leaves a gap with a dot.
func trend(id, title, unit string, last reconcile.Date, nights []figures.NightFigures, parts []trendPart) graph {
	const plotTop, plotHeight, left = 18, 92, 0
	c := graph{ID: id, Title: title, Width: graphWidth, Height: plotTop + plotHeight + 20}
	byDate := map[reconcile.Date]figures.NightFigures{}
	most := new(big.Int)
	for _, night := range nights {
		byDate[night.Date] = night
		stack := new(big.Int)
		for _, part := range parts {
			stack.Add(stack, part.Of(night).Big())
		}
		if stack.Cmp(most) > 0 {
			most = stack
		}
	}
	first := last.AddDays(1 - trendNights)
	const column = (graphWidth - left) / trendNights
	var tonight string
	for i := range trendNights {
		date := first.AddDays(i)
		x, y := left+i*column, plotTop+plotHeight
		night, there := byDate[date]
		if !there {
			c.rect(x+column/2-2, y-3, 3, 3, "missing", date.String()+": no report")
			continue
		}
		var tips []string
		for _, part := range parts {
			tips = append(tips, part.Name+" "+numbers.Amount(part.Of(night), unit))
		}
		tip := date.String() + ": " + strings.Join(tips, ", ")
		for _, part := range parts {
			h := scale(part.Of(night).Big(), most, plotHeight)
			y -= h
			c.rect(x+1, max(y, plotTop), column-3, h, part.Class, tip)
		}
		if date == last {
			tonight = strings.Join(tips, ", ")
		}
	}
	c.line(left, plotTop+plotHeight, graphWidth, plotTop+plotHeight, "axis")
	c.line(left, plotTop, graphWidth, plotTop, "guide")
	c.text(left, plotTop-5, "note", "highest: "+numbers.WithUnit(numbers.Of(most), unit))
	c.text(left, c.Height-5, "note", first.String())
	c.text(graphWidth, c.Height-5, "note end", last.String())
	c.Desc = fmt.Sprintf("Nights from %s to %s, %d of them reported. Highest: %s. On %s: %s.", first, last, len(byDate),
		numbers.WithUnit(numbers.Of(most), unit), last, tonight)
	return c
}

// textWidth is about how wide a text of a graph is, in units of its view box; in most fonts it is less.
func textWidth(text string) int {
	tenths := 0
	for _, r := range text {
		switch {
		case r >= 0x2E80: // East Asian
			tenths += 115
		case unicode.IsUpper(r) || unicode.IsDigit(r):
			tenths += 82
		default:
			tenths += 68
		}
	}
	return (tenths + 9) / 10
}

// fit keeps a text's beginning where it is wider than it may be.
func fit(text string, width int) string {
	text = shorten(text, graphWidth/5) // no character is narrower
	for limit := utf8.RuneCountInString(text); textWidth(text) > width; limit-- {
		text = shorten(text, limit-1)
	}
	return text
}

// shorten keeps a text's beginning where it is longer than limit characters.
func shorten(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	runes := []rune(text)
	return string(runes[:limit-1]) + "…"
}
