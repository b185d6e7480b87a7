package lives_test

import (
	_ "embed"
	"flag"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/sql/testdb"
)

var (
	long   = flag.Bool("long", false, "live tens of thousands of lives instead of hundreds")
	seed   = flag.Uint64("seed", 1, "of the first world")
	zoned  = flag.String("zone", "UTC", "business time zone of the world, without -long")
	many   = flag.Int("lives", 0, "beside those kept, in a world; 0: 240, and 2,500 with -long; below 0: none")
	worlds = flag.Int("worlds", 10, "with -long")
	show   = flag.String("show", "", "numbers of lives that are printed, with commas between them")
	syncs  = flag.Int("syncs", 15, "percent of days on which Stripe is read between nights")
	shrunk = flag.Int("shrink", 4, "kinds of fault of which the lives are shrunk")
)

//go:embed testdata/kept.lives
var kept string

// Of everything legal that happens to a customer the worker has to report what the policy says, and nothing else, in every night; and the books
// have to close in the end.
func TestLives(t *testing.T) {
	if *long {
		zones := []string{"UTC", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "Asia/Beirut", "Australia/Lord_Howe"}
		for i := range *worlds { // side by side, on one server
			zone, err := time.LoadLocation(zones[(i+int(*seed))%len(zones)])
			if err != nil {
				t.Fatal(err)
			}
			seed := *seed + uint64(i)
			t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
				t.Parallel()
				inWorld(t, zone, 48, seed, max(*many, 2500*min(1, 1-*many)))
			})
		}
		return
	}
	lives := testdb.Cases(240, 60)
	if *many != 0 {
		lives = *many
	}
	zone, err := time.LoadLocation(*zoned)
	if err != nil {
		t.Fatal(err)
	}
	inWorld(t, zone, 42, *seed, lives)
}

// inWorld has the kept lives and many random ones lived in a world, and reports what was wrong.
func inWorld(t *testing.T, zone *time.Location, nights int, seed uint64, lives int) {
	t.Helper()
	w := newWorld(t, zone, nights, seed)
	known, err := parseLives(kept)
	if err != nil {
		t.Fatal(err)
	}
	w.kept = len(known)
	for _, events := range known {
		w.add(events)
	}
	r := rand.New(rand.NewPCG(seed, 0))
	for range max(lives, 0) {
		w.add(makeLife(r, r.IntN(3), nights-8))
	}
	for i, l := range w.lives {
		if slices.Contains(strings.Split(*show, ","), strconv.Itoa(i)) {
			t.Logf("life %d:\n%s", i, printed(l.events))
		}
	}
	start := time.Now()
	w.live()
	t.Logf("seed %d, %s, %v: %s", seed, zone, time.Since(start).Round(time.Millisecond), w.count)
	report(t, w)
}

// report tells what was wrong, a kind of fault once, with the life that it takes.
func report(t testing.TB, w *world) {
	t.Helper()
	if len(w.faults) == 0 {
		return
	}
	seen := map[string]int{}
	first := map[string]fault{}
	for _, f := range w.faults {
		signature := f.signature()
		if seen[signature]++; seen[signature] == 1 || first[signature].life != nil && f.life != nil && len(f.life.events) < len(first[signature].life.events) {
			first[signature] = f
		}
	}
	wrong := map[string][]event{}
	for _, signature := range slices.Sorted(maps.Keys(seen)) {
		f := first[signature]
		if f.life == nil {
			t.Errorf("%d times %q, first in night %d: %s", seen[signature], signature, f.night, f.text)
			continue
		}
		t.Errorf("%d times %q, such as life %d in night %d: %s\n%s", seen[signature], signature, f.life.number, f.night, f.text, printed(f.life.events))
		if len(wrong) < *shrunk {
			wrong[signature] = f.life.events
		}
	}
	if len(wrong) == 0 {
		return
	}
	for signature, events := range shrink(t, w.zone, wrong, 8) {
		t.Logf("shrunk, %q:\n%s", signature, printed(events))
	}
}
