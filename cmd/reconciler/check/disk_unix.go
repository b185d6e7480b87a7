//go:build linux || darwin

package check

import "syscall"

// freeSpace is what an ordinary user may still write to the disk of a folder, in bytes.
func freeSpace(folder string) (free uint64, known bool, err error) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(folder, &disk); err != nil {
		return 0, true, err
	}
	return disk.Bavail * uint64(disk.Bsize), true, nil
}
