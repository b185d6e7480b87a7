package validate

import (
	"os"
	"testing"
)

func build(t *testing.T, folder string) []byte {
	t.Helper()
	manifests, err := Build(folder)
	if err != nil {
		t.Fatal(err)
	}
	return manifests
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
