package interop

import "testing"

// A message, and a change of one, that come while the conversation is being read from the messenger are not lost, and not doubled.
func TestWhatComesWhileAConversationOpens(t *testing.T) {
	w, alice, bob, a, _ := acquainted(t)
	a.press("Notes")
	a.wait("document.querySelector('.main h1').innerText === 'Note to self'")
	// Answers to the one method wait, with what they say, until the test lets them go.
	script[bool](a, `(() => { const real = fetch; window.held = []; window.fetch = async (to, with_) => {
		const r = await real(to, with_);
		if (held && String(with_.body).includes('"listMessages"')) await new Promise((go) => held.push(go));
		return r };
		return true })()`)
	script[bool](a, "(() => { [...document.querySelectorAll('.list button')].find(b => b.innerText.includes('first of all')).click(); return true })()")
	a.wait("held.length === 1")
	bob.call("send", map[string]any{"recipient": []string{alice.number}, "message": "in between"}, nil)
	var list []struct{ Timestamp uint64 }
	alice.call("listMessages", map[string]any{"recipient": []string{bob.number}}, &list)
	bob.call("sendReaction", map[string]any{"recipient": []string{alice.number}, "targetAuthor": alice.number, "targetTimestamp": list[0].Timestamp, "emoji": "🙂"}, nil)
	w.until("both are here", func() bool {
		var list []struct{ Reactions []any }
		alice.call("listMessages", map[string]any{"recipient": []string{bob.number}}, &list)
		return len(list) == 2 && len(list[0].Reactions) == 1
	})
	a.wait("document.querySelector('.list').innerText.includes('in between')")
	script[bool](a, "(() => { for (const go of held) go(); held = null; return true })()")
	a.reads("first of all")
	a.reads("🙂")
	a.wait("document.querySelector('.log').innerText.split('in between').length === 2")
}
