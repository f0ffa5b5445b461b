package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

type options struct {
	dir, repo, report string
	keep              bool
}

// The five auditors. Two of them share a country, so that three signatures can be of two countries only.
var (
	ana    = person{"Ana Sousa", "Universidade do Porto", "PT"}
	bram   = person{"Bram de Vries", "Stichting Bits", "NL"}
	chioma = person{"Chioma Okafor", "Lagos Code Lab", "NG"}
	daichi = person{"Daichi Sato", "Kyoto Institute", "JP"}
	eva    = person{"Eva Visser", "Delft Security Group", "NL"}

	publisher = person{"Example Publishing", "Example", "PT"}
)

func auditors() []person { return []person{ana, bram, chioma, daichi, eva} }

// witnesses are the auditors who also cosign the log: two of these three have to.
func witnesses() []person { return []person{ana, bram, chioma} }

// teller holds what one step of the story leaves for the next.
type teller struct {
	*world
	report  report
	room    string               // address of the signing room
	mirror  string               // address of the mirror
	health  string               // address under which the server tells its health
	witness map[person]string    // where each witness listens
	tools   map[string]string    // path of the programs under test, by name
	events  map[string]string    // event id by version
	tagged  map[string]time.Time // when a version was tagged
	old     []byte               // the channel metadata of the first release, for serving it again
	lines   map[person]string    // what "key new" printed for the distribution file
	serving *child               // the signing room
	awake   map[person]*child    // the witnesses that run
	lied    shown                // the newest versions that a dishonest publisher has shown to anybody
}

// tell runs the whole story and returns the exit code.
func tell(ctx context.Context, o options) int {
	t := &teller{world: &world{held: map[string]net.Listener{}}, report: report{Format: "countersign-demo-2", Measured: []figure{}}, witness: map[person]string{}, tools: map[string]string{},
		events: map[string]string{}, tagged: map[string]time.Time{}, lines: map[person]string{}, awake: map[person]*child{}}
	if err := t.prepareDirectory(&o); err != nil {
		fmt.Fprintln(os.Stderr, "demo: error:", err)
		return 3
	}
	fmt.Printf("working in %s\n", t.dir)
	err := t.story(ctx, o)
	t.stop()
	if o.report == "" {
		o.report = t.path("report.json")
	}
	if werr := t.report.finish(o.report); werr != nil {
		fmt.Fprintln(os.Stderr, "demo: error:", werr)
		return 3
	}
	if o.keep || err != nil {
		fmt.Printf("kept: %s (logs of the programs in logs/)\n", t.dir)
	} else if rerr := removeAll(t.dir); rerr != nil {
		fmt.Fprintln(os.Stderr, "demo: could not remove", t.dir, rerr)
	}
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		return 3
	}
	return 1
}

// removeAll removes a tree that may hold read-only directories, as Go's module cache does.
func removeAll(dir string) error {
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return err
	})
	return errors.Join(err, os.RemoveAll(dir))
}

func (t *teller) prepareDirectory(o *options) error {
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "countersign-demo-")
		if err != nil {
			return err
		}
		t.dir = dir
	} else {
		dir, err := filepath.Abs(o.dir)
		if err != nil {
			return err
		}
		if list, err := os.ReadDir(dir); err == nil && len(list) > 0 {
			return fmt.Errorf("%s is not empty: the demo wants a directory of its own", dir)
		}
		t.dir, o.keep = dir, true
	}
	for _, d := range []string{"homes", "keys", "logs", "tools", "out"} {
		if err := os.MkdirAll(t.path(d), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// story is the order of the steps; each stands on the ones before it.
func (t *teller) story(ctx context.Context, o options) error {
	steps := []struct {
		name string
		do   func(context.Context, *step) error
	}{
		{"build our own tools and clone this repository", func(ctx context.Context, s *step) error { return t.setUp(ctx, s, o.repo) }},
		{"five people in four jurisdictions make their keys; three of them are witnesses as well", t.makeKeys},
		{"they found a distribution: 3 of 5 of 3 jurisdictions sign and rebuild, 2 read, 2 of 3 witness the log, 2 can withdraw", t.found},
		{"the publisher builds 1.0.0 and opens a signing event", func(ctx context.Context, s *step) error {
			if err := t.propose(ctx, s, "1.0.0", "The first release."); err != nil {
				return err
			}
			return t.openRoom(ctx)
		}},
		{"five auditors rebuild 1.0.0 byte for byte and sign, two read it; without witnesses it waits", t.firstRelease},
		{"two of three witnesses begin to cosign the log, and 1.0.0 publishes itself", t.witnessesCome},
		{"a mirror copies it with its log and makes the public pages; a monitor misses a witness, then nothing", t.mirrorIt},
		{"a messenger and a server run from the mirror's copy, and say who vouched", t.install},
		{"1.1.0 comes from a publisher who changed the program after building: a rebuild shows it, nobody can sign", t.notFromTheSource},
		{"two sign the true 1.1.0; a hasty publisher ships it: refused (quorum)", t.twoAreNotEnough},
		{"three of only two jurisdictions sign; shipped: refused (spread)", t.twoJurisdictions},
		{"four sign, and only one has read it; shipped: refused (reviewed)", t.oneReader},
		{"a second one has read it, but the witnesses are away; shipped unlogged: refused (logged), and the monitor alarms", t.unlogged},
		{"the witnesses are back: 1.1.0 is published, both programs become it by themselves", t.updateThemselves},
		{"a mirror that swaps bytes is refused", t.swappedBytes},
		{"a publisher who serves 1.0.0 as the newest is refused", t.servedAgain},
		{"one auditor withdraws 1.1.0: both programs stay, and say so", t.oneWithdraws},
		{"a second one withdraws it: both programs return to 1.0.0 by themselves", t.twoWithdraw},
		{"1.2.0: five auditors at the same time, one of them gets other bytes; it stands by the others, both programs become it", t.fiveAtOnce},
		{"the log, the pages and the monitor tell all of it, and both programs still run 1.2.0", t.theRecord},
	}
	for _, s := range steps {
		if err := t.report.do(s.name, func(st *step) error { return s.do(ctx, st) }); err != nil {
			return err
		}
	}
	return nil
}

// setUp builds the countersign tool, clones the repository and limits the clone to this platform.
func (t *teller) setUp(ctx context.Context, s *step, source string) error {
	abs, err := filepath.Abs(source)
	if err != nil {
		return err
	}
	commit, err := t.git(ctx, abs, "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	t.report.Commit = commit
	t.tool = t.path("tools", exe("countersign"))
	s.say("building the countersign tool from this checkout")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", t.tool, "./cmd/countersign")
	cmd.Dir = abs
	cmd.Env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %v\n%s", err, out)
	}
	if dirty, err := t.git(ctx, abs, "status", "--porcelain"); err == nil && dirty != "" {
		s.say("note: this checkout has changes that are not committed; the releases are made from its last commit")
	}
	if _, err := t.git(ctx, t.dir, "clone", "--quiet", abs, t.path("source")); err != nil {
		return err
	}
	s.say("cloned commit %s", commit)
	return t.lessToBuild(ctx, s)
}

// lessToBuild makes the clone's recipe build the two programs that update themselves, for the machine the demo
// runs on: a real commit.
func (t *teller) lessToBuild(ctx context.Context, s *step) error {
	path := t.path("source", "builds", "recipe.toml")
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	platforms := regexp.MustCompile(`(?s)\nplatforms = \[.*?\]`)
	tool := regexp.MustCompile(`\n\[\[program\]\]\nname = "countersign"\npackage = "[^"]*"\n`)
	if len(platforms.FindAll(b, -1)) != 1 || len(tool.FindAll(b, -1)) != 1 {
		return fmt.Errorf("%s: no platforms, or no program countersign", path)
	}
	b = platforms.ReplaceAll(b, fmt.Appendf(nil, "\nplatforms = [%q]", runtime.GOOS+"/"+runtime.GOARCH))
	b = tool.ReplaceAll(b, nil)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		return err
	}
	s.say("this distribution builds messenger and messengerd for %s/%s only, to save your time", runtime.GOOS, runtime.GOARCH)
	if err := t.commit(ctx, "builds: build two programs for this machine only"); err != nil {
		return err
	}
	return t.findToolchain(ctx, s)
}

// commit records everything in the clone.
func (t *teller) commit(ctx context.Context, message string) error {
	if _, err := t.git(ctx, t.path("source"), "add", "--all"); err != nil {
		return err
	}
	_, err := t.git(ctx, t.path("source"), "-c", "user.name=Demo", "-c", "user.email=demo@example.invalid", "-c", "commit.gpgsign=false", "commit", "--quiet", "-m", message)
	return err
}

func (t *teller) git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

func exe(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}
