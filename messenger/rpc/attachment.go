package rpc

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/countersign-project/countersign/messenger/client"
)

// maxInline bounds a file that travels inside an answer, in bytes; a request is bounded by maxLine.
const maxInline = 16 << 20

// getAttachment fetches a file and answers with it. saveAttachment takes bigger ones.
func (c *conn) getAttachment(p struct {
	asks
	ID string `json:"id"`
}) (any, error) {
	tell, err := c.progress(p.asks)
	if err != nil {
		return nil, err
	}
	file, err := c.Attachment(c.ctx, p.ID)
	if err != nil {
		return nil, err
	}
	if file.Size > maxInline {
		return nil, userError("a file of %d bytes, want at most %d in an answer: saveAttachment puts it into a directory", file.Size, maxInline)
	}
	var b bytes.Buffer
	if err := c.Account.Download(c.ctx, file, &b, tell); err != nil {
		return nil, err
	}
	return map[string][]byte{"data": b.Bytes()}, nil
}

// file is a file of a request: a path, or, as signal-cli has it, the file itself in data:TYPE;filename=NAME;base64,DATA.
func (c *conn) file(text string) (client.File, error) {
	head, b, inline, err := dataURL(text)
	if err != nil {
		return client.File{}, err
	}
	if !inline {
		return client.File{Path: text}, nil
	}
	f := client.File{Name: "file"}
	f.ContentType, head, _ = strings.Cut(head, ";")
	for part := range strings.SplitSeq(head, ";") {
		if name, ok := strings.CutPrefix(part, "filename="); ok && name != "" {
			f.Name = name
		}
	}
	f.Prepared, err = c.Account.Prepare(c.ctx, bytes.NewReader(b), int64(len(b)), f)
	return f, err
}

// dataURL splits data:HEAD;base64,DATA. Whatever does not begin with data: is none.
func dataURL(text string) (head string, b []byte, is bool, err error) {
	rest, is := strings.CutPrefix(text, "data:")
	if !is {
		return "", nil, false, nil
	}
	head, data, ok := strings.Cut(rest, ";base64,")
	if b, err = base64.StdEncoding.DecodeString(data); !ok || err != nil {
		return "", nil, true, userError("file %.40q, want a path or data:TYPE;filename=NAME;base64,DATA", text)
	}
	return head, b, true, nil
}
