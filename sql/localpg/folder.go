//go:build unix

package localpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	temporaryPrefix = "reconciler-pg-"
	// roomForTests is the free space that makes a memory file system worth using.
	roomForTests = 1 << 30
)

// folder is the place of one server: DIR/data, DIR/socket and DIR/owner, the lock that says that somebody looks after it.
type folder struct {
	dir, data, socket string
	owner             *os.File
	created           bool   // by us, so to be removed as a whole
	inherited         bool   // data of an earlier server were there before us
	extra             string // a shorter path for the socket, when dir is too long for one
}

// openFolder creates or takes over the folder of a server and makes sure that no other one runs in it.
func openFolder(ctx context.Context, o Options, a *account) (_ *folder, err error) {
	f := &folder{dir: o.Dir}
	if f.dir == "" {
		if f.dir, err = newTemporary(ctx, o.Durable, a); err != nil {
			return nil, err
		}
		f.created = true
	} else {
		if f.dir, err = filepath.Abs(f.dir); err != nil {
			return nil, fmt.Errorf("folder of the private PostgreSQL: %w", err)
		}
		if _, err := os.Stat(f.dir); errors.Is(err, fs.ErrNotExist) {
			f.created = true
		}
		if err := os.MkdirAll(filepath.Dir(f.dir), 0o755); err != nil {
			return nil, fmt.Errorf("folder of the private PostgreSQL: %w", err)
		}
		if err := private(f.dir, a); err != nil {
			return nil, err
		}
	}
	f.data, f.socket = filepath.Join(f.dir, "data"), filepath.Join(f.dir, "socket")
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close(f.inherited))
		}
	}()
	if err := a.mayEnter(ctx, f.dir); err != nil {
		return nil, err
	}
	if err := f.lock(); err != nil {
		return nil, err
	}
	if _, err := os.Lstat(f.data); !errors.Is(err, fs.ErrNotExist) {
		f.inherited = true
	}
	if err := f.clearDeadServer(ctx); err != nil {
		return nil, err
	}
	if err := f.placeSocket(a); err != nil {
		return nil, err
	}
	return f, nil
}

// private makes path a folder that only the account can enter.
func private(path string, a *account) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("folder of the private PostgreSQL: %w", err)
	}
	if err := os.Chmod(path, 0o700); err != nil {
		return fmt.Errorf("folder of the private PostgreSQL: %w", err)
	}
	if err := a.own(path); err != nil {
		return fmt.Errorf("hand the folder of the private PostgreSQL to user %s: %w", a.name, err)
	}
	return nil
}

// newTemporary makes a folder in the best place the account can reach: memory for throw-away data when there is room, else disk.
func newTemporary(ctx context.Context, durable bool, a *account) (string, error) {
	places := []string{"/var/tmp", os.TempDir(), "/tmp"}
	if free, err := freeBytes("/dev/shm"); !durable && err == nil && free >= roomForTests {
		places = append([]string{"/dev/shm"}, places...)
	}
	var refused []error
	for _, place := range places {
		dir, err := os.MkdirTemp(place, temporaryPrefix)
		if err != nil {
			refused = append(refused, err)
			continue
		}
		if err = private(dir, a); err == nil {
			err = a.mayEnter(ctx, dir)
		}
		if err == nil {
			return dir, nil
		}
		refused = append(refused, err, os.Remove(dir))
	}
	return "", fmt.Errorf("no place for a temporary PostgreSQL: %w", errors.Join(refused...))
}

// lock marks the folder as looked after; the mark goes away with this process, however it ends.
func (f *folder) lock() error {
	file, err := os.OpenFile(filepath.Join(f.dir, "owner"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("lock the folder of the private PostgreSQL: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder := make([]byte, 20)
		n, _ := file.ReadAt(holder, 0)
		file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("%s: %w (process %s)", f.dir, ErrInUse, strings.TrimSpace(string(holder[:n])))
		}
		return fmt.Errorf("lock the folder of the private PostgreSQL: %w", err)
	}
	f.owner = file
	if err := file.Truncate(0); err != nil {
		return fmt.Errorf("lock the folder of the private PostgreSQL: %w", err)
	}
	if _, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return fmt.Errorf("lock the folder of the private PostgreSQL: %w", err)
	}
	return nil
}

// clearDeadServer deals with the pid file of a server whose starter is gone (we hold the folder's lock, so it is). The server itself may
// still be shutting down; or it is dead and its process id belongs to somebody else by now, which PostgreSQL would take for a live server.
func (f *folder) clearDeadServer(ctx context.Context) error {
	pidFile := filepath.Join(f.data, "postmaster.pid")
	for patience := time.Now().Add(stopPatience); ; {
		content, err := os.ReadFile(pidFile)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the pid file of an earlier server: %w", err)
		}
		first, _, _ := strings.Cut(string(content), "\n")
		pid, err := strconv.Atoi(strings.TrimSpace(first))
		if err != nil || pid <= 1 || !f.serves(ctx, pid) {
			if err := os.Remove(pidFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("remove the pid file of a dead server: %w", err)
			}
			return nil
		}
		if time.Now().After(patience) {
			if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("end the abandoned server (process %d) in %s: %w", pid, f.dir, err)
			}
			patience = time.Now().Add(stopPatience)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the earlier server (process %d) in %s to end: %w", pid, f.dir, context.Cause(ctx))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// placeSocket makes the folder of the socket, elsewhere when its path would not fit into a socket address.
func (f *folder) placeSocket(a *account) error {
	if !socketFits(f.socket) {
		short, err := os.MkdirTemp("/tmp", temporaryPrefix)
		if err != nil {
			return fmt.Errorf("the socket in %s would have a path of more than %d bytes, and a shorter place is not to be had: %w", f.dir, socketPathLimit, err)
		}
		f.extra, f.socket = short, short
	}
	return private(f.socket, a)
}

func socketFits(dir string) bool {
	return len(filepath.Join(dir, ".s.PGSQL."+strconv.Itoa(port))) <= socketPathLimit
}

// close gives the folder up, without its content unless keep is set.
func (f *folder) close(keep bool) error {
	var failed []error
	if f.extra != "" {
		failed = append(failed, os.RemoveAll(f.extra))
	}
	if !keep && f.owner != nil { // without the lock the content is somebody else's
		// Only our own names: a folder that somebody chose may hold other things.
		for _, path := range []string{f.data, f.data + ".new", filepath.Join(f.dir, "socket"), f.owner.Name()} {
			failed = append(failed, os.RemoveAll(path))
		}
	}
	if !keep && f.created {
		if err := os.Remove(f.dir); err != nil && !errors.Is(err, syscall.ENOTEMPTY) && !errors.Is(err, syscall.EEXIST) {
			failed = append(failed, err)
		}
	}
	if f.owner != nil {
		failed = append(failed, f.owner.Close())
	}
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("clear the folder of the private PostgreSQL: %w", err)
	}
	return nil
}
