package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/lib/pq"
)

// ErrSetup marks what no other try mends and the operator has to change: the URL, a password, a certificate, a right, the schema. Only errors
// of a database are ever marked with it.
var ErrSetup = errors.New("the database's set-up does not fit")

// connectError is an error of making a connection, as opposed to one of using it: the same words of the server mean another thing there.
type connectError struct {
	err     error
	several bool // hosts that were tried
}

func (e *connectError) Error() string { return e.err.Error() }
func (e *connectError) Unwrap() error { return e.err }

// Is tells who has the error without wrap, from a ping say, of what kind it is.
func (e *connectError) Is(target error) bool {
	return target == ErrUnavailable && transient(e) || target == ErrSetup && !transient(e) && misfit(e)
}

// classedError is an error of an operation with its kind, ErrUnavailable or ErrSetup.
type classedError struct {
	operation string
	kind      error
	problem   string // in words, where that helps
	err       error
}

func (e *classedError) Error() string {
	if e.problem == "" {
		return fmt.Sprintf("%s: %v: %v", e.operation, e.kind, e.err)
	}
	return fmt.Sprintf("%s: %v: %s: %v", e.operation, e.kind, e.problem, e.err)
}

func (e *classedError) Unwrap() []error { return []error{e.kind, e.err} }

// connecting says whether there is no connection, rather than one on which something failed.
func connecting(err error) (*connectError, bool) {
	var failed *connectError
	return failed, errors.As(err, &failed)
}

// transient says whether the same statement may succeed later: the connection or the server went away, or another
// transaction was in the way. Classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
func transient(err error) bool {
	failed, isConnecting := connecting(err)
	if isConnecting && insecure(err) {
		return false
	}
	var netErr net.Error
	network := errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &netErr)
	var pqErr *pq.Error
	if errors.As(err, &pqErr) {
		switch pqErr.Code.Class() {
		case "08": // of a pooler, too, which says much by its one code
			return network || !isConnecting || poolerFault(pqErr) == ""
		case "40", "53", "55", "57", "58": // rollback, resources, lock or object state, operator, system
			return pqErr.Code != "55000" // a wrong object state doesn't mend itself
		case "XX":
			return lostNode(pqErr)
		}
		return network && isConnecting && failed.several || outdated(err)
	}
	if isConnecting && failed.several && wrongSession(err) {
		return true // every host answers, and none is what target_session_attrs asks for: a failover may be under way
	}
	return network
}

// lostNode says whether an error without a code of its own is that a node of a Citus cluster went away while the coordinator worked with it. A node that can't
// be reached has a code, 08006. But where the answer of one did not come, and libpq made one up, where a copy of rows failed, and where the coordinator asks at the
// end of a transaction whether all nodes are still there, Citus reports XX000, as it does for any fault of its own, which no other try mends. What is said is
// in any language; the routine that says it tells these apart, and a node's own fault, which is passed on by the same routine, gets another try with them.
//
// Another try is right also for a transaction: all of it has been taken back, or will be, unless the error was of one node alone that all was written on, whose
// answer to the commit was lost, as that of a whole server may be.
func lostNode(err *pq.Error) bool {
	// What a constraint of a node's refuses in a copy of rows has a detail, the end of a node has none.
	return err.Code == "XX000" && (slices.Contains(tellOfLostNodes, err.Routine) || err.Routine == "ReportCopyError" && err.Detail == "")
}

// tellOfLostNodes are the routines of Citus.
var tellOfLostNodes = []string{
	"ReportResultError",                                           // of what a node has been asked
	"InitializeCopyShardState",                                    // of rows that are to be copied
	"fetch_intermediate_results", "FetchRemoteIntermediateResult", // between nodes
	"MarkRemoteTransactionFailed", "CheckRemoteTransactionsHealth", // at the end of a transaction
	"FinishRemoteTransactionPrepare", "ErrorIfPostCommitFailedShardPlacements",
}

// poolerFaults are the beginnings of what PgBouncer says under code 08P01 that another try won't mend, and the fix.
var poolerFaults = []struct{ says, remedy string }{
	{"unsupported startup parameter", "the pooler refuses a parameter of the connection: take it out of the URL, or name it in PgBouncer's ignore_startup_parameters"},
	{"no such database", "correct the database's name in the URL, or add it to the pooler's databases"},
	{"no such user", "correct the user in the URL, or add it to the pooler's auth_file"},
	{"auth failed", "correct user or password in the URL, or in the pooler's auth_file"},
	{"password authentication failed", "correct user or password in the URL, or in the pooler's auth_file"},
	{"SSL required", "set sslmode=require or a stricter one in the URL"},
}

func poolerFault(err *pq.Error) (remedy string) {
	for _, fault := range poolerFaults {
		if strings.Contains(err.Message, fault.says) {
			return fault.remedy
		}
	}
	return ""
}

// wrongSession says whether the server is not of the kind that target_session_attrs asks for. The driver has no type for it.
func wrongSession(err error) bool {
	text := err.Error()
	for _, says := range []string{"session is not read-only", "session is read-only", "server is in hot standby mode", "server is not in hot standby mode"} {
		if strings.Contains(text, says) {
			return true
		}
	}
	return false
}

// insecure says whether there is no connection because it could not be made as safe as the URL asks for: encrypted, with a certificate of
// the right authority and host, with a certificate of one's own. Only of errors of making a connection: files and handshakes of others are
// none of a database's.
func insecure(err error) bool {
	for _, known := range []error{pq.ErrSSLNotSupported, pq.ErrSSLKeyHasWorldPermissions, pq.ErrSSLKeyUnknownOwnership} {
		if errors.Is(err, known) {
			return true
		}
	}
	var (
		verification *tls.CertificateVerificationError
		alert        *net.OpError // how package tls passes on that the other side has refused the handshake
		authority    x509.UnknownAuthorityError
		host         x509.HostnameError
		invalid      x509.CertificateInvalidError
		file         *fs.PathError // of a certificate or key: a socket that isn't there is another kind of error
	)
	return errors.As(err, &verification) || errors.As(err, &alert) && alert.Op == "remote error" || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid) ||
		errors.As(err, &file) || err != nil && strings.Contains(err.Error(), "tls: private key does not match")
}

// misfit says whether the database, or the way to it, is not set up as the worker needs it. While a connection is being made, that is every error that
// isn't transient: the server or the driver has understood, and refused. On a connection it is a missing relation, column, schema or right.
func misfit(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if _, isConnecting := connecting(err); isConnecting {
		return true
	}
	var pqErr *pq.Error
	if !errors.As(err, &pqErr) {
		return false
	}
	switch pqErr.Code.Class() {
	case "28", "3D", "3F": // user or password, database, schema
		return true
	default:
		return pqErr.Code == "42P01" || pqErr.Code == "42703" || pqErr.Code == "42501" // relation, column, right
	}
}

// remedyOf is the fix of a misfit.
func remedyOf(err error) string {
	var pqErr *pq.Error
	isRefusal := errors.As(err, &pqErr)
	_, isConnecting := connecting(err)
	switch {
	case isConnecting && insecure(err):
		return "the connection can't be made as safe as its sslmode, sslrootcert, sslcert and sslkey ask for"
	case isConnecting && wrongSession(err):
		return "the server is not what target_session_attrs asks for: point the URL at the primary, or name all servers in it"
	case isRefusal && poolerFault(pqErr) != "":
		return poolerFault(pqErr)
	case isRefusal && pqErr.Code.Class() == "28":
		return "correct user or password in the URL, or the server's pg_hba.conf"
	case isRefusal && pqErr.Code.Class() == "3D":
		return "correct the database's name in the URL"
	case isConnecting && isRefusal && (pqErr.Code == "42704" || pqErr.Code == "22023"):
		return "the server refuses a parameter of the URL: correct it, or take it out"
	case isConnecting && isRefusal && pqErr.Code == "42501":
		return "the role may not connect to this database: GRANT CONNECT"
	case isConnecting:
		return "correct the URL: host, port and database"
	default:
		return "reconciler check says what is missing"
	}
}

// Remedy is what an operator can do about an ErrSetup; empty for any other error.
func Remedy(err error) string {
	if !errors.Is(err, ErrSetup) {
		return ""
	}
	return remedyOf(err)
}

// readOnly says whether the server takes no writes: a replica, or a primary that has just become one.
func readOnly(err error) bool {
	var pqErr *pq.Error
	return errors.As(err, &pqErr) && (pqErr.Code == "25006" || pqErr.Code == "0A000" && pqErr.Routine == "call_bool_check_hook") // of transaction_read_only
}

// overtaken says whether another transaction has changed what a snapshot had still seen otherwise: its end of the audit log, too, which
// shows as a key that is taken.
func overtaken(err error) bool {
	var pqErr *pq.Error
	return errors.As(err, &pqErr) && (pqErr.Code == "40001" || pqErr.Code == "23505" && (strings.HasPrefix(pqErr.Table, "audit_") || strings.Contains(pqErr.Message, "audit_")))
}

// UniqueViolation says whether err is a duplicate of the named unique key.
func UniqueViolation(err error, constraint string) bool {
	var pqErr *pq.Error
	return errors.As(err, &pqErr) && pqErr.Code == "23505" && violates(pqErr, constraint)
}

// CheckViolation says whether err is a row that the named CHECK constraint refuses.
func CheckViolation(err error, constraint string) bool {
	var pqErr *pq.Error
	return errors.As(err, &pqErr) && pqErr.Code == "23514" && violates(pqErr, constraint)
}

// violates says whether it is that constraint. On a cluster each part of a table has its own, whose name ends in the part's number, and what a
// node refuses is passed on as a message alone, in whatever language.
func violates(err *pq.Error, constraint string) bool {
	named := regexp.MustCompile(`\b` + regexp.QuoteMeta(constraint) + `(_[0-9]+)?\b`)
	if err.Constraint != "" {
		return named.FindString(err.Constraint) == err.Constraint
	}
	return named.MatchString(err.Message)
}

// LacksRight says whether err is the refusal of something that the role may not do.
func LacksRight(err error) bool {
	var pqErr *pq.Error
	return errors.As(err, &pqErr) && pqErr.Code == "42501"
}

// Classed is an error of an operation outside of the named statements, marked as ErrUnavailable or ErrSetup where it is that.
func Classed(operation string, err error) error { return wrap(operation, err) }

// HidesRows says whether a policy of row-level security stands between the worker and rows that it has the right to read otherwise. The
// server's routine is named as its words are translated.
func HidesRows(err error) bool {
	var pqErr *pq.Error
	return errors.As(err, &pqErr) && pqErr.Code == "42501" && pqErr.Routine == "check_enable_rls"
}

// UnknownTimeZone says whether the server's time zone data lacks a zone.
func UnknownTimeZone(err error) bool {
	var pqErr *pq.Error
	return errors.As(err, &pqErr) && pqErr.Code == "22023"
}
