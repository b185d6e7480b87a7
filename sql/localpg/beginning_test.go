//go:build unix

package localpg

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// beginningOf is a table, and a count of how often it was made.
func beginningOf(t *testing.T, cache, of string, made *int) Options {
	return Options{CacheDir: cache, Beginning: &Beginning{Of: of, Make: func(_ context.Context, s *Server) error {
		*made++
		query(t, s.URL("postgres"), "CREATE TABLE begun AS SELECT '"+of+"' AS v; SELECT v FROM begun")
		return nil
	}}}
}

// beginServer starts a server with the programs of the other tests, which may be fetched ones, whatever cache its beginning is kept in.
func beginServer(t *testing.T, o Options) (*Server, error) {
	t.Helper()
	account, err := serverAccount()
	if err != nil {
		return nil, err
	}
	m := thisMachine()
	programs, err := m.programs(testContext(t), Options{}, account)
	if err != nil {
		return nil, err
	}
	s, err := m.startWith(testContext(t), programs, account, o)
	if err == nil {
		t.Cleanup(func() { _ = s.Stop() }) // tests that care stop it themselves
	}
	return s, err
}

func TestServersBeginWithACopy(t *testing.T) {
	t.Parallel()
	cache, made := filepath.Join(reachable(t), "cache"), 0
	begins := func(of string) {
		t.Helper()
		s, err := beginServer(t, beginningOf(t, cache, of, &made))
		if err != nil {
			t.Fatal(err)
		}
		if got := query(t, s.URL("postgres"), "SELECT v FROM begun"); got != of {
			t.Errorf("a server begins with %q, want %q", got, of)
		}
		query(t, s.URL("postgres"), "DROP TABLE begun; SELECT 'done'") // which nobody after it finds
		stop(t, s)
	}
	begins("one")
	kept, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept are %v, %v", kept, err)
	}
	old := time.Now().Add(-2 * unusedAge)
	if err := os.Chtimes(kept[0], old, old); err != nil {
		t.Fatal(err)
	}
	begins("one")
	begins("other") // removes what nobody uses
	begins("one")
	if made != 2 {
		t.Errorf("made %d times, want each of two once", made)
	}
	whole, err := os.Stat(kept[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(kept[0], whole.Size()/2); err != nil {
		t.Fatal(err)
	}
	begins("one")
	begins("one")
	if made != 3 {
		t.Errorf("made %d times, want once more after the damage", made)
	}
}

func TestServersThatMakeTheSameBeginningAtOnce(t *testing.T) {
	t.Parallel()
	cache := filepath.Join(reachable(t), "cache")
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			made := 0
			s, err := beginServer(t, beginningOf(t, cache, "one", &made))
			if err != nil {
				t.Error(err)
				return
			}
			defer stop(t, s)
			if got := query(t, s.URL("postgres"), "SELECT v FROM begun"); got != "one" {
				t.Errorf("begins with %q", got)
			}
		})
	}
	all.Wait()
	if left, err := os.ReadDir(cache); err != nil || len(left) != 1 {
		t.Errorf("the cache holds %v, %v; want one beginning", left, err)
	}
}

func TestBeginningThatFailsIsNotKept(t *testing.T) {
	t.Parallel()
	cache, broken := filepath.Join(reachable(t), "cache"), errors.New("broken")
	_, err := beginServer(t, Options{CacheDir: cache, Beginning: &Beginning{Make: func(context.Context, *Server) error { return broken }}})
	if !errors.Is(err, broken) {
		t.Errorf("Start says %v", err)
	}
	if left, err := os.ReadDir(cache); err != nil || len(left) != 0 {
		t.Errorf("the cache holds %v, %v", left, err)
	}
}

func TestBeginningThatAnybodyCouldHavePutThereIsNotUsed(t *testing.T) {
	t.Parallel()
	open, made := reachable(t), 0
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	o := beginningOf(t, open, "one", &made)
	s, err := beginServer(t, o)
	if err != nil {
		t.Fatal(err)
	}
	query(t, s.URL("postgres"), "SELECT v FROM begun")
	if left, err := os.ReadDir(open); made != 1 || err != nil || len(left) != 0 {
		t.Errorf("made %d times, left %v, %v", made, left, err)
	}
}

func TestUnusedBeginningsAreRemoved(t *testing.T) {
	cache := t.TempDir()
	for name, age := range map[string]time.Duration{"beginning-unused.tar": unusedAge + time.Hour, "beginning-used.tar": unusedAge - time.Hour, "postgres-of-old": 2 * unusedAge} {
		path, at := filepath.Join(cache, name), time.Now().Add(-age)
		writeFile(t, path, "", 0o600)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	removeUnused(cache)
	left, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil || len(left) != 2 || !missing(filepath.Join(cache, "beginning-unused.tar")) {
		t.Errorf("left are %v, %v", left, err)
	}
}
