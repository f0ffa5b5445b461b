package server

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/federation"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// What peers may have of us: federation.Local (8). The peer's name comes from the key of the connection, everything else is the peer's word.

// peerShare is how much of a device's queue peers can fill. The rest is for users of this server, whatever peers do.
const peerShare = store.MaxQueued / 2

// PeerKeys implements federation.Local.
func (s *Server) PeerKeys(ctx context.Context, peer, number, device string) (b api.BundlesV3, err error) {
	if err := s.allow("prekeys for peers", s.limits.peerKeys, peer+" "+number); err != nil {
		return b, err
	}
	if b, err = s.bundles(ctx, number, device); err == nil && len(b.Devices) == 0 {
		err = store.ErrNotFound
	}
	return b, err
}

// PeerMessage implements federation.Local: 6.4, for a sender whom the peer vouches for.
func (s *Server) PeerMessage(ctx context.Context, peer string, from federation.From, destination string, m api.Messages) error {
	if err := s.allow("messages of peers", s.limits.messages, peer+" "+from.Number+" "+destination); err != nil { // 1
		return err
	}
	if err := s.allow("messages of peers", s.limits.peerTo, peer+" "+destination); err != nil {
		return err
	}
	to, err := s.forPeer(ctx, from.Number, destination) // 2
	if err != nil {
		return err
	}
	devices, err := s.match(0, to, m.Messages) // 3, 4
	if err != nil {
		return err
	}
	list := make([]outgoing, len(devices))
	for i, one := range m.Messages {
		if err := s.roomForPeers(ctx, devices[i].Key); err != nil {
			return err
		}
		list[i] = outgoing{device: devices[i], kind: one.Type, legacy: one.Body, content: one.Content}
	}
	return s.send(ctx, sender{from.Number, int(from.Device), peer}, list, m.Timestamp, !m.NoReceipt) // 5
}

// forPeer finds who is written to. A number lives on one server only (8): nobody elsewhere has one of ours. Clients of 2016 keep sessions and names
// by number alone, so a peer could otherwise put words next to those of a user here.
func (s *Server) forPeer(ctx context.Context, source, destination string) (*store.Account, error) {
	_, err := s.Store.Account(ctx, source)
	if err == nil {
		return nil, endpoint.Refuse(http.StatusForbidden, "the sender's number lives on this server")
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	to, err := s.Store.Account(ctx, destination)
	if err != nil {
		return nil, err
	}
	if len(s.activeDevices(&to)) == 0 {
		return nil, store.ErrNotFound
	}
	return &to, nil
}

func (s *Server) roomForPeers(ctx context.Context, d store.DeviceKey) error {
	count, size, err := s.Store.Depth(ctx, d)
	if err == nil && (count >= peerShare || size >= store.MaxQueuedSize/2) {
		return queueFull()
	}
	return err
}

// PeerReceipt implements federation.Local.
func (s *Server) PeerReceipt(ctx context.Context, peer string, from federation.From, destination string, timestamp uint64) error {
	if err := s.allow("messages of peers", s.limits.peerTo, peer+" "+destination); err != nil {
		return err
	}
	to, err := s.forPeer(ctx, from.Number, destination)
	if err != nil {
		return err
	}
	for _, d := range s.activeDevices(to) {
		if err := s.roomForPeers(ctx, d.Key); err != nil {
			return err
		}
	}
	return s.receipt(ctx, to, sender{from.Number, int(from.Device), peer}, timestamp)
}

// PeerAttachment implements federation.Local.
func (s *Server) PeerAttachment(ctx context.Context, id string) (io.ReadSeekCloser, int64, error) {
	a, err := s.attachment(ctx, id)
	if err == nil && !a.Complete {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, 0, err
	}
	f, err := s.Blobs.Open(ctx, a.Hash)
	if err != nil {
		return nil, 0, blobRefusal(err)
	}
	return f, a.Size, nil
}

// PeerContacts implements federation.Local.
func (s *Server) PeerContacts(ctx context.Context, peer string, list []string) ([]api.Contact, error) {
	if err := s.allowN("directory", s.limits.directory, "peer "+peer, len(list)); err != nil {
		return nil, err
	}
	tokens, _ := parseTokens(list)
	return s.lookUp(ctx, tokens)
}

// PeerProfile implements federation.Local.
func (s *Server) PeerProfile(ctx context.Context, peer, number string) (api.Profile, error) {
	a, err := s.lookUpFor(ctx, peer, number)
	return api.Profile{IdentityKey: a.IdentityKey, Name: a.ProfileName, Avatar: a.Avatar}, err
}

// PeerDeviceList implements federation.Local.
func (s *Server) PeerDeviceList(ctx context.Context, peer, number string) (api.DeviceList, error) {
	a, err := s.lookUpFor(ctx, peer, number)
	if err != nil {
		return api.DeviceList{}, err
	}
	if l := listOf(&a); l != nil {
		return *l, nil
	}
	return api.DeviceList{}, store.ErrNotFound
}

func (s *Server) lookUpFor(ctx context.Context, peer, number string) (store.Account, error) {
	if err := s.allow("look-ups of peers", s.limits.peerLookups, peer); err != nil {
		return store.Account{}, err
	}
	return s.Store.Account(ctx, number)
}

// PeerUsername implements federation.Local.
func (s *Server) PeerUsername(ctx context.Context, peer, name string) (api.Username, error) {
	if err := s.allow("look-ups of peers", s.limits.peerLookups, peer); err != nil {
		return api.Username{}, err
	}
	name, err := canonicalUsername(name)
	if err != nil {
		return api.Username{}, err
	}
	a, err := s.Store.ByUsername(ctx, name)
	return api.Username{Number: a.Name}, err
}
