package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// propose makes a version a real commit, builds it and opens its signing event.
func (t *teller) propose(ctx context.Context, s *step, version, notes string) error {
	if err := os.WriteFile(t.path("source", "release", "anchor", "VERSION"), []byte(version+"\n"), 0o644); err != nil {
		return err
	}
	if err := t.commit(ctx, "release: "+version); err != nil {
		return err
	}
	if _, err := t.git(ctx, t.path("source"), "tag", "v"+version); err != nil {
		return err
	}
	if err := os.WriteFile(t.path("notes-"+version+".txt"), []byte(notes+"\n"), 0o644); err != nil {
		return err
	}
	out := t.path("out", version)
	if err := t.must(ctx, publisher.short(), nil, t.withToolchain("build", "--source", t.path("source"), "--rev", "v"+version, "--out", out, "--cache", t.path("homes", publisher.short(), "cache"))...); err != nil {
		return err
	}
	total, err := t.sizes(s, out)
	if err != nil {
		return err
	}
	s.say("%d bytes built", total)
	if t.room == "" {
		if err := t.openRoom(ctx); err != nil {
			return err
		}
	}
	var staged struct{ Event string }
	if err := t.must(ctx, publisher.short(), &staged, t.withToolchain("stage", "--build", out, "--channel", "stable", "--notes", t.path("notes-"+version+".txt"), "--source", t.path("source"), "--room", t.path("room"))...); err != nil {
		return err
	}
	t.events[version] = staged.Event
	s.say("event %s", staged.Event)
	return nil
}

// sizes reports what was built for this platform.
func (t *teller) sizes(s *step, out string) (int64, error) {
	var total int64
	return total, filepath.WalkDir(out, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		total += info.Size()
		rel, err := filepath.Rel(out, path)
		if err != nil {
			return err
		}
		s.size(filepath.ToSlash(rel), info.Size())
		return nil
	})
}

// openRoom starts the signing room, which stays open for the rest of the story.
func (t *teller) openRoom(ctx context.Context) error {
	address, err := freePort()
	if err != nil {
		return err
	}
	t.room = "http://" + address
	if _, err := t.start(ctx, publisher.short(), "serve", t.tool, "serve", "--room", t.path("room"), "--keys", t.keyFile(publisher), "--listen", address, "--every", "1s"); err != nil {
		return err
	}
	return until(ctx, 30*time.Second, "the signing room answers", func() (bool, error) { return t.answers(ctx, t.room+"/repository/metadata/timestamp.json"), nil })
}

// rebuildAndSign is what one auditor does with an event.
func (t *teller) rebuildAndSign(ctx context.Context, s *step, p person, version string) error {
	began := time.Now()
	var rebuilt struct{ Result string }
	rebuild := t.withToolchain("audit", "rebuild", t.events[version], "--room", t.room, "--keys", t.keyFile(p), "--cache", t.path("homes", p.short(), "cache"))
	if err := t.must(ctx, p.short(), &rebuilt, rebuild...); err != nil {
		return err
	}
	if err := t.sign(ctx, p, t.events[version], t.room); err != nil {
		return err
	}
	s.say("%s (%s) rebuilt %s: %s; signed; %.0f s", p.name, p.jurisdiction, version, rebuilt.Result, time.Since(began).Seconds())
	return nil
}

// firstRelease has three auditors countersign 1.0.0 and waits until the room has published it. Before
// that, one of them tries to sign unseen, which the tool refuses.
func (t *teller) firstRelease(ctx context.Context, s *step) error {
	r, err := t.as(ctx, ana.short(), t.tool, "audit", "sign", t.events["1.0.0"], "--room", t.room, "--keys", t.keyFile(ana), "--yes", "--quiet")
	if err != nil {
		return err
	}
	if r.code != 1 {
		return fmt.Errorf("signing without a rebuild: exit code %d, want 1\n%s", r.code, r.err)
	}
	s.say("signing without having rebuilt: %s", refusal(r.err))
	for _, p := range []person{ana, bram, chioma} {
		if err := t.rebuildAndSign(ctx, s, p, "1.0.0"); err != nil {
			return err
		}
	}
	if err := t.published(ctx, t.path("room", "repository"), "1.0.0"); err != nil {
		return err
	}
	t.old, err = newest(t.path("room", "repository", "metadata"), "stable")
	s.say("the room published 1.0.0 by itself")
	return err
}

// published waits until a repository serves a version.
func (t *teller) published(ctx context.Context, repository, version string) error {
	return until(ctx, 60*time.Second, version+" is published", func() (bool, error) {
		list, err := filepath.Glob(filepath.Join(repository, "targets", "stable", version, "*.release.json"))
		if err != nil || len(list) == 0 {
			return false, err
		}
		// The last file that is written is the timestamp; ask what it leads to.
		stamp, snapshot, err := dishonest{root: repository}.current("timestamp.json", "snapshot")
		if err != nil || len(stamp.Meta) == 0 {
			return false, err
		}
		for _, m := range snapshot.Meta {
			if m.Name == "stable.json" {
				b, err := os.ReadFile(filepath.Join(repository, "metadata", fmt.Sprintf("%d.stable.json", m.Version)))
				return err == nil && strings.Contains(string(b), "stable/"+version+"/release.json"), nil
			}
		}
		return false, nil
	})
}

// mirrorIt syncs a mirror from the room and serves it at the address in the trust anchor.
func (t *teller) mirrorIt(ctx context.Context, s *step) error {
	if err := t.sync(ctx); err != nil {
		return err
	}
	if _, err := t.start(ctx, "mirror", "mirror", t.tool, "mirror", "serve", t.path("mirror"), "--listen", strings.TrimPrefix(t.mirror, "http://")); err != nil {
		return err
	}
	s.say("serving %s", t.mirror)
	return until(ctx, 30*time.Second, "the mirror answers", func() (bool, error) { return t.answers(ctx, t.mirror+"/metadata/timestamp.json"), nil })
}

func (t *teller) sync(ctx context.Context) error {
	anchor := t.path("source", "release", "anchor", "distribution")
	return t.must(ctx, "mirror", nil, "mirror", "sync", "--from", t.room+"/repository", "--to", t.path("mirror"),
		"--root", filepath.Join(anchor, "root.json"), "--policy", filepath.Join(anchor, "policy.json"))
}

func (t *teller) answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// manifest reads the newest release.json of a version in a repository.
func manifest(repository, version string) (artifacts map[string]string, err error) {
	list, err := filepath.Glob(filepath.Join(repository, "targets", "stable", version, "*.release.json"))
	if err != nil || len(list) != 1 {
		return nil, fmt.Errorf("%d release.json of %s in %s", len(list), version, repository)
	}
	b, err := os.ReadFile(list[0])
	if err != nil {
		return nil, err
	}
	var m struct {
		Artifacts []struct{ Path, SHA256 string }
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, err
	}
	artifacts = map[string]string{}
	for _, a := range m.Artifacts {
		artifacts[a.Path] = a.SHA256
	}
	return artifacts, nil
}

// artifactFile is where a repository keeps a program of this platform.
func artifactFile(repository, version, program string) (string, error) {
	list, err := manifest(repository, version)
	if err != nil {
		return "", err
	}
	dir := runtime.GOOS + "-" + runtime.GOARCH
	sum, ok := list[dir+"/"+exe(program)]
	if !ok {
		return "", fmt.Errorf("%s has no %s for %s", version, program, dir)
	}
	return filepath.Join(repository, "targets", "stable", version, dir, sum+"."+exe(program)), nil
}

// refusal finds the line of a command's output that says why it refused.
func refusal(text string) string {
	for line := range strings.Lines(text) {
		if _, why, ok := strings.Cut(line, ": refused: "); ok {
			return strings.TrimSpace(why)
		}
	}
	return strings.TrimSpace(text)
}
