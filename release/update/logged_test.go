package update_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

// loggedDevice is a device whose distribution asks that releases are in the log, under a head that two of
// three auditors' witnesses cosigned.
type loggedDevice struct {
	*device
	log       *prooftest.Log
	witnesses []*prooftest.Signer
}

func newLoggedDevice(t *testing.T) *loggedDevice {
	l := &loggedDevice{log: prooftest.NewLog("log.example/countersign")}
	for i := range 3 {
		l.witnesses = append(l.witnesses, prooftest.NewSigner(fmt.Sprintf("w%d.example", i), proof.Ed25519Cosi))
	}
	l.device = newDevice(t, repotest.Config{
		Rules: []repotest.Rule{{Channel: "beta", Quorum: 1}, {Channel: "stable", Quorum: 3, Rebuilds: 3, Logged: true}},
		Member: func(i int, m *repotest.Member) {
			if i < len(l.witnesses) {
				m.Witness = []string{l.witnesses[i].Key.String()}
			}
		}})
	l.world.Proofs = map[string][]byte{}
	l.logPolicy = l.log.PolicyText(2, l.witnesses...)
	l.log.Fill(50)
	l.logRelease(l.log, l.world.Made("stable", "1.0.0"), l.witnesses[:2]...)
	return l
}

// logRelease puts a release and its statements into a log and the proof, under a head with these
// cosignatures, beside the statements.
func (l *loggedDevice) logRelease(log *prooftest.Log, made repotest.Made, by ...*prooftest.Signer) {
	l.t.Helper()
	entries := [][]byte{proof.ReleaseLeaf(made.Channel, made.Version, sha256.Sum256(made.Manifest))}
	for _, raw := range made.Statements {
		entries = append(entries, l.leaf(raw))
	}
	log.Append(entries...)
	b, err := log.Prove(entries, by...).Encode()
	if err != nil {
		l.t.Fatal(err)
	}
	l.world.Proofs[repotest.EvidencePath(made.Manifest)] = b
	l.world.SetEvidence(made.Manifest, made.Statements)
}

func (l *loggedDevice) leaf(raw []byte) []byte {
	for _, m := range l.world.People {
		key := m.Statement.Public().(*ecdsa.PublicKey)
		payload, _, err := bundle.Open(raw, []crypto.PublicKey{key})
		if err != nil {
			continue
		}
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			l.t.Fatal(err)
		}
		return proof.StatementLeaf(sha256.Sum256(der), sha256.Sum256(payload))
	}
	l.t.Fatal("a statement by nobody")
	return nil
}

// refused wants an update to be refused for reason 6 with these words, and the old version to stay.
func (l *loggedDevice) refused(words string) {
	l.t.Helper()
	r, err := l.update()
	if err == nil || r.Installed || !strings.Contains(err.Error(), "(reason 6, logged)") || !strings.Contains(err.Error(), words) {
		l.t.Fatalf("%+v, %v\nwant reason 6 with %q", r, err, words)
	}
	if l.state().Current != l.version && l.version != "1.0.0" {
		l.t.Fatalf("%+v", l.state())
	}
}

// What is in the log is installed, and the program can say who vouches for that at any time, offline.
func TestLoggedReleaseIsInstalled(t *testing.T) {
	l := newLoggedDevice(t)
	l.later()
	l.logRelease(l.log, l.publish("1.1.0", ""), l.witnesses[1:]...)
	l.mustUpdate()
	if got := l.about(); got.Outcome != genuine.Genuine || !strings.Contains(got.Text(), "in the log log.example/countersign under a head of 58 entries, cosigned by Bernd Kraus") {
		t.Errorf("%v\n%s", got.Outcome, got.Text())
	}
	head, err := proof.UnverifiedHead(l.home.Memory().Head())
	if err != nil || head.Size != 58 {
		t.Errorf("remembers a head of %d entries, %v", head.Size, err)
	}
	// The program that has forgotten whose log it is could not tell.
	l.logPolicy = nil
	if got := l.about(); got.Outcome != genuine.Unknown {
		t.Errorf("without log.policy: %v", got.Outcome)
	}
}

// A release for one victim: everybody signed, and the world cannot see it.
func TestReleaseThatIsNotLoggedIsRefused(t *testing.T) {
	l := newLoggedDevice(t)
	l.later()
	made := l.publish("1.1.0", "")
	l.refused("there is no proof that this release is in the log log.example/countersign")

	// A head that too few witnesses saw, another release's proof, and a log of the publisher's own.
	l.logRelease(l.log, made, l.witnesses[0])
	l.refused("too few witnesses")
	l.world.Proofs[repotest.EvidencePath(made.Manifest)] = l.world.Proofs[repotest.EvidencePath(l.world.Made("stable", "1.0.0").Manifest)]
	l.world.SetEvidence(made.Manifest, made.Statements)
	l.refused("the proof does not show stable 1.1.0")
	own := prooftest.NewLog("log.example/another")
	l.logRelease(own, made, l.witnesses...)
	l.refused("log.example/another")

	// And none of it did any harm.
	l.log.Fill(3)
	l.logRelease(l.log, made, l.witnesses...)
	l.mustUpdate()
}

// The publisher and two witnesses show this device another log than the one it has seen: refused, and both signed
// heads are the evidence.
func TestForkedLogIsRefusedWithEvidence(t *testing.T) {
	l := newLoggedDevice(t)
	l.later()
	l.logRelease(l.log, l.publish("1.1.0", ""), l.witnesses...)
	l.mustUpdate()
	seen := l.home.Memory().Head()

	l.later()
	made := l.publish("1.2.0", "")
	fork := prooftest.NewLog("log.example/countersign")
	fork.Fill(54)
	l.logRelease(fork, made, l.witnesses[:2]...) // as large as the one seen
	l.refused("the log log.example/countersign was forked: at 58 entries")
	if !bytes.Equal(seen, l.home.Memory().Head()) {
		t.Error("the head of the fork was remembered")
	}
	l.refusedHeads(seen, fork.Checkpoint(l.witnesses[:2]...))
	if got := l.about(); got.Outcome != genuine.Genuine || !strings.Contains(got.Text(), "1.2.0") || !strings.Contains(got.Text(), "was forked") {
		t.Errorf("%v\n%s", got.Outcome, got.Text())
	}
}

// refusedHeads wants both signed heads to be on the disk, for everybody to see.
func (l *loggedDevice) refusedHeads(heads ...[]byte) {
	l.t.Helper()
	found := make([]bool, len(heads))
	err := filepath.WalkDir(l.home.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		for i, h := range heads {
			signature := bytes.TrimSpace(h[bytes.Index(h, []byte("\n\n")):])
			line, _, _ := bytes.Cut(signature, []byte("\n"))
			found[i] = found[i] || bytes.Contains(b, line)
		}
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	for i, ok := range found {
		if !ok {
			l.t.Errorf("head %d of the two is nowhere below %s", i+1, l.home.Dir)
		}
	}
}
