package cli

import (
	"encoding/json"
	"io"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
)

// redacted stands where a secret or an e-mail address was.
const redacted = "[redacted]"

var (
	emailAddress   = regexp.MustCompile(`[\pL\pN._%+-]+@[\pL\pN-]+(\.[\pL\pN-]+)*\.\pL{2,}`)
	passwordInText = regexp.MustCompile(`password\s*=\s*('(?:[^'\\]|\\.)*'|\S+)`)
)

// redactor takes secrets and e-mail addresses out of what is written through it, a whole line at a time. Nothing should put them there
// in the first place; this is for the driver, the library or the panic that does. serve's parts write one line at a time.
type redactor struct {
	mu      sync.Mutex // of out
	out     io.Writer
	secrets *strings.Replacer
}

// NewRedactor writes to out without the secrets, and without addresses of people.
func NewRedactor(out io.Writer, secrets []string) *redactor {
	var pairs []string
	for _, secret := range secrets {
		pairs = append(pairs, secret, redacted)
	}
	return &redactor{out: out, secrets: strings.NewReplacer(pairs...)}
}

// Text is text without them.
func (r *redactor) Text(text string) string {
	return emailAddress.ReplaceAllString(r.secrets.Replace(text), redacted)
}

func (r *redactor) Write(line []byte) (int, error) {
	clean := r.Text(string(line))
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := io.WriteString(r.out, clean); err != nil {
		return 0, err
	}
	return len(line), nil
}

// leastSecret is the length below which a value is no secret, what a URL begins with aside: taking out every "a" or "https://" would leave nothing to read.
const leastSecret = 5

// Secrets are the values that must not be seen, in every form they may be quoted in, the longest first.
func (s *Settings) Secrets() []string {
	var values []string
	for _, setting := range settingList {
		value := s.Value(setting.env)
		if setting.secret {
			values = append(values, value)
		}
		if u, err := url.Parse(value); err == nil && u.User != nil { // of any URL: a Pushgateway may want a password, too
			password, _ := u.User.Password()
			values = append(values, password)
		}
		if _, rest, ok := strings.Cut(value, "://"); ok { // as it is written, also in what is no URL
			if _, raw, ok := strings.Cut(rest, ":"); ok {
				if end := strings.LastIndex(raw, "@"); end >= 0 {
					values = append(values, raw[:end])
				}
			}
		}
		if !setting.secret {
			continue
		}
		if found := passwordInText.FindStringSubmatch(value); found != nil {
			values = append(values, strings.Trim(found[1], "'"))
		}
	}
	for _, env := range []string{"PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		values = append(values, os.Getenv(env))
	}
	var secrets []string
	for _, value := range values {
		if _, rest, isURL := strings.Cut(value, "://"); len(value) < leastSecret || isURL && len(rest) < leastSecret {
			continue
		}
		secrets = append(secrets, value, url.QueryEscape(value), url.PathEscape(value))
		if quoted, err := json.Marshal(value); err == nil {
			secrets = append(secrets, strings.Trim(string(quoted), `"`))
		}
	}
	return secrets
}
