package api

// AccountAttributes describe a device at registration and after upgrades (6.1).
type AccountAttributes struct {
	SignalingKey    Bytes  `json:"signalingKey"` // 52 bytes, or none: then envelopes come bare
	RegistrationID  uint32 `json:"registrationId"`
	FetchesMessages bool   `json:"fetchesMessages"` // reachable over the websocket without push
	Voice           bool   `json:"voice"`
	Video           bool   `json:"video"`
	Name            string `json:"name,omitempty"` // of a linked device; today encrypted by the client
	// Pin is the registration lock: whoever registers this number anew must know it. Absent or empty: none.
	Pin string `json:"pin,omitempty"`
	// Capabilities are ours: what else this device speaks. Old clients send none.
	Capabilities Capabilities `json:"capabilities"`
}

// Capabilities are what a device speaks beyond the protocol of 2016. The server passes them on and does nothing with them.
type Capabilities struct {
	SPQR       bool `json:"spqr,omitempty"`       // the post-quantum ratchet (3.10)
	SenderKeys bool `json:"senderKeys,omitempty"` // group messages with sender keys (4)
}

// GCM and APN are wake-up addresses (6.1).
type GCM struct {
	ID               string `json:"gcmRegistrationId"`
	WebSocketChannel bool   `json:"webSocketChannel"`
}

// APN is a wake-up address (6.1).
type APN struct {
	ID   string `json:"apnRegistrationId"`
	VoIP string `json:"voipRegistrationId"`
}

// Registration is the body of POST /v3/accounts: an account without a phone company. The password travels as always, in the
// Authorization header, whose user name is empty.
type Registration struct {
	Invite string `json:"invite"`
	AccountAttributes
}

// Registered is the answer: the server picks a number under a country code that no telephone has, so that clients of any age can use it.
type Registered struct {
	Number string `json:"number"`
}

// NumberChange is the body of PUT /v3/account/number: a code that was sent to the new number.
type NumberChange struct {
	Number string `json:"number"`
	Code   string `json:"code"`
}

// Username is the answer to a look-up.
type Username struct {
	Number string `json:"number"`
}

// Whoami is the answer to GET /v3/account.
type Whoami struct {
	Number string `json:"number"`
	// Account is a name with which the account's devices may log in instead of the number: "#" and digits. It stays when the number
	// changes, so a device that was away meanwhile can ask for the new one.
	Account  string `json:"account,omitempty"`
	DeviceID uint32 `json:"deviceId"`
	Username string `json:"username,omitempty"`
}

// Profile is the answer to GET /v1/profile (6.7).
type Profile struct {
	IdentityKey Bytes  `json:"identityKey"`
	Name        string `json:"name,omitempty"`
	Avatar      string `json:"avatar,omitempty"`
}
