package client

import (
	"context"
	"errors"
	"net/http"

	"github.com/countersign-project/countersign/messenger/client/remote"
)

// Registered asks the server whether somebody has an account, by number, name or username, and returns the number under which one writes to him.
func (a *Account) Registered(ctx context.Context, name string) (found string, ok bool, err error) {
	who, err := a.login(ctx)
	if err != nil {
		return "", false, err
	}
	if found, err = a.Resolve(ctx, name); err != nil {
		if status := remote.Status(err); status == http.StatusNotFound || status == http.StatusBadRequest { // no such username, or none at all
			err = nil
		}
		return "", false, err
	}
	if !number(found) {
		return "", false, errors.New("a group is not registered with the server")
	}
	_, err = a.server.Profile(ctx, who, found)
	if remote.Status(err) == http.StatusNotFound {
		return found, false, nil
	}
	return found, err == nil, err
}
