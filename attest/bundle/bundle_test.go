package bundle_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

// key is a private key in memory.
type key struct{ crypto.Signer }

func (k key) Sign(message []byte) ([]byte, error) {
	if p, ok := k.Signer.(ed25519.PrivateKey); ok {
		return ed25519.Sign(p, message), nil
	}
	sum := sha256.Sum256(message)
	return k.Signer.Sign(nil, sum[:], crypto.SHA256)
}

// keys are those of a small world: P-256 and Ed25519.
func keys(t testing.TB) (p256, ed key) {
	m := repotest.New(t, 3, 2).People[0]
	return key{m.Statement}, key{m.Root}
}

var payload = []byte(`{"_type":"https://in-toto.io/Statement/v1"}`)

func sign(t testing.TB, k key) []byte {
	t.Helper()
	b, err := bundle.Sign(payload, k)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSignAndOpen(t *testing.T) {
	p256, ed := keys(t)
	all := []crypto.PublicKey{p256.Public(), ed.Public()}
	for _, k := range []key{p256, ed} {
		b := sign(t, k)
		got, by, err := bundle.Open(b, all)
		if err != nil || !bytes.Equal(got, payload) || !k.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(by) {
			t.Fatalf("opened %q by %v, %v", got, by, err)
		}
		hint, _ := bundle.Hint(k.Public())
		for name, change := range map[string]func(string) string{
			"indented":   func(s string) string { var b bytes.Buffer; _ = json.Indent(&b, []byte(s), "", "  "); return b.String() },
			"a line end": func(s string) string { return s + "\n" },
			"keyid":      func(s string) string { return strings.Replace(s, `"sig":`, `"keyid":"`+hint+`","sig":`, 1) },
			"keyid last": func(s string) string { return strings.Replace(s, `"}]`, `","keyid":"`+hint+`"}]`, 1) },
		} {
			_, _, err := bundle.Open([]byte(change(string(b))), all)
			if want := name != "keyid"; (err == nil) != want { // the order of fields is ours, as printed
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, _, err := bundle.Open(b, nil); err == nil || err.Error() != fmt.Sprintf("bundle: signed by key %q, which is none of the 0 that may sign", hint) {
			t.Errorf("without keys: %v", err)
		}
	}
	if _, _, err := bundle.Open(sign(t, p256), []crypto.PublicKey{ed.Public()}); err == nil {
		t.Error("opened with another person's key")
	}
}

// What is signed is exactly the DSSE encoding of our payload type and the statement.
func TestWhatIsSigned(t *testing.T) {
	_, ed := keys(t)
	var doc struct {
		DSSEEnvelope struct {
			Signatures []struct{ Sig []byte }
		}
	}
	if err := json.Unmarshal(sign(t, ed), &doc); err != nil {
		t.Fatal(err)
	}
	pae := "DSSEv1 28 application/vnd.in-toto+json 43 " + string(payload)
	if !ed25519.Verify(ed.Public().(ed25519.PublicKey), []byte(pae), doc.DSSEEnvelope.Signatures[0].Sig) {
		t.Errorf("the signature is not over %q", pae)
	}
}

func TestEveryByteMatters(t *testing.T) {
	p256, ed := keys(t)
	for _, k := range []key{p256, ed} {
		good := sign(t, k)
		all := []crypto.PublicKey{k.Public()}
		for i := range good {
			for flip := range 8 {
				b := slices.Clone(good)
				b[i] ^= 1 << flip
				if got, _, err := bundle.Open(b, all); err == nil {
					t.Fatalf("byte %d ^ %#x: opened %q", i, 1<<flip, got)
				} else if r, ok := err.(interface{ Refused() bool }); !ok || !r.Refused() {
					t.Fatalf("byte %d ^ %#x: %v is no refusal", i, 1<<flip, err)
				}
			}
			if _, _, err := bundle.Open(good[:i], all); err == nil {
				t.Fatalf("opened the first %d bytes", i)
			}
		}
		for _, suffix := range []string{"x", "{}", "\x00", string(good)} {
			if _, _, err := bundle.Open(append(slices.Clone(good), suffix...), all); err == nil {
				t.Fatalf("opened with %q behind", suffix)
			}
		}
	}
}

func TestHostileBundles(t *testing.T) {
	p256, ed := keys(t)
	all := []crypto.PublicKey{p256.Public(), ed.Public()}
	good := string(sign(t, ed))
	hint, _ := bundle.Hint(ed.Public())
	other, _ := bundle.Hint(p256.Public())
	edit := func(old, new string) string {
		t.Helper()
		if !strings.Contains(good, old) {
			t.Fatalf("%s is not in %s", old, good)
		}
		return strings.Replace(good, old, new, 1)
	}
	sig := good[strings.Index(good, `{"sig"`) : strings.Index(good, `}]`)+1]
	body := base64.StdEncoding.EncodeToString(payload)
	for name, test := range map[string]struct{ text, want string }{
		"two signatures":       {edit(sig, sig+","+sig), "bundle: 2 signatures, want exactly one"},
		"no signature":         {edit(sig, ""), "bundle: 0 signatures, want exactly one"},
		"null signatures":      {edit("["+sig+"]", "null"), "bundle: 0 signatures, want exactly one"},
		"other media type":     {edit("v0.3+json", "v0.2+json"), `bundle: media type "application/vnd.dev.sigstore.bundle.v0.2+json", want`},
		"other payload type":   {edit("vnd.in-toto", "vnd.other"), `bundle: payload type "application/vnd.other+json", want`},
		"other payload":        {edit(body, base64.StdEncoding.EncodeToString([]byte("{}"))), "bundle: the signature by key " + hint + " does not verify"},
		"other key's hint":     {edit(hint, other), "bundle: the signature by key " + other + " does not verify"},
		"unknown hint":         {edit(hint, "AAAA"), `bundle: signed by key "AAAA", which is none of the 2 that may sign`},
		"wrong keyid":          {edit(`{"sig"`, `{"keyid":"x","sig"`), `bundle: keyid "x" is not the key's, "` + hint + `"`},
		"empty keyid":          {edit(`"}]`, `","keyid":""}]`), "bundle: is not printed as this project prints it"},
		"unknown field":        {edit(`{"mediaType"`, `{"x":1,"mediaType"`), "bundle: is not printed as this project prints it"},
		"field twice":          {edit(`{"mediaType"`, `{"mediaType":"x","mediaType"`), "bundle: is not printed as this project prints it"},
		"field in other case":  {edit(`"payload":`, `"Payload":`), "bundle: is not printed as this project prints it"},
		"a log entry":          {edit(`{"publicKey"`, `{"tlogEntries":[{}],"publicKey"`), "bundle: is not printed as this project prints it"},
		"a certificate":        {edit(`{"publicKey":{"hint":"`+hint+`"}}`, `{"certificate":{"rawBytes":"AA=="}}`), "bundle: is not printed as this project prints it"},
		"line break in base64": {edit(body[:8], body[:4]+`\n`+body[4:8]), "bundle: is not printed as this project prints it"},
		"URL base64":           {edit(hint, strings.NewReplacer("+", "-", "/", "_").Replace(hint)+"="), "bundle: "},
		"escaped text":         {edit(`"hint"`, `"\u0068int"`), "bundle: is not printed as this project prints it"},
		"null":                 {"null", `bundle: media type ""`},
		"nothing":              {"", "bundle: "},
		"deep":                 {strings.Repeat("[", 100_000), "bundle: "},
		"large":                {strings.Repeat(" ", bundle.MaxSize+1), "bundle: 393217 bytes, at most 393216"},
	} {
		if got, _, err := bundle.Open([]byte(test.text), all); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, test.want)
		}
	}
}

// ECDSA's own malleability is as documented: s and n-s both verify, the statement stays the same.
func TestSignOfSIsNotTheStatement(t *testing.T) {
	p256, _ := keys(t)
	var doc map[string]any
	good := sign(t, p256)
	if err := json.Unmarshal(good, &doc); err != nil {
		t.Fatal(err)
	}
	text := doc["dsseEnvelope"].(map[string]any)["signatures"].([]any)[0].(map[string]any)["sig"].(string)
	der, _ := base64.StdEncoding.DecodeString(text)
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &rs); err != nil {
		t.Fatal(err)
	}
	rs.S.Sub(elliptic.P256().Params().N, rs.S)
	der, _ = asn1.Marshal(rs)
	twin := bytes.Replace(good, []byte(text), []byte(base64.StdEncoding.EncodeToString(der)), 1)
	got, _, err := bundle.Open(twin, []crypto.PublicKey{p256.Public()})
	if err != nil || !bytes.Equal(got, payload) {
		t.Errorf("%q, %v", got, err)
	}
}

// signerFunc is a key store that answers as it likes.
type signerFunc struct {
	pub  crypto.PublicKey
	sign func([]byte) ([]byte, error)
}

func (s signerFunc) Public() crypto.PublicKey      { return s.pub }
func (s signerFunc) Sign(m []byte) ([]byte, error) { return s.sign(m) }

func TestBadSigners(t *testing.T) {
	_, ed := keys(t)
	stop := errors.New("the person said no")
	if _, err := bundle.Sign(payload, signerFunc{ed.Public(), func([]byte) ([]byte, error) { return nil, stop }}); !errors.Is(err, stop) {
		t.Errorf("a signer's error became %v", err)
	}
	if b, err := bundle.Sign(payload, signerFunc{ed.Public(), func([]byte) ([]byte, error) { return make([]byte, 64), nil }}); err == nil {
		t.Errorf("a wrong signature became %s", b)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, pub := range []crypto.PublicKey{nil, &rsaKey.PublicKey, &p384.PublicKey, ed25519.PublicKey("short")} {
		if _, err := bundle.Sign(payload, signerFunc{pub, func([]byte) ([]byte, error) { return nil, nil }}); err == nil {
			t.Errorf("signed with %T", pub)
		}
		if _, _, err := bundle.Open(sign(t, ed), []crypto.PublicKey{pub}); err == nil {
			t.Errorf("opened with %T", pub)
		}
	}
	if _, err := bundle.Sign(make([]byte, bundle.MaxSize), ed); err == nil {
		t.Error("a payload that cannot be read back was signed")
	}
}

// Whatever opens, prints back the same but for spaces, and says the same.
func FuzzOpen(f *testing.F) {
	p256, ed := keys(f)
	all := []crypto.PublicKey{p256.Public(), ed.Public()}
	f.Add(sign(f, p256))
	f.Add(sign(f, ed))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, _, err := bundle.Open(b, all)
		if err == nil && !bytes.Equal(got, payload) {
			t.Fatalf("opened %q, which nobody signed", got)
		}
	})
}
