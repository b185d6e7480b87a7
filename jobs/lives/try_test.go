package lives_test

import (
	"flag"
	"os"
	"testing"
	"time"
)

var try = flag.String("try", "", "a file of lives to live alone")

// A file of lives by itself, in as many nights as they take.
func TestTry(t *testing.T) {
	if *try == "" {
		return
	}
	text, err := os.ReadFile(*try)
	if err != nil {
		t.Fatal(err)
	}
	lives, err := parseLives(string(text))
	if err != nil {
		t.Fatal(err)
	}
	nights := 0
	for _, events := range lives {
		nights = max(nights, int(inOrder(events)[len(events)-1].at/day)+3)
	}
	zone, err := time.LoadLocation(*zoned)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, zone, nights, *seed)
	for _, events := range lives {
		w.add(events)
	}
	w.live()
	for _, f := range w.faults {
		number := -1
		if f.life != nil {
			number = f.life.number
		}
		t.Logf("life %d, night %d: %s", number, f.night, f.text)
	}
	report(t, w)
}
