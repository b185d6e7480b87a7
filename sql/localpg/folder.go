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
)

const (
	// folderPrefix marks folders that are removed when nobody looks after them any more.
	folderPrefix = "reconciler-pg-"
	// roomInMemory is the free space that makes a memory file system worth using.
	roomInMemory = 1 << 30
	// ownerFile is locked by the process that looks after the folder.
	ownerFile  = "owner"
	socketName = ".s.PGSQL.5432"
)

// folder is the place of one server: DIR/data, DIR/socket and DIR/owner, the lock that says that somebody looks after it.
type folder struct {
	dir, data, socket string
	owner             *os.File
}

func folderAt(dir string) *folder {
	return &folder{dir: dir, data: filepath.Join(dir, "data"), socket: filepath.Join(dir, "socket")}
}

// newFolder makes the folder of a server in the chosen place, else in the best one that the account can reach: memory for throw-away data when
// there is room, else disk.
func newFolder(ctx context.Context, o Options, a *account) (*folder, error) {
	places := []string{"/var/tmp", os.TempDir(), "/tmp"}
	if free, err := freeBytes("/dev/shm"); !o.Durable && err == nil && free >= roomInMemory {
		places = append([]string{"/dev/shm"}, places...)
	}
	if o.Place != "" {
		place, err := filepath.Abs(o.Place)
		if err == nil {
			err = os.MkdirAll(place, 0o755)
		}
		if err != nil {
			return nil, fmt.Errorf("folder of the private PostgreSQL: %w", err)
		}
		places = []string{place}
	}
	var refused []error
	for _, place := range places {
		sweep(ctx, place)
		f, err := folderIn(ctx, place, a)
		if err == nil {
			return f, nil
		}
		refused = append(refused, err)
	}
	return nil, fmt.Errorf("folder of the private PostgreSQL: %w", errors.Join(refused...))
}

func folderIn(ctx context.Context, place string, a *account) (_ *folder, err error) {
	dir, err := os.MkdirTemp(place, folderPrefix)
	if err != nil {
		return nil, err
	}
	f := folderAt(dir)
	defer func() {
		if err != nil {
			err = errors.Join(err, f.remove())
		}
	}()
	if !socketFits(f.socket) {
		return nil, fmt.Errorf("the socket in %s would have a path with a comma or of more than %d bytes", dir, socketPathLimit)
	}
	if err := private(dir, a); err != nil {
		return nil, err
	}
	if err := a.mayEnter(ctx, dir); err != nil {
		return nil, err
	}
	if f.owner, err = lock(dir); err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return f, private(f.socket, a)
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

// sweep removes folders whose owner died without doing so. It is best effort: what it may not open is somebody else's.
func sweep(ctx context.Context, place string) {
	entries, err := os.ReadDir(place)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if !entry.IsDir() || !strings.HasPrefix(entry.Name(), folderPrefix) {
			continue
		}
		abandoned := folderAt(filepath.Join(place, entry.Name()))
		if abandoned.owner = takeOver(abandoned.dir); abandoned.owner == nil {
			continue // looked after, or not ours, or only just being made
		}
		if abandoned.server(ctx) != 0 {
			_ = abandoned.owner.Close() // still shutting down
			continue
		}
		_ = abandoned.remove()
	}
}

// lock marks a new folder as looked after; the mark goes away with this process, however it ends. The file gets its name when it is locked already,
// so that nobody takes it for one whose owner is gone.
func lock(dir string) (*os.File, error) {
	owner, err := os.CreateTemp(dir, ownerFile+".")
	if err != nil {
		return nil, err
	}
	if err = syscall.Flock(int(owner.Fd()), syscall.LOCK_EX); err == nil {
		err = os.Rename(owner.Name(), filepath.Join(dir, ownerFile))
	}
	if err != nil {
		return nil, errors.Join(err, owner.Close())
	}
	return owner, nil
}

// takeOver locks a folder that nobody looks after any more, nil where somebody does.
func takeOver(dir string) *os.File {
	owner, err := os.OpenFile(filepath.Join(dir, ownerFile), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil
	}
	if syscall.Flock(int(owner.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		_ = owner.Close()
		return nil
	}
	return owner
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

// socketFits tells whether a socket in dir has an address: for the system, and for lib/pq, which takes a comma for the next host.
func socketFits(dir string) bool {
	return len(filepath.Join(dir, socketName)) <= socketPathLimit && !strings.Contains(dir, ",")
}

// remove takes the folder away with all that is in it, and gives it up only then.
func (f *folder) remove() error {
	err := os.RemoveAll(f.dir)
	if f.owner != nil {
		err = errors.Join(err, f.owner.Close())
	}
	if err != nil {
		return fmt.Errorf("remove the folder of the private PostgreSQL: %w", err)
	}
	return nil
}
