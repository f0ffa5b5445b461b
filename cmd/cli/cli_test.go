package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// program is a small program with one command, run against a world in memory.
type program struct {
	env map[string]string
	err error // what the command returns
}

func (p program) run(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	app := &App{Name: "countersign", In: strings.NewReader(""), Out: &o, Err: &e, Now: time.Now, Getenv: func(k string) string { return p.env[k] }}
	root := &cobra.Command{Use: "countersign", Version: "1.2.3"}
	app.Prepare(root)
	var room string
	var mirrors []string
	show := &cobra.Command{Use: "show NAME", Args: cobra.ExactArgs(1), RunE: func(_ *cobra.Command, args []string) error {
		if p.err != nil {
			return p.err
		}
		return app.Print(map[string]any{"name": args[0], "room": room, "mirrors": mirrors}, fmt.Sprintf("%s %s %v", args[0], room, mirrors))
	}}
	show.Flags().StringVar(&room, "room", "room", "the room")
	show.Flags().StringArrayVar(&mirrors, "mirror", nil, "mirrors")
	root.AddCommand(show)
	code = app.Run(root, args)
	return code, o.String(), e.String()
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		args []string
		code int
		says string
	}{
		{"done", nil, []string{"show", "x"}, ExitDone, ""},
		{"refused", Refusef("two of three signed"), []string{"show", "x"}, ExitRefused, "countersign: refused: two of three signed\n"},
		{"refused inside", fmt.Errorf("stable: %w", Refusef("no")), []string{"show", "x"}, ExitRefused, "countersign: refused: stable: no\n"},
		{"usage", Usagef("want a file"), []string{"show", "x"}, ExitUsage, "countersign: error: want a file\n"},
		{"network", errors.New("connection reset"), []string{"show", "x"}, ExitUnknown, "countersign: error: connection reset\n"},
		{"hints", Hint(Refusef("no"), "ask", "wait"), []string{"show", "x"}, ExitRefused, "countersign: refused: no\n  → ask\n  → wait\n"},
		{"unknown command", nil, []string{"shwo"}, ExitUsage, "countersign: error: unknown command"},
		{"unknown flag", nil, []string{"show", "x", "--rom=y"}, ExitUsage, "countersign: error: unknown flag: --rom\nsee 'countersign show --help'\n"},
		{"too few arguments", nil, []string{"show"}, ExitUsage, "countersign: error: accepts 1 arg(s), received 0\n"},
	} {
		code, _, errs := program{err: c.err}.run(t, c.args...)
		if code != c.code || !strings.HasPrefix(errs, c.says) {
			t.Errorf("%s: code %d, %q; want %d, %q", c.name, code, errs, c.code, c.says)
		}
	}
}

func TestHelpAndVersionGoToOutput(t *testing.T) {
	for _, flag := range []string{"--help", "--version"} {
		code, out, errs := program{}.run(t, flag)
		if code != 0 || out == "" || errs != "" {
			t.Errorf("%s: code %d, out %q, err %q", flag, code, out, errs)
		}
	}
}

// A setting comes from the flag, or else the environment, or else the file, or else the default.
func TestSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "settings.toml")
	if err := os.WriteFile(file, []byte("room = \"file\"\nmirror = [\"a\", \"b\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(t.TempDir(), "home")
	t.Setenv("XDG_CONFIG_HOME", none)
	t.Setenv("HOME", none)
	for _, c := range []struct {
		name string
		env  map[string]string
		args []string
		want string
	}{
		{"default", nil, nil, "x room []\n"},
		{"file", nil, []string{"--config", file}, "x file [a b]\n"},
		{"file by environment", map[string]string{"COUNTERSIGN_CONFIG": file}, nil, "x file [a b]\n"},
		{"environment", map[string]string{"COUNTERSIGN_ROOM": "env"}, []string{"--config", file}, "x env [a b]\n"},
		{"flag", map[string]string{"COUNTERSIGN_ROOM": "env"}, []string{"--room", "flag", "--mirror", "c", "--config", file}, "x flag [c]\n"},
	} {
		code, out, errs := program{env: c.env}.run(t, append([]string{"show", "x"}, c.args...)...)
		if code != 0 || out != c.want {
			t.Errorf("%s: code %d, %q, %q; want %q", c.name, code, out, errs, c.want)
		}
	}
}

func TestBadSettingsFile(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"rom = 1\n":                     `unknown setting "rom"`,
		"room = \n":                     "expected value",
		"json = 7\n":                    `json = "7"`,
		"[ro]\nom = 1\n":                `unknown setting "ro-om"`,
		"no-name = 1\n[no]\nname = 2\n": "no-name is set twice",
	} {
		file := filepath.Join(dir, "settings.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		code, _, errs := program{}.run(t, "show", "x", "--config", file)
		if code != ExitUsage || !strings.Contains(errs, want) {
			t.Errorf("%q: code %d, %q; want %q", text, code, errs, want)
		}
	}
	if code, _, errs := (program{}).run(t, "show", "x", "--config", filepath.Join(dir, "missing.toml")); code != ExitUsage || !strings.Contains(errs, "missing.toml") {
		t.Errorf("a settings file that was asked for and is missing: code %d, %q", code, errs)
	}
}

func TestJSON(t *testing.T) {
	code, out, _ := program{}.run(t, "show", "x", "--json")
	if code != 0 || out != "{\n  \"mirrors\": null,\n  \"name\": \"x\",\n  \"room\": \"room\"\n}\n" {
		t.Errorf("code %d, %s", code, out)
	}
}
