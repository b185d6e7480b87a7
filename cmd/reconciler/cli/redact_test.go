package cli

import (
	"bytes"
	"testing"
)

func TestRedactor(t *testing.T) {
	var out bytes.Buffer
	r := NewRedactor(&out, []string{"hunter-two", "p@ss"})
	for text, want := range map[string]string{
		"password hunter-two.":                  "password [redacted].",
		"p@ss":                                  "[redacted]",
		"mail ana.ruiz+x@mail.example.org now":  "mail [redacted] now",
		"jörg@exämple.de":                       "[redacted]",
		"postgres://u:secret@db.example.com/x":  "postgres://u:[redacted]/x",
		"/go/pkg/mod/github.com/lib/pq@v1.12.3": "/go/pkg/mod/github.com/lib/pq@v1.12.3",
		"@hourly, a @ b, x@y":                   "@hourly, a @ b, x@y",
	} {
		if got := r.Text(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	if n, err := r.Write([]byte("hunter-two\n")); n != len("hunter-two\n") || err != nil || out.String() != redacted+"\n" {
		t.Errorf("wrote %d, %v: %q", n, err, out.String())
	}
}
