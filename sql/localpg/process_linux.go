package localpg

import (
	"os/exec"
	"runtime"
	"syscall"
)

// endsWithUs says that the kernel itself ends the children of a dead process.
const endsWithUs = true

// spawn starts cmd so that the kernel sends it onDeath when this process dies, however that happens.
func spawn(cmd *exec.Cmd, onDeath syscall.Signal) (*process, error) {
	cmd.SysProcAttr.Pdeathsig = onDeath
	p := &process{cmd: cmd, ended: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The signal follows the death of the thread that started the child, so this one has to live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}
