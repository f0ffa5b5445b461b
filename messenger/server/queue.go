package server

import (
	"net/http"
	"strconv"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// queued is GET /v1/messages: the oldest hundred (6.4), for clients without websocket.
func (s *Server) queued(c *endpoint.Call) (any, error) {
	page, err := s.Store.Page(c.Context(), c.Caller.Device.Key, 0, store.MaxPage)
	if err != nil {
		return nil, err
	}
	answer := api.Queued{Messages: []api.Envelope{}}
	for _, stored := range page {
		e, err := envelopeOf(stored)
		if err != nil {
			return nil, err
		}
		answer.Messages = append(answer.Messages, api.Envelope{Type: uint32(e.Type), Relay: e.Relay, Timestamp: e.Timestamp, Source: e.Source,
			SourceDevice: e.SourceDevice, Message: e.Legacy, Content: e.Content, GUID: e.ServerGUID})
	}
	if len(page) > 0 {
		next, err := s.Store.Page(c.Context(), c.Caller.Device.Key, page[len(page)-1].ID, 1)
		if err != nil {
			return nil, err
		}
		answer.More = len(next) > 0
	}
	return answer, nil
}

func envelopeOf(stored store.Envelope) (wire.Envelope, error) {
	b, _, err := decoded(stored.Body)
	if err != nil {
		return wire.Envelope{}, err
	}
	return wire.ParseEnvelope(b)
}

// acknowledge is DELETE /v1/messages/{source}/{timestamp}: what has come is removed, and its sender told. relay, if given, must be the envelope's.
func (s *Server) acknowledge(c *endpoint.Call) (any, error) {
	source := c.PathValue("source")
	timestamp, err := strconv.ParseUint(c.PathValue("timestamp"), 10, 64)
	if err != nil {
		return nil, endpoint.Refuse(http.StatusBadRequest, "%.40q is not a timestamp", c.PathValue("timestamp"))
	}
	device, relay := c.Caller.Device.Key, c.URL.Query().Get("relay")
	list, err := s.Store.Tagged(c.Context(), device, tagOf(source, timestamp))
	if err != nil {
		return nil, err
	}
	for _, stored := range list {
		e, err := envelopeOf(stored)
		if err != nil || e.Source != source || e.Timestamp != timestamp || relay != "" && e.Relay != relay { // tags are hashes
			continue
		}
		n, err := s.Store.Ack(c.Context(), device, []int64{stored.ID})
		if err != nil {
			return nil, err
		}
		if n > 0 {
			s.acknowledged(stored.Body, c.Caller.Identity())
		}
	}
	return nil, nil
}
