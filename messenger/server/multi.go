package server

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// maxRecipients bounds a group message.
const maxRecipients = 1000

// sendMulti is PUT /v3/messages: one ciphertext, made with a sender key (4), for all devices of many people. The server sees the members for a
// moment, which it would also see if they were written to one by one; it keeps no list.
func (s *Server) sendMulti(c *endpoint.Call) (any, error) {
	start := time.Now()
	var body api.Multi
	if err := c.Decode(&body); err != nil {
		return nil, err
	}
	if n := len(body.Recipients); n == 0 || n > maxRecipients {
		return nil, endpoint.Refuse(http.StatusUnprocessableEntity, "%d recipients, want 1 to %d", n, maxRecipients)
	}
	if err := checkType(body.Type); err != nil {
		return nil, err
	}
	if err := s.allowN("group messages", s.limits.multi, accountBucket(c), len(body.Recipients)); err != nil {
		return nil, err
	}
	list, answer, err := s.matchAll(c, &body)
	if err != nil {
		return nil, err
	}
	if err := s.send(c.Context(), senderOf(c), list, body.Timestamp, !body.NoReceipt); err != nil {
		return nil, err
	}
	s.Metrics.Sent(time.Since(start))
	return answer, nil
}

// matchAll finds the devices of all members. If anybody's are wrong, nothing is sent to anybody, and the answer has all that is wrong: status 409
// if a device is missing or too many, else 410.
func (s *Server) matchAll(c *endpoint.Call, body *api.Multi) ([]outgoing, api.MultiSent, error) {
	answer := api.MultiSent{Unregistered: []string{}, NeedsSync: s.needsSync(c, 0)}
	var wrong api.MultiMismatch
	var list []outgoing
	status, seen := http.StatusGone, map[store.AccountKey]bool{}
	for _, r := range body.Recipients {
		if strings.Contains(r.Number, "@") { // all or nobody cannot be kept over two servers
			return nil, answer, endpoint.Refuse(http.StatusUnprocessableEntity, "a recipient lives on another server: write to them with PUT /v1/messages/{number@server}")
		}
		to, err := s.destination(c, r.Number)
		if errors.Is(err, store.ErrNotFound) {
			answer.Unregistered = append(answer.Unregistered, r.Number)
			continue
		}
		if err != nil {
			return nil, answer, err
		}
		if seen[to.Key] {
			return nil, answer, endpoint.Refuse(http.StatusUnprocessableEntity, "a recipient is named twice")
		}
		seen[to.Key] = true
		want := s.recipients(c.Caller.Device.Key, to)
		bad := compare(want, r.Devices)
		bad.Number = r.Number
		if len(bad.MissingDevices)+len(bad.ExtraDevices) > 0 {
			status = http.StatusConflict
		}
		if len(bad.MissingDevices)+len(bad.ExtraDevices)+len(bad.StaleDevices) > 0 {
			wrong.Recipients = append(wrong.Recipients, bad)
			continue
		}
		for _, d := range r.Devices {
			list = append(list, outgoing{device: want[want.index(d.ID)], kind: body.Type, content: body.Content})
		}
	}
	if len(wrong.Recipients) > 0 {
		return nil, answer, endpoint.RefuseWith(status, wrong)
	}
	return list, answer, nil
}
