package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/messenger/server/federation"
	"github.com/countersign-project/countersign/messenger/server/metric"
)

// federationOptions let users of other servers, which the operator names, and ours write to each other.
type federationOptions struct {
	name, listen, key string
	peers             []string
}

func (o *federationOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.name, "federation-name", "", "`name` by which other servers know this one, its host name at best: people here are +14155550100@name there")
	f.StringVar(&o.listen, "federation-listen", "", "`address` at which peers reach this server; the listener answers nobody else (default: nowhere, it only asks them)")
	f.StringVar(&o.key, "federation-key", "", "`file` with the key for peers (default: peer.key in the data directory; see 'messengerd peer key')")
	f.StringArrayVar(&o.peers, "federation-peer", nil, "`\"name url pin\"` of another server whose users and ours may write to each other, and if wanted behind them "+
		"requests=100 (a second), megabytes=600 (a minute), at-once=64, directory (ask it for address book entries, which tells it their hashes), and while it changes keys a second pin")
}

// check reads the peers and refuses what cannot work.
func (o *federationOptions) check() error {
	if len(o.peers) == 0 {
		if o.name+o.listen != "" {
			return cli.Usagef("--federation-…: only with --federation-peer")
		}
		return nil
	}
	if o.name == "" {
		return cli.Usagef("--federation-name: peers need a name for this server")
	}
	if err := federation.CheckName(o.name); err != nil {
		return cli.Usagef("--federation-name: %v", err)
	}
	if o.listen != "" {
		if _, _, err := net.SplitHostPort(o.listen); err != nil {
			return cli.Usagef("--federation-listen %q: want host:port", o.listen)
		}
	}
	_, err := o.parse()
	return err
}

// parse refuses two peers of one name or key: the key is how we know who speaks.
func (o *federationOptions) parse() ([]federation.Peer, error) {
	var list []federation.Peer
	for _, line := range o.peers {
		p, err := federation.ParsePeer(line)
		if err != nil {
			return nil, cli.Usagef("--federation-peer: %v", err)
		}
		list = append(list, p)
	}
	if err := federation.CheckPeers(o.name, list); err != nil {
		return nil, cli.Usagef("--federation-peer: %v", err)
	}
	return list, nil
}

// keyFile is where the key for peers is.
func (o *federationOptions) keyFile(p *place) (string, error) {
	if o.key != "" {
		return o.key, nil
	}
	dir, err := p.directory()
	return filepath.Join(dir, "peer.key"), err
}

func readPeerKey(file string) (*federation.Key, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	k, err := federation.ParseKey(b)
	if err != nil {
		return nil, errors.Join(errors.New(file), err)
	}
	return k, nil
}

// readKey wants the key that 'messengerd peer key' has made.
func (o *federationOptions) readKey(p *place) (*federation.Key, error) {
	file, err := o.keyFile(p)
	if err != nil {
		return nil, err
	}
	k, err := readPeerKey(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, cli.Hint(err, "messengerd peer key: makes one, and prints the pin that the other operator needs")
	}
	return k, err
}

// node is our end of the connections with peers: nil without any.
func (o *federationOptions) node(where *place, m *metric.Set, log *slog.Logger, now func() time.Time) (*federation.Node, error) {
	peers, err := o.parse()
	if err != nil || len(peers) == 0 {
		return nil, err
	}
	key, err := o.readKey(where)
	if err != nil {
		return nil, err
	}
	return federation.New(federation.Options{Name: o.name, Key: key, Peers: peers, Counters: m, Now: now,
		Failed: func(route string, err error) { log.Error("request of a peer failed", "route", route, "error", err) }})
}

// servePeers answers peers, on a listener of their own, until the node shuts down.
func servePeers(ctx context.Context, address string, p *parts) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	p.log.Info("peers", "address", l.Addr().String(), "name", p.peers.Name, "pin", p.peers.Key.Pin().String())
	go func() {
		if err := p.peers.Serve(l, p.server); !errors.Is(err, http.ErrServerClosed) {
			p.log.Error("peers are not answered any more", "error", err)
		}
	}()
	return nil
}
