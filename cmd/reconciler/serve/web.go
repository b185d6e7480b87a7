package serve

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// Limits of the worker's own HTTP server. What it answers is small and quick: who does not read it is let go.
const (
	webPatience    = 10 * time.Second // of reading a request, and of writing the answer
	webIdle        = 15 * time.Second // of a connection between two requests
	webConnections = 64
	webHeaderBytes = 16 << 10
)

// newWebServer serves a handler to readers that may stall.
func newWebServer(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: webPatience, ReadTimeout: webPatience, WriteTimeout: webPatience, IdleTimeout: webIdle,
		MaxHeaderBytes: webHeaderBytes}
}

// boundedListener keeps so many connections open at once. One more closes the oldest: those that stall go, and a probe always gets in.
type boundedListener struct {
	net.Listener
	most int

	mu   sync.Mutex
	open []*boundedConn // the oldest first
}

func boundConnections(listener net.Listener, most int) net.Listener {
	return &boundedListener{Listener: listener, most: most}
}

func (l *boundedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	bounded := &boundedConn{Conn: conn, listener: l}
	l.mu.Lock()
	var oldest *boundedConn
	if len(l.open) >= l.most {
		oldest, l.open = l.open[0], l.open[1:]
	}
	l.open = append(l.open, bounded)
	l.mu.Unlock()
	if oldest != nil {
		_ = oldest.Conn.Close() // whoever served it finds out
	}
	return bounded, nil
}

type boundedConn struct {
	net.Conn
	listener *boundedListener
}

func (c *boundedConn) Close() error {
	c.listener.mu.Lock()
	for i, open := range c.listener.open {
		if open == c {
			c.listener.open = append(c.listener.open[:i], c.listener.open[i+1:]...)
			break
		}
	}
	c.listener.mu.Unlock()
	return c.Conn.Close()
}
