package event

import (
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
	if !by("ana-sousa-2", "se") || !by("person", "ana-sousa-b0") || by("se") {
		t.Error("two countries are a quorum")
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
