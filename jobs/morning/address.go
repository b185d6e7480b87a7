package morning

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
)

// Address is where a morning message goes. Its text is a secret: webhook URLs and mail passwords let anybody in.
type Address struct {
	// Name says which one it is where its text must not be shown: scheme, host, and the first letters of its hash.
	Name   string
	sha256 string
	mail   *mailbox // nil: a webhook
	hook   string
}

// mailbox is a mail server with a sender and recipients.
type mailbox struct {
	host               string
	port               int
	username, password string
	from               string
	to                 []string
	tls                string // starttls, implicit or none
}

// ParseAddresses reads RECONCILER_NOTIFY_URLS: addresses between commas or white space, each
//
//	smtp://user:password@host:587?from=NAME@HOST&to=NAME@HOST&to=..   with STARTTLS; ?tls=none without, for a relay on this machine
//	smtps://..                                                        with TLS from the first byte, port 465 by default
//	https://..                                                        a webhook; http:// only for a host of this machine
//
// A comma inside an address is written %2C. All that is wrong is reported at once, by the address's place in the list, never its text.
func ParseAddresses(text string) (addresses []Address, err error) {
	var faults []error
	seen := map[string]bool{}
	for i, one := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' || r == '\r' }) {
		address, err := parseAddress(one)
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("address %d: %w", i+1, err))
		case seen[address.sha256]:
			faults = append(faults, fmt.Errorf("address %d is there twice", i+1))
		}
		seen[address.sha256] = true
		addresses = append(addresses, address)
	}
	return addresses, errors.Join(faults...)
}

func parseAddress(text string) (Address, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return Address{}, errors.New("is no URL; want smtp://.., smtps://.. or https://..") // err would repeat it
	}
	sum := sha256.Sum256([]byte(text))
	a := Address{sha256: hex.EncodeToString(sum[:])}
	a.Name = fmt.Sprintf("%s://%s (%s)", u.Scheme, u.Host, a.sha256[:6])
	switch u.Scheme {
	case "smtp", "smtps":
		a.mail, err = parseMailbox(u)
		return a, err
	case "http":
		if !local(u.Hostname()) {
			return a, errors.New("is not https; a webhook without TLS is only for a host of this machine")
		}
	case "https":
	default:
		return a, fmt.Errorf("%q is none of smtp, smtps, https", u.Scheme)
	}
	a.hook = text
	return a, nil
}

func parseMailbox(u *url.URL) (*mailbox, error) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("its parameters can't be read")
	}
	m := &mailbox{host: u.Hostname(), port: 587, username: u.User.Username(), tls: "starttls"}
	m.password, _ = u.User.Password()
	if u.Scheme == "smtps" {
		m.port, m.tls = 465, "implicit"
	}
	if u.Port() != "" {
		if m.port, err = strconv.Atoi(u.Port()); err != nil || m.port < 1 || m.port > 65535 {
			return nil, fmt.Errorf("port %q is no port", u.Port())
		}
	}
	var faults []error
	for name := range query {
		if name != "from" && name != "to" && name != "tls" {
			faults = append(faults, fmt.Errorf("parameter %q is none of from, to, tls", name))
		}
	}
	switch kind := query.Get("tls"); {
	case kind == "":
	case kind != "none" || u.Scheme == "smtps":
		faults = append(faults, errors.New("tls is not none; smtp:// uses STARTTLS and smtps:// TLS without it"))
	case !local(m.host):
		faults = append(faults, errors.New("tls=none is only for a mail server on this machine"))
	default:
		m.tls = "none"
	}
	if m.from = query.Get("from"); !bareAddress(m.from) {
		faults = append(faults, errors.New("from is not one e-mail address"))
	}
	if m.to = query["to"]; len(m.to) == 0 {
		faults = append(faults, errors.New("to is missing: at least one e-mail address"))
	}
	for _, to := range m.to {
		if !bareAddress(to) {
			faults = append(faults, errors.New("to is not an e-mail address; give several as &to=..&to=.."))
		}
	}
	return m, errors.Join(faults...)
}

func bareAddress(text string) bool {
	parsed, err := mail.ParseAddress(text)
	return err == nil && parsed.Name == "" && parsed.Address == text
}

// local says whether a host is this machine.
func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
