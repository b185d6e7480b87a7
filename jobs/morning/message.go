package morning

import (
	"fmt"
	"strings"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/terminal"
)

// Message is what the morning message says of a night: enough to know whether somebody has to look, and at what. It holds no id of a
// customer and no text of the platform's, as mail and chat are kept by others.
type Message struct {
	Title     string
	Attention []string // what needs attention, with the money, the gravest first
	Changes   []string // what changed since the night before
	Troubled  []string // nights that need a person
	Link      string   // where the report is
}

// morningStatus are plain letters: a subject of others is sent encoded, which filters of mail dislike.
var morningStatus = map[figures.Status]string{figures.StatusTied: "the totals agree", figures.StatusUntied: "the totals do NOT agree", figures.StatusIncomplete: "NOT complete"}

// mostAttention bounds the message; the report has all.
const mostAttention = 10

// MessageOf says a published night in a few lines. troubled are nights that need a person, link leads to the report.
func MessageOf(s *figures.Summary, troubled []string, link string) Message {
	m := Message{Title: "Reconciliation of " + s.BusinessDate.String(), Troubled: troubled, Link: link}
	if s.Revision > 1 {
		m.Title += fmt.Sprintf(", revision %d", s.Revision)
	}
	var said []string
	if errors := s.OpenErrors(); s.Status != figures.StatusTied || errors == 0 && !s.HasResidual() {
		said = append(said, morningStatus[s.Status])
	} else if errors == 0 {
		said = append(said, "Stripe's balance is NOT what Stripe says")
	}
	if errors := s.OpenErrors(); errors > 0 {
		said = append(said, numbers.Plural(errors, "open error"))
	}
	m.Title += ": " + strings.Join(said, ", ")
	if !s.Stripe.Looked {
		m.Title += "; Stripe was NOT looked at"
	}
	list := s.Attention
	for _, a := range list[:min(len(list), mostAttention)] {
		m.Attention = append(m.Attention, attentionLine(a))
	}
	if more := len(list) - mostAttention; more > 0 {
		m.Attention = append(m.Attention, fmt.Sprintf("and %d more in the report", more))
	}
	m.Changes = changes(s)
	return m
}

// attentionLine is the row of the page's table as text.
func attentionLine(a figures.Attention) string {
	text := fmt.Sprintf("%s: %s", a.Severity, terminal.OneLine(a.What))
	if a.OldestDays != nil {
		text += fmt.Sprintf(", %d open", a.Open)
		if a.New > 0 {
			text += fmt.Sprintf(" (%d new)", a.New)
		}
	}
	if stake := amountsText(a.AtStake); stake != "" {
		text += ": " + stake
	}
	return text
}

func amountsText(amounts []figures.Amount) string {
	var texts []string
	for _, amount := range amounts {
		if text := amount.Value.Text(amount.Unit); text != "" && !amount.Value.IsZero() {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, ", ")
}

// changes compare the night with the one reported before it.
func changes(s *figures.Summary) []string {
	b := s.Breaks
	list := []string{fmt.Sprintf("Breaks: %d new, %d cleared, %d resolved by a person; %d open", b.New, b.Cleared, b.Resolved, b.Open)}
	if at := len(s.Trends) - 2; at >= 0 {
		before := s.Trends[at]
		list = append(list, fmt.Sprintf("Open errors: %d, %d on %s", s.OpenErrors(), before.Errors, before.Date))
	}
	for _, decided := range s.RefundRequests.ByDecision {
		if decided.Decision == string(reconcile.DecisionApprove) && decided.Requests > 0 {
			list = append(list, fmt.Sprintf("Refunds approved: %d: %s", decided.Requests, amountsText(decided.Money)))
		}
	}
	if r := s.RefundRequests; r.Undecided > 0 {
		list = append(list, fmt.Sprintf("Refund requests undecided: %d, %d overdue", r.Undecided, r.Overdue))
	}
	for _, credited := range s.CreditBacks.ByDecision {
		if credited.Name == "credited" && credited.Jobs > 0 {
			list = append(list, fmt.Sprintf("Credited back: %s credits of %s", credited.Credited, numbers.Plural(credited.Jobs, "job")))
		}
	}
	return list
}

// Text is the message without its title.
func (m Message) Text() string {
	var out strings.Builder
	section := func(heading string, lines []string) {
		if len(lines) == 0 {
			return
		}
		if out.Len() > 0 {
			out.WriteString("\n")
		}
		out.WriteString(heading + "\n")
		for _, line := range lines {
			out.WriteString("- " + line + "\n")
		}
	}
	section("Nights that need a person", m.Troubled)
	section("Needs attention", m.Attention)
	section("Since the night before", m.Changes)
	if m.Link != "" {
		if out.Len() > 0 {
			out.WriteString("\n")
		}
		out.WriteString("Report: " + m.Link + "\n")
	}
	return out.String()
}
