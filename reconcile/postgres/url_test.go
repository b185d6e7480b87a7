package postgres_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// What the URL can't say is refused by name, with what to write instead, before anything is connected to.
func TestURLsThatAreRefusedByName(t *testing.T) {
	for _, c := range []struct{ given, says string }{
		{"postgres://u@h/d?channel_binding=require", "channel_binding: "},
		{"postgres://u@h/d?require_auth=scram-sha-256", "require_auth: "},
		{"postgres://u@h/d?keepalives=1&keepalives_idle=30", "keepalives: "},
		{"host=h user=u keepalives_idle=30", "keepalives_idle: "},
		{"postgres://u@h/d?gssencmode=disable", "set sslmode"},
		{"postgres://u@h/d?sslcrl=/x", "sslcrl: "},
		{"postgres://u@h/d?service=books", "service: a service file would overrule the URL"},
		{"service=books", "service: a service file would overrule the URL"},
		{"postgres://u@h/d?TimeZone=Nowhere/Else", "TimeZone is no time zone"},
		{"postgres://u@h1:5432,h2:5433/d", "host1,host2/database?port=5432,5433"},
		{"postgres://u@h1:5432,h2/d", "host1,host2/database?port=5432,5433"},
		{"postgres://u@h/d?sslmode=disable&sslmode=verify-full", "sslmode is given twice"},
		{"postgres://u@h/d?host=other", "host is given twice"},
		{"host=h host=other", "host is given twice"},
		{"postgres://u@h/d?tz=UTC", "tz: "},
	} {
		err := postgres.CheckURL(c.given)
		var wrong *postgres.URLError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want a URLError with %q", c.given, err, c.says)
		}
	}
	for _, given := range []string{
		"postgres://u:p@h:5432/d?sslmode=verify-full&sslrootcert=/x&connect_timeout=5", "postgres://u@h1,h2/d?port=5432,5433&target_session_attrs=read-write",
		"postgres://u@h1,h2:5432/d", "postgres://u@[::1]:5432/d", "postgres:///d?host=/run/postgresql&user=u", "host=/run/postgresql user=u dbname='my books'",
		"postgres://u@h/d?timezone=Europe/Berlin&statement_timeout=5&search_path=x&options=-c%20work_mem=8MB", "postgres://u@h/d?application_name=nights",
	} {
		if err := postgres.CheckURL(given); err != nil {
			t.Errorf("%s: %v", given, err)
		}
	}
}

// The environment changes nothing that the URL says, and what would count beside it is refused by name.
func TestOnlyTheURLSaysHowToConnect(t *testing.T) {
	for _, c := range []struct{ variable, value, url, says string }{
		{"PGHOST", "a,b", "postgres://u@h:5432/d?sslmode=disable", ""},
		{"PGHOST", "a", "postgres:///d?user=u", "$PGHOST is set"},
		{"PGHOST", "a,b", "postgres://u@h1,h2:5432/d", "$PGHOST is a list"},
		{"PGHOSTADDR", "192.0.2.1", "postgres://u@h:5432/d", "$PGHOSTADDR is set"},
		{"PGPORT", "6432", "postgres://u@h/d", "$PGPORT is set"},
		{"PGPORT", "6432", "postgres://u@h:5432/d", ""},
		{"PGPORT", "1,2", "postgres://u@h:5432/d", "$PGPORT is a list"},
		{"PGDATABASE", "x", "postgres://u@h:5432/d", ""},
		{"PGDATABASE", "x", "postgres://u@h:5432", "$PGDATABASE is set"},
		{"PGUSER", "x", "postgres://h:5432/d", "$PGUSER is set"},
		{"PGUSER", "x", "postgres://u@h:5432/d", ""},
		{"PGSSLMODE", "disable", "postgres://u@h:5432/d", "write sslmode= into it"},
		{"PGSSLMODE", "disable", "postgres://u@h:5432/d?sslmode=verify-full", ""},
		{"PGOPTIONS", "-c search_path=x", "postgres://u@h:5432/d", "$PGOPTIONS is set"},
		{"PGTARGETSESSIONATTRS", "any", "postgres://u@h:5432/d", "$PGTARGETSESSIONATTRS is set"},
		{"PGDATESTYLE", "German", "postgres://u@h:5432/d", "$PGDATESTYLE is set"},
		{"PGCLIENTENCODING", "LATIN1", "postgres://u@h:5432/d", "$PGCLIENTENCODING is set"},
		{"PGSERVICE", "books", "postgres://u@h:5432/d", "$PGSERVICE is set"},
		{"PGGSSENCMODE", "disable", "postgres://u@h:5432/d", "$PGGSSENCMODE is set, which the driver refuses"},
		{"PGTZ", "Nowhere", "postgres://u@h:5432/d", ""},
		{"PGAPPNAME", "x", "postgres://u@h:5432/d", ""},
		{"PGPASSWORD", "x", "postgres://u@h:5432/d", ""},
		{"PGPASSFILE", "/nowhere", "postgres://u@h:5432/d", ""},
		{"PGSSLROOTCERT", "/nowhere", "postgres://u@h:5432/d?sslmode=verify-full", ""},
		{"PGSERVICEFILE", "/nowhere", "postgres://u@h:5432/d", ""},
	} {
		t.Run(c.variable+" beside "+c.url, func(t *testing.T) {
			t.Setenv(c.variable, c.value)
			err := postgres.CheckURL(c.url)
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

// The host of the URL is down, and $PGHOST names a second one that is up: the night must not run there.
func TestNoOtherHostThanTheURLs(t *testing.T) {
	db := testdb.New(t)
	network, address := serverAddress(t, db.URL)
	other := "127.0.0.1"
	port := "5432"
	if network == "unix" {
		other = address[:strings.LastIndex(address, "/")]
		port = address[strings.LastIndex(address, ".")+1:]
	} else if _, p, err := net.SplitHostPort(address); err == nil {
		port = p
	}
	u, err := url.Parse(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PGHOST", "nowhere.invalid,"+other)
	u.Host, u.RawQuery = "127.0.0.77:"+port, "sslmode=disable"
	store, err := postgres.Open(postgres.Options{URL: u.String()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.DB().PingContext(t.Context()); !errors.Is(err, postgres.ErrUnavailable) {
		t.Errorf("%v, want the URL's host to be out of reach", err)
	}
}

// refusing is a server that answers every connection with one error.
func refusing(t *testing.T, code, message string) (databaseURL string, asked *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	asked = &atomic.Int64{}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			length := make([]byte, 4)
			if _, err := io.ReadFull(conn, length); err == nil {
				_, _ = io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(length))-4)
			}
			body := "SFATAL\x00VFATAL\x00C" + code + "\x00M" + message + "\x00\x00"
			answer := binary.BigEndian.AppendUint32([]byte{'E'}, uint32(len(body)+4))
			_, _ = conn.Write(append(answer, body...))
			_ = conn.Close()
		}
	}()
	return fmt.Sprintf("postgres://u@%s/d?sslmode=disable", listener.Addr()), asked
}

// What a server or PgBouncer says to a new connection is either worth another try, or the set-up's fault with its fix.
func TestRefusedConnections(t *testing.T) {
	for _, c := range []struct {
		code, message string
		fix           string // of a fault of the set-up; empty: worth another try
	}{
		{"28P01", "password authentication failed for user", "user or password"},
		{"28000", "no pg_hba.conf entry for host", "pg_hba.conf"},
		{"3D000", "database does not exist", "database's name"},
		{"42704", "unrecognized configuration parameter", "parameter of the URL"},
		{"22023", "invalid value for parameter", "parameter of the URL"},
		{"42501", "permission denied for database", "GRANT CONNECT"},
		{"55000", "database is not currently accepting connections", "correct the URL"},
		{"0A000", "unsupported frontend protocol", "correct the URL"},
		{"53300", "too many connections", ""},
		{"57P03", "the database system is starting up", ""},
		{"57P01", "terminating connection due to administrator command", ""},
		{"08006", "server closed the connection", ""},
		// As PgBouncer 1.18 says them, all by one code.
		{"08P01", "unsupported startup parameter: search_path", "ignore_startup_parameters"},
		{"08P01", "no such database: books", "database's name"},
		{"08P01", "password authentication failed", "user or password"},
		{"08P01", "query_wait_timeout", ""},
		{"08P01", "pgbouncer cannot connect to server", ""},
	} {
		databaseURL, asked := refusing(t, c.code, c.message)
		store, err := postgres.Open(postgres.Options{URL: databaseURL})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		raw := store.DB().PingContext(t.Context())
		classed := postgres.Classed("connect", raw)
		for _, err := range []error{raw, classed, fmt.Errorf("a night: %w", classed)} {
			if errors.Is(err, postgres.ErrSetup) != (c.fix != "") || errors.Is(err, postgres.ErrUnavailable) != (c.fix == "") || !strings.Contains(postgres.Remedy(err), c.fix) {
				t.Errorf("%s %s: %v: fault of the set-up %v, worth another try %v", c.code, c.message, err, errors.Is(err, postgres.ErrSetup), errors.Is(err, postgres.ErrUnavailable))
			}
		}
		if asked.Load() == 0 {
			t.Errorf("%s: nobody was asked: %v", c.code, raw)
		}
	}
}

// What a coordinator says when it has lost a node is worth another try; a fault of a server's own is not, though it has the same code.
func TestLostNodesAreWorthAnotherTry(t *testing.T) {
	for _, c := range []struct {
		code, routine, detail string
		lost                  bool
	}{
		{"08006", "ReportConnectionError", "", true},
		{"57P01", "ProcessInterrupts", "", true},
		{"XX000", "ReportResultError", "", true}, // words of libpq's, or the node's
		{"XX000", "CheckRemoteTransactionsHealth", "", true},
		{"XX000", "MarkRemoteTransactionFailed", "", true},
		{"XX000", "FinishRemoteTransactionPrepare", "Versuchen Sie es nochmals.", true},
		{"XX000", "fetch_intermediate_results", "", true},
		{"XX000", "FetchRemoteIntermediateResult", "", true},
		{"XX000", "InitializeCopyShardState", "", true},
		{"XX000", "ErrorIfPostCommitFailedShardPlacements", "", true},
		{"XX000", "ReportCopyError", "", true},
		{"XX000", "ReportCopyError", "Schlüssel »(account_id, id)=(a, 1)« existiert bereits.", false},
		{"XX000", "RelationIdGetRelation", "", false},
		{"XX000", "AdjustMaxPrepared", "", false}, // a setting of Citus
		{"XX000", "", "", false},
		{"XX001", "ReportResultError", "", false},
		{"XX002", "ReportResultError", "", false},
	} {
		err := postgres.Classed("commit", &pq.Error{Code: pqerror.Code(c.code), Message: "Es ging schief", Routine: c.routine, Detail: c.detail})
		if errors.Is(err, postgres.ErrUnavailable) != c.lost || errors.Is(err, postgres.ErrSetup) {
			t.Errorf("%s of %s: worth another try %v", c.code, c.routine, !c.lost)
		}
	}
}

// A list of key=value is read as the driver reads it, or refused as the driver refuses it.
func FuzzListsAreReadAsTheDriverReadsThem(f *testing.F) {
	for _, seed := range []string{"host=h user=u", "host = h port=5433", `user='a b' dbname='it\'s'`, `user=a\ b`, "user=", "user='open", "host", "a=b=c", `user=\`, "database=x user=u", "user='a'dbname=b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		if strings.HasPrefix(list, "postgres") || strings.Contains(list, "service") {
			return
		}
		want, driverErr := pq.NewConfig(list)
		given, err := postgres.ParametersOf(list)
		if driverErr != nil {
			return // it may also be a value that the driver refuses
		}
		if err != nil {
			t.Fatalf("%q: %v, and the driver reads %+v", list, err, want)
		}
		last := map[string]string{}
		for _, p := range given {
			last[p[0]] = p[1]
		}
		for name, value := range map[string]string{"dbname": want.Database, "options": want.Options, "application_name": want.ApplicationName, "user": want.User} {
			if read, named := last[name]; named && name != "application_name" && read != value {
				t.Errorf("%q: %s is read as %q, by the driver as %q", list, name, read, value)
			}
		}
		for name, value := range want.Runtime {
			if last[name] != value {
				t.Errorf("%q: %s is read as %q, by the driver as %q", list, name, last[name], value)
			}
		}
	})
}
