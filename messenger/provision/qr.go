package provision

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
)

// Code is what the new device shows as a QR code.
type Code struct {
	Address string      // where the envelope goes: the provisioning address, or the draft's channel
	Key     keys.Public // ephemeral, of the new device
	Server  string      // draft only
	Draft   bool        // which codec it wants
}

// Schemes of the codes.
const (
	schemeShipped = "tsdevice"
	schemeToday   = "sgnl"
	schemeDraft   = "textsecure-device-init"
)

// maxCode is more than a QR code of this kind ever holds.
const maxCode = 1024

// String returns the text of the QR code.
func (c Code) String() string {
	q := url.Values{}
	key := base64.RawStdEncoding.EncodeToString(c.Key.Bytes())
	if c.Draft {
		q.Set("channel_uuid", c.Address)
		q.Set("channel_server", c.Server)
		q.Set("publicKey", key)
		return schemeDraft + ":/?" + q.Encode()
	}
	q.Set("uuid", c.Address)
	q.Set("pub_key", key)
	return schemeShipped + ":/?" + q.Encode()
}

// ParseCode reads a scanned text: tsdevice:/?uuid=…&pub_key=…, today's sgnl://linkdevice?…, or the draft's.
func ParseCode(text string) (Code, error) {
	var c Code
	if len(text) > maxCode {
		return c, refusal.Because(refusal.InvalidMessage, "device code of %d characters, want at most %d", len(text), maxCode)
	}
	u, err := url.Parse(text)
	if err != nil {
		return c, refusal.Because(refusal.InvalidMessage, "device code is not a link")
	}
	q := u.Query()
	key := q.Get("pub_key")
	switch {
	case u.Scheme == schemeShipped, u.Scheme == schemeToday && u.Host == "linkdevice":
		c.Address = q.Get("uuid")
	case u.Scheme == schemeDraft:
		c.Draft, c.Address, c.Server, key = true, q.Get("channel_uuid"), q.Get("channel_server"), q.Get("publicKey")
	default:
		return c, refusal.Because(refusal.InvalidMessage, "device code with scheme %q", u.Scheme)
	}
	if c.Address == "" {
		return c, refusal.Because(refusal.InvalidMessage, "device code without an address")
	}
	// A plus sign that was not escaped arrives as a blank; some peers pad.
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.ReplaceAll(key, " ", "+"), "="))
	if err != nil {
		return c, refusal.Because(refusal.InvalidKey, "device code: key is not base64")
	}
	c.Key, err = keys.ParsePublic(b)
	return c, err
}
