package jobs

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports"
	"github.com/hummingbytes/reconciler/reports/storage"
)

// Fault is one thing that verification found to be other than it was published.
type Fault struct {
	Where string // file, table or chain
	What  string
}

// recompute works a night out again in a transaction that is rolled back, and says how its files differ from those published.
func (w *Worker) recompute(ctx context.Context, date reconcile.Date) (differences []reports.FileDifference, err error) {
	err = w.Store.Rehearse(ctx, func(ctx context.Context, rehearsal *postgres.Store) error {
		inspect := func(ctx context.Context, prepared *reports.Prepared) (err error) {
			differences, err = prepared.Differences(ctx)
			return err
		}
		// Compared exactly: an independent way to the same answer.
		return w.runNight(ctx, date, runOptions{rehearsal: rehearsal, matching: MatchExact, inspect: inspect})
	})
	return differences, err
}

// Verify holds a published night against what it was made from: every file against the manifest, the manifest against the database and the
// night before, every entry that it posted against the ledger, every file against a recomputation from the source, and the audit log against its
// own hashes, the changes it should have, and noted, a link of it that a night's log has told (none: the zero value). What isn't as it was comes
// back as faults; an error means that it could not look.
func (w *Worker) Verify(ctx context.Context, date reconcile.Date, noted AuditHead) ([]Fault, error) {
	latest, err := w.Reports.Latest(ctx, date)
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", date, err)
	}
	if latest.Number == 0 {
		return nil, fmt.Errorf("verify %s: %w", date, storage.ErrNotPublished)
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
	differences, err := w.recompute(ctx, date)
	switch {
	case err == nil:
	case errors.Is(err, ErrIntegrity) || len(faults) > 0 && !errors.Is(err, postgres.ErrUnavailable) && ctx.Err() == nil:
		// What was changed may be what it stumbles over.
		faults = append(faults, Fault{"recomputation", err.Error()})
	default:
		return nil, fmt.Errorf("verify %s: recompute: %w", date, err)
	}
	for _, d := range differences {
		faults = append(faults, differenceFaults(d)...)
	}
	_, problems, err := VerifyAudit(ctx, w.Store)
	if err != nil {
		return nil, fmt.Errorf("verify %s: audit log: %w", date, err)
	}
	for _, problem := range problems {
		faults = append(faults, Fault(problem))
	}
	switch err := VerifyAuditHead(ctx, w.Store, noted); {
	case errors.Is(err, ErrIntegrity):
		faults = append(faults, Fault{"audit log", strings.TrimPrefix(err.Error(), ErrIntegrity.Error()+": ")})
	case err != nil:
		return nil, fmt.Errorf("verify %s: audit log: %w", date, err)
	}
	return faults, nil
}

func differenceFaults(d reports.FileDifference) (faults []Fault) {
	if len(d.Published)+len(d.Recomputed) == 0 {
		return []Fault{{d.File, "would be made otherwise today"}}
	}
	for _, row := range d.Published {
		faults = append(faults, Fault{d.File, "published, but not recomputed: " + row})
	}
	for _, row := range d.Recomputed {
		faults = append(faults, Fault{d.File, "recomputed, but not published: " + row})
	}
	if more := d.MorePublished + d.MoreRecomputed; more > 0 {
		faults = append(faults, Fault{d.File, fmt.Sprintf("%d more rows differ", more)})
	}
	return faults
}

func (w *Worker) verifyPublication(ctx context.Context, date reconcile.Date, latest storage.Revision) (faults []Fault, err error) {
	manifest, err := reports.ReadManifest(latest.Manifest)
	if err != nil {
		return []Fault{{storage.ManifestName, err.Error()}}, nil
	}
	var recorded struct {
		Revision       int
		ManifestSHA256 string `db:"manifest_sha256"`
		PreviousSHA256 string `db:"previous_sha256"`
	}
	switch err := w.Store.Get(ctx, &recorded, "verify/publication", postgres.Args{"date": date}); {
	case errors.Is(err, sql.ErrNoRows):
		faults = append(faults, Fault{"reconciler.publications", "the night was published, but the database has no record of it"})
	case err != nil:
		return nil, err
	case recorded.Revision != latest.Number:
		faults = append(faults, Fault{"reconciler.publications", fmt.Sprintf("the database knows revision %d, revision %d is published", recorded.Revision, latest.Number)})
	case recorded.ManifestSHA256 != reports.ManifestHash(latest.Manifest):
		faults = append(faults, Fault{storage.ManifestName, "its hash is not the one recorded at publication"})
	}
	changed, err := changedFiles(ctx, w.Reports, date, latest.Number, manifest)
	if err != nil {
		return nil, err
	}
	faults = append(faults, changed...)
	return faults, w.verifyChain(ctx, manifest, &faults)
}

// changedFiles are the published files of a revision that are not what its manifest says.
func changedFiles(ctx context.Context, published storage.Storage, date reconcile.Date, revision int, manifest reports.Manifest) (faults []Fault, err error) {
	for _, file := range manifest.Files {
		sum, err := hashPublished(ctx, published, date, revision, file.Name)
		if errors.Is(err, storage.ErrNotPublished) {
			faults = append(faults, Fault{file.Name, "is gone"})
			continue
		}
		if err != nil {
			return nil, err
		}
		if sum != file.SHA256 {
			faults = append(faults, Fault{file.Name, "was changed after publication: its hash is not the manifest's"})
		}
	}
	return faults, nil
}

// maxPostedFaults is how many fields of posted entries verification names.
const maxPostedFaults = 100

// verifyPosted holds the entries that the night is behind against the ledger.
func (w *Worker) verifyPosted(ctx context.Context, date reconcile.Date) (faults []Fault, err error) {
	var differences []struct {
		EntryID  string `db:"entry_id"`
		Field    string
		Expected string
		Found    string
		IsGone   bool `db:"is_gone"`
	}
	if err := w.Store.Select(ctx, &differences, "verify/posted_entries", postgres.Args{"date": date, "limit": maxPostedFaults + 1}); err != nil {
		return nil, err
	}
	for i, d := range differences {
		switch {
		case i == maxPostedFaults:
			faults = append(faults, Fault{"credit_entries", "and more"})
		case d.IsGone:
			faults = append(faults, Fault{"credit_entries", "entry " + d.EntryID + " was posted and is gone"})
		default:
			faults = append(faults, Fault{"credit_entries", fmt.Sprintf("entry %s: %s was posted as %q and is %q", d.EntryID, d.Field, d.Expected, d.Found)})
		}
	}
	return faults, nil
}

// checkPublished holds what is published of the night, and the manifest of the night before, against what was recorded at their
// publication, so that a run neither takes files that were changed for its own nor chains itself to one that was. verify says more.
func (n *Night) checkPublished(ctx context.Context, published storage.Storage) (faults []Fault, err error) {
	latest, err := published.Latest(ctx, n.Date)
	if err != nil {
		return nil, err
	}
	if latest.Number > 0 {
		intact, err := n.isAsRecorded(ctx, n.Date, latest.Number, latest.Manifest)
		if err != nil {
			return nil, err
		}
		manifest, unreadable := reports.ReadManifest(latest.Manifest)
		if !intact || unreadable != nil {
			return []Fault{{storage.ManifestName, "was changed after publication: its hash is not the one on record"}}, nil
		}
		if faults, err = changedFiles(ctx, published, n.Date, latest.Number, manifest); err != nil {
			return nil, err
		}
	}
	var previous reports.PreviousNight
	switch err := n.Store.Get(ctx, &previous, "reports/previous_night", postgres.Args{"date": n.Date}); {
	case errors.Is(err, sql.ErrNoRows):
		return faults, nil
	case err != nil:
		return nil, err
	}
	sum, err := hashPublished(ctx, published, previous.BusinessDate, previous.Revision, storage.ManifestName)
	if errors.Is(err, storage.ErrNotPublished) {
		return faults, nil // the reports may have moved to another place
	}
	if err != nil {
		return nil, err
	}
	if sum != previous.ManifestSHA256 {
		faults = append(faults, Fault{"chain", fmt.Sprintf("the manifest of the night before, %s, was changed after publication", previous.BusinessDate)})
	}
	return faults, nil
}

// isAsRecorded says whether a manifest has the hash that was recorded for it; a publication that was cut off before it was recorded has none.
func (n *Night) isAsRecorded(ctx context.Context, date reconcile.Date, revision int, manifest []byte) (bool, error) {
	var onRecord string
	err := n.Store.Get(ctx, &onRecord, "reports/published_hash", postgres.Args{"date": date, "revision": revision})
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	return onRecord == reports.ManifestHash(manifest), err
}

// verifyChain holds the hash of the night before that the manifest names against that night's manifest.
func (w *Worker) verifyChain(ctx context.Context, manifest reports.Manifest, faults *[]Fault) error {
	previous := manifest.Previous
	if previous == nil {
		return nil
	}
	reader, err := w.Reports.Open(ctx, previous.BusinessDate, previous.Revision, storage.ManifestName)
	if errors.Is(err, storage.ErrNotPublished) {
		*faults = append(*faults, Fault{"chain", fmt.Sprintf("revision %d of the night before, %s, is gone", previous.Revision, previous.BusinessDate)})
		return nil
	}
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(reader)
	if closeErr := reader.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if reports.ManifestHash(raw) != previous.ManifestSHA256 {
		*faults = append(*faults, Fault{"chain", fmt.Sprintf("the manifest of the night before, %s, is not the one that this night was chained to", previous.BusinessDate)})
	}
	return nil
}

func hashPublished(ctx context.Context, published storage.Storage, date reconcile.Date, revision int, name string) (string, error) {
	reader, err := published.Open(ctx, date, revision, name)
	if err != nil {
		return "", err
	}
	defer reader.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, reader); err != nil {
		return "", fmt.Errorf("read %s of %s: %w", name, date, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
