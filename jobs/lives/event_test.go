package lives_test

import (
	"bufio"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// event is something that happens in a life: when, counted from the begin of the first night, what, a number and words that say more.
type event struct {
	at    time.Duration
	verb  string
	n     int64
	words []string
}

func (e event) word(i int) string {
	if i < len(e.words) {
		return e.words[i]
	}
	return ""
}

// String is the event as it is kept in testdata: "3d 05:00:00 buy 2000 usd card".
func (e event) String() string {
	day, rest := e.at/(24*time.Hour), e.at%(24*time.Hour)
	text := fmt.Sprintf("%dd %02d:%02d:%02d %s %d", day, int(rest.Hours()), int(rest.Minutes())%60, int(rest.Seconds())%60, e.verb, e.n)
	return strings.Join(append([]string{text}, e.words...), " ")
}

func parseEvent(line string) (event, error) {
	fields := strings.Fields(line)
	if len(fields) < 4 {
		return event{}, fmt.Errorf("event %q: want DAYd HH:MM:SS VERB NUMBER WORDS", line)
	}
	day, err := strconv.Atoi(strings.TrimSuffix(fields[0], "d"))
	if err != nil {
		return event{}, fmt.Errorf("event %q: %w", line, err)
	}
	clock, err := time.Parse(time.TimeOnly, fields[1])
	if err != nil {
		return event{}, fmt.Errorf("event %q: %w", line, err)
	}
	n, err := strconv.ParseInt(fields[3], 10, 64)
	if err != nil {
		return event{}, fmt.Errorf("event %q: %w", line, err)
	}
	at := time.Duration(day)*24*time.Hour + time.Duration(clock.Hour())*time.Hour + time.Duration(clock.Minute())*time.Minute + time.Duration(clock.Second())*time.Second
	return event{at: at, verb: fields[2], n: n, words: fields[4:]}, nil
}

// parseLives reads lives apart from each other by empty lines; lines that begin with # are comments.
func parseLives(text string) ([][]event, error) {
	var lives [][]event
	var life []event
	scanner := bufio.NewScanner(strings.NewReader(text + "\n\n"))
	for scanner.Scan() {
		line := strings.TrimSpace(scanner.Text())
		switch {
		case strings.HasPrefix(line, "#"):
		case line == "":
			if len(life) > 0 {
				lives = append(lives, life)
			}
			life = nil
		default:
			e, err := parseEvent(line)
			if err != nil {
				return nil, err
			}
			life = append(life, e)
		}
	}
	return lives, scanner.Err()
}

func inOrder(events []event) []event {
	slices.SortStableFunc(events, func(a, b event) int { return int((a.at - b.at) / time.Second) })
	return events
}

func printed(events []event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintln(&b, e)
	}
	return b.String()
}
