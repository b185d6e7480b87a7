package reconcile

import (
	"fmt"
	"slices"
	"strings"
)

// Notification is what a customer is told about the outcome of a refund request, in plain text:
// what was decided, the amount, and why. It names no e-mail address and nobody else's data.
type Notification struct {
	Subject string
	Body    string
}

// NotifyDecision words the notification of a decision about a request of this kind.
func NotifyDecision(kind RequestKind, d RefundDecision) Notification {
	d.Reasons = slices.DeleteFunc(slices.Clone(d.Reasons), isInternal)
	d.Clauses = clausesOf(d.Reasons)
	n := Notification{Subject: notificationSubject(kind, d)}
	paragraphs := []string{notificationOpening(kind, d)}
	paragraphs = append(paragraphs, reasonTexts(d.Reasons))
	if len(d.Missing) > 0 {
		paragraphs = append(paragraphs, "Please tell us: "+strings.Join(d.Missing, ", ")+".")
	}
	if len(d.Clauses) > 0 && d.Decision.Final() {
		paragraphs = append(paragraphs, citeClauses(d.Clauses))
	}
	n.Body = strings.Join(paragraphs, "\n\n") + "\n"
	return n
}

func notificationSubject(kind RequestKind, d RefundDecision) string {
	switch {
	case d.Decision == DecisionApprove && hasReason(d, ReasonNothingDebited):
		return "Your request about a failed job"
	case d.Decision == DecisionApprove && kind == RequestFailedJob:
		return "Your request about a failed job: credits credited back"
	case d.Decision == DecisionApprove:
		return "Your refund request was approved"
	case d.Decision == DecisionDeny && withdrawn(d):
		return "Your refund request is closed"
	case d.Decision == DecisionDeny && paidMinor(d) > 0:
		return "Your refund request"
	case d.Decision == DecisionDeny:
		return "Your refund request was not approved"
	case d.Decision == DecisionNeedsInformation:
		return "Your refund request: we need to know more"
	default:
		return "Your refund request is being reviewed"
	}
}

func notificationOpening(kind RequestKind, d RefundDecision) string {
	switch {
	case d.Decision == DecisionApprove && kind == RequestFailedJob:
		return "We looked into the job that you wrote to us about."
	case d.Decision == DecisionApprove && d.Answer != nil:
		return answeredOpening(d)
	case d.Decision == DecisionApprove && d.RefundMinor == 0:
		return "There is no money to pay back."
	case d.Decision == DecisionApprove:
		return fmt.Sprintf("We will refund %s to your original payment method, and the credits leave your account.",
			FormatMinor(d.RefundMinor, d.Currency))
	case d.Decision == DecisionDeny && paidMinor(d) > 0 && withdrawn(d):
		return fmt.Sprintf("We refunded %s to your original payment method.", paidText(d))
	case d.Decision == DecisionDeny && paidMinor(d) > 0:
		return fmt.Sprintf("Our refund policy does not provide for what you asked for. We refunded %s to your original payment method all the same.", paidText(d))
	case d.Decision == DecisionDeny && withdrawn(d):
		return "Nothing is refunded."
	case d.Decision == DecisionDeny:
		return "We can't refund what you asked for."
	case d.Decision == DecisionNeedsInformation:
		return "We can't decide your refund request yet."
	default:
		return "We have your refund request and will tell you as soon as it is decided."
	}
}

// answeredOpening tells of an approved refund that has been made, or begun, before it was decided: never what it should have been as if it
// were still to come.
func answeredOpening(d RefundDecision) string {
	credits := "leave"
	if d.Answer.CreditsTaken {
		credits = "have left"
	}
	due := FormatMinor(d.RefundMinor, d.Currency)
	switch {
	case paidMinor(d) == 0 && d.RefundMinor == 0:
		return fmt.Sprintf("There is no money to pay back. The credits %s your account.", credits)
	case paidMinor(d) == 0:
		return fmt.Sprintf("We will refund %s to your original payment method, and the credits %s your account.", due, credits)
	case paidMinor(d) == d.RefundMinor && d.Answer.Currency == d.Currency:
		return fmt.Sprintf("We refunded %s to your original payment method, and the credits %s your account.", due, credits)
	default:
		return fmt.Sprintf("We refunded %s to your original payment method; by our refund policy it should be %s, and we are looking into the difference.",
			paidText(d), due)
	}
}

// paidMinor is the money that went back before the decision, in minor units of the answer's currency.
func paidMinor(d RefundDecision) int64 {
	if d.Answer == nil {
		return 0
	}
	return d.Answer.PaidMinor
}

func paidText(d RefundDecision) string { return FormatMinor(d.Answer.PaidMinor, d.Answer.Currency) }

func withdrawn(d RefundDecision) bool { return hasReason(d, ReasonWithdrawn) }

func hasReason(d RefundDecision, code ReasonCode) bool {
	return slices.ContainsFunc(d.Reasons, func(r Reason) bool { return r.Code == code })
}

// isInternal tells the reasons that are for our own people: that we had approved, or refunded, before.
func isInternal(r Reason) bool {
	return r.Code == ReasonApprovedOnPlatform || r.Code == ReasonAnsweredByRefund
}

func reasonTexts(reasons []Reason) string {
	texts := make([]string, 0, len(reasons))
	for _, r := range reasons {
		texts = append(texts, r.Text)
	}
	return strings.Join(texts, "\n")
}

func citeClauses(clauses []string) string {
	if len(clauses) == 1 {
		return "This follows section " + clauses[0] + " of our refund policy."
	}
	last := len(clauses) - 1
	return "This follows sections " + strings.Join(clauses[:last], ", ") + " and " + clauses[last] + " of our refund policy."
}
