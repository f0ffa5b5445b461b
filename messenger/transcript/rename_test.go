package transcript_test

import (
	"testing"
)

// A member is called otherwise from some message on. His counter goes on, who tells different things under one number is found out as before, and what
// everybody has seen stays seen.
func TestAMemberIsCalledByAnotherName(t *testing.T) {
	w := newWorld(t, "alice", "bob")
	first := w.says("alice", "first")
	w.arrives("bob", first, "")
	w.arrives("alice", w.says("bob", "answer"), "")
	late := w.says("alice", "late")

	w.members = []string{"anna", "bob"}
	w.views["anna"] = w.views["alice"]
	delete(w.views, "alice")
	for _, v := range w.views {
		v.Rename("alice", "anna")
	}
	second := w.says("anna", "second")
	if second.Counter != 3 || second.Author.Member != "anna" {
		t.Errorf("%+v", second.Author)
	}
	w.arrives("bob", second, "missing late")
	again := w.views["bob"].Due(w.now.Add(1e12))
	if len(again) != 1 || len(again[0].Ask) == 0 || again[0].Ask[0] != "anna" {
		t.Errorf("%+v", again)
	}
	late.Author.Member = "alice" // as its id has it
	w.arrives("bob", late, "filled second")
	liar := *second
	liar.Nonce[1] = 1
	w.names[liar.ID()] = "liar"
	w.arrives("bob", &liar, "equivocation with second")
	if by := w.views["bob"].ConfirmedBy(first.ID(), w.members); len(by) != 2 {
		t.Error(by)
	}
	if at := w.views["anna"].Watermark([]string{"anna", "bob"}); at == 0 {
		t.Error("what both have seen is forgotten")
	}
	if at := w.views["anna"].Watermark([]string{"alice", "bob"}); at != 0 {
		t.Error("alice is still somebody", at)
	}
}
