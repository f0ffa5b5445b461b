// Package verify brings a registration code to whoever holds a telephone number (6.1): through an SMS gateway's web hook, or, on a developer's
// own machine, by showing it.
//
// The gateway learns numbers and codes, so it can register any number in its reach: choose it like a telephone company. Without a verifier
// nobody can register a number of their own choice, and invites are the way in.
package verify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Transports by which a code can travel.
const (
	SMS   = "sms"
	Voice = "voice"
	Dev   = "dev"
)

// Delivery is one code on its way.
type Delivery struct {
	Transport string // SMS, Voice or Dev
	Number    string // E.164
	Code      string // six digits
	Client    string // "android-2015-03" and the like, or empty
}

// Verifier brings codes to people.
type Verifier interface {
	// Knows tells whether codes can travel by that transport.
	Knows(transport string) bool
	// Send returns when the code is on its way.
	Send(ctx context.Context, d Delivery) error
}

// NewCode draws a code of six digits, uniform in 100000…999999 (6.1).
func NewCode(random io.Reader) (string, error) {
	n, err := rand.Int(random, big.NewInt(900_000))
	if err != nil {
		return "", fmt.Errorf("random number for a code: %w", err)
	}
	return strconv.FormatInt(n.Int64()+100_000, 10), nil
}

// Spoken writes a code as SMS texts show it: XXX-XXX.
func Spoken(code string) string { return code[:3] + "-" + code[3:] }

// None sends nothing: registration is by invite only.
type None struct{}

// Knows implements Verifier.
func (None) Knows(string) bool { return false }

// Send implements Verifier.
func (None) Send(context.Context, Delivery) error { return fmt.Errorf("this server has no verifier") }

// Developer shows codes to whoever asks: in the answer to a request by Dev, and otherwise by Show. messengerd starts with it only by an explicit flag on a
// loopback address.
type Developer struct {
	Show func(Delivery) // nil: only Dev is known
}

// Knows implements Verifier.
func (v Developer) Knows(transport string) bool {
	return transport == Dev || v.Show != nil && (transport == SMS || transport == Voice)
}

// Send implements Verifier.
func (v Developer) Send(_ context.Context, d Delivery) error {
	if d.Transport != Dev {
		v.Show(d)
	}
	return nil
}

// Webhook posts {"transport", "number", "code", "text", "client"} as JSON to a gateway. The header X-Countersign-Signature is "t=" ‖ Unix
// seconds ‖ ",v1=" ‖ hex of HMAC-SHA256(secret, seconds ‖ "." ‖ body), so that the gateway can tell us from others and a
// replay from the first time. Any status from 200 to 299 means the code is on its way.
type Webhook struct {
	url    string
	secret []byte
	client *http.Client
	now    func() time.Time
}

// NewWebhook checks the URL: https, or http on loopback, where a gateway of one's own may be. The transport is the caller's network.
func NewWebhook(address string, secret []byte, transport http.RoundTripper, now func() time.Time) (*Webhook, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("web hook %q: want an https URL", address)
	}
	if host := u.Hostname(); u.Scheme == "http" && host != "127.0.0.1" && host != "::1" && host != "localhost" {
		return nil, fmt.Errorf("web hook %q: codes would cross the network in the clear; want https", address)
	}
	if len(secret) < 16 {
		return nil, fmt.Errorf("web hook secret: %d bytes, want at least 16", len(secret))
	}
	return &Webhook{url: address, secret: secret, now: now, client: &http.Client{
		Transport: transport, Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Knows implements Verifier.
func (*Webhook) Knows(transport string) bool { return transport == SMS || transport == Voice }

// Send implements Verifier. Its error names neither number nor code.
func (h *Webhook) Send(ctx context.Context, d Delivery) error {
	body, err := json.Marshal(map[string]string{
		"transport": d.Transport, "number": d.Number, "code": d.Code, "client": d.Client,
		"text": "Your verification code: " + Spoken(d.Code),
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Countersign-Signature", Sign(h.secret, h.now(), body))
	resp, err := h.client.Do(req)
	if err != nil {
		return fmt.Errorf("sms gateway: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<10)) // so that the connection can be used again
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("sms gateway: %s", resp.Status)
	}
	return nil
}

// Sign returns the signature header of a body.
func Sign(secret []byte, at time.Time, body []byte) string {
	m := hmac.New(sha256.New, secret)
	fmt.Fprintf(m, "%d.", at.Unix())
	m.Write(body)
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(m.Sum(nil)))
}
