package server

import (
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// send2013 is POST and PUT /v1/messages: the form of December 2013, in which each message names its destination (6.4). It knows no 409: what
// could not be sent, and which devices were forgotten, is in the answer. A device is named like a login: the number, and "." and the id from 2 on.
func (s *Server) send2013(c *endpoint.Call) (any, error) {
	var body api.Messages
	if err := c.Decode(&body); err != nil {
		return nil, err
	}
	answer := api.Sent2013{Success: []string{}, Failure: []string{}, MissingDeviceIDs: []string{}}
	to, order := map[string][]api.Message{}, []string{}
	for _, m := range body.Messages {
		if err := checkType(m.Type); err != nil {
			return nil, err
		}
		if _, known := to[m.Destination]; !known {
			order = append(order, m.Destination)
		}
		to[m.Destination] = append(to[m.Destination], m)
	}
	for _, destination := range order {
		if err := s.allow("messages", s.limits.messages, accountBucket(c)+" "+destination); err != nil {
			return nil, err
		}
		missing, err := s.sendOld(c, destination, to[destination])
		switch refused := (*endpoint.Refusal)(nil); {
		case err == nil:
			answer.Success = append(answer.Success, destination)
		case errors.Is(err, store.ErrNotFound), errors.As(err, &refused):
			answer.Failure = append(answer.Failure, destination)
		default:
			return nil, err
		}
		answer.MissingDeviceIDs = append(answer.MissingDeviceIDs, missing...)
	}
	return answer, nil
}

// sendOld sends to one destination what can be sent, and names its devices that nobody thought of.
func (s *Server) sendOld(c *endpoint.Call, destination string, messages []api.Message) (missing []string, err error) {
	a, err := s.destination(c, destination)
	if err != nil {
		return nil, err
	}
	want := s.recipients(c.Caller.Device.Key, a)
	var list []outgoing
	var timestamp uint64
	for _, m := range messages {
		id := max(m.DeviceID, store.MasterDevice)
		at := want.index(id)
		if m.Relay != "" || at < 0 {
			return nil, endpoint.Refuse(http.StatusNotFound, "no such device")
		}
		list, timestamp = append(list, outgoing{device: want[at], kind: m.Type, legacy: m.Body, content: m.Content}), m.Timestamp
		want = slices.Delete(want, at, at+1)
	}
	for _, d := range want {
		missing = append(missing, loginOf(destination, d.ID))
	}
	slices.Sort(missing)
	return missing, s.send(c.Context(), senderOf(c), list, timestamp, true)
}

// loginOf names a device as logins do.
func loginOf(number string, device int) string {
	if device == store.MasterDevice {
		return number
	}
	return number + "." + strconv.Itoa(device)
}
