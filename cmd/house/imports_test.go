package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/countersign-project/countersign"

// pkg is what `go list -json` tells of a package.
type pkg struct {
	ImportPath, Dir, Doc, Name string
	GoFiles, IgnoredGoFiles    []string
	Imports                    []string
	Standard                   bool
}

// list runs go list for one operating system, away from the user's go env file.
func list(t *testing.T, goos string, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,Doc,Name,GoFiles,IgnoredGoFiles,Imports,Standard"}, args...)...)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %v: %v\n%s", args, err, stderr.String())
	}
	var pkgs []pkg
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return pkgs
		}
		if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// local returns a package's path below the module, and whether it is one of ours.
func local(path string) (string, bool) { return strings.CutPrefix(path, module+"/") }

// mayImport says which top-level folders each one may import. Imports point down.
var mayImport = map[string][]string{
	"cmd":       {"cmd", "release", "attest", "tuf", "builds", "messenger"},
	"release":   {"release", "attest", "tuf", "builds"},
	"attest":    {"attest", "tuf"},
	"tuf":       {"tuf"},
	"builds":    {"builds"},
	"messenger": {"messenger"},
}

func TestImportsPointDown(t *testing.T) {
	for _, goos := range []string{"linux", "windows", "darwin"} {
		for _, p := range list(t, goos, "./...") {
			from, ok := local(p.ImportPath)
			if !ok {
				continue
			}
			top, _, _ := strings.Cut(from, "/")
			allowed, known := mayImport[top]
			if !known {
				t.Errorf("%s is in a top-level folder the design does not have", from)
			}
			if strings.Count(from, "/") > 3 {
				t.Errorf("%s is more than three levels below its folder", from)
			}
			for _, imp := range p.Imports {
				to, ok := local(imp)
				if !ok {
					continue
				}
				if toTop, _, _ := strings.Cut(to, "/"); !slices.Contains(allowed, toTop) {
					t.Errorf("%s imports %s: %s may import only %v", from, to, top, allowed)
				}
			}
		}
	}
}

// doors says which of our packages may import which dependency. A trailing slash covers all below.
var doors = map[string][]string{
	"github.com/theupdateframework/go-tuf":              {"tuf/trust", "tuf/repo"},
	"github.com/secure-systems-lab/go-securesystemslib": {"tuf/trust", "tuf/repo"},
	"github.com/sigstore/sigstore":                      {"attest/signer"},
	"filippo.io/edwards25519":                           {"messenger/xeddsa"},
	"google.golang.org/protobuf":                        {"messenger/wire", "messenger/wire/pb"},
	"filippo.io/age":                                    {"attest/signer"},
	"golang.org/x/crypto":                               {"attest/signer", "cmd/messengerd", "messenger/store"},
	"github.com/prometheus/client_golang":               {"messenger/server/metric"},
	"github.com/spf13/cobra":                            {"cmd/"},
	"github.com/spf13/pflag":                            {"cmd/"},
	"github.com/schollz/progressbar/v3":                 {"cmd/cli"},
	"github.com/BurntSushi/toml":                        {"cmd/cli", "builds/recipe", "release/event"},
	"github.com/gorilla/websocket":                      {"messenger/server/socket", "messenger/client/remote", "messenger/web", "cmd/loadtest"},
	"golang.org/x/term":                                 {"cmd/cli"},
	"rsc.io/qr":                                         {"cmd/messenger"},
	"github.com/alecthomas/chroma/v2":                   {"release/review/colour"},
	"golang.org/x/text":                                 {"release/event", "messenger/client/history"},
	"github.com/gofrs/flock":                            {"tuf/durable", "messenger/server/store/sqlite", "messenger/store"},
	"modernc.org/sqlite":                                {"messenger/server/store/sqlite", "messenger/store"},
	"github.com/jackc/pgx":                              {"messenger/server/store/postgres"},
	"github.com/transparency-dev/formats":               {"attest/proof"},
	"github.com/transparency-dev/tessera":               {"attest/log"},
	"k8s.io/klog":                                       {"attest/log"}, // which silences it
	"github.com/nats-io/nats.go":                        {"messenger/server/route"},
	"github.com/zalando/go-keyring":                     {"messenger/keyring"},
	"charm.land":                                        {"messenger/tui"},
	"github.com/charmbracelet/x":                        {"messenger/tui"},
}

func TestOneDoorPerDependency(t *testing.T) {
	used := map[string]bool{}
	for _, goos := range []string{"linux", "windows", "darwin"} {
		for _, p := range list(t, goos, "./...") {
			from, ok := local(p.ImportPath)
			if !ok {
				continue
			}
			for _, imp := range p.Imports {
				for dep, allowed := range doors {
					if imp != dep && !strings.HasPrefix(imp, dep+"/") {
						continue
					}
					used[dep] = true
					if !slices.ContainsFunc(allowed, func(a string) bool { return a == from || strings.HasSuffix(a, "/") && strings.HasPrefix(from, a) }) {
						t.Errorf("%s imports %s, whose door is %v", from, imp, allowed)
					}
				}
			}
		}
	}
	for dep := range doors {
		if !used[dep] {
			t.Errorf("the rule for %s names a dependency nobody imports any more: remove the rule", dep)
		}
	}
}

// What draws in the terminal holds no key and no account: it asks over JSON-RPC, and knows the names of what it is told.
func TestTheTerminalOnlyAsks(t *testing.T) {
	for _, p := range list(t, "linux", "./messenger/tui") {
		for _, imp := range p.Imports {
			if to, ours := local(imp); ours && !slices.Contains([]string{"messenger/rpc", "messenger/client", "messenger/client/history"}, to) {
				t.Errorf("messenger/tui imports %s", to)
			}
		}
	}
}

// The judge and all of ours that it stands on: pure, so that the same bytes and time give the same
// verdict for ever. The list is the import closure of release/genuine; a package that joins it must
// be added here, which is what makes the auditors' reading list grow visibly.
var judging = []string{"attest/bundle", "attest/proof", "attest/statement", "release/anchor", "release/genuine", "tuf/trust"}

// What a judging package must not import. (release/anchor may open the files compiled into it.)
var impure = []string{"net", "net/http", "os", "os/exec", "math/rand", "math/rand/v2", "crypto/rand", "log", "log/slog", "unsafe", "syscall"}

func TestTheJudgeIsPure(t *testing.T) {
	var closure []string
	for _, p := range list(t, "linux", "-deps", "./release/genuine") {
		if name, ok := local(p.ImportPath); ok {
			closure = append(closure, name)
			for _, imp := range p.Imports {
				if slices.Contains(impure, imp) {
					t.Errorf("%s judges and imports %s", name, imp)
				}
			}
			for _, f := range p.GoFiles {
				src, err := os.ReadFile(filepath.Join(p.Dir, f))
				if err != nil {
					t.Fatal(err)
				}
				if bytes.Contains(src, []byte("time.Now(")) {
					t.Errorf("%s/%s judges and reads the clock", name, f)
				}
			}
		}
	}
	slices.Sort(closure)
	if !slices.Equal(closure, judging) {
		t.Errorf("the judge stands on %v; the written list is %v", closure, judging)
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range list(t, "linux", "./...") {
		if p.Doc == "" && len(p.GoFiles) > 0 {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

// Wiring is done in main, where one can see it: no init functions anywhere.
func TestNoInitFunctions(t *testing.T) {
	for _, p := range list(t, "linux", "./...") {
		for _, name := range append(p.GoFiles, p.IgnoredGoFiles...) {
			if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".pb.go") {
				continue // what protoc-gen-go writes registers itself; nobody edits it
			}
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
					t.Errorf("%s/%s has an init function", p.ImportPath, name)
				}
			}
		}
	}
}
