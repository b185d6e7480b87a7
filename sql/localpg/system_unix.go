//go:build unix && !linux

package localpg

import (
	"context"
	"errors"
	"os/exec"
	"strconv"
	"strings"
)

// socketPathLimit is what fits into a Unix socket address (sun_path), without the final zero.
const socketPathLimit = 103

// serves tells whether the process is the server of this folder, by its command line.
func (f *folder) serves(ctx context.Context, pid int) bool {
	out, err := exec.CommandContext(ctx, "ps", "-ww", "-p", strconv.Itoa(pid), "-o", "command=").Output()
	return err == nil && strings.Contains(string(out), "-D "+f.data)
}

// freeBytes has nothing to say here: there is no memory file system to choose.
func freeBytes(string) (uint64, error) { return 0, errors.ErrUnsupported }

// spawn starts cmd.
func spawn(cmd *exec.Cmd) (*process, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}
