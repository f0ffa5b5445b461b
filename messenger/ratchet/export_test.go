package ratchet

import "github.com/countersign-project/countersign/messenger/handshake"

// InitiateV2 starts a session of version 2, which Initiate never does: we receive and answer it only.
func (r *Record) InitiateV2(w Setting, b *handshake.Bundle) error {
	s, err := initiate(w, b, handshake.LevelV2)
	if err == nil {
		r.replace(s)
	}
	return err
}
