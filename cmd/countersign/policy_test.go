package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
	"github.com/countersign-project/countersign/release/genuine"
)

// council is a distribution of five people in three countries, one of whom has two witness keys, and of a
// witness whom policy.json does not know.
type council struct {
	rules genuine.Policy
	log   string // log.policy
}

func newCouncil() council {
	var c council
	log := prooftest.NewLog("log.example/countersign")
	top, members := fmt.Sprintf("log %v https://log.example/\n", log.Key), map[string]string{}
	for i, who := range []genuine.Person{
		{Name: "Ana Sousa", Organisation: "Tejo Labs", Jurisdiction: "PT"},
		{Name: "Rui Melo", Organisation: "Tejo Labs", Jurisdiction: "PT"},
		{Name: "Bo Lindqvist", Organisation: "Fjäll Security", Jurisdiction: "SE"},
		{Name: "Chen Wei", Organisation: "Harbour Audit", Jurisdiction: "SG"},
		{Name: "Dora Weiß", Organisation: "Harbour Audit", Jurisdiction: "SG"},
	} {
		key := prooftest.NewSigner(fmt.Sprintf("w%d.example", i), proof.Ed25519Cosi).Key
		m := genuine.Member{Person: who, Auditor: pkix(2*i + 1), Statement: pkix(2*i + 2), Witness: []string{key.String()}}
		name := strings.ToLower(strings.Fields(who.Name)[0])
		top += fmt.Sprintf("witness %s %v\n", name, key)
		if i == 0 {
			second := prooftest.NewSigner("w0.example", proof.MLDSA44).Key
			m.Witness = append(m.Witness, second.String())
			top += fmt.Sprintf("witness ana-pq %v\ngroup ana-any any ana ana-pq\n", second)
			name = "ana-any"
		}
		members[who.Jurisdiction] += " " + name
		c.rules.People = append(c.rules.People, m)
	}
	top += fmt.Sprintf("witness mirror %v\n", prooftest.NewSigner("mirror.example", proof.Ed25519Cosi).Key)
	c.log = top + "group portugal any" + members["PT"] + "\ngroup singapore any" + members["SG"] + "\ngroup world 3 portugal singapore" + members["SE"] + " mirror\nquorum world\n"
	c.rules.Channels = []genuine.Rule{{Channel: "stable", Quorum: 3, Jurisdictions: 3, Organisations: 2, Rebuilds: 3, Reviews: 2, Criteria: []string{"does-what-it-says"}, Logged: true, Withdrawals: 2}}
	return c
}

// pkix returns a P-256 public key that follows from a number.
func pkix(n int) []byte {
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), append(make([]byte, 31), byte(n)))
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		panic(err)
	}
	return der
}

// write puts the council's policies into a directory.
func (c council) write(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	b, err := c.rules.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{rulesFile: string(b), logFile: c.log} {
		if text == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPolicyCheck(t *testing.T) {
	dir := newCouncil().write(t)
	code, out, errs := keyCommand(t, nil, "policy", "check", dir)
	if code != 0 || errs != "" {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	contains(t, out,
		"policy.json: 5 people, 1 channel (stable asks 3 to sign)",
		"log.policy: log log.example/countersign, 7 witnesses, quorum 3 of (any of (any of (ana, ana-pq), rui), any of (chen, dora), bo, mirror)",
		"stable: one person alone could stop it by silence: Bo Lindqvist",
		"witness mirror belongs to nobody in policy.json")

	code, out, _ = keyCommand(t, nil, "policy", "check", "--json", filepath.Join(dir, logFile), filepath.Join(dir, rulesFile))
	var reports []policyReport
	if err := json.Unmarshal([]byte(out), &reports); code != 0 || err != nil || len(reports) != 2 || !reports[0].Good || reports[0].Files[0].Kind != logFile || reports[1].Files[0].Kind != rulesFile {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
}

func TestPolicyCheckRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*council)
		want   string
	}{
		"a name twice":      {func(c *council) { c.log = strings.Replace(c.log, "any chen dora", "any chen chen dora", 1) }, `log.policy: log policy, line 11: group "singapore" names "chen", which group "singapore" counts already`},
		"threshold 0":       {func(c *council) { c.log = strings.Replace(c.log, "group world 3", "group world 0", 1) }, `line 12: group "world": needs 0 of 4 members`},
		"too few countries": {func(c *council) { c.rules.People[2].Jurisdiction = "PT" }, `channel "stable" can never be met, not by all together: 3 countries wanted, the auditors are in 2`},
		"too few orgs":      {func(c *council) { c.rules.Channels[0].Organisations = 3; c.rules.People[2].Organisation = "Tejo Labs" }, "3 organisations wanted, the auditors are of 2"},
		"no log policy":     {func(c *council) { c.log = "" }, `channel "stable" asks for the log, and there is no log.policy`},
		"a person twice":    {func(c *council) { c.log = strings.Replace(c.log, "group ana-any any", "group ana-any all", 1) }, "Ana Sousa would count twice: log policy: group \"ana-any\" needs 2 members"},
		"a key under another name": {func(c *council) {
			k := prooftest.NewSigner("w0.example", proof.MLDSA44).Key
			k.Name = "somebody.example"
			c.log = strings.Replace(c.log, prooftest.NewSigner("w0.example", proof.MLDSA44).Key.String(), k.String(), 1)
			c.log = strings.Replace(c.log, "group ana-any any", "group ana-any all", 1)
		}, "Ana Sousa would count twice"},
		"a person in groups": {func(c *council) {
			c.rules.People[1].Witness, c.rules.People[2].Witness = nil, append(c.rules.People[2].Witness, prooftest.NewSigner("w0.example", proof.MLDSA44).Key.String())
			c.rules.People[0].Witness = c.rules.People[0].Witness[:1]
		}, "Bo Lindqvist would count twice"},
	} {
		world := newCouncil()
		c.change(&world)
		code, out, errs := keyCommand(t, nil, "policy", "check", world.write(t))
		if code != 1 || !strings.Contains(out, c.want) || !strings.HasPrefix(errs, "countersign: refused: 1 of 1: ") {
			t.Errorf("%s: exit %d, want 1 and %q:\n%s%s", name, code, c.want, out, errs)
		}
	}
}

func TestPolicyUsage(t *testing.T) {
	empty := t.TempDir()
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{2, "no such file", []string{"policy", "check", filepath.Join(empty, "missing")}},
		{2, "holds neither a policy.json nor a log.policy", []string{"policy", "explain", empty}},
		{2, "accepts at most 1 arg", []string{"policy", "explain", empty, empty}},
		{3, "built without a distribution", []string{"policy", "explain"}},
		{3, "built without a distribution", []string{"policy", "check"}},
	} {
		if code, _, errs := keyCommand(t, nil, c.args...); code != c.code || !strings.Contains(errs, c.want) {
			t.Errorf("%v: exit %d, want %d and %q: %s", c.args, code, c.code, c.want, errs)
		}
	}
}

func TestPolicyExplain(t *testing.T) {
	world := newCouncil()
	dir := world.write(t)
	code, out, errs := keyCommand(t, nil, "policy", "explain", dir)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	contains(t, out,
		"Channel stable: a release is genuine when",
		"1 quorum         3 of 5 auditors signed exactly these bytes",
		"2 spread         they are in 3 countries and of 2 organisations at least",
		"4 rebuilt        3 of 5 people got the same bytes from the source themselves",
		"5 reviewed       every change was read by 2 of 5 people, by the criteria does-what-it-says",
		"under a head cosigned by 3 of these 4 (any one of (Ana Sousa, Rui Melo), any one of (Chen Wei, Dora Weiß), Bo Lindqvist, mirror)",
		"7 not withdrawn  fewer than 2 people took it back since",
		"people         3, in 4 ways",
		"  Ana Sousa + Bo Lindqvist + Chen Wei", "  Rui Melo + Bo Lindqvist + Dora Weiß",
		"people         1: Bo Lindqvist",
		"ana-pq (ML-DSA-44 cosignature) of Ana Sousa",
		"Bo Lindqvist (Fjäll Security, SE): signs releases; rebuilds, reviews, withdraws; cosigns the log")

	// The log's policy alone: its witnesses are whom it names.
	code, out, _ = keyCommand(t, nil, "policy", "explain", filepath.Join(dir, logFile))
	contains(t, out, "A head of the log is believed when", "witnesses      3, in 17 ways", "\n                     rui + bo + dora\n", "witnesses      2, in 1 way\n                     bo + mirror")
	if code != 0 {
		t.Errorf("exit %d", code)
	}
	// A name cannot move the cursor of whoever reads.
	world.rules.People[2].Name = "Bo\x1b[2J\u202e"
	_, out, _ = keyCommand(t, nil, "policy", "explain", world.write(t))
	contains(t, out, "Bo\uFFFD[2J\uFFFD (Fj")
	var x Explanation
	_, out, _ = keyCommand(t, nil, "policy", "explain", "--json", dir)
	if err := json.Unmarshal([]byte(out), &x); err != nil || x.Demands[0].Ship[0].Count != 4 || x.Demands[0].Block[2].First[0][0] != "PT" {
		t.Errorf("%v: %+v", err, x.Demands)
	}
}

// The picture is well-formed, has no script and nothing from outside, shows each person, and a hostile
// name cannot leave its text.
func TestPolicyPicture(t *testing.T) {
	world := newCouncil()
	world.rules.People[3].Name = `</text><script>alert("1")</script>`
	world.rules.People[4].Organisation = strings.Repeat("Very Long Organisation ", 9)
	file := filepath.Join(t.TempDir(), "policy.svg")
	if code, _, errs := keyCommand(t, nil, "policy", "explain", world.write(t), "--svg", file); code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	dec := xml.NewDecoder(strings.NewReader(string(b)))
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			switch tok.Name.Local {
			case "svg", "title", "style", "rect", "text", "circle":
			default:
				t.Errorf("element %s", tok.Name.Local)
			}
			for _, a := range tok.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Name.Local, "href") {
					t.Errorf("attribute %s", a.Name.Local)
				}
			}
		case xml.CharData:
			text.WriteString(string(tok) + "\n")
		}
	}
	contains(t, text.String(), "Ana Sousa", "Bo Lindqvist", `</text><script>alert("1")</script>`, "Tejo Labs", "SG", "3 of 4", "ML-DSA-44", "mirror")
	if strings.Contains(string(b), "url(") || strings.Contains(string(b), "@import") {
		t.Error("the picture takes something from outside")
	}
}

// The search for smallest sets is held against looking at all sets.
func TestSmallestSets(t *testing.T) {
	units := []string{"a", "b", "c", "d", "e", "f"}
	for mask := range uint32(1 << 6) {
		for k := range 8 {
			ok := func(set uint32) bool { return len(namesOf(units, set&mask)) >= k }
			least, count := -1, 0
			for set := range uint32(1 << 6) {
				n := len(namesOf(units, set))
				if n == 0 || !ok(set) {
					continue
				}
				if least < 0 || n < least {
					least, count = n, 0
				}
				if n == least {
					count++
				}
			}
			got := smallest("people", units, ok)
			if least < 0 {
				least = 0
			}
			if got.Size != least || got.Count != count || len(got.First) != min(count, firstSets) {
				t.Fatalf("%06b, %d: %+v, want size %d, count %d", mask, k, got, least, count)
			}
		}
	}
	// More people than are searched: it says so, and says what is asked all the same.
	world := newCouncil()
	for i := len(world.rules.People); i <= maxUnits; i++ {
		world.rules.People = append(world.rules.People, genuine.Member{Person: genuine.Person{Name: fmt.Sprint("Member ", i), Organisation: "Many", Jurisdiction: "XX"}, Auditor: pkix(2*i + 1), Statement: pkix(2*i + 2)})
	}
	code, out, errs := keyCommand(t, nil, "policy", "explain", world.write(t))
	contains(t, out, fmt.Sprintf("3 of %d auditors", maxUnits+1), "more than 18 of them: not searched")
	if code != 0 {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// Who could fork the log: by groups of which two need have nobody in common, nobody has to lie.
func TestWhoCouldForkTheLog(t *testing.T) {
	log := prooftest.NewLog("log.example/countersign")
	top := fmt.Sprintf("log %v\n", log.Key)
	for _, w := range []string{"a", "b", "c", "d", "e"} {
		top += fmt.Sprintf("witness %s %v\n", w, prooftest.NewSigner(w+".example", proof.Ed25519Cosi).Key)
	}
	for groups, want := range map[string]string{
		"group q 3 a b c d e\nquorum q\n":                                        "1 witness: 5 a",
		"group q 4 a b c d e\nquorum q\n":                                        "3 witnesses: 10 a b c",
		"group q all a b c d e\nquorum q\n":                                      "5 witnesses: 1 a b c d e",
		"group q 2 a b c d e\nquorum q\n":                                        "nobody",
		"group x any a b\ngroup y any c d\ngroup q all x y e\nquorum q\n":        "1 witness: 1 e",
		"group x any a b\ngroup y any c d\ngroup q 2 x y e\nquorum q\n":          "nobody",
		"group x all a b\ngroup y all c d\ngroup q 2 x y e\nquorum q\n":          "1 witness: 1 e",
		"group x 2 a b c\ngroup q 2 x d e\nquorum q\n":                           "1 witness: 5 a",
		"group x 2 a b c\ngroup q all x d e\nquorum q\n":                         "3 witnesses: 3 a d e",
		"group x all a b c\ngroup y any d e\ngroup q any x y\nquorum q\n":        "nobody",
		"group x any a b c\ngroup y all x d\ngroup q all y e\nquorum q\n":        "2 witnesses: 1 d e",
		"group x any a b c d\ngroup q all x e\nquorum q\n":                       "1 witness: 1 e",
		"group x all a b c\ngroup y 1 d\ngroup q 2 x y e\nquorum q\n":            "1 witness: 2 d",
		"group x 2 a b\ngroup y 2 c d\ngroup q all x y e\nquorum q\n":            "5 witnesses: 1 a b c d e",
		"group x 1 a\ngroup y 1 b\ngroup z 2 c d e\ngroup q 2 x y z\nquorum q\n": "1 witness: 5 a",
	} {
		log, err := proof.ParsePolicy([]byte(top + groups))
		if err != nil {
			t.Fatalf("%v in\n%s", err, groups)
		}
		f := policies{Log: &log}.fork()
		got := "nobody"
		if !f.Free {
			got = fmt.Sprintf("%s: %d %s", quantity(f.Liars.Size, "witness", "witnesses"), f.Liars.Count, strings.Join(f.Liars.First[0], " "))
		}
		if got != want {
			t.Errorf("%s: %s would have to lie, want %s", groups, got, want)
		}
	}
	// Two keys of one person lie together; and check and explain tell.
	c := newCouncil()
	dir := c.write(t)
	code, out, _ := keyCommand(t, nil, "policy", "check", dir)
	if code != 0 || !strings.Contains(out, "the log: two quorums need have nobody in common, so whoever holds the log's key could show somebody another log though no witness lies: ask for more than half") {
		t.Errorf("exit %d\n%s", code, out)
	}
	c.log = strings.NewReplacer("group portugal any", "group portugal all", "group singapore any", "group singapore all").Replace(c.log)
	code, out, _ = keyCommand(t, nil, "policy", "explain", c.write(t))
	if code != 0 || !strings.Contains(out, "To show somebody another log than all others see takes the log's key, and 2 witnesses who cosigned two logs, such as\n  Bo Lindqvist + witness mirror\n") {
		t.Errorf("exit %d\n%s", code, out)
	}
}
