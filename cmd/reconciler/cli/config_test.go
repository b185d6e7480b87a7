package cli

import (
	"maps"
	"testing"
)

func TestParseAmounts(t *testing.T) {
	for text, want := range map[string]map[string]int64{
		"": {}, "usd=500000": {"usd": 500000}, " USD=1, jpy=2 ,*=3": {"usd": 1, "jpy": 2, "*": 3},
	} {
		if got, err := parseAmounts(text); err != nil || !maps.Equal(got, want) {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"500000", "usd", "usd=", "usd=0", "usd=-1", "usd=1.5", "us=1", "usd=1,usd=2", "usd=99999999999999999999", ","} {
		if got, err := parseAmounts(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}
