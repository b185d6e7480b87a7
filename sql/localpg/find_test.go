//go:build unix

package localpg

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakePrograms writes programs that answer --version like PostgreSQL's.
func fakePrograms(t *testing.T, dir, version string) string {
	t.Helper()
	writeFile(t, filepath.Join(dir, "postgres"), fakePostgres(version), 0o755)
	writeFile(t, filepath.Join(dir, "initdb"), "#!/bin/sh\n", 0o755)
	return dir
}

func fakePostgres(version string) string {
	return fmt.Sprintf("#!/bin/sh\necho 'postgres (PostgreSQL) %s'\n", version)
}

// emptyMachine has no PostgreSQL and nothing to fetch one with.
func emptyMachine(environment map[string]string) machine {
	return machine{
		getenv:   func(name string) string { return environment[name] },
		lookPath: func(program string) (string, error) { return "", fmt.Errorf("%s: %w", program, exec.ErrNotFound) },
		platform: "test-x64",
	}
}

func TestFind(t *testing.T) {
	base := reachable(t)
	at := func(parts ...string) string { return filepath.Join(append([]string{base}, parts...)...) }
	fakePrograms(t, at("path"), "14.9")
	fakePrograms(t, at("old"), "13.20 (Debian 13.20-1)")
	fakePrograms(t, at("broken"), "")
	fakePrograms(t, at("lib", "9.6", "bin"), "9.6.24")
	fakePrograms(t, at("lib", "14", "bin"), "14.0")
	fakePrograms(t, at("lib", "16", "bin"), "16.4")
	fakePrograms(t, at("beta", "18", "bin"), "18beta1")
	writeFile(t, at("client", "bin", "psql"), "#!/bin/sh\n", 0o755)
	writeFile(t, at("half", "postgres"), fakePostgres("15.1"), 0o755) // without initdb
	writeFile(t, at("inert", "postgres"), fakePostgres("15.1"), 0o644)
	writeFile(t, at("inert", "initdb"), "", 0o644)
	if err := os.MkdirAll(at("links"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(at("lib", "14", "bin", "postgres"), at("links", "postgres")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(at("path"))

	for name, c := range map[string]struct {
		chosen   string
		path     []string
		patterns []string
		want     string
		failure  []string
	}{
		"PATH comes first":                   {path: []string{at("client"), at("path")}, patterns: []string{at("lib", "*", "bin")}, want: at("path")},
		"a link on PATH leads to its home":   {path: []string{at("links")}, want: at("lib", "14", "bin")},
		"an old one on PATH is passed over":  {path: []string{at("old"), at("path")}, want: at("path")},
		"the newest installed":               {patterns: []string{at("lib", "*", "bin"), at("none")}, want: at("lib", "16", "bin")},
		"a beta is a version too":            {patterns: []string{at("lib", "*", "bin"), at("beta", "*", "bin")}, want: at("beta", "18", "bin")},
		"14 is new enough":                   {patterns: []string{at("lib", "14", "bin")}, want: at("lib", "14", "bin")},
		"13 is too old":                      {patterns: []string{at("old")}, failure: []string{"PostgreSQL 13", "14 or newer"}},
		"client programs are not enough":     {patterns: []string{at("client", "bin")}, failure: []string{"on PATH or in"}},
		"a server without initdb":            {path: []string{at("half")}, failure: []string{"initdb"}},
		"files that are no programs":         {path: []string{at("inert")}, failure: []string{"is not a program"}},
		"a program that answers otherwise":   {patterns: []string{at("broken")}, failure: []string{"is no PostgreSQL version"}},
		"the current folder is not searched": {path: []string{".", ""}, failure: []string{"on PATH or in"}},
		"the variable wins":                  {chosen: at("lib", "14", "bin"), path: []string{at("path")}, want: at("lib", "14", "bin")},
	} {
		t.Run(name, func(t *testing.T) {
			account, err := serverAccount()
			if err != nil {
				t.Fatal(err)
			}
			m := emptyMachine(map[string]string{"PATH": strings.Join(c.path, ":"), BinVariable: c.chosen})
			m.patterns = c.patterns
			found, err := m.find(testContext(t), account)
			if c.want == "" {
				if !errors.Is(err, ErrNotFound) {
					t.Errorf("error %v, want ErrNotFound", err)
				}
				wantError(t, err, c.failure...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if found.binDir != c.want {
				t.Errorf("found %s, want %s", found.binDir, c.want)
			}
		})
	}
}

// findHere is the folder with this machine's programs.
func findHere(t *testing.T) (string, error) {
	t.Helper()
	account, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	found, err := thisMachine().find(testContext(t), account)
	return found.binDir, err
}

func TestWrongChoiceOfProgramsIsAnErrorNotASearch(t *testing.T) {
	base := reachable(t)
	t.Setenv(FetchVariable, "")
	t.Setenv(BinVariable, filepath.Join(base, "nothing"))
	_, err := findHere(t)
	wantError(t, err, BinVariable, filepath.Join(base, "nothing"))
	if errors.Is(err, ErrNotFound) {
		t.Error("the error says that nothing was found, which would lead to a download")
	}
	_, err = Start(testContext(t), Options{CacheDir: filepath.Join(base, "cache")})
	wantError(t, err, BinVariable)
	if !missing(filepath.Join(base, "cache")) {
		t.Error("something was fetched")
	}
}

func TestFindOnThisMachine(t *testing.T) {
	s := startServer(t, Options{}) // fetches when there is none, so the rest of the suite runs anywhere
	binDir, err := findHere(t)
	if errors.Is(err, ErrNotFound) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	program := s.process.cmd.Path
	if program != filepath.Join(binDir, "postgres") {
		t.Errorf("Find says %s, Start ran %s", binDir, program)
	}
}
