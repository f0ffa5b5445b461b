package trust

import (
	"regexp"
	"time"
)

// Fields we add to "signed"; stock clients carry them along unread.
const (
	madeField  = "x-countersign-made"
	eventField = "x-countersign-event"
)

var (
	specVersionForm = regexp.MustCompile(`^1\.[0-9]{1,4}(\.[0-9]{1,4})?$`)
	eventForm       = regexp.MustCompile(`^[0-9a-f]{64}$`)
	// roleForm are the names of our delegated roles: they become file names
	// and URL paths everywhere, so nothing needs quoting.
	roleForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
)

// document is one metadata file after the strict parser: well formed, but
// nobody's signature has been looked at.
type document struct {
	role    string
	raw     []byte
	payload []byte            // canonical bytes of "signed": what signatures cover
	sigs    map[string][]byte // by key id
	version int64
	expires time.Time
	made    time.Time
	event   string

	// Filled by role.
	consistent bool                  // root
	roles      map[string]delegation // root: the top-level roles
	meta       map[string]metaFile   // timestamp, snapshot: by file name
	targets    map[string]targetFile // targets
	delegated  []delegation          // targets, in the order of the file
	bins       *bins                 // targets, Standard mode
}

// metaFile is what a role says about a file of the role below.
type metaFile struct {
	version int64
	length  int64 // 0: not said
	hashes  map[string][]byte
}

// targetFile is what a targets role says about a target.
type targetFile struct {
	length int64
	hashes map[string][]byte
	custom map[string]string
}

type parser struct {
	mode Mode
	role string
}

// parse reads the file of a role; delegated roles have the shape of targets.
func parse(role string, data []byte, mode Mode) (*document, error) {
	p := &parser{mode: mode, role: role}
	f := &form{role: role}
	if int64(len(data)) > MaxBytes(role) {
		f.fail("", "%d bytes, at most %d allowed", len(data), MaxBytes(role))
		return nil, f.err
	}
	tree, err := parseTree(data)
	if err != nil {
		f.fail("", "%v", err)
		return nil, f.err
	}
	d := &document{role: role, raw: data}
	p.readEnvelope(d, at{f, "", tree})
	if f.err != nil {
		return nil, f.err
	}
	return d, nil
}

func (p *parser) readEnvelope(d *document, a at) {
	// What is outside "signed" is signed by nobody; Strict mode lets nothing
	// in there that we do not read.
	if p.mode == Strict && !a.closed("signed", "signatures") || !a.object("signed", "signatures") {
		return
	}
	d.sigs = map[string][]byte{}
	a.field("signatures").elements(func(e at) { p.readSignature(d, e) })
	signed := a.field("signed")
	if !signed.want(isObject) {
		return
	}
	d.payload = canonical(signed.v)
	p.readCommon(d, signed)
	switch d.role {
	case Root:
		p.readRoot(d, signed)
	case Timestamp, Snapshot:
		p.readMeta(d, signed)
	default:
		p.readTargets(d, signed)
	}
}

func (p *parser) readSignature(d *document, a at) {
	if p.mode == Strict && !a.closed("keyid", "sig") || !a.object("keyid", "sig") {
		return
	}
	id := a.field("keyid").text()
	sig := a.field("sig").hex(0, p.mode == Strict)
	if a.failed() {
		return
	}
	if _, twice := d.sigs[id]; twice {
		a.refuse("second signature of key %.16q", id)
		return
	}
	d.sigs[id] = sig
}

func (p *parser) readCommon(d *document, a at) {
	known := []string{"_type", "spec_version", "version", "expires", "consistent_snapshot", "keys", "roles",
		"meta", "targets", "delegations", madeField, eventField}
	if !a.object(known...) {
		return
	}
	want := d.role
	if want != Root && want != Timestamp && want != Snapshot {
		want = Targets
	}
	if got := a.field("_type").text(); got != want {
		a.field("_type").refuse("%.20q, want %q", got, want)
	}
	if s := a.field("spec_version").text(); !specVersionForm.MatchString(s) {
		a.field("spec_version").refuse("%.20q, want 1.x", s)
	}
	d.version = a.field("version").integer(1)
	d.expires = a.field("expires").time()
	if p.mode != Strict {
		return
	}
	if m, ok := a.maybe(madeField); ok {
		if d.made = m.time(); d.made.After(d.expires) {
			m.refuse("made %s, after it expired on %s", d.made.Format(timeFormat), d.expires.Format(timeFormat))
		}
	}
	if m, ok := a.maybe(eventField); ok {
		if d.event = m.text(); d.event != "" && !eventForm.MatchString(d.event) {
			m.refuse("%.20q, want 64 hexadecimal digits", d.event)
		}
	}
}

// readRoot reads 4.3: keys, and quorum and keys of the four top-level roles.
func (p *parser) readRoot(d *document, a at) {
	if m, ok := a.maybe("consistent_snapshot"); ok || p.mode == Strict {
		if !ok {
			m = a.field("consistent_snapshot")
		}
		if d.consistent = m.yes(); !d.consistent && p.mode == Strict {
			m.refuse("false, want true")
		}
	}
	keys := p.readKeys(a.field("keys"))
	roles := a.field("roles")
	if !roles.object(Root, Timestamp, Snapshot, Targets) {
		return
	}
	d.roles = map[string]delegation{}
	for _, name := range []string{Root, Timestamp, Snapshot, Targets} {
		d.roles[name] = p.readQuorum(name, roles.field(name), keys)
	}
}

// readMeta reads 4.4 and 4.6.
func (p *parser) readMeta(d *document, a at) {
	d.meta = map[string]metaFile{}
	a.field("meta").members(func(name string, m at) {
		if p.mode == Strict && !roleFile(name) {
			m.refuse("file name %.60q is no role's", name)
		}
		d.meta[name] = p.readMetaFile(m)
	})
	lowest := Snapshot
	if d.role == Snapshot {
		lowest = Targets
	}
	if _, ok := d.meta[lowest+".json"]; !ok {
		a.child("meta", value{}).refuse("%s.json is missing", lowest)
	}
	if d.role == Timestamp && len(d.meta) != 1 {
		a.child("meta", value{}).refuse("%d files, want snapshot.json alone", len(d.meta))
	}
}

func roleFile(name string) bool {
	const suffix = ".json"
	return len(name) > len(suffix) && name[len(name)-len(suffix):] == suffix &&
		roleForm.MatchString(name[:len(name)-len(suffix)])
}

func (p *parser) readMetaFile(a at) metaFile {
	var f metaFile
	if !a.object("version", "length", "hashes") {
		return f
	}
	f.version = a.field("version").integer(1)
	// Strict: length and sha256 always, so that no byte of the role below is
	// parsed before it is known to be the one the publisher meant.
	m, ok := a.maybe("length")
	if !ok && p.mode == Strict {
		m = a.field("length")
	}
	if ok {
		f.length = m.integer(1)
	}
	m, ok = a.maybe("hashes")
	if !ok && p.mode == Strict {
		m = a.field("hashes")
	}
	if ok {
		f.hashes = p.readHashes(m)
	}
	return f
}

// readHashes reads an object of hashes: sha256 alone in Strict mode, of the
// algorithms we know in Standard mode. At least one must be there.
func (p *parser) readHashes(a at) map[string][]byte {
	hashes := map[string][]byte{}
	a.members(func(name string, m at) {
		switch {
		case name == "sha256":
			hashes[name] = m.hex(32, p.mode == Strict)
		case name == "sha512" && p.mode == Standard:
			hashes[name] = m.hex(64, false)
		case p.mode == Strict:
			m.refuse("hash algorithm %.20q, want sha256", name)
		default:
			m.text()
		}
	})
	if len(hashes) == 0 {
		a.refuse("no hash")
	}
	return hashes
}
