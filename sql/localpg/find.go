//go:build unix

package localpg

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

const (
	// BinVariable names the environment variable that points at the folder with the postgres and initdb programs to use; nothing else
	// is looked at when it is set.
	BinVariable = "RECONCILER_POSTGRES_BIN"
	// FetchVariable names the environment variable that hides the machine's own programs: "default" asks for what a machine without any
	// gets, a major version such as 16 for the pinned download of that version.
	FetchVariable = "RECONCILER_POSTGRES_FETCH"
	// OldestVersion is the first major version that the SQL of this module runs on.
	OldestVersion = 14

	defaultFetch = "default"
)

// installPatterns are the folders that packagers put server programs in.
var installPatterns = []string{
	"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
	"/usr/pgsql-*/bin",          // PostgreSQL's own packages for Fedora and the Red Hat family
	"/usr/libexec/postgresql*",  // Alpine
	"/usr/local/pgsql/bin",      // built from source
	"/opt/homebrew/opt/postgresql*/bin",
	"/usr/local/opt/postgresql*/bin",
	"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// machine is what the search for programs sees and uses.
type machine struct {
	getenv   func(string) string
	patterns []string
	platform string                // as in "linux-x64"
	packages map[string]npmPackage // by platform: what is fetched unless asked otherwise
	versions map[string]npmPackage // by platform and major version, as in "linux-x64 16": what FetchVariable can ask for
	registry string
	client   *http.Client
	lookPath func(program string) (string, error)
}

func thisMachine() machine {
	architecture := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if architecture == "" {
		architecture = runtime.GOARCH
	}
	return machine{
		getenv:   os.Getenv,
		patterns: installPatterns,
		platform: runtime.GOOS + "-" + architecture,
		packages: npmPackages,
		versions: npmVersions,
		registry: npmRegistry,
		client:   &http.Client{},
		lookPath: exec.LookPath,
	}
}

func (m machine) find(ctx context.Context, a *account) (installation, error) {
	if wanted := m.getenv(FetchVariable); wanted != "" {
		if m.getenv(BinVariable) != "" {
			return installation{}, fmt.Errorf("%s and %s are both set: one says which programs to use, the other to fetch some", BinVariable, FetchVariable)
		}
		return installation{}, fmt.Errorf("%w: %s=%s asks for fetched programs", ErrNotFound, FetchVariable, wanted)
	}
	if chosen := m.getenv(BinVariable); chosen != "" {
		i := installation{binDir: chosen}
		if _, err := i.usable(ctx, a); err != nil {
			return installation{}, fmt.Errorf("%s=%s cannot be used: %w", BinVariable, chosen, err)
		}
		return i, nil
	}
	var refused []error
	for _, dir := range filepath.SplitList(m.getenv("PATH")) {
		program, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
		if err != nil || !filepath.IsAbs(dir) { // a program of the current folder must never run by accident
			continue
		}
		i := installation{binDir: filepath.Dir(program)}
		if _, err = i.usable(ctx, a); err == nil {
			return i, nil
		}
		refused = append(refused, err)
	}
	var best installation
	newest := 0
	for _, pattern := range m.patterns {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			return installation{}, fmt.Errorf("look for PostgreSQL in %s: %w", pattern, err)
		}
		for _, dir := range dirs {
			if _, err := os.Stat(filepath.Join(dir, "postgres")); err != nil {
				continue // client programs only
			}
			i := installation{binDir: dir}
			version, err := i.usable(ctx, a)
			if err != nil {
				refused = append(refused, err)
			} else if version > newest {
				best, newest = i, version
			}
		}
	}
	if newest == 0 {
		missing := fmt.Errorf("%w on PATH or in %s", ErrNotFound, strings.Join(m.patterns, ", "))
		return installation{}, errors.Join(append([]error{missing}, refused...)...)
	}
	return best, nil
}
