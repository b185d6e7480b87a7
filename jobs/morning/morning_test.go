package morning_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/jobs/morning"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// summary is a published summary.json with what matters here.
const summary = `{"schema":1,"revision":%d,"business_date":"%s","status":"tied","stripe":{"looked":true},
"breaks":{"open":4,"new":1,"by_severity":[{"severity":"error","open":3}]},
"attention":[{"severity":"error","what":"Refund failed","open":3,"new":1,"oldest_days":2,"at_stake":[{"unit":"usd","value":12345},{"unit":"jpy","value":700}]}]}`

// published has every night's summary.
type published struct{}

func (published) Open(_ context.Context, night fmt.Stringer, revision int, _ string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(fmt.Sprintf(summary, revision, night))), nil
}

// mailServer is a real SMTP server that keeps what it is sent.
type mailServer struct {
	mu      sync.Mutex
	letters []string
	refuse  error
}

func (s *mailServer) NewSession(*smtp.Conn) (smtp.Session, error) {
	return &mailSession{server: s}, nil
}

type mailSession struct {
	server *mailServer
	to     []string
}

func (s *mailSession) Mail(string, *smtp.MailOptions) error { return nil }
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}
func (s *mailSession) Reset()        {}
func (s *mailSession) Logout() error { return nil }
func (s *mailSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if err == nil && s.server.refuse != nil {
		return s.server.refuse
	}
	s.server.letters = append(s.server.letters, strings.Join(s.to, " ")+"\n"+string(text))
	return err
}

func serveMail(t *testing.T) (*mailServer, string) {
	t.Helper()
	backend := &mailServer{}
	server := smtp.NewServer(backend)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }() // ends with the test
	t.Cleanup(func() { _ = server.Close() })
	return backend, listener.Addr().String()
}

// hook is a webhook that answers as it is told.
type hook struct {
	*httptest.Server
	calls  atomic.Int64
	answer atomic.Pointer[func(w http.ResponseWriter, body string)]
}

func serveHook(t *testing.T, answer func(w http.ResponseWriter, body string)) *hook {
	t.Helper()
	h := &hook{}
	h.answer.Store(&answer)
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.calls.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		(*h.answer.Load())(w, string(body))
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) answers(status int) {
	answer := func(w http.ResponseWriter, _ string) { w.WriteHeader(status) }
	h.answer.Store(&answer)
}

var (
	night = reconcile.Date{Year: 2026, Month: 3, Day: 5}
	clock = time.Date(2026, 3, 6, 4, 0, 0, 0, time.UTC)
)

type setup struct {
	*testing.T
	db  *testdb.DB
	log bytes.Buffer
}

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

func newSetup(t *testing.T) *setup {
	t.Helper()
	return &setup{T: t, db: testdb.New(t)}
}

func (s *setup) courier(urls ...string) *morning.Courier {
	s.Helper()
	addresses, err := morning.ParseAddresses(strings.Join(urls, ","))
	if err != nil {
		s.Fatal(err)
	}
	store, err := postgres.Open(postgres.Options{URL: s.db.URL})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := store.Close(); err != nil {
			s.Error(err)
		}
	})
	return &morning.Courier{Store: store, Published: published{}, Addresses: addresses, Log: zerolog.New(&s.log), Clock: func() time.Time { return clock },
		Patience: 2 * time.Second, Link: func(night reconcile.Date, _ int) string { return "https://desk.example/" + night.String() }}
}

func (s *setup) publish(date reconcile.Date, revision int) {
	s.db.MustExec(`INSERT INTO reconciler.publications (business_date, revision, as_of, manifest_sha256, location, published_at)
		VALUES ($1, $2, $3, '', '', $3)`, date.String(), revision, clock)
}

func TestEveryRevisionIsToldOnceToEachAddress(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	mails, mailHost := serveMail(t)
	var said atomic.Pointer[string]
	chat := serveHook(t, func(_ http.ResponseWriter, body string) { said.Store(&body) })
	urls := []string{"smtp://" + mailHost + "?from=worker@example.com&to=finance@example.com&to=cfo@example.com&tls=none", chat.URL + "/secret-path"}
	c := s.courier(urls...)
	c.Deliver(t.Context(), nil)
	s.publish(night, 1)
	c.Deliver(t.Context(), nil) // nobody expected it: it was done by hand
	if len(mails.letters) != 0 || chat.calls.Load() != 0 {
		t.Fatal("a night that ran by hand was told of")
	}
	c.Expect(t.Context(), []reconcile.Date{night, night.AddDays(1)})
	var racing sync.WaitGroup
	for range 4 {
		other := s.courier(urls...)
		racing.Go(func() {
			other.Expect(t.Context(), []reconcile.Date{night})
			other.Deliver(t.Context(), []string{"2026-03-01 was never run; reconciler backfill --from 2026-03-01 --to 2026-03-01"})
		})
	}
	racing.Wait()
	if len(mails.letters) != 1 || chat.calls.Load() != 1 {
		t.Fatalf("%d letters, %d calls; want one each", len(mails.letters), chat.calls.Load())
	}
	letter := mails.letters[0]
	for _, want := range []string{"finance@example.com cfo@example.com\n", "Subject: Reconciliation of 2026-03-05: 3 open errors", "Auto-Submitted: auto-generated",
		"error: Refund failed, 3 open (1 new): 123.45 USD, 700 JPY", "2026-03-01 was never run", "https://desk.example/2026-03-05"} {
		if !strings.Contains(strings.ReplaceAll(letter, "=\r\n", ""), want) {
			t.Errorf("the letter lacks %q:\n%s", want, letter)
		}
	}
	var posted struct{ Text, Night, Link string }
	if err := json.Unmarshal([]byte(*said.Load()), &posted); err != nil || posted.Night != "2026-03-05" || !strings.Contains(posted.Text, "123.45 USD") {
		t.Errorf("posted %s: %v", *said.Load(), err)
	}
	s.publish(night, 2)
	c.Deliver(t.Context(), nil)
	c.Deliver(t.Context(), nil)
	if len(mails.letters) != 2 || !strings.Contains(mails.letters[1], "revision 2") || chat.calls.Load() != 2 {
		t.Errorf("%d letters, %d calls after revision 2; want two each", len(mails.letters), chat.calls.Load())
	}
	if s.log.Len() != 0 {
		t.Error(s.log.String())
	}
}

func TestWhatWasRefusedIsTriedAgainAndWhatMayHaveArrivedIsNot(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	mails, mailHost := serveMail(t)
	mails.refuse = &smtp.SMTPError{Code: 451, Message: "come back later"}
	refusing := serveHook(t, nil)
	refusing.answers(http.StatusServiceUnavailable)
	moving := serveHook(t, func(w http.ResponseWriter, _ string) { w.Header().Set("Location", "/elsewhere"); w.WriteHeader(307) })
	release := make(chan struct{})
	hanging := serveHook(t, func(http.ResponseWriter, string) { <-release })
	t.Cleanup(func() { close(release) })
	late := serveHook(t, func(w http.ResponseWriter, _ string) { time.Sleep(200 * time.Millisecond); w.WriteHeader(204) })
	c := s.courier("smtp://"+mailHost+"?from=worker@example.com&to=finance@example.com&tls=none", refusing.URL+"/s3cret", moving.URL+"/s3cret", hanging.URL+"/s3cret", late.URL+"/s3cret",
		"http://127.0.0.1:1/s3cret")
	c.Patience = time.Second
	c.Expect(t.Context(), []reconcile.Date{night})
	s.publish(night, 1)
	c.Deliver(t.Context(), nil)
	mails.refuse = nil
	refusing.answers(http.StatusOK)
	moving.answers(http.StatusOK)
	for range 2 {
		c.Deliver(t.Context(), nil)
	}
	for name, got := range map[string][2]int64{"mail": {int64(len(mails.letters)), 1}, "refusing": {refusing.calls.Load(), 2}, "moving": {moving.calls.Load(), 2},
		"hanging": {hanging.calls.Load(), 1}, "late": {late.calls.Load(), 1}} {
		if got[0] != got[1] {
			t.Errorf("%s: %d; want %d", name, got[0], got[1])
		}
	}
	if log := s.log.String(); strings.Contains(log, "s3cret") || strings.Contains(log, "example.com") || !strings.Contains(log, "451") {
		t.Error(log)
	}
	var kept string
	s.db.Get(&kept, "SELECT string_agg(m::text, ' ') FROM reconciler.morning_messages m")
	if strings.Contains(kept, "s3cret") || strings.Contains(kept, "example.com") {
		t.Error(kept)
	}
}

func TestAKilledWorkerLosesNoMessageAndSendsNoneTwice(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	chat := serveHook(t, nil)
	chat.answers(http.StatusOK)
	s.courier(chat.URL).Expect(t.Context(), []reconcile.Date{night})
	s.publish(night, 1) // and killed: another process finds it
	s.courier(chat.URL).Deliver(t.Context(), nil)
	if chat.calls.Load() != 1 {
		t.Fatalf("%d calls after a kill between night and message; want 1", chat.calls.Load())
	}
	// Killed after the message had left and before that was on record.
	s.db.MustExec("DELETE FROM reconciler.morning_messages WHERE event = 'sent'")
	s.courier(chat.URL).Deliver(t.Context(), nil)
	if chat.calls.Load() != 1 {
		t.Error("a message that may have arrived was sent again")
	}
	// A worker that is stopped in the middle still puts on record that nobody knows.
	s.courier(chat.URL).Expect(t.Context(), []reconcile.Date{night.AddDays(1)})
	s.publish(night.AddDays(1), 1)
	ctx, cancel := context.WithCancel(t.Context())
	stopping := func(http.ResponseWriter, string) { cancel(); time.Sleep(100 * time.Millisecond) }
	chat.answer.Store(&stopping)
	s.courier(chat.URL).Deliver(ctx, nil)
	var event string
	if s.db.Get(&event, "SELECT event FROM reconciler.morning_messages WHERE subject = '2026-03-06/r1' AND event <> 'begun'"); event != "uncertain" {
		t.Errorf("the try ended as %q", event)
	}
}

func TestANightThatFailedIsToldOnceAlsoWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	chat := serveHook(t, nil)
	chat.answers(http.StatusBadGateway)
	c := s.courier(chat.URL)
	c.TellFailure(t.Context(), "Reconciliation: the last run of 2026-03-05 failed", []string{"fix the cause"})
	chat.answers(http.StatusOK)
	for range 2 {
		s.courier(chat.URL).TellFailure(t.Context(), "Reconciliation: the last run of 2026-03-05 failed", []string{"fix the cause"})
	}
	if chat.calls.Load() != 2 {
		t.Errorf("%d calls; want one that was refused and one that was taken", chat.calls.Load())
	}
	away, err := postgres.Open(postgres.Options{URL: "postgres://nobody@127.0.0.1:1/nothing?sslmode=disable&connect_timeout=1"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := away.Close(); err != nil {
			t.Error(err)
		}
	}()
	c.Store = away
	for range 2 {
		c.TellFailure(t.Context(), "Reconciliation: the night due on 2026-03-07 could not be done", nil)
	}
	if chat.calls.Load() != 3 {
		t.Errorf("%d calls; want one more without a database", chat.calls.Load())
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "https://hooks.example.com/T/B/x": "", "http://127.0.0.1:9/x": "", " https://a.example/x,\nhttps://b.example/x ": "",
		"smtps://user:pass@mail.example.com?from=a@example.com&to=b@example.com&to=c@example.com": "",
		"smtp://localhost:25?from=a@example.com&to=b@example.com&tls=none":                        "",
		"http://hooks.example.com/x":                                              "address 1: is not https",
		"https://a.example/x,https://a.example/x":                                 "address 2 is there twice",
		"hooks.example.com/x":                                                     "address 1: is no URL",
		"ftp://hooks.example.com":                                                 `"ftp" is none of smtp, smtps, https`,
		"smtp://mail.example.com?from=a@example.com":                              "to is missing",
		"smtp://mail.example.com?to=a@example.com":                                "from is not one e-mail address",
		"smtp://mail.example.com?from=a@example.com&to=b@example.com&tls=none":    "tls=none is only for a mail server on this machine",
		"smtp://mail.example.com?from=a@example.com&to=Ann%20%3Cb@example.com%3E": "to is not an e-mail address",
		"smtp://mail.example.com?from=a@example.com&to=b@example.com&cc=x":        `parameter "cc" is none of`,
		"smtp://mail.example.com:0?from=a@example.com&to=b@example.com":           `port "0" is no port`,
	} {
		addresses, err := morning.ParseAddresses(text)
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v; want %q", text, err, want)
		}
		for _, address := range addresses {
			if strings.Contains(address.Name, "pass") || strings.Contains(address.Name, "/x") {
				t.Errorf("%s is called %s", text, address.Name)
			}
		}
	}
	secret := "smtps://user:s3cret@mail.example.com?from=x&to=y,https://hooks.example.com/s3cret,http://hooks.example.com/s3cret"
	if _, err := morning.ParseAddresses(secret); err == nil || strings.Contains(err.Error(), "s3cret") || errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
