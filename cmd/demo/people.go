package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

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
		if p == publisher {
			args = append(args, "--publisher")
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
	address, err := freePort()
	if err != nil {
		return err
	}
	t.mirror = "http://" + address
	if err := os.WriteFile(t.path("distribution.toml"), []byte(t.distribution()), 0o644); err != nil {
		return err
	}
	initialise := []string{"init", "--distribution", t.path("distribution.toml"), "--room", t.path("room"), "--source", t.path("source")}
	var opened struct{ Event string }
	if err := t.must(ctx, publisher.short(), &opened, initialise...); err != nil {
		return err
	}
	for _, p := range auditors() {
		if err := t.sign(ctx, p, opened.Event, t.path("room")); err != nil {
			return err
		}
	}
	if err := t.must(ctx, publisher.short(), nil, append(initialise, "--keys", t.keyFile(publisher))...); err != nil {
		return err
	}
	s.say("root, targets and both channels are signed; the trust anchor is committed in the source")
	return t.commit(ctx, "release/anchor: commit the distribution's trust anchor")
}

// sign has one person sign an event.
func (t *teller) sign(ctx context.Context, p person, event, room string) error {
	return t.must(ctx, p.short(), nil, "audit", "sign", event, "--room", room, "--keys", t.keyFile(p), "--yes", "--quiet")
}

// distribution is the file that says who the people are. Each line with a key is as "key new" printed it.
func (t *teller) distribution() string {
	var b strings.Builder
	fmt.Fprintf(&b, "name = \"Demo Messenger\"\nmirrors = [%q]\n\n[quorum]\nroot = 3\ntargets = 3\n", t.mirror)
	b.WriteString("\n[[channel]]\nname = \"stable\"\nquorum = 3\njurisdictions = 3\norganisations = 3\nrebuilds = 3\n")
	b.WriteString("\n[[channel]]\nname = \"beta\"\nquorum = 2\njurisdictions = 2\norganisations = 2\nrebuilds = 2\n")
	for _, p := range append([]person{publisher}, auditors()...) {
		fmt.Fprintf(&b, "\n%s", strings.TrimSpace(t.lines[p]))
		b.WriteString("\n")
	}
	return b.String()
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
