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
	// temporaryPrefix marks folders that are removed when nobody looks after them any more; those to be kept have another name.
	temporaryPrefix = "reconciler-pg-"
	keptPrefix      = "reconciler-postgres-"
	// roomInMemory is the free space that makes a memory file system worth using.
	roomInMemory = 1 << 30
	// ownerFile is locked by the process that looks after the folder.
	ownerFile = "owner"
)

// folder is the place of one server: DIR/data, DIR/socket and DIR/owner, the lock that says that somebody looks after it.
type folder struct {
	dir, data, socket string
	owner             *os.File
	created           bool // by us, so to be removed as a whole
	inherited         bool // data of an earlier server were there before us
	temporary         bool // chosen by us and not to be kept
	shortSocket       *folder
}

// openFolder creates or takes over the folder of a server and makes sure that no other one runs in it.
func openFolder(ctx context.Context, o Options, a *account) (_ *folder, err error) {
	f := &folder{dir: o.Dir}
	if f.dir == "" {
		f.created, f.temporary = true, !o.Keep
		f.dir, err = newTemporary(ctx, o, a)
	} else {
		f.dir, f.created, err = chosenFolder(o.Dir, a)
	}
	if err != nil {
		return nil, fmt.Errorf("folder of the private PostgreSQL: %w", err)
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
	if f.owner, err = lock(f.dir); err != nil {
		return nil, fmt.Errorf("lock the folder of the private PostgreSQL: %w", err)
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

// chosenFolder prepares a folder that the caller named. It refuses one with other content, which would be locked away from its owner.
func chosenFolder(path string, a *account) (dir string, created bool, err error) {
	if dir, err = filepath.Abs(path); err != nil {
		return "", false, err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		created, err = true, os.MkdirAll(filepath.Dir(dir), 0o755)
	}
	if err != nil {
		return "", false, err
	}
	if len(entries) > 0 {
		if _, err := os.Lstat(filepath.Join(dir, ownerFile)); err != nil {
			return "", false, fmt.Errorf("%s holds files that are not of an earlier server here: choose an empty or a new folder", dir)
		}
	}
	return dir, created, private(dir, a)
}

// private makes path a folder that only the account can enter.
func private(path string, a *account) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := os.Chmod(path, 0o700); err != nil {
		return err
	}
	if err := a.own(path); err != nil {
		return fmt.Errorf("hand %s to user %s: %w", path, a.name, err)
	}
	return nil
}

// newTemporary makes a folder in the best place the account can reach: memory for throw-away data when there is room, else disk.
func newTemporary(ctx context.Context, o Options, a *account) (string, error) {
	places := []string{"/var/tmp", os.TempDir(), "/tmp"}
	if free, err := freeBytes("/dev/shm"); !o.Durable && !o.Keep && err == nil && free >= roomInMemory {
		places = append([]string{"/dev/shm"}, places...)
	}
	prefix := temporaryPrefix
	if o.Keep {
		prefix = keptPrefix
	}
	var refused []error
	for _, place := range places {
		sweep(ctx, place)
		dir, err := os.MkdirTemp(place, prefix)
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
	return "", errors.Join(refused...)
}

// sweep removes temporary folders whose owner died without doing so. It is best effort: what it may not open is somebody else's.
func sweep(ctx context.Context, place string) {
	entries, err := os.ReadDir(place)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if !entry.IsDir() || !strings.HasPrefix(entry.Name(), temporaryPrefix) {
			continue
		}
		dir := filepath.Join(place, entry.Name())
		owner, err := lockExisting(dir)
		if err != nil {
			continue // looked after, or not ours, or only just being made
		}
		abandoned := &folder{dir: dir, data: filepath.Join(dir, "data"), owner: owner, created: true}
		if abandoned.server(ctx) != 0 {
			_ = owner.Close() // still shutting down
			continue
		}
		_ = abandoned.close(false)
	}
}

// lock marks a folder as looked after; the mark goes away with this process, however it ends.
func lock(dir string) (*os.File, error) {
	for {
		owner, err := lockExisting(dir)
		if !errors.Is(err, fs.ErrNotExist) {
			return owner, err
		}
		// The file gets its name when it is locked already, so that nobody takes it for one whose owner is gone.
		owner, err = os.CreateTemp(dir, ownerFile+".")
		if err != nil {
			return nil, err
		}
		_, err = owner.WriteString(strconv.Itoa(os.Getpid()) + "\n")
		if err == nil {
			err = syscall.Flock(int(owner.Fd()), syscall.LOCK_EX)
		}
		if err == nil {
			err = os.Link(owner.Name(), filepath.Join(dir, ownerFile))
		}
		err = errors.Join(err, os.Remove(owner.Name()))
		if err == nil {
			return owner, nil
		}
		_ = owner.Close()
		if !errors.Is(err, fs.ErrExist) { // else another process was quicker: ask it
			return nil, err
		}
	}
}

// lockExisting takes over a folder that was looked after before; the error wraps fs.ErrNotExist when it was not, ErrInUse when it still is.
func lockExisting(dir string) (*os.File, error) {
	path := filepath.Join(dir, ownerFile)
	owner, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(owner.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder := make([]byte, 20)
		n, _ := owner.ReadAt(holder, 0)
		_ = owner.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w (process %s)", dir, ErrInUse, strings.TrimSpace(string(holder[:n])))
		}
		return nil, err
	}
	// Between opening and locking, the former owner may have removed the file: a lock on a nameless file guards nothing.
	locked, err := owner.Stat()
	if err == nil {
		var named fs.FileInfo
		if named, err = os.Lstat(path); err == nil && !os.SameFile(locked, named) {
			err = fs.ErrNotExist
		}
	}
	if err == nil {
		err = owner.Truncate(0)
	}
	if err == nil {
		_, err = owner.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		_ = owner.Close()
		return nil, err
	}
	return owner, nil
}

// server is the process id of a live server of this folder, 0 when there is none. A pid file alone proves nothing: its server may be dead,
// and the id may belong to somebody else by now.
func (f *folder) server(ctx context.Context) (pid int) {
	content, err := os.ReadFile(filepath.Join(f.data, "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err = strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 1 || !f.serves(ctx, pid) {
		return 0
	}
	return pid
}

// accepting tells whether the server says in its pid file that it is ready; asking it earlier only puts errors into its log.
func (f *folder) accepting() bool {
	content, err := os.ReadFile(filepath.Join(f.data, "postmaster.pid"))
	if err != nil {
		return false
	}
	lines := strings.Split(string(content), "\n")
	const statusLine = 7 // LOCK_FILE_LINE_PM_STATUS of PostgreSQL's pidfile.h, which counts from 1
	return len(lines) > statusLine && strings.TrimSpace(lines[statusLine]) == "ready"
}

// clearDeadServer waits for a server whose starter is gone (we hold the folder's lock, so it is) and removes the pid file of a dead one,
// which PostgreSQL would believe when the process id has a new bearer.
func (f *folder) clearDeadServer(ctx context.Context) error {
	patience := time.Now().Add(stopPatience)
	for {
		pid := f.server(ctx)
		if pid == 0 {
			break
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
	if err := os.Remove(filepath.Join(f.data, "postmaster.pid")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the pid file of a dead server: %w", err)
	}
	return nil
}

// placeSocket makes the folder of the socket, elsewhere when a socket there could not be addressed.
func (f *folder) placeSocket(a *account) error {
	if !socketFits(f.socket) {
		short, err := newShort(a)
		if err != nil {
			return fmt.Errorf("the socket in %s would have a path with a comma or of more than %d bytes, and there is no other place for it: %w", f.dir, socketPathLimit, err)
		}
		f.shortSocket, f.socket = short, short.dir
		return nil
	}
	if err := private(f.socket, a); err != nil {
		return fmt.Errorf("folder of the socket: %w", err)
	}
	return nil
}

// newShort makes a folder with a short path that nothing but a socket goes into.
func newShort(a *account) (*folder, error) {
	dir, err := os.MkdirTemp("/tmp", temporaryPrefix)
	if err != nil {
		return nil, err
	}
	f := &folder{dir: dir, data: filepath.Join(dir, "data"), created: true}
	if err = private(dir, a); err == nil {
		f.owner, err = lock(dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.close(false))
	}
	return f, nil
}

const socketName = ".s.PGSQL.5432"

// socketFits tells whether a socket in dir has an address: for the system, and for lib/pq, which takes a comma for the next host.
func socketFits(dir string) bool {
	return len(filepath.Join(dir, socketName)) <= socketPathLimit && !strings.Contains(dir, ",")
}

// contents are the names that a server and this package put into its folder: one that somebody chose may hold other things as well.
var contents = []string{"data", "data.new", "socket", socketName, socketName + ".lock", ownerFile}

// close gives the folder up, without its content unless keep is set.
func (f *folder) close(keep bool) error {
	var failed []error
	if f.shortSocket != nil {
		failed = append(failed, f.shortSocket.close(false))
	}
	if !keep && f.owner != nil { // without the lock the content is somebody else's
		for _, name := range contents {
			failed = append(failed, os.RemoveAll(filepath.Join(f.dir, name)))
		}
	}
	if !keep && f.created {
		if err := os.Remove(f.dir); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) && !errors.Is(err, syscall.EEXIST) {
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
