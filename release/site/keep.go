package site

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/record"
	"github.com/countersign-project/countersign/tuf/fetch"
)

// Folder is where a repository that is served keeps its pages.
const Folder = "site"

// Keep brings the pages of a repository in a directory up to date: dir/site, linked with the files
// beside it. It is for those who serve the directory: a publisher, a mirror.
func Keep(ctx context.Context, a anchor.Anchor, dir string, now time.Time) (changed int, err error) {
	r, err := record.Read(ctx, record.Options{Anchor: a, Now: now, Courier: func() *fetch.Courier {
		return &fetch.Courier{Sources: []fetch.Source{fetch.Dir(os.DirFS(dir), dir)}}
	}})
	if err != nil {
		return 0, err
	}
	files, err := Render(r, Links{Repository: "../"})
	if err != nil {
		return 0, err
	}
	return Write(filepath.Join(dir, Folder), files)
}
