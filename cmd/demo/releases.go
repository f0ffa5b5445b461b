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

// propose builds a version and opens its signing event.
func (t *teller) propose(ctx context.Context, s *step, version, notes string) error {
	if err := t.build(ctx, s, version, notes); err != nil {
		return err
	}
	return t.stage(ctx, s, version, t.path("out", version))
}

// build makes a version a real commit with a tag, and builds it.
func (t *teller) build(ctx context.Context, s *step, version, notes string) error {
	if err := os.WriteFile(t.path("source", "release", "anchor", "VERSION"), []byte(version+"\n"), 0o644); err != nil {
		return err
	}
	if err := t.commit(ctx, "release: "+version); err != nil {
		return err
	}
	if _, err := t.git(ctx, t.path("source"), "tag", "v"+version); err != nil {
		return err
	}
	t.tagged[version] = time.Now()
	if err := os.WriteFile(t.notes(version), []byte(notes+"\n"), 0o644); err != nil {
		return err
	}
	out := t.path("out", version)
	if err := t.must(ctx, publisher.short(), nil, t.withToolchain("build", "--source", t.path("source"), "--rev", "v"+version, "--out", out, "--cache", t.cacheOf(publisher))...); err != nil {
		return err
	}
	total, err := t.sizes(s, out)
	if err != nil {
		return err
	}
	s.say("%d bytes built", total)
	return nil
}

func (t *teller) notes(version string) string { return t.path("notes-" + version + ".txt") }

// stage opens the event of what was built.
func (t *teller) stage(ctx context.Context, s *step, version, build string, more ...string) error {
	var staged struct{ Event string }
	args := t.withToolchain("stage", "--build", build, "--channel", "stable", "--notes", t.notes(version), "--source", t.path("source"), "--room", t.path("room"), "--quiet")
	if err := t.must(ctx, publisher.short(), &staged, append(args, more...)...); err != nil {
		return err
	}
	t.events[version] = staged.Event
	s.say("%s is proposed in event %s", version, staged.Event)
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
func (t *teller) openRoom(ctx context.Context) (err error) {
	t.serving, err = t.start(ctx, publisher.short(), "serve", t.tool, "serve", "--room", t.path("room"), "--keys", t.keyFile(publisher),
		"--listen", strings.TrimPrefix(t.room, "http://"), "--every", "1s")
	if err != nil {
		return err
	}
	return until(ctx, "the signing room answers", func() (bool, error) { return t.answers(ctx, t.room+"/repository/metadata/timestamp.json"), nil })
}

// published waits until a repository serves a version.
func (t *teller) published(ctx context.Context, repository, version string) error {
	return until(ctx, version+" is published", func() (bool, error) {
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
	for _, file := range []string{"/metadata/timestamp.json", "/log/checkpoint", "/site/index.html"} {
		if err := until(ctx, "the mirror answers for "+file, func() (bool, error) { return t.answers(ctx, t.mirror+file), nil }); err != nil {
			return err
		}
	}
	if err := t.pageSays(ctx, s, "stable/1.0.0.html", ana.name, bram.name, chioma.name, daichi.name, eva.name); err != nil {
		return err
	}
	if err := t.monitored(ctx, s, "witnesses"); err != nil {
		return err
	}
	if err := t.wake(ctx, chioma); err != nil {
		return err
	}
	if err := t.refresh(ctx); err != nil { // which makes a new head
		return err
	}
	return t.monitored(ctx, s)
}

// refresh has the publisher sign snapshot and timestamp again. The log is the running room's, which enters them
// at its next step; so the command may say that they are not in the log yet, because the room writes into it.
func (t *teller) refresh(ctx context.Context) error {
	r, err := t.quiet(ctx, publisher.short(), t.tool, "publish", "--refresh", "--room", t.path("room"), "--keys", t.keyFile(publisher), "--quiet")
	if err != nil {
		return err
	}
	left := strings.Contains(r.err, "countersign serve does so by itself") || strings.Contains(r.err, "such as countersign serve, is writing into this room's log")
	if r.code != 0 && (r.code != 3 || !left) {
		return fmt.Errorf("countersign publish --refresh: exit code %d\n%s", r.code, r.err)
	}
	return nil
}

// sync brings the mirror up to date. What a dishonest publisher has shown was in order as such, so the
// honest snapshot and timestamp must be newer before anybody believes them again.
func (t *teller) sync(ctx context.Context) error {
	honest := dishonest{root: t.path("room", "repository")}
	for {
		stamp, snapshot, err := honest.current("timestamp.json", "snapshot")
		if err != nil {
			return err
		}
		if stamp.Version > t.lied.timestamp && snapshot.Version > t.lied.snapshot || t.lied == (shown{}) {
			break
		}
		if err := t.refresh(ctx); err != nil {
			return err
		}
	}
	return t.must(ctx, "mirror", nil, append([]string{"mirror", "sync", "--quiet", "--from", t.room + "/repository", "--to", t.path("mirror")}, t.trusting()...)...)
}

// pageSays checks that one of the public pages on the mirror has all these words.
func (t *teller) pageSays(ctx context.Context, s *step, page string, words ...string) error {
	to := t.path("page.html")
	if err := t.fetch(ctx, t.mirror+"/site/"+page, to); err != nil {
		return err
	}
	b, err := os.ReadFile(to)
	if err != nil {
		return err
	}
	for _, w := range words {
		if !strings.Contains(string(b), w) {
			return fmt.Errorf("%s/site/%s does not say %q", t.mirror, page, w)
		}
	}
	s.say("%s/site/%s, %d bytes, names %s", t.mirror, page, len(b), strings.Join(words, ", "))
	return nil
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
