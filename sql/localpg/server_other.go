//go:build !unix

package localpg

import (
	"context"
	"errors"
	"fmt"
)

var errSystem = fmt.Errorf("a private PostgreSQL needs a Unix system: %w", errors.ErrUnsupported)

// Server is a running private PostgreSQL; there is none on this system.
type Server struct{}

// Start always fails on this system.
func Start(context.Context, Options) (*Server, error) { return nil, errSystem }

// URL has nothing to point at.
func (*Server) URL(string) string { return "" }

func (*Server) URLOf(string, string) string { return "" }

// Dir has nothing to name.
func (*Server) Dir() string { return "" }

// Stop has nothing to do.
func (*Server) Stop() error { return nil }
