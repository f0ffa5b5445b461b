package recipe

import (
	"errors"
	"os"
	"strings"
	"testing"
)

const good = `version_file = "VERSION"
[toolchain]
go = "go1.26.8"
[toolchain.h1]
"linux/amd64" = "h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM="
[[program]]
name = "messenger"
package = "./cmd/messenger"
[build]
platforms = ["linux/amd64", "windows/amd64"]
tags = ["nope"]
ldflags = ["-s", "-w"]
debug_ldflags = []
[archive]
name = "countersign"
files = ["LICENSE", "docs/README.md"]
`

func TestParse(t *testing.T) {
	r, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if r.Go != "go1.26.8" || len(r.Platforms) != 2 || r.Platforms[1].File("messenger") != "messenger.exe" ||
		r.Platforms[0].Dir() != "linux-amd64" || r.Programs[0] != (Program{"messenger", "./cmd/messenger"}) || r.Files[1] != "docs/README.md" {
		t.Errorf("recipe = %+v", r)
	}
}

// Every bad value is refused by name.
func TestRefusals(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{`"VERSION"`, `"../VERSION"`, `version_file: want a path inside the tree: malformed file path "../VERSION": invalid path element ".."`},
		{`"VERSION"`, `"/etc/VERSION"`, `version_file: want a path inside the tree: malformed file path "/etc/VERSION": empty path element`},
		{`version_file = "VERSION"`, ``, `version_file: missing`},
		{`"go1.26.8"`, `"go1.26"`, `toolchain.go: "go1.26", want an exact release such as "go1.26.8"`},
		{`"go1.26.8"`, `"local"`, `toolchain.go: "local", want an exact release such as "go1.26.8"`},
		{`"h1:ZOm`, `"h2:ZOm`, `toolchain.h1.linux/amd64: "h2:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=", want "h1:" and a sha256 in base64`},
		{`RXM="`, `RXN="`, `toolchain.h1.linux/amd64: "h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXN=", want "h1:" and a sha256 in base64`},
		{`"linux/amd64" =`, `"beos/amd64" =`, `toolchain.h1: platform "beos/amd64": unknown system "beos", want one of darwin, freebsd, linux, windows`},
		{`"messenger"`, `"../messenger"`, `program[0].name: "../messenger", want lower-case letters, digits and hyphens, starting with a letter`},
		{`"messenger"`, `"other"`, `program[0].package: "./cmd/messenger", want its last part to be the name "other"`},
		{`"./cmd/messenger"`, `"cmd/messenger"`, `program[0].package: "cmd/messenger", want a directory of the tree that starts with "./"`},
		{`"./cmd/messenger"`, `"./../cmd/messenger"`, `program[0].package: want a path inside the tree: malformed file path "../cmd/messenger": invalid path element ".."`},
		{"[build]", "[[program]]\nname = \"messenger\"\npackage = \"./x/messenger\"\n[build]", `program[1].name: "messenger" is named twice`},
		{`"windows/amd64"`, `"linux/amd64"`, `build.platforms: "linux/amd64" is named twice`},
		{`"windows/amd64"`, `"linux/vax"`, `build.platforms: platform "linux/vax": unknown processor "vax", want one of amd64, arm64`},
		{`"windows/amd64"`, `"windows"`, `build.platforms: platform "windows", want os/arch such as "linux/amd64"`},
		{`"nope"`, `"a b"`, `build.tags: "a b", want letters, digits, dots and underscores`},
		{`"-w"`, `"-X main.x=1"`, `build.ldflags: "-X main.x=1", want "-s" or "-w"`},
		{`"-w"`, `"-extld=/tmp/ld"`, `build.ldflags: "-extld=/tmp/ld", want "-s" or "-w"`},
		{`"-w"`, `"-s"`, `build.ldflags: "-s" is named twice`},
		{`name = "countersign"`, `name = "Counter Sign"`, `archive.name: "Counter Sign", want lower-case letters, digits and hyphens, starting with a letter`},
		{`"docs/README.md"`, `"docs/LICENSE"`, `archive.files: "docs/LICENSE": an archive already holds a "LICENSE"`},
		{`"docs/README.md"`, `"messenger.exe"`, `archive.files: "messenger.exe": an archive already holds a "messenger.exe"`},
		{`tags = `, `tagz = `, `build.tagz: unknown key`},
		{`tags = ["nope"]`, `Tags = ["nope"]`, `build.Tags: unknown key`},
		{`[toolchain.h1]`, `toolchain.H1`, `file: toml: line 4 (last key "toolchain"): expected '.' or '=', but got '\n' instead`},
		{`[toolchain.h1]`, `[toolchain.H1]`, `toolchain.H1: unknown key`},
		{`[archive]`, `[toolchain.h2]`, `toolchain.h2: unknown key`},
	} {
		t.Run(c.new, func(t *testing.T) {
			text := strings.Replace(good, c.old, c.new, 1)
			if text == good {
				t.Fatalf("the mutation %q does not apply", c.old)
			}
			_, err := Parse([]byte(text))
			var e *Error
			if !errors.As(err, &e) || !e.Refused() {
				t.Fatalf("err = %v, want a refusal", err)
			}
			if got := err.Error(); got != Path+": "+c.want {
				t.Errorf("got  %s\nwant %s", got, Path+": "+c.want)
			}
		})
	}
	if _, err := Parse(make([]byte, MaxFile+1)); err == nil || !strings.Contains(err.Error(), "at most 65536 allowed") {
		t.Errorf("a huge recipe: %v", err)
	}
	if _, err := Parse([]byte(good + "[build]\n")); err == nil {
		t.Error("a table named twice was accepted")
	}
}

func TestVersion(t *testing.T) {
	r := Recipe{VersionFile: "VERSION"}
	for _, ok := range []string{"0.1.0", "1.4.0-rc.1", "10.20.30"} {
		if v, err := r.Version([]byte(ok + "\n")); err != nil || v != ok {
			t.Errorf("%q: %q, %v", ok, v, err)
		}
	}
	for _, bad := range []string{"", "\n", "1.4.0", "v1.4.0\n", "1.4\n", "1.4.0+dirty\n", "1.4.0\r\n", " 1.4.0\n", "1.4.0\n\n", "01.4.0\n", strings.Repeat("1", 70) + ".0.0\n"} {
		if v, err := r.Version([]byte(bad)); err == nil {
			t.Errorf("%q was accepted as %q", bad, v)
		}
	}
	_, err := r.Version([]byte("1.4\n"))
	if want := `builds/recipe.toml: version_file: VERSION holds "1.4\n", want a version such as "1.4.0" and a newline`; err.Error() != want {
		t.Errorf("got %s", err)
	}
}

func TestSelect(t *testing.T) {
	r, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Select(nil); err != nil || len(got) != 2 {
		t.Errorf("all: %v, %v", got, err)
	}
	if got, err := r.Select([]string{"windows/amd64"}); err != nil || len(got) != 1 || got[0].OS != "windows" {
		t.Errorf("one: %v, %v", got, err)
	}
	_, err = r.Select([]string{"linux/arm64"})
	if want := `platform "linux/arm64" is not in builds/recipe.toml, which has linux/amd64, windows/amd64`; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// The repository's own recipe is good and builds what the project promises.
func TestOwnRecipe(t *testing.T) {
	b, err := os.ReadFile("../recipe.toml")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64"} {
		if _, err := r.Select([]string{p}); err != nil {
			t.Error(err)
		}
	}
	if len(r.Programs) != 3 {
		t.Errorf("programs = %v", r.Programs)
	}
	version, err := os.ReadFile("../../" + r.VersionFile)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Version(version); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	own, err := os.ReadFile("../recipe.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(own)
	f.Add([]byte(good))
	f.Add([]byte("[toolchain.h1]\n\"\" = 1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(b)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%v is no *Error", err)
			}
			return
		}
		for _, flag := range append(r.Ldflags, r.DebugLdflags...) {
			if flag != "-s" && flag != "-w" {
				t.Fatalf("flag %q came through", flag)
			}
		}
		if len(r.Programs) == 0 || len(r.Platforms) == 0 || len(r.ToolchainH1) == 0 {
			t.Fatalf("an empty recipe came through: %+v", r)
		}
	})
}
