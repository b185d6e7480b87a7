// Package storage keeps the published nights and months, in a folder or in an S3-compatible bucket. A night is published all or nothing:
// readers find the whole of it, or what was there before. Nothing that was published is ever overwritten or removed.
//
// It must never look into the files; of the manifest it reads the revision, and no more.
package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
)

// ManifestName is the file that makes a night complete: it is written last, and a night without it isn't there.
const ManifestName = "manifest.json"

var (
	// ErrUnavailable marks what is worth another try: the storage is out of reach, full, or can't be written to for now.
	ErrUnavailable = errors.New("report storage unavailable")
	// ErrSetup marks what no other try mends: a right that is lacking, a folder or bucket that isn't there or is none.
	ErrSetup = errors.New("report storage: REPORTS_URL or the rights there do not fit")
	// ErrDamaged says that what is published of a night is not what was: its manifest is gone, or can't be read. A person has to look.
	ErrDamaged = errors.New("published reports are damaged")
	// ErrConflict says that someone else has published this revision meanwhile.
	ErrConflict = errors.New("revision is published already")
	// ErrNotPublished says that there is no such night, revision or file.
	ErrNotPublished = errors.New("not published")
)

// Revision is a complete published revision of a night. Number 0: there is none.
type Revision struct {
	Number   int
	Manifest []byte
}

// Storage keeps published nights, by their business dates, and months: a night, here, is what its text names, YYYY-MM-DD or YYYY-MM.
type Storage interface {
	// Stage makes an empty local folder to build a night's files in. Publish or Discard ends its life.
	Stage(ctx context.Context, night fmt.Stringer) (dir string, err error)
	// Discard removes a staged folder.
	Discard(dir string) error
	// Latest is the newest complete revision of a night.
	Latest(ctx context.Context, night fmt.Stringer) (Revision, error)
	// Publish makes the staged files the given revision of the night, which must be the one after Latest. The files are complete and
	// durable when it returns nil; after an error or a crash the night is either as before or published.
	Publish(ctx context.Context, night fmt.Stringer, revision int, dir string) error
	// Open reads a published file of a revision; ErrNotPublished when there is none.
	Open(ctx context.Context, night fmt.Stringer, revision int, name string) (io.ReadCloser, error)
	// WriteIndex replaces a file beside the nights, atomically.
	WriteIndex(ctx context.Context, name string, content []byte) error
	// Location is where a reader finds a revision of a night.
	Location(night fmt.Stringer, revision, latest int) string
	// Folder is the name of a revision's folder, relative to the index page.
	Folder(night fmt.Stringer, revision, latest int) string
	// Check writes a file, reads it back and removes it.
	Check(ctx context.Context) error
}

// Open selects the storage by its URL: a folder as a path or file:// URL, or s3://bucket/prefix (see OpenS3 for its parameters).
func Open(location string) (Storage, error) {
	if location == "" {
		return nil, errors.New("REPORTS_URL is empty: want a folder, or s3://bucket/prefix")
	}
	scheme, _, hasScheme := strings.Cut(location, "://")
	if !hasScheme {
		if name, _, ok := strings.Cut(location, ":"); ok && (name == "s3" || name == "file") {
			return nil, fmt.Errorf("REPORTS_URL: %s: without //: want a folder, or s3://bucket/prefix", name)
		}
		return OpenFolder(location)
	}
	u, err := url.Parse(location)
	if err != nil {
		return nil, errors.New("REPORTS_URL is not a URL: want a folder, or s3://bucket/prefix") // err would repeat it, secrets and all
	}
	switch scheme {
	case "file":
		if u.Host != "" && u.Host != "localhost" {
			return nil, fmt.Errorf("REPORTS_URL: file://%s…: another host; want file:///folder", u.Host)
		}
		return OpenFolder(filepath.FromSlash(u.Path))
	case "s3":
		return OpenS3(u)
	default:
		return nil, fmt.Errorf("REPORTS_URL: scheme %q: want a folder, file:// or s3://", scheme)
	}
}

// revisionOf reads the revision that a manifest says it is.
func revisionOf(manifest []byte) (int, error) {
	var said struct {
		Revision int `json:"revision"`
	}
	if err := json.Unmarshal(manifest, &said); err != nil {
		return 0, fmt.Errorf("%w: manifest: %w", ErrDamaged, err)
	}
	if said.Revision < 1 {
		return 0, fmt.Errorf("%w: manifest: revision %d: want 1 or more", ErrDamaged, said.Revision)
	}
	return said.Revision, nil
}
