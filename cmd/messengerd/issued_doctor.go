package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/acme/autocert"

	"github.com/countersign-project/countersign/cmd/cli"
)

// isHostName says whether a name is one that an ACME authority gives certificates for: a host name of at least two labels, no address.
func isHostName(name string) bool {
	labels := strings.Split(name, ".")
	for _, l := range labels {
		odd := strings.Trim(strings.ToLower(l), "abcdefghijklmnopqrstuvwxyz0123456789-")
		if l == "" || len(l) > 63 || odd != "" || strings.HasPrefix(l, "-") || strings.HasSuffix(l, "-") {
			return false
		}
	}
	_, err := netip.ParseAddr(name)
	return err != nil && len(labels) > 1 && len(name) <= 253
}

func (o *serveOptions) checkAuthority() error {
	switch {
	case len(o.domains) == 0 && (o.acmeDirectory != "" || o.acmeRoot != "" || o.acmeEmail != ""):
		return cli.Usagef("--acme-directory, --acme-root and --acme-email: not without --acme-domain")
	case o.acmeRoot != "" && o.acmeDirectory == "":
		return cli.Usagef("--acme-root: not without --acme-directory; the default authority has a root that computers trust")
	}
	if u, err := url.Parse(o.acmeDirectory); o.acmeDirectory != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		return cli.Usagef("--acme-directory %q: want https://…", o.acmeDirectory)
	}
	for _, name := range o.domains {
		if !isHostName(name) {
			return cli.Usagef("--acme-domain %q: want a name as it is in DNS, such as chat.example.org or xn--bcher-kva.example", name)
		}
	}
	return nil
}

// examineAuthority says which certificates the server has, and whether the authority can be reached. It asks for none.
func (o *serveOptions) examineAuthority(ctx context.Context, now time.Time) []finding {
	const what = "authority"
	var list []finding
	dir, err := o.directory()
	if err != nil {
		return nil // found already
	}
	for _, name := range o.domains {
		list = append(list, examineIssued(ctx, dir, strings.ToLower(name), now))
	}
	if o.cluster.bus != "" {
		list = append(list, warning(what, "give each server a name of its own, or all of them --certificate and --key",
			"the authority's question may reach another server of the cluster, if several have the same --acme-domain"))
	}
	client, err := o.acmeClient()
	if err != nil {
		return append(list, wrong(what, "see --acme-root", "%v", err))
	}
	ctx, cancel := context.WithTimeout(ctx, authorityPatience)
	defer cancel()
	d, err := client.Discover(ctx)
	switch unknown := (*tls.CertificateVerificationError)(nil); {
	case errors.As(err, &unknown) && o.acmeDirectory != "":
		return append(list, wrong(what, "give its root as --acme-root", "%v", err))
	case err != nil:
		return append(list, wrong(what, "certificates in hand are served until they expire; is --acme-directory right, and may this computer connect there?", "%v", err))
	case d.OrderURL == "":
		return append(list, wrong(what, "see --acme-directory", "%s is no directory of an ACME authority", client.DirectoryURL))
	case d.ExternalAccountRequired:
		return append(list, wrong(what, "take another authority", "%s wants accounts that were opened elsewhere, which messengerd cannot do", client.DirectoryURL))
	}
	return append(list, ok(what, "%s", client.DirectoryURL))
}

// examineIssued looks at what the server keeps for a name.
func examineIssued(ctx context.Context, data, name string, now time.Time) finding {
	what := "certificate of " + name
	cache := certificateCache(data)
	pem, err := cache.Get(ctx, name)
	switch {
	case errors.Is(err, autocert.ErrCacheMiss):
		return warning(what, "start the server, and see its log", "there is none yet")
	case err != nil:
		return wrong(what, "run this as the user the server runs as", "%v", err)
	}
	pair, err := tls.X509KeyPair(pem, pem)
	if err != nil {
		return wrong(what, "remove the file and start the server again", "%s: %v", filepath.Join(string(cache), name), err)
	}
	leaf := pair.Leaf
	switch {
	case now.After(leaf.NotAfter):
		return wrong(what, "see the server's log", "expired on %s", leaf.NotAfter.Format(time.DateOnly))
	case late(leaf, now):
		return warning(what, "see 'authority'; it must reach port 443 of this name", "not renewed; expires on %s", leaf.NotAfter.Format(time.DateOnly))
	}
	return ok(what, "until %s", leaf.NotAfter.Format(time.DateOnly))
}

// reaches asks a server with ACME by its name, as clients do.
func (a *healthAsker) reaches(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	// Whether the certificate is good for others is for them to say: the authority may be our own.
	d := tls.Dialer{NetDialer: new(net.Dialer), Config: &tls.Config{ServerName: name, InsecureSkipVerify: true}}
	conn, err := d.DialContext(ctx, "tcp", a.address)
	if err != nil {
		return err
	}
	return conn.Close()
}
