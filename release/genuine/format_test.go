package genuine_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/release/genuine"
)

func TestManifestRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*genuine.Manifest)
		text   string
	}{
		{"version", func(m *genuine.Manifest) { m.Version = "v1.4.0" }, `release.json: version "v1.4.0" is not of the form 1.4.0`},
		{"short version", func(m *genuine.Manifest) { m.Version = "1.4" }, `release.json: version "1.4" is not of the form 1.4.0`},
		{"channel", func(m *genuine.Manifest) { m.Channel = "../stable" }, `release.json: channel "../stable" is not a plain name`},
		{"minimum above itself", func(m *genuine.Manifest) { m.Minimum = "1.4.1" }, "release.json: minimum version 1.4.1 is above the release itself, 1.4.0"},
		{"local time", func(m *genuine.Manifest) { m.Made = m.Made.In(time.FixedZone("x", 3600)) }, "release.json: made 2026-11-21 13:00:00 +0100 x, want whole seconds in UTC"},
		{"commit", func(m *genuine.Manifest) { m.Source.Commit = "main" }, `release.json: source.commit "main", want ^[0-9a-f]{40}$`},
		{"no artifacts", func(m *genuine.Manifest) { m.Artifacts = nil }, "release.json: no artifacts"},
		{"twice", func(m *genuine.Manifest) { m.Artifacts[1] = m.Artifacts[0] }, `release.json: artifact "linux-amd64/messenger" is out of order or there twice`},
		{"traversal", func(m *genuine.Manifest) { m.Artifacts[0].Path = "../messenger" }, `release.json: artifact path "../messenger" is not a plain name in at most one folder`},
		{"backslash", func(m *genuine.Manifest) { m.Artifacts[0].Path = `a\messenger` }, `release.json: artifact path "a\\messenger" is not a plain name in at most one folder`},
		{"two folders", func(m *genuine.Manifest) { m.Artifacts[0].Path = "a/b/messenger" }, `release.json: artifact path "a/b/messenger" is not a plain name in at most one folder`},
		{"same program twice", func(m *genuine.Manifest) { m.Artifacts[1].Arch = "amd64" }, `release.json: artifact "linux-arm64/messenger": a second program of messenger for linux/amd64`},
		{"kind", func(m *genuine.Manifest) { m.Artifacts[0].Kind = "script" }, `release.json: artifact "linux-amd64/messenger": unknown kind "script"`},
		{"empty", func(m *genuine.Manifest) { m.Artifacts[0].Length = 0 }, `release.json: artifact "linux-amd64/messenger": length 0`},
	} {
		m := newWorld(t).manifest
		c.change(&m)
		if _, err := m.Encode(); err == nil || err.Error() != c.text {
			t.Errorf("%s: got %v, want %s", c.name, err, c.text)
		}
	}
}

func TestPolicyRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*genuine.Policy)
		text   string
	}{
		{"no quorum", func(p *genuine.Policy) { p.Channels[1].Quorum = 0 }, `policy.json: channel "stable": quorum 0, want 1 to 5, the number of auditors`},
		{"negative quorum", func(p *genuine.Policy) { p.Channels[1].Quorum = -1 }, `policy.json: channel "stable": quorum -1, want 1 to 5, the number of auditors`},
		{"quorum above the auditors", func(p *genuine.Policy) { p.Channels[1].Quorum = 6 }, `policy.json: channel "stable": quorum 6, want 1 to 5, the number of auditors`},
		{"jurisdictions", func(p *genuine.Policy) { p.Channels[1].Jurisdictions = 4 }, `policy.json: channel "stable": 4 jurisdictions and 3 organisations, want 0 to 3, the quorum`},
		{"rebuilds", func(p *genuine.Policy) { p.Channels[1].Rebuilds = 6 }, `policy.json: channel "stable": 6 rebuilds, want 0 to 5, the number of people with a statement key`},
		{"same person", func(p *genuine.Policy) { p.People[1].Name = "Ana Sousa" }, `policy.json: person "Ana Sousa" is there twice`},
		{"same key", func(p *genuine.Policy) { p.People[1].Auditor = p.People[0].Auditor }, `policy.json: person "Bram de Vries" has a key that is already there for "Ana Sousa": one key, one purpose, one person`},
		{"one key, two purposes", func(p *genuine.Policy) { p.People[1].Statement = p.People[1].Auditor }, `policy.json: person "Bram de Vries" has a key that is already there for "Bram de Vries": one key, one purpose, one person`},
		{"country", func(p *genuine.Policy) { p.People[0].Jurisdiction = "Portugal" }, `policy.json: person "Ana Sousa": organisation "Uni Porto" and jurisdiction "Portugal": want all three, the last as a two-letter country code`},
		{"no channels", func(p *genuine.Policy) { p.Channels = nil }, "policy.json: no channels"},
		{"channel twice", func(p *genuine.Policy) { p.Channels[1].Channel = "beta" }, `policy.json: channel "beta" is out of order or there twice`},
		{"trailing byte in a key", func(p *genuine.Policy) { p.People[0].Auditor = append(bytes.Clone(p.People[0].Auditor), 0) }, `policy.json: person "Ana Sousa": unreadable key: x509: trailing data after ASN.1 of public-key`},
		{"no key", func(p *genuine.Policy) { p.People[0].Auditor, p.People[0].Statement = nil, nil }, `policy.json: person "Ana Sousa" has no key`},
	} {
		p := newWorld(t).policy
		c.change(&p)
		if _, err := p.Encode(); err == nil || err.Error() != c.text {
			t.Errorf("%s: got %v, want %s", c.name, err, c.text)
		}
	}
}

// Whatever parses prints back the same: no second spelling of one meaning.
func TestOnlyCanonicalText(t *testing.T) {
	w := newWorld(t)
	policy, release := w.encode(w.policy.Encode()), w.encode(w.manifest.Encode())
	for name, change := range map[string]func(string) string{
		"space":         func(s string) string { return s + " " },
		"no newline":    func(s string) string { return strings.TrimSpace(s) },
		"unknown field": func(s string) string { return strings.Replace(s, "{\n", "{\n  \"x\": 1,\n", 1) },
		"field twice":   func(s string) string { return strings.Replace(s, "{\n", "{\n  \"format\": \"\",\n", 1) },
		"other case":    func(s string) string { return strings.Replace(s, `"format"`, `"Format"`, 1) },
		"null":          func(string) string { return "null" },
		"too long":      func(s string) string { return s + strings.Repeat(" ", genuine.MaxManifest) },
	} {
		if _, err := genuine.ParsePolicy([]byte(change(string(policy)))); err == nil {
			t.Errorf("policy with %s was taken", name)
		}
		if _, err := genuine.ParseManifest([]byte(change(string(release)))); err == nil {
			t.Errorf("manifest with %s was taken", name)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(sampleManifest))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := genuine.ParseManifest(b)
		if err != nil {
			return
		}
		if again, err := m.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q prints back as %q, %v", b, again, err)
		}
	})
}

func FuzzParsePolicy(f *testing.F) {
	f.Add([]byte(samplePolicy))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := genuine.ParsePolicy(b)
		if err != nil {
			return
		}
		if again, err := p.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q prints back as %q, %v", b, again, err)
		}
	})
}

func FuzzParseEvidence(f *testing.F) {
	f.Add([]byte("{\n  \"format\": \"countersign-proof-2\",\n  \"roots\": null,\n  \"timestamp\": \"\",\n  \"snapshot\": \"\",\n  \"targets\": \"\",\n  \"delegated\": null,\n  \"policy\": \"\",\n  \"release\": \"\",\n  \"statements\": null,\n  \"proof\": \"\",\n  \"withdrawn\": \"\",\n  \"withdrawals\": null\n}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := genuine.ParseEvidence(b)
		if err != nil {
			return
		}
		if again, err := e.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q prints back as %q, %v", b, again, err)
		}
	})
}

func TestSamplesParse(t *testing.T) {
	if _, err := genuine.ParseManifest([]byte(sampleManifest)); err != nil {
		t.Error(err)
	}
	if _, err := genuine.ParsePolicy([]byte(samplePolicy)); err != nil {
		t.Error(err)
	}
}

// The formats as they are on disk; a change here is a change of format.
const sampleManifest = `{
  "format": "countersign-release-1",
  "version": "1.4.0",
  "channel": "stable",
  "previous": "1.3.2",
  "minimum": "",
  "notes": "Fixes <things> & more",
  "made": "2026-11-21T12:00:00Z",
  "source": {
    "commit": "0000000000000000000000000000000000000000",
    "tree": "0000000000000000000000000000000000000000",
    "h1": "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
  },
  "recipe": "0000000000000000000000000000000000000000000000000000000000000000",
  "toolchain": {
    "go": "go1.26.8"
  },
  "modules": "0000000000000000000000000000000000000000000000000000000000000000",
  "artifacts": [
    {
      "path": "linux-amd64/messenger",
      "os": "linux",
      "arch": "amd64",
      "program": "messenger",
      "kind": "program",
      "length": 20,
      "sha256": "1111111111111111111111111111111111111111111111111111111111111111"
    }
  ]
}
`

const samplePolicy = `{
  "format": "countersign-policy-2",
  "channels": [
    {
      "channel": "stable",
      "quorum": 1,
      "jurisdictions": 1,
      "organisations": 1,
      "rebuilds": 0,
      "reviews": 0,
      "criteria": [],
      "logged": false,
      "withdrawals": 0
    }
  ],
  "people": [
    {
      "name": "Ana Sousa",
      "organisation": "Uni Porto",
      "jurisdiction": "PT",
      "auditor": "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
      "statement": "",
      "witness": []
    }
  ]
}
`
