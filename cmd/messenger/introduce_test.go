//go:build linux

package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// Alice introduces two people who know her, by the commands alone.
func TestIntroducingTwoPeople(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	w := newTown(t)
	alice, bob, carol := w.register("alice"), w.register("bob"), w.register("carol")
	people := map[string]string{"bob": bob, "carol": carol}
	for who, number := range people {
		w.says("alice", "sent to", "send", number, "hello")
		w.says(who, "hello", "receive")
	}
	_, errs := w.run("alice", 1, "introduce", bob, carol)
	if !strings.Contains(errs, bob+" is not verified: compare your safety numbers first") || !strings.Contains(errs, "messenger verify NAME") {
		t.Error(errs)
	}
	digits := regexp.MustCompile(`(?m)^  ([0-9 ]+)$`)
	for who, number := range people {
		out, _ := w.run(who, 0, "verify", alice)
		shown := fmt.Sprint(digits.FindAllString(out, -1))
		w.says(who, "Done.", "verify", alice, "--digits", shown)
		w.says("alice", "Done.", "verify", number, "--digits", shown)
	}
	if _, errs = w.run("alice", 2, "introduce", bob, bob); !strings.Contains(errs, "want two different contacts") {
		t.Error(errs)
	}
	w.says("alice", bob+" and "+carol+" are told each other's keys, with your signature.", "introduce", bob, carol)
	w.run("bob", 0, "receive")
	w.says("bob", alice+" has introduced "+carol+" to you. No key", "messages", alice)
	if out, _ := w.run("bob", 0, "contacts", "list"); strings.Contains(out, carol) {
		t.Error(out)
	}
	w.says("bob", "sent to", "send", carol, "Alice says hello")
	out, _ := w.run("bob", 0, "contacts", "list")
	if !regexp.MustCompile(regexp.QuoteMeta(carol) + ` .* introduced by ` + regexp.QuoteMeta(alice) + ` on \d{4}-\d\d-\d\d\n`).MatchString(out) {
		t.Error(out)
	}
	w.says("bob", "Not verified by you; introduced by "+alice+" on ", "verify", carol)
	w.says("bob", `"name": "`+alice+`",`, "verify", carol, "--json")
}
