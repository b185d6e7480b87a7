package storage

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// fakeS3 is an S3 server in this process; intercept may answer a request itself by returning true.
func fakeS3(t *testing.T, intercept func(w http.ResponseWriter, r *http.Request) bool) *S3 {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("books"); err != nil {
		t.Fatal(err)
	}
	handler := gofakes3.New(backend).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if intercept == nil || !intercept(w, r) {
			handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_ENDPOINT_URL", "")
	t.Setenv("TMPDIR", t.TempDir()) // where nights are staged
	st, err := Open("s3://books/finance/nightly?path_style=true&region=us-east-1&endpoint=" + server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return st.(*S3)
}

func TestS3KeepsEveryRevision(t *testing.T) {
	st := fakeS3(t, nil)
	testRevisions(t, st)
	if got := st.Location(night, 1, 3); got != "s3://books/finance/nightly/2026-03-14" {
		t.Errorf("revision 1 is at %s", got)
	}
	if got := st.Location(night, 3, 3); got != "s3://books/finance/nightly/2026-03-14.r3" {
		t.Errorf("revision 3 is at %s", got)
	}
}

// The manifest is the last object to appear, so that a reader who starts from it never finds half a night; and every upload of a night
// asks the server not to overwrite.
func TestS3ManifestIsWrittenLast(t *testing.T) {
	var mutex sync.Mutex
	var written []string
	st := fakeS3(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			mutex.Lock()
			defer mutex.Unlock()
			written = append(written, r.URL.Path)
			if r.Header.Get("If-None-Match") != "*" {
				t.Errorf("%s may overwrite", r.URL.Path)
			}
		}
		return false
	})
	if err := st.Publish(context.Background(), night, 1, stage(t, st, 1)); err != nil {
		t.Fatal(err)
	}
	if len(written) != 3 || !strings.HasSuffix(written[2], "/2026-03-14/"+ManifestName) {
		t.Errorf("written were %v", written)
	}
}

// Whatever upload fails, no reader sees a night; the next attempt takes over or replaces what was left, even when its bytes differ.
func TestS3StoppedAtAnyUpload(t *testing.T) {
	for n := 1; n <= 3; n++ {
		puts, failAt := 0, n
		st := fakeS3(t, func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPut {
				return false
			}
			if puts++; puts == failAt {
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			return false
		})
		ctx := context.Background()
		dir := stage(t, st, 1)
		if err := os.WriteFile(filepath.Join(dir, "breaks.csv"), []byte("other bytes, of the run that was stopped"), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := st.Publish(ctx, night, 1, dir); err == nil {
			t.Fatalf("upload %d failed, and nobody said so", n)
		}
		if found := latest(t, st); found != 0 {
			t.Errorf("upload %d failed, and revision %d is there", n, found)
		}
		if err := st.Discard(dir); err != nil {
			t.Fatal(err)
		}
		failAt = 0
		if err := st.Publish(ctx, night, 1, stage(t, st, 1)); err != nil {
			t.Fatalf("again after upload %d: %v", n, err)
		}
		checkRevision(t, st, 1)
	}
}

// Two workers publish the same revision: what is published is never replaced.
func TestS3NeverReplacesAManifest(t *testing.T) {
	ctx := context.Background()
	st := fakeS3(t, nil)
	if err := st.Publish(ctx, night, 1, stage(t, st, 1)); err != nil {
		t.Fatal(err)
	}
	dir := stage(t, st, 2)
	if err := st.upload(ctx, st.key(night, 1, ManifestName), filepath.Join(dir, ManifestName), false); !errors.Is(err, ErrConflict) {
		t.Errorf("another manifest over the first: %v", err)
	}
	checkRevision(t, st, 1)
}

func TestS3OutOfReachIsWorthAnotherTry(t *testing.T) {
	st := fakeS3(t, func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(http.StatusInternalServerError)
		return true
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if _, err := st.Latest(ctx, night); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v, want it to be marked unavailable", err)
	}
}

func TestS3CheckFindsAServerThatOverwrites(t *testing.T) {
	st := fakeS3(t, func(_ http.ResponseWriter, r *http.Request) bool {
		r.Header.Del("If-None-Match")
		return false
	})
	if err := st.Check(context.Background()); err == nil || !strings.Contains(err.Error(), "If-None-Match") {
		t.Errorf("%v", err)
	}
}
