package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestOneKeyCountedTwice tries every way to let one key, or one person, fill
// two places of a quorum. Each must be refused, and for its own reason.
func TestOneKeyCountedTwice(t *testing.T) {
	ada := makeKey("auditorAda", "Ada")
	for name, c := range map[string]struct {
		change func(w *world)
		stable func(w *world) []byte
		want   string
	}{
		"second signature of the same id": {nil, func(w *world) []byte {
			return sign(w.stable, w.auditors[0], w.auditors[1], w.auditors[0])
		}, "stable: signatures.2: second signature of key \"" + ada.id[:16] + "\""},
		"key id listed twice": {func(w *world) {
			role := w.delegation(0)
			role["keyids"] = append(role["keyids"].([]any), ada.id)
		}, nil, "targets: signed.delegations.roles.0.keyids.5: key id \"" + ada.id[:16] + "\" twice"},
		"same key under another holder": {func(w *world) {
			w.addAuditor(w.twin(func(o object) { o[holderField] = "Mallory" }))
		}, nil, "targets: signed.delegations.roles.0.keyids.5: the same key as \"" + ada.id[:16] + "\" under another id"},
		"same key in capitals": {func(w *world) {
			w.addAuditor(w.twin(func(o object) {
				o[holderField] = "Mallory"
				o["keyval"] = object{"public": strings.ToUpper(o["keyval"].(object)["public"].(string))}
			}))
		}, nil, "public: want 64 small hexadecimal digits"},
		"key id that is not the key's hash": {func(w *world) {
			k := w.twin(func(o object) { o[holderField] = "Mallory" })
			k.id = strings.Repeat("0", 64)
			w.addAuditor(k)
		}, nil, "key id is not the sha256 of the key"},
		"two keys of one person": {func(w *world) { w.addAuditor(makeKey("another", "  aDA ")) }, nil,
			"targets: signed.delegations.roles.0.keyids.5: holder \"  aDA \" has key \"" + ada.id[:16] + "\" in this role already"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			if c.change != nil {
				c.change(w)
			}
			stable := sign(w.stable, w.auditors[:3]...)
			if c.stable != nil {
				stable = c.stable(w)
			}
			_, err := Verify(w.anchor(), w.seal(nil, map[string][]byte{"stable": stable}), today)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			var f *FormatError
			if !errors.As(err, &f) || !f.Refused() {
				t.Fatalf("%T, want a FormatError", err)
			}
		})
	}
}

// delegation is the i-th channel in targets.
func (w *world) delegation(i int) object {
	return w.targets["delegations"].(object)["roles"].([]any)[i].(object)
}

func (w *world) addAuditor(k testKey) {
	w.targets["delegations"].(object)["keys"].(object)[k.id] = k.object
	role := w.delegation(0)
	role["keyids"] = append(role["keyids"].([]any), k.id)
}

// twin is Ada's key once more, with a changed key object.
func (w *world) twin(change func(o object)) testKey {
	k := makeKey("auditorAda", "Ada")
	change(k.object)
	k.id = keyID(k.object)
	return k
}

// TestTwoEncodingsOfOneP256Key: line breaks and comments in PEM make other key
// objects of one key.
func TestTwoEncodingsOfOneP256Key(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	plain := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	for text, want := range map[string]string{
		plain:                                 "",
		strings.TrimSpace(plain):              "under another id",
		"A comment\n" + plain:                 "want a P-256 key in PEM",
		strings.Replace(plain, "M", "M\n", 1): "want a P-256 key in PEM",
		plain + plain:                         "want a P-256 key in PEM",
		"":                                    "want a P-256 key in PEM",
	} {
		w := newWorld()
		for i, s := range []string{plain, text} {
			if i == 1 && want == "" {
				continue
			}
			o := object{"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": object{"public": s}, holderField: fmt.Sprint("Holder ", i)}
			w.addAuditor(testKey{id: keyID(o), object: o})
		}
		_, err := Verify(w.anchor(), w.all(), today)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("PEM %q: %v, want %q", text, err, want)
		}
	}
}

func TestThresholds(t *testing.T) {
	for _, c := range []struct {
		threshold any
		want      string
	}{
		{0, "0, want at least 1"},
		{-1, "-1, want at least 1"},
		{6, "6, but the role has 5 keys"},
		{nil, "null, want a whole number"},
		{"3", "a string, want a whole number"},
		{true, "true or false, want a whole number"},
		{json.Number("3.0"), "number 3.0, want a whole number of at most 2^53-1"},
		{json.Number("3e0"), "number 3e0, want a whole number of at most 2^53-1"},
		{json.Number("9007199254740992"), "number 9007199254740992, want a whole number of at most 2^53-1"},
		{json.Number("-0"), "number -0, want a whole number of at most 2^53-1"},
		{deleted, "missing"},
	} {
		for role, at := range map[string]func(w *world) object{
			"root":    func(w *world) object { return w.root["roles"].(object)["timestamp"].(object) },
			"targets": func(w *world) object { return w.delegation(0) },
		} {
			w := newWorld()
			if c.threshold == deleted {
				delete(at(w), "threshold")
			} else {
				at(w)["threshold"] = c.threshold
			}
			want := c.want
			if c.threshold == 6 && role == "root" {
				want = "6, but the role has 1 keys"
			}
			signed, keys := w.root, w.holders[:3]
			if role == "targets" {
				signed, keys = w.targets, w.auditors[:3]
			}
			_, err := parse(role, looseSign(signed, keys...), Strict)
			if err == nil || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("%s with threshold %v: %v, want %q", role, c.threshold, err, want)
			}
		}
	}
}

const deleted = "\x00deleted"

// looseSign signs what canonical JSON cannot express with a signature over
// something else; for tests of the parser only.
func looseSign(signed object, keys ...testKey) []byte {
	sigs := []any{}
	for _, k := range keys {
		sigs = append(sigs, object{"keyid": k.id, "sig": hex.EncodeToString(make([]byte, 64))})
	}
	b, err := json.Marshal(object{"signed": signed, "signatures": sigs})
	if err != nil {
		panic(err)
	}
	return b
}

// TestStrictParser is a table of texts: what is replaced in an honest file, by
// what, and why that is refused.
func TestStrictParser(t *testing.T) {
	w := newWorld()
	m := w.all()
	files := map[string][]byte{Root: w.anchor(), Timestamp: m.Timestamp, Snapshot: m.Snapshot, Targets: m.Targets, "stable": m.Delegated["stable"]}
	for _, c := range []struct{ role, old, new, want string }{
		{Root, `"version":1`, `"version":1,"version":1`, `root: field "version" twice in one object`},
		{Root, `"version":1`, `"Version":2,"version":1`, `root: signed: field "Version" looks like "version"`},
		{Root, `"version":1`, `"version":0`, `root: signed.version: 0, want at least 1`},
		{Root, `"version":1`, `"version":null`, `root: signed.version: null, want a whole number`},
		{Root, `"consistent_snapshot":true`, `"consistent_snapshot":false`, `root: signed.consistent_snapshot: false, want true`},
		{Root, `"_type":"root"`, `"_type":"targets"`, `root: signed._type: "targets", want "root"`},
		{Root, `"spec_version":"1.0.31"`, `"spec_version":"2.0"`, `root: signed.spec_version: "2.0", want 1.x`},
		{Root, `"expires":"2027-11-21T12:00:00Z"`, `"expires":"2027-11-21T12:00:00.5Z"`, `root: signed.expires: "2027-11-21T12:00:00.5Z", want UTC in whole seconds such as "2006-01-02T15:04:05Z"`},
		{Root, `"expires":"2027-11-21T12:00:00Z"`, `"expires":"2027-11-21T14:00:00+02:00"`, `root: signed.expires: "2027-11-21T14:00:00+02:00", want UTC in whole seconds such as "2006-01-02T15:04:05Z"`},
		{Root, `"expires":"2027-11-21T12:00:00Z"`, `"expires":"2025-11-21T12:00:00Z"`, `root: signed.x-countersign-made: made 2026-11-21T12:00:00Z, after it expired on 2025-11-21T12:00:00Z`},
		{Root, `{"signatures"`, `{"extra":1,"signatures"`, `root: unknown field "extra"`},
		{Root, `"keyid":"`, `"note":"","keyid":"`, `root: signatures.0: unknown field "note"`},
		{Root, `"sig":"`, `"sig":"zz`, `root: signatures.0.sig: "zz`},
		{Root, `{"signatures"`, `[{"signatures"`, `root: not one JSON value`},
		{Root, `"keytype":"ed25519"`, `"keytype":"rsa"`, `root: signed.keys.`},
		{Root, `"x-countersign-jurisdiction":"PT"`, `"x-countersign-jurisdiction":"pt"`, `root: signed.keys.`},
		{Root, "\n", "\n{}", `root: not one JSON value`},
		{Root, `"root"`, "\"ro\xffot\"", `root: not UTF-8`},
		{Timestamp, `"snapshot.json"`, `"other.json"`, `timestamp: signed.meta: snapshot.json is missing`},
		{Timestamp, `"meta":{`, `"meta":{"targets.json":{"version":1,"length":1,"hashes":{"sha256":"` + strings.Repeat("00", 32) + `"}},`, `timestamp: signed.meta: 2 files, want snapshot.json alone`},
		{Timestamp, `"meta":{`, `"meta":null,"x":{`, `timestamp: signed.meta: null, want an object`},
		{Snapshot, `"beta.json":{`, `"beta.json":null,"x.json":{`, `snapshot: signed.meta.beta.json: null, want an object`},
		{Snapshot, `"beta.json":{`, `"../beta.json":{`, `snapshot: signed.meta.../beta.json: file name "../beta.json" is no role's`},
		{Snapshot, `"hashes":{"sha256"`, `"hashes":{"md5"`, `snapshot: signed.meta.beta.json.hashes.md5: hash algorithm "md5", want sha256`},
		{Targets, `"policy.json":{`, `"policy.json":null,"x":{`, `targets: signed.targets.policy.json: null, want an object`},
		{Targets, `"policy.json":{`, `"../policy.json":{`, `targets: signed.targets.../policy.json: "../policy.json" is no target path`},
		{Targets, `"policy.json":{`, `"a\\b":{`, `targets: signed.targets.a\b: "a\\b" is no target path`},
		{Targets, `"delegations":{`, `"delegations":null,"x":{`, `targets: signed.delegations: null, want an object`},
		{Targets, `"name":"stable"`, `"name":"targets"`, `targets: signed.delegations.roles.0.name: "targets" cannot be delegated`},
		{Targets, `"name":"stable"`, `"name":"beta"`, `targets: signed.delegations.roles.1: role "beta" twice`},
		{Targets, `"name":"stable"`, `"name":"../stable"`, `targets: signed.delegations.roles.0.name: "../stable", want small letters, digits and dashes`},
		{Targets, `"paths":[`, `"path_hash_prefixes":["00"],"paths":[`, `targets: signed.delegations.roles.0.path_hash_prefixes: not allowed here`},
		{Targets, `"paths":["stable/*/*",`, `"paths":["[",`, `targets: signed.delegations.roles.0.paths.0: "[" is no pattern`},
		{Targets, `"terminating":true`, `"terminating":1`, `targets: signed.delegations.roles.0.terminating: a whole number, want true or false`},
		{"stable", `"length":7`, `"length":-7`, `stable: signed.targets.stable/1.4.0/linux-amd64/messenger.length: -7, want at least 0`},
		{"stable", `"length":7`, `"custom":{"n":1},"length":7`, `stable: signed.targets.stable/1.4.0/linux-amd64/messenger.custom.n: a whole number, want a string`},
		{"stable", `"hashes":{`, `"hashes":{},"x":{`, `stable: signed.targets.stable/1.4.0/linux-amd64/messenger.hashes: no hash`},
	} {
		b := []byte(strings.Replace(string(files[c.role]), c.old, c.new, 1))
		if string(b) == string(files[c.role]) {
			t.Fatalf("%s: nothing to replace: %s", c.role, c.old)
		}
		_, err := parse(c.role, b, Strict)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s with %s: %v, want %q", c.role, c.new, err, c.want)
		}
	}
}

func TestSizeAndDepthCaps(t *testing.T) {
	for role, max := range map[string]int64{Root: 512_000, Timestamp: 16_384, Snapshot: 2_000_000, Targets: 5_000_000, "stable": 5_000_000} {
		_, err := parse(role, make([]byte, max+1), Strict)
		wantError(t, err, fmt.Sprintf("%s: %d bytes, at most %d allowed", role, max+1, max))
	}
	deep := strings.Repeat("[", maxDepth+2) + strings.Repeat("]", maxDepth+2)
	_, err := parse(Timestamp, []byte(deep), Strict)
	wantError(t, err, "timestamp: nested deeper than 24")
	_, err = parse(Targets, []byte(strings.Repeat("[", 4_000_000)), Strict)
	wantError(t, err, "targets: not one JSON value")
}

// TestGraph: in strict mode a role has one delegator and keeps to its paths.
func TestGraph(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		want   string
	}{
		"diamond": {func(w *world) {
			w.delegate(w.stable, "common")
			w.delegate(w.beta, "common")
		}, "stable: signed.delegations.roles: role \"common\" is delegated by beta already"},
		"a channel delegates its sister": {func(w *world) { w.delegate(w.stable, "beta") },
			"stable: signed.delegations.roles: role \"beta\" is delegated by targets already"},
		"a channel delegates itself": {func(w *world) { w.delegate(w.stable, "stable") },
			"stable: signed.delegations.roles: role \"stable\" is delegated by targets already"},
		"file of another channel": {func(w *world) { w.beta["targets"] = object{"stable/1.5.0/release.json": fileOf("x")} },
			"beta: signed.targets.stable/1.5.0/release.json: outside the paths that targets delegates"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			c.change(w)
			_, err := Verify(w.anchor(), w.all(), today)
			wantError(t, err, c.want)
		})
	}
}

func (w *world) delegate(by object, name string) {
	o := quorumOf(1, w.auditors[0])
	o["name"], o["terminating"], o["paths"] = name, true, []any{"x/*"}
	by["delegations"] = object{"keys": keyObjects(w.auditors[0]), "roles": []any{o}}
}

// TestEnginePanicsAreRefusals: should a new panic of the engine slip past the
// parser, it ends as a refusal.
func TestEnginePanicsAreRefusals(t *testing.T) {
	err := guard("stable", func() error {
		var none map[string]*int
		return fmt.Errorf("%d", *none["x"])
	})
	wantError(t, err, "stable: go-tuf panicked: runtime error: invalid memory address or nil pointer dereference")
}
