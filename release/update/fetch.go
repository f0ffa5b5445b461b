package update

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/countersign-project/countersign/tuf/fetch"
)

// slack is what an update writes besides the program: metadata, evidence, state. In bytes.
const slack = 8 << 20

// fetch brings the program of an offer into the download directory. It refuses before the first byte
// when the disk has no room for all of it and a tenth more: the file is moved, never copied, so it is
// there only once. Other left-overs in the directory are removed first.
func (u *Updater) fetch(ctx context.Context, o offer) (partial string, err error) {
	a := o.artifact
	partial = filepath.Join(u.Home.Downloads(), a.SHA256.String())
	if err := u.clearDownloads(partial); err != nil {
		return "", err
	}
	if err := u.room(partial, a.Length); err != nil {
		return "", err
	}
	u.report(StepFetch, o.version, "fetching %d bytes", a.Length)
	err = u.Courier.Download(ctx, fetch.TargetPath(o.manifest.TargetPath(a), a.SHA256), a.Length, a.SHA256, partial, func(done, total int64) {
		if u.Report != nil {
			u.Report(Event{Step: StepFetch, Version: o.version, Text: "fetching", Done: done, Total: total})
		}
	})
	if isFull(err) {
		os.Remove(partial) // others need the room more than we need the part
		return "", fmt.Errorf("the disk is full: %w", err)
	}
	return partial, otherBytes(err)
}

// room refuses when the disk cannot take the rest of a file of that length.
func (u *Updater) room(partial string, length int64) error {
	need := length + length/10 + slack
	if info, err := os.Stat(partial); err == nil {
		need -= min(info.Size(), length)
	}
	free := u.Free
	if free == nil {
		free = freeBytes
	}
	have, err := free(u.Home.Dir)
	if err != nil {
		return err
	}
	if have < need {
		return fmt.Errorf("not enough room in %s: %d MB free, %d MB needed; nothing was changed", u.Home.Dir, have>>20, (need+1<<20-1)>>20)
	}
	return nil
}

// clearDownloads removes partial files of versions nobody wants any more.
func (u *Updater) clearDownloads(keep string) error {
	entries, err := os.ReadDir(u.Home.Downloads())
	if err != nil {
		return err
	}
	for _, e := range entries {
		if path := filepath.Join(u.Home.Downloads(), e.Name()); path != keep {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	return nil
}
