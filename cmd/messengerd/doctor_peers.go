package main

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"github.com/countersign-project/countersign/messenger/server/federation"
)

// silent is federation.Counters for the doctor, who counts nothing.
type silent struct{}

func (silent) Federated(string, string, string, string) {}
func (silent) Limited(string)                           {}

// examinePeers asks every peer who it is, and who it takes us for.
func (o *serveOptions) examinePeers(ctx context.Context, now time.Time) []finding {
	const what = "key for peers"
	peers, err := o.federation.parse()
	if err != nil || len(peers) == 0 {
		return nil // the settings' finding says it
	}
	file, err := o.federation.keyFile(&o.place)
	if err != nil {
		return []finding{wrong(what, "give --federation-key", "%v", err)}
	}
	key, err := readPeerKey(file)
	if err != nil {
		return []finding{wrong(what, "messengerd peer key", "%v", err)}
	}
	list := []finding{ok(what, "%s", key.Pin())}
	if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o077 != 0 {
		list[0] = warning(what, "chmod 600 "+file, "%s can be read by other users of this computer", file)
	}
	node, err := federation.New(federation.Options{Name: o.federation.name, Key: key, Peers: peers, Counters: silent{}, Now: func() time.Time { return now }, Patience: 5 * time.Second})
	if err != nil {
		return append(list, wrong("peers", "see --federation-peer", "%v", err))
	}
	for _, p := range peers {
		r, _ := node.Remote(p.Name)
		h, err := r.Hello(ctx)
		list = append(list, o.judgePeer(p, key.Pin(), h, err))
	}
	return list
}

func (o *serveOptions) judgePeer(p federation.Peer, own federation.Pin, h federation.Hello, err error) finding {
	what := "peer " + p.Name
	var dial *net.OpError
	switch {
	case errors.Is(err, federation.ErrPin):
		return wrong(what, "ask its operator on another way what 'messengerd peer key' prints; if that is the pin you have, somebody else answers at "+p.URL.Host, "%v", err)
	case errors.As(err, &dial) && dial.Op == "dial":
		return warning(what, "is it running, and its --federation-listen reachable from here?", "nobody answers at %s: %v", p.URL.Host, err)
	case err != nil:
		return wrong(what, "its operator must have this server's pin: "+own.String(), "it answers at %s with the right key, and does not talk to us: %v", p.URL.Host, err)
	case h.Name != p.Name:
		return warning(what, "call it "+h.Name+" in the settings, or addresses mean different people on different servers", "it calls itself %s", h.Name)
	case h.You != o.federation.name:
		return warning(what, "agree on one name for this server, or addresses mean different people on different servers", "it calls us %s; we are %s", h.You, o.federation.name)
	}
	return ok(what, "reachable, with the right key, and knows ours")
}
