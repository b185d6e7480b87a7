//go:build unix

package localpg

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// account is the operating-system user that owns the server's files and runs it.
type account struct {
	name string
	// credential is nil when that is the user this process runs as.
	credential *syscall.Credential
}

// serverAccount picks the user: PostgreSQL refuses to run as root, so root lends the work to somebody with a passwd entry.
func serverAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return &account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("user id of %s: %w", name, err)
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("group id of %s: %w", name, err)
		}
		return &account{name: name, credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return nil, fmt.Errorf("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as: start this as an ordinary user")
}

// own gives a path to the account.
func (a *account) own(path string) error {
	if a.credential == nil {
		return nil
	}
	return os.Chown(path, int(a.credential.Uid), int(a.credential.Gid))
}

// command prepares a program to run as the account in a folder, out of reach of the terminal's Ctrl-C and of the caller's language and
// time zone.
func (a *account) command(ctx context.Context, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: a.credential}
	cmd.WaitDelay = time.Second
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "LC_") || name == "LANG" || name == "LANGUAGE" || name == "HOME" || name == "TZ" {
			continue
		}
		cmd.Env = append(cmd.Env, v)
	}
	// initdb makes the time zone it sees the server's default.
	cmd.Env = append(cmd.Env, "LC_ALL=C", "TZ=UTC", "HOME="+dir)
	return cmd
}

// mayEnter checks by doing it that the account can reach dir: permissions, access lists and mount options all count.
func (a *account) mayEnter(ctx context.Context, dir string) error {
	if a.credential == nil {
		return nil
	}
	if err := a.command(ctx, dir, "/bin/sh", "-c", ":").Run(); err != nil {
		return fmt.Errorf("user %s, who has to run the server, cannot enter %s (every folder above it must let others pass, so it cannot be under /root): %w", a.name, dir, err)
	}
	return nil
}
