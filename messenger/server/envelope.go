package server

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/countersign-project/countersign/messenger/server/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// What waits in a queue, and travels between servers, is one byte of flags and the envelope as the device will get it, before its signaling key.
const wantsReceipt = 1 // the sender is told when the device has it (6.4)

// codedOverhead is the room that an envelope without its ciphertext usually takes: not a bound.
const codedOverhead = 128

// coded returns the body of a stored envelope.
func coded(e *wire.Envelope, receipt bool) []byte {
	flags := byte(0)
	if receipt {
		flags |= wantsReceipt
	}
	b := make([]byte, 1, 1+len(e.Legacy)+len(e.Content)+codedOverhead)
	b[0] = flags
	return e.Append(b)
}

// decoded splits a stored body. The envelope shares its memory.
func decoded(body []byte) (envelope []byte, receipt bool, err error) {
	if len(body) < 1 {
		return nil, false, errors.New("internal error: an empty body in the queue")
	}
	return body[1:], body[0]&wantsReceipt != 0, nil
}

// tagOf is what an envelope is found by when a client without websocket acknowledges it: never 0.
func tagOf(source string, timestamp uint64) int64 {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(source+"\x00"), timestamp))
	return int64(binary.BigEndian.Uint64(sum[:]) | 1)
}

// guid is random for what our own users send: they get an answer, or send again with the same timestamp. What comes from a peer can come twice with
// nobody knowing: the peer's answer may be lost. So the same ciphertext for the same device gets the same id each time, and clients drop the repeat.
func (s *Server) guid(e *wire.Envelope, to store.DeviceKey) (g store.GUID, err error) {
	if e.Relay == "" {
		return newGUID(s.Rand)
	}
	same := *e
	same.ServerGUID, same.ServerTimestamp = "", 0
	sum := sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, uint64(to)), same.Encode()...))
	return uuid(store.GUID(sum[:16])), nil
}

// newGUID draws an id for an envelope.
func newGUID(random io.Reader) (g store.GUID, err error) {
	if _, err = io.ReadFull(random, g[:]); err != nil {
		return g, fmt.Errorf("random bytes for an id: %w", err)
	}
	return uuid(g), nil
}

// uuid gives bytes the form of a random UUID (RFC 9562, 5.4), which is what clients expect in the field.
func uuid(g store.GUID) store.GUID {
	g[6], g[8] = g[6]&0x0f|0x40, g[8]&0x3f|0x80
	return g
}

// guidText is the form in field 9 of the envelope.
func guidText(g store.GUID) string {
	h := hex.EncodeToString(g[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
