package reconcile

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// normalizedCode is a failure code without case and separators, which still knows where its
// words began and ended.
type normalizedCode struct {
	// key has the letters and digits only, in lower case.
	key string
	// boundaries are the offsets into key at which a word begins or ends, ascending.
	boundaries []int
}

func (c normalizedCode) isBoundary(offset int) bool {
	_, found := slices.BinarySearch(c.boundaries, offset)
	return found
}

// normalizeCode folds a failure code. A word ends at a separator (whatever is neither letter
// nor digit), where letters meet digits, before a capital behind a small letter ("nodeFail")
// and before the last of several capitals if a small letter follows ("OOMKilled").
func normalizeCode(code string) normalizedCode {
	var (
		key        []byte
		boundaries []int
		runes      = []rune(code)
		previous   rune // the rune before, 0 at the beginning and behind a separator
	)
	mark := func() {
		if n := len(boundaries); n == 0 || boundaries[n-1] != len(key) {
			boundaries = append(boundaries, len(key))
		}
	}
	for i, r := range runes {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			previous = 0
			continue
		}
		var next rune
		if i+1 < len(runes) {
			next = runes[i+1]
		}
		if wordBegins(previous, r, next) {
			mark()
		}
		key = utf8.AppendRune(key, foldRune(r))
		previous = r
	}
	mark()
	return normalizedCode{key: string(key), boundaries: boundaries}
}

func wordBegins(previous, r, next rune) bool {
	switch {
	case previous == 0:
		return true
	case unicode.IsDigit(previous) != unicode.IsDigit(r):
		return true
	case unicode.IsUpper(r) && unicode.IsLower(previous):
		return true
	default:
		return unicode.IsUpper(r) && unicode.IsUpper(previous) && unicode.IsLower(next)
	}
}

// foldRune maps all runes that differ in case only to one of them.
func foldRune(r rune) rune {
	least := r
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		least = min(least, other)
	}
	return unicode.ToLower(least)
}
