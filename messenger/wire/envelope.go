package wire

import (
	"google.golang.org/protobuf/proto"

	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire/pb"
)

// EnvelopeType says what an envelope carries (7.3). The numbers are the transport's; those of the libraries differ.
type EnvelopeType uint32

// Types of envelopes.
const (
	EnvelopeUnknown     EnvelopeType = 0
	EnvelopeCiphertext  EnvelopeType = 1 // a Signal message
	EnvelopeKeyExchange EnvelopeType = 2 // SMS era
	EnvelopePreKey      EnvelopeType = 3 // a prekey message
	EnvelopePlaintext   EnvelopeType = 4 // of 2013; always refused
	EnvelopeReceipt     EnvelopeType = 5 // made by servers, proves nothing
	EnvelopeSealed      EnvelopeType = 6 // sealed sender
	EnvelopeSenderKey   EnvelopeType = 7 // ours: a sender-key message, one ciphertext for all members
	EnvelopeRetry       EnvelopeType = 8 // a request to send again, unencrypted (15)
)

// Envelope is what a server hands to a device. All of it, source and times included, is the server's word: check it against what is
// inside the ciphertext.
type Envelope struct {
	Type         EnvelopeType
	Source       string // the sender's number; never empty (7.3)
	SourceDevice uint32
	Relay        string // the federated server the sender lives on, or empty
	Timestamp    uint64 // milliseconds, the sender's: the message's id
	Legacy       []byte // ciphertext whose plaintext is a bare DataMessage
	Content      []byte // ciphertext whose plaintext is a Content
	ServerGUID   string // the same in repetitions: what clients drop duplicates by
	// ServerTimestamp is when the server accepted it, in milliseconds; 0 if it does not say.
	ServerTimestamp uint64
}

// Encode serialises e.
func (e Envelope) Encode() []byte { return e.Append(nil) }

// Append serialises e behind dst.
func (e Envelope) Append(dst []byte) []byte {
	p := pb.Envelope{Type: (*uint32)(&e.Type), Source: &e.Source, SourceDevice: &e.SourceDevice, Timestamp: &e.Timestamp, Legacy: e.Legacy, Content: e.Content}
	if e.Relay != "" {
		p.Relay = &e.Relay
	}
	if e.ServerGUID != "" {
		p.ServerGuid = &e.ServerGUID
	}
	if e.ServerTimestamp != 0 {
		p.ServerTimestamp = proto.Uint64(e.ServerTimestamp)
	}
	return marshal(dst, &p)
}

// ParseEnvelope reads an envelope. It refuses what no honest server hands out: an empty source, plaintext.
func ParseEnvelope(b []byte) (Envelope, error) {
	if len(b) > MaxFrame {
		return Envelope{}, refusal.Because(refusal.InvalidMessage, "envelope: got %d bytes, want at most %d", len(b), MaxFrame)
	}
	var p pb.Envelope
	if err := unmarshal("envelope", b, &p); err != nil {
		return Envelope{}, err
	}
	switch {
	case p.GetSource() == "":
		return Envelope{}, refusal.Because(refusal.InvalidMessage, "envelope without a source")
	case p.GetType() == uint32(EnvelopePlaintext):
		return Envelope{}, refusal.Because(refusal.LegacyVersion, "envelope of type 4: plaintext is never accepted")
	}
	return Envelope{
		Type: EnvelopeType(p.GetType()), Source: p.GetSource(), SourceDevice: p.GetSourceDevice(), Relay: p.GetRelay(), Timestamp: p.GetTimestamp(),
		Legacy: p.Legacy, Content: p.Content, ServerGUID: p.GetServerGuid(), ServerTimestamp: p.GetServerTimestamp(),
	}, nil
}
