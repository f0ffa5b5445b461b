package server

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/countersign-project/countersign/messenger/server/deliver"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// sendReceipt is PUT /v1/receipt/{destination}/{timestamp} (6.4).
func (s *Server) sendReceipt(c *endpoint.Call) (any, error) {
	timestamp, err := strconv.ParseUint(c.PathValue("timestamp"), 10, 64)
	if err != nil {
		return nil, endpoint.Refuse(http.StatusBadRequest, "%.40q is not a timestamp", c.PathValue("timestamp"))
	}
	destination := c.PathValue("destination")
	if err := s.allow("messages", s.limits.messages, accountBucket(c)+" "+destination); err != nil {
		return nil, err
	}
	number, peer, err := s.address(destination, c.URL.Query().Get("relay"))
	if err != nil {
		return nil, err
	}
	if peer != nil {
		return nil, peer.Receipt(c.Context(), vouched(c.Caller.Account.Name, c.Caller.Device.ID), number, timestamp)
	}
	a, err := s.Store.Account(c.Context(), number)
	if err != nil {
		return nil, err
	}
	return nil, s.receipt(c.Context(), &a, senderOf(c), timestamp)
}

// receipt tells all devices of an account that a device has their message.
func (s *Server) receipt(ctx context.Context, to *store.Account, from sender, timestamp uint64) error {
	var messages []deliver.Message
	for _, d := range s.activeDevices(to) {
		e := wire.Envelope{Type: wire.EnvelopeReceipt, Source: from.number, SourceDevice: uint32(from.device), Relay: from.relay, Timestamp: timestamp,
			ServerTimestamp: uint64(s.Now().UnixMilli())}
		g, err := s.guid(&e, d.Key)
		if err != nil {
			return err
		}
		e.ServerGUID = guidText(g)
		messages = append(messages, deliver.Message{Device: d.Key, GUID: g, Tag: tagOf(e.Source, timestamp), Body: coded(&e, false)})
	}
	for _, r := range s.Sender.Send(ctx, messages) {
		if r.Err != nil && !errors.Is(r.Err, store.ErrNotFound) && !errors.Is(r.Err, store.ErrQueueFull) { // a full queue has worse to lose
			return r.Err
		}
	}
	return nil
}

// receiptsAtOnce bounds the receipts under way. Above it they are not sent: they are a convenience, and prove nothing.
const receiptsAtOnce = 4096

// acknowledged sends the receipt for an envelope that a device has, if its sender wants one. It does not wait.
func (s *Server) acknowledged(body []byte, from endpoint.Identity) {
	b, wanted, err := decoded(body)
	if err != nil || !wanted {
		return
	}
	select {
	case s.receipts <- struct{}{}:
	default:
		s.Metrics.Limited("receipts at once")
		return
	}
	go func() {
		defer func() { <-s.receipts }()
		if err := s.receiptFor(b, from); err != nil {
			s.Log.Warn("receipt not sent", "error", err)
		}
	}()
}

func (s *Server) receiptFor(envelope []byte, from endpoint.Identity) error {
	e, err := wire.ParseEnvelope(envelope)
	if err != nil {
		return err
	}
	if e.Relay != "" {
		if peer, ok := s.Peers.Remote(e.Relay); ok { // one that our operator has dropped meanwhile gets none
			peer.ReceiptLater(vouched(from.Name, from.ID), e.Source, e.Timestamp)
		}
		return nil
	}
	ctx := context.Background() // the connection may be over
	a, err := s.Store.Account(ctx, e.Source)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.receipt(ctx, &a, sender{number: from.Name, device: from.ID}, e.Timestamp)
}
