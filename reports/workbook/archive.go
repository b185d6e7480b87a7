package workbook

import (
	"archive/zip"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"
)

// createPart begins a file of the archive. Its time is the earliest that archives know, as no other follows from the night.
func (w *Book) createPart(name string) (io.Writer, error) {
	return w.archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)})
}

func sheetPath(number int) string { return fmt.Sprintf("xl/worksheets/sheet%d.xml", number) }

// compressors are kept to be used again: each holds tables of most of a megabyte, and a workbook has dozens of parts.
var compressors = sync.Pool{New: func() any {
	c, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		panic(err) // it only refuses levels that don't exist
	}
	return c
}}

// pooledCompressor goes back to compressors when it is closed.
type pooledCompressor struct{ *flate.Writer }

func compressor(out io.Writer) (io.WriteCloser, error) {
	c := compressors.Get().(*flate.Writer)
	c.Reset(out)
	return &pooledCompressor{c}, nil
}

func (p *pooledCompressor) Close() error {
	err := p.Writer.Close()
	compressors.Put(p.Writer)
	p.Writer = nil
	return err
}

// partWriter passes excelize's parts on into the archive, but for the sheets, which are there already.
type partWriter struct{ workbook *Book }

// Create begins a part.
func (p *partWriter) Create(name string) (io.Writer, error) {
	for i := range p.workbook.sheets {
		if name == sheetPath(i+1) {
			return io.Discard, nil
		}
	}
	return p.workbook.createPart(name)
}

// AddFS adds nothing: excelize writes single parts only.
func (p *partWriter) AddFS(fs.FS) error { return errors.ErrUnsupported }

// Close leaves the archive open: workbook.close ends it.
func (p *partWriter) Close() error { return nil }
