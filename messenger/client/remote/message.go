package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/countersign-project/countersign/messenger/server/api"
)

// PutKeys hands in prekeys of all kinds (6.3).
func (s *Server) PutKeys(ctx context.Context, who Login, k api.PreKeysV3) error {
	return s.call(ctx, who, "PUT", "/v3/keys", k, nil)
}

// CountKeys tells how many one-time keys are left.
func (s *Server) CountKeys(ctx context.Context, who Login) (out api.KeyCountV3, err error) {
	return out, s.call(ctx, who, "GET", "/v3/keys", nil, &out)
}

// Bundles fetches the keys of one device of somebody, or with device 0 of all.
func (s *Server) Bundles(ctx context.Context, who Login, number string, device uint32) (*api.BundlesV3, error) {
	which := "*"
	if device != 0 {
		which = strconv.FormatUint(uint64(device), 10)
	}
	out := new(api.BundlesV3)
	if err := s.call(ctx, who, "GET", "/v3/keys/"+url.PathEscape(number)+"/"+which, nil, out); err != nil {
		return nil, err
	}
	return out, nil
}

// DevicesError is status 409 or 410 to a message: nothing was delivered (6.4).
type DevicesError struct {
	Missing, Extra, Stale []uint32
}

func (e *DevicesError) Error() string {
	return fmt.Sprintf("the recipient's devices are others: %d missing, %d too many, %d installed anew", len(e.Missing), len(e.Extra), len(e.Stale))
}

// Send delivers a message to all devices of somebody. A *DevicesError says whose sessions to mend.
func (s *Server) Send(ctx context.Context, who Login, number string, m api.Messages) (out api.Sent, err error) {
	err = s.call(ctx, who, "PUT", "/v1/messages/"+url.PathEscape(number), m, &out)
	var status *StatusError
	if errors.As(err, &status) && (status.Status == 409 || status.Status == 410) {
		var body struct {
			api.Mismatch
			api.Stale
		}
		if json.Unmarshal(status.Body, &body) == nil {
			return out, &DevicesError{body.MissingDevices, body.ExtraDevices, body.StaleDevices}
		}
	}
	return out, err
}

// GroupDevicesError is status 409 or 410 to a group message: nothing was delivered to anybody.
type GroupDevicesError struct{ Recipients []api.RecipientMismatch }

func (e *GroupDevicesError) Error() string {
	return fmt.Sprintf("the devices of %d members are others", len(e.Recipients))
}

// SendGroup delivers one ciphertext to all devices of many.
func (s *Server) SendGroup(ctx context.Context, who Login, m api.Multi) (out api.MultiSent, err error) {
	err = s.call(ctx, who, "PUT", "/v3/messages", m, &out)
	var status *StatusError
	if errors.As(err, &status) && (status.Status == 409 || status.Status == 410) {
		var body api.MultiMismatch
		if json.Unmarshal(status.Body, &body) == nil && len(body.Recipients) > 0 {
			return out, &GroupDevicesError{body.Recipients}
		}
	}
	return out, err
}

// Profile fetches what somebody shows (6.7).
func (s *Server) Profile(ctx context.Context, who Login, number string) (out api.Profile, err error) {
	return out, s.call(ctx, who, "GET", "/v1/profile/"+url.PathEscape(number), nil, &out)
}

// SetProfileName publishes our encrypted name: 72 characters.
func (s *Server) SetProfileName(ctx context.Context, who Login, name string) error {
	return s.call(ctx, who, "PUT", "/v1/profile/name/"+url.PathEscape(name), nil, nil)
}
