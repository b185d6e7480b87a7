package reports

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hummingbytes/reconciler/reports/storage"
)

// FileDifference is how a file as it would be made now differs from the one that was published.
type FileDifference struct {
	File string
	// Published and Recomputed are rows that only one of them has, the first few of each; MorePublished and MoreRecomputed count the rest.
	// Files that aren't made of rows are only named.
	Published, Recomputed         []string
	MorePublished, MoreRecomputed int
}

// Shows says of a file that it shows what other files of its folder hold, and has nothing of its own: a page or a workbook.
func Shows(name string) bool {
	return strings.HasSuffix(name, ".html") || strings.HasSuffix(name, ".xlsx")
}

// maxDifferenceRows is how many rows of a difference are kept of each side.
const maxDifferenceRows = 50

// maxComparedBytes is the size up to which files are compared row by row; larger ones are only named.
const maxComparedBytes = 64 << 20

// Differences says how the prepared files differ from the newest published revision, row by row where that is possible. Nothing is
// published and the prepared files stay.
func (p *Prepared) Differences(ctx context.Context) ([]FileDifference, error) {
	night := p.built.input.BusinessDate
	latest, err := p.storage.Latest(ctx, night)
	if err != nil {
		return nil, err
	}
	if latest.Number == 0 {
		return nil, fmt.Errorf("reports of %s: %w", night, storage.ErrNotPublished)
	}
	_, names, err := p.compare(latest)
	if err != nil {
		return nil, fmt.Errorf("reports of %s: %w", night, err)
	}
	var differences []FileDifference
	for _, name := range names {
		difference := FileDifference{File: name}
		if strings.HasSuffix(name, ".csv") {
			published, err := p.storage.Open(ctx, night, latest.Number, name)
			if err != nil && !errors.Is(err, storage.ErrNotPublished) {
				return nil, err
			}
			if err == nil {
				err = difference.compareRows(published, filepath.Join(p.built.dir, name))
				if closeErr := published.Close(); err == nil {
					err = closeErr
				}
				if err != nil {
					return nil, fmt.Errorf("reports of %s: %s: %w", night, name, err)
				}
			}
		}
		differences = append(differences, difference)
	}
	return differences, nil
}

func (d *FileDifference) compareRows(published io.Reader, path string) error {
	recomputed, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	was, err := io.ReadAll(io.LimitReader(published, maxComparedBytes+1))
	if err != nil {
		return err
	}
	if len(was) > maxComparedBytes || len(recomputed) > maxComparedBytes {
		return nil
	}
	count := map[string]int{}
	for row := range rowsOf(was) {
		count[row]++
	}
	for row := range rowsOf(recomputed) {
		if count[row] > 0 {
			count[row]--
			continue
		}
		keepRow(&d.Recomputed, &d.MoreRecomputed, row)
	}
	for row := range rowsOf(was) {
		if count[row] > 0 {
			count[row]--
			keepRow(&d.Published, &d.MorePublished, row)
		}
	}
	return nil
}

func keepRow(rows *[]string, more *int, row string) {
	if len(*rows) < maxDifferenceRows {
		*rows = append(*rows, row)
	} else {
		*more++
	}
}

func rowsOf(content []byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		scanner := bufio.NewScanner(bytes.NewReader(content))
		scanner.Buffer(nil, maxComparedBytes)
		for scanner.Scan() {
			if !yield(scanner.Text()) {
				return
			}
		}
	}
}
