//go:build unix && !linux

package localpg

import (
	"os/exec"
	"strconv"
	"syscall"
)

// spawn starts cmd together with a watchdog that sends it onDeath when this process dies: these kernels don't offer that. The watchdog
// reads a pipe that only this process holds open, so any death ends the read.
func spawn(cmd *exec.Cmd, onDeath syscall.Signal) (*process, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	free, err := watch(cmd, onDeath)
	if err != nil {
		p.free = func() {}
		_ = p.end()
		return nil, err
	}
	p.free = free
	return p, nil
}

func watch(cmd *exec.Cmd, onDeath syscall.Signal) (func(), error) {
	dog := exec.Command("/bin/sh", "-c", `read -r line; kill -"$1" "$2"`, "watchdog", strconv.Itoa(int(onDeath)), strconv.Itoa(cmd.Process.Pid))
	dog.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: cmd.SysProcAttr.Credential}
	held, err := dog.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := dog.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = dog.Process.Kill() // before the pipe closes, which would make it signal a process id that is free again
		_ = dog.Wait()
		_ = held.Close()
	}, nil
}
