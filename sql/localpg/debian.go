//go:build unix

package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// debianSource takes the distribution's own packages apart without installing them, which needs no root. apt verifies what it downloads.
func (m machine) debianSource() source {
	return source{
		name:   "postgres-debian",
		what:   "the packages of this Debian-like system",
		layout: debianLayout,
		fill:   m.fillFromDebian,
	}
}

func debianLayout(dir string) installation {
	i := installation{binDir: filepath.Join(dir, "usr/lib/postgresql/none/bin"), fetched: true}
	if found, _ := filepath.Glob(filepath.Join(dir, "usr/lib/postgresql/*/bin")); len(found) > 0 {
		i.binDir = found[len(found)-1]
	}
	for _, pattern := range []string{"usr/lib/*-linux-gnu*", "lib/*-linux-gnu*"} {
		found, _ := filepath.Glob(filepath.Join(dir, pattern))
		i.libraries = append(i.libraries, found...)
	}
	return i
}

func (m machine) fillFromDebian(ctx context.Context, dir string) error {
	for _, program := range []string{"apt-cache", "apt-get", "dpkg"} {
		if _, err := m.lookPath(program); err != nil {
			return fmt.Errorf("not a Debian-like system: %w", err)
		}
	}
	offered, err := m.run(ctx, dir, "apt-cache", "search", "--names-only", `^postgresql-[0-9]+$`)
	if err != nil {
		return err
	}
	version := newestOffered(offered)
	if version < OldestVersion {
		return errors.New("apt offers no supported version (apt-get update may help)")
	}
	server := fmt.Sprintf("postgresql-%d", version)
	plan, err := m.run(ctx, dir, "apt-get", "--simulate", "-o", "Debug::NoLocking=true", "--no-install-recommends", "install", server)
	if err != nil {
		return err
	}
	packages := append([]string{server, fmt.Sprintf("postgresql-client-%d", version), "libpq5"}, missingLibraries(plan)...)
	slices.Sort(packages)
	if _, err := m.run(ctx, dir, "apt-get", append([]string{"download"}, slices.Compact(packages)...)...); err != nil {
		return err
	}
	archives, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(archives) == 0 {
		return errors.New("apt-get download left no packages")
	}
	for _, archive := range archives {
		if _, err := m.run(ctx, dir, "dpkg", "-x", archive, dir); err != nil {
			return err
		}
		if err := os.Remove(archive); err != nil {
			return err
		}
	}
	return nil
}

func (m machine) run(ctx context.Context, dir, program string, args ...string) ([]byte, error) {
	found, err := m.lookPath(program)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, found, args...)
	cmd.Dir = dir
	cmd.WaitDelay = time.Second
	cmd.Env = append(cmd.Environ(), "LC_ALL=C")
	var printed strings.Builder
	cmd.Stderr = &printed
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", program, args[0], err, lastLines([]byte(printed.String())))
	}
	return out, nil
}

var offeredServer = regexp.MustCompile(`(?m)^postgresql-(\d+) `)

// newestOffered is the highest version in apt-cache's list, 0 when there is none.
func newestOffered(list []byte) (version int) {
	for _, found := range offeredServer.FindAllSubmatch(list, -1) {
		if n, err := strconv.Atoi(string(found[1])); err == nil {
			version = max(version, n)
		}
	}
	return version
}

var plannedLibrary = regexp.MustCompile(`(?m)^Inst (lib\S+) `)

// missingLibraries are the shared libraries that apt would install with the server. The compiler and perl, both large, serve optional
// parts only.
func missingLibraries(plan []byte) (names []string) {
	for _, found := range plannedLibrary.FindAllSubmatch(plan, -1) {
		name := string(found[1])
		if !strings.HasPrefix(name, "libllvm") && !strings.HasPrefix(name, "libperl") && !strings.HasSuffix(name, "-perl") {
			names = append(names, name)
		}
	}
	return names
}
