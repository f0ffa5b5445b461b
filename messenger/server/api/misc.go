package api

// Attachment is the answer to GET /v1/attachments (6.5). The id is a random number of 63 bits: readers that
// keep numbers as floating point take it from the text.
type Attachment struct {
	ID       uint64 `json:"id"`
	IDString string `json:"idString"`
	Location string `json:"location"`
}

// Location is where an attachment is to be had.
type Location struct {
	Location string `json:"location"`
}

// Contact is somebody who uses this server, or one it knows (6.6).
type Contact struct {
	Token string `json:"token"`
	Relay string `json:"relay,omitempty"`
	Voice bool   `json:"voice,omitempty"`
	Video bool   `json:"video,omitempty"`
}

// Tokens is the body of PUT /v1/directory/tokens.
type Tokens struct {
	Contacts []string `json:"contacts"`
}

func (t Tokens) lists() []int { return []int{len(t.Contacts)} }

// Contacts is the answer: only those who are here.
type Contacts struct {
	Contacts []Contact `json:"contacts"`
}

// Error is the body of every refusal under /v3, and of those under /v1 and /v2 that the peers read no body of.
type Error struct {
	Error string `json:"error"` // for people: what was got, what was wanted
}

// Health is the answer to GET /health and GET /ready.
type Health struct {
	Status  string `json:"status"` // "ok", or "draining" and status 503
	Version string `json:"version"`
}

// About is the answer to GET /v3/about: what the server says it is. It can say anything; see the client's own check of it.
type About struct {
	Program      string `json:"program"`
	Version      string `json:"version"`
	OS           string `json:"os"`
	Arch         string `json:"arch"`
	SHA256       string `json:"sha256"` // of its program file, hexadecimal
	Channel      string `json:"channel"`
	Distribution string `json:"distribution"` // empty: its updates are off
	Outcome      string `json:"outcome"`      // of judging itself: "genuine", "refused", "could not tell"
	Why          string `json:"why"`          // of an outcome that is not genuine
	Checked      int64  `json:"checked"`      // milliseconds; 0: never
}
