package route

import (
	"bytes"
	"strings"
	"testing"
)

// Every payload has one coding: what is accepted prints back the same. Nothing longer than its bound is accepted.
func FuzzPayloads(f *testing.F) {
	f.Add(appendFrame(nil, Frame{GUID: [16]byte{1}, Body: []byte("body")}))
	f.Add(appendControl(nil, control{op: opWake, key: "d12"}))
	f.Add(appendControl(nil, control{op: opDisplace, epoch: -5, key: "d12"}))
	f.Add(appendControl(nil, control{op: opPing}))
	f.Add(appendAnswer(nil, answer{saysAcked, "node-a"}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if frame, err := parseFrame(b); err == nil && (!bytes.Equal(appendFrame(nil, frame), b) || len(frame.Body) > MaxBody) {
			t.Errorf("frame %x is not its own coding", b)
		}
		if c, err := parseControl(b); err == nil && !bytes.Equal(appendControl(nil, c), b) {
			t.Errorf("control %x is not its own coding", b)
		}
		if a, err := parseAnswer(b); err == nil && !bytes.Equal(appendAnswer(nil, a), b) {
			t.Errorf("answer %x is not its own coding", b)
		}
	})
}

func TestPayloadsRefused(t *testing.T) {
	key65 := strings.Repeat("k", 65)
	for _, c := range []struct{ name, payload, frame, control, answer string }{
		{"empty", "", "0 bytes, wanted at least 17", "0 bytes, wanted at least 10", "0 bytes, wanted at least 2"},
		{"version 2", "\x02wwwwwwwwwwwwwwwwwwww", "version 2, wanted 1", "version 2, wanted 1", "version 2, wanted 1"},
		{"unknown op", "\x01x\x00\x00\x00\x00\x00\x00\x00\x00d1234567890", "", `op 'x'`, `answer 'x'`},
		{"wake with epoch", "\x01w\x00\x00\x00\x00\x00\x00\x00\x01d1234567890", "", "op 'w' with epoch 1", `answer 'w'`},
		{"ping with key", "\x01p\x00\x00\x00\x00\x00\x00\x00\x00d1234567890", "", "ping with a key", `answer 'p'`},
		{"bad name", "\x01w\x00\x00\x00\x00\x00\x00\x00\x00d.>.......", "", `"d.>......." has '.'`, `answer 'w'`},
		{"long name", "\x01d\x00\x00\x00\x00\x00\x00\x00\x00" + key65, "", "has 65 characters, wanted 1 to 64", `answer 'd'`},
		{"bad node", "\x01a*", "3 bytes, wanted at least 17", "3 bytes, wanted at least 10", `"*" has '*'`},
		{"too long", "\x01" + strings.Repeat("w", 16+MaxBody+1), "body of 1048577 bytes, at most 1048576", "op 'w' with epoch", "answer 'w'"},
	} {
		_, frame := parseFrame([]byte(c.payload))
		_, control := parseControl([]byte(c.payload))
		_, answer := parseAnswer([]byte(c.payload))
		for want, got := range map[*string]error{&c.frame: frame, &c.control: control, &c.answer: answer} {
			switch {
			case *want == "" && got != nil:
				t.Errorf("%s: refused: %v", c.name, got)
			case *want != "" && (got == nil || !strings.Contains(got.Error(), *want)):
				t.Errorf("%s: got %v, wanted %q", c.name, got, *want)
			}
		}
	}
}
