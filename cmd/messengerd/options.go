package main

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/cmd/updatecmd"
)

// place says where a server keeps what it knows.
type place struct {
	host     *updatecmd.Host
	data     string // directory; empty: below the home
	database string // URL or path; empty: in data
}

func (p *place) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.data, "data", "", "`directory` of the database and the attachments (default: data, below the home)")
	cmd.Flags().StringVar(&p.database, "database", "", "`URL` of the database: a file name, or postgres://… for several servers (default: messengerd.db in the data directory)")
}

// directory returns the data directory, which it makes if it is not there.
func (p *place) directory() (string, error) {
	dir := p.data
	if dir == "" {
		var err error
		if dir, err = p.host.Data(); err != nil {
			return "", err
		}
	}
	return dir, os.MkdirAll(dir, 0o700)
}

func (p *place) url() (string, error) {
	if p.database != "" {
		return p.database, nil
	}
	dir, err := p.directory()
	return filepath.Join(dir, "messengerd.db"), err
}

// serveOptions is what one can say about a server.
type serveOptions struct {
	place
	listen, metrics, publicURL string
	certificate, key           string
	domains                    []string
	acmeEmail                  string
	acmeDirectory, acmeRoot    string
	proxies                    []string
	webhook, webhookSecret     string
	development                bool
	shown                      io.Writer // where codes are shown in development: not in the log, which has no number and no code
	maxDevices, maxWebsockets  int
	attachments                attachmentOptions
	limitFactor                float64
	alwaysDurable              bool
	cluster                    clusterOptions
	federation                 federationOptions
	drain                      time.Duration
}

func (o *serveOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	o.place.flags(cmd)
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "`address` to listen on")
	f.StringVar(&o.metrics, "metrics-listen", "", "`address` at which Prometheus finds /metrics, without any names or numbers in it (default: nowhere)")
	f.StringVar(&o.publicURL, "public-url", "", "how clients reach this server, `https://…`: for the locations of attachments (default: as each request came)")
	f.StringVar(&o.certificate, "tls-certificate", "", "`file` with the certificate chain in PEM; read again when it changes")
	f.StringVar(&o.key, "tls-key", "", "`file` with the certificate's key in PEM")
	f.StringSliceVar(&o.domains, "acme-domain", nil, "get certificates for this `name` from an ACME authority, whose terms you thereby accept; the authority must reach this server at port 443 of the name")
	f.StringVar(&o.acmeEmail, "acme-email", "", "`address` at which the authority reaches you")
	f.StringVar(&o.acmeDirectory, "acme-directory", "", "`URL` of the directory of another ACME authority than Let's Encrypt, such as your own")
	f.StringVar(&o.acmeRoot, "acme-root", "", "`file` with the root, in PEM, of the certificate at --acme-directory (default: those this computer trusts)")
	f.StringSliceVar(&o.proxies, "proxy", nil, "`network` of the proxies before this server, such as 10.0.0.0/8: their X-Forwarded-For and X-Forwarded-Proto are believed, and plain HTTP from them is allowed")
	f.StringVar(&o.webhook, "sms-webhook", "", "`URL` of an SMS gateway that brings registration codes to telephones (default: registration by invite only)")
	f.StringVar(&o.webhookSecret, "sms-webhook-secret", "", "`file` with the secret that signs what the gateway gets")
	f.BoolVar(&o.development, "development", false, "show registration codes to whoever asks, and on standard output: for tests, on a loopback address only")
	f.IntVar(&o.maxDevices, "max-devices", 6, "devices of an account")
	f.IntVar(&o.maxWebsockets, "max-websockets", 100_000, "websockets open at once")
	o.attachments.flags(cmd)
	f.Float64Var(&o.limitFactor, "limit-factor", 1, "multiplies all rate limits; 0 switches them off, for load tests")
	o.cluster.flags(cmd)
	o.federation.flags(cmd)
	f.BoolVar(&o.alwaysDurable, "always-durable", false, "write every message to disk before it is delivered")
	f.DurationVar(&o.drain, "drain", 10*time.Second, "how long clients have to leave when the server stops; at most 15s, for then it is killed")
}

// check refuses what contradicts itself, or would send passwords and codes where they do not belong.
func (o *serveOptions) check() error {
	host, _, err := net.SplitHostPort(o.listen)
	if err != nil {
		return cli.Usagef("--listen %q: want host:port", o.listen)
	}
	tls := o.certificate != "" || len(o.domains) > 0
	switch {
	case (o.certificate == "") != (o.key == ""):
		return cli.Usagef("--tls-certificate and --tls-key: give both or none")
	case o.certificate != "" && len(o.domains) > 0:
		return cli.Usagef("--tls-certificate and --acme-domain: give one of them")
	case o.development && !loopback(host):
		return cli.Usagef("--development with --listen %s: codes would be shown to everybody; want a loopback address such as 127.0.0.1", o.listen)
	case o.development && (o.webhook != "" || len(o.proxies) > 0):
		return cli.Usagef("--development: not together with --sms-webhook or --proxy")
	case !tls && !loopback(host) && len(o.proxies) == 0:
		return cli.Hint(cli.Usagef("--listen %s: passwords would cross the network in the clear", o.listen),
			"give --acme-domain, or --tls-certificate and --tls-key", "or, behind a proxy that does TLS, --proxy with its network")
	case (o.webhook == "") != (o.webhookSecret == ""):
		return cli.Usagef("--sms-webhook and --sms-webhook-secret: give both or none")
	case o.limitFactor < 0:
		return cli.Usagef("--limit-factor %v: want 0 or more", o.limitFactor)
	case o.maxDevices < 1 || o.maxDevices > 100:
		return cli.Usagef("--max-devices %d: want 1 to 100", o.maxDevices)
	case o.maxWebsockets < 1:
		return cli.Usagef("--max-websockets: want more than nothing")
	case o.drain < 0 || o.drain > 15*time.Second:
		return cli.Usagef("--drain %v: want 0s to 15s", o.drain)
	}
	if u, err := url.Parse(o.publicURL); o.publicURL != "" && (err != nil || u.Host == "" || strings.HasSuffix(o.publicURL, "/") || u.Scheme != "https" && u.Scheme != "http") {
		return cli.Usagef("--public-url %q: want https://name, without slash at the end", o.publicURL)
	}
	if _, err := o.networks(); err != nil {
		return err
	}
	if err := o.checkAuthority(); err != nil {
		return err
	}
	if err := o.attachments.check(); err != nil {
		return err
	}
	if err := o.federation.check(); err != nil {
		return err
	}
	return o.cluster.check(o.database)
}

// networks reads --proxy; a single address is a network of one.
func (o *serveOptions) networks() ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, text := range o.proxies {
		p, err := netip.ParsePrefix(text)
		if a, e := netip.ParseAddr(text); e == nil {
			p, err = a.Prefix(a.BitLen())
		}
		if err != nil {
			return nil, cli.Usagef("--proxy %q: want a network such as 10.0.0.0/8, or an address", text)
		}
		list = append(list, p)
	}
	return list, nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// secret reads a file with a secret in its first line, which only its owner may read.
func secret(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	if line = strings.TrimSpace(line); line == "" {
		return nil, errors.New(path + ": the first line is empty, want a secret")
	}
	return []byte(line), nil
}
