package proof

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Kinds of leaves.
const (
	KindRelease   = "release"
	KindMetadata  = "metadata"
	KindStatement = "statement"
)

// MaxLeaf is the longest leaf, in bytes.
const MaxLeaf = 512

// Leaf is one entry of the log, read. What a kind has no use for is empty.
type Leaf struct {
	Kind        string   `json:"kind"`              // KindRelease, KindMetadata or KindStatement
	Channel     string   `json:"channel,omitempty"` // release: "stable"
	Version     string   `json:"version,omitempty"` // release: "1.4.0"
	Role        string   `json:"role,omitempty"`    // metadata: "snapshot"
	RoleVersion int64    `json:"-"`                 // metadata: 1 or more
	Key         [32]byte `json:"-"`                 // statement: SHA-256 of the signing key's PKIX DER
	SHA256      [32]byte `json:"-"`                 // of release.json, of the metadata file, or of the DSSE payload
}

// ReleaseLeaf returns the entry that says: this release.json is what a channel offers as this version.
func ReleaseLeaf(channel, version string, release [32]byte) []byte {
	return fmt.Appendf(nil, "countersign release %s %s %x\n", channel, version, release)
}

// MetadataLeaf returns the entry that says: this file is what was published as a TUF role's version.
func MetadataLeaf(role string, version int64, file [32]byte) []byte {
	return fmt.Appendf(nil, "countersign metadata %s %d %x\n", role, version, file)
}

// StatementLeaf returns the entry that says: the holder of this key stated this payload. The payload is
// hashed and not the bundle around it, since ECDSA signatures and JSON have many spellings.
func StatementLeaf(key, payload [32]byte) []byte {
	return fmt.Appendf(nil, "countersign statement %x %x\n", key, payload)
}

// Entry prints the leaf as it stands in the log.
func (l Leaf) Entry() []byte {
	switch l.Kind {
	case KindRelease:
		return ReleaseLeaf(l.Channel, l.Version, l.SHA256)
	case KindMetadata:
		return MetadataLeaf(l.Role, l.RoleVersion, l.SHA256)
	case KindStatement:
		return StatementLeaf(l.Key, l.SHA256)
	}
	panic("internal error: a leaf of kind " + strconv.Quote(l.Kind))
}

// Names of channels, roles and versions: what the release packages allow, seen from below.
var (
	plainWord   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	versionWord = regexp.MustCompile(`^[0-9][0-9A-Za-z.-]{0,63}$`)
)

// ParseLeaf reads one entry and refuses whatever the three functions above would not have written for
// proper names: so no two meanings share an entry, and none has two spellings.
func ParseLeaf(entry []byte) (Leaf, error) {
	bad := func(why string) (Leaf, error) {
		return Leaf{}, fmt.Errorf("log entry %q: %s", clip(string(entry)), why)
	}
	if len(entry) > MaxLeaf {
		return bad(fmt.Sprintf("%d bytes, at most %d allowed", len(entry), MaxLeaf))
	}
	line, ok := strings.CutSuffix(string(entry), "\n")
	words := strings.Split(line, " ")
	if !ok || len(words) < 2 || words[0] != "countersign" {
		return bad("is not a line that begins with \"countersign\"")
	}
	l := Leaf{Kind: words[1]}
	switch words = words[2:]; l.Kind {
	case KindRelease:
		if len(words) != 3 || !plainWord.MatchString(words[0]) || !versionWord.MatchString(words[1]) {
			return bad("want a channel, a version and a hash after \"release\"")
		}
		l.Channel, l.Version = words[0], words[1]
	case KindMetadata:
		if len(words) != 3 || !plainWord.MatchString(words[0]) {
			return bad("want a role, a version and a hash after \"metadata\"")
		}
		n, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil || n < 1 {
			return bad("want a metadata version from 1 up")
		}
		l.Role, l.RoleVersion = words[0], n
	case KindStatement:
		if len(words) != 2 || !hexHash(words[0], &l.Key) {
			return bad("want two hashes after \"statement\"")
		}
	default:
		return bad("unknown kind, want release, metadata or statement")
	}
	if !hexHash(words[len(words)-1], &l.SHA256) {
		return bad("does not end with a SHA-256 in hex")
	}
	if !bytes.Equal(l.Entry(), entry) {
		return bad("is not in canonical form")
	}
	return l, nil
}

func hexHash(s string, into *[32]byte) bool {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(into) {
		return false
	}
	*into = [32]byte(b)
	return true
}
