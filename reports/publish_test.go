package reports

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/reports/tables"
)

func openFolder(t testing.TB) (storage.Storage, string) {
	t.Helper()
	root := t.TempDir()
	st, err := storage.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	return st, root
}

func TestSameInputsGiveTheSameBytesAndNoNewRevision(t *testing.T) {
	ctx := context.Background()
	st, root := openFolder(t)
	first, err := prepareAndPublish(ctx, st, busyNight(), PublishOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !first.Published || first.Revision != 1 || len(first.Differs) != len(first.Manifest.Files)+1 {
		t.Fatalf("first: revision %d, published %t, %d files differ", first.Revision, first.Published, len(first.Differs))
	}
	again, err := prepareAndPublish(ctx, st, busyNight(), PublishOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if again.Published || again.Revision != 1 || again.ManifestSHA256 != first.ManifestSHA256 || len(again.Differs) != 0 {
		t.Errorf("again: %+v", again)
	}
	elsewhere, otherRoot := openFolder(t)
	if _, err := prepareAndPublish(ctx, elsewhere, busyNight(), PublishOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, file := range append(first.Manifest.Files, tables.FileEntry{Name: storage.ManifestName}) {
		a, errA := os.ReadFile(filepath.Join(root, "2026-03-14", file.Name))
		b, errB := os.ReadFile(filepath.Join(otherRoot, "2026-03-14", file.Name))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs between two folders (%v, %v)", file.Name, errA, errB)
		}
	}
}

func TestManifestSaysWhatIsThere(t *testing.T) {
	folder, published := publish(t, busyNight())
	raw, err := os.ReadFile(filepath.Join(folder, storage.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	if ManifestHash(raw) != published.ManifestSHA256 {
		t.Error("the publication's hash is not the file's")
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(published.Manifest.Files)+1 {
		t.Errorf("%d files in the folder, %d in the manifest", len(entries), len(published.Manifest.Files))
	}
	for _, file := range published.Manifest.Files {
		content, err := os.ReadFile(filepath.Join(folder, file.Name))
		if err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256(content)
		if hex.EncodeToString(digest[:]) != file.SHA256 || int64(len(content)) != file.Size {
			t.Errorf("%s is not what the manifest says", file.Name)
		}
		if file.Rows != nil {
			if rows := int64(bytes.Count(content, []byte("\r\n")) - 1); rows != *file.Rows {
				t.Errorf("%s has %d rows, the manifest says %d", file.Name, rows, *file.Rows)
			}
		}
	}
	for _, field := range []string{"run", "business_date", "as_of", "revision", "code_version", "policy_version", "inputs", "files", "previous"} {
		if !bytes.Contains(raw, []byte(`"`+field+`"`)) {
			t.Errorf("the manifest has no %s", field)
		}
	}
}

func TestADifferenceBecomesTheNextRevision(t *testing.T) {
	ctx := context.Background()
	st, root := openFolder(t)
	if _, err := prepareAndPublish(ctx, st, busyNight(), PublishOptions{}); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(root, "2026-03-14", "summary.html"))
	if err != nil {
		t.Fatal(err)
	}
	changed := busyNight()
	changed.Breaks = tables.Of(busyBreaks()[1:]...)
	dry, err := prepareAndPublish(ctx, st, changed, PublishOptions{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"breaks.csv", "reconciliation.xlsx", "summary.html", "summary.json"}
	if dry.Published || dry.Revision != 2 || !slices.Equal(dry.Differs, want) {
		t.Errorf("dry run: published %t, revision %d, differs %v", dry.Published, dry.Revision, dry.Differs)
	}
	if _, err := os.Stat(filepath.Join(root, "2026-03-14.r1")); !os.IsNotExist(err) {
		t.Error("a dry run left something behind")
	}
	second, err := prepareAndPublish(ctx, st, changed, PublishOptions{})
	if err != nil || second.Revision != 2 || !second.Published {
		t.Fatalf("second: %+v, %v", second, err)
	}
	kept, err := os.ReadFile(filepath.Join(root, "2026-03-14.r1", "summary.html"))
	if err != nil || !bytes.Equal(kept, before) {
		t.Errorf("revision 1 was not kept as it was: %v", err)
	}
	var summary struct{ Revision int }
	raw, err := os.ReadFile(filepath.Join(root, "2026-03-14", "summary.json"))
	if err != nil || json.Unmarshal(raw, &summary) != nil || summary.Revision != 2 {
		t.Errorf("summary.json is of revision %d, %v", summary.Revision, err)
	}
	again, err := prepareAndPublish(ctx, st, changed, PublishOptions{})
	if err != nil || again.Published || again.Revision != 2 {
		t.Errorf("again: %+v, %v", again, err)
	}
	entries, err := os.ReadDir(filepath.Join(root, ".staging"))
	if err != nil || len(entries) != 0 {
		t.Errorf("staging has %d leftovers, %v", len(entries), err)
	}
}

// The night before may have been revised since: its hash alone makes no new revision of this night.
func TestARevisedPreviousNightIsNoDifference(t *testing.T) {
	ctx := context.Background()
	st, _ := openFolder(t)
	first, err := prepareAndPublish(ctx, st, busyNight(), PublishOptions{})
	if err != nil {
		t.Fatal(err)
	}
	later := busyNight()
	later.Previous = &PreviousNight{date("2026-03-13"), 2, "another"}
	again, err := prepareAndPublish(ctx, st, later, PublishOptions{})
	if err != nil || again.Published || again.ManifestSHA256 != first.ManifestSHA256 {
		t.Errorf("%+v, %v", again, err)
	}
}

func TestFailedRowsPublishNothing(t *testing.T) {
	st, root := openFolder(t)
	in := busyNight()
	in.CreditBacks = func(_ context.Context, fn func(tables.CreditBack) error) error {
		if err := fn(tables.CreditBack{JobID: "job_1"}); err != nil {
			return err
		}
		return os.ErrDeadlineExceeded
	}
	if _, err := prepareAndPublish(context.Background(), st, in, PublishOptions{}); err == nil {
		t.Fatal("no error")
	}
	left, err := filepath.Glob(filepath.Join(root, "2*"))
	if err != nil || len(left) != 0 {
		t.Errorf("something was published: %v, %v", left, err)
	}
	staged, err := os.ReadDir(filepath.Join(root, ".staging"))
	if err != nil || len(staged) != 0 {
		t.Errorf("staging has %d leftovers, %v", len(staged), err)
	}
}

func TestFurtherWritersAreFilesOfTheNight(t *testing.T) {
	in := emptyNight()
	in.Writers = []Writer{{Name: "journal.hledger", Write: func(_ context.Context, w io.Writer) error {
		_, err := w.Write([]byte("; empty\n"))
		return err
	}}}
	folder, published := publish(t, in)
	if content, err := os.ReadFile(filepath.Join(folder, "journal.hledger")); err != nil || string(content) != "; empty\n" {
		t.Errorf("%q, %v", content, err)
	}
	if !slices.ContainsFunc(published.Manifest.Files, func(f tables.FileEntry) bool { return f.Name == "journal.hledger" && f.Size == 8 }) {
		t.Error("the manifest doesn't have it")
	}
	for _, name := range []string{"../x", "a/b", "", storage.ManifestName} {
		in.Writers[0].Name = name
		st, _ := openFolder(t)
		if _, err := prepareAndPublish(context.Background(), st, in, PublishOptions{}); err == nil {
			t.Errorf("%q was let in", name)
		}
	}
}

// A bucket gets the very bytes that a folder does.
func TestBucketGetsTheSameBytes(t *testing.T) {
	backend := s3mem.New()
	if err := backend.CreateBucket("books"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("TMPDIR", t.TempDir()) // where nights are staged
	bucket, err := storage.Open("s3://books?path_style=true&endpoint=" + server.URL)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if _, err := prepareAndPublish(ctx, bucket, busyNight(), PublishOptions{}); err != nil {
		t.Fatal(err)
	}
	again, err := prepareAndPublish(ctx, bucket, busyNight(), PublishOptions{})
	if err != nil || again.Published {
		t.Errorf("again: published %t, %v", again.Published, err)
	}
	folder, published := publish(t, busyNight())
	for _, file := range append(published.Manifest.Files, tables.FileEntry{Name: storage.ManifestName}) {
		want, err := os.ReadFile(filepath.Join(folder, file.Name))
		if err != nil {
			t.Fatal(err)
		}
		object, err := bucket.Open(ctx, published.Manifest.BusinessDate, 1, file.Name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(object)
		if err != nil || !bytes.Equal(got, want) || object.Close() != nil {
			t.Errorf("%s is not the same (%v)", file.Name, err)
		}
	}
}
