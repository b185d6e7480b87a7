package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/wiring"
	"github.com/hummingbytes/reconciler/jobs/desk"
)

// NewDeskCommand is the command desk.
func NewDeskCommand(s *cli.Settings) *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "desk",
		Short: "Show reports, search and breaks as web pages",
		Long: `desk serves the published nights and months from REPORTS_URL, the search of "reconciler explain", and the open breaks with filters, where a
person who is signed in can assign, note and resolve. It never moves money.

It listens on 127.0.0.1:8081 unless told otherwise, and on any other address only with people who sign in: either those in the file
RECONCILER_DESK_USERS, a line name:bcrypt each as "htpasswd -nB NAME" writes it, or whomever a proxy names in RECONCILER_DESK_USER_HEADER, for requests
that come from RECONCILER_DESK_TRUSTED_PROXIES. Other machines are to reach it through TLS: a proxy or an ingress has that.

The role reconciler_readonly is enough to look; to work on breaks it needs reconciler_app.`,
		Example: `  reconciler desk
  reconciler desk --listen :8081 --desk-users /etc/reconciler/desk-users`,
		Args: cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.Load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			people, err := deskPeople(s, listen)
			if err != nil {
				return err
			}
			listener, err := net.Listen("tcp", listen)
			if err != nil {
				return cli.UsageError("--listen: %w", err)
			}
			return serveDesk(cmd.Context(), c, people, listener)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8081", "address to listen on")
	return cmd
}

// deskPeople are who may use the desk at an address; nil: this machine alone reaches it, and nobody has to sign in.
func deskPeople(s *cli.Settings, listen string) (*desk.People, error) {
	users, header, proxies := s.Value("RECONCILER_DESK_USERS"), s.Value("RECONCILER_DESK_USER_HEADER"), s.Value("RECONCILER_DESK_TRUSTED_PROXIES")
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, cli.UsageError("--listen: %q is no address; want HOST:PORT", listen)
	}
	local := thisMachine(host)
	switch {
	case users != "" && (header != "" || proxies != ""):
		return nil, cli.UsageError("RECONCILER_DESK_USERS and RECONCILER_DESK_USER_HEADER exclude each other: people sign in here, or at the proxy")
	case (header == "") != (proxies == ""):
		return nil, cli.UsageError("RECONCILER_DESK_USER_HEADER and RECONCILER_DESK_TRUSTED_PROXIES belong together: anybody could send the header")
	case users == "" && header == "" && !local:
		return nil, cli.UsageError("--listen: others reach %s; set RECONCILER_DESK_USERS, or RECONCILER_DESK_USER_HEADER and RECONCILER_DESK_TRUSTED_PROXIES, so that people sign in", listen)
	case users != "":
		people, err := desk.ReadUsers(users, !local, time.Now)
		if err != nil {
			return nil, cli.UsageError("RECONCILER_DESK_USERS: %w", err)
		}
		return people, nil
	case header != "":
		networks, err := parseNetworks(proxies)
		if err != nil {
			return nil, cli.UsageError("RECONCILER_DESK_TRUSTED_PROXIES: %w", err)
		}
		return desk.TrustProxies(header, networks), nil
	}
	return nil, nil
}

// thisMachine says whether only this machine reaches a host.
func thisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func parseNetworks(text string) (networks []netip.Prefix, err error) {
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		network, err := netip.ParsePrefix(one)
		if err != nil {
			ip, ipErr := netip.ParseAddr(one)
			if ipErr != nil {
				return nil, fmt.Errorf("%q is no network, such as 10.0.0.0/8", one)
			}
			network = netip.PrefixFrom(ip, ip.BitLen())
		}
		if network.Bits() == 0 {
			return nil, fmt.Errorf("%q is everybody", one)
		}
		networks = append(networks, network)
	}
	if len(networks) == 0 {
		return nil, errors.New("it names no network")
	}
	return networks, nil
}

// serveDesk answers until ctx ends.
func serveDesk(ctx context.Context, c cli.Config, people *desk.People, listener net.Listener) (err error) {
	w, closeReader, err := wiring.NewReader(ctx, c)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer closeReader()
	d := &desk.Desk{Store: w.Store, Published: w.Reports, People: people, Zone: c.Jobs.Zone, Clock: time.Now, Log: c.Log}
	if err := w.Store.Get(ctx, &d.MayWork, "desk/may_work", nil); err != nil {
		return errors.Join(err, listener.Close())
	}
	web := newWebServer(d.Handler())
	web.WriteTimeout = time.Minute // a workbook on a slow line
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(boundConnections(listener, webConnections)) }()
	c.Log.Info().Stringer("listen", listener.Addr()).Bool("works_on_breaks", d.MayWork && people != nil).Msg("the desk is open")
	select {
	case err := <-ended:
		return fmt.Errorf("desk: %w", err)
	case <-ctx.Done():
	}
	shutdown, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := web.Shutdown(shutdown); err != nil {
		c.Log.Warn().Err(err).Msg("desk: somebody was cut off")
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		c.Log.Warn().Err(err).Msg("desk: the server had ended")
	}
	return errors.New("stopped by a signal")
}
