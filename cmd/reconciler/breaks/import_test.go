package breaks

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/night"
)

const importHead = "break_id,kind,resolution,reason,actor\n"

func TestWhatImportRefusesIsNamedByLineAndColumn(t *testing.T) {
	row := func(reason string) string { return importHead + "brk_1,x,accepted," + reason + ",Ana\n" }
	for name, test := range map[string]struct{ file, want string }{
		"empty":              {"", "has no header row"},
		"another file":       {"a,b,c\n1,2,3\n", "line 1: column break_id is missing\nline 1: column resolution is missing\nline 1: column reason is missing\nline 1: column actor is missing"},
		"UTF-16":             {"\xff\xfeb\x00r\x00e\x00a\x00k\x00", "line 1: is not UTF-8"},
		"UTF-16, big-endian": {"\xfe\xff\x00b\x00r\x00e\x00a\x00k", "line 1: is not UTF-8"},
		"carriage returns":   {strings.ReplaceAll(row("why"), "\n", "\r"), "line 1: is ended by a carriage return alone"},
		"NUL":                {row("a\x00b"), "line 2, column reason: holds a NUL character"},
		"not UTF-8":          {row("caf\xe9"), "line 2, column reason: is not UTF-8"},
		"too long":           {row(strings.Repeat("é", night.MaxReasonCharacters+1)), "line 2, column reason: has 2001 characters; at most 2000"},
		"open quote":         {importHead + "brk_1,x,,,\nbrk_2,x,accepted,\"never closed" + strings.Repeat(" text", 100_000), "the row that begins on line 3 is longer than 256 KiB"},
		"bare quote":         {row(`a"b`), "line 2"},
		"no id":              {importHead + "brk_\x1b[2J,x,accepted,why,Ana\n", "line 2, column break_id"},
		"twice":              {importHead + "brk_1,x,accepted,why,Ana\nbrk_1,x,accepted,why,Ana\n", "line 3, column break_id: stands on line 2 already"},
		"half filled in":     {importHead + "brk_1,x,,,Ana\n", "line 2, column resolution"},
		"after a long field": {importHead + "brk_1,x,,\"a\nb\nc\",Ana\nbrk_2,x,accepted,,Ana\n", "line 5, column reason: is empty"},
	} {
		_, err := readResolutions(strings.NewReader(test.file))
		if !errors.Is(err, cli.ErrUsage) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// Who quotes everything, as PowerShell's Export-Csv does, quotes the name of the first column too, after a byte order mark.
func TestImportTakesQuotedHeadersAfterAByteOrderMark(t *testing.T) {
	for _, mark := range []string{"", "\ufeff"} {
		file := mark + `"` + strings.ReplaceAll(strings.TrimSpace(importHead), ",", `","`) + `"` + "\r\n" + `"brk_1","x","accepted","why","Ana"` + "\r\n"
		got, err := readResolutions(strings.NewReader(file))
		if err != nil || len(got) != 1 || got[0] != (jobs.Resolution{BreakID: "brk_1", Resolution: "accepted", Reason: "why", Actor: "Ana"}) {
			t.Errorf("%q: %+v, %v", mark, got, err)
		}
	}
}

// Columns are found by their names, however a spreadsheet or a person writes these.
func TestImportTakesColumnsByName(t *testing.T) {
	got, err := readResolutions(strings.NewReader("Actor; REASON ;owner;resolution;Break_ID\nAna;why;Bo;accepted;brk_1\n"))
	if err != nil || len(got) != 1 || got[0] != (jobs.Resolution{BreakID: "brk_1", Resolution: "accepted", Reason: "why", Actor: "Ana"}) {
		t.Errorf("%+v, %v", got, err)
	}
}

// A spreadsheet writes the separator of its own language.
func TestImportTakesOtherSeparators(t *testing.T) {
	for _, separator := range []string{",", ";", "\t"} {
		for _, mark := range []string{"", "\ufeff"} {
			file := mark + strings.ReplaceAll(importHead+"brk_1,x,accepted,\"so, or; so\tthen\",Ana\r\n", ",", separator)
			file = strings.Replace(file, "so"+separator+" or", "so, or", 1)
			got, err := readResolutions(strings.NewReader(file))
			if err != nil || len(got) != 1 || got[0] != (jobs.Resolution{BreakID: "brk_1", Resolution: "accepted", Reason: "so, or; so\tthen", Actor: "Ana"}) {
				t.Errorf("%q %q: %+v, %v", mark, separator, got, err)
			}
		}
	}
}

// endless is a file that never ends.
type endless struct{ given int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	e.given += int64(len(p))
	return len(p), nil
}

func TestImportReadsNoMoreOfARowThanFits(t *testing.T) {
	in := &endless{}
	_, err := readResolutions(io.MultiReader(strings.NewReader(importHead+`brk_1,x,accepted,"`), in))
	if !errors.Is(err, cli.ErrUsage) || in.given > 2*rowBytes {
		t.Errorf("%v after %d bytes", err, in.given)
	}
}

func TestImportTakesRowsOfTheLengthThatExportsHave(t *testing.T) {
	var file bytes.Buffer
	file.WriteString(importHead)
	for range 3000 { // more than one row's bound in all
		file.WriteString("brk_1," + strings.Repeat("x", 500) + ",,,\n")
	}
	file.WriteString("brk_2,x,accepted," + strings.Repeat("é", night.MaxReasonCharacters) + ",Ana\n")
	got, err := readResolutions(&file)
	if err != nil || len(got) != 1 {
		t.Errorf("%d, %v", len(got), err)
	}
}

func FuzzReadResolutions(f *testing.F) {
	f.Add(importHead + "brk_1,x,accepted,why,Ana\n")
	f.Add("\ufeffbreak_id;resolution;reason;actor\r\nbrk_1;accepted;\"a\nb\";Ana\r\n")
	f.Add(importHead + "brk_1,x,accepted,\"open")
	f.Fuzz(func(t *testing.T, file string) {
		got, err := readResolutions(strings.NewReader(file))
		if err != nil {
			if !errors.Is(err, cli.ErrUsage) {
				t.Errorf("%v", err)
			}
			return
		}
		for _, r := range got {
			if faults := r.Faults(); len(faults) > 0 {
				t.Errorf("took %+v: %v", r, faults)
			}
		}
	})
}
