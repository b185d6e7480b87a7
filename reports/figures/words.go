package figures

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// InstantText is an instant as people read it, in UTC.
func InstantText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// SidesAreAmounts says whether both sides of a break are amounts in its unit: then, and only then, the variance is what lies between them.
func SidesAreAmounts(b *tables.Break) bool {
	if !IsStake(b.Unit) {
		return false
	}
	var ours, theirs numbers.Number
	if b.Ours != "" && ours.Parse(b.Ours) != nil || b.Theirs != "" && theirs.Parse(b.Theirs) != nil {
		return false
	}
	return ours.Minus(theirs).Compare(b.Variance) == 0
}

// ClassText says whose failure a class of failed jobs is.
func ClassText(class string) string {
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

// LongDate is a date with its day of the week.
func LongDate(d reconcile.Date) string {
	return fmt.Sprintf("%s, %d %s %d", d.Weekday(), d.Day, d.Month, d.Year)
}

// StatusText says how a night ended, with a mark before it.
func StatusText(status Status) string {
	switch status {
	case StatusTied:
		return "✓ totals agree"
	case StatusUntied:
		return "✗ totals disagree"
	default:
		return "! incomplete"
	}
}

// StatusClass is the colour of a status, as a class of the style sheet.
func StatusClass(status Status) string {
	switch status {
	case StatusTied:
		return "ok"
	case StatusUntied:
		return "error"
	default:
		return "warning"
	}
}

// Headline is the night in two or three sentences.
func Headline(s *Summary) string {
	var said []string
	switch s.Status {
	case StatusTied:
		said = append(said, "Every row is accounted for, and all totals agree.")
		if s.OpenErrors() > 0 {
			said[0] = "Every row is accounted for: matched, awaited, or a break."
		}
	case StatusUntied:
		said = append(said, "The totals of this night do not agree.")
	default:
		said = append(said, "Part of this night could not be looked at.")
	}
	if left := LeftOutRows(s); !left.IsZero() {
		if s.Status == StatusTied {
			said[0] = "All totals agree."
			if s.OpenErrors() > 0 {
				said[0] = "Every row that was taken is accounted for: matched, awaited, or a break."
			}
		}
		said = append(said, fmt.Sprintf("Rows of the platform that break its contract and were left out: %s.", numbers.Grouped(left)))
	}
	if residuals := AmountList(cashResiduals(s)); residuals != "" {
		if s.Status == StatusTied && s.OpenErrors() == 0 {
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
			text += ", " + numbers.Plural(errors, "error") + " among them"
		}
		if stake := AmountList(s.Breaks.AtStake); stake != "" {
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
	return numbers.Plural(n, noun) + " are"
}

// AmountList is amounts with their units, between commas.
func AmountList(amounts []Amount) string {
	var list []string
	for _, a := range amounts {
		list = append(list, numbers.WithUnit(a.Value, a.Unit))
	}
	return strings.Join(list, ", ")
}

// KindName is a break kind as people read it: "Job without debit".
func KindName(kind reconcile.BreakKind) string {
	words := strings.ReplaceAll(string(kind), "_", " ")
	if words == "" {
		return words
	}
	runes := []rune(strings.ReplaceAll(words, "stripe", "Stripe"))
	runes[0] = unicode.ToUpper(runes[0])
	return string(runes)
}

// Anchor is a break kind as an element id.
func Anchor(kind reconcile.BreakKind) string {
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

// StatusWords say how a night ended, and with which colour, for a page. That the totals agree is said of a night in which nothing is wrong that
// somebody has to do something about at once: no error is open, and the balance at Stripe is what Stripe says it is.
func StatusWords(status Status, errors int64, residual bool) (text, class string) {
	switch {
	case status != StatusTied:
		return StatusText(status), StatusClass(status)
	case errors > 0:
		return numbers.Plural(errors, "error") + " open", "error"
	case residual:
		return "✗ Stripe's balance differs", "error"
	default:
		return StatusText(status), StatusClass(status)
	}
}

// HasResidual says whether the balance at Stripe is not what Stripe says it is.
func (s *Summary) HasResidual() bool { return len(cashResiduals(s)) > 0 }

// OpenErrors is how many breaks of severity error are open.
func (s *Summary) OpenErrors() int64 {
	for _, of := range s.Breaks.BySeverity {
		if of.Severity == reconcile.Error {
			return of.Open
		}
	}
	return 0
}
