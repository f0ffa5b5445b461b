package api

// Devices is the answer to GET /v1/devices (6.2).
type Devices struct {
	Devices []Device `json:"devices"`
}

// Device is one of the asker's own. Times are milliseconds; lastSeen is a whole day.
type Device struct {
	ID       uint32 `json:"id"`
	Name     string `json:"name"`
	LastSeen int64  `json:"lastSeen"`
	Created  int64  `json:"created"`
}

// DeviceLimit is the body of status 411.
type DeviceLimit struct {
	Current int `json:"current"`
	Max     int `json:"max"`
}

// VerificationCode registers a further device.
type VerificationCode struct {
	Code string `json:"verificationCode"`
}

// DeviceID is the answer to the new device.
type DeviceID struct {
	DeviceID uint32 `json:"deviceId"`
}

// Provision carries a provisioning envelope to a new device (10.1).
type Provision struct {
	Body Bytes `json:"body"`
}

// TempUUID and TempMessage are the two texts on the seed gist's websocket (10.2).
type TempUUID struct {
	UUID string `json:"uuid"`
}

// TempMessage carries the envelope as it was sent: base64.
type TempMessage struct {
	Message string `json:"message"`
}

// DeviceList is the list of an account's devices, signed by its identity key, so that the server cannot add one. What is signed, and by
// which rules clients judge it, is in messenger/devicelist.
type DeviceList struct {
	List      Bytes `json:"list"`
	Signature Bytes `json:"signature"`
}
