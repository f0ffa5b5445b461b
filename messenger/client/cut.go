package client

import (
	"encoding/hex"
	"fmt"

	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/transcript"
)

// cuts is where the store has what was cut from a group's transcript: an entry for each message, and one for what its author has said under its number.
// Each is written once and looked up when something refers to it, so they cost the same however many there are.
type cuts struct {
	c            *change
	conversation string
}

// cut is a message that was cut.
type cut struct {
	Author   string   `json:"author"` // as in the transcript
	Place    uint64   `json:"place"`
	Vouchers []string `json:"vouchers,omitempty"`
}

func (s cuts) idName(id transcript.ID) string {
	return "id " + s.conversation + " " + hex.EncodeToString(id[:])
}

func (s cuts) slotName(a transcript.Author, counter uint64) string {
	return fmt.Sprintf("number %s %d %d %d %s", s.conversation, a.Device, a.Install, counter, a.Member)
}

// put keeps what was cut.
func (s cuts) put(list []transcript.Cut) error {
	for _, m := range list {
		if err := store.Save(s.c.tx, store.TranscriptCuts, s.idName(m.ID), cut{m.Author.Member, m.Place, m.Vouchers}); err != nil {
			return err
		}
		ids, err := s.Under(m.Author, m.Counter)
		if err != nil {
			return err
		}
		if err := store.Save(s.c.tx, store.TranscriptCuts, s.slotName(m.Author, m.Counter), append(ids, m.ID)); err != nil {
			return err
		}
	}
	return nil
}

func (s cuts) get(id transcript.ID) (transcript.Cut, bool, error) {
	m, ok, err := store.Load[cut](s.c.tx, store.TranscriptCuts, s.idName(id))
	return transcript.Cut{ID: id, Author: transcript.Author{Member: m.Author}, Place: m.Place, Vouchers: m.Vouchers}, ok, err
}

// WasCut is of transcript.Archive.
func (s cuts) WasCut(id transcript.ID) (bool, error) {
	_, ok, err := s.get(id)
	return ok, err
}

// Knows is of transcript.Archive.
func (s cuts) Knows(id transcript.ID) (bool, error) {
	if ok, err := s.WasCut(id); err != nil || ok {
		return ok, err
	}
	_, ok, err := store.Load[int64](s.c.tx, store.TranscriptRefs, s.conversation+" "+hex.EncodeToString(id[:]))
	return ok, err
}

// Under is of transcript.Archive.
func (s cuts) Under(a transcript.Author, counter uint64) ([]transcript.ID, error) {
	ids, _, err := store.Load[[]transcript.ID](s.c.tx, store.TranscriptCuts, s.slotName(a, counter))
	return ids, err
}

// vouchers lists the members on whose word alone we have a message, kept or cut.
func (s cuts) vouchers(t *transcript.Transcript, id transcript.ID) ([]string, error) {
	if t.Has(id) {
		return t.Vouchers(id), nil
	}
	m, _, err := s.get(id)
	return m.Vouchers, err
}

// confirmedBy lists the members who acknowledge one.
func (s cuts) confirmedBy(t *transcript.Transcript, id transcript.ID, members []string) ([]string, error) {
	m, ok, err := s.get(id)
	if err != nil || !ok {
		return t.ConfirmedBy(id, members), err
	}
	return t.ConfirmedCut(m, members), nil
}
