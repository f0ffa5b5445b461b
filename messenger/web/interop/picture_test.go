package interop

import (
	"fmt"
	"strings"
	"testing"
)

// painted answers for the messenger: about a program of a distribution, and about a server that it cannot vouch for. These shapes are tested beside
// update.Picture and update.Claimed; a real distribution is played in cmd/updatecmd.
const painted = `
	const person = (name, organisation, jurisdiction, more) => ({ name, organisation, jurisdiction, auditor: true, signed: false, rebuilt: false, otherBytes: false, reviewed: false, foundFault: false, witnessed: false, withdrew: false, ...more });
	const people = [person('Ana Sousa', 'Tejo Labs', 'PT', { signed: true, rebuilt: true, rebuiltAt: '2026-11-20T10:00:00Z' }), person('Ben Haddad', 'Cedar', 'LB', { signed: true, reviewed: true }), person('Chidi Obi', 'Lagos Audit', 'NG', { signed: true, witnessed: true }), person('Dana Levi', 'Negev', 'IL', {}), person('Erik Berg', 'Fjord', 'NO', {})];
	const need = { quorum: 3 }, counts = { signed: 3, rebuilt: 1, reviewed: 1, witnessed: 1, withdrew: 0, jurisdictions: 3, organisations: 3 };
	window.asked = [];
	const answers = {
		about: () => ({ program: 'messenger', version: '1.4.0', os: 'linux', arch: 'amd64', sha256: 'ab'.repeat(32), outcome: 'genuine', distribution: 'Example', channel: 'stable', channels: ['stable', 'beta'], automatic: true, freshness: { text: 'Looked for updates today.' }, need, counts, people, versions: [], checkItYourself: ['countersign verify messenger'] }),
		serverAbout: () => ({ server: 'https://chat.example.org', says: { program: 'messengerd', version: '1.3.9', sha256: 'cd'.repeat(32) }, checked: { outcome: 'refused', why: 'Erik Berg withdrew it', behind: true, newest: '1.4.0', limits: 'That the server really runs them cannot be seen from here.', need, counts: { ...counts, signed: 2 }, people: [...people.slice(0, 4), person('Erik Berg', 'Fjord', 'NO', { withdrew: true })] } }),
	};
	answers.updateSettings = answers.about;
	const real = window.fetch;
	window.fetch = async (path, options) => {
		const { method, params } = path === '/rpc' ? JSON.parse(options.body) : {};
		if (!answers[method]) return real(path, options);
		window.asked.push(method + ' ' + JSON.stringify(params));
		return new Response(JSON.stringify({ jsonrpc: '2.0', id: 1, result: answers[method]() }));
	};
	true`

// The server's verdict is the same picture as the program's: the people around the bytes, the ring of the quorum, and beside it how far it can be known. The
// channel and whether updates come by themselves are chosen there.
func TestThePictureOfTheVerdict(t *testing.T) {
	b := newBrowser(t)
	w := newTown(t)
	alice := w.person("alice")
	alice.register()
	page := b.tab(alice.address())
	page.wait("document.querySelector('.side') !== null")
	script[bool](page, "(() => {"+strings.TrimSuffix(strings.TrimSpace(painted), "true")+"; return true })()")
	page.press("Audited?")
	page.wait("document.querySelectorAll('.ring').length === 1 && document.querySelectorAll('.person').length === 5 && document.querySelectorAll('.person.signed').length === 3")
	page.press("Ask the server what it runs")
	page.wait("document.querySelectorAll('.ring').length === 2")
	for _, want := range []string{"refused", "Erik Berg withdrew it", "How far this can be known: That the server really runs them cannot be seen from here.", "It is out of date: 1.4.0 is the newest.", "WITHDREW IT"} {
		page.wait(fmt.Sprintf("document.querySelector('.panel').innerText.includes(%q)", want))
	}
	ring := script[string](page, "(() => { const r = [...document.querySelectorAll('.ring')].at(-1); return r.getAttribute('aria-label') + ', ' + r.querySelectorAll('.person.signed').length + ' filled, ' + r.querySelectorAll('.person.against').length + ' against' })()")
	if want := "2 signed, 3 needed, 3 filled, 1 against"; ring != want {
		t.Errorf("the ring: %s, want %s", ring, want)
	}
	script[bool](page, "(() => { const s = document.querySelector('.panel select'); s.value = 'beta'; s.dispatchEvent(new Event('change')); return true })()")
	page.wait(`window.asked.includes('updateSettings {"channel":"beta"}')`)
	// The panel is drawn anew after that, and is empty for a moment.
	page.wait("(() => { const box = document.querySelector('.panel input[type=checkbox]'); if (!box?.checked) return false; box.click(); return true })()")
	page.wait(`window.asked.includes('updateSettings {"automatic":false}')`)
}
