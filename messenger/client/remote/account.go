package remote

import (
	"context"
	"fmt"
	"net/url"

	"github.com/countersign-project/countersign/messenger/server/api"
)

// RequestCode has a code brought to a number by "sms" or "voice", or, from a server for developers, by "dev" in the answer (6.1).
func (s *Server) RequestCode(ctx context.Context, transport, number string) (code string, err error) {
	err = s.call(ctx, Login{}, "GET", "/v1/accounts/"+url.PathEscape(transport)+"/code/"+url.PathEscape(number), nil, &code)
	return code, err
}

// Register makes an account, or takes it over, with a code (6.1).
func (s *Server) Register(ctx context.Context, who Login, code string, a api.AccountAttributes) error {
	return s.call(ctx, who, "PUT", "/v1/accounts/code/"+url.PathEscape(code), a, nil)
}

// RegisterByInvite makes an account whose number the server picks.
func (s *Server) RegisterByInvite(ctx context.Context, password string, r api.Registration) (number string, err error) {
	var out api.Registered
	err = s.call(ctx, Login{"", password}, "POST", "/v3/accounts", r, &out)
	return out.Number, err
}

// SetAttributes changes them.
func (s *Server) SetAttributes(ctx context.Context, who Login, a api.AccountAttributes) error {
	return s.call(ctx, who, "PUT", "/v1/accounts/attributes", a, nil)
}

// Whoami tells number, device and username.
func (s *Server) Whoami(ctx context.Context, who Login) (out api.Whoami, err error) {
	return out, s.call(ctx, who, "GET", "/v3/account", nil, &out)
}

// DeleteAccount ends the account.
func (s *Server) DeleteAccount(ctx context.Context, who Login) error {
	return s.call(ctx, who, "DELETE", "/v3/account", nil, nil)
}

// ChangeNumber moves the account to another number.
func (s *Server) ChangeNumber(ctx context.Context, who Login, c api.NumberChange) error {
	return s.call(ctx, who, "PUT", "/v3/account/number", c, nil)
}

// SetUsername takes a name; an empty one gives it back.
func (s *Server) SetUsername(ctx context.Context, who Login, name string) error {
	if name == "" {
		return s.call(ctx, who, "DELETE", "/v3/usernames", nil, nil)
	}
	return s.call(ctx, who, "PUT", "/v3/usernames/"+url.PathEscape(name), nil, nil)
}

// Username finds the number of a name.
func (s *Server) Username(ctx context.Context, who Login, name string) (number string, err error) {
	var out api.Username
	err = s.call(ctx, who, "GET", "/v3/usernames/"+url.PathEscape(name), nil, &out)
	return out.Number, err
}

// Devices lists our own devices (6.2).
func (s *Server) Devices(ctx context.Context, who Login) ([]api.Device, error) {
	var out api.Devices
	err := s.call(ctx, who, "GET", "/v1/devices", nil, &out)
	return out.Devices, err
}

// RemoveDevice removes one.
func (s *Server) RemoveDevice(ctx context.Context, who Login, id uint32) error {
	return s.call(ctx, who, "DELETE", fmt.Sprintf("/v1/devices/%d", id), nil, nil)
}

// ProvisioningCode gets a code for a further device.
func (s *Server) ProvisioningCode(ctx context.Context, who Login) (string, error) {
	var out api.VerificationCode
	err := s.call(ctx, who, "GET", "/v1/devices/provisioning/code", nil, &out)
	return out.Code, err
}

// AddDevice registers this device with such a code. Who is the number with the new device's password.
func (s *Server) AddDevice(ctx context.Context, who Login, code string, a api.AccountAttributes) (uint32, error) {
	var out api.DeviceID
	err := s.call(ctx, who, "PUT", "/v1/devices/"+url.PathEscape(code), a, &out)
	return out.DeviceID, err
}

// Provision sends an envelope to a device that waits (10.1).
func (s *Server) Provision(ctx context.Context, who Login, address string, envelope []byte) error {
	return s.call(ctx, who, "PUT", "/v1/provisioning/"+url.PathEscape(address), api.Provision{Body: envelope}, nil)
}

// ProvisionDraft does so as the seed gist has it: an ordinary message to the channel (10.2).
func (s *Server) ProvisionDraft(ctx context.Context, who Login, channel string, envelope []byte) error {
	return s.call(ctx, who, "PUT", "/v1/messages/"+url.PathEscape(channel), api.Messages{Messages: []api.Message{{Body: envelope}}}, nil)
}

// SetDeviceList publishes the signed list.
func (s *Server) SetDeviceList(ctx context.Context, who Login, l api.DeviceList) error {
	return s.call(ctx, who, "PUT", "/v3/devices/list", l, nil)
}
