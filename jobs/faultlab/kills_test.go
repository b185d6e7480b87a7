package faultlab_test

import (
	"context"
	"errors"
	"fmt"
	rand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// ended runs a process to its end and says whether it was killed.
func ended(t testing.TB, p process) (killed bool) {
	t.Helper()
	err := p.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status := exit.Sys().(syscall.WaitStatus)
		if status.Signaled() && status.Signal() == syscall.SIGKILL {
			return true
		}
		if code := status.ExitStatus(); code != 1 {
			t.Errorf("the process ended with %d: %s", code, p.out)
		}
	}
	return false
}

// again finishes what a process left, in this one.
func (l *lab) again(night bool) {
	if night {
		l.night(true)
		return
	}
	l.execute(nil)
}

// TestKilledAtEveryStep kills the process at every named step, of refund execution and of a whole night that executes refunds.
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	w := start(t)
	for _, night := range []bool{false, true} {
		name := map[bool]string{false: "refund execution", true: "a night"}[night]
		clean := w.open(t)
		if night {
			clean.clock.set(nightTime)
		}
		whole := clean.orders(night)
		whole.AtStep = -1
		p := clean.start(t, whole)
		if ended(t, p) {
			t.Fatal("the faultless process was killed")
		}
		want, steps := clean.ending(), p.steps()
		clean.holds(true)
		clean.drop()
		if len(steps) < 3 {
			t.Fatalf("%s told of the steps %q only: %s", name, steps, p.out)
		}
		var places []int
		for i := range steps {
			places = append(places, i+1)
		}
		var counts tally
		t.Run(name, func(t *testing.T) {
			sweep(t, sample(places, map[bool]int{false: 4, true: 1}[night]), func(t *testing.T, at int) {
				l := w.open(t)
				if night {
					l.clock.set(nightTime)
				}
				o := l.orders(night)
				o.AtStep = at
				killed := ended(t, l.start(t, o))
				violations := l.violations(false)
				l.again(night)
				violations = append(violations, l.violations(true)...)
				if diff := l.ending().differs(want); diff != "" {
					violations = append(violations, diff)
				}
				counts.add(2, killed, violations, t, fmt.Sprintf("killed at step %d (%s) of %s", at, steps[at-1], name))
			})
		})
		if 2*counts.hit < counts.faults { // a retry more or less moves the last steps
			t.Errorf("%d of %d processes were killed", counts.hit, counts.faults)
		}
		counts.tell(t, "kill sweep over the named steps of "+name)
	}
}

// TestKilledAtAnyMoment kills the process at random moments, several times in a row on the same plan.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	w := start(t)
	random := rand.New(rand.NewPCG(3, 4))
	clean := w.open(t)
	begun := time.Now()
	p := clean.start(t, clean.orders(false))
	ended(t, p)
	usual := time.Since(begun)
	want := clean.ending()
	clean.drop()
	var counts tally
	var rounds [][4]time.Duration
	for range map[bool]int{false: 2, true: 60}[*long] {
		var delays [4]time.Duration
		for kill := range delays {
			delays[kill] = time.Duration(random.Int64N(int64(usual)))
		}
		rounds = append(rounds, delays)
	}
	t.Run("round", func(t *testing.T) {
		sweep(t, rounds, func(t *testing.T, delays [4]time.Duration) {
			l := w.open(t)
			for kill, delay := range delays {
				p := l.start(t, l.orders(false))
				timer := time.AfterFunc(delay, func() { _ = p.Process.Kill() })
				killed := ended(t, p)
				timer.Stop()
				counts.add(1, killed, l.violations(false), t, fmt.Sprintf("kill %d after %v", kill, delay))
			}
			l.execute(nil)
			violations := l.violations(true)
			if diff := l.ending().differs(want); diff != "" {
				violations = append(violations, diff)
			}
			counts.after(violations, t, "the run after the kills")
		})
	})
	counts.tell(t, "kills at random moments")
}

// TestTheRealCommandIsKilled does it to the command itself, as it is shipped, on the clock of the wall.
func TestTheRealCommandIsKilled(t *testing.T) {
	t.Parallel()
	if !*long {
		t.Log("only in the long form, as the command has to be built first")
		return
	}
	w := start(t)
	binary := filepath.Join(t.TempDir(), "reconciler")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/hummingbytes/reconciler/cmd/reconciler").CombinedOutput(); err != nil {
		t.Fatalf("build the command: %v\n%s", err, out)
	}
	random := rand.New(rand.NewPCG(5, 6))
	var counts tally
	var rounds [][3]time.Duration
	for range 40 {
		var delays [3]time.Duration
		for kill := range delays {
			delays[kill] = time.Duration(random.Int64N(int64(600 * time.Millisecond)))
		}
		rounds = append(rounds, delays)
	}
	t.Run("round", func(t *testing.T) {
		sweep(t, rounds, func(t *testing.T, delays [3]time.Duration) {
			l := w.open(t)
			l.spoiled = true
			run := func() *exec.Cmd {
				cmd := exec.Command(binary, "refunds", "execute", w.planID, "--by", "Carol")
				cmd.Env = append(os.Environ(), "DATABASE_URL="+l.url, "STRIPE_API_KEY="+l.stripe.ReadKey(), "STRIPE_REFUND_KEY="+l.stripe.RefundKey(),
					"STRIPE_API_BASE="+l.base, "REPORTS_URL="+l.folder, "RECONCILER_REFUND_LEASE_SECONDS=1", "LOG_LEVEL=error", "LOG_FORMAT=json")
				return cmd
			}
			for _, delay := range delays {
				cmd := run()
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(delay)
				_ = cmd.Process.Kill()
				err := cmd.Wait()
				counts.add(1, err != nil, l.violations(false), t, fmt.Sprintf("killed after %v", delay))
			}
			for try := 1; ; try++ {
				out, err := run().CombinedOutput()
				if err == nil {
					break
				}
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.ExitCode() != 1 || try == 40 {
					t.Fatalf("try %d: %v\n%s", try, err, out)
				}
				time.Sleep(200 * time.Millisecond)
			}
			counts.after(l.violations(true), t, "the run after the kills")
		})
	})
	counts.tell(t, "kills of the real command")
}

// TestAPausedExecutorChangesNothingMore stops a process at every step, lets its lease be taken over and the plan be finished by another,
// and wakes it up: it must neither write nor send anything.
func TestAPausedExecutorChangesNothingMore(t *testing.T) {
	t.Parallel()
	w := start(t)
	clean := w.open(t)
	p := clean.start(t, clean.orders(false))
	ended(t, p)
	want, steps := clean.ending(), p.steps()
	clean.drop()
	type pause struct{ step, statement int }
	var pauses []pause
	for i := range steps {
		pauses = append(pauses, pause{step: i + 1})
	}
	for i := 20; i < 200; i += 6 { // in the middle of transactions, too
		pauses = append(pauses, pause{statement: i})
	}
	var counts tally
	t.Run("place", func(t *testing.T) {
		sweep(t, sample(pauses, 4), func(t *testing.T, at pause) {
			l := w.open(t)
			o := l.orders(false)
			o.Signal, o.AtStep, o.AtStatement = syscall.SIGSTOP, at.step, at.statement
			paused := l.start(t, o)
			stopped := waitUntilStopped(paused.Process.Pid)
			l.execute(nil)
			violations := l.violations(true)
			posts := len(l.posts())
			if err := paused.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			ended(t, paused)
			violations = append(violations, l.violations(true)...)
			if stopped && len(l.posts()) != posts {
				violations = append(violations, fmt.Sprintf("the executor that woke up sent %d more requests for refunds", len(l.posts())-posts))
			}
			if diff := l.ending().differs(want); diff != "" {
				violations = append(violations, diff)
			}
			counts.add(2, stopped, violations, t, fmt.Sprintf("paused at step %d, statement %d", at.step, at.statement))
		})
	})
	counts.tell(t, "pauses while the lease is taken over")
}

// posts are the requests for refunds that Stripe has seen.
func (l *lab) posts() []string {
	var keys []string
	for _, request := range l.stripe.Requests() {
		if request.Method == "POST" {
			keys = append(keys, request.IdempotencyKey)
		}
	}
	return keys
}

// waitUntilStopped waits until a process is stopped; false when it ended instead.
func waitUntilStopped(pid int) bool {
	for {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return false
		}
		_, fields, _ := strings.Cut(string(stat), ") ")
		switch fields[0] {
		case 'T':
			return true
		case 'Z', 'X':
			return false
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// TestTheLeaseOutlivesItsHolder kills an executor that has the lease: the next one is told so, and gets it when it has expired.
func TestTheLeaseOutlivesItsHolder(t *testing.T) {
	t.Parallel()
	w := start(t)
	l := w.open(t)
	o := l.orders(false)
	o.AtStep, o.LeaseSeconds = 3, 1.5
	if !ended(t, l.start(t, o)) {
		t.Fatal("the process was not killed")
	}
	worker, closeWorker := l.must(false)
	defer closeWorker()
	if _, err := worker.RefundDesk().Execute(context.Background(), w.planID, "Carol"); !errors.Is(err, postgres.ErrLockHeld) {
		t.Errorf("with the lease of a dead executor: %v, want it to be held", err)
	}
	time.Sleep(1600 * time.Millisecond)
	if _, err := worker.RefundDesk().Execute(context.Background(), w.planID, "Carol"); err != nil {
		t.Errorf("after the lease has expired: %v", err)
	}
	l.holds(true)
}

// TestExecutorsRacing lets several executors go at the same plan at once; in every other round one of them is a whole night.
func TestExecutorsRacing(t *testing.T) {
	t.Parallel()
	w := start(t)
	rounds := 1
	if *long {
		rounds = 25
	}
	var counts tally
	for round := range rounds {
		l := w.open(t)
		l.apart = true
		done := make(chan error)
		if round%2 == 1 {
			l.clock.set(nightTime)
		}
		for racer := range 3 {
			night := round%2 == 1 && racer == 0
			go func() {
				for {
					worker, closeWorker, err := l.worker(night)
					if err == nil && night {
						err = worker.RunNight(context.Background(), secondDay)
					} else if err == nil {
						_, err = worker.RefundDesk().Execute(context.Background(), w.planID, "Carol")
					}
					if closeWorker != nil {
						closeWorker()
					}
					if err == nil || !retryable(err) {
						done <- err
						return
					}
					time.Sleep(5 * time.Millisecond)
				}
			}()
		}
		for range 3 {
			if err := <-done; err != nil {
				t.Errorf("round %d: %v", round, err)
			}
		}
		violations := l.violations(true)
		if posts := l.posts(); len(posts) != refundsPlanned {
			violations = append(violations, fmt.Sprintf("%d refunds were sent, planned were %d", len(posts), refundsPlanned))
		}
		counts.add(3, true, violations, t, fmt.Sprintf("race %d", round))
		l.drop()
	}
	counts.tell(t, "executors racing")
}

// TestConnectionsTerminated has the server end the sessions of an executor, and of a whole night in the long form, while it is at work, again
// and again.
func TestConnectionsTerminated(t *testing.T) {
	t.Parallel()
	w := start(t)
	clean := w.open(t)
	clean.execute(nil)
	want := map[bool]ending{false: clean.ending()}
	clean.drop()
	if *long {
		clean = w.open(t)
		clean.night(true)
		want[true] = clean.ending()
		clean.drop()
	}
	rounds := 2
	if *long {
		rounds = 80
	}
	random := rand.New(rand.NewPCG(7, 8))
	var counts tally
	type terminations struct {
		night  bool
		delays [12]time.Duration
	}
	all := make([]terminations, rounds)
	for round := range all {
		all[round].night = *long && round%2 == 1
		for i := range all[round].delays {
			all[round].delays[i] = time.Duration(2+random.IntN(map[bool]int{false: 40, true: 100}[all[round].night])) * time.Millisecond
		}
	}
	t.Run("round", func(t *testing.T) {
		sweep(t, all, func(t *testing.T, plan terminations) {
			l := w.open(t)
			l.apart, l.spoiled = true, true
			stop := make(chan struct{})
			finished := make(chan int)
			go func() {
				terminated := 0
				for _, delay := range plan.delays { // then it has to get through
					select {
					case <-stop:
						finished <- terminated
						return
					case <-time.After(delay):
					}
					var ended int
					_ = l.db.QueryRow(`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
					WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'reconciler'`).Scan(&ended)
					terminated += ended
				}
				finished <- terminated
			}()
			if plan.night {
				l.night(true)
			} else {
				l.execute(func(w *jobs.Worker) { w.Settings.Refund.Lease = time.Second })
			}
			close(stop)
			terminated := <-finished
			violations := l.violations(true)
			if diff := l.ending().differs(want[plan.night]); diff != "" {
				violations = append(violations, diff)
			}
			counts.add(1, terminated > 0, violations, t, fmt.Sprintf("%d sessions ended, night %v", terminated, plan.night))
		})
	})
	counts.tell(t, "sessions ended by the server")
}
