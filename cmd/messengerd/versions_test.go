//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// build makes a program that is newer by some migrations of the database: number to text.
func (o *operator) build(migrations map[string]string) (program string) {
	o.Helper()
	dir := o.TempDir()
	where, err := filepath.Abs("../../messenger/server/store/relational/migrations/sqlite")
	must(o.T, err)
	replace := map[string]string{}
	for name, text := range migrations {
		file := filepath.Join(dir, name)
		must(o.T, os.WriteFile(file, []byte(text), 0o600))
		replace[filepath.Join(where, name)] = file
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	must(o.T, err)
	file := filepath.Join(dir, "overlay.json")
	must(o.T, os.WriteFile(file, overlay, 0o600))
	program = filepath.Join(dir, "messengerd")
	build := exec.Command("go", "build", "-overlay", file, "-o", program, ".")
	build.Env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		o.Fatalf("%v\n%s", err, out)
	}
	return program
}

// with is the same operator with another program.
func (o *operator) with(program string) *operator {
	return &operator{T: o.T, program: program, home: o.home, dir: o.dir}
}

// A new version moves the database on, is no good, and the old one is put back. If what is new only adds something the old one works, as before and on what
// was written meanwhile; otherwise it refuses, with a word that says what to do, and touches nothing.
func TestOldVersionComesBack(t *testing.T) {
	long(t)
	old := newOperator(t)
	next, after := nextMigrations(t)
	adds := map[string]string{next: "-- oldest: 1\nCREATE TABLE what_is_new (one INTEGER PRIMARY KEY);\nALTER TABLE account ADD COLUMN what_is_new TEXT;\n"}
	newer := old.with(old.build(adds))
	adds[after] = "-- Nobody else understands this.\nDROP TABLE what_is_new;\n"
	newest := old.with(old.build(adds))

	l := newLedger()
	var address atomicText
	r := old.serve("--development", "--limit-factor", "0")
	phones := r.phones(4, l, func(*phone, int) string { return address.get() })
	for i, p := range phones {
		p.coy = i == 0
	}
	away := key{phones[0].number, l.timestamp()}
	absent := "+14155559999"
	r.register(absent)
	if code, body := r.post(away.source, absent, away.timestamp); code != 200 {
		t.Fatalf("%d %s", code, body)
	}
	l.promise(away, absent)
	address.set(r.address)
	start(t, phones)
	for _, o := range []*operator{newer, old, newer, newest} {
		l.each(t, "a version works", phones, 30, 30)
		r.kill()
		r = o.serve("--development", "--limit-factor", "0")
		address.set(r.address)
	}
	l.each(t, "the newest version works", phones, 30, 30)
	r.kill()
	for _, o := range []*operator{newer, old} {
		if _, stderr := o.run(3, "serve", "--listen", "127.0.0.1:0"); !strings.Contains(stderr, "needs a program that knows at least") || !strings.Contains(stderr, "start the newer program") {
			t.Errorf("%s", stderr)
		}
	}
	r = newest.serve("--development", "--limit-factor", "0")
	address.set(r.address)
	back := &phone{number: absent, ledger: l, giveUp: patience, where: func(int) string { return address.get() }}
	back.quiet.Store(true)
	start(t, []*phone{back})
	hush(phones)
	l.settle(t)
	r.stop()
}

// nextMigrations are names for the two migrations that come after those there are.
func nextMigrations(t *testing.T) (first, second string) {
	t.Helper()
	have, err := filepath.Glob("../../messenger/server/store/relational/migrations/sqlite/*.sql")
	if err != nil || len(have) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	name := func(n int) string { return fmt.Sprintf("%04d_new.sql", n) }
	return name(len(have) + 1), name(len(have) + 2)
}

// Asked to stop under load, the server finishes what is in hand and tells every client to come again; nothing is lost, and nobody is cut off.
//
// MESSENGERD_DRILL_ROUNDS repeats it.
func TestDrainUnderLoad(t *testing.T) {
	rounds := size(t, "MESSENGERD_DRILL_ROUNDS", 3)
	o := newOperator(t)
	serve := func() *running { return o.serve("--development", "--limit-factor", "0") }
	r := serve()
	var address atomicText
	address.set(r.address)
	l := newLedger()
	phones := r.phones(8, l, func(*phone, int) string { return address.get() })
	start(t, phones)
	for range rounds {
		l.each(t, "it works", phones, 50, 50)
		r.stop()
		r = serve()
		address.set(r.address)
	}
	l.each(t, "it works", phones, 50, 50)
	for _, p := range phones {
		if told, moves := p.restarts.Load(), p.moves.Load(); told != int64(rounds) || moves != int64(rounds)+1 {
			t.Errorf("%s was told %d times to come again, and connected %d times; want %d and %d", p.number, told, moves, rounds, rounds+1)
		}
	}
	hush(phones)
	l.settle(t)
	r.stop()
}
