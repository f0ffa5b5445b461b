package server

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/countersign-project/countersign/messenger/directory"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/store"
)

const (
	// minPassword is what makes the fast hash below good enough: clients choose random passwords of 16 to 18 bytes in base64 (6).
	minPassword = 16
	maxPassword = 200
	saltSize    = 16
)

// credentials are what a request shows: a number, or a number and ".", and a device id (6). Ours: the account's name in the place of the number.
type credentials struct {
	number   string
	device   int
	password string
}

// parseLogin splits "number" or "number.device". A plus sign that arrived as a blank is put back (7.1).
func parseLogin(login, password string) (c credentials, ok bool) {
	login = strings.ReplaceAll(login, " ", "+")
	number, id, more := strings.Cut(login, ".")
	c = credentials{number, store.MasterDevice, password}
	if more {
		n, err := strconv.Atoi(id)
		if err != nil || n < store.MasterDevice {
			return c, false
		}
		c.device = n
	}
	return c, number != "" && password != ""
}

// fresh reads the credentials of a registration: the number, and a new password.
func fresh(r *http.Request, needNumber bool) (credentials, error) {
	user, password, ok := r.BasicAuth()
	if !ok {
		return credentials{}, endpoint.Refuse(http.StatusUnauthorized, "want an Authorization header of type Basic with the number and a new password")
	}
	if needNumber && !directory.ValidNumber(user) {
		return credentials{}, endpoint.Refuse(http.StatusBadRequest, "the user name is not a number of the form +14155550100")
	}
	if len(password) < minPassword || len(password) > maxPassword {
		return credentials{}, endpoint.Refuse(http.StatusBadRequest, "the password has %d characters, want %d to %d random ones", len(password), minPassword, maxPassword)
	}
	return credentials{number: user, device: store.MasterDevice, password: password}, nil
}

// NewSecret returns what the store keeps of a password: salt ‖ HKDF. A salted fast hash, as today's servers have, for the password is random.
func NewSecret(password string, random io.Reader) ([]byte, error) {
	salt := make([]byte, saltSize)
	if _, err := io.ReadFull(random, salt); err != nil {
		return nil, fmt.Errorf("random bytes for a salt: %w", err)
	}
	return append(salt, hashPassword(password, salt)...), nil
}

func hashPassword(password string, salt []byte) []byte {
	h, err := hkdf.Key(sha256.New, []byte(password), salt, "Countersign account password", sha256.Size)
	if err != nil {
		panic("internal error: " + err.Error())
	}
	return h
}

// matches compares in constant time.
func matches(secret []byte, password string) bool {
	if len(secret) != saltSize+sha256.Size {
		return false
	}
	return subtle.ConstantTimeCompare(secret[saltSize:], hashPassword(password, secret[:saltSize])) == 1
}

// authenticate finds out which device sends a request: by the websocket it came through, or by Basic authentication.
func (s *Server) authenticate(r *http.Request) (*endpoint.Caller, error) {
	if t := endpoint.TunnelOf(r); t != nil {
		return s.tunnelCaller(r.Context(), t)
	}
	user, password, _ := r.BasicAuth()
	c, ok := parseLogin(user, password)
	if !ok {
		return nil, unauthorized()
	}
	return s.login(r, c)
}

func unauthorized() error {
	return endpoint.Refuse(http.StatusUnauthorized, "wrong number or password")
}

// tunnelCaller looks the sender of a websocket's request up again: devices come and go while it stands.
func (s *Server) tunnelCaller(ctx context.Context, t *endpoint.Tunnel) (*endpoint.Caller, error) {
	if t.Who.Device == 0 {
		return nil, unauthorized()
	}
	a, err := s.Store.AccountOf(ctx, t.Who.Account)
	if errors.Is(err, store.ErrNotFound) {
		return nil, unauthorized()
	}
	if err != nil {
		return nil, err
	}
	d, ok := a.Device(t.Who.ID)
	if !ok || d.Key != t.Who.Device {
		return nil, unauthorized()
	}
	return &endpoint.Caller{Account: a, Device: d}, nil
}

// accountName is what an account is called whatever its number: "#" ‖ its key in decimal. Only its own devices are told.
func accountName(key store.AccountKey) string { return "#" + strconv.FormatInt(int64(key), 10) }

// accountOf finds the account of a number or a name of accountName's: store.ErrNotFound.
func (s *Server) accountOf(ctx context.Context, name string) (store.Account, error) {
	digits, byKey := strings.CutPrefix(name, "#")
	if !byKey {
		return s.Store.Account(ctx, name)
	}
	key, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || accountName(store.AccountKey(key)) != name {
		return store.Account{}, store.ErrNotFound
	}
	return s.Store.AccountOf(ctx, store.AccountKey(key))
}

// login checks credentials. One who fails often from one place has to wait, whether or not the number exists.
func (s *Server) login(r *http.Request, c credentials) (*endpoint.Caller, error) {
	bucket := s.source(r) + " " + c.number
	a, err := s.accountOf(r.Context(), c.number)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	d, known := a.Device(c.device)
	if err != nil || !known || !matches(d.Secret, c.password) {
		if wait, ok := s.limits.failures.Allow(bucket); !ok {
			return nil, endpoint.TooMany(wait)
		}
		return nil, unauthorized()
	}
	if today := store.DayOf(s.Now()); d.Seen != today {
		if err := s.Store.Seen(r.Context(), d.Key, today); err != nil {
			s.Log.Warn("day of last contact not noted", "error", err)
		}
		d.Seen = today
	}
	return &endpoint.Caller{Account: a, Device: d}, nil
}
