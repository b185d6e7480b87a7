package reconcile

import (
	"cmp"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
)

// FailureClass says whose fault it was that a job did not succeed (clause 3).
type FailureClass string

const (
	// FailureSystem: our side. The job's compute costs are credited back (clause 3.1).
	FailureSystem FailureClass = "system"
	// FailureUser: the user's side. The credits stay used (clause 3.2).
	FailureUser FailureClass = "user"
	// FailureUnknown: nobody has said yet. Nothing is credited until somebody does.
	FailureUnknown FailureClass = "unknown"
)

// Clause is the clause that decides a failure of this class; for FailureUnknown the section
// whose bullets are still both possible.
func (c FailureClass) Clause() string {
	switch c {
	case FailureSystem:
		return ClauseSystemFailure
	case FailureUser:
		return ClauseUserError
	default:
		return ClauseFailedJobs
	}
}

// JobStatus is the platform's state of a job.
type JobStatus string

// The platform's job states.
const (
	JobQueued      JobStatus = "queued"
	JobRunning     JobStatus = "running"
	JobSucceeded   JobStatus = "succeeded"
	JobFailed      JobStatus = "failed"
	JobInterrupted JobStatus = "interrupted"
	JobCanceled    JobStatus = "canceled"
)

// Finished reports whether a job in this state has come to its end, whatever the outcome.
func (s JobStatus) Finished() bool {
	return s == JobSucceeded || s.Unsuccessful()
}

// Unsuccessful reports whether a job in this state ended without its result: failed,
// interrupted or canceled.
func (s JobStatus) Unsuccessful() bool {
	return s == JobFailed || s == JobInterrupted || s == JobCanceled
}

// Rules that classify without a row of the table.
const (
	// RuleCanceled: the user canceled the job, whatever its code.
	RuleCanceled = "status-canceled"
	// RuleNoCode: the job carries no failure code.
	RuleNoCode = "no-code"
	// RuleUnlisted: no row of the table fits the code.
	RuleUnlisted = "unlisted"
	// RuleNotFailed: the job did not fail.
	RuleNotFailed = "not-failed"
)

// Classification is the class of one failure, and why.
type Classification struct {
	Class FailureClass
	// Rule is the name of the table's row that fits, or one of the Rule constants.
	Rule string
	// Match is the code or the pattern of that row that fits, as the table writes it; empty
	// where no row does.
	Match string
	// Clause of the policy: 3.1 for system, 3.2 for user, 3 while unknown.
	Clause string
	// Reason in plain words, fit for the customer: "a machine of ours failed".
	Reason string
}

// FailureRule is one row of a failure table: codes and patterns of one class and reason.
type FailureRule struct {
	// Name is unique in the table; decisions cite it.
	Name  string
	Class FailureClass
	// Reason in plain words, for the customer, going on from "because".
	Reason string
	// Codes fit a failure code that is equal but for case and everything that is neither
	// letter nor digit: "NodeFail", "NODE_FAIL" and "node fail" are one code.
	Codes []string
	// Patterns fit inside longer codes and messages, tried in the table's order when no
	// code of any row fits:
	//
	//	out of memory   these words, next to each other, anywhere. A word begins and ends at
	//	                a separator, where letters meet digits, and at a capital in camelCase.
	//	                "xid" fits "GPU Xid 79" and "NvidiaXid79", never "oxide".
	//	nccl*           the code begins with this; case and separators don't count.
	Patterns []string
}

// FailureTable classifies failure codes. It is immutable; the zero value is no table.
type FailureTable struct {
	rules    []FailureRule
	codes    map[string]codeEntry // by normalised code
	patterns []patternEntry       // in order
}

type codeEntry struct {
	rule int
	text string
}

type patternEntry struct {
	rule   int
	text   string
	key    string // normalised, without the star
	prefix bool
}

// FailureFault is one thing that is wrong with a failure table. Code is "" where the fault is
// the row's own; a caller that knows where rows and codes stand can point there.
type FailureFault struct {
	// Rule is the index of the row, Code the code or pattern at fault as it was given.
	Rule int
	Code string
	// Problem in words, with the fix.
	Problem string
}

func (f FailureFault) Error() string { return f.Problem }

// minPatternKey is the least number of letters and digits in a pattern: shorter ones fit by
// accident.
const minPatternKey = 3

// NewFailureTable builds a table of these rows. Every fault is returned, joined, each a
// FailureFault: a row without name, class, reason or codes; a class other than system and
// user; a name used twice; a code that is empty, or is the same as another one when case and
// separators are left out; a pattern too short, or with a star other than at its end.
func NewFailureTable(rules []FailureRule) (FailureTable, error) {
	t := FailureTable{codes: make(map[string]codeEntry)}
	var faults []error
	names := make(map[string]bool, len(rules))
	patternOwner := make(map[string]int)
	for i, r := range rules {
		fault := func(code, format string, args ...any) {
			faults = append(faults, FailureFault{Rule: i, Code: code, Problem: fmt.Sprintf("failure rule %q: ", r.Name) + fmt.Sprintf(format, args...)})
		}
		switch {
		case r.Name == "":
			fault("", "has no name")
		case names[r.Name]:
			fault("", "a rule of this name stands above already")
		}
		names[r.Name] = true
		if r.Class != FailureSystem && r.Class != FailureUser {
			fault("", "class %q: must be system or user; what is in no rule is unknown", r.Class)
		}
		if strings.TrimSpace(r.Reason) == "" {
			fault("", "has no reason")
		}
		if len(r.Codes) == 0 && len(r.Patterns) == 0 {
			fault("", "has neither codes nor patterns")
		}
		for _, code := range r.Codes {
			key := normalizeCode(code).key
			if key == "" {
				fault(code, "code %q has no letter or digit", code)
				continue
			}
			if other, taken := t.codes[key]; taken {
				fault(code, "code %q is listed already%s", code, describeOther(rules[other.rule], r, other.text))
				continue
			}
			t.codes[key] = codeEntry{rule: i, text: code}
		}
		for _, pattern := range r.Patterns {
			p, problem := parsePattern(pattern)
			if problem != "" {
				fault(pattern, "pattern %q %s", pattern, problem)
				continue
			}
			id := fmt.Sprint(p.key, p.prefix)
			if other, taken := patternOwner[id]; taken {
				fault(pattern, "pattern %q is listed already%s", pattern, describeOther(rules[other], r, pattern))
				continue
			}
			patternOwner[id] = i
			p.rule = i
			t.patterns = append(t.patterns, p)
		}
	}
	if len(rules) == 0 {
		faults = append(faults, FailureFault{Rule: -1, Problem: "the failure table has no rules"})
	}
	if len(faults) > 0 {
		return FailureTable{}, errors.Join(faults...)
	}
	for _, r := range rules {
		r.Codes, r.Patterns = slices.Clone(r.Codes), slices.Clone(r.Patterns)
		t.rules = append(t.rules, r)
	}
	return t, nil
}

func describeOther(other, r FailureRule, text string) string {
	where := fmt.Sprintf(", as %q in rule %q", text, other.Name)
	if other.Class != r.Class {
		where += fmt.Sprintf(": it can't be both %s and %s", other.Class, r.Class)
	}
	return where
}

func parsePattern(pattern string) (p patternEntry, problem string) {
	body, prefix := strings.CutSuffix(pattern, "*")
	if strings.Contains(body, "*") {
		return p, "has a star elsewhere than at its end"
	}
	p = patternEntry{text: pattern, key: normalizeCode(body).key, prefix: prefix}
	if len([]rune(p.key)) < minPatternKey {
		return p, fmt.Sprintf("has fewer than %d letters and digits: it would fit by accident", minPatternKey)
	}
	return p, ""
}

// IsZero reports whether there is no table.
func (t FailureTable) IsZero() bool { return len(t.rules) == 0 }

// Rules returns the rows in their order.
func (t FailureTable) Rules() []FailureRule {
	rules := slices.Clone(t.rules)
	for i := range rules {
		rules[i].Codes, rules[i].Patterns = slices.Clone(rules[i].Codes), slices.Clone(rules[i].Patterns)
	}
	return rules
}

// Classify says whose fault it was that a job ended as it did. A canceled job is the user's,
// whatever its code. A code that equals one of the table's comes before all patterns; of
// these, the first in the table's order. Without a code, or with one that nothing fits, the
// class is unknown. A job that did not fail is unknown as well, by RuleNotFailed.
func (t FailureTable) Classify(status JobStatus, code string) Classification {
	if status == JobCanceled {
		return builtIn(FailureUser, RuleCanceled, "the job was canceled")
	}
	if !status.Unsuccessful() {
		return builtIn(FailureUnknown, RuleNotFailed, "the job did not fail")
	}
	normalised := normalizeCode(code)
	if normalised.key == "" {
		return builtIn(FailureUnknown, RuleNoCode, "the job carries no failure code")
	}
	if entry, ok := t.codes[normalised.key]; ok {
		return t.classification(entry.rule, entry.text)
	}
	for _, p := range t.patterns {
		if p.fits(normalised) {
			return t.classification(p.rule, p.text)
		}
	}
	return builtIn(FailureUnknown, RuleUnlisted, "the failure code is in no rule of the policy")
}

func builtIn(class FailureClass, rule, reason string) Classification {
	return Classification{Class: class, Rule: rule, Clause: class.Clause(), Reason: reason}
}

func (t FailureTable) classification(rule int, match string) Classification {
	r := t.rules[rule]
	return Classification{Class: r.Class, Rule: r.Name, Match: match, Clause: r.Class.Clause(), Reason: r.Reason}
}

func (p patternEntry) fits(code normalizedCode) bool {
	if p.prefix {
		return strings.HasPrefix(code.key, p.key)
	}
	for from := 0; ; {
		at := strings.Index(code.key[from:], p.key)
		if at < 0 {
			return false
		}
		at += from
		if code.isBoundary(at) && code.isBoundary(at+len(p.key)) {
			return true
		}
		from = at + 1
	}
}

func (t FailureTable) hashInto(h hash.Hash) {
	hashInt(h, int64(len(t.rules)))
	for _, r := range t.rules {
		hashString(h, r.Name)
		hashString(h, string(r.Class))
		hashString(h, r.Reason)
		codes := make([]string, 0, len(r.Codes))
		for _, code := range r.Codes {
			codes = append(codes, normalizeCode(code).key)
		}
		slices.SortFunc(codes, cmp.Compare[string])
		hashInt(h, int64(len(codes)))
		for _, code := range codes {
			hashString(h, code)
		}
		hashInt(h, int64(len(r.Patterns)))
		for _, pattern := range r.Patterns {
			p, _ := parsePattern(pattern)
			hashString(h, p.key)
			hashInt(h, int64(map[bool]int{true: 1}[p.prefix]))
		}
	}
}
