package trust

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// A world in memory: five auditors, their root keys, two online keys. Tests
// change the objects before they are signed, so that every wrong thing carries
// as many good signatures as its maker could get.

type object = map[string]any

var (
	today = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	names = []string{"Ada", "Ben", "Cleo", "Dan", "Eve"}
)

type testKey struct {
	id      string
	object  object
	private ed25519.PrivateKey
}

// makeKey derives a key from its name; holder may be "".
func makeKey(name, holder string) testKey {
	seed := sha256.Sum256([]byte(name))
	private := ed25519.NewKeyFromSeed(seed[:])
	o := object{"keytype": "ed25519", "scheme": "ed25519", "keyval": object{"public": hex.EncodeToString(private.Public().(ed25519.PublicKey))}}
	if holder != "" {
		o[holderField], o[organisationField], o[jurisdictionField] = holder, holder+" Org", "PT"
	}
	return testKey{keyID(o), o, private}
}

func keyID(o object) string {
	sum := sha256.Sum256(canonicalOf(o))
	return hex.EncodeToString(sum[:])
}

func canonicalOf(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	tree, err := parseTree(b)
	if err != nil {
		panic(err)
	}
	return canonical(tree)
}

func makeKeys(purpose string) (list []testKey) {
	for _, n := range names {
		list = append(list, makeKey(purpose+n, n))
	}
	return list
}

// world holds what each role signs next and who signs it.
type world struct {
	auditors, holders   []testKey
	online              []testKey // snapshot, timestamp
	root, targets       object
	stable, beta        object
	snapshot, timestamp object
}

func newWorld() *world {
	w := &world{auditors: makeKeys("auditor"), holders: makeKeys("root"),
		online: []testKey{makeKey("snapshot", ""), makeKey("timestamp", "")}}
	w.root = signedOf("root", 1, 365)
	w.root["consistent_snapshot"] = true
	w.root["keys"] = keyObjects(append(append(w.holders[:5:5], w.auditors...), w.online...)...)
	w.root["roles"] = object{
		"root": quorumOf(3, w.holders...), "targets": quorumOf(3, w.auditors...),
		"snapshot": quorumOf(1, w.online[0]), "timestamp": quorumOf(1, w.online[1])}
	w.targets = signedOf("targets", 1, 180)
	w.targets["targets"] = object{"policy.json": fileOf("policy")}
	w.targets["delegations"] = object{"keys": keyObjects(w.auditors...), "roles": []any{
		w.channel("stable", 3), w.channel("beta", 1)}}
	w.stable = signedOf("targets", 4, 90)
	w.stable["targets"] = object{"stable/1.4.0/release.json": fileOf("release"), "stable/1.4.0/linux-amd64/messenger": fileOf("program")}
	w.beta = signedOf("targets", 2, 90)
	w.beta["targets"] = object{}
	w.snapshot = signedOf("snapshot", 7, 7)
	w.timestamp = signedOf("timestamp", 9, 1)
	return w
}

func signedOf(typ string, version, days int) object {
	return object{"_type": typ, "spec_version": "1.0.31", "version": version,
		"expires": today.AddDate(0, 0, days).Format(timeFormat), madeField: today.Format(timeFormat)}
}

func keyObjects(keys ...testKey) object {
	o := object{}
	for _, k := range keys {
		o[k.id] = k.object
	}
	return o
}

func quorumOf(n int, keys ...testKey) object {
	ids := []any{}
	for _, k := range keys {
		ids = append(ids, k.id)
	}
	return object{"keyids": ids, "threshold": n}
}

func (w *world) channel(name string, quorum int) object {
	o := quorumOf(quorum, w.auditors...)
	o["name"], o["terminating"], o["paths"] = name, true, []any{name + "/*/*", name + "/*/*/*"}
	return o
}

func fileOf(content string) object {
	sum := sha256.Sum256([]byte(content))
	return object{"length": len(content), "hashes": object{"sha256": hex.EncodeToString(sum[:])}}
}

// sign makes a metadata file.
func sign(signed object, keys ...testKey) []byte {
	payload := canonicalOf(signed)
	sigs := []any{}
	for _, k := range keys {
		sigs = append(sigs, object{"keyid": k.id, "sig": hex.EncodeToString(ed25519.Sign(k.private, payload))})
	}
	b, err := json.Marshal(object{"signed": signed, "signatures": sigs})
	if err != nil {
		panic(err)
	}
	return append(b, '\n')
}

// metaOf describes a file for the role above.
func metaOf(b []byte) object {
	var f struct{ Signed struct{ Version int } }
	_ = json.Unmarshal(b, &f) // a broken file gets version 0 and is caught by its test
	sum := sha256.Sum256(b)
	return object{"version": max(1, f.Signed.Version), "length": len(b), "hashes": object{"sha256": hex.EncodeToString(sum[:])}}
}

// seal signs what is below snapshot into one consistent bundle, whatever it is:
// it does what a publisher with the online keys could do.
func (w *world) seal(targets []byte, channels map[string][]byte) Metadata {
	if targets == nil {
		targets = sign(w.targets, w.auditors[:3]...)
	}
	meta := object{"targets.json": metaOf(targets)}
	for name, b := range channels {
		meta[name+".json"] = metaOf(b)
	}
	w.snapshot["meta"] = meta
	snapshot := sign(w.snapshot, w.online[0])
	w.timestamp["meta"] = object{"snapshot.json": metaOf(snapshot)}
	return Metadata{Timestamp: sign(w.timestamp, w.online[1]), Snapshot: snapshot, Targets: targets, Delegated: channels}
}

func (w *world) anchor() []byte { return sign(w.root, w.holders[:3]...) }

// all is the honest bundle.
func (w *world) all() Metadata {
	return w.seal(nil, map[string][]byte{"stable": sign(w.stable, w.auditors[:3]...), "beta": sign(w.beta, w.auditors[0])})
}

// wantError checks the exact text of a refusal.
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted, want %q", want)
	}
	if err.Error() != want {
		t.Fatalf("error %q, want %q", err, want)
	}
}

func mustVerify(t *testing.T, w *world) *Set {
	t.Helper()
	s, err := Verify(w.anchor(), w.all(), today)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func holders(keys []Key) string {
	var list []string
	for _, k := range keys {
		list = append(list, k.Holder)
	}
	return fmt.Sprint(list)
}
