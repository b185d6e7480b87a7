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
	"strconv"
	"strings"
	"syscall"
	"time"
)

// installation is a set of server programs.
type installation struct {
	binDir string
	// libraries are folders with shared libraries that the programs need and the system does not have.
	libraries []string
	// fetched tells that the programs are a bare copy, without optional parts such as the just-in-time compiler.
	fetched bool
}

// command prepares a program of the installation.
func (i installation) command(ctx context.Context, a *account, dir, program string, args ...string) *exec.Cmd {
	cmd := a.command(ctx, dir, filepath.Join(i.binDir, program), args...)
	if len(i.libraries) > 0 {
		cmd.Env = append(cmd.Env, "LD_LIBRARY_PATH="+strings.Join(i.libraries, ":"))
	}
	return cmd
}

var versionLine = regexp.MustCompile(`^postgres \(PostgreSQL\) (\d+)`)

// majorVersion runs the server program, so it also proves that the account can.
func (i installation) majorVersion(ctx context.Context, a *account) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := i.command(ctx, a, "/", "postgres", "--version")
	out, err := cmd.CombinedOutput()
	// A program that was written a moment ago can be open for writing in a child that another goroutine is just forking (Go issue 22315).
	for errors.Is(err, syscall.ETXTBSY) && ctx.Err() == nil {
		time.Sleep(5 * time.Millisecond)
		cmd = i.command(ctx, a, "/", "postgres", "--version")
		out, err = cmd.CombinedOutput()
	}
	if err != nil {
		return 0, fmt.Errorf("%s --version: %w %s", cmd.Path, err, strings.TrimSpace(string(out)))
	}
	found := versionLine.FindSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("%s --version answers %q, which is no PostgreSQL version", cmd.Path, strings.TrimSpace(string(out)))
	}
	return strconv.Atoi(string(found[1]))
}

// usable proves that this is a server of a supported version that the account can run.
func (i installation) usable(ctx context.Context, a *account) (version int, err error) {
	for _, program := range []string{"postgres", "initdb"} {
		path := filepath.Join(i.binDir, program)
		info, err := os.Stat(path)
		if err != nil {
			return 0, err
		}
		if info.IsDir() || info.Mode()&0o111 == 0 {
			return 0, fmt.Errorf("%s is not a program", path)
		}
	}
	if version, err = i.majorVersion(ctx, a); err != nil {
		return 0, err
	}
	if version < OldestVersion {
		return 0, fmt.Errorf("%s holds PostgreSQL %d; %d or newer is needed", i.binDir, version, OldestVersion)
	}
	return version, nil
}
