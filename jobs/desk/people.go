package desk

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/hummingbytes/reconciler/jobs/night"
)

// People are who may use the desk: by a file of names and passwords, or as a proxy says that signs people in.
type People struct {
	file    string
	header  string
	proxies []netip.Prefix
	secure  bool
	clock   func() time.Time

	mu       sync.Mutex
	sessions map[[sha256.Size]byte]session
	failures map[string]*failure
	checking chan struct{} // bounds how many passwords are checked at once
	dummy    []byte        // what the password of a name that isn't there is compared with, in the same time
}

type session struct {
	name    string
	expires time.Time
}

type failure struct {
	count int
	until time.Time // when it is forgotten
}

const (
	sessionLasts = 8 * time.Hour
	sessionsMost = 10_000
	cookieName   = "desk"
	// A name from one address may be wrong so often in a while, an address so often with whatever names.
	failuresOfName    = 5
	failuresOfAddress = 30
	failuresLast      = 15 * time.Minute
	failuresMost      = 100_000
)

// ReadUsers lets in those in a file of lines name:bcrypt (as htpasswd -nB writes them); the file may change while the desk runs. secure: the cookie
// is only sent over TLS.
func ReadUsers(file string, secure bool, clock func() time.Time) (*People, error) {
	p := &People{file: file, secure: secure, clock: clock, sessions: map[[sha256.Size]byte]session{}, failures: map[string]*failure{}, checking: make(chan struct{}, 2)}
	users, err := readUsers(file)
	if err != nil {
		return nil, err
	}
	cost := bcrypt.MinCost
	for _, hash := range users {
		if c, err := bcrypt.Cost(hash); err == nil {
			cost = max(cost, c)
		}
	}
	if p.dummy, err = bcrypt.GenerateFromPassword([]byte(rand.Text()), cost); err != nil {
		return nil, err
	}
	return p, nil
}

// TrustProxies lets in whomever a proxy names in a header, when the request comes from one of these networks.
func TrustProxies(header string, networks []netip.Prefix) *People {
	return &People{header: http.CanonicalHeaderKey(header), proxies: networks}
}

// signsIn says whether people sign in at the desk itself.
func (p *People) signsIn() bool { return p != nil && p.file != "" }

func readUsers(file string) (map[string][]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	users := map[string][]byte{}
	var faults []error
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, hash, _ := strings.Cut(line, ":")
		clean, fault := night.Person(name)
		_, bad := bcrypt.Cost([]byte(hash))
		switch {
		case fault != "":
			faults = append(faults, fmt.Errorf("line %d: the name %s", n, fault))
		case bad != nil:
			faults = append(faults, fmt.Errorf("line %d: no bcrypt hash after the name; htpasswd -nB NAME writes such a line", n))
		case users[clean] != nil:
			faults = append(faults, fmt.Errorf("line %d: the name is there twice", n))
		default:
			users[clean] = []byte(hash)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(users) == 0 && len(faults) == 0 {
		faults = append(faults, errors.New("nobody is in it"))
	}
	return users, errors.Join(faults...)
}

type whoKey struct{}

// whoOf is who makes a request; empty: nobody has to sign in here.
func whoOf(ctx context.Context) string {
	who, _ := ctx.Value(whoKey{}).(string)
	return who
}

// signedIn lets people in.
func (d *Desk) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := d.People
		if p == nil {
			next.ServeHTTP(w, r)
			return
		}
		who := p.who(r)
		switch {
		case who != "":
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), whoKey{}, who)))
		case !p.signsIn():
			d.message(w, r, http.StatusForbidden, "Not signed in", "This desk is reached through the proxy that signs people in.")
		case r.Method == http.MethodGet:
			http.Redirect(w, r, "/sign-in?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		default:
			// What was typed is lost with the session, so it has to be said.
			d.show(w, r, http.StatusUnauthorized, "sign-in", view{Title: "Sign in", Section: "sign-in", Page: signInPage{Next: "/breaks", Fault: "Your session has ended, and what you typed was not saved. Sign in, go back and send it again."}})
		}
	})
}

// who is the person behind a request, "" when that isn't known.
func (p *People) who(r *http.Request) string {
	if !p.signsIn() {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil {
			return ""
		}
		for _, network := range p.proxies {
			if names := r.Header.Values(p.header); network.Contains(from.Addr().Unmap()) && len(names) == 1 {
				if clean, fault := night.Person(names[0]); fault == "" {
					return clean
				}
			}
		}
		return ""
	}
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.sessions[sha256.Sum256([]byte(cookie.Value))]
	if !ok || !p.clock().Before(s.expires) {
		return ""
	}
	return s.name
}

type signInPage struct{ Next, Name, Fault string }

func (d *Desk) signInPage(w http.ResponseWriter, r *http.Request) {
	if !d.People.signsIn() {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	d.show(w, r, http.StatusOK, "sign-in", view{Title: "Sign in", Section: "sign-in", Page: signInPage{Next: local(r.URL.Query().Get("next"))}})
}

func (d *Desk) signIn(w http.ResponseWriter, r *http.Request) {
	form, ok := d.form(w, r)
	if !ok {
		return
	}
	page := signInPage{Next: local(form.Get("next")), Name: strings.TrimSpace(form.Get("name"))}
	p := d.People
	if !p.signsIn() {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	address := r.RemoteAddr
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		address = from.Addr().Unmap().String()
	}
	if p.throttled(address, page.Name) {
		w.Header().Set("Retry-After", fmt.Sprint(int(failuresLast.Seconds())))
		page.Fault = "Too many attempts. Wait a quarter of an hour."
		d.show(w, r, http.StatusTooManyRequests, "sign-in", view{Title: "Sign in", Section: "sign-in", Page: page})
		return
	}
	name, right, err := p.check(r.Context(), page.Name, form.Get("password"))
	if err != nil {
		d.failed(w, r, fmt.Errorf("sign in: %w", err))
		return
	}
	if !right {
		p.failed(address, page.Name)
		d.Log.Warn().Str("from", address).Msg("desk: wrong name or password")
		page.Fault = "Name and password don't fit."
		d.show(w, r, http.StatusUnauthorized, "sign-in", view{Title: "Sign in", Section: "sign-in", Page: page})
		return
	}
	token := rand.Text() + rand.Text()
	p.begin(token, name)
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: token, Path: "/", MaxAge: int(sessionLasts.Seconds()), HttpOnly: true, Secure: p.secure, SameSite: http.SameSiteStrictMode})
	d.Log.Info().Str("name", name).Msg("desk: signed in")
	http.Redirect(w, r, page.Next, http.StatusSeeOther)
}

func (d *Desk) signOut(w http.ResponseWriter, r *http.Request) {
	if p := d.People; p.signsIn() {
		if cookie, err := r.Cookie(cookieName); err == nil {
			p.mu.Lock()
			delete(p.sessions, sha256.Sum256([]byte(cookie.Value)))
			p.mu.Unlock()
		}
		http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1, HttpOnly: true, Secure: p.secure, SameSite: http.SameSiteStrictMode})
	}
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}

// check compares a password, in the same time whether or not the name is there.
func (p *People) check(ctx context.Context, name, password string) (clean string, right bool, err error) {
	select {
	case p.checking <- struct{}{}:
		defer func() { <-p.checking }()
	case <-ctx.Done():
		return "", false, ctx.Err()
	}
	users, err := readUsers(p.file)
	if err != nil {
		return "", false, err
	}
	clean, _ = night.Person(name)
	hash, there := users[clean]
	if !there {
		hash = p.dummy
	}
	err = bcrypt.CompareHashAndPassword(hash, []byte(password))
	return clean, there && err == nil, nil
}

func (p *People) begin(token, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock()
	for key, s := range p.sessions {
		if !now.Before(s.expires) || len(p.sessions) >= sessionsMost {
			delete(p.sessions, key)
		}
	}
	p.sessions[sha256.Sum256([]byte(token))] = session{name, now.Add(sessionLasts)}
}

func failureKeys(address, name string) map[string]int {
	return map[string]int{"a" + address: failuresOfAddress, "n" + address + "\n" + strings.ToLower(name): failuresOfName}
}

// throttled says whether this address has been wrong too often.
func (p *People) throttled(address, name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, most := range failureKeys(address, name) {
		if f := p.failures[key]; f != nil && p.clock().Before(f.until) && f.count >= most {
			return true
		}
	}
	return false
}

func (p *People) failed(address, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock()
	for key, f := range p.failures {
		if !now.Before(f.until) || len(p.failures) >= failuresMost {
			delete(p.failures, key)
		}
	}
	for key := range failureKeys(address, name) {
		f := p.failures[key]
		if f == nil {
			f = &failure{}
			p.failures[key] = f
		}
		f.count++
		f.until = now.Add(failuresLast)
	}
}
