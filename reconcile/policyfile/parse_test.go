package policyfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"go.yaml.in/yaml/v3"
)

const validFile = `versions:
  - version: "1"
    effective_from: 2020-01-01T00:00:00Z
    effective_to: 2026-01-01T00:00:00Z
    refund_window: 168h
    review_business_days: 7
    holiday_calendar: us-federal
    failures: &table
      - name: node
        class: system
        reason: a machine of ours failed
        codes: [NODE_FAIL, 137]
        patterns:
          - node fail
      - name: data
        class: user
        reason: the data were invalid
        codes:
          - INVALID_DATA
          - "no"
  - version: 2026-07
    effective_from: 2026-01-01T01:00:00+01:00
    refund_window: 336h30m
    review_business_days: 5
    holiday_calendar: de
    failures: *table
`

func TestParse(t *testing.T) {
	policies, err := Parse("policy.yaml", []byte(validFile))
	if err != nil {
		t.Fatal(err)
	}
	versions := policies.Versions()
	if len(versions) != 2 {
		t.Fatalf("%d versions", len(versions))
	}
	first, second := versions[0], versions[1]
	if first.Version != "1" || first.RefundWindow != 168*time.Hour || first.ReviewBusinessDays != 7 || first.HolidayCalendar != "us-federal" {
		t.Errorf("%+v", first)
	}
	if second.Version != "2026-07" || second.RefundWindow != 336*time.Hour+30*time.Minute || second.ReviewBusinessDays != 5 || !second.EffectiveTo.IsZero() {
		t.Errorf("%+v", second)
	}
	for _, v := range versions {
		if got := v.Failures.Classify(reconcile.JobFailed, "137"); got.Class != reconcile.FailureSystem {
			t.Errorf("%s: 137 is %+v", v.Version, got)
		}
		if got := v.Failures.Classify(reconcile.JobFailed, "NO"); got.Class != reconcile.FailureUser {
			t.Errorf("%s: NO is %+v", v.Version, got)
		}
	}
}

// Each fault is made by replacing one line of the valid file, and must be named with its line.
func TestParseFaults(t *testing.T) {
	tests := []struct {
		name, old, new string
		want           []string
	}{
		{"unknown key at the top", "versions:\n", "verzions: []\nversions:\n", []string{`1: the file: unknown key "verzions"; known are versions`}},
		{"unknown key in a version", "    refund_window: 168h\n", "    refund_windov: 168h\n", []string{`2: version: key "refund_window" is missing`, `5: version: unknown key "refund_windov"`}},
		{"unknown key in a row", "        reason: a machine of ours failed\n", "        reason: a machine of ours failed\n        colour: red\n", []string{`12: failure rule: unknown key "colour"`}},
		{"key given twice", "    review_business_days: 7\n", "    review_business_days: 7\n    review_business_days: 8\n", []string{`7: version: key "review_business_days" is given twice`}},
		{"merge key", "    review_business_days: 7\n", "    review_business_days: 7\n    <<: {}\n", []string{`7: version: unknown key "<<"`}},
		{"gap", "    effective_to: 2026-01-01T00:00:00Z\n", "    effective_to: 2025-12-31T00:00:00Z\n", []string{`22: effective_from: policy version "2026-07": gap: version "1" ends at 2025-12-31T00:00:00Z, this one begins at 2026-01-01T00:00:00Z`}},
		{"overlap", "    effective_to: 2026-01-01T00:00:00Z\n", "    effective_to: 2026-01-01T00:00:01Z\n", []string{`22: effective_from: policy version "2026-07": overlap: version "1" ends at 2026-01-01T00:00:01Z`}},
		{"wrong order", "    effective_from: 2026-01-01T01:00:00+01:00\n", "    effective_from: 2019-01-01T00:00:00Z\n", []string{`22: effective_from: policy version "2026-07": begins at 2019-01-01T00:00:00Z, not after version "1"`}},
		{"ends before it begins", "    effective_to: 2026-01-01T00:00:00Z\n", "    effective_to: 2019-01-01T00:00:00Z\n", []string{`4: effective_to: must be after effective_from`, "22: effective_from: "}},
		{"the last one ends", "    refund_window: 336h30m\n", "    refund_window: 336h30m\n    effective_to: 2027-01-01T00:00:00Z\n", []string{`24: effective_to: no version follows the last one`}},
		{"same name", "  - version: 2026-07\n", "  - version: 1\n", []string{`21: version: "1" is the name of the version on line 2 already`}},
		{"no zone", "    effective_from: 2020-01-01T00:00:00Z\n", "    effective_from: 2020-01-01\n", []string{`3: effective_from: "2020-01-01" is not an instant with its zone, as in 2026-01-01T00:00:00Z`}},
		{"far year", "    effective_from: 2020-01-01T00:00:00Z\n", "    effective_from: 0001-01-01T00:00:00Z\n", []string{`3: effective_from: "0001-01-01T00:00:00Z" is not in the years 1970 to 9999`}},
		{"days", "    refund_window: 168h\n", "    refund_window: 7d\n", []string{`5: refund_window: "7d" is not a duration in hours, minutes and seconds; 7 days are 168h`}},
		{"no window", "    refund_window: 168h\n", "    refund_window: 0s\n", []string{`5: refund_window: 0s must be above 0`}},
		{"negative window", "    refund_window: 168h\n", "    refund_window: -168h\n", []string{`5: refund_window: -168h must be above 0`}},
		{"endless window", "    refund_window: 168h\n", "    refund_window: 99999h\n", []string{`5: refund_window: 99999h must be above 0 and at most`}},
		{"overflowing window", "    refund_window: 168h\n", "    refund_window: 99999999999999h\n", []string{`5: refund_window: "99999999999999h" is not a duration`}},
		{"no business days", "    review_business_days: 7\n", "    review_business_days: 0\n", []string{`6: review_business_days: "0" is not a number from 1 to 365`}},
		{"half business days", "    review_business_days: 7\n", "    review_business_days: 7.5\n", []string{`6: review_business_days: "7.5" is not a number`}},
		{"unknown calendar", "    holiday_calendar: us-federal\n", "    holiday_calendar: us-fed\n", []string{`7: holiday_calendar: holiday calendar "us-fed": unknown; known are at, be,`}},
		{"empty value", "    holiday_calendar: us-federal\n", "    holiday_calendar:\n", []string{`7: version: key "holiday_calendar" must have a value`}},
		{"no table", "    failures: *table\n", "", []string{`21: version: key "failures" is missing`}},
		{"empty table", "    failures: *table\n", "    failures: []\n", []string{`26: the failure table has no rules`}},
		{"table of nothing", "    failures: *table\n", "    failures:\n", []string{`26: failures: must be a list`}},
		{"class", "        class: user\n", "        class: unknown\n", []string{`16: failure rule "data": class "unknown": must be system or user; what is in no rule is unknown`}},
		{"no reason", "        reason: the data were invalid\n", "", []string{`15: failure rule: key "reason" is missing`}},
		{"twice after normalisation", "          - \"no\"\n", "          - invalid-data\n", []string{`20: failure rule "data": code "invalid-data" is listed already, as "INVALID_DATA" in rule "data"`}},
		{"system and user", "          - \"no\"\n", "          - nodeFail\n", []string{`20: failure rule "data": code "nodeFail" is listed already, as "NODE_FAIL" in rule "node": it can't be both system and user`}},
		{"code without letters", "          - \"no\"\n", "          - \"--\"\n", []string{`20: failure rule "data": code "--" has no letter or digit`}},
		{"code that is no text", "          - \"no\"\n", "          - [a]\n", []string{`20: codes: every entry must be a text`}},
		{"code that is null", "          - \"no\"\n", "          - null\n", []string{`20: codes: every entry must be a text`}},
		{"codes that are no list", "        codes: [NODE_FAIL, 137]\n", "        codes: NODE_FAIL\n", []string{`12: codes: must be a list`}},
		{"pattern", "          - node fail\n", "          - no*de\n", []string{`14: failure rule "node": pattern "no*de" has a star elsewhere than at its end`}},
		{"row that is no mapping", "      - name: data\n        class: user\n", "      - data\n      - name: data\n        class: user\n", []string{`15: failure rule: must have the keys name, class, reason, codes, patterns`}},
		{"version that is no mapping", "  - version: 2026-07\n", "  - surprise\n  - version: 2026-07\n", []string{`21: version: must have the keys`}},
		{"not YAML", "    refund_window: 168h\n", "    refund_window: [168h\n", []string{`not valid YAML`}},
		{"unknown anchor", "    failures: *table\n", "    failures: *tables\n", []string{`not valid YAML: unknown anchor 'tables' referenced`}},
		{"second document", "    failures: *table\n", "    failures: *table\n---\nversions: []\n", []string{`27: a second document begins here`}},
		{"everything at once", "    refund_window: 168h\n    review_business_days: 7\n    holiday_calendar: us-federal\n", "    refund_window: 7d\n    review_business_days: no\n    holiday_calendar: mars\n",
			[]string{`5: refund_window: `, `6: review_business_days: `, `7: holiday_calendar: `}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if strings.Count(validFile, test.old) != 1 {
				t.Fatalf("%q is not in the valid file once", test.old)
			}
			_, err := Parse("dir/policy.yaml", []byte(strings.Replace(validFile, test.old, test.new, 1)))
			var faults Faults
			if !errors.As(err, &faults) {
				t.Fatalf("error is %v", err)
			}
			if len(faults) != len(test.want) {
				t.Fatalf("%d faults, want %d:\n%v", len(faults), len(test.want), err)
			}
			for i, line := range strings.Split(err.Error(), "\n") {
				if want := test.want[i]; !strings.HasPrefix(line, "dir/policy.yaml:") || !strings.Contains(line, want) || strings.Contains("0123456789", want[:1]) && !strings.HasPrefix(line, "dir/policy.yaml:"+want) {
					t.Errorf("%s\nwant %s", line, want)
				}
			}
		})
	}
}

func TestParseRefusesTheShapeless(t *testing.T) {
	tests := map[string]string{
		"":                           "f:1: the file is empty",
		"# only a comment\n":         "f:1: the file is empty",
		"null\n":                     "f:1: the file: must have the keys versions",
		"- a\n":                      "f:1: the file: must have the keys versions",
		"{}\n":                       `f:1: the file: key "versions" is missing`,
		"versions: 1\n":              "f:1: versions: must be a list",
		"versions: []\n":             "f:1: versions: has 0 entries, must have 1 to 200",
		"\tversions: []\n":           "f:1: not valid YAML: ",
		"versions: &a [*a]\n":        "f:1: version: must have the keys",
		"a: &a {b: *a}\nversions: 1": "f:1: the file: unknown key",
		"versions: [" + strings.Repeat("{},", 201) + "]": "f:1: versions: has 201 entries",
		strings.Repeat("#", MaxFileBytes+1):              "f:1: the file has more than",
		"versions: \xff\n":                               "f:1: not valid YAML: ",
	}
	for text, want := range tests {
		_, err := Parse("f", []byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

func TestParseNamesAtMostAHundredFaults(t *testing.T) {
	_, err := Parse("f", []byte("versions:"+strings.Repeat("\n  - a", 200)))
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != maxFaults+1 || faults[maxFaults].Problem != "and 100 more faults" {
		t.Errorf("%d faults, the last %v", len(faults), faults[len(faults)-1])
	}
}

// A file of a megabyte must not grow into a table of gigabytes.
func TestAliasesDoNotMultiply(t *testing.T) {
	codes := "[" + strings.Repeat("a1,", 100_000) + "]"
	head := "versions:\n  - version: 1\n    effective_from: 2020-01-01T00:00:00Z\n    refund_window: 1h\n    review_business_days: 1\n    holiday_calendar: none\n    failures:\n"
	tests := map[string]string{
		head + "      - &r {name: a, class: user, reason: b, codes: " + codes + "}\n" + strings.Repeat("      - *r\n", 1000):                "8: failures: more than 20000 codes and patterns",
		head + "      - &r {name: a, class: user, reason: b, codes: [a, b]}\n" + strings.Repeat("      - *r\n", 60_000):                     "8: failures: has 60001 rules, may have 2000",
		head + "      - {name: a, class: user, reason: b, codes: &c [a, b]}\n" + strings.Repeat("      - {name: b, codes: *c}\n", 1000):     "9: failure rule: key \"class\" is missing",
		head + "      - &r {name: a, class: user, reason: b, codes: [a, b, c, d, e, f, g, h, i]}\n" + strings.Repeat("      - *r\n", 1_999): "8: failure rule \"a\": a rule of this name stands above already",
	}
	for text, want := range tests {
		began := time.Now()
		_, err := Parse("f", []byte(text))
		var faults Faults
		if !errors.As(err, &faults) || !strings.HasPrefix(faults[0].String(), "f:"+want) || len(faults) > maxFaults+1 {
			t.Errorf("%d faults, the first %v; want %s", len(faults), faults[0], want)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: took %s", want, took)
		}
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if _, err := Load(path); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("a file that isn't there: %v", err)
	}
	if err := os.WriteFile(path, []byte(validFile), 0o600); err != nil {
		t.Fatal(err)
	}
	policies, err := Load(path)
	if err != nil || len(policies.Versions()) != 2 {
		t.Errorf("%d versions, %v", len(policies.Versions()), err)
	}
	if err := os.WriteFile(path, append(DefaultYAML(), "  - {}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	var faults Faults
	if _, err := Load(path); !errors.As(err, &faults) || faults[0].File != path || faults[0].Line != bytes.Count(DefaultYAML(), []byte("\n"))+1 {
		t.Errorf("a fault behind the built-in policy: %v", err)
	}
}

func TestDefault(t *testing.T) {
	policies, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	v, err := policies.At(time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if v.Version != "1" || v.RefundWindow != 168*time.Hour || v.ReviewBusinessDays != 7 || v.HolidayCalendar != "us-federal" || !v.EffectiveTo.IsZero() {
		t.Errorf("%s: window %s, %d days, calendar %s", v.Version, v.RefundWindow, v.ReviewBusinessDays, v.HolidayCalendar)
	}
	if _, err := policies.At(v.EffectiveFrom.Add(-1)); !errors.Is(err, reconcile.ErrNoPolicy) {
		t.Error(err)
	}
}

func TestWriteRoundTrip(t *testing.T) {
	builtIn, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	two, err := Parse("f", []byte(validFile))
	if err != nil {
		t.Fatal(err)
	}
	for i, policies := range []reconcile.Policies{builtIn, two} {
		checkRoundTrip(t, fmt.Sprint("policy ", i), policies)
	}
}

func checkRoundTrip(t *testing.T, name string, policies reconcile.Policies) {
	t.Helper()
	var text bytes.Buffer
	if err := write(&text, policies); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	again, err := Parse(name, text.Bytes())
	if err != nil {
		t.Fatalf("%s is not read back: %v", name, err)
	}
	if again.Hash() != policies.Hash() {
		t.Errorf("%s has another hash after being written and read", name)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(validFile))
	f.Add([]byte("versions: [{version: 1, effective_from: 2020-01-01T00:00:00Z, refund_window: 1h, review_business_days: 1, holiday_calendar: none, failures: [{name: a, class: user, reason: b, codes: [c]}]}]"))
	f.Add([]byte("versions: &a [*a]"))
	f.Add([]byte("a: &a [x, x]\nb: &b [*a, *a]\nversions: [*b, *b]"))
	f.Add([]byte("\xfe\xff\x00v"))
	f.Fuzz(func(t *testing.T, data []byte) {
		policies, err := Parse("fuzz.yaml", data)
		if err == nil {
			checkRoundTrip(t, "fuzz", policies)
			return
		}
		var faults Faults
		if !errors.As(err, &faults) || len(faults) == 0 {
			t.Fatalf("error without faults: %v", err)
		}
		lines := bytes.Count(data, []byte("\n")) + bytes.Count(data, []byte("\r")) + 2
		for _, fault := range faults {
			if fault.File != "fuzz.yaml" || fault.Line < 1 || fault.Problem == "" {
				t.Fatalf("%+v in %d lines", fault, lines)
			}
		}
	})
}

// versionYAML and ruleYAML are the layout of the file.
type versionYAML struct {
	Version            string     `yaml:"version"`
	EffectiveFrom      string     `yaml:"effective_from"`
	EffectiveTo        string     `yaml:"effective_to,omitempty"`
	RefundWindow       string     `yaml:"refund_window"`
	ReviewBusinessDays int        `yaml:"review_business_days"`
	HolidayCalendar    string     `yaml:"holiday_calendar"`
	Failures           []ruleYAML `yaml:"failures"`
}

type ruleYAML struct {
	Name     string   `yaml:"name"`
	Class    string   `yaml:"class"`
	Reason   string   `yaml:"reason"`
	Codes    []string `yaml:"codes,omitempty,flow"`
	Patterns []string `yaml:"patterns,omitempty,flow"`
}

// write writes the policies as a file that Parse reads back to policies of the same hash.
func write(w io.Writer, policies reconcile.Policies) error {
	var file struct {
		Versions []versionYAML `yaml:"versions"`
	}
	for _, v := range policies.Versions() {
		version := versionYAML{
			Version:            v.Version,
			EffectiveFrom:      formatInstant(v.EffectiveFrom),
			EffectiveTo:        formatInstant(v.EffectiveTo),
			RefundWindow:       v.RefundWindow.String(),
			ReviewBusinessDays: v.ReviewBusinessDays,
			HolidayCalendar:    v.HolidayCalendar,
		}
		for _, r := range v.Failures.Rules() {
			version.Failures = append(version.Failures, ruleYAML{r.Name, string(r.Class), r.Reason, r.Codes, r.Patterns})
		}
		file.Versions = append(file.Versions, version)
	}
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(file); err != nil {
		return fmt.Errorf("write policy: %w", err)
	}
	return encoder.Close()
}

func formatInstant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
