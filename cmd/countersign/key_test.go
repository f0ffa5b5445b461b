package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/cmd/cli"
)

// keyCommand runs countersign in a small world: an environment, no terminal, no settings file.
func keyCommand(t *testing.T, env map[string]string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	settings := filepath.Join(t.TempDir(), "settings.toml")
	if err := os.WriteFile(settings, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	app := &cli.App{Name: "countersign", In: strings.NewReader(""), Out: &o, Err: &e, Now: time.Now, Getenv: func(k string) string {
		if k == "COUNTERSIGN_CONFIG" {
			return settings
		}
		return env[k]
	}}
	code = app.Run(newRoot(app), args)
	return code, o.String(), e.String()
}

func TestKeyNewAndShow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ana.key")
	env := map[string]string{"COUNTERSIGN_PASSPHRASE": "correct horse"}
	code, out, errs := keyCommand(t, env, "key", "new", "--work-factor", "4", "--name", `Ana "A" Sousa`, "--organisation", "Tejo Labs", "--jurisdiction", "PT", path)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	var file struct {
		Person []map[string]any `toml:"person"`
	}
	if _, err := toml.Decode(out, &file); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	p := map[string]string{}
	for k, v := range file.Person[0] {
		p[k], _ = v.(string)
	}
	witness, _ := file.Person[0]["witness"].([]any)
	if len(witness) != 1 {
		t.Fatalf("printed %v", file.Person[0])
	}
	p["witness"] = fmt.Sprint(witness[0])
	if key, err := proof.ParseKey(p["witness"]); err != nil || key.Name != "tejo-labs/ana-a-sousa" || key.Algorithm != proof.Ed25519Cosi {
		t.Fatalf("%v, %v", key, err)
	}
	if p["name"] != `Ana "A" Sousa` || p["organisation"] != "Tejo Labs" || p["jurisdiction"] != "PT" || len(p) != 7 {
		t.Fatalf("printed %v", p)
	}
	for _, purpose := range []string{"root", "auditor", "statement"} {
		if _, err := signer.ParsePublic(p[purpose]); err != nil {
			t.Errorf("%s: %v", purpose, err)
		}
	}

	code, out, errs = keyCommand(t, env, "key", "show", "--json", "--key-name", "tejo-labs/ana-a-sousa", path)
	var shown []publicKey
	if err := json.Unmarshal([]byte(out), &shown); code != 0 || err != nil {
		t.Fatalf("exit %d, %v: %s", code, err, errs)
	}
	if len(shown) != 4 {
		t.Fatalf("shown %v", shown)
	}
	for _, k := range shown {
		if k.Public != p[k.Purpose] || k.Where != k.Purpose+" key "+k.Fingerprint+" in ana.key" {
			t.Errorf("shown %+v, printed %s", k, p[k.Purpose])
		}
	}
}

func TestKeyForThePublisher(t *testing.T) {
	dir := t.TempDir()
	pass := filepath.Join(dir, "pass")
	if err := os.WriteFile(pass, []byte("p\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := keyCommand(t, nil, "key", "new", "--publisher", "--work-factor=4", "--passphrase-file", pass, filepath.Join(dir, "online.key"))
	if code != 0 || !strings.HasPrefix(out, "[publisher]\n") || !strings.Contains(out, "\nsnapshot     = \"ssh-ed25519 ") || !strings.Contains(out, "\ntimestamp    = \"ssh-ed25519 ") || !strings.Contains(out, "\n[log]\nkey          = \"countersign+") {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
}

func TestKeyErrors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ana.key")
	env := map[string]string{"COUNTERSIGN_PASSPHRASE": "p"}
	if code, _, errs := keyCommand(t, env, "key", "new", "--work-factor=4", path); code != 0 {
		t.Fatal(errs)
	}
	before, _ := os.ReadFile(path)
	wrong := map[string]string{"COUNTERSIGN_PASSPHRASE": "q"}
	for _, test := range []struct {
		name string
		env  map[string]string
		args []string
		code int
		want string
	}{
		{"already there", env, []string{"new", "--work-factor=4", path}, 2, "a file is already there, and key files are never overwritten"},
		{"no directory", env, []string{"new", "--work-factor=4", filepath.Join(dir, "x", "y")}, 3, "no such file"},
		{"no passphrase", nil, []string{"new", filepath.Join(dir, "b.key")}, 2, "no passphrase: give --passphrase-file, set COUNTERSIGN_PASSPHRASE, or run at a terminal"},
		{"unknown purpose", env, []string{"new", "--purpose=login", filepath.Join(dir, "b.key")}, 2, `purpose "login", want one of root, auditor, statement, snapshot, timestamp, log, witness, witness-mldsa`},
		{"online with auditor", env, []string{"new", "--purpose=auditor", "--purpose=timestamp", filepath.Join(dir, "b.key")}, 2, "in a file of their own"},
		{"a name with a space", env, []string{"new", "--key-name=Ana Sousa", filepath.Join(dir, "b.key")}, 2, "--key-name: "},
		{"both kinds of flags", env, []string{"new", "--purpose=root", "--publisher", filepath.Join(dir, "b.key")}, 2, "none of the others can be"},
		{"work factor", env, []string{"new", "--work-factor=30", filepath.Join(dir, "b.key")}, 2, "--work-factor 30, want 1 to 20"},
		{"no file", env, []string{"new"}, 2, "accepts 1 arg"},
		{"wrong passphrase", wrong, []string{"show", path}, 2, "wrong passphrase for ana.key"},
		{"missing", env, []string{"show", path + "x"}, 3, "no such file"},
		{"no agent", env, []string{"show", "ssh-agent:"}, 3, "no ssh-agent is running"},
		{"passphrase file missing", nil, []string{"show", "--passphrase-file", path + "x", path}, 2, "passphrase file: "},
		{"passphrase file of many lines", nil, []string{"show", "--passphrase-file", path, path}, 2, "want one line of 1 to 4096 bytes"},
	} {
		code, out, errs := keyCommand(t, test.env, append([]string{"key"}, test.args...)...)
		if code != test.code || !strings.Contains(errs, test.want) || out != "" {
			t.Errorf("%s: exit %d, want %d; %q, want %q; printed %q", test.name, code, test.code, errs, test.want, out)
		}
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the key file changed")
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("files left behind: %v", left)
	}
}
