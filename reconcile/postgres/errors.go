package postgres

import (
	"crypto/tls"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"io"
	"io/fs"
	"net"
	"strings"

	"github.com/lib/pq"
)

// transient says whether the same statement may succeed later: the connection or the server went away, or another
// transaction was in the way. Classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
func transient(err error) bool {
	var pqErr *pq.Error
	if errors.As(err, &pqErr) {
		switch pqErr.Code.Class() {
		case "08", "40", "53", "55", "57", "58": // connection, rollback, resources, lock or object state, operator, system
			return pqErr.Code != "55000" // a wrong object state doesn't mend itself
		}
		return outdated(err)
	}
	if insecure(err) {
		return false
	}
	var netErr net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &netErr)
}

// insecure says whether there is no connection because it could not be made as safe as the URL asks for: encrypted, with a certificate of
// the right authority and host, with a certificate of one's own.
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

// readOnly says whether the server takes no writes: a replica, or a primary that has just become one.
func readOnly(err error) bool {
	var pqErr *pq.Error
	return errors.As(err, &pqErr) && (pqErr.Code == "25006" || pqErr.Code == "0A000" && strings.Contains(pqErr.Message, "during recovery"))
}

// overtaken says whether another transaction has changed what a snapshot had still seen otherwise: its end of the audit log, too, which
// shows as a key that is taken.
func overtaken(err error) bool {
	var pqErr *pq.Error
	return errors.As(err, &pqErr) && (pqErr.Code == "40001" || pqErr.Code == "23505" && strings.HasPrefix(pqErr.Table, "audit_"))
}

// UniqueViolation says whether err is a duplicate of the named unique key.
func UniqueViolation(err error, constraint string) bool {
	var pqErr *pq.Error
	return errors.As(err, &pqErr) && pqErr.Code == "23505" && pqErr.Constraint == constraint
}

// CheckViolation says whether err is a row that the named CHECK constraint refuses.
func CheckViolation(err error, constraint string) bool {
	var pqErr *pq.Error
	return errors.As(err, &pqErr) && pqErr.Code == "23514" && pqErr.Constraint == constraint
}

// Unavailable wraps an error of an operation outside of the named statements, marking it retryable where it is.
func Unavailable(operation string, err error) error { return wrap(operation, err) }

// SetupFault says whether the database is not set up as the worker needs it: a relation, column or schema that isn't there, a right that is
// lacking, a password or database name that is wrong, a certificate that doesn't fit. Trying again won't help; `check` says what to mend.
func SetupFault(err error) bool {
	if insecure(err) {
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

// SetupProblem says in words what a SetupFault is about.
func SetupProblem(err error) string {
	if insecure(err) {
		return "the connection can't be made as safe as its sslmode, sslrootcert, sslcert and sslkey ask for"
	}
	return "the server refuses it"
}
