package jobs

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

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
		rehearsed := *w
		rehearsed.Store, rehearsed.DryRun, rehearsed.Stripe, rehearsed.rehearsal = rehearsal, nil, nil, true
		rehearsed.Settings.Matching = MatchExact // an independent way to the same answer
		rehearsed.inspect = func(ctx context.Context, prepared *reports.Prepared) (err error) {
			differences, err = prepared.Differences(ctx)
			return err
		}
		return rehearsed.runNight(ctx, date)
	})
	return differences, err
}

// Verify holds a published night against what it was made from: every file against the manifest, the manifest against the database and the
// night before, every file against a recomputation from the source, and the audit log against its own hashes and the changes it should have. What isn't as it was comes back as faults; an error means that it
// could not look.
func (w *Worker) Verify(ctx context.Context, date reconcile.Date) ([]Fault, error) {
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
	differences, err := w.recompute(ctx, date)
	if errors.Is(err, ErrIntegrity) {
		faults = append(faults, Fault{"recomputation", err.Error()})
	} else if err != nil {
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
	for _, file := range manifest.Files {
		sum, err := w.hashPublished(ctx, date, latest.Number, file.Name)
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
	return faults, w.verifyChain(ctx, manifest, &faults)
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

func (w *Worker) hashPublished(ctx context.Context, date reconcile.Date, revision int, name string) (string, error) {
	reader, err := w.Reports.Open(ctx, date, revision, name)
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
