package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/publish"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports"
	"github.com/hummingbytes/reconciler/reports/storage"
)

// recomputed is what working a night out again in a transaction that is rolled back has shown.
type recomputed struct {
	// files are those that differ from the published ones. Pages and workbooks of another version are left out: their looks may have changed, and their
	// hashes are checked.
	files []reports.FileDifference
	// tables are those of the books whose stored rows of the night are not what came out.
	tables    []string
	writtenBy string // the version that wrote what is published
}

func (r recomputed) differs() bool { return len(r.files)+len(r.tables) > 0 }

// faults are the differences, one by one.
func (r recomputed) faults() (faults []publish.Fault) {
	for _, d := range r.files {
		faults = append(faults, differenceFaults(d)...)
	}
	for _, table := range r.tables {
		faults = append(faults, publish.Fault{Where: "reconciler." + table, What: "the stored rows of the night are not those that are worked out again"})
	}
	return faults
}

func (w *Worker) recompute(ctx context.Context, date reconcile.Date) (r recomputed, err error) {
	again := *w
	if w.Reports != nil {
		latest, err := w.Reports.Latest(ctx, date)
		if err != nil {
			return r, err
		}
		// A manifest that can't be read is a fault of its own, and a difference.
		if manifest, err := reports.ReadManifest(latest.Manifest); err == nil {
			again.CodeVersion = manifest.CodeVersion
		}
	}
	err = w.Store.Rehearse(ctx, func(ctx context.Context, rehearsal *postgres.Store) error {
		stored, err := storedBooks(ctx, rehearsal, date)
		if err != nil {
			return err
		}
		inspect := func(ctx context.Context, prepared *reports.Prepared) (err error) {
			r.files, err = prepared.Differences(ctx)
			return err
		}
		// Compared exactly: an independent way to the same answer.
		if err := again.runNight(ctx, date, runOptions{rehearsal: rehearsal, asNoted: true, matching: night.MatchExact, inspect: inspect}); err != nil {
			return err
		}
		anew, err := storedBooks(ctx, rehearsal, date)
		for i, books := range anew {
			if i < len(stored) && stored[i] != books {
				r.tables = append(r.tables, books.Stored)
			}
		}
		return err
	})
	if again.CodeVersion != w.CodeVersion {
		r.files = slices.DeleteFunc(r.files, func(d reports.FileDifference) bool { return reports.Shows(d.File) })
	}
	r.writtenBy = again.CodeVersion
	return r, err
}

// booksTable is what a table of the books holds of a night, as a sum over its rows.
type booksTable struct {
	Stored string
	Rows   int64
	Hash   string
}

func storedBooks(ctx context.Context, q postgres.Querier, date reconcile.Date) (tables []booksTable, err error) {
	return tables, q.Select(ctx, &tables, "verify/stored_books", postgres.Args{"date": date})
}

// otherVersion says what may lie behind differences from what another version wrote.
func (w *Worker) otherVersion(writtenBy string) (faults []publish.Fault) {
	if writtenBy == w.CodeVersion {
		return nil
	}
	return []publish.Fault{{Where: "version", What: publish.OtherTexts(writtenBy, "these files", w.CodeVersion)}}
}

// Verify compares a published night with what it was made from: every file against the manifest, the manifest against the database and the
// night before, every entry that it posted against the ledger, every file against a recomputation from the source, and the audit log against its
// own hashes, the changes it should have, and noted, a link of it that a night's log has told (none: the zero value). What isn't as it was is
// a fault; an error means that something could not be looked at.
func (w *Worker) Verify(ctx context.Context, date reconcile.Date, noted night.AuditHead) ([]publish.Fault, error) {
	latest, err := w.Reports.Latest(ctx, date)
	if errors.Is(err, storage.ErrDamaged) {
		return []publish.Fault{{Where: "reports", What: err.Error()}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", date, err)
	}
	if latest.Number == 0 {
		return w.verifyAbsence(ctx, date)
	}
	faults, err := w.verifyPublication(ctx, date, latest)
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", date, err)
	}
	tampered, err := w.verifyPosted(ctx, date)
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", date, err)
	}
	faults = append(faults, tampered...)
	again, err := w.recompute(ctx, date)
	switch {
	case err == nil:
	case errors.Is(err, night.ErrIntegrity) || len(faults) > 0 && !errors.Is(err, postgres.ErrUnavailable) && ctx.Err() == nil:
		// What was changed may be what it stumbles over.
		faults = append(faults, publish.Fault{Where: "recomputation", What: err.Error()})
	default:
		return nil, fmt.Errorf("verify %s: recompute: %w", date, err)
	}
	if again.differs() {
		changed, err := w.changedPurchases(ctx, date, again.files)
		if err != nil {
			return nil, fmt.Errorf("verify %s: %w", date, err)
		}
		known, err := w.knownSince(ctx, date)
		if err != nil {
			return nil, fmt.Errorf("verify %s: %w", date, err)
		}
		faults = slices.Concat(faults, w.otherVersion(again.writtenBy), changed, known)
	}
	faults = append(faults, again.faults()...)
	_, problems, err := night.VerifyAudit(ctx, w.Store)
	if err != nil {
		return nil, fmt.Errorf("verify %s: audit log: %w", date, err)
	}
	for _, problem := range problems {
		faults = append(faults, publish.Fault(problem))
	}
	switch err := night.VerifyAuditHead(ctx, w.Store, noted); {
	case errors.Is(err, night.ErrIntegrity):
		faults = append(faults, publish.Fault{Where: "audit log", What: strings.TrimPrefix(err.Error(), night.ErrIntegrity.Error()+": ")})
	case err != nil:
		return nil, fmt.Errorf("verify %s: audit log: %w", date, err)
	}
	return faults, nil
}

// knownSince are the failure codes that no version of the policy knew when the night was reported, and that one knows now: the night is worked out again
// with their class, which a later night has decided their jobs by.
func (w *Worker) knownSince(ctx context.Context, date reconcile.Date) (faults []publish.Fault, err error) {
	var open []struct {
		Status, FailureCode string
		FinishedAt          time.Time
	}
	if err := w.Store.Select(ctx, &open, "verify/undecided_failures", postgres.Args{"date": date}); err != nil {
		return nil, err
	}
	for _, failure := range open {
		version, err := w.Policies.At(failure.FinishedAt)
		if err != nil {
			continue // as when the night was reported
		}
		class := version.Failures.Classify(reconcile.JobStatus(failure.Status), failure.FailureCode).Class
		fault := publish.Fault{Where: "policy", What: fmt.Sprintf("failure code %q had no class when the night was reported, and version %s has one now: %s", failure.FailureCode, version.Version, class)}
		if class != reconcile.FailureUnknown && !slices.Contains(faults, fault) {
			faults = append(faults, fault)
		}
	}
	return faults, nil
}

// correctedInPlace are the kinds of breaks whose advice is to correct the purchase.
var correctedInPlace = []string{
	string(reconcile.ChargeAmountMismatch), string(reconcile.ChargeCurrencyMismatch), string(reconcile.ChargeStatusMismatch), string(reconcile.PurchaseMissingAtStripe),
}

// changedPurchases are what differences come from where the platform has changed purchases in place: of those that the night booked, or that a row
// which differs names.
func (w *Worker) changedPurchases(ctx context.Context, date reconcile.Date, differences []reports.FileDifference) (faults []publish.Fault, err error) {
	var fields []struct {
		PurchaseID string
		Field      string
		Was        string
		Now        string
		IsGone     bool
		IsOfNight  bool
		SeenAsOf   *time.Time
		AskedBy    string
	}
	span := reconcile.NightOf(date, w.Settings.Defaults().Zone)
	if err := w.Store.Select(ctx, &fields, "verify/purchases_changed", postgres.Args{"begin": span.Begin, "as_of": span.End, "corrected_kinds": correctedInPlace}); err != nil {
		return nil, err
	}
	var rows strings.Builder
	for _, d := range differences {
		for _, row := range slices.Concat(d.Published, d.Recomputed) {
			fmt.Fprintln(&rows, row)
		}
	}
	for _, f := range fields {
		if !f.IsOfNight && !strings.Contains(rows.String(), f.PurchaseID) {
			continue
		}
		what := fmt.Sprintf("purchase %s is gone", f.PurchaseID)
		if !f.IsGone {
			what = fmt.Sprintf("purchase %s: %s was %q at the end of the night and is %q", f.PurchaseID, f.Field, f.Was, f.Now)
		}
		if f.SeenAsOf != nil {
			what += fmt.Sprintf(", seen first in the night of %s", reconcile.DateOf(f.SeenAsOf.Add(-time.Microsecond).In(w.Settings.Defaults().Zone)))
		}
		if f.AskedBy != "" {
			what += "; a correction was asked for by " + f.AskedBy
		}
		faults = append(faults, publish.Fault{Where: "purchases", What: what})
		if len(faults) == maxChangedFaults {
			return append(faults, publish.Fault{Where: "purchases", What: "and perhaps more"}), nil
		}
	}
	return faults, nil
}

// maxChangedFaults is how many changes of purchases verification names.
const maxChangedFaults = 100

func differenceFaults(d reports.FileDifference) (faults []publish.Fault) {
	if len(d.Published)+len(d.Recomputed) == 0 {
		return []publish.Fault{{Where: d.File, What: "would be made otherwise today"}}
	}
	for _, row := range d.Published {
		faults = append(faults, publish.Fault{Where: d.File, What: "published, but not recomputed: " + row})
	}
	for _, row := range d.Recomputed {
		faults = append(faults, publish.Fault{Where: d.File, What: "recomputed, but not published: " + row})
	}
	if more := d.MorePublished + d.MoreRecomputed; more > 0 {
		faults = append(faults, publish.Fault{Where: d.File, What: fmt.Sprintf("%d more rows differ", more)})
	}
	return faults
}

// publication is what the database has on record of the newest revision of a night.
type publication struct {
	Revision       int
	ManifestSHA256 string
	Location       string
}

func (w *Worker) publicationOnRecord(ctx context.Context, date reconcile.Date) (recorded publication, err error) {
	return recorded, w.Store.Get(ctx, &recorded, "verify/publication", postgres.Args{"date": date})
}

// verifyAbsence is the verification of a night of which nothing is published: a fault where it is on record as published, or storage.ErrNotPublished.
func (w *Worker) verifyAbsence(ctx context.Context, date reconcile.Date) ([]publish.Fault, error) {
	recorded, err := w.publicationOnRecord(ctx, date)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, fmt.Errorf("verify %s: %w", date, storage.ErrNotPublished)
	case err != nil:
		return nil, fmt.Errorf("verify %s: %w", date, err)
	}
	return []publish.Fault{{Where: "reports", What: fmt.Sprintf("revision %d was published, as %s, and is gone: put it back, or point REPORTS_URL to where it is now", recorded.Revision, recorded.Location)}}, nil
}

func (w *Worker) verifyPublication(ctx context.Context, date reconcile.Date, latest storage.Revision) (faults []publish.Fault, err error) {
	manifest, err := reports.ReadManifest(latest.Manifest)
	if err != nil {
		return []publish.Fault{{Where: storage.ManifestName, What: err.Error()}}, nil
	}
	switch recorded, err := w.publicationOnRecord(ctx, date); {
	case errors.Is(err, sql.ErrNoRows):
		faults = append(faults, publish.Fault{Where: "reconciler.publications", What: "the night was published, but the database has no record of it"})
	case err != nil:
		return nil, err
	case recorded.Revision != latest.Number:
		faults = append(faults, publish.Fault{Where: "reconciler.publications", What: fmt.Sprintf("the database knows revision %d, revision %d is published", recorded.Revision, latest.Number)})
	case recorded.ManifestSHA256 != reports.ManifestHash(latest.Manifest):
		faults = append(faults, publish.Fault{Where: storage.ManifestName, What: "its hash is not the one recorded at publication"})
	}
	changed, err := publish.ChangedFiles(ctx, w.Reports, date, latest.Number, manifest)
	if err != nil {
		return nil, err
	}
	broken, err := w.verifyChain(ctx, manifest)
	return slices.Concat(faults, changed, broken), err
}

// maxPostedFaults is how many fields of posted entries verification names.
const maxPostedFaults = 100

// verifyPosted compares the entries that the night posted with the ledger.
func (w *Worker) verifyPosted(ctx context.Context, date reconcile.Date) (faults []publish.Fault, err error) {
	var differences []struct {
		EntryID  string
		Field    string
		Expected string
		Found    string
		IsGone   bool
	}
	if err := w.Store.Select(ctx, &differences, "verify/posted_entries", postgres.Args{"date": date, "limit": maxPostedFaults + 1}); err != nil {
		return nil, err
	}
	for i, d := range differences {
		switch {
		case i == maxPostedFaults:
			faults = append(faults, publish.Fault{Where: "credit_entries", What: "and more"})
		case d.IsGone:
			faults = append(faults, publish.Fault{Where: "credit_entries", What: "entry " + d.EntryID + " was posted and is gone"})
		default:
			faults = append(faults, publish.Fault{Where: "credit_entries", What: fmt.Sprintf("entry %s: %s was posted as %q and is %q", d.EntryID, d.Field, d.Expected, d.Found)})
		}
	}
	return faults, nil
}

// verifyChain compares the hash of the night before that the manifest names with that night's manifest.
func (w *Worker) verifyChain(ctx context.Context, manifest reports.Manifest) ([]publish.Fault, error) {
	previous := manifest.Previous
	if previous == nil {
		return nil, nil
	}
	broken := func(what string, args ...any) ([]publish.Fault, error) {
		return []publish.Fault{{Where: "chain", What: fmt.Sprintf(what, args...)}}, nil
	}
	reader, err := w.Reports.Open(ctx, previous.BusinessDate, previous.Revision, storage.ManifestName)
	switch {
	case errors.Is(err, storage.ErrNotPublished):
		return broken("revision %d of the night before, %s, is gone", previous.Revision, previous.BusinessDate)
	case errors.Is(err, storage.ErrDamaged):
		return broken("the night before: %v", err)
	case err != nil:
		return nil, err
	}
	raw, err := io.ReadAll(reader)
	if err := errors.Join(err, reader.Close()); err != nil {
		return nil, err
	}
	if reports.ManifestHash(raw) != previous.ManifestSHA256 {
		return broken("the manifest of the night before, %s, is not the one that this night was chained to", previous.BusinessDate)
	}
	return nil, nil
}
