package wire

import (
	"google.golang.org/protobuf/proto"

	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire/pb"
)

// MaxFrame bounds one frame of the websocket, in bytes: the longest message in JSON and base64 for a handful of devices. Senders with
// more devices than that use plain HTTP.
const MaxFrame = 1 << 20

// maxHeaders bounds the headers of one frame. Peers send one or two.
const maxHeaders = 32

// Frame is one binary message of the websocket (7.1): exactly one of its fields is set.
type Frame struct {
	Request  *Request
	Response *Response
}

// Request is an HTTP request through the websocket, from either side.
type Request struct {
	Verb    string // "GET", "PUT", …
	Path    string // with leading slash, as in a URL
	Headers []string
	Body    []byte
	// ID names the answer. One peer sends keepalives without an id; they are answered with id 0 (7.1).
	ID uint64
}

// Response answers the Request with the same ID. Unknown ids are ignored: one peer answers responses too.
type Response struct {
	ID      uint64
	Status  uint32 // as in HTTP
	Message string // the words after the status
	Headers []string
	Body    []byte
}

// Values of WebSocketMessage.type.
const (
	frameRequest  = 1
	frameResponse = 2
)

// Append serialises the frame behind dst.
func (f Frame) Append(dst []byte) []byte {
	var m pb.WebSocketMessage
	switch {
	case f.Request != nil:
		r := f.Request
		m.Type = proto.Uint32(frameRequest)
		m.Request = &pb.WebSocketRequest{Verb: &r.Verb, Path: &r.Path, Body: r.Body, Id: &r.ID, Headers: r.Headers}
	case f.Response != nil:
		r := f.Response
		m.Type = proto.Uint32(frameResponse)
		m.Response = &pb.WebSocketResponse{Id: &r.ID, Status: &r.Status, Message: &r.Message, Body: r.Body, Headers: r.Headers}
	default:
		panic("internal error: an empty websocket frame")
	}
	return marshal(dst, &m)
}

// ParseFrame reads one binary message. The result shares no memory with b.
func ParseFrame(b []byte) (Frame, error) {
	if len(b) > MaxFrame {
		return Frame{}, refusal.Because(refusal.InvalidMessage, "websocket frame: got %d bytes, want at most %d", len(b), MaxFrame)
	}
	var m pb.WebSocketMessage
	if err := unmarshal("websocket frame", b, &m); err != nil {
		return Frame{}, err
	}
	switch {
	case m.GetType() == frameRequest && m.Request != nil && len(m.Request.Headers) <= maxHeaders:
		r := m.Request
		return Frame{Request: &Request{Verb: r.GetVerb(), Path: r.GetPath(), Body: r.Body, ID: r.GetId(), Headers: r.Headers}}, nil
	case m.GetType() == frameResponse && m.Response != nil && len(m.Response.Headers) <= maxHeaders:
		r := m.Response
		return Frame{Response: &Response{ID: r.GetId(), Status: r.GetStatus(), Message: r.GetMessage(), Body: r.Body, Headers: r.Headers}}, nil
	}
	return Frame{}, refusal.Because(refusal.InvalidMessage, "websocket frame of type %d is neither a request nor a response", m.GetType())
}

// ProvisionAddress is the body of the server's first request to a new device (10.1): where its master shall write to.
type ProvisionAddress string

// Encode serialises a.
func (a ProvisionAddress) Encode() []byte {
	return marshal(nil, &pb.ProvisionAddress{Address: (*string)(&a)})
}

// ParseProvisionAddress reads an address.
func ParseProvisionAddress(b []byte) (ProvisionAddress, error) {
	var m pb.ProvisionAddress
	if err := checkProvision("provisioning address", b); err != nil {
		return "", err
	}
	if err := unmarshal("provisioning address", b, &m); err != nil {
		return "", err
	}
	if m.GetAddress() == "" {
		return "", refusal.Because(refusal.InvalidMessage, "provisioning address is empty")
	}
	return ProvisionAddress(m.GetAddress()), nil
}
