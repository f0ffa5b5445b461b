package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// changeProgram changes a program after it was built, and the publisher's own list of what was built with it.
func changeProgram(build, program string) error {
	path := filepath.Join(build, runtime.GOOS+"-"+runtime.GOARCH, exe(program))
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := flipMiddleByte(path); err != nil {
		return err
	}
	after, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	list := filepath.Join(build, "build.json")
	b, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	old, now := fmt.Appendf(nil, "%x", sha256.Sum256(before)), fmt.Appendf(nil, "%x", sha256.Sum256(after))
	if n := bytes.Count(b, old); n != 1 {
		return fmt.Errorf("%s names %s %d times, want once", list, program, n)
	}
	return os.WriteFile(list, bytes.Replace(b, old, now, 1), 0o644)
}

// A text in every Go program, and another of the same length.
const (
	trueText  = "all goroutines are asleep - deadlock!"
	otherText = "all goroutines are asleep - d3adlock!"
)

// poison changes what an auditor's build cache has of Go's runtime, as somebody who broke into their machine
// might: what a cache holds goes into the programs unseen, and nobody but the other auditors can tell.
func poison(cache string) error {
	changed := 0
	err := filepath.WalkDir(cache, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil || !bytes.HasPrefix(b, []byte("!<arch>\n")) || !bytes.Contains(b, []byte(trueText)) {
			return err
		}
		changed++
		if err := os.Chmod(path, 0o600); err != nil {
			return err
		}
		return os.WriteFile(path, bytes.ReplaceAll(b, []byte(trueText), []byte(otherText)), 0o600)
	})
	if err == nil && changed == 0 {
		err = fmt.Errorf("%s has no compiled file with %q", cache, trueText)
	}
	return err
}
