package workbook

import (
	"time"

	"github.com/hummingbytes/reconciler/reconcile/numbers"
)

// Front is a workbook's first sheet: a few lines of text and tables of figures.
type Front struct{ sheet *summarySheet }

// FrontAmount is a figure with its unit; one without a number is an empty cell.
type FrontAmount struct {
	Value numbers.Number
	Unit  string
}

// Title is the first line.
func (f *Front) Title(text string) {
	f.sheet.line(figure{text: text, style: f.sheet.book.styles.title})
}

// Text writes a text beside its label, over as many lines as it needs; a warning stands out.
func (f *Front) Text(label, text string, warning bool) {
	style := f.sheet.book.styles.text
	if warning {
		style = f.sheet.book.styles.warn
	}
	f.sheet.text(figure{text: label, style: f.sheet.book.styles.strong}, text, style)
}

// Heading begins a block; its first text is the block's, the others its columns'.
func (f *Front) Heading(texts ...string) { f.sheet.heading(texts...) }

// Figures are a line of a block. bad marks those that should not be what they are.
func (f *Front) Figures(label string, bad bool, amounts ...FrontAmount) {
	cells := []figure{{text: label, style: f.sheet.book.styles.text}}
	for _, a := range amounts {
		cell := figure{value: a.Value, unit: a.Unit}
		if !a.Value.Known() {
			cell = figure{text: a.Unit, style: f.sheet.book.styles.unit}
		}
		if bad && a.Value.Known() {
			cell.bad = true
		}
		cells = append(cells, cell)
	}
	f.sheet.line(cells...)
}

// CloseWith writes the first sheet as front says, and what holds the sheets together. title and at are the workbook's properties.
func (w *Book) CloseWith(title string, at time.Time, front func(*Front)) error {
	return w.finish(title, at, func(s *summarySheet) { front(&Front{s}) })
}
