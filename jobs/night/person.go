package night

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/secure/precis"
)

// maxPersonCharacters is how long a person's name may be.
const maxPersonCharacters = 100

// Person is the name of somebody who makes, approves, closes or resolves something, as it is recorded: RFC 8266's nickname, without spaces
// around it and with one form of each character. fault says why it is no name, "" when it is one: whoever reads it must be able to tell this
// person from any other, so that nothing in it may be invisible, look like a letter of another script, or be the worker's own name.
func Person(name string) (clean, fault string) {
	name = strings.TrimSpace(name)
	switch {
	case name == "":
		return "", "is empty; say who does it"
	case !utf8.ValidString(name):
		return "", "is not UTF-8"
	case utf8.RuneCountInString(name) > maxPersonCharacters:
		return "", fmt.Sprintf("has %d characters; at most %d are kept", utf8.RuneCountInString(name), maxPersonCharacters)
	}
	for _, r := range name {
		if isInvisible(r) {
			return "", fmt.Sprintf("holds the invisible character %U; write the name without it", r)
		}
	}
	if !strings.ContainsFunc(name, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
		return "", fmt.Sprintf("is %q, which names nobody", name)
	}
	if one, other := mixedScripts(name); other != "" {
		return "", fmt.Sprintf("mixes letters of %s and %s, which look alike; write it in one script", one, other)
	}
	clean, err := precis.Nickname.String(name)
	if err != nil {
		return "", fmt.Sprintf("is %q, which holds characters that no name has", name)
	}
	key, err := personKey(clean)
	if err != nil {
		return "", fmt.Sprintf("is %q, which holds characters that no name has", name)
	}
	if key == NightActor {
		return "", "is the worker's own name; say which person does it"
	}
	return clean, ""
}

// personKey is the same for every way to write one name: whatever its case, width, spaces and composition.
func personKey(name string) (string, error) {
	key, err := precis.Nickname.CompareKey(name)
	return strings.ReplaceAll(cases.Fold().String(key), " ", ""), err
}

// SamePerson says whether two names are of one person. A name that is none is nobody's.
func SamePerson(a, b string) bool {
	keyA, errA := personKey(a)
	keyB, errB := personKey(b)
	return errA == nil && errB == nil && keyA == keyB
}

// isInvisible says whether a character takes no place of its own on a screen, or looks like a space that it isn't. The database refuses the
// same ones.
func isInvisible(r rune) bool {
	const brailleBlank = '\u2800'
	return r == brailleBlank || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// lookalikes are scripts whose letters are taken for one another's.
var lookalikes = []struct {
	name  string
	table *unicode.RangeTable
}{{"Latin", unicode.Latin}, {"Cyrillic", unicode.Cyrillic}, {"Greek", unicode.Greek}, {"Armenian", unicode.Armenian}, {"Cherokee", unicode.Cherokee}}

func mixedScripts(name string) (one, other string) {
	for _, script := range lookalikes {
		if strings.ContainsFunc(name, func(r rune) bool { return unicode.Is(script.table, r) }) {
			if one != "" {
				return one, script.name
			}
			one = script.name
		}
	}
	return one, ""
}

// MaxReasonCharacters is how long a reason may be.
const MaxReasonCharacters = 2000

// ReasonFault says what is wrong with a reason that a person gives for what they do; "" when nothing is.
func ReasonFault(reason string) string {
	switch {
	case strings.TrimSpace(reason) == "":
		return "is empty; say why, for whoever asks next year"
	case !utf8.ValidString(reason):
		return "is not UTF-8; save the file as UTF-8"
	case strings.ContainsRune(reason, 0):
		return "holds a NUL character, which the database can't store"
	case utf8.RuneCountInString(reason) > MaxReasonCharacters:
		return fmt.Sprintf("has %d characters; at most %d are kept", utf8.RuneCountInString(reason), MaxReasonCharacters)
	default:
		return ""
	}
}
