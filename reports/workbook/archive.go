package workbook

import (
	"archive/zip"
	"compress/flate"
	"fmt"
	"io"
	"sync"
	"time"
)

// createPart begins a file of the archive. Its time is the earliest that archives know, as no other follows from the night.
func (w *Book) createPart(name string) (io.Writer, error) {
	return w.archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)})
}

const sheetFolder = "xl/worksheets/"

func sheetPath(number int) string { return fmt.Sprintf("%ssheet%d.xml", sheetFolder, number) }
func tablePath(number int) string { return fmt.Sprintf("xl/tables/table%d.xml", number) }

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
