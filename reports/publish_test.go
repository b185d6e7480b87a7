package reports

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/hummingbytes/reconciler/reports/storage"
)

func TestDump(t *testing.T) {
	out := os.Getenv("DUMP")
	for name, in := range map[string]Input{"busy": busyNight(), "empty": emptyNight(), "bad": badNight()} {
		st, err := storage.Open(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		p, err := Publish(context.Background(), st, in, PublishOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Log(name, p.Revision, p.Published, len(p.Manifest.Files))
	}
}
