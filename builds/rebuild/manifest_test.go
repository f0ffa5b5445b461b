package rebuild

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/builds/compare"
	"github.com/countersign-project/countersign/builds/source"
)

func sample() Manifest {
	return Manifest{
		Version: "1.4.0", Source: source.Source{Commit: strings.Repeat("1", 40), Tree: strings.Repeat("2", 40), H1: "h1:" + strings.Repeat("A", 43) + "="},
		Recipe: strings.Repeat("a", 64), Go: "go1.26.8", Host: "linux/amd64", ToolchainH1: "h1:" + strings.Repeat("B", 43) + "=", Modules: strings.Repeat("b", 64),
		Network: "settings only", Env: []string{"A=1", "B=<2>"},
		Artifacts: []Artifact{
			{"countersign-1.4.0-linux-amd64.tar", "linux", "amd64", "countersign", KindArchive, 10, compare.Sum{1}},
			{"linux-amd64/messenger", "linux", "amd64", "messenger", KindProgram, 20, compare.Sum{2}},
			{"linux-amd64/messenger.debug", "linux", "amd64", "messenger", KindDebug, 30, compare.Sum{3}},
		},
	}
}

// The text is a format that others read; it may change only with its name.
func TestManifestText(t *testing.T) {
	got, err := sample().Encode()
	check(t, err)
	want, err := os.ReadFile("testdata/build.json")
	check(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	m, err := ParseManifest(want)
	if err != nil || sums(m) != sums(sample()) || m.Env[1] != "B=<2>" {
		t.Errorf("parsed %+v, %v", m, err)
	}
}

func TestManifestRefusals(t *testing.T) {
	good, err := sample().Encode()
	check(t, err)
	for _, c := range []struct{ old, new, want string }{
		{"countersign-build-1", "countersign-build-2", `format "countersign-build-2", want "countersign-build-1"`},
		{`"1.4.0"`, `"v1.4.0"`, `version "v1.4.0" is not of the form 1.4.0`},
		{strings.Repeat("1", 40), "HEAD", `source.commit "HEAD", want`},
		{`"linux-amd64/messenger"`, `"../messenger"`, `artifact path "../messenger" is not a plain name in at most one folder`},
		{`"linux-amd64/messenger"`, `"build.json"`, `artifact path "build.json" is not a plain name in at most one folder`},
		{`"linux-amd64/messenger.debug"`, `"linux-amd64/messenger"`, `artifact "linux-amd64/messenger" is out of order or there twice`},
		{`"kind": "debug"`, `"kind": "other"`, `artifact "linux-amd64/messenger.debug": unknown kind "other"`},
		{`"length": 20`, `"length": -1`, `artifact "linux-amd64/messenger": program "messenger", length -1`},
		{`"os": "linux"`, `"os": "beos"`, `unknown system "beos"`},
		{`"host": "linux/amd64"`, `"host": "linux"`, `host: platform "linux"`},
		{`"A=1"`, `"Z=1"`, "env is not sorted"},
		{`"network"`, `"Network"`, "not in the one form"},
		{`"host"`, `"hots"`, `unknown field "hots"`},
		{"  \"host\"", "\"host\"", "not in the one form"},
		{`"length": 20`, `"length": 20, "length": 20`, "not in the one form"},
	} {
		text := strings.Replace(string(good), c.old, c.new, 1)
		if text == string(good) {
			t.Errorf("the mutation %q does not apply", c.old)
			continue
		}
		_, err := ParseManifest([]byte(text))
		refused(t, err, "build.json: ")
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.new, err, c.want)
		}
	}
	_, err = ParseManifest(append(slices.Clone(good), '\n'))
	refused(t, err, "not in the one form")
	_, err = ParseManifest(make([]byte, MaxManifest+1))
	refused(t, err, "at most 262144 allowed")
	if _, err := (Manifest{}).Encode(); err == nil {
		t.Error("an empty manifest was written")
	}
}

// What is accepted prints back the same.
func FuzzParseManifest(f *testing.F) {
	good, err := sample().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseManifest(b)
		if err != nil {
			return
		}
		if again, err := m.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q prints back as %q, %v", b, again, err)
		}
	})
}
