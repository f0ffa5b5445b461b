package main

import (
	"bufio"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadStanza(t *testing.T) {
	stream := "<?xml version='1.0'?><stream:stream id='1' xmlns='jabber:client'>" +
		"<stream:features><mechanisms><mechanism>PLAIN</mechanism></mechanisms><sm xmlns='urn:xmpp:sm:3'/></stream:features>\n " +
		"<r xmlns='urn:xmpp:sm:3'/><message from='a@b/c' id='7'><body>1 &lt; 2</body><x/></message>" +
		"<presence/></stream:stream>"
	want := []string{
		"<stream:stream id='1' xmlns='jabber:client'>",
		"<stream:features><mechanisms><mechanism>PLAIN</mechanism></mechanisms><sm xmlns='urn:xmpp:sm:3'/></stream:features>",
		"<r xmlns='urn:xmpp:sm:3'/>", "<message from='a@b/c' id='7'><body>1 &lt; 2</body><x/></message>", "<presence/>",
	}
	for name, r := range map[string]*bufio.Reader{
		"at once": bufio.NewReader(strings.NewReader(stream)), "byte by byte": bufio.NewReaderSize(iotest.OneByteReader(strings.NewReader(stream)), 16),
	} {
		for _, w := range want {
			if got, err := readStanza(r); err != nil || string(got) != w {
				t.Fatalf("%s: %q, %v; want %q", name, got, err, w)
			}
		}
		if s, err := readStanza(r); err == nil || !strings.Contains(err.Error(), "closed the stream") {
			t.Errorf("%s: after the end: %q, %v", name, s, err)
		}
	}
	for _, bad := range []string{"", "<message><body>", "hello>", "<>", strings.Repeat("<a>", maxStanza)} {
		if s, err := readStanza(bufio.NewReader(strings.NewReader(bad))); err == nil {
			t.Errorf("%.20q gave %q", bad, s)
		}
	}
}

func TestAttribute(t *testing.T) {
	s := []byte(`<message type="chat" id='r12' from='u1@localhost/load'><received id='12'/></message>`)
	for name, want := range map[string]string{"id": "r12", "type": "chat", "from": "u1@localhost/load", "to": ""} {
		if got := attribute(s, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
