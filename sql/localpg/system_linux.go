package localpg

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
)

// socketPathLimit is what fits into a Unix socket address (sun_path), without the final zero.
const socketPathLimit = 107

// serves tells whether the process is the server of this folder: a server's current folder is its data folder.
func (f *folder) serves(_ context.Context, pid int) bool {
	its, err := os.Stat("/proc/" + strconv.Itoa(pid) + "/cwd")
	if err != nil {
		return false // gone, or of another user, so not ours
	}
	ours, err := os.Stat(f.data)
	return err == nil && os.SameFile(its, ours)
}

// freeBytes is the space an ordinary user can fill on the file system of path.
func freeBytes(path string) (uint64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, err
	}
	return s.Bavail * uint64(s.Bsize), nil
}

// spawn starts cmd so that the kernel sends it onDeath when this process dies, however that happens.
func spawn(cmd *exec.Cmd) (*process, error) {
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
