// Package policyfile reads the refund policy from YAML into reconcile.Policies, and carries the default policy.
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
