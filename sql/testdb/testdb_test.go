package testdb

import (
	"os"
	"testing"
	"time"
)

func TestMain(m *testing.M) { os.Exit(Run(m)) }

func TestNewIsMigrated(t *testing.T) {
	began := time.Now()
	New(t)
	t.Logf("first database after %v", time.Since(began))
	began = time.Now()
	db := New(t)
	t.Logf("clone after %v", time.Since(began))
	var schemas []string
	if err := db.Select(&schemas, "SELECT nspname FROM pg_namespace WHERE nspname IN ('platform', 'reconciler') ORDER BY 1"); err != nil {
		t.Fatal(err)
	}
	if len(schemas) != 2 {
		t.Errorf("schemas %v, want platform and reconciler", schemas)
	}
}

func BenchmarkNew(b *testing.B) {
	New(b)
	for b.Loop() {
		New(b)
	}
}
