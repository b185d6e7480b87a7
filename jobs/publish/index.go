package publish

import (
	"bytes"
	"context"
	"fmt"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/pages"
	"github.com/hummingbytes/reconciler/reports/storage"
)

// NightFigures are the figures of the reported nights from one through another.
func NightFigures(ctx context.Context, q postgres.Querier, from, to reconcile.Date) ([]figures.NightFigures, error) {
	var stored []figures.NightFigure
	if err := q.Select(ctx, &stored, "reports/night_figures", postgres.Args{"from": from, "to": to}); err != nil {
		return nil, err
	}
	return figures.NightsOf(stored)
}

// Index writes the page over all nights and months anew.
func Index(ctx context.Context, store *postgres.Store, sink storage.Storage) error {
	first, last := reconcile.Date{Year: 1, Month: 1, Day: 1}, reconcile.Date{Year: 9999, Month: 12, Day: 31}
	nights, err := NightFigures(ctx, store, first, last)
	if err != nil {
		return err
	}
	troubled, err := night.TroubledNights(ctx, store)
	if err != nil {
		return err
	}
	var notes []string
	for _, night := range troubled {
		if !night.Missing() { // the page itself sees which nights have no report
			notes = append(notes, night.String())
		}
	}
	var months []pages.MonthState
	if err := store.Select(ctx, &months, "periods/months", nil); err != nil {
		return err
	}
	var page bytes.Buffer
	if err := pages.WriteIndex(&page, nights, months, notes, sink.Folder); err != nil {
		return fmt.Errorf("write %s: %w", pages.IndexName, err)
	}
	return sink.WriteIndex(ctx, pages.IndexName, page.Bytes())
}
