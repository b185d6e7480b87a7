// Package localpg starts a private PostgreSQL server for the demo, the benchmarks and the tests: real binaries, found on the machine or
// fetched once, reachable through a Unix socket only and gone when the process that started it is gone, however it ends.
//
// It must never listen on a network address, never touch a server it did not start, and never hold data that matters: production
// databases are run by somebody else and reached by their URL.
package localpg

import (
	"context"
	"errors"
)

// Superuser is the role that owns everything on a server started here. It has no password: being able to open the socket is the right.
const Superuser = "postgres"

// ErrNotFound tells that this machine has no PostgreSQL that can be used. The error that wraps it says where it was looked for.
var ErrNotFound = errors.New("no usable PostgreSQL found")

// Options choose where a server lives and how much it cares for its data, which goes when it stops.
type Options struct {
	// Place is where the folder with the data and the socket is made; it is created when missing. Empty picks one. As root it must lie where an
	// unprivileged user may go, so not under /root.
	Place string
	// Durable false turns off fsync, synchronous_commit, full_page_writes and autovacuum: a power cut loses everything.
	Durable bool
	// Settings are further server settings (max_connections, work_mem ..); those that decide where the server listens are refused.
	Settings map[string]string
	// Beginning has a new server begin with a copy of what an earlier one has begun with, which is much quicker than to make that again.
	Beginning *Beginning
	// CacheDir keeps fetched binaries and beginnings; empty means "reconciler" in the user's cache folder, as root /var/cache/reconciler.
	CacheDir string
}

// Beginning is what there is on a server when Start hands it out. It is kept in the cache, with the whole cluster, for the servers to come.
type Beginning struct {
	// Of says all that it is made of, the programs aside: another text is another beginning.
	Of string
	// Make makes it on a server with nothing in it, and leaves no session behind; nil leaves that as it is.
	Make func(ctx context.Context, s *Server) error `json:"-"`
}
