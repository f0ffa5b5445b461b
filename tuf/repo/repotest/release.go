package repotest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/countersign-project/countersign/tuf/repo"
)

// Release is what to publish. Only Version and Artifacts are needed.
type Release struct {
	Channel   string                       // default "stable"
	Version   string                       // "1.4.0"
	Previous  string                       // default: the last one published on the channel
	Minimum   string                       // version floor, or ""
	Notes     string                       // default "Release " + Version
	Artifacts map[string][]byte            // by path: "linux-amd64/messenger", "linux-amd64/messenger.debug", "countersign-1.4.0-linux-amd64.tar"
	Signers   []int                        // members who sign the channel; default the first quorum; empty and not nil: nobody
	Rebuilt   []int                        // members who state that they rebuilt exactly this; default Signers
	Otherwise []int                        // members who state that they got other bytes
	Edit      func(manifest []byte) []byte // changes release.json before it is signed
}

// Made is a published release.
type Made struct {
	Release
	Event      string
	Manifest   []byte   // release.json
	Statements [][]byte // sigstore bundles, in the order of Rebuilt, then Otherwise
}

// Release publishes a version on stable, signed and rebuilt by these members; without any, by the first
// quorum of them. It refreshes snapshot and timestamp.
func (w *World) Release(version string, artifacts map[string][]byte, signers ...int) Made {
	w.T.Helper()
	return w.Publish(Release{Version: version, Artifacts: artifacts, Signers: signers})
}

// Publish signs and publishes a release with its evidence, then refreshes snapshot and timestamp.
func (w *World) Publish(r Release) Made {
	w.T.Helper()
	r = w.fill(r)
	m := Made{Release: r, Event: EventID(r.Channel + " " + r.Version), Manifest: w.manifest(r)}
	if r.Edit != nil {
		m.Manifest = r.Edit(m.Manifest)
	}
	dir := r.Channel + "/" + r.Version + "/"
	add := []repo.File{w.AddTarget(dir+"release.json", m.Manifest)}
	for name, content := range r.Artifacts {
		add = append(add, w.AddTarget(dir+name, content))
	}
	b, err := repo.ChannelRole(w.readable[r.Channel], add, w.stamp("channel", w.next(r.Channel), r.Channel+" "+r.Version))
	w.check(err)
	w.put(r.Channel, w.Sign(b, w.auditors(r.Signers...)...))
	for _, i := range r.Rebuilt {
		m.Statements = append(m.Statements, w.Statement(i, m, r.Artifacts))
	}
	for _, i := range r.Otherwise {
		m.Statements = append(m.Statements, w.Statement(i, m, tampered(r.Artifacts)))
	}
	w.SetEvidence(m.Manifest, m.Statements)
	w.made[r.Channel+"/"+r.Version] = m
	w.Refresh()
	return m
}

// Made returns a published release.
func (w *World) Made(channel, version string) Made { return w.made[channel+"/"+version] }

func (w *World) fill(r Release) Release {
	if r.Channel == "" {
		r.Channel = "stable"
	}
	if r.Notes == "" {
		r.Notes = "Release " + r.Version
	}
	if r.Previous == "" {
		var last time.Time
		for _, m := range w.made {
			made := madeTime(m.Manifest)
			later := made.After(last) || made.Equal(last) && m.Version > r.Previous // of one second: not by the order of a map
			if m.Channel == r.Channel && later && m.Version != r.Version {
				r.Previous, last = m.Version, made
			}
		}
	}
	if r.Signers == nil {
		for i := range w.Quorum {
			r.Signers = append(r.Signers, i)
		}
	}
	if r.Rebuilt == nil {
		r.Rebuilt = r.Signers
	}
	return r
}

func madeTime(manifest []byte) time.Time {
	var m struct{ Made time.Time }
	_ = json.Unmarshal(manifest, &m)
	return m.Made
}

// tampered changes one byte of each artifact.
func tampered(artifacts map[string][]byte) map[string][]byte {
	out := map[string][]byte{}
	for name, content := range artifacts {
		out[name] = append(slices.Clone(content), '!')
	}
	return out
}

type artifact struct {
	Path    string `json:"path"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
	Program string `json:"program"`
	Kind    string `json:"kind"`
	Length  int    `json:"length"`
	SHA256  string `json:"sha256"`
}

// What every release of every world is made from.
const (
	Commit  = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00"
	Tree    = "7ee0007ee0007ee0007ee0007ee0007ee0007ee0"
	H1      = "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	Recipe  = "4ec1be004ec1be004ec1be004ec1be004ec1be004ec1be004ec1be004ec1be00"
	GoSum   = "905090509050905090509050905090509050905090509050905090509050aaaa"
	Go      = "go1.26.8"
	Builder = "repotest"
)

// manifest prints release.json as release/genuine reads it.
func (w *World) manifest(r Release) []byte {
	var list []artifact
	for name, content := range r.Artifacts {
		list = append(list, describe(name, content))
	}
	slices.SortFunc(list, func(a, b artifact) int { return strings.Compare(a.Path, b.Path) })
	type source struct {
		Commit string `json:"commit"`
		Tree   string `json:"tree"`
		H1     string `json:"h1"`
	}
	type toolchain struct {
		Go string `json:"go"`
	}
	return indented(struct {
		Format    string     `json:"format"`
		Version   string     `json:"version"`
		Channel   string     `json:"channel"`
		Previous  string     `json:"previous"`
		Minimum   string     `json:"minimum"`
		Notes     string     `json:"notes"`
		Made      time.Time  `json:"made"`
		Source    source     `json:"source"`
		Recipe    string     `json:"recipe"`
		Toolchain toolchain  `json:"toolchain"`
		Modules   string     `json:"modules"`
		Artifacts []artifact `json:"artifacts"`
	}{"countersign-release-1", r.Version, r.Channel, r.Previous, r.Minimum, r.Notes, w.Now.UTC().Truncate(time.Second),
		source{Commit, Tree, H1}, Recipe, toolchain{Go}, GoSum, list})
}

// describe reads os, arch, program and kind from a path.
func describe(name string, content []byte) artifact {
	sum := sha256.Sum256(content)
	a := artifact{Path: name, Kind: "program", Length: len(content), SHA256: hex.EncodeToString(sum[:])}
	platform, base := path.Dir(name), strings.TrimSuffix(path.Base(name), ".exe")
	switch path.Ext(base) {
	case ".debug":
		a.Kind, base = "debug", strings.TrimSuffix(strings.TrimSuffix(base, ".debug"), ".exe")
	case ".tar":
		a.Kind = "archive" // countersign-1.4.0-linux-amd64.tar
		part := strings.Split(strings.TrimSuffix(base, ".tar"), "-")
		platform, base = strings.Join(part[max(0, len(part)-2):], "-"), part[0]
	}
	a.Program = base
	a.OS, a.Arch, _ = strings.Cut(platform, "-")
	return a
}

// policy prints policy.json as release/genuine reads it.
func policy(w *World, rules []Rule) []byte {
	type person struct {
		Name         string   `json:"name"`
		Organisation string   `json:"organisation"`
		Jurisdiction string   `json:"jurisdiction"`
		Auditor      []byte   `json:"auditor"`
		Statement    []byte   `json:"statement"`
		Witness      []string `json:"witness"`
	}
	var people []person
	for _, m := range w.People {
		people = append(people, person{m.Name, m.Organisation, m.Jurisdiction, pkix(m.Auditor), pkix(m.Statement), append([]string{}, m.Witness...)})
	}
	rules = slices.Clone(rules)
	for i := range rules {
		rules[i].Criteria = append([]string{}, rules[i].Criteria...)
	}
	return indented(struct {
		Format   string   `json:"format"`
		Channels []Rule   `json:"channels"`
		People   []person `json:"people"`
	}{"countersign-policy-2", rules, people})
}

func mirrors(list []string) []byte {
	return indented(struct {
		Format  string   `json:"format"`
		Name    string   `json:"name"`
		Mirrors []string `json:"mirrors"`
	}{"countersign-mirrors-1", "Example", list})
}

func indented(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		panic("internal error: " + err.Error())
	}
	return buf.Bytes()
}
