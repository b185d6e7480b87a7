package postgres

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/lib/pq"
)

// URLError says what is wrong with a database's URL, and the fix. It quotes no value, so it can be shown.
type URLError struct{ Problems []string }

func (e *URLError) Error() string { return strings.Join(e.Problems, "; ") }

func (e *URLError) add(format string, args ...any) {
	e.Problems = append(e.Problems, fmt.Sprintf(format, args...))
}

const (
	noSuchParameter = "the driver has no such parameter; take it out"
	ownKeepalives   = "the driver has no such parameter, and the worker sets keep-alives itself; take it out"
	noRevocation    = "the driver reads no revocation lists; take it out"
	noKerberos      = "this binary does not sign in by Kerberos; take it out"
	noOAuth         = "the driver does not sign in by OAuth; take it out"
	noServiceFiles  = "a service file would overrule the URL; write what it says into the URL"
)

// refusedParameters are those that libpq takes and this driver does not, or takes in another way, with what to do instead. The driver would
// send them to the server, which knows none of them. Any other parameter that the driver doesn't know is one of the server's: it decides.
var refusedParameters = map[string]string{
	"service": noServiceFiles, "servicefile": noServiceFiles,
	"channel_binding": noSuchParameter + ", and verify the server by sslmode=verify-full",
	"require_auth":    noSuchParameter + "; the server's pg_hba.conf decides",
	"gssencmode":      "the driver encrypts by TLS only; take it out, and set sslmode",
	"gssdelegation":   noKerberos, "gsslib": noKerberos, "krbsrvname": noKerberos, "krbspn": noKerberos,
	"keepalives": ownKeepalives, "keepalives_idle": ownKeepalives, "keepalives_interval": ownKeepalives, "keepalives_count": ownKeepalives,
	"tcp_user_timeout": noSuchParameter,
	"requirepeer":      noSuchParameter,
	"requiressl":       "is obsolete; write sslmode=require or a stricter one",
	"sslcompression":   "is obsolete; take it out",
	"sslcertmode":      noSuchParameter + "; sslcert is sent when the server asks for it",
	"sslcrl":           noRevocation, "sslcrldir": noRevocation,
	"sslpassword":      "the driver reads no encrypted keys; decrypt the key, and take it out",
	"sslkeylogfile":    "would write the session's keys down; take it out",
	"replication":      "the worker reads no replication stream; take it out",
	"scram_client_key": noSuchParameter, "scram_server_key": noSuchParameter,
	"oauth_issuer": noOAuth, "oauth_client_id": noOAuth, "oauth_client_secret": noOAuth, "oauth_scope": noOAuth,
	"tz":   "the driver does not pass it on; take it out: the worker sets its sessions' time zone itself",
	"geqo": "the driver does not pass it on; take it out",
}

// environmentParameters are the variables with which the driver would fill in what the URL leaves open, and the parameters that they stand
// for. DATABASE_URL alone says where the worker connects to, as whom and how: a variable that was set for another tool must not lead a night to
// another database, $PGHOSTADDR not even past the host that the URL names. So they are refused where they would count.
//
// Not among them, and taken: $PGPASSWORD and $PGPASSFILE, $PGSSLROOTCERT, $PGSSLCERT and $PGSSLKEY, so that secrets and files can be kept out
// of the URL; $PGAPPNAME and $PGCONNECT_TIMEOUT, which change nothing but a name and a wait. The driver does nothing with $PGTZ, $PGGEQO and,
// without a service, $PGSERVICEFILE.
var environmentParameters = []struct{ variable, parameter string }{
	{"PGHOST", "host"}, {"PGHOSTADDR", "hostaddr"}, {"PGPORT", "port"}, {"PGDATABASE", "dbname"}, {"PGUSER", "user"}, {"PGOPTIONS", "options"},
	{"PGSSLMODE", "sslmode"}, {"PGSSLNEGOTIATION", "sslnegotiation"}, {"PGSSLSNI", "sslsni"},
	{"SSLPGMINPROTOCOLVERSION", "ssl_min_protocol_version"}, {"SSLPGMAXPROTOCOLVERSION", "ssl_max_protocol_version"}, // the driver's own spelling
	{"PGMINPROTOCOLVERSION", "min_protocol_version"}, {"PGMAXPROTOCOLVERSION", "max_protocol_version"},
	{"PGTARGETSESSIONATTRS", "target_session_attrs"}, {"PGLOADBALANCEHOSTS", "load_balance_hosts"},
	{"PGCLIENTENCODING", "client_encoding"}, {"PGDATESTYLE", "datestyle"},
}

// unusableVariables are refused by the driver whatever the URL says.
var unusableVariables = []string{
	"PGREQUIRESSL", "PGSSLCOMPRESSION", "PGREALM", "PGGSSENCMODE", "PGGSSDELEGATION", "PGGSSLIB", "PGREQUIREAUTH", "PGCHANNELBINDING", "PGSSLCERTMODE",
	"PGSSLCRL", "PGSSLCRLDIR", "PGREQUIREPEER", "PGKRBSRVNAME",
}

// CheckURL says what is wrong with a database's URL, without connecting. A URLError can be shown; any other error may quote the URL, secrets
// and all.
func CheckURL(databaseURL string) error {
	_, err := readURL(databaseURL)
	return err
}

// readURL is the driver's configuration for a URL, and for nothing else.
func readURL(databaseURL string) (pq.Config, error) {
	given, err := parametersOf(databaseURL)
	if err != nil {
		return pq.Config{}, err
	}
	wrong := &URLError{}
	first := map[string]string{}
	for _, p := range given {
		if _, twice := first[p.name]; twice {
			wrong.add("%s is given twice; keep one", p.name)
			continue
		}
		first[p.name] = p.value
		if fix, refused := refusedParameters[p.name]; refused {
			wrong.add("%s: %s", p.name, fix)
		}
		if strings.EqualFold(p.name, "timezone") { // a pooler would break the connection over it without a word
			if _, err := time.LoadLocation(p.value); err != nil {
				wrong.add("%s is no time zone of the IANA database; take it out: the worker sets its sessions' time zone itself", p.name)
			}
		}
	}
	checkEnvironment(wrong, first)
	if len(wrong.Problems) > 0 {
		return pq.Config{}, wrong
	}
	config, err := pq.NewConfig(databaseURL)
	if err != nil {
		return config, err
	}
	if !strings.Contains(first["host"]+first["hostaddr"], ",") {
		config.Multi = nil // the driver would keep those of $PGHOST behind the host of the URL
	}
	return config, nil
}

// checkEnvironment refuses the variables that would change what the URL says.
func checkEnvironment(wrong *URLError, given map[string]string) {
	if os.Getenv("PGSERVICE") != "" {
		wrong.add("$PGSERVICE is set, and its file would overrule the URL; unset it")
	}
	for _, variable := range unusableVariables {
		if _, set := os.LookupEnv(variable); set {
			wrong.add("$%s is set, which the driver refuses; unset it", variable)
		}
	}
	for _, known := range environmentParameters {
		value := os.Getenv(known.variable)
		_, named := given[known.parameter]
		switch {
		case value == "":
		case !named:
			wrong.add("$%s is set, and only the URL says how to connect; write %s= into it, or unset the variable", known.variable, known.parameter)
		case strings.Contains(value, ",") && (known.parameter == "port" || strings.Contains(given["host"]+given["hostaddr"], ",")):
			wrong.add("$%s is a list, which the driver would mix with the URL's; unset it", known.variable)
		}
	}
}

type urlParameter struct{ name, value string }

// parametersOf are the parameters of a URL, or of a list of key=value, as the driver reads them.
func parametersOf(databaseURL string) ([]urlParameter, error) {
	if !strings.HasPrefix(databaseURL, "postgres://") && !strings.HasPrefix(databaseURL, "postgresql://") {
		return parametersOfList(databaseURL)
	}
	_, rest, _ := strings.Cut(databaseURL, "://")
	authority, _, _ := strings.Cut(rest, "/")
	hosts := authority[strings.LastIndex(authority, "@")+1:]
	if first := hosts[:max(0, strings.LastIndex(hosts, ","))]; strings.Contains(first, ":") && !strings.Contains(first, "[") {
		return nil, &URLError{[]string{"several hosts can't have their ports beside them; write postgres://user@host1,host2/database?port=5432,5433"}}
	}
	u, err := url.Parse(databaseURL)
	if err != nil {
		return nil, err
	}
	var given []urlParameter
	add := func(name, value string) {
		if value != "" { // the driver takes an empty one for one that isn't there
			given = append(given, urlParameter{name, value})
		}
	}
	if u.User != nil {
		password, _ := u.User.Password()
		add("user", u.User.Username())
		add("password", password)
	}
	if port := u.Port(); port != "" {
		add("host", u.Hostname())
		add("port", port)
	} else {
		add("host", u.Host)
	}
	add("dbname", strings.TrimPrefix(u.Path, "/"))
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, &URLError{[]string{"what follows the question mark is not name=value&name=value, percent-encoded"}}
	}
	for name, values := range query {
		for _, value := range values {
			add(name, value)
		}
	}
	slices.SortStableFunc(given, func(a, b urlParameter) int { return strings.Compare(a.name, b.name) })
	return given, nil
}

// parametersOfList reads key=value key='value with spaces'; a backslash takes what follows as it is.
func parametersOfList(list string) (given []urlParameter, err error) {
	rest := []rune(list)
	skip := func() {
		for len(rest) > 0 && unicode.IsSpace(rest[0]) {
			rest = rest[1:]
		}
	}
	for skip(); len(rest) > 0; skip() {
		end := slices.IndexFunc(rest, func(r rune) bool { return r == '=' || unicode.IsSpace(r) })
		if end < 0 {
			return nil, errors.New("a key without a value")
		}
		name := string(rest[:end])
		rest = rest[end:]
		if skip(); len(rest) == 0 || rest[0] != '=' {
			return nil, errors.New("a key without a value")
		}
		rest = rest[1:]
		skip()
		quoted := len(rest) > 0 && rest[0] == '\''
		if quoted {
			rest = rest[1:]
		}
		var value []rune
		closed := !quoted
		for len(rest) > 0 && !(quoted && rest[0] == '\'') && (quoted || !unicode.IsSpace(rest[0])) {
			if rest[0] == '\\' {
				if rest = rest[1:]; len(rest) == 0 {
					return nil, errors.New("nothing follows a backslash")
				}
			}
			value, rest = append(value, rest[0]), rest[1:]
		}
		if quoted && len(rest) > 0 {
			closed, rest = true, rest[1:]
		}
		if !closed {
			return nil, errors.New("a quote is not closed")
		}
		if name == "database" { // the driver takes it, too
			name = "dbname"
		}
		given = append(given, urlParameter{name, string(value)})
	}
	return given, nil
}
