package reports

import (
	"context"
	"errors"
	"fmt"

	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/storage"
)

// PublishOptions change what Publish does with a night that differs from what is published.
type PublishOptions struct {
	// DryRun publishes nothing, and says what would be.
	DryRun bool
}

// Publication is what Publish did.
type Publication struct {
	Revision       int
	Manifest       Manifest
	ManifestSHA256 string
	Location       string
	Summary        *figures.Summary
	// Published is false where the same files were published before, and in a dry run.
	Published bool
	// Differs names the files that are not what the newest revision has: all of them for the first.
	Differs []string
}

// Prepared is a night's files, built but not published. Publish or Discard ends its life.
type Prepared struct {
	storage storage.Storage
	built   *built
}

// Prepare reads the night's rows once and builds its files in a staged folder.
func Prepare(ctx context.Context, st storage.Storage, in Input) (*Prepared, error) {
	dir, err := st.Stage(ctx, in.BusinessDate)
	if err != nil {
		return nil, err
	}
	b, err := build(ctx, dir, in)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reports of %s: %w", in.BusinessDate, err), st.Discard(dir))
	}
	return &Prepared{storage: st, built: b}, nil
}

// Discard removes the staged folder. After Publish there is nothing left to remove, which is no error.
func (p *Prepared) Discard() error { return p.storage.Discard(p.built.dir) }

// Publish publishes the night, unless the newest revision has the same files. Run again after a crash anywhere, it ends with the same
// published bytes as one clean run.
func (p *Prepared) Publish(ctx context.Context, o PublishOptions) (published Publication, err error) {
	night := p.built.input.BusinessDate
	defer func() {
		if discardErr := p.Discard(); discardErr != nil {
			err = errors.Join(err, fmt.Errorf("reports of %s: %w", night, discardErr))
		}
	}()
	latest, err := p.storage.Latest(ctx, night)
	if err != nil {
		return Publication{}, err
	}
	same, differs, err := p.compare(latest)
	if err != nil {
		return Publication{}, fmt.Errorf("reports of %s: %w", night, err)
	}
	if same != nil {
		return *same, nil
	}
	manifest, raw, err := p.built.complete(latest.Number + 1)
	if err != nil {
		return Publication{}, fmt.Errorf("reports of %s: %w", night, err)
	}
	published = Publication{Revision: manifest.Revision, Manifest: manifest, ManifestSHA256: ManifestHash(raw), Summary: p.built.summary, Differs: differs,
		Location: p.storage.Location(night, manifest.Revision, manifest.Revision)}
	if o.DryRun {
		return published, nil
	}
	if err := p.storage.Publish(ctx, night, manifest.Revision, p.built.dir); err != nil {
		return Publication{}, err
	}
	published.Published = true
	return published, nil
}

// compare says what is published where that is the same, and what differs where it isn't: every file when nothing is published.
func (p *Prepared) compare(latest storage.Revision) (same *Publication, differs []string, err error) {
	var there Manifest
	if latest.Number > 0 {
		if there, err = ReadManifest(latest.Manifest); err != nil {
			return nil, nil, err
		}
	}
	// The page names its revision: it is the same page if it would be the same as that revision.
	ours, err := p.built.finish(max(1, latest.Number))
	if err != nil {
		return nil, nil, err
	}
	if differs = there.differences(ours); len(differs) > 0 {
		return nil, differs, nil
	}
	return &Publication{Revision: latest.Number, Manifest: there, ManifestSHA256: ManifestHash(latest.Manifest), Summary: p.built.summary,
		Location: p.storage.Location(there.BusinessDate, latest.Number, latest.Number)}, nil, nil
}
