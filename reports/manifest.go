package reports

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// Manifest holds a night's files together: what they were made from, what they are, and which night came before. Its own hash is
// what the next night's manifest names, so that no night can change unnoticed.
type Manifest struct {
	Schema        int                 `json:"schema"`
	Run           string              `json:"run"` // business date and revision, as the log names it
	BusinessDate  reconcile.Date      `json:"business_date"`
	Begin         time.Time           `json:"begin"`
	AsOf          time.Time           `json:"as_of"`
	TimeZone      string              `json:"time_zone"`
	Revision      int                 `json:"revision"`
	CodeVersion   string              `json:"code_version"`
	PolicyVersion string              `json:"policy_version"`
	Status        figures.Status      `json:"status"`
	Stripe        figures.StripeFacts `json:"stripe"`
	Inputs        Inputs              `json:"inputs"`
	Files         []tables.FileEntry  `json:"files"` // by name, without the manifest itself
	Previous      *PreviousNight      `json:"previous"`
}

// Inputs are the control totals of what the night was made from.
type Inputs struct {
	ControlTotals []tables.ControlTotal `json:"control_totals"`
	Sources       []SourceTotal         `json:"sources"`
}

// SourceTotal is what a night read of one relation of the platform.
type SourceTotal struct {
	Relation string         `json:"relation"`
	Rows     int64          `json:"rows"`
	Amount   numbers.Number `json:"amount"`
	IDHash   numbers.Number `json:"id_hash"` // sum of the row ids' hashes
}

// PreviousNight is the newest night that was published before this one.
type PreviousNight struct {
	BusinessDate   reconcile.Date `json:"business_date"`
	Revision       int            `json:"revision"`
	ManifestSHA256 string         `json:"manifest_sha256"`
}

func (b *built) manifest(revision int) Manifest {
	in, files := b.input, slices.Clone(b.files)
	slices.SortFunc(files, func(a, b tables.FileEntry) int { return cmp.Compare(a.Name, b.Name) })
	return Manifest{
		Schema: 1, Run: fmt.Sprintf("%s/r%d", in.BusinessDate, revision), BusinessDate: in.BusinessDate, Begin: in.Begin.UTC(), AsOf: in.AsOf.UTC(),
		TimeZone: in.TimeZone, Revision: revision, CodeVersion: in.CodeVersion, PolicyVersion: in.PolicyVersion,
		Status: b.summary.Status, Stripe: in.Stripe,
		Inputs: Inputs{ControlTotals: b.summary.ControlTotals, Sources: append([]SourceTotal{}, in.Sources...)}, Files: files, Previous: in.Previous,
	}
}

// encode is the manifest's canonical bytes.
func (m Manifest) encode() ([]byte, error) {
	var out bytes.Buffer
	err := writeJSON(&out, m)
	return out.Bytes(), err
}

// ReadManifest reads a published manifest.
func ReadManifest(raw []byte) (Manifest, error) {
	var m Manifest
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if err := decoder.Decode(&m); err != nil {
		return Manifest{}, fmt.Errorf("manifest: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return Manifest{}, fmt.Errorf("manifest: something follows the document")
	}
	return m, nil
}

// ManifestHash is the SHA-256 that the next night's manifest names.
func ManifestHash(raw []byte) string {
	digest := sha256.Sum256(raw)
	return hex.EncodeToString(digest[:])
}

// DifferentFiles names the files that aren't the same in two lists, in any order.
func DifferentFiles(ours, theirs []tables.FileEntry) (names []string) {
	digests := map[string]string{}
	for _, file := range ours {
		digests[file.Name] = file.SHA256
	}
	for _, file := range theirs {
		if digests[file.Name] != file.SHA256 {
			names = append(names, file.Name)
		}
		delete(digests, file.Name)
	}
	for name := range digests {
		names = append(names, name)
	}
	return names
}

// differences names what isn't the same in two manifests of a night: files, or the facts of the run. Which night came before does
// not count: it may have been revised since, and the chain leads to the revision that was there at the time.
func (m Manifest) differences(other Manifest) []string {
	names := DifferentFiles(m.Files, other.Files)
	a, b := m, other
	a.Files, b.Files, a.Previous, b.Previous = nil, nil, nil, nil
	rawA, errA := a.encode()
	rawB, errB := b.encode()
	if errA != nil || errB != nil || !bytes.Equal(rawA, rawB) {
		names = append(names, "manifest.json")
	}
	slices.Sort(names)
	return names
}
