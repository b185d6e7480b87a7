package jobs_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/publish"
	"github.com/hummingbytes/reconciler/reconcile"
)

// A purchase that is corrected in place, as the advice of its break says, is named by the verification of the nights that had read it as it was,
// before what differs because of it: what it was, what it is, since when and why. Nights that it doesn't concern stay as they are.
func TestVerificationNamesPurchasesThatWereCorrectedInPlace(t *testing.T) {
	t.Parallel()
	b := newPayments(t)
	before := b.night()
	p, charge := b.pay(2_000, "usd", nil)
	p.amount = 1_950
	b.store(p, "completed", "", charge.ID, "")
	booked := b.night()
	wrong := b.night()
	b.exec("UPDATE platform.purchases SET amount_minor = 2000 WHERE id = $1", p.id)
	corrected := b.whole()
	asked := b.texts("SELECT break_id FROM reconciler.breaks WHERE subject_id = $1", p.id)
	want := publish.Fault{Where: "purchases", What: fmt.Sprintf("purchase %s: amount_minor was %q at the end of the night and is %q, seen first in the night of %s; a correction was asked for by charge_amount_mismatch %s",
		p.id, "1950", "2000", corrected.Date, strings.Join(asked, " "))}
	for _, tc := range []struct {
		name string
		at   int
	}{{"before", 0}, {"booked", 1}, {"wrong", 2}, {"corrected", 3}} {
		date := before.Date.AddDays(tc.at)
		faults := verified(t, b, date)
		named := 0
		for _, f := range faults {
			if f == want {
				named++
			}
		}
		changed := date == booked.Date || date == wrong.Date
		if !changed && len(faults) > 0 || changed && (named != 1 || faults[0] != want) {
			t.Errorf("%s: %v", tc.name, faults)
		}
	}
}

func verified(t *testing.T, b *bothBooks, date reconcile.Date) []publish.Fault {
	t.Helper()
	return ok[[]publish.Fault](t)(b.worker.Verify(context.Background(), date, night.AuditHead{}))
}
