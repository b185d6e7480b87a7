package pages

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/figures"
)

//go:embed index.gohtml
var indexSource string

var indexTemplate = template.Must(template.New("index").Funcs(pageFuncs).Parse(indexSource))

// detailedMonths is how many months are listed night by night; the calendar has all.
const detailedMonths = 13

// IndexName is the page over all nights, beside their folders.
const IndexName = "index.html"

// indexPage is what the template shows, newest month first.
type indexPage struct {
	Policy      string
	Style       template.CSS
	Count       int64
	First, Last reconcile.Date
	Latest      *indexNight
	LatestTitle string
	Missing     string
	Troubled    []string
	Months      []*indexMonth
	Detailed    []*indexMonth // those that are also listed night by night
}

type indexMonth struct {
	ID, Name    string
	Weeks       [][]indexDay
	Nights      []*indexNight // newest first
	Count, Tied int64
	NewBreaks   int64
	FailedJobs  int64
	Credited    numbers.Number
	State       *MonthState // nil: nothing was published of it, and nobody has closed it
	Page        string
	first       reconcile.Date
	byDay       map[int]*indexNight
}

// MonthState is where a month stands: of its files, and of its signatures.
type MonthState struct {
	Period     string
	Revision   int    // the newest that is published; 0: none
	State      string // draft, closed, reviewed
	ClosedBy   string
	ReviewedBy string
	Late       int64 // items that belong to it and arrived after it was closed; they are in a later month
}

// Text is that in words.
func (m *MonthState) Text() string {
	text := "draft"
	switch {
	case m.State == "reviewed":
		text = "closed by " + m.ClosedBy + ", reviewed by " + m.ReviewedBy
	case m.State == "closed":
		text = "closed by " + m.ClosedBy + ", not reviewed"
	}
	if m.Late > 0 {
		text += "; booked in a later month: " + numbers.Plural(m.Late, "item") + " of this one"
	}
	return text
}

// Class colours it.
func (m *MonthState) Class() string {
	if m.State == "draft" || m.Late > 0 {
		return "warning"
	}
	return "ok"
}

type indexDay struct {
	Day int
	N   *indexNight
}

type indexNight struct {
	figures.NightFigures
	Folder    string
	Revisions []indexRevision // newest first
}

type indexRevision struct {
	Number int
	Folder string
}

func (n *indexNight) StateText() string { return figures.StatusText(n.Status) }

// StateClass colours the state alone.
func (n *indexNight) StateClass() string { return figures.StatusClass(n.Status) }

// Class colours the night: a night that ties is green only when no error is open.
func (n *indexNight) Class() string {
	if n.Status == figures.StatusTied && n.Errors > 0 {
		return "error"
	}
	return figures.StatusClass(n.Status)
}

// Mark is the night in a few characters, for its day in the calendar.
func (n *indexNight) Mark() string {
	var marks []string
	switch {
	case n.Status == figures.StatusUntied:
		marks = append(marks, "✗")
	case n.Status == figures.StatusIncomplete:
		marks = append(marks, "!")
	case n.Errors > 0:
		marks = append(marks, numbers.Grouped(numbers.Int(n.Errors)))
	default:
		marks = append(marks, "✓")
	}
	if !n.Stripe {
		marks = append(marks, "○")
	}
	if n.Revision > 1 {
		marks = append(marks, fmt.Sprintf("r%d", n.Revision))
	}
	return strings.Join(marks, " ")
}

// Spoken is the same in words.
func (n *indexNight) Spoken() string {
	text := fmt.Sprintf("%s: %s, %s, %s", n.Date, n.Status, numbers.Plural(n.Errors, "open error"), numbers.Plural(n.Warnings, "open warning"))
	if !n.Stripe {
		text += ", Stripe was not looked at"
	}
	if n.Revision > 1 {
		text += fmt.Sprintf(", revision %d", n.Revision)
	}
	return text
}

// Cell is the night's day in the calendar, Row its line in the list. They are written without the template, whose words for every one of some
// hundred nights took a tenth of a small night's time; folders are the only text in them that isn't this package's own.
func (n *indexNight) Cell(day int) template.HTML {
	spoken := n.Spoken()
	return template.HTML(`<td><a href="` + template.HTMLEscapeString(n.Folder) + `/summary.html" title="` + spoken + `"><span class="day">` + strconv.Itoa(day) +
		`</span><span class="mark ` + n.Class() + `">` + n.Mark() + `</span><span class="unseen"> ` + spoken + `</span></a></td>`)
}

// Row is what Cell says.
func (n *indexNight) Row() template.HTML {
	var b strings.Builder
	stripe, errorClass, closing := "no", "", "–"
	if n.Stripe {
		stripe = "yes"
	}
	if n.Errors != 0 {
		errorClass = " error"
	}
	if n.Closing.Known() {
		closing = numbers.Amount(n.Closing, "credits")
	}
	b.WriteString(`<tr><th scope="row" class="fix"><a href="` + template.HTMLEscapeString(n.Folder) + `/summary.html">` + n.Date.String() + `</a></th><td class="fix ` +
		n.StateClass() + `">` + n.StateText() + `</td><td>` + stripe + `</td><td class="n` + errorClass + `">` + numbers.Grouped(numbers.Int(n.Errors)) + `</td>`)
	for _, figure := range []string{
		numbers.Grouped(numbers.Int(n.Warnings)), numbers.Grouped(numbers.Int(n.NewBreaks)), numbers.Grouped(numbers.Int(n.FailedJobs)), numbers.Amount(n.Credited, "credits"),
		numbers.Grouped(numbers.Int(n.Undecided)), numbers.Grouped(numbers.Int(n.Overdue)), closing,
	} {
		b.WriteString(`<td class="n">` + template.HTMLEscapeString(figure) + `</td>`)
	}
	b.WriteString(`<td>`)
	for i, revision := range n.Revisions {
		if i > 0 {
			b.WriteString(`, `)
		}
		b.WriteString(`<a href="` + template.HTMLEscapeString(revision.Folder) + `/summary.html">` + strconv.Itoa(revision.Number) + `</a>`)
	}
	b.WriteString(`</td></tr>`)
	return template.HTML(b.String())
}

// WriteIndex writes the page over all nights, with the months that have a state; troubled says what is the matter with nights whose last run did not
// complete, and folder names a revision's folder. Nights may come in any order, each once.
func WriteIndex(out io.Writer, nights []figures.NightFigures, states []MonthState, troubled []string, folder func(night fmt.Stringer, revision, latest int) string) error {
	p := indexPage{Policy: contentPolicy(styleSource), Style: template.CSS(styleSource), Count: int64(len(nights)), Troubled: troubled}
	nights = slices.Clone(nights)
	slices.SortFunc(nights, func(a, b figures.NightFigures) int { return b.Date.Compare(a.Date) })
	months := map[reconcile.Date]*indexMonth{}
	for _, stored := range nights {
		night := &indexNight{NightFigures: stored, Folder: folder(stored.Date, stored.Revision, stored.Revision)}
		for number := stored.Revision; number >= 1; number-- {
			night.Revisions = append(night.Revisions, indexRevision{number, folder(stored.Date, number, stored.Revision)})
		}
		if p.Latest == nil {
			p.Latest, p.LatestTitle, p.Last = night, figures.LongDate(stored.Date), stored.Date
		}
		p.First = stored.Date
		first := reconcile.Date{Year: stored.Date.Year, Month: stored.Date.Month, Day: 1}
		month := months[first]
		if month == nil {
			month = &indexMonth{ID: first.String()[:7], Name: fmt.Sprintf("%s %d", first.Month, first.Year), first: first, Credited: "0", byDay: map[int]*indexNight{}}
			months[first] = month
			p.Months = append(p.Months, month)
		}
		month.add(night)
	}
	for _, month := range p.Months {
		if i := slices.IndexFunc(states, func(s MonthState) bool { return s.Period == month.ID }); i >= 0 {
			month.State = &states[i]
			if states[i].Revision > 0 {
				month.Page = folder(reconcile.MonthOf(month.first), states[i].Revision, states[i].Revision) + "/month.html"
			}
		}
		month.layOut()
	}
	p.Detailed = p.Months[:min(detailedMonths, len(p.Months))]
	if p.Latest != nil {
		if missing := int64(p.Last.DaysSince(p.First)) + 1 - p.Count; missing == 1 {
			p.Missing = "1 night between the first and the newest has no report."
		} else if missing > 1 {
			p.Missing = numbers.Plural(missing, "night") + " between the first and the newest have no report."
		}
	}
	return indexTemplate.Execute(out, p)
}

func (m *indexMonth) add(night *indexNight) {
	m.Nights = append(m.Nights, night)
	m.byDay[night.Date.Day] = night
	m.Count++
	if night.Status == figures.StatusTied {
		m.Tied++
	}
	m.NewBreaks += night.NewBreaks
	m.FailedJobs += night.FailedJobs
	m.Credited = m.Credited.Plus(night.Credited)
}

// layOut arranges the month in weeks from Monday on.
func (m *indexMonth) layOut() {
	week := make([]indexDay, (int(m.first.Weekday())+6)%7)
	for date := m.first; date.Month == m.first.Month; date = date.AddDays(1) {
		week = append(week, indexDay{date.Day, m.byDay[date.Day]})
		if len(week) == 7 {
			m.Weeks, week = append(m.Weeks, week), nil
		}
	}
	if len(week) > 0 {
		m.Weeks = append(m.Weeks, append(week, make([]indexDay, 7-len(week))...))
	}
}
