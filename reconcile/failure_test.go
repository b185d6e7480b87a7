package reconcile_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/hummingbytes/reconciler/reconcile"
)

func table(t testing.TB, rules ...reconcile.FailureRule) reconcile.FailureTable {
	t.Helper()
	built, err := reconcile.NewFailureTable(rules)
	if err != nil {
		t.Fatal(err)
	}
	return built
}

func sampleTable(t testing.TB) reconcile.FailureTable {
	return table(t,
		reconcile.FailureRule{Name: "canceled", Class: reconcile.FailureUser, Reason: "it was canceled", Codes: []string{"CANCELLED"}, Patterns: []string{"by user"}},
		reconcile.FailureRule{Name: "node", Class: reconcile.FailureSystem, Reason: "a machine failed", Codes: []string{"NODE_FAIL", "137"}, Patterns: []string{"node fail", "xid", "out of memory", "timeout"}},
		reconcile.FailureRule{Name: "nccl", Class: reconcile.FailureSystem, Reason: "machines lost touch", Patterns: []string{"nccl*"}},
		reconcile.FailureRule{Name: "data", Class: reconcile.FailureUser, Reason: "the data were invalid", Codes: []string{"InvalidData", "timeout of the user"}, Patterns: []string{"invalid data", "prompt"}},
	)
}

func TestClassify(t *testing.T) {
	tests := []struct {
		status            reconcile.JobStatus
		code, rule, match string
		class             reconcile.FailureClass
	}{
		// equal but for case and separators
		{reconcile.JobFailed, "NODE_FAIL", "node", "NODE_FAIL", reconcile.FailureSystem},
		{reconcile.JobFailed, "NodeFail", "node", "NODE_FAIL", reconcile.FailureSystem},
		{reconcile.JobFailed, "node-fail", "node", "NODE_FAIL", reconcile.FailureSystem},
		{reconcile.JobFailed, " node  fail\n", "node", "NODE_FAIL", reconcile.FailureSystem},
		{reconcile.JobFailed, "nodefail", "node", "NODE_FAIL", reconcile.FailureSystem},
		{reconcile.JobFailed, "ɴode_fail", reconcile.RuleUnlisted, "", reconcile.FailureUnknown},
		{reconcile.JobInterrupted, "137", "node", "137", reconcile.FailureSystem},
		{reconcile.JobFailed, "1370", reconcile.RuleUnlisted, "", reconcile.FailureUnknown},
		// exact codes before patterns, whatever the order of the rows
		{reconcile.JobFailed, "TIMEOUT_OF_THE_USER", "data", "timeout of the user", reconcile.FailureUser},
		// words, not parts of words
		{reconcile.JobFailed, "Xid 79", "node", "xid", reconcile.FailureSystem},
		{reconcile.JobFailed, "NVRM: Xid (PCI:0000:3b:00): 79", "node", "xid", reconcile.FailureSystem},
		{reconcile.JobFailed, "xid79", "node", "xid", reconcile.FailureSystem},
		{reconcile.JobFailed, "NvidiaXid79", "node", "xid", reconcile.FailureSystem},
		{reconcile.JobFailed, "GPUXid", "node", "xid", reconcile.FailureSystem},
		{reconcile.JobFailed, "FXid", "node", "xid", reconcile.FailureSystem},
		{reconcile.JobFailed, "Fxid", reconcile.RuleUnlisted, "", reconcile.FailureUnknown},
		{reconcile.JobFailed, "FXID", reconcile.RuleUnlisted, "", reconcile.FailureUnknown},
		{reconcile.JobFailed, "oxide", reconcile.RuleUnlisted, "", reconcile.FailureUnknown},
		{reconcile.JobFailed, "ferric_oxide 79", reconcile.RuleUnlisted, "", reconcile.FailureUnknown},
		{reconcile.JobFailed, "xidentified", reconcile.RuleUnlisted, "", reconcile.FailureUnknown},
		{reconcile.JobFailed, "InvalidDatabase", reconcile.RuleUnlisted, "", reconcile.FailureUnknown},
		{reconcile.JobFailed, "oxide xid", "node", "xid", reconcile.FailureSystem},
		{reconcile.JobFailed, "java.lang.OutOfMemoryError", "node", "out of memory", reconcile.FailureSystem},
		{reconcile.JobFailed, "CUDA_OUT_OF_MEMORY", "node", "out of memory", reconcile.FailureSystem},
		{reconcile.JobFailed, "out of luck and memory", reconcile.RuleUnlisted, "", reconcile.FailureUnknown},
		{reconcile.JobFailed, "time out", "node", "timeout", reconcile.FailureSystem},
		// the first row wins
		{reconcile.JobFailed, "prompt timeout", "node", "timeout", reconcile.FailureSystem},
		{reconcile.JobFailed, "timeout set by user", "canceled", "by user", reconcile.FailureUser},
		{reconcile.JobFailed, "invalid data from node: NodeFail", "node", "node fail", reconcile.FailureSystem},
		{reconcile.JobFailed, "bad prompt", "data", "prompt", reconcile.FailureUser},
		// beginnings
		{reconcile.JobFailed, "ncclSystemError", "nccl", "nccl*", reconcile.FailureSystem},
		{reconcile.JobFailed, "NCCLSYSTEMERROR", "nccl", "nccl*", reconcile.FailureSystem},
		{reconcile.JobFailed, "the nccl", reconcile.RuleUnlisted, "", reconcile.FailureUnknown},
		// nothing to go by
		{reconcile.JobFailed, "", reconcile.RuleNoCode, "", reconcile.FailureUnknown},
		{reconcile.JobInterrupted, " \t-_", reconcile.RuleNoCode, "", reconcile.FailureUnknown},
		{reconcile.JobFailed, "E42", reconcile.RuleUnlisted, "", reconcile.FailureUnknown},
		{reconcile.JobFailed, "xi", reconcile.RuleUnlisted, "", reconcile.FailureUnknown},
		{reconcile.JobFailed, "\xff\xfe", reconcile.RuleNoCode, "", reconcile.FailureUnknown},
		// the status decides first
		{reconcile.JobCanceled, "NODE_FAIL", reconcile.RuleCanceled, "", reconcile.FailureUser},
		{reconcile.JobCanceled, "", reconcile.RuleCanceled, "", reconcile.FailureUser},
		{reconcile.JobSucceeded, "NODE_FAIL", reconcile.RuleNotFailed, "", reconcile.FailureUnknown},
		{reconcile.JobRunning, "", reconcile.RuleNotFailed, "", reconcile.FailureUnknown},
		{"nonsense", "NODE_FAIL", reconcile.RuleNotFailed, "", reconcile.FailureUnknown},
	}
	table := sampleTable(t)
	for _, test := range tests {
		got := table.Classify(test.status, test.code)
		if got.Class != test.class || got.Rule != test.rule || got.Match != test.match || got.Clause != test.class.Clause() || got.Reason == "" {
			t.Errorf("%s %q: %+v, want %s by %s (%s)", test.status, test.code, got, test.class, test.rule, test.match)
		}
	}
}

// respell draws another way to write the same words.
func respell(t *rapid.T, words []string) string {
	switch rapid.IntRange(0, 5).Draw(t, "spelling") {
	case 0: // UPPER_SNAKE and the like
		return strings.ToUpper(strings.Join(words, rapid.SampledFrom([]string{"_", "-", " ", ".", ":", "/", "::", " - "}).Draw(t, "separator")))
	case 1:
		return strings.ToLower(strings.Join(words, rapid.SampledFrom([]string{"_", "-", " ", ".", ":", "/", "__"}).Draw(t, "separator")))
	case 2: // CamelCase
		var b strings.Builder
		for _, word := range words {
			b.WriteString(strings.ToUpper(word[:1]) + strings.ToLower(word[1:]))
		}
		return b.String()
	case 3: // camelCase
		var b strings.Builder
		for i, word := range words {
			if i == 0 {
				b.WriteString(strings.ToLower(word))
			} else {
				b.WriteString(strings.ToUpper(word[:1]) + strings.ToLower(word[1:]))
			}
		}
		return b.String()
	case 4:
		return "  " + strings.Join(words, " ") + "!"
	default:
		return strings.Join(words, "\t")
	}
}

func TestSpellingDoesNotChangeTheClass(t *testing.T) {
	failures := sampleTable(t)
	word := rapid.SampledFrom([]string{"node", "fail", "xid", "oxide", "out", "of", "memory", "invalid", "data", "prompt", "nccl", "timeout", "by", "user", "error", "gpu", "cancelled", "the"})
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(word, 1, 6).Draw(t, "words")
		want := failures.Classify(reconcile.JobFailed, strings.Join(words, " "))
		code := respell(t, words)
		if got := failures.Classify(reconcile.JobFailed, code); got != want {
			t.Fatalf("%q is %+v, %q is %+v", words, want, code, got)
		}
	})
}

func TestCodesAreBlindToCaseAndSeparators(t *testing.T) {
	failures := sampleTable(t)
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.SampledFrom([]string{"CANCELLED", "NODE_FAIL", "137", "InvalidData", "timeout of the user"}).Draw(t, "code")
		var b strings.Builder
		for _, r := range code {
			if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
				continue
			}
			b.WriteString(rapid.StringMatching(`[ _.:/-]{0,2}`).Draw(t, "separator"))
			if rapid.Bool().Draw(t, "upper") {
				b.WriteString(strings.ToUpper(string(r)))
			} else {
				b.WriteString(strings.ToLower(string(r)))
			}
		}
		if got, want := failures.Classify(reconcile.JobFailed, b.String()), failures.Classify(reconcile.JobFailed, code); got != want || got.Match != code {
			t.Fatalf("%q is %+v, %q is %+v", code, want, b.String(), got)
		}
	})
}

func FuzzClassify(f *testing.F) {
	failures := sampleTable(f)
	for _, code := range []string{"", "NODE_FAIL", "Xid 79", "oxide", "ncclSystemError", "İnvalid data", "ß", "K", "ſ", "a\x00b", "\xff", strings.Repeat("a", 1000)} {
		f.Add(code)
	}
	classes := []reconcile.FailureClass{reconcile.FailureSystem, reconcile.FailureUser, reconcile.FailureUnknown}
	f.Fuzz(func(t *testing.T, code string) {
		got := failures.Classify(reconcile.JobFailed, code)
		if !slices.Contains(classes, got.Class) || got.Clause != got.Class.Clause() || got.Rule == "" || got.Reason == "" {
			t.Errorf("%q: %+v", code, got)
		}
		if again := failures.Classify(reconcile.JobFailed, code); again != got {
			t.Errorf("%q: %+v, then %+v", code, got, again)
		}
		if padded := failures.Classify(reconcile.JobFailed, " ("+code+") "); padded != got {
			t.Errorf("%q: %+v, in brackets %+v", code, got, padded)
		}
	})
}

func TestNewFailureTableFaults(t *testing.T) {
	good := reconcile.FailureRule{Name: "good", Class: reconcile.FailureSystem, Reason: "it is good", Codes: []string{"NODE_FAIL"}, Patterns: []string{"node fail"}}
	rule := func(change func(*reconcile.FailureRule)) reconcile.FailureRule {
		r := reconcile.FailureRule{Name: "other", Class: reconcile.FailureUser, Reason: "it is other", Codes: []string{"OTHER"}}
		change(&r)
		return r
	}
	tests := []struct {
		name string
		rule reconcile.FailureRule
		want reconcile.FailureFault
	}{
		{"no name", rule(func(r *reconcile.FailureRule) { r.Name = "" }), reconcile.FailureFault{Rule: 1, Field: "name", Item: -1, Problem: `failure rule "": has no name`}},
		{"name taken", rule(func(r *reconcile.FailureRule) { r.Name = "good" }), reconcile.FailureFault{Rule: 1, Field: "name", Item: -1, Problem: `failure rule "good": a rule of this name stands above already`}},
		{"class", rule(func(r *reconcile.FailureRule) { r.Class = "unknown" }), reconcile.FailureFault{Rule: 1, Field: "class", Item: -1, Problem: `failure rule "other": class "unknown": must be system or user; what is in no rule is unknown`}},
		{"reason", rule(func(r *reconcile.FailureRule) { r.Reason = " " }), reconcile.FailureFault{Rule: 1, Field: "reason", Item: -1, Problem: `failure rule "other": has no reason`}},
		{"nothing in it", rule(func(r *reconcile.FailureRule) { r.Codes = nil }), reconcile.FailureFault{Rule: 1, Item: -1, Problem: `failure rule "other": has neither codes nor patterns`}},
		{"empty code", rule(func(r *reconcile.FailureRule) { r.Codes = []string{"A", "-"} }), reconcile.FailureFault{Rule: 1, Field: "codes", Item: 1, Problem: `failure rule "other": code "-" has no letter or digit`}},
		{"both system and user", rule(func(r *reconcile.FailureRule) { r.Codes = []string{"nodeFail"} }), reconcile.FailureFault{Rule: 1, Field: "codes", Item: 0, Problem: `failure rule "other": code "nodeFail" is listed already, as "NODE_FAIL" in rule "good": it can't be both system and user`}},
		{"twice in a row", rule(func(r *reconcile.FailureRule) { r.Codes = []string{"A_B", "ab"} }), reconcile.FailureFault{Rule: 1, Field: "codes", Item: 1, Problem: `failure rule "other": code "ab" is listed already, as "A_B" in rule "other"`}},
		{"pattern too short", rule(func(r *reconcile.FailureRule) { r.Patterns = []string{"o-m"} }), reconcile.FailureFault{Rule: 1, Field: "patterns", Item: 0, Problem: `failure rule "other": pattern "o-m" has fewer than 3 letters and digits: it would fit by accident`}},
		{"only a star", rule(func(r *reconcile.FailureRule) { r.Patterns = []string{"*"} }), reconcile.FailureFault{Rule: 1, Field: "patterns", Item: 0, Problem: `failure rule "other": pattern "*" has fewer than 3 letters and digits: it would fit by accident`}},
		{"star in front", rule(func(r *reconcile.FailureRule) { r.Patterns = []string{"fine", "*error"} }), reconcile.FailureFault{Rule: 1, Field: "patterns", Item: 1, Problem: `failure rule "other": pattern "*error" has a star elsewhere than at its end`}},
		{"pattern twice", rule(func(r *reconcile.FailureRule) { r.Patterns = []string{"Node-Fail"} }), reconcile.FailureFault{Rule: 1, Field: "patterns", Item: 0, Problem: `failure rule "other": pattern "Node-Fail" is listed already, as "node fail" in rule "good": it can't be both system and user`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := reconcile.NewFailureTable([]reconcile.FailureRule{good, test.rule})
			var faults reconcile.FailureFaults
			if !errors.As(err, &faults) || len(faults) != 1 || faults[0] != test.want {
				t.Errorf("%#v\nwant %#v", faults, test.want)
			}
		})
	}
	if _, err := reconcile.NewFailureTable(nil); err == nil {
		t.Error("a table without rules is accepted")
	}
	_, err := reconcile.NewFailureTable([]reconcile.FailureRule{{}, {}})
	var faults reconcile.FailureFaults
	if errors.As(err, &faults); len(faults) != 8 {
		t.Errorf("two empty rows have %d faults, want 4 each: %v", len(faults), err)
	}
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 8 || lines[0] != faults[0].Problem || lines[7] != faults[7].Problem {
		t.Errorf("the error doesn't say each fault on a line of its own: %v", err)
	}
}

func TestFailureTableIsImmutable(t *testing.T) {
	rules := []reconcile.FailureRule{{Name: "node", Class: reconcile.FailureSystem, Reason: "a machine failed", Codes: []string{"NODE_FAIL"}, Patterns: []string{"node fail"}}}
	failures := table(t, rules...)
	rules[0].Codes[0], rules[0].Name = "CHANGED", "changed"
	failures.Rules()[0].Patterns[0] = "changed"
	if got := failures.Rules()[0]; got.Name != "node" || got.Codes[0] != "NODE_FAIL" || got.Patterns[0] != "node fail" {
		t.Errorf("%+v", got)
	}
}

func BenchmarkClassifyMessage(b *testing.B) {
	failures := sampleTable(b)
	for b.Loop() {
		failures.Classify(reconcile.JobFailed, "RuntimeError: CUDA error: an illegal memory access was encountered on gpu 3 of node 17")
	}
}
