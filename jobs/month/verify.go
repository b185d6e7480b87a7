package month

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/publish"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports"
	"github.com/hummingbytes/reconciler/reports/month"
	"github.com/hummingbytes/reconciler/reports/storage"
)

// Verify says what of a published month is not as it was: each file of each revision against its manifest, the manifests against the database
// and the audit log, the nights' manifests against those that the month names, and the newest revision against the month worked out again.
// storage.ErrNotPublished: there is no such month. An error means that it could not look.
func (o *Office) Verify(ctx context.Context, m reconcile.Month) (faults []publish.Fault, err error) {
	latest, err := o.Reports.Latest(ctx, m)
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", m, err)
	}
	var records []record
	if err := o.Store.Select(ctx, &records, "periods/publications", postgres.Args{"period": m.String()}); err != nil {
		return nil, err
	}
	if latest.Number == 0 && len(records) == 0 {
		return nil, fmt.Errorf("verify %s: %w", m, storage.ErrNotPublished)
	}
	if len(records) == 0 || latest.Number > records[len(records)-1].Revision {
		faults = append(faults, publish.Fault{Where: "reconciler.month_publications", What: fmt.Sprintf("revision %d is published, and the database has no record of it", latest.Number)})
	}
	for _, r := range records {
		more, err := o.verifyRevision(ctx, m, r)
		if err != nil {
			return nil, fmt.Errorf("verify %s: %w", m, err)
		}
		faults = append(faults, more...)
	}
	again, err := o.verifyAgain(ctx, m, latest)
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", m, err)
	}
	faults = append(faults, again...)
	_, problems, err := night.VerifyAudit(ctx, o.Store)
	if err != nil {
		return nil, fmt.Errorf("verify %s: audit log: %w", m, err)
	}
	for _, problem := range problems {
		faults = append(faults, publish.Fault(problem))
	}
	return faults, nil
}

// verifyRevision looks at the files of one revision.
func (o *Office) verifyRevision(ctx context.Context, m reconcile.Month, r record) (faults []publish.Fault, err error) {
	where := func(name string) string { return fmt.Sprintf("revision %d, %s", r.Revision, name) }
	raw, err := o.read(ctx, m, r.Revision, storage.ManifestName)
	if errors.Is(err, storage.ErrNotPublished) {
		return []publish.Fault{{Where: where(storage.ManifestName), What: "is gone"}}, nil
	}
	if err != nil {
		return nil, err
	}
	if reports.ManifestHash(raw) != r.ManifestSHA256 {
		faults = append(faults, publish.Fault{Where: where(storage.ManifestName), What: "its hash is not the one recorded at publication"})
	}
	var manifest month.Manifest
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return append(faults, publish.Fault{Where: where(storage.ManifestName), What: "is not readable: " + err.Error()}), nil
	}
	for _, file := range manifest.Files {
		content, err := o.read(ctx, m, r.Revision, file.Name)
		switch {
		case errors.Is(err, storage.ErrNotPublished):
			faults = append(faults, publish.Fault{Where: where(file.Name), What: "is gone"})
		case err != nil:
			return nil, err
		case reports.ManifestHash(content) != file.SHA256:
			faults = append(faults, publish.Fault{Where: where(file.Name), What: "was changed after publication: its hash is not the manifest's"})
		}
	}
	for _, night := range manifest.Nights {
		raw, err := o.read(ctx, night.BusinessDate, night.Revision, storage.ManifestName)
		switch {
		case errors.Is(err, storage.ErrNotPublished):
			faults = append(faults, publish.Fault{Where: where("chain"), What: fmt.Sprintf("revision %d of the night of %s is gone", night.Revision, night.BusinessDate)})
		case err != nil:
			return nil, err
		case reports.ManifestHash(raw) != night.ManifestSHA256:
			faults = append(faults, publish.Fault{Where: where("chain"), What: fmt.Sprintf("the manifest of the night of %s is not the one that this month was chained to", night.BusinessDate)})
		}
	}
	return faults, nil
}

// verifyAgain works the month out again as its newest revision was, and names the files that come out otherwise. Of a draft that is no fault but
// what has happened since: only a signed month must stay as it is.
func (o *Office) verifyAgain(ctx context.Context, m reconcile.Month, latest storage.Revision) (faults []publish.Fault, err error) {
	var manifest month.Manifest
	if latest.Number == 0 || json.Unmarshal(latest.Manifest, &manifest) != nil || manifest.State == month.StateDraft {
		return nil, nil
	}
	again := *o
	again.CodeVersion = manifest.CodeVersion
	err = o.Store.InTx(ctx, postgres.TxOptions{ReadOnly: true}, func(ctx context.Context, tx *postgres.Tx) error {
		s, err := statusOf(ctx, tx, m)
		if err != nil {
			return err
		}
		if s.closed == nil {
			return nil // reopened: what was signed need not be what there is
		}
		in, err := again.gather(ctx, tx, m, s, s.closed.At)
		if errors.Is(err, ErrNoNights) {
			faults = append(faults, publish.Fault{Where: "recomputation", What: err.Error()})
			return nil
		}
		if err != nil {
			return err
		}
		prepared, err := month.Prepare(ctx, o.Reports, in)
		if err != nil {
			return err
		}
		other := o.CodeVersion != manifest.CodeVersion
		for _, name := range prepared.Differs {
			if other && reports.Shows(name) {
				continue // how it looks may have changed, and its hash proves it
			}
			what := "worked out again from the stored nights it comes out otherwise"
			if other {
				what += "; " + publish.OtherTexts(manifest.CodeVersion, "it", o.CodeVersion)
			}
			faults = append(faults, publish.Fault{Where: name, What: what})
		}
		return prepared.Discard()
	})
	return faults, err
}

func (o *Office) read(ctx context.Context, folder fmt.Stringer, revision int, name string) (content []byte, err error) {
	file, err := o.Reports.Open(ctx, folder, revision, name)
	if err != nil {
		return nil, err
	}
	content, err = io.ReadAll(file)
	return content, errors.Join(err, file.Close())
}
