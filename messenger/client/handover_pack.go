package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/countersign-project/countersign/messenger/archive"
	"github.com/countersign-project/countersign/messenger/wire"
)

// pack writes the archive and encrypts its parts.
func (a *Account) pack(ctx context.Context, h *handover) (err error) {
	seed, err := archive.NewSeed(a.World.Rand)
	if err != nil {
		return err
	}
	scratch, err := a.Scratch()
	if err != nil {
		return err
	}
	defer os.Remove(scratch.Name())
	defer scratch.Close()
	all, _, err := a.HistorySize(ctx)
	if err != nil {
		return err
	}
	p := &packing{a: a, scratch: scratch, h: h}
	m := newMeter(a.World.Now, a.handing.of(int64(h.Device)), Packing, 0, all)
	if h.Messages, err = a.packHistory(ctx, p, seed, m); err == nil {
		err = p.cut()
	}
	if err != nil {
		a.dropFiles(h.Files)
		h.Files, h.Parts = nil, nil
		return room(err)
	}
	h.Seed = seed[:]
	return nil
}

// packHistory writes an archive of what another device lacks: no password, no key of ours, and no session.
func (a *Account) packHistory(ctx context.Context, dst io.Writer, seed archive.Seed, count *meter) (messages int, err error) {
	return a.archive(ctx, dst, seed, count, func(c *change, enc *json.Encoder) error {
		if err := enc.Encode(line{Version: backupVersion, Own: &ownBackup{Number: c.self()}}); err != nil {
			return err
		}
		return c.backupPeople(enc)
	})
}

// packing cuts what is written to it into parts.
type packing struct {
	a       *Account
	scratch *os.File // sealed: the archive's ciphertext
	n       int64    // bytes in it
	h       *handover
}

// Write implements io.Writer.
func (p *packing) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		k, err := p.scratch.Write(b[:min(int64(len(b)), p.a.partSize-p.n)])
		p.n, n, b = p.n+int64(k), n+k, b[k:]
		if err != nil {
			return n, err
		}
		if p.n == p.a.partSize {
			if err := p.cut(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// cut makes a part of what is there.
func (p *packing) cut() error {
	if p.n == 0 {
		return nil
	}
	if len(p.h.Files) == wire.MaxHistoryParts {
		return fmt.Errorf("a history of more than %d MiB", wire.MaxHistoryParts*p.a.partSize>>20)
	}
	if _, err := p.scratch.Seek(0, io.SeekStart); err != nil {
		return err
	}
	u, part, err := p.a.encrypt(io.LimitReader(p.scratch, p.n), p.n)
	if err != nil {
		return err
	}
	p.h.Files, p.h.Parts = append(p.h.Files, u), append(p.h.Parts, part)
	p.n = 0
	if _, err := p.scratch.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return p.scratch.Truncate(0)
}
