package server

import (
	"errors"
	"net/http"
	"time"

	"github.com/countersign-project/countersign/messenger/directory"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/server/verify"
	"github.com/countersign-project/countersign/messenger/signaling"
)

// codeLifetime is how long a registration code is good for.
const codeLifetime = 10 * time.Minute

// requestCode is GET /v1/accounts/{transport}/code/{number}.
func (s *Server) requestCode(c *endpoint.Call) (any, error) {
	number, transport := c.PathValue("number"), c.PathValue("transport")
	if !directory.ValidNumber(number) {
		return nil, endpoint.Refuse(http.StatusBadRequest, "%.20q is not a number of the form +14155550100", number)
	}
	if !s.Verifier.Knows(transport) {
		return nil, endpoint.Refuse(http.StatusUnprocessableEntity, "this server sends no codes by %.10q; ask its operator for an invite", transport)
	}
	if err := s.allow("registrations of a source", s.limits.strangers, s.source(c.Request)); err != nil {
		return nil, err
	}
	bucket := s.limits.sms
	if transport == verify.Voice {
		bucket = s.limits.voice
	}
	if err := s.allow(transport, bucket, number); err != nil {
		return nil, err
	}
	code, err := verify.NewCode(s.Rand)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	switch err := s.Store.PutCode(c.Context(), store.CodeRegister, number, code, now, now.Add(codeLifetime)); {
	case errors.Is(err, store.ErrWrongCode): // guessed at too often; the old code's life ends this
		return nil, endpoint.TooMany(codeLifetime)
	case err != nil:
		return nil, err
	}
	client := c.URL.Query().Get("client")
	if len(client) > 40 {
		client = client[:40]
	}
	err = s.Verifier.Send(c.Context(), verify.Delivery{Transport: transport, Number: number, Code: code, Client: client})
	switch {
	case err != nil:
		s.Log.Warn("code not sent", "error", err)
		return nil, endpoint.Refuse(http.StatusBadGateway, "the code could not be sent; try again later")
	case transport == verify.Dev:
		return endpoint.Text(verify.Spoken(code)), nil // the Go peer reads these 7 bytes (6.1)
	}
	return nil, nil
}

// register is PUT /v1/accounts/code/{code}.
func (s *Server) register(c *endpoint.Call) (any, error) {
	cred, err := fresh(c.Request, true)
	if err != nil {
		return nil, err
	}
	if err := s.allow("verify", s.limits.verify, cred.number); err != nil {
		return nil, err
	}
	var body api.AccountAttributes
	attributes, err := s.attributes(c, &body, &body)
	if err != nil {
		return nil, err
	}
	code := digits(c.PathValue("code"))
	if err := s.checkCode(c, cred.number, code); err != nil {
		return nil, err
	}
	if err := s.checkPin(c, cred.number, body.Pin); err != nil {
		return nil, err
	}
	_, err = s.create(c, store.Registration{Name: cred.number, Pin: body.Pin, Attributes: attributes, Code: code}, cred.password)
	if err == nil {
		s.limits.verify.Forget(cred.number)
	}
	return nil, err
}

// digits drops what people put between them: codes are shown as XXX-XXX.
func digits(code string) string {
	if len(code) == 7 && code[3] == '-' {
		return code[:3] + code[4:]
	}
	return code
}

func (s *Server) checkCode(c *endpoint.Call, number, code string) error {
	err := s.Store.CheckCode(c.Context(), store.CodeRegister, number, code, s.Now())
	if errors.Is(err, store.ErrWrongCode) {
		s.Metrics.Limited("wrong code")
		return wrongCode()
	}
	return err
}

func wrongCode() error {
	return endpoint.Refuse(http.StatusForbidden, "wrong code, or one that has expired")
}

// pinLife is for how long after the last contact a registration lock holds, so that a number that went to somebody else is not lost to them.
const pinLife = 7

// checkPin refuses to take over an account with a registration lock.
func (s *Server) checkPin(c *endpoint.Call, number, pin string) error {
	a, err := s.Store.Account(c.Context(), number)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil || a.Pin == "" || store.DayOf(s.Now())-a.Seen > pinLife {
		return err
	}
	if pin == "" {
		return endpoint.Refuse(http.StatusLocked, "the account has a registration lock: its PIN is needed")
	}
	if err := s.allow("registration lock", s.limits.pins, number); err != nil {
		return err
	}
	if !equalText(a.Pin, pin) {
		return endpoint.Refuse(http.StatusLocked, "wrong PIN of the registration lock")
	}
	s.limits.pins.Forget(number)
	return nil
}

// create makes the account or takes it over, and ends the connections of the devices that are gone.
func (s *Server) create(c *endpoint.Call, r store.Registration, password string) (store.Account, error) {
	secret, err := NewSecret(password, s.Rand)
	if err != nil {
		return store.Account{}, err
	}
	r.Secret, r.Now = secret, s.Now()
	a, gone, err := s.Store.Register(c.Context(), r)
	switch {
	case errors.Is(err, store.ErrWrongCode):
		return a, wrongCode()
	case errors.Is(err, store.ErrInvite):
		return a, endpoint.Refuse(http.StatusForbidden, "the invite is unknown, used up or expired")
	case err != nil:
		return a, err
	}
	s.Metrics.Registered()
	s.disconnect(gone)
	return a, nil
}

// attributes reads a body that has AccountAttributes in it.
func (s *Server) attributes(c *endpoint.Call, body any, a *api.AccountAttributes) (store.Attributes, error) {
	if err := c.Decode(body); err != nil {
		return store.Attributes{}, err
	}
	switch {
	case len(a.SignalingKey) != 0 && len(a.SignalingKey) != signaling.KeySize:
		return store.Attributes{}, endpoint.Refuse(http.StatusUnprocessableEntity, "signalingKey has %d bytes, want %d", len(a.SignalingKey), signaling.KeySize)
	case len(a.Name) > 400:
		return store.Attributes{}, endpoint.Refuse(http.StatusUnprocessableEntity, "name has %d bytes, want at most 400", len(a.Name))
	case len(a.Pin) > 100:
		return store.Attributes{}, endpoint.Refuse(http.StatusUnprocessableEntity, "pin has %d bytes, want at most 100", len(a.Pin))
	case a.RegistrationID > 0x3fff:
		return store.Attributes{}, endpoint.Refuse(http.StatusUnprocessableEntity, "registrationId is %d, want at most 16383", a.RegistrationID)
	}
	return store.Attributes{
		Name: a.Name, RegistrationID: a.RegistrationID, SignalingKey: a.SignalingKey, FetchesMessages: a.FetchesMessages, Voice: a.Voice, Video: a.Video,
		SPQR: a.Capabilities.SPQR, SenderKeys: a.Capabilities.SenderKeys,
	}, nil
}

// setAttributes is PUT /v1/accounts/attributes.
func (s *Server) setAttributes(c *endpoint.Call) (any, error) {
	if err := s.allow("changes", s.limits.changes, deviceBucket(c)); err != nil {
		return nil, err
	}
	var body api.AccountAttributes
	attributes, err := s.attributes(c, &body, &body)
	if err != nil {
		return nil, err
	}
	if c.Caller.Device.ID == store.MasterDevice && body.Pin != c.Caller.Account.Pin {
		if err := s.Store.SetPin(c.Context(), c.Caller.Account.Key, body.Pin); err != nil {
			return nil, err
		}
	}
	if err := s.Store.SetAttributes(c.Context(), c.Caller.Device.Key, attributes); err != nil {
		return nil, err
	}
	s.rekey(c.Caller.Device.Key, attributes.SignalingKey)
	return nil, nil
}

// setGCM, clearGCM, setAPN and clearAPN keep wake-up addresses (6.1).
func (s *Server) setGCM(c *endpoint.Call) (any, error) {
	var body api.GCM
	if err := c.Decode(&body); err != nil {
		return nil, err
	}
	return nil, s.setPush(c, store.Push{GCM: body.ID, WebSocket: body.WebSocketChannel})
}

func (s *Server) clearGCM(c *endpoint.Call) (any, error) {
	p := c.Caller.Device.Push
	return nil, s.setPush(c, store.Push{APN: p.APN, VoIP: p.VoIP})
}

func (s *Server) setAPN(c *endpoint.Call) (any, error) {
	var body api.APN
	if err := c.Decode(&body); err != nil {
		return nil, err
	}
	return nil, s.setPush(c, store.Push{APN: body.ID, VoIP: body.VoIP})
}

func (s *Server) clearAPN(c *endpoint.Call) (any, error) {
	p := c.Caller.Device.Push
	return nil, s.setPush(c, store.Push{GCM: p.GCM, WebSocket: p.WebSocket})
}

func (s *Server) setPush(c *endpoint.Call, p store.Push) error {
	if err := s.allow("changes", s.limits.changes, deviceBucket(c)); err != nil {
		return err
	}
	if len(p.GCM) > 4096 || len(p.APN) > 4096 || len(p.VoIP) > 4096 {
		return endpoint.Refuse(http.StatusUnprocessableEntity, "a push id has more than 4096 characters")
	}
	return s.Store.SetPush(c.Context(), c.Caller.Device.Key, p)
}

// ignore answers 204 to what only one peer asks for.
func (*Server) ignore(*endpoint.Call) (any, error) { return nil, nil }
