package localpg

import (
	"context"
	"os"
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
