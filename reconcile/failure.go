package reconcile

import (
	"cmp"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
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
	// Reason in plain words, fit for the customer, to follow "because" or a colon.
	Reason string
}

// FailureRule is one row of a failure table: codes and patterns of one class and reason.
type FailureRule struct {
	// Name is unique in the table; decisions cite it.
	Name  string
	Class FailureClass
	// Reason in plain words, fit for the customer: "a machine of ours failed".
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
	// byStart are the indices of the patterns that begin with the same bytes, ascending: a code is
	// looked at where its words begin, and not once for every pattern.
	byStart map[patternStart][]int
}

type patternStart [minPatternKey]byte

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

// FailureFault is one thing that is wrong with a failure table.
type FailureFault struct {
	// Rule is the index of the row, -1 if the fault is the table's own.
	Rule int
	// Field of the row at fault: name, class, reason, codes or patterns; empty if it is the row as a whole.
	Field string
	// Item is the index of the code or pattern at fault in its field, -1 if it is not one.
	Item int
	// Problem in words, with the fix.
	Problem string
}

// FailureFaults is all that is wrong with a failure table. NewFailureTable returns it as its
// error, so that a caller who knows where rows and codes stand can point there.
type FailureFaults []FailureFault

func (f FailureFaults) Error() string {
	problems := make([]string, 0, len(f))
	for _, fault := range f {
		problems = append(problems, fault.Problem)
	}
	return strings.Join(problems, "\n")
}

// minPatternKey is the least number of letters and digits in a pattern: shorter ones fit by
// accident.
const minPatternKey = 3

// NewFailureTable builds a table of these rows. The error is a FailureFaults with every fault:
// a row without name, class, reason or codes; a class other than system and user; a name used
// twice; a code that is empty, or is the same as another one when case and separators are left
// out; a pattern listed twice, too short, or with a star elsewhere than at its end.
func NewFailureTable(rules []FailureRule) (FailureTable, error) {
	t := FailureTable{codes: make(map[string]codeEntry), byStart: make(map[patternStart][]int)}
	var faults FailureFaults
	if len(rules) == 0 {
		faults = append(faults, FailureFault{Rule: -1, Item: -1, Problem: "the failure table has no rules"})
	}
	names := make(map[string]bool, len(rules))
	patternsSeen := make(map[string]int)
	for i, r := range rules {
		faults = append(faults, r.faults(i, names[r.Name])...)
		names[r.Name] = true
		for j, code := range r.Codes {
			if problem := t.addCode(rules, i, code); problem != "" {
				faults = append(faults, FailureFault{Rule: i, Field: "codes", Item: j, Problem: fmt.Sprintf("failure rule %q: code %q %s", r.Name, code, problem)})
			}
		}
		for j, pattern := range r.Patterns {
			if problem := t.addPattern(rules, i, pattern, patternsSeen); problem != "" {
				faults = append(faults, FailureFault{Rule: i, Field: "patterns", Item: j, Problem: fmt.Sprintf("failure rule %q: pattern %q %s", r.Name, pattern, problem)})
			}
		}
	}
	if len(faults) > 0 {
		return FailureTable{}, faults
	}
	t.rules = cloneRules(rules)
	return t, nil
}

// faults are the row's own, its codes and patterns aside.
func (r FailureRule) faults(index int, nameTaken bool) FailureFaults {
	var faults FailureFaults
	fault := func(field, problem string) {
		faults = append(faults, FailureFault{Rule: index, Field: field, Item: -1, Problem: fmt.Sprintf("failure rule %q: %s", r.Name, problem)})
	}
	if r.Name == "" {
		fault("name", "has no name")
	} else if nameTaken {
		fault("name", "a rule of this name stands above already")
	}
	if r.Class != FailureSystem && r.Class != FailureUser {
		fault("class", fmt.Sprintf("class %q: must be system or user; what is in no rule is unknown", r.Class))
	}
	if strings.TrimSpace(r.Reason) == "" {
		fault("reason", "has no reason")
	}
	if len(r.Codes) == 0 && len(r.Patterns) == 0 {
		fault("", "has neither codes nor patterns")
	}
	return faults
}

func (t *FailureTable) addCode(rules []FailureRule, rule int, code string) (problem string) {
	key := normalizeCode(code).key
	if key == "" {
		return "has no letter or digit"
	}
	if other, taken := t.codes[key]; taken {
		return "is listed already" + describeOther(rules[other.rule], rules[rule], other.text)
	}
	t.codes[key] = codeEntry{rule: rule, text: code}
	return ""
}

func (t *FailureTable) addPattern(rules []FailureRule, rule int, pattern string, seen map[string]int) (problem string) {
	p, problem := parsePattern(pattern)
	if problem != "" {
		return problem
	}
	id := p.key
	if p.prefix {
		id += "*"
	}
	if other, taken := seen[id]; taken {
		return "is listed already" + describeOther(rules[t.patterns[other].rule], rules[rule], t.patterns[other].text)
	}
	seen[id] = len(t.patterns)
	p.rule = rule
	start := patternStart([]byte(p.key))
	t.byStart[start] = append(t.byStart[start], len(t.patterns))
	t.patterns = append(t.patterns, p)
	return ""
}

func cloneRules(rules []FailureRule) []FailureRule {
	cloned := slices.Clone(rules)
	for i := range cloned {
		cloned[i].Codes, cloned[i].Patterns = slices.Clone(cloned[i].Codes), slices.Clone(cloned[i].Patterns)
	}
	return cloned
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
	if len(p.key) < minPatternKey {
		return p, fmt.Sprintf("has fewer than %d letters and digits: it would fit by accident", minPatternKey)
	}
	return p, ""
}

// IsZero reports whether there is no table.
func (t FailureTable) IsZero() bool { return len(t.rules) == 0 }

// Rules returns the rows in their order.
func (t FailureTable) Rules() []FailureRule { return cloneRules(t.rules) }

// Classify says whose fault it was that a job ended as it did. A canceled job is the user's,
// whatever its code. A code that equals one of the table's comes before all patterns; of
// these, the first in the table's order. Without a code, or with one that nothing fits, the
// class is unknown. A job that did not fail is unknown as well, by RuleNotFailed.
func (t FailureTable) Classify(status JobStatus, code string) Classification {
	if status == JobCanceled {
		return builtIn(FailureUser, RuleCanceled, "it was canceled")
	}
	if !status.Unsuccessful() {
		return builtIn(FailureUnknown, RuleNotFailed, "it did not fail")
	}
	normalised := normalizeCode(code)
	if normalised.key == "" {
		return builtIn(FailureUnknown, RuleNoCode, "it carries no failure code")
	}
	if entry, ok := t.codes[normalised.key]; ok {
		return t.classification(entry.rule, entry.text)
	}
	if p, ok := t.firstPattern(normalised); ok {
		return t.classification(p.rule, p.text)
	}
	return builtIn(FailureUnknown, RuleUnlisted, "its failure code is in no rule of the policy")
}

func builtIn(class FailureClass, rule, reason string) Classification {
	return Classification{Class: class, Rule: rule, Clause: class.Clause(), Reason: reason}
}

func (t FailureTable) classification(rule int, match string) Classification {
	r := t.rules[rule]
	return Classification{Class: r.Class, Rule: r.Name, Match: match, Clause: r.Class.Clause(), Reason: r.Reason}
}

// firstPattern is the first in the table's order of all patterns that fit somewhere in the code.
func (t FailureTable) firstPattern(code normalizedCode) (patternEntry, bool) {
	first := len(t.patterns)
	for _, at := range code.boundaries {
		if len(code.key)-at < minPatternKey {
			break
		}
		for _, i := range t.byStart[patternStart([]byte(code.key[at:]))] {
			if i >= first {
				break
			}
			if t.patterns[i].fitsAt(code, at) {
				first = i
			}
		}
	}
	if first == len(t.patterns) {
		return patternEntry{}, false
	}
	return t.patterns[first], true
}

// fitsAt reports whether the pattern fits where a word of the code begins.
func (p patternEntry) fitsAt(code normalizedCode, at int) bool {
	if !strings.HasPrefix(code.key[at:], p.key) {
		return false
	}
	if p.prefix {
		return at == 0
	}
	return code.isBoundary(at + len(p.key))
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
			hashString(h, strconv.FormatBool(p.prefix))
		}
	}
}

// normalizedCode is a failure code without case and separators, which still knows where its
// words began and ended.
type normalizedCode struct {
	// key has the letters and digits only, in lower case.
	key string
	// boundaries are the offsets into key at which a word begins or ends, ascending.
	boundaries []int
}

func (c normalizedCode) isBoundary(offset int) bool {
	_, found := slices.BinarySearch(c.boundaries, offset)
	return found
}

// normalizeCode folds a failure code. A word ends at a separator (whatever is neither letter
// nor digit), where letters meet digits, before a capital behind a small letter ("nodeFail")
// and before the last of several capitals if a small letter follows ("OOMKilled").
func normalizeCode(code string) normalizedCode {
	var (
		key        []byte
		boundaries []int
		runes      = []rune(code)
		previous   rune // the rune before, 0 at the beginning and behind a separator
	)
	mark := func() {
		if n := len(boundaries); n == 0 || boundaries[n-1] != len(key) {
			boundaries = append(boundaries, len(key))
		}
	}
	for i, r := range runes {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			previous = 0
			continue
		}
		var next rune
		if i+1 < len(runes) {
			next = runes[i+1]
		}
		if wordBegins(previous, r, next) {
			mark()
		}
		key = utf8.AppendRune(key, foldRune(r))
		previous = r
	}
	mark()
	return normalizedCode{key: string(key), boundaries: boundaries}
}

func wordBegins(previous, r, next rune) bool {
	switch {
	case previous == 0:
		return true
	case unicode.IsDigit(previous) != unicode.IsDigit(r):
		return true
	case unicode.IsUpper(r) && unicode.IsLower(previous):
		return true
	default:
		return unicode.IsUpper(r) && unicode.IsUpper(previous) && unicode.IsLower(next)
	}
}

// foldRune maps all runes that differ in case only to one of them.
func foldRune(r rune) rune {
	least := r
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		least = min(least, other)
	}
	return unicode.ToLower(least)
}
