package source

import (
	"bytes"
	"encoding/hex"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/dirhash"
)

// hashTree computes git's tree hash of a directory from what is on the disk, files that do not belong
// there included. Where the system has no executable bit, it is taken from the list of files.
func hashTree(dir string, files []file) (string, error) {
	programs := map[string]bool{}
	for _, f := range files {
		programs[f.path] = f.mode == modeProgram
	}
	return hashDir(dir, "", func(p string, info fs.FileInfo) bool {
		if runtime.GOOS == "windows" {
			return programs[p]
		}
		return info.Mode()&0o100 != 0
	})
}

func hashDir(root, dir string, program func(string, fs.FileInfo) bool) (string, error) {
	entries, err := os.ReadDir(filepath.Join(root, filepath.FromSlash(dir)))
	if err != nil {
		return "", err
	}
	type entry struct{ key, mode, name, id string }
	var tree []entry
	for _, e := range entries {
		p := path.Join(dir, e.Name())
		info, err := e.Info()
		if err != nil {
			return "", err
		}
		t := entry{key: e.Name(), name: e.Name()}
		switch {
		case info.IsDir():
			t.mode, t.key = modeDir, e.Name()+"/" // git sorts directories as if they ended in a slash
			t.id, err = hashDir(root, p, program)
		case info.Mode()&fs.ModeSymlink != 0:
			var target string
			target, err = os.Readlink(filepath.Join(root, filepath.FromSlash(p)))
			t.mode, t.id = modeLink, objectID("blob", []byte(filepath.ToSlash(target)))
		case info.Mode().IsRegular():
			var body []byte
			body, err = os.ReadFile(filepath.Join(root, filepath.FromSlash(p)))
			t.mode, t.id = modeFile, objectID("blob", body)
			if program(p, info) {
				t.mode = modeProgram
			}
		default:
			err = refusef("exported tree has %q, which is neither file, link nor directory", p)
		}
		if err != nil {
			return "", err
		}
		tree = append(tree, t)
	}
	slices.SortFunc(tree, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	var body bytes.Buffer
	for _, t := range tree {
		raw, err := hex.DecodeString(t.id)
		if err != nil {
			return "", err
		}
		body.WriteString(t.mode + " " + t.name + "\x00")
		body.Write(raw)
	}
	return objectID("tree", body.Bytes()), nil
}

// hashH1 is the h1 of all files, as Go computes it for modules, with paths relative to the tree.
func hashH1(dir string) (string, error) {
	return dirhash.HashDir(dir, "", dirhash.Hash1)
}
