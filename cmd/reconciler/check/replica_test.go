package check

import (
	"strings"
	"testing"
)

// Who reads from a replica is told of it while it may show other than what is: by check, and by every command that reads there.
func TestAReplicaIsDoubtedWhereItMayMislead(t *testing.T) {
	none, close, far := 0.0, 20.0, 400.0
	for _, c := range []struct {
		name  string
		state replicaState
		want  string
	}{
		{"that has all", replicaState{Standby: true, Streaming: true, SecondsBehind: &none}, ""},
		{"close behind", replicaState{Standby: true, Streaming: true, SecondsBehind: &close}, ""},
		{"far behind", replicaState{Standby: true, Streaming: true, SecondsBehind: &far}, "lags: what it shows is 6m40s old"},
		{"that has replayed nothing yet", replicaState{Standby: true, Streaming: true}, "lags: what it shows is an unknown time old"},
		{"cut off", replicaState{Standby: true, SecondsBehind: &close}, "receives nothing from a primary at the moment; what it shows is 20s old"},
		{"that was promoted", replicaState{}, "is no replica, but a primary of its own"},
	} {
		if doubt, fix := c.state.Doubt(); doubt != c.want || (doubt == "") != (fix == "") || strings.HasSuffix(fix, ".") {
			t.Errorf("one %s: %q, %q; want %q", c.name, doubt, fix, c.want)
		}
	}
}
