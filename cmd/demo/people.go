package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/countersign-project/countersign/builds/hermetic"
	"github.com/countersign-project/countersign/builds/recipe"
)

// makeKeys gives every person keys of their own, encrypted by a passphrase of their own.
func (t *teller) makeKeys(ctx context.Context, s *step) error {
	for _, p := range append(auditors(), publisher) {
		passphrase := "a passphrase only " + p.name + " knows\n"
		if err := os.WriteFile(t.path("keys", p.short()+".passphrase"), []byte(passphrase), 0o600); err != nil {
			return err
		}
		args := []string{"key", "new", t.keyFile(p), "--name", p.name, "--organisation", p.organisation, "--jurisdiction", p.jurisdiction, "--quiet"}
		switch {
		case p == publisher:
			args = append(args, "--publisher")
		case !slices.Contains(witnesses(), p):
			args = append(args, "--purpose", "root", "--purpose", "auditor", "--purpose", "statement")
		}
		r, err := t.as(ctx, p.short(), t.tool, args...)
		if err != nil {
			return err
		}
		if r.code != 0 {
			return fmt.Errorf("key new: exit code %d\n%s", r.code, r.err)
		}
		t.lines[p] = string(r.out)
		s.say("%s, %s, %s", p.name, p.organisation, p.jurisdiction)
	}
	return nil
}

func (t *teller) keyFile(p person) string { return t.path("keys", p.short()+".key") }

// found writes the distribution file, has everybody sign, and commits the trust anchor.
func (t *teller) found(ctx context.Context, s *step) error {
	if err := t.reserveAddresses(); err != nil {
		return err
	}
	if err := os.WriteFile(t.path("distribution.toml"), []byte(t.distribution()), 0o644); err != nil {
		return err
	}
	initialise := []string{"init", "--distribution", t.path("distribution.toml"), "--room", t.path("room"), "--source", t.path("source")}
	var opened struct{ Event string }
	if err := t.must(ctx, publisher.short(), &opened, initialise...); err != nil {
		return err
	}
	err := together(auditors(), func(p person) error { return t.sign(ctx, p, opened.Event, t.path("room")) })
	if err != nil {
		return err
	}
	if err := t.must(ctx, publisher.short(), nil, append(initialise, "--keys", t.keyFile(publisher))...); err != nil {
		return err
	}
	r, err := t.quiet(ctx, publisher.short(), t.tool, "policy", "explain", t.anchor())
	if err != nil || r.code != 0 {
		return fmt.Errorf("countersign policy explain: exit code %d, %v\n%s", r.code, err, r.err)
	}
	_, demands, _ := strings.Cut(string(r.out), "Channel stable: ")
	demands, _, _ = strings.Cut(demands, "\n\n")
	for line := range strings.Lines(demands) {
		s.say("%s", strings.TrimRight(line, "\n"))
	}
	s.say("root, targets and both channels are signed; the trust anchor is committed in the source")
	return t.commit(ctx, "release/anchor: commit the distribution's trust anchor")
}

// reserveAddresses has the system choose where everybody will listen. The mirror's address and those of the
// witnesses are signed into the distribution.
func (t *teller) reserveAddresses() error {
	var err error
	reserve := func() string {
		address, rerr := t.reserve()
		err = errors.Join(err, rerr)
		return address
	}
	t.mirror, t.room, t.health = "http://"+reserve(), "http://"+reserve(), "http://"+reserve()+"/health"
	for _, p := range witnesses() {
		t.witness[p] = reserve()
	}
	return err
}

// sign has one person sign an event.
func (t *teller) sign(ctx context.Context, p person, event, room string) error {
	return t.must(ctx, p.short(), nil, "audit", "sign", event, "--room", room, "--keys", t.keyFile(p), "--yes", "--quiet")
}

// distribution is the file that says who the people are. Each line with a key is as "key new" printed it;
// what it printed for the publisher ends with the table of the log.
func (t *teller) distribution() string {
	var b strings.Builder
	fmt.Fprintf(&b, "name = \"Demo Messenger\"\nmirrors = [%q]\n\n[quorum]\nroot = 3\ntargets = 3\n", t.mirror)
	b.WriteString("\n[[channel]]\nname = \"stable\"\nquorum = 3\njurisdictions = 3\norganisations = 3\nrebuilds = 3\n")
	fmt.Fprintf(&b, "reviews = 2\ncriteria = [%q]\nlogged = true\nwithdrawals = 2\n", criterion)
	b.WriteString("\n[[channel]]\nname = \"beta\"\nquorum = 2\njurisdictions = 2\norganisations = 2\nrebuilds = 2\nlogged = true\nwithdrawals = 2\n")
	fmt.Fprintf(&b, "\n%s\nquorum = 2\n", strings.TrimSpace(t.lines[publisher]))
	for _, p := range auditors() {
		fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(t.lines[p]))
		if address, ok := t.witness[p]; ok {
			fmt.Fprintf(&b, "witness_url = %q\n", "http://"+address)
		}
	}
	return b.String()
}

// together has several people do something at the same time, each for themselves.
func together(people []person, do func(person) error) error {
	return someAtOnce(len(people), people, do)
}

// someAtOnce is together for what needs much memory: no more than a few at the same time.
func someAtOnce(few int, people []person, do func(person) error) error {
	errs := make([]error, len(people))
	places := make(chan struct{}, few)
	var all sync.WaitGroup
	for i, p := range people {
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			if errs[i] = do(p); errs[i] != nil {
				errs[i] = fmt.Errorf("%s: %w", p.name, errs[i])
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// findToolchain makes sure of a Go distribution that the recipe's hash accepts: the one in use, or else
// the one the Go project publishes as a module, which the go command checks against its checksum database.
func (t *teller) findToolchain(ctx context.Context, s *step) error {
	b, err := os.ReadFile(t.path("source", "builds", "recipe.toml"))
	if err != nil {
		return err
	}
	r, err := recipe.Parse(b)
	if err != nil {
		return err
	}
	host := runtime.GOOS + "/" + runtime.GOARCH
	goroot, err := hermetic.FindToolchain(os.Environ())
	if err == nil {
		err = hermetic.VerifyToolchain(goroot, r.Go, host, r.ToolchainH1[host])
	}
	if err == nil {
		s.say("%s in use has the checksum database's hash %s", r.Go, r.ToolchainH1[host])
		return nil
	}
	s.say("the Go in use is not what the recipe asks for (%v); fetching %s", err, r.Go)
	name := fmt.Sprintf("golang.org/toolchain@v0.0.1-%s.%s-%s", r.Go, runtime.GOOS, runtime.GOARCH)
	cmd := exec.CommandContext(ctx, "go", "mod", "download", name)
	cmd.Dir = t.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go mod download %s: %v\n%s", name, err, out)
	}
	t.toolchain = t.goenv("GOMODCACHE") + string(os.PathSeparator) + name
	return hermetic.VerifyToolchain(t.toolchain, r.Go, host, r.ToolchainH1[host])
}

// withToolchain adds the toolchain that findToolchain found, where one had to be fetched.
func (t *teller) withToolchain(args ...string) []string {
	if t.toolchain != "" {
		args = append(args, "--toolchain", t.toolchain)
	}
	return args
}
