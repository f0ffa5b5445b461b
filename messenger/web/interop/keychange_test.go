package interop

import (
	"fmt"
	"strings"
	"testing"
)

// replaced gives somebody's number to a new messenger, and opens its page.
func replaced(t *testing.T, w *town, who *person) (*person, *tab) {
	t.Helper()
	again := w.person(who.name + "-again")
	again.takeOver(who.number)
	return again, newBrowser(t).tab(again.address())
}

// lastOf is true when the state of the last message that was sent from a page reads so.
func lastOf(state string) string {
	return fmt.Sprintf("[...document.querySelectorAll('.m.mine')].at(-1).innerText.includes(%q)", state)
}

// Whose contact was never compared is told of another key by a line in the conversation, and goes on writing.
func TestAnUnverifiedContactGetsAnotherKey(t *testing.T) {
	w, alice, bob, a, _ := acquainted(t)
	_, b := replaced(t, w, bob)
	a.write("is it you?")
	b.converse("is it you?")
	a.reads("The safety number has changed")
	notice := script[string](a, "document.querySelector('.notice.alarm').innerText")
	for _, part := range []string{"The safety number has changed", "Most often", "ask"} {
		if !strings.Contains(notice, part) {
			t.Errorf("the notice is without %q: %s", part, notice)
		}
	}
	b.accept()
	b.write("yes, with a new phone")
	a.reads("yes, with a new phone")
	a.write("good")
	a.wait(lastOf("✓✓"))
	if got := alice.identity(bob.number).TrustLevel; got != "TRUSTED_UNVERIFIED" {
		t.Errorf("the contact is %s", got)
	}
}

// Whose contact was verified sends nothing to another key: the line says what has probably happened, leads to the comparison, and after that what waited
// goes out.
func TestAVerifiedContactGetsAnotherKey(t *testing.T) {
	w, alice, bob, a, b := acquainted(t)
	compare := func(with *person) {
		t.Helper()
		a.wait("document.querySelector('input[type=file][accept]') !== null")
		script[bool](a, with.photograph(with.identity(alice.number).ScannableSafetyNumber))
		a.wait("document.querySelector('.log') !== null")
		if got := alice.identity(bob.number).TrustLevel; got != "TRUSTED_VERIFIED" {
			t.Errorf("the contact is %s", got)
		}
	}
	a.pressIn(".main", "Verify")
	old := bob.identity(alice.number).ScannableSafetyNumber
	compare(bob)
	a.write("the first secret")
	b.reads("the first secret")
	again, b := replaced(t, w, bob)
	a.write("the second secret")
	a.reads("Nothing is sent until")
	a.wait(lastOf("⚠ not sent: the safety number"))
	if got := script[string](a, "[...document.querySelectorAll('.m.mine')].at(-1).textContent"); strings.Contains(got, "Try again") || !strings.Contains(got, "Compare now") {
		t.Errorf("what is held says %s", got)
	}
	if got := alice.identity(bob.number).TrustLevel; got != "UNTRUSTED" {
		t.Errorf("the contact is %s", got)
	}
	notice := script[string](a, "document.querySelector('.notice.alarm').innerText")
	for _, part := range []string{"since it was verified", "Most often", "compare"} {
		if !strings.Contains(notice, part) {
			t.Errorf("the notice is without %q: %s", part, notice)
		}
	}
	// The old code does not do.
	a.pressIn(".notice.alarm", "Compare now")
	a.wait("document.querySelector('.main .error')?.innerText.includes('Nothing is sent until you decide')")
	a.listens()
	script[bool](a, again.photograph(old))
	a.said("differ")
	if got := alice.identity(bob.number).TrustLevel; got != "UNTRUSTED" {
		t.Errorf("after the wrong code the contact is %s", got)
	}
	compare(again)
	a.wait(lastOf("✓"))
	b.converse("the second secret")
	b.accept() // who has accepted says that he has it
	a.wait(lastOf("✓✓"))
}
