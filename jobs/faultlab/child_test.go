package faultlab_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/policyfile"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

// childVariable makes the test binary a worker in a process of its own, which can be killed and paused.
const childVariable = "FAULTLAB_CHILD"

// orders are what such a process is to do.
type orders struct {
	URL, Base, Folder, PlanID string
	Clock                     time.Time
	Night                     bool // the second night, executing plans; otherwise the plan alone
	// Signal is sent to itself at the nth named step, or at the nth moment of a statement.
	Signal       syscall.Signal
	AtStep       int
	AtStatement  int
	LeaseSeconds float64
}

// child is such a process: 0 when it did what it was told, 1 when it can be tried again, 2 otherwise. It tells of its steps.
func child() int {
	var o orders
	if err := json.Unmarshal([]byte(os.Getenv(childVariable)), &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	policies, err := policyfile.Default()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	c := &clock{}
	c.set(o.Clock)
	// Only for its keys: this process talks to the double of the one that started it.
	keys := stripetest.New(stripetest.Options{Clock: c.now})
	l := &lab{world: &world{policies: policies, planID: o.PlanID}, clock: c, stripe: keys, base: o.Base, url: o.URL, folder: o.Folder}
	w, closeWorker, err := l.worker(o.Night)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer closeWorker()
	if o.LeaseSeconds > 0 {
		w.Settings.Refund.Lease = time.Duration(o.LeaseSeconds * float64(time.Second))
	}
	steps := 0
	w.Step = func(name string) {
		steps++
		fmt.Println("step " + name)
		if steps == o.AtStep {
			signalSelf(o.Signal)
		}
	}
	var moments atomic.Int64
	w.Store.Intercept = func(_ context.Context, statement string, done bool) error {
		if int(moments.Add(1)) == o.AtStatement {
			signalSelf(o.Signal)
		}
		return nil
	}
	if o.Night {
		err = w.RunNight(context.Background(), secondDay)
	} else {
		_, err = w.RefundDesk().Execute(context.Background(), o.PlanID, "Carol")
	}
	fmt.Println("moments", moments.Load())
	switch {
	case err == nil:
		return 0
	case retryable(err):
		fmt.Fprintln(os.Stderr, err)
		return 1
	default:
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
}

func signalSelf(signal syscall.Signal) {
	_ = syscall.Kill(os.Getpid(), signal)
	if signal == syscall.SIGKILL {
		select {} // it takes effect at once
	}
	time.Sleep(50 * time.Millisecond) // whichever thread takes it, this one is stopped here, and not a moment later, past what it was to look at next
}

// orders for a process on this lab.
func (l *lab) orders(night bool) orders {
	return orders{URL: l.url, Base: l.base, Folder: l.folder, PlanID: l.planID, Clock: l.clock.now(), Night: night, Signal: syscall.SIGKILL, LeaseSeconds: 1}
}

// process is a worker in a process of its own.
type process struct {
	*exec.Cmd
	out *strings.Builder
}

func (l *lab) start(t testing.TB, o orders) process {
	t.Helper()
	encoded, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := process{exec.Command(self), &strings.Builder{}}
	p.Env = append(os.Environ(), childVariable+"="+string(encoded))
	p.Stdout = p.out
	p.Stderr = p.out
	l.spoiled = true
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// steps are the named steps that the process told of.
func (p process) steps() []string {
	var steps []string
	for line := range strings.Lines(p.out.String()) {
		if step, ok := strings.CutPrefix(strings.TrimSpace(line), "step "); ok {
			steps = append(steps, step)
		}
	}
	return steps
}
