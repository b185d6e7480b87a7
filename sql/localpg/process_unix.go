//go:build unix && !linux

package localpg

import (
	"os/exec"
	"syscall"
)

// endsWithUs says that the kernel does not end the children of a dead process: the watchdog has to.
const endsWithUs = false

// spawn starts cmd.
func spawn(cmd *exec.Cmd, _ syscall.Signal) (*process, error) {
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
