package server

import (
	"io"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/countersign-project/countersign/messenger/directory"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/federation"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// What our users may have of other servers (8).

// relay takes user@server apart. relays are what else the request says of the server; all that say something must agree. A nil peer is here.
func (s *Server) relay(text string, relays ...string) (user string, peer *federation.Remote, err error) {
	user, relay := federation.SplitAddress(text)
	for _, r := range relays {
		if r != "" && relay != "" && r != relay {
			return "", nil, endpoint.Refuse(http.StatusBadRequest, "two servers are named: %.40q and %.40q", relay, r)
		}
		relay = max(relay, r)
	}
	if relay == "" || s.Peers.Own(relay) {
		return user, nil, nil
	}
	peer, ok := s.Peers.Remote(relay)
	if !ok {
		return "", nil, noRelay(relay)
	}
	return user, peer, nil
}

// address is relay for what must be a number when it goes to another server.
func (s *Server) address(text string, relays ...string) (number string, peer *federation.Remote, err error) {
	number, peer, err = s.relay(text, relays...)
	if peer != nil && !directory.ValidNumber(number) {
		return "", nil, store.ErrNotFound
	}
	return number, peer, err
}

// noRelay refuses what goes to a server that is no peer.
func noRelay(relay string) error {
	return endpoint.Refuse(http.StatusNotFound, "no server %.40q is known here", relay)
}

// relaysOf are the relays a message names: in its body, or in each part.
func relaysOf(m *api.Messages) (list []string) {
	if m.Relay != "" {
		list = append(list, m.Relay)
	}
	for i := range m.Messages {
		if r := m.Messages[i].Relay; r != "" {
			list = append(list, r)
		}
	}
	return list
}

// vouched is one of our users, as peers hear of them.
func vouched(number string, device int) federation.From {
	return federation.From{Number: number, Device: uint32(device)}
}

// forward sends a message to a user of a peer, and answers when the peer has: nothing is kept here. Notes to one's own devices stay on one's own
// server (8).
func (s *Server) forward(c *endpoint.Call, start time.Time, peer *federation.Remote, number string, m api.Messages) (any, error) {
	if number == c.Caller.Account.Name {
		return nil, endpoint.Refuse(http.StatusBadRequest, "one's own devices are not on another server")
	}
	if m.Timestamp == 0 {
		m.Timestamp = uint64(s.Now().UnixMilli())
	}
	m.Relay = ""
	for i := range m.Messages {
		one := &m.Messages[i]
		if err := checkType(one.Type); err != nil {
			return nil, err
		}
		one.Relay, one.Destination, one.Timestamp = "", "", 0
	}
	if err := peer.Send(c.Context(), vouched(c.Caller.Account.Name, c.Caller.Device.ID), number, m); err != nil {
		return nil, err
	}
	s.Metrics.Envelopes("federated", len(m.Messages))
	s.Metrics.Sent(time.Since(start))
	return api.Sent{NeedsSync: s.needsSync(c, 0)}, nil
}

// lookUpElsewhere asks a peer, or without one those that the operator lets us ask, for tokens that were not found here. err says that some did not answer.
func (s *Server) lookUpElsewhere(c *endpoint.Call, found []api.Contact, tokens []string) (more []api.Contact, err error) {
	peers := s.Peers.Directories()
	if _, peer, err := s.relay("", c.URL.Query().Get("relay")); err != nil {
		return nil, err
	} else if peer != nil {
		peers = []*federation.Remote{peer}
	}
	here := map[string]bool{}
	for _, f := range found {
		here[f.Token] = true
	}
	var ask []string
	for _, t := range tokens {
		if !here[t] {
			ask, here[t] = append(ask, t), true
		}
	}
	if len(peers) == 0 || len(ask) == 0 {
		return nil, nil
	}
	var group sync.WaitGroup
	answers, errs := make([][]api.Contact, len(peers)), make([]error, len(peers))
	for i, p := range peers {
		group.Go(func() { answers[i], errs[i] = p.Contacts(c.Context(), ask) })
	}
	group.Wait()
	taken := map[string]bool{}
	for i := range peers { // who is named first in the settings wins
		for _, contact := range answers[i] {
			if !taken[contact.Token] {
				more, taken[contact.Token] = append(more, contact), true
			}
		}
		if err == nil {
			err = errs[i]
		}
	}
	return more, err
}

// locateRemote is GET /v1/attachments/{id}?relay=. The client fetches from us, and the peer does not see who.
func (s *Server) locateRemote(c *endpoint.Call, relay string) (any, error) {
	if err := s.allow("attachments", s.limits.attachments, accountBucket(c)); err != nil {
		return nil, err
	}
	id, peer, err := s.relay(c.PathValue("id"), relay)
	if err != nil {
		return nil, err
	}
	if !isID(id) {
		return nil, endpoint.Refuse(http.StatusNotFound, "no such attachment")
	}
	if err := peer.HasAttachment(c.Context(), id, MaxAttachment); err != nil {
		return nil, err
	}
	return api.Location{Location: s.base(c.Request) + s.Peers.Location(peer.Name(), id, accountBucket(c))}, nil
}

func isID(text string) bool {
	id, err := strconv.ParseInt(text, 10, 64)
	return err == nil && id > 0
}

// resume is the one form of Range that goes to a peer.
var resume = regexp.MustCompile(`^bytes=(\d{1,10})-$`)

// downloadRemote is GET /v3/blobs/{relay}/{id}: it streams from the peer. Only locations that we gave out are good.
func (s *Server) downloadRemote(w http.ResponseWriter, r *http.Request) {
	const route = "GET /v3/blobs/{relay}/{id}"
	relay, id := r.PathValue("relay"), r.PathValue("id")
	peer, ok := s.Peers.Remote(relay)
	if !ok || !s.Peers.CheckLocation(relay, id, r.URL.Query()) {
		s.router.Write(w, r, route, endpoint.Refuse(http.StatusNotFound, "no such attachment, or the location has expired: ask for another"))
		return
	}
	var offset int64
	if m := resume.FindStringSubmatch(r.Header.Get("Range")); m != nil {
		offset, _ = strconv.ParseInt(m[1], 10, 64) // ten digits
	}
	blob, err := peer.Attachment(r.Context(), r.URL.Query().Get("for"), id, offset, MaxAttachment)
	if err != nil {
		s.router.Write(w, r, route, err)
		return
	}
	defer blob.Close()
	status := http.StatusOK
	h := w.Header()
	if offset > 0 {
		status = http.StatusPartialContent
		h.Set("Content-Range", "bytes "+strconv.FormatInt(offset, 10)+"-"+strconv.FormatInt(blob.Total-1, 10)+"/"+strconv.FormatInt(blob.Total, 10))
	}
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(blob.Total-offset, 10))
	h.Set("Accept-Ranges", "bytes")
	h.Set("Cache-Control", "private, immutable")
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute + time.Duration(blob.Total/slowest)*time.Second))
	w.WriteHeader(status)
	_, err = io.Copy(w, blob)
	s.Metrics.Answered(route, status)
	if err != nil {
		panic(http.ErrAbortHandler) // the only way to tell the client that it is not whole
	}
}
