package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/messenger/server/deliver"
	"github.com/countersign-project/countersign/messenger/server/route"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// clusterOptions make one server of several: they share a PostgreSQL database and a NATS bus.
type clusterOptions struct {
	bus, node                   string
	certificate, key, authority string
}

func (o *clusterOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.bus, "cluster", "", "`URL` of the NATS servers over which several servers act as one, separated by commas; needs --database postgres://…, and --attachments or a shared directory for attachments")
	f.StringVar(&o.node, "node", "", "`name` of this server in the cluster: no two may have the same (default: the computer's name)")
	f.StringVar(&o.certificate, "cluster-certificate", "", "`file` with this server's certificate for the bus")
	f.StringVar(&o.key, "cluster-key", "", "`file` with its key")
	f.StringVar(&o.authority, "cluster-authority", "", "`file` with the certificate of the authority of the bus")
}

// check refuses a bus that others could listen to: who answers there in a device's place makes messages vanish.
func (o *clusterOptions) check(database string) error {
	files := o.certificate != "" && o.key != "" && o.authority != ""
	switch {
	case o.bus == "" && o.node+o.certificate+o.key+o.authority != "":
		return cli.Usagef("--node and --cluster-…: only with --cluster")
	case o.bus == "":
		return nil
	case !strings.HasPrefix(database, "postgres"):
		return cli.Usagef("--cluster: the servers must share a database; give --database postgres://…")
	case !files && o.certificate+o.key+o.authority != "":
		return cli.Usagef("--cluster-certificate, --cluster-key and --cluster-authority: give all of them or none")
	case !files && !o.onThisComputer():
		return cli.Hint(cli.Usagef("--cluster %s: the bus carries who writes to whom, and whoever is on it can swallow messages", o.bus),
			"give --cluster-certificate, --cluster-key and --cluster-authority")
	}
	return nil
}

func (o *clusterOptions) onThisComputer() bool {
	for _, one := range strings.Split(o.bus, ",") {
		u, err := url.Parse(one)
		if err != nil || !loopback(u.Hostname()) {
			return false
		}
	}
	return true
}

// routing is how devices are found: in this process, or in the cluster.
type routing struct {
	router   route.Router
	presence deliver.Presence
	options  deliver.Options
}

// routing connects to the bus, if there is one.
func (o *clusterOptions) routing(s store.Store, now func() time.Time) (routing, error) {
	if o.bus == "" {
		return routing{route.NewLocal("alone", 0), new(deliver.Alone), deliver.Options{Poll: -1}}, nil
	}
	name := o.node
	if name == "" {
		host, err := os.Hostname()
		if err != nil {
			return routing{}, err
		}
		name, _, _ = strings.Cut(host, ".")
	}
	config, err := o.tls()
	if err != nil {
		return routing{}, err
	}
	n, err := route.DialNATS(route.NATSOptions{URL: o.bus, Node: name, TLS: config, Now: now})
	if err != nil {
		return routing{}, fmt.Errorf("cluster: %w", err)
	}
	return routing{n, s, deliver.Options{}}, nil
}

func (o *clusterOptions) tls() (*tls.Config, error) {
	if o.certificate == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(o.certificate, o.key)
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(o.authority)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: no certificate in PEM", o.authority)
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, RootCAs: pool}, nil
}
