package trust_test

import (
	"testing"
	"time"

	"github.com/countersign-project/countersign/tuf/repo/repotest"
	"github.com/countersign-project/countersign/tuf/trust"
)

// TestWhatOurToolsAuthorIsTrusted holds the strict parser against tuf/repo.
func TestWhatOurToolsAuthorIsTrusted(t *testing.T) {
	w := repotest.New(t, 5, 3)
	w.Release("1.0.0", map[string][]byte{"linux-amd64/messenger": []byte("program"), "windows-amd64/messenger.exe": []byte("program")})
	s, err := trust.Verify(w.Anchor(), w.Metadata(), w.Now)
	if err != nil {
		t.Fatal(err)
	}
	stable, ok := s.Role("stable")
	if !ok || stable.Quorum != 3 || len(stable.Signers) != 3 || len(stable.Authorised) != 5 || len(stable.Event) != 64 {
		t.Fatalf("stable: %+v", stable)
	}
	if stable.Signers[0].Holder != w.People[0].Name && stable.Signers[1].Holder == "" {
		t.Fatalf("signers: %+v", stable.Signers)
	}
	if !stable.Made.Equal(w.Now) {
		t.Fatalf("made %v, want %v", stable.Made, w.Now)
	}
	target, err := s.Target("stable/1.0.0/linux-amd64/messenger")
	if err != nil || target.Role != "stable" || target.Length != 7 {
		t.Fatalf("target %+v, %v", target, err)
	}
	if _, err := trust.Verify(w.Anchor(), w.Metadata(), w.Now.Add(48*time.Hour)); err == nil {
		t.Fatal("an expired timestamp was accepted")
	}
	if _, err := trust.Verify(w.Anchor(), w.Metadata(), time.Time{}); err != nil {
		t.Fatalf("without a time: %v", err)
	}
}
