package repo

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"slices"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Signature is one key's signature over Payload: 64 bytes for Ed25519, ASN.1 DER over SHA-256 for P-256.
type Signature struct {
	KeyID string // 64 lower-case hex digits
	Sig   []byte
}

// Payload returns the bytes that are signed: the canonical JSON of "signed" (TUF 4.2). Every TUF client
// verifies its own re-serialisation, never the bytes it received, so metadata that this package would
// not print back byte for byte is refused: two readers might see two things in it.
func Payload(b []byte) ([]byte, error) {
	role, err := typeOf(b)
	if err != nil {
		return nil, err
	}
	switch role {
	case metadata.ROOT:
		return payloadAs[metadata.RootType](b)
	case metadata.TARGETS:
		return payloadAs[metadata.TargetsType](b)
	case metadata.SNAPSHOT:
		return payloadAs[metadata.SnapshotType](b)
	default:
		return payloadAs[metadata.TimestampType](b)
	}
}

func payloadAs[T metadata.Roles](b []byte) ([]byte, error) {
	m, err := decode[T](b)
	if err != nil {
		return nil, err
	}
	out, err := cjson.EncodeCanonical(m.Signed)
	if err != nil {
		return nil, refusef("metadata", "%v", err)
	}
	return out, nil
}

// Attach returns the metadata with exactly these signatures, sorted by key id; signatures that were
// there before are dropped (see Signatures to keep them). It does not verify them: see Verify.
func Attach(b []byte, sigs []Signature) ([]byte, error) {
	role, err := typeOf(b)
	if err != nil {
		return nil, err
	}
	sigs = slices.Clone(sigs)
	slices.SortFunc(sigs, byID)
	for i, s := range sigs {
		if !eventID.MatchString(s.KeyID) {
			return nil, refusef(role, "signature by key id %q, want 64 lower-case hex digits", s.KeyID)
		}
		if i > 0 && sigs[i-1].KeyID == s.KeyID {
			return nil, refusef(role, "two signatures by key id %s", s.KeyID)
		}
		if len(s.Sig) == 0 {
			return nil, refusef(role, "empty signature by key id %s", s.KeyID)
		}
	}
	switch role {
	case metadata.ROOT:
		return attachAs[metadata.RootType](role, b, sigs)
	case metadata.TARGETS:
		return attachAs[metadata.TargetsType](role, b, sigs)
	case metadata.SNAPSHOT:
		return attachAs[metadata.SnapshotType](role, b, sigs)
	default:
		return attachAs[metadata.TimestampType](role, b, sigs)
	}
}

func attachAs[T metadata.Roles](role string, b []byte, sigs []Signature) ([]byte, error) {
	m, err := decode[T](b)
	if err != nil {
		return nil, err
	}
	return encode(role, m.Signed, sigs)
}

// Signatures returns the signatures that metadata carries, sorted by key id.
func Signatures(b []byte) ([]Signature, error) {
	role, err := typeOf(b)
	if err != nil {
		return nil, err
	}
	var outer struct {
		Signatures []metadata.Signature `json:"signatures"`
	}
	if err := json.Unmarshal(b, &outer); err != nil {
		return nil, refusef(role, "%v", err)
	}
	out := []Signature{}
	for _, s := range outer.Signatures {
		out = append(out, Signature{s.KeyID, s.Signature})
	}
	slices.SortStableFunc(out, byID)
	return out, nil
}

// Verify checks one signature over metadata by the holder's key, and that it carries this holder's key id.
func Verify(b []byte, h Holder, s Signature) error {
	payload, err := Payload(b)
	if err != nil {
		return err
	}
	role, _ := typeOf(b)
	id, err := KeyID(h)
	if err != nil {
		return err
	}
	if id != s.KeyID {
		return refusef(role, "signature carries key id %s, but the key of %s has %s", s.KeyID, h.Name, id)
	}
	good := false
	switch k := h.Public.(type) {
	case ed25519.PublicKey:
		good = ed25519.Verify(k, payload, s.Sig)
	case *ecdsa.PublicKey:
		sum := sha256.Sum256(payload)
		good = ecdsa.VerifyASN1(k, sum[:], s.Sig)
	}
	if !good {
		return refusef(role, "signature by %s does not verify", h.Name)
	}
	return nil
}

// encode prints metadata as we publish it: compact, keys sorted, a newline at the end.
func encode[T metadata.Roles](role string, signed T, sigs []Signature) ([]byte, error) {
	m := metadata.Metadata[T]{Signed: signed, Signatures: []metadata.Signature{}}
	for _, s := range sigs {
		m.Signatures = append(m.Signatures, metadata.Signature{KeyID: s.KeyID, Signature: s.Sig})
	}
	b, err := m.ToBytes(false)
	if err != nil {
		return nil, refusef(role, "%v", err)
	}
	b = append(b, '\n')
	if len(b) > MaxMetadata {
		return nil, refusef(role, "%d bytes, at most %d", len(b), MaxMetadata)
	}
	return b, nil
}

// decode parses metadata of one type. go-tuf panics on some hostile input (a null target), so what it
// throws is caught here, at the door.
func decode[T metadata.Roles](b []byte) (m *metadata.Metadata[T], err error) {
	role, err := typeOf(b)
	if err != nil {
		return nil, err
	}
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, refusef(role, "malformed: %v", p)
		}
	}()
	var want any = *new(T)
	ok := false
	switch want.(type) {
	case metadata.RootType:
		ok = role == metadata.ROOT
	case metadata.TargetsType:
		ok = role == metadata.TARGETS
	case metadata.SnapshotType:
		ok = role == metadata.SNAPSHOT
	case metadata.TimestampType:
		ok = role == metadata.TIMESTAMP
	}
	if !ok {
		return nil, refusef("metadata", "is of type %q, want another", role)
	}
	m, err = new(metadata.Metadata[T]).FromBytes(b)
	if err != nil {
		return nil, refusef(role, "%v", err)
	}
	var sigs []Signature
	for _, s := range m.Signatures {
		sigs = append(sigs, Signature{s.KeyID, s.Signature})
	}
	again, err := encode(role, m.Signed, sigs)
	if err != nil {
		return nil, err
	}
	if _, err := cjson.EncodeCanonical(m.Signed); err != nil { // a number that is not whole
		return nil, refusef(role, "%v", err)
	}
	if !bytes.Equal(again, b) {
		return nil, refusef(role, "is not written as this project writes it; two readers might see two things in it")
	}
	return m, nil
}

// typeOf reads the TUF type of metadata, and refuses an expiry that is not in whole UTC seconds.
// Channels have the type "targets".
func typeOf(b []byte) (string, error) {
	if len(b) > MaxMetadata {
		return "", refusef("metadata", "%d bytes, at most %d", len(b), MaxMetadata)
	}
	var outer struct {
		Signed struct {
			Type    string `json:"_type"`
			Expires string `json:"expires"`
		} `json:"signed"`
	}
	if err := json.Unmarshal(b, &outer); err != nil {
		return "", refusef("metadata", "%v", err)
	}
	switch t := outer.Signed.Type; t {
	case metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP:
		if _, err := parseTime(outer.Signed.Expires); err != nil {
			return "", refusef(t, "expires %q, want RFC 3339 in whole UTC seconds", outer.Signed.Expires)
		}
		return t, nil
	default:
		return "", refusef("metadata", "type %q, want root, targets, snapshot or timestamp", t)
	}
}
