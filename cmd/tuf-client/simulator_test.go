package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"
)

// object is a JSON object under construction.
type object = map[string]any

// signer is a key pair and the key object that metadata lists for it.
type signer struct {
	id   string
	key  object
	sign func([]byte) []byte
}

func newSigner(t *testing.T, keytype string, extra object) *signer {
	t.Helper()
	s := &signer{}
	pub, scheme := "", keytype
	switch keytype {
	case "ed25519":
		public, private, err := ed25519.GenerateKey(rand.Reader)
		must(t, err)
		pub = hex.EncodeToString(public)
		s.sign = func(m []byte) []byte { return ed25519.Sign(private, m) }
	case "ecdsa":
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, err)
		pub, scheme = publicPEM(t, private.Public()), "ecdsa-sha2-nistp256"
		s.sign = func(m []byte) []byte {
			sum := sha256.Sum256(m)
			sig, err := ecdsa.SignASN1(rand.Reader, private, sum[:])
			must(t, err)
			return sig
		}
	case "rsa":
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		must(t, err)
		pub, scheme = publicPEM(t, private.Public()), "rsassa-pss-sha256"
		s.sign = func(m []byte) []byte {
			sum := sha256.Sum256(m)
			sig, err := rsa.SignPSS(rand.Reader, private, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
			must(t, err)
			return sig
		}
	}
	s.key = object{"keytype": keytype, "scheme": scheme, "keyval": object{"public": pub}}
	for name, v := range extra {
		s.key[name] = v
	}
	sum := sha256.Sum256([]byte(canonical(s.key)))
	s.id = hex.EncodeToString(sum[:])
	return s
}

func publicPEM(t *testing.T, k crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(k)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// canonical renders what the simulator builds as canonical JSON.
func canonical(v any) string {
	switch v := v.(type) {
	case object:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		sort.Strings(names)
		for i, name := range names {
			names[i] = canonical(name) + ":" + canonical(v[name])
		}
		return "{" + strings.Join(names, ",") + "}"
	case []any:
		items := make([]string, len(v))
		for i := range v {
			items[i] = canonical(v[i])
		}
		return "[" + strings.Join(items, ",") + "]"
	case []string:
		items := make([]any, len(v))
		for i := range v {
			items[i] = v[i]
		}
		return canonical(items)
	case string:
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v) + `"`
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	}
	panic(fmt.Sprintf("internal error: canonical %T", v))
}

// artifact is a target file and the metadata that describes it.
type artifact struct {
	data   []byte
	hashes object
}

// simulator is a repository a test can change at will, served over loopback.
type simulator struct {
	t         *testing.T
	signed    map[string]object    // what the next publish signs
	keys      map[string][]*signer // who signs it
	published map[string][][]byte  // by role, version 1 first
	artifacts map[string]*artifact
	sums      bool // lengths and hashes in snapshot and timestamp
	asked     []string
	loaded    []string // artifacts asked for
	server    *httptest.Server
	now       time.Time
}

const expiryForm = "2006-01-02T15:04:05Z"

func newSimulator(t *testing.T) *simulator {
	s := &simulator{t: t, signed: map[string]object{}, keys: map[string][]*signer{}, published: map[string][][]byte{},
		artifacts: map[string]*artifact{}, now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	s.signed["targets"] = s.common("targets", object{"targets": object{}})
	s.signed["snapshot"] = s.common("snapshot", object{"meta": object{"targets.json": object{"version": 1}}})
	s.signed["timestamp"] = s.common("timestamp", object{"meta": object{"snapshot.json": object{"version": 1}}})
	s.signed["root"] = s.common("root", object{"consistent_snapshot": true, "keys": object{}, "roles": object{}})
	for _, role := range []string{"root", "targets", "snapshot", "timestamp"} {
		s.signed["root"]["roles"].(object)[role] = object{"keyids": []string{}, "threshold": 1}
		s.addKey(role, newSigner(t, "ecdsa", nil))
	}
	s.publish("targets", "snapshot", "timestamp", "root")
	s.server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.server.Close)
	return s
}

func (s *simulator) common(typ string, more object) object {
	o := object{"_type": typ, "spec_version": "1.0.31", "version": 1, "expires": s.in(30)}
	for name, v := range more {
		o[name] = v
	}
	return o
}

// in is an expiry that many days from now.
func (s *simulator) in(days int) string { return s.now.AddDate(0, 0, days).Format(expiryForm) }

func (s *simulator) role(name string) object {
	return s.signed["root"]["roles"].(object)[name].(object)
}

// listKey lists a key for a top-level role without letting it sign.
func (s *simulator) listKey(role string, k *signer) {
	s.role(role)["keyids"] = append(s.role(role)["keyids"].([]string), k.id)
	s.signed["root"]["keys"].(object)[k.id] = k.key
}

func (s *simulator) addKey(role string, k *signer) {
	s.listKey(role, k)
	s.keys[role] = append(s.keys[role], k)
}

func (s *simulator) rotate(role string) {
	s.role(role)["keyids"], s.keys[role] = []string{}, nil
	for range s.role(role)["threshold"].(int) {
		s.addKey(role, newSigner(s.t, "ecdsa", nil))
	}
}

// delegate adds a delegation with one fresh key and, when it is new, the role.
func (s *simulator) delegate(delegator, role string, terminating bool, paths ...string) {
	d, ok := s.signed[delegator]["delegations"].(object)
	if !ok {
		d = object{"keys": object{}, "roles": []any{}}
		s.signed[delegator]["delegations"] = d
	}
	k := newSigner(s.t, "ecdsa", nil)
	d["keys"].(object)[k.id] = k.key
	d["roles"] = append(d["roles"].([]any), object{"name": role, "keyids": []string{k.id}, "threshold": 1, "terminating": terminating, "paths": paths})
	s.keys[role] = append(s.keys[role], k)
	if s.signed[role] == nil {
		s.signed[role] = s.common("targets", object{"targets": object{}})
	}
}

func (s *simulator) addArtifact(role, path, data string, algorithms ...string) {
	hashes := object{}
	for _, a := range append(algorithms, "sha256")[:max(1, len(algorithms))] {
		sum256, sum512 := sha256.Sum256([]byte(data)), sha512.Sum512([]byte(data))
		hashes[a] = hex.EncodeToString(sum256[:])
		if a != "sha256" {
			hashes[a] = hex.EncodeToString(sum512[:])
		}
	}
	s.signed[role]["targets"].(object)[path] = object{"length": len(data), "hashes": hashes}
	s.artifacts[path] = &artifact{[]byte(data), hashes}
}

// publish signs the roles in order, one version up where there was one, and
// notes each in the role above.
func (s *simulator) publish(roles ...string) {
	for _, role := range roles {
		if _, again := s.published[role]; again {
			s.signed[role]["version"] = s.signed[role]["version"].(int) + 1
		}
		b := s.sign(role)
		s.published[role] = append(s.published[role], b)
		meta := object{"version": s.signed[role]["version"]}
		if s.sums {
			sum := sha256.Sum256(b)
			meta["length"], meta["hashes"] = len(b), object{"sha256": hex.EncodeToString(sum[:])}
		}
		switch role {
		case "root", "timestamp":
		case "snapshot":
			s.signed["timestamp"]["meta"].(object)["snapshot.json"] = meta
		default:
			s.signed["snapshot"]["meta"].(object)[role+".json"] = meta
		}
	}
}

func (s *simulator) sign(role string) []byte {
	payload := []byte(canonical(s.signed[role]))
	sigs := []any{}
	for _, k := range s.keys[role] {
		sigs = append(sigs, object{"keyid": k.id, "sig": hex.EncodeToString(k.sign(payload))})
	}
	b, err := json.MarshalIndent(object{"signed": s.signed[role], "signatures": sigs}, "", " ")
	must(s.t, err)
	return b
}

// forget unpublishes a role; the next publish starts at version n.
func (s *simulator) forget(role string, n int) {
	delete(s.published, role)
	s.signed[role]["version"] = n
}

// tamper changes the newest published file of a role, signatures and all.
func (s *simulator) tamper(role string, change func(file object)) {
	list := s.published[role]
	var file object
	must(s.t, json.Unmarshal(list[len(list)-1], &file))
	change(file)
	b, err := json.Marshal(file)
	must(s.t, err)
	list[len(list)-1] = b
}

func (s *simulator) serve(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.EscapedPath(), "/")
	if rest, ok := strings.CutPrefix(name, "metadata/"); ok {
		s.serveMetadata(w, r, strings.TrimSuffix(rest, ".json"))
		return
	}
	dir, base := filepath.Split(strings.TrimPrefix(name, "targets/"))
	hash, base, _ := strings.Cut(base, ".")
	path, _ := url.PathUnescape(dir + base)
	s.loaded = append(s.loaded, path)
	a := s.artifacts[path]
	if a == nil || a.hashes["sha256"] != hash && a.hashes["sha512"] != hash {
		http.NotFound(w, r)
		return
	}
	w.Write(a.data)
}

func (s *simulator) serveMetadata(w http.ResponseWriter, r *http.Request, name string) {
	version, role := 0, name
	if before, after, ok := strings.Cut(name, "."); ok {
		if n, err := strconv.Atoi(before); err == nil {
			version, role = n, after
		}
	}
	s.asked = append(s.asked, fmt.Sprintf("%s %d", role, version))
	role, _ = url.PathUnescape(role)
	list := s.published[role]
	if version > len(list) || len(list) == 0 {
		http.NotFound(w, r)
		return
	}
	if version == 0 {
		version = len(list)
	}
	w.Write(list[version-1])
}

// device is the client under test, driven through its command line.
type device struct {
	t       *testing.T
	s       *simulator
	meta    string
	targets string
	root    string
}

func newDevice(s *simulator) *device {
	dir := s.t.TempDir()
	d := &device{s.t, s, filepath.Join(dir, "metadata"), filepath.Join(dir, "targets"), filepath.Join(dir, "root.json")}
	must(s.t, os.Mkdir(d.meta, 0o700))
	must(s.t, os.Mkdir(d.targets, 0o700))
	return d
}

func (d *device) run(days int, args ...string) int {
	var report strings.Builder
	clock := func() (time.Time, error) { return d.s.now.AddDate(0, 0, days), nil }
	args = append([]string{"--metadata-dir", d.meta, "--metadata-url", d.s.server.URL + "/metadata"}, args...)
	code := run(context.Background(), args, clock, &report, &report)
	d.t.Logf("exit %d %s", code, strings.TrimSpace(report.String()))
	return code
}

func (d *device) initWith(root []byte) int {
	must(d.t, os.WriteFile(d.root, root, 0o600))
	return d.run(0, "init", d.root)
}

// start makes a device that trusts the simulator's first root.
func start(s *simulator) *device {
	d := newDevice(s)
	d.want(0, d.initWith(s.published["root"][0]))
	return d
}

func (d *device) refresh(want int) { d.t.Helper(); d.refreshIn(0, want) }

func (d *device) refreshIn(days, want int) {
	d.t.Helper()
	d.want(want, d.run(days, "refresh"))
}

func (d *device) download(want int, names ...string) { d.t.Helper(); d.downloadIn(0, want, names...) }

func (d *device) downloadIn(days, want int, names ...string) {
	d.t.Helper()
	args := []string{"--target-dir", d.targets, "--target-base-url", d.s.server.URL + "/targets/"}
	for _, name := range names {
		args = append(args, "--target-name", name)
	}
	d.want(want, d.run(days, append(args, "download")...))
}

func (d *device) want(want, got int) {
	d.t.Helper()
	if got != want {
		d.t.Fatalf("exit code %d, want %d", got, want)
	}
}

// version of a trusted role; 0 when there is none.
func (d *device) version(role string) int {
	b, err := os.ReadFile(filepath.Join(d.meta, role+".json"))
	if err != nil {
		return 0
	}
	var file struct{ Signed struct{ Version int } }
	must(d.t, json.Unmarshal(b, &file))
	return file.Signed.Version
}

// trusts checks all trusted roles, such as "root 1", sorted.
func (d *device) trusts(want ...string) {
	d.t.Helper()
	var got []string
	files, err := filepath.Glob(filepath.Join(d.meta, "*.json"))
	must(d.t, err)
	for _, f := range files {
		role := strings.TrimSuffix(filepath.Base(f), ".json")
		got = append(got, fmt.Sprintf("%s %d", role, d.version(role)))
	}
	equal(d.t, "trusted roles", got, want)
}

// holds checks the contents of all downloaded files, sorted.
func (d *device) holds(want ...string) {
	d.t.Helper()
	var got []string
	files, err := filepath.Glob(filepath.Join(d.targets, "*"))
	must(d.t, err)
	for _, f := range files {
		b, err := os.ReadFile(f)
		must(d.t, err)
		got = append(got, string(b))
	}
	sort.Strings(got)
	sort.Strings(want)
	equal(d.t, "downloads", got, want)
}

func (s *simulator) wasAsked(want ...string) { s.t.Helper(); equal(s.t, "requests", s.asked, want) }

func (s *simulator) lastAsked(want string) {
	s.t.Helper()
	equal(s.t, "last request", s.asked[len(s.asked)-1:], []string{want})
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Fatalf("%s: %q, want %q", what, got, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
