package genuine_test

import (
	"bytes"
	"crypto/sha256"
	"math/bits"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/repo"
)

const everybody = "Ana Sousa (Uni Porto, PT), Bram de Vries (Bits of Freedom, NL), Chioma Okafor (Lagos Labs, NG)"

func TestGenuine(t *testing.T) {
	v := newWorld(t).judge()
	want(t, v, genuine.Genuine, genuine.ReasonQuorum, genuine.Held, "3 of 5 auditors signed, 3 needed: "+everybody)
	want(t, v, genuine.Genuine, genuine.ReasonSpread, genuine.Held, "the 3 signers are of 3 jurisdictions (NG, NL, PT), 3 needed; 3 organisations, 3 needed")
	want(t, v, genuine.Genuine, genuine.ReasonFresh, genuine.Held, "nothing here is older than this device has seen, and all of it is valid until 2027-01-20 12:00 UTC")
	want(t, v, genuine.Genuine, genuine.ReasonRebuilt, genuine.Held, "3 auditors rebuilt exactly these bytes, 3 needed: "+everybody)
	for _, name := range []string{genuine.ReasonReviewed, genuine.ReasonLogged, genuine.ReasonNotWithdrawn} {
		want(t, v, genuine.Genuine, name, genuine.NotRequired, "not required by policy")
	}
	if v.Version != "1.4.0" || v.Err() != nil {
		t.Errorf("version %q, error %v", v.Version, v.Err())
	}
}

// Attack: k−1 auditor keys stolen; arbitrary software from the publisher. Every subset of signers.
func TestEverySubsetOfSigners(t *testing.T) {
	for mask := range 1 << 5 {
		w := newWorld(t)
		w.policy.Channels[1] = genuine.Rule{Channel: "stable", Quorum: 3}
		w.floor.Channels = w.policy.Channels
		w.signers = nil
		for i := range 5 {
			if mask&(1<<i) != 0 {
				w.signers = append(w.signers, i)
			}
		}
		outcome := genuine.Refused
		if bits.OnesCount(uint(mask)) >= 3 {
			outcome = genuine.Genuine
		}
		if v := w.judge(); v.Outcome != outcome {
			t.Errorf("signers %v: %v, want %v\n%s", w.signers, v.Outcome, outcome, v.Text())
		}
	}
}

func TestTooFewSignersAreNamed(t *testing.T) {
	w := newWorld(t)
	w.signers = []int{0, 1}
	v := w.judge()
	if r := v.Reason(genuine.ReasonQuorum); v.Outcome != genuine.Refused || len(r.People) != 2 || r.People[0].Name != "Ana Sousa" {
		t.Errorf("%v, people %v\n%s", v.Outcome, r.People, v.Text())
	}
	if r, ok := v.First(); !ok || r.Name != genuine.ReasonQuorum {
		t.Errorf("first reason is %v", r)
	}
}

// Attack: three signers, two governments.
func TestSpread(t *testing.T) {
	w := newWorld(t)
	w.signers = []int{0, 1, 4}
	want(t, w.judge(), genuine.Refused, genuine.ReasonSpread, genuine.Failed,
		"the 3 signers are of 2 jurisdictions (NL, PT), 3 needed; 3 organisations, 3 needed")
	w = newWorld(t)
	w.people[1].Organisation = "Uni Porto"
	w.policy.People[1].Organisation = "Uni Porto"
	want(t, w.judge(), genuine.Refused, genuine.ReasonSpread, genuine.Failed,
		"the 3 signers are of 3 jurisdictions (NG, NL, PT), 3 needed; 2 organisations, 3 needed")
}

// The floor compiled into the program counts where the signed policy asks for less.
func TestSignedPolicyCannotGoBelowTheFloor(t *testing.T) {
	w := newWorld(t)
	w.signers = []int{0, 1, 4}
	w.policy.Channels = []genuine.Rule{{Channel: "beta", Quorum: 1}, {Channel: "stable", Quorum: 1}}
	want(t, w.judge(), genuine.Refused, genuine.ReasonSpread, genuine.Failed,
		"the 3 signers are of 2 jurisdictions (NL, PT), 3 needed; 3 organisations, 3 needed")
}

// Replay of an old state, in each role.
func TestNothingOlderThanSeen(t *testing.T) {
	for _, role := range []string{"root", "timestamp", "snapshot", "targets", "stable"} {
		w := newWorld(t)
		a, ev := w.make()
		seen := genuine.Seen{Channels: map[string]int64{}}
		switch role {
		case "root":
			seen.Root = 2
		case "timestamp":
			seen.Timestamp = 2
		case "snapshot":
			seen.Snapshot = 2
		case "targets":
			seen.Targets = 2
		default:
			seen.Channels[role] = 2
		}
		v := genuine.Judge(a, ev, w.subject(), seen, w.now)
		want(t, v, genuine.Refused, genuine.ReasonFresh, genuine.Failed,
			role+" metadata is version 1, but this device has seen version 2: an old state was served again")
	}
}

// Expired means that nobody can tell any more; it is not a refusal, and it is never genuine.
func TestExpired(t *testing.T) {
	for _, role := range []string{"root", "timestamp", "snapshot", "targets", "stable"} {
		w := newWorld(t)
		w.expires[role] = w.now.Add(time.Hour)
		a, ev := w.make()
		if v := genuine.Judge(a, ev, w.subject(), genuine.Seen{}, w.now.Add(59*time.Minute)); v.Outcome != genuine.Genuine {
			t.Errorf("%s before it expires:\n%s", role, v.Text())
		}
		v := genuine.Judge(a, ev, w.subject(), genuine.Seen{}, w.now.Add(time.Hour))
		want(t, v, genuine.Unknown, genuine.ReasonFresh, genuine.Open, role+" expired on 2026-11-21 13:00 UTC; nobody has confirmed it since")
		// A clock set back by years hides nothing: the floor is the later of the two.
		v = genuine.Judge(a, ev, w.subject(), genuine.Seen{Floor: w.now.Add(2 * time.Hour)}, w.now.AddDate(-10, 0, 0))
		want(t, v, genuine.Unknown, genuine.ReasonFresh, genuine.Open, role+" expired on 2026-11-21 13:00 UTC; nobody has confirmed it since")
	}
}

// A file under another name, or another file under this name.
func TestRenamed(t *testing.T) {
	w := newWorld(t)
	a, ev := w.make()
	other := sha256.Sum256([]byte("other"))
	program := genuine.Digest(sha256.Sum256(w.program))
	for name, c := range map[string]struct {
		change func(*genuine.Subject)
		text   string
	}{
		"arch": {func(s *genuine.Subject) { s.Arch = "arm64" },
			"the file has sha256 " + program.String() + "; the auditors signed " + hexOf([]byte("\x7fELF arm64")) + " for messenger 1.4.0 on linux/arm64"},
		"os":      {func(s *genuine.Subject) { s.OS = "windows" }, "stable 1.4.0 has no messenger for windows/amd64"},
		"program": {func(s *genuine.Subject) { s.Program = "messengerd" }, "stable 1.4.0 has no messengerd for linux/amd64"},
		"channel": {func(s *genuine.Subject) { s.Channel = "beta" }, "there is no channel \"beta\" in this evidence"},
		"bytes": {func(s *genuine.Subject) { s.SHA256 = other },
			"the file has sha256 " + genuine.Digest(other).String() + "; the auditors signed " + program.String() + " for messenger 1.4.0 on linux/amd64"},
		"length": {func(s *genuine.Subject) { s.Length++ },
			"the file has sha256 " + program.String() + "; the auditors signed " + program.String() + " for messenger 1.4.0 on linux/amd64"},
		"unnamed bytes": {func(s *genuine.Subject) { *s = genuine.Subject{Channel: "stable", Length: 5, SHA256: other} },
			"no artifact of stable 1.4.0 has sha256 " + genuine.Digest(other).String()},
	} {
		s := w.subject()
		c.change(&s)
		v := genuine.Judge(a, ev, s, genuine.Seen{}, w.now)
		t.Run(name, func(t *testing.T) { want(t, v, genuine.Refused, genuine.ReasonQuorum, genuine.Failed, c.text) })
	}
	s := w.subject()
	s.Program, s.OS, s.Arch = "", "", ""
	if v := genuine.Judge(a, ev, s, genuine.Seen{}, w.now); v.Outcome != genuine.Genuine {
		t.Errorf("found by its bytes alone:\n%s", v.Text())
	}
}

// The quorum signs names as well: metadata and manifest must agree on each of the five.
func TestMetadataAndManifestMustAgree(t *testing.T) {
	for key, text := range map[string]string{
		"os":      `stable/1.4.0/linux-amd64/messenger: the signed metadata says os "plan9", the manifest "linux"`,
		"arch":    `stable/1.4.0/linux-amd64/messenger: the signed metadata says arch "plan9", the manifest "amd64"`,
		"program": `stable/1.4.0/linux-amd64/messenger: the signed metadata says program "plan9", the manifest "messenger"`,
		"version": `stable/1.4.0/linux-amd64/messenger: the signed metadata says version "plan9", the manifest "1.4.0"`,
		"channel": `stable/1.4.0/linux-amd64/messenger: the signed metadata says channel "plan9", the manifest "stable"`,
	} {
		w := newWorld(t)
		w.files = func(files []repo.File) []repo.File { files[1].Custom[key] = "plan9"; return files }
		want(t, w.judge(), genuine.Refused, genuine.ReasonQuorum, genuine.Failed, text)
	}
	w := newWorld(t)
	w.files = func(files []repo.File) []repo.File { files[1].SHA256[0] ^= 1; return files }
	want(t, w.judge(), genuine.Refused, genuine.ReasonQuorum, genuine.Failed, "stable/1.4.0/linux-amd64/messenger: manifest and signed metadata name different bytes")
	w = newWorld(t)
	w.files = func(files []repo.File) []repo.File { return append(files[:1:1], files[2:]...) }
	if v := w.judge(); v.Outcome != genuine.Refused || !strings.HasPrefix(v.Reason(genuine.ReasonQuorum).Text, "stable/1.4.0/linux-amd64/messenger is in the manifest but not in the signed metadata: ") {
		t.Errorf("%s", v.Text())
	}
}

func TestOldManifestUnderANewName(t *testing.T) {
	w := newWorld(t)
	a, ev := w.make()
	w.manifest.Notes = "Another"
	ev.Release = w.encode(w.manifest.Encode())
	v := genuine.Judge(a, ev, w.subject(), genuine.Seen{}, w.now)
	if v.Outcome != genuine.Refused || !strings.HasPrefix(v.Reason(genuine.ReasonQuorum).Text, "stable/1.4.0/release.json has sha256 "+hexOf(ev.Release)) {
		t.Errorf("%s", v.Text())
	}
	w = newWorld(t)
	a, ev = w.make()
	w.policy.Channels[1].Rebuilds = 0
	ev.Policy = w.encode(w.policy.Encode())
	v = genuine.Judge(a, ev, w.subject(), genuine.Seen{}, w.now)
	if v.Outcome != genuine.Refused || !strings.HasPrefix(v.Reason(genuine.ReasonQuorum).Text, "policy.json has sha256 "+hexOf(ev.Policy)) {
		t.Errorf("%s", v.Text())
	}
}

// One auditor's key under the name of another person, or one the policy gives to nobody.
func TestHoldersMustBeThePolicysPeople(t *testing.T) {
	w := newWorld(t)
	w.policy.People[0].Organisation = "Elsewhere"
	want(t, w.judge(), genuine.Refused, genuine.ReasonQuorum, genuine.Failed,
		"a key is held by Ana Sousa (Uni Porto, PT) in the metadata and by Ana Sousa (Elsewhere, PT) in the policy")
	w = newWorld(t)
	w.policy.People = w.policy.People[1:]
	want(t, w.judge(), genuine.Refused, genuine.ReasonQuorum, genuine.Failed, `a key of "Ana Sousa" signed channel stable but the policy gives it to no auditor`)
}

// Statements for other bytes, another recipe, another source, or another release do not count.
func TestRebuilt(t *testing.T) {
	two := "2 auditors rebuilt exactly these bytes, 3 needed: Ana Sousa (Uni Porto, PT), Bram de Vries (Bits of Freedom, NL)"
	differs := two + "; got other bytes: Chioma Okafor (Lagos Labs, NG)"
	for name, c := range map[string]struct {
		change func(*statement.Rebuild)
		text   string
	}{
		"other bytes":        {func(r *statement.Rebuild) { r.Artifacts[1].SHA256[0] ^= 1 }, differs},
		"other length":       {func(r *statement.Rebuild) { r.Artifacts[1].Length++ }, differs},
		"fewer artifacts":    {func(r *statement.Rebuild) { r.Artifacts = r.Artifacts[:1] }, differs},
		"other recipe":       {func(r *statement.Rebuild) { r.Recipe = strings.Repeat("1", 64) }, differs},
		"other commit":       {func(r *statement.Rebuild) { r.SourceCommit = strings.Repeat("1", 40) }, differs},
		"other tree":         {func(r *statement.Rebuild) { r.SourceTree = strings.Repeat("1", 40) }, differs},
		"other files":        {func(r *statement.Rebuild) { r.SourceH1 = "h1:" + strings.Repeat("B", 42) + "A=" }, differs},
		"other modules":      {func(r *statement.Rebuild) { r.ModulesSum = strings.Repeat("1", 64) }, differs},
		"other compiler":     {func(r *statement.Rebuild) { r.Go = "go1.26.7" }, differs},
		"of another release": {func(r *statement.Rebuild) { r.Release[0] ^= 1 }, two},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.rebuilt[2] = c.change
			want(t, w.judge(), genuine.Refused, genuine.ReasonRebuilt, genuine.Failed, c.text)
		})
	}
}

func TestOnePersonsStatementsCountOnce(t *testing.T) {
	w := newWorld(t)
	delete(w.rebuilt, 2)
	a, ev := w.make()
	ev.Statements = append(ev.Statements, ev.Statements[0], w.statements(ev.Release)[0], []byte("{}"), nil)
	v := genuine.Judge(a, ev, w.subject(), genuine.Seen{}, w.now)
	want(t, v, genuine.Refused, genuine.ReasonRebuilt, genuine.Failed,
		"2 auditors rebuilt exactly these bytes, 3 needed: Ana Sousa (Uni Porto, PT), Bram de Vries (Bits of Freedom, NL)")
}

// Somebody who ever stated other bytes for this release does not count, whatever else they state.
func TestContradictingOneselfCountsAsDisagreeing(t *testing.T) {
	w := newWorld(t)
	a, ev := w.make()
	w.rebuilt = map[int]func(*statement.Rebuild){2: func(r *statement.Rebuild) { r.Artifacts[0].SHA256[0] ^= 1 }}
	ev.Statements = append(ev.Statements, w.statements(ev.Release)...)
	v := genuine.Judge(a, ev, w.subject(), genuine.Seen{}, w.now)
	if r := v.Reason(genuine.ReasonRebuilt); r.State != genuine.Failed || !strings.HasSuffix(r.Text, "; got other bytes: Chioma Okafor (Lagos Labs, NG)") {
		t.Errorf("%s", v.Text())
	}
}

// The same bytes and time give the same verdict, through the file form too; and mangled evidence is
// never genuine and never a panic.
func TestEvidenceFile(t *testing.T) {
	w := newWorld(t)
	a, ev := w.make()
	b, err := ev.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := genuine.ParseEvidence(b)
	if err != nil {
		t.Fatal(err)
	}
	if v, x := genuine.Judge(a, ev, w.subject(), genuine.Seen{}, w.now), genuine.Judge(a, again, w.subject(), genuine.Seen{}, w.now); v.Text() != x.Text() || v.Outcome != genuine.Genuine {
		t.Errorf("%s\nand read back\n%s", v.Text(), x.Text())
	}
	if _, err := genuine.ParseEvidence(append(b, ' ')); err == nil {
		t.Error("a trailing byte was taken")
	}
}

func TestMangledEvidenceIsNeverGenuine(t *testing.T) {
	w := newWorld(t)
	a, ev := w.make()
	parts := map[string]*[]byte{"timestamp": &ev.Metadata.Timestamp, "snapshot": &ev.Metadata.Snapshot, "targets": &ev.Metadata.Targets, "policy": &ev.Policy, "release": &ev.Release}
	stable := ev.Metadata.Delegated["stable"]
	for name, part := range parts {
		good := *part
		for i := 0; i < len(good); i += 7 {
			*part = bytes.Clone(good)
			(*part)[i] ^= 1
			if v := genuine.Judge(a, ev, w.subject(), genuine.Seen{}, w.now); v.Outcome != genuine.Refused {
				t.Fatalf("%s with byte %d flipped: %v", name, i, v.Outcome)
			}
			*part = good[:i]
			if v := genuine.Judge(a, ev, w.subject(), genuine.Seen{}, w.now); v.Outcome != genuine.Refused {
				t.Fatalf("%s cut at %d: %v", name, i, v.Outcome)
			}
		}
		*part = good
	}
	for i := 0; i < len(stable); i += 7 {
		bad := bytes.Clone(stable)
		bad[i] ^= 1
		ev.Metadata.Delegated = map[string][]byte{"stable": bad}
		if v := genuine.Judge(a, ev, w.subject(), genuine.Seen{}, w.now); v.Outcome != genuine.Refused {
			t.Fatalf("stable with byte %d flipped: %v", i, v.Outcome)
		}
	}
}

func BenchmarkJudge(b *testing.B) {
	w := newWorld(&testing.T{})
	a, ev := w.make()
	file, _ := ev.Encode()
	b.ReportMetric(float64(len(file)), "evidence-bytes")
	for b.Loop() {
		if v := genuine.Judge(a, ev, w.subject(), genuine.Seen{}, w.now); v.Outcome != genuine.Genuine {
			b.Fatal(v.Text())
		}
	}
}
