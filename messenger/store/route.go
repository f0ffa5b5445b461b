package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// routeEnd is the end of the name of a file beside the store that is not sealed: how the account goes to the network, in words of package client's. Who
// updates the program has to know that before anybody has opened the account.
const routeEnd = ".route"

// maxRoute bounds it in bytes.
const maxRoute = 1 << 10

// ErrNoRoute: it is not written down.
var ErrNoRoute = errors.New("how this account goes to the network is not known before it was opened once")

// ReadRoute reads it, from the directory of a store that need not be open. ErrNoRoute.
func ReadRoute(dir string) (string, error) {
	path := filepath.Join(dir, fileName+routeEnd)
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", ErrNoRoute
	case err != nil:
		return "", err
	case len(b) > maxRoute:
		return "", fmt.Errorf("%s: %d bytes, want at most %d", path, len(b), maxRoute)
	}
	return string(b), nil
}

// WriteRoute writes it down. When it returns it is on the disk: a crash leaves the old text or the new one, never half of one.
func (s *Store) WriteRoute(dir, text string) error {
	if len(text) > maxRoute {
		return fmt.Errorf("a route of %d bytes, want at most %d", len(text), maxRoute)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	path := filepath.Join(dir, fileName+routeEnd)
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return errors.Join(os.Rename(f.Name(), path), syncDir(dir))
}
