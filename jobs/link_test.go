package jobs_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/sql/testdb"
)

// link stands before a node of a cluster.
type link struct {
	address, node string
	certificates  []tls.Certificate
	traffic       *traffic // nil: nobody counts

	mu     sync.Mutex
	lost   atomic.Bool
	conns  []net.Conn
	passed atomic.Int64                            // what was sent, either way, in pieces
	cut    atomic.Pointer[func(piece []byte) bool] // says of which piece the connection breaks that it was sent over; nil: of none
}

// detour has a database's nodes reach one of them through a link.
func detour(t *testing.T, db *testdb.DB) *link {
	t.Helper()
	return detours(t, db, nil, 1)[0]
}

// detours has a database's nodes reach as many of them through links that count what goes through.
func detours(t testing.TB, db *testdb.DB, counted *traffic, limit int) (links []*link) {
	t.Helper()
	var nodes []struct {
		ID   int64
		Host string
		Port int
	}
	if err := db.Select(&nodes, "SELECT nodeid AS id, nodename AS host, nodeport AS port FROM pg_dist_node WHERE shouldhaveshards ORDER BY nodeid LIMIT $1", limit); err != nil || len(nodes) == 0 {
		t.Fatalf("%d nodes, %v", len(nodes), err)
	}
	certified := httptest.NewTLSServer(nil) // whose certificate its clients don't look at
	certified.Close()
	for _, node := range nodes {
		if ip := net.ParseIP(node.Host); node.Host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			t.Skip("the cluster's nodes are on other machines, whose connections can't be led through this one")
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		l := &link{address: listener.Addr().String(), node: net.JoinHostPort(node.Host, fmt.Sprint(node.Port)), certificates: certified.TLS.Certificates, traffic: counted}
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go l.carry(conn)
			}
		}()
		_, port, _ := strings.Cut(l.address, ":")
		db.MustExec("SELECT citus_update_node($1, '127.0.0.1', $2)", node.ID, port)
		links = append(links, l)
	}
	return links
}

func (l *link) carry(from net.Conn) {
	to, err := net.Dial("tcp", l.node)
	if err != nil || l.lost.Load() {
		from.Close()
		return
	}
	l.mu.Lock()
	l.conns = append(l.conns, from, to)
	l.mu.Unlock()
	read, err := l.open(from)
	if err != nil {
		from.Close()
		to.Close()
		return
	}
	var asked, answered io.Writer = passing{l, to}, passing{l, read}
	if l.traffic != nil {
		c := &conversation{traffic: l.traffic}
		asked, answered = io.MultiWriter(heard(c.ask), asked), io.MultiWriter(answered, heard(c.answer))
		defer c.end()
	}
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(asked, read) // to the end of the connection, whichever it is
		to.Close()
	})
	both.Go(func() {
		_, _ = io.Copy(answered, to)
		from.Close()
	})
	both.Wait()
}

// sslRequest is how a client of PostgreSQL's asks for encryption.
var sslRequest = []byte{0, 0, 0, 8, 4, 210, 22, 47}

// open is the connection as it reads without the encryption that Citus asks of its nodes by default: its link ends it, as nothing of what is said could be
// recognized otherwise.
func (l *link) open(conn net.Conn) (io.ReadWriter, error) {
	first := make([]byte, len(sslRequest))
	if _, err := io.ReadFull(conn, first); err != nil {
		return nil, err
	}
	if bytes.Equal(first, sslRequest) {
		_, err := conn.Write([]byte("S"))
		return tls.Server(conn, &tls.Config{Certificates: l.certificates}), err
	}
	return struct {
		io.Reader
		io.Writer
	}{io.MultiReader(bytes.NewReader(first), conn), conn}, nil
}

// lose cuts what there is, and lets nothing through.
func (l *link) lose() {
	l.lost.Store(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.conns {
		conn.Close()
	}
	l.conns = slices.Delete(l.conns, 0, len(l.conns))
}

func (l *link) back() { l.lost.Store(false) }

// loseAfter loses the node once so many pieces more have gone through.
func (l *link) loseAfter(pieces int64) {
	at := l.passed.Load() + pieces + 1
	l.cutWhen(func([]byte) bool {
		if l.passed.Load() < at {
			return false
		}
		l.lose()
		return true
	})
}

func (l *link) cutWhen(breaks func(piece []byte) bool) { l.cut.Store(&breaks) }

// passing is one way through a link.
type passing struct {
	link *link
	to   io.Writer
}

func (p passing) Write(piece []byte) (int, error) {
	p.link.passed.Add(1)
	if breaks := p.link.cut.Load(); breaks != nil && (*breaks)(piece) {
		return 0, net.ErrClosed
	}
	return p.to.Write(piece)
}

// traffic is what goes between a coordinator and the nodes of its cluster, and how long any of them is at work for it: the rest of a night the
// coordinator and the worker have for themselves.
type traffic struct {
	mu      sync.Mutex
	waiting int // conversations in which a node owes an answer
	since   time.Time
	passed  passage
}

// passage is what has gone through until now.
type passage struct {
	at                             time.Time
	nodesAtWork                    time.Duration
	toCoordinator, toNodes, across int64 // bytes; across is between the other nodes
}

func (t *traffic) now() passage {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.passed
	p.at = time.Now()
	if t.waiting > 0 {
		p.nodesAtWork += p.at.Sub(t.since)
	}
	return p
}

func (p passage) since(before passage) passage {
	return passage{nodesAtWork: p.nodesAtWork - before.nodesAtWork, toCoordinator: p.toCoordinator - before.toCoordinator, toNodes: p.toNodes - before.toNodes, across: p.across - before.across}
}

// conversation is one connection to a node, as PostgreSQL's protocol has it.
type conversation struct {
	traffic      *traffic
	isOwed       bool
	betweenNodes bool
	head         []byte // what is known of the header of the message that comes next
	rest         int    // bytes of the message at hand that are still to come
}

// fetch is what a node asks of another one for a part of an intermediate result. The coordinator only ever sends them.
var fetch = []byte("TO STDOUT WITH (format result)")

func (c *conversation) ask(sent []byte) {
	c.traffic.mu.Lock()
	defer c.traffic.mu.Unlock()
	c.betweenNodes = c.betweenNodes || bytes.Contains(sent, fetch)
	if c.betweenNodes {
		c.traffic.passed.across += int64(len(sent))
		c.settle()
		return
	}
	c.traffic.passed.toNodes += int64(len(sent))
	if !c.isOwed {
		c.isOwed = true
		if c.traffic.waiting++; c.traffic.waiting == 1 {
			c.traffic.since = time.Now()
		}
	}
}

func (c *conversation) answer(sent []byte) {
	c.traffic.mu.Lock()
	defer c.traffic.mu.Unlock()
	if c.betweenNodes {
		c.traffic.passed.across += int64(len(sent))
	} else {
		c.traffic.passed.toCoordinator += int64(len(sent))
	}
	for len(sent) > 0 {
		if c.rest > 0 {
			n := min(c.rest, len(sent))
			c.rest, sent = c.rest-n, sent[n:]
			continue
		}
		n := min(5-len(c.head), len(sent))
		c.head, sent = append(c.head, sent[:n]...), sent[n:]
		if len(c.head) == 5 {
			if c.rest = int(binary.BigEndian.Uint32(c.head[1:])) - 4; c.head[0] == 'Z' { // ready for another query
				c.settle()
			}
			c.head = c.head[:0]
		}
	}
}

func (c *conversation) end() {
	c.traffic.mu.Lock()
	defer c.traffic.mu.Unlock()
	c.settle()
}

func (c *conversation) settle() {
	if !c.isOwed {
		return
	}
	c.isOwed = false
	if c.traffic.waiting--; c.traffic.waiting == 0 {
		c.traffic.passed.nodesAtWork += time.Since(c.traffic.since)
	}
}

type heard func([]byte)

func (h heard) Write(p []byte) (int, error) {
	h(p)
	return len(p), nil
}
