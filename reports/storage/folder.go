package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// stagingFolder holds what isn't published yet. It is within the root, so that a rename never crosses file systems.
const stagingFolder = ".staging"

// Folder keeps the newest revision of each night at ROOT/YYYY-MM-DD, the earlier ones beside it (YYYY-MM-DD.r1 and so on).
type Folder struct {
	root string
	// staged are the folders that this process builds in, each with the lock that tells others so.
	mutex  sync.Mutex
	staged map[string]*os.File
	// step, when set, is told before each step of Publish and may fail it: crash tests hook in here.
	step func(name string) error
}

// OpenFolder keeps nights below root, which is made when the first one is staged.
func OpenFolder(root string) (*Folder, error) {
	absolute, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("REPORTS_URL %s: %w", root, err)
	}
	return &Folder{root: absolute, staged: map[string]*os.File{}}, nil
}

// Root is the folder that the nights are in.
func (f *Folder) Root() string { return f.root }

// Stage makes a fresh folder below the root, and removes what a killed run has left of the same night. A folder that a live process
// still builds in is locked, and stays.
func (f *Folder) Stage(_ context.Context, night fmt.Stringer) (dir string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("stage night %s: %w", night, Classed(err))
		}
	}()
	staging := filepath.Join(f.root, stagingFolder)
	if err := os.MkdirAll(staging, 0o777); err != nil { // the umask decides who may read the reports
		return "", err
	}
	if err := removeLeftovers(staging, night.String()); err != nil {
		return "", err
	}
	dir = filepath.Join(staging, night.String()+"-"+rand.Text()[:8])
	if err := os.Mkdir(dir, 0o777); err != nil {
		return "", err
	}
	lock, err := os.Open(dir)
	if err == nil {
		_, err = tryLock(lock)
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.staged[dir] = lock
	return dir, nil
}

// removeLeftovers removes the staged folders of a night that nobody has locked.
func removeLeftovers(staging, night string) error {
	// As long as the suffixes that Stage and exchange give: the nights of a month begin with its name.
	leftovers, err := filepath.Glob(filepath.Join(staging, night+"-????????"))
	if err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(staging, night+"-????????.old"))
	if err != nil {
		return err
	}
	leftovers = append(leftovers, old...)
	for _, leftover := range leftovers {
		file, err := os.Open(leftover)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		dead, err := tryLock(file)
		if err == nil && dead {
			err = os.RemoveAll(leftover)
		}
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	return nil
}

// Discard removes a staged folder.
func (f *Folder) Discard(dir string) error {
	f.mutex.Lock()
	lock := f.staged[dir]
	delete(f.staged, dir)
	f.mutex.Unlock()
	err := os.RemoveAll(dir)
	if lock != nil {
		err = errors.Join(err, lock.Close())
	}
	return err
}

// Latest is the revision at YYYY-MM-DD. Where a crash on a file system without atomic exchange left none there, it is the newest one beside it.
func (f *Folder) Latest(_ context.Context, night fmt.Stringer) (revision Revision, err error) {
	defer func() { err = Classed(err) }()
	manifest, err := os.ReadFile(filepath.Join(f.root, night.String(), ManifestName))
	if errors.Is(err, fs.ErrNotExist) {
		if _, statErr := os.Stat(filepath.Join(f.root, night.String())); statErr == nil {
			return Revision{}, fmt.Errorf("%w: %s exists, but has no %s: put that back or, where nothing was published there, move the folder away",
				ErrDamaged, filepath.Join(f.root, night.String()), ManifestName)
		}
		return f.newestBeside(night)
	}
	if err != nil {
		return Revision{}, fmt.Errorf("read night %s: %w", night, err)
	}
	number, err := revisionOf(manifest)
	if err != nil {
		return Revision{}, fmt.Errorf("read night %s: %w", night, err)
	}
	return Revision{number, manifest}, nil
}

func (f *Folder) newestBeside(night fmt.Stringer) (Revision, error) {
	var newest Revision
	for number := 1; ; number++ {
		manifest, err := os.ReadFile(filepath.Join(f.beside(night, number), ManifestName))
		if errors.Is(err, fs.ErrNotExist) {
			return newest, nil
		}
		if err != nil {
			return Revision{}, fmt.Errorf("read night %s: %w", night, err)
		}
		newest = Revision{number, manifest}
	}
}

func (f *Folder) beside(night fmt.Stringer, revision int) string {
	return filepath.Join(f.root, fmt.Sprintf("%s.r%d", night, revision))
}

// Publish puts the staged folder where readers look, in one step of the file system. Before that, the revision that is there gets
// its place beside (as hard links), so that no crash can lose it.
func (f *Folder) Publish(ctx context.Context, night fmt.Stringer, revision int, dir string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("publish night %s revision %d: %w", night, revision, Classed(err))
		}
	}()
	latest, err := f.Latest(ctx, night)
	if err != nil {
		return err
	}
	if latest.Number != revision-1 {
		return fmt.Errorf("%w: newest is %d", ErrConflict, latest.Number)
	}
	if err := f.at("sync"); err != nil {
		return err
	}
	if err := syncFolder(dir); err != nil {
		return err
	}
	place := filepath.Join(f.root, night.String())
	if _, err := os.Stat(place); errors.Is(err, fs.ErrNotExist) {
		if err := f.at("rename"); err != nil {
			return err
		}
		if err := os.Rename(dir, place); err != nil {
			return err
		}
		return f.syncRoot()
	} else if err != nil {
		return err
	}
	if err := f.keepBeside(night, latest.Number, place); err != nil {
		return err
	}
	if err := f.at("exchange"); err != nil {
		return err
	}
	if err := f.exchange(dir, place); err != nil {
		return err
	}
	if err := f.syncRoot(); err != nil {
		return err
	}
	if err := f.at("clean"); err != nil {
		return err
	}
	return os.RemoveAll(dir) // the old revision's second name
}

// keepBeside gives a published revision its own place, unless an earlier attempt did.
func (f *Folder) keepBeside(night fmt.Stringer, revision int, place string) error {
	beside := f.beside(night, revision)
	if _, err := os.Stat(beside); err == nil {
		return nil
	}
	links := filepath.Join(f.root, stagingFolder, "keep-"+filepath.Base(beside))
	if err := os.RemoveAll(links); err != nil { // of a run that was killed here
		return err
	}
	if err := f.at("keep"); err != nil {
		return err
	}
	if err := linkFolder(place, links); err != nil {
		return err
	}
	if err := syncFolder(links); err != nil {
		return err
	}
	if err := f.at("beside"); err != nil {
		return err
	}
	if err := os.Rename(links, beside); err != nil {
		return err
	}
	return f.syncRoot()
}

// exchange swaps the staged folder with the published one. Where the file system can't, there is a moment without either name, in
// which Latest finds the old revision beside.
func (f *Folder) exchange(dir, place string) error {
	err := exchangeNames(dir, place)
	if err == nil || !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	aside := dir + ".old"
	if err := os.Rename(place, aside); err != nil {
		return err
	}
	if err := f.at("between"); err != nil {
		return err
	}
	if err := os.Rename(dir, place); err != nil {
		return errors.Join(err, os.Rename(aside, place))
	}
	return os.RemoveAll(aside)
}

// Open reads a published file.
func (f *Folder) Open(ctx context.Context, night fmt.Stringer, revision int, name string) (content io.ReadCloser, err error) {
	defer func() { err = Classed(err) }()
	latest, err := f.Latest(ctx, night)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(filepath.Join(f.root, f.Folder(night, revision, latest.Number), name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("night %s revision %d: %s: %w", night, revision, name, ErrNotPublished)
	}
	return file, err
}

// WriteIndex replaces a file in the root.
func (f *Folder) WriteIndex(_ context.Context, name string, content []byte) (err error) {
	defer func() { err = Classed(err) }()
	staging := filepath.Join(f.root, stagingFolder)
	if err := os.MkdirAll(staging, 0o777); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	fresh := filepath.Join(staging, name+"-"+rand.Text()[:8])
	if err := os.WriteFile(fresh, content, 0o666); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := syncFile(fresh); err != nil {
		return fmt.Errorf("write %s: %w", name, errors.Join(err, os.Remove(fresh)))
	}
	if err := os.Rename(fresh, filepath.Join(f.root, name)); err != nil {
		return fmt.Errorf("write %s: %w", name, errors.Join(err, os.Remove(fresh)))
	}
	return f.syncRoot()
}

// Location is the folder's path.
func (f *Folder) Location(night fmt.Stringer, revision, latest int) string {
	return filepath.Join(f.root, f.Folder(night, revision, latest))
}

// Folder is YYYY-MM-DD for the newest revision, YYYY-MM-DD.rN for an earlier one.
func (f *Folder) Folder(night fmt.Stringer, revision, latest int) string {
	if revision == latest {
		return night.String()
	}
	return fmt.Sprintf("%s.r%d", night, revision)
}

// Check writes a file below the root, reads it back and removes it.
func (f *Folder) Check(ctx context.Context) (err error) {
	defer func() { err = Classed(err) }()
	staging := filepath.Join(f.root, stagingFolder)
	if err := os.MkdirAll(staging, 0o777); err != nil {
		return fmt.Errorf("reports folder %s: %w", f.root, err)
	}
	probe := filepath.Join(staging, "check-"+rand.Text()[:8])
	if err := os.WriteFile(probe, []byte(probe), 0o666); err != nil {
		return fmt.Errorf("reports folder %s: %w", f.root, err)
	}
	back, err := os.ReadFile(probe)
	if err == nil && string(back) != probe {
		err = errors.New("a file read back differs from what was written")
	}
	if err := errors.Join(err, os.Remove(probe)); err != nil {
		return fmt.Errorf("reports folder %s: %w", f.root, err)
	}
	return ctx.Err()
}

func (f *Folder) at(step string) error {
	if f.step == nil {
		return nil
	}
	return f.step(step)
}

func (f *Folder) syncRoot() error { return syncFile(f.root) }

// syncFolder makes a folder and its files durable.
func syncFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := syncFile(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return syncFile(dir)
}

func syncFile(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// linkFolder makes a second folder of the same files: hard links where the file system has them, copies elsewhere. Folders that somebody has put there
// are kept as well.
func linkFolder(from, to string) error {
	if err := os.Mkdir(to, 0o777); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		source, target := filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())
		if entry.IsDir() {
			if err := linkFolder(source, target); err != nil {
				return err
			}
			continue
		}
		if os.Link(source, target) == nil {
			continue
		}
		if err := copyFile(source, target); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}
