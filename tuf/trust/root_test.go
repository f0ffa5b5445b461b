package trust

import (
	"testing"
)

// TestRootChain walks rotations. Old and new quorum must both sign (5.3.4).
func TestRootChain(t *testing.T) {
	fresh := makeKeys("fresh root")
	for name, c := range map[string]struct {
		next func(w *world) []byte
		want string // "" is accepted
	}{
		"same keys": {func(w *world) []byte { return sign(w.root, w.holders[2:5]...) }, ""},
		"all replaced, signed by both": {func(w *world) []byte {
			w.replaceHolders(fresh)
			return sign(w.root, append(w.holders[:3:3], fresh[:3]...)...)
		}, ""},
		"all replaced, signed by the old alone": {func(w *world) []byte {
			w.replaceHolders(fresh)
			return sign(w.root, w.holders...)
		}, "root: quorum not reached: 0 of the 5 keys authorised signed, 3 needed"},
		"all replaced, signed by the new alone": {func(w *world) []byte {
			w.replaceHolders(fresh)
			return sign(w.root, fresh...)
		}, "root: quorum not reached: 0 of the 5 keys authorised signed, 3 needed"},
		"same people, new keys, one old signature short": {func(w *world) []byte {
			w.replaceHolders(fresh)
			return sign(w.root, append(w.holders[:2:2], fresh...)...)
		}, "root: quorum not reached: 2 of the 5 keys authorised signed (Ada, Ben), 3 needed"},
		"one version skipped": {func(w *world) []byte {
			w.root["version"] = 3
			return sign(w.root, w.holders[:3]...)
		}, "root: version is 3, want 2"},
		"same version again": {func(w *world) []byte {
			w.root["version"] = 1
			return sign(w.root, w.holders[:3]...)
		}, "root: version 1 offered, but version 1 was seen before"},
		"signature of a stranger beside": {func(w *world) []byte {
			return sign(w.root, append(w.holders[:3:3], makeKey("stranger", "Zed"))...)
		}, "root: signatures: signature by a key that is not the role's: " + makeKey("stranger", "Zed").id[:16]},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			anchor := w.anchor()
			w.root["version"] = 2
			m := w.all()
			m.Roots = [][]byte{c.next(w)}
			s, err := Verify(anchor, m, today)
			if c.want != "" {
				wantError(t, err, c.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if string(s.Root()) != string(m.Roots[0]) {
				t.Fatal("the newest root is not the one offered")
			}
		})
	}
}

func (w *world) replaceHolders(fresh []testKey) {
	w.root["keys"] = keyObjects(append(append(fresh[:5:5], w.auditors...), w.online...)...)
	w.root["roles"].(object)["root"] = quorumOf(3, fresh...)
}

// TestRevokedOnlineKey: the timestamp of a replaced key is refused from the
// root on that replaced it.
func TestRevokedOnlineKey(t *testing.T) {
	w := newWorld()
	anchor, m := w.anchor(), w.all()
	w.root["version"] = 2
	k := makeKey("timestamp two", "")
	w.root["keys"].(object)[k.id] = k.object
	w.root["roles"].(object)["timestamp"] = quorumOf(1, k)
	m.Roots = [][]byte{w.anchor()}
	_, err := Verify(anchor, m, today)
	wantError(t, err, "timestamp: quorum not reached: 0 of the 1 keys authorised signed, 1 needed")
}
