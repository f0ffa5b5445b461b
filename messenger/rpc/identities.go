package rpc

import (
	"fmt"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/session"
)

// Identity is a contact's key, in signal-cli's shape.
type Identity struct {
	Number string `json:"number"`
	// TrustLevel is TRUSTED_UNVERIFIED, TRUSTED_VERIFIED, or UNTRUSTED while nothing is sent.
	TrustLevel   string `json:"trustLevel"`
	SafetyNumber string `json:"safetyNumber"`
	Fingerprint  string `json:"fingerprint"`
	Added        int64  `json:"addedTimestamp"`
	Scannable    []byte `json:"scannableSafetyNumber"`
	// Ours: who has introduced an unverified contact by this key, and who by another one, so that nothing is sent.
	Introduced *client.IntroducedBy `json:"introduced,omitempty"`
	Doubt      string               `json:"doubt,omitempty"`
}

func (c *conn) listIdentities(p struct {
	Number    string `json:"number"`
	Recipient texts  `json:"recipient"`
}) (any, error) {
	names := p.Recipient
	if p.Number != "" {
		names = append(names, p.Number)
	}
	if len(names) == 0 {
		list, err := c.Account.Contacts(c.ctx)
		if err != nil {
			return nil, err
		}
		for _, k := range list {
			if k.Devices > 0 {
				names = append(names, k.Number)
			}
		}
	}
	out := []Identity{}
	for _, n := range names {
		to, err := c.Account.Resolve(c.ctx, n)
		if err != nil {
			return nil, err
		}
		s, err := c.Account.Safety(c.ctx, to)
		if err != nil {
			return nil, err
		}
		level := "TRUSTED_UNVERIFIED"
		switch {
		case s.Trust == session.Changed || s.Held:
			level = "UNTRUSTED"
		case s.Trust == session.Verified:
			level = "TRUSTED_VERIFIED"
		}
		out = append(out, Identity{to, level, s.Digits, fmt.Sprintf("%x", s.Key), s.Since, s.Code, s.Introduced, s.Doubt})
	}
	return out, nil
}

// trust verifies a contact by the safety number the caller has compared, or accepts the present key without (trustAllKnownKeys).
func (c *conn) trust(p struct {
	target
	Number    string `json:"verifiedSafetyNumber"`
	All       bool   `json:"trustAllKnownKeys"`
	NoVouch   bool   `json:"unverify"` // ours
	Scanned   []byte `json:"scanned"`  // ours: the bytes of the QR code that the other one shows
	SafetyOld string `json:"verifiedFingerprint"`
}) (any, error) {
	who, err := c.conversation(p.target)
	if err != nil {
		return nil, err
	}
	if p.All {
		return nil, c.Account.AcceptKey(c.ctx, who)
	}
	s, err := c.Account.Safety(c.ctx, who)
	if err != nil {
		return nil, err
	}
	if p.NoVouch {
		return nil, c.Account.SetVerified(c.ctx, s, false)
	}
	if p.Number == "" {
		p.Number = p.SafetyOld
	}
	compare := func() error { return s.Compare(p.Number) }
	if len(p.Scanned) > 0 {
		compare = func() error { return s.CompareScanned(p.Scanned) }
	}
	if err := compare(); err != nil {
		return nil, err
	}
	return nil, c.Account.SetVerified(c.ctx, s, true)
}

// introduce tells two verified contacts each other's keys.
func (c *conn) introduce(p target) (any, error) {
	who, err := c.conversations(p)
	if err != nil {
		return nil, err
	}
	if len(who) != 2 {
		return nil, userError("%d recipients, want the two who are to be introduced to each other", len(who))
	}
	return nil, c.Account.Introduce(c.ctx, who[0], who[1])
}
