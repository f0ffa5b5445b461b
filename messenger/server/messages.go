package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/countersign-project/countersign/messenger/directory"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/deliver"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// sendMessages is PUT /v1/messages/{destination}; the steps are those of 6.4.
func (s *Server) sendMessages(c *endpoint.Call) (any, error) {
	start := time.Now()
	destination := c.PathValue("destination")
	if err := s.allow("messages", s.limits.messages, accountBucket(c)+" "+destination); err != nil { // 1
		return nil, err
	}
	var body api.Messages
	if err := c.Decode(&body); err != nil {
		return nil, err
	}
	if !directory.ValidNumber(destination) && !strings.Contains(destination, "@") { // a channel of the seed gist (10.2), whatever its relay
		if err := s.sendToChannel(c, destination, &body); err != nil {
			return nil, err
		}
		return api.Sent{}, nil
	}
	destination, peer, err := s.address(destination, relaysOf(&body)...)
	if err != nil {
		return nil, err
	}
	if peer != nil {
		return s.forward(c, start, peer, destination, body)
	}
	to, err := s.destination(c, destination)
	if err != nil {
		return nil, err
	}
	devices, err := s.match(c.Caller.Device.Key, to, body.Messages)
	if err != nil {
		return nil, err
	}
	list := make([]outgoing, len(devices))
	for i, m := range body.Messages {
		list[i] = outgoing{device: devices[i], kind: m.Type, legacy: m.Body, content: m.Content}
	}
	if err := s.send(c.Context(), senderOf(c), list, body.Timestamp, !body.NoReceipt); err != nil {
		return nil, err
	}
	s.Metrics.Sent(time.Since(start))
	return api.Sent{NeedsSync: s.needsSync(c, to.Key)}, nil
}

// destination is step 2: an account that can be written to.
func (s *Server) destination(c *endpoint.Call, number string) (*store.Account, error) {
	if number == c.Caller.Account.Name {
		a := c.Caller.Account
		return &a, nil // one's other devices are reached while this one has no keys yet
	}
	a, err := s.Store.Account(c.Context(), number)
	if err != nil {
		return nil, err
	}
	if !s.activeAccount(&a) {
		return nil, store.ErrNotFound
	}
	return &a, nil
}

// recipients are the devices a message must address: the active ones, without the sender, in the order of their ids.
func (s *Server) recipients(from store.DeviceKey, to *store.Account) recipients {
	return slices.DeleteFunc(s.activeDevices(to), func(d store.Device) bool { return d.Key == from })
}

// match is steps 3 and 4. It returns the device of each message.
func (s *Server) match(from store.DeviceKey, to *store.Account, messages []api.Message) ([]store.Device, error) {
	devices := make([]store.Device, len(messages))
	addressed := make([]api.RecipientDevice, len(messages))
	for i, m := range messages {
		if err := checkType(m.Type); err != nil {
			return nil, err
		}
		id := m.DeviceID
		if id == 0 {
			id = store.MasterDevice // clients of before several devices
		}
		addressed[i] = api.RecipientDevice{ID: id, RegistrationID: m.RegistrationID}
	}
	want := s.recipients(from, to)
	if bad := compare(want, addressed); len(bad.MissingDevices)+len(bad.ExtraDevices) > 0 {
		return nil, endpoint.RefuseWith(http.StatusConflict, api.Mismatch{MissingDevices: bad.MissingDevices, ExtraDevices: bad.ExtraDevices})
	} else if len(bad.StaleDevices) > 0 {
		return nil, endpoint.RefuseWith(http.StatusGone, api.Stale{StaleDevices: bad.StaleDevices})
	}
	for i, a := range addressed {
		devices[i] = want[want.index(a.ID)]
	}
	return devices, nil
}

// checkType refuses what only servers send, and plaintext (7.3).
func checkType(t uint32) error {
	switch wire.EnvelopeType(t) {
	case wire.EnvelopePlaintext:
		return endpoint.Refuse(http.StatusBadRequest, "type 4 is plaintext, which nobody accepts")
	case wire.EnvelopeReceipt:
		return endpoint.Refuse(http.StatusBadRequest, "type 5 is a receipt, which servers make; PUT /v1/receipt asks for one")
	}
	return nil
}

// outgoing is one ciphertext for one device.
type outgoing struct {
	device          store.Device
	kind            uint32
	legacy, content []byte
}

// sender is who writes, as envelopes say it.
type sender struct {
	number string
	device int
	relay  string // of the server they live on; empty is this one
}

func senderOf(c *endpoint.Call) sender {
	return sender{number: c.Caller.Account.Name, device: c.Caller.Device.ID}
}

// send is step 5: it returns when each device has its envelope or the queue has it.
func (s *Server) send(ctx context.Context, from sender, list []outgoing, timestamp uint64, receipt bool) error {
	now := uint64(s.Now().UnixMilli())
	if timestamp == 0 {
		timestamp = now
	}
	e := wire.Envelope{Source: from.number, SourceDevice: uint32(from.device), Relay: from.relay, Timestamp: timestamp, ServerTimestamp: now}
	messages := make([]deliver.Message, len(list))
	for i, o := range list {
		e.Type, e.Legacy, e.Content, e.ServerGUID = wire.EnvelopeType(o.kind), o.legacy, o.content, ""
		g, err := s.guid(&e, o.device.Key)
		if err != nil {
			return err
		}
		e.ServerGUID = guidText(g)
		messages[i] = deliver.Message{Device: o.device.Key, GUID: g, Tag: tagOf(e.Source, timestamp), Body: coded(&e, receipt)}
	}
	return s.handOver(ctx, messages)
}

// handOver gives envelopes to deliver, and makes of its results what the sender is told.
func (s *Server) handOver(ctx context.Context, messages []deliver.Message) error {
	live, queued, rejected := 0, 0, 0
	var failed error
	for _, r := range s.Sender.Send(ctx, messages) {
		switch {
		case r.Live:
			live++
		case r.Err == nil:
			queued++
		case errors.Is(r.Err, store.ErrNotFound): // the device went away just now; its account's next 409 says so
		default:
			rejected++
			failed = r.Err
		}
	}
	s.Metrics.Envelopes("live", live)
	s.Metrics.Envelopes("queued", queued)
	s.Metrics.Envelopes("rejected", rejected)
	switch {
	case errors.Is(failed, store.ErrQueueFull):
		return queueFull()
	case errors.Is(failed, store.ErrTooLarge):
		return endpoint.Refuse(http.StatusRequestEntityTooLarge, "the message is too large: want at most %d bytes", store.MaxEnvelope)
	}
	return failed
}

func queueFull() error {
	return &endpoint.Refusal{Status: http.StatusTooManyRequests, Text: "the recipient's queue is full until they connect", Wait: time.Hour}
}

// needsSync tells a sender to let their other devices know (6.4).
func (s *Server) needsSync(c *endpoint.Call, to store.AccountKey) bool {
	return to != c.Caller.Account.Key && len(c.Caller.Account.Devices) > 1 && len(s.activeDevices(&c.Caller.Account)) > 1
}
