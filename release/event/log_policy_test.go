package event

import (
	"slices"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/proof/prooftest"
	"github.com/countersign-project/countersign/tuf/repo"
)

func witnessOf(name string, a proof.Algorithm) string {
	return prooftest.NewSigner(name, a).Key.String()
}

// Four people in three countries, one with two keys, two of one name; heads need two countries.
func logged() Distribution {
	person := func(name, country string, keys ...string) Person {
		return Person{Person: repo.Person{Name: name, Organisation: "Org", Jurisdiction: country}, Witness: keys, WitnessURL: "https://" + strings.ToLower(country) + ".example/"}
	}
	return Distribution{
		Log: &Log{Key: prooftest.NewLog("log.example").Key.String(), URL: "https://log.example/log", Quorum: 2},
		People: []Person{
			person("Ana Sousa", "PT", witnessOf("ana/w", proof.Ed25519Cosi), witnessOf("ana/w", proof.MLDSA44)),
			person("Åse", "SE", witnessOf("ase/w", proof.Ed25519Cosi)),
			person("Ana Sousa", "PT", witnessOf("ana2/w", proof.Ed25519Cosi)),
			person("Nobody", "DE"),
			person("王", "JP", witnessOf("wang/w", proof.Ed25519Cosi)),
		},
	}
}

func TestALogPolicyFollowsFromTheFile(t *testing.T) {
	text, err := logged().LogPolicy()
	if err != nil {
		t.Fatal(err)
	}
	p, err := proof.ParsePolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, w := range p.Witnesses() {
		names = append(names, w.Name+" "+w.URL)
	}
	if got, want := strings.Join(names, ", "), "ana-sousa-1 https://pt.example/, ana-sousa-2 https://pt.example/, se https://se.example/, ana-sousa-b0 https://pt.example/, person https://jp.example/"; got != want {
		t.Errorf("witnesses %s, want %s", got, want)
	}
	by := func(who ...string) bool {
		return p.Quorum().Satisfied(func(w proof.Witness) bool {
			for _, name := range who {
				if w.Name == name {
					return true
				}
			}
			return false
		})
	}
	if by("ana-sousa-1", "ana-sousa-2", "ana-sousa-b0") {
		t.Error("three keys of one country are a quorum of two")
	}
	if !by("ana-sousa-2", "ana-sousa-b0", "se") || !by("person", "se") || by("se") {
		t.Error("two countries are a quorum")
	}
	if by("ana-sousa-2", "se") {
		t.Error("one of a country's two witnesses is not the country: the other could be shown another log")
	}
	if p.Log().URL != "https://log.example/log" {
		t.Error(p.Log())
	}
}

func TestALogPolicyThatCannotBe(t *testing.T) {
	for want, change := range map[string]func(*Distribution){
		"log.policy is of the log ": func(d *Distribution) {
			d.Log.Policy = "log " + prooftest.NewLog("other").Key.String() + "\nwitness a " + d.People[1].Witness[0] + "\nquorum a\n"
		},
		"line ": func(d *Distribution) { d.Log.Quorum = 4 },
		"quorum = 1 of 3 countries with witnesses, want more than half: at least 2": func(d *Distribution) { d.Log.Quorum = 1 },
		"line 3": func(d *Distribution) {
			d.Log.Policy = "log " + d.Log.Key + "\nwitness a " + d.People[1].Witness[0] + "\nquorum none\n"
		},
	} {
		d := logged()
		change(&d)
		if _, err := d.LogPolicy(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	d := logged()
	d.People[4].Witness[0] = d.People[1].Witness[0]
	if _, err := d.LogPolicy(); err == nil {
		t.Error("two people with one key")
	}
	d.Log = nil
	if text, err := d.LogPolicy(); text != nil || err != nil {
		t.Errorf("without a log: %q, %v", text, err)
	}
}

// Whatever the countries and the quorum: no way to part the witnesses makes two quorums that share nobody.
func TestTwoQuorumsShareSomebody(t *testing.T) {
	for _, countries := range [][]int{{1}, {2}, {1, 1}, {1, 1, 1}, {2, 2}, {3, 1, 1}, {2, 2, 2}, {4, 1, 2}, {1, 1, 1, 1, 1}} {
		for quorum := 1; quorum <= len(countries); quorum++ {
			d := Distribution{Log: &Log{Key: prooftest.NewLog("log.example").Key.String(), Quorum: quorum}}
			for c, people := range countries {
				for i := range people {
					name := string(rune('a'+c)) + string(rune('a'+i))
					d.People = append(d.People, Person{Person: repo.Person{Name: name, Organisation: "Org", Jurisdiction: "C" + string(rune('A'+c))}, Witness: []string{witnessOf(name+"/w", proof.Ed25519Cosi)}})
				}
			}
			text, err := d.LogPolicy()
			if small := 2*quorum <= len(countries); small != (err != nil) {
				t.Errorf("quorum %d of %v: %v", quorum, countries, err)
			}
			if err != nil {
				continue
			}
			p, err := proof.ParsePolicy(text)
			if err != nil {
				t.Fatal(err)
			}
			all := p.Witnesses()
			in := func(set int) bool {
				return p.Quorum().Satisfied(func(w proof.Witness) bool {
					return set&(1<<slices.IndexFunc(all, func(x proof.Witness) bool { return x.Name == w.Name })) != 0
				})
			}
			for set := range 1 << len(all) {
				if in(set) && in((1<<len(all)-1)&^set) {
					t.Fatalf("quorum %d of %v: two quorums share nobody:\n%s", quorum, countries, text)
				}
			}
		}
	}
}
