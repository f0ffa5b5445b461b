package server

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/countersign-project/countersign/messenger/directory"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// profile is GET /v1/profile/{number} (6.7).
func (s *Server) profile(c *endpoint.Call) (any, error) {
	if err := s.allow("profiles", s.limits.profiles, accountBucket(c)); err != nil {
		return nil, err
	}
	number, peer, err := s.address(c.PathValue("number"), c.URL.Query().Get("relay"))
	if err != nil {
		return nil, err
	}
	if peer != nil {
		return peer.Profile(c.Context(), number)
	}
	a, err := s.Store.Account(c.Context(), number)
	if err != nil {
		return nil, err
	}
	return api.Profile{IdentityKey: a.IdentityKey, Name: a.ProfileName, Avatar: a.Avatar}, nil
}

// profileName is how long the encrypted name is, in base64 (6.7).
const profileName = 72

// setProfileName is PUT /v1/profile/name/{name}.
func (s *Server) setProfileName(c *endpoint.Call) (any, error) {
	if err := s.allow("changes", s.limits.changes, deviceBucket(c)); err != nil {
		return nil, err
	}
	name := c.PathValue("name")
	if len(name) != profileName {
		return nil, endpoint.Refuse(http.StatusBadRequest, "the encrypted name has %d characters, want %d", len(name), profileName)
	}
	return nil, s.Store.SetProfile(c.Context(), c.Caller.Account.Key, name, c.Caller.Account.Avatar)
}

// contact is GET /v1/directory/{token} (6.6).
func (s *Server) contact(c *endpoint.Call) (any, error) {
	if err := s.allow("directory", s.limits.directory, accountBucket(c)); err != nil {
		return nil, err
	}
	t, err := directory.ParseToken(c.PathValue("token"))
	if err != nil {
		return nil, endpoint.Refuse(http.StatusBadRequest, "%.40q is not a directory token", c.PathValue("token"))
	}
	found, err := s.lookUp(c.Context(), []store.DirectoryToken{store.DirectoryToken(t)})
	if err != nil {
		return nil, err
	}
	elsewhere, err := s.lookUpElsewhere(c, found, []string{t.String()})
	if found = append(found, elsewhere...); len(found) > 0 {
		return found[0], nil
	}
	if err != nil {
		return nil, err
	}
	return nil, store.ErrNotFound
}

// maxContacts is how many tokens one request may ask for; the store's own bound.
const maxContacts = 10_000

// contacts is PUT /v1/directory/tokens. Tokens that are none find nobody: an address book has all kinds of numbers.
func (s *Server) contacts(c *endpoint.Call) (any, error) {
	var body api.Tokens
	if err := c.Decode(&body); err != nil {
		return nil, err
	}
	if len(body.Contacts) > maxContacts {
		return nil, endpoint.Refuse(http.StatusRequestEntityTooLarge, "%d tokens, want at most %d at once", len(body.Contacts), maxContacts)
	}
	if err := s.allowN("directory", s.limits.directory, accountBucket(c), len(body.Contacts)); err != nil {
		return nil, err
	}
	tokens, texts := parseTokens(body.Contacts)
	found, err := s.lookUp(c.Context(), tokens)
	if err != nil {
		return nil, err
	}
	elsewhere, err := s.lookUpElsewhere(c, found, texts)
	if err != nil && c.URL.Query().Get("relay") != "" { // else those who answered count
		return nil, err
	}
	return api.Contacts{Contacts: append(found, elsewhere...)}, nil
}

// parseTokens reads tokens, and returns them in their one form, too.
func parseTokens(list []string) (tokens []store.DirectoryToken, texts []string) {
	for _, text := range list {
		if t, err := directory.ParseToken(text); err == nil {
			tokens, texts = append(tokens, store.DirectoryToken(t)), append(texts, t.String())
		}
	}
	return tokens, texts
}

func (s *Server) lookUp(ctx context.Context, tokens []store.DirectoryToken) ([]api.Contact, error) {
	found := []api.Contact{}
	if len(tokens) == 0 {
		return found, nil
	}
	entries, err := s.Store.Directory(ctx, tokens, store.DayOf(s.Now())-accountLife)
	for _, e := range entries {
		found = append(found, api.Contact{Token: directory.Token(e.Token).String(), Voice: e.Voice, Video: e.Video})
	}
	return found, err
}

// canonicalUsername returns the form in which names are compared: 3 to 32 lower-case letters, digits, "_" and ".", beginning with a letter.
func canonicalUsername(s string) (string, error) {
	s = strings.ToLower(s)
	ok := len(s) >= 3 && len(s) <= 32 && s[0] >= 'a' && s[0] <= 'z'
	for _, c := range s {
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '.')
	}
	if !ok {
		return "", endpoint.Refuse(http.StatusBadRequest, "%.40q is no username: want 3 to 32 letters a-z, digits, _ and ., beginning with a letter", s)
	}
	return s, nil
}

// setUsername is PUT /v3/usernames/{name}.
func (s *Server) setUsername(c *endpoint.Call) (any, error) {
	if err := s.allow("usernames", s.limits.usernames, accountBucket(c)); err != nil { // taken or free is a look-up as well
		return nil, err
	}
	name, err := canonicalUsername(c.PathValue("name"))
	if err != nil {
		return nil, err
	}
	err = s.Store.SetUsername(c.Context(), c.Caller.Account.Key, name)
	if errors.Is(err, store.ErrTaken) {
		return nil, endpoint.Refuse(http.StatusConflict, "the username %q is taken", name)
	}
	return nil, err
}

// clearUsername is DELETE /v3/usernames.
func (s *Server) clearUsername(c *endpoint.Call) (any, error) {
	return nil, s.Store.SetUsername(c.Context(), c.Caller.Account.Key, "")
}

// username is GET /v3/usernames/{name}.
func (s *Server) username(c *endpoint.Call) (any, error) {
	if err := s.allow("usernames", s.limits.usernames, accountBucket(c)); err != nil {
		return nil, err
	}
	name, peer, err := s.relay(c.PathValue("name"), c.URL.Query().Get("relay"))
	if err != nil {
		return nil, err
	}
	if name, err = canonicalUsername(name); err != nil {
		return nil, err
	}
	if peer != nil {
		return peer.Username(c.Context(), name)
	}
	a, err := s.Store.ByUsername(c.Context(), name)
	if err != nil {
		return nil, err
	}
	return api.Username{Number: a.Name}, nil
}
