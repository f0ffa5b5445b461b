package hermetic

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/mod/sumdb/dirhash"

	"github.com/countersign-project/countersign/builds/recipe"
)

// The toolchain on this machine is the one of the Go checksum database.
func TestInstalledToolchain(t *testing.T) {
	b, err := os.ReadFile("../recipe.toml")
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipe.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	host := runtime.GOOS + "/" + runtime.GOARCH
	if version(t) != r.Go || r.ToolchainH1[host] == "" {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI needs %s on a host that the recipe knows; this is %s on %s", r.Go, version(t), host)
		}
		t.Skipf("the recipe has no hash of %s on %s", version(t), host)
	}
	if err := VerifyToolchain(goroot(t), r.Go, host, r.ToolchainH1[host]); err != nil {
		t.Error(err)
	}
}

// fakeRoot is a tiny GOROOT as installed.
func fakeRoot(t *testing.T, change map[string]string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"VERSION": "go1.26.8\ntime x\n", "go.env": "# text\nGOPROXY=x\nGOTOOLCHAIN=local\n", "bin/go": "go", "src/go.mod": "module std\n",
		"src/a.go": "package a\n", "src/cmd/go.mod": "module cmd\n", "pkg/tool/compile": "compile", "api/go1.txt": "api", "doc/x": "doc", "misc/x": "misc", "test/x": "test",
	}
	for name, text := range change {
		files[name] = text
	}
	for name, text := range files {
		if text == "-" {
			continue
		}
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The installed form and the module form of one toolchain have one hash, which is that of x/mod.
func TestToolchainForms(t *testing.T) {
	module := fakeRoot(t, map[string]string{
		"go.env": "# text\nGOPROXY=x\nGOTOOLCHAIN=auto\n", "src/go.mod": "-", "src/_go.mod": "module std\n", "src/cmd/go.mod": "-", "src/cmd/_go.mod": "module cmd\n",
		"api/go1.txt": "-", "doc/x": "-", "misc/x": "-", "test/x": "-",
	})
	want, err := dirhash.HashDir(module, "golang.org/toolchain@v0.0.1-go1.26.8.linux-amd64", dirhash.Hash1)
	if err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"module": module, "installed": fakeRoot(t, nil), "api edited": fakeRoot(t, map[string]string{"api/new.txt": "x"})} {
		if err := VerifyToolchain(dir, "go1.26.8", "linux/amd64", want); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	link := filepath.Join(t.TempDir(), "go")
	if err := os.Symlink(module, link); err == nil {
		if err := VerifyToolchain(link, "go1.26.8", "linux/amd64", want); err != nil {
			t.Errorf("through a link: %v", err)
		}
	}
}

// Any file added, changed or missing is refused, with what was got and wanted.
func TestToolchainMutations(t *testing.T) {
	good := fakeRoot(t, nil)
	want, err := ToolchainHash(good, "go1.26.8", "linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]map[string]string{
		"added":           {"src/evil.go": "package a\n"},
		"added package":   {"pkg/linux_amd64/fmt.a": "x"},
		"changed":         {"pkg/tool/compile": "evil"},
		"missing":         {"src/a.go": "-"},
		"go.env edited":   {"go.env": "# text\nGOPROXY=x\nGOTOOLCHAIN=local\nGOFLAGS=-tags=evil\n"},
		"go.env elswhere": {"src/go.env": "GOTOOLCHAIN=local\n"},
		"both go.mod":     {"src/_go.mod": "module std\n"},
		"nested test":     {"src/test/x": "x"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := fakeRoot(t, change)
			got, err := ToolchainHash(dir, "go1.26.8", "linux/amd64")
			if err != nil || got == want {
				t.Fatalf("hash %s, %v; want another one", got, err)
			}
			refused(t, VerifyToolchain(dir, "go1.26.8", "linux/amd64", want), "toolchain "+dir+" has hash "+got+", want "+want)
		})
	}
	refused(t, VerifyToolchain(good, "go1.26.9", "linux/amd64", want), `toolchain `+good+` is "go1.26.8", want "go1.26.9"`)
	refused(t, VerifyToolchain(good, "go1.26.8", "linux/arm64", want), "has hash")
	refused(t, VerifyToolchain(good, "go1.26.8", "plan9/386", ""), "no toolchain hash is known for building on plan9/386")
	refused(t, VerifyToolchain(t.TempDir(), "go1.26.8", "linux/amd64", want), `is "", want "go1.26.8"`)
	if err := os.Symlink("/dev/null", filepath.Join(good, "src", "l.go")); err == nil {
		refused(t, VerifyToolchain(good, "go1.26.8", "linux/amd64", want), `holds "src/l.go", which is neither a plain file nor a directory`)
	}
}
