package month

import (
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reports/tables"
)

// The states of a month's files.
const (
	StateDraft    = "draft"
	StateClosed   = "closed"
	StateReviewed = "reviewed"
)

// SignOff is sign_off.json: who closed the month, who reviewed it, what was open, and why that could stay.
type SignOff struct {
	Period   string     `json:"period"`
	State    string     `json:"state"`
	Closed   *Signature `json:"closed"`   // null: it is a draft
	Reviewed *Signature `json:"reviewed"` // null: nobody has
	// OpenErrors, OpenWarnings and OpenInfos are the breaks open at the end of the month.
	OpenErrors   int64 `json:"open_errors"`
	OpenWarnings int64 `json:"open_warnings"`
	OpenInfos    int64 `json:"open_infos"`
	// Accepted are the open errors that somebody has let stay; of a draft none.
	Accepted []Acceptance `json:"accepted"`
	// History is what was done to the month, oldest first.
	History []Action `json:"history"`
}

// Signature is who signed, and when.
type Signature struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
	// ManifestSHA256 is the manifest that a reviewer has looked at.
	ManifestSHA256 string `json:"manifest_sha256,omitempty"`
}

// Acceptance is an open error that somebody has let stay.
type Acceptance struct {
	BreakID     string              `json:"break_id"`
	Kind        reconcile.BreakKind `json:"kind"`
	SubjectType string              `json:"subject_type"`
	SubjectID   string              `json:"subject_id"`
	AcceptedBy  string              `json:"accepted_by"`
	Reason      string              `json:"reason"`
	At          time.Time           `json:"at"`
}

// Action is a closing, review or reopening.
type Action struct {
	Action string    `json:"action"`
	By     string    `db:"actor" json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// Manifest holds a month's files together, and names every night that the month is made of by the hash of its manifest.
type Manifest struct {
	Schema      int                `json:"schema"`
	Period      string             `json:"period"`
	State       string             `json:"state"`
	Revision    int                `json:"revision"`
	CodeVersion string             `json:"code_version"`
	TimeZone    string             `json:"time_zone"`
	Proofs      []Proof            `json:"proofs"`
	Files       []tables.FileEntry `json:"files"` // by name, without the manifest itself
	Nights      []Night            `json:"nights"`
	Missing     []reconcile.Date   `json:"missing_nights"`
}
