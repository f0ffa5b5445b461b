package interop

import (
	"fmt"
	"testing"
)

// compares has two people take each other's safety number as compared.
func compares(a, b *person) {
	a.w.Helper()
	for _, p := range [][2]*person{{a, b}, {b, a}} {
		p[0].call("trust", map[string]any{"recipient": p[1].number, "verifiedSafetyNumber": p[0].identity(p[1].number).SafetyNumber}, nil)
	}
}

// Alice introduces Bob to Carol from the page on which she has compared numbers with him, and his page says whose word it is.
func TestIntroducingOnThePage(t *testing.T) {
	w, alice, bob, a, b := acquainted(t)
	compares(alice, bob)
	a.pressIn(".main", "Verify")
	a.wait(fmt.Sprintf("document.querySelector('.main')?.innerText.includes('you can introduce %s here')", bob.number))
	a.pressIn(".main", "← Back")
	carol := w.person("carol")
	carol.register()
	alice.call("send", map[string]any{"recipient": []string{carol.number}, "message": "hello Carol"}, nil)
	carol.call("sendMessageRequestResponse", map[string]any{"recipient": []string{alice.number}, "type": "accept"}, nil)
	compares(alice, carol)
	a.pressIn(".main", "Verify")
	a.wait(fmt.Sprintf("document.querySelector('.main select')?.value === %q", carol.number))
	a.listens()
	a.pressIn(".main", "Introduce")
	a.said("with your signature")
	b.reads("No key of " + carol.number + " is here yet")
	bob.call("send", map[string]any{"recipient": []string{carol.number}, "message": "Alice says hello"}, nil)
	bob.call("updateContact", map[string]any{"recipient": carol.number, "name": "Carol"}, nil)
	b.converse("Carol")
	b.reads("has introduced " + carol.number + " to you: the key")
	b.pressIn(".main", "Verify")
	b.wait(fmt.Sprintf("document.querySelector('.main')?.innerText.includes('%s introduced Carol to you on ')", alice.number))
	if got := bob.identity(carol.number).TrustLevel; got != "TRUSTED_UNVERIFIED" {
		t.Errorf("the contact is %s", got)
	}
}
