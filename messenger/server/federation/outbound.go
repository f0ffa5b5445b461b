package federation

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
)

// Sizes of answers.
const (
	smallAnswer    = 16 << 10
	keysAnswer     = 1 << 20
	contactsAnswer = 1 << 20
)

func marshal(v any) ([]byte, error) { return json.Marshal(v) }

// Keys fetches prekeys of one device, or with "*" of all (6.3).
func (r *Remote) Keys(ctx context.Context, number, device string) (b api.BundlesV3, err error) {
	q := question{method: http.MethodGet, route: "/v2/federation/key", path: "/v2/federation/key/" + url.PathEscape(number) + "/" + url.PathEscape(device), limit: keysAnswer, into: &b}
	err = r.get(ctx, q, func() error { return checkBundles(&b, device) })
	return b, err
}

// Send forwards a message, and returns nil when the peer answered that it has it. The body's relays must be empty and its timestamp set. 409 and
// 410 are passed on when they can be true of what was sent.
func (r *Remote) Send(ctx context.Context, from From, destination string, m api.Messages) error {
	q := question{method: http.MethodPut, route: "/v1/federation/messages", body: m, limit: smallAnswer,
		path: "/v1/federation/messages/" + from.path() + "/" + url.PathEscape(destination)}
	a, err := r.ask(ctx, q)
	if err != nil {
		return err
	}
	switch a.status {
	case http.StatusOK, http.StatusNoContent:
		return nil
	case http.StatusConflict:
		bad, err := parseMismatch(a.body, m.Messages)
		if err != nil {
			return r.nonsense(q)
		}
		return endpoint.RefuseWith(http.StatusConflict, bad)
	case http.StatusGone:
		bad, err := parseStale(a.body, m.Messages)
		if err != nil {
			return r.nonsense(q)
		}
		return endpoint.RefuseWith(http.StatusGone, bad)
	}
	return r.refused(q, a)
}

func (f From) path() string {
	return url.PathEscape(f.Number) + "/" + strconv.FormatUint(uint64(f.Device), 10)
}

// Receipt tells the sender of a message, who lives on the peer, that a device here has it.
func (r *Remote) Receipt(ctx context.Context, from From, destination string, timestamp uint64) error {
	q := question{method: http.MethodPut, route: "/v1/federation/receipt", limit: smallAnswer,
		path: "/v1/federation/receipt/" + from.path() + "/" + url.PathEscape(destination) + "/" + strconv.FormatUint(timestamp, 10)}
	a, err := r.ask(ctx, q)
	if err != nil || a.status == http.StatusNoContent || a.status == http.StatusOK {
		return err
	}
	return r.refused(q, a)
}

// Contacts asks which of the tokens belong to somebody on the peer (6.6). The answers name the peer as relay.
func (r *Remote) Contacts(ctx context.Context, tokens []string) ([]api.Contact, error) {
	var c api.Contacts
	q := question{method: http.MethodPut, route: "/v3/federation/directory", path: "/v3/federation/directory", body: api.Tokens{Contacts: tokens}, limit: contactsAnswer, into: &c}
	if err := r.get(ctx, q, func() error { return checkContacts(c.Contacts, tokens) }); err != nil {
		return nil, err
	}
	for i := range c.Contacts {
		c.Contacts[i].Relay = r.peer.Name
	}
	return c.Contacts, nil
}

// Profile looks somebody up (6.7).
func (r *Remote) Profile(ctx context.Context, number string) (p api.Profile, err error) {
	q := question{method: http.MethodGet, route: "/v3/federation/profile", path: "/v3/federation/profile/" + url.PathEscape(number), limit: smallAnswer, into: &p}
	err = r.get(ctx, q, func() error { return checkProfile(&p) })
	return p, err
}

// DeviceList fetches an account's signed list of devices.
func (r *Remote) DeviceList(ctx context.Context, number string) (l api.DeviceList, err error) {
	q := question{method: http.MethodGet, route: "/v3/federation/devices", path: "/v3/federation/devices/" + url.PathEscape(number), limit: smallAnswer, into: &l}
	err = r.get(ctx, q, func() error { return checkDeviceList(&l) })
	return l, err
}

// Username finds the number behind a username. The answer is an address: number@peer.
func (r *Remote) Username(ctx context.Context, name string) (u api.Username, err error) {
	q := question{method: http.MethodGet, route: "/v3/federation/usernames", path: "/v3/federation/usernames/" + url.PathEscape(name), limit: smallAnswer, into: &u}
	err = r.get(ctx, q, func() error { return checkUsername(u) })
	u.Number += "@" + r.peer.Name
	return u, err
}

func parseMismatch(body []byte, sent []api.Message) (m api.Mismatch, err error) {
	if err = decode(bytes.NewReader(body), smallAnswer, &m); err == nil {
		err = checkMismatch(&m, sent)
	}
	return m, err
}

func parseStale(body []byte, sent []api.Message) (s api.Stale, err error) {
	if err = decode(bytes.NewReader(body), smallAnswer, &s); err == nil {
		err = checkStale(&s, sent)
	}
	return s, err
}
