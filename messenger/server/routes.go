package server

import (
	"net/http"

	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Sizes of bodies.
const (
	smallBody    = 8 << 10
	keysBody     = 2 << 20 // a thousand prekeys of old, or some hundred post-quantum ones
	contactsBody = 1 << 20
	messageBody  = wire.MaxFrame
)

// routes is the table of all requests. A test compares it with openapi.json, both ways.
func (s *Server) routes() []endpoint.Route {
	const (
		get, put, post, del     = http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete
		anyone, device, primary = endpoint.Anyone, endpoint.Device, endpoint.Master
	)
	return []endpoint.Route{
		// 6.1
		{Method: get, Path: "/v1/accounts/{transport}/code/{number}", Who: anyone, Handle: s.requestCode},
		{Method: put, Path: "/v1/accounts/code/{code}", Who: anyone, Body: smallBody, Handle: s.register},
		{Method: put, Path: "/v1/accounts/attributes", Who: device, Body: smallBody, Handle: s.setAttributes},
		{Method: put, Path: "/v1/accounts/gcm", Who: device, Body: smallBody, Handle: s.setGCM},
		{Method: del, Path: "/v1/accounts/gcm", Who: device, Handle: s.clearGCM},
		{Method: put, Path: "/v1/accounts/apn", Who: device, Body: smallBody, Handle: s.setAPN},
		{Method: del, Path: "/v1/accounts/apn", Who: device, Handle: s.clearAPN},
		{Method: put, Path: "/v1/accounts/ups", Who: device, Body: smallBody, Handle: s.ignore},
		{Method: post, Path: "/v3/accounts", Who: anyone, Body: smallBody, Handle: s.registerByInvite},
		{Method: get, Path: "/v3/account", Who: device, Handle: s.whoami},
		{Method: del, Path: "/v3/account", Who: primary, Handle: s.deleteAccount},
		{Method: put, Path: "/v3/account/number", Who: primary, Body: smallBody, Handle: s.changeNumber},
		// 6.2, 10
		{Method: get, Path: "/v1/devices", Who: device, Handle: s.devices},
		{Method: del, Path: "/v1/devices/{id}", Who: primary, Handle: s.removeDevice},
		{Method: get, Path: "/v1/devices/provisioning/code", Who: primary, Handle: s.provisioningCode},
		{Method: put, Path: "/v1/devices/{code}", Who: anyone, Body: smallBody, Handle: s.addDevice},
		{Method: put, Path: "/v1/provisioning/{address}", Who: device, Body: 64 << 10, Handle: s.provision},
		{Method: put, Path: "/v3/devices/list", Who: primary, Body: smallBody, Handle: s.setDeviceList},
		{Method: get, Path: "/v3/devices/list/{number}", Who: device, Handle: s.deviceList},
		// 6.3
		{Method: put, Path: "/v1/keys", Who: device, Body: keysBody, Handle: s.setKeysV1},
		{Method: get, Path: "/v1/keys", Who: device, Handle: s.countKeys},
		{Method: get, Path: "/v1/keys/{number}", Who: device, Handle: s.keysV1Master},
		{Method: get, Path: "/v1/keys/{number}/{device}", Who: device, Handle: s.keysV1},
		{Method: put, Path: "/v2/keys", Who: device, Body: keysBody, Handle: s.setKeysV2},
		{Method: get, Path: "/v2/keys", Who: device, Handle: s.countKeys},
		{Method: put, Path: "/v2/keys/signed", Who: device, Body: smallBody, Handle: s.setSigned},
		{Method: get, Path: "/v2/keys/signed", Who: device, Handle: s.signed},
		{Method: get, Path: "/v2/keys/{number}/{device}", Who: device, Handle: s.keysV2},
		{Method: put, Path: "/v3/keys", Who: device, Body: keysBody, Handle: s.setKeysV3},
		{Method: get, Path: "/v3/keys", Who: device, Handle: s.countKeysV3},
		{Method: get, Path: "/v3/keys/{number}/{device}", Who: device, Handle: s.keysV3},
		// 6.4
		{Method: put, Path: "/v1/messages/{destination}", Who: device, Body: messageBody, Handle: s.sendMessages},
		{Method: post, Path: "/v1/messages", Who: device, Body: messageBody, Handle: s.send2013},
		{Method: put, Path: "/v1/messages", Who: device, Body: messageBody, Handle: s.send2013},
		{Method: get, Path: "/v1/messages", Who: device, Handle: s.queued},
		{Method: del, Path: "/v1/messages/{source}/{timestamp}", Who: device, Handle: s.acknowledge},
		{Method: put, Path: "/v1/receipt/{destination}/{timestamp}", Who: device, Body: smallBody, Handle: s.sendReceipt},
		{Method: put, Path: "/v3/messages", Who: device, Body: messageBody, Handle: s.sendMulti},
		// 6.5
		{Method: get, Path: "/v1/attachments", Who: device, Handle: s.allocateAttachment},
		{Method: get, Path: "/v1/attachments/{id}", Who: device, Handle: s.locateAttachment},
		{Method: get, Path: "/v3/blobs/{id}", Direct: s.download},
		{Method: put, Path: "/v3/blobs/{id}", Direct: s.upload},
		{Method: get, Path: "/v3/blobs/{relay}/{id}", Direct: s.downloadRemote},
		// 6.6
		{Method: put, Path: "/v1/directory/tokens", Who: device, Body: contactsBody, Handle: s.contacts},
		{Method: get, Path: "/v1/directory/{token...}", Who: device, Handle: s.contact},
		{Method: put, Path: "/v3/usernames/{name}", Who: primary, Body: smallBody, Handle: s.setUsername},
		{Method: del, Path: "/v3/usernames", Who: primary, Handle: s.clearUsername},
		{Method: get, Path: "/v3/usernames/{name}", Who: device, Handle: s.username},
		// 6.7
		{Method: get, Path: "/v1/profile/{number}", Who: device, Handle: s.profile},
		{Method: put, Path: "/v1/profile/name/{name}", Who: device, Body: smallBody, Handle: s.setProfileName},
		{Method: get, Path: "/v1/keepalive", Who: anyone, Handle: s.keepalive},
		{Method: get, Path: "/v1/keepalive/provisioning", Who: anyone, Handle: s.keepalive},
		// 7.1, 10
		{Method: get, Path: "/v1/websocket", Direct: s.websocket},
		{Method: get, Path: "/v1/websocket/provisioning", Direct: s.provisioningSocket},
		{Method: get, Path: "/v1/temp_websocket", Direct: s.tempSocket},
		// ours
		{Method: get, Path: "/v3/openapi.json", Who: anyone, Handle: s.openAPI},
		{Method: get, Path: "/v3/about", Who: anyone, Handle: s.about},
		{Method: get, Path: "/health", Who: anyone, Handle: s.health},
		{Method: get, Path: "/ready", Who: anyone, Handle: s.ready},
	}
}
