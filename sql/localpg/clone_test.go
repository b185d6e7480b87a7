package localpg

import "testing"

func TestCloneClause(t *testing.T) {
	for version, want := range map[int]string{
		130021: ` TEMPLATE "x"`,
		140000: ` TEMPLATE "x"`,
		149999: ` TEMPLATE "x"`,
		150000: ` TEMPLATE "x" STRATEGY file_copy`,
		180001: ` TEMPLATE "x" STRATEGY file_copy`,
	} {
		if got := cloneClause("x", version); got != want {
			t.Errorf("version %d: %q, want %q", version, got, want)
		}
	}
}
