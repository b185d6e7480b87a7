package storage

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// S3 keeps nights in a bucket. A bucket can't swap folders, and what is published is never overwritten: revision 1 of a night is at
// PREFIX/YYYY-MM-DD/, revision N at PREFIX/YYYY-MM-DD.rN/, and the newest is the highest one that has a manifest, which is written last.
type S3 struct {
	client *minio.Client
	bucket string
	prefix string
}

// roleTimeout bounds asking the machine for its role: one without a role may not answer at all.
const roleTimeout = 5 * time.Second

// digestKey is the metadata of each object that holds its SHA-256.
const digestKey = "Sha256"

// OpenS3 takes s3://bucket/prefix with the optional parameters endpoint (https://s3.amazonaws.com), region, and path_style=true.
// Without them AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION and AWS_DEFAULT_REGION count. Credentials come from where S3 tools look for
// them, in that order: AWS_* and MINIO_* variables, the shared credentials file, the pod's or machine's role.
func OpenS3(u *url.URL) (*S3, error) {
	if u.User != nil {
		return nil, errors.New("REPORTS_URL: no credentials in the URL, please: use AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a credentials file, or a role")
	}
	if u.Host == "" {
		return nil, errors.New("REPORTS_URL: s3:// without a bucket: want s3://bucket/prefix")
	}
	if err := s3utils.CheckValidBucketName(u.Host); err != nil {
		return nil, fmt.Errorf("REPORTS_URL: %w", err)
	}
	query := u.Query()
	for parameter := range query {
		if !slices.Contains([]string{"endpoint", "region", "path_style"}, parameter) {
			return nil, fmt.Errorf("REPORTS_URL: unknown parameter %q: want endpoint, region, path_style", parameter)
		}
	}
	endpoint, err := url.Parse(firstOf(query.Get("endpoint"), os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL"), "https://s3.amazonaws.com"))
	if err != nil || endpoint.Host == "" || endpoint.Scheme != "http" && endpoint.Scheme != "https" {
		return nil, errors.New("REPORTS_URL: endpoint: want http://host:port or https://host")
	}
	lookup := minio.BucketLookupAuto
	if query.Get("path_style") == "true" {
		lookup = minio.BucketLookupPath
	}
	client, err := minio.New(endpoint.Host, &minio.Options{
		Creds: credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.EnvMinio{}, &credentials.FileAWSCredentials{}, &credentials.IAM{Client: &http.Client{Timeout: roleTimeout}},
		}),
		Secure:       endpoint.Scheme == "https",
		Region:       firstOf(query.Get("region"), os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION")),
		BucketLookup: lookup,
	})
	if err != nil {
		return nil, fmt.Errorf("REPORTS_URL: %w", err)
	}
	return &S3{client: client, bucket: u.Host, prefix: strings.Trim(u.Path, "/")}, nil
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// Stage makes a folder for temporary files (TMPDIR).
func (s *S3) Stage(_ context.Context, night fmt.Stringer) (string, error) {
	dir, err := os.MkdirTemp("", "reconciler-"+night.String()+"-")
	if err != nil {
		return "", fmt.Errorf("stage night %s: %w", night, Classed(err))
	}
	return dir, nil
}

// Discard removes a staged folder.
func (s *S3) Discard(dir string) error { return os.RemoveAll(dir) }

// Latest asks for one manifest after the other.
func (s *S3) Latest(ctx context.Context, night fmt.Stringer) (Revision, error) {
	var newest Revision
	for number := 1; ; number++ {
		manifest, err := s.read(ctx, s.key(night, number, ManifestName))
		if errors.Is(err, ErrNotPublished) {
			return newest, nil
		}
		if err != nil {
			return Revision{}, fmt.Errorf("read night %s: %w", night, err)
		}
		said, err := revisionOf(manifest)
		if err == nil && said != number {
			err = fmt.Errorf("%w: it says that it is revision %d", ErrDamaged, said)
		}
		if err != nil {
			return Revision{}, fmt.Errorf("read night %s: %s: %w", night, s.key(night, number, ManifestName), err)
		}
		newest = Revision{number, manifest}
	}
}

// Publish uploads every file, then the manifest. Each upload is refused by the server when the object exists; one that a killed
// run left behind, which no reader can have found without a manifest, is taken over or replaced.
func (s *S3) Publish(ctx context.Context, night fmt.Stringer, revision int, dir string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("publish night %s revision %d: %w", night, revision, err)
		}
	}()
	latest, err := s.Latest(ctx, night)
	if err != nil {
		return err
	}
	if latest.Number != revision-1 {
		return fmt.Errorf("%w: newest is %d", ErrConflict, latest.Number)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() == ManifestName {
			continue
		}
		if err := s.upload(ctx, s.key(night, revision, entry.Name()), filepath.Join(dir, entry.Name()), true); err != nil {
			return err
		}
	}
	if err := s.upload(ctx, s.key(night, revision, ManifestName), filepath.Join(dir, ManifestName), false); err != nil {
		return err
	}
	return s.Discard(dir)
}

// upload puts a file where no object is. mayReplace: a leftover with other bytes is replaced, if it is still the same leftover then.
func (s *S3) upload(ctx context.Context, key, file string, mayReplace bool) error {
	digest, size, err := digestOf(file)
	if err != nil {
		return err
	}
	options := minio.PutObjectOptions{
		ContentType:      contentType(file),
		UserMetadata:     map[string]string{digestKey: digest},
		DisableMultipart: true, // one request, so that its condition holds for the whole object
	}
	options.SetMatchETagExcept("*")
	err = s.put(ctx, key, file, size, options)
	if !isPreconditionFailed(err) {
		return err
	}
	there, err := s.client.StatObject(ctx, s.bucket, key, minio.StatObjectOptions{})
	if err != nil {
		return s.wrap(key, err)
	}
	if there.UserMetadata[digestKey] == digest && there.Size == size {
		return nil
	}
	if !mayReplace {
		return fmt.Errorf("%s: %w", key, ErrConflict)
	}
	replace := minio.PutObjectOptions{ContentType: options.ContentType, UserMetadata: options.UserMetadata, DisableMultipart: true}
	replace.SetMatchETag(there.ETag)
	err = s.put(ctx, key, file, size, replace)
	if isPreconditionFailed(err) {
		return fmt.Errorf("%s: %w", key, ErrConflict)
	}
	return err
}

func (s *S3) put(ctx context.Context, key, file string, size int64, options minio.PutObjectOptions) error {
	content, err := os.Open(file)
	if err != nil {
		return err
	}
	_, err = s.client.PutObject(ctx, s.bucket, key, content, size, options)
	return errors.Join(s.wrap(key, err), content.Close())
}

// Open reads a published file.
func (s *S3) Open(ctx context.Context, night fmt.Stringer, revision int, name string) (io.ReadCloser, error) {
	key := s.key(night, revision, name)
	object, err := s.client.GetObject(ctx, s.bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return nil, s.wrap(key, err)
	}
	if _, err := object.Stat(); err != nil { // GetObject itself asks for nothing yet
		return nil, errors.Join(s.wrap(key, err), object.Close())
	}
	return object, nil
}

func (s *S3) read(ctx context.Context, key string) ([]byte, error) {
	object, err := s.client.GetObject(ctx, s.bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return nil, s.wrap(key, err)
	}
	defer object.Close()
	content, err := io.ReadAll(object)
	return content, s.wrap(key, err)
}

// WriteIndex replaces an object beside the nights; a bucket does so atomically.
func (s *S3) WriteIndex(ctx context.Context, name string, content []byte) error {
	key := path.Join(s.prefix, name)
	_, err := s.client.PutObject(ctx, s.bucket, key, strings.NewReader(string(content)), int64(len(content)),
		minio.PutObjectOptions{ContentType: contentType(name), CacheControl: "no-cache", DisableMultipart: true})
	return s.wrap(key, err)
}

// Location is the revision's s3:// address.
func (s *S3) Location(night fmt.Stringer, revision, latest int) string {
	return "s3://" + path.Join(s.bucket, s.prefix, s.Folder(night, revision, latest))
}

// Folder is YYYY-MM-DD for revision 1, YYYY-MM-DD.rN for a later one.
func (s *S3) Folder(night fmt.Stringer, revision, _ int) string {
	if revision == 1 {
		return night.String()
	}
	return fmt.Sprintf("%s.r%d", night, revision)
}

// Check writes an object, reads it back, makes sure that the server refuses to write it again, and removes it.
func (s *S3) Check(ctx context.Context) error {
	key := path.Join(s.prefix, ".check-"+rand.Text()[:8])
	put := func() error {
		options := minio.PutObjectOptions{DisableMultipart: true}
		options.SetMatchETagExcept("*")
		_, err := s.client.PutObject(ctx, s.bucket, key, strings.NewReader(key), int64(len(key)), options)
		return s.wrap(key, err)
	}
	if err := put(); err != nil {
		return fmt.Errorf("write to bucket %s: %w", s.bucket, err)
	}
	back, err := s.read(ctx, key)
	if err == nil && string(back) != key {
		err = errors.New("an object read back differs from what was written")
	}
	if err == nil && !isPreconditionFailed(put()) {
		err = fmt.Errorf("%w: the server ignores If-None-Match and would overwrite reports; use one that has conditional writes", ErrSetup)
	}
	if removeErr := s.client.RemoveObject(ctx, s.bucket, key, minio.RemoveObjectOptions{}); removeErr != nil {
		// Only the check itself removes anything; a worker without that right leaves a small object behind.
		err = errors.Join(err, s.wrap(key, removeErr))
	}
	if err != nil {
		return fmt.Errorf("check bucket %s: %w", s.bucket, err)
	}
	return nil
}

func (s *S3) key(night fmt.Stringer, revision int, name string) string {
	return path.Join(s.prefix, s.Folder(night, revision, revision), name)
}

// wrap names the object, and marks what another try may mend.
func (s *S3) wrap(key string, err error) error {
	if err == nil {
		return nil
	}
	response := minio.ToErrorResponse(err)
	switch {
	case response.Code == minio.NoSuchKey || response.StatusCode == http.StatusNotFound && response.Code != minio.NoSuchBucket:
		return fmt.Errorf("s3 %s: %w", key, ErrNotPublished)
	case isPreconditionFailed(err):
		return fmt.Errorf("s3 %s: %w", key, err)
	case response.StatusCode == 0 || response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("s3 %s: %w: %w", key, ErrUnavailable, err)
	case response.StatusCode >= 300: // a right, a key, a bucket, a region
		return fmt.Errorf("s3 %s: %w: %w", key, ErrSetup, err)
	default:
		return fmt.Errorf("s3 %s: %w", key, err)
	}
}

func isPreconditionFailed(err error) bool {
	if err == nil {
		return false
	}
	var response minio.ErrorResponse
	if !errors.As(err, &response) {
		return false
	}
	return response.StatusCode == http.StatusPreconditionFailed || response.Code == "PreconditionFailed" ||
		response.StatusCode == http.StatusConflict && response.Code == "ConditionalRequestConflict"
}

func digestOf(name string) (digest string, size int64, err error) {
	file, err := os.Open(name)
	if err != nil {
		return "", 0, err
	}
	defer file.Close()
	hash := sha256.New()
	size, err = io.Copy(hash, file)
	return hex.EncodeToString(hash.Sum(nil)), size, err
}

// contentType by the file's name, so that a browser shows the page instead of saving it.
func contentType(name string) string {
	switch filepath.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".csv":
		return "text/csv; charset=utf-8; header=present"
	case ".json":
		return "application/json"
	case ".xlsx":
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	case ".hledger":
		return "text/plain; charset=utf-8"
	}
	if known := mime.TypeByExtension(filepath.Ext(name)); known != "" {
		return known
	}
	return "application/octet-stream"
}
