package genuine_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/repo"
	"github.com/countersign-project/countersign/tuf/trust"
)

// world is a distribution in memory: five auditors in four countries, 3 of 5 for stable, of at least
// three countries and three organisations, all of whom must have rebuilt.
type world struct {
	t        *testing.T
	now      time.Time
	people   []*somebody
	online   *somebody
	policy   genuine.Policy
	floor    genuine.Policy
	manifest genuine.Manifest
	program  []byte
	versions map[string]int64                 // of each role, 1 unless said
	expires  map[string]time.Time             // of each role, 60 days unless said
	files    func([]repo.File) []repo.File    // changes the channel's targets before signing
	layout   func(*repo.Layout)               // changes the keys before signing
	signers  []int                            // who signs the channel
	rebuilt  map[int]func(*statement.Rebuild) // who states a rebuild, with a change to it
}

// somebody holds one key of each kind.
type somebody struct {
	genuine.Person
	auditor, root ed25519.PrivateKey
	statement     *ecdsa.PrivateKey
}

type ecdsaSigner struct{ *ecdsa.PrivateKey }

func (s ecdsaSigner) Public() crypto.PublicKey { return &s.PublicKey }
func (s ecdsaSigner) Sign(message []byte) ([]byte, error) {
	sum := sha256.Sum256(message)
	return ecdsa.SignASN1(rand.Reader, s.PrivateKey, sum[:])
}

func newSomebody(t *testing.T, name, organisation, jurisdiction string) *somebody {
	t.Helper()
	key := func(purpose string) ed25519.PrivateKey {
		seed := sha256.Sum256([]byte(name + purpose))
		return ed25519.NewKeyFromSeed(seed[:])
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &somebody{genuine.Person{Name: name, Organisation: organisation, Jurisdiction: jurisdiction}, key("auditor"), key("root"), p256}
}

func (p *somebody) holder(key ed25519.PrivateKey) repo.Holder {
	return repo.Holder{Person: repo.Person{Name: p.Name, Organisation: p.Organisation, Jurisdiction: p.Jurisdiction}, Public: key.Public()}
}

func pkix(t *testing.T, pub crypto.PublicKey) []byte {
	t.Helper()
	b, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), program: []byte("\x7fELF messenger 1.4.0"),
		versions: map[string]int64{}, expires: map[string]time.Time{}, signers: []int{0, 1, 2}, rebuilt: map[int]func(*statement.Rebuild){0: nil, 1: nil, 2: nil}}
	for _, p := range [][3]string{{"Ana Sousa", "Uni Porto", "PT"}, {"Bram de Vries", "Bits of Freedom", "NL"}, {"Chioma Okafor", "Lagos Labs", "NG"}, {"Daichi Sato", "Kyoto Institute", "JP"}, {"Eva Visser", "Delft Security", "NL"}} {
		w.people = append(w.people, newSomebody(t, p[0], p[1], p[2]))
	}
	w.online = newSomebody(t, "Publisher", "Example", "PT")
	w.policy = genuine.Policy{Channels: []genuine.Rule{
		{Channel: "beta", Quorum: 1}, {Channel: "stable", Quorum: 3, Jurisdictions: 3, Organisations: 3, Rebuilds: 3}}}
	for _, p := range w.people {
		w.policy.People = append(w.policy.People, genuine.Member{Person: p.Person, Auditor: pkix(t, p.auditor.Public()), Statement: pkix(t, &p.statement.PublicKey)})
	}
	w.floor = w.policy
	zero := strings.Repeat("0", 64)
	w.manifest = genuine.Manifest{Version: "1.4.0", Channel: "stable", Previous: "1.3.2", Notes: "Fixes <things> & more", Made: w.now,
		Source: genuine.Source{Commit: zero[:40], Tree: zero[:40], H1: "h1:" + strings.Repeat("A", 43) + "="},
		Recipe: zero, Toolchain: genuine.Toolchain{Go: "go1.26.8"}, Modules: zero}
	w.artifact("linux-amd64/messenger", "linux", "amd64", "messenger", w.program)
	w.artifact("linux-arm64/messenger", "linux", "arm64", "messenger", []byte("\x7fELF arm64"))
	return w
}

func (w *world) artifact(path, os, arch, program string, content []byte) {
	w.manifest.Artifacts = append(w.manifest.Artifacts, genuine.Artifact{Path: path, OS: os, Arch: arch, Program: program,
		Kind: genuine.KindProgram, Length: int64(len(content)), SHA256: sha256.Sum256(content)})
}

func (w *world) subject() genuine.Subject {
	return genuine.Subject{Channel: "stable", Program: "messenger", OS: "linux", Arch: "amd64", Length: int64(len(w.program)), SHA256: sha256.Sum256(w.program)}
}

func (w *world) stamp(role string) repo.Stamp {
	s := repo.Stamp{Version: 1, Made: w.now, Expires: w.now.Add(60 * 24 * time.Hour)}
	if v, ok := w.versions[role]; ok {
		s.Version = v
	}
	if e, ok := w.expires[role]; ok {
		s.Expires = e
	}
	if role != "snapshot" && role != "timestamp" {
		s.Event = strings.Repeat("e", 64)
	}
	return s
}

// sign attaches signatures by the given keys of the given people.
func (w *world) sign(unsigned []byte, err error, key func(*somebody) ed25519.PrivateKey, who ...*somebody) []byte {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	payload, err := repo.Payload(unsigned)
	if err != nil {
		w.t.Fatal(err)
	}
	var sigs []repo.Signature
	for _, p := range who {
		id, err := repo.KeyID(p.holder(key(p)))
		if err != nil {
			w.t.Fatal(err)
		}
		sigs = append(sigs, repo.Signature{KeyID: id, Sig: ed25519.Sign(key(p), payload)})
	}
	signed, err := repo.Attach(unsigned, sigs)
	if err != nil {
		w.t.Fatal(err)
	}
	return signed
}

func auditorKey(p *somebody) ed25519.PrivateKey { return p.auditor }
func rootKey(p *somebody) ed25519.PrivateKey    { return p.root }

func file(path string, content []byte, custom map[string]string) repo.File {
	return repo.File{Path: path, Length: int64(len(content)), SHA256: sha256.Sum256(content), Custom: custom}
}

// make builds the anchor and the evidence of this world.
func (w *world) make() (anchor.Anchor, genuine.Evidence) {
	w.t.Helper()
	var roots, auditors []repo.Holder
	for _, p := range w.people {
		roots, auditors = append(roots, p.holder(p.root)), append(auditors, p.holder(p.auditor))
	}
	l := repo.Layout{
		Root: repo.RoleKeys{Holders: roots, Quorum: 3}, Targets: repo.RoleKeys{Holders: auditors, Quorum: 3},
		Snapshot:  repo.RoleKeys{Holders: []repo.Holder{w.online.holder(w.online.auditor)}, Quorum: 1},
		Timestamp: repo.RoleKeys{Holders: []repo.Holder{w.online.holder(w.online.root)}, Quorum: 1},
		Channels: []repo.Channel{{Name: "stable", RoleKeys: repo.RoleKeys{Holders: auditors, Quorum: 3}},
			{Name: "beta", RoleKeys: repo.RoleKeys{Holders: auditors, Quorum: 1}}},
	}
	if w.layout != nil {
		w.layout(&l)
	}
	policy := w.encode(w.policy.Encode())
	release := w.encode(w.manifest.Encode())
	files := []repo.File{file(genuine.ManifestPath("stable", w.manifest.Version), release, nil)}
	for _, a := range w.manifest.Artifacts {
		files = append(files, repo.File{Path: w.manifest.TargetPath(a), Length: a.Length, SHA256: a.SHA256,
			Custom: map[string]string{"channel": "stable", "version": w.manifest.Version, "program": a.Program, "os": a.OS, "arch": a.Arch}})
	}
	if w.files != nil {
		files = w.files(files)
	}
	var signers []*somebody
	for _, i := range w.signers {
		signers = append(signers, w.people[i])
	}
	unsigned, err := repo.Root(l, w.stamp("root"))
	root := w.sign(unsigned, err, rootKey, w.people[:3]...)
	unsigned, err = repo.Targets(l, []repo.File{file("policy.json", policy, nil)}, w.stamp("targets"))
	targets := w.sign(unsigned, err, auditorKey, w.people[:3]...)
	unsigned, err = repo.ChannelRole(nil, files, w.stamp("stable"))
	stable := w.sign(unsigned, err, auditorKey, signers...)
	unsigned, err = repo.ChannelRole(nil, nil, w.stamp("beta"))
	beta := w.sign(unsigned, err, auditorKey, w.people[0])
	unsigned, err = repo.Snapshot(map[string][]byte{"targets": targets, "stable": stable, "beta": beta}, w.stamp("snapshot"))
	snapshot := w.sign(unsigned, err, auditorKey, w.online)
	unsigned, err = repo.Timestamp(snapshot, w.stamp("timestamp"))
	timestamp := w.sign(unsigned, err, rootKey, w.online)
	return anchor.Anchor{Name: "Example", Root: root, Policy: w.encode(w.floor.Encode())},
		genuine.Evidence{Metadata: trust.Metadata{Timestamp: timestamp, Snapshot: snapshot, Targets: targets, Delegated: map[string][]byte{"stable": stable}},
			Policy: policy, Release: release, Statements: w.statements(release)}
}

func (w *world) encode(b []byte, err error) []byte {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// statements are what the rebuilders say about a release.
func (w *world) statements(release []byte) [][]byte {
	w.t.Helper()
	var out [][]byte
	for i := range w.people {
		change, ok := w.rebuilt[i]
		if !ok {
			continue
		}
		m := w.manifest
		r := statement.Rebuild{Event: strings.Repeat("e", 64), Release: sha256.Sum256(release),
			SourceCommit: m.Source.Commit, SourceTree: m.Source.Tree, SourceH1: m.Source.H1, Recipe: m.Recipe,
			Go: m.Toolchain.Go, ToolchainH1: m.Source.H1, ModulesSum: m.Modules, Env: []string{"GOENV=off"}, Started: w.now, Finished: w.now}
		for _, a := range m.Artifacts {
			r.Artifacts = append(r.Artifacts, statement.Artifact{Path: a.Path, SHA256: a.SHA256, Length: a.Length})
		}
		if change != nil {
			change(&r)
		}
		b, err := bundle.Sign(w.encode(r.Encode()), ecdsaSigner{w.people[i].statement})
		out = append(out, w.encode(b, err))
	}
	return out
}

// judge makes everything and judges it.
func (w *world) judge() genuine.Verdict {
	w.t.Helper()
	a, ev := w.make()
	return genuine.Judge(a, ev, w.subject(), genuine.Seen{}, w.now)
}

// want checks the outcome, and the state and text of one reason.
func want(t *testing.T, v genuine.Verdict, outcome genuine.Outcome, reason string, state genuine.State, text string) {
	t.Helper()
	r := v.Reason(reason)
	if v.Outcome != outcome || r.State != state || r.Text != text {
		t.Errorf("got %v, %v: %v: %q\nwant %v, %v: %v: %q\n%s", v.Outcome, reason, r.State, r.Text, outcome, reason, state, text, v.Text())
	}
}

func hexOf(b []byte) string { sum := sha256.Sum256(b); return hex.EncodeToString(sum[:]) }
