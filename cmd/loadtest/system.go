package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
)

// system is a server that can be measured. Users are numbered from 0; a system is started anew for every measurement, in an empty directory.
type system interface {
	// name is what tables call it.
	name() string
	// start returns when the server accepts connections. That many users are about to come, and groups of groupSize of them.
	start(ctx context.Context, dir string, users int) (*process, error)
	// dial connects a user. arrived is called for every message that comes, before it is acknowledged; it must not block.
	dial(ctx context.Context, user int, arrived func()) (client, error)
}

// client is a connected user. Only one message is on its way at a time.
type client interface {
	// send returns when the sender knows that the other user has the message: what knows means is told by each system.
	send(to int, p payload) error
	// sendAbsent returns when the server has taken charge of a message to somebody who is not connected.
	sendAbsent(to int, p payload) error
	// join makes the user a member of their group before anything is sent to it.
	join() error
	// sendGroup sends to the user's own group and returns when the server says it is done.
	sendGroup(p payload) error
	close()
}

// groupSize is how many members a group has: users 0 to 19 are one, and so on.
const groupSize = 20

// payload is what is sent: random bytes, as ciphertext looks, and the base64 in which protocols of text carry it.
type payload struct {
	raw  []byte
	text string
}

func newPayload(size int) payload {
	p := payload{raw: make([]byte, size)}
	_, _ = rand.Read(p.raw) // never fails (crypto/rand)
	p.text = base64.RawStdEncoding.EncodeToString(p.raw)
	return p
}
