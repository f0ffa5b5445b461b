package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// prefix is the start of this program's environment variables: COUNTERSIGN or MESSENGER.
func (a *App) prefix() string {
	if strings.HasPrefix(a.Name, "messenger") {
		return "MESSENGER"
	}
	return "COUNTERSIGN"
}

// settings fills every flag that the person did not give from the environment (COUNTERSIGN_ROOM for
// --room) and then from the settings file (room = "…"). A table groups names that begin alike: name below [federation]
// is --federation-name. A key in the file that no command of this program knows is an error, since it is probably a misspelt one.
func (a *App) settings(cmd *cobra.Command) error {
	file, err := a.settingsFile(cmd)
	if err != nil {
		return err
	}
	var failed error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if failed != nil || f.Changed || f.Name == "help" || f.Name == "config" {
			return
		}
		name := a.prefix() + "_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		values, from := file[f.Name], "the settings file"
		if v := a.Getenv(name); v != "" {
			values, from = []string{v}, name
		}
		for _, v := range values {
			if err := cmd.Flags().Set(f.Name, v); err != nil {
				failed = Usagef("%s: %s = %q: %v", from, f.Name, v, err)
			}
		}
	})
	return failed
}

func (a *App) settingsFile(cmd *cobra.Command) (map[string][]string, error) {
	path, _ := cmd.Flags().GetString("config")
	given := path != ""
	if !given {
		path = a.Getenv(a.prefix() + "_CONFIG")
		given = path != ""
	}
	if !given {
		dir, err := os.UserConfigDir()
		if err != nil {
			return nil, nil // no home, no file
		}
		path = filepath.Join(dir, "countersign", a.Name+".toml")
	}
	var raw map[string]any
	if _, err := toml.DecodeFile(path, &raw); err != nil {
		if errors.Is(err, fs.ErrNotExist) && !given {
			return nil, nil
		}
		return nil, Usagef("settings file %s: %v", path, err)
	}
	known := map[string]bool{}
	addFlags(cmd.Root(), known)
	out := map[string][]string{}
	raw, err := flat(raw)
	if err != nil {
		return nil, Usagef("settings file %s: %v", path, err)
	}
	for _, key := range sortedKeys(raw) {
		if !known[key] {
			return nil, Usagef("settings file %s: unknown setting %q", path, key)
		}
		if list, ok := raw[key].([]any); ok {
			for _, v := range list {
				out[key] = append(out[key], fmt.Sprint(v))
			}
			continue
		}
		out[key] = []string{fmt.Sprint(raw[key])}
	}
	return out, nil
}

// flat gives what stands in a table its full name. Tables in tables do not exist.
func flat(raw map[string]any) (map[string]any, error) {
	out := map[string]any{}
	add := func(key string, v any) error {
		if _, twice := out[key]; twice {
			return fmt.Errorf("%s is set twice", key)
		}
		out[key] = v
		return nil
	}
	for key, v := range raw {
		table, ok := v.(map[string]any)
		if !ok {
			table = map[string]any{"": v}
		}
		for name, v := range table {
			if err := add(strings.TrimSuffix(key+"-"+name, "-"), v); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// addFlags collects the flag names of a command and all below it.
func addFlags(c *cobra.Command, known map[string]bool) {
	add := func(f *pflag.Flag) { known[f.Name] = true }
	c.Flags().VisitAll(add)
	c.PersistentFlags().VisitAll(add)
	for _, sub := range c.Commands() {
		addFlags(sub, known)
	}
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
