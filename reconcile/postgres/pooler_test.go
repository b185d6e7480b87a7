package postgres_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// pooler stands between clients and the server as PgBouncer in transaction mode does: a client has a server connection from the first
// message of a transaction to its end, and the one that was given back last is lent first.
type pooler struct {
	network, server string
	startup         []byte // of the first client, which all connections to the server are opened with
	statements      bool   // as in statement mode: who begins a transaction is let go

	mu   sync.Mutex
	idle []net.Conn
}

// serverAddress is where a URL's server listens.
func serverAddress(t *testing.T, databaseURL string) (network, address string) {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	folder, port := u.Query().Get("host"), u.Query().Get("port")
	if folder == "" {
		return "tcp", u.Host
	}
	if port == "" {
		port = "5432"
	}
	return "unix", filepath.Join(folder, ".s.PGSQL."+port)
}

// newPooler returns the URL of a pooler before a database.
func newPooler(t *testing.T, databaseURL string, p *pooler) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	p.network, p.server = serverAddress(t, databaseURL)
	query := u.Query()
	query.Del("host")
	query.Del("port")
	query.Set("sslmode", "disable")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = listener.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, conn := range p.idle {
			_ = conn.Close()
		}
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				if err := p.serve(client); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
					t.Logf("pooler: %v", err)
				}
			}()
		}
	}()
	u.Host, u.RawQuery = listener.Addr().String(), query.Encode()
	return u.String()
}

// message reads one message of the protocol; kind 0: one without a kind, as the first of a connection.
func message(from io.Reader, withKind bool) (kind byte, raw []byte, err error) {
	head := make([]byte, 5)
	if !withKind {
		head = head[1:]
	}
	if _, err := io.ReadFull(from, head); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(head[len(head)-4:])
	body := make([]byte, length-4)
	if _, err := io.ReadFull(from, body); err != nil {
		return 0, nil, err
	}
	if withKind {
		kind = head[0]
	}
	return kind, append(head, body...), nil
}

const readyForQuery, terminate = 'Z', 'X'

// connect is a connection to the server, past the greeting, and the greeting.
func (p *pooler) connect() (server net.Conn, greeting []byte, err error) {
	if server, err = net.Dial(p.network, p.server); err != nil {
		return nil, nil, err
	}
	if _, err := server.Write(p.startup); err != nil {
		return nil, nil, err
	}
	for {
		kind, raw, err := message(server, true)
		if err != nil {
			return nil, nil, err
		}
		greeting = append(greeting, raw...)
		if kind == readyForQuery {
			return server, greeting, nil
		}
	}
}

func (p *pooler) serve(client net.Conn) error {
	defer client.Close()
	_, startup, err := message(client, false)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.startup = startup
	server, greeting, err := p.connect()
	if err == nil {
		p.idle = append([]net.Conn{server}, p.idle...) // never lent before the used ones
	}
	p.mu.Unlock()
	if err != nil {
		return err
	}
	if _, err := client.Write(greeting); err != nil {
		return err
	}
	for {
		kind, raw, err := message(client, true)
		if err != nil || kind == terminate {
			return err
		}
		p.mu.Lock()
		server := p.idle[len(p.idle)-1] // there are as many as clients
		p.idle = p.idle[:len(p.idle)-1]
		p.mu.Unlock()
		last, err := p.transaction(client, server, raw)
		if err != nil {
			return errors.Join(err, server.Close())
		}
		p.mu.Lock()
		p.idle = append(p.idle, server) // before the client knows that it is done, and asks somebody else
		p.mu.Unlock()
		if _, err := client.Write(last); err != nil {
			return err
		}
	}
}

// transaction passes messages both ways until the server is idle again, but for the last one, which says so.
func (p *pooler) transaction(client, server net.Conn, first []byte) (last []byte, err error) {
	for raw := first; ; {
		if _, err := server.Write(raw); err != nil {
			return nil, err
		}
		if kind := raw[0]; kind == 'Q' || kind == 'S' { // a query, or the end of a row of messages: the server answers
			for {
				kind, answer, err := message(server, true)
				if err != nil {
					return nil, err
				}
				if kind == readyForQuery && answer[5] == 'I' {
					return answer, nil
				}
				if kind == readyForQuery && p.statements {
					return nil, net.ErrClosed
				}
				if _, err := client.Write(answer); err != nil {
					return nil, err
				}
				if kind == readyForQuery {
					break
				}
			}
		}
		if _, raw, err = message(client, true); err != nil {
			return nil, err
		}
	}
}

// Behind a pooler in transaction or statement mode a lock is worth nothing, though taking it and asking for it seem to work.
func TestPoolerInOtherThanSessionModeIsNoticed(t *testing.T) {
	db := testdb.New(t)
	for name, c := range map[string]struct {
		url  string
		want bool
	}{"direct": {db.URL, false}, "transactions": {newPooler(t, db.URL, &pooler{}), true}, "statements": {newPooler(t, db.URL, &pooler{statements: true}), true}} {
		store, err := postgres.Open(postgres.Options{URL: c.url})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		for range 3 {
			shares, err := store.SharesSessions(context.Background())
			if err != nil || shares != c.want {
				t.Errorf("%s: shares sessions %v, %v; want %v", name, shares, err, c.want)
			}
		}
	}
}
