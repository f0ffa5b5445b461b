package repo_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/countersign-project/countersign/tuf/repo"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 123456789, time.FixedZone("east", 3*3600))

func stamp(version int64) repo.Stamp {
	return repo.Stamp{Version: version, Made: now, Expires: now.Add(24 * time.Hour), Event: repotest.EventID("test")}
}

func online(version int64) repo.Stamp {
	s := stamp(version)
	s.Event = ""
	return s
}

func file(path, content string) repo.File {
	return repo.File{Path: path, Length: int64(len(content)), SHA256: sha256.Sum256([]byte(content))}
}

// must returns b of a call that cannot fail in this test.
func must(t *testing.T) func([]byte, error) []byte {
	return func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// unsigned makes one of each role.
func unsigned(t *testing.T) map[string][]byte {
	l := repotest.New(t, 5, 3).Layout
	ok := must(t)
	custom := file("policy.json", "{}")
	custom.Custom = map[string]string{"a": "1", "<b>": "é & \u2028"}
	m := map[string][]byte{
		"root":    ok(repo.Root(l, stamp(1))),
		"targets": ok(repo.Targets(l, []repo.File{custom, file("mirrors.json", "[]")}, stamp(2))),
		"stable":  ok(repo.ChannelRole(nil, []repo.File{file("stable/1.4.0/release.json", "r"), file("stable/1.4.0/linux-amd64/messenger", "m")}, stamp(3))),
		"beta":    ok(repo.ChannelRole(nil, nil, stamp(1))),
	}
	m["snapshot"] = ok(repo.Snapshot(map[string][]byte{"targets": m["targets"], "stable": m["stable"], "beta": m["beta"]}, online(4)))
	m["timestamp"] = ok(repo.Timestamp(m["snapshot"], online(5)))
	return m
}

func TestWrittenForm(t *testing.T) {
	roles, again := unsigned(t), unsigned(t)
	for name, b := range roles {
		if !bytes.Equal(b, again[name]) {
			t.Errorf("%s: made twice, differs", name)
		}
		if !bytes.HasSuffix(b, []byte("}\n")) || bytes.Count(b, []byte("\n")) != 1 || bytes.Contains(b, []byte("sha512")) || bytes.Contains(b, []byte("path_hash_prefixes")) {
			t.Errorf("%s: is not as we write it: %s", name, b)
		}
		var doc struct {
			Signatures []any
			Signed     map[string]any
		}
		if err := json.Unmarshal(b, &doc); err != nil {
			t.Fatal(err)
		}
		s := doc.Signed
		if s["expires"] != "2026-11-22T09:00:00Z" || s["x-countersign-made"] != "2026-11-21T09:00:00Z" || s["spec_version"] != "1.0.31" || doc.Signatures == nil {
			t.Errorf("%s: %s", name, b)
		}
		event, want := s["x-countersign-event"], any(repotest.EventID("test"))
		if name == "snapshot" || name == "timestamp" {
			want = nil
		}
		if event != want {
			t.Errorf("%s: event %v, want %v", name, event, want)
		}
	}
	if !bytes.Contains(roles["root"], []byte(`"consistent_snapshot":true`)) {
		t.Error("root has no consistent snapshots")
	}
	for _, want := range []string{`"name":"stable","paths":["stable/*/*","stable/*/*/*"],"terminating":true`, `"x-countersign-jurisdiction":"PT"`, `"custom":{"\u003cb\u003e":"é \u0026 \u2028","a":"1"}`} {
		if !bytes.Contains(roles["targets"], []byte(want)) {
			t.Errorf("targets lacks %s: %s", want, roles["targets"])
		}
	}
	sum := sha256.Sum256(roles["stable"])
	if want := fmt.Sprintf(`"stable.json":{"hashes":{"sha256":"%x"},"length":%d,"version":3}`, sum, len(roles["stable"])); !bytes.Contains(roles["snapshot"], []byte(want)) {
		t.Errorf("snapshot lacks %s", want)
	}
	sum = sha256.Sum256(roles["snapshot"])
	if want := fmt.Sprintf(`"meta":{"snapshot.json":{"hashes":{"sha256":"%x"},"length":%d,"version":4}}`, sum, len(roles["snapshot"])); !bytes.Contains(roles["timestamp"], []byte(want)) {
		t.Errorf("timestamp lacks %s", want)
	}
}

// The engine that many clients are made of finds the same keys and the same signatures valid.
func TestGoTUFVerifies(t *testing.T) {
	w := repotest.New(t, 5, 3)
	w.Release("1.4.0", map[string][]byte{"linux-amd64/messenger": []byte("m")}, 1, 3, 4)
	root, err := metadata.Root().FromBytes(w.Role("root"))
	if err != nil {
		t.Fatal(err)
	}
	targets, err := metadata.Targets().FromBytes(w.Role("targets"))
	if err != nil {
		t.Fatal(err)
	}
	stable, err := metadata.Targets().FromBytes(w.Role("stable"))
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := metadata.Snapshot().FromBytes(w.Role("snapshot"))
	if err != nil {
		t.Fatal(err)
	}
	timestamp, err := metadata.Timestamp().FromBytes(w.Role("timestamp"))
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"root": root.VerifyDelegate("root", root), "targets": root.VerifyDelegate("targets", targets), "stable": targets.VerifyDelegate("stable", stable),
		"snapshot": root.VerifyDelegate("snapshot", snapshot), "timestamp": root.VerifyDelegate("timestamp", timestamp),
		"length and hash": snapshot.Signed.Meta["stable.json"].VerifyLengthHashes(w.Role("stable")),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	short := w.Sign(w.Role("stable"), w.People[0].Auditor, w.People[1].Auditor)
	stable, err = metadata.Targets().FromBytes(short)
	if err != nil {
		t.Fatal(err)
	}
	if err := targets.VerifyDelegate("stable", stable); err == nil {
		t.Error("go-tuf takes two signatures for three")
	}
}

func TestChannelGrows(t *testing.T) {
	ok := must(t)
	v1 := ok(repo.ChannelRole(nil, []repo.File{file("stable/1.0.0/release.json", "one")}, stamp(1)))
	v2 := ok(repo.ChannelRole(v1, []repo.File{file("stable/1.1.0/release.json", "two"), file("stable/1.0.0/release.json", "one")}, stamp(2)))
	info, err := repo.Inspect(v2)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, f := range info.Files {
		paths = append(paths, f.Path)
	}
	if !slices.Equal(paths, []string{"stable/1.0.0/release.json", "stable/1.1.0/release.json"}) {
		t.Errorf("version 2 names %v", paths)
	}
	signed := ok(repo.Attach(v1, []repo.Signature{{KeyID: strings.Repeat("a", 64), Sig: []byte("x")}}))
	if !bytes.Equal(ok(repo.ChannelRole(signed, nil, stamp(2))), ok(repo.ChannelRole(v1, nil, stamp(2)))) {
		t.Error("the next version depends on who signed the previous one")
	}
	targets := unsigned(t)["targets"]
	for _, test := range []struct {
		name     string
		previous []byte
		add      []repo.File
		stamp    repo.Stamp
		want     string
	}{
		{"other bytes", v1, []repo.File{file("stable/1.0.0/release.json", "tampered")}, stamp(2), "channel: target stable/1.0.0/release.json is already named with other bytes"},
		{"twice in one", nil, []repo.File{file("a/1/x", "1"), file("a/1/x", "2")}, stamp(1), "channel: target a/1/x is already named with other bytes"},
		{"other channel", v1, []repo.File{file("beta/1.0.0/release.json", "b")}, stamp(2), `channel: target "stable/1.0.0/release.json" does not belong to channel beta`},
		{"too shallow", nil, []repo.File{file("stable/release.json", "b")}, stamp(1), `channel: target "stable/release.json", want channel/version/file`},
		{"too deep", nil, []repo.File{file("stable/1/2/3/4", "b")}, stamp(1), `channel: target "stable/1/2/3/4", want channel/version/file`},
		{"same version", v1, nil, stamp(1), "channel: version 1, want more than the previous 1"},
		{"targets as previous", targets, nil, stamp(9), "channel: previous version is targets metadata: it delegates"},
		{"rubbish as previous", []byte("{}"), nil, stamp(9), `metadata: type "", want`},
		{"dots", nil, []repo.File{file("stable/../x", "b")}, stamp(1), "is no path we use"},
		{"backslash", nil, []repo.File{file(`stable/1\..\x/y`, "b")}, stamp(1), "is no path we use"},
		{"leading slash", nil, []repo.File{file("/stable/1/x", "b")}, stamp(1), "is no path we use"},
		{"double slash", nil, []repo.File{file("stable//x", "b")}, stamp(1), "is no path we use"},
		{"space", nil, []repo.File{file("stable/1/a b", "b")}, stamp(1), "is no path we use"},
		{"percent", nil, []repo.File{file("stable/1/%2e%2e", "b")}, stamp(1), "is no path we use"},
		{"hidden", nil, []repo.File{file("stable/1/.x", "b")}, stamp(1), "is no path we use"},
		{"trailing dot", nil, []repo.File{file("stable/1/x.", "b")}, stamp(1), "is no path we use"},
		{"empty file", nil, []repo.File{file("stable/1/x", "")}, stamp(1), "channel: target stable/1/x has 0 bytes"},
	} {
		if b, err := repo.ChannelRole(test.previous, test.add, test.stamp); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %s, %v, want %q", test.name, b, err, test.want)
		}
	}
}

func TestRefusedWhenAuthoring(t *testing.T) {
	l, roles := repotest.New(t, 5, 3).Layout, unsigned(t)
	with := func(change func(*repo.Stamp)) repo.Stamp { s := stamp(1); change(&s); return s }
	for name, test := range map[string]struct {
		make func() ([]byte, error)
		want string
	}{
		"version 0":        {func() ([]byte, error) { return repo.Root(l, stamp(0)) }, "root: version 0, want at least 1"},
		"not made":         {func() ([]byte, error) { return repo.Root(l, with(func(s *repo.Stamp) { s.Made = time.Time{} })) }, "root: no time of making"},
		"expired at birth": {func() ([]byte, error) { return repo.Root(l, with(func(s *repo.Stamp) { s.Expires = s.Made })) }, "root: expires 2026-11-21T09:00:00Z, not after it was made, 2026-11-21T09:00:00Z"},
		"expires in a moment": {func() ([]byte, error) {
			return repo.Root(l, with(func(s *repo.Stamp) { s.Expires = s.Made.Add(1000) }))
		}, "not after it was made"},
		"year 10000": {func() ([]byte, error) {
			return repo.Root(l, with(func(s *repo.Stamp) { s.Expires = s.Made.AddDate(8000, 0, 0) }))
		}, "root: expires in the year 10026"},
		"event":           {func() ([]byte, error) { return repo.Targets(l, nil, with(func(s *repo.Stamp) { s.Event = "1.4.0" })) }, `targets: event "1.4.0", want 64 lower-case hex digits`},
		"directory":       {func() ([]byte, error) { return repo.Targets(l, []repo.File{file("stable/1/x", "b")}, stamp(1)) }, `targets: target "stable/1/x", want a name without directories`},
		"snapshot event":  {func() ([]byte, error) { return repo.Snapshot(roles, stamp(1)) }, "snapshot: belongs to no event"},
		"timestamp event": {func() ([]byte, error) { return repo.Timestamp(roles["snapshot"], stamp(1)) }, "timestamp: belongs to no event"},
		"no targets":      {func() ([]byte, error) { return repo.Snapshot(map[string][]byte{"stable": roles["stable"]}, online(1)) }, "metadata: "},
		"undelegated": {func() ([]byte, error) {
			return repo.Snapshot(map[string][]byte{"targets": roles["targets"], "nightly": roles["beta"]}, online(1))
		}, `snapshot: role "nightly" is not delegated by targets`},
		"root as a channel": {func() ([]byte, error) {
			return repo.Snapshot(map[string][]byte{"targets": roles["targets"], "beta": roles["root"]}, online(1))
		}, `metadata: is of type "root", want another`},
		"timestamp of targets": {func() ([]byte, error) { return repo.Timestamp(roles["targets"], online(1)) }, `metadata: is of type "targets", want another`},
		"no quorum in layout":  {func() ([]byte, error) { return repo.Targets(repo.Layout{}, nil, stamp(1)) }, "role targets: 0 channels"},
	} {
		if b, err := test.make(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %s, %v, want %q", name, b, err, test.want)
		}
	}
}
