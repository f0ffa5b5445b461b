package wire_test

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"testing"

	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

func keepalive() wire.Frame {
	return wire.Frame{Request: &wire.Request{Verb: "GET", Path: "/v1/keepalive", ID: 7, Headers: []string{"a:b"}}}
}

// The layout is fixed by the peers (7.1), so it is written out here, byte by byte.
func TestFrameLayout(t *testing.T) {
	for _, c := range []struct {
		frame wire.Frame
		want  string
	}{
		{keepalive(), "0801" + "121b" + "0a03474554" + "120d2f76312f6b656570616c697665" + "2007" + "2a03613a62"},
		{wire.Frame{Response: &wire.Response{ID: 7, Status: 200, Message: "OK", Body: []byte("x")}}, "0802" + "1a0c" + "0807" + "10c801" + "1a024f4b" + "220178"},
	} {
		if got := hex.EncodeToString(c.frame.Append(nil)); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// A keepalive without an id, as one peer sends it, is a request with id 0 (7.1).
func TestFrameWithoutID(t *testing.T) {
	b, _ := hex.DecodeString("0801" + "1214" + "0a03474554" + "120d2f76312f6b656570616c697665")
	f, err := wire.ParseFrame(b)
	if err != nil || f.Request == nil || f.Request.ID != 0 || f.Request.Path != "/v1/keepalive" {
		t.Fatalf("%+v, %v", f.Request, err)
	}
}

func TestFrameRefusals(t *testing.T) {
	many := keepalive()
	for range 40 {
		many.Request.Headers = append(many.Request.Headers, "a:b")
	}
	for name, c := range map[string]struct {
		in   []byte
		want string
	}{
		"huge":                 {make([]byte, wire.MaxFrame+1), "invalid message: websocket frame: got 1048577 bytes, want at most 1048576"},
		"garbage":              {[]byte{0xff}, "invalid message: websocket frame is not a protobuf of that kind"},
		"empty":                {nil, "invalid message: websocket frame of type 0 is neither a request nor a response"},
		"request of type 2":    {append([]byte{0x08, 2}, keepalive().Append(nil)[2:]...), "invalid message: websocket frame of type 2 is neither a request nor a response"},
		"more headers than 32": {many.Append(nil), "invalid message: websocket frame of type 1 is neither a request nor a response"},
	} {
		if _, err := wire.ParseFrame(c.in); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

func TestEnvelope(t *testing.T) {
	e := wire.Envelope{Type: wire.EnvelopePreKey, Source: "+14155550001", SourceDevice: 2, Relay: "peer", Timestamp: 1448000000000, Legacy: []byte("l"),
		Content: []byte("c"), ServerGUID: "guid", ServerTimestamp: 1448000000001}
	got, err := wire.ParseEnvelope(e.Encode())
	if err != nil || !reflect.DeepEqual(got, e) {
		t.Fatalf("%+v, %v", got, err)
	}
	const layout = "0803" + "120131" + "1a0172" + "2805" + "32016c" + "3802" + "420163" + "4a0167" + "5006"
	small := wire.Envelope{Type: 3, Source: "1", Relay: "r", Timestamp: 5, Legacy: []byte("l"), SourceDevice: 2, Content: []byte("c"), ServerGUID: "g", ServerTimestamp: 6}
	if b := hex.EncodeToString(small.Encode()); b != layout {
		t.Errorf("got %s, want %s", b, layout)
	}
	for _, c := range []struct {
		e    wire.Envelope
		want refusal.Kind
	}{
		{wire.Envelope{Type: 1}, refusal.InvalidMessage},
		{wire.Envelope{Type: 4, Source: "+1"}, refusal.LegacyVersion},
	} {
		if _, err := wire.ParseEnvelope(c.e.Encode()); refusal.Of(err) != c.want {
			t.Errorf("%+v: got %v, want %s", c.e, err, c.want)
		}
	}
}

func TestProvisionAddress(t *testing.T) {
	b := wire.ProvisionAddress("abc").Encode()
	if a, err := wire.ParseProvisionAddress(b); err != nil || a != "abc" || hex.EncodeToString(b) != "0a03616263" {
		t.Fatalf("%q, %v, %x", a, err, b)
	}
	if _, err := wire.ParseProvisionAddress(nil); refusal.Of(err) != refusal.InvalidMessage {
		t.Fatal(err)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(keepalive().Append(nil))
	f.Add(wire.Frame{Response: &wire.Response{ID: 1, Status: 200}}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := wire.ParseFrame(b)
		if err != nil {
			known(t, err)
			return
		}
		again, err := wire.ParseFrame(m.Append(nil))
		if err != nil || !bytes.Equal(again.Append(nil), m.Append(nil)) {
			t.Fatalf("%+v became %+v: %v", m, again, err)
		}
	})
}

func FuzzEnvelope(f *testing.F) {
	f.Add(wire.Envelope{Type: 1, Source: "+1", Content: []byte("x"), Timestamp: 1}.Encode())
	f.Add(wire.Envelope{Type: 3, Source: "+1", SourceDevice: 1, Legacy: []byte("x"), Timestamp: 1}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := wire.ParseEnvelope(b)
		if err != nil {
			known(t, err)
			return
		}
		again, err := wire.ParseEnvelope(e.Encode())
		if err != nil || !bytes.Equal(again.Encode(), e.Encode()) {
			t.Fatalf("%+v became %+v: %v", e, again, err)
		}
	})
}
