package event_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/release/event"
	. "github.com/countersign-project/countersign/release/publish/roomtest"
)

// An event.json may have the right id and still not be one. Each rule has a line here.
func TestEventRules(t *testing.T) {
	w, id := staged(t)
	good, err := os.ReadFile(filepath.Join(w.Room.Events.Path(id), "event.json"))
	if err != nil {
		t.Fatal(err)
	}
	if e, err := event.Parse(good); err != nil || e.Kind != event.KindRelease || e.Version("stable") != 2 {
		t.Fatal(e, err)
	}
	artifact, modules := `"artifacts/linux-amd64/messenger": {`, `"modules.tar": {`
	for _, c := range []struct{ name, old, new, want string }{
		{"empty", string(good), "", "event.json: empty"},
		{"not JSON", "{\n", "[\n", "event.json: invalid character ':' after array element"},
		{"other format", "countersign-event-1", "countersign-event-2", `event.json: format "countersign-event-2", want "countersign-event-1"`},
		{"other kind", `"kind": "release"`, `"kind": "party"`, `event.json: unknown kind "party"`},
		{"unknown field", `"nonce":`, "\"note\": \"\",\n  \"nonce\":", `event.json: json: unknown field "note"`},
		{"field twice", `"supersedes": "",`, "\"supersedes\": \"\",\n  \"supersedes\": \"\",", "event.json: not in canonical form"},
		{"other spacing", `"kind": "release"`, `"kind":  "release"`, "event.json: not in canonical form"},
		{"something behind", "}\n", "}\n\n", ""},
		{"label that turns text round", `1.0.0 stable`, "1.0.0 \u202estable", "want at most 200 printable characters"},
		{"long label", `1.0.0 stable`, strings.Repeat("x", 201), "want at most 200 printable characters"},
		{"part of a second", `"made": "2026-11-21T12:00:00Z"`, `"made": "2026-11-21T12:00:00.5Z"`, "event.json: made 2026-11-21 12:00:00.5 +0000 UTC, want whole seconds in UTC"},
		{"no role", "\"expires\": {\n    \"stable\": \"2027-02-19T12:00:00Z\"\n  }", `"expires": {}`, "event.json: proposes no role"},
		{"online role", `"stable": "2027`, `"timestamp": "2027`, `event.json: role "timestamp" is not one that people sign`},
		{"expired at birth", `"stable": "2027-02-19`, `"stable": "2026-02-19`, "want whole seconds in UTC after it was made"},
		{"two roles", `"stable": "2027-02-19T12:00:00Z"`, "\"beta\": \"2027-02-19T12:00:00Z\",\n    \"stable\": \"2027-02-19T12:00:00Z\"", "event.json: a release proposes one channel and nothing else"},
		{"root in a release", `"stable": "2027`, `"root": "2027`, "event.json: a release proposes one channel and nothing else"},
		{"distribution with a base", `"kind": "release"`, `"kind": "distribution"`, "event.json: a distribution proposes root and targets and has no base"},
		{"no base", `"root": 1,`, `"roots": 1,`, "event.json: base names no version of root and targets"},
		{"base of version 0", `"root": 1,`, `"root": 0,`, `event.json: base role "root" has version 0`},
		{"short nonce", `"nonce": "`, `"nonce": "0`, "want 32 lower case hex digits"},
		{"supersedes nothing", `"supersedes": ""`, `"supersedes": "ab"`, `event.json: supersedes: event id "ab", want 64 lower case hex digits`},
		{"path that leads out", artifact, `"artifacts/linux-amd64/../m": {`, `event.json: file name "artifacts/linux-amd64/../m" is not a plain relative path`},
		{"hidden file", artifact, `"artifacts/linux-amd64/.m": {`, `event.json: file name "artifacts/linux-amd64/.m" is not a plain relative path`},
		{"metadata named", modules, `"metadata/stable.json": {`, `event.json: file "metadata/stable.json" has no place in an event of kind release`},
		{"distribution.toml in a release", modules, `"distribution.toml": {`, `event.json: file "distribution.toml" has no place in an event of kind release`},
		{"no source", `"source.bundle": {`, `"artifacts/source.bundle": {`, ""},
		{"huge release.json", "\"release.json\": {\n      \"length\": ", "\"release.json\": {\n      \"length\": 99999", `want 0 to 16777216`},
		{"negative length", "\"release.json\": {\n      \"length\": ", "\"release.json\": {\n      \"length\": -", `want 0 to 16777216`},
		{"capital digits", `"sha256": "`, `"sha256": "A`, "want 64 lower case hex digits"},
	} {
		text := strings.Replace(string(good), c.old, c.new, 1)
		if text == string(good) {
			t.Errorf("%s: %q is not in\n%s", c.name, c.old, good)
			continue
		}
		_, err := event.Parse([]byte(text))
		switch {
		case err == nil:
			t.Errorf("%s: accepted", c.name)
		case !isRefusal(err) || !strings.HasSuffix(err.Error(), c.want):
			t.Errorf("%s: %v, want … %s", c.name, err, c.want)
		}
	}
	if _, err := event.Parse(bytes.Repeat([]byte(" "), event.MaxEvent+1)); err == nil || err.Error() != "event.json: 262145 bytes, at most 262144 allowed" {
		t.Error(err)
	}
}

// Auditors may hold P-256 keys, as hardware does.
func TestP256Auditors(t *testing.T) {
	w := New(t)
	for i := range w.People {
		w.People[i].Auditor, w.People[i].Root = P256(w.People[i].Name+" auditor"), P256(w.People[i].Name+" root")
	}
	w.Distribute()
	id := w.Release("1.0.0", "stable", Ana, Ben, Cleo)
	next := w.Stage("1.1.0", "stable")
	sig := w.Load(id).Signatures[0]
	sig.Event = next
	refused(t, w.Room.Events.PutSignature(t.Context(), next, sig), "is not valid for event "+next.Short())
}

// Events are found by the start of their id.
func TestFind(t *testing.T) {
	w, id := staged(t)
	for _, c := range []struct{ prefix, want string }{
		{id.String(), ""}, {id.String()[:6], ""},
		{id.String()[:5], `no event "` + id.String()[:5] + `" in ` + filepath.Dir(w.Room.Events.Path(id))},
		{"ffffff00", `no event "ffffff00" in ` + filepath.Dir(w.Room.Events.Path(id))},
	} {
		got, err := event.Find(t.Context(), w.Room.Events, c.prefix)
		if c.want == "" && (err != nil || got != id) || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%s: %v %v", c.prefix, got, err)
		}
	}
	twin := id.String()[:8] + strings.Repeat("0", 56)
	if err := os.Mkdir(filepath.Join(filepath.Dir(w.Room.Events.Path(id)), twin), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := event.Find(t.Context(), w.Room.Events, id.String()[:8]); err == nil || err.Error() != `"`+id.String()[:8]+`" is the start of 2 event ids, give more digits` {
		t.Error(err)
	}
}
