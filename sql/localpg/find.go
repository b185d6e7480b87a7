//go:build unix

package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	// BinVariable names the environment variable that points at the folder with the postgres and initdb programs to use; nothing else
	// is looked at when it is set.
	BinVariable = "RECONCILER_POSTGRES_BIN"
	// OldestVersion is the first major version that the SQL of this module runs on.
	OldestVersion = 13
)

// installPatterns are the folders that packagers put server programs in.
var installPatterns = []string{
	"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
	"/usr/pgsql-*/bin",          // PGDG for Fedora and the Red Hat family
	"/usr/libexec/postgresql*",  // Alpine
	"/usr/local/pgsql/bin",      // built from source
	"/opt/homebrew/opt/postgresql*/bin",
	"/usr/local/opt/postgresql*/bin",
	"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// machine is what the search for binaries sees.
type machine struct {
	getenv   func(string) string
	patterns []string
}

func thisMachine() machine {
	return machine{getenv: os.Getenv, patterns: installPatterns}
}

// Find returns the folder with this machine's PostgreSQL server programs: the one RECONCILER_POSTGRES_BIN names, else the first on
// PATH, else the newest where packages install it, from version 13 on. The error wraps ErrNotFound when there is none.
func Find() (binDir string, err error) {
	account, err := serverAccount()
	if err != nil {
		return "", err
	}
	return thisMachine().find(context.Background(), account)
}

func (m machine) find(ctx context.Context, a *account) (string, error) {
	if chosen := m.getenv(BinVariable); chosen != "" {
		if _, err := usable(ctx, a, chosen); err != nil {
			return "", fmt.Errorf("%s=%s cannot be used: %w", BinVariable, chosen, err)
		}
		return chosen, nil
	}
	var refused []error
	for _, dir := range filepath.SplitList(m.getenv("PATH")) {
		if !filepath.IsAbs(dir) {
			continue // a program of the current folder must never run by accident
		}
		real, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
		if err != nil {
			continue
		}
		binDir := filepath.Dir(real)
		if _, err := usable(ctx, a, binDir); err != nil {
			refused = append(refused, err)
			continue
		}
		return binDir, nil
	}
	best, newest := "", 0
	for _, pattern := range m.patterns {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			return "", fmt.Errorf("look for PostgreSQL in %s: %w", pattern, err)
		}
		for _, dir := range dirs {
			if _, err := os.Stat(filepath.Join(dir, "postgres")); err != nil {
				continue
			}
			version, err := usable(ctx, a, dir)
			if err != nil {
				refused = append(refused, err)
			} else if version > newest {
				best, newest = dir, version
			}
		}
	}
	if best == "" {
		return "", errors.Join(append([]error{fmt.Errorf("%w on PATH or in %s", ErrNotFound, strings.Join(m.patterns, ", "))}, refused...)...)
	}
	return best, nil
}

// usable proves that binDir holds a server of a supported version that the account can run.
func usable(ctx context.Context, a *account, binDir string) (version int, err error) {
	for _, program := range []string{"postgres", "initdb"} {
		info, err := os.Stat(filepath.Join(binDir, program))
		if err != nil {
			return 0, err
		}
		if info.IsDir() || info.Mode()&0o111 == 0 {
			return 0, fmt.Errorf("%s is not a program", filepath.Join(binDir, program))
		}
	}
	version, err = a.majorVersion(ctx, binDir)
	if err != nil {
		return 0, err
	}
	if version < OldestVersion {
		return 0, fmt.Errorf("%s holds PostgreSQL %d; %d or newer is needed", binDir, version, OldestVersion)
	}
	return version, nil
}

// binaries finds the programs or fetches them.
func (m machine) binaries(ctx context.Context, o Options, a *account) (string, error) {
	return m.find(ctx, a)
}
