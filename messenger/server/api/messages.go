package api

// Message is one ciphertext for one device (6.4).
type Message struct {
	Type           uint32 `json:"type"`
	DeviceID       uint32 `json:"destinationDeviceId"`
	RegistrationID uint32 `json:"destinationRegistrationId"` // 0: not checked
	Body           Bytes  `json:"body,omitempty"`            // legacy: plaintext is a bare DataMessage
	Content        Bytes  `json:"content,omitempty"`
	Relay          string `json:"relay,omitempty"`
	// The form of December 2013 names the destination, and the timestamp, in each message.
	Destination string `json:"destination,omitempty"`
	Timestamp   uint64 `json:"timestamp,omitempty"`
}

// Messages is the body of PUT /v1/messages/{number}, and of POST /v1/messages in the form of 2013.
type Messages struct {
	Messages  []Message `json:"messages"`
	Timestamp uint64    `json:"timestamp"` // milliseconds; 0 is replaced by the server's time
	Relay     string    `json:"relay,omitempty"`
	Silent    bool      `json:"silent,omitempty"`
	// NoReceipt is ours: the server tells nobody when a device has the message. Its receipts prove nothing anyway.
	NoReceipt bool `json:"noReceipt,omitempty"`
}

func (m Messages) lists() []int { return []int{len(m.Messages)} }

// Sent is the answer to a message.
type Sent struct {
	NeedsSync bool `json:"needsSync"`
}

// Mismatch is the body of status 409. Both lists are always there.
type Mismatch struct {
	MissingDevices []uint32 `json:"missingDevices"`
	ExtraDevices   []uint32 `json:"extraDevices"`
}

// Stale is the body of status 410.
type Stale struct {
	StaleDevices []uint32 `json:"staleDevices"`
}

// Sent2013 is the answer to the form of 2013.
type Sent2013 struct {
	Success          []string `json:"success"`
	Failure          []string `json:"failure"`
	MissingDeviceIDs []string `json:"missingDeviceIds"`
}

// Queued is the answer to GET /v1/messages.
type Queued struct {
	Messages []Envelope `json:"messages"`
	More     bool       `json:"more"`
}

// Envelope is a queued envelope in JSON.
type Envelope struct {
	Type         uint32 `json:"type"`
	Relay        string `json:"relay,omitempty"`
	Timestamp    uint64 `json:"timestamp"`
	Source       string `json:"source"`
	SourceDevice uint32 `json:"sourceDevice"`
	Message      Bytes  `json:"message"`
	Content      Bytes  `json:"content"`
	GUID         string `json:"guid,omitempty"`
}

// Multi is the body of PUT /v3/messages: one ciphertext of a group for many devices.
type Multi struct {
	Type       uint32      `json:"type"`
	Content    Bytes       `json:"content"`
	Timestamp  uint64      `json:"timestamp"`
	Recipients []Recipient `json:"recipients"`
	NoReceipt  bool        `json:"noReceipt,omitempty"`
}

func (m Multi) lists() []int { return []int{len(m.Recipients)} }

// Recipient is a member of the group with all of their devices.
type Recipient struct {
	Number  string            `json:"number"`
	Devices []RecipientDevice `json:"devices"`
}

// RecipientDevice is one device of a member.
type RecipientDevice struct {
	ID             uint32 `json:"id"`
	RegistrationID uint32 `json:"registrationId"` // 0: not checked
}

// MultiSent is the answer to Multi. Members who are not here any more do not keep the others from receiving.
type MultiSent struct {
	Unregistered []string `json:"unregistered"`
	NeedsSync    bool     `json:"needsSync"`
}

// MultiMismatch is the body of status 409 and 410 to Multi: nothing was delivered to anybody.
type MultiMismatch struct {
	Recipients []RecipientMismatch `json:"recipients"`
}

// RecipientMismatch says what is wrong with the devices of one member. All lists are always there.
type RecipientMismatch struct {
	Number         string   `json:"number"`
	MissingDevices []uint32 `json:"missingDevices"`
	ExtraDevices   []uint32 `json:"extraDevices"`
	StaleDevices   []uint32 `json:"staleDevices"`
}
