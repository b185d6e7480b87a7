package cli

import (
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
)

// ourPrefix begins the names of settings that are nobody else's.
const ourPrefix = "RECONCILER_"

var (
	// serviceLink is a variable that Kubernetes sets in every pod for a Service of this worker's.
	serviceLink = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)
	// testSetting is one of the tests', or is about the PostgreSQL that demo, bench and tests start themselves (package localpg).
	testSetting = regexp.MustCompile(`^RECONCILER_(TEST|POSTGRES)_`)
)

// misspelt refuses variables that look like settings and are none: everything that begins as ours do, and what is nearly the name of a setting
// that is not set itself. A night with a setting that nobody reads would be another one than was meant.
func (r *settingsReader) misspelt() {
	var names []string
	for _, entry := range os.Environ() {
		if name, value, _ := strings.Cut(entry, "="); value != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if isEnv(name) || serviceLink.MatchString(name) || testSetting.MatchString(name) {
			continue
		}
		near, distance := nearestSetting(name)
		switch ours := strings.HasPrefix(strings.ToUpper(name), ourPrefix); {
		case ours && distance <= len(name)/4:
			r.fault(name, "there is no such setting; did you mean %s?", near)
		case ours:
			r.fault(name, "there is no such setting; unset it (reconciler help settings lists all)")
		case distance <= 2 && os.Getenv(near) == "" && !r.Flags.Lookup(flagOf(near)).Changed:
			r.fault(name, "is set, and %s is not; did you mean that?", near)
		}
	}
}

func isEnv(name string) bool {
	return slices.ContainsFunc(settingList, func(s setting) bool { return s.env == name })
}

func flagOf(env string) string { return setting{env: env}.flag() }

// nearestSetting is the setting whose name takes the fewest changed letters, and how many.
func nearestSetting(name string) (near string, distance int) {
	name = strings.ToUpper(name)
	distance = math.MaxInt
	for _, s := range settingList {
		longer := max(len(name)-len(s.env), len(s.env)-len(name)) // it takes at least as many letters
		if longer >= distance {
			continue
		}
		if letters := editDistance(name, s.env); letters < distance {
			near, distance = s.env, letters
		}
	}
	return near, distance
}

// editDistance is how many letters have to be put in, taken out, changed or swapped with the next one to make b of a.
func editDistance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
