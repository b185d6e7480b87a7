// Package policyfile reads the refund policy from YAML into reconcile.Policies and writes it back, and carries the default policy.
// It must never decide anything, and never accept a file in part: with one fault the file is refused, and every fault is named
// with its line.
package policyfile

import (
	_ "embed"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/hummingbytes/reconciler/reconcile"
)

//go:embed default.yaml
var defaultFile []byte

// DefaultName is what the built-in policy is called where a file's name would stand.
const DefaultName = "built-in policy"

var parseDefault = sync.OnceValues(func() (reconcile.Policies, error) { return Parse(DefaultName, defaultFile) })

// Default returns the policy that is built in. It fails only if the binary was built from a broken file.
func Default() (reconcile.Policies, error) { return parseDefault() }

// DefaultYAML returns the text of the built-in policy, to start an own one from.
func DefaultYAML() []byte { return slices.Clone(defaultFile) }

// MaxFileBytes bounds a policy file; the built-in one has about a thirtieth of it.
const MaxFileBytes = 1 << 20

// Load reads the policy file at path. The error is a Faults where the content is wrong.
func Load(path string) (reconcile.Policies, error) {
	file, err := os.Open(path)
	if err != nil {
		return reconcile.Policies{}, fmt.Errorf("policy file: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, MaxFileBytes+1))
	if err != nil {
		return reconcile.Policies{}, fmt.Errorf("policy file: %w", err)
	}
	return Parse(path, data)
}

// Fault is one thing that is wrong with a policy file.
type Fault struct {
	File string
	// Line counts from 1.
	Line int
	// Problem in words, with the fix.
	Problem string
}

func (f Fault) String() string { return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Problem) }

// Faults is everything that is wrong with a policy file, by line. It is the error of Parse and Load.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, 0, len(f))
	for _, fault := range f {
		lines = append(lines, fault.String())
	}
	return strings.Join(lines, "\n")
}

// versionYAML and ruleYAML are the file's layout as Write produces it; Parse reads nodes, to know the lines.
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

// Write writes the policies as a file that Parse reads back to policies of the same hash.
func Write(w io.Writer, policies reconcile.Policies) error {
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
