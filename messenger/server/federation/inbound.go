package federation

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/countersign-project/countersign/messenger/directory"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Sizes of bodies. A message of a client, written again, may have grown by what the client left out.
const (
	messageBody  = wire.MaxFrame + 64<<10
	contactsBody = 256 << 10
	maxContacts  = 10_000
	slowest      = 8 << 10 // bytes a second, below which a download is cut after a minute of grace
)

// inbound answers one peer.
type inbound struct {
	node   *Node
	peer   string
	local  Local
	meter  *meter
	router *endpoint.Router
}

func newInbound(n *Node, p Peer, local Local) *inbound {
	in := &inbound{node: n, peer: p.Name, local: local, meter: newMeter(p.Name, p.Limits, n.Now, n.Counters)}
	in.router = endpoint.NewRouter(in.routes(), nil)
	in.router.Done = func(route string, status int) { n.Counters.Federated(p.Name, "in", route, strconv.Itoa(status)) }
	if n.Failed != nil {
		in.router.Failed = n.Failed
	}
	return in
}

// routes is the table of what a peer may ask; openapi.json says the same.
func (in *inbound) routes() []endpoint.Route {
	const get, put = http.MethodGet, http.MethodPut
	return []endpoint.Route{
		{Method: get, Path: "/v2/federation/key/{number}/{device}", Handle: in.keys},
		{Method: put, Path: "/v1/federation/messages/{source}/{sourceDevice}/{destination}", Body: messageBody, Handle: in.message},
		{Method: put, Path: "/v1/federation/receipt/{source}/{sourceDevice}/{destination}/{timestamp}", Handle: in.receipt},
		{Method: get, Path: "/v3/federation/attachments/{id}", Direct: in.attachment},
		{Method: put, Path: "/v3/federation/directory", Body: contactsBody, Handle: in.contacts},
		{Method: get, Path: "/v3/federation/profile/{number}", Handle: in.profile},
		{Method: get, Path: "/v3/federation/devices/{number}", Handle: in.deviceList},
		{Method: get, Path: "/v3/federation/usernames/{name}", Handle: in.username},
		{Method: get, Path: "/v3/federation/hello", Handle: in.hello},
	}
}

// ServeHTTP counts the request against the peer's limits before anything of it is read.
func (in *inbound) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	leave, err := in.meter.enter(r.ContentLength)
	if err != nil {
		w.Header().Set("Connection", "close") // the body is not read
		in.router.Write(w, r, "limits", err)
		return
	}
	defer leave()
	in.router.ServeHTTP(w, r)
}

func (in *inbound) keys(c *endpoint.Call) (any, error) {
	number, device := c.PathValue("number"), c.PathValue("device")
	if id, err := strconv.Atoi(device); !directory.ValidNumber(number) || device != "*" && (err != nil || id < 1 || id > maxDevice) {
		return nil, endpoint.Refuse(http.StatusBadRequest, "want a number, and a device or *")
	}
	return in.local.PeerKeys(c.Context(), in.peer, number, device)
}

// from reads who writes, of whom we know only which server vouches for them.
func (in *inbound) from(c *endpoint.Call) (f From, destination string, err error) {
	device, err := strconv.ParseUint(c.PathValue("sourceDevice"), 10, 32)
	f = From{c.PathValue("source"), uint32(device)}
	if err == nil {
		err = f.check()
	}
	if destination = c.PathValue("destination"); err == nil && !directory.ValidNumber(destination) {
		err = fmt.Errorf("%.20q is not a number", destination)
	}
	if err != nil {
		return f, "", endpoint.Refuse(http.StatusBadRequest, "%v", err)
	}
	return f, destination, nil
}

// message is PUT /v1/federation/messages/…. Whatever the body says of relays is cleared (8).
func (in *inbound) message(c *endpoint.Call) (any, error) {
	from, destination, err := in.from(c)
	if err != nil {
		return nil, err
	}
	var m api.Messages
	if err := decode(c.Body, messageBody, &m); err != nil {
		return nil, in.refuseBody(err)
	}
	if m.Timestamp == 0 || len(m.Messages) > maxDevice {
		return nil, endpoint.Refuse(http.StatusUnprocessableEntity, "want a timestamp and at most %d messages", maxDevice)
	}
	m.Relay = ""
	for i := range m.Messages {
		m.Messages[i].Relay = ""
	}
	if err := in.local.PeerMessage(c.Context(), in.peer, from, destination, m); err != nil {
		return nil, err
	}
	return api.Sent{}, nil
}

func (*inbound) refuseBody(err error) error {
	if errors.Is(err, api.ErrTooLarge) {
		return endpoint.Refuse(http.StatusRequestEntityTooLarge, "%v", err)
	}
	return endpoint.Refuse(http.StatusUnprocessableEntity, "%v", err)
}

func (in *inbound) receipt(c *endpoint.Call) (any, error) {
	from, destination, err := in.from(c)
	if err != nil {
		return nil, err
	}
	timestamp, err := strconv.ParseUint(c.PathValue("timestamp"), 10, 64)
	if err != nil {
		return nil, endpoint.Refuse(http.StatusBadRequest, "%.40q is not a timestamp", c.PathValue("timestamp"))
	}
	return nil, in.local.PeerReceipt(c.Context(), in.peer, from, destination, timestamp)
}

// attachment streams a whole attachment, or from where a Range begins. Every download counts in full against the peer's bytes.
func (in *inbound) attachment(w http.ResponseWriter, r *http.Request) {
	const route = "GET /v3/federation/attachments/{id}"
	f, size, err := in.local.PeerAttachment(r.Context(), r.PathValue("id"))
	if err != nil {
		in.router.Write(w, r, route, err)
		return
	}
	defer f.Close()
	if r.Method != http.MethodHead {
		if err := in.meter.bytes(size); err != nil {
			in.router.Write(w, r, route, err)
			return
		}
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute + time.Duration(size/slowest)*time.Second))
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, f)
	in.router.Done(route, http.StatusOK)
}

func (in *inbound) contacts(c *endpoint.Call) (any, error) {
	var body api.Tokens
	if err := decode(c.Body, contactsBody, &body); err != nil {
		return nil, in.refuseBody(err)
	}
	if len(body.Contacts) > maxContacts {
		return nil, endpoint.Refuse(http.StatusRequestEntityTooLarge, "%d tokens, want at most %d at once", len(body.Contacts), maxContacts)
	}
	found, err := in.local.PeerContacts(c.Context(), in.peer, body.Contacts)
	return api.Contacts{Contacts: found}, err
}

func (in *inbound) profile(c *endpoint.Call) (any, error) {
	return in.local.PeerProfile(c.Context(), in.peer, c.PathValue("number"))
}

func (in *inbound) deviceList(c *endpoint.Call) (any, error) {
	return in.local.PeerDeviceList(c.Context(), in.peer, c.PathValue("number"))
}

func (in *inbound) username(c *endpoint.Call) (any, error) {
	return in.local.PeerUsername(c.Context(), in.peer, c.PathValue("name"))
}

// Hello is how two servers tell each other by which names they go.
type Hello struct {
	Name string `json:"name"` // of the server that answers
	You  string `json:"you"`  // what it calls the one that asks
}

func (in *inbound) hello(*endpoint.Call) (any, error) {
	return Hello{Name: in.node.Name, You: in.peer}, nil
}
