package source

import (
	"bufio"
	"context"
	"crypto/sha1" // #nosec: git's hash; the h1 beside it is SHA-256
	"encoding/hex"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
)

// objects reads raw objects from one long-running "git cat-file --batch" and hashes each of them, so a
// damaged or lying object store is noticed at the object.
type objects struct {
	cmd    *exec.Cmd
	cancel context.CancelFunc
	in     io.WriteCloser
	out    *bufio.Reader
	total  int64
}

func (g git) objects(ctx context.Context) (*objects, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := g.command(ctx, "cat-file", "--batch")
	in, err := cmd.StdinPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	return &objects{cmd: cmd, cancel: cancel, in: in, out: bufio.NewReaderSize(out, 64<<10)}, nil
}

func (o *objects) close() {
	_ = o.in.Close()
	o.cancel()
	_ = o.cmd.Wait() // killed on purpose; everything read was checked by its hash
}

// read returns the bytes of the object id, which must be of that kind and hash to id.
func (o *objects) read(id, kind string) ([]byte, error) {
	if _, err := io.WriteString(o.in, id+"\n"); err != nil {
		return nil, fmt.Errorf("git object %s: %w", id, err)
	}
	header, err := o.out.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("git object %s: %w", id, err)
	}
	f := strings.Fields(header)
	if len(f) != 3 || f[0] != id {
		return nil, refusef("git object %s: %s", id, strings.TrimSpace(strings.TrimPrefix(header, id)))
	}
	if f[1] != kind {
		return nil, refusef("git object %s is a %s, want a %s", id, f[1], kind)
	}
	size, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil || size < 0 || size > maxObject {
		return nil, refusef("git object %s has %s bytes, at most %d allowed", id, f[2], maxObject)
	}
	if o.total += size; o.total > maxTotal {
		return nil, refusef("source has more than %d bytes", maxTotal)
	}
	body := make([]byte, size+1)
	if _, err := io.ReadFull(o.out, body); err != nil {
		return nil, fmt.Errorf("git object %s: %w", id, err)
	}
	body = body[:size] // git adds a newline
	if got := objectID(kind, body); got != id {
		return nil, refusef("git object %s hashes to %s: the repository is damaged or lies", id, got)
	}
	return body, nil
}

// objectID is git's name for an object: SHA-1 over its kind, length and bytes.
func objectID(kind string, body []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00", kind, len(body))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}
