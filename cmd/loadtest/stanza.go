package main

import (
	"bufio"
	"bytes"
	"fmt"
)

// maxStanza bounds what an XMPP server may send at once.
const maxStanza = 1 << 20

// readStanza reads the next child of an XMPP stream as text (RFC 6120, 4.1): servers send elements, and blanks between them, and neither comments
// nor CDATA (11.1). The stream's own opening tag, which is not closed, is returned alone; its closing tag is an error.
func readStanza(r *bufio.Reader) ([]byte, error) {
	var b []byte
	for depth := 0; ; {
		start, tag, err := readTag(r, &b)
		switch {
		case err != nil:
			return nil, err
		case bytes.HasPrefix(tag, []byte("<?")):
			b = b[:start]
			continue
		case bytes.HasPrefix(tag, []byte("<stream:stream")):
			return tag, nil
		case bytes.HasPrefix(tag, []byte("</stream:stream")):
			return nil, fmt.Errorf("the server closed the stream: %s", b)
		case tag[1] == '/':
			depth--
		case tag[len(tag)-2] != '/':
			depth++
		}
		if depth == 0 {
			return bytes.TrimLeft(b, " \t\r\n"), nil
		}
	}
}

// readTag appends everything up to the end of the next tag to b, and returns the tag and where it begins.
func readTag(r *bufio.Reader, b *[]byte) (start int, tag []byte, err error) {
	from := len(*b)
	for {
		part, err := r.ReadSlice('>')
		*b = append(*b, part...)
		if len(*b) > maxStanza {
			return 0, nil, fmt.Errorf("a stanza of more than %d bytes", maxStanza)
		}
		if err == nil {
			break
		}
		if err != bufio.ErrBufferFull {
			return 0, nil, err
		}
	}
	open := bytes.IndexByte((*b)[from:], '<')
	if open < 0 || len(*b)-from-open < 3 {
		return 0, nil, fmt.Errorf("%.40q: not a tag", (*b)[from:])
	}
	return from + open, (*b)[from+open:], nil
}

// attribute returns the value of an attribute of the first tag, or "". Nothing that we look for is ever escaped.
func attribute(stanza []byte, name string) string {
	tag, _, _ := bytes.Cut(stanza, []byte(">"))
	for _, quote := range []string{"'", `"`} {
		if _, rest, ok := bytes.Cut(tag, []byte(" "+name+"="+quote)); ok {
			value, _, _ := bytes.Cut(rest, []byte(quote))
			return string(value)
		}
	}
	return ""
}
