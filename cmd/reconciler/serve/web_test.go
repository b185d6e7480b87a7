package serve

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Readers that stall are let go, and a probe gets in while there are any number of them.
func TestReadersThatStallKeepNobodyOut(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const most, stalling = 8, 50
	large := strings.Repeat("x", 1<<20)
	bounded := boundConnections(listener, most)
	web := newWebServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" {
			for range 64 {
				if _, err := w.Write([]byte(large)); err != nil {
					return
				}
			}
		}
	}))
	if web.ReadTimeout == 0 || web.WriteTimeout == 0 || web.IdleTimeout == 0 || web.ReadHeaderTimeout == 0 {
		t.Errorf("no limit: %+v", web)
	}
	go func() { _ = web.Serve(bounded) }()
	defer web.Close()
	var conns []net.Conn
	for i := range stalling {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
		if i%2 == 0 { // the others don't even ask
			if _, err := conn.Write([]byte("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
				t.Fatal(err)
			}
		}
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	for range 3 {
		response, err := client.Get("http://" + listener.Addr().String() + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
	}
	soon(t, "the oldest are closed", func() bool {
		_ = conns[1].SetReadDeadline(time.Now().Add(time.Second))
		_, err := conns[1].Read(make([]byte, 1))
		timedOut, ok := err.(net.Error)
		return err != nil && (!ok || !timedOut.Timeout())
	})
	l := bounded.(*boundedListener)
	soon(t, "no more than that are open", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.open) <= most
	})
}

// soon polls until fn says yes.
func soon(t testing.TB, what string, fn func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !fn(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
