package server

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"net/http"

	"github.com/countersign-project/countersign/messenger/directory"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// HashInvite returns what the store keeps of an invite.
func HashInvite(invite string) store.InviteHash { return sha256.Sum256([]byte(invite)) }

// givenNumber is the country code, not in use by any country, of the numbers the server gives out. Clients of any age take them for telephone
// numbers; nobody can claim somebody else's telephone number with an invite.
const givenNumber = "+999"

// registerByInvite is POST /v3/accounts.
func (s *Server) registerByInvite(c *endpoint.Call) (any, error) {
	cred, err := fresh(c.Request, false)
	if err != nil {
		return nil, err
	}
	if err := s.allow("registrations of a source", s.limits.strangers, s.source(c.Request)); err != nil {
		return nil, err
	}
	var body api.Registration
	attributes, err := s.attributes(c, &body, &body.AccountAttributes)
	if err != nil {
		return nil, err
	}
	if len(body.Invite) < 8 || len(body.Invite) > 200 {
		return nil, endpoint.Refuse(http.StatusForbidden, "the invite is unknown, used up or expired")
	}
	number, err := s.freeNumber(c)
	if err != nil {
		return nil, err
	}
	_, err = s.create(c, store.Registration{Name: number, Pin: body.Pin, Attributes: attributes, Invite: HashInvite(body.Invite)}, cred.password)
	if err != nil {
		return nil, err
	}
	return api.Registered{Number: number}, nil
}

// freeNumber draws a number that nobody has: 12 digits after the country code.
func (s *Server) freeNumber(c *endpoint.Call) (string, error) {
	for range 10 {
		n, err := rand.Int(s.Rand, big.NewInt(1_000_000_000_000))
		if err != nil {
			return "", fmt.Errorf("random number: %w", err)
		}
		number := fmt.Sprintf("%s%012d", givenNumber, n)
		_, err = s.Store.Account(c.Context(), number)
		if errors.Is(err, store.ErrNotFound) {
			return number, nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", errors.New("no free number in ten draws out of a million million")
}

// whoami is GET /v3/account.
func (s *Server) whoami(c *endpoint.Call) (any, error) {
	a := c.Caller.Account
	return api.Whoami{Number: a.Name, Account: accountName(a.Key), DeviceID: uint32(c.Caller.Device.ID), Username: a.Username}, nil
}

// deleteAccount is DELETE /v3/account.
func (s *Server) deleteAccount(c *endpoint.Call) (any, error) {
	gone, err := s.Store.DeleteAccount(c.Context(), c.Caller.Account.Key)
	if err != nil {
		return nil, err
	}
	s.disconnect(gone)
	return nil, nil
}

// changeNumber is PUT /v3/account/number. Devices, keys and queues stay; contacts write to the new number.
func (s *Server) changeNumber(c *endpoint.Call) (any, error) {
	var body api.NumberChange
	if err := c.Decode(&body); err != nil {
		return nil, err
	}
	if !directory.ValidNumber(body.Number) {
		return nil, endpoint.Refuse(http.StatusBadRequest, "%.20q is not a number of the form +14155550100", body.Number)
	}
	if err := s.allow("verify", s.limits.verify, body.Number); err != nil {
		return nil, err
	}
	code := digits(body.Code)
	if err := s.checkCode(c, body.Number, code); err != nil {
		return nil, err
	}
	switch err := s.Store.Rename(c.Context(), c.Caller.Account.Key, body.Number, code, s.Now()); {
	case errors.Is(err, store.ErrWrongCode):
		return nil, wrongCode()
	case errors.Is(err, store.ErrTaken):
		return nil, endpoint.Refuse(http.StatusConflict, "another account has this number; register it anew or delete it first")
	case err != nil:
		return nil, err
	}
	return nil, nil
}
