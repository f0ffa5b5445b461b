package route

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// What travels over NATS. Every payload begins with the version byte 1; everything has exactly one coding, and a
// receiver refuses what it does not know, so that servers of two versions fall back to the queue instead of
// misunderstanding each other.
//
//	subject <prefix>.d.<key>   delivery   1 ‖ GUID 16 ‖ body          answer  1 ‖ 'a' acked or 'r' refused ‖ node
//	subject <prefix>.n.<node>  control    1 ‖ op ‖ epoch BE64 ‖ key   answer  1 ‖ 'k' known or 'u' unknown ‖ node
//
// op is 'w' wake, 'd' displace, 'p' ping (key empty). epoch is 0 but for displace.

const (
	frameVersion = 1
	guidLength   = 16

	opWake     = 'w'
	opDisplace = 'd'
	opPing     = 'p'

	saysAcked   = 'a'
	saysRefused = 'r'
	saysKnown   = 'k'
	saysUnknown = 'u'
)

var errPayload = errors.New("not a payload of this protocol")

// appendFrame codes a frame.
func appendFrame(b []byte, f Frame) []byte {
	b = append(b, frameVersion)
	b = append(b, f.GUID[:]...)
	return append(b, f.Body...)
}

// parseFrame decodes a frame. Its body is part of b.
func parseFrame(b []byte) (f Frame, err error) {
	rest, err := versioned(b, guidLength)
	if err != nil {
		return f, err
	}
	copy(f.GUID[:], rest)
	if f.Body = rest[guidLength:]; len(f.Body) > MaxBody {
		return f, fmt.Errorf("%w: body of %d bytes, at most %d", errPayload, len(f.Body), MaxBody)
	}
	return f, nil
}

// versioned checks the first byte and that at least n more follow.
func versioned(b []byte, n int) ([]byte, error) {
	if len(b) < 1+n {
		return nil, fmt.Errorf("%w: %d bytes, wanted at least %d", errPayload, len(b), 1+n)
	}
	if b[0] != frameVersion {
		return nil, fmt.Errorf("%w: version %d, wanted %d", errPayload, b[0], frameVersion)
	}
	return b[1:], nil
}

// control is what one node tells another.
type control struct {
	op    byte
	epoch int64
	key   Key
}

func appendControl(b []byte, c control) []byte {
	b = append(b, frameVersion, c.op)
	b = binary.BigEndian.AppendUint64(b, uint64(c.epoch))
	return append(b, c.key...)
}

func parseControl(b []byte) (c control, err error) {
	rest, err := versioned(b, 1+8)
	if err != nil {
		return c, err
	}
	c = control{op: rest[0], epoch: int64(binary.BigEndian.Uint64(rest[1:])), key: Key(rest[9:])}
	switch {
	case c.op != opWake && c.op != opDisplace && c.op != opPing:
		return c, fmt.Errorf("%w: op %q", errPayload, c.op)
	case c.op != opDisplace && c.epoch != 0:
		return c, fmt.Errorf("%w: op %q with epoch %d", errPayload, c.op, c.epoch)
	case c.op == opPing && c.key != "":
		return c, fmt.Errorf("%w: ping with a key", errPayload)
	case c.op == opPing:
		return c, nil
	}
	return c, ValidName(string(c.key))
}

// answer is what comes back, for both.
type answer struct {
	says byte
	node string
}

func appendAnswer(b []byte, a answer) []byte {
	return append(append(b, frameVersion, a.says), a.node...)
}

func parseAnswer(b []byte) (a answer, err error) {
	rest, err := versioned(b, 1)
	if err != nil {
		return a, err
	}
	a = answer{rest[0], string(rest[1:])}
	switch a.says {
	case saysAcked, saysRefused, saysKnown, saysUnknown:
		return a, ValidName(a.node)
	}
	return a, fmt.Errorf("%w: answer %q", errPayload, a.says)
}
