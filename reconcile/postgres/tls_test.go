package postgres_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	file        string
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	a := authority{file: filepath.Join(t.TempDir(), name+".crt")}
	certificate, key := sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil)
	a.certificate, a.key = certificate, key
	writePEM(t, a.file, "CERTIFICATE", certificate.Raw)
	return a
}

// sign makes a certificate, signed by an authority or by itself.
func sign(t *testing.T, template *x509.Certificate, by *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.certificate, by.key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, key
}

func writePEM(t *testing.T, file, kind string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// keyPair writes a certificate and its key, and returns the files.
func (a authority) keyPair(t *testing.T, template *x509.Certificate) (certFile, keyFile string) {
	t.Helper()
	certificate, key := sign(t, template, &a)
	folder := t.TempDir()
	certFile, keyFile = filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	writePEM(t, certFile, "CERTIFICATE", certificate.Raw)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, keyFile, "PRIVATE KEY", raw)
	return certFile, keyFile
}

// encrypted stands before a server and does the encryption that a private one on a socket doesn't; nil: it says that it can't.
// It returns the address to connect to.
func encrypted(t *testing.T, databaseURL string, config *tls.Config) string {
	t.Helper()
	network, server := serverAddress(t, databaseURL)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				if _, _, err := message(client, false); err != nil { // the request for encryption
					return
				}
				if config == nil {
					_, _ = client.Write([]byte("N"))
					return
				}
				if _, err := client.Write([]byte("S")); err != nil {
					return
				}
				safe := tls.Server(client, config)
				if safe.Handshake() != nil {
					return
				}
				back, err := net.Dial(network, server)
				if err != nil {
					return
				}
				defer back.Close()
				go func() { _, _ = io.Copy(back, safe) }()
				_, _ = io.Copy(safe, back)
			}()
		}
	}()
	return listener.Addr().String()
}

// Each sslmode does what it says, and what can't be made safe is named as a fault of the set-up, which no retry mends.
func TestEncryptedConnections(t *testing.T) {
	db := testdb.New(t)
	ours, other := newAuthority(t, "ours"), newAuthority(t, "other")
	load := func(certFile, keyFile string) tls.Certificate {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			t.Fatal(err)
		}
		return pair
	}
	onLocalhost := func() *x509.Certificate {
		return &x509.Certificate{Subject: pkix.Name{CommonName: "server"}, DNSNames: []string{"localhost"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	}
	expired := onLocalhost()
	expired.NotBefore, expired.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	plain := &tls.Config{Certificates: []tls.Certificate{load(ours.keyPair(t, onLocalhost()))}}
	old := &tls.Config{Certificates: []tls.Certificate{load(ours.keyPair(t, expired))}}
	choosy := plain.Clone()
	choosy.ClientAuth, choosy.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	choosy.ClientCAs.AddCert(ours.certificate)
	customer := func() *x509.Certificate {
		return &x509.Certificate{Subject: pkix.Name{CommonName: "reconciler_app"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	}
	cert, key := ours.keyPair(t, customer())
	strangersCert, strangersKey := other.keyPair(t, customer())
	openKey := filepath.Join(t.TempDir(), "open.key")
	raw, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(openKey, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "missing.crt")
	for _, c := range []struct {
		name, host string
		server     *tls.Config
		options    map[string]string
		want       string // in the error; empty: it works
	}{
		{"require", "127.0.0.1", plain, map[string]string{"sslmode": "require"}, ""},
		{"require with an authority verifies it", "localhost", plain, map[string]string{"sslmode": "require", "sslrootcert": other.file}, "unknown authority"},
		{"require, server without", "localhost", nil, map[string]string{"sslmode": "require"}, "SSL is not enabled on the server"},
		{"verify-ca", "127.0.0.1", plain, map[string]string{"sslmode": "verify-ca", "sslrootcert": ours.file}, ""},
		{"verify-ca, another authority", "localhost", plain, map[string]string{"sslmode": "verify-ca", "sslrootcert": other.file}, "unknown authority"},
		{"verify-ca, no such file", "localhost", plain, map[string]string{"sslmode": "verify-ca", "sslrootcert": missing}, "missing.crt"},
		{"verify-full", "localhost", plain, map[string]string{"sslmode": "verify-full", "sslrootcert": ours.file}, ""},
		{"verify-full, another host", "127.0.0.1", plain, map[string]string{"sslmode": "verify-full", "sslrootcert": ours.file}, "127.0.0.1"},
		{"verify-full, another authority", "localhost", plain, map[string]string{"sslmode": "verify-full", "sslrootcert": other.file}, "unknown authority"},
		{"verify-full, no authority of the system's", "localhost", plain, map[string]string{"sslmode": "verify-full"}, "unknown authority"},
		{"verify-full, expired", "localhost", old, map[string]string{"sslmode": "verify-full", "sslrootcert": ours.file}, "expired"},
		{"client's certificate", "localhost", choosy, map[string]string{"sslmode": "verify-full", "sslrootcert": ours.file, "sslcert": cert, "sslkey": key}, ""},
		{"no client's certificate", "localhost", choosy, map[string]string{"sslmode": "verify-full", "sslrootcert": ours.file}, "certificate required"},
		{"a stranger's certificate", "localhost", choosy, map[string]string{"sslmode": "verify-full", "sslrootcert": ours.file, "sslcert": strangersCert, "sslkey": strangersKey}, "unknown certificate authority"},
		{"another one's key", "localhost", choosy, map[string]string{"sslmode": "verify-full", "sslrootcert": ours.file, "sslcert": cert, "sslkey": strangersKey}, "private key does not match"},
		{"a key that anybody can read", "localhost", choosy, map[string]string{"sslmode": "verify-full", "sslrootcert": ours.file, "sslcert": cert, "sslkey": openKey}, "world access"},
	} {
		t.Run(c.name, func(t *testing.T) {
			u, err := url.Parse(db.URL)
			if err != nil {
				t.Fatal(err)
			}
			_, port, err := net.SplitHostPort(encrypted(t, db.URL, c.server))
			if err != nil {
				t.Fatal(err)
			}
			query := url.Values{}
			for name, value := range c.options {
				query.Set(name, value)
			}
			u.Host, u.RawQuery = net.JoinHostPort(c.host, port), query.Encode()
			store, err := postgres.Open(postgres.Options{URL: u.String()})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			if verifies := strings.HasPrefix(c.options["sslmode"], "verify"); store.Verifies() != verifies {
				t.Errorf("verifies: %v", store.Verifies())
			}
			var clock time.Time
			err = store.Get(t.Context(), &clock, "check/clock", postgres.Args{})
			if c.want == "" {
				if err != nil {
					t.Errorf("no connection: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "sslmode") {
				t.Errorf("error %v, want one about sslmode with %q", err, c.want)
			}
			if !errors.Is(err, postgres.ErrSetup) || errors.Is(err, postgres.ErrUnavailable) {
				t.Errorf("%v: fault of the set-up %v, worth a retry %v", err, errors.Is(err, postgres.ErrSetup), errors.Is(err, postgres.ErrUnavailable))
			}
		})
	}
}
