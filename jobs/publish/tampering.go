package publish

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/hummingbytes/reconciler/jobs/night"
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

// OtherTexts says what may lie behind a difference from what another version wrote: that version, what it wrote, and this one.
func OtherTexts(writer, written, version string) string {
	return fmt.Sprintf("version %s wrote %s, and this is version %s, whose texts may be others: verify with that version, too", writer, written, version)
}

// ChangedFiles are the published files of a revision that are not what its manifest says.
func ChangedFiles(ctx context.Context, published storage.Storage, date reconcile.Date, revision int, manifest reports.Manifest) (faults []Fault, err error) {
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

// checkPublished compares what is published of the night, and the manifest of the night before, with what was recorded at their
// publication, so that a run neither takes files that were changed for its own nor chains itself to one that was. verify says more.
func checkPublished(ctx context.Context, n *night.Night, previous *reports.PreviousNight, published storage.Storage) (faults []Fault, err error) {
	latest, err := published.Latest(ctx, n.Date)
	if err != nil {
		return nil, err
	}
	if latest.Number > 0 {
		intact, err := isAsRecorded(ctx, n, n.Date, latest.Number, latest.Manifest)
		if err != nil {
			return nil, err
		}
		manifest, unreadable := reports.ReadManifest(latest.Manifest)
		if !intact || unreadable != nil {
			return []Fault{{storage.ManifestName, "was changed after publication: its hash is not the one on record"}}, nil
		}
		if faults, err = ChangedFiles(ctx, published, n.Date, latest.Number, manifest); err != nil {
			return nil, err
		}
	}
	if previous == nil {
		return faults, nil
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
func isAsRecorded(ctx context.Context, n *night.Night, date reconcile.Date, revision int, manifest []byte) (bool, error) {
	var onRecord string
	err := n.Store.Get(ctx, &onRecord, "reports/published_hash", postgres.Args{"date": date, "revision": revision})
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	return onRecord == reports.ManifestHash(manifest), err
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
