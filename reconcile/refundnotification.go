package reconcile

import (
	"fmt"
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
	n := Notification{Subject: notificationSubject(kind, d)}
	paragraphs := []string{notificationOpening(kind, d)}
	if why := customerReasons(d.Reasons); why != "" {
		paragraphs = append(paragraphs, why)
	}
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
	case d.Decision == DecisionApprove && kind == RequestFailedJob:
		return "Your request about a failed job: credits credited back"
	case d.Decision == DecisionApprove:
		return "Your refund request was approved"
	case d.Decision == DecisionDeny && withdrawn(d):
		return "Your refund request is closed"
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
	case d.Decision == DecisionApprove && d.RefundMinor == 0:
		return "We approved your refund request, but no money is left to pay back."
	case d.Decision == DecisionApprove:
		return fmt.Sprintf("We approved your refund request. We will refund %s to your original payment method, and the credits leave your account.",
			FormatMinor(d.RefundMinor, d.Currency))
	case d.Decision == DecisionDeny && withdrawn(d):
		return "Your refund request is closed, and nothing is refunded."
	case d.Decision == DecisionDeny:
		return "We can't refund what you asked for."
	case d.Decision == DecisionNeedsInformation:
		return "We can't decide your refund request yet."
	default:
		return "We have your refund request and will tell you as soon as it is decided."
	}
}

func withdrawn(d RefundDecision) bool {
	for _, r := range d.Reasons {
		if r.Code == ReasonWithdrawn {
			return true
		}
	}
	return false
}

// customerReasons joins the reasons; the note on an earlier approval is for our own people.
func customerReasons(reasons []Reason) string {
	var texts []string
	for _, r := range reasons {
		if r.Code != ReasonApprovedOnPlatform {
			texts = append(texts, r.Text)
		}
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
