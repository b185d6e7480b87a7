package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hummingbytes/reconciler/reconcile"
)

var night = reconcile.Date{Year: 2026, Month: 3, Day: 14}

// stage fills a staged folder with a revision of two files and a manifest.
func stage(t *testing.T, st Storage, revision int) string {
	t.Helper()
	dir, err := st.Stage(context.Background(), night)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range contents(revision) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func contents(revision int) map[string]string {
	return map[string]string{
		"breaks.csv":   fmt.Sprintf("break_id\r\nof revision %d\r\n", revision),
		"summary.html": fmt.Sprintf("<p>revision %d", revision),
		ManifestName:   fmt.Sprintf(`{"revision": %d}`, revision),
	}
}

// checkRevision reads every file of a revision back.
func checkRevision(t *testing.T, st Storage, revision int) {
	t.Helper()
	for name, want := range contents(revision) {
		file, err := st.Open(context.Background(), night, revision, name)
		if err != nil {
			t.Errorf("revision %d: %v", revision, err)
			continue
		}
		got, err := io.ReadAll(file)
		if err := errors.Join(err, file.Close()); err != nil || string(got) != want {
			t.Errorf("revision %d: %s is %q, want %q (%v)", revision, name, got, want, err)
		}
	}
}

func latest(t *testing.T, st Storage) int {
	t.Helper()
	revision, err := st.Latest(context.Background(), night)
	if err != nil {
		t.Fatal(err)
	}
	return revision.Number
}

// testRevisions is what every storage has to do.
func testRevisions(t *testing.T, st Storage) {
	ctx := context.Background()
	if n := latest(t, st); n != 0 {
		t.Fatalf("latest of nothing is %d", n)
	}
	for revision := 1; revision <= 3; revision++ {
		if err := st.Publish(ctx, night, revision, stage(t, st, revision)); err != nil {
			t.Fatal(err)
		}
		if n := latest(t, st); n != revision {
			t.Fatalf("latest is %d, want %d", n, revision)
		}
		for earlier := 1; earlier <= revision; earlier++ {
			checkRevision(t, st, earlier)
		}
	}
	for _, wrong := range []int{1, 3, 5} {
		dir := stage(t, st, wrong)
		if err := st.Publish(ctx, night, wrong, dir); !errors.Is(err, ErrConflict) {
			t.Errorf("publishing revision %d after 3: %v, want a conflict", wrong, err)
		}
		if err := st.Discard(dir); err != nil {
			t.Error(err)
		}
	}
	if _, err := st.Open(ctx, night, 3, "nothing.csv"); !errors.Is(err, ErrNotPublished) {
		t.Errorf("a file that isn't there: %v", err)
	}
	if _, err := st.Open(ctx, night.AddDays(1), 1, "breaks.csv"); !errors.Is(err, ErrNotPublished) {
		t.Errorf("a night that isn't there: %v", err)
	}
	for _, content := range []string{"one", "two"} {
		if err := st.WriteIndex(ctx, "index.html", []byte(content)); err != nil {
			t.Error(err)
		}
	}
	if err := st.Check(ctx); err != nil {
		t.Error(err)
	}
}

func TestFolderKeepsEveryRevision(t *testing.T) {
	root := t.TempDir()
	st, err := Open("file://" + root)
	if err != nil {
		t.Fatal(err)
	}
	testRevisions(t, st)
	if content, err := os.ReadFile(filepath.Join(root, "index.html")); err != nil || string(content) != "two" {
		t.Errorf("index.html is %q, %v", content, err)
	}
	var names []string
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if got := strings.Join(names, " "); got != ".staging 2026-03-14 2026-03-14.r1 2026-03-14.r2 index.html" {
		t.Errorf("the folder has %s", got)
	}
	if left, err := os.ReadDir(filepath.Join(root, ".staging")); err != nil || len(left) != 0 {
		t.Errorf("staging has %d leftovers, %v", len(left), err)
	}
}

// Somebody keeps notes in a published night: the next revision is published all the same, and the notes stay with the one that they were put to.
func TestFolderKeepsWhatSomebodyHasPutThere(t *testing.T) {
	ctx := context.Background()
	st, err := OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Publish(ctx, night, 1, stage(t, st, 1)); err != nil {
		t.Fatal(err)
	}
	notes := filepath.Join("notes", "of Ana", "call.txt")
	written := filepath.Join(st.Root(), night.String(), notes)
	if err := os.MkdirAll(filepath.Dir(written), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(written, []byte("call the bank"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := st.Publish(ctx, night, 2, stage(t, st, 2)); err != nil {
		t.Fatal(err)
	}
	checkRevision(t, st, 1)
	checkRevision(t, st, 2)
	if kept, err := os.ReadFile(filepath.Join(st.Root(), night.String()+".r1", notes)); string(kept) != "call the bank" {
		t.Errorf("of the notes there is %q: %v", kept, err)
	}
}

// Whatever step a publication stops at, a reader finds the whole old revision or the whole new one, and a second attempt ends like a first.
func TestFolderStoppedAtAnyStep(t *testing.T) {
	ctx := context.Background()
	stopped := errors.New("stopped")
	for before := range 3 { // revisions there already
		for n := 1; ; n++ {
			folder, err := OpenFolder(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			for revision := 1; revision <= before; revision++ {
				if err := folder.Publish(ctx, night, revision, stage(t, folder, revision)); err != nil {
					t.Fatal(err)
				}
			}
			steps, at := 0, ""
			folder.step = func(name string) error {
				if steps++; steps == n {
					at = name
					return stopped
				}
				return nil
			}
			err = folder.Publish(ctx, night, before+1, stage(t, folder, before+1))
			folder.step = nil
			if at == "" {
				if err != nil {
					t.Fatal(err)
				}
				if n < 3 {
					t.Errorf("only %d steps were seen", n-1)
				}
				break
			}
			if !errors.Is(err, stopped) {
				t.Fatalf("stopped at %s, but: %v", at, err)
			}
			found := latest(t, folder)
			if found != before && found != before+1 {
				t.Errorf("stopped at %s with %d revisions: latest is %d", at, before, found)
			}
			for revision := 1; revision <= found; revision++ {
				checkRevision(t, folder, revision)
			}
			if found == before {
				if err := folder.Publish(ctx, night, before+1, stage(t, folder, before+1)); err != nil {
					t.Fatalf("again after %s: %v", at, err)
				}
			}
			for revision := 1; revision <= before+1; revision++ {
				checkRevision(t, folder, revision)
			}
		}
	}
}

// On a file system that can't exchange names there is a moment without either: the old revision is then found beside.
func TestFolderWithoutExchangeStoppedBetweenTheRenames(t *testing.T) {
	root := t.TempDir()
	folder, err := OpenFolder(root)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if err := folder.Publish(ctx, night, 1, stage(t, folder, 1)); err != nil {
		t.Fatal(err)
	}
	// As publishing revision 2 leaves it when it stops there:
	if err := folder.keepBeside(night, 1, filepath.Join(root, night.String())); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(root, night.String()), filepath.Join(root, stagingFolder, night.String()+"-x.old")); err != nil {
		t.Fatal(err)
	}
	if n := latest(t, folder); n != 1 {
		t.Fatalf("latest is %d, want 1", n)
	}
	if err := folder.Publish(ctx, night, 2, stage(t, folder, 2)); err != nil {
		t.Fatal(err)
	}
	checkRevision(t, folder, 1)
	checkRevision(t, folder, 2)
}

func TestFolderRefusesWhatIsNoNight(t *testing.T) {
	root := t.TempDir()
	folder, err := OpenFolder(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, night.String()), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := folder.Latest(context.Background(), night); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "move the folder away") {
		t.Errorf("a folder without a manifest: %v", err)
	}
	if err := os.WriteFile(filepath.Join(root, night.String(), ManifestName), []byte(`{"revision": 0}`), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := folder.Latest(context.Background(), night); !errors.Is(err, ErrDamaged) {
		t.Errorf("revision 0: %v", err)
	}
}

func TestStageClearsWhatAKilledRunLeft(t *testing.T) {
	root := t.TempDir()
	folder, err := OpenFolder(root)
	if err != nil {
		t.Fatal(err)
	}
	left := stage(t, folder, 1)
	if err := folder.staged[left].Close(); err != nil { // as the kernel does for a process that is gone
		t.Fatal(err)
	}
	other, err := OpenFolder(root)
	if err != nil {
		t.Fatal(err)
	}
	alive := stage(t, other, 1)
	tomorrow, err := folder.Stage(context.Background(), night.AddDays(1))
	if err != nil {
		t.Fatal(err)
	}
	mine := stage(t, folder, 1)
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Error("the leftover is still there")
	}
	for what, dir := range map[string]string{"another process's folder": alive, "another night's folder": tomorrow, "the new folder": mine} {
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("%s is gone", what)
		}
	}
	for _, dir := range []string{alive, tomorrow, mine} {
		if err := folder.Discard(dir); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	for location, want := range map[string]string{
		"":                              "REPORTS_URL is empty",
		"ftp://host/x":                  "scheme",
		"file://host/x":                 "another host",
		"file:/x":                       "file: without //",
		"s3:/bucket/prefix":             "s3: without //",
		"s3:///prefix":                  "without a bucket",
		"s3://key:secret@bucket/p":      "no credentials",
		"s3://bucket/p?colour=red":      "unknown parameter",
		"s3://bucket/p?endpoint=x:y:z":  "endpoint",
		"s3://bucket/p?endpoint=ftp://": "endpoint",
	} {
		_, err := Open(location)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", location, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error repeats the secret", location)
		}
	}
}
