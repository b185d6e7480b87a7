package demo

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/reconcile"
)

func TestDemoTellsDifferences(t *testing.T) {
	business, err := simulation.New(simulation.Options{Start: Start, Nights: 2})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	d := &demo{dir: "r", out: &out}
	d.tell(business, simulation.Outcome{
		Kinds:       []simulation.KindOutcome{{Kind: reconcile.JobStuck, Planted: 1}},
		Differences: []string{"job_stuck job_1: must have been reported on 2026-03-02, and was not"},
	}, time.Second)
	for _, want := range []string{"differs from what was planted in 1", "  job_stuck job_1: must have been reported", "never"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "Nothing else was reported") {
		t.Error("differences are told as none")
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 26823: "26,823", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
}
