package federation

import (
	"crypto/rand"
	"strings"
	"testing"
)

var ones = "sha256:" + strings.Repeat("11", 32)

func newKey(t testing.TB) *Key {
	t.Helper()
	text, err := NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestParsePeer(t *testing.T) {
	p, err := ParsePeer("b.example https://fed.b.example:8443 " + ones + " at-once=4 directory requests=2.5")
	if err != nil || p.Name != "b.example" || p.URL.Host != "fed.b.example:8443" || len(p.Pins) != 1 || p.Pins[0].String() != ones || !p.Directory || p.Limits != (Limits{2.5, 600, 4}) {
		t.Errorf("%+v, %v", p, err)
	}
	for line, want := range map[string]string{
		"":                                 `peer "": want its name, its URL and its pin`,
		"b https://b":                      `peer "b https://b": want its name, its URL and its pin`,
		"-b https://b " + ones:             `peer "-b": "-b" is no name of a server: want 1 to 63 of a to z, 0 to 9, dots and dashes`,
		"b@c https://b " + ones:            `peer "b@c": "b@c" is no name of a server: want 1 to 63 of a to z, 0 to 9, dots and dashes`,
		"b https://b/x " + ones:            `peer "b": "https://b/x": want https://host:port`,
		"b https://u:p@b " + ones:          `peer "b": "https://u:p@b": want https://host:port`,
		"b https://b sha256:00":            `peer "b": "sha256:00" is no pin: want sha256: and 64 hexadecimal digits, as 'messengerd peer key' prints it`,
		"b https://b directory":            `peer "b": 0 pins, want one, or two while it changes keys`,
		"b https://b " + ones + " x=1":     `peer "b": "x=1": want a pin, requests=, megabytes=, at-once= or directory`,
		"b https://b requests=NaN " + ones: `peer "b": "requests=NaN": want requests of 1 to 1000000 a second, megabytes of 10 to 1000000 a minute, at-once of 1 to 1000`,
		"b https://b at-once=0 " + ones:    `peer "b": "at-once=0": want requests of 1 to 1000000 a second, megabytes of 10 to 1000000 a minute, at-once of 1 to 1000`,
	} {
		if _, err := ParsePeer(line); err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", line, err, want)
		}
	}
}

// A key stays the same over starts, and so does its pin; two keys differ.
func TestKeyAndPin(t *testing.T) {
	text, err := NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a, err1 := ParseKey(text)
	b, err2 := ParseKey(text)
	if err1 != nil || err2 != nil || a.Pin() != b.Pin() || a.Pin() == newKey(t).Pin() {
		t.Errorf("%v %v", err1, err2)
	}
	if pin, err := ParsePin(a.Pin().String()); err != nil || pin != a.Pin() {
		t.Errorf("%v %v", pin, err)
	}
	for _, bad := range []string{"", "x", string(text[:40]), strings.Replace(string(text), "PRIVATE", "PUBLIC", 2)} {
		if _, err := ParseKey([]byte(bad)); err == nil {
			t.Errorf("%q is a key", bad)
		}
	}
}

func TestNodeRefusesItself(t *testing.T) {
	k := newKey(t)
	p, err := ParsePeer("b https://b " + k.Pin().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Name: "a", Key: k, Peers: []Peer{p}}); err == nil || !strings.Contains(err.Error(), "the pin is this server's own") {
		t.Error(err)
	}
}
